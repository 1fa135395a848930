"""Evidence for simulated/bold.py: pairs of regions are alike in both groups, windows are not."""

import numpy as np
import pytest
import xarray as xr

from dynome import schema, store, study
from dynome.datasets import make_bold
from dynome.datasets.simulated import bold_signals
from dynome.errors import InputError

small = {"n_nodes": 32, "n_times": 300}


def auroc(score, case):
    """Probability that a case scores higher than a control."""
    return float((score[case][:, None] > score[~case]).mean())


def is_case(tree):
    return study.session_values(tree, "group", list(study.sessions(tree))) == "case"


def static(tree):
    """Correlations of all pairs over the whole scan, (scan, pair)."""
    found = [np.corrcoef(rec.activity.values.T) for rec in study.sessions(tree).values()]
    upper = np.triu_indices(len(found[0]), 1)
    return np.array([r[upper] for r in found])


def network_correlations(tree, width, step=10):
    """Mean correlations between networks in windows, less their mean over the scan: scan to (window, network x 2)."""
    for rec in study.sessions(tree).values():
        home = np.unique(rec.network.values, return_inverse=True)[1]
        mean = np.eye(home.max() + 1)[home] / np.bincount(home)
        x = rec.activity.values
        r = [mean.T @ np.corrcoef(x[t : t + width].T) @ mean for t in range(0, len(x) - width + 1, step)]
        yield np.array(r) - np.mean(r, axis=0)


def evidence_of_pairing(tree, width=50):
    """How much A-B goes with B-C rather than with C-D, for each scan."""
    found = []
    for r in network_correlations(tree, width):
        ab, bc, cd, da = r[:, 0, 1], r[:, 1, 2], r[:, 2, 3], r[:, 3, 0]
        found.append(np.mean((ab + bc - cd - da) ** 2 - (ab + cd - bc - da) ** 2))
    return np.array(found)


def evidence_of_speed(tree, width=50):
    """How little the links differ from window to window, for each scan."""
    return np.array([-np.mean((r[:, 0, 1] - r[:, 1, 2]) ** 2) for r in network_correlations(tree, width)])


def joint_covariances(together, contrast, state):
    """Covariances of the four networks in one state, from the weights of their private signals."""
    links = bold_signals.link_strengths(np.array([state]), contrast, together=together)
    weights = np.hstack([bold_signals.listening(unit[:, None], links) for unit in np.eye(4)])
    return weights @ weights.T


@pytest.mark.parametrize("contrast", [0, 0.4, 1])
def test_every_pair_of_networks_has_the_same_two_covariances_in_both_groups(contrast):
    one_after_the_other = [joint_covariances(False, contrast, state) for state in (0, 1)]
    both_or_none = [joint_covariances(True, contrast, state) for state in (0, 1)]
    np.testing.assert_allclose(np.sort(one_after_the_other, axis=0), np.sort(both_or_none, axis=0), atol=1e-12)
    np.testing.assert_allclose(np.mean(both_or_none, axis=0)[0, 1], bold_signals.MEAN_LINK)
    for covariance in (*one_after_the_other, *both_or_none):
        np.testing.assert_allclose(np.diag(covariance), 1)


def test_three_networks_together_tell_the_groups_apart():
    ab, bc = (0, 1), (1, 2)
    product = {
        together: np.prod([[joint_covariances(together, 1, s)[k] for s in (0, 1)] for k in (ab, bc)], axis=0).mean()
        for together in (True, False)
    }
    assert product[True] > 2 * bold_signals.MEAN_LINK**2 - 1e-12
    assert product[False] == pytest.approx(0)


@pytest.mark.parametrize("difference", ["pairing", "dwell"])
def test_every_scan_is_in_each_state_for_half_of_the_time(difference):
    tree = make_bold(6, 2, **small, difference=difference, random_state=1)
    assert (tree["truth"].state.mean("time") == 0.5).all()


def test_the_haemodynamic_response_keeps_variances_exactly():
    impulse = np.zeros((2, 64))
    impulse[[0, 1], [3, 60]] = 1
    seen = bold_signals.haemodynamic(impulse, 2.0)
    np.testing.assert_allclose((seen**2).sum(axis=-1), 1)
    np.testing.assert_allclose(np.roll(seen[0], 57), seen[1], atol=1e-12)  # a circle
    assert seen[0].argmax() == pytest.approx(3 + 5 / 2, abs=1)  # peak after 5 s


@pytest.mark.parametrize("difference", ["pairing", "dwell"])
def test_static_connectivity_tells_nothing_of_the_group(difference):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    tree = make_bold(160, n_nodes=16, n_times=150, difference=difference, random_state=3)
    fc, case = static(tree), is_case(tree)
    scores = []
    for train in (np.arange(len(case)) < 80, np.arange(len(case)) >= 80):
        fitted = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(fc[train], case[train])
        scores.append(auroc(fitted.decision_function(fc[~train]), case[~train]))
    assert np.mean(scores) == pytest.approx(0.5, abs=0.2)  # 0.5 on average over seeds, standard deviation 0.1
    difference_of_means = fc[case].mean(axis=0) - fc[~case].mean(axis=0)
    z = difference_of_means / np.sqrt(fc.var(axis=0) * 4 / len(case))
    assert np.abs(z).max() < 4
    assert np.sqrt((z**2).mean()) < 1.5


