"""Connectomes of sliding windows, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from dynome.dynamics.connectivity.density import density_graphs
from dynome.dynamics.connectivity.inputs import unit_power
from dynome.dynamics.connectivity.kinds import UNIT_POWER
from dynome.dynamics.connectivity.phase_coherence import unit_phasors
from dynome.dynamics.connectivity.window_blocks import WindowKind, window_matrices
from dynome.dynamics.connectivity.window_plan import Plan, Request, Taper, Unit, planned
from dynome.dynamics.connectivity.window_starts import Closed
from dynome.dynamics.connectivity.windowed import window_coords
from dynome.labels import as_labels
from dynome.schema import EDGE, NODE, SOURCE, TARGET, TIME

_AT_ONCE = 1 << 24  # bytes of matrices that are made together


def connectivity_graphs(
    activity: xr.DataArray,
    *,
    window: float,
    stride: float,
    density: float,
    unit: Unit = "s",
    closed: Closed = "inclusive",
    taper: Taper | None = None,
    kind: WindowKind = "correlation",
    band: tuple[float, float] | None = None,
    min_samples: int = 3,
) -> Iterator[xr.Dataset]:
    """The strongest connections of each window as a connectome, one window after another.

    Parameters
    ----------
    activity : (time, node), any unit
        One session on a regular clock in seconds; numpy or dask.
    window, stride : float
        As in `dynamic_connectivity`, which has them all at once as matrices.
    density : float
        Share of all entries of the matrix that lies above the cut, diagonal included, above 0 and below 1.
    unit : {"s", "samples"}
        Of `window` and `stride`.
    closed : {"inclusive", "stagin"}
        Whether a window may end on the last sample.
    taper : {"hamming", "gaussian"} or None
        Weights within a window, for correlation and covariance.
    kind : {"correlation", "covariance", "spearman", "partial correlation", "precision", "phase coherence"}
        What edges are weighted by.
    band : (low, high) or None
        Frequencies in Hz, for phase coherence.
    min_samples : int
        A pair with fewer common samples in a window is no edge there.

    Yields
    ------
    Dataset
        A valid connectome of functional edges, in both directions, without self loops: for every function that takes a
        connectome. What `activity` knows of its nodes is on ``node``; ``window``, ``start`` and ``stop`` in seconds are
        scalars. Only a few windows are in memory at a time.

    Raises
    ------
    InputError
        At the call, as `dynamic_connectivity` does.
    UnitsError
        If covariance or precision is asked of activity without units.

    Examples
    --------
    >>> t = xr.DataArray(np.arange(20) / 2, dims="time", attrs={"units": "s"})
    >>> x = np.random.default_rng(0).standard_normal((20, 3))
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"time": t, "node": ["a", "b", "c"]})
    >>> [g.sizes["edge"] for g in connectivity_graphs(x, window=4, stride=2, density=0.6)]
    [2, 2, 2, 2]
    """
    request = Request(window, stride, unit, closed, taper, kind, band, density, "dense", min_samples)
    x, plan = planned(activity, request)
    weight_unit = unit_power(x, UNIT_POWER[kind]) if kind in UNIT_POWER else "1"
    return _connectomes(x, plan, request, density, weight_unit)


def _connectomes(
    x: xr.DataArray, plan: Plan, request: Request, density: float, weight_unit: str
) -> Iterator[xr.Dataset]:
    nodes = as_labels(x[NODE].to_numpy())
    known = {n: c.variable for n, c in x.coords.items() if TIME not in c.dims}
    spans = window_coords(x, plan)
    weight_attrs = {"units": weight_unit, "long_name": request.kind}
    about = {name: value for name, value in x.attrs.items() if name not in ("units", "long_name")}
    attrs = {**about, "directed": 0, "kind": request.kind, "density": density}
    values = np.asarray(x.data)
    phasors = None if request.band is None else unit_phasors(values, plan.interval, request.band)
    batch = max(1, _AT_ONCE // (8 * nodes.size**2))
    for first in range(0, plan.starts.size, batch):
        starts = plan.starts[first : first + batch]
        fc = window_matrices(values, starts, plan.width, plan.measure, phasors)
        graphs = density_graphs(fc, density)
        graphs[:, np.arange(nodes.size), np.arange(nodes.size)] = False
        for k in range(starts.size):
            i, j = np.nonzero(graphs[k])
            scalars = {name: ((), at[first + k], told) for name, (_, at, told) in spans.items()}
            yield xr.Dataset(
                {
                    SOURCE: (EDGE, nodes[i]),
                    TARGET: (EDGE, nodes[j]),
                    "weight": (EDGE, fc[k, i, j].astype(np.float64), weight_attrs),
                    "edge_type": (EDGE, np.full(i.size, "functional")),
                },
                coords={**known, NODE: nodes, **scalars},
                attrs=attrs,
            )
