"""A matrix of connections: sources down, targets to the right, communities as outlined blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.viz import canvas
from dynome.viz.blocks import add_blocks, communities_of
from dynome.viz.order import Order, by_community, by_similarity, resolved
from dynome.viz.palette import MISSING, ColorScale, color_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_max_cells = {True: 600, False: 2000}  # rows drawn of a sparse and of a dense matrix; larger ones are pooled
_mostly_zero = 0.5


def plot_matrix(
    matrix: xr.DataArray,
    *,
    community: xr.DataArray | None = None,
    order: Literal["similarity"] | Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Connections between every pair of nodes.

    Parameters
    ----------
    matrix : (source, target)
        Functional connectivity, or a dense connectome in which zero means no connection. NaN is grey.
    community : (node,) or None
        Community or cell type of each node, by label; nodes that it does not name are of unknown community. Blocks are
        outlined, and coloured along the sides.
    order : {"similarity"}, list of str or None
        Rows and columns: neighbours that resemble each other, the nodes named (a part will do), or None for
        community by community, and as stored where there is no community. Within a community nodes are sorted by
        similarity, or strongest first where most entries are zero.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        Colours are diverging and symmetric about zero where both signs matter, else sequential; they are clipped at the
        1st and 99th percentile, self-connections left out. Where most entries are zero, zero is white and positive
        weights that span more than a factor of 20 get a logarithmic scale.

    Raises
    ------
    InputError
        If dims are others than source and target, or a label is unknown.

    Notes
    -----
    A page has fewer pixels than a large matrix has entries. Where most are zero, each cell above 600 rows shows the
    entry of largest magnitude in its block, so that none gets lost; otherwise, above 2,000 rows, the mean. The colour
    bar says so.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = ["AVAL", "AVAR", "RIML"]
    >>> fc = xr.DataArray([[1, 0.8, -0.4], [0.8, 1, -0.3], [-0.4, -0.3, 1]],
    ...                   coords={"source": names, "target": names}, dims=("source", "target"), name="correlation")
    >>> ax = plot_matrix(fc, ax=Figure().subplots())
    >>> ax.images[0].get_clim(), ax.get_ylabel()
    ((-0.8, 0.8), 'source')
    """
    hint = "select one window, session or animal first, e.g. fc.isel(window=0)"
    matrix = canvas.require_dims(matrix, ("source", "target"), "a matrix", hint)
    ax = canvas.axes_or_new(ax, (6.0, 5.2))
    values = canvas.finite(matrix)
    if not values.size:
        return canvas.no_data(ax, "no data: the matrix has no nodes")
    names = {dim: canvas.labels_of(matrix, dim) for dim in ("source", "target")}
    same = names["source"] == names["target"]
    others = values[~np.eye(len(values), dtype=bool)] if same and len(values) > 1 else values.ravel()
    sparse = bool((others == 0).mean() > _mostly_zero)
    scale = color_scale(others, sparse=sparse) or color_scale(values)
    if scale is None:
        return canvas.no_data(ax, "no data: every value is missing")
    groups = {dim: communities_of(community, names[dim]) for dim in names}
    rank = _ranks(values, names, groups, order, same=same, sparse=sparse)
    values = values[np.ix_(rank["source"], rank["target"])]
    _draw(ax, values, scale, sparse, canvas.quantity(matrix, "weight"))
    canvas.label_ticks(ax, "y", [names["source"][k] for k in rank["source"]], "source")
    canvas.label_ticks(ax, "x", [names["target"][k] for k in rank["target"]], "target")
    if community is not None:
        add_blocks(ax, *([groups[dim][k] for k in rank[dim]] for dim in ("source", "target")))
    canvas.settle(ax)
    return ax


def _ranks(
    values: NDArray[np.float64],
    names: dict[str, list[str]],
    groups: dict[str, list[Any]],
    order: object,
    *,
    same: bool,
    sparse: bool,
) -> dict[str, Order]:
    profile = {"source": values.T, "target": values}
    if same:
        both = np.concatenate([values, values.T])
        profile = {"source": both, "target": both}
    if order is None and groups["source"]:
        return {dim: by_community(groups[dim], _within(profile[dim], names[dim], sparse)) for dim in names}
    return {dim: resolved(order, profile[dim], names[dim]) for dim in names}


def _within(profile: NDArray[np.float64], names: list[str], sparse: bool) -> NDArray[np.float64]:
    """What sorts the nodes inside a community, smallest first."""
    if sparse:
        return np.asarray(-np.nansum(np.abs(profile), axis=0))
    return np.argsort(by_similarity(profile, names)).astype(float)


def _draw(ax: Axes, values: NDArray[np.float64], scale: ColorScale, sparse: bool, label: str) -> None:
    from matplotlib.colors import ListedColormap

    factor = -(-max(values.shape) // _max_cells[sparse])
    pooled = _pooled(values, factor, sparse)
    n_row, n_col = values.shape
    place: dict[str, Any] = {"extent": (-0.5, n_col - 0.5, n_row - 0.5, -0.5), "aspect": "auto"}
    # Several entries to a pixel: averaging shows all of a dense matrix.
    place["interpolation"] = "nearest" if max(pooled.shape) <= _max_cells[True] else "antialiased"
    missing = np.isnan(pooled)
    shown = np.where(pooled == 0, np.nan, pooled) if scale.blank_zeros else pooled
    image = ax.imshow(shown, cmap=scale.cmap, norm=scale.norm, **place)
    if scale.blank_zeros and missing.any():
        ax.imshow(np.where(missing, 1.0, np.nan), cmap=ListedColormap([MISSING]), **place)
    ax.set_box_aspect(min(max(n_row / n_col, 0.2), 5))
    canvas.despine(ax, keep=("left", "bottom", "top", "right") if scale.blank_zeros else ())
    if factor > 1:
        label += f"\n{'largest' if sparse else 'mean'} of {factor} × {factor}"
    canvas.add_colorbar(ax, image, label, extend=scale.extend, missing=bool(missing.any()))


def _pooled(values: NDArray[np.float64], factor: int, sparse: bool) -> NDArray[np.float64]:
    """The entry of largest magnitude (sparse) or the mean (dense) of each block of `factor` by `factor`."""
    if factor == 1:
        return values
    rows, cols = (-(-n // factor) for n in values.shape)
    padded = np.full((rows * factor, cols * factor), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows, factor, cols, factor).swapaxes(1, 2).reshape(rows, cols, -1)
    known = np.isfinite(blocks)
    if sparse:
        largest = np.where(known, np.abs(blocks), -1.0).argmax(axis=-1)[..., None]
        return np.asarray(np.take_along_axis(blocks, largest, axis=-1)[..., 0])
    count = known.sum(axis=-1)
    return np.where(count > 0, np.where(known, blocks, 0).sum(axis=-1) / np.maximum(count, 1), np.nan)
