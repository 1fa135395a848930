"""The worm connectomes that the package carries.

The tables in ``_data`` were made by ``_build/build_celegans_connectome.py``; nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from dynome.connectome.construction import from_edges
from dynome.datasets.registry import suggestion
from dynome.errors import InputError, Problems, listed

WormConnectome = Literal["cook2019", "witvliet2021", "white1986", "bentley2016", "ripoll_sanchez2023", "randi2023"]

_table = "celegans_connectome.csv.gz"


def load_celegans_connectome(
    name: WormConnectome = "cook2019", *, layers: str | Sequence[str] | None = None
) -> xr.Dataset:
    """A published connectome of the hermaphrodite worm, carried by the package.

    ==================== ============ ===== ======================= ============== =================================
    name                 edge_type    cells edges                   weight         paper (DOI)
    ==================== ============ ===== ======================= ============== =================================
    cook2019             chemical,    473   4,879 chemical,         EM sections    Cook 2019,
                         gap_junction       2,883 gap junction                     10.1038/s41586-019-1352-7
    witvliet2021         chemical,    219   2,186 chemical,         synapses       Witvliet 2021 (adult 8),
                         gap_junction       612 gap junction                       10.1038/s41586-021-03778-8
    white1986            chemical,    309   2,386 chemical,         synapses       White 1986,
                         gap_junction       1,144 gap junction                     10.1098/rstb.1986.0056
    bentley2016          monoamin-    237   1,952: dopamine 1,176,  1              Bentley 2016,
                         ergic              serotonin 492, tyramine                10.1371/journal.pcbi.1005283
                                            228, octopamine 56
    ripoll_sanchez2023   peptidergic  302   31,417 (short range)    pairs of pep-  Ripoll-Sanchez 2023,
                                                                    tide, receptor 10.1016/j.neuron.2023.09.043
    randi2023            functional   181   1,150 (q < 0.05)        dF/F           Randi 2023,
                                                                                   10.1038/s41586-023-06683-4
    ==================== ============ ===== ======================= ============== =================================

    Species *Caenorhabditis elegans*. Licence MIT (tables of the OpenWorm ConnectomeToolbox, ``cect`` 0.3.5).

    Parameters
    ----------
    name : str
        Which connectome.
    layers : str, sequence of str or None
        Keep only these edge types, or for ``bentley2016`` these monoamines. The cells stay the same. None keeps all.

    Returns
    -------
    Dataset
        A valid connectome. Coordinates of ``node``: ``cell_class`` (White's 118 classes for neurons, e.g. ``AVA``),
        ``cell_type`` (sensory, inter, motor, pharynx, muscle, other) after Cook 2019, ``transmitter`` (what the
        cell releases, several joined by ``+``, empty where unknown) after Wang 2024. ``bentley2016`` also has
        ``neurotransmitter`` on its edges. Neurons are named as in ``VA8`` (no padding zero) and come first, then
        muscles and other cells.

    Raises
    ------
    InputError
        If the name or a layer does not exist.

    Notes
    -----
    The weights are as published. In ``cook2019`` most gap junctions have a few sections (median 2, 95 % at most 15),
    but those of ALA, CAN and PVD with each other, with hypodermis and with the excretory canal have 100 to 401: take
    the logarithm or ranks before you correlate. Gap junctions are stored in both directions; were two directions to
    differ, the build script would keep the larger (they do not differ in this source; in the copy that
    `fetch_celegans_connectomes` reads, four entries do). ``randi2023`` holds responses,
    not wires: its weights have a sign, and an absent edge means "no significant response", or a pair that was not
    tried.

    References
    ----------
    Each paper of the table; Wang et al., eLife 2024, 10.7554/eLife.95402 (transmitters).

    Examples
    --------
    >>> wiring = load_celegans_connectome()
    >>> wiring.sizes["node"], wiring.sizes["edge"], wiring.sel(node="AVAL").cell_type.item()
    (473, 7762, 'inter')
    >>> load_celegans_connectome("bentley2016", layers="dopamine").sizes["edge"]
    1176
    """
    about = _about()["datasets"]
    if name not in about:
        raise InputError(f"no carried connectome is called {name!r}; {suggestion(name, list(about))}")
    edges = _edges().loc[[name]]
    if layers is not None:
        edges = edges[_chosen(name, edges, [layers] if isinstance(layers, str) else list(layers))]
    info = about[name]
    node = info["cells"].split()
    columns = ["source", "target", "weight", "edge_type"]
    if (edges["neurotransmitter"] != "").any():
        columns.append("neurotransmitter")
    table = {column: edges[column].to_numpy() for column in columns}
    if info["units"] != "dF/F":
        table["weight"] = table["weight"].astype(np.int64)
    return from_edges(
        table,
        node=node,
        directed=bool((edges["edge_type"] != "gap_junction").any()),
        units=info["units"],
        node_coords={column: values.to_numpy() for column, values in cells().loc[node].items()},
        attrs={
            "name": name,
            "node_kind": "cell",
            "species": "Caenorhabditis elegans",
            "sex": "hermaphrodite",
            "weight_meaning": info["meaning"],
            "paper": info["paper"],
            "licence": _about()["licence"],
            "source": _about()["source"],
        },
    )


@cache
def cells() -> pd.DataFrame:
    """Every cell of the carried connectomes: ``cell_class``, ``cell_type``, ``transmitter``, indexed by name."""
    with (files("dynome.datasets") / "_data" / "celegans_cells.csv").open("rb") as file:
        return pd.read_csv(file, index_col="cell", keep_default_na=False, dtype=str)


@cache
def _edges() -> pd.DataFrame:
    with (files("dynome.datasets") / "_data" / _table).open("rb") as file:
        return pd.read_csv(file, compression="gzip", keep_default_na=False, index_col="dataset")


@cache
def _about() -> dict[str, Any]:
    path = files("dynome.datasets") / "_data" / "celegans_connectome.json"
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return about


def _chosen(name: str, edges: pd.DataFrame, layers: list[str]) -> np.ndarray:
    """Which edges belong to the layers: an edge type, or a neurotransmitter of that data set."""
    known = sorted({*edges["edge_type"], *edges["neurotransmitter"]} - {""})
    problems = Problems(f"cannot choose layers of {name}")
    if not layers:
        problems.add(f"expected at least one of {listed(known)}, got none; layers=None keeps all")
    for layer in layers:
        if layer not in known:
            problems.add(f"{layer!r} is not a layer of it; {suggestion(layer, known)}")
    problems.raise_if_any(InputError)
    return (edges["edge_type"].isin(layers) | edges["neurotransmitter"].isin(layers)).to_numpy()
