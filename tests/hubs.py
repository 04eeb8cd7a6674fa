"""Two Hubs on loopback: `olah`, a real one that serves git repositories, and one that fails in every known way."""

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


# --- olah -------------------------------------------------------------------------------------------------------------


def publish(hub: Path, repo_id: str, files: dict[str, bytes]) -> str:
    """Puts `files` into the git repository behind `repo_id`, as a new commit. Returns the commit."""
    folder = hub / "mirrors" / "models" / repo_id
    folder.mkdir(parents=True, exist_ok=True)

    def git(*words: str) -> str:
        identity = ("-c", "user.name=tests", "-c", "user.email=tests@localhost", "-c", "init.defaultBranch=main")
        return subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    git("add", "-A")
    git("commit", "-q", "-m", "files")
    return git("rev-parse", "HEAD").strip()


@contextlib.contextmanager
def olah(hub: Path) -> Iterator[str]:
    """Serves what `publish` put under `hub`. Gives the address for HF_ENDPOINT; the server is gone afterwards."""
    port = free_port()
    config = hub / "olah.toml"
    config.write_text(f'[basic]\nhost = "127.0.0.1"\nport = {port}\nrepos-path = "{hub / "repos"}"\n'
                      f'mirrors-path = ["{hub / "mirrors"}"]\n[accessibility]\noffline = true\n')
    with (hub / "olah.txt").open("wb") as log:
        server = subprocess.Popen(
            [Path(sys.executable).with_name("olah-cli"), "-c", config, "--log-path", hub / "logs"],
            cwd=hub, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "PYTHONWARNINGS": "ignore"})
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_until_it_answers(address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(f"{address} did not come up")


# --- the Hub that fails -----------------------------------------------------------------------------------------------

REFUSALS = {
    "no-repository": (404, "RepoNotFound"),
    "no-revision": (404, "RevisionNotFound"),
    "no-file": (404, "EntryNotFound"),
    "private": (401, "RepoNotFound"),
    "gated": (403, "GatedRepo"),
    "forbidden": (403, ""),
    "busy": (429, ""),
    "broken": (500, ""),
    "overloaded": (503, ""),
}
"""Repository name -> status and X-Error-Code of every answer."""


class FaultyHub:
    """Serves one file per repository name, `anyone/<fault>`: REFUSALS, or a body that goes wrong.

    "portal" answers like a hotel's sign-in page; "mute" does not answer at all; "truncated" breaks off; "shorter" sends
    less than HEAD said; "silent" sends nothing after the headers; "slow" sends a megabyte every 50 ms, sixty in all; any
    other name sends `content[name]` whole.
    """

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.sent = 0
        """Bytes of "slow" that left."""
        self.left = False
        """Whether the reader of "slow" closed the connection before the end."""
        route = "/anyone/{fault}/resolve/{revision}/{file}"
        # HEAD comes with GET in starlette
        self.app = Starlette(routes=[Route(route, self.resolve)])

    async def resolve(self, request: Request) -> Response:
        fault = request.path_params["fault"]
        if fault in REFUSALS:
            status, code = REFUSALS[fault]
            wait = {"Retry-After": "300"} if status == 429 else {}
            return Response(status_code=status, headers={**wait, "X-Error-Code": code} if code else wait)
        if fault == "mute":
            await anyio.sleep(60)
        if fault == "portal":
            return Response("<html>Please sign in to the hotel</html>", media_type="text/html")
        body = self.content.get(fault, bytes(100_000))
        size = 60_000_000 if fault in ("slow", "silent") else len(body)
        headers = {"X-Repo-Commit": request.path_params["revision"], "Content-Length": str(size),
                   "ETag": f'"{hashlib.sha256(request.url.path.encode()).hexdigest()}"'}
        if request.method == "HEAD":
            return Response(headers=headers)
        if fault == "shorter":
            return Response(body[:1000])
        if fault == "truncated":
            return StreamingResponse(self._one(body[:1000]), headers=headers)
        if fault == "silent":
            return StreamingResponse(self._nothing(), headers=headers)
        if fault == "slow":
            return StreamingResponse(self._drip(), headers=headers)
        return Response(body, headers=headers)

    async def _one(self, part: bytes) -> AsyncIterator[bytes]:
        yield part

    async def _nothing(self) -> AsyncIterator[bytes]:
        await anyio.sleep(60)
        yield b""

    async def _drip(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(60):
                await anyio.sleep(0.05)
                self.sent += 1_000_000
                yield bytes(1_000_000)
        except BaseException:
            self.left = True
            raise


@contextlib.contextmanager
def faulty(content: dict[str, bytes]) -> Iterator[tuple[str, FaultyHub]]:
    """A FaultyHub in a thread of this process, with its address for HF_ENDPOINT."""
    hub, port = FaultyHub(content), free_port()
    server = uvicorn.Server(uvicorn.Config(hub.app, host="127.0.0.1", port=port, log_level="critical", ws="none",
                                           lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}", hub
    finally:
        server.should_exit = True
        thread.join(20)
