"""Which bins of which recordings each part of a task gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import xarray as xr

from dynome import seeds
from dynome.errors import InputError, Problems, listed
from dynome.inference.forecasting import cuts
from dynome.inference.forecasting.cuts import PARTS, Cuts
from dynome.schema import ANIMAL, SESSION, TIME, TRIAL

Split = Literal["by_time", "by_animal", "by_session", "by_study", "by_trial", "zapbench"]

_STUDY_NAMES, _CONDITION_NAMES = ("study", "source"), ("condition", "epoch")
_PADDING, _LONGEST_CONTEXT = 1, 256  # of ZAPBench


class Wanted(NamedTuple):
    """How a study is to be divided; fields as the arguments of `forecasting_task`."""

    context: int
    horizons: tuple[int, ...]
    split: str
    fractions: tuple[float, ...]
    gap: int | str
    held_out: tuple[str, ...]
    seed: int

    @property
    def bins_between(self) -> int:
        """The gap in bins; 0 for splits that need none."""
        if self.split != "by_time":
            return 0
        return self.context + max(self.horizons) if isinstance(self.gap, str) else self.gap


def cuts_of(recordings: Mapping[str, xr.Dataset], wanted: Wanted) -> tuple[dict[str, Cuts], str]:
    """Cuts of every recording, and by what they were made.

    Parameters
    ----------
    recordings : mapping
        Path to recording.
    wanted : Wanted
        Checked before.

    Returns
    -------
    cuts : dict
        Path to the parts that the recording has bins in.
    split_by : str
        What tells the parts apart: ``"time"``, or the name of a coordinate or attribute.

    Raises
    ------
    InputError
        If recordings do not say what they are divided by, or there are too few of a kind.
    """
    problems = Problems("cannot make a forecasting task")
    if wanted.split in ("by_animal", "by_session", "by_study"):
        return _of_groups(recordings, wanted, problems)
    if wanted.split == "by_trial":
        found = {path: _of_trials(path, rec, wanted, problems) for path, rec in recordings.items()}
        problems.raise_if_any(InputError)
        return found, TRIAL
    if wanted.split == "zapbench":
        found, name = _of_conditions(recordings, wanted, problems)
        return found, name
    found = {
        path: cuts.by_time(rec.sizes[TIME], wanted.fractions, wanted.bins_between, wanted.context)
        for path, rec in recordings.items()
    }
    if short := [f"{path} ({recordings[path].sizes[TIME]} bins)" for path, parts in found.items() if not parts]:
        problems.add(
            f"too short to be divided in time with gaps of {wanted.bins_between} bins (context {wanted.context}, "
            f"longest horizon {max(wanted.horizons)}): {listed(short)}; shorten context, horizons or gap, or drop them"
        )
    problems.raise_if_any(InputError)
    return found, TIME


def _of_groups(recordings: Mapping[str, xr.Dataset], wanted: Wanted, problems: Problems) -> tuple[dict[str, Cuts], str]:
    """Whole recordings to parts, together with all of their animal or study."""
    what = {"by_animal": ANIMAL, "by_session": SESSION}.get(wanted.split)
    if what is None:
        what = next((n for n in _STUDY_NAMES if all(_told(r, n) is not None for r in recordings.values())), None)
    if what is None:
        silent = [p for p, rec in recordings.items() if all(_told(rec, n) is None for n in _STUDY_NAMES)]
        problems.add(
            'split="by_study" needs an attribute or a scalar coordinate "study" (or "source") in every recording, '
            f"missing in {listed(silent or list(recordings))}; set rec.attrs['study']"
        )
        problems.fail(InputError)
    group = {
        path: path.split("/")[0] if what == ANIMAL else path if what == SESSION else str(_told(rec, what))
        for path, rec in recordings.items()
    }
    names = np.unique(list(group.values()))
    sizes = cuts.shares(names.size, wanted.fractions)
    if sizes is None:
        kind = wanted.split.removeprefix("by_")
        two = ", and fractions=(0.5, 0, 0.5) with two: no validation part" if names.size == 2 else ""
        problems.add(
            f'split="{wanted.split}" needs one {kind} or more for each part, found {names.size} in all '
            f'({listed(names.tolist())}); split="by_time" works with one{two}'
        )
        problems.fail(InputError)
    order = seeds.generator(wanted.seed, "split").permutation(names.size)
    part = dict(zip(names[order].tolist(), np.repeat(PARTS, sizes).tolist(), strict=True))
    return {p: {part[group[p]]: cuts.stretch(0, rec.sizes[TIME])} for p, rec in recordings.items()}, what


def _told(rec: xr.Dataset, name: str) -> Any:
    """What a recording says of itself in an attribute or a scalar coordinate."""
    if name in rec.attrs:
        return rec.attrs[name]
    return rec.coords[name].item() if name in rec.coords and not rec.coords[name].dims else None


def _of_trials(path: str, rec: xr.Dataset, wanted: Wanted, problems: Problems) -> Cuts:
    if TRIAL not in rec.coords or rec[TRIAL].dims != (TIME,):
        problems.add(f'{path}: split="by_trial" needs the coordinate trial (time), found {listed(rec.coords)}')
        return {}
    label = rec[TRIAL].to_numpy()
    names = np.unique(label)
    sizes = cuts.shares(names.size, wanted.fractions)
    if sizes is None:
        problems.add(f"{path}: needs a trial or more for each part, found {names.size}; split it by time, or drop it")
        return {}
    order = seeds.generator(wanted.seed, "split", path).permutation(names.size)
    return cuts.by_label(label, dict(zip(names[order].tolist(), np.repeat(PARTS, sizes).tolist(), strict=True)))


def _of_conditions(
    recordings: Mapping[str, xr.Dataset], wanted: Wanted, problems: Problems
) -> tuple[dict[str, Cuts], str]:
    def has(rec: xr.Dataset, name: str) -> bool:
        return name in rec.coords and rec[name].dims == (TIME,)

    name = next((n for n in _CONDITION_NAMES if all(has(rec, n) for rec in recordings.values())), None)
    if name is None:
        problems.add(
            'split="zapbench" needs the coordinate condition (time) (or epoch) in every recording, e.g. '
            'rec.assign_coords(condition=("time", labels))'
        )
        problems.fail(InputError)
    there = {str(value) for rec in recordings.values() for value in np.unique(rec[name].to_numpy()).tolist()}
    if unknown := [value for value in wanted.held_out if str(value) not in there]:
        problems.add(f"held_out names no condition: {listed(unknown)}; there are {listed(sorted(there), 12)}")
    if wanted.context > _LONGEST_CONTEXT:
        problems.add(f"ZAPBench has contexts up to {_LONGEST_CONTEXT}, got {wanted.context}")
    problems.raise_if_any(InputError)
    found = {
        path: cuts.within_conditions(
            rec[name].to_numpy().astype(np.str_),
            wanted.fractions,
            wanted.context,
            [str(value) for value in wanted.held_out],
            padding=_PADDING,
            longest_context=_LONGEST_CONTEXT,
        )
        for path, rec in recordings.items()
    }
    return found, name
