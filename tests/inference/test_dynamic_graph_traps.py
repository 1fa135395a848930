"""Traps of networks on connectomes and dynamic graphs, each with the test that would find it.

Ways in which published models went wrong, or could without anybody noticing, and where each is tested (files under
``tests/``). `test_every_trap_has_its_test` reads this list.

inference/test_dynamic_graph_traps.py
    the encoder hangs on the order of the nodes
        test_renaming_the_nodes_renames_the_embeddings
    regions that swap places go unnoticed
        test_regions_that_swap_places_are_noticed
    the graph is not used: shuffling it changes nothing (encoder)
        test_a_shuffled_graph_gives_other_embeddings
    A = I is not the model of each node alone (encoder)
        test_on_self_loops_alone_every_node_is_alone
    edges cross windows or scans after batching
        test_no_window_sees_another_window_or_scan
    the target encoder gets a gradient or moves by itself
        test_the_target_moves_by_its_average_and_by_nothing_else
    what is hidden reaches the context
        test_what_is_hidden_cannot_reach_the_context
    what is hidden reaches the context through the recurrent timestamp
        test_what_is_hidden_cannot_reach_the_context
    a window is told about what comes after it
        test_no_window_is_told_what_comes_after_it
    neighbours in time share samples with the window
        test_full_gaps_share_no_sample
    neighbours in time share samples with each other
        test_gaps_of_pairs_share_no_sample_with_each_other
    the cut is not the percentile, with ties and NaN
        test_cuts_are_percentiles_of_all_entries
    a region that is constant in a window spoils it
        test_a_region_that_is_constant_in_a_window_keeps_its_loop_and_spoils_no_other
    a region that is constant over a scan goes unnoticed
        test_a_region_that_never_changes_is_named

connectome/layers/test_graph_layers.py
    a layer hangs on the order of the nodes
        test_renaming_the_nodes_renames_the_outputs
    the graph is not used: shuffling it changes nothing (layers)
        test_shuffling_the_connectome_changes_the_output
    A = I is not the model of each node alone (layers)
        test_a_convolution_on_the_identity_is_the_node_wise_model
    edges cross snapshots after batching
        test_edges_never_cross_snapshots

inference/networks/test_networks.py
    the graph is not used: shuffling it changes nothing (forecasts)
        test_another_wiring_gives_other_forecasts
    A = I is not the model of each node alone (forecasts)
        test_a_wiring_of_every_node_to_itself_is_the_model_of_each_node_alone
    values of nodes that nobody observed count
        test_what_was_not_observed_has_no_influence_on_weights

connectome/test_connectome_construction.py
    gap junctions are not symmetric
        test_a_gap_junction_is_stored_both_ways_in_a_directed_connectome
    a list completed with zeros becomes a full graph
        test_a_zero_weight_edge_is_an_edge_in_a_list_and_absent_in_a_matrix

connectome/layers/test_message_graphs.py
    columns of gap junctions and synapses are swapped
        test_weights_of_each_edge_type_are_the_matrices_of_the_connectome

connectome/test_connectome_conversion.py
    an absent edge becomes an edge of weight zero
        test_an_absent_edge_can_be_told_from_an_edge_of_weight_zero

inference/forecasting/test_forecasting_tasks.py
    scales are fitted on test data (forecasts)
        test_what_happens_in_the_test_changes_neither_training_nor_scales

datasets/formats/test_celegans_parquet.py
    worms of two studies become one
        test_an_animal_is_a_study_and_a_worm

dynamics/preprocessing/test_clock.py
    a clock of half precision is used
        test_the_half_precision_clock_of_published_data_is_refused

dynamics/forecasting/test_forecasting_baselines.py
    persistence has a skill
        test_persistence_has_skill_zero_exactly_at_every_horizon_and_in_every_session

inference/dynamic_graphs/test_scan_readouts.py
    a readout that should not know which region is which does
        test_readouts_but_sero_do_not_know_which_region_is_which

inference/dynamic_graphs/test_graph_batches.py
    the shuffled control is no control
        test_the_shuffled_control_moves_edges_to_other_nodes_and_is_the_same_each_time

inference/dynamic_graphs/test_graph_encoder.py
    hidden nodes count in the statistics of batch norm
        test_hidden_nodes_count_in_no_statistics

inference/pretraining/test_masked_autoencoder.py
    people that are held out are learnt from
        test_what_is_held_out_is_not_learnt_from
    completion looks at what it is to complete
        test_completion_does_not_look_at_what_is_hidden

inference/pretraining/test_pretraining_runs.py
    an interrupted training goes on to other numbers
        test_a_killed_process_loses_at_most_a_few_steps_and_no_number

inference/probing/test_animal_folds.py
    a person is in both parts
        test_folds_that_split_an_animal_are_refused
        test_all_sessions_of_an_animal_are_in_one_fold_and_folds_have_equal_size

inference/probing/test_representations.py
    references and scales are fitted on test data (probes)
        test_a_scan_that_is_held_out_cannot_move_the_description_of_the_others
        test_models_never_see_labels_or_scans_that_are_held_out
    a person is in the pretraining and in the test
        test_a_pretraining_study_with_the_same_people_is_refused
"""

