"""Whether synthetic connectivity has the distribution of the real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import seeds
from dynome.errors import InputError, Problems
from dynome.inference.generation import conditions as told
from dynome.inference.generation import two_samples
from dynome.inference.generation.log_correlation import log_vectors, matrices_of, pair_positions
from dynome.inference.generation.people import people_of
from dynome.permutation import permutation_p_value
from dynome.schema import SOURCE, TARGET

Array = NDArray[np.float64]

SAMPLE, STATISTIC, EFFECT, RANK = "sample", "statistic", "effect", "rank"
_FEWEST = 8
_MEANING = {
    "mmd": "squared maximum mean discrepancy of log-correlations",
    "joint_mmd": "the same of log-correlations together with conditions",
    "classifier": "area under the curve of a classifier, real against synthetic",
    "edge_mean": "mean squared difference of means of pairs, in variances",
    "edge_spread": "standard deviation of pairs, synthetic over real, geometric mean",
    "spectrum": "mean squared difference of mean log-eigenvalues, in variances",
    "association": "mean squared difference of slopes on the conditions, in variances",
}


def compare_distributions(
    real: xr.DataArray,
    synthetic: xr.DataArray,
    *,
    conditions: Sequence[str] = (),
    n_permutations: int = 500,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Compare synthetic with real connectivity: permutation tests and plain descriptions.

    Parameters
    ----------
    real : (animal | session, source, target)
        Correlation matrices of people who were **not** used to fit the model; at least 8.
    synthetic : (animal | session, source, target)
        The same nodes, in any order; made for the same conditions where these are compared.
    conditions : sequence of str
        Coordinates of people, in both.
    n_permutations : int
        Permutations of the labels real and synthetic, at least 1.
    random_state : int or None

    Returns
    -------
    Dataset
        ``value null p_value (statistic)``: the statistic, its median and p-value when labels are permuted. Besides
        ``mean sd (sample, source, target)`` of correlations; ``eigenvalue (sample, rank)``; ``slope (sample, effect,
        source, target)`` of log-correlations on each condition; ``mean_agreement``, ``slope_agreement (effect)``
        correlations over pairs; and ``novelty``: the median distance from a synthetic person to the nearest real one
        over that between real ones; far below 1 says that people were copied.

    Raises
    ------
    InputError
        If something is no correlation matrix, or nodes or conditions differ.

    Notes
    -----
    If both come from one distribution the labels are exchangeable, and so p-values are exact whatever the statistic. A
    large p-value says that this many people do not show a difference, no more. All is computed on log-correlations
    (see `ConnectivityVAE`) but ``mean``, ``sd`` and ``eigenvalue``.

    References
    ----------
    .. [1] Gretton, Borgwardt, Rasch, Schoelkopf & Smola, JMLR 2012 (maximum mean discrepancy).
    .. [2] Lopez-Paz & Oquab, ICLR 2017, arXiv:1610.06545 (classifier two-sample tests).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def people(n):
    ...     bold = rng.standard_normal((n, 40, 3)) + rng.standard_normal((n, 40, 1))
    ...     return xr.DataArray([np.corrcoef(b.T) for b in bold], dims=("animal", "source", "target"),
    ...                         coords={"source": list("abc"), "target": list("abc")})
    >>> found = compare_distributions(people(20), people(20), n_permutations=99, random_state=0)
    >>> bool(found.p_value.sel(statistic="mmd") > 0.05)
    True
    """
    subject = "cannot compare distributions"
    one = people_of(real, subject, fewest=_FEWEST)
    other = people_of(synthetic, subject, nodes=one.nodes, fewest=_FEWEST)
    n, m = len(one.matrices), len(other.matrices)
    problems = Problems(subject)
    if isinstance(n_permutations, bool) or not isinstance(n_permutations, int | np.integer) or n_permutations < 1:
        problems.add(f"n_permutations must be an integer of at least 1, got {n_permutations!r}")
    if isinstance(conditions, str):
        problems.add(f"conditions must be a list of names, got {conditions!r}")
    problems.raise_if_any(InputError)
    seed = seeds.resolve(random_state)
    matrices = np.concatenate([one.matrices, other.matrices])
    vectors = log_vectors(matrices)
    columns, effects = _columns(tuple(conditions), real, synthetic, n, m)
    membership = two_samples.labellings(n, m, n_permutations, seeds.generator(seed, "permutations"))
    spectra = np.linalg.eigvalsh(matrices)[:, ::-1]
    drawn = _statistics(vectors, np.log(spectra), columns, membership, seeds.generator(seed, "folds"))
    result = _table(drawn).assign(_described(matrices, spectra, n, one.nodes))
    result["novelty"] = ((), _novelty(vectors, n), {"units": "1", "long_name": "distance to the nearest real person"})
    if effects:
        result = result.merge(_slopes(vectors, columns, n, effects, one.nodes))
    return result.assign_attrs(n_real=n, n_synthetic=m, n_permutations=int(n_permutations), random_state=seed)


