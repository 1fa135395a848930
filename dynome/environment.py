"""What this installation can do: versions, optional parts, devices, folders."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from dynome import device

CORE = (
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "dask",
    "zarr",
    "scikit-learn",
    "networkx",
    "tensorly",
    "numba",
    "matplotlib",
)
OPTIONAL = {
    "torch": "torch",
    "torch-geometric": "torch",
    "pymc": "bayes",
    "arviz": "bayes",
    "pynwb": "nwb",
    "pynapple": "nwb",
}


def versions(packages: tuple[str, ...] = CORE) -> dict[str, str]:
    """Installed versions of packages; packages that are absent are left out.

    Examples
    --------
    >>> sorted(versions(("numpy", "no-such-package")))
    ['numpy']
    """
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def environment_report() -> dict[str, str]:
    """What ``dynome info`` shows, as text by topic."""
    core = versions()
    optional = versions(tuple(OPTIONAL))
    absent = [f"{n} (pip install 'dynome[{extra}]')" for n, extra in OPTIONAL.items() if n not in optional]
    return {
        "python": f"{platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "core": ", ".join(f"{n} {v}" for n, v in core.items()),
        "optional": ", ".join(f"{n} {v}" for n, v in optional.items()) or "none installed",
        "not installed": ", ".join(absent) or "nothing is missing",
        "device": device.resolve("auto"),
        "DYNOME_DATA_DIR": os.environ.get("DYNOME_DATA_DIR") or "not set",
        "DYNOME_CACHE_DIR": os.environ.get("DYNOME_CACHE_DIR") or "not set (the system's cache folder is used)",
    }
