"""Evidence for simulated/worm.py and worm_network.py: closed forms of the kernels, and a worm that looks like one."""

import numpy as np
import pytest
import scipy.sparse
import xarray as xr

from dynome import schema, study
from dynome.connectome.worm_names import homologue, worm_neurons
from dynome.datasets import load_celegans_connectome, make_connectome, make_worm
from dynome.datasets.simulated import worm_network
from dynome.datasets.simulated.worm_network import MODES, Network, calcium, integrate, network, slow_noise, time_courses
from dynome.errors import InputError, SchemaError


def tiny(chemical, gap):
    return Network(
        scipy.sparse.csr_array(np.array(chemical, float)),
        scipy.sparse.csr_array(np.array(gap, float)),
        np.zeros((2, 6)),
    )


def test_without_wires_a_neuron_relaxes_exponentially_to_its_drive():
    step = 0.001
    x = integrate(tiny([[0, 0], [0, 0]], [[0, 0], [0, 0]]), np.tile([1.0, -2.0], (2000, 1)), step)
    t = step * np.arange(1, 2001)
    np.testing.assert_allclose(x[:, 0], 1 - np.exp(-t / worm_network.TAU), atol=1e-3)
    np.testing.assert_allclose(x[:, 1], -2 * x[:, 0])


def test_a_gap_junction_draws_two_neurons_together_by_its_strength():
    x = integrate(tiny([[0, 0], [0, 0]], [[0, 2], [2, 0]]), np.tile([1.0, 0.0], (20_000, 1)), 0.002)[-1]
    assert x[0] - x[1] == pytest.approx(1 / (1 + 2 * 2), abs=1e-6)
    assert x.sum() == pytest.approx(1, abs=1e-6)


def test_a_synapse_acts_from_column_to_row_through_a_saturating_function():
    x = integrate(tiny([[0, 0], [-0.5, 0]], [[0, 0], [0, 0]]), np.tile([1.0, 0.0], (20_000, 1)), 0.002)[-1]
    np.testing.assert_allclose(x, [1, -0.5 * np.tanh(1)], atol=1e-6)


def test_calcium_of_a_steady_cell_is_its_soft_rectification_and_a_step_rises_within_the_decay():
    steady = calcium(np.full((50, 1), 0.7), 0.1)
    np.testing.assert_allclose(steady, np.log1p(np.exp(1.4)))
    step = calcium(np.repeat([[-9.0], [1.0]], [100, 400], axis=0), 0.1)[:, 0]
    level = np.log1p(np.exp(2.0))
    assert step[99] == pytest.approx(0, abs=1e-6)
    assert step[100 + 28] / level == pytest.approx(1 - np.exp(-(2.8 - 0.3) / 2.5), abs=0.05)
    assert (step >= 0).all()


def test_slow_noise_has_unit_variance_and_forgets_at_its_timescale():
    noise = slow_noise((20_000, 8), 2.0, 0.1, np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, abs=0.05)
    lagged = (noise[20:] * noise[:-20]).mean()
    assert lagged == pytest.approx(np.exp(-1), abs=0.05)
    first = slow_noise((1, 5000), 2.0, 0.1, np.random.default_rng(1))
    assert first.std() == pytest.approx(1, abs=0.05)


def test_the_worm_is_always_in_one_state_and_they_follow_each_other():
    courses = time_courses(20_000, 0.1, np.random.default_rng(4))
    states = courses[:, :3]
    assert (states.sum(axis=1) == 1).all()
    order = states.argmax(axis=1)
    changes = order[np.flatnonzero(np.diff(order)) + 1] - order[np.flatnonzero(np.diff(order))]
    assert set(changes % 3) == {1}
    assert 0.45 < states[:, 0].mean() < 0.8


def test_touch_starts_a_reversal_when_the_worm_goes_forward():
    courses = time_courses(60_000, 0.1, np.random.default_rng(5))
    onset = np.flatnonzero(np.diff(courses[:, MODES.index("touch")]) > 0) + 1
    forward_before = onset[courses[onset - 2, MODES.index("forward")] > 0]
    assert forward_before.size > 20
    assert courses[forward_before, MODES.index("reversal")].mean() > 0.95


def test_gaba_inhibits_and_rows_are_targets():
    wiring = load_celegans_connectome()
    net = network(
        wiring.isel(
            node=slice(0, 302), edge=(wiring.source.isin(worm_neurons()) & wiring.target.isin(worm_neurons())).values
        )
    )
    node = wiring.node.values[:302].tolist()
    from_dd1 = net.chemical.toarray()[:, node.index("DD1")]
    assert (from_dd1 <= 0).all()
    assert from_dd1.min() < 0
    from_ava = net.chemical.toarray()[:, node.index("AVAL")]
    assert from_ava[node.index("VA8")] > 0
    assert np.abs(net.chemical.toarray()).sum(axis=1).max() <= 0.9 + 1e-9


@pytest.fixture(scope="module")
def worms():
    return make_worm(n_animals=3, random_state=0)


