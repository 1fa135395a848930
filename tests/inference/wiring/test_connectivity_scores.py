"""Evidence for the scores: closed forms, scikit-learn, chance, labels, hidden nodes."""

import hypothesis.strategies as st
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from sklearn.metrics import average_precision_score, roc_auc_score

from dynome.connectome import from_edges
from dynome.datasets import make_spikes
from dynome.errors import InputError
from dynome.inference import compare_connectivity, connectivity_scores, infer_connectivity

NAMES = list("abcdef")


def matrix(values: np.ndarray, names: list[str] = NAMES, **attrs) -> xr.DataArray:
    return xr.DataArray(
        values, {"source": names, "target": names}, ("source", "target"), attrs={"units": "1", "signed": 1, **attrs}
    )


def pair(seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    rng = np.random.default_rng(seed)
    true = (rng.random((6, 6)) < 0.3) * rng.choice([-1.0, 1.0], (6, 6))
    true[0, 1], true[1, 0] = 1.0, 0.0
    np.fill_diagonal(true, 0)
    guess = true + rng.standard_normal((6, 6))
    np.fill_diagonal(guess, np.nan)
    return matrix(guess), matrix(true)


def test_the_truth_itself_has_every_score_at_1():
    _, true = pair(0)
    scores = connectivity_scores(true, true)
    assert (scores.auroc == 1).all()
    assert (scores.auprc == 1).all()
    assert float(scores.direction_accuracy) == float(scores.sign_accuracy) == 1


def test_the_opposite_direction_has_no_direction_right():
    values = np.triu(np.ones((6, 6)), 1) * (np.arange(36).reshape(6, 6) % 3 == 0)
    scores = connectivity_scores(matrix(values.T), matrix(values))
    assert float(scores.direction_accuracy) == 0
    assert float(scores.auroc.sel(edges="undirected")) == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_auroc_counts_pairs_that_are_ranked_right(seed):
    guess, true = pair(seed)
    off = ~np.eye(6, dtype=bool)
    edge, rank = true.to_numpy()[off] != 0, np.abs(guess.to_numpy()[off])
    right = (rank[edge][:, None] > rank[~edge][None]).mean()
    scores = connectivity_scores(guess, true)
    assert float(scores.auroc.sel(edges="directed")) == pytest.approx(right)
    assert float(scores.auprc_chance.sel(edges="directed")) == pytest.approx(edge.mean())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(NAMES))
def test_scores_go_by_label(seed, order):
    guess, true = pair(seed)
    xr.testing.assert_allclose(
        connectivity_scores(guess, true).drop_vars("node"),
        connectivity_scores(guess, true.sel(source=order, target=order)).drop_vars("node"),
    )
    xr.testing.assert_allclose(
        connectivity_scores(guess, true).drop_vars("node"),
        connectivity_scores(guess.sel(source=order, target=order), true).drop_vars("node"),
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), step=st.sampled_from([0.0, 0.5, 2.0]))
def test_both_areas_are_those_of_scikit_learn(seed, step):
    guess, true = pair(seed)
    if step:
        guess = guess.copy(data=np.round(guess / step) * step)  # ties
    off = ~np.eye(6, dtype=bool)
    edge, rank = true.to_numpy()[off] != 0, np.abs(guess.to_numpy()[off])
    scores = connectivity_scores(guess, true).sel(edges="directed")
    assert float(scores.auroc) == pytest.approx(roc_auc_score(edge, rank))
    assert float(scores.auprc) == pytest.approx(average_precision_score(edge, rank))


def test_noise_is_at_chance():
    rng = np.random.default_rng(0)
    names = [str(k) for k in range(120)]
    true = (rng.random((120, 120)) < 0.1).astype(float)
    scores = connectivity_scores(matrix(rng.standard_normal((120, 120)), names), matrix(true, names))
    np.testing.assert_allclose(scores.auroc, 0.5, atol=0.03)
    np.testing.assert_allclose(scores.auprc, scores.auprc_chance, atol=0.03)
    assert float(scores.direction_accuracy) == pytest.approx(0.5, abs=0.05)
    assert float(scores.sign_accuracy) == pytest.approx(0.5, abs=0.05)


def test_a_symmetric_estimate_tells_no_direction_and_one_without_signs_no_sign():
    guess, true = pair(1)
    both = guess.copy(data=np.abs(guess.to_numpy() + guess.to_numpy().T)).assign_attrs(signed=0)
    scores = connectivity_scores(both, true)
    assert np.isnan(scores.direction_accuracy)
    assert np.isnan(scores.sign_accuracy)


