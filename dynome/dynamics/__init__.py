"""Activity in time: preprocessing, functional connectivity, and components of what changes together."""

from dynome._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
