"""Activity that flows along a connectome: a network of leaky rate neurons, seen through noise in several animals."""

from __future__ import annotations

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, eigs

from dynome import labels, schema, seeds, study
from dynome.datasets.simulated.graphs import make_connectome
from dynome.errors import InputError, Problems
from dynome.schema import EDGE, NODE, SOURCE, TARGET, TIME

Array = NDArray[np.float64]

_burn_in = 200  # bins that are simulated and thrown away
_small = 400  # nodes up to which all eigenvalues are found


def make_rate_network(
    n_animals: int = 6,
    n_times: int = 600,
    *,
    wiring: xr.Dataset | None = None,
    n_nodes: int = 60,
    rate: float = 4.0,
    time_constant: float = 1.0,
    gain: float = 1.2,
    inhibitory: float = 0.2,
    private: float = 0.5,
    recorded: float = 0.8,
    noise: float = 0.2,
    random_state: int | None = None,
) -> xr.DataTree:
    r"""Recordings of animals whose activity is made by one and the same wiring, which is known.

    The study to try forecasts and inference of connectivity on: what a neuron does next depends on its inputs and on
    nothing else that is shared. Licence BSD-3-Clause; simulated, no paper.

    Parameters
    ----------
    n_animals, n_times : int
        Recordings, and bins of each.
    wiring : Dataset or None
        A connectome; weights of all its edge types are added up, and its ``sign`` is used where it is known of every
        edge. None makes a random one of `n_nodes`, ten edges a node.
    n_nodes : int
        Size of the random connectome.
    rate : float
        Bins a second.
    time_constant : float
        Seconds, of every neuron.
    gain : float
        Largest modulus among the eigenvalues of the effective weights; above 1 the network can keep itself active.
    inhibitory : float
        Share of the neurons all of whose outputs inhibit, where the wiring knows no signs.
    private : float
        Strength of the input of its own that each node has; in a node without other inputs it is the standard deviation
        of the activity.
    recorded : float
        Share of the nodes that each animal shows, drawn anew for each.
    noise : float
        Standard deviation of the measurement noise, in those of the activity of a node.
    random_state : int or None
        Seed. An animal's numbers do not depend on how many animals there are.

    Returns
    -------
    DataTree
        ``/animal_1``, ... with ``activity (time, node)``, dimensionless; ``/connectome`` the wiring, with the ``sign``
        that was used; ``/truth`` with ``weight (source, target)``, the effective weights W, rows presynaptic.

    Raises
    ------
    InputError
        If an argument is out of range.

    Notes
    -----
    .. math:: \tau \dot v_i = -v_i + \sum_j W_{ji} \tanh v_j + \sigma \sqrt{2 \tau} \, \xi_i(t)

    with white noise of its own for each node; W is the square root of the count, signed, with one factor for all of
    inhibition that balances it with excitation over the whole network, and one factor for all that brings the largest
    eigenvalue to `gain`. Four steps of Euler a bin.

    Examples
    --------
    >>> tree = make_rate_network(n_animals=2, n_times=50, n_nodes=20, random_state=0)
    >>> tree["animal_1"].sizes["node"], tree["truth"].weight.dims
    (16, ('source', 'target'))
    """
    _check(n_animals, n_times, n_nodes, rate, time_constant, gain, inhibitory, private, recorded, noise)
    seed = seeds.resolve(random_state)
    if wiring is None:
        n_edges = min(10 * n_nodes, n_nodes * (n_nodes - 1))
        wiring = make_connectome(n_nodes, n_edges=n_edges, random_state=seed)
    wiring = _signed(schema.validate(wiring, "connectome"), inhibitory, seeds.generator(seed, "rate_network", "sign"))
    weight = _effective(wiring, gain)
    nodes = wiring[NODE].to_numpy()
    step = 1 / rate / time_constant / 4
    time = (TIME, np.arange(n_times) / rate, {"units": "s"})
    recordings = {}
    for name in (f"animal_{k + 1}" for k in range(n_animals)):
        rng = seeds.generator(seed, "rate_network", name)
        activity = _integrated(weight, n_times, step, private, rng)
        activity += noise * activity.std(axis=0) * rng.standard_normal(activity.shape)
        seen = np.sort(rng.choice(nodes.size, max(2, round(recorded * nodes.size)), replace=False))
        recordings[name] = schema.recording(activity[:, seen], time=time[1], node=nodes[seen], units="1")
    dense = xr.DataArray(weight.toarray(), dims=(SOURCE, TARGET), attrs={"units": "1", "long_name": "effective weight"})
    truth = xr.Dataset({"weight": dense.assign_coords({SOURCE: nodes, TARGET: nodes})}, attrs={"random_state": seed})
    return study.build(recordings, wiring, truth=truth, attrs={"name": "make_rate_network", "random_state": seed})


