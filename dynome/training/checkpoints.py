"""Where training stands, in one file without pickle: written beside its name and renamed, so whole or absent."""

from __future__ import annotations

import json
import os
import uuid
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dynome._version import __version__
from dynome.errors import StoreError
from dynome.store.numpy_files import read_npz

FORMAT = 2  # 1 had no place within an epoch
_TEXT = "checkpoint"
_SHOWN = 40  # characters of a setting in a message


class Standing(NamedTuple):
    """Where training stands, after an epoch or within one.

    Attributes
    ----------
    history : list of float
        Training loss of each epoch so far.
    validation : list of float
        Validation loss after each epoch; empty without validation.
    best : dict of str to Tensor
        Weights after the best epoch; empty without validation.
    step : int
        Steps of the next epoch that are done.
    total : float
        Sum of the losses of their batches.
    began : dict
        State of the generator when that epoch began, from which its batches come again; None between epochs.
    """

    history: list[float]
    validation: list[float]
    best: dict[str, Tensor]
    step: int = 0
    total: float = 0.0
    began: dict[str, Any] | None = None


def write_checkpoint(
    path: str | os.PathLike[str],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    standing: Standing,
    fingerprint: str,
) -> None:
    """Write everything that decides how training goes on, over what was there.

    Parameters
    ----------
    path : path
        File, by custom ``*.npz``; folders are made.
    network, optimizer, rng
        As they are after an epoch or a step.
    standing : Standing
    fingerprint : str
        Of data and settings; training only goes on with the same. What follows its first line, settings as JSON, only
        serves to tell which of them differ.
    """
    final = Path(path)
    final.parent.mkdir(parents=True, exist_ok=True)
    arrays = {f"weight/{name}": _array(t) for name, t in network.state_dict().items()}
    arrays |= {f"best/{name}": _array(t) for name, t in standing.best.items()}
    for k, state in optimizer.state_dict()["state"].items():
        arrays |= {f"optimizer/{k}/{name}": _array(t) for name, t in state.items()}
    text = json.dumps(
        {
            "format": FORMAT,
            "dynome": __version__,
            "rng": rng.bit_generator.state,
            "fingerprint": fingerprint,
            **{name: value for name, value in standing._asdict().items() if name != "best"},
        }
    )
    beside = final.with_name(f".{final.name}.{uuid.uuid4().hex}.partial")
    try:
        with beside.open("wb") as file:
            contents: dict[str, Any] = {_TEXT: np.array(text), **arrays}
            np.savez(file, **contents)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(final)
    finally:
        beside.unlink(missing_ok=True)


def read_checkpoint(
    path: str | os.PathLike[str],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    fingerprint: str,
) -> Standing:
    """Put network, optimiser and generator where training stopped.

    Parameters
    ----------
    path : path
        As `write_checkpoint` wrote it.
    network, optimizer, rng
        Fresh ones of the same kind; set in place.
    fingerprint : str
        Of data and settings.

    Returns
    -------
    Standing

    Raises
    ------
    StoreError
        If the file is damaged, belongs to other data or settings, or was written in a format of a newer dynome.
    """
    try:
        arrays = read_npz(path)
        told = json.loads(str(arrays.pop(_TEXT)))
        by = f"{path}, a checkpoint of dynome {told.get('dynome', '0.1.0')},"
        if told["format"] > FORMAT:
            raise StoreError(
                f"{by} has format {told['format']}; dynome {__version__} reads formats up to {FORMAT}; continue with "
                "the version that wrote it, or delete it to begin anew"
            )
        if not _same(told["fingerprint"], fingerprint):
            raise StoreError(
                f"{by} belongs to other data or settings{_differences(told['fingerprint'], fingerprint)}; name another "
                "file, or delete it to begin anew"
            )
        device = next(network.parameters()).device
        network.load_state_dict(_under(arrays, "weight/", device))
        state: dict[int, dict[str, Tensor]] = {}
        for name, array in arrays.items():
            if name.startswith("optimizer/"):
                _, k, key = name.split("/", 2)
                state.setdefault(int(k), {})[key] = torch.from_numpy(array)
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        rng.bit_generator.state = told["rng"]
        return Standing(
            list(told["history"]),
            list(told["validation"]),
            _under(arrays, "best/", device),
            int(told.get("step", 0)),
            float(told.get("total", 0)),
            told.get("began"),
        )
    except (OSError, ValueError, KeyError, EOFError, TypeError, RuntimeError, zipfile.BadZipFile) as error:
        if isinstance(error, StoreError):
            raise
        why = "" if "pickle" in str(error) else f" ({error})"  # numpy advises to unpickle what it cannot read
        raise StoreError(
            f"{path} is damaged, no checkpoint, or of another version of dynome{why}; delete it to begin anew"
        ) from error


def _same(one: str, other: str) -> bool:
    """Whether the first lines are alike; older checkpoints have no other."""
    return one.partition("\n")[0] == other.partition("\n")[0]


def _differences(before: str, now: str) -> str:
    """Which settings are not those of the file, in words; nothing where the file does not hold its settings."""
    texts = [part.partition("\n")[2] for part in (before, now)]
    if not all(texts):
        return ""
    was, has = map(json.loads, texts)
    found = [name for name in sorted(was.keys() | has.keys()) if was.get(name) != has.get(name)]
    if not found:
        return "; no setting differs, so the data do"
    if "random_state" in found and "seed" in found:
        found.remove("seed")  # it follows from the other
    told = [f"{name} ({_short(was.get(name))} in the file, {_short(has.get(name))} now)" for name in found]
    return "; settings that differ: " + ", ".join(told)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _array(tensor: Any) -> NDArray[Any]:
    return np.asarray(tensor.detach().cpu().numpy() if isinstance(tensor, Tensor) else tensor).copy()


def _under(arrays: dict[str, NDArray[Any]], prefix: str, device: torch.device) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): torch.from_numpy(v).to(device) for k, v in arrays.items() if k.startswith(prefix)}
