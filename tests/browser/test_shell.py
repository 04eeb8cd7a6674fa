"""What surrounds the rooms."""

import pytest

from demos import DEMOS
from gm_core.checkpoints import CHECKPOINTS
from tests.browser.rooms import enter

pytestmark = pytest.mark.browser


def test_every_room_has_a_door_a_hung_picture_and_a_wall_text(page):
    for demo in DEMOS:
        enter(page, demo.title)
        page.wait_for_selector(f"#{demo.name}-result img")
        assert page.locator("h2:visible").inner_text() == demo.title
        page.locator("text=How it works").locator("visible=true").click()
        page.wait_for_selector(".wall-text .katex:visible")
        assert page.locator(".drawing svg:visible").count() == 1


def test_the_credits_name_every_checkpoint_with_its_licence(page):
    page.click("text=Credits and licences")
    page.wait_for_selector("table.credits")
    text = page.inner_text("table.credits")
    for checkpoint in CHECKPOINTS:
        assert checkpoint.title in text and checkpoint.licence in text


def test_night_and_projector_change_the_page(page):
    enter(page, "Super-resolution")
    day = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("#night")
    page.wait_for_function("day => getComputedStyle(document.body).backgroundColor !== day", arg=day)
    size = page.evaluate("parseFloat(getComputedStyle(document.querySelector('.museum-label')).fontSize)")
    page.click("#projector")
    assert page.evaluate("parseFloat(getComputedStyle(document.querySelector('.museum-label')).fontSize)") > 1.3 * size
