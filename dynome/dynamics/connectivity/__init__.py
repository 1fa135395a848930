"""Functional connectivity: which nodes vary together.

Kernels on arrays: `moments` (pairwise centred products, the root of everything here), `ranks`, `shrinkage`.
Labelled functions over them: `static` (one matrix a recording), `lagged` (one a lag), `windowed` (one a window),
`tangent` (one a session, seen from their geometric mean). `inputs` checks and labels for all four. A new kind of
connectivity is a kernel and one line in ``static.KINDS``.
"""
