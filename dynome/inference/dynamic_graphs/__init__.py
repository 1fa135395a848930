"""Networks on dynamic graphs: scans cut into windows, each window a binary graph of its regions.

From a study to a number: `scans` (sessions with the same regions, cut into windows), `graph_batches` (windows as
graphs, a mini-batch at a time), `encoder` (graphs to node embeddings), `readouts` (nodes to a vector a window),
`time_attention` (windows to a vector a session), `predictor` (the whole supervised network), `graph_estimator` (what
all estimators on dynamic graphs share), `graph_classifier` and `graph_regressor` with `targets`, `held_out` and
`supervision`; `attribution` and `graph_influence` say what an answer hangs on. A new readout or timestamp is one
class in its module and a name in `settings`.
"""
