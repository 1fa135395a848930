"""Whether a person is found again in another scan."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, seeds
from dynome.errors import InputError, Problems, listed
from dynome.inference.probing.feature_labels import in_order_of
from dynome.inference.probing.features import Features, features_of
from dynome.inference.probing.uncertainty import small_sample
from dynome.permutation import permutation_p_value

Floats = NDArray[np.float64]

_N_BOOTSTRAP = 2000
_SAME = 1e-12


def fingerprint(
    first: xr.DataArray,
    second: xr.DataArray,
    *,
    pool: Collection[str] | None = None,
    n_permutations: int = 2000,
    random_state: int | None = None,
) -> xr.Dataset:
    r"""Find every animal of one set of scans in another set.

    Parameters
    ----------
    first, second : (session or animal, ...)
        Functional connectivity (source, target) or any embedding; one scan an animal in each. Both have the same dims,
        in any order, and the same labels of regions (or of other features), which are joined by name; a dim without
        labels on both sides is joined by position.
        Animals are joined by name: a coordinate ``animal (session)``, or what is before the slash of a path.
    pool : collection of str or None
        Dims to average over; None is ``window``.
    n_permutations : int
        How often identities are dealt anew.
    random_state : int or None
        Seed.

    Returns
    -------
    Dataset
        ``similarity (first, second)``: correlation of the features. ``rate (direction)``: share of animals whose most
        similar scan in the other set is their own, "forward" from first to second, and "backward"; ties share.
        ``differential``: mean similarity within animals less that between. Each with ``_low`` and ``_high`` (95 %) and
        ``_p_value``. ``attrs`` have ``chance``, the rate of guessing, and ``left_out``, animals in one set only.

    Raises
    ------
    InputError
        If fewer than two animals are in both sets, an animal is twice in one, or dims, labels or
        sizes of features differ.

    Notes
    -----
    Identification as in [1]_, differential identifiability as in [2]_ but not in per cent. For intervals animals are
    drawn again, for rates with two more among them, one that is found and one that is not. With n animals there are n!
    identities, and no p-value is below 1 / n!: two animals cannot show anything.

    References
    ----------
    .. [1] Finn et al., Nature Neuroscience 2015, doi:10.1038/nn.4135.
    .. [2] Amico & Goni, Scientific Reports 2018, doi:10.1038/s41598-018-25089-1.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> person = rng.standard_normal((6, 40))
    >>> scans = [xr.DataArray(person + rng.standard_normal((6, 40)) / 2, dims=("animal", "feature"),
    ...                       coords={"animal": list("abcdef")}) for _ in range(2)]
    >>> found = fingerprint(*scans, random_state=0)
    >>> found.rate.values.tolist(), bool(found.differential_p_value < 0.01)
    ([1.0, 1.0], True)
    """
    if n_permutations < 1:
        raise InputError(f"n_permutations must be at least 1, got {n_permutations}")
    a, b = features_of(first, pool), features_of(in_order_of(first, second, pool), pool)
    names, left_out = _joined(a, b)
    similarity = _correlations(
        a.values[labels.positions(names, a.animals)], b.values[labels.positions(names, b.animals)]
    )
    seed, n = seeds.resolve(random_state), names.size
    hits = np.stack([_hits(similarity), _hits(similarity.T)])  # (direction, animal found, animal)
    own = np.arange(n)
    rng = seeds.generator(seed, "identities")
    dealt = np.array([rng.permutation(n) for _ in range(n_permutations)])
    rate = hits[:, own, own].mean(axis=1)
    null_rate = np.stack([hit[own, dealt].mean(axis=1) for hit in hits])
    margin = _margins(similarity)
    null_margin = (
        similarity[own, dealt].sum(axis=1) - (similarity.sum() - similarity[own, dealt].sum(axis=1)) / (n - 1)
    ) / n
    rate_low, rate_high = _rate_interval(hits[:, own, own], seed)
    drawn = seeds.generator(seed, "bootstrap").multinomial(n, np.full(n, 1 / n), size=_N_BOOTSTRAP) @ margin / n
    wider = small_sample(n)
    low, high = margin.mean() + wider * (np.quantile(drawn, [0.025, 0.975]) - margin.mean())
    unit = {"units": "1"}
    found = {
        "similarity": (("first", "second"), similarity, unit | {"long_name": "correlation of features"}),
        "rate": ("direction", rate, unit | {"long_name": "animals found"}),
        "rate_low": ("direction", rate_low, unit),
        "rate_high": ("direction", rate_high, unit),
        "rate_p_value": ("direction", permutation_p_value(rate, null_rate), unit),
        "differential": ((), float(margin.mean()), unit | {"long_name": "similarity within less between animals"}),
        "differential_low": ((), float(low), unit),
        "differential_high": ((), float(high), unit),
        "differential_p_value": ((), float(permutation_p_value(margin.mean(), null_margin)), unit),
    }
    coords = {"first": names, "second": names, "direction": ["forward", "backward"]}
    return xr.Dataset(found, coords, {"chance": 1 / n, "left_out": left_out, "random_state": seed})


def _joined(a: Features, b: Features) -> tuple[labels.StrArray, list[str]]:
    problems = Problems("cannot compare fingerprints")
    for which, features in (("first", a), ("second", b)):
        if twice := labels.duplicates(features.animals):
            problems.add(f"{which} has several scans of {listed(twice)}; give one scan an animal")
    if a.values.shape[1] != b.values.shape[1]:
        problems.add(
            f"features differ: {a.values.shape[1]} in first, {b.values.shape[1]} in second, as the matrices of one are "
            "symmetric and those of the other are not"
        )
    problems.raise_if_any(InputError)
    names = labels.shared(a.animals, b.animals)
    if names.size < 2:
        problems.add(
            f"at least 2 animals must be in both, found {names.size}: first has {listed(a.animals.tolist())}, "
            f"second {listed(b.animals.tolist())}"
        )
        problems.fail(InputError)
    return names, sorted(set(a.animals.tolist()) ^ set(b.animals.tolist()))


def _correlations(a: Floats, b: Floats) -> Floats:
    """Correlation of every row of one with every row of the other."""
    scaled = []
    for x in (a, b):
        centered = x - x.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(centered, axis=1, keepdims=True)
        if (norm <= _SAME * np.abs(x).max(axis=1, keepdims=True)).any():
            raise InputError("features of a scan do not vary; there is nothing to compare")
        scaled.append(centered / norm)
    return np.asarray(scaled[0] @ scaled[1].T)


def _hits(similarity: Floats) -> Floats:
    """Which column each row is most similar to; ties share."""
    best = similarity >= similarity.max(axis=1, keepdims=True) - _SAME
    return np.asarray(best / best.sum(axis=1, keepdims=True))


def _margins(similarity: Floats) -> Floats:
    """For each animal, its own similarity less the mean of all pairs that it makes with others; mean: differential."""
    n = len(similarity)
    own = np.diag(similarity)
    others = (similarity.sum(axis=0) + similarity.sum(axis=1) - 2 * own) / (2 * (n - 1))
    return np.asarray(own - others)


def _rate_interval(right: Floats, seed: int) -> tuple[Floats, Floats]:
    """Ends of the interval of the mean over the last axis, with two animals more, one right and one wrong."""
    padded = np.concatenate([right, np.ones((len(right), 1)), np.zeros((len(right), 1))], axis=1)
    n = padded.shape[1]
    draws = seeds.generator(seed, "rates").multinomial(n, np.full(n, 1 / n), size=_N_BOOTSTRAP)
    low, high = np.quantile(draws @ padded.T / n, [0.025, 0.975], axis=0)
    return np.minimum(low, right.mean(axis=1)), np.maximum(high, right.mean(axis=1))
