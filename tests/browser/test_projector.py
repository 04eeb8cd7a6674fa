"""The gallery on a lecture hall's wall."""

import pytest

from demos import DEMOS
from tests.browser.rooms import enter, visiting

pytestmark = pytest.mark.browser

SIZES = """() => {
    const found = {};
    const asked = ['.door h2', '.door p', '.museum-label .work', '.museum-label div', '.aside', '.quiz-ask', 'button.primary',
                   '[data-testid="block-info"]', 'fieldset label', 'button[role="tab"]', '.easel-palette button'];
    for (const selector of asked) for (const one of document.querySelectorAll(selector)) if (one.checkVisibility())
        found[selector] = Math.min(found[selector] ?? 999, Number.parseFloat(getComputedStyle(one).fontSize));
    return found;
}"""


def test_every_room_is_readable_from_the_last_row(browser, gallery_url):
    with visiting(browser, gallery_url) as near, visiting(browser, f"{gallery_url}?projector=1") as far:
        for demo in DEMOS:
            sizes, widths = [], []
            for page in (near, far):
                enter(page, demo.title)
                page.wait_for_selector(f"#{demo.name}-result img")
                page.wait_for_timeout(500)
                sizes.append(page.evaluate(SIZES))
                widths.append(page.locator(f"#{demo.name}-result").bounding_box()["width"])
            assert set(sizes[0]) == set(sizes[1]) and len(sizes[0]) >= 4
            for selector, size in sizes[1].items():
                assert size >= 18 and size > 1.2 * sizes[0][selector], f"{demo.name}: {selector} {sizes[0][selector]}, {size}"
            assert sizes[1].get(".museum-label div", 24) >= 21 and sizes[1].get(".museum-label .work", 30) >= 21
            assert widths[1] >= widths[0], f"{demo.name}: the work becomes smaller"
            assert far.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), demo.name
        assert near.locator("#credits").is_visible() and not far.locator("#credits").is_visible()


def test_the_switch_is_told_kept_and_taken_back(browser, gallery_url):
    with visiting(browser, gallery_url) as page:
        page.wait_for_selector('#projector[aria-pressed="false"]')
        page.click("#projector")
        page.wait_for_selector('#projector[aria-pressed="true"]')
        page.click("#night")
        assert "projector=1" in page.url and "__theme=dark" in page.url
        page.click(".languages a[lang=ru]")
        page.wait_for_selector('html.projector #projector[aria-pressed="true"]')
        page.wait_for_selector("body.dark")
        assert page.evaluate("document.documentElement.lang") == "ru"
        page.click("#projector")
        page.wait_for_selector('html:not(.projector) #projector[aria-pressed="false"]')
        assert "projector" not in page.url