def test_left_and_right_homologues_are_clearly_more_alike_than_other_pairs(worms):
    for recording in study.sessions(worms).values():
        named = recording.isel(node=recording.labelled.values)
        r = np.corrcoef(named.activity.values.T)
        place = {name: k for k, name in enumerate(named.node.values)}
        same = [r[k, place[p]] for k, p in enumerate(homologue(named.node.values)) if place.get(p, -1) > k]
        every = r[np.triu_indices(len(r), 1)]
        assert len(same) >= 10
        assert 0.4 < np.mean(same) < 0.8
        assert np.mean(same) > every.mean() + 4 * every.std() / np.sqrt(len(same))


def test_connected_neurons_are_more_alike_than_unconnected_ones(worms):
    truth = worms["truth"].to_dataset()
    for recording in study.sessions(worms).values():
        names = recording.node.values[recording.labelled.values]
        wires = (
            np.abs(truth.chemical.sel(source=names, target=names).values)
            + truth.gap_junction.sel(source=names, target=names).values
        )
        wires = (wires + wires.T)[upper := np.triu_indices(names.size, 1)]
        r = np.corrcoef(recording.activity.sel(node=names).values.T)[upper]
        assert r[wires > 0].mean() > r[wires == 0].mean() + 0.04


def test_command_neurons_tell_the_velocity(worms):
    for recording in study.sessions(worms).values():
        here = set(recording.node.values)
        back = [n for n in ("AVAL", "AVAR", "AVEL", "AVER", "RIML") if n in here]
        assert np.corrcoef(recording.activity.sel(node=back).mean("node"), recording.velocity)[0, 1] < -0.4
        assert float(recording.velocity[recording.reversal.values].mean()) < -0.02
        assert float(recording.velocity[~recording.reversal.values].mean()) > 0.02
        assert 0.05 < np.abs(recording.velocity).max() < 0.3


def test_a_stimulus_moves_its_sensory_neurons_in_animals_that_respond(worms):
    truth = worms["truth"].to_dataset()
    responses = {}
    for animal, recording in study.sessions(worms).items():
        salt = np.convolve(recording.stimulus.sel(feature="salt").values, np.ones(6) / 6)[: recording.sizes["time"]]
        seen = [n for n in ("ASEL", "ASER") if n in recording.node.values]
        strength = np.mean([np.corrcoef(recording.activity.sel(node=n), salt)[0, 1] for n in seen])
        responses[float(truth.loading.sel(animal=animal, component="salt"))] = strength
    strong = [r for loading, r in responses.items() if loading > 0.5]
    assert strong
    assert min(strong) > 0.3


def test_the_truth_knows_who_the_unnamed_traces_are(worms):
    truth = worms["truth"].to_dataset()
    for animal, recording in study.sessions(worms).items():
        unnamed = recording.node.values[~recording.labelled.values]
        assert all(name.startswith("trace_") for name in unnamed)
        who = truth.identity.sel(animal=animal, trace=unnamed).values.tolist()
        assert (truth.identity.sel(animal=animal) != "").sum() == unnamed.size == len(set(who))
        assert not set(who) & set(recording.node.values)
        assert set(who) <= set(truth.node.values)


def test_different_animals_show_different_but_overlapping_neurons(worms):
    sets = [set(r.node.values[r.labelled.values]) for r in study.sessions(worms).values()]
    assert sets[0] != sets[1]
    assert len(set.intersection(*sets)) >= 15


def test_the_study_is_valid_and_joins_its_connectome(worms):
    schema.validate(worms, "study", lazy=True)
    wiring = study.connectome(worms)
    assert wiring.sizes["node"] == 300
    for recording in study.sessions(worms).values():
        named = recording.node.values[recording.labelled.values]
        assert np.isin(named, wiring.node.values).all()
        facts = wiring.sel(node=named)
        assert facts.cell_class.values.tolist() == recording.sel(node=named).cell_class.values.tolist()


def test_an_animal_does_not_depend_on_how_many_there_are(worms):
    one = make_worm(n_animals=1, random_state=0)
    xr.testing.assert_identical(one["worm_1"].to_dataset(), worms["worm_1"].to_dataset())


def test_the_rate_and_duration_are_those_asked_for():
    recording = make_worm(n_animals=1, duration=30.5, rate=3.0, random_state=1)["worm_1"]
    assert recording.sizes["time"] == 91
    np.testing.assert_allclose(recording.time.diff("time"), 1 / 3)


def test_another_wiring_can_be_used():
    wiring = load_celegans_connectome("white1986", layers="chemical")
    tree = make_worm(n_animals=1, duration=20, wiring=wiring, random_state=0)
    assert float(np.abs(tree["truth"].gap_junction).sum()) == 0
    assert set(tree["connectome"].node.values) <= set(wiring.node.values)


def test_a_wiring_that_is_no_worm_is_refused():
    with pytest.raises(InputError, match=r"must name command neurons of the worm, forward \(AVB, PVC, RIB\)"):
        make_worm(wiring=make_connectome(50, random_state=0))
    with pytest.raises(SchemaError, match="connectome is not valid"):
        make_worm(wiring=xr.Dataset())


def test_all_problems_are_told_at_once():
    with pytest.raises(
        InputError, match=r"(?s)n_animals must be at least 1, got 0.*duration must give at least 2.*noise"
    ):
        make_worm(0, 0.1, noise=-1)
    with pytest.raises(InputError, match="rate must be positive"):
        make_worm(rate=0)
