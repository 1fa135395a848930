"""Storage: Zarr v3 folders that are complete or absent, and never pickled.

`save` writes beside the final name and renames, so that a killed process leaves nothing under that name. A manifest
in the attributes of the root group lists every file with its size and a checksum of all metadata: Zarr reads a
missing chunk as fill values, the manifest makes it an error. Every chunk carries a CRC-32C, so a damaged one is an
error when it is read. `open` is lazy: coordinates are in memory, variables are dask arrays.

Strings are ``<U`` in memory and variable-length on disk; a long column of few labels is kept as codes into a table.
Attributes are str, int, float or lists of these.
"""

from dynome._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
