"""The nested weighted stochastic block model on arrays. Importing most of it imports numba: import where used.

`lengths` and `weight_codes` have the terms of the description length one by one; `laws` has them cell by cell,
compiled. `observations` turns weights into edges and covariates, `graphs` these into arrays. `blocks` adds a partition
up; `tallies`, `joining` and `moves` move nodes, `merges` moves groups, `coarsening` starts in large graphs,
`hierarchy` finds the levels above, `search` joins all that in one run, and `fitting` compares models and runs.
"""
