"""The store that Zarr reads from: each chunk is looked at before a codec unpacks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import LocalStore, WrapperStore

from dynome.errors import StoreError
from dynome.store.chunks import Layout, array_of, check_chunk, layout_of
from dynome.store.manifest import METADATA


class GuardedStore(WrapperStore[LocalStore]):
    """A local store that refuses chunks which are gone, or claim other than their array has for them.

    Parameters
    ----------
    store : LocalStore
        Read-only.
    """

    def __init__(self, store: LocalStore) -> None:
        super().__init__(store)
        self._layouts: dict[str, Layout] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Paths travel, what was read does not."""
        return {"_store": self._store, "_layouts": {}}

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The content of a file, as Zarr asks for it.

        Raises
        ------
        StoreError
            If it is a chunk that is not there, or would unpack to something else than its array has.
        """
        found = await self._store.get(key, prototype, byte_range)
        array = array_of(key)
        if array is None:
            return found
        folder = Path(self._store.root)
        if found is None:
            raise StoreError(f"{folder / key} is gone since the store was opened; restore the store from a copy")
        if array not in self._layouts:
            self._layouts[array] = _layout_at(folder, array)
        layout = self._layouts[array]
        check_chunk((found[:18] if layout.itemsize else found).to_bytes(), layout, str(folder / key))
        return found


def guarded(folder: Path) -> GuardedStore:
    """A store to read from.

    Parameters
    ----------
    folder : Path
        What `dynome.store.manifest.check_complete` or ``check_groups`` accepts.

    Returns
    -------
    GuardedStore
        Can be pickled, for workers that read for themselves.
    """
    return GuardedStore(LocalStore(folder, read_only=True))


def _layout_at(folder: Path, array: str) -> Layout:
    try:
        return layout_of(json.loads((folder / array / METADATA).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{folder / array} has chunks, but is no array of a dynome store: {error}") from error
