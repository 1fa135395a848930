"""Evidence for make_spikes: the wiring is what it says, spikes follow it, hidden neurons are out of sight."""

import numpy as np
import pytest
import xarray as xr

from dynome import schema, study
from dynome.connectome import from_edges
from dynome.datasets import make_spikes
from dynome.errors import InputError

MODELS = ("lif", "poisson", "logistic")


def counts(tree: xr.DataTree, name: str = "animal_1") -> np.ndarray:
    return tree[name].spike_count.to_numpy()


@pytest.mark.parametrize("model", MODELS)
def test_a_study_is_valid_and_repeats_with_its_seed(model):
    one, two = (make_spikes(12, 200, model=model, n_animals=2, random_state=3) for _ in range(2))
    schema.validate(one, "study")
    xr.testing.assert_identical(one.to_dataset(), two.to_dataset())
    np.testing.assert_array_equal(counts(one), counts(two))
    np.testing.assert_array_equal(counts(one), counts(make_spikes(12, 200, model=model, random_state=3)))
    assert not np.array_equal(counts(one), counts(one, "animal_2"))


def test_the_wiring_obeys_dale_and_has_the_density_and_delays_asked_for():
    wiring = study.connectome(make_spikes(40, 50, density=0.2, excitatory=0.75, delay=(2e-3, 5e-3), random_state=0))
    assert wiring.sizes["edge"] == round(0.2 * 40 * 39)
    signs = {s: set(wiring.sign.values[wiring.source.values == s].tolist()) for s in wiring.node.values}
    assert all(len(of) <= 1 for of in signs.values())
    assert sum(of == {1} for of in signs.values()) == 30
    assert 2 <= float(wiring.delay.min()) <= float(wiring.delay.max()) <= 5


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_spikes_follow_the_wiring_after_its_delay(model, sign):
    edges = {"source": ["a"], "target": ["b"], "weight": [1.0], "sign": [sign], "delay": [10.0]}
    wiring = from_edges(edges, units={"weight": "1", "delay": "ms"}, node=["a", "b", "c"])
    strength = {"lif": 0.6, "poisson": 1.5, "logistic": 2.5}[model]
    tree = make_spikes(model=model, wiring=wiring, n_time=40_000, strength=strength, rate=20, random_state=0)
    x = counts(tree).astype(float)
    x -= x.mean(0)

    def lagged(i, j, lag):
        return sign * (x[:-lag, i] * x[lag:, j]).mean() / np.sqrt(x[:, i].var() * x[:, j].var())

    found = lagged(0, 1, 2)
    assert found > 0.02
    assert lagged(0, 1, 1) < 0.5 * found
    assert abs(lagged(1, 0, 2)) < max(0.015, 0.1 * found)
    assert abs(lagged(0, 2, 2)) < 0.015


@pytest.mark.parametrize("model", ["poisson", "logistic"])
def test_neurons_without_inputs_spike_at_their_rate_less_their_recovery(model):
    tree = make_spikes(20, 20_000, model=model, density=0.0, rate=4.0, random_state=0)
    assert counts(tree).mean() / 5e-3 == pytest.approx(4.0, rel=0.1)


def test_hidden_neurons_are_in_the_truth_only():
    tree = make_spikes(20, 100, hidden=0.3, random_state=0)
    wiring = study.connectome(tree)
    seen = wiring.node.values[wiring.recorded.values]
    assert seen.size == 14
    assert tree["animal_1"].node.values.tolist() == seen.tolist()
    whole = make_spikes(20, 100, random_state=0)
    np.testing.assert_array_equal(counts(tree), whole["animal_1"].spike_count.sel(node=seen))


def test_trials_are_named_on_time():
    tree = make_spikes(6, 100, n_trials=3, random_state=0)
    assert tree["animal_1"].trial.values.tolist() == [0] * 100 + [1] * 100 + [2] * 100


def test_a_given_wiring_keeps_its_relative_weights():
    edges = {"source": list("aab"), "target": list("bca"), "weight": [3, 1, 2]}
    tree = make_spikes(
        wiring=from_edges(edges, units="synapses"), n_time=50, excitatory=1.0, strength=0.1, random_state=0
    )
    wiring = study.connectome(tree)
    assert wiring.weight.values.tolist() == pytest.approx([0.15, 0.05, 0.1])


def test_arguments_out_of_range_are_told_at_once():
    with pytest.raises(
        InputError, match=r"n_time(.|\n)*model must(.|\n)*density(.|\n)*hidden(.|\n)*delay(.|\n)*bin_width"
    ):
        make_spikes(n_time=1, model="izhikevich", density=2, hidden=1, delay=(2, 1), bin_width=0)
    with pytest.raises(InputError, match="rate must be between 0 and 200"):
        make_spikes(rate=500)
    with pytest.raises(InputError, match="n_trials must be a whole number"):
        make_spikes(n_trials=0)
