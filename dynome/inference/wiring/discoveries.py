"""Which edges are there: a p-value for each from surrogates, and the false discovery rate."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.dynamics.hmm.gathering import ChainInput
from dynome.errors import InputError, Problems
from dynome.inference.wiring import methods
from dynome.inference.wiring.estimates import labelled, samples_of
from dynome.inference.wiring.methods import ABOUT, Method
from dynome.inference.wiring.samples import animals_of
from dynome.inference.wiring.surrogates import Surrogate, surrogate
from dynome.permutation import permutation_p_value, q_value
from dynome.schema import SOURCE, TARGET

Array = NDArray[np.float64]
Null = Literal["pooled", "edge"]


def edge_discoveries(
    data: ChainInput,
    method: Method = "granger",
    *,
    surrogates: Surrogate = "shift",
    n_surrogates: int = 50,
    null: Null = "pooled",
    rate: float = 0.05,
    variable: str | None = None,
    random_state: int | None = 0,
    **options: Any,
) -> xr.Dataset:
    """Which edges are stronger than activity without any connection would show.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, mapping or list
        As for `infer_connectivity`, of one animal; its sessions are taken jointly.
    method : str
        As for `infer_connectivity`.
    surrogates : {"shift", "phase"}
        Each node turned around in time by itself, or with phases of its own; see the notes.
    n_surrogates : int
        At least 5.
    null : {"pooled", "edge"}
        Compare an edge with the surrogates of all edges, each in units of its own mean and spread; or with its own
        surrogates only. The second assumes nothing of the spread, but its p-values are no smaller than ``1 /
        (n_surrogates + 1)``: to survive correction for all pairs it needs many surrogates.
    rate : float
        False discovery rate.
    variable, **options
        As for `infer_connectivity`.
    random_state : int or None
        Seed of the surrogates.

    Returns
    -------
    Dataset (source, target)
        ``estimate``; ``z``, its magnitude in standard deviations from the mean of its surrogates; ``p_value``,
        one-sided (stronger than the surrogates); ``q_value``; ``discovered``. NaN (False) on the diagonal and for
        nodes that do not vary.

    Raises
    ------
    InputError
        If the data or an argument cannot be used, or phases are asked of counts.

    Notes
    -----
    Surrogates keep the rhythm of each node and undo every relation between nodes. So a discovery says that the two
    nodes are related (given all others, where the method is conditional), not that one acts on the other directly.
    Shifts within short trials are few; they also turn what all trials share, such as an evoked response, into a
    difference from the surrogates.

    Symmetric methods test each pair twice; its two q-values are equal.

    References
    ----------
    .. [1] Theiler et al., Physica D 1992, doi:10.1016/0167-2789(92)90102-S.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((500, 4))
    >>> x[1:, 1] += x[:-1, 0]
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"node": ["a", "b", "c", "d"]})
    >>> found = edge_discoveries(x, "granger", n_lags=1).discovered
    >>> bool(found.sel(source="a", target="b")), bool(found.sel(source="b", target="a"))
    (True, False)
    """
    problems = Problems("cannot tell which edges are there")
    if surrogates not in get_args(Surrogate):
        problems.add(f"surrogates must be one of {', '.join(map(repr, get_args(Surrogate)))}, got {surrogates!r}")
    if null not in get_args(Null):
        problems.add(f"null must be one of {', '.join(map(repr, get_args(Null)))}, got {null!r}")
    if n_surrogates < 5:
        problems.add(f"n_surrogates must be at least 5, got {n_surrogates}")
    if not 0 < rate < 1:
        problems.add(f"rate must be between 0 and 1, got {rate:g}")
    animals = {"": {"": data}} if isinstance(data, xr.DataArray | xr.Dataset) else animals_of(data)
    if len(animals) > 1:
        problems.add(f"expected one animal, found {len(animals)}; go through them one by one, e.g. study[animal]")
    problems.raise_if_any(InputError)
    (sample,) = samples_of(animals, method, "joint", variable, options).values()
    if surrogates == "phase" and sample.counts:
        raise InputError('phases cannot be drawn for spike counts; use surrogates="shift"')
    estimate = labelled({"": sample}, method, options, None)
    seed = seeds.resolve(random_state)
    draws = np.empty((*estimate.shape, n_surrogates))
    with progress.task(f"surrogates ({method})", total=n_surrogates) as advance:
        for k in range(n_surrogates):
            own = surrogate(sample, surrogates, seeds.generator(seed, "edge_discoveries", k))
            draws[..., k] = methods.estimated(method, own, options)
            advance(1)
    signed = ABOUT[method].signed
    observed = np.abs(estimate.to_numpy()) if signed else estimate.to_numpy()
    z, p = _compared(observed, np.abs(draws) if signed else draws, null)
    q = q_value(p)
    found = {
        "z": (z, "magnitude in standard deviations of its surrogates"),
        "p_value": (p, "p-value, one-sided"),
        "q_value": (q, "least false discovery rate at which it is called"),
    }
    out = estimate.to_dataset(name="estimate")
    for name, (values, long_name) in found.items():
        out[name] = ((SOURCE, TARGET), values, {"units": "1", "long_name": long_name})
    out["discovered"] = ((SOURCE, TARGET), np.nan_to_num(q, nan=1.0) <= rate)
    about = {"surrogates": surrogates, "n_surrogates": n_surrogates, "null": null, "rate": rate, "random_state": seed}
    return out.assign_attrs(method=method, **about)


def _compared(observed: Array, draws: Array, null: Null) -> tuple[Array, Array]:
    """Distances and p-values of every edge.

    Each surrogate is standardised by the others of its edge, as the observed value is by all: so both are the same
    distance from what they are compared with where there is no edge.
    """
    n = draws.shape[-1]
    total, square = draws.sum(axis=-1, keepdims=True), (draws**2).sum(axis=-1, keepdims=True)
    z = (observed - draws.mean(axis=-1)) / _positive(draws.std(axis=-1, ddof=1))
    if null == "edge":
        return z, permutation_p_value(observed, draws)
    mean = (total - draws) / (n - 1)
    variance = ((square - draws**2) - (n - 1) * mean**2) / (n - 2)
    others = ((draws - mean) / _positive(np.sqrt(np.maximum(variance, 0.0)))).ravel()
    others = np.sort(others[np.isfinite(others)])
    above = others.size - np.searchsorted(others, z, side="left")
    return z, np.where(np.isnan(z), np.nan, (1 + above) / (1 + others.size))


def _positive(spread: Array) -> Array:
    return np.where(spread > 0, spread, np.nan)