from __future__ import annotations

import ast
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings

from dynome.dynamics.connectivity.density import density_cuts, density_graphs
from dynome.dynamics.connectivity.windowed_correlation import correlation_windows
from dynome.errors import InputError
from dynome.inference.dynamic_graphs.encoder import GraphEncoder
from dynome.inference.dynamic_graphs.graph_batches import Batch, Clip, batch_of
from dynome.inference.dynamic_graphs.scans import scans_of, series_of
from dynome.inference.dynamic_graphs.settings import EncoderSettings, GraphSettings
from dynome.inference.pretraining.jema import JEMA
from dynome.inference.pretraining.masks import MaskSettings
from dynome.inference.pretraining.neighbours import drawn_neighbours, least_gap
from dynome.inference.pretraining.settings import ObjectiveSettings
from dynome.training.noise import seeded

N, T, WIDTH, STRIDE = 9, 5, 12, 6
TIMESTAMPS = ["none", "sinusoidal", "gru"]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_trap_has_its_test():
    found: dict[str, list[str]] = {}
    for line in __doc__.splitlines():
        if line.endswith(".py"):
            known = found.setdefault(line, [])
        elif line.strip().startswith("test_"):
            known.append(line.strip())
    assert sum(map(len, found.values())) >= 39
    for path, names in found.items():
        tree = ast.parse((Path(__file__).parents[1] / path).read_text(encoding="utf-8"))
        assert set(names) <= {d.name for d in tree.body if isinstance(d, ast.FunctionDef)}, path


def scans(seed=0, n_animals=2, **options):
    """Smooth noise with shared parts, so that correlations are not all alike."""
    rng = np.random.default_rng(seed)
    study = {}
    for k in range(n_animals):
        x = rng.standard_normal((WIDTH + (T - 1) * STRIDE + 8, N)) + rng.standard_normal((1, N))
        x += np.repeat(rng.standard_normal((x.shape[0], 3)), 3, axis=1)
        time = xr.DataArray(np.arange(float(x.shape[0])), dims="time", attrs={"units": "s"})
        coords = {"time": time, "node": [f"r{i}" for i in range(N)]}
        study[f"a{k}"] = xr.DataArray(x, dims=("time", "node"), coords=coords)
    return scans_of(study, GraphSettings(WIDTH, STRIDE, density=0.4, **options))


def batch(seed=0, **options):
    clip = Clip(np.array([0, 1]), np.arange(T)[None].repeat(2, axis=0))
    return batch_of(scans(seed, **options), clip, activity=True, correlation=True)


def encoder(timestamp="none", seed=0):
    with seeded(np.random.default_rng(seed)) as generator:
        return GraphEncoder(N, EncoderSettings(hidden=8, n_layers=2, timestamp=timestamp), generator)


