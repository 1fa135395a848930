"""Draw the figures of README.md and docs/, from simulated recordings and the carried connectome.

python docs/figures/draw.py
"""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

import dynome as dy

matplotlib.use("Agg")
HERE = Path(__file__).parent

worms = dy.datasets.make_worm(n_animals=4, duration=420, rate=3.0, random_state=0)
animals = dy.dynamics.standardize(dy.dynamics.align_animals(worms, rate=2.0, min_animals=2))
each = dy.dynamics.functional_connectivity(animals.activity)
mean = dy.dynamics.mean_connectivity(each, min_count=2)
community = dy.connectome.find_communities(mean.clip(min=0), random_state=0)
result = dy.inference.structure_function(dy.study.connectome(worms), mean, random_state=0)

onsets = {str(a): dy.dynamics.event_onsets(animals.reversal.sel(animal=a)) for a in animals.animal.to_numpy()}
affinity = dy.dynamics.affinity(animals, smooth=1.5, min_animals=3)
tensor = dy.dynamics.event_affinity(affinity, onsets, before=8, after=12)
components = dy.dynamics.NonnegativeCP(rank=2, random_state=0).fit(tensor).results_
one = animals[["velocity", "reversal"]].sel(animal="worm_1", drop=True)
trials = dy.dynamics.to_trials(one, onsets["worm_1"], before=8, after=12, incomplete="drop")
behaviour = trials.mean("trial", keep_attrs=True)

fig, axes = plt.subplots(2, 2, figsize=(12, 8), layout="constrained", width_ratios=(1.25, 1), height_ratios=(1.5, 1))
worm = worms["worm_1"].to_dataset()
dy.viz.plot_recording(dy.dynamics.standardize(worm), covariates=["velocity", "reversal"], ax=axes[0, 0])
dy.viz.plot_matrix(mean, community=community, ax=axes[0, 1])
dy.viz.plot_components(components, covariates=behaviour, ax=axes[1, 0])
dy.viz.plot_structure_function(result, ax=axes[1, 1])
fig.savefig(HERE / "first_look.png", dpi=90)

wiring = dy.datasets.load_celegans_connectome("cook2019")
neurons = dy.connectome.subgraph(wiring, node=dy.connectome.worm_neurons())
ax = dy.viz.plot_connectome(neurons, n_labels=20)
ax.get_figure().savefig(HERE / "connectome.png", dpi=90)

planted = dy.datasets.make_dynamic_communities(n_communities=3, n_animals=8, noise=0.5, random_state=0)
atlas = dy.dynamics.DynamicConnectome(rank=3, random_state=0).fit(planted)
ax = dy.viz.plot_atlas(atlas.results_)
ax.get_figure().savefig(HERE / "atlas.png", dpi=80)

spikes = dy.datasets.make_switching_glm(n_states=3, n_nodes=14, n_sessions=12, n_time=1500, random_state=2)
switching = dy.dynamics.SwitchingGLM(n_states=3, link="sigmoid", n_restarts=3, random_state=0).fit(spikes)
fig = plt.figure(figsize=(10.5, 7.2), layout="constrained")
upper, lower = fig.add_gridspec(2, 1, height_ratios=(1.25, 1))
left, right = lower.subgridspec(1, 2, width_ratios=(2.6, 1))
posterior = switching.posterior(spikes)
dy.viz.plot_states(posterior, spikes, sequence="session_01", window=(0, 15), ax=fig.add_subplot(upper))
dy.viz.plot_coupling(switching.results_, ax=fig.add_subplot(left))
dy.viz.plot_transitions(switching.results_, ax=fig.add_subplot(right))
fig.savefig(HERE / "states.png", dpi=90)

counts = dy.datasets.make_biclusters(nodes_per_cluster=8, n_times=300, random_state=0)
shuffled = counts.isel(node=np.random.default_rng(0).permutation(counts.sizes["node"]))
hidden = np.random.default_rng(1).random(shuffled.spike_count.shape) < 0.05
biclusters = dy.inference.Biclustering(
    n_states=6, n_draws=90, n_tune=40, n_chains=2, latent_every=3, scheduler="synchronous", random_state=0
)
biclusters.fit(shuffled.spike_count.where(~hidden))
ax = dy.viz.plot_biclustering(biclusters.results_)
ax.get_figure().savefig(HERE / "biclustering.png", dpi=90, bbox_inches="tight")

for path in HERE.glob("*.png"):  # a palette is enough, and less than half of the bytes
    Image.open(path).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE).save(path, optimize=True)
