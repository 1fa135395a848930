"""Evidence for the build script, on a wheel of three cells: traps are mended, bytes repeat."""

import gzip
import hashlib
import json
import zipfile

import pandas as pd
import pytest

from dynome.datasets._build import build_celegans_connectome as script
from dynome.errors import FormatError

CELLS = ["AVAL", "VA08", "hyp"]


def a_wheel(path, *, gap=((0, 3, 0), (2, 0, 0), (0, 0, 0)), chemical=((0, 5, 0), (0, 0, 1), (0, 0, 0))):
    """A wheel with the files that the script reads, all with the same three cells."""
    names = {part for parts in script._cell_types.values() for part in parts}
    lists = "\n".join(f"{name} = {['AVAL'] if name == 'INTERNEURONS_1_COOK' else []}" for name in sorted(names))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cect/Cells.py", lists + "\nraise RuntimeError('this file must not be run')\n")
        archive.writestr("cect-0.dist-info/licenses/LICENSE", "MIT License")
        for source in script._sources.values():
            kinds = {kind: gap if kind == "Generic_GJ" else chemical for kind in source.kinds}
            archive.writestr(f"cect/cache/{source.file}.json", json.dumps({"nodes": CELLS, "connections": kinds}))
        wang = {"nodes": CELLS, "connections": {"Tyramine": chemical, "Acetylcholine": chemical}}
        archive.writestr("cect/cache/Wang2024HermReader.json", json.dumps(wang))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def table_of(folder):
    return pd.read_csv(folder / "celegans_connectome.csv.gz", keep_default_na=False)


def test_an_asymmetric_gap_junction_gets_the_larger_weight_both_ways(tmp_path):
    wheel, sha = a_wheel(tmp_path / "x.whl")
    script.build(wheel, tmp_path, sha256=sha)
    gap = table_of(tmp_path).query("dataset == 'cook2019' and edge_type == 'gap_junction'")
    assert gap[["source", "target", "weight"]].to_numpy().tolist() == [["AVAL", "VA8", 3], ["VA8", "AVAL", 3]]


def test_cells_get_names_classes_types_and_transmitters(tmp_path):
    wheel, sha = a_wheel(tmp_path / "x.whl")
    script.build(wheel, tmp_path, sha256=sha)
    cells = pd.read_csv(tmp_path / "celegans_cells.csv", keep_default_na=False)
    assert cells.to_numpy().tolist() == [
        ["AVAL", "AVA", "inter", "acetylcholine+tyramine"],
        ["VA8", "VA", "other", "acetylcholine+tyramine"],
        ["hyp", "hyp", "other", ""],
    ]


def test_the_same_wheel_gives_the_same_bytes(tmp_path):
    wheel, sha = a_wheel(tmp_path / "x.whl")
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        script.build(wheel, tmp_path / run, sha256=sha)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    about = json.loads((tmp_path / "one" / "celegans_connectome.json").read_text())
    table = gzip.decompress((tmp_path / "one" / "celegans_connectome.csv.gz").read_bytes())
    assert about["table_sha256"] == hashlib.sha256(table).hexdigest()
    assert about["datasets"]["cook2019"]["edges"] == {"chemical": 2, "gap_junction": 2}


def test_another_wheel_is_refused_before_anything_is_written(tmp_path):
    wheel, _ = a_wheel(tmp_path / "x.whl")
    with pytest.raises(FormatError, match=r"x\.whl has sha256 .*, expected ea47f7a6"):
        script.build(wheel, tmp_path)
    assert list(tmp_path.iterdir()) == [wheel]


def test_a_matrix_that_is_not_square_is_refused(tmp_path):
    wheel, sha = a_wheel(tmp_path / "x.whl", chemical=((0, 1), (1, 0)))
    with pytest.raises(FormatError, match=r"Generic_CS has shape \(2, 2\), expected 3 cells squared"):
        script.build(wheel, tmp_path, sha256=sha)
