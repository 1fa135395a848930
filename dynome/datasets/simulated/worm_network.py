"""The network of a simulated worm: weights from wiring, drives of behaviour and stimuli, integration in time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse
import xarray as xr
from numpy.typing import NDArray
from scipy.signal import lfilter

from dynome import labels
from dynome.connectome.worm_names import worm_class
from dynome.errors import InputError

Floats = NDArray[np.float64]

TAU = 1.0  # seconds, membrane and synapse together
STATES = ("forward", "reversal", "turn")
STIMULI = ("salt", "odour", "touch")
MODES = (*STATES, *STIMULI)

_chemical_gain = 0.9
_gap_gain = 0.5
_dwell = {"forward": (4.0, 14.0), "reversal": (2.0, 4.0), "turn": (2.0, 1.0)}  # least and mean further seconds
_next = {"forward": "reversal", "reversal": "turn", "turn": "forward"}
_pulse = 10.0  # seconds of a stimulus
_driven = {  # classes or cells that a mode drives, and how strongly
    "forward": {"AVB": 1.0, "PVC": 0.7, "RIB": 0.8, "DB": 0.8, "VB": 0.8, "RME": 0.5},
    "reversal": {"AVA": 1.2, "AVE": 1.0, "AVD": 0.7, "RIM": 0.9, "AIB": 0.8, "DA": 0.8, "VA": 0.8},
    "turn": {"RIV": 1.2, "SMDVL": 1.0, "SMDVR": 1.0, "SAA": 0.7},
    "salt": {"ASE": 1.5, "ASI": 0.8, "AIY": 0.8, "AIA": 0.8},
    "odour": {"AWA": 1.5, "AWC": -1.2, "ASK": 0.8, "AIZ": 0.8},
    "touch": {"ALM": 1.5, "AVM": 1.5, "FLP": 1.2, "PLM": 1.0, "PVD": 0.8},
}


class Network(NamedTuple):
    """Effects on the target in a row, from the source in a column."""

    chemical: scipy.sparse.csr_array
    gap: scipy.sparse.csr_array
    drive: Floats  # (n_node, n_mode)


def network(wiring: xr.Dataset) -> Network:
    """Weights and drives of a wiring.

    Parameters
    ----------
    wiring : Dataset
        A connectome with chemical synapses, gap junctions or both.

    Returns
    -------
    Network
        Weights are the logarithm of the synapse counts over what a target receives in all; cells that release GABA
        inhibit (coordinate ``transmitter``), others excite.

    Raises
    ------
    InputError
        If it names none of the worm's command neurons.
    """
    node = wiring["node"].to_numpy()
    classes = worm_class(node)
    drive = np.zeros((node.size, len(MODES)))
    for k, mode in enumerate(MODES):
        for name, strength in _driven[mode].items():
            drive[(classes == name) | (node == name), k] = strength
    if not (drive[:, 0].any() and drive[:, 1].any()):
        raise InputError(
            "the wiring must name command neurons of the worm, forward (AVB, PVC, RIB) and reversal (AVA, AVE, AVD); "
            "bring its labels to that convention with dynome.connectome.normalize_worm_names"
        )
    releases = wiring["transmitter"].to_numpy() if "transmitter" in wiring.coords else np.full(node.size, "")
    sign = np.where(np.char.find(releases.astype(np.str_), "gaba") >= 0, -1.0, 1.0)
    chemical = _weights(wiring, "chemical")
    return Network(
        chemical=_chemical_gain * _normalized(chemical) @ scipy.sparse.diags_array(sign),
        gap=_gap_gain * _normalized(_weights(wiring, "gap_junction")),
        drive=drive,
    )


def _weights(wiring: xr.Dataset, edge_type: str) -> scipy.sparse.csr_array:
    """Logarithm of one plus the weight, (target, source), without self-loops."""
    edges = wiring.isel(edge=(wiring["edge_type"] == edge_type).to_numpy())
    node = wiring["node"].to_numpy()
    source, target = (labels.positions(edges[end].to_numpy(), node) for end in ("source", "target"))
    weight = np.where(source == target, 0.0, np.log1p(edges["weight"].to_numpy().astype(np.float64)))
    return scipy.sparse.csr_array((weight, (target, source)), shape=(node.size, node.size))


def _normalized(weights: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Each row over its sum; targets with few inputs are moved less."""
    total = np.asarray(weights.sum(axis=1)).ravel()
    typical = np.median(total[total > 0]) if (total > 0).any() else 1.0
    return scipy.sparse.csr_array(scipy.sparse.diags_array(1 / np.maximum(total, typical)) @ weights)


