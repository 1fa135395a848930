"""Dynamic graphs with parts missing, told by a pretrained network: lost windows, lost regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import device as devices
from dynome import labels, seeds
from dynome.dynamics.connectivity.inputs import pair_coords
from dynome.errors import InputError, Problems, listed
from dynome.inference.dynamic_graphs.embeddings import session_coords, window_coords
from dynome.inference.dynamic_graphs.scans import Scans, scans_of
from dynome.schema import DRAW, NODE, SESSION, SOURCE, TARGET, WINDOW

if TYPE_CHECKING:
    from dynome.inference.dynamic_graphs.graph_batches import Batch
    from dynome.inference.pretraining.masked_autoencoder import GraphMaskedAutoencoder

HIDDEN = "hidden"
_DIMS = (SESSION, WINDOW, SOURCE, TARGET)


def complete_connectivity(
    model: GraphMaskedAutoencoder,
    study: Any,
    *,
    nodes: str | Sequence[str] | None = None,
    windows: Sequence[int] | None = None,
) -> xr.DataArray:
    """Probabilities of the edges of every window, told from what is not missing.

    Parameters
    ----------
    model : GraphMaskedAutoencoder
        Fitted with objective "jema" or "mae".
    study : DataTree, mapping, Dataset or DataArray
        Sessions. A region of the model that they lack is missing, and filled in.
    nodes : str, sequence of str or None
        More regions to treat as missing; their recordings are not read.
    windows : sequence of int or None
        Windows to treat as missing, by number from 0, in every session; counted from the end if negative.

    Returns
    -------
    (session, window, source, target) float32, dimensionless
        Symmetric, 1 on the diagonal; all pairs, those that were seen among them, as the network tells them. NaN after
        the last window of a session with fewer. Coordinates ``hidden (window, source)``, what was
        missing; ``animal``, ``start``, ``stop``; and what the model knows of its regions, at both ends.

    Raises
    ------
    InputError
        If the model has no decoder of edges, nodes or windows are unknown, or nothing is left.

    Notes
    -----
    A missing window is told from the nearest windows before and after it that are there. Windows overlap: one alone
    among its neighbours is hardly missing, so hide runs longer than a window. The graph of the regions that are there
    is cut at the model's density among them.
    """
    import torch

    from dynome.inference.dynamic_graphs.graph_batches import Clip, batch_of

    known = _nodes_of(model)
    scans, place, lost = _present(model, study, known, nodes)
    hidden_windows = _hidden_windows(scans, windows)
    device = devices.resolve(model.device)
    network: Any = model._restored(device)
    if not hasattr(network, "complete"):
        raise InputError(f"objective {model.objective!r} has no decoder of edges; pretrain with 'jema' or 'mae'")
    size = max(scan.starts.size for scan in scans.scans)
    out = np.full((len(scans.scans), size, known.size, known.size), np.nan, dtype=np.float32)
    with torch.no_grad():
        for k, scan in enumerate(scans.scans):
            clip = Clip(np.array([k]), np.arange(scan.starts.size)[None])
            part = batch_of(scans, clip, device=device, activity=model.timestamp == "gru")
            hidden = torch.zeros(1, scan.starts.size, known.size, dtype=torch.bool, device=device)
            hidden[..., torch.from_numpy(lost).to(device)] = True
            hidden[:, torch.from_numpy(hidden_windows[: scan.starts.size]).to(device)] = True
            out[k, : scan.starts.size] = network.complete(_widened(part, place, known.size), hidden)[0].cpu().numpy()
    coords: dict[Any, Any] = session_coords(scans) | window_coords(scans) | pair_coords(model._fitted()[NODE])
    coords |= {HIDDEN: ((WINDOW, SOURCE), hidden_windows[:, None] | lost)}
    attrs = {"units": "1", "long_name": "probability of an edge", "directed": 0, "density": model.density}
    return xr.DataArray(out, coords, _DIMS, name="probability", attrs=attrs)


def sample_graphs(probabilities: xr.DataArray, *, n_draws: int = 1, random_state: int | None = None) -> xr.DataArray:
    """Binary graphs drawn from probabilities of edges, each pair by itself.

    Parameters
    ----------
    probabilities : (..., source, target)
        As `complete_connectivity` gives them; symmetric, from 0 to 1. NaN, past the last window, gives no edges.
    n_draws : int
    random_state : int or None

    Returns
    -------
    (draw, ..., source, target) bool
        Symmetric, with self loops where the probability is 1.

    Raises
    ------
    InputError
        If probabilities are beyond 0 and 1, or `n_draws` is no integer of at least 1.

    Examples
    --------
    >>> p = xr.DataArray([[1.0, 0.2], [0.2, 1.0]], dims=("source", "target"))
    >>> sample_graphs(p, n_draws=1000, random_state=0).mean("draw").round(1).values.tolist()
    [[1.0, 0.2], [0.2, 1.0]]
    """
    problems = Problems("cannot draw graphs")
    if isinstance(n_draws, bool) or not isinstance(n_draws, int | np.integer) or n_draws < 1:
        problems.add(f"n_draws must be an integer of at least 1, got {n_draws!r}")
    if probabilities.dims[-2:] != (SOURCE, TARGET) or probabilities.sizes[SOURCE] != probabilities.sizes[TARGET]:
        problems.add(f"expected probabilities (..., source, target), found dims {probabilities.dims}")
        problems.fail(InputError)
    values = np.nan_to_num(probabilities.to_numpy().astype(np.float64))
    if values.size and (values.min() < 0 or values.max() > 1):
        problems.add(f"probabilities must be from 0 to 1, found {values.min():g} to {values.max():g}")
    if not np.allclose(values, values.swapaxes(-1, -2)):
        problems.add("probabilities must be symmetric")
    problems.raise_if_any(InputError)
    uniform = np.tril(seeds.generator(random_state, "graphs").random((int(n_draws), *values.shape)))
    drawn = uniform + np.tril(uniform, -1).swapaxes(-1, -2) < values
    attrs = {"long_name": "edge", "directed": 0}
    coords = dict(probabilities.coords) | {DRAW: np.arange(int(n_draws))}
    return xr.DataArray(drawn, coords, (DRAW, *probabilities.dims), name="edge", attrs=attrs)


def _nodes_of(model: Any) -> NDArray[np.str_]:
    if not hasattr(model, "objective") or not hasattr(model, "graph_settings"):
        raise InputError(f"expected a fitted GraphMaskedAutoencoder, got {type(model).__name__}")
    return labels.as_labels(model._fitted()[NODE].to_numpy())


def _present(
    model: Any, study: Any, known: NDArray[np.str_], nodes: str | Sequence[str] | None
) -> tuple[Scans, NDArray[np.int64], NDArray[np.bool_]]:
    """Scans of the regions that are there, their places among those of the model, and which are missing."""
    named = [nodes] if isinstance(nodes, str) else list(() if nodes is None else nodes)
    hide = labels.as_labels(named)
    if (unknown := hide[labels.positions(hide, known) < 0]).size:
        raise InputError(f"cannot hide {listed(unknown)}: the model has no such regions, it has {listed(known)}")
    shared = scans_of(study, model.graph_settings).nodes
    there = (labels.positions(known, shared) >= 0) & (labels.positions(known, hide) < 0)
    if there.sum() < 2:
        raise InputError(
            f"at least 2 regions of the model's {known.size} must be there in every session and not hidden, found "
            f"{int(there.sum())}"
        )
    scans = scans_of(study, model.graph_settings, nodes=known[there])
    return scans, np.flatnonzero(there), ~there


def _hidden_windows(scans: Scans, windows: Sequence[int] | None) -> NDArray[np.bool_]:
    sizes = [scan.starts.size for scan in scans.scans]
    hidden = np.zeros(max(sizes), dtype=bool)
    asked = np.asarray([] if windows is None else list(windows))
    if asked.size and (asked.dtype.kind not in "iu" or (asked < -hidden.size).any() or (asked >= hidden.size).any()):
        raise InputError(f"windows must be integers from {-hidden.size} to {hidden.size - 1}, got {listed(asked)}")
    hidden[asked.astype(np.int64)] = True
    whole = [scan.session for scan in scans.scans if hidden[: scan.starts.size].all()]
    if whole:
        raise InputError(f"every session must keep a window; all are hidden in {listed(whole)}; hide fewer")
    return hidden


def _widened(part: Batch, place: NDArray[np.int64], size: int) -> Batch:
    """A batch of some regions as one of all; what is not there has no edges."""
    import torch

    at = torch.from_numpy(place).to(part.adjacency.device)
    wide = part.adjacency.new_zeros((*part.adjacency.shape[:2], size, size))
    wide[:, :, at[:, None], at] = part.adjacency
    activity = None
    if part.activity is not None:
        activity = part.activity.new_zeros((*part.activity.shape[:2], size))
        activity[..., at] = part.activity
    return part._replace(adjacency=wide, activity=activity)
