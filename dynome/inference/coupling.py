"""Structure against function: how far the wiring explains who is active with whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr

from dynome import labels, progress, schema, seeds, units
from dynome.connectome import edge_table
from dynome.connectome.edge_table import EdgeTable
from dynome.connectome.nulls.edge_rules import Rule, null_edges
from dynome.connectome.nulls.random_graphs import anywhere, dealt_weights
from dynome.connectome.nulls.rewiring import rewired
from dynome.errors import InputError, Problems, listed
from dynome.inference.associations import NAMES, Measure, association, prepared
from dynome.inference.pairs import Floats, Pairs, Wired, known_pairs, summed, wired_pairs
from dynome.inference.summaries import binned_means, layer_contrasts, pair_table
from dynome.permutation import permutation_p_value, z_score
from dynome.schema import NODE, PAIR, SOURCE, TARGET

Null = Literal["degree", "erdos_renyi", "weights"]

_rules: Mapping[str, Rule] = {
    "degree": rewired,
    "erdos_renyi": anywhere,
    "weights": dealt_weights,
}
ALL = "all"


def structure_function(
    connectome: xr.Dataset,
    fc: xr.DataArray,
    *,
    edge_type: str | Sequence[str] | None = None,
    measure: Measure = "spearman",
    null: Null = "degree",
    n_null: int = 100,
    absolute: bool = False,
    random_state: int | None = 0,
) -> xr.Dataset:
    r"""How far the weight of a connection explains the functional connectivity of a pair, against chance.

    Parameters
    ----------
    connectome : Dataset
        A valid connectome. Joined to `fc` by label, on the nodes that both have.
    fc : (source, target)
        Functional connectivity. Symmetric: pairs have no order, and a pair's weight is the sum of its edges both ways
        (an edge without direction counts once). With ``attrs["directed"] == 1``, or not symmetric: ordered pairs.
    edge_type : str, list of str or None
        Layers to take; None takes all.
    measure : {"spearman", "pearson", "auc"}
        Correlation over all pairs between `fc` and ``sign(w) log(1 + |w|)`` of the weight, zero where there is no
        edge; or the probability that a connected pair has more `fc` than an unconnected one (area under the ROC curve).
    null : {"degree", "erdos_renyi", "weights"}
        What is random in the null connectomes: the wiring with every node's degrees kept, the wiring altogether, or
        only which weight an edge has. Drawn from the wiring among the shared nodes, layer by layer.
    n_null : int
        Null connectomes.
    absolute : bool
        Take ``|fc|``, so that anticorrelated pairs count as coupled.
    random_state : int or None
        Seed; None draws a fresh one. The seed is kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset
        By ``layer`` (each edge type, and "all" for their sum where there are several in one unit): ``statistic``,
        ``null (layer, draw)``, ``z``, one-sided ``p_value`` (how often the null explains as much), ``auc``,
        ``fc_connected`` and ``fc_unconnected`` (means), ``n_connected``. By pair: ``fc (pair)``, ``weight`` and
        ``connected (layer, pair)``, labels ``source`` and ``target (pair)``. By ``bin`` of weight, of which the first
        holds the unconnected pairs: ``bin_weight``, ``bin_fc``, ``bin_sem`` (NaN where unused) and ``bin_n``. ``node``
        lists the shared nodes, ``attrs["left_out"]`` those of `fc` that the connectome does not name. Self-loops are
        left out, and so are the ``attrs["n_missing_pairs"]`` pairs whose `fc` is NaN.

    Raises
    ------
    InputError
        If no pair of nodes is shared, no edge joins shared nodes, or an argument cannot be used.
    SchemaError
        If the connectome is not valid.

    Notes
    -----
    The p-value counts the observed wiring among the null ones (see `permutation_p_value`). Against "degree", hubs that
    are both well connected and strongly coupled explain nothing. Nulls treat the connectome as known and the
    recording as given; that several animals agree has to be tested across animals.

    References
    ----------
    .. [1] Vasa & Misic, Nature Reviews Neuroscience 2022, doi:10.1038/s41583-022-00601-9.

    Examples
    --------
    >>> from dynome.connectome import from_edges
    >>> edges = {"source": ["a", "b", "c"], "target": ["b", "c", "d"], "weight": [5, 3, 1]}
    >>> wiring = from_edges(edges, units="synapses")
    >>> x = np.array([[1, 0.9, 0.1, 0.0], [0.9, 1, 0.6, 0.2], [0.1, 0.6, 1, 0.4], [0.0, 0.2, 0.4, 1]])
    >>> ends = {"source": list("abcd"), "target": list("abcd")}
    >>> fc = xr.DataArray(x, dims=("source", "target"), coords=ends, attrs={"units": "1"})
    >>> result = structure_function(wiring, fc, null="erdos_renyi", n_null=20)
    >>> round(float(result.statistic.sel(layer="chemical")), 2), float(result.auc.sel(layer="chemical"))
    (0.94, 1.0)
    """
    _check_options(measure, null, n_null)
    matrix, nodes = _shared_matrix(connectome, fc)
    ordered = _has_order(fc, matrix)
    pairs = known_pairs(np.abs(matrix) if absolute else matrix, ordered=ordered)
    table = _shared_edges(connectome, nodes, edge_type)
    if not pairs.fc.size:
        raise InputError(f"functional connectivity of all {pairs.place.size} pairs of shared nodes is NaN")
    directed = bool(connectome.attrs["directed"])
    unit_of = {name: schema.weight_unit(connectome, name) for name in table.layers}
    joined = len(unit_of) > 1 and len(set(unit_of.values())) == 1
    observed = _by_layer(table, pairs, directed, joined)
    scores = prepared(pairs.fc, measure)
    seed = seeds.resolve(random_state)
    draws = np.empty((len(observed), n_null))
    with progress.task(f"null connectomes ({null})", total=n_null) as advance:
        for k in range(n_null):
            rng = seeds.generator(seed, "structure_function", null, k)
            drawn = null_edges(table, nodes.size, directed, _rules[null], rng)
            draws[:, k] = [association(w, scores, measure) for w in _by_layer(drawn, pairs, directed, joined)]
            advance(1)
    statistic = np.array([association(w, scores, measure) for w in observed])
    one = {"units": units.DIMENSIONLESS}
    name = f"{NAMES[measure]} of {'absolute ' if absolute else ''}functional connectivity and weight"
    weight_attrs = edge_table.weight_attrs(unit_of)
    return xr.Dataset(
        {
            "statistic": ("layer", statistic, {**one, "long_name": name}),
            "null": (("layer", "draw"), draws, {**one, "long_name": f"{name}, {null} null"}),
            "z": ("layer", z_score(statistic, draws), one),
            "p_value": ("layer", permutation_p_value(statistic, draws), one),
            **layer_contrasts(observed, pairs, fc.attrs["units"]),
            **pair_table(observed, pairs, fc.attrs, weight_attrs),
            **binned_means(observed, pairs, fc.attrs["units"], weight_attrs["units"]),
        },
        coords={
            "layer": [*table.layers, ALL] if joined else table.layers,
            NODE: nodes,
            SOURCE: (PAIR, nodes[pairs.source]),
            TARGET: (PAIR, nodes[pairs.target]),
        },
        attrs={
            "measure": measure,
            "null_model": null,
            "n_null": n_null,
            "absolute": int(absolute),
            "random_state": seed,
            "directed": int(ordered),
            "n_missing_pairs": int((pairs.place < 0).sum()),
            "left_out": np.setdiff1d(labels.as_labels(fc[SOURCE].to_numpy()), nodes).tolist(),
        },
    )


def _check_options(measure: str, null: str, n_null: int) -> None:
    problems = Problems("cannot compare structure with function")
    for name, value, choices in (("measure", measure, Measure), ("null", null, Null)):
        if value not in get_args(choices):
            problems.add(f"{name} must be one of {', '.join(map(repr, get_args(choices)))}, got {value!r}")
    if (measure, null) == ("auc", "weights"):
        problems.add("null 'weights' keeps who is connected, which is all that 'auc' sees; use another null or measure")
    if n_null < 1:
        problems.add(f"n_null must be at least 1, got {n_null}")
    problems.raise_if_any(InputError)


def _shared_matrix(connectome: xr.Dataset, fc: xr.DataArray) -> tuple[Floats, labels.StrArray]:
    """Functional connectivity between the nodes that it shares with the connectome, and their labels."""
    if not isinstance(fc, xr.DataArray) or set(fc.dims) != {SOURCE, TARGET}:
        found = tuple(map(str, fc.dims)) if isinstance(fc, xr.DataArray) else type(fc).__name__
        raise InputError(
            f"expected functional connectivity (source, target), found {found}; select one matrix, or average with "
            "dynamics.mean_connectivity"
        )
    fc = schema.validate(fc.transpose(SOURCE, TARGET), "functional_connectivity")
    wired = schema.validate(connectome, "connectome")[NODE].to_numpy()
    ends = [labels.as_labels(fc[end].to_numpy()) for end in (SOURCE, TARGET)]
    nodes = labels.shared(ends[0], ends[1], wired)
    if nodes.size < 3:
        raise InputError(
            f"expected at least 3 nodes in both, found {nodes.size} (functional connectivity: "
            f"{listed(ends[0].tolist(), 3)}; connectome: {listed(wired.tolist(), 3)}); bring the names to one "
            "convention, e.g. with connectome.normalize_worm_names"
        )
    rows, columns = (labels.positions(nodes, end) for end in ends)
    return fc.to_numpy()[np.ix_(rows, columns)].astype(np.float64), nodes


def _has_order(fc: xr.DataArray, matrix: Floats) -> bool:
    declared = fc.attrs.get("directed")
    if declared == 1:
        return True
    symmetric = np.allclose(matrix, matrix.T, rtol=1e-5, atol=1e-7, equal_nan=True)
    if declared == 0 and not symmetric:
        raise InputError(
            'functional connectivity has attrs["directed"] == 0 but is not symmetric; set it to 1 or average'
        )
    return not symmetric


def _shared_edges(connectome: xr.Dataset, nodes: labels.StrArray, edge_type: str | Sequence[str] | None) -> EdgeTable:
    """Edges among the shared nodes, in terms of their positions."""
    table = edge_table.table_of(connectome, edge_type)
    place = labels.positions(connectome[NODE].to_numpy(), nodes)
    source, target = place[table.source], place[table.target]
    rows = (source >= 0) & (target >= 0)
    if not (source != target)[rows].any():
        kinds = listed(table.layers) or listed([edge_type] if isinstance(edge_type, str) else edge_type or ["any"])
        raise InputError(f"no {kinds} edge joins two of the {nodes.size} shared nodes; choose another edge_type")
    return edge_table.taken(table._replace(source=source, target=target, extra={}), rows)


def _by_layer(table: EdgeTable, pairs: Pairs, directed: bool, joined: bool) -> list[Wired]:
    """Wired pairs of each layer, and of all together."""
    two_way = edge_table.two_way_layers(table.layers, directed)
    found = []
    for code in range(len(table.layers)):
        rows = table.layer == code
        if code in two_way and not pairs.ordered:
            rows &= table.source < table.target
        found.append(wired_pairs(table.source[rows], table.target[rows], table.weight[rows], pairs))
    if joined:
        pair, weight = (np.concatenate([w[k] for w in found]) for k in (0, 1))
        found.append(summed(pair.astype(np.int64), weight))
    return found
