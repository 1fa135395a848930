"""Tasks of forecasting: a study divided into training, validation and test without leaks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from dynome import labels, schema, seeds
from dynome import study as studies
from dynome.dynamics.forecasting.series import CENTER, LABELLED, SCALE, SCORED, stacked
from dynome.dynamics.forecasting.windows import origins
from dynome.errors import InputError, Problems
from dynome.inference.forecasting import scales
from dynome.inference.forecasting.cuts import HELD_OUT, PARTS, TRAIN, Cuts
from dynome.inference.forecasting.readiness import check_labels, common_interval, described, variable_of
from dynome.inference.forecasting.splits import Split, Wanted, cuts_of
from dynome.schema import NODE, TIME
from dynome.units import of

Scaling = Literal["standard", "none"]

_ZAPBENCH_HORIZONS, _HORIZONS = tuple(range(1, 33)), (1, 3, 10, 32)


def forecasting_task(
    study: xr.DataTree,
    connectome: xr.Dataset | None = None,
    *,
    context: int | None = None,
    horizons: Sequence[int] | None = None,
    split: Split = "by_time",
    fractions: tuple[float, float, float] = (0.7, 0.1, 0.2),
    gap: int | Literal["auto"] = "auto",
    variable: str | None = None,
    covariates: Sequence[str] = (),
    scaling: Scaling = "standard",
    held_out: Sequence[str] = (),
    random_state: int | None = None,
) -> xr.DataTree:
    """Divide a study into training, validation and test, so that nothing of the test is seen before it.

    Parameters
    ----------
    study : DataTree
        Recordings of one or many animals with one sampling interval. What is lazy is loaded.
    connectome : Dataset or None
        The wiring that models may use. None takes that of the study, where it has one.
    context : int or None
        Bins of the past that a forecast may look at. None is 16, and 4 for ``"zapbench"``.
    horizons : sequence of int or None
        Bins ahead that are forecast. None is 1, 3, 10, 32, and 1 to 32 for ``"zapbench"``.
    split : str
        ``"by_time"``: every recording is cut into training, then a gap, validation, a gap, test. ``"by_animal"``,
        ``"by_session"``: whole animals or recordings, drawn at random. ``"by_study"``: the same with what recordings
        name in the attribute or scalar coordinate ``study``, or else ``source``. ``"by_trial"``: trials of every
        recording (coordinate ``trial`` of time), drawn at random. ``"zapbench"``: see Notes.
    fractions : (3,)
        Of training, validation and test. Validation may be 0: it then has no recordings.
    gap : int or "auto"
        For ``"by_time"``: bins between the last scored bin of a part and the first scored bin of the next. ``"auto"``
        is `context` plus the longest horizon. At least `context`.
    variable : str or None
        What is forecast; None is ``activity`` where all recordings have it, else ``spike_count``.
    covariates : sequence of str
        Variables or coordinates over time that models may use; they are kept as they are.
    scaling : {"standard", "none"}
        How ``center`` and ``scale`` are set, see Returns.
    held_out : sequence of str
        For ``"zapbench"``: conditions that are not trained on.
    random_state : int or None
        Seed of what is drawn.

    Returns
    -------
    DataTree
        Children ``train``, ``validation``, ``test`` (and ``held_out``), each a study with the connectome, and with
        the attributes ``context horizons variable covariates interval`` (seconds) ``split gap scaling``. The attribute
        ``left_out`` of the task lists labels of recordings that the connectome does not know, e.g. mistyped ones.

        Recordings hold the variable as it was, the covariates, ``scored (time)`` (False: only to be looked back on),
        and ``center (node)`` and ``scale (node)``, by which models standardize. Unlabelled nodes are left out, and of
        a part those that have no value in it.

        With ``"standard"``, centre and scale are mean and standard deviation over training time. Where parts lie in
        one recording, they are those of the recording. Where whole recordings are held out, all recordings, training
        ones too, get those of each label over all training recordings, so that a new animal is treated like the old
        ones. A label without training values, or that does not vary, gets the mean and the typical spread of all.

    Raises
    ------
    InputError
        With every problem: unknown split, too few animals, contexts longer than a session, unequal sampling
        intervals, no labelled node.
    SchemaError
        If `study` or `connectome` is not valid, or a recording shares no label with the connectome. Single labels that
        the connectome does not know are taken: these nodes have no inputs, and are named in ``left_out``.

    Notes
    -----
    A *window* is a context and the bins ahead of it. No window crosses a trial, a gap of the clock or a recording, and
    every horizon of a window must be scored. By time, parts share no bin at all: the bins that the first windows of a
    part look back on are the last ones of the gap. With ``gap="auto"`` at least as many bins as the longest horizon
    lie between the last training bin and the first bin that a test window looks at.

    ``"zapbench"`` is the protocol of [1]_: inside each run of the coordinate ``condition`` (or ``epoch``) of time, less
    one bin at either end, the last ``int(0.2 n)`` bins are test, ``int(0.1 n)`` before them validation. Contexts of
    validation and test reach back into what lies before them (targets are never shared). Held-out conditions are
    scored from their 257th bin on. The scored windows are so the same for every context up to 256. Each run of a
    condition is a session of its part (``/{animal}/{condition}``), so that scores are averaged over conditions, as
    there; their unit is kept with ``scaling="none"``.

    References
    ----------
    .. [1] Lueckmann et al., ZAPBench, ICLR 2025, arXiv:2503.02618.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rec = schema.recording(rng.normal(size=(100, 2)), time=np.arange(100.0), node=["a", "b"], units="1")
    >>> task = forecasting_task(studies.build({"worm1": rec}), context=4, horizons=(1, 3))
    >>> {part: task[f"{part}/worm1"].sizes["time"] for part in ("train", "validation", "test")}
    {'train': 60, 'validation': 13, 'test': 21}
    """
    zapbench = split == "zapbench"
    _refuse_single(horizons=horizons, fractions=fractions, covariates=covariates, held_out=held_out)
    context = (4 if zapbench else 16) if context is None else context
    horizons = (_ZAPBENCH_HORIZONS if zapbench else _HORIZONS) if horizons is None else horizons
    wanted = Wanted(
        context, tuple(horizons), split, tuple(fractions), gap, tuple(held_out), seeds.resolve(random_state)
    )
    _check_arguments(wanted, scaling)
    whole = _whole(study, connectome)
    wiring = studies.connectome(whole).compute() if schema.CONNECTOME in whole.children else None
    recordings = studies.sessions(whole)
    name = variable_of(recordings, variable, covariates)
    interval = common_interval(recordings)
    recordings = {path: _kept(rec, name, covariates) for path, rec in recordings.items()}
    unknown = check_labels(recordings, wiring)
    cuts, split_by = cuts_of(recordings, wanted)
    recordings = _scaled(recordings, cuts, name, split in ("by_animal", "by_session", "by_study"), scaling)
    names = (*PARTS, HELD_OUT) if zapbench and held_out else PARTS
    parts = {part: _taken(recordings, cuts, part, name) for part in names}
    if zapbench:
        parts = {part: _by_condition(taken, split_by) for part, taken in parts.items()}
    about = {
        "context": context,
        "horizons": [int(h) for h in horizons],
        "variable": name,
        "covariates": list(covariates),
        "interval": interval,
        "split": split,
        "gap": wanted.bins_between,
        "scaling": scaling,
    }
    task = xr.DataTree(xr.Dataset(attrs={**about, "fractions": list(wanted.fractions), "random_state": wanted.seed}))
    task.attrs.update(split_by=split_by, left_out=unknown)
    for part, taken in parts.items():
        task[part] = _tree(taken, wiring, about)
    _check_windows(task, wanted)
    return task


def _refuse_single(**given: Any) -> None:
    problems = Problems("cannot make a forecasting task")
    for name, value in given.items():
        if value is not None and (isinstance(value, str) or not np.iterable(value)):
            several = name == "horizons" and _whole_number(value, 2)
            hint = f", or range(1, {int(value) + 1}) for all up to it" if several else ""
            one = "(0.7, 0.1, 0.2)" if name == "fractions" else f"({value!r},)"
            problems.add(f"{name} must be a sequence, got {value!r}; pass {one}{hint}")
    problems.raise_if_any(InputError)


def _check_arguments(wanted: Wanted, scaling: str) -> None:
    problems = Problems("cannot make a forecasting task")
    if wanted.split not in get_args(Split):
        problems.add(f"split must be one of {', '.join(get_args(Split))}, got {wanted.split!r}")
    if scaling not in get_args(Scaling):
        problems.add(f"scaling must be one of {', '.join(get_args(Scaling))}, got {scaling!r}")
    if not _whole_number(wanted.context, 1):
        problems.add(f"context must be a number of bins, at least 1, got {wanted.context!r}")
    ahead = wanted.horizons
    if not ahead or not all(_whole_number(h, 1) for h in ahead) or list(ahead) != sorted(set(ahead)):
        problems.add(f"horizons must be increasing numbers of bins, at least 1, got {list(ahead)}")
    shares = wanted.fractions
    if len(shares) != 3 or min(shares) < 0 or shares[0] == 0 or shares[-1] == 0 or abs(sum(shares) - 1) > 1e-6:
        problems.add(
            "fractions must be those of training, validation and test, sum to 1, and leave something to train and to "
            f"test on, got {list(shares)}"
        )
    if wanted.held_out and wanted.split != "zapbench":
        problems.add(f'held_out is for split="zapbench"; choose recordings yourself for {wanted.split!r}')
    if wanted.gap != "auto":
        if wanted.split != "by_time":
            problems.add(f'gap is for split="by_time"; parts of {wanted.split!r} do not follow each other')
        elif not _whole_number(wanted.gap, 0):
            problems.add(f'gap must be a number of bins or "auto", got {wanted.gap!r}')
        elif _whole_number(wanted.context, 1) and int(wanted.gap) < wanted.context:
            problems.add(
                f"gap must be at least the context ({wanted.context} bins), or test windows would look back into "
                f"training bins, got {wanted.gap}"
            )
    problems.raise_if_any(InputError)


def _whole_number(value: Any, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= least


def _whole(study: object, connectome: xr.Dataset | None) -> xr.DataTree:
    if not isinstance(study, xr.DataTree):
        raise InputError(f"cannot make a forecasting task:\n  - expected a study, found {described(study)}")
    return schema.validate(study, "study") if connectome is None else studies.build(study, connectome)


def _kept(rec: xr.Dataset, name: str, covariates: Sequence[str]) -> xr.Dataset:
    """The variable and the covariates of labelled nodes, in memory."""
    rec = rec.reset_coords([c for c in covariates if c in rec.coords and c != TIME])
    rec = rec[[name, *covariates]].drop_vars([n for n in (CENTER, SCALE, SCORED) if n in rec.coords])
    if LABELLED in rec.coords:
        rec = rec.isel({NODE: rec[LABELLED].to_numpy().astype(bool)})
    return rec.compute()


def _scaled(
    recordings: dict[str, xr.Dataset], cuts: dict[str, Cuts], name: str, pooled: bool, scaling: Scaling
) -> dict[str, xr.Dataset]:
    """Recordings with centre and scale from training bins."""
    nodes = {path: labels.as_labels(rec[NODE].to_numpy()) for path, rec in recordings.items()}
    own = {
        path: scales.moments(rec[name].to_numpy()[cuts[path][TRAIN].bins].astype(np.float64))
        for path, rec in recordings.items()
        if TRAIN in cuts[path]
    }
    together = scales.pooled([(nodes[path], found) for path, found in own.items()])
    out = {}
    for path, rec in recordings.items():
        center, scale = np.zeros(nodes[path].size), np.ones(nodes[path].size)
        if scaling == "standard":
            center, scale = scales.center_and_scale(nodes[path], None if pooled else own.get(path), together)
        unit = {"units": of(rec[name]) or "1"}
        out[path] = rec.assign({CENTER: (NODE, center, unit), SCALE: (NODE, scale, unit)})
    return out


def _taken(recordings: dict[str, xr.Dataset], cuts: dict[str, Cuts], part: str, name: str) -> dict[str, xr.Dataset]:
    """The recordings of one part, without nodes that have no value in it."""
    out = {}
    for path, rec in recordings.items():
        if part not in cuts[path]:
            continue
        bins, scored = cuts[path][part]
        piece = rec.isel({TIME: bins}).assign({SCORED: (TIME, scored)})
        seen = piece[name].notnull().any(TIME).to_numpy()
        if seen.any():
            out[path] = piece if seen.all() else piece.isel({NODE: seen})
    return out


def _by_condition(recordings: dict[str, xr.Dataset], name: str) -> dict[str, xr.Dataset]:
    """Every run of a condition as a session of its own, so that scores are averaged over conditions."""
    out: dict[str, xr.Dataset] = {}
    for path, rec in recordings.items():
        label = rec[name].to_numpy().astype(np.str_)
        ends = np.append(np.flatnonzero(label[1:] != label[:-1]) + 1, label.size).tolist()
        for first, end in zip([0, *ends[:-1]], ends, strict=True):
            animal, _, session = path.partition("/")
            place = f"{animal}/{session} {label[first]}".replace("/ ", "/")
            while place in out:
                place += " again"
            out[place] = rec.isel({TIME: slice(first, end)})
    return out


def _tree(recordings: dict[str, xr.Dataset], wiring: xr.Dataset | None, about: dict[str, Any]) -> xr.DataTree:
    parts = {**recordings, **({} if wiring is None else {schema.CONNECTOME: wiring})}
    tree = xr.DataTree.from_dict({f"/{path}": part for path, part in parts.items()})
    tree.attrs.update(about)
    return schema.validate(tree, "study") if recordings else tree


def _check_windows(task: xr.DataTree, wanted: Wanted) -> None:
    """Every recording of every part must hold a window, and every part that was asked for a recording."""
    problems = Problems("cannot make a forecasting task")
    need = wanted.context + max(wanted.horizons)
    asked = [part for part, share in zip(PARTS, wanted.fractions, strict=True) if share > 0]
    for part, tree in task.children.items():
        if not studies.sessions(tree):
            if part in asked:
                problems.add(f"{part} is empty: no recording has a value in it; change the fractions")
            continue
        # Windows are told by clocks alone: one node is enough to count them.
        series = stacked(tree, nodes=np.array(["-"]))
        windows = np.bincount(series.session[origins(series)], minlength=len(series.sessions))
        length = np.diff(series.starts)
        for k in np.flatnonzero(windows == 0).tolist():
            longest = length[series.session[series.starts[:-1]] == k].max()
            problems.add(
                f"{series.sessions[k]} has no window in {part}: context {wanted.context} and longest horizon "
                f"{max(wanted.horizons)} need {need} bins in a row, the longest stretch has {longest}; shorten them, "
                "change the fractions, or drop the recording"
            )
    problems.raise_if_any(InputError)
