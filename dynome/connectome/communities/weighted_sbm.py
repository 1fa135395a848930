"""Communities as the shortest description of a weighted graph: a nested stochastic block model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import progress, seeds
from dynome.connectome.communities.blockmodel.observations import WEIGHT_MODELS, problem_with, suitable_models
from dynome.connectome.communities.partitions import Attribute, Partition, Search, Weights
from dynome.connectome.weight_matrix import is_symmetric, weight_matrix_of
from dynome.errors import InputError, Problems, listed
from dynome.estimator import Estimator, MissingData

if TYPE_CHECKING:
    from dynome.connectome.communities.blockmodel.fitting import Fit


class WeightedSBM(Estimator):
    r"""Nested, weighted stochastic block model: nodes are alike if they are wired alike.

    Groups may be wired mostly inside (communities), mostly outside (layers), or as core and periphery: the model makes
    no choice, and it needs no number of groups. It describes the graph as briefly as it can: which node is in which
    group, how many edges run between groups, where they lie, and which weights they have. What is not there costs
    nothing, so a random graph has one group.

    Parameters
    ----------
    weight_model : str
        How weights are distributed in each pair of groups: ``"exponential"``, ``"microcanonical"`` (exponential without
        a prior, given the sums), ``"log-normal"``, ``"normal"`` (may be negative), ``"poisson"`` and ``"geometric"``
        (whole numbers, counted from 1), ``"multigraph"`` (a weight is a number of parallel edges) or ``"none"``
        (weights are ignored). ``"auto"`` takes the shortest description among poisson and geometric if all weights are
        whole numbers, normal if some are negative, else among exponential and log-normal; none if all are alike.
    degree_corrected : bool or "auto"
        Whether nodes of a group may differ in degree by themselves. ``"auto"`` takes the shorter description.
    n_restarts : int
        Runs from different random starts, of which the best is kept.
    level : int
        The level that is reported as ``community``: 0 for the finest. No truth is needed for that: level 0 is what the
        description length is a minimum over, and the levels above are groups of its groups.
    n_samples : int
        Samples for soft membership; 0 for none.
    edge_type : str, list of str or None
        Edge types of a connectome to add up.
    random_state : int or None
        Seed; None draws a fresh one, which is kept in ``results_.attrs``.

    Attributes
    ----------
    results_ : Dataset
        ``community (node)`` at the chosen level, 0 for the largest, -1 for nodes without edges, which are left out.
        ``hierarchy (level, node)`` and ``n_communities (level)``. ``description_length (part)`` in nats, ``history
        (iteration)`` and ``restart_description_length (restart)``: the sum of the parts, over moves of the best run and
        for each run. ``model_description_length (model)`` of each model that was compared; a law of weights
        that describes the partition of the broader law worse than that does is not searched. ``restart_community
        (restart, node)``, and of it ``co_assignment (source, target)``: the share of runs in which two nodes were
        together (only up to 1,000 nodes). ``edge_density`` and ``mean_weight (group, other)``, by communities of level
        0: edges per pair of nodes, and their mean weight. With samples, ``membership (node, group)``. ``attrs``:
        ``weight_model``, ``degree_corrected``, ``directed``, ``community_level``.

    Raises
    ------
    InputError
        If there is no edge between different nodes, the weights do not fit the law, or a parameter is out of range.

    Notes
    -----
    Zero and NaN mean no edge, the diagonal is ignored, and a matrix that is not symmetric is directed. The description
    length is that of the microcanonical degree-corrected or plain block model [1]_ with nested priors [2]_ and weights
    [3]_; it is minimized by merging, moving single nodes, splitting and dealing out groups anew [4]_. Runs may end in
    different minima: look at ``restart_description_length``. A difference of ln(100) = 4.6 nats makes one description a
    hundred times as probable as another. Lengths of laws of densities (exponential, log-normal, normal) depend on the
    unit of the weights, but not their differences.

    Soft membership is the share of Gibbs samples, at temperature 1 and started at the best partition, in which a node
    is in each group, while the number of groups and the levels above stay as they are: how sure each node is, given
    that the groups are right.

    References
    ----------
    .. [1] Peixoto, Physical Review E 2017, doi:10.1103/PhysRevE.95.012317.
    .. [2] Peixoto, Physical Review X 2014, doi:10.1103/PhysRevX.4.011047.
    .. [3] Peixoto, Physical Review E 2018, doi:10.1103/PhysRevE.97.012306.
    .. [4] Peixoto, Physical Review E 2020, doi:10.1103/PhysRevE.102.012305.

    Examples
    --------
    >>> names = [f"n{k:02d}" for k in range(24)]
    >>> layer = np.arange(24) % 2
    >>> wired = (layer[:, None] != layer) * 1.0
    >>> matrix = xr.DataArray(wired, dims=("source", "target"), coords={"source": names, "target": names})
    >>> model = WeightedSBM(n_restarts=1, random_state=0).fit(matrix)
    >>> model.results_.community.values[:6].tolist(), model.results_.attrs["weight_model"]
    ([0, 1, 0, 1, 0, 1], 'none')
    """

    missing_data: ClassVar[MissingData] = "mask"

    def __init__(
        self,
        weight_model: str = "auto",
        *,
        degree_corrected: bool | Literal["auto"] = "auto",
        n_restarts: int = 5,
        level: int = 0,
        n_samples: int = 0,
        edge_type: str | Sequence[str] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.weight_model = weight_model
        self.degree_corrected = degree_corrected
        self.n_restarts = n_restarts
        self.level = level
        self.n_samples = n_samples
        self.edge_type = edge_type
        self.random_state = random_state

    def fit(self, X: xr.Dataset | xr.DataArray, y: None = None) -> Self:
        """Find the partition of the shortest description.

        Parameters
        ----------
        X : connectome or DataArray (source, target)
            The graph.
        y : None
            Ignored.

        Raises
        ------
        InputError
            If the graph or a parameter cannot be used.
        """
        from dynome.connectome.communities.block_results import labelled
        from dynome.connectome.communities.blockmodel.fitting import memberships

        started = time.perf_counter()
        weight, nodes = weight_matrix_of(X, self.edge_type)
        self._check(weight)
        seed = seeds.resolve(self.random_state)
        linked = linked_nodes(weight)
        fit = fit_weights(
            weight[linked][:, linked], self.weight_model, self.degree_corrected, n_restarts=self.n_restarts, seed=seed
        )
        n_level = fit.best.ancestor.shape[0] + 1
        if self.level >= n_level:
            raise InputError(f"level must be below {n_level}, the number of levels that were found, got {self.level}")
        soft = memberships(fit, self.n_samples, seed) if self.n_samples else None
        results = labelled(fit, linked, nodes, self.level, soft)
        return self._finish(results, started=started, converged=True, n_iter=len(fit.best.history), random_state=seed)

    def _check(self, weight: Weights) -> None:
        problems = Problems("cannot fit a block model")
        if self.weight_model not in ("auto", *WEIGHT_MODELS):
            problems.add(f"expected a weight_model among 'auto', {listed(WEIGHT_MODELS, 9)}, got {self.weight_model!r}")
        if self.degree_corrected not in (True, False, "auto"):
            problems.add(f'degree_corrected must be True, False or "auto", got {self.degree_corrected!r}')
        for name, least in (("n_restarts", 1), ("level", 0), ("n_samples", 0)):
            if getattr(self, name) < least:
                problems.add(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not weight.nnz:
            problems.add(f"there are no edges between different nodes ({weight.shape[0]} nodes)")
        elif problem := problem_with(self.weight_model, weight.data):
            problems.add(problem)
        problems.raise_if_any(InputError)


def sbm_partition(weight: Weights, search: Search) -> Partition:
    """Communities of the shortest description, see `WeightedSBM`; nodes without edges are alone.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights >= 0 without self-loops; one that is not symmetric is directed.
    search : Search
        Restarts and seed; there is no resolution.

    Raises
    ------
    InputError
        If another resolution than 1 is asked for.
    """
    if search.resolution != 1:
        raise InputError(f'method="sbm" has no resolution, got {search.resolution}; the data say how many groups')
    linked = linked_nodes(weight)
    fit = fit_weights(weight[linked][:, linked], "auto", "auto", n_restarts=search.n_restarts, seed=search.seed)
    community = np.arange(weight.shape[0]) + linked.size
    community[linked] = fit.best.group
    lengths = [run.length + fit.problem.constant + fit.problem.weight_constant for run in fit.restarts]
    attrs: dict[str, Attribute] = {
        "description_length": min(lengths),
        "restart_description_length": lengths,
        "weight_model": fit.model,
        "degree_corrected": int(fit.corrected),
    }
    return Partition(community, attrs)


def linked_nodes(weight: Weights) -> NDArray[np.int64]:
    """Positions of the nodes that have an edge.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights without self-loops.
    """
    return np.flatnonzero(np.bincount(np.concatenate(weight.nonzero()), minlength=weight.shape[0]))


def fit_weights(weight: Weights, weight_model: str, degree_corrected: bool | str, *, n_restarts: int, seed: int) -> Fit:
    """Fit a weight matrix, as `WeightedSBM` does.

    Parameters
    ----------
    weight : (n_node, n_node) sparse
        Weights without self-loops, of nodes with edges.
    weight_model, degree_corrected, n_restarts
        As in `WeightedSBM`.
    seed : int
        Start of every random stream.
    """
    from dynome.connectome.communities.blockmodel.fitting import fit_models

    directed = not is_symmetric(weight)
    exact = weight if directed else (weight + weight.T) / 2
    models = suitable_models(exact.data) if weight_model == "auto" else (weight_model,)
    corrections = (False, True) if degree_corrected == "auto" else (bool(degree_corrected),)
    with progress.task("fitting block models", len(models) * len(corrections) + n_restarts - 1) as advance:
        return fit_models(
            exact, models, corrections, directed=directed, n_restarts=n_restarts, seed=seed, advance=advance
        )
