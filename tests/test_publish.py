"""The upload to a Space: what goes, what stays, and a real upload to a Hub on loopback."""

import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gm_core.publish import NEEDED, contradictions, files, front_matter, uncommitted
from tests.hubs import free_port
from tests.served import ROOT


def test_what_is_needed_goes_and_nothing_else():
    names = files()
    assert {name.split("/")[0] for name in names} == set(NEEDED)
    assert "assets/checkpoints/srgan-x4/model.safetensors" in names and "demos/guard.py" in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyi") or "/runs/" in name]


def test_the_front_matter_agrees_with_the_repository():
    assert contradictions(front_matter()) == []


@pytest.mark.parametrize(("name", "value"), [
    ("sdk", "docker"), ("sdk_version", "5.0.0"), ("app_file", "main.py"), ("python_version", "3.9"), ("license", "mit"),
    ("models", ["somebody/else"]), ("models", None), ("title", ""), ("python_version", 3.11)])
def test_a_front_matter_that_does_not_agree_is_told(name, value):
    wrong = contradictions({**front_matter(), name: value})
    assert len(wrong) == 1 and wrong[0].startswith(f"{name} is ")


@pytest.fixture
def clone(tmp_path):
    """A small repository of the same shape."""
    for name, content in (("app.py", "1"), ("README.md", (ROOT / "README.md").read_text(encoding="utf-8")),
                          ("requirements.txt", "gradio==6.31.0\n"), ("demos/__init__.py", ""), ("gm_core/x.py", "2"),
                          ("assets/weights.bin", "\x00" * 3000), ("LICENSE", "free"), ("tests/test_x.py", "3"),
                          ("demos/untracked.py", "4")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    for words in (["init", "-q"], ["add", "-A"], ["rm", "-q", "--cached", "demos/untracked.py"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", "-c", "user.name=tests", "-c", "user.email=tests@localhost", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_what_is_not_committed_is_told_and_what_is_untracked_stays(clone):
    assert uncommitted(clone) == [] and "demos/untracked.py" not in files(clone) and "tests/test_x.py" not in files(clone)
    (clone / "gm_core" / "x.py").write_text("5")
    (clone / "tests" / "test_x.py").write_text("5")
    assert uncommitted(clone) == ["gm_core/x.py"]


def test_a_dry_run_lists_everything_and_asks_nobody():
    told = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    process = subprocess.run([sys.executable, "-m", "gm_core.publish", "somebody/gallery", "--dry-run"], cwd=ROOT, env=told,
                             capture_output=True, text=True, check=False)
    lines = process.stdout.splitlines()
    assert [line.split()[1] for line in lines[:-1]] == files()
    total = sum(int(line.split()[0].replace(",", "")) for line in lines[:-1])
    assert lines[-1] == f"{len(files())} files, {total / 2**20:.1f} MB, would go to somebody/gallery."
    assert process.returncode == (1 if uncommitted() else 0), process.stderr
    assert re.fullmatch(r"(Not ready:\n(- .+ has changes that are not committed\n?)+)?", process.stderr)


class Space:
    """The part of the Hub's API that takes a commit; its files are kept as they came."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {".gitattributes": b"theirs", "old.py": b"old"}
        self.created: dict = {}
        self.message = ""
        there = "/api/spaces/somebody/gallery"
        self.app = Starlette(routes=[
            Route("/api/repos/create", self.create, methods=["POST"]), Route("/api/validate-yaml", self.fine, methods=["POST"]),
            Route(f"{there}/revision/main", self.info), Route(there, self.info), Route(f"{there}/tree/main", self.tree),
            Route(f"{there}/preupload/main", self.preupload, methods=["POST"]),
            Route(f"{there}/commit/main", self.commit, methods=["POST"])])

    async def create(self, request: Request) -> JSONResponse:
        self.created = await request.json()
        return JSONResponse({"url": f"{request.base_url}spaces/somebody/gallery"})

    async def fine(self, _: Request) -> JSONResponse:
        return JSONResponse({"errors": [], "warnings": []})

    async def info(self, _: Request) -> JSONResponse:
        return JSONResponse({"id": "somebody/gallery", "sha": "0" * 40,
                             "siblings": [{"rfilename": name} for name in self.files]})

    async def tree(self, _: Request) -> JSONResponse:
        return JSONResponse([{"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                             for name, content in self.files.items()])

    async def preupload(self, request: Request) -> JSONResponse:
        asked = (await request.json())["files"]
        return JSONResponse({"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]})

    async def commit(self, request: Request) -> JSONResponse:
        there = f"{request.base_url}spaces/somebody/gallery"
        for line in map(json.loads, (await request.body()).splitlines()):
            told = line["value"]
            if line["key"] == "header":
                self.message = told["summary"]
            elif line["key"] == "file":
                self.files[told["path"]] = base64.b64decode(told["content"])
            elif line["key"] == "deletedFile":
                del self.files[told["path"]]
        return JSONResponse({"commitUrl": f"{there}/commit/{'1' * 40}", "commitOid": "1" * 40})


@contextlib.contextmanager
def serving_space(space):
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(space.app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


def test_the_space_has_these_files_afterwards_and_no_others(clone):
    space = Space()
    with serving_space(space) as address:
        told = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_x", "HF_HUB_DISABLE_XET": "1"}
        script = ("import sys; from pathlib import Path; from gm_core.publish import publish; "
                  "print(publish('somebody/gallery', private=True, root=Path(sys.argv[1])))")
        process = subprocess.run([sys.executable, "-c", script, str(clone)], cwd=ROOT, env=told, capture_output=True, text=True,
                                 check=False)
        assert process.returncode == 0, process.stderr
    assert process.stdout.strip().endswith("/spaces/somebody/gallery")
    assert space.created["sdk"] == "gradio" and space.created["type"] == "space" and "private" in space.created.values()
    assert space.files == {".gitattributes": b"theirs", **{name: (clone / name).read_bytes() for name in files(clone)}}
    assert re.fullmatch("The gallery at [0-9a-f]{7,}", space.message)
