"""A visitor in the room of inpainting: marks, tools, proposals, going on, comparing, beyond the frame."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from gm_core.images import read_parameters
from tests.browser.rooms import enter, set_slider, type_number

pytestmark = pytest.mark.browser

@pytest.fixture
def room(page):
    page.set_default_timeout(120_000)
    enter(page, "Inpainting")
    page.wait_for_selector("#inpainting-result img")
    return page


def bring(room, path):
    room.set_input_files("#inpainting-picture input[type=file]", path)
    room.wait_for_function("document.querySelector('.marker-marks')?.width > 10")
    room.locator(".marker-marks").scroll_into_view_if_needed()


def drag(room, *points):
    """The mouse over the canvas, from point to point, each 0..1 across and down."""
    room.locator(".marker-marks").scroll_into_view_if_needed()
    box = room.locator(".marker-marks").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    room.mouse.move(*at[0])
    room.mouse.down()
    for point in at[1:]:
        room.mouse.move(*point, steps=4)
    room.mouse.up()


def share(room):
    """Per cent that the room says is marked; 0 for nothing."""
    said = room.inner_text(".marker-share")
    return float(re.search(r"\d+", said)[0]) if "%" in said else 0.0


def run(room):
    room.click("#inpainting-run")
    room.wait_for_selector("#inpainting-stop", state="hidden")
    room.wait_for_selector("#inpainting-run:enabled")
    room.wait_for_selector("#inpainting-download:visible")


def taken_home(room, path):
    with room.expect_download() as download:
        room.click("#inpainting-download")
    download.value.save_as(path)
    with Image.open(path) as image:
        return image.convert("RGB")


@pytest.mark.parametrize("page", [1280, 390], indirect=True)
def test_what_is_marked_is_painted_over_and_the_rest_stays_to_the_bit(room, photograph, tmp_path):
    bring(room, photograph)
    room.click("[data-tool=box]")
    drag(room, (0.25, 0.3), (0.5, 0.6))
    assert share(room) == pytest.approx(7.5, abs=1.5)
    run(room)
    made = np.asarray(taken_home(room, tmp_path / "mended.png"))
    with Image.open(photograph) as image:
        original = np.asarray(image.convert("RGB"))
    change = (made != original).any(-1)
    height, width = change.shape
    inside = np.zeros_like(change)
    inside[round(0.3 * height) - 3 : round(0.6 * height) + 3, round(0.25 * width) - 3 : round(0.5 * width) + 3] = True
    assert not change[~inside].any()
    assert change[inside].mean() > 0.7
    parameters = read_parameters(tmp_path / "mended.png")
    assert parameters["task"] == "inpainting" and parameters["checkpoint"] == "inpaint-256"
    assert "mended" in room.locator(".museum-label:visible").inner_text()
    assert room.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"


def test_the_tools(room, photograph):
    bring(room, photograph)
    drag(room, (0.3, 0.3), (0.6, 0.3))
    brushed = share(room)
    assert 1 <= brushed <= 8
    room.click("[data-do=invert]")
    assert share(room) == pytest.approx(100 - brushed, abs=1)
    room.click("[data-do=invert]")
    assert share(room) == brushed
    room.click("[data-tool=eraser]")
    drag(room, (0.3, 0.3), (0.6, 0.3))
    assert share(room) <= 1
    room.click("[data-do=undo]")
    assert share(room) == brushed
    room.click("[data-do=clear]")
    assert share(room) == 0
    room.evaluate("() => { const s = document.querySelector('.marker-size input'); s.value = 120; "
                  "s.dispatchEvent(new Event('input', {bubbles: true})); }")
    room.click("[data-tool=brush]")
    drag(room, (0.3, 0.3), (0.6, 0.3))
    assert share(room) > 2 * brushed
    room.click("[data-do=clear]")
    room.click("[data-tool=box]")
    drag(room, (0.995, 0.005), (0.5, 0.5))  # fingers stop a little before the edge
    assert share(room) == 25
    room.locator(".marker-marks").focus()
    room.click("[data-do=clear]")
    room.locator(".marker-marks").press("Space")
    assert share(room) > 0, "marking works without a mouse"


def test_nothing_and_everything_get_a_sentence(room, photograph):
    room.click("#inpainting-run")
    room.wait_for_selector("text=There is no picture yet")
    bring(room, photograph)
    room.click("#inpainting-run")
    room.wait_for_selector("text=Nothing is marked yet. Paint over")
    room.click("[data-do=invert]")
    room.wait_for_selector("#inpainting-run:enabled")
    room.click("#inpainting-run")
    room.wait_for_selector("text=Everything is marked")
    room.wait_for_selector("#inpainting-run:enabled")


def test_proposals_can_be_chosen_gone_on_with_and_compared(room, photograph, tmp_path):
    bring(room, photograph)
    drag(room, (0.3, 0.3), (0.5, 0.4))
    room.click("text=Settings >> visible=true")
    set_slider(room, "inpainting-proposals", 2)
    run(room)
    first = taken_home(room, tmp_path / "first.png")
    room.wait_for_function("document.querySelectorAll('#inpainting-wall img').length === 2")
    room.locator("#inpainting-wall button.thumbnail-item").nth(1).click()
    room.wait_for_function("[...document.querySelectorAll('.museum-label')].some(l => l.innerText.includes('Seed 1'))")
    second = taken_home(room, tmp_path / "second.png")
    assert not np.array_equal(first, second)
    assert read_parameters(tmp_path / "second.png")["seed"] == 1

    room.click("#inpainting-compare")
    room.wait_for_selector("#inpainting-table table")
    assert [room.locator("#inpainting-table tbody th").nth(i).inner_text() for i in range(2)] == [
        "Telea, 2004", room.locator("#inpainting-table tbody th").nth(1).inner_text()]
    room.wait_for_function("document.querySelectorAll('#inpainting-comparison img').length === 4")

    room.click("#inpainting-again")
    room.wait_for_selector("text=The result is on the canvas now")
    room.wait_for_function("document.querySelector('.marker-share').innerText.startsWith('Nothing')")
    room.click("[data-tool=box]")
    drag(room, (0.7, 0.7), (0.8, 0.8))
    run(room)
    third = taken_home(room, tmp_path / "third.png")
    change = (np.asarray(third) != np.asarray(second)).any(-1)
    height, width = change.shape
    assert change.any() and not change[: round(0.65 * height)].any() and not change[:, : round(0.65 * width)].any()


def test_a_photograph_is_continued_beyond_its_frame(room, photograph, tmp_path):
    bring(room, photograph)
    room.click("text=Beyond the frame")
    type_number(room, "inpainting-left", 40)
    type_number(room, "inpainting-bottom", 32)
    run(room)
    with Image.open(photograph) as image:
        original = np.asarray(image.convert("RGB"))
    made = np.asarray(taken_home(room, tmp_path / "larger.png"))
    assert made.shape == (original.shape[0] + 32, original.shape[1] + 40, 3)
    assert np.array_equal(made[:-32, 40:], original)
    assert "continued" in room.locator(".museum-label:visible").inner_text()
    assert not room.locator("#inpainting-compare").is_visible(), "nobody knows what is there"


def test_another_picture_can_be_brought_and_a_result_brings_its_settings(room, photograph, tmp_path):
    bring(room, photograph)
    room.click("[data-do=another]")
    room.wait_for_selector("#inpainting-picture input[type=file]", state="attached")
    room.wait_for_selector("#inpainting-canvas", state="hidden")
    from gm_core.images import save_png

    result = save_png(Image.new("RGB", (120, 90), "teal"), tmp_path / "result.png",
                      {"task": "inpainting", "checkpoint": "inpaint-256", "feather": 9, "seed": 7})
    room.set_input_files("#inpainting-picture input[type=file]", result)
    room.wait_for_function("document.querySelector('.marker-marks')?.width === 120")
    room.click("text=Settings >> visible=true")
    expect(room.locator("#inpainting-seed input")).to_have_value("7")
    expect(room.locator("#inpainting-feather input[type=number]")).to_have_value("9")


def test_the_canvas_shows_the_photograph_itself(room, photograph):
    bring(room, photograph)
    url = room.evaluate("document.querySelector('.marker-picture').toDataURL('image/png')")
    seen = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    with Image.open(photograph) as image:
        assert seen.size == image.size
        assert np.abs(np.asarray(seen).astype(int) - np.asarray(image.convert("RGB"))).mean() < 4
