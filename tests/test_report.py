"""Evidence for report.py: one file, nothing from elsewhere, nothing that runs, nothing half-written."""

from __future__ import annotations

import base64
import os
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure as Canvas

from dynome.errors import InputError, StoreError
from dynome.report import Figure, Number, Section, Table, shown, write_report

matplotlib.use("agg")

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Elements of a page; fails where tags do not nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.text.append(" ".join(data.split()))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def drawing(heat: bool = False):
    ax = Canvas(figsize=(4, 3)).subplots()
    if heat:
        ax.imshow(np.arange(12.0).reshape(3, 4))
    else:
        ax.plot([0, 1, 2])
    return ax


@pytest.fixture
def sections() -> list[Section]:
    frame = pd.DataFrame({"node": ["AVAL", "AVAR"], "strength": [1234.5678, np.nan], "hub": [True, False]})
    return [
        Section(
            "Activity", "First paragraph.\n\nSecond\nparagraph.", figures=[Figure(drawing(heat=True), "A heat map")]
        ),
        Section(
            "Wiring",
            numbers=[Number("edges", 12345)],
            figures=[Figure(drawing(), "A line", alt="A line that rises")],
            tables=[Table(frame, "Hubs")],
        ),
    ]


@pytest.fixture
def path(sections, tmp_path) -> Path:
    return write_report(
        sections,
        tmp_path / "report.html",
        title="A first look",
        summary="Worms moved.",
        numbers=[Number("rank correlation", 0.123456, "p < 0.001")],
        provenance={"data": "simulated", "seed": 3, "seconds": 1.23456, "parameters": {"rank": 6, "kinds": ["a", "b"]}},
    )


def test_the_page_is_well_formed_and_everything_is_on_it(path):
    page = Page(path)
    for expected in (
        "A first look", "Worms moved.", "First paragraph.", "Second paragraph.", "Activity", "Wiring", "0.123",
        "p < 0.001", "12,345", "Hubs", "AVAL", "1,235", "–", "yes", "simulated", "1.235", "a, b", "dynome", "numpy",
    ):  # fmt: skip
        assert any(expected in text for text in page.text), expected
    assert [len(page.all(t)) for t in ("h1", "figure", "table", "main", "nav", "title")] == [1, 2, 1, 1, 1, 1]


