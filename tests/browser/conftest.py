"""A real Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("The browser tests need Chromium. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, gallery_url: str, request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[Page]:
    """A page at the gallery's door. Fails the test on any script error, on anything that the page's policy refuses, and on any
    request that leaves this machine."""
    width = getattr(request, "param", 1280)
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
    page.on("request", lambda sent: None if sent.url.startswith((gallery_url, "data:", "blob:")) else errors.append(sent.url))
    page.goto(gallery_url)
    page.wait_for_selector(".door:visible")
    yield page
    page.screenshot(path=tmp_path_factory.mktemp("screens") / f"{request.node.name[:60].replace('/', '-')}.png", full_page=True)
    page.close()
    assert not errors, errors


@pytest.fixture(scope="session")
def photograph() -> Path:
    import skimage

    return Path(skimage.__file__).parent / "data" / "chelsea.png"
