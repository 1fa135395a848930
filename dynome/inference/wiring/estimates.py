"""From activity to a directed graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from dynome import labels
from dynome.dynamics.hmm.gathering import ChainInput
from dynome.errors import InputError
from dynome.inference.wiring import methods
from dynome.inference.wiring.methods import ABOUT, Method
from dynome.inference.wiring.samples import Sample, animals_of, joint_sample, read
from dynome.schema import ANIMAL, SESSION, SOURCE, SPIKE_COUNT, TARGET

Sessions = Literal["joint", "average", "separate"]

_DIRECTED, _SIGNED = "directed", "signed"


def infer_connectivity(
    data: ChainInput,
    method: Method = "granger",
    *,
    sessions: Sessions = "joint",
    variable: str | None = None,
    **options: Any,
) -> xr.DataArray:
    r"""Who drives whom, from activity alone.

    ====================== ==================================================== ======== ======
    method                 what it measures                                     directed signed
    ====================== ==================================================== ======== ======
    correlation            activity at the same time                            no       yes
    lagged_correlation     the source's past with the target's present          yes      yes
    partial_correlation    correlation with all other nodes held fixed          no       yes
    granger                what the source's past adds to the prediction of     yes      no
                           the target from the past of all others
    var                    autoregressive coefficients, summed over lags        yes      yes
    transfer_entropy       information of the source's past on the target       yes      no
    glm                    couplings of a population GLM (z scores)             yes      yes
    learnt_graph           adjacency of a graph network trained to forecast     yes      yes
    attention              attention of a network trained to forecast, times    yes      yes
                           its effect (at most 300 nodes)
    patel                  joint activity, and who is active less often         yes      no
    likelihood_ratio       partial correlation, and the direction in which      yes      no
                           non-Gaussian activity is likelier
    ====================== ==================================================== ======== ======

    Parameters
    ----------
    data : DataArray, Dataset, DataTree, mapping or list
        Activity or spike counts ``(time, node)`` with any leading dims (``trial``, ``session``), a recording, or
        several recordings: a study, or ``{"animal/session": recording}``.
    method : str
        See above. With lags, `lagged_correlation`, `granger`, `var`, `transfer_entropy`, `glm`, `learnt_graph` and
        `attention` suit activity that is sampled faster than it spreads; the others do not look at time.
    sessions : {"joint", "average", "separate"}
        What becomes of several sessions of an animal: one estimate from all, each centred and scaled on its own (their
        nodes must be the same); the mean of their estimates over those that have a pair; or one estimate each.
    variable : str or None
        Of recordings; None takes ``spike_count``, else ``activity``.
    **options
        Of the method: ``n_lags`` in bins (3, where there are lags); ``shrink`` (partial_correlation); ``penalty``,
        "auto" (generalised cross-validation) or a number in units of the regressors' mean square (granger, var);
        ``conditional`` (granger, Gaussian transfer_entropy): given the past of all nodes, or of the target only;
        ``law``, ``n_past``, ``n_levels`` (transfer_entropy); ``history``, ``observation``, ``precision``,
        ``statistic``, ``max_iter`` (glm); ``sparsity``, ``hidden``, ``n_steps``, ``batch_size``,
        ``learning_rate``, ``random_state`` (learnt_graph); ``n_heads``, ``n_features``, ``n_steps``, ``batch_size``,
        ``learning_rate``, ``random_state`` (attention); ``threshold`` (patel); ``nonlinearity``, ``strength``
        (likelihood_ratio).

    Returns
    -------
    DataArray ([animal or session,] source, target)
        NaN on the diagonal, and for nodes that are constant or missing. One dim ``animal`` for several recordings, or
        ``session`` with ``sessions="separate"``, whose labels are paths; then nodes are those of any, in order of
        appearance. Attributes: ``method``, ``units`` ("1" or "nat"), ``directed`` and ``signed`` (1 or 0), and the
        options.

    Raises
    ------
    InputError
        If the data or an option cannot be used, too few bins are left, or a matrix is singular.

    Notes
    -----
    A frame in which a node is missing is left out for all nodes, and no lag reaches across it, across a gap of the
    clock, or from one trial to the next. Every method that looks at pairs of nodes finds indirect connections as well,
    and no method can tell a hidden common input from a connection.

    Granger causality of all pairs given all others takes one matrix inverse: leaving out the block of coefficients
    :math:`B_{ij}` of source i raises the residual sum of squares of target j by
    :math:`B_{ij}^\top ((A^{-1})_{ii})^{-1} B_{ij}`, with A the matrix of products of the past. Gaussian transfer
    entropy is half of it [2]_. The discrete one is that of [3]_, less its bias.

    References
    ----------
    .. [1] Smith et al., NeuroImage 2011, doi:10.1016/j.neuroimage.2010.08.063.
    .. [2] Barnett, Barrett & Seth, Physical Review Letters 2009, doi:10.1103/PhysRevLett.103.238701.
    .. [3] Ito et al., PLoS ONE 2011, doi:10.1371/journal.pone.0027431.
    .. [4] Hyvarinen & Smith, Journal of Machine Learning Research 2013, 14:111-152.
    .. [5] Patel et al., Human Brain Mapping 2006, doi:10.1002/hbm.20182.

    See Also
    --------
    connectivity_scores : how right an estimate is, where the truth is known.
    edge_discoveries : which edges are there, at a false discovery rate.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((5000, 3))
    >>> x[1:, 1] += x[:-1, 0]
    >>> x = xr.DataArray(x, dims=("time", "node"), coords={"node": ["a", "b", "c"]})
    >>> found = infer_connectivity(x, "granger", n_lags=1)
    >>> found.sel(source="a").round(1).values.tolist(), found.attrs["units"]
    ([nan, 0.7, 0.0], 'nat')
    """
    if sessions not in get_args(Sessions):
        raise InputError(f"sessions must be one of {', '.join(map(repr, get_args(Sessions)))}, got {sessions!r}")
    if isinstance(data, xr.DataArray | xr.Dataset):
        (sample,) = samples_of({"": {"": data}}, method, "joint", variable, options).values()
        return labelled({"": sample}, method, options, None)
    samples = samples_of(animals_of(data), method, sessions, variable, options)
    if sessions != "average":
        return labelled(samples, method, options, SESSION if sessions == "separate" else ANIMAL)
    each = labelled(samples, method, options, SESSION)
    animal = [path.split("/")[0] for path in each[SESSION].to_numpy().tolist()]
    order = list(dict.fromkeys(animal))
    parts = [each.isel({SESSION: [a == name for a in animal]}).mean(SESSION, keep_attrs=True) for name in order]
    return xr.concat(parts, xr.Variable(ANIMAL, order), combine_attrs="override")


def samples_of(
    animals: Mapping[str, Mapping[str, Any]],
    method: str,
    sessions: Sessions,
    variable: str | None,
    options: Mapping[str, Any],
) -> dict[str, Sample]:
    """A sample for each animal (joint), or for each session by path.

    Parameters
    ----------
    animals : mapping
        Recordings by animal and session.
    method, sessions, variable, options
        As in `infer_connectivity`.

    Raises
    ------
    InputError
    """
    subject = f"cannot infer connectivity by {method}"
    min_bins = methods.reach(method, options) + 2
    found = {}
    for animal, recordings in animals.items():
        parts = read(recordings, variable, subject)
        counts = all(_counts(item, variable, part.units) for item, part in zip(recordings.values(), parts, strict=True))
        where = f"{subject} of {animal}" if animal else subject
        if sessions == "joint":
            found[animal] = joint_sample(parts, counts, min_bins, where)
            continue
        for name, part in zip(recordings, parts, strict=True):
            path = animal if name == animal else f"{animal}/{name}"
            found[path] = joint_sample([part], counts, min_bins, f"{subject} of {path}")
    return found


def _counts(item: xr.Dataset | xr.DataArray, variable: str | None, unit: str) -> bool:
    """Whether spikes were counted."""
    if isinstance(item, xr.DataArray):
        return item.name == SPIKE_COUNT or unit == "count"
    return variable == SPIKE_COUNT or unit == "count" or (variable is None and SPIKE_COUNT in item)


def labelled(samples: Mapping[str, Sample], method: str, options: Mapping[str, Any], dim: str | None) -> xr.DataArray:
    """Estimates of samples with their labels, stacked along `dim`; without one, that of the only sample.

    Parameters
    ----------
    samples : mapping of str to Sample
    method : str
    options : mapping
    dim : {"animal", "session"} or None
    """
    nodes = np.array(list(dict.fromkeys(n for s in samples.values() for n in s.nodes.tolist())))
    values = np.full((len(samples), nodes.size, nodes.size), np.nan)
    for k, sample in enumerate(samples.values()):
        at = labels.positions(sample.nodes, nodes)
        values[k][np.ix_(at, at)] = methods.estimated(method, sample, options)
    about = ABOUT[method]
    attrs: dict[str, Any] = {
        "units": about.units,
        "long_name": about.long_name,
        "method": method,
        _DIRECTED: int(about.directed),
        _SIGNED: int(about.signed),
    }
    attrs |= {k: v for k, v in options.items() if isinstance(v, str | int | float)}
    if len(steps := {s.step for s in samples.values() if s.step is not None}) == 1:
        attrs["bin_width"] = steps.pop()
    coords: dict[str, Any] = {SOURCE: nodes, TARGET: nodes}
    dims = (SOURCE, TARGET) if dim is None else (dim, SOURCE, TARGET)
    if dim is not None:
        coords[dim] = list(samples)
    shown = values[0] if dim is None else values
    return xr.DataArray(shown, dims=dims, coords=coords, name="connectivity", attrs=attrs)
