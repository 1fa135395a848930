"""What structure and activity say about each other, against chance."""

from dynome._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
