"""Evidence for the other fetched data sets, on the real files: the published counts and the anchors hold."""

import numpy as np
import pytest

from dynome import datasets, schema, study
from dynome.connectome.worm_names import worm_class
from dynome.errors import InputError

pytestmark = pytest.mark.realdata


@pytest.fixture(autouse=True)
def _needs_data(data_dir):
    pass


def test_the_larval_brain_has_the_published_counts():
    larva = schema.validate(datasets.fetch_fly_larva(), "connectome", lazy=True)
    assert dict(larva.sizes) == {"node": 3554, "edge": 119_010}
    assert (larva.source == larva.target).sum() == 577
    assert (int(larva.weight.sum()), int(larva.weight.min()), int(larva.weight.max())) == (376_091, 1, 121)
    assert int(larva.analysed.sum()) == 2952
    sides = dict(zip(*np.unique(larva.hemisphere, return_counts=True), strict=True))
    assert sides == {"L": 1774, "R": 1778, "C": 2}


def test_the_partner_of_a_larval_neuron_is_on_the_other_side_and_names_it_back():
    larva = datasets.fetch_fly_larva()
    paired = larva.isel(node=(larva.partner != "").values)
    back = larva.sel(node=paired.partner.values)
    assert paired.sizes["node"] == 3276
    assert back.partner.values.tolist() == paired.node.values.tolist()
    assert (back.hemisphere.values != paired.hemisphere.values).mean() > 0.99
    assert (back.cell_type.values == paired.cell_type.values).mean() > 0.95


def test_the_mouse_spikes_equal_the_independent_conversion(data_dir):
    tree = datasets.fetch_mouse_visual_cortex()
    files = {"Cori/2016-12-14": 1, "Cori/2016-12-18": 3, "Forssmann/2017-11-01": 4}
    assert list(study.sessions(tree)) == list(files)
    for path, number in files.items():
        recording = study.sessions(tree)[path]
        with np.load(data_dir / "mouse_neuropixels_steinmetz2019" / f"session{number}.npz") as stored:
            n_trial, n_node, n_bin = stored["spikes"].shape
            spikes = recording.spike_count.values.reshape(n_trial, n_bin, n_node).transpose(0, 2, 1)
            np.testing.assert_array_equal(spikes, stored["spikes"])
            np.testing.assert_array_equal(recording.time, stored["time"].ravel())
            first = slice(None, None, n_bin)
            for name in ("contrast_left", "contrast_right", "feedback"):
                np.testing.assert_array_equal(recording[name].values[first], stored[name])
        assert recording.trial.values[::n_bin].tolist() == list(range(n_trial))
        within = recording.time - recording.time.groupby(recording.trial).min().sel(trial=recording.trial)
        np.testing.assert_allclose(recording.time_in_trial, within, atol=1e-9)
        rate = float(recording.spike_count.mean() / recording.attrs["bin_width"])
        assert 2.2 <= round(rate, 1) <= 4.2


def test_neurons_of_different_mouse_sessions_never_share_a_label():
    every = [name for r in study.sessions(datasets.fetch_mouse_visual_cortex()).values() for name in r.node.values]
    assert len(every) == len(set(every)) == 178 + 228 + 120


def test_the_patients_have_two_sessions_at_most_and_known_outcomes():
    tree = datasets.fetch_human_psychosis()
    sessions = study.sessions(tree)
    assert len(sessions) == 22
    assert [p for p in sessions if p.endswith("ses-2")] == ["sub-001/ses-2", "sub-002/ses-2"]
    assert {r.sizes["time"] for r in sessions.values()} == {234}
    assert {r.sizes["node"] for r in sessions.values()} == {419}
    assert sessions["sub-001/ses-2"].attrs["bprs_change_12_months"] == -1.111
    assert "sofas_slope" in sessions["sub-001/ses-1"].attrs
    assert sum("bprs_slope" in r.attrs for r in sessions.values()) == 19 + 2
    known = study.phenotype(tree)
    assert known.sizes == {"animal": 20}
    assert int(known.bprs_slope.notnull().sum()) == 19
    for name in known.data_vars:
        told = [r.attrs.get(name, np.nan) for r in sessions.values()]
        np.testing.assert_array_equal(study.session_values(tree, name, list(sessions)), told)


def test_the_spectrum_of_the_patients_ends_where_their_filter_does_if_the_step_is_two_seconds():
    recording = study.sessions(datasets.fetch_human_psychosis())["sub-003/ses-1"]
    x = recording.activity.values - recording.activity.values.mean(axis=0)
    power = (np.abs(np.fft.rfft(x, axis=0)) ** 2).mean(axis=1)
    frequency = np.fft.rfftfreq(x.shape[0], float(recording.time.diff("time")[0]))
    assert power[frequency > 0.085].sum() < 0.01 * power.sum()
    assert (
        power[(frequency > 0.07) & (frequency < 0.08)].sum() > 10 * power[(frequency > 0.09) & (frequency < 0.1)].sum()
    )


