"""Forward-backward on sixteen segments at once, with one transition matrix for all bins.

Scaling is late: ``v[t] = (v[t-1] P) * likelihood[t] / sum(v[t-1])``, so that the division is off the path that every
bin waits for; ``b[t-1] = P (likelihood[t] * b[t] / sum(v[t-1]))`` and then ``v * b`` is the posterior with no further
normalization, and the sums of ``v`` multiply to the evidence.

A segment that does not open its sequence starts from a uniform guess, and is put right afterwards: from the true
end of the segment before, bins are computed again until they agree with what stands there, to `_AGREE` in every
state. From there on the rest is right as well, because no step of a chain enlarges the ratio between two beliefs
(Birkhoff, doi:10.1090/S0002-9947-1957-0087058-6). On the way back, each segment's end is found by starting some way
inside the next one, and checked when that one is done. A chain that does not forget fails these tests, and its
caller goes one bin at a time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dynome.dynamics.hmm.lanes import LANES, exponent, exponential, get, larger, mantissa, multiply_add, put, splat
from dynome.dynamics.hmm.segments import Segments

Array = NDArray[np.float64]

_AGREE = 1e-13  # relative, of two beliefs
_BLOCK = 32  # bins that are brought into the lanes at a time
_LARGEST = 1e250  # of a backward message: what underflowed on the way forward, below 1e-290, cannot have mattered


class Work(NamedTuple):
    """Arrays with a column a lane; `LANES` segments are a group of rows, and bins follow one another in it.

    Attributes
    ----------
    likelihood, forward : (n_row * n_state, LANES)
    scale : (n_row, LANES)
        One over the sum of `forward`.
    outer : (n_group * n_state, LANES)
        What the forward pass starts from, then the backward message at the last bin.
    inner : (n_group * n_state, LANES)
        The backward message at the first bin.
    bounds : (n_group * LANES, 2)
        First bin and number of bins of every lane.
    """

    likelihood: Array
    forward: Array
    scale: Array
    outer: Array
    inner: Array
    bounds: NDArray[np.int64]


def smooth_abreast(
    log_likelihood: NDArray[np.floating],
    transition: Array,
    first: Array,
    segments: Segments,
    probability: NDArray[np.floating],
    transitions: Array,
    evidence: Array,
) -> bool:
    """Posterior of all segments, written into `probability`, `transitions` (added) and `evidence`.

    Parameters
    ----------
    log_likelihood, probability : (n_bin, n_state)
    transition, transitions : (n_state, n_state)
    first : (n_sequence, n_state)
    segments : Segments
    evidence : (n_sequence,)

    Returns
    -------
    bool
        Whether the results can be trusted. If not (the chain forgets slowly, a probability underflowed where it
        matters, or the input is impossible) they hold anything, and `transitions` is as it was.
    """
    n_state = transition.shape[0]
    n_row, n_group = int(segments.row[-1]), segments.row.size - 1
    opens = np.diff(segments.sequence, prepend=-1) > 0
    outer = np.full((n_group, n_state, LANES), 1.0 / n_state)
    group, lane = np.divmod(segments.place, LANES)
    outer[group[opens], :, lane[opens]] = first[segments.sequence[opens]]
    bounds = np.zeros((n_group * LANES, 2), dtype=np.int64)
    bounds[segments.place, 0], bounds[segments.place, 1] = segments.begin, segments.length
    # One allocation, so that the system may serve it with huge pages: page by page costs as much as the recursions.
    space = np.empty((n_row * (2 * n_state + 1), LANES))
    likelihood, forward, scale = np.split(space, (n_row * n_state, 2 * n_row * n_state))
    inner = np.empty((n_group * n_state, LANES))
    work = Work(likelihood, forward, scale, outer.reshape(-1, LANES), inner, bounds)
    of_segment = np.zeros((n_group, LANES))
    for g in range(n_group):
        _forward(log_likelihood, transition, work, g, segments.row, of_segment[g])
    log_p = of_segment.reshape(-1)[segments.place]
    reach = _join_forward(transition, work, segments, opens, log_p)
    if reach < 0:
        return False
    _join_backward(transition, work, segments, opens, reach)
    joint = np.zeros((n_state, n_state))
    peak = 0.0
    for g in range(n_group):
        peak += _backward(transition, work, g, segments.row, probability, joint)
    # Not a number is not smaller.
    if not (peak < _LARGEST and _agree_backward(transition, work, segments, opens, joint)):
        return False
    transitions += transition * joint
    evidence[:] = np.bincount(segments.sequence, log_p, evidence.size)
    return True


@njit(cache=True, error_model="numpy")
def _load(log_likelihood, likelihood, bounds, row, n_row, top):  # type: ignore[no-untyped-def]
    """Likelihoods of some bins of every lane relative to the best state of the bin; adds the logs of those to `top`."""
    n_state = log_likelihood.shape[1]
    values = log_likelihood.reshape(-1)
    for lane in range(LANES):
        begin = (bounds[lane, 0] + row) * n_state
        n = max(min(n_row, bounds[lane, 1] - row), 0) * n_state
        for m in range(n):
            likelihood[m, lane] = values[begin + m]
        for m in range(n, n_row * n_state):
            likelihood[m, lane] = 0.0
    total = get(top, 0)
    for k in range(0, n_row * n_state, n_state):
        best = get(likelihood, k)
        for j in range(1, n_state):
            best = larger(get(likelihood, k + j), best)
        total = total + best
        for j in range(n_state):
            put(likelihood, k + j, exponential(get(likelihood, k + j) - best))
    put(top, 0, total)


@njit(cache=True, error_model="numpy")
def _forward(log_likelihood, p, work, group, rows, log_p):  # type: ignore[no-untyped-def]
    """Fill `likelihood`, `forward` and `scale` of a group; `log_p` is the evidence of each lane."""
    n_state = p.shape[0]
    first, n_row = rows[group], rows[group + 1] - rows[group]
    outer = work.outer[group * n_state : (group + 1) * n_state]
    bounds = work.bounds[group * LANES : (group + 1) * LANES]
    top, kept = np.zeros((1, LANES)), np.empty((2, LANES))
    one, product, power = splat(1.0), splat(1.0), splat(0.0)
    last = LANES - 1
    for block in range(0, n_row, _BLOCK):
        n = min(_BLOCK, n_row - block)
        now = (first + block) * n_state
        _load(log_likelihood, work.likelihood[now : now + n * n_state], bounds, block, n, top)
        for k in range(first + block, first + block + n):
            now, before = k * n_state, (k - 1) * n_state
            total = splat(0.0)
            for j in range(n_state):
                if k == first:
                    v = get(outer, j) * get(work.likelihood, now + j)
                else:
                    v = splat(p[0, j]) * get(work.forward, before)
                    for i in range(1, n_state):
                        v = multiply_add(splat(p[i, j]), get(work.forward, before + i), v)
                    v = v * (get(work.likelihood, now + j) * get(work.scale, k - 1))
                put(work.forward, now + j, v)
                total = total + v
            put(work.scale, k, one / total)
            product = product * total
            power = power + exponent(product)
            product = mantissa(product)
            put(kept, 0, product)
            put(kept, 1, power)
            while last >= 0 and bounds[last, 1] <= k - first + 1:
                log_p[last] = np.log(kept[0, last]) + np.log(2.0) * kept[1, last]
                last -= 1
    for lane in range(LANES):
        log_p[lane] += top[0, lane]


@njit(cache=True, error_model="numpy")
def _join_forward(p, work, segments, opens, log_p):  # type: ignore[no-untyped-def]
    """Put the guessed beginnings right; the number of bins that the chain needed to forget, or -1."""
    n_state = p.shape[0]
    reach = 0
    for c in range(opens.size):
        if opens[c]:
            continue
        place, before = segments.place[c], segments.place[c - 1]
        lane, k = place % LANES, segments.row[place // LANES]
        lane_before = before % LANES
        k_before = segments.row[before // LANES] + segments.length[c - 1] - 1
        for n in range(segments.length[c]):
            now, was = k * n_state, k_before * n_state
            total, agree = 0.0, True
            for j in range(n_state):
                v = 0.0
                for i in range(n_state):
                    v += p[i, j] * work.forward[was + i, lane_before]
                v *= work.likelihood[now + j, lane] * work.scale[k_before, lane_before]
                agree &= abs(v - work.forward[now + j, lane]) <= _AGREE * v
                work.forward[now + j, lane] = v
                total += v
            log_p[c] += np.log(total * work.scale[k, lane])
            work.scale[k, lane] = 1.0 / total
            if agree:
                reach = max(reach, n + 1)
                break
            if 2 * n > segments.length[c]:
                return -1
            k_before, lane_before, k = k, lane, k + 1
    return reach


@njit(cache=True, error_model="numpy")
def _step_back(p, work, k, lane, scale, message, out):  # type: ignore[no-untyped-def]
    """Backward message one bin before row `k`; `message` is left weighted by the likelihood of the bin."""
    n_state = p.shape[0]
    for j in range(n_state):
        message[j] *= work.likelihood[k * n_state + j, lane] * scale
    for i in range(n_state):
        v = 0.0
        for j in range(n_state):
            v += p[i, j] * message[j]
        out[i] = v


@njit(cache=True, error_model="numpy")
def _join_backward(p, work, segments, opens, reach):  # type: ignore[no-untyped-def]
    """Backward message at the last bin of every segment, into `outer`, from well inside the next segment."""
    n_state = p.shape[0]
    message, out = np.empty(n_state), np.empty(n_state)
    for c in range(opens.size):
        place = segments.place[c]
        lane, start = place % LANES, (place // LANES) * n_state
        end = segments.row[place // LANES] + segments.length[c] - 1
        for j in range(n_state):
            out[j] = 1.0
        if c + 1 < opens.size and not opens[c + 1]:
            following = segments.place[c + 1]
            row, lane_after = segments.row[following // LANES], following % LANES
            for k in range(row + min(2 * reach + _BLOCK, segments.length[c + 1]) - 1, row - 1, -1):
                for j in range(n_state):
                    message[j] = out[j]
                scale = work.scale[k - 1, lane_after] if k > row else work.scale[end, lane]
                _step_back(p, work, k, lane_after, scale, message, out)
        total = 0.0
        for j in range(n_state):
            total += work.forward[end * n_state + j, lane] * out[j]
        for j in range(n_state):
            work.outer[start + j, lane] = out[j] / total


@njit(cache=True, error_model="numpy")
def _add_products(work, start, stop, n_state, products):  # type: ignore[no-untyped-def]
    """Add over the rows what times the transition matrix is the expected transitions, to ``(n_state ** 2, LANES)``."""
    for i in range(n_state):
        for j in range(n_state):
            v = get(products, i * n_state + j)
            for k in range(start * n_state, stop * n_state, n_state):
                v = multiply_add(get(work.forward, k - n_state + i), get(work.likelihood, k + j), v)
            put(products, i * n_state + j, v)


@njit(cache=True, error_model="numpy")
def _add_lanes(values, total):  # type: ignore[no-untyped-def]
    for k in range(total.size):
        for lane in range(LANES):
            total[k] += values[k, lane]


@njit(cache=True, error_model="numpy")
def _unload(posterior, bounds, row, n_row, n_state, out):  # type: ignore[no-untyped-def]
    for lane in range(LANES):
        begin = (bounds[lane, 0] + row) * n_state
        for m in range(max(min(n_row, bounds[lane, 1] - row), 0) * n_state):
            out[begin + m] = posterior[m, lane]


@njit(cache=True, error_model="numpy")
def _backward(p, work, group, rows, probability, joint):  # type: ignore[no-untyped-def]
    """Posterior of a group; adds to `joint` what times `p` is the expected transitions; the sum of all messages."""
    n_state = p.shape[0]
    first, n_row = rows[group], rows[group + 1] - rows[group]
    start = group * n_state
    bounds = work.bounds[group * LANES : (group + 1) * LANES]
    out = probability.reshape(-1)
    message, posterior = np.zeros((n_state, LANES)), np.empty((_BLOCK * n_state, LANES))
    products, peak = np.zeros((n_state * n_state, LANES)), np.zeros((1, LANES))
    entered = 0
    for block in range((n_row - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
        n = min(_BLOCK, n_row - block)
        for k in range(first + block + n - 1, first + block - 1, -1):
            now = k * n_state
            while entered < LANES and bounds[entered, 1] > k - first:
                for j in range(n_state):
                    message[j, entered] = work.outer[start + j, entered]
                entered += 1
            for j in range(n_state):
                b = get(message, j)
                put(peak, 0, get(peak, 0) + b)
                put(posterior, now - (first + block) * n_state + j, get(work.forward, now + j) * b)
            if k == first:
                for j in range(n_state):
                    put(work.inner, start + j, get(message, j))
                continue
            scale = get(work.scale, k - 1)
            for j in range(n_state):
                put(work.likelihood, now + j, get(work.likelihood, now + j) * scale * get(message, j))
            for i in range(n_state):
                b = splat(p[i, 0]) * get(work.likelihood, now)
                for j in range(1, n_state):
                    b = multiply_add(splat(p[i, j]), get(work.likelihood, now + j), b)
                put(message, i, b)
        _add_products(work, max(first + block, first + 1), first + block + n, n_state, products)
        _unload(posterior, bounds, block, n, n_state, out)
    largest = np.zeros(1)
    _add_lanes(products, joint.reshape(-1))
    _add_lanes(peak, largest)
    return largest[0]


@njit(cache=True, error_model="numpy")
def _agree_backward(p, work, segments, opens, joint):  # type: ignore[no-untyped-def]
    """Whether segments ended with the messages of their neighbours; adds the transitions between segments."""
    n_state = p.shape[0]
    message, out = np.empty(n_state), np.empty(n_state)
    for c in range(opens.size - 1):
        if opens[c + 1]:
            continue
        place, following = segments.place[c], segments.place[c + 1]
        lane, end = place % LANES, segments.row[place // LANES] + segments.length[c] - 1
        for j in range(n_state):
            message[j] = work.inner[following // LANES * n_state + j, following % LANES]
        row = segments.row[following // LANES]
        _step_back(p, work, row, following % LANES, work.scale[end, lane], message, out)
        off = 0.0
        for i in range(n_state):
            v = work.forward[end * n_state + i, lane]
            off += v * abs(out[i] - work.outer[place // LANES * n_state + i, lane])
            for j in range(n_state):
                joint[i, j] += v * message[j]
        if not off < 10 * _AGREE:
            return False
    return True
