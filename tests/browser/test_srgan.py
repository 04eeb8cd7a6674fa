"""A visitor in the room of super-resolution."""

import io

import numpy as np
import pytest
from PIL import Image

from gm_core.images import read_parameters
from tests.browser.rooms import enter

pytestmark = pytest.mark.browser


@pytest.fixture
def small(photograph, tmp_path):
    path = tmp_path / "cat.png"
    with Image.open(photograph) as image:
        image.crop((100, 0, 228, 128)).save(path)
    return path


@pytest.fixture
def room(page):
    enter(page, "Super-resolution")
    return page


def upload_and_run(page, path):
    page.set_input_files("#srgan-picture input[type=file]", path)
    page.wait_for_selector("#srgan-picture img")
    page.click("#srgan-run")
    page.wait_for_selector("#srgan-download:visible")
    page.wait_for_selector("#srgan-run:enabled")


@pytest.mark.parametrize("page", [1280, 390], indirect=True)
def test_a_photograph_becomes_four_times_larger_and_can_be_taken_home(room, small, tmp_path):
    upload_and_run(room, small)
    assert "512 x 512" in room.inner_text(".museum-label:visible")
    with room.expect_download() as download:
        room.click("#srgan-download")
    path = tmp_path / "result.png"
    download.value.save_as(path)
    with Image.open(path) as large:
        assert large.size == (512, 512)
    assert read_parameters(path)["checkpoint"] == "srgan-x4"
    assert room.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"


def test_the_experiment_shows_the_table_and_the_original(room, small):
    room.click("text=Settings >> visible=true")
    room.click("#srgan-shrink input")
    upload_and_run(room, small)
    room.wait_for_selector("table.figures")
    rows = room.locator("table.figures tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["Bicubic", "SRGAN x4", "SRResNet x4"]
    assert room.locator("#srgan-method").get_by_text("Original").count() == 1


def test_a_click_on_the_photograph_moves_the_detail_and_the_switch_changes_it(room, small):
    upload_and_run(room, small)

    def detail():
        room.wait_for_timeout(1500)
        room.wait_for_selector("#srgan-detail img")
        return np.asarray(Image.open(io.BytesIO(room.locator("#srgan-detail img").screenshot()))).astype(int)

    before = detail()
    photograph = room.locator("#srgan-picture img")
    box = photograph.bounding_box()
    photograph.click(position={"x": box["width"] / 2 - 40, "y": box["height"] / 2 - 40})
    moved = detail()
    assert np.abs(before - moved).mean() > 5
    room.locator("#srgan-method").get_by_text("Bicubic").click()
    assert 0.3 < np.abs(moved - detail()).mean() < np.abs(before - moved).mean()


def test_a_result_that_comes_back_restores_its_settings(room, small, tmp_path):
    room.click("text=Settings >> visible=true")
    room.click("#srgan-shrink input")
    upload_and_run(room, small)
    with room.expect_download() as download:
        room.click("#srgan-download")
    path = tmp_path / "result.png"
    download.value.save_as(path)
    room.reload()
    enter(room, "Super-resolution")
    room.click("text=Settings >> visible=true")
    assert not room.locator("#srgan-shrink input").is_checked()
    room.set_input_files("#srgan-picture input[type=file]", path)
    room.wait_for_selector("text=The settings of this picture are restored")
    assert room.locator("#srgan-shrink input").is_checked()


def test_nothing_and_nonsense_get_a_sentence(room, tmp_path):
    room.click("#srgan-run")
    room.wait_for_selector("text=There is no picture yet")
    broken = tmp_path / "photo.png"
    broken.write_bytes(b"these are words")
    room.set_input_files("#srgan-picture input[type=file]", broken)
    room.wait_for_timeout(1000)
    room.click("#srgan-run")
    room.wait_for_selector("text=not a picture that can be read here")
    assert room.locator("#srgan-run").is_enabled()


def test_stop_really_stops_and_tiles_arrive_before(room, browser, gallery_url, photograph, small, tmp_path):
    """A large picture is stopped after some tiles; a second visitor, who waited in the line, is served at once."""
    large = tmp_path / "large.png"
    with Image.open(photograph) as image:
        image.resize((1900, 1300)).save(large)
    room.set_input_files("#srgan-picture input[type=file]", large)
    room.wait_for_selector("#srgan-picture img")
    room.click("#srgan-run")
    room.wait_for_selector("text=/tile \\d+ of 48/")

    other = browser.new_page()
    other.goto(gallery_url)
    enter(other, "Super-resolution")
    other.set_input_files("#srgan-picture input[type=file]", small)
    other.wait_for_selector("#srgan-picture img")
    other.click("#srgan-run")
    other.wait_for_selector("text=One visitor is before you")

    room.click("#srgan-stop")
    other.wait_for_selector("#srgan-download:visible", timeout=20_000)
    assert "512 x 512" in other.inner_text(".museum-label:visible")
    other.close()
    room.wait_for_selector("#srgan-run:enabled")
    assert not room.locator("#srgan-download").is_visible()
