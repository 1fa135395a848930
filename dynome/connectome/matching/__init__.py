"""Which node of one graph is which of another, told by the wiring alone.

`assignment` holds the search on arrays, over one or several relations (edge types) and, for the two sides of one
nervous system, the edges that cross; `pairing` gives it labels; `agreement` compares what was found with what is known.
"""
