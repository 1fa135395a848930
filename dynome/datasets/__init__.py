"""Data: carried by the package, simulated with known truth, downloaded and checked, or read from files of yours."""

from dynome._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
