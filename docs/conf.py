"""Sphinx configuration."""

from dynome import __version__

project = "dynome"
copyright = "2026, the dynome developers"
release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
nb_execution_mode = "off"
autosummary_generate = True
autodoc_typehints = "signature"
numpydoc_show_class_members = False
html_theme = "pydata_sphinx_theme"
exclude_patterns = ["_build"]
