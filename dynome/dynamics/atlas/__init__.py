"""The dynamic functional connectome: an atlas of motifs, groups of nodes that change together for a while.

The steps, each a module of pure functions: `excess` (affinity above chance) or `locked` (affinity around events),
factorisation by `NonnegativeCP`, `intervals` (when), `expression` (in whom), `communities` (which nodes), `epochs` and
`overlap` (during what), `chance` (is it more than chance). `dynamic_connectome` puts them together, `table` tells the
result in words.
"""
