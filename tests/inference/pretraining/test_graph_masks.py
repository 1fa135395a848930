"""Evidence for masks, neighbours in time and decoders: what they hide, and that short cuts give the plain numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import gelu

from dynome.errors import InputError, Problems
from dynome.inference.pretraining.averaging import follow
from dynome.inference.pretraining.decoders import Canvas, GINDecoder, MixerDecoder, MLPDecoder
from dynome.inference.pretraining.edge_losses import block_edges, edge_loss, pair_logits
from dynome.inference.pretraining.masks import (
    Masks,
    MaskSettings,
    add_mask_problems,
    drawn_masks,
    slots_of,
    visible_edges,
    visible_nodes,
)
from dynome.inference.pretraining.neighbours import drawn_neighbours, nearest_neighbours
from dynome.inference.pretraining.spread import spread_of

K, B, T, N, D = 3, 2, 4, 10, 6


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def masks(seed=0, **options):
    return drawn_masks((B, T), N, MaskSettings(n_masks=K, **options), stream(seed))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_run_is_consecutive_and_of_the_length_asked_for(seed):
    found = masks(seed, node_ratio=(0.2, 0.4), edge_ratio=(0.3, 0.3))
    for part, sizes in ((found.nodes, {0, 2, 3, 4}), (found.rows, {3}), (found.columns, {3})):
        assert set(part.sum(-1).unique().tolist()) <= sizes
        assert int((part.int().diff(dim=-1) == 1).sum(-1).max()) <= 1  # no run begins twice
    assert bool(visible_nodes(found).any(-1).all())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_masks_never_hide_a_whole_window(seed):
    found = masks(seed, by="random", node_ratio=(0.8, 0.8))
    assert bool(visible_nodes(found).any(-1).all())
    assert bool((found.nodes.sum(-1)[0] == 8).all())


def test_a_mask_of_networks_hides_whole_networks():
    network = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 1])
    found = drawn_masks((B, T), N, MaskSettings("network", K), stream(), network=network)
    for part in (found.nodes, found.rows, found.columns):
        for name in range(3):
            inside = part[..., network == name]
            assert bool((inside.all(-1) | ~inside.any(-1)).all())
    assert len(found.rows.flatten(0, 2).unique(dim=0)) == 3


def test_shared_masks_are_the_same_in_all_windows_of_a_clip_and_others_are_not():
    settings = MaskSettings(n_masks=K)
    shared = drawn_masks((B, T), 40, settings, stream(), shared=True)
    own = drawn_masks((B, T), 40, settings, stream())
    assert all(bool((part == part[:, :, :1]).all()) for part in shared)
    assert not bool((own.nodes == own.nodes[:, :, :1]).all())


def test_hidden_blocks_are_hidden_both_ways_and_nothing_else_is():
    found = masks(3, edge_ratio=(0.3, 0.3))
    whole = torch.ones(B, T, N, N)
    left = visible_edges(whole, found)
    assert torch.equal(left, left.mT)
    for b in range(B):
        for t in range(T):
            expected = np.ones((N, N), bool)
            for k in range(K):
                block = np.outer(found.rows[k, b, t], found.columns[k, b, t])
                expected &= ~(block | block.T)
            np.fill_diagonal(expected, True)
            np.testing.assert_array_equal(left[b, t].numpy() > 0, expected)


def test_settings_of_masks_are_told_of_all_at_once():
    problems = Problems("no")
    add_mask_problems(MaskSettings("blocks", 0, (0.5, 0.2), (0.1, 1.0)), problems)
    with pytest.raises(InputError, match=r"mask_by must be one of(.|\n)*n_masks(.|\n)*node_ratio(.|\n)*edge_ratio"):
        problems.raise_if_any(InputError)


def test_neighbours_are_drawn_evenly_among_all_that_are_far_enough():
    last = torch.arange(9).expand(600, 9) * 5
    found = drawn_neighbours(last, torch.full((600,), 10), stream())
    middle, after = found.middle % 9, found.after % 9
    counts = torch.bincount(after[middle == 4], minlength=9)
    assert counts[:6].sum() == 0
    assert bool((counts[6:] > 150).all())


def test_the_nearest_usable_window_is_never_on_the_wrong_side_while_the_right_one_has_some():
    usable = torch.tensor([[True, False, False, True, False], [False, False, True, False, False]])
    found = nearest_neighbours(torch.arange(5).expand(2, 5), usable)
    assert found.before.tolist() == [0, 0, 0, 3, 3, 7, 7, 7, 7, 7]
    assert found.after.tolist() == [0, 3, 3, 3, 3, 7, 7, 7, 7, 7]


def canvas(constant, seed=0):
    g, found = stream(seed), masks(seed, by="random", node_ratio=(0.3, 0.3))
    visible = visible_nodes(found).flatten(0, 1)
    shape = (D,) if constant else (B * T, N, D)
    seen, fill = torch.randn(B * T, N, D, generator=g), torch.randn(shape, generator=g)
    adjacency = (torch.rand(B * T, N, N, generator=g) < 0.5).float()
    return Canvas(seen, visible, found.nodes.flatten(1, 2), fill, adjacency)


def contents(c):
    """Slots of every mask before decoding, the plain way."""
    fill = c.fill.expand(B * T, N, D)
    return c.seen * c.visible[..., None] + c.mask[..., None] * fill


def channels(net, y):
    return net.out(y + net.narrow(gelu(net.wide(net.norm(y)))))


@pytest.mark.parametrize("constant", [True, False])
def test_a_mixer_that_shares_and_skips_gives_the_numbers_of_the_plain_one(constant):
    net, c = MixerDecoder(N, D, 5, token_hidden=7, generator=stream(1)), canvas(constant)
    x = contents(c)
    filled = (c.visible | c.mask)[..., None]
    tokens = gelu(net.tokens_in.weight @ (net.token_norm(x) * filled) + net.tokens_in.bias[:, None])
    plain = channels(net.channels, x + net.tokens_out.weight @ tokens + net.tokens_out.bias[:, None])
    slots = slots_of(c.mask)
    expected = plain.gather(2, slots.place[..., None].expand(-1, -1, -1, 5))
    torch.testing.assert_close(net(c, slots)[slots.valid], expected[slots.valid])
    some = torch.tensor([5, 0, 5])
    wanted = slots_of(torch.rand(K, 3, N, generator=stream(2)) < 0.5)
    if constant:
        told = net.at(c, net.mix(c), wanted, some)
        there = plain[:, some].gather(2, wanted.place[..., None].expand(-1, -1, -1, 5))
        torch.testing.assert_close(told[wanted.valid], there[wanted.valid])


@pytest.mark.parametrize("decoder", [MixerDecoder, MLPDecoder, GINDecoder])
def test_no_decoder_hears_of_what_is_in_a_hidden_slot(decoder):
    options = {"token_hidden": 7} if decoder is MixerDecoder else {}
    nodes = (N,) if decoder is MixerDecoder else ()
    net, c = decoder(*nodes, D, 5, generator=stream(1), **options), canvas(True)
    other = c._replace(seen=torch.where(c.visible[..., None], c.seen, 99.0))
    slots = slots_of(c.mask)
    assert torch.equal(net(c, slots), net(other, slots))


def test_edges_of_blocks_are_those_of_the_matrix_and_self_loops_do_not_count():
    found = Masks(*(part.flatten(1, 2) for part in masks(5)))
    whole = (torch.rand(B * T, N, N, generator=stream()) < 0.4).float()
    rows, columns = slots_of(found.rows), slots_of(found.columns)
    edges, counted = block_edges(whole, rows, columns)
    h = torch.randn(K, B * T, N, D, generator=stream())

    def of(s):
        return h.gather(2, s.place[..., None].expand(-1, -1, -1, D))

    loss = edge_loss(pair_logits(of(rows), of(columns)), edges, counted)
    probability = (h @ h.mT / D**0.5).sigmoid()
    block = (found.rows[..., :, None] & found.columns[..., None, :]) & ~torch.eye(N, dtype=torch.bool)
    expected = -torch.where(whole > 0, probability, 1 - probability).log()[block].mean()
    torch.testing.assert_close(loss, expected)


def test_following_is_a_weighted_mean_and_counts_are_copied():
    one, other = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    other(torch.randn(5, 2, generator=stream()))
    expected = 0.75 * one.running_mean + 0.25 * other.running_mean
    follow(one, other, 0.75)
    torch.testing.assert_close(one.running_mean, expected)
    assert int(one.num_batches_tracked) == 1


def test_spread_counts_the_directions_in_which_a_node_changes():
    names = 10 * torch.randn(1, 5, 4, generator=stream())
    moves = torch.randn(400, 5, 2, generator=stream()) @ torch.eye(4)[:2]
    found = spread_of(names + moves)
    assert found.effective_rank == pytest.approx(2, abs=0.05)
    assert 0 < found.changing < 0.1
    assert spread_of(names.expand(7, 5, 4)).effective_rank == 0
