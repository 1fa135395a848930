"""The connectome of the larval fly brain (Winding et al. 2023)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from dynome.connectome.construction import from_edges
from dynome.datasets.registry import dataset_info
from dynome.datasets.sources import content
from dynome.errors import FormatError

_name = "fly_larva"
_columns = {  # column of the publisher's table -> coordinate
    "name": "neuron_name",
    "hemisphere": "hemisphere",
    "simple_group": "cell_type",
    "merge_class": "cell_class",
    "io": "role",
    "lineage": "lineage",
}


def fetch_fly_larva() -> xr.Dataset:
    """The synaptic connectome of a whole larval brain.

    =============== ======================================================================================
    species         *Drosophila melanogaster*, first instar larva
    nodes           3,554 neurons (1,774 left, 1,778 right, 2 in the middle)
    edges           119,010, of which 577 are self-loops; weights 1 to 121 synapses, 376,091 in all
    licence         MIT
    paper           Winding, Pedigo et al., Science 2023, 10.1126/science.add9330; this version of the data:
                    Pedigo et al., eLife 2023, 10.7554/eLife.83739
    =============== ======================================================================================

    Returns
    -------
    Dataset
        A valid, directed connectome; synapses of all four kinds (axo-dendritic, axo-axonic, ...) are summed.
        Nodes carry their catalogue number as label. Coordinates of ``node``: ``neuron_name``, ``hemisphere`` (L, R,
        C), ``cell_type`` (18 groups), ``cell_class`` (61 classes), ``role`` (input, inter, output), ``lineage``,
        ``partner`` (label of the neuron's mirror image on the other side, empty where unknown) and ``analysed``
        (True for the 2,952 neurons that the papers analyse; the rest are incomplete, sensory or ascending).

    Raises
    ------
    FetchError
        If files are missing and cannot be downloaded.
    FormatError
        If a file is not in the expected layout.

    Notes
    -----
    The table of the publisher has 3,591 neurons; the 37 without an edge are left out.
    """
    edges = pd.read_csv(content(_name, "G_edgelist.txt"), sep=" ", header=None, names=["source", "target", "weight"])
    table = pd.read_csv(content(_name, "meta_data.csv"), index_col=0)
    if absent := sorted({*_columns, "pair", "selected_lcc"} - set(table.columns)):
        raise FormatError(f"meta_data.csv of {_name} lacks the columns {', '.join(absent)}")
    table = table[table.index.isin(edges["source"]) | table.index.isin(edges["target"])]
    coords = {
        new: table[old].fillna("").astype(str).str.strip().to_numpy(dtype=np.str_) for old, new in _columns.items()
    }
    coords["partner"] = _partners(table["pair"])
    coords["analysed"] = table["selected_lcc"].to_numpy(dtype=bool)
    info = dataset_info(_name)
    return from_edges(
        edges.astype({"weight": np.int64}),
        node=table.index.to_numpy(),
        units="synapses",
        node_coords=coords,
        attrs={
            "name": _name,
            "node_kind": "neuron",
            "species": "Drosophila melanogaster",
            "stage": "first instar larva",
            "paper": list(info.paper),
            "licence": info.licence,
        },
    )


def _partners(pair: pd.Series) -> np.ndarray:
    """Labels of the mirror images, where two neurons name each other."""
    mutual = pair.reindex(pair).to_numpy() == pair.index.to_numpy()
    return np.array([str(label) if known else "" for label, known in zip(pair, mutual, strict=True)])
