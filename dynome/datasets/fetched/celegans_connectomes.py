"""Twenty-five adjacency matrices of the worm's 302 neurons, from many papers and stages."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from dynome.connectome.construction import from_adjacency
from dynome.connectome.worm_names import normalize_worm_names
from dynome.datasets.carried.celegans_connectome import cells
from dynome.datasets.registry import dataset_info, suggestion
from dynome.datasets.sources import content
from dynome.errors import InputError

_name = "celegans_connectomes"
_edge_types = {"chemical": "chemical", "electrical": "gap_junction", "NPP": "peptidergic"}  # else a monoamine
_units = {"Cook2019": "sections", "Bentley2016": "1", "RipollSanchez2023": "count"}  # else synapses
_papers = {
    "Cook2019": "10.1038/s41586-019-1352-7",
    "Varshney2011": "10.1371/journal.pcbi.1001066",
    "WhiteA": "10.1098/rstb.1986.0056",
    "WhiteWhole": "10.1098/rstb.1986.0056",
    "WitvlietA": "10.1038/s41586-021-03778-8",
    "WitvlietL1": "10.1038/s41586-021-03778-8",
    "WitvlietL3": "10.1038/s41586-021-03778-8",
    "Bentley2016": "10.1371/journal.pcbi.1005283",
    "RipollSanchez2023": "10.1016/j.neuron.2023.09.043",
}


def fetch_celegans_connectomes(name: str = "chemical_Cook2019") -> xr.Dataset:
    """One of 25 matrices of the worm's wiring: synapses, gap junctions, monoamines, neuropeptides.

    =============================================================================== ======================
    name                                                                            weight
    =============================================================================== ======================
    chemical_Cook2019, electrical_Cook2019                                          EM sections
    chemical_X, electrical_X for X = WhiteA, WhiteWhole, Varshney2011,              synapses
    WitvlietL1_01, WitvlietL3_06, WitvlietA_07, WitvlietA_08
    X_Bentley2016 for X = dopamine, octopamine, serotonin, tyramine, monoamine      1
    monoamine_RipollSanchez2023                                                     count of receptors
    NPP_RipollSanchez2023_X for X = shortRange, midRange, longRange                 count of peptide-receptor
                                                                                    pairs
    =============================================================================== ======================

    Species *Caenorhabditis elegans*, hermaphrodite; L1, L3 and A are larval and adult stages. Licence MIT
    (flavell-lab/pub_utils). Papers: Cook 2019, White 1986, Varshney 2011, Witvliet 2021, Bentley 2016,
    Ripoll-Sanchez 2023; ``attrs["paper"]`` holds the DOI of each.

    Parameters
    ----------
    name : str
        Which matrix.

    Returns
    -------
    Dataset
        A valid connectome of one layer over the neurons that the data set covers. Names and coordinates of ``node``
        are those of `load_celegans_connectome`.

    Raises
    ------
    FetchError
        If the file is missing and cannot be downloaded.
    InputError
        If there is no matrix of that name.

    Notes
    -----
    ``electrical_Cook2019`` is asymmetric in two pairs (PVCR-VA9 3 and 2, PDB-DD6 2 and 0), which are symmetrised by
    the larger weight, and adds BDU-PLM (23) to what `load_celegans_connectome` carries. ``chemical_Varshney2011``
    counts 5,043 synapses where WhiteWhole counts 6,509 and disagrees with other copies: prefer another.
    """
    files = {f.name.removesuffix(".csv"): f.name for f in dataset_info(_name).files}
    if name not in files:
        raise InputError(f"no matrix is called {name!r}; {suggestion(name, list(files))}")
    matrix = pd.read_csv(content(_name, files[name]), index_col=0)
    covered = (matrix.notna().any(axis=1) | matrix.notna().any(axis=0)).to_numpy()
    matrix = matrix.loc[covered, covered]
    matrix.index = matrix.columns = pd.Index(normalize_worm_names(matrix.index))
    kind, paper = name.split("_")[:2]
    info = dataset_info(_name)
    return from_adjacency(
        matrix,
        units=_units.get(paper, "synapses"),
        edge_type=_edge_types.get(kind, "monoaminergic"),
        directed=kind != "electrical",
        asymmetric="max",
        node_coords=cells().loc[matrix.index],
        attrs={
            "name": name,
            "node_kind": "neuron",
            "species": info.species,
            "sex": "hermaphrodite",
            "paper": _papers[paper],
            "licence": info.licence,
        },
    )
