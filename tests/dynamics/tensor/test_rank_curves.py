"""Evidence for rank_curves.py, rank_choice.py and holding_out.py: planted ranks, what is hidden, and the errors."""

import numpy as np
import pytest
import xarray as xr

from dynome.dynamics import NonnegativeCP, affinity, affinity_tensor, rank_curve
from dynome.dynamics.tensor.holding_out import determined, foretold, hidden_cells, squared_errors, without
from dynome.dynamics.tensor.rank_choice import choose_rank
from dynome.errors import InputError


def planted(rank, noise, seed=0, shape=(30, 6, 24)):
    rng = np.random.default_rng(seed)
    x = np.einsum("tr,ar,pr->tap", *(rng.random((n, rank)) ** 2 for n in shape))
    x += noise * x.std() * rng.standard_normal(shape)
    dims = ("time", "animal", "pair")
    coords = {"time": np.arange(shape[0]) / 2, "animal": [f"w{k}" for k in range(shape[1])]}
    return xr.DataArray(x, dims=dims, coords=coords, attrs={"units": "1/s"})


def model(**changes):
    return NonnegativeCP(**{"n_restarts": 3, "negative": "fit", "tol": 1e-5, "max_iter": 60, **changes})


@pytest.fixture(scope="module")
def curve():
    return rank_curve(model(), planted(3, 0.5), range(1, 6), random_state=0)


def test_the_planted_rank_is_chosen_by_both_patterns(curve):
    assert curve.attrs["rank"] == 3
    assert rank_curve(model(), planted(3, 0.5), [2, 3, 4], pattern="entries", random_state=0).attrs["rank"] == 3


def test_held_out_error_is_least_at_the_planted_rank_where_the_error_still_falls(curve):
    assert (curve.error.min("restart").diff("rank") < 0).all()
    assert int(curve.held_out_error.mean("fold").idxmin("rank")) == 3
    assert int(curve.held_out_error_animal.mean("animal").idxmin("rank")) == 3


def test_components_return_in_starts_and_folds_up_to_the_planted_rank(curve):
    right, beyond = curve.sel(rank=3), curve.sel(rank=5)
    assert float(right.fold_similarity.min()) > 0.95
    assert float(beyond.fold_similarity.median()) < 0.9
    assert float(right.core_consistency) > 90 > float(beyond.core_consistency)


def test_hidden_entries_have_at_least_the_error_of_those_that_were_seen(curve):
    assert (curve.held_out_error.mean("fold") > 0.95 * curve.error.min("restart")).all()


def test_noise_without_components_supports_no_rank_above_one():
    x = xr.DataArray(np.random.default_rng(1).standard_normal((30, 5, 20)), dims=("time", "animal", "pair"))
    curve = rank_curve(model(), x, range(1, 4), random_state=0)
    assert curve.attrs["rank"] == 1
    assert float(curve.held_out_error.mean("fold").min()) > 1


def test_the_curve_tells_what_was_done_and_the_input_is_left_alone(curve):
    x = planted(2, 0.5)
    before = x.copy(deep=True)
    prototype = model(rank=7)
    again = rank_curve(prototype, x, [2, 1], n_folds=2, by_animal=False, random_state=5)
    xr.testing.assert_identical(x, before)
    assert prototype.rank == 7
    assert not hasattr(prototype, "results_")
    assert again["rank"].to_numpy().tolist() == [1, 2]
    assert "held_out_error_animal" not in again
    assert curve.animal.to_numpy().tolist() == [f"w{k}" for k in range(6)]
    assert again.attrs["random_state"] == 5
    assert "standard error" in again.attrs["rule"]
    xr.testing.assert_equal(
        again.drop_vars("seconds"),
        rank_curve(prototype, x, [1, 2], n_folds=2, by_animal=False, random_state=5).drop_vars("seconds"),
    )


def test_a_described_affinity_gives_the_curve_of_its_tensor():
    rng = np.random.default_rng(0)
    activity = xr.DataArray(
        rng.standard_normal((3, 60, 6)).cumsum(1),
        dims=("animal", "time", "node"),
        coords={"animal": list("abc"), "time": np.arange(60.0), "node": list("uvwxyz")},
        attrs={"units": "dF/F"},
    )
    activity.coords["time"].attrs["units"] = "s"
    described = affinity(activity, smooth=1.0)
    asked = {"ranks": [1, 2], "n_folds": 3, "random_state": 0}
    formed = rank_curve(model(), affinity_tensor(described), **asked)
    implicit = rank_curve(model(), described, **asked)
    for name in ("error", "held_out_error", "held_out_error_animal", "core_consistency"):
        np.testing.assert_allclose(implicit[name], formed[name], rtol=1e-3, err_msg=name)


def test_missing_entries_are_neither_hidden_nor_foretold():
    x = planted(2, 0.3, shape=(30, 5, 20))
    x[:, 1, 4:9] = np.nan
    curve = rank_curve(model(), x, range(1, 4), random_state=0)
    assert curve.attrs["rank"] == 2
    assert curve.notnull().all().to_array().all()


