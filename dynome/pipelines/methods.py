"""The methods of `dynome analyze`: what each is called, what it runs on a session, and when it does not apply.

How to add one: a module with a function ``func(recording, *, random_state, <plain values with defaults>)`` and one
that says why it does not apply; then a line in ``METHODS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import xarray as xr

from dynome.estimator import Estimator
from dynome.pipelines.biclusterings import bicluster, why_no_biclustering
from dynome.pipelines.dynamic_connectomes import dynamic_connectome, why_no_dynamic_connectome
from dynome.pipelines.forecasts import connectome_forecast, why_no_connectome_forecast
from dynome.pipelines.self_supervision import (
    masked_autoencoder,
    pretrain_masked_autoencoder,
    why_no_masked_autoencoder,
)
from dynome.pipelines.switching_glms import switching_glm, why_no_switching_glm

Prepare = Callable[[str, Mapping[str, Any], int], Estimator]


class Method(NamedTuple):
    """One method of `dynome analyze`.

    Attributes
    ----------
    name : str
        On the command line and in the file of parameters.
    about : str
        One line for a help text.
    function : callable
        ``function(recording, **parameters)`` analyses one session; `dynome.batch.map_sessions` takes it. Its keyword
        arguments and their defaults are the parameters of the method.
    applies : callable
        ``applies(recording, connectome)`` is "" or the reason why the method cannot take the session.
    prepare : callable or None
        ``prepare(study_path, parameters, random_state)`` fits what all sessions share, once; the path of what it
        gives goes to `function` as ``model``.
    group : str
        What `dynome.inference.match_sessions` can match over sessions ("components", "states", "clusters"); "" where
        there is nothing.
    summary : tuple of str
        The numbers of a result by which sessions are compared.
    references : tuple of str
        What to cite.
    """

    name: str
    about: str
    function: Callable[..., Any]
    applies: Callable[[xr.Dataset, xr.Dataset | None], str]
    prepare: Prepare | None = None
    group: Literal["components", "states", "clusters", ""] = ""
    summary: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "dynamic-connectome",
            "groups of nodes that change together for a while, tested against chance",
            dynamic_connectome,
            why_no_dynamic_connectome,
            group="components",
            summary=("motifs_above_chance", "mean_active_share", "largest_overlap"),
            references=("arXiv:2402.14102",),
        ),
        Method(
            "switching-glm",
            "hidden states with a coupling each, scored on what was held out",
            switching_glm,
            why_no_switching_glm,
            group="states",
            summary=("score", "gain_of_states", "mean_dwell"),
            references=("arXiv:2310.15263", "doi:10.1162/NECO_a_00118"),
        ),
        Method(
            "biclustering",
            "clusters of nodes and states of bins, from short chains",
            bicluster,
            why_no_biclustering,
            group="clusters",
            summary=("n_clusters", "n_states", "cluster_agreement_between_chains", "worst_r_hat", "gain_over_rates"),
            references=("arXiv:2309.02213",),
        ),
        Method(
            "connectome-gnn",
            "forecasts along the connectome, beside models without it and rewired connectomes",
            connectome_forecast,
            why_no_connectome_forecast,
            summary=("mean_skill", "mean_skill_ridge", "gain_over_ridge", "gain_of_wiring"),
        ),
        Method(
            "masked-autoencoder",
            "embeddings by a network that was pretrained on all sessions",
            masked_autoencoder,
            why_no_masked_autoencoder,
            prepare=pretrain_masked_autoencoder,
            summary=("score", "change"),
            references=("arXiv:2403.06432",),
        ),
    )
}
