from dynome.viz.association import plot_null as plot_null
from dynome.viz.association import plot_structure_function as plot_structure_function
from dynome.viz.components import plot_components as plot_components
from dynome.viz.components import plot_loadings as plot_loadings
from dynome.viz.covariates import plot_covariates as plot_covariates
from dynome.viz.matrix import plot_matrix as plot_matrix
from dynome.viz.network import plot_connectome as plot_connectome
from dynome.viz.recording import plot_recording as plot_recording
