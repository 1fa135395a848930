r"""The model as plain data: what is observed, what is assumed, and one point of the posterior.

Every node belongs to one cluster, and a cluster is a trajectory that its nodes read out: a common log rate and
:math:`p` factors. The trajectories of all clusters follow one switching linear dynamical system whose state is common
to the recording:

.. math::
    y_{it} &\sim p(y \mid \psi_{it}, r_i), \qquad
    \psi_{it} = d_i + m_t^{(z_i)} + c_i^\top x_t^{(z_i)}

    X_t &= A_{s_t} X_{t-1} + b_{s_t} + e_t, \quad e_t \sim N(0, Q_{s_t}), \qquad
    X_t \sim N(0, I) \text{ in the first bin of a sequence}

with :math:`X_t` the latents :math:`(m_t, x_t)` of all clusters end to end, a mixture of finite mixtures (or a Dirichlet
process) over the clusters :math:`z`, and a sticky hierarchical Dirichlet process (weak limit) over the states
:math:`s`. The state of the first bin of a sequence is uniform, and acts only through the transition out of it.

Wei, G. Bayesian bi-clustering of neural spiking activity with latent structures (2024), arXiv:2309.02213; Miller and
Harrison (2018), doi:10.1080/01621459.2016.1255636; Fox et al. (2011), doi:10.1214/10-AOAS395.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Law = Literal["negative_binomial", "poisson", "bernoulli", "gaussian"]


class Data(NamedTuple):
    """What is observed.

    Attributes
    ----------
    y : (n_node, n_bin)
        C-contiguous; NaN is missing. Sequences end to end.
    starts : (n_sequence + 1,)
        First bin of each sequence, and the number of bins.
    law : str
    """

    y: Array
    starts: Labels
    law: Law


class Dynamics(NamedTuple):
    """Linear dynamics of every state, in groups of latents that are independent given the states.

    With ``coupled`` dynamics there is one group, which holds all clusters; else each cluster is a group.

    Attributes
    ----------
    matrix : (n_state, n_group, width, width)
    offset : (n_state, n_group, width)
    noise : (n_state, n_group, width, width)
        Covariance.
    """

    matrix: Array
    offset: Array
    noise: Array


class Concentrations(NamedTuple):
    """Concentrations of the state sequence and of the partition.

    Attributes
    ----------
    row : float
        Of the rows of the transition matrix (alpha).
    top : float
        Of the weights of the states (gamma).
    stickiness : float
        Added to self-transitions (kappa).
    partition : float
        Of the Dirichlet process over clusters; the mixture of finite mixtures has none and keeps it.
    """

    row: float = 5.0
    top: float = 5.0
    stickiness: float = 10.0
    partition: float = 1.0


class State(NamedTuple):
    """One point of the posterior. Never modified: a move returns another one.

    Attributes
    ----------
    cluster : (n_node,)
        0 ... n_cluster - 1; every cluster has a node.
    coefficient : (n_node, 1 + n_factor)
        Bias, then loadings. A loading on a factor that is not `active` is 0.
    latent : (n_bin, n_cluster, 1 + n_factor)
        The cluster's common log rate, then its factors.
    dispersion : (n_node,)
        Shape r of the negative binomial (variance mu + mu^2 / r); variance of Gaussian observations; else 1.
    state : (n_bin,)
        0 ... n_state - 1.
    dynamics : Dynamics
    weight : (n_state,)
        Weights of the states (beta).
    transition : (n_state, n_state)
        From row to column.
    concentrations : Concentrations
    active : (n_cluster, n_factor) bool
        Which factors the nodes of a cluster read.
    """

    cluster: Labels
    coefficient: Array
    latent: Array
    dispersion: Array
    state: Labels
    dynamics: Dynamics
    weight: Array
    transition: Array
    concentrations: Concentrations
    active: NDArray[np.bool_]


class Hyper(NamedTuple):
    """What is assumed. Defaults are those of the published runs where they exist.

    Attributes
    ----------
    n_factors : int
        Factors a cluster (p).
    n_states : int
        Truncation of the state sequence (weak limit).
    coupled : bool
        Whether clusters drive each other (one group of latents) or not.
    bias_mean, bias_sd, loading_sd : float
        Normal priors of biases and loadings.
    dispersion_shape, dispersion_rate : float
        Gamma prior of r (negative binomial); inverse gamma prior (shape, scale) of the variance (Gaussian).
    extra_degrees : float
        Degrees of freedom of the inverse Wishart prior of the noise, beyond its width.
    noise_scale : float
        Its scale matrix is this times the identity.
    matrix_precision : float
        Precision of the columns of [A b] in units of the noise; its prior mean is [I 0].
    partition : {"mfm", "dp"}
        Prior over partitions of the nodes.
    zeta : float
        The number of clusters of the mixture of finite mixtures is Geometric(zeta) on 1, 2, ...
    mass : float
        Its Dirichlet parameter.
    resample_concentrations : bool
        Whether the concentrations are drawn too.
    concentration_shape, concentration_rate : float
        Gamma prior of ``row + stickiness``, ``top`` and ``partition`` then.
    n_auxiliary : int
        New clusters offered to a node.
    split_launches : int
        Passes that prepare a split or a merge.
    adapt_factors : bool
        Whether factors of a cluster are born and die.
    factor_probability : float
        Prior probability that a factor is active then.
    """

    n_factors: int = 2
    n_states: int = 10
    coupled: bool = True
    bias_mean: float = 0.0
    bias_sd: float = 1.0
    loading_sd: float = 1.0
    dispersion_shape: float = 1.0
    dispersion_rate: float = 1.0
    extra_degrees: float = 2.0
    noise_scale: float = 0.01
    matrix_precision: float = 1.0
    partition: Literal["mfm", "dp"] = "mfm"
    zeta: float = 0.2
    mass: float = 1.0
    resample_concentrations: bool = False
    concentration_shape: float = 1.0
    concentration_rate: float = 0.1
    n_auxiliary: int = 3
    split_launches: int = 3
    adapt_factors: bool = False
    factor_probability: float = 0.5
