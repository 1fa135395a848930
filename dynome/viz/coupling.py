"""Couplings of a switching model: a matrix for each state, all on one scale, and what the states share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.viz import canvas
from dynome.viz.blocks import communities_of
from dynome.viz.matrices import Matrix, draw_matrices
from dynome.viz.order import Order, by_community, by_similarity, resolved
from dynome.viz.palette import INK
from dynome.viz.states import by_state, chosen_states, state_colors, state_title, states_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_dims = ("target", "source")
_what = "couplings"
_few = 200  # couplings; more are clipped
_clip = 0.99
_groups = ("community", "cell_type", "region")


def plot_coupling(
    results: xr.Dataset,
    *,
    community: xr.DataArray | xr.Dataset | None = None,
    order: Literal["similarity"] | Sequence[str] | None = None,
    states: Sequence[Any] | None = None,
    significant: xr.DataArray | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Coupling matrices of all states side by side.

    Parameters
    ----------
    results : Dataset
        As `SwitchingGLM.results_`: ``coupling (state, target, source)``, without ``state`` for a model of one state.
        ``prior_mean (target, source)`` and ``edge_class_probability (target, source, edge_class)``, which the states
        share, get panels of their own where they are there. NaN is grey.
    community : (node,), connectome or None
        Community or cell type of each node, by label, as `connectome.find_communities` gives it, or a connectome that
        has ``community``, ``cell_type`` or ``region``. Blocks are outlined, and coloured along the sides.
    order : {"similarity"}, list of str or None
        Rows and columns: neighbours that resemble each other in all states, the nodes named (a part will do), or None
        for community by community, and as stored where there is no community.
    states : list or None
        Which states, by label.
    significant : (state, target, source) or (target, source) of bool, or None
        Couplings that get a dot.
    ax : Axes or None
        Where to draw; None makes a figure.

    Returns
    -------
    Axes
        The host of the panels, which are its ``child_axes``. Targets go down and sources to the right. Red excites;
        one scale, symmetric about zero, holds for all states: it is clipped at the 99th percentile of the magnitude
        of couplings between different nodes, since self-couplings are often far larger.

    Raises
    ------
    InputError
        If ``coupling`` is missing or has other dims, the model has no history and so no couplings, or a state or
        label is unknown.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> names = ["a", "b", "c"]
    >>> results = xr.Dataset(
    ...     {"coupling": (("state", "target", "source"), np.arange(18.0).reshape(2, 3, 3) - 9)},
    ...     {"state": [0, 1], "target": names, "source": names})
    >>> host = plot_coupling(results, order=["c", "a"], ax=Figure().subplots())
    >>> host.child_axes[0].images[0].get_array().tolist(), host.child_axes[1].get_title(loc="left")
    ([[-1.0, -3.0], [-7.0, -9.0]], 'state 1')
    """
    coupling = by_state(chosen_states(results, states), "coupling", _dims, _what)
    if not coupling.size or not np.isfinite(canvas.finite(coupling)).any():
        return canvas.no_data(canvas.axes_or_new(ax, (6.0, 3.0)), "no data: there is no coupling, or all are missing")
    _require_history(results)
    names = {dim: canvas.labels_of(coupling, dim) for dim in _dims}
    groups = {dim: communities_of(_grouping(community), names[dim]) for dim in _dims}
    rank = _ranks(canvas.finite(coupling), names, groups, order)
    cut = np.ix_(rank["target"], rank["source"])
    reach = _reach(canvas.finite(coupling), same=names["target"] == names["source"])
    scale = canvas.quantity(coupling, "coupling")
    panels = _of_states(coupling, significant, cut, reach, scale) + _shared(results, cut, reach, scale)
    return draw_matrices(
        ax, panels, [[names[d][i] for i in rank[d]] for d in _dims], [_taken(groups[d], rank[d]) for d in _dims]
    )


def _require_history(results: xr.Dataset) -> None:
    """A model that ignores the past has couplings of zero, which are no finding."""
    if 0 in (results.sizes.get("basis"), results.sizes.get("lag")):
        raise InputError(
            "there are no couplings to draw: the model ignores the past (NoHistory); fit it with "
            "history=dynome.dynamics.ExponentialHistory(n_lags), or draw plot_transitions and plot_states instead"
        )


