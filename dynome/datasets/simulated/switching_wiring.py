"""A connectome for a simulated switching GLM: what anatomy would have said, right or partly wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from dynome import seeds
from dynome.connectome import from_edges
from dynome.errors import InputError, Problems
from dynome.schema import NODE, SOURCE, TARGET

_most = 10  # synapses of an edge that every state has


def wiring_from_truth(
    data: xr.Dataset, *, wrong: float = 0.0, signs: bool = True, random_state: int | None = None
) -> xr.Dataset:
    """The connectome behind a simulated switching GLM, for a fit to lean on.

    Parameters
    ----------
    data : Dataset
        From `make_switching_glm`.
    wrong : float
        Share of the edges that are put on pairs without an edge: 0 is the truth, 1 has no edge right.
    signs : bool
        Whether the connectome knows excitatory from inhibitory.
    random_state : int or None
        Seed of what is wrong.

    Returns
    -------
    Dataset
        A connectome with ``weight (edge)`` in synapses and, with `signs`, ``sign (edge)``. It has an edge where
        "none" is not the most probable class, with up to 10 synapses, in proportion to the probability of an edge.

    Raises
    ------
    InputError
        If `data` have no class probabilities or `wrong` is not a share.

    Examples
    --------
    >>> from dynome.datasets import make_switching_glm
    >>> data = make_switching_glm(n_sessions=1, n_time=100, random_state=0)
    >>> wiring = wiring_from_truth(data)
    >>> wiring.sizes["node"], wiring.weight.attrs["units"]
    (20, 'synapses')
    """
    problems = Problems("cannot take a connectome from the truth")
    if "edge_class_probability" not in data:
        problems.add("expected data of make_switching_glm, with edge_class_probability (target, source, edge_class)")
    if not 0 <= wrong <= 1:
        problems.add(f"wrong must be a share, 0 to 1, got {wrong:g}")
    problems.raise_if_any(InputError)
    probability = data.edge_class_probability.transpose(TARGET, SOURCE, "edge_class").to_numpy()
    likeliest = probability.argmax(axis=-1) - 1
    target, source = np.nonzero(likeliest)
    sign = likeliest[target, source]
    synapses = np.maximum(1, np.rint(_most * (1 - probability[target, source, 1]))).astype(np.int64)
    empty = np.argwhere(likeliest == 0)
    rng = seeds.generator(random_state, "wiring_from_truth")
    n_wrong = min(round(wrong * target.size), len(empty))
    moved = rng.choice(target.size, n_wrong, replace=False)
    target[moved], source[moved] = empty[rng.choice(len(empty), n_wrong, replace=False)].T
    node = data[NODE].to_numpy()
    edges = pd.DataFrame({SOURCE: node[source], TARGET: node[target], "weight": synapses})
    return from_edges(
        edges.assign(sign=sign) if signs else edges,
        node=node,
        units="synapses",
        attrs={"node_kind": "neuron", "simulated": 1, "wrong": float(wrong)},
    )
