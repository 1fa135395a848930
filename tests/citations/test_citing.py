"""Evidence for dynome.citations: every paper that the package names has an entry, and objects lead to their papers."""

import functools
import re
import warnings
from importlib import import_module
from pathlib import Path

import pytest
import xarray as xr
import yaml

import dynome as dy
from dynome.citations.bibliography import entries, entry, identifiers, note, unidentified
from dynome.datasets.registry import entries as data_sets
from dynome.errors import InputError, StoreError

ROOT = Path(__file__).parents[2]


@functools.cache
def sources() -> dict[str, str]:
    """Every module of the package, docstrings and comments, by path."""
    return {str(p.relative_to(ROOT)): p.read_text(encoding="utf-8") for p in sorted((ROOT / "dynome").rglob("*.py"))}


def keys(bibtex: str) -> set[str]:
    return set(re.findall(r"^@\w+\{(.+),$", bibtex, re.MULTILINE))


def test_every_paper_of_a_docstring_or_a_data_set_has_an_entry():
    shown = "10.5555/"  # examples of DOIs that do not exist
    absent = [
        f"{place} names {name}"
        for place, text in sources().items()
        for name in identifiers(text)
        if name not in entries() and not name.startswith(shown)
    ]
    absent += [
        f"the data set {name} names {paper}"
        for name, info in data_sets().items()
        for paper in identifiers(" ".join(info.paper))
        if paper not in entries()
    ]
    assert not absent, "\n".join(["add these to dynome/citations/references.bib:", *absent])


def test_every_entry_is_of_a_paper_that_the_package_names():
    named = {name for text in sources().values() for name in identifiers(text)}
    named |= {name for info in data_sets().values() for name in identifiers(" ".join(info.paper))}
    assert set(entries()) == named - {name for name in named if name.startswith("10.5555/")}


def test_entries_are_whole_and_sorted():
    text = (ROOT / "dynome" / "citations" / "references.bib").read_text(encoding="utf-8")
    assert len(entries()) == text.count("\n@")
    names = [re.match(r"@\w+\{(\w+),", bibtex).group(1) for bibtex in entries().values()]
    assert names == sorted(set(names))
    for name, bibtex in entries().items():
        fields = dict(re.findall(r"^  (\w+) = \{(.+)\},$", bibtex, re.MULTILINE))
        assert {"author", "title", "year"} <= set(fields), name
        assert re.fullmatch(r"(1[89]|20)\d\d", fields["year"]), name
        assert bibtex.count("{") == bibtex.count("}"), name
        assert bibtex.startswith("@misc") or "journal" in fields or "booktitle" in fields, name


def test_docstrings_give_the_year_of_their_entries():
    """A year that contradicts the entry is a slip in one of them."""
    dated = re.compile(r"\(?\b((?:19|20)\d\d)\b\)?,? \(?(?:doi:|DOI )(10\.[^\s]+)")
    for place, text in sources().items():
        for year, doi in dated.findall(" ".join(text.split())):
            published = int(re.search(r"year = \{(\d+)", entries()[identifiers(doi)[0]])[1])
            assert abs(published - int(year)) <= 1, f"{place}: {year} {doi}"  # online a year before print


def test_the_entry_of_dynome_is_that_of_its_citation_file():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    own = dy.cite(dy.dynamics.resample).split("\n\n")[0]
    assert f"title = {{{{{citation['title']}}}}}" in own
    assert f"version = {{{citation['version']}}}" in own
    assert f"year = {{{citation['date-released'].year}}}" in own


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("doi:10.1016/S0167-2789(00)00087-7.", ["10.1016/s0167-2789(00)00087-7"]),
        ("(Acar 2011, DOI 10.1002/cem.1335).", ["10.1002/cem.1335"]),
        (
            "`10.1002/(SICI)1099-128X(1999)13:3/4<275::AID>3.0.CO;2-B`",
            ["10.1002/(sici)1099-128x(1999)13:3/4<275::aid>3.0.co;2-b"],
        ),
        ("10.48550/arXiv.2310.15263 and arXiv:2310.15263", ["arxiv:2310.15263"]),
        ("[10.1214/10-AOAS395](https://doi.org/10.1214/10-AOAS395)", ["10.1214/10-aoas395"]),
        ("version 10.2 of 10/11", []),
    ],
)
def test_identifiers_end_where_they_end(text, names):
    assert identifiers(text) == names


def test_a_result_leads_to_its_method_and_its_data_to_their_papers(tmp_path):
    data = dy.datasets.make_switching_glm(n_states=2, n_nodes=3, n_sessions=2, n_time=60, random_state=0)
    model = dy.dynamics.HMM(n_states=2, n_restarts=1, max_iter=3, random_state=0)
    with warnings.catch_warnings(action="ignore"):  # three steps do not converge
        model.fit(data)
    assert keys(dy.cite(model)) == keys(dy.cite(model.results_)) == keys(dy.cite("HMM")) == {"dynome", "vidaurre2017"}
    assert keys(dy.cite(dy.store.save(model, tmp_path / "model.zarr"))) == {"dynome", "vidaurre2017"}
    assert keys(dy.cite(model, data)) == {"dynome", "vidaurre2017", "li2024"}


