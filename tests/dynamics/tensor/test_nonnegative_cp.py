"""Evidence for NonnegativeCP: planted components with missing animals, labels, canonical order, errors."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings

from dynome.align import cp_similarity, match
from dynome.dynamics import NonnegativeCP
from dynome.dynamics.tensor.pairs import pair_coords
from dynome.errors import InputError, NotFittedError

DIMS = ("time", "animal", "pair")


def tensor(seed=0, rank=3, n_time=40, n_animal=4, n_node=8, noise=0.0, missing=False):
    rng = np.random.default_rng(seed)
    n_pair = n_node * (n_node - 1) // 2
    truth = [rng.random((n, rank)) * (rng.random((n, rank)) > 0.4) + 0.01 for n in (n_time, n_animal, n_pair)]
    values = np.einsum("tr,ar,pr->tap", *truth) * (1 + noise * rng.standard_normal((n_time, n_animal, n_pair)))
    node = np.array([f"N{k}" for k in range(n_node)])
    x = xr.DataArray(
        np.maximum(values, 0),
        dims=DIMS,
        coords={
            "time": ("time", np.arange(n_time) / 2, {"units": "s"}),
            "animal": [f"worm{k}" for k in range(n_animal)],
            **pair_coords(node),
        },
        name="affinity",
        attrs={"units": "1/s"},
    )
    if missing:
        gone = {"worm1": "N2", "worm3": "N5"}
        for animal, label in gone.items():
            here = (x.animal == animal) & ((x.source == label) | (x.target == label))
            x = x.where(~here)
    return x.transpose(*DIMS), truth


@pytest.mark.parametrize("missing", [False, True])
def test_planted_components_are_found_though_nodes_are_missing_in_some_animals(missing):
    x, truth = tensor(noise=0.05, missing=missing)
    r = NonnegativeCP(rank=3, n_restarts=10, random_state=0, max_iter=2000, tol=1e-10).fit(x).results_
    found = [r[f"{d}_factor"].to_numpy() for d in DIMS]
    assert match(cp_similarity(truth, found)).similarity.min() > 0.95
    assert float(r.relative_error) < 0.01


def test_missing_entries_are_completed():
    x, _ = tensor(missing=True)
    whole, _ = tensor(missing=False)
    model = NonnegativeCP(rank=3, n_restarts=10, random_state=0, max_iter=3000, tol=1e-13).fit(x)
    gap = model.inverse_transform().where(x.isnull()) - whole
    assert float((gap**2).sum() / (whole.where(x.isnull()) ** 2).sum()) < 0.01


def test_columns_have_norm_one_and_components_are_sorted_by_weight():
    x, _ = tensor(noise=0.2)
    r = NonnegativeCP(rank=3, random_state=0).fit(x).results_
    for dim in DIMS:
        np.testing.assert_allclose((r[f"{dim}_factor"] ** 2).sum(dim), 1.0)
    assert (np.diff(r.weight) <= 0).all()
    assert r.weight.attrs["units"] == "1/s"


def test_coordinates_travel_into_the_results():
    x, _ = tensor()
    r = NonnegativeCP(rank=2, n_restarts=2, random_state=0).fit(x).results_
    for name in ("time", "animal", "pair", "source", "target"):
        xr.testing.assert_identical(r[name].variable, x[name].variable)


def test_new_samples_are_transformed_as_they_were_fitted():
    x, _ = tensor(noise=0.05)
    model = NonnegativeCP(rank=3, random_state=0, max_iter=3000, tol=1e-12).fit(x)
    fitted = model.results_.time_factor * model.results_.weight
    again = model.transform(x)
    np.testing.assert_allclose(again, fitted, atol=1e-3 * float(fitted.max()))
    part = model.transform(x.isel(time=slice(5, 9)).isel(pair=slice(None, None, -1)))
    np.testing.assert_allclose(part, again.isel(time=slice(5, 9)), atol=1e-8)
    assert model.score(x) == pytest.approx(1 - float(model.results_.relative_error), abs=1e-4)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_the_unit_of_the_tensor_only_scales_the_weights(seed, scale):
    x, _ = tensor(seed=seed, noise=0.2, n_time=12, n_node=5)
    a = NonnegativeCP(rank=2, n_restarts=2, random_state=1).fit(x).results_
    b = NonnegativeCP(rank=2, n_restarts=2, random_state=1).fit(x * scale).results_
    np.testing.assert_allclose(b.weight, a.weight * scale, rtol=1e-4)
    np.testing.assert_allclose(b.relative_error, a.relative_error, rtol=1e-4, atol=1e-9)


def test_an_unseeded_fit_can_be_repeated_from_what_it_recorded():
    x, _ = tensor(noise=0.5)
    first = NonnegativeCP(rank=3, n_restarts=2).fit(x).results_
    again = NonnegativeCP(rank=3, n_restarts=2, random_state=first.attrs["random_state"]).fit(x).results_
    assert first.equals(again)


def test_more_restarts_keep_the_streams_of_the_first_ones():
    x, _ = tensor(noise=0.5)
    few = NonnegativeCP(rank=3, n_restarts=2, random_state=0).fit(x).results_
    many = NonnegativeCP(rank=3, n_restarts=4, random_state=0).fit(x).results_
    np.testing.assert_allclose(many.restart_error[:2], few.restart_error, rtol=1e-6)
    assert float(many.relative_error) <= float(few.relative_error) * (1 + 1e-6)


def test_all_problems_of_a_tensor_are_told_at_once():
    x, _ = tensor()
    x = x.copy()
    x[0, 0, 0], x[1, 0, 0] = -1.0, np.inf
    x[:, 2] = np.nan
    with pytest.raises(InputError, match=r"(?s)1 negative.*1 infinite.*'worm2'"):
        NonnegativeCP(rank=2).fit(x)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (xr.DataArray(np.ones(3), dims="time"), "at least 2 dims"),
        (xr.DataArray(np.ones((0, 3)), dims=("time", "pair")), "none empty"),
        (xr.DataArray(np.zeros((2, 3)), dims=("time", "pair")), "nothing to factorise"),
        (np.ones((2, 3)), "expected a DataArray"),
    ],
)
def test_what_cannot_be_factorised_is_refused(bad, message):
    with pytest.raises(InputError, match=message):
        NonnegativeCP(rank=2).fit(bad)


def test_bad_parameters_are_told_at_fit():
    x, _ = tensor()
    with pytest.raises(InputError, match=r"(?s)rank must be.*got 0.*n_restarts.*tol"):
        NonnegativeCP(rank=0, n_restarts=1.5, tol=-1.0).fit(x)


def test_other_labels_cannot_be_transformed():
    x, _ = tensor()
    model = NonnegativeCP(rank=2, n_restarts=1, random_state=0).fit(x)
    with pytest.raises(InputError, match="animal has 3 labels, expected the 4"):
        model.transform(x.isel(animal=slice(3)))
    with pytest.raises(InputError, match="lacks fitted labels"):
        model.transform(x.assign_coords(animal=list("abcd")))
    with pytest.raises(InputError, match="expected dims"):
        model.transform(x.isel(animal=0))


def test_an_unfitted_model_has_nothing_to_tell():
    with pytest.raises(NotFittedError, match=r"call \.fit"):
        NonnegativeCP().inverse_transform()


def test_what_scatters_around_nothing_can_be_fitted_and_loses_less_than_its_positive_part():
    rng = np.random.default_rng(3)
    curves = [(rng.random((n, 1)) < 0.3) * 1.0 for n in (30, 8, 60)]
    x = np.einsum("tr,ar,pr->tap", *curves) + rng.standard_normal((30, 8, 60))
    noisy = xr.DataArray(x, dims=("time", "animal", "pair"))
    with pytest.raises(InputError, match=r'negative ones.*negative="fit"'):
        NonnegativeCP(rank=1, random_state=0).fit(noisy)
    around = NonnegativeCP(rank=1, negative="fit", random_state=0).fit(noisy).results_
    above = NonnegativeCP(rank=1, random_state=0).fit(noisy.clip(min=0)).results_
    planted = curves[2][:, 0] / np.linalg.norm(curves[2])
    found, lost = (float(planted @ fit.pair_factor.to_numpy()[:, 0]) for fit in (around, above))
    assert found > 0.9 > lost
    assert float(around.pair_factor.min()) >= 0
    with pytest.raises(InputError, match="negative must be one of raise, fit, got 'clip'"):
        NonnegativeCP(negative="clip").fit(noisy)
