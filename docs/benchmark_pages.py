"""The benchmark pages: what stands in ``benchmarks/results/``, with the headline ratios drawn.

A headline names a page, what was timed, the peer, and a pattern that finds in the page the ratio (``times``) or both
figures (``ours`` and ``peer``). A new page of results is listed by itself; give it a headline if it has a ratio.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
_times, _ours, _peer = (rf"(?P<{name}>[\d.,]+)" for name in ("times", "ours", "peer"))


class Headline(NamedTuple):
    """One ratio of a page of results: above 1 where dynome takes less."""

    page: str
    what: str
    peer: str
    pattern: str


HEADLINES = (
    Headline("tensors", "nonnegative CP, an iteration", "tensorly", rf"float64 \| tensorly HALS \| [\d.]+ \| {_times}"),
    Headline("tensors", "the same, 30 starts at once", "tensorly", rf"float64 \| batched starts .*\| {_times}"),
    Headline("tensors", "the same, a fifth missing", "tensortools", rf"pair\) \| tensortools / dynome \| {_times}"),
    Headline(
        "affinities",
        "affinity tensor, peak memory",
        "tensor in memory",
        rf"(?s)in memory, float64.*?{_peer} \|\n.*?{_ours} \|\n",
    ),
    Headline(
        "forward_backward",
        "forward-backward, 100,000 bins",
        "dynamax",
        rf"(?s)dynome, float64 \| {_ours}.*dynamax hmm_smoother, float32 \| {_peer}",
    ),
    Headline("hidden_markov", "EM of an HMM, Poisson, 100 nodes", "hmmlearn", rf"poisson +100 .* {_times} x"),
    Headline("hidden_markov", "EM of an HMM, Gaussian, 20 nodes", "hmmlearn", rf"gaussian diagonal +20 .* {_times} x"),
    Headline("switching_glm", "EM of a switching GLM", "dynamax", rf"dynamax f32.*its default\) \| [\d.]+ \| {_times}"),
    Headline(
        "functional_connectivity", "correlation, 419 regions", "nilearn", rf"n \(234, 419\) .*nilearn.* {_times} x"
    ),
    Headline("functional_connectivity", "correlation, 419 regions", "numpy", rf"n \(234, 419\) .*numpy.* {_times} x"),
    Headline("functional_connectivity", "partial correlation", "nilearn", rf"Wolf \(234, 419\) .* {_times} x"),
    Headline("dynamic_connectivity", "correlation in windows", "numpy", rf"ours, correlation_windows  .* {_times} x"),
    Headline("dynamic_connectivity", "graphs of windows", "as STAGIN", rf"ours.*graphs, all subjects .* {_times} x"),
    Headline("graph_layers", "graph convolution, 400 snapshots", "PyG", rf"\| GCNLayer \| [\d.]+ \| {_times}"),
    Headline("graph_encoder", "training step of a GIN encoder", "PyG", rf"\| GraphEncoder \| [\d.]+ \| {_times}"),
    *(
        Headline(
            "graph_metrics",
            f"{measure}, larval fly",
            "igraph",
            rf"larval fly \| {measure}.*? \| [\d.]+ \| {_ours} \| [\d.]* ?\| {_peer}",
        )
        for measure in ("triad census", "betweenness", "PageRank")
    ),
    Headline(
        "polyagamma", "Pólya-Gamma draws", "polyagamma", rf"shape 1, tilt 1 \| .*?ns \| .*?ns \| .*?ns \| {_times}"
    ),
)


def ratio(headline: Headline) -> float:
    """How many times less dynome takes, read from the page of results."""
    found = re.search(headline.pattern, (RESULTS / f"{headline.page}.md").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"benchmarks/results/{headline.page}.md no longer says {headline.what!r}: mend its pattern")
    figures = {name: float(text.replace(",", "")) for name, text in found.groupdict().items()}
    return figures["times"] if "times" in figures else figures["peer"] / figures["ours"]


def write_benchmarks(folder: Path) -> None:
    """Write ``index.md``, its figure, and a copy of every page of results."""
    folder.mkdir(exist_ok=True)
    pages = {path.stem: path.read_text(encoding="utf-8") for path in sorted(RESULTS.glob("*.md"))}
    for name, text in pages.items():
        _write(folder / f"{name}.md", text)
    _write(folder / "index.md", index_page(pages))
    _draw(folder / "headlines.svg")


def index_page(pages: dict[str, str]) -> str:
    """The page that lists all others, under the headline ratios."""
    titles = {name: text.splitlines()[0].removeprefix("# ") for name, text in pages.items()}
    rows = "\n".join(f"| {h.what} | {h.peer} | {ratio(h):.2g} | [{titles[h.page]}]({h.page}.md) |" for h in HEADLINES)
    listed = "\n".join(f"- [{title}]({name}.md)" for name, title in titles.items())
    return (
        "# Benchmarks\n\n"
        "How many times less processor time (in one row, memory) dynome takes than a peer that gives the same result; "
        "below 1 it takes more. All on one thread of a small machine that other work shared: read ratios, not seconds. "
        "Each page says what was run, how, and what did not go well.\n\n"
        "![Ratios of the table below as bars](headlines.svg)\n\n"
        f"| what | peer | times less | page |\n|---|---|---:|---|\n{rows}\n\n"
        f"## All pages of results\n\n{listed}\n\n"
        "```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"
    )


def _draw(path: Path) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "dynome", "svg.fonttype": "path"}):
        figure = Figure(figsize=(8.5, 0.3 * len(HEADLINES) + 0.8), layout="constrained")
        ax = figure.subplots()
        ratios = [ratio(h) for h in HEADLINES]
        labels = [f"{h.what} | {h.peer}" for h in HEADLINES]
        colors = ["#0072B2" if value >= 1 else "#D55E00" for value in ratios]
        ax.barh(range(len(ratios)), [value - 1 for value in ratios], left=1, color=colors, height=0.7)
        for row, value in enumerate(ratios):
            ax.annotate(f"{value:.2g}", (max(value, 1), row), xytext=(4, 0), textcoords="offset points", va="center")
        ax.set(yticks=range(len(ratios)), xscale="log", xlabel="times less than the peer (log scale)")
        ax.set_yticklabels(labels, fontsize=9)
        ax.invert_yaxis()
        ax.set_xlim(0.2, 2 * max(ratios))
        ax.set_xticks([0.3, 1, 3, 10, 30], ["0.3", "1", "3", "10", "30"])
        ax.minorticks_off()
        ax.axvline(1, color="black", linewidth=0.8)
        ax.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})


def _write(path: Path, text: str) -> None:
    """A page that would not change keeps its date."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
