"""Groups of nodes that are wired, or active, alike.

`finding` holds the one entry, `find_communities`, over the table of methods in `methods`; each method is a function
from weights and a `Search` to a `Partition` (both in `partitions`). `modularities` and `ordering` work on communities
however they were found. A new method is a module with one such function and a line in the table.
"""
