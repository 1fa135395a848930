"""BOLD of two groups of people whose static connectivity is the same and whose dynamic connectivity is not."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Literal, NamedTuple, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import schema, seeds, study
from dynome.datasets.simulated import bold_signals
from dynome.datasets.simulated.bold_signals import CIRCUIT, Floats, Integers
from dynome.errors import InputError, Problems
from dynome.schema import ANIMAL, COMPONENT, FEATURE, NODE, SESSION, TIME

Difference = Literal["pairing", "dwell"]

_groups = ("control", "case")
_dwell = 100.0  # seconds, mean visit to a state
_faster = 4.0  # how many times shorter the visits of cases are where effect = 1
_ages = (20.0, 80.0)
_loosening = 0.15  # share by which networks are tighter at the first age, looser at the last one
_n_traits = 5  # signals that mix as the person has it


class _Person(NamedTuple):
    group: str
    age: float
    sex: str
    amplitude: float  # of the networks' signals
    trait: Floats  # (node, feature)


def make_bold(
    n_animals: int = 40,
    n_sessions: int = 1,
    n_nodes: int = 100,
    n_times: int = 400,
    *,
    repetition_time: float = 2.0,
    n_networks: int = 8,
    difference: Difference = "pairing",
    effect: float = 1.0,
    noise: float = 0.7,
    individuality: float = 0.5,
    random_state: int | None = None,
) -> xr.DataTree:
    r"""Resting BOLD of two groups with equal static and different dynamic functional connectivity.

    Licence BSD-3-Clause; simulated, no paper. The default is 40 people x (400 volumes at 2 s, 100 regions).

    Parameters
    ----------
    n_animals, n_sessions, n_nodes, n_times : int
        People, scans of each, regions (at least 2 a network) and volumes (at least 50).
    repetition_time : float
        Seconds a volume, at most 5.
    n_networks : int
        4 to 26. Each four of them (A to D, E to H, ...) form a circuit; the remainder has signals of its own.
    difference : {"pairing", "dwell"}
        What distinguishes the groups. In both, B listens to A and C, and D to C and A, each for half of the time.

        * ``"pairing"``: *which links are strong at the same time*. In controls A-B goes with C-D, and B-C with D-A: a
          listener hears one after the other. In cases A-B goes with B-C, and C-D with D-A: it hears both or none.
          It shows in single windows.
        * ``"dwell"``: *how long*. All are as the controls above; the visits to a state last 100 s on average in
          controls and ``100 / 4**effect`` s in cases. It shows from window to window.
    effect : float
        Difficulty, 0 (the groups have one law) to 1. For ``"pairing"`` a link is ``0.34 (1 + effect)`` in one state and
        ``0.34 (1 - effect)`` in the other.
    noise : float
        Standard deviation of the private signal of a region; that of a network's signal is 1 on average.
    individuality : float
        Standard deviation of the signals that mix as the person has it, the same way in all scans: what
        fingerprinting finds.
    random_state : int or None
        Seed. A person's numbers do not depend on how many people there are.

    Returns
    -------
    DataTree
        ``/person_1`` (``/person_1/ses_1`` where there are several scans), ... hold recordings,
        ``activity (time, node)``, with the coordinate ``network (node)``; a network's regions are neighbours.
        ``/phenotype`` holds ``group`` (control, case; in turn), ``age`` (20 to 80 years) and ``sex`` over ``animal``.
        Networks are tighter in the young; group and sex are independent of age. ``/truth`` holds
        ``state (session, component, time)`` of each circuit, ``amplitude (animal)`` of the networks' signals and
        ``trait (animal, node, feature)``.

    Raises
    ------
    InputError
        With every argument that is out of range.

    Notes
    -----
    Region i of person a, with home network h(i), before the haemodynamic response:

    .. math:: x_{ai}(t) = g_a f_{h(i)}(t) + \kappa \textstyle\sum_k V_{aik} q_k(t) + \sigma e_i(t)

    with white unit-variance q and e, and networks' signals :math:`f_B = \rho_{AB} f_A + \rho_{BC} f_C + \ldots` of unit
    variance at all times. Each of two states holds for half of a recording, and a link :math:`\rho` follows them with
    mean 0.34. With ``"pairing"``, the two series of any *pair* of regions have the same joint law in both groups, as a
    link and its reverse in time have one law: whatever is computed from pairs one by one, such as static
    connectivity, lagged or not, has the same distribution. Only three or four regions together tell. With
    ``"dwell"``, covariances over the whole recording have the same expectation in both groups, as the occupancies are
    the same and the response is a convolution on a circle (the last volumes are followed by the first).
    Age acts through :math:`g_a = 1 - 0.15\,(age - 50) / 30`.

    Examples
    --------
    >>> people = make_bold(n_animals=4, n_sessions=2, random_state=0)
    >>> people["phenotype"].group.values.tolist()
    ['control', 'case', 'control', 'case']
    >>> dict(people["person_1/ses_2"].activity.sizes)
    {'time': 400, 'node': 100}
    """
    sizes = {"n_animals": (n_animals, 1), "n_sessions": (n_sessions, 1), "n_times": (n_times, 50)}
    _check(sizes, n_nodes, n_networks, repetition_time, difference, effect, noise, individuality)
    seed = seeds.resolve(random_state)
    home = np.arange(n_nodes) * n_networks // n_nodes
    names = [f"person_{k + 1}" for k in range(n_animals)]
    people = [_person(k, n_nodes, seeds.generator(seed, "bold", name)) for k, name in enumerate(names)]
    recordings, states = {}, {}
    for name, person in zip(names, people, strict=True):
        for k in range(n_sessions):
            path = f"{name}/ses_{k + 1}" if n_sessions > 1 else name
            own = seeds.generator(seed, "bold", name, k)
            fast = _faster**effect if difference == "dwell" and person.group == "case" else 1.0
            dwell = _dwell / repetition_time / fast
            states[path] = np.stack(
                [bold_signals.balanced_states(n_times, dwell, own) for _ in range(n_networks // CIRCUIT)]
            )
            together = difference == "pairing" and person.group == "case"
            contrast = effect if difference == "pairing" else 1.0
            signals = _network_signals(n_networks, states[path], contrast, together, own)
            neural = (
                person.amplitude * signals[home]
                + individuality * person.trait @ own.standard_normal((_n_traits, n_times))
                + noise * own.standard_normal((n_nodes, n_times))
            )
            recordings[path] = _recording(
                bold_signals.haemodynamic(neural, repetition_time).T, home, repetition_time, path
            )
    return study.build(
        recordings,
        phenotype=_phenotype(names, people),
        truth=_truth(names, people, states, recordings, seed),
        attrs={"name": "make_bold", "random_state": seed, "difference": difference, "effect": float(effect)},
    )


def _check(
    sizes: dict[str, tuple[int, int]],
    n_nodes: int,
    n_networks: int,
    repetition_time: float,
    difference: str,
    effect: float,
    noise: float,
    individuality: float,
) -> None:
    problems = Problems("cannot make BOLD")
    for name, (size, least) in sizes.items():
        if size < least:
            problems.add(f"{name} must be at least {least}, got {size}")
    if not CIRCUIT <= n_networks <= len(ascii_uppercase):
        problems.add(f"n_networks must be {CIRCUIT} to {len(ascii_uppercase)}, got {n_networks}")
    elif n_nodes < 2 * n_networks:
        problems.add(f"n_nodes must be at least {2 * n_networks} for {n_networks} networks, got {n_nodes}")
    if not 0 < repetition_time <= 5:
        problems.add(f"repetition_time must be above 0 and at most 5 s, got {repetition_time:g}")
    if difference not in get_args(Difference):
        problems.add(f'difference must be "pairing" or "dwell", got {difference!r}')
    if not 0 <= effect <= 1:
        problems.add(f"effect must be 0 to 1, got {effect:g}")
    for name, value in (("noise", noise), ("individuality", individuality)):
        if not 0 <= value < np.inf:
            problems.add(f"{name} must be zero or more and finite, got {value:g}")
    problems.raise_if_any(InputError)


def _person(k: int, n_nodes: int, rng: np.random.Generator) -> _Person:
    age = rng.uniform(*_ages)
    middle, half = (_ages[0] + _ages[1]) / 2, (_ages[1] - _ages[0]) / 2
    trait = rng.standard_normal((n_nodes, _n_traits)) / np.sqrt(_n_traits)
    sex = ("f", "m")[int(rng.integers(2))]
    return _Person(_groups[k % 2], age, sex, 1 - _loosening * (age - middle) / half, trait)


def _network_signals(
    n_networks: int, states: Integers, contrast: float, together: bool, rng: np.random.Generator
) -> Floats:
    """White signals (network, time) with the circuits' links."""
    signals = rng.standard_normal((n_networks, states.shape[1]))
    for k, state in enumerate(states):
        here = slice(CIRCUIT * k, CIRCUIT * (k + 1))
        links = bold_signals.link_strengths(state, contrast, together=together)
        signals[here] = bold_signals.listening(signals[here], links)
    return signals


