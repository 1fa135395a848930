"""Files that users bring: each module reads (and where it makes sense writes) one family of layouts, without network.

A sibling adds one module with ``read_*`` and ``write_*``, opens files through `dynome.datasets.formats.files`, and one
line in the table of `dynome.datasets.formats.conversion`.
"""
