"""Evidence for README.md and docs/: what they show runs and prints what they say, and what they name exists.

In the pages, a block ``python`` runs (all blocks of a page as one script); a block ``text`` right below it is what it
prints. ``python real-data`` runs where the real data are, ``python no-run`` never.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import inspect
import io
import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

import dynome
from dynome import cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
AREAS = ("connectome", "dynamics", "inference", "datasets", "viz", "store", "pipelines")

_fence = re.compile(r"^(?P<ticks>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=ticks)[ ]*$", re.MULTILINE | re.DOTALL)
_span = re.compile(r"`([^`\n]+)`")
_link = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A fenced block of a page."""

    kind: str
    text: str
    line: int
    follows: bool  # nothing but white space stands between it and the block before


@cache
def blocks(page: Path) -> list[Block]:
    text, found, end = page.read_text(encoding="utf-8"), [], 0
    for match in _fence.finditer(text):
        line = text.count("\n", 0, match.start("body")) + 1
        follows = not text[end : match.start()].strip()
        found.append(Block(match["info"].strip(), match["body"], line, follows))
        end = match.end()
    return found


def prose(page: Path) -> str:
    return _fence.sub("", page.read_text(encoding="utf-8"))


def shell_lines(page: Path) -> list[str]:
    """Commands that a page shows: lines of console blocks and code within the text."""
    lines = [line for b in blocks(page) if b.kind in ("console", "bash", "sh") for line in b.text.splitlines()]
    return [line.removeprefix("$ ") for line in lines] + _span.findall(prose(page))


