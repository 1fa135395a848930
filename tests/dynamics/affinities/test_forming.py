"""Evidence for the formed tensor: the formula of every kernel, lags, signs, lazy chunks, limits."""

from __future__ import annotations

import dask
import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema
from dynome.dynamics import affinity, affinity_tensor
from dynome.dynamics.affinities.kernels import KERNELS, formed, recipe, tiles
from dynome.errors import InputError

H = 0.7
FORMULAS = {
    "geomean": lambda a, b: np.sqrt(a * b),
    "product": lambda a, b: a * b,
    "min": min,
    "harmonic": lambda a, b: 2 * a * b / (a + b),
    "gauss": lambda a, b: np.exp(-((a - b) ** 2) / (2 * H**2)),
    "correlation": lambda a, b: a * b,
}


def brute_force(d, kernel, lag=0, sign=1):
    """The definition, entry by entry: ``(n_time, pair)`` of one animal, rates ``(n_time, n_node)``."""
    n_time, n_node = d.shape
    i, j = np.triu_indices(n_node, 1)
    out = np.zeros((n_time, i.size))
    for t in range(n_time):
        for p, (a, b) in enumerate(zip(i, j, strict=True)):
            if np.isnan(d[t, [a, b]]).any():
                out[t, p] = np.nan
                continue
            for s in range(max(0, t - lag), min(n_time, t + lag + 1)):
                for x, y in ((d[t, a], d[s, b]), (d[s, a], d[t, b])):
                    if x * y * sign > 0:
                        out[t, p] = max(out[t, p], FORMULAS[kernel](abs(x), abs(y)))
    return out


def rates(seed=0, n_animal=2, n_time=40, n_node=6):
    rng = np.random.default_rng(seed)
    d = rng.standard_normal((n_animal, n_time, n_node))
    d[rng.random(d.shape) < 0.2] = 0.0
    d[1, :, 2] = np.nan
    d[0, 7, 3] = np.nan
    return d


def described(kernel="geomean", *, n_node=6, n_time=60, nan=False, **options):
    rng = np.random.default_rng(5)
    x = np.cumsum(rng.standard_normal((2, n_time, n_node)), axis=1)
    x[1, :, 1] = np.nan
    if nan:
        x[0, 20:25, 0] = np.nan
    data = xr.DataArray(
        x,
        dims=("animal", "time", "node"),
        coords={"animal": ["w1", "w2"], "time": np.arange(n_time) / 2, "node": [f"n{k}" for k in range(n_node)]},
        attrs={"units": "1"},
    )
    return affinity(data, kernel=kernel, **options)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("lag", [0, 3])
def test_every_kernel_is_its_formula(kernel, lag):
    options = {"lag": lag / 2, "threshold": 0.5, "signed": True} | ({"bandwidth": H} if kernel == "gauss" else {})
    found = described(kernel, nan=True, **options)
    tensor = affinity_tensor(found)
    assert tensor.dims == ("time", "animal", "pair", "sign")
    for animal in ("w1", "w2"):
        d = found["rate"].sel(animal=animal).to_numpy()
        one = tensor.sel(animal=animal)
        kept = np.isin([f"n{a}|n{b}" for a, b in zip(*np.triu_indices(6, 1), strict=True)], one.pair)
        for sign, way in (("co", 1), ("anti", -1)):
            expected = brute_force(d, kernel, lag, way)[:, kept]
            np.testing.assert_allclose(one.sel(sign=sign), expected, atol=1e-13)


@pytest.mark.parametrize("kernel", ["geomean", "product"])
def test_a_time_slice_has_rank_two(kernel):
    d = rates(n_node=9)[:1]
    i, j = np.triu_indices(9, 1)
    values = formed(recipe(np.nan_to_num(d), i, j, kernel), 0, np.arange(40))
    p, n = (np.maximum(s * np.nan_to_num(d[0]), 0) for s in (1, -1))
    if kernel == "geomean":
        p, n = np.sqrt(p), np.sqrt(n)
    np.testing.assert_allclose(values, p[:, i] * p[:, j] + n[:, i] * n[:, j], atol=1e-14)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kernel=st.sampled_from([*KERNELS]),
    lag=st.integers(0, 3),
    order=st.permutations(range(15)),
    kept=st.integers(1, 15),
)
def test_pairs_in_any_order_and_number_are_the_same_pairs(seed, kernel, lag, order, kept):
    d = rates(seed)
    i, j = np.triu_indices(6, 1)
    chosen = np.array(order[:kept])
    whole = recipe(d, i, j, kernel, lag=lag, signed=True)
    part = recipe(d, j[chosen], i[chosen], kernel, lag=lag, signed=True)  # ends swapped: it is symmetric
    assert np.array_equal(part.pairs(), (j[chosen], i[chosen]))
    assert sum(part.runs[t, 2].sum() for t in tiles(part.runs, 4)) == part.n_pair == kept
    for sign in (0, 1):
        times = np.array([39, 3, 7])
        np.testing.assert_allclose(
            formed(part, 0, times, sign), formed(whole, 0, times, sign)[:, chosen], rtol=1e-14, atol=0
        )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), kernel=st.sampled_from([*KERNELS]), lag=st.integers(0, 3))
