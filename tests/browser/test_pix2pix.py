"""A visitor at the drawing table, with tiny networks where trained ones do not ship yet."""

import base64
import contextlib
import io

import numpy as np
import pytest
from PIL import Image

from gm_core.datasets import facades, portraits
from gm_core.drawings import LINE
from tests.browser.rooms import enter
from tests.served import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """Address of a gallery in which the rooms of CycleGAN and pix2pix hang."""
    with serving(tmp_path_factory.mktemp("translation"), "-m", "tests.translation_records") as url:
        yield url


@contextlib.contextmanager
def opened(browser, address, tab, selector, width=1280):
    """A page in the room. Fails on any script error, and on any request that leaves this machine."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda sent: None if sent.url.startswith((address, "data:", "blob:")) else errors.append(sent.url))
    page.goto(address)
    enter(page, tab)
    page.wait_for_selector(selector)
    yield page
    page.close()
    assert not errors, errors


@pytest.fixture
def room(browser, served):
    with opened(browser, served, "pix2pix", "#pix2pix-run") as page:
        page.wait_for_selector("#pix2pix-canvas .easel-palette button")
        yield page


def result(page):
    """The picture's address."""
    return page.locator("#pix2pix-result img").get_attribute("src")


def wait_for_another(page, before):
    page.wait_for_function("before => document.querySelector('#pix2pix-result img')?.src !== before", arg=before)


def drawing(page):
    """The table's pixels, (256, 256, 3)."""
    url = page.evaluate("document.querySelector('#pix2pix-canvas canvas').toDataURL('image/png')")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))


def drag(page, start, end):
    """From one place to another, in shares of the table's sides."""
    table = page.locator("#pix2pix-canvas canvas")
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    spots = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)]
    page.mouse.move(*spots[0])
    page.mouse.down()
    page.mouse.move(*spots[1], steps=6)
    page.mouse.up()


def test_the_picture_follows_the_drawing_and_undo_takes_it_back(room):
    hung, before = result(room), drawing(room)
    room.click("#pix2pix-canvas [data-tool=box]")
    room.click("#pix2pix-canvas [data-name=door]")
    drag(room, (0.3, 0.3), (0.5, 0.6))
    wait_for_another(room, hung)
    after = drawing(room)
    changed = (after != before).any(2)
    assert set(map(tuple, after[changed])) == {facades.LABEL_COLOURS[facades.LABELS.index("door")]}
    drawn = result(room)
    room.click("#pix2pix-canvas [data-do=undo]")
    wait_for_another(room, drawn)
    assert np.array_equal(drawing(room), before)


def test_brush_bucket_and_eraser_leave_no_mixed_colour(room):
    room.click("#pix2pix-canvas [data-do=clear]")
    room.click("#pix2pix-canvas [data-name=balcony]")
    drag(room, (0.1, 0.2), (0.9, 0.7))
    room.click("#pix2pix-canvas [data-tool=bucket]")
    room.click("#pix2pix-canvas [data-name=wall]")
    drag(room, (0.1, 0.9), (0.1, 0.9))
    room.click("#pix2pix-canvas [data-tool=eraser]")
    drag(room, (0.5, 0.1), (0.5, 0.9))
    names = {facades.LABELS[facades.LABEL_COLOURS.index(tuple(map(int, colour)))]
             for colour in np.unique(drawing(room).reshape(-1, 3), axis=0)}
    assert names == {"background", "wall", "balcony"}


def test_samples_templates_and_another_checkpoint(room):
    room.click("#pix2pix-several")
    room.wait_for_function("document.querySelectorAll('#pix2pix-wall .thumbnail-lg').length == 4")
    before = drawing(room)
    hung = result(room)
    room.locator("#pix2pix-template").get_by_text("A palace").click()
    wait_for_another(room, hung)
    assert not np.array_equal(drawing(room), before)
    room.locator("#pix2pix-checkpoint").get_by_text("Colour a photograph").click()
    room.wait_for_selector("#pix2pix-picture input[type=file]", state="attached")
    room.click("#pix2pix-run")
    room.wait_for_selector("text=There is no picture yet")


def test_a_photograph_is_no_map(room, photograph):
    room.get_by_text("Bring a label map").click()
    room.set_input_files("#pix2pix-map input[type=file]", photograph)
    room.wait_for_selector("text=This picture is no label map")


def test_another_door_hangs_its_own_picture_and_lines_alone_will_do(room):
    hung = result(room)
    room.locator("#pix2pix-checkpoint").get_by_text("pix2pix-portraits-256").click()
    wait_for_another(room, hung)
    hung = result(room)
    room.locator("#pix2pix-template").get_by_text("Lines alone").click()
    wait_for_another(room, hung)
    assert set(map(tuple, np.unique(drawing(room).reshape(-1, 3), axis=0))) == {portraits.LABEL_COLOURS[0], LINE}
