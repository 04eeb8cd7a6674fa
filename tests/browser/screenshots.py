"""The README's screenshots: `python -m tests.browser.screenshots` serves the gallery and photographs every room."""

import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from demos import DEMOS
from tests.browser.conftest import FLAGS
from tests.browser.rooms import enter

ROOT = Path(__file__).resolve().parents[2]
PORT = 7899


def main() -> None:
    url = f"http://127.0.0.1:{PORT}/"
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(PORT)], cwd=ROOT)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(url, timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        with sync_playwright() as playwright, tempfile.TemporaryDirectory() as scratch:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            for theme in ("light", "dark"):
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(f"{url}?__theme={theme}")
                for demo in DEMOS:
                    enter(page, demo.title)
                    page.wait_for_selector(f"#{demo.name}-result img")
                    page.wait_for_timeout(1500)
                    shot = Path(scratch) / "shot.png"
                    page.screenshot(path=shot)
                    with Image.open(shot) as image:
                        image.convert("RGB").save(ROOT / "assets" / "screenshots" / f"{demo.name}-{theme}.webp", quality=80)
            browser.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
