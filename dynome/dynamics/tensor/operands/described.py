"""The operand of a described affinity: what `affinity` gives is factorised as it is, without forming the tensor."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from dynome.dynamics.affinities.forming import recipe_of, template_of
from dynome.dynamics.tensor.operands.implicit import ImplicitOperand
from dynome.errors import InputError, Problems, listed


def operand_of_affinity(
    described: xr.Dataset, *, dtype: Literal["float64", "float32"] = "float64", samples_only: bool = False
) -> tuple[ImplicitOperand, xr.DataArray]:
    """The operand of a described affinity, and a template that carries its labels.

    Parameters
    ----------
    described : Dataset
        As `affinity` gives it, or a selection of its times, animals and pairs.
    dtype : {"float64", "float32"}
        Of the blocks and products; sums are float64 either way.
    samples_only : bool
        Whether labels of other dims than the first may be without any observed entry.

    Raises
    ------
    SchemaError
        If it is not a valid description.
    InputError
        If a label has no observed entry, or every entry is 0.
    """
    operand, template = ImplicitOperand(recipe_of(described, dtype)), template_of(described)
    problems = Problems("cannot factorise these affinities")
    ones = [np.ones((1, n, 1)) for n in operand.shape]
    for mode, dim in enumerate(template.dims[: 1 if samples_only else None]):
        count = np.broadcast_to(operand.gram(ones, mode)[0, :, 0, 0], operand.shape[mode])
        if (count == 0).any():
            names = template[dim].to_numpy()[count == 0].tolist()
            problems.add(f"{len(names)} of {dim} have no observed entry: {listed(names)}; drop them")
    if not problems.found and operand.squared_norm == 0:
        problems.add("every observed entry is 0; lower the threshold or check the traces")
    problems.raise_if_any(InputError)
    return operand, template
