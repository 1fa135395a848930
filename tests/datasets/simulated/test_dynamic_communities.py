"""Evidence for simulated/dynamic_communities.py: the planted motifs are where the truth says, by plain correlations."""

import numpy as np
import pytest
import xarray as xr

from dynome import schema, study
from dynome.datasets import make_dynamic_communities
from dynome.errors import InputError


def mean_correlation(x):
    r = np.corrcoef(x.T)
    return r[np.triu_indices(len(r), 1)].mean()


@pytest.fixture(scope="module")
def tree():
    return make_dynamic_communities(n_nodes=50, n_times=2000, n_animals=4, n_communities=4, random_state=11)


def test_members_move_together_while_their_community_is_up_and_only_then(tree):
    truth = tree["truth"].to_dataset()
    for animal, recording in study.sessions(tree).items():
        for r in truth.component.values:
            members = (truth.community == r).values
            up = (truth.time_course.sel(component=r) > 0.9).values
            loading = float(truth.loading.sel(animal=animal, component=r))
            together = mean_correlation(recording.activity.values[up][:, members])
            apart = mean_correlation(
                recording.activity.values[~up & (truth.time_course.sel(component=r) < 0.01).values][:, members]
            )
            assert abs(apart) < 0.15
            assert together > 0.3 if loading else abs(together) < 0.25


def test_activity_is_the_sum_that_the_notes_give(tree):
    truth = tree["truth"].to_dataset()
    quiet = make_dynamic_communities(n_nodes=50, n_times=2000, n_animals=4, n_communities=4, noise=0, random_state=11)
    for animal, recording in study.sessions(quiet).items():
        here = truth.sel(animal=animal)
        expected = xr.dot(here.membership, here.loading, here.time_course, here.signal, dim="component")
        xr.testing.assert_allclose(
            recording.activity, expected.transpose("time", "node").drop_vars(["animal", "community"])
        )


def test_the_private_signal_has_the_noise_asked_for(tree):
    outsiders = (tree["truth"].community == -1).values
    private = tree["animal_1"].activity.values[:, outsiders]
    np.testing.assert_allclose(private.std(axis=0), 0.5, rtol=1e-9)


def test_an_amplitude_in_the_data_grows_with_the_planted_loading(tree):
    truth = tree["truth"].to_dataset()
    planted, seen = [], []
    for animal, recording in study.sessions(tree).items():
        for r in truth.component.values:
            members = (truth.community == r).values
            up = (truth.time_course.sel(component=r) > 0.9).values
            planted.append(float(truth.loading.sel(animal=animal, component=r)))
            seen.append(
                np.sqrt(
                    max(
                        np.cov(recording.activity.values[up][:, members].T)[np.triu_indices(members.sum(), 1)].mean(), 0
                    )
                )
            )
    assert np.corrcoef(planted, seen)[0, 1] > 0.9


def test_the_truth_is_complete(tree):
    truth = tree["truth"].to_dataset()
    assert (truth.loading > 0).any("animal").all()
    assert (truth.loading > 0).any("component").all()
    assert (truth.loading.sel(animal="animal_1") > 0).all()
    assert ((truth.membership > 0).sum("component") == (truth.community >= 0)).all()
    assert float((truth.community == -1).mean()) == pytest.approx(0.2)
    assert 0 <= truth.time_course.min() <= truth.time_course.max() <= 1 + 1e-12
    assert (truth.time_course > 0.9).any("time").all()
    schema.validate(tree, "study", lazy=True)


def test_an_animal_does_not_depend_on_how_many_there_are():
    few, many = (make_dynamic_communities(n_animals=n, random_state=3) for n in (2, 5))
    xr.testing.assert_identical(few["animal_2"].to_dataset(), many["animal_2"].to_dataset())
    assert not np.allclose(many["animal_1"].activity, many["animal_2"].activity)


def test_all_problems_are_told_at_once():
    with pytest.raises(
        InputError, match=r"(?s)n_animals.*n_nodes must be at least 15 for 4 communities, got 5.*n_times.*rate.*noise"
    ):
        make_dynamic_communities(5, 10, 0, 4, rate=0, noise=-1)
    with pytest.raises(InputError, match="n_communities must be at least 1, got 0"):
        make_dynamic_communities(n_communities=0)
