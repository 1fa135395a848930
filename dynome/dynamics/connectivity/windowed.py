"""Connectivity in sliding windows, computed batch by batch when it is asked for."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
import xarray as xr

from dynome import study as studies
from dynome.dynamics.connectivity.inputs import pair_attrs, pair_coords, unit_power
from dynome.dynamics.connectivity.kinds import UNIT_POWER
from dynome.dynamics.connectivity.phase_coherence import unit_phasors
from dynome.dynamics.connectivity.window_blocks import Output, WindowKind, window_block
from dynome.dynamics.connectivity.window_plan import Plan, Request, Taper, Unit, planned
from dynome.dynamics.connectivity.window_starts import Closed
from dynome.dynamics.tensor import pairs
from dynome.errors import DynomeError, InputError, Problems
from dynome.schema import ACTIVITY, BESIDE, PAIR, SOURCE, TARGET, TIME, WINDOW

_BATCH_BYTES = 32 << 20  # of the matrices of a dask block, and of the samples that it reads


@overload
def dynamic_connectivity(
    activity: xr.DataArray,
    *,
    window: float,
    stride: float,
    unit: Unit = "s",
    closed: Closed = "inclusive",
    taper: Taper | None = None,
    kind: WindowKind = "correlation",
    band: tuple[float, float] | None = None,
    density: float | None = None,
    output: Output = "dense",
    min_samples: int = 3,
) -> xr.DataArray: ...


@overload
def dynamic_connectivity(
    activity: xr.DataTree,
    *,
    window: float,
    stride: float,
    unit: Unit = "s",
    closed: Closed = "inclusive",
    taper: Taper | None = None,
    kind: WindowKind = "correlation",
    band: tuple[float, float] | None = None,
    density: float | None = None,
    output: Output = "dense",
    min_samples: int = 3,
) -> xr.DataTree: ...


def dynamic_connectivity(
    activity: xr.DataArray | xr.DataTree,
    *,
    window: float,
    stride: float,
    unit: Unit = "s",
    closed: Closed = "inclusive",
    taper: Taper | None = None,
    kind: WindowKind = "correlation",
    band: tuple[float, float] | None = None,
    density: float | None = None,
    output: Output = "dense",
    min_samples: int = 3,
) -> xr.DataArray | xr.DataTree:
    r"""Functional connectivity in sliding windows.

    Parameters
    ----------
    activity : (time, node), any unit; or a study
        One session on a regular clock in seconds; numpy or dask. Of a study, the activity of every session.
    window : float
        Width of a window, rounded to whole samples.
    stride : float
        From the start of one window to the start of the next, rounded to whole samples, at least one.
    unit : {"s", "samples"}
        Of `window` and `stride`.
    closed : {"inclusive", "stagin"}
        Whether a window may end on the last sample; "stagin" drops that one, as the published code of STAGIN does.
    taper : {"hamming", "gaussian"} or None
        Weights within a window, for correlation and covariance; "gaussian" has a standard deviation of a sixth of the
        window. None weighs all samples alike.
    kind : {"correlation", "covariance", "spearman", "partial correlation", "precision", "phase coherence"}
        As in `functional_connectivity`; what is inverted is shrunk in each window by itself. Phase coherence [1]_ is
        1 where two nodes keep one phase difference through the window, whichever it is, and 0 where they keep none.
    band : (low, high) or None
        Frequencies in Hz, for phase coherence, which alone needs them. A phase has a meaning in a narrow band only, and
        a window should hold a few periods of it.
    density : float or None
        Keep, of each window, this share of the entries as a graph of true and false: those above the percentile
        ``100 * (1 - density)`` of all entries, the diagonal and both triangles included. None keeps values.
    output : {"dense", "upper"}
        Matrices, or the pairs above their diagonal: half the memory; `fold` makes matrices of values over pairs.
    min_samples : int
        A pair with fewer common samples in a window is NaN there.

    Returns
    -------
    (window, source, target) or (window, pair), lazy
        A dask array: take or store what is needed, e.g. ``.isel(window=slice(10))`` or `dynome.store.save`. Coordinates
        ``window``, the middle of each window, and ``start``, ``stop``, its first and last sample, in seconds:
        ``activity.sel(time=slice(start, stop))`` is the window. Only whole windows are taken; samples that are left
        over at the end are in none. attrs ``window_seconds`` and ``stride_seconds`` are what the rounding gave. Of a
        study: a tree with one such variable for every session, and the connectome and the phenotype of the study.

    Raises
    ------
    InputError
        If the clock is not regular, the window does not fit, or an argument cannot be used; of a study, with every
        session that has a problem.
    UnitsError
        If covariance or precision is asked of activity without units.

    Notes
    -----
    Missing data are treated in each window as in `functional_connectivity`; phase coherence refuses them. A node that
    is constant in a window has NaN there, and in a graph no edges but its self loop. Tapered covariance is unbiased:
    the sum of weighted products is divided by :math:`\sum w - \sum w^2 / \sum w`, as `numpy.cov` does with
    ``aweights``.

    Short windows make connectivity fluctuate where nothing changes: a window should be longer than the slowest period
    that the activity holds [2]_.

    References
    ----------
    .. [1] Mormann, Lehnertz, David & Elger, Physica D 2000, doi:10.1016/S0167-2789(00)00087-7.
    .. [2] Leonardi & Van De Ville, NeuroImage 2015, doi:10.1016/j.neuroimage.2014.09.007.

    Examples
    --------
    >>> t = xr.DataArray(np.arange(20) / 2, dims="time", attrs={"units": "s"})
    >>> x = np.random.default_rng(0).standard_normal((20, 3))
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"time": t, "node": ["a", "b", "c"]})
    >>> fc = dynamic_connectivity(x, window=4, stride=2)
    >>> fc.sizes["window"], fc.window.values.tolist(), fc.stop.values.tolist()
    (4, [1.75, 3.75, 5.75, 7.75], [3.5, 5.5, 7.5, 9.5])
    >>> graphs = dynamic_connectivity(x, window=8, stride=4, unit="samples", density=0.5)
    >>> int(graphs.isel(window=0).sum()), int(graphs.isel(window=0).sel(source="a", target="a"))
    (3, 1)
    """
    request = Request(window, stride, unit, closed, taper, kind, band, density, output, min_samples)
    return _each_session(activity, request) if isinstance(activity, xr.DataTree) else _one_session(activity, request)


def _each_session(study: xr.DataTree, request: Request) -> xr.DataTree:
    problems = Problems("cannot slide a window over every session")
    parts: dict[str, xr.Dataset] = {}
    for path, rec in studies.sessions(study).items():
        if ACTIVITY not in rec:
            problems.add(f"{path}: has no activity; bin_spikes or drop the session")
            continue
        try:
            found = _one_session(rec[ACTIVITY], request)
        except DynomeError as error:
            problems.add(f"{path}: " + "; ".join(str(error).split("\n  - ")[1:] or [str(error)]))
            continue
        parts[f"/{path}"] = found.to_dataset()
    if not parts and not problems.found:
        problems.add("the study has no sessions")
    problems.raise_if_any(InputError)
    beside = {f"/{name}": study.children[name].to_dataset(inherit=False) for name in BESIDE if name in study.children}
    tree = xr.DataTree.from_dict(parts | beside)
    tree.attrs.update(study.attrs)
    return tree


def _one_session(activity: xr.DataArray, request: Request) -> xr.DataArray:
    x, plan = planned(activity, request)
    kind, density = request.kind, request.density
    unit = unit_power(x, UNIT_POWER[kind]) if kind in UNIT_POWER else "1"
    coords = pair_coords(x)
    dims: tuple[str, ...] = (WINDOW, SOURCE, TARGET)
    if request.output == "upper":
        coords, dims = _upper_coords(coords), (WINDOW, PAIR)
    own = {
        "window_seconds": plan.width * plan.interval,
        "stride_seconds": plan.step * plan.interval,
        "taper": request.taper or "none",
        **({} if request.band is None else {"band_low_hz": request.band[0], "band_high_hz": request.band[1]}),
        **({} if density is None else {"density": density, "units": "1", "long_name": f"graph of strongest {kind}"}),
    }
    return xr.DataArray(
        _lazy_windows(x.data, plan, request.band),
        dims=dims,
        coords={**coords, **window_coords(x, plan)},
        name=kind.replace(" ", "_") if density is None else "graph",
        attrs={**pair_attrs(x, kind, unit), **own},
    )


def _upper_coords(coords: dict[str, Any]) -> dict[str, Any]:
    """Coordinates of pairs above the diagonal, from those of matrices."""
    nodes = coords[SOURCE]
    ends = dict(zip((SOURCE, TARGET), np.triu_indices(nodes.size, 1), strict=True))
    found = {n: c for n, c in coords.items() if n not in ends and not {*c.dims} & {*ends}}
    for end, at in ends.items():
        over_end = {n: c for n, c in coords.items() if n not in ends and c.dims == (end,)}
        found |= {n: xr.Variable(PAIR, c.to_numpy()[at], c.attrs) for n, c in over_end.items()}
    return {**found, **pairs.pair_coords(nodes)}


def window_coords(x: xr.DataArray, plan: Plan) -> dict[str, Any]:
    """Coordinates of windows: their middle, first and last sample in seconds.

    Parameters
    ----------
    x : (time, node)
    plan : Plan
        Where its windows lie.
    """
    clock = x[TIME].to_numpy()
    start, stop = clock[plan.starts], clock[plan.starts + plan.width - 1]
    seconds = {"units": "s"}
    return {
        WINDOW: (WINDOW, (start + stop) / 2, {**seconds, "long_name": "middle of the window"}),
        "start": (WINDOW, start, {**seconds, "long_name": "first sample of the window"}),
        "stop": (WINDOW, stop, {**seconds, "long_name": "last sample of the window"}),
    }


def _lazy_windows(x: Any, plan: Plan, band: tuple[float, float] | None) -> Any:
    """`window_block` as a dask array whose blocks are batches of windows."""
    from dask.array import concatenate, from_delayed
    from dask.delayed import delayed

    values = np.dtype(np.float32 if x.dtype == np.float32 else np.float64)
    dtype = values if plan.measure.density is None else np.dtype(np.bool_)
    n_node = x.shape[1]
    shape = (n_node, n_node) if plan.measure.output == "dense" else (n_node * (n_node - 1) // 2,)
    phasors = None
    if band is not None:
        complex_ = np.result_type(values, np.complex64)
        phasors = from_delayed(delayed(unit_phasors)(x, plan.interval, band), x.shape, complex_)  # type: ignore[no-untyped-call]
    steps = np.diff(plan.starts).max(initial=1)
    batch = max(1, _BATCH_BYTES // (values.itemsize * n_node * max(n_node, int(steps))))
    blocks = []
    for first in range(0, plan.starts.size, batch):
        starts = plan.starts[first : first + batch]
        part = slice(starts[0], starts[-1] + plan.width)
        phase = None if phasors is None else phasors[part]
        block = delayed(window_block)(x[part], starts - starts[0], plan.width, plan.measure, phase)
        blocks.append(from_delayed(block, (starts.size, *shape), dtype))  # type: ignore[no-untyped-call]
    return concatenate(blocks)  # type: ignore[no-untyped-call]
