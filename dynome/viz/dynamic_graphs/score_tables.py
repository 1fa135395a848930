"""Tables of scores of held-out animals: what their axes are called, and which scores are above chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError
from dynome.viz import canvas
from dynome.viz.palette import MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

LEVEL = 0.05
PHENOTYPE, FRACTION = "phenotype", "fraction"
_metrics = {"auroc": "AUROC", "correlation": "correlation"}
_tests = {"q_value": "q (over all variables)", "p_value": "p"}
_needed = ("score", "score_low", "score_high")


class Series(NamedTuple):
    """Scores of one model over fractions of the labels, or of one fraction.

    Attributes
    ----------
    name : str
    color : str
    value, low, high : (fraction,)
    sure : (fraction,)
        Whether the score is above chance at a level of 0.05.
    """

    name: str
    color: str
    value: Floats
    low: Floats
    high: Floats
    sure: NDArray[np.bool_]


def checked(table: object, what: str, hint: str) -> tuple[xr.Dataset, str]:
    """A table ``(phenotype, model, fraction)`` and what its dim of models is called.

    Raises
    ------
    InputError
        If it is no such table.
    """
    canvas.require_variables(table, _needed, what)
    data: xr.Dataset = table  # type: ignore[assignment]
    others = [str(d) for d in data["score"].dims if d not in (PHENOTYPE, FRACTION)]
    if len(others) > 1:
        raise InputError(f"cannot draw {what}: expected {hint}, found score with dims {tuple(data['score'].dims)}")
    model = others[0] if others else "model"
    for dim in (PHENOTYPE, FRACTION, model):
        if dim not in data["score"].dims:
            scalar = data.coords[dim].item() if dim in data.coords else data.attrs.get("target", "")
            scalar = "" if dim == model else scalar
            data = data.drop_vars(dim, errors="ignore").expand_dims({dim: [scalar]})
    return data, model


def series_of(data: xr.Dataset, model: str, phenotype: int) -> list[Series]:
    """Scores of every model for one variable."""
    part = data.isel({PHENOTYPE: phenotype})
    found = []
    for k, name in enumerate(canvas.labels_of(data, model)):
        here = part.isel({model: k})
        value, low, high = (canvas.finite(here[v].transpose(FRACTION)) for v in _needed)
        found.append(
            Series(name, SERIES[k % len(SERIES)], value, low, high, _sure(here, low, chance_of(data, phenotype)))
        )
    return found


def _sure(part: xr.Dataset, low: Floats, chance: float) -> NDArray[np.bool_]:
    """Whether scores are above chance: by their q- or p-value, or by their interval where there is none."""
    by_interval = low > chance if np.isfinite(chance) else np.ones(low.size, dtype=bool)
    told = next((name for name in _tests if name in part), None)
    if told is None:
        return by_interval
    p = canvas.finite(part[told].transpose(FRACTION))
    return np.where(np.isfinite(p), p < LEVEL, by_interval)


def chance_of(data: xr.Dataset, phenotype: int) -> float:
    """Score of a model that knows nothing, NaN where the table does not say."""
    return float(_of_phenotype(data, "chance", phenotype, np.nan))


def metric_of(data: xr.Dataset, phenotype: int) -> str:
    """What the score is called on an axis."""
    if "metric" not in data.variables and "metric" not in data.attrs:
        return canvas.quantity(data["score"], "score")
    return _metrics.get(name := str(_of_phenotype(data, "metric", phenotype, "score")), name)


def add_chance(ax: Axes, chance: float, *, upright: bool = False) -> None:
    """A dashed line at chance."""
    if np.isfinite(chance):
        (ax.axvline if upright else ax.axhline)(chance, color=MUTED, lw=0.9, ls=(0, (4, 3)), zorder=0)


def level_told(data: xr.Dataset) -> str:
    """What full points mean."""
    test = next((name for name in _tests if name in data), None)
    if test is None:
        return "filled: interval above chance"
    untested = bool((data["score"].notnull() & data[test].isnull()).any())
    without = "; without a test, interval above chance" if untested else ""
    return f"filled: above chance, {_tests[test]} < {LEVEL:g}{without}"


def _of_phenotype(data: xr.Dataset, name: str, phenotype: int, default: Any) -> Any:
    """What a coordinate says of one variable."""
    if name not in data.variables:
        return data.attrs.get(name, default)
    coordinate = data[name]
    if PHENOTYPE in coordinate.dims:
        coordinate = coordinate.isel({PHENOTYPE: phenotype})
    return coordinate.to_numpy().ravel()[0]
