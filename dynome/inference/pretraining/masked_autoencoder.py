"""Graph encoders that learn from recordings without labels."""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import device as devices
from dynome import extras, seeds
from dynome.errors import InputError, Problems, listed
from dynome.estimator import no_target
from dynome.inference.dynamic_graphs.graph_estimator import WEIGHTS, GraphEstimator
from dynome.inference.dynamic_graphs.scans import Scans, digests_of, scans_of
from dynome.inference.dynamic_graphs.settings import (
    Closed,
    EncoderSettings,
    GraphSettings,
    Timestamp,
    Unit,
    Wiring,
    add_choice,
    add_count,
    add_encoder_problems,
    add_positive,
    add_share,
)
from dynome.schema import ITERATION, NODE

if TYPE_CHECKING:
    import torch

    from dynome.inference.dynamic_graphs.encoder import GraphEncoder
    from dynome.inference.pretraining.decoders import DecoderName
    from dynome.inference.pretraining.masks import MaskBy
    from dynome.inference.pretraining.neighbours import Gap
    from dynome.inference.pretraining.objective import Objective
    from dynome.inference.pretraining.pretraining_run import Outcome, RunSettings
    from dynome.inference.pretraining.settings import ObjectiveName, ObjectiveSettings

RANK, CHANGING = "effective_rank", "changing"
_WHOLE = "whole_graphs"  # statistics of batch norm, for graphs with nothing hidden
_NETWORK = "mask_network"
STEP = "step"