def integrate(net: Network, drive: Floats, step: float) -> Floats:
    """Leaky integrators with chemical synapses and gap junctions, by Euler's method.

    Parameters
    ----------
    net : Network
        Weights.
    drive : (n_step, n_node)
        External input.
    step : float
        Seconds, well below `TAU`.

    Returns
    -------
    (n_step, n_node)
        ``TAU dx/dt = -x + C tanh(x) + sum_j G_ij (x_j - x_i) + drive``, from rest.
    """
    leak = 1.0 + np.asarray(net.gap.sum(axis=1)).ravel()
    joint = scipy.sparse.hstack([net.chemical, net.gap], format="csr")
    x = np.zeros(drive.shape[1])
    out = np.empty_like(drive)
    both = np.empty(2 * x.size)
    for k in range(drive.shape[0]):
        np.tanh(x, out=both[: x.size])
        both[x.size :] = x
        x = x + (step / TAU) * (joint @ both - leak * x + drive[k])
        out[k] = x
    return out


def time_courses(n_step: int, step: float, rng: np.random.Generator) -> Floats:
    """When each mode is on, (n_step, n_mode), 0 or 1.

    The worm goes forward, backs up, turns, and goes forward again, with random dwell times; touch starts a reversal.
    Each stimulus comes in pulses of 10 s at random times, about one a minute.
    """
    courses = np.zeros((n_step, len(MODES)))
    pulse = round(_pulse / step)
    for k in range(len(STATES), len(MODES)):
        slot = round(60 / step)
        for start in range(0, max(n_step - pulse, 1), slot):
            onset = start + int(rng.integers(0, max(slot - pulse, 1)))
            courses[onset : onset + pulse, k] = 1.0
    touched = np.flatnonzero(np.diff(courses[:, MODES.index("touch")], prepend=0.0) > 0)
    state, k = "forward", 0
    while k < n_step:
        least, further = _dwell[state]
        end = k + max(round((least + rng.exponential(further)) / step), 1)
        if state == "forward" and (due := touched[(touched > k) & (touched < end)]).size:
            end = int(due[0])
        courses[k:end, MODES.index(state)] = 1.0
        state, k = _next[state], end
    return courses


def slow_noise(shape: tuple[int, int], timescale: float, step: float, rng: np.random.Generator) -> Floats:
    """Ornstein-Uhlenbeck noise of unit variance, one process a column."""
    keep = np.exp(-step / timescale)
    white = rng.standard_normal(shape) * np.sqrt(1 - keep**2)
    white[0] /= np.sqrt(1 - keep**2)
    noise: Floats = lfilter([1.0], [1.0, -keep], white, axis=0)
    return noise


def calcium(activity: Floats, step: float, *, rise: float = 0.3, decay: float = 2.5) -> Floats:
    """What an indicator shows of the activity: rectified softly, then filtered by rise and decay.

    Parameters
    ----------
    activity : (n_step, n_node)
        Activity of the cells.
    step, rise, decay : float
        Seconds.

    Returns
    -------
    (n_step, n_node)
        Calcium, never negative.
    """
    out = np.log1p(np.exp(2 * activity))
    for constant in (rise, decay):
        keep = np.exp(-step / constant)
        start = out[:1] * keep
        out, _ = lfilter([1 - keep], [1.0, -keep], out, axis=0, zi=start)
    result: Floats = out
    return result
