"""Moves of whole segments of states given the latents, with dynamics and transition matrix integrated out.

Bin by bin, states given latents and dynamics hardly move: the dynamics of a state were learnt from its own bins. Here a
segment takes the label from whose other segments its transitions are best predicted, and states are split and merged.
"""

from __future__ import annotations

import numpy as np

from dynome.inference.biclustering.cuts import chain_of, drawn_cuts, share_drawn, state_of
from dynome.inference.biclustering.dynamics import draw_dynamics
from dynome.inference.biclustering.hdp import updated_transitions
from dynome.inference.biclustering.model import Hyper, Labels, State
from dynome.inference.biclustering.moments import evidence_prior, segment_moments
from dynome.inference.biclustering.segment_labels import relabel, sums_of
from dynome.inference.biclustering.state_splits import split_or_merge_states

_SHORTEST = 8.0  # bins a segment, on average where most are cut: single bins are drawn given the dynamics anyway


def updated_segments(
    current: State, starts: Labels, hyper: Hyper, rng: np.random.Generator, *, n_splits: int = 2
) -> State:
    """Relabel segments one after the other, then try splits and merges of states.

    Parameters
    ----------
    current : State
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    hyper : Hyper
    rng : numpy Generator
    n_splits : int
        Splits and merges that are tried.

    Returns
    -------
    State
        With other states; weights, transition matrix and dynamics are drawn given them.

    Notes
    -----
    Collapsed Gibbs sampling over the segments between cuts (`cuts`): a label weighs the predictive density of the
    segment's transitions (matrix t) times the probability of the path (Dirichlet-multinomial).
    """
    n_states = current.weight.size
    cuts = drawn_cuts(current.state, starts, share_drawn(current.state.size, _SHORTEST, rng), rng)
    chain = chain_of(current, starts)
    moments = segment_moments(current.latent, cuts.edge, starts, hyper)
    prior = evidence_prior(moments.gram.shape[-1] // 2, current.state.size, hyper)
    sums = sums_of(cuts.label, moments, n_states)
    order, anything = rng.permutation(cuts.label.size), np.empty(0, dtype=np.int64)
    relabel(cuts, chain, moments, sums, prior, order, np.arange(n_states), anything, rng)
    for _ in range(n_splits):
        split_or_merge_states(cuts, chain, moments, sums, prior, current.weight, hyper.split_launches, rng)
    state = state_of(cuts)
    weight, transition = updated_transitions(state, starts, current.weight, current.concentrations, hyper, rng)
    dynamics = draw_dynamics(current.latent, state, starts, hyper, rng, n_states)
    return current._replace(state=state, weight=weight, transition=transition, dynamics=dynamics)
