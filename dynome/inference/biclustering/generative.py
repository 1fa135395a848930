r"""The bi-clustering as a PyMC model: hyper-parameters with priors, and the arrays that depend on them.

PyMC holds the hyper-layer: means and standard deviations of biases and loadings, shape and rate of dispersions,
:math:`\zeta` of the number of clusters, with priors, and the four small arrays that depend on them (``cluster``,
``bias``, ``loading``, ``dispersion``). Latents, states, dynamics and the observations are not in its graph: given the
four arrays, the hyper-parameters are independent of all of these,

.. math:: p(\eta \mid z, d, c, r, X, s, y) \propto p(\eta)\, p(z \mid \eta)\, p(d, c \mid \eta)\, p(r \mid \eta),

so that NUTS on the graph draws from the full conditional, and `bicluster_step` draws everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from dynome.dynamics.hmm.sequences import ChainInput, stacked
from dynome.errors import InputError, Problems, listed
from dynome.extras import require
from dynome.inference.biclustering.graph import ModelPlan, Prior, hyper_graph
from dynome.inference.biclustering.model import Data, Hyper, Law
from dynome.inference.biclustering.observations import add_observation_problems


def build_model(
    data: ChainInput,
    *,
    n_factors: int = 2,
    n_states: int = 10,
    observation: Law = "negative_binomial",
    dynamics: Literal["coupled", "block"] = "coupled",
    partition: Literal["mfm", "dp"] = "mfm",
    free: Sequence[str] | None = None,
    priors: Mapping[str, Prior] | None = None,
    **assumed: float | bool,
) -> Any:
    r"""PyMC model of the hyper-parameters of a bi-clustering and of the arrays that depend on them.

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, dict or list
        Recordings ``(time, node)`` as for `Biclustering`; NaN is missing.
    n_factors, n_states : int
        Factors a cluster, and truncation of the number of states.
    observation : {"negative_binomial", "poisson", "bernoulli", "gaussian"}
    dynamics : {"coupled", "block"}
        Whether clusters drive each other.
    partition : {"mfm", "dp"}
        Mixture of finite mixtures, or Dirichlet process.
    free : sequence of str or None
        Hyper-parameters that get a prior, of ``bias_mean``, ``bias_sd``, ``loading_sd``, ``dispersion_shape`` and
        ``dispersion_rate`` (negative binomial and Gaussian), ``zeta`` (mixture of finite mixtures). None: all that
        apply. Empty: none; `Biclustering` then does the same without PyMC.
    priors : mapping of str to callable, or None
        Other priors than those below: ``{"bias_sd": lambda name: pm.HalfNormal(name, 0.5)}``. Called within the model.
    **assumed : float
        Other fields of ``dynome.inference.biclustering.model.Hyper``, e.g. ``noise_scale=0.1``.

    Returns
    -------
    pymc.Model
        With dims ``node``, ``factor`` and ``time`` (``bin`` where there are leading dims or several recordings), and
        the variables ``cluster (node)``, ``state (time)``, ``bias (node)``, ``loading (node, factor)``,
        ``dispersion (node)`` (where the law has one) and one for each free hyper-parameter.

    Raises
    ------
    InputError
        With everything that is wrong with the data or the arguments.
    MissingExtraError
        Without PyMC.

    See Also
    --------
    bicluster_step : What `pm.sample` needs besides.
    prior_predictive : Observations from the prior.

    Notes
    -----
    Priors: ``bias_mean`` :math:`N(0, 2^2)`, ``bias_sd`` and ``loading_sd`` half normal with scale 1,
    ``dispersion_shape`` and ``dispersion_rate`` Gamma(2, 1), ``zeta`` Beta(2, 8). ``zeta`` is kept above 0.02, which is
    fifty clusters expected.

    ``state`` has an even density in the graph, for the hyper-parameters do not depend on it; its prior is that of
    `Biclustering`. The likelihood is not in the graph: ``model.logp()`` is not the joint density, and
    ``pm.sample_posterior_predictive`` has nothing to draw. Numbers of clusters and states change while sampling, which
    variables of PyMC cannot do.

    Examples
    --------
    >>> import dynome as dy  # doctest: +SKIP
    >>> counts = dy.datasets.make_biclusters(random_state=0).spike_count  # doctest: +SKIP
    >>> with dy.inference.build_model(counts):  # doctest: +SKIP
    ...     draws = pm.sample(step=[dy.inference.bicluster_step()])
    """
    problems = Problems("cannot build the model of a bi-clustering")
    allowed = _free_names(observation, partition)
    chosen = allowed if free is None else tuple(free)
    own = dict(priors or {})
    if unknown := [name for name in [*chosen, *own] if name not in allowed]:
        problems.add(f"hyper-parameters that can be free here are {listed(allowed)}, got {listed(unknown)}")
    if fixed := [name for name in own if name in allowed and name not in chosen]:
        problems.add(f"priors are given for {listed(fixed)}, which are not free; name them in free")
    base = {"n_factors": n_factors, "n_states": n_states, "partition": partition, "coupled": dynamics == "coupled"}
    hyper = _hyper({**base, **assumed}, dynamics, observation, problems)
    problems.raise_if_any(InputError)
    sequences = stacked(data, subject=problems.subject)
    y = np.ascontiguousarray(sequences.y.T, dtype=float)
    add_observation_problems(problems, y, observation, sequences.nodes)
    if y.shape[0] < 2:
        problems.add(f"at least 2 nodes are needed, found {y.shape[0]}")
    problems.raise_if_any(InputError)
    plan = ModelPlan(Data(y, sequences.starts, observation), hyper, chosen, sequences)
    return hyper_graph(require("pymc", extra="bayes"), plan, own)


def _free_names(law: str, partition: str) -> tuple[str, ...]:
    spread = ("dispersion_shape", "dispersion_rate") if law in ("negative_binomial", "gaussian") else ()
    return "bias_mean", "bias_sd", "loading_sd", *spread, *(("zeta",) if partition == "mfm" else ())


def _hyper(fields: Mapping[str, Any], dynamics: str, law: str, problems: Problems) -> Hyper:
    if unknown := [name for name in fields if name not in Hyper._fields]:
        problems.add(f"expected fields of Hyper ({listed(Hyper._fields, limit=99)}), got {listed(unknown)}")
    if law not in get_args(Law):
        problems.add(f"observation must be one of {listed(get_args(Law))}, got {law!r}")
    if dynamics not in ("coupled", "block"):
        problems.add(f"dynamics must be 'coupled' or 'block', got {dynamics!r}")
    if fields["partition"] not in ("mfm", "dp"):
        problems.add(f"partition must be 'mfm' or 'dp', got {fields['partition']!r}")
    if fields.get("adapt_factors"):
        problems.add("adapt_factors=True changes the shape of the loadings, which PyMC cannot; use Biclustering")
    for name in ("n_factors", "n_states"):
        if fields[name] < 1:
            problems.add(f"{name} must be at least 1, got {fields[name]}")
    positive = (
        "bias_sd",
        "loading_sd",
        "dispersion_shape",
        "dispersion_rate",
        "noise_scale",
        "matrix_precision",
        "mass",
    )
    for name in positive:
        if name in fields and not fields[name] > 0:
            problems.add(f"{name} must be positive, got {fields[name]}")
    if not 0 < fields.get("zeta", 0.2) <= 1:
        problems.add(f"zeta must be above 0 and at most 1, got {fields['zeta']}")
    return Hyper(**{name: value for name, value in fields.items() if name in Hyper._fields})
