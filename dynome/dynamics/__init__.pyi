from dynome.dynamics.connectivity.static import functional_connectivity as functional_connectivity
from dynome.dynamics.tensor.affinities import affinity as affinity
from dynome.dynamics.tensor.nonnegative_cp import NonnegativeCP as NonnegativeCP
from dynome.dynamics.tensor.pairs import fold as fold
from dynome.dynamics.tensor.pairs import unfold as unfold
