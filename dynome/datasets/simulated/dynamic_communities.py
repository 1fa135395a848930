"""Communities that come and go: which nodes, when, in which animals."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from dynome import schema, seeds, study
from dynome.errors import InputError, Problems
from dynome.schema import ANIMAL, COMPONENT, NODE, TIME

Floats = NDArray[np.float64]

_background = 0.2  # share of nodes that belong to no community
_bouts = (2, 4)  # bouts of a community: at least, at most
_bout_share = (0.06, 0.14)  # length of a bout as a share of the recording
_absent = 0.3  # probability that a community is absent from an animal
_timescale = 1.0  # seconds, of every signal


def make_dynamic_communities(
    n_nodes: int = 60,
    n_times: int = 600,
    n_animals: int = 4,
    n_communities: int = 4,
    *,
    rate: float = 2.0,
    noise: float = 0.5,
    random_state: int | None = None,
) -> xr.DataTree:
    r"""Recordings of several animals in which planted communities become active together for a while.

    Licence BSD-3-Clause; simulated, no paper. The default is 4 animals x (600 samples at 2 Hz, 60 nodes).

    Parameters
    ----------
    n_nodes, n_times, n_animals, n_communities : int
        Sizes; at least 3 nodes a community and 50 samples.
    rate : float
        Samples a second.
    noise : float
        Standard deviation of the private signal of each node; that of a shared signal is 1.
    random_state : int or None
        Seed. An animal's numbers do not depend on how many animals there are.

    Returns
    -------
    DataTree
        ``/animal_1``, ... hold recordings, ``activity (time, node)`` in dF/F. ``/truth`` holds

        * ``membership (node, component)``: 0, or 0.5 to 1; a fifth of the nodes belongs nowhere;
        * ``time_course (component, time)``: 0 to 1, when the community is active, the same in all animals;
        * ``loading (animal, component)``: 0 where the animal lacks the community, else 0.5 to 1.5 (the first animal
          has all);
        * ``signal (animal, component, time)``: the fluctuation that the members share, different in each animal;
        * coordinate ``community (node)``: the one community of a node, -1 for none.

    Raises
    ------
    InputError
        With every argument that is out of range.

    Notes
    -----
    .. math:: x_{ai}(t) = \sum_r m_{ir}\, l_{ar}\, g_r(t)\, s_{ar}(t) + \sigma\, e_{ai}(t)

    with smooth unit-variance signals s and e (Gaussian, 1 s). Two members thus change together while
    :math:`g_r` is up in animals with :math:`l_{ar} > 0`, and independently otherwise. The product of the changes of
    two members grows as :math:`l^2 g^2`, its square root, the usual affinity, as :math:`l\, g`.

    Examples
    --------
    >>> tree = make_dynamic_communities(n_animals=2, random_state=0)
    >>> dict(tree["truth"].membership.sizes), list(tree["animal_1"].activity.dims)
    ({'node': 60, 'component': 4}, ['time', 'node'])
    """
    _check(n_nodes, n_times, n_animals, n_communities, rate, noise)
    seed = seeds.resolve(random_state)
    rng = seeds.generator(seed, "dynamic_communities")
    community = _communities(n_nodes, n_communities, rng)
    planted = community[:, None] == np.arange(n_communities)
    membership = planted * rng.uniform(0.5, 1.0, (n_nodes, 1))
    course = np.stack([_bouts_in_time(n_times, rate, rng) for _ in range(n_communities)])
    animal = [f"animal_{k + 1}" for k in range(n_animals)]
    time = np.arange(n_times) / rate
    node = [f"node_{k + 1:0{len(str(n_nodes))}d}" for k in range(n_nodes)]
    recordings, loadings, signals = {}, [], []
    for k, name in enumerate(animal):
        own = seeds.generator(seed, "dynamic_communities", name)
        loading = _loading(k, n_communities, own)
        signal = _smooth(own.standard_normal((n_communities, n_times)), rate)
        private = _smooth(own.standard_normal((n_nodes, n_times)), rate)
        activity = membership @ (loading[:, None] * course * signal) + noise * private
        recordings[name] = schema.recording(
            activity.T, time=time, node=node, units="dF/F", attrs={"animal": name, "simulated": 1}
        )
        loadings.append(loading)
        signals.append(signal)
    truth = xr.Dataset(
        {
            "membership": ((NODE, COMPONENT), membership, {"units": "1"}),
            "time_course": ((COMPONENT, TIME), course, {"units": "1"}),
            "loading": ((ANIMAL, COMPONENT), np.stack(loadings), {"units": "1"}),
            "signal": ((ANIMAL, COMPONENT, TIME), np.stack(signals), {"units": "1"}),
        },
        coords={
            NODE: node,
            "community": (NODE, community),
            COMPONENT: np.arange(n_communities),
            TIME: (TIME, time, {"units": "s"}),
            ANIMAL: animal,
        },
        attrs={"random_state": seed, "noise": float(noise)},
    )
    return study.build(recordings, truth=truth, attrs={"name": "make_dynamic_communities", "random_state": seed})


def _check(n_nodes: int, n_times: int, n_animals: int, n_communities: int, rate: float, noise: float) -> None:
    problems = Problems("cannot make dynamic communities")
    if n_animals < 1:
        problems.add(f"n_animals must be at least 1, got {n_animals}")
    if n_communities < 1:
        problems.add(f"n_communities must be at least 1, got {n_communities}")
    elif n_nodes * (1 - _background) < 3 * n_communities:
        least = int(np.ceil(3 * n_communities / (1 - _background)))
        problems.add(f"n_nodes must be at least {least} for {n_communities} communities, got {n_nodes}")
    if n_times < 50:
        problems.add(f"n_times must be at least 50, got {n_times}")
    if not 0 < rate < np.inf:
        problems.add(f"rate must be positive and finite, got {rate:g}")
    if not 0 <= noise < np.inf:
        problems.add(f"noise must be zero or more and finite, got {noise:g}")
    problems.raise_if_any(InputError)


def _communities(n_nodes: int, n_communities: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The community of each node in random order; -1 for the background."""
    n_members = int(n_nodes * (1 - _background))
    community = np.full(n_nodes, -1)
    community[:n_members] = np.arange(n_members) % n_communities
    return rng.permutation(community)


def _bouts_in_time(n_times: int, rate: float, rng: np.random.Generator) -> Floats:
    """A time course of 0 and 1 with soft edges."""
    n_bouts = int(rng.integers(*_bouts, endpoint=True))
    length = rng.uniform(*_bout_share, n_bouts) * n_times
    slot = n_times / n_bouts
    start = np.arange(n_bouts) * slot + rng.uniform(0, 1, n_bouts) * (slot - length)
    t = np.arange(n_times)
    active = ((t >= start[:, None]) & (t < (start + length)[:, None])).any(axis=0)
    course: Floats = gaussian_filter1d(active.astype(np.float64), 0.5 * _timescale * rate, mode="nearest")
    return course


def _loading(k: int, n_communities: int, rng: np.random.Generator) -> Floats:
    """How strong each community is in the k-th animal. The first animal has all, and none is without any."""
    present = rng.random(n_communities) >= (_absent if k else 0)
    present[k % n_communities] = True
    return np.where(present, rng.uniform(0.5, 1.5, n_communities), 0.0)


def _smooth(white: Floats, rate: float) -> Floats:
    """White noise filtered to the common timescale, with unit variance."""
    smooth = gaussian_filter1d(white, _timescale * rate, axis=-1, mode="wrap")
    scaled: Floats = smooth / smooth.std(axis=-1, keepdims=True)
    return scaled