def test_outcomes_are_left_out_where_their_tables_are_not_at_hand(monkeypatch):
    from dynome.datasets.fetched import human_psychosis

    monkeypatch.setattr(human_psychosis, "local_file", lambda *_: None)
    tree = datasets.fetch_human_psychosis()
    assert "phenotype" not in tree.children
    recording = study.sessions(tree)["sub-001/ses-1"]
    assert not [key for key in recording.attrs if key.startswith(("bprs", "sofas"))]


def test_left_and_right_regions_alternate_in_the_psilocybin_data():
    tree = datasets.fetch_human_psilocybin()
    sessions = study.sessions(tree)
    assert len(sessions) == 36
    assert (study.session_values(tree, "condition", list(sessions)) == [path.split("/")[1] for path in sessions]).all()
    assert list(sessions)[:4] == [f"subject_1/{c}" for c in ("pre_1", "pre_2", "placebo", "psilocybin")]
    placebo = [r for path, r in sessions.items() if path.endswith("placebo")]
    r = np.mean([np.corrcoef(recording.activity.values.T) for recording in placebo], axis=0)
    left = placebo[0].hemisphere.values == "L"
    assert r[left, ~left].shape == (45,)
    assert r[left, ~left].mean() == pytest.approx(0.69, abs=0.01)
    assert r[np.triu_indices(90, 1)].mean() == pytest.approx(0.17, abs=0.01)
    assert min(float(x.activity.min()) for x in sessions.values()) == pytest.approx(133, abs=1)


def test_the_correlations_of_the_film_watchers_are_true_correlation_matrices():
    fc = datasets.fetch_human_fc_age()
    assert dict(fc.sizes) == {"animal": 155, "source": 64, "target": 64}
    np.testing.assert_array_equal(fc, fc.transpose("animal", "target", "source"))
    assert np.linalg.eigvalsh(fc.values).min() > 0.1
    assert fc.age.values.min() == pytest.approx(3.5, abs=0.1)
    assert (fc.group == "child").sum() == 122


def test_age_can_be_predicted_from_the_film_watchers():
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict

    fc = datasets.fetch_human_fc_age()
    rows, columns = np.tril_indices(64, -1)
    age = np.log(fc.age.values)
    folds = KFold(10, shuffle=True, random_state=0)
    predicted = cross_val_predict(RidgeCV(np.logspace(0, 4, 9)), fc.values[:, rows, columns], age, cv=folds)
    assert np.corrcoef(predicted, age)[0, 1] == pytest.approx(0.885, abs=0.02)


def test_in_netsim_the_past_of_a_source_predicts_its_target_better_than_the_reverse():
    tree = datasets.fetch_netsim()
    sessions = study.sessions(tree)
    wiring = study.connectome(tree)
    assert len(sessions) == 30
    assert wiring.sizes["edge"] == 18
    assert (wiring.source != wiring.target).all()
    effect = np.zeros((15, 15))  # (target, source)
    for recording in sessions.values():
        x = recording.activity.values
        z = (x - x.mean(axis=0)) / x.std(axis=0)
        effect += np.linalg.lstsq(z[:-1], z[1:], rcond=None)[0].T / len(sessions)
    node = recording.node.values.tolist()
    s, t = ([node.index(v) for v in wiring[end].values] for end in ("source", "target"))
    assert effect[t, s].mean() == pytest.approx(0.052, abs=0.002)
    assert effect[t, s].mean() > 1.4 * effect[s, t].mean()


def test_every_matrix_of_the_worm_is_a_valid_connectome():
    files = [f.name.removesuffix(".csv") for f in datasets.dataset_info("celegans_connectomes").files]
    assert len(files) == 25
    for name in files:
        wiring = schema.validate(datasets.fetch_celegans_connectomes(name), "connectome")
        assert wiring.attrs["paper"].startswith("10.")
        assert wiring.attrs["directed"] == (not name.startswith("electrical"))
        assert wiring.cell_class.values.tolist() == worm_class(wiring.node.values).tolist()


def test_the_asymmetric_entries_of_cooks_gap_junctions_are_symmetrised_by_the_larger():
    wiring = datasets.fetch_celegans_connectomes("electrical_Cook2019")
    weight = dict(zip(zip(wiring.source.values, wiring.target.values, strict=True), wiring.weight.values, strict=True))
    assert weight["PVCR", "VA9"] == weight["VA9", "PVCR"] == 3
    assert weight["PDB", "DD6"] == weight["DD6", "PDB"] == 2


def test_a_matrix_that_does_not_exist_is_answered_with_a_near_one():
    with pytest.raises(InputError, match=r"no matrix is called 'chemical_Cook2018'; did you mean 'chemical_Cook2019'"):
        datasets.fetch_celegans_connectomes("chemical_Cook2018")
