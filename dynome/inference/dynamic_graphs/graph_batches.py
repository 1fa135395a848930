"""Mini-batches of dynamic graphs: clips of scans, made into tensors when a network asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dynome import seeds
from dynome.dynamics.connectivity.density import correlation_graphs, density_graphs
from dynome.dynamics.connectivity.windowed_correlation import correlation_windows
from dynome.inference.dynamic_graphs.scans import Scan, Scans, series_of
from dynome.inference.dynamic_graphs.settings import GraphSettings

Integers = NDArray[np.int64]
Floats = NDArray[np.float32]
Graphs = NDArray[np.bool_]

_CHUNK_BYTES = 1 << 28  # of adjacency that a whole scan is encoded in at a time


class Clip(NamedTuple):
    """Which windows of which scans make a batch.

    Attributes
    ----------
    scan : (B,)
        Position of the scan in `Scans`.
    window : (B, T)
        Consecutive windows of it.
    """

    scan: Integers
    window: Integers


class Batch(NamedTuple):
    """Clips as tensors.

    Attributes
    ----------
    scan, window : (B,), (B, T)
        As in `Clip`.
    adjacency : (B, T, N, N) float32
        1 where there is an edge, self loops included, else 0.
    correlation : (B, T, N, N) float32 or None
        What the graphs were cut from; NaN is 0.
    activity : (B, L, N) float32 or None
        Standardized activity from the start of the recordings to the last sample of the last window, 0 after it.
    last : (B, T) int64
        Last sample of each window.
    seconds : (B, T) float32
        Its time since the start of the recording.
    width : (B,) int64
        Samples of a window.
    """

    scan: Integers
    window: Integers
    adjacency: Tensor
    correlation: Tensor | None
    activity: Tensor | None
    last: Tensor
    seconds: Tensor
    width: Tensor


def clips(scans: Scans, n_windows: int | None, batch_size: int, rng: np.random.Generator) -> list[Clip]:
    """One epoch: every scan once in random order, from each a random stretch of windows.

    Parameters
    ----------
    scans : Scans
    n_windows : int or None
        Windows of a clip; where a scan of a batch has fewer, the whole batch has as few. None takes all that fit.
    batch_size : int
        Scans of a batch.
    rng : Generator

    Returns
    -------
    list of Clip
    """
    lengths = np.array([scan.starts.size for scan in scans.scans])
    order = rng.permutation(lengths.size)
    found = []
    for part in np.split(order, np.arange(batch_size, order.size, batch_size)):
        length = min(lengths[part].min(), n_windows or lengths.max())
        first = rng.integers(0, lengths[part] - length, endpoint=True)
        found.append(Clip(part, first[:, None] + np.arange(length)))
    return found


def batch_of(
    scans: Scans, clip: Clip, *, device: str = "cpu", correlation: bool = False, activity: bool = False
) -> Batch:
    """Read the scans of a clip and make graphs of their windows.

    Parameters
    ----------
    scans : Scans
    clip : Clip
    device : str
        Where the tensors go.
    correlation, activity : bool
        Whether the batch has them.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If a scan cannot be used, as in `series_of`.
    """
    chosen = [scans.scans[k] for k in clip.scan]
    n = scans.nodes.size
    last = np.stack([s.starts[w] + s.width - 1 for s, w in zip(chosen, clip.window, strict=True)])
    seconds = last * np.array([[s.interval] for s in chosen])
    graphs = torch.empty((*clip.window.shape, n, n), dtype=torch.float32)
    kept = torch.empty_like(graphs) if correlation else None
    told = torch.zeros((len(chosen), int(last.max()) + 1, n)) if activity else None
    for k, scan in enumerate(chosen):
        x = series_of(scan)
        graph, fc = graphs_of(x, scan, clip.window[k], scans.settings, correlation=correlation)
        graphs[k] = torch.from_numpy(graph)
        if kept is not None and fc is not None:
            kept[k] = torch.from_numpy(np.nan_to_num(fc, copy=False))
        if told is not None:
            end = int(last[k].max()) + 1
            told[k, :end] = torch.from_numpy(x[:end])
    return Batch(
        clip.scan,
        clip.window,
        graphs.to(device),
        None if kept is None else kept.to(device),
        None if told is None else told.to(device),
        torch.from_numpy(last).to(device),
        torch.from_numpy(seconds.astype(np.float32)).to(device),
        torch.tensor([scan.width for scan in chosen]).to(device),
    )


def whole_scans(
    scans: Scans, *, device: str = "cpu", correlation: bool = False, activity: bool = False
) -> Iterator[Batch]:
    """All windows of one scan after the other, in chunks where a scan is large, in order.

    Parameters
    ----------
    scans, device, correlation, activity
        As in `batch_of`.

    Yields
    ------
    Batch
        With B = 1; ``batch.scan[0]`` says which scan.
    """
    length = max(1, _CHUNK_BYTES // (4 * scans.nodes.size**2))
    for k, scan in enumerate(scans.scans):
        windows = np.arange(scan.starts.size)
        for part in np.split(windows, np.arange(length, windows.size, length)):
            clip = Clip(np.array([k]), part[None])
            yield batch_of(scans, clip, device=device, correlation=correlation, activity=activity)


def graphs_of(
    x: Floats, scan: Scan, window: Integers, settings: GraphSettings, *, correlation: bool = False
) -> tuple[Graphs, Floats | None]:
    """Graphs of some windows of a scan, and the correlations that they were cut from where these are asked for.

    Parameters
    ----------
    x : (n_time, N)
        As `series_of` gives it.
    scan : Scan
    window : (T,)
    settings : GraphSettings
        Its density and wiring.
    correlation : bool
        Whether correlations are kept.

    Returns
    -------
    graphs : (T, N, N) bool
        With all self loops. Under "shuffled" both are permuted alike.
    correlation : (T, N, N) or None
        NaN for a region that is constant in a window.
    """
    starts = scan.starts[window]
    fc: Floats | None = correlation_windows(x, starts, scan.width) if correlation else None
    if settings.wiring == "empty":
        graphs = np.zeros((starts.size, x.shape[1], x.shape[1]), dtype=bool)
    elif fc is None:
        graphs = correlation_graphs(x, starts, scan.width, settings.density)
    else:
        graphs = density_graphs(fc, settings.density)
    if settings.wiring == "shuffled":
        for k, start in enumerate(starts):
            order = seeds.generator(0, "shuffled", scan.session, int(start)).permutation(x.shape[1])
            for part in (graphs, fc):
                if part is not None:
                    part[k] = part[k][np.ix_(order, order)]
    diagonal = np.arange(x.shape[1])
    graphs[:, diagonal, diagonal] = True
    return graphs, fc