def test_nothing_is_loaded_from_elsewhere_and_nothing_runs(path):
    page = Page(path)
    addresses = [
        v for _, attrs in page.tags for k, v in attrs.items() if k in ("src", "href", "srcset", "action", "data")
    ]
    assert addresses
    assert all(a.startswith(("data:image/", "#")) for a in addresses)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "form"}
    assert not any(k.startswith("on") for _, attrs in page.tags for k in attrs)
    text = path.read_text(encoding="utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert "@import" not in text
    policy = next(a["content"] for a in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")


def test_heat_maps_are_pixels_at_twice_the_size_and_lines_are_vectors(path):
    heat, line = Page(path).all("img")
    kind, data = heat["src"].split(";base64,")
    assert kind == "data:image/png"
    png = base64.b64decode(data)
    assert int.from_bytes(png[16:20]) == 2 * int(heat["width"]) == 768
    assert line["src"].startswith("data:image/svg+xml;base64,")
    svg = base64.b64decode(line["src"].split(",")[1]).decode()
    assert "<script" not in svg
    assert "<image" not in svg


def test_a_crowded_drawing_becomes_pixels(tmp_path):
    ax = Canvas().subplots()
    ax.plot(np.random.default_rng(0).random((50, 300)))
    path = write_report([Section("S", figures=[Figure(ax, "c")])], tmp_path / "r.html", title="T")
    assert Page(path).all("img")[0]["src"].startswith("data:image/png")


@pytest.mark.parametrize(("kind", "mime"), [("png", "data:image/png"), ("svg", "data:image/svg+xml")])
def test_the_kind_of_image_can_be_chosen(tmp_path, kind, mime):
    path = write_report([Section("S", figures=[Figure(drawing(), "c", kind=kind)])], tmp_path / "r.html", title="T")
    assert Page(path).all("img")[0]["src"].startswith(mime)


def test_every_figure_has_a_text_for_those_who_cannot_see_it(path):
    assert [a["alt"] for a in Page(path).all("img")] == ["A heat map", "A line that rises"]


def test_the_contents_lead_to_every_section(path):
    page = Page(path)
    targets = [a["href"][1:] for a in page.all("a")]
    assert targets == ["main", "section-1", "section-2", "provenance"]
    assert set(targets) <= {attrs.get("id") for _, attrs in page.tags}


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&{{ 7 * 7 }}"


def test_labels_that_look_like_code_are_shown_and_never_run(tmp_path):
    frame = pd.DataFrame({EVIL: [EVIL]}, index=pd.Index([EVIL], name=EVIL))
    section = Section(EVIL, EVIL, [Number(EVIL, EVIL, EVIL)], [Figure(drawing(), EVIL, EVIL)], [Table(frame, EVIL)])
    path = write_report(
        [section], tmp_path / "r.html", title=EVIL, summary=EVIL, numbers=[Number(EVIL, EVIL)],
        provenance={EVIL: EVIL, "group": {EVIL: [EVIL]}},
    )  # fmt: skip
    page = Page(path)
    assert not page.all("script")
    assert len(page.all("img")) == 1
    assert page.all("img")[0]["alt"] == EVIL
    assert not any("onerror" in attrs for _, attrs in page.tags)
    assert "".join(page.text).count("alert(1)</script>") >= 14
    assert "{{ 7 * 7 }}" in "".join(page.text)


def test_two_reports_of_the_same_work_differ_only_in_the_time_of_writing(sections, tmp_path):
    pages = []
    for name in ("a.html", "b.html"):
        text = write_report(sections, tmp_path / name, title="T").read_text(encoding="utf-8")
        pages.append("\n".join(line for line in text.splitlines() if "UTC" not in line))
    assert pages[0] == pages[1]


def test_a_long_table_is_cut_and_says_so(tmp_path):
    table = Table(pd.DataFrame({"k": range(5000)}), "Many rows.")
    page = Page(write_report([Section("S", tables=[table])], tmp_path / "r.html", title="T"))
    assert len(page.all("tr")) == 201
    assert any("The first 200 of 5000 rows." in t for t in page.text)


def test_an_index_with_meaning_is_a_column_and_a_count_is_not(tmp_path):
    plain, named = pd.DataFrame({"x": [1]}), pd.DataFrame({"x": [1]}, index=["AVAL"])
    page = Page(
        write_report([Section("S", tables=[Table(plain, "a"), Table(named, "b")])], tmp_path / "r.html", title="T")
    )
    assert len(page.all("td")) == 1 + 2
    assert "AVAL" in page.text


def test_numbers_stand_right_in_tables(path):
    assert [a.get("class") for a in Page(path).all("th")] == [None, "number", None]


def test_figures_of_pyplot_are_closed_once_drawn_and_styles_are_left_alone(tmp_path):
    import matplotlib.pyplot as plt

    before = dict(matplotlib.rcParams)
    others = plt.get_fignums()
    ax = plt.subplots()[1]
    write_report([Section("S", figures=[Figure(ax, "c"), Figure(ax.figure, "d")])], tmp_path / "r.html", title="T")
    assert plt.get_fignums() == others
    assert dict(matplotlib.rcParams) == before


def test_an_earlier_report_is_replaced(path, sections):
    write_report(sections, path, title="Second edition")
    assert "Second edition" in Page(path).text
    assert os.listdir(path.parent) == ["report.html"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_earlier_report_and_no_debris(path, sections, monkeypatch, error):
    def fail(*_):
        raise error

    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(StoreError if isinstance(error, OSError) else KeyboardInterrupt):
        write_report(sections, path, title="Second edition")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["report.html"]


def test_a_missing_folder_is_told_before_anything_is_drawn(sections, tmp_path):
    with pytest.raises(StoreError, match="does not exist; make it first"):
        write_report(sections, tmp_path / "no" / "report.html", title="T")
    with pytest.raises(StoreError, match="is a folder"):
        write_report(sections, tmp_path, title="T")


def test_all_problems_are_told_at_once_and_nothing_is_written(tmp_path):
    with pytest.raises(InputError, match=r"a title.*\n.*at least one section.*\n.*must be report.Number"):
        write_report([], tmp_path / "r.html", title=" ", numbers=[3])
    with pytest.raises(InputError, match=r"figures of 'S' must be report.Figure objects, found Axes"):
        write_report([Section("S", figures=[drawing()])], tmp_path / "r.html", title="T")
    with pytest.raises(InputError, match=r"sections must be report.Section objects, found str"):
        write_report(["S"], tmp_path / "r.html", title="T")
    assert os.listdir(tmp_path) == []


def test_parts_that_are_not_what_they_should_be_are_refused():
    with pytest.raises(InputError, match="axes must be Axes or a matplotlib Figure, found list"):
        Figure([1], "c")
    with pytest.raises(InputError, match="kind must be auto, png or svg, got 'gif'"):
        Figure(drawing(), "c", kind="gif")
    with pytest.raises(InputError, match="frame must be a pandas DataFrame, found dict"):
        Table({"a": [1]}, "c")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"), (1234567, "1,234,567"), (-0.5, "−0.5"), (1e-12, "1e-12"), (float("inf"), "∞"), (None, "–"),
        (np.float32(0.25), "0.25"), (np.int8(3), "3"), (123456.7, "123,457"), (pd.NA, "–"), (0.0, "0"),
    ],
)  # fmt: skip
def test_numbers_are_shown_as_readers_expect(value, text):
    assert shown(value) == text
