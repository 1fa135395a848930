from dynome.store.manifest import Manifest as Manifest
from dynome.store.manifest import read_manifest as read_manifest
from dynome.store.reading import open as open
from dynome.store.reading import open_groups as open_groups
from dynome.store.reading import verify as verify
from dynome.store.writing import save as save
