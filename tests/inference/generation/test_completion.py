"""Evidence for generation/completion.py: nothing missing is read, shapes and labels, rivals written out, errors."""

import numpy as np
import pytest
import xarray as xr

from dynome import study
from dynome.datasets import make_bold
from dynome.errors import InputError
from dynome.inference import GraphMaskedAutoencoder, complete_connectivity, completion_scores, sample_graphs
from dynome.inference.generation.completion_checks import _interpolated, _scores


@pytest.fixture(scope="module")
def recordings():
    return study.sessions(make_bold(n_animals=4, n_nodes=16, n_times=150, random_state=0))


@pytest.fixture(scope="module")
def model(recordings):
    return GraphMaskedAutoencoder(hidden=8, n_layers=2, n_steps=5, device="cpu", random_state=0).fit(recordings)


def halves(recordings):
    """Two people to be scored, and two others."""
    names = list(recordings)
    return tuple({name: recordings[name] for name in part} for part in (names[:2], names[2:]))


def region(recordings, k=0):
    return str(next(iter(recordings.values())).node.values[k])


def test_probabilities_are_symmetric_and_labelled(model, recordings):
    told = complete_connectivity(model, recordings, windows=[3, 4, -1], nodes=[region(recordings)])
    assert told.dims == ("session", "window", "source", "target")
    assert list(told.session.values) == list(recordings)
    network = next(iter(recordings.values())).network
    assert told["source_network"].values.tolist() == told["target_network"].values.tolist() == network.values.tolist()
    np.testing.assert_allclose(told, told.transpose("session", "window", "target", "source"), atol=1e-6)
    assert float(told.min()) >= 0
    assert float(told.max()) <= 1
    hidden = told["hidden"]
    assert hidden.isel(window=[3, 4, -1]).all()
    assert hidden.sel(source=region(recordings)).all()
    assert int(hidden.sum()) == 3 * 16 + told.sizes["window"] - 3


def test_a_hidden_region_is_not_read(model, recordings):
    name = region(recordings)
    spoilt = {}
    for k, (session, recording) in enumerate(recordings.items()):
        noise = np.random.default_rng(k).standard_normal(recording.sizes["time"])
        activity = recording.activity.where(recording.node != name, xr.DataArray(noise, dims="time"))
        spoilt[session] = recording.assign(activity=activity.transpose(*recording.activity.dims))
    one, other = (complete_connectivity(model, r, nodes=[name]) for r in (recordings, spoilt))
    np.testing.assert_array_equal(one, other)
    absent = {session: r.sel(node=r.node != name) for session, r in recordings.items()}
    np.testing.assert_array_equal(one, complete_connectivity(model, absent))


def test_a_hidden_window_is_told_from_others(model, recordings):
    whole = complete_connectivity(model, recordings)
    part = complete_connectivity(model, recordings, windows=[5])
    away = part["hidden"].all("source")
    np.testing.assert_allclose(part.sel(window=~away), whole.sel(window=~away), atol=1e-5)
    assert float(abs(part - whole).sel(window=away).max()) > 1e-4


def test_rivals_are_as_they_say():
    graphs = np.array([0.0, 9, 9, 1, 9])[:, None, None] * np.ones((1, 2, 2))
    found = _interpolated(graphs, np.array([False, True, True, False, True]))[:, 0, 0]
    np.testing.assert_allclose(found, [0, 1 / 3, 2 / 3, 1, 1])
    assert _scores(np.array([0.0, 1, 1, 0]), np.array([0.1, 0.9, 0.8, 0.2])) == (1.0, pytest.approx(0.025))


def test_scores_have_every_method_that_can_tell(model, recordings):
    scored, others = halves(recordings)
    windows = completion_scores(model, scored, windows=[3, 4], reference=others)
    assert windows["auroc"].notnull().all()
    assert windows["n_pairs"].values.tolist() == [2 * 120] * 2
    nodes = completion_scores(model, scored, nodes=region(recordings), reference=others)
    assert nodes["auroc"].sel(predictor=["interpolation", "session mean"]).isnull().all()
    assert nodes["auroc"].sel(predictor="group mean").mean() > 0.5
    n_windows = len_windows(model, scored)
    assert nodes["n_pairs"].values.tolist() == [15 * n_windows] * 2
    both = completion_scores(model, scored, nodes=[region(recordings)], windows=[3], reference=others)
    assert both["auroc"].sel(predictor=["interpolation", "session mean"]).isnull().all()
    assert both["n_pairs"].values.tolist() == [120 + 15 * (n_windows - 1)] * 2


def test_the_group_mean_is_of_other_people(model, recordings):
    scored, _ = halves(recordings)
    with pytest.raises(InputError, match="'person_1', 'person_2' are to be told and in the reference"):
        completion_scores(model, scored, windows=[3], reference=recordings)
    (bare, *_) = recordings.values()
    with pytest.raises(InputError, match="'scan' are to be told and in the reference"):
        completion_scores(model, bare, windows=[3], reference=bare)


def test_drawn_graphs_are_as_frequent_as_their_probabilities():
    p = xr.DataArray([[1.0, 0.3, 0.0], [0.3, 1.0, 0.6], [0.0, 0.6, 1.0]], dims=("source", "target"))
    drawn = sample_graphs(p, n_draws=4000, random_state=0)
    np.testing.assert_allclose(drawn.mean("draw"), p, atol=0.03)
    np.testing.assert_array_equal(drawn, drawn.transpose("draw", "target", "source"))


def test_what_cannot_be_completed_is_told(model, recordings):
    with pytest.raises(InputError, match="cannot hide 'nowhere'"):
        complete_connectivity(model, recordings, nodes=["nowhere"])
    with pytest.raises(InputError, match="windows must be integers"):
        complete_connectivity(model, recordings, windows=[99])
    with pytest.raises(InputError, match="every session must keep a window"):
        complete_connectivity(model, recordings, windows=range(len_windows(model, recordings)))
    with pytest.raises(InputError, match="nothing is hidden"):
        completion_scores(model, recordings, reference=recordings)
    with pytest.raises(InputError, match="from 0 to 1"):
        sample_graphs(xr.DataArray([[1.0, 2.0], [2.0, 1.0]], dims=("source", "target")))
    with pytest.raises(InputError, match="expected a fitted GraphMaskedAutoencoder"):
        complete_connectivity(object(), recordings)


def len_windows(model, recordings):
    return complete_connectivity(model, recordings).sizes["window"]
