"""Evidence for state_curve and its folds: the true number is found, nothing leaks, failures are told."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from dynome import study
from dynome.dynamics import HMM, SwitchingGLM
from dynome.errors import InputError
from dynome.estimator import Estimator
from dynome.inference import choose_states, state_curve
from dynome.inference.states.folds import folds_of
from dynome.schema import recording


def counts(seed: int = 0, n_trial: int = 12, n_time: int = 60, n_state: int = 2) -> xr.DataArray:
    """Trials of four nodes whose rates depend on the state."""
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.random((n_trial, n_time)) < 0.05, axis=1) % n_state
    rate = rng.permutation(np.geomspace(0.2, 5, n_state * 4)).reshape(n_state, 4)
    values = rng.poisson(rate[state])
    return xr.DataArray(
        values, dims=("trial", "time", "node"), coords={"trial": np.arange(n_trial), "node": list("abcd")}
    )


class Recorder(Estimator):
    """A constant-rate model that remembers what it was given."""

    missing_data = "mask"
    seen: list = []  # noqa: RUF012

    def __init__(self, n_states: int = 1, fail_at: int = 0) -> None:
        self.n_states = n_states
        self.fail_at = fail_at

    def fit(self, X, y=None):
        if self.n_states == self.fail_at:
            raise InputError("this number of states cannot be fitted")
        self.seen.append(X)
        self.results_ = xr.Dataset()
        return self

    def score(self, X, y=None):
        self.seen.append(X)
        return -1.0 / self.n_states

    def log_likelihood(self, X):
        return X.isel(node=0, drop=True).astype(float)


def test_the_number_of_states_of_a_simulation_is_chosen():
    curve = state_curve(HMM(n_restarts=3), counts(), n_states=range(1, 5), cv="trial", n_folds=4, random_state=0)
    assert curve.attrs["chosen"] == 2
    assert curve.score.dims == ("n_states", "fold")
    assert float(curve.mean_gain.sel(n_states=2)) > 10 * float(curve.gain_standard_error.sel(n_states=2)) > 0
    np.testing.assert_array_equal(curve.gain.sel(n_states=1), 0)
    # What was fitted is foreseen ever better, what was held out is not.
    assert bool((curve.train_score.mean("fold").diff("n_states") > -1e-3).all())
    assert float(curve.least_occupancy.sel(n_states=1).min()) == 1


def test_a_switching_population_is_recognised_in_sessions_and_in_time(population):
    model = SwitchingGLM(link="sigmoid", n_restarts=2)
    for cv in ("session", "time"):
        curve = state_curve(model, population.spike_count, n_states=[1, 2], cv=cv, n_folds=3, random_state=0)
        assert curve.attrs["chosen"] == 2
        assert curve.attrs["cv"] == cv


def test_the_same_seed_gives_the_same_curve():
    a, b = (
        state_curve(HMM(n_restarts=1), counts(), n_states=[2, 1], cv="trial", n_folds=2, random_state=3)
        for _ in range(2)
    )
    xr.testing.assert_equal(a.drop_vars("seconds"), b.drop_vars("seconds"))
    alone = state_curve(HMM(n_restarts=1), counts(), n_states=[2], cv="trial", n_folds=2, random_state=3)
    xr.testing.assert_equal(alone.score.sel(n_states=2), a.score.sel(n_states=2))


def test_every_trial_is_held_out_once_and_never_seen_in_its_fold():
    Recorder.seen.clear()
    x = counts()
    state_curve(Recorder(), x, n_states=[1], cv="trial", n_folds=4, random_state=0)
    held_out = []
    for train, test in zip(Recorder.seen[0::3], Recorder.seen[1::3], strict=True):
        assert not set(train.trial.to_numpy()) & set(test.trial.to_numpy())
        assert train.sizes["trial"] + test.sizes["trial"] == 12
        held_out += test.trial.to_numpy().tolist()
    assert sorted(held_out) == list(range(12))


def test_blocks_of_time_and_their_neighbours_are_not_trained_on():
    Recorder.seen.clear()
    x = xr.DataArray(np.arange(200.0).reshape(100, 2), dims=("time", "node"))
    folds = list(folds_of(x, "time", 4, 3, 0))
    for k, fold in enumerate(folds):
        missing = np.flatnonzero(fold.train.isnull().all("node"))
        assert missing.tolist() == list(range(max(25 * k - 3, 0), min(25 * (k + 1) + 3, 100)))
        # The score is the mean over the held-out bins of one-step-ahead values; here node 0 of each bin, per entry.
        expected = x.isel(time=slice(25 * k, 25 * (k + 1)), node=0).sum() / 50
        assert fold.score(Recorder()) == pytest.approx(float(expected))
    assert not x.isnull().any()


def test_scores_in_time_do_not_look_at_what_follows():
    x = counts(n_trial=1, n_time=400).isel(trial=0, drop=True)
    model = HMM(2, random_state=0).fit(x)
    changed = x.copy(data=np.where(np.arange(400)[:, None] >= 200, 9, x))
    a, b = (next(iter(list(folds_of(v, "time", 4, 1, 0))[1:])).score(model) for v in (x, changed))
    assert a == b


def test_recordings_of_a_study_are_sessions_and_animals():
    recordings = {
        f"{animal}/{session}": recording(
            spike_count=counts(k).isel(trial=0), time=np.arange(60) / 10.0, node=list("abcd")
        )
        for k, (animal, session) in enumerate([("m1", "a"), ("m1", "b"), ("m2", "a"), ("m3", "a")])
    }
    tree = study.build(recordings)
    Recorder.seen.clear()
    state_curve(Recorder(), tree, n_states=[1], cv="session", n_folds=4, random_state=0)
    assert sorted(k for test in Recorder.seen[1::3] for k in test) == sorted(recordings)
    Recorder.seen.clear()
    state_curve(Recorder(), recordings, n_states=[1], cv="animal", n_folds=3, random_state=0)
    assert sorted(map(sorted, Recorder.seen[1::3])) == [["m1/a", "m1/b"], ["m2/a"], ["m3/a"]]


def test_groups_along_time_are_held_out_whole():
    session = np.repeat(["a", "b", "c"], 40)
    x = xr.DataArray(np.ones((120, 2)), dims=("time", "node"), coords={"session": ("time", session)})
    Recorder.seen.clear()
    state_curve(Recorder(), x, n_states=[1], cv="session", n_folds=3, random_state=0)
    assert sorted(set(test.session.to_numpy()).pop() for test in Recorder.seen[1::3]) == ["a", "b", "c"]
    Recorder.seen.clear()
    state_curve(Recorder(), [x, x + 1], n_states=[1], cv="session", n_folds=6, random_state=0)
    assert [sum(one.sizes["time"] for one in test.values()) for test in Recorder.seen[1::3]] == [40] * 6


def test_a_fit_that_fails_is_told_and_not_chosen():
    curve = state_curve(Recorder(fail_at=3), counts(), n_states=[1, 2, 3], cv="trial", n_folds=2, random_state=0)
    assert np.isnan(curve.score.sel(n_states=3)).all()
    assert curve.attrs["chosen"] == 2
    assert len(curve.attrs["failures"]) == 2
    assert "n_states=3, fold 0: this number of states cannot be fitted" in curve.attrs["failures"][0]
    with pytest.raises(InputError, match="no fit succeeded; the last: this number"):
        state_curve(Recorder(fail_at=3), counts(), n_states=[3], cv="trial", n_folds=2)


def test_the_rule_takes_the_error_of_the_difference():
    sessions = np.array([-2.0, -1.0, -3.0, -0.5])  # sessions differ by far more than numbers of states
    score = xr.DataArray(
        np.stack([sessions - 0.1, sessions, sessions + np.array([0.01, -0.01, 0.005, -0.004])]),
        dims=("n_states", "fold"),
    )
    curve = xr.Dataset({"score": score}, {"n_states": [1, 2, 3]})
    assert choose_states(curve) == 2
    assert choose_states(curve.isel(fold=[0])) == 3
    with pytest.raises(InputError, match="every number of states has a fold that failed"):
        choose_states(curve * np.nan)
    with pytest.raises(InputError, match="make it with state_curve"):
        choose_states(xr.Dataset())


def test_what_cannot_be_divided_is_told():
    x = counts(n_trial=3)
    with pytest.raises(InputError, match=r"cannot make 5 folds of 3 trials \('0', '1', '2'\); lower n_folds"):
        state_curve(HMM(), x, cv="trial")
    with pytest.raises(InputError, match="'mouse' is none of 'trial'"):
        state_curve(HMM(), x, cv="mouse")
    with pytest.raises(InputError, match="30 blocks with gaps of 1 bins need at least 120 bins of time, found 60"):
        state_curve(HMM(), x, cv="time", n_folds=30)
    with pytest.raises(InputError, match=r"at least 1, as \[1, 2, 3\], got \[0\]\n.*n_folds must be"):
        state_curve(HMM(), x, n_states=[0], n_folds=1)
    with pytest.raises(InputError, match="expected a DataArray, Dataset, DataTree, dict or list, got ndarray"):
        state_curve(HMM(), np.ones((3, 4)), cv="time")


def test_arguments_of_the_wrong_kind_are_told():
    x = xr.DataArray(np.zeros((4, 20, 2)), dims=("trial", "time", "node"))
    with pytest.raises(InputError, match=r"got the class HMM; give HMM\(\)"):
        state_curve(HMM, x)
    for wrong in (3, "12", [1.5], [], [0, 1]):
        with pytest.raises(InputError, match=r"n_states must be a list or range of integers of at least 1, .* got"):
            state_curve(HMM(), x, n_states=wrong)
    with pytest.raises(InputError, match="n_folds must be an integer of at least 2, got '5'"):
        state_curve(HMM(), x, n_folds="5")
    with pytest.raises(InputError, match="'session' is none of 'trial'; use cv='trial'"):
        state_curve(HMM(), x, cv="session")
