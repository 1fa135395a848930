"""Colours that colour-blind readers can tell apart, and the colour scale that fits the data.

Categories take the palette of Okabe and Ito [1]_ and then the muted one of Tol [2]_; signed data a diverging map
centred at zero; other data a sequential one. Missing is always grey.

References
----------
.. [1] Okabe & Ito, Color universal design (2008), https://jfly.uni-koeln.de/color/
.. [2] Tol, Colour schemes, SRON/EPS/TN/09-002 (2021).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
CATEGORIES = (
    *OKABE_ITO,
    "#332288", "#44AA99", "#882255", "#999933", "#CC6677", "#88CCEE", "#117733", "#DDCC77", "#AA4499",
)  # fmt: skip
SERIES = tuple(c for c in CATEGORIES if c not in ("#F0E442", "#000000"))  # lines on white, apart from black data
MISSING = "#BDBDBD"
POSITIVE, NEGATIVE = "#B2182B", "#2166AC"
INK, MUTED = "#222222", "#6B6B6B"

SEQUENTIAL, DIVERGING, ON_WHITE = "viridis", "RdBu_r", "magma_r"

# Quieter than the categories, so that connections are not taken for the colour of a node.
EDGE_TYPE = {
    "chemical": "#64748B",
    "gap_junction": "#B45309",
    "functional": "#0F766E",
    "peptidergic": "#A21CAF",
    "monoaminergic": "#A16207",
    "structural": "#475569",
    "synaptic": "#1E3A8A",
    "contact": "#78716C",
}

_few = 200  # below this many values no value is an outlier
_log_span = 20  # positive values that span more than this factor get a logarithmic scale
_clip = 0.01  # share of values beyond each end of a robust scale


class ColorScale(NamedTuple):
    """How values become colours: a map with grey for missing, limits, which ends are clipped, whether zero is blank."""

    cmap: Colormap
    norm: Normalize
    extend: Literal["neither", "both", "min", "max"]
    blank_zeros: bool = False


def unknown(label: object) -> bool:
    """Whether a category means that nothing is known: empty, missing, or -1."""
    return label is None or label != label or str(label) in ("", "-1", "nan", "None", "unknown", "unk")


def category_colors(labels: Iterable[Any]) -> dict[str, str]:
    """A colour for each distinct label, grey for unknown ones.

    Parameters
    ----------
    labels : (n,)
        Categories, repeats allowed; numbers sort as numbers, the rest alphabetically.

    Returns
    -------
    dict
        Label, as a string, to colour; unknown labels last. Colours repeat after 17 categories.

    Examples
    --------
    >>> category_colors(["motor", "", "inter", "motor"])
    {'inter': '#0072B2', 'motor': '#D55E00', '': '#BDBDBD'}
    """
    distinct = {str(v): v for v in labels}
    known = sorted((k for k, v in distinct.items() if not unknown(v)), key=_natural)
    colors = {name: CATEGORIES[k % len(CATEGORIES)] for k, name in enumerate(known)}
    return colors | {name: MISSING for name, value in distinct.items() if unknown(value)}


def _natural(label: str) -> tuple[float, str]:
    try:
        return float(label), ""
    except ValueError:
        return np.inf, label


def color_scale(values: NDArray[Any], *, sparse: bool = False) -> ColorScale | None:
    """The colour scale that fits `values`; None where there is no finite value.

    Parameters
    ----------
    values : any shape
        NaN is missing and does not count.
    sparse : bool
        Zeros mean "nothing there": they are left out of the limits, drawn white, and positive values that span more
        than a factor of 20 get a logarithmic scale.

    Returns
    -------
    ColorScale or None
        Diverging and symmetric about zero where both signs matter (the smaller side reaches a tenth of the larger),
        else sequential. Above 200 values the limits are the 1st and the 99th percentile.
    """
    from matplotlib.colors import LogNorm, Normalize

    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return None
    used = finite[finite != 0] if sparse and finite.any() else finite
    low, high = np.quantile(used, (_clip, 1 - _clip)) if used.size >= _few else (used.min(), used.max())
    if low < 0 < high and min(-low, high) > 0.1 * max(-low, high):
        reach = max(-low, high)
        return ColorScale(_map(DIVERGING), Normalize(-reach, reach), _clipped(finite, -reach, reach))
    if sparse and low > 0:
        least = float(used.min())
        norm = LogNorm(least, high) if high > _log_span * least else Normalize(0, high)
        return ColorScale(_on_white(), norm, "max" if used.max() > high else "neither", blank_zeros=True)
    if low == high:
        low, high = (0.0, high) if high > 0 else (low - 0.5, high + 0.5)
    return ColorScale(_map(SEQUENTIAL), Normalize(low, high), _clipped(finite, low, high))


def _map(name: str) -> Colormap:
    from matplotlib import colormaps

    return colormaps[name].with_extremes(bad=MISSING)


def _on_white() -> Colormap:
    """A map without the palest fifth, whose lowest value shows on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[ON_WHITE](np.linspace(0.2, 1, 256))).with_extremes(bad="#FFFFFF")


def _clipped(values: NDArray[np.float64], low: float, high: float) -> Literal["neither", "both", "min", "max"]:
    below, above = bool(values.min() < low), bool(values.max() > high)
    return "both" if below and above else "min" if below else "max" if above else "neither"