def _recording(activity: Floats, home: NDArray[np.intp], repetition_time: float, path: str) -> xr.Dataset:
    name, _, session = path.partition("/")
    network = np.array(list(ascii_uppercase))[home]
    width = len(str(np.bincount(home).max()))
    within = np.arange(home.size) - np.searchsorted(home, home)
    recording = schema.recording(
        activity,
        time=np.arange(len(activity)) * repetition_time,
        node=[f"{letter}{k + 1:0{width}d}" for letter, k in zip(network, within, strict=True)],
        units="1",
        node_kind="parcel",
        attrs={"animal": name, "repetition_time": float(repetition_time), "simulated": 1}
        | ({"session": session} if session else {}),
    )
    recording["activity"].attrs["long_name"] = "BOLD"
    return recording.assign_coords(network=(NODE, network))


def _phenotype(names: list[str], people: list[_Person]) -> xr.Dataset:
    return xr.Dataset(
        {
            "group": (ANIMAL, [p.group for p in people]),
            "age": (ANIMAL, [p.age for p in people], {"units": "years"}),
            "sex": (ANIMAL, [p.sex for p in people]),
        },
        coords={ANIMAL: names},
    )


def _truth(
    names: list[str],
    people: list[_Person],
    states: dict[str, Integers],
    recordings: dict[str, xr.Dataset],
    seed: int,
) -> xr.Dataset:
    first = next(iter(recordings.values()))
    circuits = len(next(iter(states.values())))
    return xr.Dataset(
        {
            "state": ((SESSION, COMPONENT, TIME), np.stack(list(states.values())).astype(np.int8), {"units": "1"}),
            "amplitude": (ANIMAL, [p.amplitude for p in people], {"units": "1"}),
            "trait": ((ANIMAL, NODE, FEATURE), np.stack([p.trait for p in people]), {"units": "1"}),
        },
        coords={
            SESSION: list(states),
            COMPONENT: [ascii_uppercase[CIRCUIT * k : CIRCUIT * (k + 1)] for k in range(circuits)],
            ANIMAL: names,
            TIME: first[TIME],
            NODE: first[NODE],
            "network": first["network"],
        },
        attrs={
            "random_state": seed,
            "state_1": "A-B is strong, and with it B-C in cases of pairing, else C-D",
        },
    )
