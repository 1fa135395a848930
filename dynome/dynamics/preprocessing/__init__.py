"""From raw traces to analysable ones: resampling, detrending, scaling, smoothing, trials and animals on one clock.

Every function takes a recording (Dataset) or one of its variables (DataArray) and returns the same kind; the input is
never changed. On a Dataset it acts on ``activity``. Kernels work on ``(n_time, n_series)`` arrays and know nothing of
labels; `labelled` lifts them. A sibling adds one module with one kernel and one labelled function over it.
"""
