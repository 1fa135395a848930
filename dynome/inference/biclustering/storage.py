"""Where the draws of a chain go: into memory, or into a Zarr group that grows as the chain runs.

A chain fills a `Block` and hands it over at each checkpoint. Clusters come and go, so latents are padded with NaN to
the largest number of clusters among the recorded draws. A Zarr group may hold more than the last checkpoint knows of (a
chain that was killed while it wrote); `truncate` cuts that off, and what is left is whole.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dynome.errors import StoreError
from dynome.inference.biclustering.checkpoints import Counts
from dynome.inference.biclustering.model import State

Columns = dict[str, NDArray[Any]]
Stats = Mapping[str, Any]

LOG_LIKELIHOOD = "log_likelihood"
STAT = "stat_"
_CHUNK_BYTES = 2 * 2**20
_CLUSTER_CHUNK = 8
_LABELS = np.int16


class Block(NamedTuple):
    """What a chain noted since it last wrote. Lists grow; nothing else of the sampler is ever modified.

    Attributes
    ----------
    sweeps, draws, latents : list of dict of str to array
        One entry a sweep, a draw, a draw with latents.
    """

    sweeps: list[Columns]
    draws: list[Columns]
    latents: list[Columns]


class Recorded(NamedTuple):
    """Draws of one chain.

    Attributes
    ----------
    sweeps : dict of str to (n_sweep,)
        Of every sweep, tuning included: ``log_likelihood`` (nats), ``n_clusters``, ``n_states``.
    draws : dict of str to (n_draw, ...)
        ``cluster``, ``state`` int16; ``coefficient``, ``dispersion`` float32; ``log_likelihood (n_node)`` in nats;
        ``concentrations (4)``; ``n_clusters``, ``n_states``; ``stat_*``.
    latents : dict of str to (n_latent, ...)
        ``latent (n_bin, n_cluster_max, 1 + n_factor)`` float32, NaN padded, a dask array where it is on disk;
        ``active (n_cluster_max, n_factor)`` bool; ``draw ()``, which draw it is.
    """

    sweeps: Columns
    draws: Columns
    latents: dict[str, Any]


class Recorder(Protocol):
    """Takes the draws of one chain."""

    def write(self, block: Block) -> None:
        """Append what a chain noted."""

    def truncate(self, counts: Counts) -> None:
        """Forget what came after a checkpoint."""

    def read(self) -> Recorded:
        """Everything so far."""


def noted(block: Block, state: State, stats: Stats, draw: int | None, latent_every: int) -> None:
    """Note one sweep in a block.

    Parameters
    ----------
    block : Block
        Grows.
    state : State
    stats : mapping
        ``log_likelihood (n_node)`` in nats, and any scalars.
    draw : int or None
        Number of the draw that this sweep is; None while tuning and for sweeps that are thinned out.
    latent_every : int
        One draw in so many is noted with its latents, the first one among them.
    """
    n_clusters, n_states = state.latent.shape[1], np.unique(state.state).size
    total = float(np.sum(stats[LOG_LIKELIHOOD]))
    counts = {"n_clusters": np.array(n_clusters, _LABELS), "n_states": np.array(n_states, _LABELS)}
    block.sweeps.append({LOG_LIKELIHOOD: np.array(total), **counts})
    if draw is None:
        return
    scalars = {f"{STAT}{k}": np.array(v, np.float64) for k, v in stats.items() if k != LOG_LIKELIHOOD}
    block.draws.append(
        {
            "cluster": state.cluster.astype(_LABELS),
            "state": state.state.astype(_LABELS),
            "coefficient": state.coefficient.astype(np.float32),
            "dispersion": state.dispersion.astype(np.float32),
            "concentrations": np.array(state.concentrations, dtype=np.float64),
            LOG_LIKELIHOOD: np.asarray(stats[LOG_LIKELIHOOD], dtype=np.float64),
            **counts,
            **scalars,
        }
    )
    if draw % latent_every == 0:
        block.latents.append(
            {
                "latent": state.latent.astype(np.float32),
                "active": state.active.copy(),
                "draw": np.array(draw, dtype=np.int64),
            }
        )


class MemoryRecorder:
    """Keeps draws in memory.

    Parameters
    ----------
    recorded : Recorded or None
        What an earlier run of the chain recorded.
    """

    def __init__(self, recorded: Recorded | None = None) -> None:
        self._parts = [] if recorded is None else [recorded]

    def write(self, block: Block) -> None:
        """Append what a chain noted."""
        self._parts.append(_recorded(block))

    def truncate(self, counts: Counts) -> None:
        """Forget what came after a checkpoint."""
        self._parts = [_cut(self.read(), counts)] if any(counts) else []

    def read(self) -> Recorded:
        """Everything so far, as one."""
        if len(self._parts) != 1:
            self._parts = [Recorded(*(_joined([part[k] for part in self._parts]) for k in range(3)))]
        return self._parts[0]


class ZarrRecorder:
    """Appends draws to a Zarr group.

    Parameters
    ----------
    folder : path
        Of one chain; made when first written to.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def write(self, block: Block) -> None:
        """Append what a chain noted."""
        group = self._group("a")
        for name, columns in _recorded(block)._asdict().items():
            for key, values in columns.items():
                _append(group, f"{name}/{key}", values)

    def truncate(self, counts: Counts) -> None:
        """Forget what came after a checkpoint."""
        if not self.folder.exists():
            if any(counts):
                raise StoreError(f"{self.folder} is missing, though its chain has a checkpoint; begin anew")
            return
        group = self._group("r+")
        for name, n in zip(Recorded._fields, counts, strict=True):
            if name not in group:
                found = 0
            elif not any(counts):  # another run may have had other shapes
                del group[name]
                continue
            else:
                found = min(array.shape[0] for _, array in group[name].arrays())
            if found < n:
                raise StoreError(f"{self.folder} holds {found} of the {n} {name} of its checkpoint; begin anew")
            for _, array in group[name].arrays() if name in group else ():
                array.resize((n, *array.shape[1:]))

    def read(self) -> Recorded:
        """Everything so far; latents as a dask array."""
        import dask.array as lazily

        group = self._group("r")
        lazy: Any = lazily
        found: list[dict[str, Any]] = []
        for name in Recorded._fields:
            arrays = dict(group[name].arrays()) if name in group else {}
            found.append({k: lazy.from_zarr(a) if k == "latent" else a[...] for k, a in sorted(arrays.items())})
        widest = int(found[1]["n_clusters"][found[2]["draw"]].max()) if found[2] else 0
        latents = {k: v if k == "draw" else _narrowed(v, k, widest) for k, v in found[2].items()}
        return Recorded(found[0], found[1], latents)

    def _group(self, mode: Any) -> Any:
        import zarr

        try:
            return zarr.open_group(self.folder, mode=mode, zarr_format=3, use_consolidated=False)
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"{self.folder} holds no draws of a chain: {error}") from error


