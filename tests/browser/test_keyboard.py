"""A visitor without a mouse."""

from contextlib import suppress

import pytest
from playwright.sync_api import TimeoutError

from tests.browser.rooms import visiting

pytestmark = pytest.mark.browser

SEEN = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect(), style = getComputedStyle(one);
    return {name: one.outerHTML.slice(0, 140), body: one === document.body, outline: style.outlineStyle === 'none' ? 0
        : Number.parseFloat(style.outlineWidth), area: box.width * box.height, opacity: Number(style.opacity)};
}"""


def walk(page, selector, key="Tab", most=90):
    """Presses Tab until the element has the focus. Each stop on the way must be seen, and none may hold the visitor."""
    before = None
    for _ in range(most):
        page.keyboard.press(key)
        stop = page.evaluate(SEEN)
        here = page.evaluate_handle("document.activeElement")
        if not stop["body"]:
            assert stop["outline"] >= 2 and stop["area"] > 0 and stop["opacity"] > 0, f"unseen: {stop['name']}"
            assert before is None or not page.evaluate("([a, b]) => a === b", [before, here]), f"a trap: {stop['name']}"
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        before = here
    raise AssertionError(f"{most} steps of {key} do not lead to {selector}")


def choose_file(page):
    """Presses Space where a file is chosen. Chromium opens the chooser within seconds of the key or not at all: on a machine
    that was too busy for that a visitor presses once more."""
    for _ in range(3):
        with suppress(TimeoutError), page.expect_file_chooser(timeout=20_000):
            page.keyboard.press("Space")
            return
    raise AssertionError("Space opens no chooser")


def test_a_photograph_is_enlarged_by_keys_alone(browser, gallery_url, photograph):
    with visiting(browser, gallery_url) as page:
        page.wait_for_selector("#quiz-result .quiz-frame")
        walk(page, "#tab-srgan-button")
        page.keyboard.press("Enter")
        page.wait_for_selector("#srgan-result img")
        walk(page, "#srgan-picture .upload-container")
        choose_file(page)
        walk(page, ".gallery-item:nth-child(2)")
        page.keyboard.press("Enter")
        page.wait_for_selector("#srgan-picture img")
        walk(page, "#srgan-run")
        page.keyboard.press("Enter")
        page.wait_for_selector("#srgan-download:visible")
        assert "four times larger" in page.inner_text("#tab-srgan .museum-label")
        walk(page, "#srgan-download, #srgan-download *")
        walk(page, "#srgan-run", "Shift+Tab")


def test_the_quiz_is_played_by_tab_and_enter(browser, gallery_url):
    with visiting(browser, gallery_url) as page:
        page.wait_for_selector('.quiz[data-phase="ask"][data-number="1"]')
        walk(page, ".quiz-frame[data-choice='right']")
        page.keyboard.press("Enter")
        page.wait_for_selector('.quiz[data-phase="told"][data-number="1"]')
        walk(page, ".quiz [data-heat]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".quiz.cool")
        walk(page, ".quiz [data-on]", "Shift+Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector('.quiz[data-phase="ask"][data-number="2"]')
        page.keyboard.press("ArrowLeft")
        page.wait_for_selector('.quiz[data-phase="told"][data-number="2"]')
        walk(page, "#quiz-level input")


def test_a_house_is_drawn_with_arrows_and_space(browser, gallery_url):
    with visiting(browser, gallery_url) as page:
        page.wait_for_selector("#quiz-result .quiz-frame")
        walk(page, "#tab-pix2pix-button")
        page.keyboard.press("Enter")
        page.wait_for_selector("#pix2pix-canvas .easel-palette button")
        walk(page, ".easel-palette button")
        chosen = page.locator(".easel-palette [aria-checked=true]")
        before = chosen.inner_text()
        page.keyboard.press("ArrowRight")
        assert chosen.inner_text() != before
        assert page.evaluate("document.activeElement.getAttribute('aria-checked')") == "true"
        walk(page, "#pix2pix-canvas canvas")
        hung = page.get_attribute("#pix2pix-result img", "src")
        for key in ("ArrowUp", "ArrowUp", "Space", "ArrowRight", "Space"):
            page.keyboard.press(key)
        page.wait_for_function("hung => document.querySelector('#pix2pix-result img')?.src !== hung", arg=hung)
        walk(page, "#pix2pix-canvas [data-do=undo]")
        page.keyboard.press("Enter")
        walk(page, "#pix2pix-run")