@pytest.mark.parametrize("timestamp", TIMESTAMPS)
def test_renaming_the_nodes_renames_the_embeddings(timestamp):
    one, other, b = encoder(timestamp), encoder(timestamp), batch()
    order = torch.from_numpy(np.random.default_rng(1).permutation(N))
    with torch.no_grad():
        other.identity.copy_(one.identity[order])
        if timestamp == "gru":
            other.reader.weight_ih_l0.copy_(one.reader.weight_ih_l0[:, order])
        renamed = b._replace(adjacency=b.adjacency[..., order, :][..., order], activity=b.activity[..., order])
        for plain, there in zip(one(b), other(renamed), strict=True):
            torch.testing.assert_close(there, plain[:, :, order], rtol=1e-4, atol=1e-5)


def test_regions_that_swap_places_are_noticed():
    net, b = encoder(), batch()
    order = torch.arange(N).roll(1)
    with torch.no_grad():
        found = net(b._replace(adjacency=b.adjacency[..., order, :][..., order]))[-1]
        assert (found - net(b)[-1][:, :, order]).abs().max() > 0.01  # each region has an embedding of its own


def test_a_shuffled_graph_gives_other_embeddings():
    net, b = encoder().eval(), batch()
    other = batch(wiring="shuffled")
    torch.testing.assert_close(other.adjacency.sum((2, 3)), b.adjacency.sum((2, 3)))
    with torch.no_grad():
        assert (net(other)[-1] - net(b)[-1]).abs().mean() > 0.01


def test_on_self_loops_alone_every_node_is_alone():
    net, b = encoder(), batch(wiring="empty")
    assert torch.equal(b.adjacency, torch.eye(N).expand(2, T, N, N))
    with torch.no_grad():
        net.layers[0].eps.fill_(0.3)
        h = net.identity.expand(2, T, N, 8).reshape(-1, 8)
        for layer, found in zip(net.layers, net(b), strict=True):
            h = layer.mix(h * (1 + layer.eps))
            torch.testing.assert_close(found.reshape(-1, 8), h)


@pytest.mark.parametrize("timestamp", TIMESTAMPS)
@pytest.mark.parametrize("hidden", [False, True], ids=["all visible", "some hidden"])
def test_no_window_sees_another_window_or_scan(timestamp, hidden):
    net, b = encoder(timestamp).eval(), batch()
    visible = torch.ones(2, T, N, dtype=torch.bool)
    visible[..., :2] = False
    options = {"visible": visible} if hidden else {}
    changed = b.adjacency.clone()
    changed[0, 2] = torch.eye(N)
    activity = b.activity.clone()
    activity[1] = activity[1].flip(-1)
    with torch.no_grad():
        before, after = net(b, **options)[-1], net(b, adjacency=changed, **options)[-1]
        of_other_scan = net(b._replace(activity=activity), **options)[-1]
    differs = (before - after).abs().amax((2, 3)) > 0
    assert differs.nonzero().tolist() == [[0, 2]]
    assert torch.equal(of_other_scan[0], before[0])
    assert torch.equal(of_other_scan[1], before[1]) == (timestamp != "gru")


def objective(timestamp="none", **changed):
    masks = MaskSettings("runs", 2, (0.2, 0.3), (0.4, 0.5))
    settings = ObjectiveSettings(masks, "mixer", 8, 0.5, 0.5, 1.0, 1.0, "full", (0.9, 1.0))
    net = encoder(timestamp)
    return JEMA(net, settings._replace(**changed), torch.Generator().manual_seed(1))


