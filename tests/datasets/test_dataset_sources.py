"""Evidence for datasets/sources.py: only the right bytes are ever returned, wherever they come from."""

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dynome.datasets import registry, sources
from dynome.errors import FetchError

BODY = b"0.1 0.2 0.3\n" * 500
SHA = hashlib.sha256(BODY).hexdigest()
NAME = "trace.txt"


@pytest.fixture
def server():
    """A server on this machine: path -> (status, headers, body); `hits` counts the requests."""
    pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
    hits: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            hits.append(self.path)
            status, headers, body = pages.get(self.path, (404, {}, b"no"))
            self.send_response(status)
            for key, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    httpd.pages, httpd.hits, httpd.address = pages, hits, f"http://127.0.0.1:{httpd.server_address[1]}"
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def folders(tmp_path, monkeypatch):
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    monkeypatch.setenv("DYNOME_DATA_DIR", str(data))
    monkeypatch.setenv("DYNOME_CACHE_DIR", str(cache))
    return data, cache


@pytest.fixture
def register(monkeypatch):
    """Put one data set into the registry, with these addresses for its one file."""

    def put(*addresses, n_files=1):
        files = [registry.RemoteFile(NAME, addresses, SHA, len(BODY))]
        files += [registry.RemoteFile(f"other{k}", (), SHA, 1) for k in range(n_files - 1)]
        info = registry.DatasetInfo(
            "toy", "fetched", "f", "w", "s", "", "", (), "lab/repo", "c" * 40, False, tuple(files)
        )
        monkeypatch.setattr(registry, "entries", lambda: {"toy": info})

    return put


def read():
    return sources.content("toy", NAME).read()


@pytest.mark.parametrize("place", [NAME, f"deep/below/{NAME}", f"{NAME}.gz", "another-name.txt"])
def test_a_file_in_the_data_folder_is_found_by_its_content(folders, register, place):
    register()
    path = folders[0] / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(BODY) if place.endswith(".gz") else BODY)
    assert read() == BODY


def test_a_file_of_the_right_name_and_wrong_content_is_passed_over_and_told(folders, register):
    register()
    (folders[0] / NAME).write_bytes(BODY[::-1])
    with pytest.raises(FetchError, match=r"trace\.txt has this name but other content"):
        read()
    (folders[0] / "right").mkdir()
    (folders[0] / "right" / NAME).write_bytes(BODY)
    assert read() == BODY


@pytest.mark.parametrize(
    "damaged",
    [b"not gzip at all", gzip.compress(BODY)[:-20], gzip.compress(BODY + b"more")],
    ids=["not gzip", "cut short", "longer"],
)
def test_a_damaged_or_longer_gzip_copy_does_not_count(folders, register, damaged):
    register()
    (folders[0] / f"{NAME}.gz").write_bytes(damaged)
    with pytest.raises(FetchError, match="it has no address"):
        read()


def test_a_file_that_changes_is_hashed_again(folders, register):
    register()
    path = folders[0] / NAME
    path.write_bytes(BODY)
    assert read() == BODY
    path.write_bytes(BODY[::-1])
    with pytest.raises(FetchError, match="other content"):
        read()


def test_the_error_names_address_checksum_and_folder(folders, register):
    register("http://127.0.0.1:9/nothing", n_files=3)
    with pytest.raises(FetchError) as caught:
        read()
    message = str(caught.value)
    for part in ("http://127.0.0.1:9/nothing: no connection", SHA, "6,000 bytes", str(folders[0]), "DYNOME_DATA_DIR"):
        assert part in message
    assert "have not been verified yet" in message
    assert "dataset_info('toy').files; an archive of lab/repo at cccccccc" in message


def test_a_data_folder_that_does_not_exist_is_named(folders, register, monkeypatch):
    register()
    monkeypatch.setenv("DYNOME_DATA_DIR", "/no/such/folder")
    with pytest.raises(FetchError, match="DYNOME_DATA_DIR, which now names '/no/such/folder', no folder"):
        read()


def test_a_download_is_kept_and_not_repeated(folders, register, server):
    register(f"{server.address}/a")
    server.pages["/a"] = (200, {}, BODY)
    assert read() == read() == BODY
    assert server.hits == ["/a"]
    assert (folders[1] / "toy" / NAME).read_bytes() == BODY


def test_a_damaged_file_in_the_cache_is_downloaded_again(folders, register, server):
    register(f"{server.address}/a")
    server.pages["/a"] = (200, {}, BODY)
    read()
    (folders[1] / "toy" / NAME).write_bytes(BODY[:100])
    assert read() == BODY
    assert len(server.hits) == 2


BAD = {
    "wrong checksum": ((200, {}, BODY[::-1]), "wrong sha256"),
    "cut short by the server": ((200, {}, BODY[:100]), "sent 100 of 6,000 bytes"),
    "cut short on the way": ((200, {"Content-Length": "6000"}, BODY[:100]), r"127\.0\.0\.1:\d+/a: "),
    "endless": ((200, {}, BODY * 3), "more than the expected 6,000 bytes"),
    "missing": ((404, {}, b"no"), "the server answered 404"),
    "redirect to http": ((302, {"Location": "http://localhost.invalid/x"}, b""), "no connection"),
}


@pytest.mark.parametrize(("page", "told"), BAD.values(), ids=BAD.keys())
def test_a_bad_download_leaves_nothing_behind(folders, register, server, page, told):
    register(f"{server.address}/a")
    server.pages["/a"] = page
    with pytest.raises(FetchError, match=told):
        read()
    assert not [p for p in folders[1].rglob("*") if p.is_file()]


def test_a_redirect_away_from_https_is_refused(folders, register, server, monkeypatch):
    register(f"{server.address}/a")
    server.pages["/a"] = (302, {"Location": f"{server.address}/b"}, b"")
    server.pages["/b"] = (200, {}, BODY)
    monkeypatch.setattr(sources, "_is_safe", lambda address: address.endswith("/a"))
    with pytest.raises(FetchError, match=r"redirects to .*/b, and only https"):
        read()


def test_plain_http_elsewhere_is_refused_without_a_request(folders, register):
    register("http://example.org/a", "ftp://example.org/a", "file:///etc/passwd")
    with pytest.raises(FetchError, match=r"(?s)(refused, only https.*){3}"):
        read()


def test_the_next_address_is_tried_when_one_fails(folders, register, server):
    register(f"{server.address}/gone", f"{server.address}/a")
    server.pages["/a"] = (200, {}, BODY)
    assert read() == BODY
    assert server.hits == ["/gone", "/a"]
