"""Evidence for tangent_connectivity: nilearn, the inverse, the defining property of the mean, errors."""

from __future__ import annotations

import warnings

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome import schema, study
from dynome.dynamics import covariance_from_tangent, functional_connectivity, tangent_connectivity
from dynome.dynamics.connectivity.geometry import geometric_mean, roots, whitened_logs
from dynome.errors import InputError, UnitsError

seeds = st.integers(0, 2**32 - 1)


def activity(seed: int, n_time: int = 60, nodes: str = "abcde") -> xr.DataArray:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_time, len(nodes))) @ (np.eye(len(nodes)) + 0.4 * rng.standard_normal((len(nodes),) * 2))
    return schema.recording(x, time=np.arange(n_time) / 2, node=list(nodes), units="dF/F").activity


def worms(n: int = 4, seed: int = 0) -> dict[str, xr.DataArray]:
    return {f"worm{k}": activity(seed + k, n_time=50 + 10 * k) for k in range(n)}


@pytest.mark.parametrize("n_node", [5, 26])
def test_nilearn_gives_the_same(n_node):
    from nilearn.connectome import ConnectivityMeasure

    recordings = [activity(k, nodes="abcdefghijklmnopqrstuvwxyz"[:n_node]) for k in range(6)]
    measure = ConnectivityMeasure(kind="tangent")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = measure.fit_transform([x.to_numpy() for x in recordings])
    ours = tangent_connectivity(recordings)
    np.testing.assert_allclose(ours, expected, atol=1e-5)  # nilearn stops at a gradient of 1e-7 times the size
    np.testing.assert_allclose(ours.reference, measure.mean_, atol=1e-5)
    assert ours.session.values.tolist() == list("012345")


def test_held_out_sessions_seen_from_a_reference_agree_with_nilearn():
    from nilearn.connectome import ConnectivityMeasure

    train, test = [activity(k) for k in range(4)], [activity(9)]
    measure = ConnectivityMeasure(kind="tangent")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measure.fit([x.to_numpy() for x in train])
        expected = measure.transform([x.to_numpy() for x in (*test, train[0])])[:1]
    reference = tangent_connectivity(train).reference
    held_out = tangent_connectivity(test, reference=reference)
    np.testing.assert_allclose(held_out, expected, atol=1e-5)
    np.testing.assert_array_equal(held_out.reference, reference)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_inverse_gives_back_the_shrunk_covariances(seed):
    recordings = worms(seed=seed)
    tangent = tangent_connectivity(recordings)
    covariance = covariance_from_tangent(tangent)
    for name, x in recordings.items():
        expected = functional_connectivity(x, kind="covariance", shrink=True)
        np.testing.assert_allclose(covariance.sel(session=name), expected, rtol=1e-8, atol=1e-10)
    assert covariance.attrs["units"] == "(dF/F)^2"
    schema.validate(covariance, "functional_connectivity")


def test_the_mean_of_the_tangents_is_the_reference():
    tangent = tangent_connectivity(worms())
    np.testing.assert_allclose(tangent.mean("session"), 0, atol=1e-8)
    middle = covariance_from_tangent(tangent.mean("session", keep_attrs=True))
    np.testing.assert_allclose(middle, tangent.reference, rtol=1e-7)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_geometric_mean_moves_with_its_matrices_and_commutes_with_inversion(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, 40, 4))
    matrices = np.swapaxes(x, 1, 2) @ x
    mix = rng.standard_normal((4, 4)) + 3 * np.eye(4)
    mean = geometric_mean(matrices)
    np.testing.assert_allclose(geometric_mean(mix.T @ matrices @ mix), mix.T @ mean @ mix, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(geometric_mean(np.linalg.inv(matrices)), np.linalg.inv(mean), rtol=1e-6, atol=1e-9)


def test_the_geometric_mean_of_numbers_is_the_usual_one():
    np.testing.assert_allclose(geometric_mean(np.array([[[2.0]], [[8.0]], [[4.0]]])), [[4.0]])


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(list("abcde")))
def test_nodes_carry_their_labels(order):
    a = tangent_connectivity(worms())
    b = tangent_connectivity({name: x.sel(node=list(order)) for name, x in worms().items()})
    np.testing.assert_allclose(b.sel(source=a.source, target=a.target), a, atol=1e-7)


def test_sessions_are_joined_on_the_nodes_that_all_have():
    recordings = {"u": activity(0, nodes="abcx"), "v": activity(1, nodes="ycab")}
    tangent = tangent_connectivity(recordings)
    assert tangent.source.values.tolist() == ["a", "b", "c"]
    only = tangent_connectivity({name: x.sel(node=list("abc")) for name, x in recordings.items()})
    np.testing.assert_allclose(tangent, only, atol=1e-8)


