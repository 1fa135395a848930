"""Who drives whom in a spiking network: drawn at random, or taken from a connectome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from dynome import labels, schema, units
from dynome.connectome import from_edges
from dynome.datasets.simulated.sampling import draw_pairs
from dynome.schema import NODE, SOURCE, TARGET

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Wiring(NamedTuple):
    """Edges sorted by source, each pair once, and what is known of the nodes."""

    nodes: labels.StrArray
    source: Ints
    target: Ints
    weight: Floats
    """(n_edge,) positive, with mean 1."""
    sign: Ints
    """(n_edge,) 1 or -1."""
    delay: Floats
    """(n_edge,) in seconds."""

    def pointer(self) -> Ints:
        """(n_node + 1,): where the edges of each source begin."""
        return np.searchsorted(self.source, np.arange(self.nodes.size + 1)).astype(np.int64)


def random_wiring(
    n_nodes: int, density: float, excitatory: float, delay: tuple[float, float], rng: np.random.Generator
) -> Wiring:
    """Edges between pairs chosen at random; the first nodes are excitatory, the others inhibitory."""
    n_edges = round(density * n_nodes * (n_nodes - 1))
    source, target = draw_pairs(np.zeros(n_nodes, dtype=np.int64), np.ones((1, 1)), n_edges, rng)
    width = len(str(n_nodes))
    names = np.char.add("node_", np.char.zfill(np.arange(1, n_nodes + 1).astype(np.str_), width))
    sign = np.where(np.arange(n_nodes) < round(excitatory * n_nodes), 1, -1)
    weight = rng.uniform(0.5, 1.5, n_edges)
    return Wiring(names, source, target, weight, sign[source], rng.uniform(*delay, n_edges))


def given_wiring(
    connectome: xr.Dataset, excitatory: float, delay: tuple[float, float], rng: np.random.Generator
) -> Wiring:
    """Edges of a connectome: edge types added up, self-loops left out, weights relative to their mean.

    What the connectome does not tell is drawn: a sign for each source, a delay for each edge.
    """
    nodes = labels.as_labels(connectome[NODE].to_numpy())
    source, target = (labels.positions(connectome[end].to_numpy(), nodes) for end in (SOURCE, TARGET))
    count = connectome["weight"].to_numpy().astype(np.float64)
    told = connectome["sign"].to_numpy() if "sign" in connectome else np.zeros(count.size)
    own = np.where(rng.random(nodes.size) < excitatory, 1, -1)
    lasting = rng.uniform(*delay, count.size)
    if "delay" in connectome:
        known = connectome["delay"].to_numpy() * units.seconds_per(str(connectome["delay"].attrs["units"]))
        lasting = np.where(np.isnan(known), lasting, known)
    signed = np.where(told != 0, told * np.abs(count), np.where(count < 0, count, own[source] * count))
    table = pd.DataFrame({"s": source, "t": target, "w": signed, "d": lasting * np.abs(count), "n": np.abs(count)})
    table = table[table["s"] != table["t"]].groupby(["s", "t"], as_index=False).sum()
    table = table[(table["w"] != 0) & (table["n"] > 0)]
    weight = table["w"].to_numpy()
    strength = np.abs(weight)
    return Wiring(
        nodes,
        table["s"].to_numpy(),
        table["t"].to_numpy(),
        strength / strength.mean() if strength.size else strength,
        np.sign(weight).astype(np.int64),
        (table["d"] / table["n"]).to_numpy(),
    )


def truth_of(wiring: Wiring, effect: Floats, recorded: NDArray[np.bool_], unit: str) -> xr.Dataset:
    """The connectome of what was simulated.

    Parameters
    ----------
    wiring : Wiring
    effect : (n_edge,)
        What a spike does, signed.
    recorded : (n_node,)
    unit : str
        What the effect is a share of, for the attributes.
    """
    edges = {
        SOURCE: wiring.nodes[wiring.source],
        TARGET: wiring.nodes[wiring.target],
        "weight": np.abs(effect),
        "sign": wiring.sign,
        "delay": wiring.delay * 1e3,
    }
    found = from_edges(
        pd.DataFrame(edges),
        node=wiring.nodes,
        units={"weight": "1", "delay": "ms"},
        edge_type="synaptic",
        node_coords={"recorded": recorded},
        attrs={"node_kind": "neuron", "simulated": 1},
    )
    found["weight"].attrs["long_name"] = unit
    return schema.validate(found, "connectome")
