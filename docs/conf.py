"""Sphinx configuration. Before a build, what is made from code or copied is written beside the other pages."""

import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from benchmark_pages import write_benchmarks  # noqa: E402
from reference_pages import write_reference  # noqa: E402

from dynome import __version__  # noqa: E402

project = "dynome"
copyright = "2026, the dynome developers"
release = version = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build"]
templates_path = ["_templates"]
default_role = "py:obj"  # `resample` in a docstring is a link to the function

myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = f"dynome {release}"
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"], "navigation_depth": 2}
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_sidebars = {"index": [], "installation": [], "data_model": []}  # they have no siblings

write_reference(HERE / "reference")
write_benchmarks(HERE / "benchmarks")

# Sphinx reads nothing outside its own folder.
(HERE / "tutorials").mkdir(exist_ok=True)
for notebook in sorted((HERE.parent / "tutorials").glob("[0-9]*.md")):
    shutil.copy2(notebook, HERE / "tutorials" / notebook.name)
