from dynome.connectome.construction import from_adjacency as from_adjacency
from dynome.connectome.construction import from_edges as from_edges
from dynome.connectome.construction import from_networkx as from_networkx
