"""Forward-backward in parallel over time, for graphics cards: a blocked scan in torch.

Every bin is an operator, ``P diag(likelihood)``; a bin that opens a sequence is one of rank one that forgets the past,
so that sequences of any lengths are one chain. Time is cut into blocks of equal length. All blocks advance together:
first as products of operators, then a scan over blocks joins those, then the vectors run again inside the blocks from
the right beginnings and ends. That is more arithmetic than one bin after another (``n_state`` times, for the
products), and about the square root of the number of bins in dependent steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynome.device import resolve
from dynome.dynamics.hmm.arguments import Arguments, checked, refuse_impossible
from dynome.dynamics.hmm.smoothing import Posterior, smooth
from dynome.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float64]

_SHORTER = 16  # blocks are this much shorter than the square root of the number of bins: launches cost more than work
_LARGEST = {"float32": 1e25, "float64": 1e250}  # of a backward message, see `dynome.dynamics.hmm.one_by_one`
_AGREE = {"float32": 1e-4, "float64": 1e-10}  # of the beliefs on both sides of the edge of a block


def smooth_accelerated(
    log_likelihood: NDArray[np.floating],
    transition: Array,
    initial: Array,
    starts: NDArray[np.int64],
    device: str = "auto",
) -> Posterior:
    """`dynome.dynamics.hmm.smoothing.smooth` on a graphics card.

    Parameters
    ----------
    log_likelihood, transition, initial, starts
        As in `smooth`. Arithmetic is in the dtype of the log likelihood; the evidence is summed in float64.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``. Apple's has no float64 and is refused. On a CPU `smooth` is
        faster; this runs there to be tested.

    Returns
    -------
    Posterior
        Arrays of numpy. Where a chain is too nearly deterministic for the blocks to meet, the result is that of
        `smooth`.

    Raises
    ------
    InputError
        As `smooth` does, and for a device that is not there.

    Notes
    -----
    After Särkkä & García-Fernández [1]_, with blocks; the backward pass is written out, not differentiated.

    References
    ----------
    .. [1] IEEE Trans. Automatic Control 66, 2021, doi:10.1109/TAC.2020.2976316.
    """
    a = checked(log_likelihood, transition, initial, starts)
    place = resolve(device)
    if place.startswith("mps"):
        raise InputError("Apple's graphics cards have no float64: take device='cpu' or 'cuda', or `smooth`")
    found = _blocked(a, place)
    if found is None:
        return smooth(log_likelihood, transition, initial, starts)
    refuse_impossible(a, found.evidence)
    return found


class _Chain(NamedTuple):
    """Bins as (bin of the block, block, ...), so that what advances together lies together."""

    likelihood: Tensor  # (length, n_block, n_state)
    opens: Tensor  # (length, n_block, 1), whether a sequence opens here
    first: Tensor  # (length, n_block, n_state), what it opens with
    moves: Tensor  # (n_state, n_state) or (length, n_block, n_state, n_state)

    def into(self, k: int) -> Tensor:
        """Moves into bin `k` of every block."""
        return self.moves if self.moves.ndim == 2 else self.moves[k]


def _blocked(a: Arguments, device: str) -> Posterior | None:
    """None if the result cannot be trusted."""
    import torch

    n_bin, n_state = a.log_likelihood.shape
    kind = str(a.log_likelihood.dtype)
    a = a._replace(
        first=a.first.copy(), moves=a.moves.copy(), log_likelihood=np.require(a.log_likelihood, requirements="W")
    )
    if a.moves.shape[0] > 1:
        a.moves[a.starts[:-1]] = 1.0 / n_state  # not read, and perhaps not a number
    values = torch.as_tensor(a.log_likelihood, device=device)
    top = values.amax(1, keepdim=True)
    chain = _chain(a, torch.exp(values - top))
    before, ends = _joined(chain)
    entry = torch.cat([before.new_full((1, n_state), 1.0 / n_state), before[:-1]])
    forward, total = _forward(chain, entry)
    posterior, weighted, opening, peak = _backward(chain, forward, total, ends)
    apart = (forward[-1] - before).abs().sum(1).max()
    if before.shape[0] > 1:
        scale = (forward[-1, :-1] * ends[:-1]).sum(1, keepdim=True)
        apart = apart.maximum((forward[-1, :-1] * (opening[1:] - ends[:-1] / scale)).abs().sum(1).max())
    # Not a number is not smaller.
    if not (float(peak) < _LARGEST[kind] and float(apart) < _AGREE[kind]):
        return None
    counted = _counted(_unblocked(forward, n_bin)[:-1].double(), _unblocked(weighted, n_bin)[1:].double(), a.moves)
    log_p = torch.log(_unblocked(total, n_bin).double()) + top.double()
    evidence = np.add.reduceat(log_p[:, 0].cpu().numpy(), a.starts[:-1])
    return Posterior(_unblocked(posterior, n_bin).cpu().numpy(), counted, evidence)


def _chain(a: Arguments, likelihood: Tensor) -> _Chain:
    import torch

    n_bin, n_state = likelihood.shape
    length = max(int(np.sqrt(n_bin)) // _SHORTER, 1)
    padding = -n_bin % length

    def blocked(x: Tensor, fill: float) -> Tensor:
        x = torch.cat([x, x.new_full((padding, *x.shape[1:]), fill)])
        return x.reshape(-1, length, *x.shape[1:]).transpose(0, 1).contiguous()

    opens = torch.zeros((n_bin, 1), dtype=torch.bool, device=likelihood.device)
    first = torch.zeros_like(likelihood)
    where = torch.tensor(a.starts[:-1], device=likelihood.device)
    opens[where] = True
    first[where] = torch.as_tensor(a.first, device=likelihood.device).to(likelihood.dtype)
    moves = torch.as_tensor(a.moves, device=likelihood.device).to(likelihood.dtype)
    # The bins that fill the last block are sequences of their own that say nothing.
    return _Chain(
        blocked(likelihood, 1.0),
        blocked(opens, True),
        blocked(first, 1.0 / n_state),
        moves[0] if moves.shape[0] == 1 else blocked(moves, 1.0 / n_state),
    )


def _unblocked(x: Tensor, n_bin: int) -> Tensor:
    return x.transpose(0, 1).reshape(-1, *x.shape[2:])[:n_bin]


def _advanced(chain: _Chain, k: int, x: Tensor) -> Tensor:
    """Rows of beliefs, (n_block, n_row, n_state), taken through bin `k` of every block."""
    import torch

    onward = torch.where(chain.opens[k][:, None], x.sum(-1, keepdim=True) * chain.first[k][:, None], x @ chain.into(k))
    return onward * chain.likelihood[k][:, None]


def _joined(chain: _Chain) -> tuple[Tensor, Tensor]:
    """Belief at the last bin of every block, given the past, and message there from the future: (n_block, n_state)."""
    import torch

    length, n_block, n_state = chain.likelihood.shape
    operator = torch.eye(n_state, dtype=chain.likelihood.dtype, device=chain.likelihood.device).repeat(n_block, 1, 1)
    for k in range(length):
        operator = _advanced(chain, k, operator)
        operator = operator / operator.amax((1, 2), keepdim=True)
    before, after = _scanned(operator).sum(1), _scanned(operator.flip(0).mT).flip(0).sum(1)
    ends = torch.cat([after[1:], torch.ones_like(after[:1])])
    return before / before.sum(1, keepdim=True), ends


def _scanned(operator: Tensor) -> Tensor:
    """Product of each operator and all before it, scaled (Hillis & Steele)."""
    import torch

    step = 1
    while step < operator.shape[0]:
        joined = operator[:-step] @ operator[step:]
        operator = torch.cat([operator[:step], joined / joined.amax((1, 2), keepdim=True)])
        step *= 2
    return operator


def _forward(chain: _Chain, belief: Tensor) -> tuple[Tensor, Tensor]:
    """Filtered probabilities and their sums before normalization, from beliefs at the beginning of blocks."""
    import torch

    forward, total = torch.empty_like(chain.likelihood), torch.empty_like(chain.likelihood[..., :1])
    for k in range(forward.shape[0]):
        belief = _advanced(chain, k, belief[:, None])[:, 0]
        total[k] = belief.sum(1, keepdim=True)
        belief = belief / total[k]
        forward[k] = belief
    return forward, total


def _backward(chain: _Chain, forward: Tensor, total: Tensor, message: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Posterior, weighted messages (0 where a sequence opens), messages before the blocks, and the largest message."""
    import torch

    posterior, weighted = torch.empty_like(forward), torch.empty_like(forward)
    message = message / (forward[-1] * message).sum(1, keepdim=True)
    peak = message.max()
    for k in range(forward.shape[0] - 1, -1, -1):
        posterior[k] = forward[k] * message
        step = chain.likelihood[k] * message / total[k]
        weighted[k] = step.masked_fill(chain.opens[k], 0.0)
        message = (chain.into(k) @ step[..., None])[..., 0].masked_fill(chain.opens[k], 1.0)
        peak = peak.maximum(message.max())
    return posterior, weighted, message, peak


def _counted(past: Tensor, step: Tensor, moves: Array) -> Array:
    """Expected transitions."""
    import torch

    p = torch.as_tensor(moves, device=past.device)
    if p.shape[0] == 1:
        return np.asarray((p[0] * (past.mT @ step)).cpu())
    return np.asarray(torch.einsum("ti,tij,tj->ij", past, p[1:], step).cpu())
