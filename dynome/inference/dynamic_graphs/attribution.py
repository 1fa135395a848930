"""Which regions, windows and connections between networks a classifier or regressor of dynamic graphs hangs on.

All functions say what the *model* uses. Whether the brain does is another question: two regions that always go
together share what is due to them in any way.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import device as devices
from dynome import progress
from dynome.errors import InputError, listed
from dynome.inference.dynamic_graphs.embeddings import session_coords, window_coords
from dynome.inference.dynamic_graphs.graph_classifier import CLASS
from dynome.inference.dynamic_graphs.graph_predictor import GraphPredictor
from dynome.inference.dynamic_graphs.scans import Scans
from dynome.schema import LAYER, NODE, SESSION, SOURCE, TARGET, WINDOW

if TYPE_CHECKING:
    from torch import Tensor

    from dynome.inference.dynamic_graphs.graph_influence import Influence


def region_attribution(
    model: GraphPredictor,
    study: Any,
    *,
    of: Any = None,
    method: Literal["gradients", "occlusion"] = "gradients",
    reference: Any = None,
    n_steps: int = 16,
) -> xr.DataArray:
    r"""What a prediction owes to each region in each window.

    Parameters
    ----------
    model : GraphClassifier or GraphRegressor
        Fitted.
    study : DataTree, mapping, Dataset or DataArray
        Sessions with all regions of the model.
    of : object
        The class whose log odds are explained; None is the last of two classes. Of a regressor it must be None: the
        predicted value is explained.
    method : {"gradients", "occlusion"}
        "gradients" asks what the answer owes to the *edges* of a region: to where the graphs of a scan differ from the
        mean graph of the reference, by integrated gradients [1]_; an edge is shared out between its two regions.
        "occlusion" takes a region, with its edges and its activity, out of one window: the fall of the answer. It needs
        a pass of the network for each region.
    reference : as `study`, or None
        Sessions whose mean graph gradients start from; None takes `study` itself. What all sessions of the reference
        share is due to nobody.
    n_steps : int
        Points of the path of gradients.

    Returns
    -------
    (session, window, node)
        Positive where the region speaks for the class, or for a larger value. NaN after the last window of a session.
        Coordinates ``answer (session)``, what is explained; with gradients ``reference (session)``, the answer for the
        mean graph, so that the sum over windows and regions is answer less reference; and those of `transform`.

    Raises
    ------
    NotFittedError
        Before `fit`.
    InputError
        If an argument cannot be used, or the model sees no edges that gradients could be due to.

    Notes
    -----
    With graphs A(t) of a scan, their mean R over the reference and the answer f,

    .. math:: \phi_{ij}(t) = (A_{ij}(t) - R_{ij}) \int_0^1 \frac{\partial f}{\partial A_{ij}(t)}
        \big(R + \alpha (A - R)\big)\, d\alpha

    and a region gets :math:`\sum_j (\phi_{ij} + \phi_{ji}) / 2`. A recurrent timestamp reads the activity of all
    regions besides; gradients leave that where it is, and what it adds to the answer is in the reference.

    References
    ----------
    .. [1] Sundararajan, Taly & Yan (2017), ICML, arXiv:1703.01365.

    Examples
    --------
    >>> from dynome.datasets import make_bold
    >>> from dynome.inference import GraphClassifier
    >>> people = make_bold(n_animals=4, n_nodes=12, n_times=60, n_networks=4, random_state=0)
    >>> model = GraphClassifier(hidden=4, n_layers=1, n_epochs=1, device="cpu", random_state=0)
    >>> found = region_attribution(model.fit(people, target="group"), people)
    >>> found.dims, found.attrs["long_name"]
    (('session', 'window', 'node'), "share in the log odds of 'control'")
    """
    scans, name, pick = _asked(model, study, of)
    if method not in ("gradients", "occlusion"):
        raise InputError(f"method must be 'gradients' or 'occlusion', got {method!r}")
    if method == "occlusion":
        from dynome.inference.dynamic_graphs.graph_influence import without_regions

        found = [without_regions(network, chunks, pick) for network, chunks in _scan_by_scan(model, scans)]
    else:
        found = _along_paths(model, scans, reference, pick, n_steps, lambda due: due.sum(2))
    array = _labelled(found, scans, (NODE,), f"share in {name}")
    return array.assign_coords(scans.node_coords.coords).rename("region_attribution")


def edge_block_attribution(
    model: GraphPredictor,
    study: Any,
    *,
    network: str = "network",
    of: Any = None,
    reference: Any = None,
    n_steps: int = 16,
) -> xr.DataArray:
    """What a prediction owes to the edges within and between networks, in each window.

    Parameters
    ----------
    model : GraphClassifier or GraphRegressor
        Fitted.
    study : DataTree, mapping, Dataset or DataArray
        Sessions with all regions of the model.
    network : str
        Coordinate of the nodes that names their networks.
    of, reference, n_steps
        As for `region_attribution` with gradients.

    Returns
    -------
    (session, window, source, target)
        Networks as sources and targets, in order of first appearance; symmetric. Sums over both ends are those of
        `region_attribution`. Coordinates as there.

    Raises
    ------
    NotFittedError
        Before `fit`.
    InputError
        If an argument cannot be used, the regions have no such coordinate, or the model sees no edges.

    Examples
    --------
    >>> from dynome.datasets import make_bold
    >>> from dynome.inference import GraphClassifier
    >>> people = make_bold(n_animals=4, n_nodes=12, n_times=60, n_networks=4, random_state=0)
    >>> model = GraphClassifier(hidden=4, n_layers=1, n_epochs=1, device="cpu", random_state=0)
    >>> edge_block_attribution(model.fit(people, target="group"), people).source.values.tolist()
    ['A', 'B', 'C', 'D']
    """
    import torch

    scans, name, pick = _asked(model, study, of)
    known = [str(k) for k in scans.node_coords.coords if k != NODE]
    if network not in known:
        raise InputError(f"the regions have no coordinate {network!r} on which all sessions agree; found {known}")
    labels = scans.node_coords[network].to_numpy()
    names = labels[np.sort(np.unique(labels, return_index=True)[1])]
    member = torch.from_numpy((labels[:, None] == names).astype(np.float32)).to(devices.resolve(model.device))
    found = _along_paths(model, scans, reference, pick, n_steps, lambda due: member.T @ due @ member)
    array = _labelled(found, scans, (SOURCE, TARGET), f"share in {name}")
    return array.assign_coords({SOURCE: names, TARGET: names}).rename("edge_block_attribution")


def attention(model: GraphPredictor, study: Any) -> xr.Dataset:
    """How much a model weighed each region and each window.

    Parameters
    ----------
    model : GraphClassifier or GraphRegressor
        Fitted.
    study : DataTree, mapping, Dataset or DataArray
        Sessions with all regions of the model.

    Returns
    -------
    Dataset
        ``region_attention (session, layer, window, node)``: the weight of a region in its window, from 0 to 1; 1 for
        all with ``readout="mean"``. ``window_attention (session, layer, window)``: share of the attention of all
        windows; sums to 1 (less what a token pays to itself). NaN after the last window of a session. Coordinates as
        of `transform`.

    Raises
    ------
    NotFittedError
        Before `fit`.
    InputError
        If an argument cannot be used.

    Notes
    -----
    A large weight says where a model looks, not what it makes of it. `region_attribution` says what it owes.
    """
    import torch

    scans, _, _ = _asked(model, study, None, explained=False)
    regions, windows = [], []
    with torch.no_grad():
        for network, chunks in _scan_by_scan(model, scans):
            parts = [network.windows(chunk) for chunk in chunks]
            vectors = [torch.cat(layer, 1) for layer in zip(*(p.vectors for p in parts), strict=True)]
            windows.append(network.answer(vectors).attention[:, 0].cpu().numpy())
            regions.append(torch.cat([p.attention[:, 0] for p in parts], 1).cpu().numpy())
    coords = {**session_coords(scans), **window_coords(scans), LAYER: np.arange(model.encoder_settings.n_layers)}
    told = {"units": "1", "long_name": "weight of the region"}, {"units": "1", "long_name": "attention to the window"}
    held = {
        "region_attention": ((SESSION, LAYER, WINDOW, NODE), _padded(regions, 1), told[0]),
        "window_attention": ((SESSION, LAYER, WINDOW), _padded(windows, 1), told[1]),
    }
    return xr.Dataset(held, coords).assign_coords(scans.node_coords.coords)


def _asked(
    model: GraphPredictor, study: Any, of: Any, *, explained: bool = True
) -> tuple[Scans, str, Callable[[Tensor], Tensor]]:
    """The scans, what is explained in words, and as a function of outputs."""
    if not isinstance(model, GraphPredictor):
        raise InputError(f"expected a fitted GraphClassifier or GraphRegressor, got a {type(model).__name__}")
    results = model._fitted()
    scans = model._scans(study)
    target = str(results.attrs["target"])
    if CLASS not in results.coords:
        if of is not None:
            raise InputError(f"a regressor has no classes; leave of=None, got {of!r}")
        scale = float(results["scale"])
        return scans, f"predicted {target}", lambda output: scale * output[:, 0]
    classes = results[CLASS].to_numpy().tolist()
    if of is None and len(classes) > 2 and explained:
        raise InputError(f"say of which class: of= one of {listed(classes)}")
    chosen = classes[-1] if of is None else of
    if chosen not in classes:
        raise InputError(f"the model does not know the class {of!r}; of= one of {listed(classes)}")
    place = classes.index(chosen)

    def log_odds(output: Tensor) -> Tensor:
        import torch

        others = [k for k in range(len(classes)) if k != place]
        return output[:, place] - torch.logsumexp(output[:, others], 1)

    return scans, f"the log odds of {chosen!r}", log_odds


def _scan_by_scan(model: GraphPredictor, scans: Scans) -> Any:
    """The network and all chunks of a scan, one scan after the other."""
    from dynome.inference.dynamic_graphs.graph_batches import whole_scans

    device = devices.resolve(model.device)
    network = model._restored(device)
    network.requires_grad_(False)
    parts = whole_scans(scans, device=device, activity=model.encoder_settings.timestamp == "gru")
    with progress.task("attribution", total=len(scans.scans)) as advance:
        for _, chunks in groupby(parts, key=lambda batch: int(batch.scan[0])):
            yield network, list(chunks)
            advance(1)


def _along_paths(
    model: GraphPredictor,
    scans: Scans,
    reference: Any,
    pick: Callable[[Tensor], Tensor],
    n_steps: int,
    summarize: Callable[[Tensor], Tensor],
) -> list[Influence]:
    import torch

    from dynome.inference.dynamic_graphs.graph_influence import along_path, mean_graph

    if n_steps < 1:
        raise InputError(f"n_steps must be at least 1, got {n_steps}")
    if scans.settings.wiring == "empty":
        raise InputError("the model sees no edges (wiring='empty'); use region_attribution with method='occlusion'")
    others = scans if reference is None else model._scans(reference)
    mean = torch.stack([mean_graph(chunks) for _, chunks in _scan_by_scan(model, others)]).mean(0)
    return [
        along_path(network, chunks, mean, pick, summarize, n_steps) for network, chunks in _scan_by_scan(model, scans)
    ]


def _labelled(found: list[Influence], scans: Scans, dims: tuple[str, ...], told: str) -> xr.DataArray:
    coords: dict[str, Any] = {**session_coords(scans), **window_coords(scans)}
    coords["answer"] = (SESSION, np.array([part.answer for part in found]))
    if np.isfinite([part.reference for part in found]).all():
        coords["reference"] = (SESSION, np.array([part.reference for part in found]))
    values = _padded([part.parts.cpu().numpy() for part in found], 0)
    return xr.DataArray(values, coords, (SESSION, WINDOW, *dims), attrs={"units": "1", "long_name": told})


def _padded(found: list[NDArray[np.float32]], axis: int) -> NDArray[np.float32]:
    """Arrays that differ along one axis beside each other, NaN after the end of the shorter ones."""
    size = max(part.shape[axis] for part in found)
    wide = [[(0, size - part.shape[k] if k == axis else 0) for k in range(part.ndim)] for part in found]
    return np.stack([np.pad(p, w, constant_values=np.nan) for p, w in zip(found, wide, strict=True)])
