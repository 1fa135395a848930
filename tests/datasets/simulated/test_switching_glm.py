"""Evidence for simulated/switching_glm.py: numbers of the study, moments that follow from the truth, dwelling."""

import numpy as np
import pytest
import xarray as xr

from dynome.datasets import make_switching_glm, wiring_from_truth
from dynome.errors import InputError


@pytest.fixture(scope="module")
def study():
    return make_switching_glm(random_state=0)


def linear_predictor(data):
    """eta (session, time, node) of the states that were, in plain numpy from the Notes of the docstring."""
    y = data.get("spike_count", data.get("activity")).to_numpy().astype(float)
    state, n_lags = data.true_state.to_numpy(), data.sizes["lag"]
    eta = np.broadcast_to(data.bias.to_numpy(), (data.sizes["state"], data.sizes["node"]))[state].copy()
    for lag in range(n_lags):
        shifted = np.zeros_like(y)
        shifted[:, lag + 1 :] = y[:, : y.shape[1] - lag - 1]
        for s in range(data.sizes["state"]):
            eta += (state == s)[..., None] * (shifted @ data.weight.to_numpy()[s, :, :, lag].T)
    if "stimulus" in data:
        eta += data.covariate_weight.to_numpy()[state, :, 0] * data.stimulus.to_numpy()[..., None]
    return y, eta


def runs(path):
    """Lengths of the whole runs of a path: neither the first nor the last."""
    ends = np.flatnonzero(np.diff(path))
    return np.diff(ends)


def test_the_default_has_the_sizes_rates_and_edges_of_the_study(study):
    assert dict(study.spike_count.sizes) == {"session": 50, "time": 2000, "node": 20}
    kernel = study.weight.sum(("state", "target", "source")) / study.coupling.sum()
    np.testing.assert_allclose(kernel, [0.6364, 0.2341, 0.0861, 0.0317, 0.0117], atol=5e-5)
    rates, present, same = [], [], []
    for seed in range(3):
        data = make_switching_glm(n_sessions=4, random_state=seed)
        sign = data.edge_sign.to_numpy()
        rates.append(float(data.spike_count.mean()))
        present.append((sign != 0).mean())
        same.append(np.mean([(sign[i] == sign[j]).mean() for i in range(5) for j in range(i)]))
    assert all(0.43 < rate < 0.56 for rate in rates)  # the study realised .46, .50, .51
    assert all(0.17 < share < 0.25 for share in present)  # about 22 %
    assert all(0.74 < share < 0.80 for share in same)  # 77 %


def test_strengths_classes_offsets_and_transitions_have_the_laws_of_the_study(study):
    strength = abs(study.coupling.to_numpy()[study.edge_sign.to_numpy() != 0])
    assert strength.max() < np.log(4)
    np.testing.assert_allclose(np.quantile(np.expm1(strength) / 3, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.1)
    np.testing.assert_array_equal(np.sign(study.coupling), study.edge_sign)
    assert float(abs(study.bias).max()) <= 0.05
    np.testing.assert_allclose(study.edge_class_probability.sum("edge_class"), 1)
    np.testing.assert_allclose(study.edge_class_probability.mean(("target", "source")), [0.1, 0.8, 0.1], atol=0.03)
    np.testing.assert_allclose(study.transition, 0.98 * np.eye(5) + 0.005 * (1 - np.eye(5)))
    np.testing.assert_allclose(study.initial, 0.2)


def test_classes_of_the_states_are_drawn_from_the_shared_probabilities():
    data = make_switching_glm(n_states=400, n_nodes=6, n_sessions=1, n_time=2, stay=0.99, random_state=0)
    for k, sign in enumerate((-1, 0, 1)):
        share = (data.edge_sign == sign).mean("state")
        assert float(abs(share - data.edge_class_probability.isel(edge_class=k)).max()) < 0.1


def test_a_state_stays_and_leaves_as_often_as_its_transition_says(study):
    path = study.true_state.to_numpy()
    counts = np.zeros((5, 5))
    np.add.at(counts, (path[:, :-1].ravel(), path[:, 1:].ravel()), 1)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), study.transition, atol=0.004)


@pytest.mark.parametrize(
    ("observation", "link"),
    [("poisson", "sigmoid"), ("poisson", "softplus"), ("poisson", "exp"), ("bernoulli", None),
     ("negative_binomial", None), ("gaussian", None)],
)  # fmt: skip
def test_observations_scatter_around_the_mean_that_truth_and_past_give(observation, link):
    data = make_switching_glm(
        3, 8, 6, 1000, observation=observation, link=link, state_bias=0.3, stimulus_effect=0.4, random_state=1
    )
    y, eta = linear_predictor(data)
    inverse = {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "softplus": lambda x: np.logaddexp(0, x),
        "exp": np.exp,
        "identity": lambda x: x,
    }
    mean = inverse[data.attrs["link"]](eta)
    variance = {
        "poisson": mean,
        "bernoulli": mean * (1 - mean),
        "negative_binomial": mean + 0.5 * mean**2,
        "gaussian": np.ones_like(mean),
    }[observation]
    z = (y - mean) / np.sqrt(variance)
    assert abs(z.mean()) < 0.02
    assert z.var() == pytest.approx(1, abs=0.04)
    centred = eta - eta.mean(axis=(0, 1))
    slope = (z * np.sqrt(variance) * centred).sum() / (centred**2).sum()  # residuals know nothing of the predictor
    assert abs(slope) < 0.03