def _taken(groups: list[Any], rank: Order) -> list[Any]:
    return [groups[i] for i in rank] if groups else []


def _grouping(community: xr.DataArray | xr.Dataset | None) -> xr.DataArray | None:
    """The communities themselves, or what a connectome knows of its nodes."""
    if not isinstance(community, xr.Dataset):
        return community
    name = next((g for g in _groups if g in community.variables and community[g].dims == ("node",)), None)
    if name is None:
        raise InputError(
            f"cannot order couplings: the connectome has none of {listed(_groups)} for its nodes; pass "
            "community=dynome.connectome.find_communities(connectome)"
        )
    return community[name]


def _ranks(
    values: Floats, names: dict[str, list[str]], groups: dict[str, list[Any]], order: object
) -> dict[str, Order]:
    profile = {"target": np.concatenate(list(values.transpose(0, 2, 1))), "source": np.concatenate(list(values))}
    if names["target"] == names["source"]:
        both = np.concatenate([profile["target"], profile["source"]])
        profile = {"target": both, "source": both}
    if order is None and groups["target"]:
        within = {d: np.argsort(by_similarity(profile[d], names[d])).astype(float) for d in _dims}
        return {d: by_community(groups[d], within[d]) for d in _dims}
    return {d: resolved(order, profile[d], names[d]) for d in _dims}


def _reach(values: Floats, *, same: bool) -> float:
    """The magnitude at which colours end."""
    others = values[:, ~np.eye(values.shape[1], dtype=bool)] if same and values.shape[1] > 1 else values
    size = np.abs(others[np.isfinite(others)])
    reach = 0.0 if not size.size else float(size.max() if size.size < _few else np.quantile(size, _clip))
    return reach or float(np.nanmax(np.abs(values))) or 1.0


def _of_states(
    coupling: xr.DataArray, significant: xr.DataArray | None, cut: Any, reach: float, scale: str
) -> list[Matrix]:
    values = canvas.finite(coupling)
    marks = None if significant is None else _marks(significant, coupling)
    labels = states_of(coupling)
    colors = state_colors(labels)
    return [
        Matrix(state_title(label), color, values[k][cut], None if marks is None else marks[k][cut], reach, scale)
        for k, (label, color) in enumerate(zip(labels, colors, strict=True))
    ]


def _marks(significant: xr.DataArray, coupling: xr.DataArray) -> NDArray[np.bool_]:
    if not isinstance(significant, xr.DataArray) or not set(_dims) <= set(significant.dims) <= set(coupling.dims):
        raise InputError(f"significant must be a DataArray of bool with dims {tuple(map(str, coupling.dims))}")
    marks = xr.broadcast(significant.reindex_like(coupling, fill_value=False), coupling)[0]
    return marks.transpose(*coupling.dims).to_numpy().astype(bool)


def _shared(results: xr.Dataset, cut: Any, reach: float, scale: str) -> list[Matrix]:
    """What all states have in common, as far as the model knows it."""
    found = []
    if "prior_mean" in results:
        mean = canvas.require_dims(results["prior_mean"], _dims, "couplings: prior_mean", "see SwitchingGLM")
        found.append(Matrix("prior mean", INK, canvas.finite(mean)[cut], None, reach, scale))
    if "edge_class_probability" in results:
        known = results["edge_class_probability"]
        classes = canvas.labels_of(known, "edge_class") if "edge_class" in known.dims else []
        if not {"excitatory", "inhibitory"} <= set(classes):
            raise InputError("edge_class_probability needs the classes excitatory and inhibitory along edge_class")
        sign = known.isel(edge_class=classes.index("excitatory")) - known.isel(edge_class=classes.index("inhibitory"))
        values = canvas.finite(sign.transpose(*_dims))
        if np.isfinite(values).any():
            found.append(Matrix("edge class", INK, values[cut], None, 1.0, "P(excitatory) − P(inhibitory)"))
    return found
