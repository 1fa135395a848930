"""What every kernel on a hidden chain takes, checked once: likelihoods, moves, first states, sequences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.errors import InputError, Problems, listed

Array = NDArray[np.float64]

_BATCH = 1 << 18  # bins that are in the working arrays at a time; a sequence is never parted


class Arguments(NamedTuple):
    """Arrays in the layout of the kernels.

    Attributes
    ----------
    log_likelihood : (n_bin, n_state)
        float32 or float64, contiguous.
    moves : (1 or n_bin, n_state, n_state)
        Transition matrices; one if they do not vary.
    first : (n_sequence, n_state)
        Probability of the first state of each sequence.
    starts : (n_sequence + 1,)
    """

    log_likelihood: NDArray[np.floating]
    moves: Array
    first: Array
    starts: NDArray[np.int64]


def checked(
    log_likelihood: NDArray[np.floating], transition: Array, initial: Array, starts: NDArray[np.int64]
) -> Arguments:
    """The arguments of a kernel in its layout, or every problem with them.

    Whether the log likelihoods hold NaN is not looked at here: kernels find it on the way, see `refuse_impossible`.

    Raises
    ------
    InputError
        If shapes disagree, `starts` does not run from 0 to the number of bins in rising order, or the chain holds
        values that are no probabilities.
    """
    problems = Problems("cannot run a hidden Markov chain")
    log_likelihood = np.asarray(log_likelihood)
    if log_likelihood.dtype not in (np.float32, np.float64):
        log_likelihood = log_likelihood.astype(np.float64)
    if log_likelihood.ndim != 2 or not log_likelihood.size:
        problems.add(f"log_likelihood must be (n_bin, n_state), got {log_likelihood.shape}")
        problems.fail(InputError)
    moves, first, starts = chain(transition, initial, starts, problems)
    n_bin, n_state = log_likelihood.shape
    if starts.ndim == 1 and starts.size and starts[-1] != n_bin:
        problems.add(f"starts must end with the number of bins, {n_bin}, got {starts[-1]}")
    if moves.ndim == 3 and moves.shape[1] != n_state:
        problems.add(f"log_likelihood has {n_state} states, the transition matrix has {moves.shape[1]}")
    problems.raise_if_any(InputError)
    return Arguments(np.ascontiguousarray(log_likelihood), moves, first, starts)


def batches(starts: NDArray[np.int64]) -> Iterator[slice]:
    """Runs of sequences that share working arrays, so that many trials take no more of them than a few do."""
    first = 0
    for s in range(1, starts.size):
        if starts[s] - starts[first] >= _BATCH or s + 1 == starts.size:
            yield slice(first, s)
            first = s


def among(a: Arguments, sequences: slice) -> Arguments:
    """The same for some successive sequences alone."""
    bins = slice(a.starts[sequences.start], a.starts[sequences.stop])
    return Arguments(
        a.log_likelihood[bins],
        a.moves[bins] if a.moves.shape[0] > 1 else a.moves,
        a.first[sequences],
        a.starts[sequences.start : sequences.stop + 1] - bins.start,
    )


def chain(
    transition: Array, initial: Array, starts: NDArray[np.int64], problems: Problems
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Moves, first states and starts in the layout of `Arguments`; what is wrong with them is added to `problems`."""
    starts = np.ascontiguousarray(starts, dtype=np.int64)
    moves, first = np.asarray(transition, dtype=np.float64), np.asarray(initial, dtype=np.float64)
    if starts.ndim != 1 or starts.size < 2 or starts[0] != 0 or (np.diff(starts) < 1).any():
        problems.add(
            "starts must hold the first bin of each sequence and then the number of bins: from 0, rising, each "
            f"sequence with a bin at least; got {listed(starts.ravel().tolist())}"
        )
        return moves, first, starts
    moves = moves[None] if moves.ndim == 2 else moves
    if moves.ndim != 3 or moves.shape[1] != moves.shape[2] or moves.shape[0] not in (1, starts[-1]):
        problems.add(
            f"transition must be (n_state, n_state) or ({starts[-1]}, n_state, n_state), got {np.shape(transition)}"
        )
        return moves, first, starts
    n_sequence, n_state = starts.size - 1, moves.shape[1]
    if first.shape not in ((n_state,), (n_sequence, n_state)):
        problems.add(f"initial must be ({n_state},) or ({n_sequence}, {n_state}), got {first.shape}")
        return moves, first, starts
    first = np.ascontiguousarray(np.broadcast_to(first, (n_sequence, n_state)))
    used = np.ones(moves.shape[0], dtype=bool)
    if moves.shape[0] > 1:
        used[starts[:-1]] = False
    for name, rows in (("transition", moves[used] if not used.all() else moves), ("initial", first)):
        off = ~((rows >= 0).all(-1) & (np.abs(rows.sum(-1) - 1) < 1e-6))
        if off.any():
            found = np.array2string(rows[off][0], threshold=8)
            problems.add(
                f"rows of {name} must be probabilities that sum to 1; {off.sum()} are not, the first is {found}"
            )
    return np.ascontiguousarray(moves), first, starts


def refuse_impossible(a: Arguments, evidence: NDArray[np.floating]) -> None:
    """Raise where the evidence of a sequence is not finite, and say why.

    Parameters
    ----------
    evidence : (n_sequence,)

    Raises
    ------
    InputError
        If a log likelihood is NaN or positive infinity, or no path through the states can have made a sequence.
    """
    if np.isfinite(evidence).all():
        return
    problems = Problems("cannot run a hidden Markov chain")
    values = a.log_likelihood
    if wrong := int(np.isnan(values).sum() + np.isposinf(values).sum()):
        problems.add(
            f"{wrong} log likelihoods are NaN or +inf; give a missing bin a row of zeros, and check the parameters"
        )
    else:
        hopeless = np.flatnonzero(np.isneginf(values).all(1))
        bad = np.flatnonzero(~np.isfinite(evidence))
        if hopeless.size:
            problems.add(
                f"bins {listed(hopeless.tolist())} have log likelihood -inf in every state: no state can have made "
                "them; drop impossible observations or give them a row of zeros (missing)"
            )
        else:
            problems.add(
                f"sequences {listed(bad.tolist())} have probability 0: every path through them takes a transition, or "
                "a first state, of probability 0; give forbidden transitions a small probability, or check the labels"
            )
    problems.fail(InputError)
