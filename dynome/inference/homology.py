"""Left and right: nodes that mirror each other should be active together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema, seeds, units
from dynome.connectome.worm_names import homologue
from dynome.errors import InputError, Problems, listed
from dynome.inference.pairs import Floats, Integers
from dynome.permutation import permutation_p_value, z_score
from dynome.schema import PAIR, SOURCE, TARGET


def homologue_contrast(
    fc: xr.DataArray,
    *,
    partner: Mapping[str, str] | None = None,
    n_permutations: int = 1000,
    random_state: int | None = 0,
) -> xr.Dataset:
    """Functional connectivity of homologous pairs against that of all pairs.

    A check that any recording with identified nodes should pass before its connectivity is trusted: left and right
    members of a class have the same inputs and largely act as one.

    Parameters
    ----------
    fc : (source, target)
        Functional connectivity between labelled nodes; both directions of a pair are averaged.
    partner : mapping or None
        From a node to its homologue, e.g. ``{"lh_V1": "rh_V1"}``; one direction is enough. None takes the neurons of
        C. elegans (`dynome.connectome.homologue`).
    n_permutations : int
        Random pairings of the nodes that the homologous pairs are compared with.
    random_state : int or None
        Seed; None draws a fresh one. The seed is kept in ``attrs["random_state"]``.

    Returns
    -------
    Dataset
        ``homologue_fc`` and ``all_fc``, mean connectivity of homologous pairs and of all pairs of nodes;
        ``statistic``, their difference, with ``null (draw)``, ``z`` and one-sided ``p_value``; and the pairs, ``fc
        (pair)`` with labels ``source`` and ``target``. Pairs whose connectivity is NaN are left out.

    Raises
    ------
    InputError
        If there is no homologous pair with a value, or an argument cannot be used.

    Notes
    -----
    Under the null the labels say nothing: as many disjoint pairs are drawn at random from all nodes. The p-value counts
    the true pairing among them (see `permutation_p_value`).

    Examples
    --------
    >>> names = ["AVAL", "AVAR", "RIML", "RIMR", "AVL"]
    >>> x = np.full((5, 5), 0.1)
    >>> x[0, 1] = x[1, 0] = x[2, 3] = x[3, 2] = 0.9
    >>> fc = xr.DataArray(x, dims=("source", "target"), coords={"source": names, "target": names}, attrs={"units": "1"})
    >>> result = homologue_contrast(fc)
    >>> round(float(result.homologue_fc), 2), round(float(result.all_fc), 2), result.source.values.tolist()
    (0.9, 0.26, ['AVAL', 'RIML'])
    """
    if n_permutations < 1:
        raise InputError(f"n_permutations must be at least 1, got {n_permutations}")
    matrix, nodes = _mean_of_both_ways(fc)
    left, right = _mirrored(nodes, partner)
    values = matrix[left, right]
    known = ~np.isnan(values)
    left, right, values = left[known], right[known], values[known]
    if not values.size:
        raise InputError(
            f"found no homologous pair with a value among {listed(nodes.tolist())}; bring the names to one convention "
            "(connectome.normalize_worm_names), or pass partner={'left name': 'right name', ...}"
        )
    seed = seeds.resolve(random_state)
    everything = matrix[np.triu_indices(nodes.size, 1)]
    overall = float(everything[~np.isnan(everything)].mean())
    draws = _random_pairings(matrix, values.size, n_permutations, seeds.generator(seed, "homologue_contrast"))
    statistic, null = float(values.mean()) - overall, draws - overall
    unit = {"units": fc.attrs["units"]}
    return xr.Dataset(
        {
            "homologue_fc": ((), values.mean(), {**unit, "long_name": "mean of homologous pairs"}),
            "all_fc": ((), overall, {**unit, "long_name": "mean of all pairs"}),
            "statistic": ((), statistic, {**unit, "long_name": "homologous pairs less all pairs"}),
            "null": ("draw", null, unit),
            "z": ((), z_score(statistic, null), {"units": units.DIMENSIONLESS}),
            "p_value": ((), permutation_p_value(statistic, null), {"units": units.DIMENSIONLESS}),
            "fc": (PAIR, values, {**unit, "long_name": fc.attrs.get("long_name", "connectivity")}),
        },
        coords={SOURCE: (PAIR, nodes[left]), TARGET: (PAIR, nodes[right])},
        attrs={"n_permutations": n_permutations, "random_state": seed},
    )


def _mean_of_both_ways(fc: xr.DataArray) -> tuple[Floats, labels.StrArray]:
    problems = Problems("cannot contrast homologues")
    if not isinstance(fc, xr.DataArray) or set(fc.dims) != {SOURCE, TARGET}:
        found = tuple(map(str, fc.dims)) if isinstance(fc, xr.DataArray) else type(fc).__name__
        problems.add(f"expected functional connectivity (source, target), found {found}; select or average first")
        problems.fail(InputError)
    fc = schema.validate(fc.transpose(SOURCE, TARGET), "functional_connectivity")
    nodes, others = (labels.as_labels(fc[end].to_numpy()) for end in (SOURCE, TARGET))
    place = labels.positions(nodes, others)
    if nodes.size != others.size or (place < 0).any():
        problems.add("source and target must have the same labels; reindex them to the nodes that both have")
    problems.raise_if_any(InputError)
    matrix = fc.to_numpy()[:, place].astype(np.float64)
    return (matrix + matrix.T) / 2, nodes


def _mirrored(nodes: labels.StrArray, partner: Mapping[str, str] | None) -> tuple[Integers, Integers]:
    """Positions of homologous nodes, each pair once."""
    if partner is None:
        other = homologue(nodes)
    else:
        either = {**{b: a for a, b in partner.items()}, **partner}
        other = np.array([either.get(name, "") for name in nodes.tolist()], dtype=np.str_)
    place = labels.positions(other, nodes)
    left = np.flatnonzero(place >= 0)
    pairs = np.unique(np.sort(np.stack([left, place[left]], axis=1), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return pairs[:, 0], pairs[:, 1]


def _random_pairings(matrix: Floats, n_pair: int, n_draw: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean over disjoint random pairs of nodes, (n_draw,)."""
    order = rng.permuted(np.tile(np.arange(matrix.shape[0]), (n_draw, 1)), axis=1)
    drawn = matrix[order[:, :n_pair], order[:, n_pair : 2 * n_pair]]
    known = ~np.isnan(drawn)
    n = known.sum(axis=1)
    mean: NDArray[np.float64] = np.where(known, drawn, 0.0).sum(axis=1) / np.where(n > 0, n, np.nan)
    return mean
