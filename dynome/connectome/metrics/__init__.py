"""What the wiring looks like from its nodes, and as a whole.

Measures of nodes come back labelled, with the coordinates of the nodes; measures of the whole are numbers. All take
``edge_type=`` to look at some layers only. Except for strength, which adds weights, what counts is whether there is
an edge; two nodes that are joined by edges of several types count as joined once, except for degree, which counts
edges. A new measure is a new function on the matrices of `adjacency`, or on `dynome.connectome.edge_table.table_of`.
"""