def test_the_target_moves_by_its_average_and_by_nothing_else():
    net, b = objective().train(), batch()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    before = {name: t.clone() for name, t in net.target.state_dict().items() if t.is_floating_point()}
    start = {name: t.clone() for name, t in net.encoder.state_dict().items()}
    net.terms(b, torch.Generator().manual_seed(0))["total"].backward()
    assert all(p.grad is None and not p.requires_grad for p in net.target.parameters())
    assert {id(p) for g in optimizer.param_groups for p in g["params"]}.isdisjoint(map(id, net.target.parameters()))
    optimizer.step()
    assert all(torch.equal(net.target.state_dict()[name], t) for name, t in before.items())
    net.after_step(0.0)
    now = net.encoder.state_dict()
    for name, t in before.items():
        torch.testing.assert_close(net.target.state_dict()[name], 0.9 * t + 0.1 * now[name])
    assert any(not torch.equal(start[name], now[name]) for name in before)
    still = {name: t.clone() for name, t in net.target.state_dict().items() if t.is_floating_point()}
    net.after_step(1.0)  # a momentum of 1 ends the movement
    assert all(torch.equal(net.target.state_dict()[name], t) for name, t in still.items())


def context(net, b):
    """What the context encoder was given and what it said, and the losses, for one draw of the masks."""
    seen = {}

    def look(module, args, kwargs, output):
        seen.update(kwargs, output=output)

    handle = net.encoder.register_forward_hook(look, with_kwargs=True)
    losses = net.terms(b, torch.Generator().manual_seed(3))
    handle.remove()
    return seen, losses


