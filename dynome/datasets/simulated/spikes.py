"""Spiking networks whose wiring is known, some of it out of sight."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from dynome import schema, seeds, study
from dynome.datasets.simulated import spike_wiring
from dynome.datasets.simulated.spike_wiring import Wiring
from dynome.datasets.simulated.switching_arguments import add_size_problems
from dynome.errors import InputError, Problems
from dynome.schema import TIME, TRIAL

Model = Literal["lif", "poisson", "logistic"]

_step = 0.5e-3  # seconds, of the membranes
_membrane, _refractory, _recovering = 20e-3, 2e-3, 10e-3  # seconds
_recovery = -2.0  # of the log rate or log odds, after a node's own spike
_drive, _noise = (0.65, 0.9), 0.35  # rest and spread of membranes, of the way from reset to threshold
_strength: dict[str, float] = {"lif": 0.2, "poisson": 0.5, "logistic": 1.0}
_names = {
    "lif": "jump of the membrane, of the way from reset to threshold",
    "poisson": "change of the log rate by a spike",
    "logistic": "change of the log odds by a spike",
}


def make_spikes(
    n_nodes: int = 50,
    n_time: int = 12_000,
    *,
    model: Model = "lif",
    wiring: xr.Dataset | None = None,
    density: float = 0.1,
    excitatory: float = 0.8,
    strength: float | None = None,
    inhibition: float = 3.0,
    delay: tuple[float, float] = (1e-3, 4e-3),
    rate: float = 10.0,
    hidden: float = 0.0,
    n_animals: int = 1,
    n_trials: int = 1,
    bin_width: float = 5e-3,
    random_state: int | None = None,
) -> xr.DataTree:
    r"""Spikes of a network with a known wiring, of which some neurons may be out of sight.

    Licence BSD-3-Clause; simulated, no paper. The default is 50 integrate-and-fire neurons for 60 s, with 245
    connections of delays 1 to 4 ms, a fifth of the neurons inhibitory.

    ========= ==========================================================================================
    model     a spike of the source ...
    ========= ==========================================================================================
    lif       makes the membrane of the target jump; steps of 0.5 ms, time constant 20 ms, 2 ms refractory
    poisson   multiplies the rate of the target, for about 10 ms; counts are Poisson
    logistic  multiplies the odds that the target spikes, for about 10 ms; at most one spike a bin
    ========= ==========================================================================================

    Parameters
    ----------
    n_nodes, n_time : int
        Neurons (with a `wiring`, its own count), and bins a trial.
    model : {"lif", "poisson", "logistic"}
        Law of the spikes.
    wiring : connectome or None
        Who drives whom. Edge types are added up; weights count relative to their mean. Signs and delays are taken
        from it where it has them. None draws `density` of all pairs at random; then weights vary threefold.
    density : float
        Share of the ordered pairs that are connected, without a `wiring`.
    excitatory : float
        Share of the neurons whose outputs all excite; those of the others all inhibit (Dale's law).
    strength : float or None
        Mean effect of an excitatory spike: on the membrane, where 1 is from reset to threshold (None: 0.2), or on
        the log rate (None: 0.5) or log odds (None: 1).
    inhibition : float
        How many times stronger an inhibitory connection is than an excitatory one.
    delay : tuple of float
        Range of the delays in seconds. In the last two models they are rounded up to whole bins.
    rate : float
        Spikes a second without inputs, in the last two models. Integrate-and-fire neurons rest at 0.65 to 0.9 of
        their threshold, in noise of 0.35, and make 2 to 50 spikes a second by default.
    hidden : float
        Share of the neurons that are simulated but not recorded.
    n_animals, n_trials : int
        Recordings of the same wiring, and trials of each. Every trial starts anew.
    bin_width : float
        Seconds.
    random_state : int or None
        Seed. An animal's numbers do not depend on how many animals there are.

    Returns
    -------
    DataTree
        A study. ``/animal_1``, ... hold recordings, ``spike_count (time, node)`` of the neurons in sight, and with
        several trials the coordinate ``trial (time)``. ``/connectome`` is the truth, of all neurons: ``weight``
        (positive), ``sign`` and ``delay (edge)``, and ``recorded (node)``.

    Raises
    ------
    InputError
        With every argument that is out of range.
    SchemaError
        If `wiring` is not a valid connectome.

    See Also
    --------
    make_switching_glm : couplings that change between states.

    Notes
    -----
    The membrane follows :math:`\tau \dot v = d - v + \sigma \sqrt{2 \tau}\, \xi(t)` and jumps by :math:`J_{mn}` a delay
    after each spike of m; at 1 the neuron spikes and v is set to 0. In the other models :math:`\log \lambda_n` or the
    log odds is :math:`b + \sum_m w_{mn} h_m(t - d_{mn}) - 2 h_n(t)`, where h is the spike train filtered by an
    exponential of 10 ms that begins at 1. Expected counts are cut at 20 a bin, so that activity cannot run away.

    Examples
    --------
    >>> tree = make_spikes(20, 200, hidden=0.25, random_state=0)
    >>> tree["animal_1"].sizes["node"], tree["connectome"].sizes["node"]
    (15, 20)
    """
    _check(n_nodes, n_time, model, density, excitatory, strength, inhibition, delay, rate, hidden, bin_width)
    problems = Problems("cannot make spikes")
    add_size_problems({"n_animals": n_animals, "n_trials": n_trials}, problems)
    problems.raise_if_any(InputError)
    seed = seeds.resolve(random_state)
    rng = seeds.generator(seed, "spikes", "wiring")
    if wiring is None:
        net = spike_wiring.random_wiring(n_nodes, density, excitatory, delay, rng)
    else:
        net = spike_wiring.given_wiring(schema.validate(wiring, "connectome"), excitatory, delay, rng)
    size = net.nodes.size
    effect = (_strength[model] if strength is None else strength) * net.weight
    effect *= np.where(net.sign < 0, -inhibition, 1.0)
    drive = rng.uniform(*_drive, size)
    recorded = rng.permutation(size) >= round(hidden * size)
    recordings = {}
    for name in (f"animal_{k + 1}" for k in range(n_animals)):
        own = seeds.generator(seed, "spikes", name)
        trials = [_trial(model, net, effect, drive, rate, n_time, bin_width, own) for _ in range(n_trials)]
        recordings[name] = _recording(np.concatenate(trials)[:, recorded], net.nodes[recorded], n_trials, bin_width)
    about = {"name": f"make_spikes({model})", "random_state": seed}
    truth = spike_wiring.truth_of(net, effect, recorded, _names[model]).assign_attrs(about)
    return study.build(recordings, truth.assign_attrs(node_kind="neuron"), attrs=about)


def _check(
    n_nodes: int,
    n_time: int,
    model: str,
    density: float,
    excitatory: float,
    strength: float | None,
    inhibition: float,
    delay: tuple[float, float],
    rate: float,
    hidden: float,
    bin_width: float,
) -> None:
    problems = Problems("cannot make spikes")
    add_size_problems({"n_nodes": n_nodes, "n_time": n_time}, problems, least=2)
    if model not in get_args(Model):
        problems.add(f"model must be one of {', '.join(map(repr, get_args(Model)))}, got {model!r}")
    for name, share in (("density", density), ("excitatory", excitatory)):
        if not 0 <= share <= 1:
            problems.add(f"{name} must be a share, 0 to 1, got {share:g}")
    if not 0 <= hidden < 1:
        problems.add(f"hidden must be at least 0 and less than 1, got {hidden:g}")
    for name, value in (("strength", 0.0 if strength is None else strength), ("inhibition", inhibition)):
        if not 0 <= value < np.inf:
            problems.add(f"{name} must be zero or more and finite, got {value:g}")
    low, high = delay
    if not 0 <= low <= high < np.inf:
        problems.add(f"delay must be a range (low, high) in seconds, not negative, got {delay}")
    if not _step <= bin_width < np.inf:
        problems.add(f"bin_width must be at least {_step:g} s and finite, got {bin_width:g} s")
    elif not 0 < rate * bin_width < 1:
        problems.add(f"rate must be between 0 and {1 / bin_width:g} a second, less than a spike a bin, got {rate:g}")
    problems.raise_if_any(InputError)


def _trial(
    model: str,
    net: Wiring,
    effect: NDArray[np.float64],
    drive: NDArray[np.float64],
    rate: float,
    n_time: int,
    bin_width: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Counts (n_time, n_node) of one trial."""
    from dynome.datasets.simulated import spike_kernels as kernels

    pointer, n_node = net.pointer(), net.nodes.size
    found: NDArray[np.int64]
    if model == "lif":
        per_bin = max(1, round(bin_width / _step))
        step = bin_width / per_bin
        decay = float(np.exp(-step / _membrane))
        kick = _noise * float(np.sqrt(1 - decay**2))
        late = np.maximum(1, np.rint(net.delay / step)).astype(np.int64)
        rest = max(1, round(_refractory / step))
        found = kernels.walk_membranes(
            pointer, net.target, effect, late, drive, kick, decay, rest, per_bin, n_time, rng
        )
        return found
    logistic, base = model == "logistic", rate * bin_width
    bias = np.full(n_node, np.log(base / (1 - base)) if logistic else np.log(base))
    late = np.maximum(1, np.ceil(net.delay / bin_width - 1e-9)).astype(np.int64)
    decay = float(np.exp(-bin_width / _recovering))
    found = kernels.walk_rates(pointer, net.target, effect, late, bias, _recovery, decay, logistic, n_time, rng)
    return found


def _recording(count: NDArray[np.int64], nodes: NDArray[np.str_], n_trials: int, bin_width: float) -> xr.Dataset:
    recording = schema.recording(
        time=np.arange(len(count)) * bin_width, node=nodes, spike_count=count, attrs={"bin_width": bin_width}
    )
    if n_trials == 1:
        return recording
    trial = np.repeat(np.arange(n_trials), len(count) // n_trials)
    return recording.assign_coords({TRIAL: (TIME, trial)})
