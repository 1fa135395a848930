"""What to cite: the papers behind a method, a result or a data set, as BibTeX.

The list of papers is that of the docstrings, the registry of data sets and the attributes of the data; their entries
lie in ``references.bib`` beside this file, so that no network is needed. A docstring that names a new paper by DOI or
arXiv number needs an entry there; a test says which one is missing.
"""