def two_states(recording: xr.Dataset) -> dy.dynamics.HMM:
    with warnings.catch_warnings(action="ignore"):  # three steps do not converge
        return dy.dynamics.HMM(n_states=2, observation="gaussian", n_restarts=1, max_iter=3, random_state=0).fit(
            recording.activity
        )


def test_a_batch_leads_to_its_function_its_data_and_its_results(tmp_path):
    worms = dy.datasets.make_worm(n_animals=1, duration=60, random_state=0)
    study = dy.store.save(worms, tmp_path / "study.zarr")
    results = dy.batch.map_sessions(two_states, study, out=tmp_path / "out")
    assert keys(dy.cite(results)) == keys(dy.cite(tmp_path / "out")) == {"dynome", "cook2019", "vidaurre2017"}


def test_an_analysis_is_cited_by_its_folder_as_it_is_by_itself_and_by_its_results(tmp_path):
    made = dy.datasets.make_dynamic_communities(n_animals=2, n_nodes=12, n_communities=2, n_times=200, random_state=0)
    quick = {"dynamic-connectome": {"rank": 2, "n_null": 0, "n_permutations": 20, "n_restarts": 1}}
    done = dy.pipelines.run_analysis(made, "dynamic-connectome", out=tmp_path / "out", parameters=quick, random_state=0)
    papers = {"dynome", "dyballa2024"}
    assert papers <= keys(dy.cite(tmp_path / "out")) == keys(dy.cite(done))
    assert papers <= keys(dy.cite(done.results["dynamic-connectome"]["animal_1"]))
    assert papers <= keys(dy.cite(done.groups["dynamic-connectome"])), "what sessions share knows its method as well"
    assert papers <= keys(dy.cite(tmp_path / "out" / "group" / "dynamic-connectome.zarr"))
    assert "1 done" not in repr(done)
    assert "dynamic-connectome: 2 done, 0 failed" in repr(done)


def test_a_connectome_is_cited_by_its_own_paper_and_the_function_by_all_of_them():
    one = dy.datasets.load_celegans_connectome("white1986")
    assert keys(dy.cite(one)) == {"dynome", "white1986"}
    assert {"white1986", "cook2019", "witvliet2021", "randi2023"} < keys(dy.cite("celegans_connectome"))
    assert keys(dy.cite("celegans_connectome")) == keys(dy.cite(dy.datasets.load_celegans_connectome))
    study = dy.datasets.make_worm(n_animals=1, duration=60, random_state=0)
    assert keys(dy.cite(study)) == {"dynome", "cook2019"}


def test_parameters_that_are_estimators_are_cited_with_them():
    inner = dy.dynamics.HMM(n_states=2)
    outer = dy.dynamics.DynamicConnectome(rank=2)
    outer.rank = inner
    assert keys(dy.cite(outer)) >= keys(dy.cite(inner))


def test_a_function_with_settings_is_the_function():
    assert dy.cite(functools.partial(dy.dynamics.affinity, smooth=2.0)) == dy.cite(dy.dynamics.affinity)
    assert "dyballa2024" in keys(dy.cite(dy.dynamics.affinity))


def test_what_dynome_does_not_know_keeps_its_address():
    mine = xr.Dataset(attrs={"paper": ["10.5555/mine", "arXiv:9912.12345"], "name": "mine"})
    found = dy.cite(mine)
    assert "url = {https://doi.org/10.5555/mine}" in found
    assert "url = {https://arxiv.org/abs/9912.12345}" in found


def test_books_are_cited_by_their_text():
    reference = "Wasserman & Faust, Social Network Analysis, 1994, section 5.3 (closeness)."
    doc = import_module("dynome.connectome.metrics.centralities").centrality.__doc__
    assert unidentified("\n".join(line.strip() for line in doc.splitlines())) == [reference]
    assert note(reference) in dy.cite(dy.connectome.centrality)


def test_a_method_of_an_analysis_leads_to_its_papers():
    assert "dyballa2024" in keys(dy.cite(dy.pipelines.dynamic_connectome))
    assert {"li2024", "escola2011"} <= keys(dy.cite("switching_glm", dy.pipelines.switching_glm))


def test_several_objects_are_cited_once_and_in_order():
    found = dy.cite(dy.dynamics.HMM, dy.dynamics.HMM, dy.connectome.find_communities)
    names = re.findall(r"^@\w+\{(.+),$", found, re.MULTILINE)
    assert names[0] == "dynome"
    assert names[1:] == sorted(set(names[1:]))


def test_what_cannot_be_cited_is_refused(tmp_path):
    with pytest.raises(InputError, match="needs an object"):
        dy.cite()
    with pytest.raises(InputError, match="got int"):
        dy.cite(3)
    with pytest.raises(InputError, match="'swiching' is no data set"):
        dy.cite("swiching")
    with pytest.raises(StoreError):
        dy.cite(tmp_path)


def test_an_unknown_paper_has_no_invented_author():
    assert "author" not in entry("10.5555/unheard-of")
