"""Figures: an xarray object in, one matplotlib Axes out."""

from dynome._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
