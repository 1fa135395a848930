"""The written schema: what a recording, a connectome, a functional connectivity and a study are.

All are plain xarray objects. `validate` gathers every problem of an object and raises one `SchemaError`.
A new kind adds a line in `names.Kind`, a module with one ``check_*`` function and a line in ``validation._checks``.

=========================== ========================================================================================
recording                   Dataset; ``time`` (s, float64, strictly increasing), ``node`` (unique labels);
                            ``activity (time, node)`` and/or ``spike_count (time, node)``; covariates ``(time, ...)``
connectome                  Dataset with an edge list; ``node``; ``source target weight edge_type`` and, where known,
                            ``sign neurotransmitter delay`` on ``edge``; ``attrs["directed"]``
functional_connectivity     DataArray ``(..., source, target)`` with labels on both
study                       DataTree ``/{animal}`` or ``/{animal}/{session}``; beside them ``/connectome``,
                            ``/phenotype`` and ``/truth``
phenotype                   Dataset beside the animals of a study; variables over ``animal`` (labels: the animals) or
                            over ``session`` (labels: paths ``animal/session``), NaN or "" where missing
=========================== ========================================================================================

``source`` is presynaptic, ``target`` postsynaptic. A gap junction, and every edge of an undirected connectome, is
stored in both directions. An absent edge is not a zero-weight edge. NaN is a missing value. Weights whose edge types
have different units have ``attrs["units"] = "mixed"`` and ``attrs["units_{edge_type}"]`` for each.
"""

from dynome._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
