"""Evidence for datasets/archives.py: a good archive is unpacked, a bad one is refused whole."""

import io
import tarfile
import zipfile

import pytest

from dynome.datasets import extract_archive
from dynome.errors import FormatError


def a_zip(path, members, *, mode=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode is not None:
                info.external_attr = mode << 16
            archive.writestr(info, content)
    return path


def a_tar(path, members, *, kind=tarfile.REGTYPE, compression="gz"):
    with tarfile.open(path, f"w:{compression}") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            info.linkname = "/etc/passwd"
            archive.addfile(info, io.BytesIO(content))
    return path


GOOD = [("a.txt", b"one"), ("deep/b.bin", b"\x00" * 5000)]
MAKERS = {
    "zip": lambda p, m: a_zip(p / "x.zip", m),
    "tar.gz": lambda p, m: a_tar(p / "x.tar.gz", m),
    "tar": lambda p, m: a_tar(p / "x.tar", m, compression=""),
    "tar.xz": lambda p, m: a_tar(p / "x.tar.xz", m, compression="xz"),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_an_archive_is_unpacked_as_it_was(tmp_path, make):
    out = tmp_path / "out"
    assert extract_archive(make(tmp_path, GOOD), out) == [out / "a.txt", out / "deep" / "b.bin"]
    assert {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()} == dict(GOOD)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../outside.txt", "leads out of the folder"),
        ("deep/../../outside.txt", "leads out of the folder"),
        ("/etc/outside.txt", "leads out of the folder"),
        ("..\\outside.txt", "leads out of the folder"),
        ("C:\\outside.txt", "leads out of the folder"),
        ("A.TXT", "occurs twice"),
        ("a.txt/below", "both a file and a folder"),
    ],
)
def test_a_member_that_could_do_harm_refuses_the_whole_archive(tmp_path, make, name, told):
    archive = make(tmp_path, [*GOOD, (name, b"!")])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FormatError, match=told):
        extract_archive(archive, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with pytest.raises(FormatError, match="'x' is a link or a device"):
        extract_archive(a_tar(tmp_path / "x.tar", [("x", b"")], kind=kind, compression=""), tmp_path / "out")


def test_a_symbolic_link_in_a_zip_is_refused(tmp_path):
    with pytest.raises(FormatError, match="'x' is a link or a device"):
        extract_archive(a_zip(tmp_path / "x.zip", [("x", b"/etc/passwd")], mode=0o120777), tmp_path / "out")


def test_too_many_members_or_bytes_are_refused(tmp_path):
    archive = a_zip(tmp_path / "x.zip", GOOD)
    with pytest.raises(FormatError, match="more than 1 members"):
        extract_archive(archive, tmp_path / "out", max_members=1)
    with pytest.raises(FormatError, match=r"5,003 bytes, more than max_bytes=5,000"):
        extract_archive(archive, tmp_path / "out", max_bytes=5000)


def test_an_archive_that_lies_about_its_size_is_stopped(tmp_path, monkeypatch):
    archive = a_zip(tmp_path / "x.zip", GOOD)
    monkeypatch.setattr("dynome.datasets.archives._checked", lambda name, members, *_: list(members))
    with pytest.raises(FormatError, match="it may be a bomb"):
        extract_archive(archive, tmp_path / "out", max_bytes=5000)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_a_truncated_archive_leaves_nothing_behind(tmp_path, make):
    archive = make(tmp_path, [("big", bytes(range(256)) * 200)])
    archive.write_bytes(archive.read_bytes()[:700] if archive.suffix == ".tar" else archive.read_bytes()[:-60])
    with pytest.raises(FormatError, match=r"cannot be unpacked|neither a zip nor a tar"):
        extract_archive(archive, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == [archive]


def test_what_is_no_archive_is_said_so(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"hello")
    with pytest.raises(FormatError, match="neither a zip nor a tar"):
        extract_archive(tmp_path / "x.zip", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="is not a file"):
        extract_archive(tmp_path / "nothing.zip", tmp_path / "out")


def test_a_folder_with_content_is_never_touched(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    with pytest.raises(FileExistsError, match="already holds something"):
        extract_archive(a_zip(tmp_path / "x.zip", GOOD), tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "keep"
