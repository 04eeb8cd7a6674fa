"""The page under its Content-Security-Policy: every room works, nothing is refused, and what was smuggled in does not run."""

import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from demos import DEMOS
from tests.browser.rooms import enter
from tests.test_safety import upload

pytestmark = pytest.mark.browser

LISTEN = """document.addEventListener('securitypolicyviolation',
    event => console.error('VIOLATION ' + event.effectiveDirective + ' ' + event.blockedURI + ' ' + event.sample));"""


@pytest.fixture
def visit(browser, gallery_url):
    """A page, and the list of what its policy refused, in it and in its frames."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    context.add_init_script(LISTEN)
    page, refused = context.new_page(), []
    page.set_default_timeout(120_000)
    words = re.compile("VIOLATION|Content Security Policy")
    page.on("console", lambda line: refused.append(line.text) if words.search(line.text) else None)
    page.on("response", lambda reply: refused.append(f"{reply.status} {reply.url}") if reply.status in (403, 404) else None)
    page.goto(gallery_url)
    yield page, refused
    context.close()


@pytest.fixture
def small(photograph, tmp_path):
    with Image.open(photograph) as image:
        image.crop((100, 0, 164, 64)).save(tmp_path / "cat.png")
    return tmp_path / "cat.png"


def test_no_room_meets_a_refusal(visit, small):
    page, refused = visit
    for demo in DEMOS:
        enter(page, demo.title)
        page.wait_for_selector(f"#{demo.name}-result img, #{demo.name}-result canvas")
        page.locator("text=How it works").locator("visible=true").click()
        page.wait_for_selector(".wall-text .katex:visible")
        assert not refused, f"{demo.name}: {refused}"
    page.click("text=Credits and licences")
    page.click("#night")

    enter(page, "Super-resolution")
    page.set_input_files("#srgan-picture input[type=file]", small)
    page.wait_for_selector("#srgan-picture img")
    page.click("#srgan-run")
    page.wait_for_selector("#srgan-download:visible")
    with page.expect_download():
        page.click("#srgan-download")

    enter(page, "Check a checkpoint")
    page.click("#check-task input")
    page.get_by_role("option", name="Super-resolution").click()
    page.wait_for_selector("#check-chosen >> text=SRResNet x4")
    page.set_input_files("#check-inputs input[type=file]", small)
    page.wait_for_selector("#check-inputs >> text=cat")
    page.click("#check-run")
    report = page.frame_locator("#check-result iframe")
    report.locator("#wall figure").first.wait_for()
    report.locator("#tools [data-zoom='4']").click()
    report.get_by_role("button", name="Difference").click()
    report.locator("#wall canvas").first.wait_for()
    with page.expect_download():
        page.click("#check-report-file")

    enter(page, "Style transfer")
    page.locator("#style_transfer-painters button.thumbnail-item").nth(2).click()
    page.wait_for_selector("#style_transfer-result img")

    enter(page, "pix2pix")
    page.wait_for_selector("#pix2pix-canvas .easel-palette button")
    before = page.locator("#pix2pix-result img").get_attribute("src")
    box = page.locator("#pix2pix-canvas canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 90, steps=4)
    page.mouse.up()
    page.wait_for_function("before => document.querySelector('#pix2pix-result img')?.src !== before", arg=before)

    enter(page, "Which face is fake?")
    page.wait_for_selector('.quiz[data-phase="ask"]')
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector('.quiz[data-phase="told"]')
    page.get_by_role("tab", name="Everybody so far").click()
    page.wait_for_selector("#quiz-results")
    assert not refused, refused


def test_what_is_smuggled_into_the_page_does_not_run_and_is_noticed(visit):
    page, refused = visit
    page.wait_for_selector(".door:visible")
    assert not refused, refused
    page.evaluate("""() => {
        document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.ran = 1">');
        const script = document.createElement('script');
        script.textContent = 'window.ran = 2';
        document.body.append(script);
        const far = document.createElement('script');
        far.src = 'http://127.0.0.2:8765/far.js';
        document.body.append(far);
        document.body.insertAdjacentHTML('beforeend', '<iframe srcdoc="<script>parent.ran = 3</script>"></iframe>');
        return fetch('http://127.0.0.2:8765/away').catch(() => null);
    }""")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.ran") is None
    noticed = " ".join(refused)
    for directive in ("script-src-attr", "script-src-elem", "connect-src"):
        assert f"VIOLATION {directive}" in noticed, noticed


def test_a_stranger_s_page_cannot_frame_the_gallery(browser, gallery_url, tmp_path):
    """A page of another port, which is another origin, gets an error in its frame; the visitor's own text it may show."""
    text = f"gradio_api/file={upload(gallery_url, 'text.txt', b'hello')}"
    frames = [f'<iframe src="{gallery_url}{path}"></iframe>' for path in ("", "room", text)]
    (tmp_path / "index.html").write_text(f"<html>{''.join(frames)}</html>")
    stranger = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    threading.Thread(target=stranger.serve_forever, daemon=True).start()
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{stranger.server_port}/", wait_until="load", timeout=120_000)
        addresses = [frame.url for frame in page.frames[1:]]
    finally:
        page.close()
        stranger.shutdown()
        stranger.server_close()
    assert addresses == ["chrome-error://chromewebdata/", "chrome-error://chromewebdata/", gallery_url + text]
