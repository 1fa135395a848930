"""Functional connectivity: which nodes vary together.

Kernels on arrays: `moments` (centred products of every pair) and `measures` of them, `ranks` and `rank_kernels`,
`shrinkage`, `geometry`; `kinds` joins them under the names that users give. Labelled functions over them: `static` (one
matrix a recording), `lagged` (one a lag), `windowed` (one a window), `tangent` (one a session, seen from their
geometric mean); `inputs` checks and labels for all four. A new kind of connectivity is a kernel and a line in `kinds`.

Windows have kernels of their own, because there are thousands of them: `window_starts`, `windowed_correlation`,
`density` (graphs), `phase_coherence` over the compiled `window_loops`, and `window_tensors` for a GPU. `window_plan`
checks what a user asks for, `window_blocks` computes a stretch of windows, `windowed` labels them, and `window_graphs`
makes a connectome of each.
"""
