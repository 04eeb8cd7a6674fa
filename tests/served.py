"""The gallery served as a visitor finds it, in a process of its own."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.hubs import free_port

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def serving(folder: Path, *words: str, **environment: str) -> Iterator[str]:
    """The address of what `python WORDS` serves at the port in `PORT`, without a Hub, its files below `folder`.

    Fails with the log if it dies, or if anything in it went wrong unseen.
    """
    port, log = free_port(), folder / "log.txt"
    told = {**os.environ, "PORT": str(port), "GRADIO_SERVER_PORT": str(port), "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(folder / "hub"), "GM_DATA_DIR": str(folder / "data"), "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "GRADIO_ANALYTICS_ENABLED": "False", **environment}
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=told, stdout=file, stderr=subprocess.STDOUT)
    url, end = f"http://127.0.0.1:{port}/", time.monotonic() + 300
    try:
        while True:
            try:
                urllib.request.urlopen(url, timeout=10).close()
                break
            except (urllib.error.URLError, OSError):
                if process.poll() is not None or time.monotonic() > end:
                    pytest.fail(f"The gallery did not open:\n{log.read_text()}")
                time.sleep(0.2)
        yield url
        assert "Traceback" not in log.read_text(), log.read_text()
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def gallery_url(tmp_path_factory) -> Iterator[str]:
    """Address of the gallery as it ships, one for all tests."""
    with serving(tmp_path_factory.mktemp("gallery"), "app.py") as url:
        yield url