@pytest.mark.parametrize("timestamp", TIMESTAMPS)
@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_what_is_hidden_cannot_reach_the_context(timestamp, training):
    net, b = objective(timestamp).train(training), batch()
    seen, losses = context(net, b)
    visible = seen["visible"]
    both = visible[..., None] & visible[..., None, :]
    hidden_edges = context(net, b._replace(adjacency=torch.ones_like(b.adjacency)))[0]["adjacency"] == 0
    assert (~visible).any()
    assert (hidden_edges & both).any()  # edges between nodes that are both visible are hidden too
    free = ~both | hidden_edges
    noise = torch.Generator().manual_seed(9)
    other = torch.where(free, torch.rand(free.shape, generator=noise).round(), b.adjacency)
    activity = torch.where(
        visible[:, :1] if timestamp == "gru" else torch.tensor(True),
        b.activity,
        torch.randn(b.activity.shape, generator=noise),
    )
    found, changed = context(net, b._replace(adjacency=other, activity=activity, correlation=torch.zeros_like(other)))
    assert torch.equal(found["visible"], visible)
    for one, two in zip(seen["output"], found["output"], strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(losses["total"], changed["total"])  # the targets did change
    told = torch.where(both & ~hidden_edges, 1 - b.adjacency, b.adjacency)
    assert not torch.equal(context(net, b._replace(adjacency=told))[0]["output"][-1], seen["output"][-1])


def test_with_a_recurrent_timestamp_hidden_nodes_may_not_change_within_a_clip():
    visible = torch.ones(2, T, N, dtype=torch.bool)
    visible[0, 1, 3] = False
    with pytest.raises(InputError, match="the same nodes must be hidden in all windows of a clip"):
        encoder("gru")(batch(), visible=visible)


@pytest.mark.parametrize("timestamp", TIMESTAMPS)
def test_no_window_is_told_what_comes_after_it(timestamp):
    net, b = encoder(timestamp).eval(), batch()
    activity = b.activity.clone()
    activity[:, int(b.last[0, 2]) + 1 :] += 5
    with torch.no_grad():
        before, after = net(b)[-1], net(b._replace(activity=activity))[-1]
    assert torch.equal(before[:, :3], after[:, :3])
    assert torch.equal(before[:, 3:], after[:, 3:]) == (timestamp != "gru")


windows = st.tuples(st.integers(3, 40), st.integers(1, 40), st.integers(2, 12), st.integers(0, 99))


def drawn(width, stride, n, seed, gap):
    last = torch.stack([width - 1 + stride * torch.arange(n), width + 3 + stride * torch.arange(n)])
    least = least_gap(last, torch.tensor([width, width]), gap)
    found = drawn_neighbours(last, least, torch.Generator().manual_seed(seed))
    flat, scan = last.flatten(), torch.arange(2).repeat_interleave(n)
    for part in (found.before, found.after):
        assert torch.equal(scan[part], scan[found.middle])
    return [flat[part] for part in found]


@settings(max_examples=60, deadline=None)
@given(windows)
def test_full_gaps_share_no_sample(drawing):
    width, stride, n, seed = drawing
    middle, before, after = drawn(width, stride, n, seed, "full")
    assert bool((middle - before >= width).all())
    assert bool((after - middle >= width).all())
    reach = -(-width // stride)  # windows to the next one without a shared sample
    assert middle.numel() == 2 * max(0, n - 2 * reach)


@settings(max_examples=60, deadline=None)
@given(windows)
def test_gaps_of_pairs_share_no_sample_with_each_other(drawing):
    width, stride, n, seed = drawing
    middle, before, after = drawn(width, stride, n, seed, "pair")
    assert bool((after - before >= width).all())
    assert bool(((before < middle) & (middle < after)).all())


@pytest.mark.parametrize("density", [0.05, 0.3, 0.77])
@pytest.mark.parametrize("kind", ["plain", "ties", "nan", "both"])
def test_cuts_are_percentiles_of_all_entries(density, kind):
    x = np.random.default_rng(4).standard_normal((80, 12)).astype(np.float32)
    if kind in ("nan", "both"):
        x[20:60, 3] = 1.0
    fc = correlation_windows(x, np.arange(0, 60, 10), 20)
    if kind in ("ties", "both"):
        fc = np.round(fc, 1)
    with np.errstate(invalid="ignore"):
        expected = np.nanpercentile(fc.reshape(6, -1).astype(np.float64), 100 * (1 - density), axis=1)
    np.testing.assert_allclose(density_cuts(fc, density), expected, rtol=0, atol=1e-6)
    graphs = density_graphs(fc, density)
    clear = ~(np.abs(fc - expected[:, None, None]) < 1e-6)  # entries at the cut may fall on either side by rounding
    edges = fc > expected[:, None, None]
    if kind in ("nan", "both"):
        clear[:, 3, 3] = False  # its loop is kept by policy
    np.testing.assert_array_equal(graphs[clear], edges[clear])


def test_a_region_that_is_constant_in_a_window_keeps_its_loop_and_spoils_no_other():
    x = np.random.default_rng(5).standard_normal((40, 6)).astype(np.float32)
    with_still = x.copy()
    with_still[:20, 2] = 0.5
    fc = correlation_windows(with_still, np.array([0, 20]), 20)
    plain = correlation_windows(x, np.array([0, 20]), 20)
    assert np.isnan(fc[0, 2]).all()
    assert np.isnan(fc[0, :, 2]).all()
    others = np.ix_([0, 1, 3, 4, 5], [0, 1, 3, 4, 5])
    np.testing.assert_array_equal(fc[0][others], plain[0][others])
    np.testing.assert_array_equal(fc[1], plain[1])
    graph = density_graphs(fc, 0.5)[0]
    assert graph[2].tolist() == graph[:, 2].tolist() == [False, False, True, False, False, False]


def test_a_region_that_never_changes_is_named():
    made = scans()
    still = made.scans[1].activity.copy()
    still[:, 4] = 2.0
    with pytest.raises(InputError, match=r"cannot use scan a1(.|\n)*r4(.|\n)*never change"):
        series_of(made.scans[1]._replace(activity=still))


def test_a_batch_is_made_of_its_own_scans_and_windows():
    made = scans()
    found = batch_of(made, Clip(np.array([1, 0]), np.array([[1, 2], [3, 4]])), activity=True)
    one = batch_of(made, Clip(np.array([0]), np.array([[4]])), activity=True)
    assert isinstance(found, Batch)
    assert torch.equal(found.adjacency[1, 1], one.adjacency[0, 0])
    assert found.last[1, 1] == one.last[0, 0] == 4 * STRIDE + WIDTH - 1