def test_turning_one_node_swaps_the_two_signs(seed, kernel, lag):
    d = rates(seed)
    turned = d.copy()
    turned[..., 0] *= -1
    i, j = np.zeros(5, dtype=int), np.arange(1, 6)
    a, b = (recipe(x, i, j, kernel, lag=lag, signed=True) for x in (d, turned))
    times = np.arange(40)
    for sign in (0, 1):
        np.testing.assert_array_equal(formed(a, 0, times, sign), formed(b, 0, times, 1 - sign))


def test_a_lag_finds_changes_that_follow_each_other_and_no_others():
    t = np.arange(400) / 4
    x = np.stack([np.tanh(t - 30), np.tanh(t - 36), np.tanh(t - 60)], axis=1)
    rec = schema.recording(x, time=t, node=list("abc"), units="1")
    tight, loose = (affinity_tensor(affinity(rec, lag=lag, threshold=1.0)).squeeze() for lag in (0.0, 7.0))
    assert float(tight.sel(pair="a|b").max()) < 0.2 * float(loose.sel(pair="a|b").max())
    assert float(loose.sel(pair="a|c").max()) < 0.2 * float(loose.sel(pair="a|b").max())
    assert bool((loose >= tight).all())


def test_opposite_changes_are_nothing_together_and_all_apart():
    t = np.arange(100) / 4
    rec = schema.recording(np.stack([np.sin(t), -np.sin(t)], axis=1), time=t, node=["u", "v"], units="1")
    tensor = affinity_tensor(affinity(rec, signed=True)).squeeze()
    assert float(tensor.sel(sign="co").max()) == 0.0
    np.testing.assert_allclose(tensor.sel(sign="anti"), np.abs(affinity(rec)["rate"].sel(node="u").squeeze()))


@pytest.mark.parametrize("chunks", [7, "auto"])
@pytest.mark.parametrize("signed", [False, True])
def test_lazy_chunks_are_the_tensor_in_memory(chunks, signed):
    found = described("min", lag=1.0, signed=signed, nan=True)
    with dask.config.set(scheduler="synchronous"):
        lazy = affinity_tensor(found, chunks=chunks)
        assert lazy.chunks is not None
        assert lazy.chunks[1:] == tuple((n,) for n in lazy.shape[1:])
        xr.testing.assert_identical(lazy.compute(), affinity_tensor(found))


def test_single_precision_is_close():
    found = described("harmonic")
    single = affinity_tensor(found, dtype="float32")
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, affinity_tensor(found), rtol=1e-5, atol=1e-6)


def test_the_tensor_carries_labels_and_parameters():
    tensor = affinity_tensor(described("product", smooth=2.0))
    assert tensor.name == "affinity"
    assert (tensor.attrs["units"], tensor.attrs["kernel"], tensor.attrs["smooth"]) == ("1/s^2", "product", 2.0)
    assert tensor.sel(pair="n0|n2").source.item() == "n0"
    assert set(tensor.coords) == {"time", "animal", "pair", "source", "target"}


def test_a_bandwidth_is_the_spread_of_what_passes_the_threshold():
    found = described("gauss", threshold=1.0)
    rate = found["rate"].to_numpy()
    active = rate[np.nan_to_num(rate) != 0]
    assert found.attrs["bandwidth"] == pytest.approx(np.sqrt((active**2).mean()))
    with pytest.raises(InputError, match="no rate passes the threshold"):
        described("gauss", threshold=1e6)


def test_what_cannot_be_formed_is_told():
    with pytest.raises(InputError, match=r"it would take .* GB, max_bytes is .*NonnegativeCP, which never forms it"):
        affinity_tensor(described(), max_bytes=1000)
    with pytest.raises(InputError, match="chunks must be a number of samples"):
        affinity_tensor(described(), chunks=0)
    with pytest.raises(InputError, match="dtype must be float64 or float32"):
        affinity_tensor(described(), dtype="int8")
    with pytest.raises(InputError, match="resample"):
        affinity_tensor(described(lag=1.0).isel(time=[0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 14, 15]))
