"""What an encoder makes of whole scans, with labels."""

from __future__ import annotations

from collections.abc import Collection
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome.errors import InputError, listed
from dynome.inference.dynamic_graphs.scans import Scan, Scans
from dynome.schema import ANIMAL, FEATURE, NODE, SESSION, TIME, WINDOW

if TYPE_CHECKING:
    from dynome.inference.dynamic_graphs.encoder import GraphEncoder

Pooled = Literal["window", "node"]


def embedding_of(
    encoder: GraphEncoder, scans: Scans, *, layer: int = -1, pool: Pooled | Collection[Pooled] = (), device: str = "cpu"
) -> xr.DataArray:
    """Node embeddings of every window of every scan.

    Parameters
    ----------
    encoder : GraphEncoder
        On `device`; put into evaluation mode.
    scans : Scans
        With as many nodes as the encoder.
    layer : int
        Which layer, from 0, or from the last as -1.
    pool : {"window", "node"} or collection of them
        Dims to average over.
    device : str

    Returns
    -------
    (session, window, node, feature) float32
        Less the dims of `pool`. A session with fewer windows than another is NaN after its last. Coordinates ``animal
        (session)``, ``start`` and ``stop (session, window)`` in seconds, and what is known of the nodes.

    Raises
    ------
    InputError
        If there is no such layer, or `pool` names another dim.
    """
    import torch

    from dynome.inference.dynamic_graphs.graph_batches import whole_scans

    n_layers, size = encoder.settings.n_layers, max(scan.starts.size for scan in scans.scans)
    if not -n_layers <= layer < n_layers:
        raise InputError(f"layer must be from {-n_layers} to {n_layers - 1}, got {layer!r}")
    pool = (pool,) if isinstance(pool, str) else tuple(pool)
    if unknown := [dim for dim in pool if dim not in (WINDOW, NODE)]:
        raise InputError(f"pool must name dims out of 'window' and 'node', got {listed(unknown)}")
    encoder.eval()
    parts = whole_scans(scans, device=device, activity=encoder.settings.timestamp == "gru")
    found = []
    with torch.no_grad():
        for _, chunks in groupby(parts, key=lambda batch: int(batch.scan[0])):
            h = [encoder(chunk)[layer][0] for chunk in chunks]
            pooled = [part.mean(1) if NODE in pool else part for part in h]
            found.append(_over_windows(torch.cat(pooled).cpu().numpy(), None if WINDOW in pool else size))
    dims = [SESSION, *(d for d in (WINDOW, NODE) if d not in pool), FEATURE]
    coords: dict[Any, Any] = {**session_coords(scans), FEATURE: np.arange(encoder.settings.hidden)}
    if NODE not in pool:
        coords |= dict(scans.node_coords.coords)
    if WINDOW not in pool:
        coords |= window_coords(scans)
    attrs = {"units": "1", "long_name": "embedding"}
    return xr.DataArray(np.stack(found), dims=dims, coords=coords, name="embedding", attrs=attrs)


def session_coords(scans: Scans) -> dict[str, Any]:
    """Coordinates of the sessions: their paths and animals."""
    return {
        SESSION: np.array([scan.session for scan in scans.scans]),
        ANIMAL: (SESSION, np.array([scan.animal for scan in scans.scans])),
    }


def window_coords(scans: Scans) -> dict[str, Any]:
    """Coordinates of the windows: their number, and the times of their first and last samples; NaN past the last."""
    shape = len(scans.scans), max(scan.starts.size for scan in scans.scans)
    ends = np.full((2, *shape), np.nan)
    for k, scan in enumerate(scans.scans):
        ends[:, k, : scan.starts.size] = _ends(scan)
    told = ("first sample of the window", "last sample of the window")
    stamps = {
        name: ((SESSION, WINDOW), values, {"units": "s", "long_name": long})
        for name, values, long in zip(("start", "stop"), ends, told, strict=True)
    }
    return {WINDOW: np.arange(shape[1]), **stamps}


def _ends(scan: Scan) -> NDArray[np.float64]:
    clock = scan.activity[TIME].to_numpy()
    return np.stack([clock[scan.starts], clock[scan.starts + scan.width - 1]])


def _over_windows(h: NDArray[np.float32], size: int | None) -> NDArray[np.float32]:
    """The mean over windows, or all of them with NaN after the last."""
    if size is None:
        mean: NDArray[np.float32] = h.mean(axis=0)
        return mean
    padded = np.full((size, *h.shape[1:]), np.nan, dtype=np.float32)
    padded[: h.shape[0]] = h
    return padded
