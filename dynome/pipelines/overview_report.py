"""The figures and words of a first look."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from dynome import connectome as wiring
from dynome import dynamics, viz
from dynome.errors import listed
from dynome.report import Figure, Number, Section, Table


def overview_sections(found: xr.DataTree, *, connectome: xr.Dataset | None = None) -> list[Section]:
    """Sections of a report on what `study_overview` found.

    Parameters
    ----------
    found : DataTree
        As `study_overview` gives it.
    connectome : Dataset or None
        The wiring, to be drawn.

    Returns
    -------
    list of Section
        For `dynome.report.write_report`.
    """
    sections = [_recordings(found), _connectivity(found), _atlas(found)]
    if connectome is not None:
        sections.append(_wiring(found, connectome))
    if "structure_function" in found.children:
        sections.append(_structure_function(found))
    return sections


def headline(found: xr.DataTree) -> list[Number]:
    """The key numbers of a first look."""
    recordings = found["recordings"].to_dataset()
    numbers = [
        Number("animals", recordings.sizes["animal"]),
        Number("identified nodes", recordings.sizes["node"], "in any animal"),
        Number("communities", _community(found).attrs["n_communities"]),
    ]
    if "structure_function" in found.children:
        best = _by_layer(found).iloc[0]
        numbers.append(
            Number("structure and function", float(best["rank correlation"]), f"rank correlation, {best.name}")
        )
    return numbers


def _recordings(found: xr.DataTree) -> Section:
    recordings = found["recordings"].to_dataset()
    animal = str(recordings["animal"].to_numpy()[0])
    one = recordings.sel(animal=animal).dropna("node", subset=["activity"], how="all")
    shown = [str(n) for n in one.data_vars if one[n].dims == ("time",)][:3]
    table = pd.DataFrame(
        {
            "identified nodes": recordings["activity"].notnull().any("time").sum("node").to_series(),
            "duration (s)": recordings["duration"].to_series(),
        }
    )
    shared = int((recordings["activity"].notnull().any("time").all("animal")).sum())
    return Section(
        "Recordings",
        f"{recordings.sizes['animal']} animals on one clock at {found.attrs['rate']:g} Hz, each node standardised over "
        f"its session. {shared} of {recordings.sizes['node']} identified nodes were recorded in every animal; a node "
        "that is missing in an animal stays missing, nothing is filled in.",
        figures=[
            Figure(
                viz.plot_recording(one, covariates=shown),
                f"Animal {animal}: activity of identified nodes, similar ones next to each other, and what it did.",
            )
        ],
        tables=[Table(table, "The animals.")],
    )


def _connectivity(found: xr.DataTree) -> Section:
    mean, community = found["connectivity"].to_dataset()["mean"], _community(found)
    numbers = [
        Number("communities", community.attrs["n_communities"]),
        Number("modularity", community.attrs["modularity"]),
    ]
    text = (
        f"Correlation of every pair of nodes that were recorded together in at least {found.attrs['min_animals']} "
        "animals, averaged over animals (Fisher's z). Communities maximise the modularity of its positive part."
    )
    if "homologues" in found.children:
        contrast = found["homologues"].to_dataset()
        numbers += [
            Number("left-right partners", float(contrast["homologue_fc"]), "mean correlation"),
            Number("all pairs", float(contrast["all_fc"]), "mean correlation"),
        ]
        text += (
            " As a check of identities: the two members of a left-right pair should act as one, and their correlation "
            f"of {float(contrast['homologue_fc']):.2f} against {float(contrast['all_fc']):.2f} for all pairs "
            f"(p = {float(contrast['p_value']):.2g}, random pairings) says that they do."
            if float(contrast["p_value"]) < 0.05
            else " Left-right partners do not correlate more than other pairs: distrust the identities."
        )
    figure = Figure(
        viz.plot_matrix(mean, community=community),
        "Mean functional connectivity, nodes by community. Grey: not recorded together often enough.",
    )
    return Section("Functional connectivity", text, numbers=numbers, figures=[figure])


def _atlas(found: xr.DataTree) -> Section:
    results, event = found["atlas"].to_dataset(), str(found["atlas"].attrs["event"])
    where = (
        f"averaged around the onset of each {event} ({int(results['n_events'].sum())} in all) and taken above its mean "
        "over the session, because animals that move freely share no other clock"
        if event
        else f"averaged over {results.attrs['window']:g} s and taken above the level of traces that share nothing"
    )
    above = int(results["above_chance"].sum())
    agreeing = int((results["restart_similarity"] > 0.9).sum())
    text = (
        "The affinity of two nodes at a moment is how much both change together (geometric mean of their rates of "
        f"change). Here it is {where}.\n\nThe tensor of time, animal and pair ({results.sizes['pair']:,} pairs that "
        f"were recorded together in at least {results.attrs['min_animals']} animals) is described by "
        f"{results.sizes['component']} motifs: when, in whom, which pairs. {agreeing} of {results.sizes['restart']} "
        f"random starts found the same. {above} of them weigh more than chance (false discovery rate 5 %); chance "
        "is " + ("the same affinities at other times than the events." if event else "the same traces, moved in time.")
    )
    figures = [
        Figure(
            viz.plot_atlas(results),
            "Each motif in a row: its time course"
            + (f" from {event} onset" if event else "")
            + " over what the animals did (darker: more of them), how strongly each animal expresses it, its pairs as "
            "a matrix by community, and its strongest pairs as a network.",
        )
    ]
    table = dynamics.motif_table(results, n_nodes=10)
    if not table["during"].str.len().any():
        table = table.drop(columns="during")
    return Section(
        "Motifs of the dynamic functional connectome",
        text,
        figures=figures,
        tables=[Table(table, "The motifs: seconds in which each is active, animals that express it, strongest nodes.")],
    )


def _wiring(found: xr.DataTree, connectome: xr.Dataset) -> Section:
    nodes = np.intersect1d(connectome["node"], found["connectivity"]["source"])
    part = wiring.subgraph(connectome, node=nodes.tolist())
    return Section(
        "Wiring",
        f"The connections of the {part.sizes['node']} recorded nodes that the connectome "
        f"({connectome.attrs.get('name', 'given')}) names.",
        figures=[
            Figure(
                viz.plot_connectome(part, color="cell_type" if "cell_type" in part.coords else _community(found)),
                "The connectome of the recorded nodes, strongest connections on top.",
            )
        ],
    )


def _structure_function(found: xr.DataTree) -> Section:
    result = found["structure_function"].to_dataset()
    table = _by_layer(found)
    best = table.iloc[0]
    layer = "wiring as a whole" if table.index[0] == "all" else f"{table.index[0].replace('_', ' ')} wiring"
    verdict = (
        f"The {layer} explains more than chance (z = {best['z']:.1f}), with a rank correlation of "
        f"{best['rank correlation']:.2f}."
        if best["p"] < 0.05
        else "No layer of the wiring explains more than rewired connectomes do."
    )
    return Section(
        "Structure against function",
        f"Does a connection predict a correlation? {verdict} Chance is a connectome in which every node keeps its "
        f"degrees and connections are swapped at random ({result.attrs['n_null']} times). {_lost(result)}",
        figures=[
            Figure(
                viz.plot_structure_function(result),
                "Functional connectivity of pairs by the weight of their connection: means with 95 % intervals.",
            ),
            Figure(
                viz.plot_null(result), "The rank correlation (line) beside that of rewired connectomes (histogram)."
            ),
        ],
        tables=[
            Table(
                table,
                "By layer of the connectome. AUC: how well functional connectivity tells connected pairs from "
                "unconnected ones (0.5 is chance); then its mean over either, and the number of connected pairs.",
            )
        ],
    )


def _lost(result: xr.Dataset) -> str:
    names = list(result.attrs["left_out"])
    if not names:
        return "The connectome names every recorded node."
    return f"Recorded, but not in the connectome: {listed(names, 20)}."


def _by_layer(found: xr.DataTree) -> pd.DataFrame:
    result = found["structure_function"].to_dataset()
    columns = {
        "rank correlation": "statistic",
        "z": "z",
        "p": "p_value",
        "AUC": "auc",
        "connected": "fc_connected",
        "unconnected": "fc_unconnected",
        "pairs": "n_connected",
    }
    frame = pd.DataFrame({name: result[key].to_series() for name, key in columns.items()})
    return frame.sort_values("z", ascending=False)


def _community(found: xr.DataTree) -> xr.DataArray:
    return found["communities"].to_dataset()["community"]
