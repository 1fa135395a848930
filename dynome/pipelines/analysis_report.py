"""A page on an analysis: what was done, what is common to animals, which sessions stand out, what failed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from dynome import viz
from dynome.batch import Record
from dynome.pipelines.analysis_estimates import duration
from dynome.pipelines.analysis_results import Analysis
from dynome.pipelines.group_results import numbers_of
from dynome.pipelines.methods import METHODS
from dynome.report import Figure, Number, Section, Table, write_report

DIMS = {"components": "component", "states": "state", "clusters": "cluster"}
_SHARED = 0.05


def write_analysis_report(analysis: Analysis, path: str | os.PathLike[str]) -> Path:
    """Write what an analysis found as one self-contained HTML file.

    Parameters
    ----------
    analysis : Analysis
        As `run_analysis` or `open_analysis` gives it.
    path : path
        The file, by custom ``*.html``; an earlier one is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    StoreError
        If it cannot be written, or a result cannot be read.
    """
    told, study = analysis.provenance, analysis.provenance["study"]
    settings = {name: value for name, value in told["settings"].items() if name != "parameters" and value is not None}
    return write_report(
        analysis_sections(analysis),
        path,
        title=f"Sessions of {_title(analysis)}",
        summary=_summary(analysis),
        numbers=_headline(analysis),
        provenance={
            "study": study["path"],
            "checksum of the study": study["checksum"],
            "results": str(analysis.path),
            "settings": settings,
            **{f"parameters of {name}": about["parameters"] for name, about in _told(analysis).items()},
            "started": told["started"],
            "finished": told["finished"] or "not finished",
            "seconds": told["seconds"],
            "machine": told["machine"],
        },
    )


def analysis_sections(analysis: Analysis) -> list[Section]:
    """Sections of a report: an overview, one for each method, and what failed.

    Parameters
    ----------
    analysis : Analysis
        As `run_analysis` or `open_analysis` gives it.
    """
    return [_overview(analysis), *(_method(analysis, name) for name in _told(analysis)), *_failures(analysis)]


def _title(analysis: Analysis) -> str:
    """Name of the study; one that was in memory has none, and takes that of the results."""
    path = Path(analysis.provenance["study"]["path"])
    return analysis.path.stem if path.parent == analysis.path else path.stem


def _told(analysis: Analysis) -> dict[str, dict[str, object]]:
    """What is known of the methods that were begun."""
    return {name: about for name, about in analysis.provenance["methods"].items() if about}


def _summary(analysis: Analysis) -> str:
    n_sessions = len(analysis.provenance["study"]["sessions"])
    methods, failed = list(_told(analysis)), sum(len(records) for records in analysis.failed.values())
    text = f"{n_sessions} sessions of {len(_animals(analysis))} animals, analysed by {', '.join(methods)}. "
    text += f"{failed} of the results could not be computed; the end of the page says why. " if failed else ""
    stand_out = {session for name in analysis.results for session in _outliers(analysis, name)}
    text += "".join(f"{name} could not begin. " for name in analysis.broken)
    if stand_out:
        told = ", ".join(sorted(stand_out)[:9]) + (f", ... ({len(stand_out)} in all)" if len(stand_out) > 9 else "")
        stand = "stands" if len(stand_out) == 1 else "stand"
        text += f"{told} {stand} out from the other sessions: look at these recordings first."
    return text.strip()


def _animals(analysis: Analysis) -> set[str]:
    return {session.split("/")[0] for session in analysis.provenance["study"]["sessions"]}


def _headline(analysis: Analysis) -> list[Number]:
    done = sum(len(results) for results in analysis.results.values())
    failed = sum(len(records) for records in analysis.failed.values())
    seconds = sum(r.seconds for results in analysis.results.values() for r in results.records.values())
    return [
        Number("animals", len(_animals(analysis))),
        Number("sessions", len(analysis.provenance["study"]["sessions"])),
        Number("results", done, "sessions by methods"),
        Number("failed", failed),
        Number("computing", duration(seconds), "on one worker"),
    ]


def _overview(analysis: Analysis) -> Section:
    rows: dict[str, dict[str, str]] = {session: {} for session in analysis.provenance["study"]["sessions"]}
    for name, about in _told(analysis).items():
        records = analysis.results[name].records if name in analysis.results else {}
        for session, row in rows.items():
            left_out = dict(about.get("left_out", {}))  # type: ignore[call-overload]
            record = records.get(session)
            row[name] = left_out.get(session) or _state(record, begun=name not in analysis.broken)
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("session")
    text = "What became of each session: seconds of computing, or why there is nothing."
    for name, why in analysis.provenance.get("left_out", {}).items():
        text += f"\n\n{name} does not apply to this study: {why}."
    return Section("Sessions", text, tables=[Table(frame, "Sessions by methods.")])


def _state(record: Record | None, *, begun: bool) -> str:
    if record is None:
        return "not computed" if begun else "could not begin"
    return f"done, {duration(record.seconds)}" if record.status == "done" else "failed"


def _method(analysis: Analysis, name: str) -> Section:
    method, results = METHODS[name], analysis.results.get(name)
    if results is None or not len(results):
        reason = analysis.broken.get(name, "no session has a result")
        return Section(name, f"{method.about}.\n\nThere is nothing to show: {reason}.")
    numbers, group = numbers_of(method, results), analysis.groups.get(name)
    text = f"{method.about[0].upper()}{method.about[1:]}."
    figures, tables = [], []
    if group is not None:
        text += f"\n\n{_group_text(group)}"
        figures.append(Figure(viz.plot_group_components(group), _group_caption(group)))
        tables.append(Table(_group_table(group), f"The {group.attrs['kind']}, numbered alike in all sessions."))
    elif why := _no_group(analysis, name):
        text += f"\n\nSessions were not matched: {why}"
    if numbers is not None:
        figures.append(Figure(viz.plot_session_summary(numbers), _numbers_caption(numbers)))
        tables.append(Table(_session_table(numbers, group), "Each session. An asterisk marks what stands out."))
    if method.references:
        text += f"\n\nMethod: {', '.join(method.references)}."
    return Section(name, text, figures=figures, tables=tables)


def _no_group(analysis: Analysis, name: str) -> str:
    about = analysis.provenance["methods"][name].get("group", {})
    return str(about.get("left_out", "")) if METHODS[name].group else ""


def _dim(group: xr.Dataset) -> str:
    return DIMS[group.attrs["kind"]]


def _group_text(group: xr.Dataset) -> str:
    kind, n = group.attrs["kind"], group.sizes[_dim(group)]
    if not group.attrs["n_null"]:
        return f"{n} {kind} were matched across sessions; whether they agree more than chance was not tested."
    shared = int((group["shared_p_value"] < _SHARED).sum())
    alike = int((group["session_q_value"] < _SHARED).sum())
    return (
        f"{n} {kind} were matched across sessions by the labels of their nodes. {shared} of them are common to animals "
        f"beyond chance (p < {_SHARED:g}, over all of them together; chance: nodes swap names). {alike} of "
        f"{group.sizes['session']} sessions are more like {group.attrs['similarity_to']} than chance "
        f"(false discovery rate {_SHARED:.0%})."
    )


def _group_caption(group: xr.Dataset) -> str:
    return f"What the {group.attrs['kind']} of all sessions have in common, and how much each session agrees."


def _group_table(group: xr.Dataset) -> pd.DataFrame:
    columns = {
        "similarity over animals": group["shared_similarity"],
        "p": group["shared_p_value"],
        "animals": group["n_animals"],
    }
    index = pd.Index(group[_dim(group)].to_numpy(), name=_dim(group))
    return pd.DataFrame({name: column.to_numpy() for name, column in columns.items()}, index=index)


def _numbers_caption(numbers: xr.Dataset) -> str:
    return (
        f"Numbers of {numbers.sizes['session']} sessions, by animal. Marked: more than 3.5 robust standard deviations "
        "from the median session."
    )


def _session_table(numbers: xr.Dataset, group: xr.Dataset | None) -> pd.DataFrame:
    frame = pd.DataFrame(index=pd.Index(numbers["session"].to_numpy(), name="session"))
    for name in numbers["quantity"].to_numpy():
        one = numbers.sel(quantity=name)
        marks = np.where(one["outlier"], " *", "")
        frame[str(name).replace("_", " ")] = [
            f"{v:.3g}{m}" if np.isfinite(v) else "–" for v, m in zip(one["value"].to_numpy(), marks, strict=True)
        ]
    if group is not None:
        alike = group["session_similarity"].to_series().reindex(frame.index)
        frame["similarity"] = alike.to_numpy()
    return frame


def _outliers(analysis: Analysis, name: str) -> list[str]:
    numbers = numbers_of(METHODS[name], analysis.results[name])
    if numbers is None:
        return []
    return [str(s) for s in numbers["session"][numbers["outlier"].any("quantity").to_numpy()].to_numpy()]


def _failures(analysis: Analysis) -> list[Section]:
    rows = [
        {
            "method": name, "session": session, "error": record.error["type"],
            "message": record.error["message"], "attempts": record.attempts,
        }
        for name, records in analysis.failed.items()
        for session, record in records.items()
    ]  # fmt: skip
    rows += [
        {"method": name, "session": "all", "error": "", "message": reason, "attempts": 1}
        for name, reason in analysis.broken.items()
    ]
    if not rows:
        return []
    text = (
        "These have no result. Mend the recording, or change a parameter, and resume: only what failed is computed "
        "again. The tracebacks are in the records beside the results."
    )
    return [Section("What failed", text, tables=[Table(pd.DataFrame(rows), "Failures, with their messages.")])]
