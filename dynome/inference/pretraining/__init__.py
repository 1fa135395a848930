"""Learning from recordings without labels: graphs with parts hidden, and networks that tell what was there.

`masks` (what is hidden), `neighbours` (windows before and after), `decoders` (from what is seen to what is not), the
objectives `jema`, `mae`, `graphmae` and `contrastive`, `objectives` (one doorway to them) and `masked_autoencoder` (the
estimator). A new objective is one module with a network that has `encoder`, `terms` and `after_step`, and a line in
`objectives`.
"""