class GraphMaskedAutoencoder(GraphEstimator):
    r"""Learn an encoder of dynamic graphs from recordings without labels.

    Every scan becomes a sequence of graphs, one a window. Parts of the graphs are hidden; a network learns to tell them
    from what is left, in the same window (spatial terms) and with a window before and one after it (temporal terms).
    The encoder that comes of it is kept, for `transform`, for probes, and for `GraphClassifier(encoder=...)`.

    Parameters
    ----------
    objective : {"jema", "mae", "graphmae", "contrastive"}
        "jema": embeddings that a slow average of the encoder has of the whole graph, and edges [1]_. "mae": edges and
        correlations themselves [2]_. "graphmae": correlations of hidden nodes, each window by itself [3]_.
        "contrastive": two thinned copies of a window are to be recognised as one.
    hidden, n_layers : int
        Features of a node, layers.
    timestamp : {"none", "sinusoidal", "gru"}
        What a node is told about time, as in `GraphClassifier`. With "gru" all windows of a clip hide the same nodes,
        so that the recurrent network cannot tell what is hidden.
    window, stride : float
        Width of a window, and from one start to the next.
    unit : {"s", "samples"}
        Of `window` and `stride`.
    closed : {"inclusive", "stagin"}
        Whether a last window that ends on the last sample counts.
    density : float
        Share of the strongest correlations of a window that are edges.
    wiring : {"observed", "empty", "shuffled"}
        Controls, as in `GraphClassifier`.
    mask_by : {"runs", "network", "random"}
        What is hidden together: nodes that follow each other in the atlas; networks; any nodes.
    network : str
        Coordinate over node that names networks, for ``mask_by="network"``.
    n_masks : int
        Masks of a window. The encoder sees what none of them hides.
    node_ratio, edge_ratio : (float, float)
        Smallest and largest share of the nodes that a mask hides, and of nodes that a hidden block of edges has as rows
        and as columns. A mask of networks is as large as they are.
    decoder : {"mixer", "mlp", "gin"}
        From what is seen to what is hidden: across all nodes, each node alone, along visible edges.
    token_hidden : int
        Hidden units of the "mixer" between nodes; for an atlas of 400 regions take 256.
    spatial_weight, temporal_weight, node_weight, edge_weight : float
        A term has the product of its two weights; with a weight of 0 its terms are not computed.
    gap : {"full", "pair"}
        Neighbours in time share no sample with the window ("full"), or none with each other ("pair", as published).
    momentum : (float, float)
        What the slow average keeps of itself in a step, at the beginning and at the end; "jema" only.
    n_windows : int or None
        Consecutive windows of a scan in a step. Fewer where a scan is shorter. None takes 20, or as many as half of
        them need to have a neighbour on both sides (temporal terms): 4 times `gap`, in strides. Memory grows with it.
    n_steps, batch_size : int
        Steps, rounded up to whole looks, and scans in each.
    learning_rate, weight_decay : float
        Of AdamW, with a cosine schedule.
    validation : float
        Share of the animals that are held out, to see how it goes; at least one, none if it is 0.
    device : str
        "auto", "cpu", "cuda" or "mps".
    precision : {"float32", "bfloat16"}
        Of the products while training.
    accumulate : int
        Batches that make one step.
    checkpoint : path or None
        File to continue from, where it exists, and to write to.
    random_state : int or None
        Seed.

    Attributes
    ----------
    results_ : DataTree
        ``history``, ``validation`` and ``validation_{term} (iteration)``: losses while training and of the animals held
        out (of the training scans, if there are none), 25 looks at most, after ``step (iteration)`` steps;
        ``effective_rank`` and ``changing (iteration)``: in how many directions embeddings of a node differ, and the
        share of their variance that is not about which node it is. Both falling to 0 is collapse. ``node``.
        ``/weights`` of the network, ``/whole_graphs`` of its encoder with statistics of graphs in which nothing is
        hidden, which `transform` uses. attrs: ``n_iter``, the steps; ``n_windows`` of a clip; ``regions_left_out`` of
        ``regions_in_all``, because some session lacks them; ``held_out`` animals.

    References
    ----------
    .. [1] Choi, Lee, Kim & Lee (2024), arXiv:2403.06432.
    .. [2] Choi, Keum, Yun, Kim & Lee (2023), arXiv:2312.01994.
    .. [3] Hou et al. (2022), KDD, arXiv:2205.10803.

    Examples
    --------
    >>> from dynome.datasets import make_bold
    >>> study = make_bold(n_animals=4, n_nodes=12, n_times=120, n_networks=4, random_state=0)
    >>> model = GraphMaskedAutoencoder(hidden=8, n_layers=1, n_steps=25, device="cpu", random_state=0).fit(study)
    >>> bool(model.results_.validation[-1] < model.results_.validation[0])
    True
    >>> dict(model.transform(study, pool=("window",)).sizes)
    {'session': 4, 'node': 12, 'feature': 8}
    """

    def __init__(
        self,
        objective: ObjectiveName = "jema",
        *,
        hidden: int = 64,
        n_layers: int = 4,
        timestamp: Timestamp = "none",
        window: float = 50.0,
        stride: float = 12.0,
        unit: Unit = "s",
        closed: Closed = "inclusive",
        density: float = 0.3,
        wiring: Wiring = "observed",
        mask_by: MaskBy = "runs",
        network: str = "network",
        n_masks: int = 4,
        node_ratio: tuple[float, float] = (0.1, 0.3),
        edge_ratio: tuple[float, float] = (0.1, 0.3),
        decoder: DecoderName = "mixer",
        token_hidden: int = 64,
        spatial_weight: float = 0.5,
        temporal_weight: float = 0.5,
        node_weight: float = 1.0,
        edge_weight: float = 1.0,
        gap: Gap = "full",
        momentum: tuple[float, float] = (0.996, 1.0),
        n_windows: int | None = None,
        n_steps: int = 500,
        batch_size: int = 8,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-4,
        validation: float = 0.1,
        device: str = "auto",
        precision: Literal["float32", "bfloat16"] = "float32",
        accumulate: int = 1,
        checkpoint: str | os.PathLike[str] | None = None,
        random_state: int | None = None,
    ) -> None:
        self.objective = objective
        self.hidden = hidden
        self.n_layers = n_layers
        self.timestamp = timestamp
        self.window = window
        self.stride = stride
        self.unit = unit
        self.closed = closed
        self.density = density
        self.wiring = wiring
        self.mask_by = mask_by
        self.network = network
        self.n_masks = n_masks
        self.node_ratio = node_ratio
        self.edge_ratio = edge_ratio
        self.decoder = decoder
        self.token_hidden = token_hidden
        self.spatial_weight = spatial_weight
        self.temporal_weight = temporal_weight
        self.node_weight = node_weight
        self.edge_weight = edge_weight
        self.gap = gap
        self.momentum = momentum
        self.n_windows = n_windows
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation = validation
        self.device = device
        self.precision = precision
        self.accumulate = accumulate
        self.checkpoint = checkpoint
        self.random_state = random_state

    @property
    def graph_settings(self) -> GraphSettings:
        """How scans become graphs."""
        return GraphSettings(self.window, self.stride, self.unit, self.closed, self.density, self.wiring)

    @property
    def encoder_settings(self) -> EncoderSettings:
        """Shape of the encoder."""
        return EncoderSettings(self.hidden, self.n_layers, self.timestamp)

    def fit(self, study: Any, y: None = None) -> Self:
        """Learn from recordings.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            Sessions with shared regions; nothing else of it is read.
        y : None
            There is no target.

        Raises
        ------
        InputError
            If parameters cannot be used, sessions hold NaN, are shorter than a window or too short for temporal terms,
            one has less than half of the regions of the others, or the loss is not finite.
        StoreError
            If the checkpoint is damaged or of other data or settings.
        """
        started = time.perf_counter()
        no_target(y)
        self._check()
        from dynome.inference.pretraining.pretraining_run import pretrained, settle
        from dynome.training.noise import seeded
        from dynome.training.weights import weights_dataset

        seed = seeds.resolve(self.random_state)
        rng = seeds.generator(seed, "pretraining")
        scans = scans_of(study, self.graph_settings)
        about = self._about(scans).assign_attrs(n_windows=self._clip_length(scans), **scans.regions_told())
        marks = digests_of(scans)
        train, held = _held_out(scans, self.validation, seed)
        run = self._run(about, marks, seed)
        with seeded(rng) as generator:
            network = self._network(about, generator).to(run.device)
        done = pretrained(network, train, held, run, rng)
        weights = weights_dataset(network)
        settle(network, train, run)
        step = (ITERATION, done.steps, {"units": "1", "long_name": "steps"})
        root = (
            about.assign(_curves(done))
            .assign_coords({STEP: step})
            .assign_attrs(held_out=[] if held is None else _animals(held))
        )
        tree = xr.DataTree.from_dict(
            {"/": root, f"/{WEIGHTS}": weights, f"/{_WHOLE}": weights_dataset(network.encoder)}
        )
        return self._finish(
            tree,
            started=started,
            converged=True,
            n_iter=done.steps[-1],
            random_state=seed,
            device=run.device,
            dtype="float32",
        )

    def score(self, study: Any, y: None = None) -> float:
        """Minus the loss under masks that are always the same.

        Parameters
        ----------
        study : DataTree, mapping, Dataset or DataArray
            Sessions with all regions of the fitted model, best of animals that it has not seen.
        y : None
            There is no target.

        Raises
        ------
        InputError
            If sessions lack regions, hold NaN or are shorter than a window.
        """
        no_target(y)
        scans = self._scans(study)
        from dynome.inference.pretraining.pretraining_run import held_loss

        run = self._run(self._fitted().to_dataset(), None, 0)
        self._check_neighbours(scans, run.n_windows)
        return -held_loss(self._restored(run.device), scans, run)["total"]  # type: ignore[arg-type]

    def _network(self, about: xr.Dataset, generator: torch.Generator) -> Objective:
        import torch

        from dynome.inference.dynamic_graphs.encoder import GraphEncoder
        from dynome.inference.pretraining.objectives import make_objective

        encoder = GraphEncoder(about.sizes[NODE], self.encoder_settings, generator)
        network = torch.from_numpy(about[_NETWORK].to_numpy()) if _NETWORK in about else None
        return make_objective(self.objective, encoder, self._objective_settings(), generator, network)

    def _restored_encoder(self, device: str = "cpu") -> GraphEncoder:
        from dynome.training.weights import load_weights

        encoder = super()._restored_encoder(device)
        load_weights(encoder, self._fitted()[_WHOLE].to_dataset(inherit=False))
        return encoder

    def _objective_settings(self) -> ObjectiveSettings:
        extras.require("torch", extra="torch")
        from dynome.inference.pretraining.masks import MaskSettings
        from dynome.inference.pretraining.settings import ObjectiveSettings

        return ObjectiveSettings(
            MaskSettings(self.mask_by, self.n_masks, self.node_ratio, self.edge_ratio),
            self.decoder,
            self.token_hidden,
            self.spatial_weight,
            self.temporal_weight,
            self.node_weight,
            self.edge_weight,
            self.gap,
            self.momentum,
        )

    @property
    def _has_temporal_terms(self) -> bool:
        return self.objective in ("jema", "mae") and self.temporal_weight > 0

    def _clip_length(self, scans: Scans) -> int:
        """Windows of a clip, enough for temporal terms where there are any."""
        from dynome.inference.pretraining.clip_lengths import LEAST, clip_length

        length = self.n_windows or (clip_length(scans, self.gap) if self._has_temporal_terms else LEAST)
        self._check_neighbours(scans, length)
        return length

    def _check_neighbours(self, scans: Scans, length: int) -> None:
        from dynome.inference.pretraining.clip_lengths import check_neighbours

        if self._has_temporal_terms:
            check_neighbours(scans, length, self.gap)

    def _run(self, about: xr.Dataset, marks: NDArray[np.uint8] | None, seed: int) -> RunSettings:
        from dynome.inference.networks.fitting import fingerprint
        from dynome.inference.pretraining.clip_lengths import LEAST
        from dynome.inference.pretraining.pretraining_run import RunSettings

        length = int(about.attrs.get("n_windows", self.n_windows or LEAST))  # older models do not tell
        told = {k: v for k, v in self.get_params(deep=False).items() if k not in ("checkpoint", "device")}
        told |= {"n_windows": length, "seed": seed}
        data = [] if marks is None else [marks]
        return RunSettings(
            length,
            self.n_steps,
            self.batch_size,
            self.accumulate,
            self.learning_rate,
            self.weight_decay,
            self.precision,
            devices.resolve(self.device),
            self.checkpoint,
            fingerprint(told, *data, about[NODE].to_numpy().astype(np.str_)),
        )

    def _about(self, scans: Scans) -> xr.Dataset:
        """What decides the network besides the parameters."""
        coords = dict(scans.node_coords.coords) | {NODE: scans.nodes}
        about = xr.Dataset(coords=coords)
        if self.mask_by != "network":
            return about
        if self.network not in about.coords:
            found = listed([str(name) for name in about.coords if name != NODE])
            raise InputError(
                f"mask_by='network' needs a coordinate {self.network!r} over node on which all sessions agree; found "
                f"{found or 'none'}; name it with network=, or use mask_by='runs'"
            )
        names, code = np.unique(about[self.network].to_numpy().astype(np.str_), return_inverse=True)
        if names.size < 2:
            raise InputError(f"mask_by='network' needs at least two networks, found {listed(names.tolist())}")
        return about.assign({_NETWORK: (NODE, code.astype(np.int64))})

    def _check(self) -> None:
        from dynome.inference.pretraining.settings import ObjectiveName, add_objective_problems

        problems = Problems(f"cannot fit {type(self).__name__}")
        add_choice(problems, "objective", self.objective, get_args(ObjectiveName))
        add_encoder_problems(self.encoder_settings, problems)
        add_objective_problems(self._objective_settings(), problems)
        for name in ("n_windows", "n_steps", "batch_size", "accumulate"):
            if name != "n_windows" or self.n_windows is not None:
                add_count(problems, name, getattr(self, name))
        add_choice(problems, "precision", self.precision, ("float32", "bfloat16"))
        add_positive(problems, "learning_rate", self.learning_rate)
        add_share(problems, "weight_decay", self.weight_decay)
        add_share(problems, "validation", self.validation)
        if self.checkpoint is not None and self.random_state is None:
            problems.add("a checkpoint needs random_state, an integer: a fit with another seed cannot go on from it")
        problems.raise_if_any(InputError)


