"""A simulated worm: activity on the real wiring, seen through calcium, with behaviour and stimuli."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from dynome import schema, seeds, study
from dynome.connectome.worm_names import worm_class
from dynome.datasets.carried.celegans_connectome import load_celegans_connectome
from dynome.datasets.simulated import worm_network
from dynome.datasets.simulated.worm_network import MODES, STATES, STIMULI, Floats
from dynome.errors import InputError, Problems
from dynome.schema import ANIMAL, COMPONENT, FEATURE, NODE, SOURCE, TARGET, TIME

_step = 0.1  # seconds, at most
_burn_in = 30.0  # seconds that are simulated and thrown away
_class_noise, _private_noise = 0.7, 0.9
_weak = 0.3  # probability that an animal responds little to a stimulus
_speed = 0.12  # mm/s
_named, _unnamed = (0.30, 0.37), (0.10, 0.15)  # shares of the neurons that a recording shows


def make_worm(
    n_animals: int = 4,
    duration: float = 480.0,
    *,
    rate: float = 2.0,
    wiring: xr.Dataset | None = None,
    noise: float = 0.1,
    random_state: int | None = None,
) -> xr.DataTree:
    r"""Whole-brain calcium of simulated worms, with identities, behaviour, stimuli and the truth behind them.

    Licence BSD-3-Clause; simulated, no paper. The default is 4 animals x (960 samples at 2 Hz, 120 to 155 traces of
    which 90 to 111 are named), the form of `fetch_celegans_calcium`.

    Parameters
    ----------
    n_animals : int
        How many animals; their wiring is the same, their noise, stimuli and recorded neurons differ.
    duration, rate : float
        Seconds, and samples a second.
    wiring : Dataset or None
        A connectome with chemical synapses or gap junctions whose labels are those of the worm; None takes the
        neurons of ``load_celegans_connectome("cook2019")``.
    noise : float
        Standard deviation of the measurement noise, in dF/F.
    random_state : int or None
        Seed. An animal's numbers do not depend on how many animals there are.

    Returns
    -------
    DataTree
        ``/worm_1``, ... hold recordings: ``activity (time, node)`` in dF/F; ``velocity`` in mm/s, forward positive;
        ``reversal``; ``stimulus (time, feature)``, 0 or 1. Some neurons are named, the others are called ``trace_017``
        and have ``labelled`` False. Coordinates of ``node``: ``labelled``, ``cell_class``, ``cell_type``.
        ``/connectome`` is the wiring. ``/truth`` holds

        * ``chemical``, ``gap_junction (source, target)``: effective weights, inhibition negative;
        * ``drive (node, component)``: what a mode (forward, reversal, turn, salt, odour, touch) does to a neuron;
        * ``time_course (animal, component, time)``: when the mode is on;
        * ``loading (animal, component)``: how strongly the animal responds to it (the first one to all);
        * ``identity (animal, trace)``: the neuron behind each trace without a name (empty where there is none).

    Raises
    ------
    InputError
        If an argument is out of range, or `wiring` names no command neurons.
    SchemaError
        If `wiring` is not valid.

    Notes
    -----
    Each neuron is a leaky integrator of one second,

    .. math:: \tau \dot x_i = -x_i + \sum_j C_{ij} \tanh x_j + \sum_j G_{ij} (x_j - x_i)
       + \sum_m D_{im} l_m g_m(t) + \xi_{c(i)}(t) + \eta_i(t)

    with weights C, G from the wiring (the logarithm of the counts, GABA inhibits), slow noise that the members of a
    cell class share (which makes left and right homologues alike) and noise of its own. Velocity follows the
    difference of the mean activity of forward and reversal neurons. Calcium is the softly rectified activity, filtered
    by 0.3 s rise and 2.5 s decay.

    Examples
    --------
    >>> tree = make_worm(n_animals=1, duration=60, random_state=0)
    >>> tree["worm_1"].sizes["time"], bool(tree["worm_1"].labelled.any())
    (120, True)
    """
    _check(n_animals, duration, rate, noise)
    seed = seeds.resolve(random_state)
    wiring = _neurons(load_celegans_connectome() if wiring is None else schema.validate(wiring, "connectome"))
    net = worm_network.network(wiring)
    visible = _visibility(wiring, seeds.generator(seed, "worm", "visibility"))
    recordings, truths = {}, []
    for name in (f"worm_{k + 1}" for k in range(n_animals)):
        rng = seeds.generator(seed, "worm", name)
        life = _life(net, wiring, duration, rate, 0.0 if name == "worm_1" else _weak, rng)
        recordings[name], identity = _recording(name, life, wiring, visible, rate, noise, rng)
        truths.append((name, life, identity))
    truth = _truth(net, wiring, truths, rate).assign_attrs(random_state=seed)
    return study.build(recordings, wiring, truth=truth, attrs={"name": "make_worm", "random_state": seed})


class _Life(NamedTuple):
    """One animal, sampled at the frame rate."""

    loading: Floats  # (n_mode,)
    course: Floats  # (n_time, n_mode)
    calcium: Floats  # (n_time, n_node)
    velocity: Floats  # (n_time,)


def _check(n_animals: int, duration: float, rate: float, noise: float) -> None:
    problems = Problems("cannot make a worm")
    if n_animals < 1:
        problems.add(f"n_animals must be at least 1, got {n_animals}")
    if not 0 < rate < np.inf:
        problems.add(f"rate must be positive and finite, got {rate:g}")
    elif not 2 <= duration * rate < np.inf:
        problems.add(f"duration must give at least 2 samples ({2 / rate:g} s), got {duration:g} s")
    if not 0 <= noise < np.inf:
        problems.add(f"noise must be zero or more and finite, got {noise:g}")
    problems.raise_if_any(InputError)


def _neurons(wiring: xr.Dataset) -> xr.Dataset:
    """The wiring without muscles and other cells, where it tells the types of its cells."""
    if "cell_type" not in wiring.coords:
        return wiring
    keep = ~wiring["cell_type"].isin(["muscle", "other"]).to_numpy()
    inside = wiring["node"].to_numpy()[keep]
    edges = wiring["source"].isin(inside) & wiring["target"].isin(inside)
    return wiring.isel(node=keep, edge=edges.to_numpy())


def _visibility(wiring: xr.Dataset, rng: np.random.Generator) -> Floats:
    """How often each neuron is seen, the same in all animals: command neurons nearly always, the cord rarely."""
    classes = worm_class(wiring["node"].to_numpy())
    seen = rng.uniform(0.2, 1.0, classes.size)
    seen[np.isin(classes, ["AVA", "AVB", "AVE", "AVD", "RIM", "RIB", "AIB", "RIV", "ASE", "AWA", "AWC", "AIY"])] = 4.0
    seen[np.isin(classes, ["VA", "VB", "VC", "VD", "DA", "DB", "DD", "AS"])] = 0.05
    probability: Floats = seen / seen.sum()
    return probability


def _life(
    net: worm_network.Network,
    wiring: xr.Dataset,
    duration: float,
    rate: float,
    weak_share: float,
    rng: np.random.Generator,
) -> _Life:
    """Behaviour, stimuli and activity of one animal; `weak_share` is the chance that a stimulus hardly moves it."""
    per_frame = int(np.ceil(1 / (rate * _step)))
    step = 1 / (rate * per_frame)
    n_time = int(duration * rate)
    n_burn = int(np.ceil(_burn_in / step))
    n_step = n_burn + n_time * per_frame
    weak = rng.random(len(STIMULI)) < weak_share
    loading = np.concatenate([np.ones(len(STATES)), np.where(weak, 0.1, rng.uniform(0.7, 1.3, len(STIMULI)))])
    course = worm_network.time_courses(n_step, step, rng)
    classes, member = np.unique(worm_class(wiring["node"].to_numpy()), return_inverse=True)
    shared = worm_network.slow_noise((n_step, classes.size), 3.0, step, rng)[:, member]
    private = worm_network.slow_noise((n_step, member.size), 1.0, step, rng)
    drive = 1.5 * (course * loading) @ net.drive.T + _class_noise * shared + _private_noise * private
    activity = worm_network.integrate(net, drive, step)
    forward, reversal = (activity[:, net.drive[:, MODES.index(mode)] > 0].mean(axis=1) for mode in STATES[:2])
    balance = forward - reversal
    velocity = (
        _speed * np.tanh(balance - np.median(balance))
        + 0.03
        + 0.01 * worm_network.slow_noise((n_step, 1), 1.0, step, rng)[:, 0]
    )
    frames = slice(n_burn, None, per_frame)
    return _Life(loading, course[frames], worm_network.calcium(activity, step)[frames], velocity[frames])


def _recording(
    name: str,
    life: _Life,
    wiring: xr.Dataset,
    visible: Floats,
    rate: float,
    noise: float,
    rng: np.random.Generator,
) -> tuple[xr.Dataset, dict[str, str]]:
    """What a microscope and an annotator get of it, and who the unnamed traces are."""
    names = wiring["node"].to_numpy()
    n_named, n_unnamed = (max(round(rng.uniform(*share) * names.size), 1) for share in (_named, _unnamed))
    chosen = rng.choice(names.size, n_named + n_unnamed, replace=False, p=visible)
    labelled = np.arange(chosen.size) < n_named
    order = rng.permutation(chosen.size)
    chosen, labelled = chosen[order], labelled[order]
    seen = life.calcium[:, chosen]
    baseline = np.quantile(seen, 0.2, axis=0)
    gain = np.exp(0.3 * rng.standard_normal(chosen.size))
    activity = gain * (seen - baseline) / (baseline + 1.0) + noise * rng.standard_normal(seen.shape)
    node = np.where(labelled, names[chosen], [f"trace_{k + 1:03d}" for k in range(chosen.size)])
    n_state = len(STATES)
    recording = schema.recording(
        activity,
        time=np.arange(activity.shape[0]) / rate,
        node=node,
        units="dF/F",
        covariates={
            "velocity": (TIME, life.velocity, {"units": "mm/s", "long_name": "velocity, forward positive"}),
            "reversal": (TIME, life.course[:, MODES.index("reversal")] > 0, {"long_name": "reversal"}),
            "stimulus": ((TIME, FEATURE), life.course[:, n_state:], {"units": "1", "long_name": "stimulus"}),
        },
        attrs={"animal": name, "simulated": 1},
    )
    coords = {"labelled": (NODE, labelled), FEATURE: list(STIMULI)}
    for fact in ("cell_class", "cell_type"):
        if fact in wiring.coords:
            coords[fact] = (NODE, np.where(labelled, wiring[fact].to_numpy()[chosen], ""))
    return recording.assign_coords(coords), dict(
        zip(node[~labelled].tolist(), names[chosen[~labelled]].tolist(), strict=True)
    )


def _truth(
    net: worm_network.Network, wiring: xr.Dataset, lives: list[tuple[str, _Life, dict[str, str]]], rate: float
) -> xr.Dataset:
    node = wiring["node"].to_numpy()
    traces = sorted({trace for _, _, identity in lives for trace in identity})
    identity = [[identity.get(trace, "") for trace in traces] for _, _, identity in lives]
    return xr.Dataset(
        {
            "chemical": ((SOURCE, TARGET), net.chemical.toarray().T, {"units": "1", "long_name": "synaptic effect"}),
            "gap_junction": ((SOURCE, TARGET), net.gap.toarray().T, {"units": "1", "long_name": "electrical coupling"}),
            "drive": ((NODE, COMPONENT), net.drive, {"units": "1"}),
            "time_course": (
                (ANIMAL, COMPONENT, TIME),
                np.stack([life.course.T for _, life, _ in lives]),
                {"units": "1"},
            ),
            "loading": ((ANIMAL, COMPONENT), np.stack([life.loading for _, life, _ in lives]), {"units": "1"}),
            "identity": ((ANIMAL, "trace"), identity),
        },
        coords={
            SOURCE: node,
            TARGET: node,
            NODE: node,
            "trace": traces,
            COMPONENT: list(MODES),
            ANIMAL: [name for name, _, _ in lives],
            TIME: (TIME, np.arange(lives[0][1].course.shape[0]) / rate, {"units": "s"}),
        },
    )
