"""The operand of a labelled tensor that is kept in chunks, on disk or computed when asked for."""

from __future__ import annotations

import xarray as xr

from dynome.dynamics.tensor.operands.chunked import ChunkedOperand, block_bounds
from dynome.dynamics.tensor.operands.entries import SUBJECT, Entries, checked_weights, report
from dynome.errors import InputError, Problems


def operand_of_chunks(
    X: xr.DataArray, weights: xr.DataArray | None, *, samples_only: bool, negative: bool
) -> ChunkedOperand:
    """The operand of a tensor in chunks; reads it once.

    Parameters
    ----------
    X : DataArray
        Over dask chunks, at least two dims. NaN is missing. Best chunked along the first dim alone.
    weights : DataArray or None
        How much each entry counts; those that vary along every dim are as large as the tensor.
    samples_only : bool
        Whether labels of other dims than the first may be without any observed entry.
    negative : bool
        Whether entries may be negative.

    Raises
    ------
    InputError
        With everything that is wrong with the input.
    """
    problems = Problems(SUBJECT)
    if X.ndim < 2:
        problems.add(f"expected at least 2 dims, found {dict(X.sizes)}")
        problems.fail(InputError)
    counts = None if weights is None else checked_weights(X, weights, problems)
    problems.raise_if_any(InputError)
    chunks = X.chunksizes.get(X.dims[0])
    operand = ChunkedOperand(X.data, block_bounds(X.shape, chunks), counts)
    survey = operand.survey
    below = 0 if negative else survey.negative
    found = Entries(below, survey.infinite, survey.seen, survey.squared_norm > 0)
    report(found, X, problems, samples_only=samples_only)
    problems.raise_if_any(InputError)
    return operand
