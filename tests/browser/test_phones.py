"""Every room on a phone of 390 pixels."""

import pytest

from demos import DEMOS
from demos.languages import catalogue
from tests.browser.rooms import enter, unfold, visiting

pytestmark = pytest.mark.browser

THUMB = 600
"""Pixels that one push of a thumb scrolls."""
LOW = """() => [...document.querySelectorAll('button, [role="tab"], select, textarea, input, label:has(input[type=radio], '
    + 'input[type=checkbox])')].filter((one) => !one.matches('[type=radio], [type=checkbox], [type=file]')
    && !one.closest('[aria-hidden=true]') && one.checkVisibility({opacityProperty: true, visibilityProperty: true})
    && one.getBoundingClientRect().height > 0 && one.getBoundingClientRect().height < 43.5)
    .map((one) => one.outerHTML.slice(0, 140) + ' ' + one.getBoundingClientRect().height)"""


def top(page, selector):
    return page.eval_on_selector(selector, "one => one.getBoundingClientRect().top + window.scrollY")


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_room_fits_a_phone_and_a_thumb(browser, gallery_url, language):
    said, told = catalogue(language).say, []
    with visiting(browser, f"{gallery_url}?language={language}", 390) as page:
        for demo in DEMOS:
            enter(page, said(demo.title))
            page.wait_for_selector(f"#{demo.name}-result img")
            tab = page.locator("#rooms > .tab-wrapper [role=tab][aria-selected=true]")
            if tab.evaluate("one => one.scrollWidth > one.clientWidth + 1"):
                told.append(f"{demo.name}: the name of the room is cut off")
            if page.locator(f"#{demo.name}-run").count():
                far = top(page, f"#{demo.name}-result") - top(page, f"#{demo.name}-run")
                stays = page.eval_on_selector(f"#{demo.name}-result", "one => getComputedStyle(one).position === 'sticky'")
                if not stays and not 0 <= far <= THUMB:
                    told.append(f"{demo.name}: the result is {far:.0f} pixels from the button")
            unfold(page)
            if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
                told.append(f"{demo.name} scrolls sideways")
            told += [f"{demo.name}: low: {control}" for control in page.evaluate(LOW)]
    assert not told, "\n".join(told)


def test_in_the_quiz_the_answer_and_the_next_round_are_a_push_away(browser, gallery_url):
    with visiting(browser, gallery_url, 390) as page:
        page.wait_for_selector('.quiz[data-phase="ask"]')
        assert top(page, ".quiz-frame") < 844, "the portraits hang below the first screen"
        page.click('[data-choice="left"]')
        page.wait_for_selector('.quiz[data-phase="told"]')
        assert top(page, ".quiz [data-on]") - top(page, ".quiz-frame") <= THUMB
        assert not page.evaluate(LOW)