def test_the_networks_mean_link_is_what_the_notes_say():
    tree = make_bold(30, n_nodes=16, n_times=400, noise=0, individuality=0, random_state=3)
    r = np.mean([np.corrcoef(rec.activity.values.T)[::2, ::2] for rec in study.sessions(tree).values()], axis=0)
    links = np.array([r[0, 1], r[1, 2], r[2, 3], r[3, 0], r[4, 5], r[5, 6], r[6, 7], r[7, 4]])
    np.testing.assert_allclose(links, bold_signals.MEAN_LINK, atol=0.08)
    assert abs(r[0, 2]) < 0.08
    assert abs(r[1, 3]) < 0.08


def test_windows_tell_the_groups_apart():
    tree = make_bold(24, random_state=4)
    assert auroc(evidence_of_pairing(tree), is_case(tree)) > 0.95
    dwell = make_bold(24, difference="dwell", random_state=4)
    assert auroc(evidence_of_speed(dwell), is_case(dwell)) > 0.9


def test_the_effect_is_a_knob():
    found = [evidence_of_pairing(make_bold(24, **small, effect=effect, random_state=5)) for effect in (0.0, 0.25, 1.0)]
    case = np.arange(24) % 2 == 1
    none, some, full = (auroc(f, case) for f in found)
    assert none == pytest.approx(0.5, abs=0.25)
    assert none < full
    assert some < full
    assert full > 0.95


def test_cases_of_dwell_change_faster_and_controls_do_not():
    def visits(tree):
        return np.abs(np.diff(tree["truth"].state.astype(int), axis=-1)).sum(axis=(1, 2))

    slow = visits(make_bold(10, **small, difference="dwell", effect=0, random_state=6))
    fast = visits(make_bold(10, **small, difference="dwell", random_state=6))
    np.testing.assert_array_equal(slow[::2], fast[::2])
    assert fast[1::2].mean() > 3 * slow[1::2].mean()


def test_people_are_known_again_by_their_individuality():
    def recognised(individuality):
        r = np.corrcoef(static(make_bold(12, 2, **small, individuality=individuality, random_state=7)))
        return (r[::2, 1::2].argmax(axis=1) == np.arange(12)).mean()

    assert recognised(0.8) > 0.9
    assert recognised(0.8) > recognised(0.0) + 0.3


def test_networks_are_tighter_in_the_young():
    tree = make_bold(30, **small, random_state=8)
    within = []
    for rec in study.sessions(tree).values():
        same = rec.network.values[:, None] == rec.network.values
        within.append(np.corrcoef(rec.activity.values.T)[same & ~np.eye(len(same), dtype=bool)].mean())
    assert np.corrcoef(within, tree["phenotype"].age)[0, 1] < -0.5


def test_people_do_not_depend_on_how_many_there_are():
    few, many = make_bold(2, **small, random_state=9), make_bold(5, **small, random_state=9)
    xr.testing.assert_identical(few["person_2"].to_dataset(), many["person_2"].to_dataset())
    assert not np.allclose(few["person_1"].activity, few["person_2"].activity)
    again = make_bold(2, **small, random_state=10)
    assert not np.allclose(few["person_1"].activity, again["person_1"].activity)


def test_a_study_with_its_phenotype_survives_the_store(tmp_path):
    tree = make_bold(3, 2, **small, n_networks=9, random_state=0)
    schema.validate(tree, "study")
    assert set(np.unique(tree["person_1/ses_1"].network)) == set("ABCDEFGHI")
    store.save(tree, tmp_path / "bold.zarr")
    xr.testing.assert_identical(store.open(tmp_path / "bold.zarr").load(), tree)


def test_odd_lengths_and_leftover_networks_are_fine():
    tree = make_bold(2, n_nodes=20, n_times=51, n_networks=7, repetition_time=0.72, random_state=0)
    assert tree["truth"].component.values.tolist() == ["ABCD"]
    assert abs(float(tree["truth"].state.mean()) - 0.5) < 0.51 / 51


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"n_animals": 0}, "n_animals must be at least 1, got 0"),
        ({"n_sessions": 0}, "n_sessions must be at least 1, got 0"),
        ({"n_times": 49}, "n_times must be at least 50, got 49"),
        ({"n_networks": 3}, "n_networks must be 4 to 26, got 3"),
        ({"n_nodes": 15}, "n_nodes must be at least 16 for 8 networks, got 15"),
        ({"repetition_time": 0}, "repetition_time must be above 0 and at most 5 s, got 0"),
        ({"difference": "mean"}, 'difference must be "pairing" or "dwell", got \'mean\''),
        ({"effect": 1.5}, "effect must be 0 to 1, got 1.5"),
        ({"noise": -1}, "noise must be zero or more and finite, got -1"),
        ({"individuality": np.nan}, "individuality must be zero or more and finite, got nan"),
    ],
)
def test_arguments_out_of_range_are_told(wrong, told):
    with pytest.raises(InputError, match=told):
        make_bold(**wrong)


def test_all_problems_are_told_at_once():
    with pytest.raises(InputError, match=r"n_times[^$]*effect[^$]*noise"):
        make_bold(n_times=1, effect=-1, noise=-1)
