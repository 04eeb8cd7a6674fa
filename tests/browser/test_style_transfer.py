"""A visitor in the room of style transfer."""

import io

import numpy as np
import pytest
from PIL import Image

from gm_core.images import read_parameters
from gm_core.styles import STYLES
from tests.browser.rooms import enter

pytestmark = pytest.mark.browser


@pytest.fixture
def room(page):
    enter(page, "Style transfer")
    page.wait_for_selector("#style_transfer-run")
    page.wait_for_selector("#style_transfer-result img")
    return page


def framed(page):
    """The framed result as pixels, once it has stopped changing."""
    last = None
    for _ in range(60):
        page.wait_for_timeout(500)
        now = Image.open(io.BytesIO(page.locator("#style_transfer-result").screenshot())).convert("RGB").resize((120, 90))
        now = np.asarray(now).astype(int)
        if last is not None and np.array_equal(now, last):
            return now
        last = now
    raise AssertionError("the result never came to rest")


@pytest.mark.parametrize("page", [1280, 390], indirect=True)
def test_a_photograph_is_painted_and_can_be_taken_home(room, photograph, tmp_path):
    room.set_input_files("#style_transfer-picture input[type=file]", photograph)
    room.wait_for_selector("#style_transfer-picture img")
    room.click("#style_transfer-run")
    room.wait_for_selector("#style_transfer-download:visible")
    label = room.locator("#tab-style_transfer .museum-label, .museum-label:visible").last.inner_text()
    assert STYLES[0].painter in label and "apache-2.0" in label
    with room.expect_download() as download:
        room.click("#style_transfer-download")
    path = tmp_path / "painting.png"
    download.value.save_as(path)
    with Image.open(path) as painting, Image.open(photograph) as original:
        assert painting.size == original.size
    assert read_parameters(path)["style"] == STYLES[0].key
    assert room.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"


def test_a_click_on_a_painter_paints_at_once_even_before_a_picture_is_brought(room):
    before = framed(room)
    room.locator("#style_transfer-painters button.thumbnail-item").nth(2).click()
    room.wait_for_selector(f"text=After {STYLES[2].painter}")
    assert np.abs(framed(room) - before).mean() > 5


def test_two_painters_can_be_mixed(room):
    room.click("text=Mix and temper")
    room.click("#style_transfer-second input")
    room.get_by_role("option", name=STYLES[3].title).click()
    room.wait_for_selector(f"text=and {STYLES[3].painter}")


def test_a_painting_of_the_visitor_grows_and_stop_keeps_what_is_there(room, photograph):
    room.get_by_role("tab", name="Any painting").click()
    room.click("#style_transfer-optimise")
    room.wait_for_selector("text=There is no picture yet")
    room.set_input_files("#style_transfer-picture input[type=file]", photograph)
    room.set_input_files("#style_transfer-painting input[type=file]", photograph.with_name("rocket.jpg"))
    room.wait_for_selector("#style_transfer-painting img")
    room.click("#style_transfer-optimise")
    room.wait_for_selector("text=/Step \\d+ of 150/")
    room.click("#style_transfer-stop")
    room.wait_for_selector("text=painted step by step")
    room.wait_for_selector("#style_transfer-download:visible")
    assert room.locator("#style_transfer-optimise").is_enabled()