def test_without_signs_a_negative_value_is_the_least():
    true = matrix(np.eye(6, k=1))
    guess = matrix(-2.0 + 3 * np.eye(6, k=1), signed=0)
    assert float(connectivity_scores(guess, true).auroc.sel(edges="directed")) == 1
    assert float(connectivity_scores(guess.assign_attrs(signed=1), true).auroc.sel(edges="directed")) == 0


def test_a_connectome_is_a_truth_with_signs_and_hidden_nodes():
    guess, true = pair(2)
    source, target = np.nonzero(true.to_numpy())
    edges = {
        "source": [NAMES[k] for k in source] + ["z"],
        "target": [NAMES[k] for k in target] + ["a"],
        "weight": [3] * (source.size + 1),
        "sign": [*true.to_numpy()[source, target].astype(int), 1],
    }
    wiring = from_edges(edges, units="synapses", node=[*NAMES, "z"])
    scores = connectivity_scores(guess, wiring)
    assert scores.attrs["hidden"] == ["z"]
    xr.testing.assert_allclose(scores, connectivity_scores(guess, true))
    fewer = connectivity_scores(guess, true.sel(source=NAMES[1:], target=NAMES[1:]))
    assert fewer.attrs["left_out"] == ["a"]
    assert fewer.node.values.tolist() == NAMES[1:]


def test_pairs_without_an_estimate_are_left_out():
    guess, true = pair(3)
    holed = guess.copy()
    holed[2] = holed[:, 2] = np.nan
    rest = [n for n in NAMES if n != "c"]
    small = connectivity_scores(guess.sel(source=rest, target=rest), true)
    xr.testing.assert_allclose(connectivity_scores(holed, true).drop_vars("node"), small.drop_vars("node"))


def test_intervals_of_subjects_hold_their_mean():
    guesses = [pair(k)[0] for k in range(8)]
    true = pair(0)[1]
    several = xr.concat(guesses, xr.Variable("animal", list("stuvwxyz")))
    scores = connectivity_scores(several, true)
    assert scores.auroc.dims == ("edges", "animal")
    np.testing.assert_allclose(scores.auroc.mean("animal"), scores.auroc_mean)
    assert (scores.auroc_low <= scores.auroc_mean).all()
    assert (scores.auroc_mean <= scores.auroc_high).all()
    assert (scores.auroc_high - scores.auroc_low > 0.01).all()
    one = connectivity_scores(guesses[3], true)
    np.testing.assert_allclose(scores.auprc.isel(animal=3), one.auprc)
    xr.testing.assert_identical(scores, connectivity_scores(several, true))


def test_no_edge_at_all_is_nan():
    guess, true = pair(0)
    scores = connectivity_scores(guess, true * 0)
    assert scores.auroc.isnull().all()
    assert (scores.auprc_chance == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g, t: (g.isel(source=0), t), r"expected an estimate \(..., source, target\)"),
        (lambda g, t: (g, t.isel(source=0)), "expected the truth as a connectome"),
        (lambda g, t: (g, t.assign_coords(source=list("uvwxyz"), target=list("uvwxyz"))), "at least 3 nodes in both"),
        (lambda g, t: (g.expand_dims(x=2, y=2), t), "at most one dim of subjects"),
    ],
)
def test_what_cannot_be_scored_is_told(change, message):
    with pytest.raises(InputError, match=message):
        connectivity_scores(*change(*pair(0)))


def test_a_table_of_methods_holds_the_scores_of_each():
    tree = make_spikes(8, 1500, density=0.2, n_animals=2, hidden=0.2, random_state=0)
    table = compare_connectivity(tree, methods={"correlation": {}, "short": {"method": "granger", "n_lags": 1}})
    assert table.estimator.values.tolist() == ["correlation", "short"]
    alone = connectivity_scores(infer_connectivity(tree, "granger", n_lags=1), tree)
    np.testing.assert_allclose(table.auroc.sel(estimator="short"), alone.auroc)
    assert len(table.attrs["hidden"]) == 2
    assert (table.seconds >= 0).all()


def test_a_comparison_needs_a_truth_and_known_methods():
    tree = make_spikes(6, 300, random_state=0)
    with pytest.raises(InputError, match="pass truth="):
        compare_connectivity(tree["animal_1"].to_dataset())
    with pytest.raises(InputError, match="method must be one of"):
        compare_connectivity(tree, methods=["wrong"])
    with pytest.raises(InputError, match="at least one, found none"):
        compare_connectivity(tree, methods=[])


@pytest.mark.realdata
def test_simulated_bold_shows_its_edges(data_dir):
    from dynome.datasets import fetch_netsim

    table = compare_connectivity(fetch_netsim(), methods=["partial_correlation", "likelihood_ratio"])
    undirected = table.sel(edges="undirected")
    assert (undirected.auroc_low > 0.9).all()
    assert float(table.direction_accuracy_low.sel(estimator="likelihood_ratio")) > 0.55
