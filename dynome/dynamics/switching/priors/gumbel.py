r"""The relaxed one-hot prior of the paper, for comparison with `one_hot`: codes of edges on the simplex, by gradient.

A coupling is :math:`W = (a_{exc} - a_{inh})\, \mathrm{softplus}(r)` with :math:`a = \mathrm{softmax}(\theta)`, whose
density is Concrete with location :math:`A_0 = \mathrm{softmax}(\phi)` and temperature :math:`\tau` (Maddison et al.
2017, arXiv:1611.00712; in the HMM-GLM: Li et al. 2024, arXiv:2310.15263):

.. math::
    \log p(a) = \log 2 + 2 \log \tau - 3 \log \sum_k A_{0k} a_k^{-\tau} + \sum_k (\log A_{0k} - (\tau + 1) \log a_k)

In the M-step the likelihood is evaluated at relaxed samples :math:`\mathrm{softmax}((\theta + g) / \tau_w)` with Gumbel
noise g, one a step, and followed by Adam; elsewhere at :math:`\mathrm{softmax}(\theta)`. The objective is therefore
*not* monotone, and the density has no maximum: it grows without limit towards codes of 0 and 1, so logits are guarded.

The EM calls `GumbelPrior.moved` before it asks for `quadratic`, which then pins the couplings to the codes while the
Fisher step moves bias and covariates.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from dynome import seeds
from dynome.dynamics.switching.priors.contract import Array, Gradient, Labelled, Prior, Quadratic, check_positive
from dynome.dynamics.switching.priors.strengths import CLASSES

_PIN = 1e8  # precision that leaves couplings no choice
_START = 1.5  # logit of the class that a coupling has at the start
_WEAK = 0.02  # smallest strength at the start
_LEAST = -20.0  # log probability at which logits are halved, as in the paper's code
_TOLD = 2.0  # pseudo-states that a connectome is worth
_DECAY = (0.9, 0.999)  # of Adam's moments


class Codes(NamedTuple):
    """What is moved by gradient.

    Attributes
    ----------
    logits : (state, target, source, 3)
        Of the classes in each state.
    strength : (state, target, source, basis)
        Softplus makes it a strength.
    shared : (target, source, 3)
        Logits of the table that states share.
    """

    logits: Array
    strength: Array
    shared: Array


class GumbelBelief(NamedTuple):
    """Codes, the moments of Adam, and what is fixed.

    Attributes
    ----------
    codes, first, second : Codes
    n_step : int
        Steps so far.
    free : (target, source) of bool
        Edges that exist; the diagonal has a class like any edge.
    told : (target, source, 3) or None
        Class probabilities from a connectome.
    """

    codes: Codes
    first: Codes
    second: Codes
    n_step: int
    free: NDArray[np.bool_]
    told: Array | None


class GumbelPrior(Prior):
    """Relaxed codes of edges, learnt by stochastic gradient: the paper's way, kept for comparison.

    Parameters
    ----------
    temperature : float
        Of the prior density.
    sample_temperature : float
        Of the samples in the M-step.
    n_steps : int
        Of Adam in each M-step.
    learning_rate : float
        Of Adam.
    random_state : int
        Seed of the samples.
    """

    learns: ClassVar[bool] = False
    takes_connectome: ClassVar[bool] = True

    def __init__(
        self,
        temperature: float = 0.2,
        sample_temperature: float = 0.2,
        n_steps: int = 50,
        learning_rate: float = 0.01,
        random_state: int = 0,
    ) -> None:
        self.temperature = temperature
        self.sample_temperature = sample_temperature
        self.n_steps = n_steps
        self.learning_rate = learning_rate
        self.random_state = random_state

    def check(self) -> None:
        """See `Prior.check`."""
        check_positive(self, "temperature", "sample_temperature", "n_steps", "learning_rate")

    def start(self, coupling: Array, free: NDArray[np.bool_], prior_class: Array | None = None) -> GumbelBelief:
        """Codes that give the couplings at hand."""
        total = coupling.sum(3)
        logits = np.sign(total)[..., None] * np.array([-_START, 0.0, _START])
        sharpness = np.abs(_sign_of(softmax(logits, axis=3)))[..., None]
        along = np.maximum(coupling * np.sign(total)[..., None], _WEAK) / np.where(sharpness > 0, sharpness, 1.0)
        shared = np.zeros((*total.shape[1:], 3)) if prior_class is None else np.log(np.maximum(prior_class, 1e-6))
        codes = Codes(logits, np.log(np.expm1(along)), shared)
        nothing = Codes(*(np.zeros_like(x) for x in codes))
        return GumbelBelief(codes, nothing, nothing, 0, free & (coupling.shape[3] > 0), prior_class)

    def refined(self, coupling: Array, variance: Array | None, belief: GumbelBelief) -> GumbelBelief:
        """The same belief: only `moved` moves it."""
        return belief

    def quadratic(self, coupling: Array, belief: GumbelBelief) -> Quadratic:
        """So steep that the couplings become those of the codes."""
        mean = coupling_of(belief)
        return Quadratic(mean, np.broadcast_to(_PIN * belief.free[..., None], mean.shape).copy())

    def log_density(self, coupling: Array, belief: GumbelBelief) -> float:
        """Of the codes, whatever the coupling."""
        density, *_ = self._concrete(belief)
        return density

    def moved(self, gradient_of: Gradient, belief: GumbelBelief) -> GumbelBelief:
        """Steps of Adam on expected log likelihood plus log prior, each at one relaxed sample; see `Prior.moved`."""
        rng = seeds.generator(self.random_state, "relaxed", belief.n_step)
        for _ in range(int(self.n_steps)):
            belief = self._adam(belief, self._gradient(gradient_of, belief, rng))
        return belief

    def labelled(self, belief: GumbelBelief) -> Labelled:
        """Codes of every state and the table that they share."""
        free = belief.free[..., None]
        return {
            "edge_class": (("edge_class",), np.array(CLASSES), {"long_name": "class of an edge"}),
            "edge_class_probability": (
                ("target", "source", "edge_class"),
                np.where(free, softmax(belief.codes.shared, axis=2), np.nan),
                {"units": "1", "long_name": "probability of the class in any state"},
            ),
            "edge_class_posterior": (
                ("state", "target", "source", "edge_class"),
                np.where(free, softmax(belief.codes.logits, axis=3), np.nan),
                {"units": "1", "long_name": "relaxed code of the class"},
            ),
        }

    def _gradient(self, gradient_of: Gradient, belief: GumbelBelief, rng: np.random.Generator) -> Codes:
        codes, free = belief.codes, belief.free[..., None]
        noise = rng.gumbel(size=codes.logits.shape)
        sample = softmax((codes.logits + noise) / self.sample_temperature, axis=3)
        sign, size = _sign_of(sample)[..., None], np.logaddexp(0, codes.strength)
        slope = gradient_of(np.where(free, sign * size, 0.0))
        slope = np.where(free, slope, 0.0)
        along = (slope * size).sum(3)[..., None] * np.array([-1.0, 0.0, 1.0])
        logits = sample * (along - (sample * along).sum(3, keepdims=True)) / self.sample_temperature
        _, of_logits, of_shared = self._concrete(belief)
        return Codes(logits + of_logits, slope * sign * expit(codes.strength), of_shared)

    def _concrete(self, belief: GumbelBelief) -> tuple[float, Array, Array]:
        """Log density of the codes, and its gradient in the logits of states and of the shared table."""
        tau, free = self.temperature, belief.free[..., None]
        code, location = log_softmax(belief.codes.logits, axis=3), log_softmax(belief.codes.shared, axis=2)
        tilted = location - tau * code
        largest = tilted.max(3, keepdims=True)
        share = np.exp(tilted - largest)
        whole = share.sum(3, keepdims=True)
        share /= whole
        total = (
            np.log(2)
            + 2 * np.log(tau)
            - 3 * (largest + np.log(whole))
            + (location - (tau + 1) * code).sum(3, keepdims=True)
        )
        density = float(np.where(free, total, 0.0).sum())
        of_code = 3 * tau * share - (tau + 1)
        of_logits = of_code - np.exp(code) * of_code.sum(3, keepdims=True)
        of_shared = (1 - 3 * share).sum(0)
        if belief.told is not None:
            density += _TOLD * float(np.where(free, belief.told * location, 0.0).sum())
            of_shared += _TOLD * (belief.told - np.exp(location))
        return density, np.where(free, of_logits, 0.0), np.where(free, of_shared, 0.0)

    def _adam(self, belief: GumbelBelief, gradient: Codes) -> GumbelBelief:
        n, (slow, slower) = belief.n_step + 1, _DECAY
        first = Codes(*(slow * m + (1 - slow) * g for m, g in zip(belief.first, gradient, strict=True)))
        second = Codes(*(slower * m + (1 - slower) * g**2 for m, g in zip(belief.second, gradient, strict=True)))
        rate = self.learning_rate * np.sqrt(1 - slower**n) / (1 - slow**n)
        moved: list[Any] = [
            x + rate * m / (np.sqrt(v) + 1e-8) for x, m, v in zip(belief.codes, first, second, strict=True)
        ]
        codes = Codes(_guarded(moved[0]), moved[1], _guarded(moved[2]))
        return belief._replace(codes=codes, first=first, second=second, n_step=n)


def coupling_of(belief: GumbelBelief) -> Array:
    """Couplings at the mean codes: (state, target, source, basis)."""
    sign = _sign_of(softmax(belief.codes.logits, axis=3))[..., None]
    return np.where(belief.free[..., None], sign * np.logaddexp(0, belief.codes.strength), 0.0)


def _sign_of(code: Array) -> Array:
    return np.asarray(code[..., 2] - code[..., 0])


def _guarded(logits: Array) -> Array:
    """Halved where a class is all but impossible, so that its gradient lives."""
    lost = log_softmax(logits, axis=-1).min(-1, keepdims=True) < _LEAST
    return np.where(lost, logits / 2, logits)
