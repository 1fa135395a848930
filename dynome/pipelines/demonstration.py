"""What ``dynome demo`` does: worms in, a page of figures out."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import xarray as xr

from dynome import datasets, progress, store, viz
from dynome.errors import FetchError, StoreError
from dynome.pipelines.overview import study_overview
from dynome.pipelines.overview_report import headline, overview_sections
from dynome.report import write_report


class Written(NamedTuple):
    """What a demo wrote.

    Attributes
    ----------
    report, atlas, results : Path
        The report, the interactive page of the motifs, and the store.
    summary : str
        What was analysed and found, in a few sentences.
    """

    report: Path
    atlas: Path
    results: Path
    summary: str


def write_demo(out: str | os.PathLike[str], *, simulated: bool = False, random_state: int = 0) -> Written:
    """Analyse worms and write ``report.html``, ``atlas.html`` and ``results.zarr``.

    Parameters
    ----------
    out : path
        A folder; it is made if its parent exists. Earlier results in it are replaced.
    simulated : bool
        Use simulated worms even where real ones can be had.
    random_state : int
        Seed of everything that is random.

    Returns
    -------
    Written

    Raises
    ------
    StoreError
        If `out` cannot be written. Nothing is half-written: each file is there whole or not at all.
    """
    began = time.perf_counter()
    folder = Path(out).absolute()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make the folder {folder}: {error}") from error
    with progress.task("loading worms and wiring"):
        wiring = datasets.load_celegans_connectome("cook2019")
        worms, source = _worms(simulated, random_state)
    found = study_overview(worms, connectome=wiring, random_state=random_state)
    with progress.task("writing results and report"):
        results = store.save(found, folder / "results.zarr", overwrite=True)
        summary = _summary(found, source)
        seconds = time.perf_counter() - began
        atlas = viz.write_atlas(
            found["atlas"].to_dataset(),
            folder / "atlas.html",
            title="Motifs of the worm" + (" around reversals" if found.attrs["event"] else ""),
            summary=summary,
        )
        report = write_report(
            overview_sections(found, connectome=wiring),
            folder / "report.html",
            title="The dynome of the worm: a first look",
            summary=summary,
            numbers=headline(found),
            provenance={
                "recordings": source,
                "connectome": f"{wiring.attrs['name']}, doi:{wiring.attrs['paper']}",
                "parameters": dict(found.attrs),
                "results": str(results.name),
                "seconds": round(seconds, 1),
            },
        )
    return Written(report, atlas, results, summary)


def _worms(simulated: bool, random_state: int) -> tuple[xr.DataTree, str]:
    if not simulated:
        try:
            worms = datasets.fetch_celegans_calcium()
            return worms, f"real worms ({worms.attrs['name']}, doi:{worms.attrs['paper']})"
        except FetchError:
            pass
    reason = (
        "as asked" if simulated else "because the real ones could not be had (`dynome fetch celegans_calcium` says why)"
    )
    return datasets.make_worm(random_state=random_state), f"simulated worms, {reason}"


def _summary(found: xr.DataTree, source: str) -> str:
    recordings = found["recordings"].to_dataset()
    text = (
        f"These are {source}. There are {recordings.sizes['animal']} animals, {recordings.sizes['node']} identified "
        f"neurons and {float(recordings['duration'].mean()) / 60:.0f} minutes of each."
    )
    if "homologues" in found.children:
        contrast = found["homologues"].to_dataset()
        text += (
            f" Left-right partners correlate {float(contrast['homologue_fc']):.2f}, all pairs "
            f"{float(contrast['all_fc']):.2f}."
        )
    return text
