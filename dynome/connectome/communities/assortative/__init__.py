"""Assortative communities in wiring and weights at once. Importing most of it imports numba: import where used.

`weighted_edges` turns weights into values on a scale on which they add up, `node_effects` has the model of the values,
`description` the description length of wiring and partition, `node_moves` the search, `fitting` the restarts and the
choice of the scale.
"""
