"""The methods of finding communities, by name. A new one is a line here."""

from __future__ import annotations

from dynome.connectome.communities.assortative.fitting import assortative_partition
from dynome.connectome.communities.choice import chosen_partition
from dynome.connectome.communities.leiden import leiden_cpm_partition, leiden_partition
from dynome.connectome.communities.louvain import louvain_partition
from dynome.connectome.communities.partitions import Method
from dynome.connectome.communities.weighted_sbm import sbm_partition

METHODS: dict[str, Method] = {
    "louvain": louvain_partition,
    "leiden": leiden_partition,
    "leiden_cpm": leiden_cpm_partition,
    "assortative": assortative_partition,
    "auto": chosen_partition,
    "sbm": sbm_partition,
}