def _check(
    n_animals: int,
    n_times: int,
    n_nodes: int,
    rate: float,
    time_constant: float,
    gain: float,
    inhibitory: float,
    private: float,
    recorded: float,
    noise: float,
) -> None:
    problems = Problems("cannot make a rate network")
    for name, number, least in (("n_animals", n_animals, 1), ("n_times", n_times, 2), ("n_nodes", n_nodes, 3)):
        if number < least:
            problems.add(f"{name} must be at least {least}, got {number}")
    for name, value in (("rate", rate), ("time_constant", time_constant)):
        if not 0 < value < np.inf:
            problems.add(f"{name} must be positive and finite, got {value:g}")
    ranges = (("gain", gain, 3), ("inhibitory", inhibitory, 1), ("private", private, 10), ("noise", noise, 10))
    for name, value, most in ranges:
        if not 0 <= value <= most:
            problems.add(f"{name} must be between 0 and {most:g}, got {value:g}")
    if not 0 < recorded <= 1:
        problems.add(f"recorded must be above 0 and at most 1, got {recorded:g}")
    problems.raise_if_any(InputError)


def _signed(wiring: xr.Dataset, inhibitory: float, rng: np.random.Generator) -> xr.Dataset:
    """The wiring with a sign of every edge: its own, or one of each presynaptic neuron."""
    if "sign" in wiring and bool((wiring["sign"] != 0).all()):
        return wiring
    negative = rng.random(wiring.sizes[NODE]) < inhibitory
    source = labels.positions(wiring[SOURCE].to_numpy(), wiring[NODE].to_numpy())
    sign = np.where(negative[source], -1, 1).astype(np.int8)
    return schema.validate(wiring.assign(sign=(EDGE, sign, {"units": "1"})), "connectome")


def _effective(wiring: xr.Dataset, gain: float) -> scipy.sparse.csr_array:
    """Signed square roots of the counts, (source, target), balanced and scaled."""
    nodes, n = wiring[NODE].to_numpy(), wiring.sizes[NODE]
    source, target = (labels.positions(wiring[end].to_numpy(), nodes) for end in (SOURCE, TARGET))
    count = scipy.sparse.csr_array((wiring["weight"].to_numpy() * wiring["sign"].to_numpy(), (source, target)), (n, n))
    count.data = np.sign(count.data) * np.sqrt(np.abs(count.data))
    inhibits = count.data < 0
    if inhibits.any() and not inhibits.all():
        count.data[inhibits] *= count.data[~inhibits].sum() / -count.data[inhibits].sum()
    radius = _radius(count)
    if radius > 0:
        count.data *= gain / radius
    return count


def _radius(weight: scipy.sparse.csr_array) -> float:
    if weight.shape[0] > _small:
        try:
            found = eigs(weight, k=1, v0=np.ones(weight.shape[0]), return_eigenvectors=False)
            return float(np.abs(found).max())
        except ArpackNoConvergence:
            return float(scipy.sparse.linalg.norm(weight, 2))
    return float(np.abs(np.linalg.eigvals(weight.toarray())).max())


def _integrated(
    weight: scipy.sparse.csr_array, n_times: int, step: float, private: float, rng: np.random.Generator
) -> Array:
    into = weight.T.tocsr()
    n = weight.shape[0]
    v, kick = 0.1 * rng.standard_normal(n), private * np.sqrt(2 * step)
    out = np.empty((n_times, n))
    for t in range(-_burn_in, n_times):
        for _ in range(4):
            v += step * (into @ np.tanh(v) - v) + kick * rng.standard_normal(n)
        if t >= 0:
            out[t] = v
    return out
