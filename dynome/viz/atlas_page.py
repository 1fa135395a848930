"""The atlas as one interactive HTML file: click a component, hover over names, look for a node."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import pages
from dynome._version import __version__
from dynome.errors import InputError
from dynome.viz import canvas, samples
from dynome.viz.atlas import place_of
from dynome.viz.motifs import links_of, motif_of, require_atlas
from dynome.viz.palette import MUTED, SERIES, category_colors

Floats = NDArray[np.float64]

_max_links = 400  # of a motif; the page shows as many as its reader asks for
_digits = 4  # of every number in the page
_max_samples = 4000


def write_atlas(
    results: xr.Dataset, path: str | os.PathLike[str], *, title: str = "Atlas of motifs", summary: str = ""
) -> Path:
    """Write an atlas as a self-contained page that works from a file, without a server or a network.

    Parameters
    ----------
    results : Dataset
        As `DynamicConnectome.results_`.
    path : path
        The file, by custom ``*.html``; an earlier one is replaced. Its folder must exist.
    title, summary : str
        Heading, and a few sentences under it.

    Returns
    -------
    Path
        The file. Its reader clicks a component, or walks with the arrow keys; hovers over a cell of the matrix, a node
        or a bar to read its name and value; looks for a node by name in all components; asks for more or fewer links.

    Raises
    ------
    InputError
        If `results` is no atlas or has no component, or the title is empty.
    StoreError
        If the folder does not exist, or the file cannot be written.

    Notes
    -----
    Texts are escaped, numbers are rounded to four digits, the file is written whole or not at all, and a policy in it
    forbids the browser to fetch anything and to run any other script than its own.

    Examples
    --------
    >>> import tempfile
    >>> pair = {"source": ("pair", ["a", "a", "b"]), "target": ("pair", ["b", "c", "c"])}
    >>> atlas = xr.Dataset(
    ...     {"time_factor": (("time", "component"), np.eye(4)[:, :1]), "weight": ("component", [2.0]),
    ...      "pair_factor": (("pair", "component"), [[0.8], [0.5], [0.3]]),
    ...      "community": (("component", "node"), [[0, 0, 1]]),
    ...      "node_strength": (("component", "node"), [[1.3, 1.1, 0.8]])}, {"node": ["a", "b", "c"], **pair})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     "<h1>Worms</h1>" in write_atlas(atlas, folder + "/atlas.html", title="Worms").read_text(encoding="utf-8")
    True
    """
    atlas = require_atlas(results)
    if not title.strip():
        raise InputError("cannot write the atlas: expected a title, found an empty one")
    if not atlas.sizes["component"] or not atlas.sizes["time"]:
        raise InputError("cannot write the atlas: it has no components or no samples; fit it first")
    final = pages.destination(path)
    script = resources.files("dynome").joinpath("_templates", "atlas.js").read_text(encoding="utf-8")
    page = pages.rendered(
        "atlas.html.j2",
        title=title,
        summary=[" ".join(p.split()) for p in summary.split("\n\n") if p.strip()],
        script=script,
        policy=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=_embedded(_content(atlas)),
        version=__version__,
    )
    pages.write_page(page, final)
    return final


def _embedded(content: dict[str, Any]) -> str:
    """JSON that cannot end the element that holds it."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _content(atlas: xr.Dataset) -> dict[str, Any]:
    course = samples.thinned(atlas["time_factor"].transpose("time", "component"), _max_samples)
    clock = canvas.clock_of(course)
    start, stop = samples.edges(canvas.clock_of(atlas["time_factor"]).to_numpy())
    return {
        "time": _rounded(clock.to_numpy()),
        "timeLabel": canvas.quantity(clock),
        "span": _rounded([start[0], stop[-1]]),
        "animals": canvas.labels_of(atlas, "animal") if "animal_factor" in atlas else [],
        "epochs": _epochs(atlas, start, stop),
        "components": [_component(atlas, course, k, start, stop) for k in range(atlas.sizes["component"])],
    }


def _component(atlas: xr.Dataset, course: xr.DataArray, k: int, start: Floats, stop: Floats) -> dict[str, Any]:
    motif = motif_of(atlas, k)
    i, j, loading = links_of(motif, _max_links)
    weight = np.nan_to_num(canvas.finite(atlas["weight"]))
    colors = category_colors(motif.community.tolist())
    above = "above_chance" not in atlas or bool(atlas["above_chance"].to_numpy()[k])
    found: dict[str, Any] = {
        "name": canvas.labels_of(atlas, "component")[k],
        "share": _rounded(weight[k] / (weight.sum() or 1.0)),
        "color": SERIES[k % len(SERIES)] if above else MUTED,
        "above": above,
        "p": _scalar(atlas, "p_value", k),
        "q": _scalar(atlas, "q_value", k),
        "course": _rounded(canvas.finite(course)[:, k]),
        "intervals": _intervals(atlas, k, start, stop),
        "nodes": motif.node.tolist(),
        "community": motif.community.tolist(),
        "colors": [colors[str(c)] for c in motif.community],
        "strength": _rounded(motif.strength),
        "matrix": _rounded(motif.matrix[np.triu_indices(motif.node.size, 1)]),
        "links": {"source": i[::-1].tolist(), "target": j[::-1].tolist(), "loading": _rounded(loading[::-1])},
        "place": _rounded(place_of(motif, _max_links // 4)) if motif.node.size else [],
    }
    if "animal_factor" in atlas:
        found["loading"] = _rounded(canvas.finite(atlas["animal_factor"].transpose("component", "animal"))[k])
        if "expressed" in atlas:
            found["expressed"] = atlas["expressed"].transpose("component", "animal").to_numpy()[k].tolist()
    for name in ("overlap", "overlap_p", "overlap_q"):
        if name in atlas:
            found[name] = _rounded(canvas.finite(atlas[name].transpose("component", "epoch"))[k])
    return found


def _intervals(atlas: xr.Dataset, k: int, start: Floats, stop: Floats) -> list[Any]:
    if "active" not in atlas:
        return []
    on = atlas["active"].transpose("component", "time").to_numpy()[k].astype(bool)
    return [_rounded([start[a], stop[b]]) for a, b in samples.runs(on)]


def _epochs(atlas: xr.Dataset, start: Floats, stop: Floats) -> list[dict[str, Any]]:
    """Name of each epoch, and when how large a share of the animals was in it: ``[begin, end, share]``."""
    if "epoch_active" not in atlas:
        return []
    on = atlas["epoch_active"].astype(float)
    share = np.nan_to_num(canvas.finite((on.mean("animal") if "animal" in on.dims else on).transpose("epoch", "time")))
    found = []
    for name, level in zip(canvas.labels_of(atlas, "epoch"), share, strict=True):
        change = np.flatnonzero(np.diff(level)) + 1
        first, last = np.concatenate([[0], change]), np.concatenate([change - 1, [level.size - 1]])
        bars = [[start[a], stop[b], level[a]] for a, b in zip(first, last, strict=True) if level[a] > 0]
        found.append({"name": name, "bars": [_rounded(bar) for bar in bars]})
    return found


def _scalar(atlas: xr.Dataset, name: str, k: int) -> Any:
    return _rounded(float(atlas[name].to_numpy()[k])) if name in atlas else None


def _rounded(values: Any) -> Any:
    """Numbers with few digits, nested as they were; None where not finite."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim:
        return [_rounded(v) for v in array]
    return float(f"{array:.{_digits}g}") if np.isfinite(array) else None
