"""Names in the tree of results that several modules write or read."""

from __future__ import annotations

from typing import Final

FACTOR: Final = "factor"
LATENT_DRAW: Final = "latent_draw"  # draws that were recorded with their latents
CONCENTRATIONS: Final = ("row_concentration", "top_concentration", "stickiness", "partition_concentration")