def test_dwell_times_in_phases_have_the_same_mean_and_less_spread():
    geometric, phased = (
        np.concatenate(
            [runs(p) for p in make_switching_glm(3, 2, 10, 20_000, dwell_phases=k, random_state=2).true_state.values]
        )
        for k in (1, 4)
    )
    assert geometric.mean() == pytest.approx(50, rel=0.08)
    assert phased.mean() == pytest.approx(50, rel=0.08)
    p = 4 * 0.02
    assert phased.var() == pytest.approx(4 * (1 - p) / p**2, rel=0.15)
    assert phased.min() >= 4


def test_a_stimulus_tilts_the_odds_of_the_state_that_is_entered():
    data = make_switching_glm(3, 2, 20, 10_000, stay=0.9, stimulus_effect=0.5, transition_effect=1.0, random_state=3)
    path, stimulus = data.true_state.to_numpy(), data.stimulus.to_numpy()
    assert set(np.unique(stimulus)) == {-1.0, 1.0}
    np.testing.assert_array_equal(data.transition_weight[:, 0], [-1, 0, 1])
    for u in (-1.0, 1.0):
        here = stimulus[:, 1:] == u
        counts = np.zeros((3, 3))
        np.add.at(counts, (path[:, :-1][here], path[:, 1:][here]), 1)
        odds = data.transition.to_numpy() * np.exp(u * np.array([-1.0, 0.0, 1.0]))
        np.testing.assert_allclose(
            counts / counts.sum(axis=1, keepdims=True), odds / odds.sum(axis=1, keepdims=True), atol=0.01
        )


def test_sessions_begin_in_the_first_state_if_asked_to():
    data = make_switching_glm(5, 2, 500, 2, initial="first", random_state=4)
    assert float((data.true_state[:, 0] == 0).mean()) > 0.95


def test_a_session_does_not_depend_on_how_many_there_are():
    few, many = (make_switching_glm(n_sessions=n, n_time=60, random_state=5) for n in (2, 4))
    np.testing.assert_array_equal(few.spike_count, many.spike_count[:2])
    xr.testing.assert_identical(few.coupling, many.coupling)
    assert not np.array_equal(many.spike_count[0], many.spike_count[1])


def test_every_variable_has_units_and_counts_are_whole(study):
    assert all("units" in variable.attrs for variable in study.data_vars.values())
    assert study.spike_count.dtype.kind == "i"
    assert study.time.attrs["units"] == "s"


def test_one_state_never_switches():
    data = make_switching_glm(1, 3, 2, 50, random_state=0)
    assert int(data.true_state.max()) == 0
    assert data.transition.item() == 1


def test_all_arguments_out_of_range_are_told_at_once():
    with pytest.raises(InputError) as error:
        make_switching_glm(
            0, observation="gaussian", link="exp", dispersion=-1, class_probability=(0.5, 0.5, 0.5), strength=-1,
            bias=(1, 0), stay=1.0, initial="last", decay=-1, state_bias=np.nan,
        )  # fmt: skip
    told = str(error.value)
    for word in ("n_states", "link of gaussian", "dispersion", "class_probability", "strength", "bias must be a range",
                 "stay", "initial", "decay", "state_bias"):  # fmt: skip
        assert word in told
    with pytest.raises(InputError, match="no dispersion"):
        make_switching_glm(dispersion=1.0)
    with pytest.raises(InputError, match="observation must be one of"):
        make_switching_glm(observation="gamma")
    with pytest.raises(InputError, match=r"phases take as many bins; stay must be at least 0\.75"):
        make_switching_glm(dwell_phases=4, stay=0.5)
    with pytest.raises(InputError, match="does not act on phases"):
        make_switching_glm(dwell_phases=2, transition_effect=1.0)


def test_activity_that_runs_away_is_told_and_not_returned():
    with pytest.raises(InputError, match="ran away at bin"):
        make_switching_glm(link="exp", strength=1.0, n_sessions=1, random_state=0)


def test_the_wiring_has_the_edges_that_states_have_in_common_and_their_signs(study):
    wiring = wiring_from_truth(study)
    likeliest = study.edge_class_probability.to_numpy().argmax(axis=-1) - 1
    found = np.zeros((20, 20), dtype=int)
    row, column = (np.searchsorted(study.node, wiring[end]) for end in ("target", "source"))
    found[row, column] = wiring.sign
    np.testing.assert_array_equal(found, likeliest)
    often = (study.edge_sign != 0).mean("state").to_numpy()
    assert often[found != 0].mean() > 0.6 > 0.2 > often[found == 0].mean()


@pytest.mark.parametrize("wrong", [0.0, 0.3, 1.0])
def test_a_corrupted_wiring_has_the_wished_share_of_wrong_edges(study, wrong):
    right, corrupted = wiring_from_truth(study), wiring_from_truth(study, wrong=wrong, random_state=0)
    pairs, others = (set(zip(w.source.values, w.target.values, strict=True)) for w in (right, corrupted))
    assert len(pairs) == len(others)
    assert len(pairs - others) == round(wrong * len(pairs))


def test_a_wiring_without_signs_and_without_truth(study):
    assert "sign" not in wiring_from_truth(study, signs=False)
    with pytest.raises(InputError, match="edge_class_probability"):
        wiring_from_truth(study[["spike_count"]])
    with pytest.raises(InputError, match="wrong must be a share"):
        wiring_from_truth(study, wrong=2)
