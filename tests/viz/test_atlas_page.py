"""Evidence for viz/atlas_page.py: the page stands alone, and works in a browser."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import dynome as dy
from dynome.errors import InputError, StoreError

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip

CLICKS = """
document.querySelectorAll("#list button")[1].click();
const first = document.getElementById("name").textContent;
document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
const walked = document.getElementById("name").textContent;
document.getElementById("search").value = "E";
document.getElementById("search").dispatchEvent(new Event("input"));
const dot = document.querySelector("#network circle");
dot.dispatchEvent(new PointerEvent("pointermove", {clientX: 300, clientY: 300}));
const box = document.getElementById("matrix").getBoundingClientRect();
const tipOfNode = document.getElementById("tip").textContent;
const corner = {clientX: box.left + 0.1 * box.width, clientY: box.top + 0.9 * box.height};
document.getElementById("matrix").onpointermove(corner);
document.body.dataset.answers = JSON.stringify({
  first, walked, answer: document.getElementById("answer").textContent, tipOfNode,
  tipOfPair: document.getElementById("tip").textContent, circles: document.querySelectorAll("#network circle").length,
  bars: document.querySelectorAll("#animals rect").length, rows: document.querySelectorAll("#nodes tbody tr").length,
});
"""


def content(page: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def dom(path: Path, profile: Path, fragment: str = "") -> str:
    address = path.as_uri() + fragment
    command = [BROWSER, *QUIET, f"--user-data-dir={profile}", "--virtual-time-budget=2000", "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_page_loads_nothing_and_runs_only_its_own_script(atlas, tmp_path):
    page = dy.viz.write_atlas(atlas, tmp_path / "atlas.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    allowed = re.search(r"script-src 'sha256-(.*?)'", page)[1]
    assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() == allowed
    assert not re.search(r"(src|href)=", page)


def test_the_page_holds_the_numbers_of_the_atlas(atlas, tmp_path):
    found = content(dy.viz.write_atlas(atlas, tmp_path / "atlas.html").read_text(encoding="utf-8"))
    one = found["components"][0]
    np.testing.assert_allclose(one["course"], atlas.time_factor[:, 0], rtol=1e-3)
    assert one["intervals"] == [[4.75, 9.75]]
    assert one["expressed"] == [True, True, False]
    assert (one["p"], one["above"], found["components"][1]["above"]) == (0.01, True, False)
    assert found["epochs"][1] == {"name": "odour", "bars": [[24.75, 27.25, 0.3333]]}


def test_labels_cannot_end_the_script_that_holds_them(atlas, tmp_path):
    wicked = "</script><script>alert(1)</script>"
    renamed = {"source": atlas.source.str.replace("a", wicked), "node": atlas.node.str.replace("a", wicked)}
    bad = atlas.assign_coords(source=("pair", renamed["source"].values), node=renamed["node"].values)
    page = dy.viz.write_atlas(bad, tmp_path / "atlas.html", title="<b>").read_text(encoding="utf-8")
    assert wicked not in page
    assert wicked in content(page)["components"][0]["nodes"]
    assert "<h1>&lt;b&gt;</h1>" in page


def test_missing_numbers_are_null(atlas, tmp_path):
    holey = atlas.assign(p_value=atlas.p_value * np.nan, time_factor=atlas.time_factor.where(atlas.time > 2))
    found = content(dy.viz.write_atlas(holey, tmp_path / "atlas.html").read_text(encoding="utf-8"))
    assert found["components"][0]["p"] is None
    assert found["components"][0]["course"][0] is None


def test_what_cannot_be_written_is_said(atlas, tmp_path):
    with pytest.raises(StoreError, match="does not exist"):
        dy.viz.write_atlas(atlas, tmp_path / "nowhere" / "atlas.html")
    with pytest.raises(InputError, match="no components"):
        dy.viz.write_atlas(atlas.isel(component=[]), tmp_path / "atlas.html")
    with pytest.raises(InputError, match="title"):
        dy.viz.write_atlas(atlas, tmp_path / "atlas.html", title=" ")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_the_page_draws_in_a_browser_and_opens_at_the_component_of_its_address(atlas, tmp_path):
    path = dy.viz.write_atlas(atlas, tmp_path / "atlas.html")
    drawn = dom(path, tmp_path / "profile", "#component-1")
    assert '<h2 id="name">Component 1</h2>' in drawn
    assert "not above chance, p = 0.6" in drawn
    assert drawn.count("<circle") == 4


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_clicks_keys_search_and_hovering_answer(atlas, tmp_path):
    path = dy.viz.write_atlas(atlas, tmp_path / "atlas.html")
    page = path.read_text(encoding="utf-8")
    page = re.sub(r"script-src '.*?'", "script-src 'unsafe-inline'", page)
    path.write_text(page.replace("</body>", f"<script>{CLICKS}</script></body>"), encoding="utf-8")
    drawn = dom(path, tmp_path / "profile")
    answers = json.loads(re.search(r'data-answers="(.*?)"', drawn)[1].replace("&quot;", '"').replace("&amp;", "&"))
    assert (answers["first"], answers["walked"]) == ("Component 1", "Component 0")
    assert answers["answer"] == "e takes part in 2 of 2 components: 0, 1"
    assert re.fullmatch(r"[a-e]\ncommunity [01]\nstrength [\d.]+\n\d+ links drawn", answers["tipOfNode"])
    assert re.fullmatch(r"[a-e] – [a-e]\ncommunities 1 and 0\nloading [\d.]+", answers["tipOfPair"])
    assert (answers["circles"], answers["bars"], answers["rows"]) == (5, 3, 5)
