"""Evidence for priors inside `SwitchingGLM`: few data are used better, the objective rises, labels are checked."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from dynome.datasets import make_switching_glm, wiring_from_truth
from dynome.dynamics import GLM, GumbelPrior, OneHotPrior, SwitchingGLM
from dynome.errors import InputError


@pytest.fixture(scope="module")
def data():
    return make_switching_glm(n_states=2, n_nodes=12, n_sessions=4, n_time=700, random_state=3)


def fitted(data, prior, **options):
    model = SwitchingGLM(2, link="sigmoid", prior=prior, bias="shared", n_restarts=1, random_state=0, **options)
    return model.fit(data.spike_count[:2])


def test_priors_that_learn_score_better_on_sessions_that_were_not_seen(data):
    score = {p: fitted(data, p).score(data.spike_count[2:]) for p in ("none", "gaussian", "one_hot")}
    assert score["none"] < score["gaussian"] < score["one_hot"]


def test_the_objective_rises_once_the_prior_has_looked_at_the_data(data):
    results = fitted(data, "one_hot", tol=1e-9, max_iter=60).results_
    gains = np.diff(results.history.to_numpy())[30:]
    assert gains.size
    assert (gains > -1e-6).all()


def test_classes_lie_on_labelled_edges_and_a_connectome_adds_its_trust(data):
    results = fitted(data, OneHotPrior(), connectome=wiring_from_truth(data)).results_
    assert results.edge_class_posterior.dims == ("state", "target", "source", "edge_class")
    assert results.edge_class.to_numpy().tolist() == ["inhibitory", "none", "excitatory"]
    assert (results.target == data.node.to_numpy()).all()
    assert 0 < float(results.trust) < 1


def test_a_connectome_of_other_nodes_is_refused(data):
    wiring = wiring_from_truth(data)
    with pytest.raises(InputError, match=r"the connectome has no .* \(12 of the 12 recorded nodes\)"):
        fitted(data.assign_coords(node=[f"other{k}" for k in range(12)]), "one_hot", connectome=wiring)
    with pytest.raises(InputError, match="a GaussianPrior has no use for a connectome"):
        fitted(data, "gaussian", connectome=wiring)


def test_nodes_that_the_connectome_does_not_have_can_stay_in_the_data(data):
    wiring = wiring_from_truth(data)
    renamed = data.assign_coords(node=[*data.node.to_numpy()[:-1], "unidentified"])
    with pytest.raises(InputError, match=r"has no 'unidentified' .*labelled"):
        fitted(renamed, "one_hot", connectome=wiring)
    results = fitted(renamed, OneHotPrior(unknown="frequency"), connectome=wiring, max_iter=30).results_
    assert 0 < float(results.trust) < 1
    off = results.edge_class_probability.to_numpy()[~np.eye(12, dtype=bool)]
    assert np.isfinite(off).all()


def test_a_glm_of_one_state_takes_the_same_priors(data):
    results = GLM(link="sigmoid", prior="one_hot", random_state=0).fit(data.spike_count[:2]).results_
    assert results.edge_class_probability.dims == ("target", "source", "edge_class")


def test_relaxed_codes_move_with_the_data(data):
    with pytest.warns(ConvergenceWarning, match="no convergence in 5 iterations"):
        model = fitted(data, GumbelPrior(n_steps=10, learning_rate=0.05), max_iter=5)
    found = model.results_.coupling.to_numpy()
    assert np.corrcoef(found.mean(0).ravel(), data.coupling.mean("state").to_numpy().ravel())[0, 1] > 0.5
