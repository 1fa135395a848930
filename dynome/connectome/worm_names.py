"""Names of C. elegans cells in one convention: that of WormAtlas, with unpadded numbers (``VA8``, not ``VA08``).

Data sets write the same neuron as ``VA08``, ``VA8`` or ``va8``, and a muscle as ``MDL08``, ``BWM-DL08`` or
``dBWML8``. Labels join recordings to connectomes, so both sides need one convention before they meet.
Known are the 302 neurons of the hermaphrodite; any other name passes unchanged, apart from stray blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from dynome.labels import StrArray, as_labels

# Classes by the endings of their members (White et al. 1986, doi:10.1098/rstb.1986.0056; WormAtlas).
_classes = {
    "L R": "ADA ADE ADF ADL AFD AIA AIB AIM AIN AIY AIZ ALM ALN ASE ASG ASH ASI ASJ ASK AUA AVA AVB AVD AVE AVF AVH "
    "AVJ AVK AWA AWB AWC BAG BDU CAN FLP HSN I1 I2 LUA M2 M3 MC NSM OLL PDE PHA PHB PHC PLM PLN PVC PVD PVN PVP PVQ "
    "PVW RIA RIB RIC RIF RIG RIM RIP RIV RMF RMG RMH SDQ URB URX",
    "DL DR VL VR": "CEP OLQ SAA SIA SIB SMB SMD URA URY",
    "L R DL DR VL VR": "IL1 IL2 RMD",
    "D L R V": "RME",
    "D VL VR": "SAB",
    "": "ALA AQR AVG AVL AVM DVA DVB DVC I3 I4 I5 I6 M1 M4 M5 MI PDA PDB PQR PVM PVR PVT RID RIH RIR RIS",
}
_numbered = {"VA": 12, "VB": 11, "VC": 6, "VD": 13, "DA": 9, "DB": 7, "DD": 6, "AS": 11}
_sides_of_fate = {"AWCON": "AWCOFF", "AWCOFF": "AWCON"}

_padded = re.compile(r"(VA|VB|VC|VD|DA|DB|DD|AS|CA|CP)0+([1-9])")
_fate = re.compile(r"AWC[-_ (]*(ON|OFF)\)?")
_muscle = re.compile(r"(?:BWM-?|M)([DV])([LR])0*([1-9]\d?)")
_muscle_of_cook = re.compile(r"([DV])BWM([LR])0*([1-9]\d?)")


def worm_neurons() -> StrArray:
    """The 302 neurons of the adult hermaphrodite, sorted by class.

    Examples
    --------
    >>> worm_neurons().size, worm_neurons()[:2].tolist()
    (302, ['ADAL', 'ADAR'])
    """
    return np.array(list(_class_of_neuron()), dtype=np.str_)


def normalize_worm_names(
    labels: ArrayLike | Iterable[str] | xr.DataArray, *, aliases: Mapping[str, str] | None = None
) -> StrArray:
    """Cell names in the convention of WormAtlas.

    Parameters
    ----------
    labels : (n,)
        Names as a data set writes them.
    aliases : mapping or None
        Names to replace afterwards, e.g. ``{"AWCON": "AWCL", "AWCOFF": "AWCR"}`` for an animal in which the left AWC
        is the ON cell.

    Returns
    -------
    (n,)
        Neurons in capitals and without blanks, motor neurons with unpadded numbers, body-wall muscles as ``MDL08``.
        Other names only lose blanks at both ends. A question mark stays: see `is_ambiguous`. Two spellings of one
        cell become one label; as labels of nodes they are then refused as repeated by `dynome.schema.validate`.

    Notes
    -----
    ``AWCON`` and ``AWCOFF`` are identities by gene expression (str-2), and which of them is the left cell differs
    between animals [1]_. They are kept, not guessed to be ``AWCL`` or ``AWCR``; pass `aliases` where it is known.

    References
    ----------
    .. [1] Troemel, Sagasti & Bargmann, Cell 1999, doi:10.1016/S0092-8674(00)81525-1.

    Examples
    --------
    >>> normalize_worm_names(["VA08", " avaL", "awc-on", "dBWML1", "pm3VL", "SIBV?"]).tolist()
    ['VA8', 'AVAL', 'AWCON', 'MDL01', 'pm3VL', 'SIBV?']
    """
    given = as_labels(labels)
    renamed = {_one_name(k): _one_name(v) for k, v in (aliases or {}).items()}
    out = [renamed.get(name, name) for name in map(_one_name, given.tolist())]
    return np.array(out, dtype=np.str_) if out else given


def worm_class(labels: ArrayLike | Iterable[str] | xr.DataArray) -> StrArray:
    """The class of each neuron, e.g. ``AVA`` for ``AVAL``.

    Parameters
    ----------
    labels : (n,)
        Cell names in any convention that `normalize_worm_names` reads. A guess such as ``SIBV?`` has a class if all
        neurons it may stand for share one.

    Returns
    -------
    (n,)
        Names that are no neuron of the hermaphrodite come back normalised and are their own class.

    Examples
    --------
    >>> worm_class(["AVAL", "VA08", "RMDVL", "AVL", "AWCON", "SIBV?", "MDL08"]).tolist()
    ['AVA', 'VA', 'RMD', 'AVL', 'AWC', 'SIB', 'MDL08']
    """
    return _mapped(labels, _one_class)


def homologue(labels: ArrayLike | Iterable[str] | xr.DataArray) -> StrArray:
    """The partner of each cell on the other side of the body, e.g. ``AVAR`` for ``AVAL``.

    Parameters
    ----------
    labels : (n,)
        Cell names in any convention that `normalize_worm_names` reads.

    Returns
    -------
    (n,)
        An empty string for cells without a partner (``AVL``, ``VA8``) and for guesses. Partners are known of neurons
        and body-wall muscles; ``AWCON`` and ``AWCOFF`` are each other's.

    Examples
    --------
    >>> homologue(["AVAL", "IL2DR", "AVL", "VA8", "AWCON"]).tolist()
    ['AVAR', 'IL2DL', '', '', 'AWCOFF']
    """
    return _mapped(labels, _one_homologue)


def worm_side(labels: ArrayLike | Iterable[str] | xr.DataArray) -> StrArray:
    """The side of the body on which each cell with a partner lies.

    Parameters
    ----------
    labels : (n,)
        Cell names in any convention that `normalize_worm_names` reads.

    Returns
    -------
    (n,)
        ``"left"``, ``"right"``, or an empty string for cells without a partner on the other side (see `homologue`) and
        for ``AWCON`` and ``AWCOFF``, whose sides differ between animals.

    Examples
    --------
    >>> worm_side(["AVAL", "IL2DR", "AVL", "MDL08", "AWCON"]).tolist()
    ['left', 'right', '', 'left', '']
    """
    return _mapped(labels, _one_side)


def is_ambiguous(labels: ArrayLike | Iterable[str] | xr.DataArray) -> NDArray[np.bool_]:
    """Whether a name leaves open which neuron is meant.

    Parameters
    ----------
    labels : (n,)
        Cell names in any convention that `normalize_worm_names` reads.

    Returns
    -------
    (n,)
        True for names with a question mark (``AVAL?``), for alternatives (``VB1/VB2``), for the beginning of several
        neurons' names (``AVA``, ``IL2V``), and for empty names. Names that have nothing to do with a neuron
        (muscles, glia, ``n17``) are not ambiguous: they are known or unknown.

    Examples
    --------
    >>> is_ambiguous(["AVAL", "AVA", "SIBV?", "AVL", "MDL08", "AWCON"]).tolist()
    [False, True, True, False, False, False]
    """
    names = [_one_name(name) for name in as_labels(labels).tolist()]
    return np.array([_open(name) for name in names], dtype=np.bool_)


@cache
def _class_of_neuron() -> dict[str, str]:
    """Every neuron with its class, in order of classes."""
    listed_ = {
        name: [name + ending for ending in endings.split(" ")]
        for endings, names in _classes.items()
        for name in names.split()
    }
    numbered = {name: [f"{name}{k}" for k in range(1, n + 1)] for name, n in _numbered.items()}
    return {member: name for name, members in sorted({**listed_, **numbered}.items()) for member in members}


def _one_name(label: str) -> str:
    stripped = label.strip()
    guess = "?" if stripped.endswith("?") else ""
    stem = "".join(stripped.rstrip("? ").upper().split())
    if fate := _fate.fullmatch(stem):
        return f"AWC{fate[1]}{guess}"
    if padded := _padded.fullmatch(stem):
        return f"{padded[1]}{padded[2]}{guess}"
    if muscle := _muscle.fullmatch(stem) or _muscle_of_cook.fullmatch(stem):
        return f"M{muscle[1]}{muscle[2]}{int(muscle[3]):02d}{guess}"
    meant = stem in _class_of_neuron() or ((len(stem) > 2 or guess) and _begun(stem))
    return stem + guess if meant else stripped


def _begun(stem: str) -> list[str]:
    """Neurons whose names begin with `stem`."""
    return [name for name in _class_of_neuron() if stem and name.startswith(stem)]


def _open(name: str) -> bool:
    if not name or "?" in name or "/" in name:
        return True
    return name not in _class_of_neuron() and len(_begun(name)) > 0


def _one_class(name: str) -> str:
    stem = name.rstrip("?")
    if stem in _sides_of_fate:
        return "AWC"
    if stem in _class_of_neuron():
        return _class_of_neuron()[stem]
    classes = {_class_of_neuron()[member] for member in _begun(stem)}
    return classes.pop() if len(classes) == 1 else name


def _one_homologue(name: str) -> str:
    if name in _sides_of_fate:
        return _sides_of_fate[name]
    if muscle := _muscle.fullmatch(name):
        return f"M{muscle[1]}{'R' if muscle[2] == 'L' else 'L'}{muscle[3].zfill(2)}"
    other = name[:-1] + {"L": "R", "R": "L"}.get(name[-1:], "?")
    return other if {name, other} <= _class_of_neuron().keys() else ""


def _one_side(name: str) -> str:
    if not _one_homologue(name) or name in _sides_of_fate:
        return ""
    muscle = _muscle.fullmatch(name)
    return {"L": "left", "R": "right"}[muscle[2] if muscle else name[-1]]


def _mapped(labels: ArrayLike | Iterable[str] | xr.DataArray, rule: Callable[[str], str]) -> StrArray:
    given = as_labels(labels)
    out = [rule(_one_name(name)) for name in given.tolist()]
    return np.array(out, dtype=np.str_) if out else given