def test_nodes_without_an_identity_are_not_joined():
    known = ("node", [True, False, True, True, False])
    recordings = {name: x.assign_coords(labelled=known) for name, x in worms().items()}
    tangent = tangent_connectivity(recordings)
    assert tangent.source.values.tolist() == ["a", "c", "d"]


def test_the_mean_is_found_of_matrices_with_very_different_directions():
    rng = np.random.default_rng(0)
    turns = np.linalg.qr(rng.standard_normal((6, 30, 30)))[0]
    matrices = turns @ (np.logspace(-4, 2, 30)[:, None] * np.swapaxes(turns, 1, 2))
    mean = geometric_mean((matrices + np.swapaxes(matrices, 1, 2)) / 2)
    logs = whitened_logs(matrices, roots(mean).inverse)
    np.testing.assert_allclose(logs.mean(axis=0), 0, atol=1e-7)
    assert np.abs(logs).max() > 1


def test_a_study_names_its_sessions():
    parts = {f"{name}/day1": x.to_dataset(name="activity") for name, x in worms(2).items()}
    tangent = tangent_connectivity(study.build(parts))
    assert tangent.session.values.tolist() == ["worm0/day1", "worm1/day1"]
    np.testing.assert_allclose(tangent, tangent_connectivity(worms(2)), atol=1e-12)
    assert (tangent.name, tangent.attrs["units"], tangent.attrs["directed"]) == ("tangent", "1", 0)
    schema.validate(tangent, "functional_connectivity")


def test_bad_input_is_refused_with_what_to_do():
    gap, still = activity(0), activity(1)
    gap[3, 1], still[:, 2] = np.nan, 0.1
    with pytest.raises(InputError, match=r"'u' has NaN in 'b'; interpolate.*\n.*'v' is constant in 'c'; drop"):
        tangent_connectivity({"u": gap, "v": still})
    with pytest.raises(InputError, match="at least 2 sessions, found 1; or give a reference"):
        tangent_connectivity([activity(0)])
    with pytest.raises(InputError, match="compares several sessions; give a study"):
        tangent_connectivity(activity(0))
    with pytest.raises(InputError, match="at least 2 node labels must be in every session, found 1"):
        tangent_connectivity([activity(0, nodes="ab"), activity(1, nodes="bc")])
    with pytest.raises(UnitsError, match="must share one unit"):
        tangent_connectivity([activity(0), activity(1).assign_attrs(units="1")])
    with pytest.raises(UnitsError, match="activity has none"):
        tangent_connectivity([x.drop_attrs() for x in worms().values()])
    spikes = schema.recording(spike_count=np.ones((4, 2)), time=np.arange(4.0), node=["a", "b"])
    with pytest.raises(InputError, match="'u', 'v' have no activity"):
        tangent_connectivity(study.build({"u": spikes, "v": spikes}))
    with pytest.raises(InputError, match=r"cannot use session 'u':\n.*missing 'time'"):
        tangent_connectivity({"u": activity(0).isel(time=0), "v": activity(1)})
    with pytest.raises(InputError, match=r"session 'u': expected \(time, node\), found dims"):
        tangent_connectivity({"u": activity(0).expand_dims("trial"), "v": activity(1)})


def test_a_bad_reference_is_refused():
    reference = tangent_connectivity(worms()).reference
    with pytest.raises(InputError, match="'0' lacks nodes of the reference: 'd', 'e'"):
        tangent_connectivity([activity(0, nodes="abc")], reference=reference)
    with pytest.raises(InputError, match="same labels in the same order"):
        tangent_connectivity([activity(0)], reference=reference.isel(target=slice(None, None, -1)))
    with pytest.raises(InputError, match="must be finite"):
        tangent_connectivity([activity(0)], reference=reference * np.nan)
    with pytest.raises(InputError, match="positive definite"):
        tangent_connectivity([activity(0)], reference=-reference)
    with pytest.raises(InputError, match="expected a coordinate reference"):
        covariance_from_tangent(functional_connectivity(activity(0)))


def test_singular_covariances_have_no_mean():
    x = np.random.default_rng(0).standard_normal((2, 40, 3))
    x[0, :, 2] = 0
    with pytest.raises(InputError, match="a covariance is not positive definite; drop nodes"):
        geometric_mean(np.swapaxes(x, 1, 2) @ x)
