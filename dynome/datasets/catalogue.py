"""What data there are, and one door to all of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pandas as pd
import xarray as xr

from dynome.datasets.registry import DatasetInfo, dataset_info, entries
from dynome.datasets.sources import local_file


def list_datasets() -> pd.DataFrame:
    """A table of every data set: what it is, its licence, its papers, whether it is here.

    Returns
    -------
    DataFrame
        Columns ``name``, ``kind`` (carried, simulated, fetched), ``what``, ``species``, ``shape``,
        ``licence``, ``paper`` (DOIs), ``function`` and ``offline`` (True where no network is needed: carried,
        simulated, or every file found in ``DYNOME_DATA_DIR`` or the cache).

    Examples
    --------
    >>> table = list_datasets()
    >>> row = table[table.name == "worm"].iloc[0]
    >>> row.kind, row.function, bool(row.offline)
    ('simulated', 'make_worm', True)
    """
    rows = [
        {
            "name": info.name,
            "kind": info.kind,
            "what": info.what,
            "species": info.species,
            "shape": info.shape,
            "licence": info.licence,
            "paper": ", ".join(info.paper),
            "function": info.function,
            "offline": _is_here(info),
        }
        for info in entries().values()
    ]
    return pd.DataFrame(rows)


def fetch(name: str, /, **options: Any) -> xr.Dataset | xr.DataArray | xr.DataTree:
    """Any data set by its name.

    Parameters
    ----------
    name : str
        A name of `list_datasets`.
    **options
        Passed to the function of that data set, e.g. ``random_state=0`` for one that is simulated.

    Returns
    -------
    Dataset, DataArray or DataTree
        What that function returns, valid by `dynome.schema.validate`.

    Raises
    ------
    InputError
        If there is no such data set; the message suggests a near name.
    FetchError
        If files are missing and cannot be downloaded.

    Examples
    --------
    >>> wiring = fetch("celegans_connectome", name="white1986")
    >>> wiring.sizes["node"]
    309
    """
    loader = getattr(import_module("dynome.datasets"), dataset_info(name).function)
    result: xr.Dataset | xr.DataArray | xr.DataTree = loader(**options)
    return result


def _is_here(info: DatasetInfo) -> bool:
    """Whether no network is needed; a file without an address is a supplement, not a condition."""
    return all(local_file(info.name, remote) is not None for remote in info.files if remote.addresses)
