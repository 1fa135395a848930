"""Evidence for GraphML: round trips, graphs of other tools, and XML that is not trusted."""

from __future__ import annotations

import contextlib
import gzip

import hypothesis.strategies as st
import networkx as nx
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings

from dynome import connectome
from dynome.datasets import read_graphml, write_graphml
from dynome.datasets.formats import graphml
from dynome.errors import DynomeError, FormatError, InputError, StoreError


def wiring(directed: bool = True) -> xr.Dataset:
    return connectome.from_edges(
        {
            "source": ["A", "B", "é,<x>"],
            "target": ["B", "é,<x>", "A"],
            "weight": [1.5, 2.0, 0.1],
            "edge_type": ["chemical", "gap_junction", "chemical"],
            "delay": [0.1, 0.2, 0.3],
            "neurotransmitter": ["ACh", "", "GABA"],
            "sign": [1, -1, 0],
        },
        directed=directed,
        units={"chemical": "synapses", "gap_junction": "1", "delay": "ms", "x": "um"},
        node=["é,<x>", "B", "A", "720575940621039145"],
        node_coords={
            "cell_type": ["i", "i", "m", ""],
            "x": [1.0, 2.0, 3.0, np.nan],
            "motor": [True, False, True, False],
        },
        attrs={"species": "worm", "years": [1986, 2019]},
    )


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("name", ["g.graphml", "g.graphml.gz"])
def test_everything_comes_back(tmp_path, directed, name):
    path = write_graphml(wiring(directed), tmp_path / name)
    xr.testing.assert_identical(read_graphml(path), wiring(directed))


def test_a_graph_of_another_tool_needs_the_unit_of_its_weights(tmp_path):
    graph = nx.DiGraph()
    graph.add_edge(1, 2, synapses=3)
    nx.write_graphml_xml(graph, tmp_path / "g.graphml")
    found = read_graphml(tmp_path / "g.graphml", weight="synapses", units="synapses")
    assert (found.source.item(), found.target.item(), found.weight.item()) == ("1", "2", 3)
    with pytest.raises(InputError, match=r"unit"):
        read_graphml(tmp_path / "g.graphml", weight="synapses")


BOMB = """<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<graphml><graph edgedefault="directed"><node id="&c;"/></graph></graphml>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE graphml SYSTEM "file:///etc/passwd"><graphml/>"""


@pytest.mark.parametrize("content", [BOMB, OUTSIDE])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_and_entities_are_refused_in_any_encoding(tmp_path, content, encoding):
    (tmp_path / "g.graphml").write_bytes(content.encode(encoding))
    with pytest.raises(FormatError, match=r"g.graphml: the file declares a document type or entities"):
        read_graphml(tmp_path / "g.graphml")


def test_xml_that_is_too_large_too_deep_or_something_else_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "g.graphml"
    path.write_text("<graphml>" * 100)
    with pytest.raises(FormatError, match=r"nested more than 64 deep"):
        read_graphml(path)
    path.write_text("<svg></svg>")
    with pytest.raises(FormatError, match=r"whose root is <graphml>, found <svg>"):
        read_graphml(path)
    monkeypatch.setattr(graphml, "MAX_XML", 2**21)
    bomb = tmp_path / "g.graphml.gz"
    bomb.write_bytes(gzip.compress(b"<graphml>" + b" " * 2**22))
    with pytest.raises(FormatError, match=r"of XML; use an edge list"):
        read_graphml(bomb)


def test_nothing_is_written_that_could_not_be_read(tmp_path):
    strange = connectome.from_edges({"source": ["a\x01"], "target": ["b"]})
    with pytest.raises(InputError, match=r"control characters, which XML cannot: \"'a\\\\x01'\""):
        write_graphml(strange, tmp_path / "g.graphml")
    with pytest.raises(InputError, match=r"must be called \*.graphml"):
        write_graphml(wiring(), tmp_path / "g.xml")
    assert list(tmp_path.iterdir()) == []
    path = write_graphml(wiring(), tmp_path / "g.graphml")
    with pytest.raises(StoreError, match=r"exists"):
        write_graphml(wiring(), path)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_a_connectome_or_our_error(tmp_path, data):
    content = bytearray(write_graphml(wiring(), tmp_path / "g.graphml", overwrite=True).read_bytes())
    content = content[: data.draw(st.integers(0, len(content)))]
    for where in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=3)) if content else []:
        content[where] = data.draw(st.integers(0, 255))
    (tmp_path / "broken.graphml").write_bytes(content)
    with contextlib.suppress(DynomeError):
        assert set(read_graphml(tmp_path / "broken.graphml").dims) == {"node", "edge"}