def _recorded(block: Block) -> Recorded:
    return Recorded(_stacked(block.sweeps), _stacked(block.draws), _padded(block.latents))


def _stacked(entries: list[Columns]) -> Columns:
    return {name: np.stack([entry[name] for entry in entries]) for name in entries[0]} if entries else {}


def _padded(entries: list[Columns]) -> Columns:
    """Latents with as many clusters as the widest has."""
    if not entries:
        return {}
    widest = max(entry["active"].shape[0] for entry in entries)
    wide = [{name: _widened(v[None], name, widest)[0] for name, v in entry.items()} for entry in entries]
    return _stacked(wide)


def _joined(parts: list[Any]) -> Any:
    """Columns end to end; padded where numbers of clusters differ."""
    parts = [part for part in parts if part]
    if not parts:
        return {}
    widest = max((part["active"].shape[1] for part in parts if "active" in part), default=0)
    return {name: np.concatenate([_widened(part[name], name, widest) for part in parts]) for name in sorted(parts[0])}


def _widened(values: NDArray[Any], name: str, widest: int) -> NDArray[Any]:
    axis = {"latent": 2, "active": 1}.get(name)
    if axis is None or values.shape[axis] == widest:
        return values
    width = [(0, widest - values.shape[axis] if k == axis else 0) for k in range(values.ndim)]
    return np.pad(values, width, constant_values=np.nan if name == "latent" else False)


def _narrowed(values: Any, name: str, widest: int) -> Any:
    return values[:, :, :widest] if name == "latent" else values[:, :widest]


def _cut(recorded: Recorded, counts: Counts) -> Recorded:
    parts: list[Any] = []
    for columns, n in zip(recorded, counts, strict=True):
        if any(len(v) < n for v in columns.values()) or (n and not columns):
            raise StoreError("memory holds fewer draws than the checkpoint; record to a folder to go on after a crash")
        parts.append({k: v[:n] for k, v in columns.items()})
    kept = Recorded(*parts)
    if not kept.latents or not counts.latents:
        return kept
    widest = int(kept.draws["n_clusters"][kept.latents["draw"]].max())
    return kept._replace(latents={k: v if k == "draw" else _narrowed(v, k, widest) for k, v in kept.latents.items()})


def _append(group: Any, name: str, values: NDArray[Any]) -> None:
    """Append along the first axis; the axis of clusters grows where it has to."""
    axis = {"latents/latent": 2, "latents/active": 1}.get(name)
    if name not in group:
        row = max(1, values[:1].nbytes)
        chunks = [max(1, min(4096, _CHUNK_BYTES // row)), *(max(1, n) for n in values.shape[1:])]
        if axis is not None:
            chunks[axis] = _CLUSTER_CHUNK
            chunks[0] = 1 if name.endswith("latent") else chunks[0]
        fill = np.nan if values.dtype.kind == "f" else 0
        group.create_array(
            name, shape=(0, *values.shape[1:]), chunks=tuple(chunks), dtype=values.dtype, fill_value=fill
        )
    array = group[name]
    if axis is not None:
        widest = max(array.shape[axis], values.shape[axis])
        array.resize(tuple(widest if k == axis else n for k, n in enumerate(array.shape)))
        values = _widened(values, name.split("/")[1], widest)
    array.append(values)
