"""Which connections carry a forecast, and which nodes it hangs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, progress, seeds
from dynome.dynamics.forecasting.contract import Forecaster
from dynome.dynamics.forecasting.series import Series
from dynome.dynamics.forecasting.windows import origins
from dynome.errors import InputError, listed
from dynome.inference.networks.connectome_gnn import ConnectomeGNN
from dynome.inference.networks.connectome_rnn import ConnectomeRNN
from dynome.schema import EDGE, SOURCE, TARGET

if TYPE_CHECKING:
    import torch

_PROBES = 32  # random directions of the gradient


def edge_attribution(
    model: ConnectomeGNN | ConnectomeRNN,
    part: xr.DataTree,
    *,
    method: Literal["auto", "gradient", "ablation"] = "auto",
    node: str | Sequence[str] | None = None,
    horizon: int | None = None,
    n_windows: int = 64,
    random_state: int | None = 0,
) -> xr.DataArray:
    r"""How much forecasts change when a connection is removed.

    Parameters
    ----------
    model : ConnectomeGNN or ConnectomeRNN
        Fitted.
    part : DataTree
        E.g. ``task.test``.
    method : {"auto", "gradient", "ablation"}
        "ablation" forecasts again without each connection in turn, those left out that no message to the nodes takes.
        "gradient" is the derivative of the forecast by what a connection carries, to first order the same, for all
        connections at once; attention (``layer="gat"``) has no weights and needs ablation. "auto" takes the gradient
        where there is one.
    node : str, list of str or None
        Nodes whose forecasts count; None takes all that the part recorded.
    horizon : int or None
        Bins ahead; None takes all horizons.
    n_windows : int
        Windows, evenly spaced over the part.
    random_state : int or None
        Seed of the random directions in which gradients are taken.

    Returns
    -------
    (edge,)
        Root mean square change over windows, nodes and horizons, in standard deviations of a node. Coordinates
        ``source target``; edge types that join the same pair count together.

    Raises
    ------
    NotFittedError
        Before `fit`.
    InputError
        If the model passes no messages, or an argument is out of range.

    Notes
    -----
    With a gate :math:`m_e = 1` on the message of each connection, the change of a forecast without it is
    :math:`\partial \hat x / \partial m_e` to first order. Its mean square over forecasts is the mean over random signs
    r of :math:`(\partial\, r \cdot \hat x / \partial m_e)^2`; 32 draws of r give it to about a quarter.

    Layers that divide by summed weights ("signed", "sage", "gcn") divide by the same sums without the connection: its
    share goes to no other input. Only attention shares it out among the others.

    A large value says that the model uses the connection, not that the brain does.

    Examples
    --------
    >>> from dynome.datasets import make_rate_network
    >>> from dynome.inference import forecasting_task
    >>> study = make_rate_network(n_animals=2, n_times=120, n_nodes=12, random_state=0)
    >>> task = forecasting_task(study, context=4, horizons=(1, 2), split="by_time")
    >>> model = ConnectomeGNN("signed", hidden=8, n_epochs=2, random_state=0).fit(task.train)
    >>> edge_attribution(model, task.test).dims
    ('edge',)
    """
    if not isinstance(model, ConnectomeGNN | ConnectomeRNN) or not model.uses_wiring:
        raise InputError("expected a ConnectomeGNN that passes messages or a ConnectomeRNN: others use no connections")
    series = model._series_of(part)
    weightless = isinstance(model, ConnectomeGNN) and model.layer == "gat"
    if method not in ("auto", "gradient", "ablation"):
        raise InputError(f"method must be 'auto', 'gradient' or 'ablation', got {method!r}")
    if method == "gradient" and weightless:
        raise InputError("attention (layer='gat') has no weights to take a gradient of; use method='ablation'")
    chosen, at = _nodes_of(series, node), _horizons_of(series, horizon)
    origin = _spaced(series, n_windows)
    ask, graphs = _gated_forecast(model, series, origin, chosen, at)
    sizes = [graph.source.numel() for graph in graphs]
    if method == "ablation" or (method == "auto" and weightless):
        value = _ablated(ask, _carrying(model, series, origin, chosen, graphs))
    else:
        value = _projected(ask, sum(sizes), seeds.generator(random_state, "attribution"))
    ends = [np.concatenate([g.nodes[getattr(g, end).numpy()] for g in graphs]) for end in ("source", "target")]
    return xr.DataArray(
        value,
        dims=EDGE,
        coords={SOURCE: (EDGE, ends[0]), TARGET: (EDGE, ends[1])},
        name="edge_attribution",
        attrs={"units": "1", "long_name": "change of forecast without the connection"},
    )


def node_attribution(
    model: Forecaster, part: xr.DataTree, *, horizon: int | None = None, n_windows: int = 64
) -> xr.DataArray:
    """How much the forecast of each node changes when another node is held at its mean.

    Parameters
    ----------
    model : Forecaster
        Any fitted one, with or without a connectome.
    part : DataTree
        E.g. ``task.test``.
    horizon : int or None
        Bins ahead; None takes all horizons.
    n_windows : int
        Windows, evenly spaced over the part.

    Returns
    -------
    (source, target)
        Root mean square change over windows and horizons, in standard deviations of the target. NaN for sources that no
        session of the part recorded, and for targets that the model does not know. The diagonal is what a node's own
        past does.

    Raises
    ------
    NotFittedError
        Before `fit`.
    InputError
        If an argument is out of range.

    Examples
    --------
    >>> from dynome.datasets import make_rate_network
    >>> from dynome.dynamics import Persistence
    >>> from dynome.inference import forecasting_task
    >>> study = make_rate_network(n_animals=2, n_times=120, n_nodes=12, recorded=1.0, random_state=0)
    >>> task = forecasting_task(study, context=4, horizons=(1, 2), split="by_time")
    >>> found = node_attribution(Persistence().fit(task.train), task.test)
    >>> bool((found == found.where(np.eye(12) > 0, 0)).all())
    True
    """
    series = model._series_of(part)
    at = _horizons_of(series, horizon)
    origin = _spaced(series, n_windows)
    whole = model._forecast(series, origin).mean[:, at]
    recorded = series.recorded[np.unique(series.session[origin])].any(axis=0)
    out = np.full((series.nodes.size, series.nodes.size), np.nan)
    with progress.task("forecasts without each node", total=int(recorded.sum())) as advance:
        for k in np.flatnonzero(recorded):
            values = series.values.copy()
            values[:, k] = np.where(np.isfinite(values[:, k]), 0, np.nan)
            change = model._forecast(series._replace(values=values), origin).mean[:, at] - whole
            out[k] = np.sqrt((change.astype(np.float64) ** 2).mean(axis=(0, 1)))
            advance(1)
    names = labels.as_labels(series.nodes)
    return xr.DataArray(
        out,
        dims=(SOURCE, TARGET),
        coords={SOURCE: names, TARGET: names},
        name="node_attribution",
        attrs={"units": "1", "long_name": "change of forecast without the node", "directed": 1},
    )


def _gated_forecast(
    model: Any, series: Series, origin: NDArray[np.int64], nodes: NDArray[np.int64], at: NDArray[np.int64]
) -> tuple[Callable[[Any], torch.Tensor], list[Any]]:
    """A function from gates of all connections to forecasts (...), and the graphs that the gates run through.

    A gate is a tensor of factors, or the number of the one connection that is taken away. Attention only knows the
    latter: what has no message is then not there.
    """
    import torch

    from dynome.inference.networks.gates import gated, without

    network = model._restored()
    network.requires_grad_(False)
    views = model._views(model.results_, series, "cpu")
    graphs = [views.graph] if isinstance(model, ConnectomeGNN) else [network.chemical.graph, network.gap.graph]
    first, n_edges = graphs[0].source.numel(), sum(graph.source.numel() for graph in graphs)
    wires = None if isinstance(model, ConnectomeGNN) else (network.chemical, network.gap)

    def through(gate: Any) -> None:
        if wires is None and model.layer == "gat" and isinstance(gate, int):
            views.regraph(without(graphs[0], gate))
            return
        factors = gate
        if isinstance(gate, int):
            factors = torch.ones(n_edges)
            factors[gate] = 0
        if wires is None:
            views.regraph(gated(graphs[0], factors))
            return
        network.chemical, network.gap = (
            w._replace(strength=w.strength * part)
            for w, part in zip(wires, (factors[:first], factors[first:]), strict=True)
        )

    def ask(gate: Any) -> torch.Tensor:
        through(gate)
        found = [network(views.view(batch)).mean[nodes][:, :, at] for batch in views.batches(origin, None)]
        return torch.cat(found, dim=1)

    return ask, graphs


def _carrying(
    model: Any, series: Series, origin: NDArray[np.int64], nodes: NDArray[np.int64], graphs: list[Any]
) -> NDArray[np.bool_]:
    """Connections that can change the forecasts of some nodes: for the others nothing needs to be computed."""
    import torch

    from dynome.inference.networks.gates import carrying
    from dynome.inference.networks.tables import observed

    n = series.nodes.size
    sends: NDArray[np.bool_] = np.ones(n, dtype=np.bool_)
    n_steps = n
    if isinstance(model, ConnectomeGNN):
        n_steps = model.n_layers
        if not model.hidden_nodes:
            sends = np.asarray(observed(series)[origin].any(axis=0))
    wanted = torch.zeros(n, dtype=torch.bool)
    wanted[torch.from_numpy(nodes)] = True
    return np.asarray(carrying(graphs, torch.from_numpy(sends), wanted, n_steps).numpy())


def _ablated(ask: Callable[[Any], torch.Tensor], carries: NDArray[np.bool_]) -> NDArray[np.float64]:
    import torch

    out = np.zeros(carries.size)
    with torch.no_grad(), progress.task("forecasts without each connection", total=int(carries.sum())) as advance:
        whole = ask(torch.ones(carries.size))
        for k in np.flatnonzero(carries).tolist():
            out[k] = (ask(k) - whole).double().square().mean().sqrt().item()
            advance(1)
    return out


def _projected(ask: Callable[[Any], torch.Tensor], n_edges: int, rng: np.random.Generator) -> NDArray[np.float64]:
    import torch

    gate = torch.ones(n_edges, requires_grad=True)
    found = ask(gate)
    total = np.zeros(n_edges)
    for k in range(_PROBES):
        signs = torch.from_numpy(rng.choice(np.array([-1, 1], dtype=np.float32), size=tuple(found.shape)))
        (slope,) = torch.autograd.grad((found * signs).sum(), gate, retain_graph=k < _PROBES - 1)
        total += slope.double().numpy() ** 2
    return np.sqrt(total / _PROBES / found.numel())


def _nodes_of(series: Series, node: str | Sequence[str] | None) -> NDArray[np.int64]:
    if node is None:
        return np.flatnonzero(series.recorded.any(axis=0))
    wanted = np.atleast_1d(np.asarray(node))
    place = labels.positions(wanted, series.nodes)
    if (place < 0).any():
        raise InputError(f"the model does not know {listed(wanted[place < 0])}; it knows {listed(series.nodes)}")
    return place


def _horizons_of(series: Series, horizon: int | None) -> NDArray[np.int64]:
    if horizon is None:
        return np.arange(len(series.horizons))
    if horizon not in series.horizons:
        raise InputError(f"horizon must be one of {list(series.horizons)}, got {horizon!r}")
    return np.array([series.horizons.index(horizon)])


def _spaced(series: Series, n_windows: int) -> NDArray[np.int64]:
    every = origins(series)
    if n_windows < 1 or not every.size:
        raise InputError(f"n_windows must be at least 1 and the part must hold a window, got {n_windows}, {every.size}")
    return every[np.unique(np.linspace(0, every.size - 1, min(n_windows, every.size)).astype(np.int64))]
