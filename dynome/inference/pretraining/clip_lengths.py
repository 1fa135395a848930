"""How many windows a clip needs, so that windows of it have neighbours in time to be told from."""

from __future__ import annotations

from dynome.errors import InputError, Problems
from dynome.inference.dynamic_graphs.scans import Scan, Scans
from dynome.inference.dynamic_graphs.settings import GraphSettings
from dynome.inference.pretraining.neighbours import Gap

_TOLD = 5  # scans in a message
LEAST = 20  # windows of a clip where nothing asks for more


def clip_length(scans: Scans, gap: Gap) -> int:
    """Windows of a clip, at least 20, of which half have a neighbour on both sides.

    Parameters
    ----------
    scans : Scans
    gap : {"full", "pair"}
        See `least_gap`.
    """
    return max(LEAST, 4 * _windows_apart(scans, gap))


def check_neighbours(scans: Scans, length: int, gap: Gap) -> None:
    """Refuse clips and scans in which no window has a neighbour on both sides: they have no temporal loss.

    Parameters
    ----------
    scans : Scans
    length : int
        Windows of a clip.
    gap : {"full", "pair"}

    Raises
    ------
    InputError
        If clips are too short, or any scan is; every one is named.
    """
    needed = 2 * _windows_apart(scans, gap) + 1
    problems = Problems("the temporal terms tell a window from one before and one after it, a gap apart")
    instead = ("" if gap == "pair" else ", or gap='pair', which needs fewer") + ", or temporal_weight=0"
    if length < needed:
        problems.add(
            f"n_windows={length} leaves no window of a clip with such neighbours; set n_windows to {needed} at least, "
            f"{2 * needed - 2} for half of the windows to have them (None chooses){instead}"
        )
    short = {s.session: s.starts.size for s in scans.scans if s.starts.size < needed}
    if short:
        told = ", ".join(f"{session} ({size} windows)" for session, size in list(short.items())[:_TOLD])
        more = f" and {len(short) - _TOLD} more" if len(short) > _TOLD else ""
        problems.add(
            f"these scans are too short, they need {needed} windows: {told}{more}; leave them out, take a shorter "
            f"window{instead}"
        )
    problems.raise_if_any(InputError)


def _windows_apart(scans: Scans, gap: Gap) -> int:
    """Strides from a window to a neighbour, at least, in any scan."""
    return max(_gap_of(scan, scans.settings, gap) for scan in scans.scans)


def _gap_of(scan: Scan, settings: GraphSettings, gap: Gap) -> int:
    stride = round(settings.stride / (scan.interval if settings.unit == "s" else 1.0))
    if gap == "full":
        return -(-scan.width // stride)
    return -(-(scan.width + stride) // (2 * stride))