def test_a_pair_of_one_animal_alone_does_not_stop_the_test_on_new_animals():
    x = planted(2, 0.3, shape=(30, 5, 20))
    x[:, 1:, 0] = np.nan
    assert rank_curve(model(), x, range(1, 4), random_state=0).attrs["rank"] == 2


@pytest.mark.parametrize("share", [0.2, 0.25, 0.5])
def test_folds_hide_everything_once(share):
    x = planted(1, 0.1)
    folds = [hidden_cells(x, share, "blocks", k, np.random.default_rng(0)) for k in range(round(1 / share))]
    assert (sum(f.astype(int) for f in folds) == 1).all()
    assert set(folds[0].dims) == {"time", "animal"}


def test_blocks_are_tenths_of_the_time_in_one_animal():
    hidden = hidden_cells(planted(1, 0.1), 0.1, "blocks", 0, np.random.default_rng(0))
    assert int(hidden.sum()) == 6 * 3
    assert ((hidden.astype(int).diff("time") != 0).sum("time") <= 2 * (hidden.sum("time") / 3)).all()


def test_of_one_animal_the_pairs_are_told_apart():
    x = planted(1, 0.1).isel(animal=[0])
    assert set(hidden_cells(x, 0.2, "blocks", 0, np.random.default_rng(0)).dims) == {"time", "animal", "pair"}


def test_every_label_keeps_something_in_sight():
    x = planted(1, 0.1, shape=(20, 2, 5))
    x[:, 0, 3] = np.nan
    x[:10, 1, 3] = np.nan
    for fold in range(2):
        hidden = hidden_cells(x, 0.5, "blocks", fold, np.random.default_rng(3))
        seen = without(x, hidden).notnull()
        for dim in x.dims:
            assert seen.any([d for d in x.dims if d != dim]).all()


def test_the_true_components_foretell_a_newcomer_up_to_its_noise():
    rng = np.random.default_rng(0)
    a, b = rng.random((50, 2)), rng.random((40, 2))
    clean = (a * [0.7, 1.9]) @ b.T
    known = np.arange(40) % 2 == 0
    residual, total = foretold(clean, [a, b], known)
    assert residual < 1e-12 * total
    residual, _ = foretold(clean + 0.1 * rng.standard_normal(clean.shape), [a, b], known)
    assert residual == pytest.approx(0.01 * 50 * 20, rel=0.1)


def test_squared_errors_are_those_of_the_chosen_entries():
    x = planted(2, 0.5)
    x[3, 2] = np.nan
    rng = np.random.default_rng(0)
    factors = [rng.random((n, 2)) for n in x.shape]
    where = xr.DataArray(rng.random(x.shape[:2]) < 0.3, dims=("time", "animal"))
    expected = ((x - np.einsum("tr,ar,pr->tap", *factors)) ** 2).where(where).sum()
    residual, total = squared_errors(x, x.dims, factors, where)
    assert residual == pytest.approx(float(expected))
    assert total == pytest.approx(float((x**2).where(where).sum()))


def test_the_rule_takes_fewer_components_where_they_do_not_return():
    held = xr.DataArray([[0.9, 0.8], [0.5, 0.4], [0.2, 0.1], [0.2, 0.1]], dims=("rank", "fold"))
    curve = xr.Dataset({"held_out_error": held}, {"rank": [1, 2, 3, 4]})
    assert choose_rank(curve) == 3
    unstable = xr.DataArray([[1.0, 1.0], [0.95, 0.92], [0.4, 0.3], [0.9, 0.95]], dims=("rank", "fold"))
    assert choose_rank(curve.assign(fold_similarity=unstable)) == 2
    assert choose_rank(curve.assign(fold_similarity=unstable * 0)) == 1


def test_a_rank_within_one_standard_error_of_the_best_is_enough():
    held = xr.DataArray([[0.9, 0.9, 0.9], [0.31, 0.41, 0.5], [0.32, 0.40, 0.49]], dims=("rank", "fold"))
    assert choose_rank(xr.Dataset({"held_out_error": held}, {"rank": [1, 2, 3]})) == 2


def test_a_curve_without_held_out_errors_gives_no_rank():
    with pytest.raises(InputError, match="no held-out error"):
        choose_rank(xr.Dataset({"error": ("rank", [0.1])}, {"rank": [1]}))


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"(?s)ranks must be.*n_folds must be at least 2.*held_out.*pattern"):
        rank_curve(model(), planted(1, 0.1), [0, 1], n_folds=1, held_out=1.5, pattern="rows")
    with pytest.raises(InputError, match="expected a DataArray, or a Dataset"):
        rank_curve(model(), np.zeros((3, 3, 3)))
    with pytest.raises(InputError, match="the Dataset has no rate"):
        rank_curve(model(), xr.Dataset())


def test_what_was_not_seen_is_not_foretold():
    factors = [np.ones((4, 2)), np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])]
    hidden = xr.DataArray(np.zeros((4, 3), bool), dims=("time", "animal"))
    hidden[1, 2] = True
    time, animal = determined(factors, ("time", "animal"), hidden)
    assert time.tolist() == [[1, 1], [1, 0], [1, 1], [1, 1]]
    np.testing.assert_array_equal(animal, factors[1])
