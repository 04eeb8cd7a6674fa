"""A visitor in the room of CycleGAN, with tiny networks where trained ones do not ship yet."""

import numpy as np
import pytest
from PIL import Image

from gm_core.images import read_parameters
from tests.browser.test_pix2pix import opened, served

__all__ = ["served"]
pytestmark = pytest.mark.browser


@pytest.fixture
def room(browser, served, request):
    with opened(browser, served, "CycleGAN", "#cyclegan-run", getattr(request, "param", 1280)) as page:
        page.wait_for_selector("#cyclegan-cycle img")
        yield page


@pytest.fixture
def small(photograph, tmp_path):
    path = tmp_path / "cat.png"
    with Image.open(photograph) as image:
        image.crop((100, 0, 228, 96)).save(path)
    return path


def translate(page, path):
    page.set_input_files("#cyclegan-picture input[type=file]", path)
    page.wait_for_selector("#cyclegan-picture img")
    page.click("#cyclegan-run")
    page.wait_for_selector("#cyclegan-download:visible")
    page.wait_for_selector("#cyclegan-run:enabled")


@pytest.mark.parametrize("room", [1280, 390], indirect=True)
def test_a_photograph_goes_there_and_back_and_can_be_taken_home(room, small, tmp_path):
    assert room.locator("#cyclegan-cycle .thumbnail-lg").count() == 4, "a cycle hangs here already"
    translate(room, small)
    assert "from photograph to painting by Monet" in room.locator(".museum-label:visible").last.inner_text()
    captions = room.locator("#cyclegan-cycle .caption-label").all_inner_texts()
    assert [caption.split(":")[0] for caption in captions] == ["A", "G(A)", "F(G(A))", "what was lost"]
    assert float(room.inner_text("#cyclegan-error b")) > 0
    with room.expect_download() as download:
        room.click("#cyclegan-download")
    path = tmp_path / "result.png"
    download.value.save_as(path)
    with Image.open(path) as made:
        assert made.size == (128, 96)
    assert read_parameters(path)["direction"] == "AtoB"
    assert room.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"


def test_again_and_again_and_what_is_hidden(room, small):
    translate(room, small)
    room.click("#cyclegan-again")
    room.wait_for_selector("text=After 10 cycles")
    assert room.locator("#cyclegan-more .thumbnail-lg").count() == 11
    room.wait_for_selector("#cyclegan-again:enabled")
    room.click("#cyclegan-look")
    room.wait_for_selector("text=Coded as a small JPEG")
    assert room.locator("#cyclegan-more .thumbnail-lg").count() == 4


def test_the_other_way_and_the_other_checkpoint(room, small):
    room.locator("#cyclegan-direction").get_by_text("painting by Monet to photograph").click()
    translate(room, small)
    room.wait_for_selector("text=from painting by Monet to photograph")
    room.click("#cyclegan-checkpoint input")
    room.get_by_role("option", name="cyclegan-seasons").click()
    room.wait_for_selector("#cyclegan-direction >> text=summer to winter")
    room.click("#cyclegan-run")
    room.wait_for_selector("text=Your picture, from summer to winter")


def test_nonsense_gets_a_sentence(room, tmp_path):
    tiny = tmp_path / "tiny.png"
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tiny)
    room.set_input_files("#cyclegan-picture input[type=file]", tiny)
    room.wait_for_selector("#cyclegan-picture img")
    room.click("#cyclegan-run")
    room.wait_for_selector("text=9 x 9 pixels; at least 16")
    assert room.locator("#cyclegan-run").is_enabled()
