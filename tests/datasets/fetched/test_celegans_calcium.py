"""Evidence for fetched/celegans_calcium.py: names only where they are certain; real anchors hold."""

import numpy as np
import pandas as pd
import pytest

from dynome import schema, study
from dynome.connectome.worm_names import homologue, worm_neurons
from dynome.datasets import fetch_celegans_calcium
from dynome.datasets.fetched.celegans_calcium import Identity, name_traces
from dynome.errors import FetchError, FormatError, InputError


def said(label, confidence=4.0, *, ambiguous=False):
    return Identity(label, confidence, ambiguous, "")


def names(found, n_traces=4):
    return name_traces(n_traces, found)["node"].tolist()


def test_certain_labels_become_names_and_the_rest_are_numbered_from_one():
    named = name_traces(3, {2: said("VB02", 5.0)})
    assert named["node"].tolist() == ["trace_001", "VB2", "trace_003"]
    assert named["labelled"].tolist() == [False, True, False]
    assert named["annotation"].tolist() == ["", "VB02", ""]
    assert (named["cell_class"][1], named["cell_type"][1]) == ("VB", "motor")
    np.testing.assert_array_equal(named["confidence"], [np.nan, 5.0, np.nan])


def test_ambiguous_and_unknown_labels_give_no_name_but_are_kept_as_annotation():
    named = name_traces(
        4, {1: said("AIM?", ambiguous=True), 2: said("AIML", ambiguous=True), 3: said("glia"), 4: said("AWCON")}
    )
    assert not named["labelled"].any()
    assert named["annotation"].tolist() == ["AIM?", "AIML", "glia", "AWCON"]
    assert set(named["cell_class"]) == {""}


def test_of_traces_with_one_label_the_most_confident_keeps_it():
    assert names({1: said("AVAL", 3.0), 3: said("AVAL", 4.0)}) == ["trace_001", "trace_002", "AVAL", "trace_004"]
    assert names({1: said("VA08", 5.0), 2: said("VA8", 4.0)})[:2] == ["VA8", "trace_002"]


def test_two_equally_confident_traces_with_one_label_both_stay_unnamed():
    assert names({1: said("AVAL"), 3: said("AVAL"), 4: said("AVAL", 2.0), 2: said("AVAR")})[:2] == ["trace_001", "AVAR"]
    assert "AVAL" not in names({1: said("AVAL"), 3: said("AVAL"), 4: said("AVAL", 2.0)})


def test_an_ambiguous_rival_does_not_take_a_name_away():
    assert names({1: said("AVAL", 2.0), 2: said("AVAL", 5.0, ambiguous=True)})[:2] == ["AVAL", "trace_002"]


def test_an_annotation_beyond_the_recording_is_an_error():
    with pytest.raises(FormatError, match=r"annotations name the columns \[5\] of a recording with 4 traces"):
        names({5: said("AVAL")})


def test_a_bad_trace_is_answered_with_a_near_one():
    with pytest.raises(InputError, match="no trace is called 'zscored'; did you mean 'zscore'"):
        fetch_celegans_calcium(trace="zscored")


def test_without_files_and_network_one_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("DYNOME_DATA_DIR", raising=False)
    monkeypatch.setenv("DYNOME_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("dynome.datasets.sources._is_safe", lambda address: False)
    with pytest.raises(FetchError, match=r"(?s)2022-07-26-31-data\.h5 of celegans_calcium .*91ad390c.*DYNOME_DATA_DIR"):
        fetch_celegans_calcium()


@pytest.fixture(scope="module")
def worms(data_dir):
    return fetch_celegans_calcium()


@pytest.mark.realdata
def test_the_four_worms_have_the_published_shapes(worms):
    assert {a: (r.sizes["time"], r.sizes["node"], int(r.labelled.sum())) for a, r in study.sessions(worms).items()} == {
        "2022-07-26-31": (800, 146, 99),
        "2022-07-27-31": (800, 145, 100),
        "2022-07-27-45": (800, 140, 107),
        "2022-08-02-31": (800, 130, 101),
    }
    schema.validate(worms, "study", lazy=True)


@pytest.mark.realdata
def test_the_decoder_of_the_julia_file_agrees_with_the_decoded_table(worms, data_dir):
    table = pd.read_csv(data_dir / "celegans_calcium_dag2023" / "neuropal_labels.csv")
    for animal, recording in study.sessions(worms).items():
        rows = table[table.uid == animal]
        here = recording.isel(node=rows.trace_index_1based.to_numpy() - 1)
        assert here.annotation.values.tolist() == rows.label.tolist()
        np.testing.assert_array_equal(here.confidence, rows.confidence)
        assert here.comment.values.tolist() == rows.region.fillna("").tolist()
        assert (recording.annotation != "").sum() == len(rows)
        sure = (~rows.label.str.contains("?", regex=False) & (rows.LR != "missing")).to_numpy()
        assert here.labelled.values.tolist() == sure.tolist()


@pytest.mark.realdata
def test_names_are_neurons_and_clocks_start_at_zero(worms):
    for recording in study.sessions(worms).values():
        named = recording.node.values[recording.labelled.values]
        assert np.isin(named, worm_neurons()).all()
        assert recording.time.values[0] == 0
        assert recording.time.diff("time").median() == pytest.approx(0.6, abs=1e-3)
        assert recording.velocity.units == "mm/s"
        assert "pumping" not in recording
        assert recording.reversal.dtype == bool


@pytest.mark.realdata
def test_left_and_right_homologues_correlate_far_more_than_other_pairs(worms):
    homologous, every = [], []
    for recording in study.sessions(worms).values():
        named = recording.isel(node=recording.labelled.values)
        r = np.corrcoef(named.activity.values.T)
        place = {name: k for k, name in enumerate(named.node.values)}
        partner = homologue(named.node.values)
        homologous += [r[k, place[p]] for k, p in enumerate(partner) if place.get(p, -1) > k]
        every += r[np.triu_indices(len(r), 1)].tolist()
    assert np.mean(homologous) == pytest.approx(0.566, abs=0.005)
    assert np.mean(every) == pytest.approx(0.09, abs=0.005)


@pytest.mark.realdata
def test_velocity_can_be_decoded_from_all_traces(data_dir):
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold, cross_val_predict

    scores = []
    for recording in study.sessions(fetch_celegans_calcium(trace="zscore")).values():
        model = RidgeCV(alphas=np.logspace(0, 5, 11))
        predicted = cross_val_predict(model, recording.activity.values, recording.velocity.values, cv=KFold(5))
        scores.append(np.corrcoef(predicted, recording.velocity.values)[0, 1])
    assert min(scores) > 0.3
    assert max(scores) < 0.75


@pytest.mark.realdata
def test_the_three_traces_are_one_trace_in_three_scales(worms, data_dir):
    original = worms["2022-07-26-31"].activity.values
    zscore = fetch_celegans_calcium(trace="zscore")["2022-07-26-31"].activity.values
    relative = fetch_celegans_calcium(trace="relative")["2022-07-26-31"].activity.values
    np.testing.assert_allclose(relative, original / original.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(
        zscore, (original - original.mean(axis=0)) / original.std(axis=0, ddof=1), rtol=1e-8, atol=1e-8
    )