def run_page(page: Path, kinds: tuple[str, ...]) -> None:
    """Run a page as one script, and compare what each block prints with the text below it."""
    names: dict[str, Any] = {"__name__": "__main__"}
    checker = doctest.OutputChecker()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    found = blocks(page)
    for k, block in enumerate(found):
        if block.kind not in kinds:
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * (block.line - 1) + block.text, page.name, "exec"), names)
        below = found[k + 1] if k + 1 < len(found) else None
        if below is not None and below.kind == "text" and below.follows:
            want, got = below.text, printed.getvalue()
            assert checker.check_output(want, got, flags), f"{page.name}:{block.line} prints\n{got}\nnot\n{want}"


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """A page runs in a folder of its own; its figures are closed."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    from matplotlib import pyplot as plt

    plt.close("all")


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.kind == "python" for b in blocks(p))], ids=lambda p: p.stem)
def test_a_page_runs_and_prints_what_it_says(page, empty_folder, monkeypatch):
    monkeypatch.delenv("DYNOME_DATA_DIR", raising=False)
    run_page(page, ("python",))


@pytest.mark.realdata
@pytest.mark.parametrize(
    "page", [p for p in PAGES if any(b.kind == "python real-data" for b in blocks(p))], ids=lambda p: p.stem
)
def test_a_page_on_real_data_runs_and_prints_what_it_says(page, empty_folder, data_dir):
    run_page(page, ("python", "python real-data"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_blocks_are_of_a_known_kind(page):
    known = {"python", "python real-data", "python no-run", "text", "toml", "console", "{toctree}"}
    kinds = {b.kind.split(" ")[0] if b.kind.startswith("{") else b.kind for b in blocks(page)}
    assert kinds <= known | {k for k in kinds if k.startswith("{")}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_somewhere(page):
    generated = {f"reference/{name}.md" for name in [*_reference().AREAS, *_reference().FLOORS, "index"]}
    generated |= {f"benchmarks/{name}.md" for name in ["index", *_results()]}
    for link in _link.findall(prose(page)):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        if page.parent.name == "docs" and target in generated:
            continue
        within_docs = page.parent.name == "docs" and target.startswith("tutorials/")
        path = (ROOT if within_docs else page.parent) / target if target else page
        assert path.is_file(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in _anchors(path), f"{page.name} links to {link}, there are {sorted(_anchors(path))}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_commands_and_their_options_exist(page):
    commands = typer.main.get_command(cli.app).commands
    for line in shell_lines(page):
        if not line.startswith("dynome ") or line.startswith("dynome --"):
            continue
        name, *arguments = shlex.split(line.split("  #")[0])[1:]
        assert name in commands, f"{page.name} names `{line}`"
        options = {option for parameter in commands[name].params for option in parameter.opts} | {"-h", "--help"}
        for argument in arguments:
            assert not argument.startswith("-") or argument in options, f"{page.name} names `{line}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_targets_of_make_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in shell_lines(page):
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", makefile, re.MULTILINE), f"{page.name} names `{line}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_names_of_the_package_exist(page):
    text = page.read_text(encoding="utf-8")
    for path in set(re.findall(r"\bdy\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)", text)):
        obj: Any = dynome
        for name in path.split("."):
            assert hasattr(obj, name), f"{page.name} names dy.{path}"
            obj = getattr(obj, name)


def test_every_public_function_is_mentioned_in_the_guide():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    words = set(re.findall(r"\w+", text))
    for area in AREAS:
        public = {name: getattr(getattr(dynome, area), name) for name in getattr(dynome, area).__all__}
        tools = [name for name, obj in public.items() if inspect.isfunction(obj) or hasattr(obj, "fit")]
        absent = [name for name in tools if name not in words]
        assert not absent, f"give {absent} of dynome.{area} a line in a page of docs/"


def test_every_data_set_is_on_its_page():
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    for row in dynome.datasets.list_datasets().itertuples():
        assert f"`{row.name}`" in text
        assert f"`{row.function}`" in text


def test_the_reference_has_every_public_name(tmp_path):
    reference = _reference()
    assert {*reference.AREAS, *reference.FLOORS, *reference.FUNCTIONS} == set(dynome.__all__) - {"__version__"}
    reference.write_reference(tmp_path)
    for area in reference.AREAS:
        page = (tmp_path / f"{area}.md").read_text(encoding="utf-8")
        for name in getattr(dynome, area).__all__:
            assert re.search(rf"^ *\|? *`?{name}`?( \||$)", page, re.MULTILINE), f"{area}.{name}"


def test_every_plot_is_in_the_gallery():
    shown = set(re.findall(r"dy\.viz\.(plot_\w+)\(", (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")))
    assert shown == {name for name in dynome.viz.__all__ if name.startswith("plot_")}


def test_cells_of_the_gallery_are_python():
    for block in blocks(ROOT / "docs" / "gallery.md"):
        if block.kind == "{code-cell}":
            compile(re.sub(r"^(:tags:|%).*$", "", block.text, flags=re.MULTILINE), "gallery.md", "exec")


def test_headlines_are_what_the_benchmark_pages_say():
    pages = _script("benchmark_pages")
    assert all(0.01 < pages.ratio(headline) < 1000 for headline in pages.HEADLINES)
    index = pages.index_page({name: f"# {name}" for name in _results()})
    assert all(f"]({name}.md)" in index for name in _results())
    assert all(f"| {headline.what} |" in index for headline in pages.HEADLINES)


def test_links_to_elsewhere_are_whole():
    """Their form; that they answer needs a network."""
    form = re.compile(r"https://[\w.-]+\.[a-z]{2,}(/[\w.~%!$&'()*+,;=:@/#?-]*)?")
    for page in PAGES:
        for link in _link.findall(prose(page)):
            assert not link.startswith("http") or form.fullmatch(link), f"{page.name} links to {link}"


def _results() -> list[str]:
    return [path.stem for path in sorted((ROOT / "benchmarks" / "results").glob("*.md"))]


def _reference() -> Any:
    return _script("reference_pages")


@cache
def _script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _anchors(page: Path) -> set[str]:
    """What headings are called in links."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.replace("`", "").lower()).replace(" ", "-") for h in headings}
