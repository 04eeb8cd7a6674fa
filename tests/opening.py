"""How soon the page is there, and what it takes when every room has been used: `python -m tests.opening`.

Starts `python app.py` on loopback and times three moments: the page is served, a visitor can press a button, and every room
has been opened. Then each task's endpoint is called once, and the memory of the process is read. Prints a line for each.
"""

import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
import skimage.data
from gradio_client import Client, handle_file
from PIL import Image
from playwright.sync_api import sync_playwright

from demos import DEMOS
from gm_core.datasets.facades import LABEL_COLOURS
from tests.browser.conftest import FLAGS
from tests.browser.rooms import enter
from tests.hubs import free_port
from tests.served import ROOT


def use_every_task(url: str, folder: Path) -> None:
    """Each room's endpoint, once, with its own settings."""
    photograph, drawing, mask = folder / "photograph.png", folder / "drawing.png", folder / "mask.png"
    Image.fromarray(skimage.data.astronaut()).save(photograph)
    Image.new("RGB", (256, 256), LABEL_COLOURS[1]).save(drawing)
    Image.new("L", (512, 512)).save(mask)
    with Image.open(mask) as black:
        black.paste(255, (200, 200, 300, 300))
        black.save(mask)
    client = Client(url, verbose=False, download_files=str(folder))
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    for name in ("srgan", "style_transfer", "inpainting", "cyclegan"):
        if f"/{name}" in endpoints:
            masked = {"mask": handle_file(mask)} if name == "inpainting" else {}
            client.predict(image=handle_file(photograph), **masked, api_name=f"/{name}")
    client.predict(image=handle_file(drawing), api_name="/pix2pix")
    client.predict("A small blue bird.", api_name="/text_to_image")
    game = client.predict(api_name="/quiz_start")
    client.predict(game["game"], api_name="/quiz_round")


def main() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        server = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL)
        try:
            while True:
                try:
                    urllib.request.urlopen(url, timeout=2).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        sys.exit("The gallery did not open.")
                    time.sleep(0.02)
            served = time.monotonic() - began
            page.goto(url)
            page.wait_for_selector(".door:visible")
            ready = time.monotonic() - began
            process = psutil.Process(server.pid)
            at_first = process.memory_info().rss
            for demo in DEMOS:
                enter(page, demo.title)
            use_every_task(url, Path(scratch))
            used = process.memory_info().rss
            sys.stdout.write(f"served after {served:.1f} s, in the visitor's hands after {ready:.1f} s\n"
                             f"memory at first {at_first / 1e6:.0f} MB, all rooms used {used / 1e6:.0f} MB\n")
        finally:
            server.terminate()
            server.wait(30)
            browser.close()


if __name__ == "__main__":
    main()
