"""Functional connectivity: which nodes vary together.

Kernels on arrays: `moments` (centred products of every pair) and `measures` of them, `ranks` and `rank_kernels`,
`shrinkage`, `geometry`; `kinds` joins them under the names that users give. Labelled functions over them: `static` (one
matrix a recording), `lagged` (one a lag), `windowed` (one a window), `tangent` (one a session, seen from their
geometric mean); `inputs` checks and labels for all four. A new kind of connectivity is a kernel and a line in `kinds`.
"""
