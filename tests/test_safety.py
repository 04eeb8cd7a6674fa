"""Whoever means no good, from outside: plain HTTP to the gallery as it ships.

What a browser does is in tests/browser/test_guard.py; what the quiz may not tell, in tests/quiz.
"""

import http.client
import io
import json
import re
import socket
import struct
import threading
import time
import urllib.parse
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import skimage
from PIL import Image

from tests.served import ROOT, serving

PICTURE_ON_THE_SERVER = Path(skimage.__file__).parent / "data" / "chelsea.png"
META = {"_type": "gradio.FileData"}


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


def ask(url, method, path, body=None, headers=None, source=None):
    """One request with the path to the letter, as no browser would send it. source: the address to call from."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=120, source_address=source and (source, 0))
    try:
        if isinstance(body, dict | list):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, body, headers or {})
        reply = connection.getresponse()
        return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
    finally:
        connection.close()


def call(url, name, *data, source=None):
    """What comes of a call of the API: ("complete", data) or ("error", what is told)."""
    joined = ask(url, "POST", f"/gradio_api/call/{name}", {"data": list(data)}, source=source)
    if joined.status != 200:
        return joined.status, joined.text
    stream = ask(url, "GET", f"/gradio_api/call/{name}/{json.loads(joined.body)['event_id']}", source=source).text
    event, told = re.findall(r"event: (complete|error)\ndata: (.*)", stream)[-1]
    return event, json.loads(told)


def form(*files):
    """A multipart body of (name, content), and its headers."""
    parts = [b'--limit\r\nContent-Disposition: form-data; name="files"; filename="' + name.encode() + b'"\r\n\r\n' + content
             + b"\r\n" for name, content in files]
    return b"".join(parts) + b"--limit--\r\n", {"Content-Type": "multipart/form-data; boundary=limit"}


def upload(url, name, content, source=None):
    body, headers = form((name, content))
    reply = ask(url, "POST", "/gradio_api/upload", body, headers, source=source)
    assert reply.status == 200, reply.text
    return json.loads(reply.body)[0]


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("safety")


@pytest.fixture(scope="module")
def url(folder):
    """A gallery of our own: at its end the log of everything below must be without a traceback."""
    with serving(folder, "app.py") as url:
        yield url


def files_of(folder):
    uploads = folder / "uploads"
    return {path for path in uploads.rglob("*") if path.is_file()} if uploads.exists() else set()


# --- headers ------------------------------------------------------------------------------------------------------------


def test_every_answer_carries_the_headers(url):
    file = upload(url, "cat.png", png(Image.new("RGB", (8, 8))))
    script = re.search(r'src="\./(assets/[^"]+\.js)"', ask(url, "GET", "/").text)
    assert script
    for method, path, status in (("GET", "/", 200), ("HEAD", "/", 200), ("GET", "/config", 200), ("GET", f"/{script[1]}", 200),
                                 ("GET", f"/gradio_api/file={file}", 200), ("GET", "/room", 200), ("GET", "/nowhere", 404),
                                 ("GET", "/gradio_api/file=/etc/passwd", 403), ("POST", "/gradio_api/queue/join", 400),
                                 ("POST", "/room/ABCDE/state", 400), ("PUT", "/", 404)):
        reply = ask(url, method, path)
        assert reply.status == status, (path, reply.status, reply.text[:200])
        assert reply.headers["x-content-type-options"] == "nosniff", path
        assert "camera=(self)" in reply.headers["permissions-policy"] and "referrer-policy" in reply.headers, path
        assert reply.headers["cross-origin-opener-policy"] == "same-origin", path
        assert "default-src" in reply.headers["content-security-policy"], path


def test_the_page_s_policy_names_its_scripts_and_no_others(url):
    page = ask(url, "GET", "/")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert "unsafe-inline" not in policy["script-src"] and "http" not in policy["script-src"]
    inline = re.findall(r"<script(?![^>]*\ssrc=)", page.text)
    assert policy["script-src"].count("'sha256-") == len(inline) + 1, "the page's own, and the report's"
    assert policy["frame-ancestors"] == "'self' https://huggingface.co https://*.hf.space"
    assert policy["object-src"] == "'none'"


def test_what_somebody_brought_cannot_run_in_our_name(url):
    """Opened by itself it is a download, or a sandbox without scripts."""
    for name, content in (("page.html", b"<script>1</script>"), ("drawing.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
                          ("data.xml", b"<x/>"), ("script.js", b"1")):
        reply = ask(url, "GET", f"/gradio_api/file={upload(url, name, content)}")
        assert reply.status == 200 and reply.headers["content-disposition"].startswith("attachment"), name
        assert reply.headers["content-type"] == "application/octet-stream"
        assert "sandbox" in reply.headers["content-security-policy"]


# --- files that are nobody's business -----------------------------------------------------------------------------------

SECRETS = [b"root:x:0", b"def serve(", b"GM_DATA_DIR", b"SQLite format", b"gradio==", b"[core]"]


def escapes(folder):
    inside = str(ROOT)
    targets = ["/etc/passwd", f"{inside}/app.py", f"{inside}/requirements.txt", f"{inside}/.git/config", f"{inside}/.git",
               "/proc/self/environ", str(folder / "data" / "quiz.sqlite3"), str(folder / "log.txt"), str(folder / "uploads")]
    for target in targets:
        yield f"/gradio_api/file={target}"
        yield f"/gradio_api/file={urllib.parse.quote(target, safe='')}"
        yield f"/gradio_api/file=file://{target}"
        yield f"/gradio_api/file={folder}/uploads/../..{target}"
        yield f"/gradio_api/file={folder}/uploads/%2e%2e/%2e%2e{target}"
    for start in ("/static/", "/assets/", "/svelte/", "/gradio_api/file=", "/room/files/", "/gradio_api/file=./",
                  "/gradio_api/custom_component/x/client/x/", "/gradio_api/proxy=file:///"):
        for climb in ("../" * 8, "..%2f" * 8, "%2e%2e/" * 8, "..\\" * 8, "..%5c" * 8, "/", "//", "....//" * 8, "%00"):
            yield f"{start}{climb}etc/passwd"
            yield f"{start}{climb}app.py"
    for name in ("app.py", "requirements.txt", "./app.py", "assets/quiz/room.html", ".git/config"):
        yield f"/gradio_api/file={name}"
        yield f"/?deep_link=../../{name}"
        yield f"/config?deep_link=..%2f..%2f{name}"


def test_no_file_but_ones_own_can_be_had(url, folder):
    for path in escapes(folder):
        reply = ask(url, "GET", path)
        if "deep_link" not in path:
            assert reply.status in (400, 403, 404), (path, reply.status)
        assert not any(secret in reply.body for secret in SECRETS), path


@pytest.mark.parametrize("path", [str(PICTURE_ON_THE_SERVER), "/etc/passwd", "assets/examples/srgan-input.png",
                                  str(ROOT / "assets" / "examples" / "srgan-input.png"), "", "\0", "~/x.png"])
@pytest.mark.parametrize("meta", [META, None, "x", {}, {"_type": "other"}])
def test_a_job_reads_no_file_of_the_server(url, path, meta):
    sent = {"path": path} if meta is None else {"path": path, "meta": meta}
    event, told = call(url, "srgan", sent, "srgan-x4")
    assert event in ("error", 400), told
    assert "Traceback" not in str(told) and str(ROOT) not in str(told).replace(path or "-", "")


# --- addresses that the server shall not visit --------------------------------------------------------------------------


@pytest.fixture
def elsewhere():
    """An address beside the gallery, and a list of who came."""
    came, door = [], socket.create_server(("127.0.0.1", 0))
    door.settimeout(0.1)
    over = threading.Event()

    def wait():
        while not over.is_set():
            try:
                visitor, _ = door.accept()
            except TimeoutError:
                continue
            came.append(visitor.recv(200))
            visitor.close()

    thread = threading.Thread(target=wait)
    thread.start()
    yield f"http://127.0.0.1:{door.getsockname()[1]}/x.png", came
    over.set()
    thread.join()
    door.close()


def test_the_server_visits_no_address_that_a_visitor_names(url, elsewhere):
    address, came = elsewhere
    for named in (address, address.replace("127.0.0.1", "localhost"), address.replace("127.0.0.1", "[::ffff:127.0.0.1]"),
                  "http://example.com/x.png", "https://169.254.169.254/latest/meta-data", "ftp://example.com/x",
                  "//example.com/x"):
        for sent in ({"path": named, "meta": META}, {"path": named}, {"path": named, "url": named, "meta": META}):
            status, told = call(url, "srgan", sent, "srgan-x4")
            assert status == 400 and "uploaded here, not fetched" in told, (sent, told)
        joined = ask(url, "POST", "/gradio_api/queue/join", {"data": [[{"image": {"path": named, "meta": META}}]],
                                                              "fn_index": 0, "session_hash": "x"})
        assert joined.status == 400
        for start in ("proxy=", "file=", "file/", "proxy=https://x.hf.space/../"):
            assert ask(url, "GET", f"/gradio_api/{start}{named}").status in (403, 404)
    file = upload(url, "cat.png", png(Image.effect_noise((64, 64), 90).convert("RGB")))
    event, told = call(url, "srgan", {"path": file, "url": address, "meta": META}, "srgan-x4")
    assert event == "complete", told  # the file that was uploaded, whatever address stands beside it
    assert not came


CLOSED = ["run/srgan", "run/predict", "api/srgan", "api/predict", "component_server", "process_recording", "vibe-edit",
          "undo-vibe-edit", "vibe-code", "vibe-starter-queries", "run-history/connect", "stream/x", "stream/x/close",
          "call/no_such", "call/v2/no_such"]
UNREAD = ["monitoring", "monitoring/summary", "monitoring/x", "docs", "redoc", "openapi.json", "login", "logout", ".git/config"]
UNREAD += [f"gradio_api/{path}" for path in (
    "deep_link?session_hash=x", "dev/reload", "token", "user", "vibe-code", "runs", "run-history/buckets",
    "vibe-starter-queries", "stream/x/1/2/playlist.m3u8", "custom_component/x/client/component/index.js", "file/etc/passwd",
    "mcp")]


def test_what_gradio_offers_and_nobody_needs_is_closed(url):
    for path in CLOSED:
        assert ask(url, "POST", f"/gradio_api/{path}", {"data": []}).status == 404, path
    for path in UNREAD:
        assert ask(url, "GET", f"/{path}").status == 404, path
    for method in ("PUT", "DELETE", "PATCH", "TRACE"):
        assert ask(url, method, "/gradio_api/upload").status == 404


def test_whoever_names_another_host_spoils_the_page_for_nobody(url):
    evil = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
    for path in ("/", "/config", "/gradio_api/info"):
        ask(url, "GET", path, headers=evil)
    for path in ("/", "/config", "/gradio_api/info", "/gradio_api/openapi.json"):
        assert "evil.example" not in ask(url, "GET", path).text


def test_a_page_of_somebody_else_sends_no_jobs_and_reads_nothing(url):
    evil = {"Origin": "https://evil.example"}
    assert "access-control-allow-origin" not in ask(url, "GET", "/config", headers=evil).headers
    asked = {**evil, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    assert "access-control-allow-origin" not in ask(url, "OPTIONS", "/gradio_api/queue/join", headers=asked).headers
    plain = {**evil, "Content-Type": "text/plain"}  # what a form may send without asking
    reply = ask(url, "POST", "/gradio_api/call/srgan", json.dumps({"data": [None, "srgan-x4"]}).encode(), plain)
    assert reply.status in (400, 403, 415, 422), reply.text


# --- too much -----------------------------------------------------------------------------------------------------------


def test_uploads_have_a_limit_and_leave_nothing_behind(url, folder):
    before = files_of(folder)
    body, headers = form(("large.png", bytes(31 * 2**20)))
    reply = ask(url, "POST", "/gradio_api/upload", body, headers)
    assert reply.status == 413 and "maximum allowed size" in reply.text
    body, headers = form(*((f"{i}.png", bytes(25 * 2**20)) for i in range(5)))
    reply = ask(url, "POST", "/gradio_api/upload", body, headers)
    assert reply.status == 413 and "125 MB were sent at once; the limit is 120 MB" in reply.text
    reply = ask(url, "POST", "/gradio_api/upload", iter([body[i:i + 2**20] for i in range(0, len(body), 2**20)]), headers)
    assert reply.status == 413 and "maximum allowed size of 120 MB" in reply.text
    assert files_of(folder) == before


def test_an_upload_that_breaks_off_leaves_nothing_behind(url, folder):
    before = files_of(folder)
    where = urllib.parse.urlsplit(url)
    body, headers = form(("half.png", bytes(2**20)))
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(f"POST /gradio_api/upload HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Length: {len(body)}\r\n"
                           f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode() + body[: 2**19])
        end = time.monotonic() + 30
        while files_of(folder) == before and time.monotonic() < end:
            time.sleep(0.05)
        assert files_of(folder) != before, "it had begun"
    end = time.monotonic() + 30
    while files_of(folder) != before and time.monotonic() < end:
        time.sleep(0.05)
    assert files_of(folder) == before


def test_calls_have_a_limit(url):
    for path in ("/gradio_api/queue/join", "/gradio_api/call/srgan"):
        reply = ask(url, "POST", path, iter([b"[" * 2**20] * 17))  # of unknown length
        assert reply.status == 413 and "More than 16 MB" in reply.text
        for body in (b"", b"[]", b"{", b"[" * 100_000, b"\xff", b"null", b'{"data": 5}', b'{"data": [], "fn_index": [1]}',
                     b'{"data": [], "fn_index": 99999, "session_hash": "x"}', b'{"data": [], "fn_index": 0}'):
            reply = ask(url, "POST", path, body, {"Content-Type": "application/json"})
            assert reply.status in (400, 404, 422), (path, body[:40], reply.text[:200])


def test_a_bomb_is_not_decoded(url):
    """12000 x 12000 pixels in 18 KB."""
    rows = zlib.compress(bytes(1501 * 12000), 9)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    bomb = (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 12000, 12000, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
            + chunk(b"IEND", b""))
    event, told = call(url, "srgan", {"path": upload(url, "bomb.png", bomb), "meta": META}, "srgan-x4")
    assert event == "error" and "144 million pixels" in str(told)


def test_odd_requests_for_a_file_are_answered(url):
    file = upload(url, "cat.png", png(Image.new("RGB", (32, 32), "red")))
    whole = ask(url, "GET", f"/gradio_api/file={file}").body
    for span in ("bytes=0-3", "bytes=9-3", "bytes=-", "bytes=1-2-3", "bytes=a-b", "bytes=0-99999999999", "bytes=,", "x",
                 "bytes=5-", "bytes=0-1,5-6", "bytes=99999-100000"):
        reply = ask(url, "GET", f"/gradio_api/file={file}", headers={"Range": span})
        assert reply.status in (200, 206, 400, 416), (span, reply.status, reply.text[:100])
    assert ask(url, "GET", f"/gradio_api/file={file}", headers={"Range": "bytes=1-3"}).body == whole[1:4]


# --- other visitors -----------------------------------------------------------------------------------------------------


def test_nobody_finds_the_files_and_jobs_of_others(url, folder):
    mine = upload(url, "private.png", png(Image.effect_noise((64, 64), 90).convert("RGB")))
    event, told = call(url, "srgan", {"path": mine, "meta": META}, "srgan-x4")
    assert event == "complete"
    for path in (mine, told[0]["path"]):  # names that cannot be guessed, in folders that are not listed
        assert re.search(r"/[0-9a-f]{32,}/", path)
        for parent in (str(Path(path).parent), str(Path(path).parents[1])):
            assert ask(url, "GET", f"/gradio_api/file={parent}").status == 403
            assert ask(url, "GET", f"/gradio_api/file={parent}/").status == 403
    config = ask(url, "GET", "/config").text
    assert Path(mine).parent.name not in config and Path(told[0]["path"]).parent.name not in config
    joined = ask(url, "POST", "/gradio_api/call/srgan", {"data": [{"path": mine, "meta": META}, "srgan-x4"]})
    number = json.loads(joined.body)["event_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", number)
    for guess in ("0" * 32, ""):
        cancel = {"session_hash": "other", "fn_index": 0, "event_id": guess}
        assert ask(url, "POST", "/gradio_api/cancel", cancel).status == 200
    assert "event: complete" in ask(url, "GET", f"/gradio_api/call/srgan/{number}").text
    with pytest.raises(http.client.IncompleteRead):  # no such job: the answer breaks off
        ask(url, "GET", f"/gradio_api/call/srgan/{'0' * 32}")
    status = ask(url, "GET", "/gradio_api/queue/status").text
    assert number not in status and mine not in status


def test_a_game_belongs_to_whoever_holds_its_token(url):
    level = None
    for _ in range(2):
        event, told = call(url, "quiz_start", level or "", 2, 3)
        assert event == "complete", told
        level = told[0]["level"]
    token = told[0]["game"]
    assert len(token) >= 22
    for guess in (token[:-1], token[::-1], "", "*", None, 0, [token], {"game": token}):
        event, said = call(url, "quiz_round", guess)
        assert event in ("error", 400, 422), said
