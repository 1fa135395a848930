"""Make the carried worm connectome from the PyPI wheel ``cect`` 0.3.5.

Run by a maintainer, never by a user or a test on the network::

    pip download --no-deps cect==0.3.5
    python -m dynome.datasets._build.build_celegans_connectome cect-0.3.5-py3-none-any.whl

It reads the JSON below ``cect/cache/`` and the lists of cells in ``cect/Cells.py`` (parsed, not run), checks the
sha256 of the wheel, and writes to ``dynome/datasets/_data``

* ``celegans_connectome.csv.gz``: ``dataset, edge_type, neurotransmitter, source, target, weight``, one row an edge,
* ``celegans_cells.csv``: ``cell, cell_class, cell_type, transmitter``,
* ``celegans_connectome.json``: source, papers, licence, checksums, and for each data set its cells and counts,
* ``LICENSE.cect``.

The same wheel gives the same bytes. Another data set adds a line to ``_sources`` and its paper to ``_papers``.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dynome.connectome.worm_names import normalize_worm_names, worm_class, worm_neurons
from dynome.errors import FormatError

WHEEL_SHA256 = "ea47f7a6b0d69a8d0bd3b0ade4037b7cc32d31ad0449f823d7ec153d6fd25057"

_folder = Path(__file__).parents[1] / "_data"
_order = ["dataset", "edge_type", "neurotransmitter", "source", "target"]


class _Source(NamedTuple):
    """One data set: the file in the wheel, its kinds of connection, and how to cite and read it."""

    file: str
    kinds: dict[str, tuple[str, str]]  # the wheel's name of a kind -> (edge_type, neurotransmitter)
    units: str
    meaning: str
    paper: str


_synapses = {"Generic_CS": ("chemical", ""), "Generic_GJ": ("gap_junction", "")}
_monoamines = {m.capitalize(): ("monoaminergic", m) for m in ("dopamine", "octopamine", "serotonin", "tyramine")}

_sources = {
    "cook2019": _Source(
        "Cook2019HermReader", _synapses, "sections",
        "serial sections of the electron micrographs that show the connection, summed over its synapses",
        "10.1038/s41586-019-1352-7",
    ),
    "witvliet2021": _Source(
        "WitvlietDataReader8", _synapses, "synapses",
        "synapses that two of three annotators agreed on (adult, data set 8; gap junctions are incomplete)",
        "10.1038/s41586-021-03778-8",
    ),
    "white1986": _Source(
        "White_whole", _synapses, "synapses", "synapses counted in the micrographs", "10.1098/rstb.1986.0056"
    ),
    "bentley2016": _Source(
        "Bentley2016MAReader", _monoamines, "1",
        "1 where the source releases the monoamine and the target has a receptor for it",
        "10.1371/journal.pcbi.1005283",
    ),
    "ripoll_sanchez2023": _Source(
        "RipollSanchezShortRangeReader", {"Peptidergic": ("peptidergic", "")}, "count",
        "pairs of neuropeptide and receptor that join the neurons (short range)",
        "10.1016/j.neuron.2023.09.043",
    ),
    "randi2023": _Source(
        "WormNeuroAtlasFuncReader", {"Functional": ("functional", "")}, "dF/F",
        "mean calcium response of the target to stimulation of the source, where q < 0.05 (wild type)",
        "10.1038/s41586-023-06683-4",
    ),
}  # fmt: skip

_transmitter_file = "Wang2024HermReader"
_transmitter_paper = "10.7554/eLife.95402"

_cell_types = {
    "sensory": [f"SENSORY_NEURONS_{k}_COOK" for k in range(1, 7)],
    "inter": [*(f"INTERNEURONS_{k}_COOK" for k in range(1, 5)), "INTERNEURONS_LINK_TO_PHARYNX_COOK"],
    "motor": [
        "HEAD_MOTORNEURONS_COOK", "SUBLATERAL_MOTORNEURONS_COOK", "VENTRAL_CORD_MOTORNEURONS", "HSN_MOTORNEURONS",
        "VC_HERM_MOTORNEURONS",
    ],
    "pharynx": ["PHARYNGEAL_MOTORNEURONS", "PHARYNGEAL_INTERNEURONS", "PHARYNGEAL_POLYMODAL_NEURONS"],
    "muscle": [
        "BODY_WALL_MUSCLE_NAMES", "ANAL_SPHINCTER_MUSCLES", "VULVAL_MUSCLE_NAMES", "UTERINE_MUSCLE_NAMES",
        "ODD_PHARYNGEAL_MUSCLE_NAMES", "EVEN_PHARYNGEAL_MUSCLE_NAMES", "INTESTINAL_MUSCLES",
    ],
}  # fmt: skip
_neurons = ("sensory", "inter", "motor", "pharynx")


def build(wheel: Path, folder: Path, *, sha256: str = WHEEL_SHA256) -> dict[str, Any]:
    """Write the four files and return what went into the JSON.

    Raises
    ------
    FormatError
        If the wheel is not the one expected or a table in it is not square.
    """
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        raise FormatError(f"{wheel.name} has sha256 {found}, expected {sha256}; download cect 0.3.5 again")
    with zipfile.ZipFile(wheel) as archive:
        lists = _literal_lists(archive.read("cect/Cells.py").decode())
        tables = {name: _table(archive, source.file) for name, source in _sources.items()}
        transmitters = _transmitters(*_table(archive, _transmitter_file))
        licence = next(n for n in archive.namelist() if n.endswith("dist-info/licenses/LICENSE"))
        (folder / "LICENSE.cect").write_bytes(archive.read(licence))
    edges = pd.concat([_edges(name, *tables[name]) for name in _sources])
    edges = edges.sort_values(_order, key=lambda c: c.map(_natural) if c.name in _order[3:] else c, kind="stable")
    cells = _cells({cell for nodes, _ in tables.values() for cell in nodes}, lists, transmitters)
    return _write(folder, edges, cells, {name: nodes for name, (nodes, _) in tables.items()}, found)


def _literal_lists(code: str) -> dict[str, list[str]]:
    """Every ``NAME = ["...", ...]`` of a module, without running it."""
    lists = {}
    for line in ast.parse(code).body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name) and isinstance(line.value, ast.List):
            lists[line.targets[0].id] = [str(e.value) for e in line.value.elts if isinstance(e, ast.Constant)]
    return lists


def _table(archive: zipfile.ZipFile, file: str) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Cells and one (source, target) matrix a kind of connection."""
    content = json.loads(archive.read(f"cect/cache/{file}.json"))
    nodes = normalize_worm_names(content["nodes"]).tolist()
    matrices = {kind: np.array(rows, dtype=np.float64) for kind, rows in content["connections"].items()}
    for kind, matrix in matrices.items():
        if matrix.shape != (len(nodes), len(nodes)):
            raise FormatError(f"{file}: {kind} has shape {matrix.shape}, expected {len(nodes)} cells squared")
    return nodes, matrices