def _held_out(scans: Scans, share: float, seed: int) -> tuple[Scans, Scans | None]:
    """Scans to learn from, and those of some animals to look at."""
    animals = np.unique([scan.animal for scan in scans.scans])
    number = min(math.ceil(round(share * animals.size, 9)), animals.size - 1)  # 0.07 * 100 is above 7
    if not number:
        return scans, None
    chosen = set(seeds.generator(seed, "validation").permutation(animals)[:number].tolist())
    parts = ([s for s in scans.scans if (s.animal in chosen) == held] for held in (False, True))
    train, held = (scans._replace(scans=tuple(part)) for part in parts)
    return train, held


def _animals(scans: Scans) -> list[str]:
    return sorted({scan.animal for scan in scans.scans})


def _curves(done: Outcome) -> dict[str, Any]:
    """Curves of training as variables over iterations."""
    told = {"total": "loss", RANK: "effective rank", CHANGING: "share of variance within nodes"}
    named = {"total": "validation", RANK: RANK, CHANGING: CHANGING}
    loss = (ITERATION, done.training.history, {"units": "1", "long_name": "training loss"})
    found: dict[str, Any] = {"history": loss}
    for name, curve in done.curves.items():
        long = told.get(name, name.replace("_", " "))
        attrs = {"units": "1", "long_name": f"{long} of what is held out"}
        found[named.get(name, f"validation_{name}")] = (ITERATION, curve.astype(np.float64), attrs)
    return found
