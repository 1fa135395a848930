"""The plain model of a population of connectivities: Gaussian given the conditions. The bar for networks."""

from __future__ import annotations

import numpy as np
import xarray as xr

from dynome.inference.generation.connectivity_model import ConnectivityModel, Learnt, history_of
from dynome.inference.generation.populations import Array, Population, log_density


class ConnectivityGaussian(ConnectivityModel):
    r"""Gaussian model of functional connectivity given age, sex and other conditions.

    Parameters
    ----------
    conditions : tuple of str
        Coordinates of people (or sessions): numbers become smooth curves, words categories.
    n_components : int or None
        Directions in which people differ together; None keeps those along which left-out people vary more than the
        noise.
    random_state : int or None
        Of the folds of people.

    Attributes
    ----------
    results_ : DataTree
        ``mean noise (source, target)``, ``trend removal (effect, source, target)``, ``loadings projection (component,
        source, target)``, all of the logarithm of correlation matrices off the diagonal; ``center (effect)``.

    Notes
    -----
    Off-diagonal entries of the matrix logarithm of correlation matrices are any numbers [1]_; they are modelled as
    :math:`\mu + B^T \phi(c) + L^T s + \psi^{1/2} \epsilon` with standard normal s and :math:`\epsilon`. Variances along
    the directions L are those of people who were left out, and the noise gives every pair its variance.

    References
    ----------
    .. [1] Archakov & Hansen, Econometrica 2021, doi:10.3982/ECTA16910.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> bold = rng.standard_normal((12, 40, 3)) + rng.standard_normal((12, 40, 1))
    >>> fc = xr.DataArray([np.corrcoef(b.T) for b in bold], dims=("animal", "source", "target"),
    ...                   coords={"source": list("abc"), "target": list("abc"), "age": ("animal", np.arange(12.0))})
    >>> model = ConnectivityGaussian(conditions=("age",), random_state=0).fit(fc)
    >>> synthetic = model.sample(5, conditions={"age": 7.0}, random_state=0)
    >>> synthetic.shape, bool((np.linalg.eigvalsh(synthetic) > 0).all())
    ((5, 3, 3), True)
    """

    def __init__(
        self,
        conditions: tuple[str, ...] = (),
        *,
        n_components: int | None = None,
        random_state: int | None = None,
    ) -> None:
        self.conditions = conditions
        self.n_components = n_components
        self.random_state = random_state

    def _learn(self, fitted: Population, scores: Array, columns: Array, seed: int) -> Learnt:
        k = len(fitted.loadings)
        vectors = fitted.expected(columns) + scores @ fitted.loadings
        density = log_density(fitted, vectors, columns, np.zeros((len(scores), 1, k)), np.eye(k))
        return Learnt(xr.DataTree(history_of(np.array([-density.mean()]))))
