"""Connectomes and neural dynamics on one labelled data layer.

`import dynome as dy` loads nothing heavy: each area loads when it is first touched. The public names are
listed in ``__init__.pyi``.
"""

from dynome._lazy import attach_stub
from dynome._version import __version__ as __version__

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
__all__ += ["__version__"]
