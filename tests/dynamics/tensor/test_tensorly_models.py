"""Evidence for Tucker, PARAFAC2 and the conversions: planted truth, labels, errors, round trips."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.align import cosine, match
from dynome.dynamics import (
    NonnegativeCP,
    NonnegativeParafac2,
    NonnegativeTucker,
    align_animals,
    from_tensorly,
    to_tensorly,
)
from dynome.dynamics.tensor.parafac2 import fit_parafac2
from dynome.errors import InputError

DIMS = ("time", "animal", "pair")


def labelled(x):
    return xr.DataArray(
        x,
        dims=DIMS,
        coords={
            "time": ("time", np.arange(x.shape[0]) / 2, {"units": "s"}),
            "animal": [f"w{k}" for k in range(x.shape[1])],
            "pair": [f"p{k}" for k in range(x.shape[2])],
        },
        name="affinity",
        attrs={"units": "1/s"},
    )


def tucker(seed=0, shape=(20, 5, 12), ranks=(2, 2, 3)):
    rng = np.random.default_rng(seed)
    factors = [rng.random((n, r)) * (rng.random((n, r)) > 0.3) + 0.01 for n, r in zip(shape, ranks, strict=True)]
    return labelled(np.einsum("ijk,ti,aj,pk->tap", rng.random(ranks), *factors))


def worms(seed=0, lengths=(40, 60, 50), n_node=9, rank=2, noise=0.0):
    rng = np.random.default_rng(seed)
    node = rng.random((n_node, rank)) * (rng.random((n_node, rank)) > 0.4) + 0.01
    shape = rng.normal(size=(rank, rank))
    strength = rng.random((len(lengths), rank)) + 0.5
    out = {}
    for k, n in enumerate(lengths):
        course = np.linalg.qr(rng.normal(size=(n, rank)))[0] @ shape * 10
        values = course * strength[k] @ node.T + noise * rng.normal(size=(n, n_node))
        clock = ("time", np.arange(n) * 0.5, {"units": "s"})
        coords = {"time": clock, "node": [f"N{i}" for i in range(n_node)]}
        out[f"w{k}"] = xr.DataArray(values, coords, ("time", "node"), "activity", {"units": "dF/F"})
    return out, node, strength


def test_a_planted_tucker_model_is_explained_and_labelled():
    x = tucker()
    r = (
        NonnegativeTucker({"time": 2, "animal": 2, "pair": 3}, random_state=0, n_restarts=3, max_iter=60)
        .fit(x)
        .results_
    )
    assert float(r.relative_error) < 1e-3
    assert r.core.dims == ("time_component", "animal_component", "pair_component")
    assert (r.core >= 0).all()
    for dim in DIMS:
        assert (r[f"{dim}_factor"] >= 0).all()
        np.testing.assert_allclose((r[f"{dim}_factor"] ** 2).sum(dim), 1.0)
        xr.testing.assert_identical(r[dim].variable, x[dim].variable)
        others = [d for d in r.core.dims if d != f"{dim}_component"]
        assert (np.diff((r.core**2).sum(others)) <= 0).all()
    assert r.core.attrs["units"] == "1/s"


def test_a_tucker_model_gives_its_tensor_back():
    x = tucker(1)
    model = NonnegativeTucker(2, n_restarts=2, random_state=0, max_iter=50).fit(x)
    made = model.inverse_transform()
    assert made.dims == x.dims
    assert made.attrs["units"] == "1/s"
    error = float(((made - x) ** 2).sum() / (x**2).sum())
    assert error == pytest.approx(float(model.results_.relative_error), rel=1e-6)
    assert float(model.results_.residual_ratio) ** 2 == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"rank": 0}, "rank must be an integer of at least 1"),
        ({"rank": {"time": 2}}, "for each dim"),
        ({"rank": {"time": 2, "animal": 9, "pair": 9}}, "rank along animal is at most 5 here, got 9"),
        ({"rank": {"time": 9, "animal": 2, "pair": 2}}, "rank along time is at most 4 here"),
        ({"n_restarts": 0, "tol": -1}, r"(?s)n_restarts.*tol"),
    ],
)
def test_what_a_tucker_model_cannot_have_is_told(asked, message):
    with pytest.raises(InputError, match=message):
        NonnegativeTucker(**asked).fit(tucker())


def test_tucker_refuses_what_it_cannot_use():
    x = tucker()
    with pytest.raises(InputError, match="found 1 missing values; use NonnegativeCP"):
        NonnegativeTucker(2).fit(x.where(x != x.max()))
    with pytest.raises(InputError, match="negative"):
        NonnegativeTucker(2).fit(-x)
    with pytest.raises(InputError, match="expected a DataArray"):
        NonnegativeTucker(2).fit(x.to_numpy())


def test_recordings_of_unequal_length_share_the_planted_components():
    data, node, strength = worms(noise=0.01)
    model = NonnegativeParafac2(rank=2, n_restarts=2, random_state=0, max_iter=200).fit(data)
    r = model.results_
    found = match(cosine(node, r.node_factor.to_numpy()))
    assert found.similarity.min() > 0.99
    assert cosine(strength, r.animal_factor.to_numpy()[:, found.order]).diagonal().min() > 0.98
    assert (r.node_factor >= 0).all()
    assert (r.animal_factor >= 0).all()
    for k, x in data.items():
        n = x.sizes["time"]
        course = r.time_factor.sel(animal=k)
        np.testing.assert_allclose((course**2).sum("time"), 1.0)
        assert course[:n].notnull().all()
        assert course[n:].isnull().all()
        made = model.inverse_transform().sel(animal=k)[:n]
        assert float(((made - x) ** 2).sum() / (x**2).sum()) < 1e-3
    assert r.time.attrs["units"] == "s"
    assert r.weight.attrs["units"] == "dF/F"
    cross = [c.T @ c for c in (r.time_factor.sel(animal=k).dropna("time").to_numpy() for k in data)]
    np.testing.assert_allclose(cross[1], cross[0], atol=1e-6)


def test_a_mapping_and_an_array_padded_with_nan_are_the_same_recordings():
    data, _, _ = worms(noise=0.1)
    padded = xr.concat(list(data.values()), xr.IndexVariable("animal", list(data)), join="outer")
    model = NonnegativeParafac2(rank=2, n_restarts=2, random_state=0, max_iter=60)
    a, b = model.fit(data).results_, model.fit(padded).results_
    for name in ("time_factor", "node_factor", "animal_factor", "weight", "relative_error"):
        np.testing.assert_allclose(a[name], b[name], err_msg=name)


def test_nodes_are_joined_by_label_and_clocks_that_differ_are_kept():
    data, _, _ = worms(noise=0.1)
    model = NonnegativeParafac2(rank=2, n_restarts=2, random_state=0, max_iter=60)
    plain = model.fit(data).results_
    other = dict(data)
    other["w1"] = data["w1"].isel(node=slice(None, None, -1)).assign_coords(time=data["w1"].time + 3)
    r = model.fit(other).results_
    np.testing.assert_allclose(r.node_factor, plain.node_factor)
    assert "time" not in r.coords
    assert r.clock.dims == ("animal", "time")
    assert float(r.clock.sel(animal="w1")[0]) == 3.0


def test_a_study_goes_in_as_align_animals_lays_it_out():
    from dynome import schema, study

    data, _, _ = worms(noise=0.1)
    recordings = {
        k: schema.recording(x.to_numpy(), time=x.time.to_numpy(), node=x.node.to_numpy(), units="dF/F")
        for k, x in data.items()
    }
    stacked = align_animals(study.build(recordings), min_animals=3).activity
    r = NonnegativeParafac2(rank=2, n_restarts=2, random_state=0, max_iter=60).fit(stacked).results_
    assert r.time_factor.sel(animal="w0").isnull().any()
    assert float(r.relative_error) < 0.05


def test_what_parafac2_cannot_use_is_told():
    data, _, _ = worms()
    holey = dict(data, w1=data["w1"].where(data["w1"] != data["w1"].max()))
    with pytest.raises(InputError, match=r"missing values before the end of a recording \(w1: 1\)"):
        NonnegativeParafac2(2).fit(holey)
    with pytest.raises(InputError, match="w1 has other nodes than the first recording"):
        NonnegativeParafac2(2).fit(dict(data, w1=data["w1"].isel(node=slice(4))))
    with pytest.raises(InputError, match="w2 is in 'mV', the first in 'dF/F'"):
        NonnegativeParafac2(2).fit(dict(data, w2=data["w2"].assign_attrs(units="mV")))
    with pytest.raises(InputError, match="rank 10 is above 9"):
        NonnegativeParafac2(10).fit(data)
    with pytest.raises(InputError, match="1 infinite"):
        NonnegativeParafac2(2).fit(dict(data, w1=data["w1"].where(data["w1"] != data["w1"].max(), np.inf)))
    with pytest.raises(InputError, match="'w1' have no values"):
        NonnegativeParafac2(2).fit(dict(data, w1=data["w1"] * np.nan))
    with pytest.raises(InputError, match="expected 3 dims"):
        NonnegativeParafac2(2).fit(data["w1"])
    with pytest.raises(InputError, match="got a list"):
        NonnegativeParafac2(2).fit(list(data.values()))
    with pytest.raises(InputError, match="every value is 0"):
        NonnegativeParafac2(2).fit({k: x * 0 for k, x in data.items()})
    with pytest.raises(InputError, match=r"(?s)rank must be.*tol must be > 0"):
        NonnegativeParafac2(0, tol=0).fit(data)


def test_starts_in_which_a_component_dies_are_left_out(monkeypatch):
    data, _, _ = worms(noise=0.1)
    calls = iter(range(9))

    def fit(*args):
        return None if next(calls) == 0 else fit_parafac2(*args)

    monkeypatch.setattr("dynome.dynamics.tensor.parafac2.fit_parafac2", fit)
    r = NonnegativeParafac2(2, n_restarts=3, random_state=0, max_iter=30).fit(data).results_
    assert np.isnan(r.restart_error).to_numpy().tolist() == [True, False, False]
    assert float(r.relative_error) == float(r.restart_error.min())
    monkeypatch.setattr("dynome.dynamics.tensor.parafac2.fit_parafac2", lambda *_: None)
    with pytest.raises(InputError, match="a component died in every start"):
        NonnegativeParafac2(2, n_restarts=2).fit(data)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_components_go_to_tensorly_and_back(seed):
    rng = np.random.default_rng(seed)
    x = labelled(rng.random((7, 4, 6)))
    model = NonnegativeCP(rank=2, n_restarts=2, random_state=0, max_iter=20).fit(x)
    cp = to_tensorly(model.results_)
    np.testing.assert_allclose(cp.to_tensor(), model.inverse_transform(), rtol=1e-9)
    back = from_tensorly(cp, DIMS, {d: x[d] for d in DIMS}, units="1/s")
    for name in back:
        xr.testing.assert_allclose(back[name], model.results_[name])
    assert back.weight.attrs["units"] == "1/s"


def test_what_tensorly_found_can_be_where_a_fit_begins():
    from tensorly.decomposition import non_negative_parafac

    x = labelled(np.random.default_rng(0).random((7, 4, 6)))
    cp = non_negative_parafac(x.to_numpy(), 2, init="random", random_state=0, n_iter_max=30)
    start = from_tensorly(cp, DIMS, {d: x[d] for d in DIMS})
    theirs = float(((cp.to_tensor() - x.to_numpy()) ** 2).sum() / (x**2).sum())
    ours = NonnegativeCP(rank=2, init=start, random_state=0).fit(x).results_
    assert float(ours.relative_error) <= theirs
    assert ours.sizes["restart"] == 1


def test_components_that_cannot_be_labelled_are_told():
    factors = [np.ones((3, 2)), np.ones((4, 2))]
    with pytest.raises(InputError, match="expected 2 different dim names, got \\['time'\\]"):
        from_tensorly((None, factors), ["time"])
    with pytest.raises(InputError, match="same number of columns"):
        from_tensorly((None, [factors[0], np.ones((4, 3))]), ["time", "pair"])
    with pytest.raises(InputError, match="NaN or infinity"):
        from_tensorly((None, [factors[0], factors[1] * np.nan]), ["time", "pair"])
    with pytest.raises(InputError, match="found no components"):
        to_tensorly(xr.Dataset())