def _edges(name: str, nodes: list[str], matrices: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    """One row an entry; gap junctions are symmetrised by the larger of the two directions."""
    frames = []
    for kind, (edge_type, neurotransmitter) in _sources[name].kinds.items():
        matrix = matrices[kind]
        if edge_type == "gap_junction":
            matrix = np.maximum(matrix, matrix.T)
        source, target = np.nonzero(matrix)
        labels = np.array(nodes)
        frames.append(
            pd.DataFrame(
                {
                    "dataset": name,
                    "edge_type": edge_type,
                    "neurotransmitter": neurotransmitter,
                    "source": labels[source],
                    "target": labels[target],
                    "weight": matrix[source, target],
                }
            )
        )
    return pd.concat(frames)


def _transmitters(nodes: list[str], matrices: dict[str, NDArray[np.float64]]) -> dict[str, str]:
    """What each cell releases, several joined by ``+``."""
    released: dict[str, list[str]] = {}
    for kind in sorted(matrices):
        for cell in np.flatnonzero(matrices[kind].any(axis=1)):
            released.setdefault(nodes[cell], []).append(kind.lower())
    return {cell: "+".join(kinds) for cell, kinds in released.items()}


def _cells(names: set[str], lists: dict[str, list[str]], transmitters: dict[str, str]) -> pd.DataFrame:
    """Class, type and transmitter of each cell; neurons first."""
    types = {cell: kind for kind, parts in _cell_types.items() for part in parts for cell in lists[part]}
    types["BWM"] = "muscle"  # White's unspecified body wall muscle
    neurons = set(worm_neurons().tolist())
    order = sorted(names, key=lambda cell: (cell not in neurons, _natural(cell)))
    return pd.DataFrame(
        {
            "cell": order,
            "cell_class": [
                worm_class([cell])[0] if cell in neurons else _class_of_other(cell, names - neurons) for cell in order
            ],
            "cell_type": [types.get(cell, "other") for cell in order],
            "transmitter": [transmitters.get(cell, "") for cell in order],
        }
    )


def _class_of_other(cell: str, others: set[str]) -> str:
    """Muscles and other cells that differ only in their side, or in dorsal and ventral, form a class."""
    if re.fullmatch(r"M[DV][LR]\d\d|BWM", cell):
        return "BWM"
    stem = _without(cell, others, "LR")
    return _without(stem, {_without(o, others, "LR") for o in others}, "DV")


def _without(name: str, others: set[str], pair: str) -> str:
    stem, last = name[:-1], name[-1]
    return stem if last in pair and stem + pair[1 - pair.index(last)] in others else name


def _natural(cell: str) -> tuple[str, int, str]:
    """A sort key in which VA9 comes before VA10."""
    match = re.fullmatch(r"(\D*)(\d*)(.*)", cell)
    return (match[1], int(match[2] or -1), match[3]) if match else (cell, -1, "")


def _write(
    folder: Path, edges: pd.DataFrame, cells: pd.DataFrame, nodes: dict[str, list[str]], wheel_sha256: str
) -> dict[str, Any]:
    text = io.StringIO()
    edges.assign(weight=edges["weight"].map(lambda w: f"{w:g}" if w == int(w) else repr(w))).to_csv(
        text, index=False, lineterminator="\n"
    )
    table = text.getvalue().encode()
    (folder / "celegans_connectome.csv.gz").write_bytes(gzip.compress(table, compresslevel=9, mtime=0))
    cells.to_csv(folder / "celegans_cells.csv", index=False, lineterminator="\n")
    place = {cell: k for k, cell in enumerate(cells["cell"])}
    about = {
        "source": "cect 0.3.5 from PyPI (OpenWorm ConnectomeToolbox)",
        "licence": "MIT, Copyright (c) 2026 OpenWorm (LICENSE.cect)",
        "wheel_sha256": wheel_sha256,
        "table_sha256": hashlib.sha256(table).hexdigest(),
        "transmitter_paper": _transmitter_paper,
        "datasets": {
            name: {
                "paper": source.paper,
                "units": source.units,
                "meaning": source.meaning,
                "nodes": len(nodes[name]),
                "edges": edges[edges["dataset"] == name].groupby("edge_type").size().to_dict(),
                "weight": edges[edges["dataset"] == name].groupby("edge_type")["weight"].sum().to_dict(),
                "cells": " ".join(sorted(nodes[name], key=place.__getitem__)),
            }
            for name, source in _sources.items()
        },
    }
    (folder / "celegans_connectome.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return about


def main() -> None:
    """Run as a script."""
    parser = argparse.ArgumentParser(description="Make the carried worm connectome from the wheel cect 0.3.5")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--folder", type=Path, default=_folder)
    arguments = parser.parse_args()
    build(arguments.wheel, arguments.folder)


if __name__ == "__main__":
    main()
