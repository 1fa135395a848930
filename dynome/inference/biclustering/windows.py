r"""Latents of Poisson counts, drawn and corrected window by window.

Latents are drawn given the auxiliary variables of the law that stands in for the Poisson law, and accepted with the
probability :math:`\min(1, e^{\sum w(\psi') - w(\psi)})` of `dynome.inference.biclustering.poisson`: exact. The sum
over a whole recording would reject nearly everything. So they are drawn in windows between fences, bins that keep
theirs, at other places every time. Given the fences windows do not depend on each other, nor do clusters if the
dynamics are not coupled: each is accepted or not by its own sum.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dynome.inference.biclustering.model import Array, Data, Labels, State
from dynome.inference.biclustering.observations import predictor
from dynome.inference.biclustering.paths import draw_windows
from dynome.inference.biclustering.poisson import poisson_log_ratio, stand_in

_DECIDING: Final = 4000  # observations that are accepted together: about .7 of such proposals are
_NARROWEST, _WIDEST = 5, 50


def corrected_latent(
    current: State,
    data: Data,
    precision: Array,
    linear: Array,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
) -> tuple[Array, float]:
    """Draw latents of Poisson counts, window by window.

    Parameters
    ----------
    current : State
    data : Data
    precision, linear
        As `dynome.inference.biclustering.paths.statistics` returns them, of auxiliary variables drawn at `current`.
    rng : numpy Generator
    temperature : float
        Power of the likelihood.

    Returns
    -------
    latent : (n_bin, n_cluster, q)
    acceptance : float
        Share of the windows that are accepted.

    Examples
    --------
    A node of which nothing is known: the prior is drawn.

    >>> from dynome.inference.biclustering.model import Concentrations, Dynamics
    >>> one = np.ones((1, 1, 1, 1))
    >>> current = State(
    ...     np.zeros(1, int), np.zeros((1, 1)), np.zeros((2, 1, 1)), np.ones(1), np.zeros(2, int),
    ...     Dynamics(one, one[0], one), np.ones(1), one[0, 0], Concentrations(), np.ones((1, 0), bool),
    ... )
    >>> data = Data(np.full((1, 2), np.nan), np.array([0, 1, 2]), "poisson")
    >>> nothing = np.zeros((2, 1, 1, 1)), np.zeros((2, 1, 1))
    >>> corrected_latent(current, data, *nothing, np.random.default_rng(0))[1]
    1.0
    """
    n_groups = current.dynamics.matrix.shape[1]
    windows = _windows(data.y.shape[1], _width(data.y.shape[0] / n_groups), rng)
    old = current.latent
    new = draw_windows(windows, old, precision, linear, current.state, current.dynamics, data.starts, rng)
    new_psi, old_psi = (predictor(current.coefficient, latent, current.cluster) for latent in (new, old))
    ratio = temperature * poisson_log_ratio(data.y, new_psi, old_psi, stand_in(data.y))
    group = current.cluster if n_groups > 1 else np.zeros_like(current.cluster)
    by_group = (group == np.arange(n_groups)[:, None]) @ ratio
    log_ratio = np.add.reduceat(by_group, windows[:, 0], axis=1)  # fences add 0
    accepted = np.log(rng.random(log_ratio.shape)) < log_ratio
    kept = np.zeros((n_groups, data.y.shape[1]), dtype=bool)
    for (begin, end), takes in zip(windows, accepted.T, strict=True):
        kept[:, begin:end] = takes[:, None]
    grouped = (old.shape[0], n_groups, -1)
    latent = np.where(kept.T[:, :, None], new.reshape(grouped), old.reshape(grouped)).reshape(old.shape)
    return latent, float(accepted.mean())


def _width(nodes: float) -> int:
    """Bins of a window, fewer where more nodes decide together."""
    return int(np.clip(_DECIDING / nodes, _NARROWEST, _WIDEST))


def _windows(n_bin: int, width: int, rng: np.random.Generator) -> Labels:
    """Windows between fences of one bin, at a random place; one window if it holds all bins."""
    if n_bin <= width:
        return np.array([[0, n_bin]])
    fence = np.concatenate([[-1], np.arange(rng.integers(width + 1), n_bin, width + 1), [n_bin]])
    out = np.stack([fence[:-1] + 1, fence[1:]], axis=1)
    return out[out[:, 0] < out[:, 1]]