def _columns(
    names: tuple[str, ...], real: xr.DataArray, synthetic: xr.DataArray, n: int, m: int
) -> tuple[Array, list[str]]:
    """Conditions of all as columns of variance 1, straight lines for numbers."""
    first = told.conditions_of(names, real, n, "cannot compare distributions (real)")
    second = told.conditions_of(names, synthetic, m, "cannot compare distributions (synthetic)")
    both = {name: np.concatenate([first[name], second[name]]) for name in names}
    straight = [c._replace(knots=()) for c in told.described(both)]
    values = told.columns(straight, both, n + m)
    values = values - values.mean(axis=0)
    return values / values.std(axis=0), told.column_names(straight)


def _statistics(
    vectors: Array, spectra: Array, columns: Array, membership: Array, rng: np.random.Generator
) -> dict[str, Array]:
    kernel = two_samples.gaussian_kernel(vectors)
    found = {
        "mmd": two_samples.discrepancy(kernel, membership),
        "classifier": two_samples.classifier_areas(vectors, membership, rng),
        "edge_mean": two_samples.mean_differences(vectors, membership),
        "edge_spread": two_samples.log_spread_ratios(vectors, membership),
        "spectrum": two_samples.mean_differences(spectra, membership),
    }
    if columns.shape[1]:
        joint = kernel * two_samples.gaussian_kernel(columns)
        found["joint_mmd"] = two_samples.discrepancy(joint, membership)
        found["association"] = two_samples.slope_differences(vectors, columns, membership)
    return found


def _table(drawn: dict[str, Array]) -> xr.Dataset:
    value, null, p = [], [], []
    for name, v in drawn.items():
        extreme = np.abs(v - np.median(v[1:])) if name == "edge_spread" else v
        p.append(float(permutation_p_value(extreme[0], extreme[1:])))
        shown = np.exp(v) if name == "edge_spread" else v
        value.append(shown[0])
        null.append(np.median(shown[1:]))
    one = {"units": "1"}
    return xr.Dataset(
        {
            "value": (STATISTIC, value, one),
            "null": (STATISTIC, null, one | {"long_name": "median under permutation"}),
            "p_value": (STATISTIC, p, one | {"long_name": "permutation p-value"}),
        },
        coords={STATISTIC: list(drawn), "meaning": (STATISTIC, [_MEANING[name] for name in drawn])},
    )


def _described(matrices: Array, spectra: Array, n: int, nodes: NDArray[Any]) -> xr.Dataset:
    halves, one = (slice(None, n), slice(n, None)), {"units": "1"}
    mean = np.stack([matrices[h].mean(axis=0) for h in halves])
    sd = np.stack([matrices[h].std(axis=0, ddof=1) for h in halves])
    rows, columns = pair_positions(nodes.size)
    agreement = np.corrcoef(mean[:, rows, columns])[0, 1] if rows.size > 1 else np.nan
    dims, rank = (SAMPLE, SOURCE, TARGET), np.arange(1, nodes.size + 1)
    return xr.Dataset(
        {
            "mean": (dims, mean, one),
            "sd": (dims, sd, one),
            "eigenvalue": ((SAMPLE, RANK), np.stack([spectra[h].mean(axis=0) for h in halves]), one),
            "mean_agreement": ((), agreement, one | {"long_name": "correlation of means over pairs"}),
        },
        coords={SAMPLE: ["real", "synthetic"], SOURCE: nodes, TARGET: nodes, RANK: (RANK, rank, one)},
    )


def _slopes(vectors: Array, columns: Array, n: int, effects: list[str], nodes: NDArray[Any]) -> xr.Dataset:
    slopes = []
    for half in (slice(None, n), slice(n, None)):
        c = columns[half] - columns[half].mean(axis=0)
        slopes.append(
            c.T @ (vectors[half] - vectors[half].mean(axis=0)) / np.maximum((c**2).sum(axis=0), 1e-12)[:, None]
        )
    real, synthetic = slopes
    pairs = real.shape[1]
    agreement = [np.corrcoef(a, b)[0, 1] if pairs > 1 else np.nan for a, b in zip(real, synthetic, strict=True)]
    one = {"units": "1"}
    return xr.Dataset(
        {
            "slope": ((SAMPLE, EFFECT, SOURCE, TARGET), matrices_of(np.stack(slopes), nodes.size), one),
            "slope_agreement": (EFFECT, agreement, one | {"long_name": "correlation of slopes over pairs"}),
        },
        coords={EFFECT: effects},
    )


def _novelty(vectors: Array, n: int) -> float:
    real, synthetic = vectors[:n], vectors[n:]
    among = two_samples.squared_distances(real)
    np.fill_diagonal(among, np.inf)
    return float(np.median(two_samples.nearest_distances(synthetic, real)) / np.median(np.sqrt(among.min(axis=1))))
