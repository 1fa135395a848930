"""Where chains begin: a draw from the prior, or a point that the data suggest."""

from __future__ import annotations

from dynome.inference.biclustering.prior_draws import prior_start as prior_start
