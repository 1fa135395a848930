"""Connectivity of several sessions as departures from their common covariance.

Covariances live on a curved space; seen from their geometric mean they become symmetric matrices that may be averaged,
regressed and classified like any other features.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from dynome import labels, study, units
from dynome.dynamics.connectivity.geometry import geometric_mean, mapped, roots, symmetric, whitened_logs
from dynome.dynamics.connectivity.inputs import checked, unit_power
from dynome.dynamics.connectivity.moments import Array, has_gaps
from dynome.dynamics.connectivity.shrinkage import ledoit_wolf
from dynome.dynamics.preprocessing.animals import LABELLED
from dynome.errors import InputError, Problems, listed
from dynome.schema import ACTIVITY, NODE, SESSION, SOURCE, TARGET, TIME

Recordings = xr.DataTree | Mapping[str, xr.DataArray] | Iterable[xr.DataArray]


def tangent_connectivity(recordings: Recordings, *, reference: xr.DataArray | None = None) -> xr.DataArray:
    r"""How the connectivity of each session departs from that of all.

    Parameters
    ----------
    recordings : DataTree, mapping or iterable of (time, node)
        A study (its ``activity``), or activities by session name; without names sessions are "0", "1", ...
        Nodes are joined by label: those that all sessions share, in the order of the first. A node whose coordinate
        ``labelled`` is False has no identity and is left out.
    reference : (source, target) or None
        The covariance to look from: ``tangent_connectivity(train).reference`` for held-out sessions, so that nothing
        leaks from them. None takes the geometric mean of these sessions, at least two.

    Returns
    -------
    (session, source, target), dimensionless
        Symmetric; zero where a session equals the reference. Coordinate ``reference (source, target)`` keeps the
        covariance looked from, in the unit of the activity squared.

    Raises
    ------
    InputError
        If a recording cannot be used or has NaN, a node is constant, fewer than two nodes are shared, or the mean is
        not found.
    UnitsError
        If the activity has no units.

    Notes
    -----
    With :math:`\Sigma_k` the Ledoit-Wolf covariance of session k and :math:`\Sigma_*` the reference,
    :math:`S_k = \log(\Sigma_*^{-1/2} \Sigma_k \Sigma_*^{-1/2})` [1]_; the geometric mean makes :math:`\sum_k S_k`
    zero and is found by gradient descent along geodesics [2]_. Shrinkage pulls towards equal variances: with nodes of
    different gains, standardize first. `covariance_from_tangent` is the inverse.

    References
    ----------
    .. [1] Varoquaux, Baronnet, Kleinschmidt, Fillard & Thirion, MICCAI 2010, doi:10.1007/978-3-642-15705-9_25.
    .. [2] Fletcher & Joshi, Signal Processing 2007, doi:10.1016/j.sigpro.2005.12.018.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def session():
    ...     return xr.DataArray(rng.standard_normal((50, 2)), dims=("time", "node"),
    ...                         coords={"node": ["a", "b"]}, attrs={"units": "1"})
    >>> tangent = tangent_connectivity({"worm1": session(), "worm2": session()})
    >>> tangent.dims, bool(np.allclose(tangent.sum("session"), 0, atol=1e-7))
    (('session', 'source', 'target'), True)
    """
    activities = {name: _identified(activity, name) for name, activity in _by_name(recordings).items()}
    if len(activities) < (2 if reference is None else 1):
        raise InputError(f"a geometric mean needs at least 2 sessions, found {len(activities)}; or give a reference")
    units.agree(activities.values(), "activities")
    unit = unit_power(next(iter(activities.values())), 2)
    nodes = _nodes(activities, reference)
    covariances = _covariances(activities, nodes)
    middle = geometric_mean(covariances) if reference is None else reference.to_numpy().astype(np.float64)
    attrs = {"units": units.DIMENSIONLESS, "long_name": "tangent connectivity", "kind": "tangent", "directed": 0}
    coords = {
        SESSION: labels.as_labels(list(activities)),
        SOURCE: nodes,
        TARGET: nodes,
        "reference": ((SOURCE, TARGET), middle, {"units": unit, "long_name": "covariance looked from"}),
    }
    logs = whitened_logs(covariances, roots(middle).inverse)
    return xr.DataArray(logs, dims=(SESSION, SOURCE, TARGET), coords=coords, name="tangent", attrs=attrs)


def covariance_from_tangent(tangent: xr.DataArray) -> xr.DataArray:
    r"""Covariance of each session from its tangent connectivity: the inverse of `tangent_connectivity`.

    Parameters
    ----------
    tangent : (..., source, target)
        With the coordinate ``reference (source, target)``; leading dims may be any, e.g. components or a mean.

    Returns
    -------
    (..., source, target), in the unit of ``reference``
        Symmetric positive definite.

    Raises
    ------
    InputError
        If there is no reference.

    Notes
    -----
    :math:`\Sigma_k = \Sigma_*^{1/2} \exp(S_k) \Sigma_*^{1/2}`.
    """
    if "reference" not in tangent.coords:
        raise InputError("expected a coordinate reference (source, target); keep the one of tangent_connectivity")
    ordered = tangent.transpose(..., SOURCE, TARGET)
    reference = ordered["reference"].transpose(SOURCE, TARGET)
    root = roots(reference.to_numpy()).root
    values = symmetric(root @ mapped(np.exp, symmetric(ordered.to_numpy())) @ root)
    attrs = {"units": reference.attrs["units"], "long_name": "covariance", "kind": "covariance", "directed": 0}
    return ordered.copy(data=values).rename("covariance").assign_attrs(attrs)


def _by_name(recordings: Recordings) -> dict[str, xr.DataArray]:
    if isinstance(recordings, xr.DataTree):
        found = study.sessions(recordings)
        if without := [name for name, recording in found.items() if ACTIVITY not in recording]:
            raise InputError(
                f"sessions {listed(without)} have no activity; spike counts need smoothing or binning first"
            )
        return {name: recording[ACTIVITY] for name, recording in found.items()}
    if isinstance(recordings, xr.DataArray | xr.Dataset):
        raise InputError(
            "tangent connectivity compares several sessions; give a study, a mapping or a list of activities"
        )
    named: list[tuple[object, Any]]
    named = list(recordings.items() if isinstance(recordings, Mapping) else enumerate(recordings))
    return {str(name): activity for name, activity in named}


def _identified(activity: xr.DataArray, name: str) -> xr.DataArray:
    """The activity (time, node) of the nodes that have an identity."""
    x = checked(activity, f"cannot use session {name!r}")
    if x.dims != (TIME, NODE):
        raise InputError(f"cannot use session {name!r}: expected (time, node), found dims {x.dims}; give one at a time")
    return x.isel({NODE: x[LABELLED].to_numpy().astype(bool)}) if LABELLED in x.coords else x


def _nodes(activities: Mapping[str, xr.DataArray], reference: xr.DataArray | None) -> labels.StrArray:
    """Labels that the result has: those of the reference, or those that all sessions share."""
    problems = Problems("cannot compute tangent connectivity")
    known = {name: labels.as_labels(activity[NODE].to_numpy()) for name, activity in activities.items()}
    if reference is None:
        nodes = labels.shared(*known.values())
        if nodes.size < 2:
            problems.add(
                f"at least 2 node labels must be in every session, found {nodes.size}; bring names to one convention"
            )
    else:
        nodes = labels.as_labels(reference[SOURCE].to_numpy())
        for name, found in known.items():
            if (absent := nodes[labels.positions(nodes, found) < 0]).size:
                problems.add(f"session {name!r} lacks nodes of the reference: {listed(absent.tolist())}")
        if not np.array_equal(nodes, labels.as_labels(reference[TARGET].to_numpy())):
            problems.add("source and target of the reference must have the same labels in the same order")
        if not np.isfinite(reference.to_numpy()).all():
            problems.add("the reference must be finite, found NaN or infinite values")
    problems.raise_if_any(InputError)
    return nodes


def _covariances(activities: Mapping[str, xr.DataArray], nodes: labels.StrArray) -> Array:
    """Ledoit-Wolf covariance of each session, (session, node, node)."""
    problems = Problems("cannot compute tangent connectivity")
    covariances = np.empty((len(activities), nodes.size, nodes.size))
    for k, (name, x) in enumerate(activities.items()):
        at = labels.positions(nodes, labels.as_labels(x[NODE].to_numpy()))
        values = x.to_numpy()[:, at].astype(np.float64)
        if has_gaps(values):
            gappy = nodes[np.isnan(values).any(axis=0)].tolist()
            problems.add(f"session {name!r} has NaN in {listed(gappy)}; interpolate, or drop the nodes or frames")
        elif (still := nodes[values.max(axis=0) == values.min(axis=0)]).size:
            problems.add(f"session {name!r} is constant in {listed(still.tolist())}; drop the nodes")
        else:
            covariances[k] = ledoit_wolf(values).covariance
    problems.raise_if_any(InputError)
    return covariances
