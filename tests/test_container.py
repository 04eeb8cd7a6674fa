"""The Dockerfile, read and followed as far as that goes without a daemon."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.parse

import pytest

from gm_core.publish import NEEDED, files
from tests.hubs import free_port
from tests.served import ROOT


def steps():
    """(instruction, rest) of each step, its lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def all_of(instruction):
    return [rest for name, rest in steps() if name == instruction]


ENVIRONMENT = dict(word.split("=", 1) for word in shlex.split(" ".join(all_of("ENV"))))
HEALTH = json.loads(all_of("HEALTHCHECK")[0].partition("CMD ")[2])


def copied():
    """Names at the top that are copied."""
    words = [[word for word in rest.split() if not word.startswith("--")] for rest in all_of("COPY")]
    assert all(target in (".", "./", *sources) for *sources, target in words)
    return [source for *sources, _ in words for source in sources]


def admitted(name):
    """Whether .dockerignore lets it into the build; the last line that fits decides."""
    found = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = name.split("/")
        fits = pattern == "*" or name == pattern or name.startswith(f"{pattern}/") or ("**/" in line and (
            pattern in parts or (pattern.startswith("*.") and name.endswith(pattern[1:]))))
        if line and not line.startswith("#") and fits:
            found = line.startswith("!")
    return found


def test_it_copies_what_the_gallery_needs_and_the_build_may_have_it():
    assert sorted(copied()) == sorted(NEEDED)
    assert all((ROOT / name).exists() and admitted(name) for name in copied())
    for name in ("tests/served.py", ".git/config", "runs/x.pt", ".venv/bin/python", "demos/__pycache__/base.pyc",
                 "demos/base.pyi", "assets/screenshots/srgan-dark.webp", ".env"):
        assert not admitted(name), name
    lost = [name for name in files() if not admitted(name) and not name.startswith("assets/screenshots/")]
    assert lost == []


def test_it_installs_the_same_packages_and_the_same_python():
    order = [f"{name} {rest}" for name, rest in steps()]
    assert "RUN pip install -r requirements.txt" in order
    assert order.index("COPY requirements.txt .") < order.index("RUN pip install -r requirements.txt")
    version = re.search(r"^python_version: \"(.+)\"$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert version and all_of("FROM") == [f"python:{version[1]}-slim"]


def test_it_runs_without_rights_and_keeps_what_shall_stay_in_a_volume():
    order = [name for name, _ in steps()]
    assert all_of("USER") == ["gallery"] and order.index("USER") > max(i for i, name in enumerate(order) if name == "RUN")
    assert json.loads(all_of("CMD")[0]) == ["python", "app.py"]
    volume, = all_of("VOLUME")
    assert ENVIRONMENT["GM_DATA_DIR"].startswith(f"{volume}/") and ENVIRONMENT["HF_HOME"].startswith(f"{volume}/")
    assert all_of("EXPOSE") == [ENVIRONMENT["GRADIO_SERVER_PORT"]] and ENVIRONMENT["GRADIO_SERVER_NAME"] == "0.0.0.0"


def test_the_gallery_is_whole_with_what_is_copied(tmp_path):
    """It builds its page in a folder that has nothing else."""
    for name in files():
        if admitted(name) and name.split("/")[0] in copied():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    told = {**os.environ, "HF_HUB_OFFLINE": "1", "GM_DATA_DIR": str(tmp_path / "data"), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.run([sys.executable, "-c", "import app; print(len(app.gallery().fns))"], cwd=tmp_path, env=told,
                             capture_output=True, text=True, check=False)
    assert process.returncode == 0 and int(process.stdout) > 20, process.stderr


@pytest.mark.parametrize("well", [True, False])
def test_its_health_is_that_of_the_gallery(gallery_url, well):
    port = urllib.parse.urlsplit(gallery_url).port if well else free_port()
    process = subprocess.run([sys.executable, *HEALTH[1:]], env={**os.environ, "GRADIO_SERVER_PORT": str(port)}, check=False,
                             capture_output=True)
    assert HEALTH[0] == "python" and (process.returncode == 0) == well, process.stderr
