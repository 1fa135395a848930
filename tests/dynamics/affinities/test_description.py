"""Evidence for affinities: closed forms of each kernel, missing nodes, invariances, units, errors."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema, study
from dynome.dynamics import affinity, align_animals, derivative, fold, standardize
from dynome.errors import InputError


def worms(seed=0, n_time=120, rate=2.0):
    rng = np.random.default_rng(seed)
    time = np.arange(n_time) / rate
    nodes = {"w1": list("abcd"), "w2": list("bcde")}
    traces = {name: np.cumsum(rng.standard_normal((n_time, 4)), axis=0) for name in nodes}
    return study.build({n: schema.recording(traces[n], time=time, node=nodes[n], units="dF/F") for n in nodes})


def rates(data, smooth=1.0):
    return derivative(standardize(align_animals(data).activity, dim="time"), width=smooth)


@pytest.mark.parametrize(
    ("kernel", "formula"),
    [
        ("geomean", lambda a, b: np.sqrt(np.maximum(a * b, 0))),
        ("product", lambda a, b: np.maximum(a * b, 0)),
        ("min", lambda a, b: np.where(np.sign(a) == np.sign(b), np.minimum(abs(a), abs(b)), 0)),
    ],
)
def test_kernels_are_their_formulas(kernel, formula):
    data = worms()
    d = rates(data)
    found = affinity(data, kernel=kernel)
    for animal, pair in (("w1", "a|c"), ("w2", "c|e")):
        i, j = pair.split("|")
        expected = formula(*(d.sel(animal=animal, node=n).to_numpy() for n in (i, j)))
        np.testing.assert_allclose(found.sel(animal=animal, pair=pair), expected, atol=1e-12)
    assert found.attrs["units"] == ("1/s^2" if kernel == "product" else "1/s")


def test_a_pair_is_missing_where_one_of_its_nodes_is():
    found = affinity(worms())
    assert bool(found.sel(animal="w2", pair="a|b").isnull().all())
    assert not bool(found.sel(animal="w1", pair="a|b").isnull().any())
    assert "a|e" not in found.pair  # never recorded together


def test_pairs_of_few_animals_can_be_left_out():
    found = affinity(worms(), min_animals=2)
    assert set(found.pair.to_numpy()) == {"b|c", "b|d", "c|d"}
    assert not bool(found.isnull().any())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), gain=st.floats(0.01, 100), offset=st.floats(-50, 50))
def test_gain_and_offset_of_a_trace_do_not_matter(seed, gain, offset):
    data = worms(seed)
    changed = {
        name: rec.assign(activity=(rec.activity * gain + offset).assign_attrs(units="1"))
        for name, rec in study.sessions(data).items()
    }
    moved = study.build(changed)
    np.testing.assert_allclose(affinity(moved), affinity(data), atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), order=st.permutations(range(4)))
def test_the_order_of_nodes_does_not_matter(seed, order):
    data = worms(seed)
    shuffled = study.build({n: r.isel(node=list(order)) for n, r in study.sessions(data).items()})
    a, b = (fold(affinity(x).isel(time=[5, 50])) for x in (data, shuffled))
    xr.testing.assert_allclose(a, b.sel(source=a.source, target=a.target))


def test_nodes_that_move_against_each_other_have_none():
    t = np.arange(100) / 4
    x = np.stack([np.sin(t), -np.sin(t)], axis=1)
    data = study.build({"w": schema.recording(x, time=t, node=["u", "v"], units="1")})
    assert float(affinity(data).max()) == 0.0


def test_what_cannot_be_made_is_told():
    with pytest.raises(InputError, match="kernel must be one of geomean, product, min, got 'cosine'"):
        affinity(worms(), kernel="cosine")
    with pytest.raises(InputError, match="no two of 5 nodes were recorded together in 3 animals"):
        affinity(worms(), min_animals=3)
    with pytest.raises(InputError, match=r"it would take .* GB, max_bytes"):
        affinity(worms(), max_bytes=1000)
