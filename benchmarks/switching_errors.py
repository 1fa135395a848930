"""Are standard errors of couplings as large as couplings are off, and do edges that are called exist?

    OMP_NUM_THREADS=1 python benchmarks/switching_errors.py [--seeds 10]

`make_switching_glm` with offsets that depend on the state, fitted by maximum likelihood (or the prior that is named),
best of 3 starts by training likelihood. z = (estimate - truth) / standard error over all edges of all seeds; its
standard deviation (here from the quartiles) is 1 and 95 % are within 1.96 if errors are right. *Wald* takes the
posterior of the states as if it were the states, *Louis* takes away the information that is missing because they are
hidden. Of absent edges 5 % have p < 0.05 if p-values are right; of the edges that are called at q < 0.05 at most 5 %
may be absent. Seeds whose start has not found the states (accuracy below 0.7) are counted and left out: no error of
this kind knows of another optimum. Predictors that run to infinity (an inhibited node that never speaks in a state)
stay in.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
from scipy.stats import norm

import dynome as dy
from dynome.inference import edge_table, matched_states, standard_errors, state_accuracy

STUDIES = {
    "2 states, 10 nodes, clear": {"n_states": 2, "n_nodes": 10, "n_sessions": 8, "n_time": 1000, "stay": 0.98},
    "2 states, 8 nodes, blurred": {"n_states": 2, "n_nodes": 8, "n_sessions": 8, "n_time": 1000, "stay": 0.95},
    "3 states, 12 nodes": {"n_states": 3, "n_nodes": 12, "n_sessions": 8, "n_time": 1000, "stay": 0.97},
    "3 states, 12 nodes, little data": {"n_states": 3, "n_nodes": 12, "n_sessions": 3, "n_time": 1000, "stay": 0.97},
    "5 states, 20 nodes": {"n_states": 5, "n_nodes": 20, "n_sessions": 10, "n_time": 2000, "stay": 0.98},
}
RUNS = [(name, "none") for name in STUDIES] + [("3 states, 12 nodes, little data", "gaussian")]


def study(name: str, prior: str, seed: int) -> dict[str, np.ndarray | float]:
    options = STUDIES[name]
    truth = dy.datasets.make_switching_glm(**options, state_bias=0.8, random_state=seed)
    x = truth.spike_count
    model = dy.dynamics.SwitchingGLM(
        options["n_states"], link="sigmoid", prior=prior, n_restarts=3, tol=1e-8, max_iter=400, random_state=seed
    ).fit(x)
    results = matched_states(model.results_, truth)
    found: dict[str, np.ndarray | float] = {
        "accuracy": float(state_accuracy(model.decode(x), truth.true_state).accuracy),
        "absent": truth.coupling.to_numpy().ravel() == 0,
    }
    for method in ("wald", "louis"):
        began = time.process_time()
        errors = standard_errors(model, x, method=method)
        found[f"{method}_seconds"] = time.process_time() - began
        error = matched_states(errors.assign(coupling=model.results_.coupling), truth).standard_error
        found[method] = ((results.coupling - truth.coupling) / error).to_numpy().ravel()
        found[f"{method}_p"] = 2 * norm.sf(np.abs(results.coupling / error)).ravel()
        table = edge_table(model.results_, errors=errors)
        called = table[table.q_value < 0.05]
        own = matched_states(truth, model.results_).coupling.to_series()
        strength = own.loc[list(zip(called.state, called.target, called.source, strict=True))].to_numpy()
        found[f"{method}_calls"] = np.array([(strength == 0).sum(), strength.size])
        if method == "louis":
            found["missing"] = float(errors.missing_information.mean())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = range(parser.parse_args().seeds)
    print(
        "| study | prior | seeds | missing | sd of z: Wald, Louis | 95 % covers: Wald, Louis "
        "| absent, p < .05: Wald, Louis | false of called: Wald, Louis | CPU s: Wald, Louis |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for name, prior in RUNS:
        rows = [study(name, prior, seed) for seed in seeds]
        good = [r for r in rows if r["accuracy"] >= 0.7]
        cells = [name, prior, f"{len(good)} of {len(rows)}", f"{np.mean([r['missing'] for r in good]):.2f}"]
        both: list[list[str]] = [[], [], [], [], []]
        for method in ("wald", "louis"):
            z = np.concatenate([r[method] for r in good])
            p = np.concatenate([r[f"{method}_p"][r["absent"]] for r in good])
            calls = np.sum([r[f"{method}_calls"] for r in good], axis=0)
            both[0].append(f"{(np.quantile(z, 0.75) - np.quantile(z, 0.25)) / 1.349:.2f}")
            both[1].append(f"{(np.abs(z) < 1.96).mean():.3f}")
            both[2].append(f"{(p < 0.05).mean():.3f}")
            both[3].append(f"{calls[0]} of {calls[1]}")
            both[4].append(f"{np.mean([r[f'{method}_seconds'] for r in good]):.2f}")
        print("| " + " | ".join(cells + [", ".join(b) for b in both]) + " |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # starts that did not converge are what other studies count
    main()
