"""Studies: recordings below animals and sessions, and the connectome that they share."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from dynome import labels, units
from dynome.errors import Problems, listed
from dynome.schema.connectomes import check_connectome
from dynome.schema.names import BESIDE, CONNECTOME, NODE, PHENOTYPE
from dynome.schema.parts import check_attrs
from dynome.schema.phenotypes import check_phenotype
from dynome.schema.recordings import check_recording

Check = Callable[[xr.Dataset, Problems, bool], None]


def check_study(obj: xr.DataTree, problems: Problems, lazy: bool) -> None:
    """Note everything that is wrong with a study, part by part, and where its parts disagree."""
    check_attrs(xr.Dataset(attrs=obj.attrs), "the study", problems)
    leaves = {key: node for key, node in obj.subtree_with_keys if node.has_data}
    recordings = {key: node for key, node in leaves.items() if key.split("/")[0] not in BESIDE}
    if not recordings:
        problems.add("a study needs at least one recording below /{animal} or /{animal}/{session}, found none")
    seen: dict[str, dict[str | None, str]] = {}
    for key, leaf in recordings.items():
        if key == "." or key.count("/") > 1:
            place = "the root" if key == "." else f"/{key}"
            hint = "; to check one recording, pass its .to_dataset()" if key == "." else ""
            problems.add(f"{place}: recordings belong at /{{animal}} or /{{animal}}/{{session}}{hint}")
            continue
        dataset = leaf.to_dataset(inherit=True)
        _check_part(dataset, f"/{key}", check_recording, problems, lazy)
        for name, variable in dataset.data_vars.items():
            if variable.dtype.kind in "iuf":
                seen.setdefault(str(name), {}).setdefault(units.of(variable), f"/{key}")
    for name, found in seen.items():
        if len(found) > 1:
            told = ", ".join(f"{unit!r} in {place}" for unit, place in found.items())
            problems.add(f"{name} must have one unit, found {told}; convert")
    if CONNECTOME in obj.children:
        wiring = obj.children[CONNECTOME].to_dataset()
        _check_part(wiring, f"/{CONNECTOME}", check_connectome, problems, lazy)
        _check_shared_labels(wiring, recordings, problems)
    if PHENOTYPE in obj.children:
        inner = Problems(f"/{PHENOTYPE}")
        check_phenotype(obj.children[PHENOTYPE].to_dataset(), list(recordings), inner)
        for problem in inner.found:
            problems.add(f"/{PHENOTYPE}: {problem}")


def _check_part(part: xr.Dataset, place: str, check: Check, problems: Problems, lazy: bool) -> None:
    inner = Problems(place)
    check(part, inner, lazy)
    for problem in inner.found:
        problems.add(f"{place}: {problem}")


def _check_shared_labels(wiring: xr.Dataset, recordings: dict[str, xr.DataTree], problems: Problems) -> None:
    known = _labels(wiring)
    if known is None or labels.duplicates(known):
        return
    for key, leaf in recordings.items():
        nodes = _labels(leaf.to_dataset(inherit=True))
        if nodes is not None and nodes.size and (labels.positions(nodes, known) < 0).all():
            problems.add(
                f"/{key}: shares no node label with /{CONNECTOME} (recording: {listed(nodes.tolist(), 3)}; "
                f"connectome: {listed(known.tolist(), 3)}); bring the names to one convention, e.g. "
                "rec.assign_coords(node=dynome.connectome.normalize_worm_names(rec.node))"
            )


def _labels(part: xr.Dataset) -> labels.StrArray | None:
    """Labels of the nodes, or None where they are not what they should be, which is told elsewhere."""
    try:
        return labels.as_labels(part[NODE].to_numpy()) if NODE in part.coords else None
    except ValueError:
        return None
