"""One function over the sessions of a study: in parallel, resumable, and with nothing lost when something breaks."""

from dynome._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
