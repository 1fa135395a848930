r"""What a prior on the coupling is to the EM: a quadratic to add to each M-step, and a number to add to the evidence.

Couplings are one array ``(state, target, source, basis)``. A prior never sees data; what the data know of a coupling
reaches it as the variance that the M-step leaves. From it follows the *information* :math:`I` of the likelihood, and a
prior integrates a coupling out instead of trusting its point estimate: with :math:`M` the coupling at hand, its term is

.. math::
    G(M) = \max_{q:\, E_q w = M} \; -\tfrac12 I \operatorname{Var}_q(w) - \mathrm{KL}\big(q(w, c) \,\|\, p(w, c)\big)

where :math:`c` is whatever else the prior is uncertain about (the class of an edge, the mean over states). Evidence
plus :math:`G` is a variational bound with the likelihood expanded to second order, its maximum in :math:`M` is a
posterior mean, and :math:`G` has quadratic minorants with a precision that is never negative. For :math:`I \to \infty`
it is the log density of the prior up to a constant. Hyper-parameters that rise :math:`G` are those of empirical Bayes:
they do not collapse as they would if the couplings' point estimates were taken at their word.

How the EM uses it, so that ``evidence + log_density`` never falls while the information stays the same::

    belief = prior.start(coupling, free)
    for each iteration:
        belief = prior.moved(gradient_of, belief)    # does nothing where there are closed forms
        quadratic = prior.quadratic(coupling, belief)
        coupling = ... a Fisher step on likelihood + quadratic ...
        belief = prior.refined(coupling, variance or None, belief)

Pass `variance`, the diagonal of (information + ``quadratic(coupling, belief).precision``)\ :sup:`-1` over all
coefficients of a target, in the first iterations: the information is then taken anew, and the objective with it. Pass
None afterwards. Priors with ``learns = False`` need no variance.

How to add one: subclass `Prior` at the top level of a module with a NamedTuple for its belief; name it in `choice`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from dynome.errors import InputError, Problems

_MOST = 1e8  # information beyond this adds nothing but cancellation

Array = NDArray[np.float64]
Gradient = Callable[[Array], Array]
Labelled = dict[str, tuple[tuple[str, ...], Any, dict[str, str]]]


class Quadratic(NamedTuple):
    """Minus half of ``precision (coupling - mean)^2``, summed: both (state, target, source, basis)."""

    mean: Array
    precision: Array


class Prior(BaseEstimator):  # type: ignore[misc]
    """Base of the priors on the coupling: parameters that are only stored, and pure functions of a belief.

    Attributes
    ----------
    learns : bool
        Whether `refined` changes anything, and wants the variance of the couplings.
    takes_connectome : bool
        Whether `start` makes use of classes from a connectome.
    """

    learns: ClassVar[bool] = True
    takes_connectome: ClassVar[bool] = False

    def check(self) -> None:
        """Refuse parameters that are out of range.

        Raises
        ------
        InputError
            With every problem.
        """

    def start(self, coupling: Array, free: NDArray[np.bool_], prior_class: Array | None = None) -> Any:
        """What is believed before the first M-step.

        Parameters
        ----------
        coupling : (state, target, source, basis)
            Where the fit starts. Priors with a closed form look at its shape only.
        free : (target, source) of bool
            Edges that exist in the model. Those on the diagonal are self-history and have no class.
        prior_class : (target, source, 3) or None
            Probabilities of the classes from a connectome, see `wiring.connectome_classes`.

        Returns
        -------
        NamedTuple
            The belief: hyper-parameters and responsibilities of this prior.
        """
        raise TypeError(f"{type(self).__name__} has no start; subclass Prior with all its methods")

    def refined(self, coupling: Array, variance: Array | None, belief: Any) -> Any:
        """The belief after one closed-form update that never lowers `log_density` at this coupling.

        Parameters
        ----------
        coupling : (state, target, source, basis)
            After the M-step.
        variance : (state, target, source, basis) or None
            Laplace variance under likelihood and ``quadratic(coupling, belief)``; it renews the information and so the
            objective, which may then be lower than it was. None keeps it.
        belief : NamedTuple
            Of this prior.
        """
        raise TypeError(f"{type(self).__name__} has no refined; subclass Prior with all its methods")

    def moved(self, gradient_of: Gradient, belief: Any) -> Any:
        """The belief after steps along the likelihood's gradient, for a prior that has no closed form.

        Parameters
        ----------
        gradient_of : callable
            From couplings (state, target, source, basis) to the gradient of the expected log likelihood.
        belief : NamedTuple
            Of this prior; returned as it is by priors with a closed form.
        """
        return belief

    def quadratic(self, coupling: Array, belief: Any) -> Quadratic:
        """A quadratic that lies below `log_density` and touches it at this coupling, up to a constant."""
        raise TypeError(f"{type(self).__name__} has no quadratic; subclass Prior with all its methods")

    def log_density(self, coupling: Array, belief: Any) -> float:
        """What the prior adds to the evidence, hyper-priors included, in nats."""
        raise TypeError(f"{type(self).__name__} has no log_density; subclass Prior with all its methods")

    def labelled(self, belief: Any) -> Labelled:
        """What was learnt, as name -> (dims, values, attributes)."""
        raise TypeError(f"{type(self).__name__} has no labelled; subclass Prior with all its methods")


def information_of(variance: Array, precision: Array) -> Array:
    """What the likelihood alone knows of each coupling, from the variance that likelihood and prior leave.

    Parameters
    ----------
    variance : (state, target, source, basis)
        Laplace variance; 0 for what does not exist, infinite where nothing is known.
    precision : (state, target, source, basis)
        Of the quadratic that took part in it.

    Returns
    -------
    (state, target, source, basis)
        ``1 / variance - precision``, not below 0.

    Examples
    --------
    >>> information_of(np.array([0.1]), np.array([4.0])).tolist()
    [6.0]
    """
    both = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    return np.asarray(np.clip(both - precision, 0.0, _MOST))


def likeliest(coupling: Array, information: Array, quadratic: Quadratic) -> Array:
    """Where the likelihood alone would have each coupling, if `coupling` is highest under it and the quadratic.

    Zero where the likelihood knows nothing.
    """
    pull = quadratic.precision * (coupling - quadratic.mean)
    return np.where(information > 0, coupling + pull / np.where(information > 0, information, 1.0), 0.0)


def guard_density(variance: Array, weight: float, centre: float | Array) -> float:
    """Log density of an inverse-gamma prior worth `weight` observations of the variance `centre`, up to a constant."""
    return -0.5 * weight * float((np.log(variance) + centre / variance).sum())


def edges_of(coupling: Array, free: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Edges between different nodes, and self-history: both (target, source), both empty without a basis function."""
    there, own = free & (coupling.shape[-1] > 0), np.eye(len(free), dtype=bool)
    return there & ~own, there & own


def check_positive(prior: Prior, *names: str) -> None:
    """Refuse parameters that are not positive, finite numbers.

    Raises
    ------
    InputError
        With every problem.
    """
    problems = Problems(f"{type(prior).__name__} cannot be used")
    for name in names:
        value = getattr(prior, name)
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
            problems.add(f"{name} must be a positive number, got {value!r}")
    problems.raise_if_any(InputError)
