"""A visitor in the room of super-resolution."""

import io

import numpy as np
import pytest
from PIL import Image

from gm_core.images import read_parameters

pytestmark = pytest.mark.browser


@pytest.fixture
def small(photograph, tmp_path):
    path = tmp_path / "cat.png"
    with Image.open(photograph) as image:
        image.crop((100, 0, 228, 128)).save(path)
    return path


def upload_and_run(page, path):
    page.set_input_files("#srgan-picture input[type=file]", path)
    page.wait_for_selector("#srgan-picture img")
    page.click("#srgan-run")
    page.wait_for_selector("#srgan-download:visible")
    page.wait_for_selector("#srgan-run:enabled")


@pytest.mark.parametrize("page", [1280, 390], indirect=True)
def test_a_photograph_becomes_four_times_larger_and_can_be_taken_home(page, small, tmp_path):
    upload_and_run(page, small)
    assert "512 x 512" in page.inner_text(".museum-label")
    with page.expect_download() as download:
        page.click("#srgan-download")
    path = tmp_path / "result.png"
    download.value.save_as(path)
    with Image.open(path) as large:
        assert large.size == (512, 512)
    assert read_parameters(path)["checkpoint"] == "srgan-x4"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"


def test_the_experiment_shows_the_table_and_the_original(page, small):
    page.click("text=Settings")
    page.click("#srgan-shrink input")
    upload_and_run(page, small)
    page.wait_for_selector("table.figures")
    rows = page.locator("table.figures tbody tr").all_inner_texts()
    assert [row.split("\t")[0] for row in rows] == ["Bicubic", "SRGAN x4", "SRResNet x4"]
    assert page.locator("#srgan-method").get_by_text("Original").count() == 1


def test_a_click_on_the_photograph_moves_the_detail_and_the_switch_changes_it(page, small):
    upload_and_run(page, small)

    def detail():
        page.wait_for_timeout(1500)
        page.wait_for_selector("#srgan-detail img")
        return np.asarray(Image.open(io.BytesIO(page.locator("#srgan-detail img").screenshot()))).astype(int)

    before = detail()
    photograph = page.locator("#srgan-picture img")
    box = photograph.bounding_box()
    photograph.click(position={"x": box["width"] / 2 - 40, "y": box["height"] / 2 - 40})
    moved = detail()
    assert np.abs(before - moved).mean() > 5
    page.locator("#srgan-method").get_by_text("Bicubic").click()
    assert 0.3 < np.abs(moved - detail()).mean() < np.abs(before - moved).mean()


def test_a_result_that_comes_back_restores_its_settings(page, small, tmp_path):
    page.click("text=Settings")
    page.click("#srgan-shrink input")
    upload_and_run(page, small)
    with page.expect_download() as download:
        page.click("#srgan-download")
    path = tmp_path / "result.png"
    download.value.save_as(path)
    page.reload()
    page.wait_for_selector("#srgan-run")
    page.click("text=Settings")
    assert not page.locator("#srgan-shrink input").is_checked()
    page.set_input_files("#srgan-picture input[type=file]", path)
    page.wait_for_selector("text=The settings of this picture are restored")
    assert page.locator("#srgan-shrink input").is_checked()


def test_nothing_and_nonsense_get_a_sentence(page, tmp_path):
    page.click("#srgan-run")
    page.wait_for_selector("text=There is no picture yet")
    broken = tmp_path / "photo.png"
    broken.write_bytes(b"these are words")
    page.set_input_files("#srgan-picture input[type=file]", broken)
    page.wait_for_timeout(1000)
    page.click("#srgan-run")
    page.wait_for_selector("text=not a picture that can be read here")
    assert page.locator("#srgan-run").is_enabled()


def test_stop_really_stops_and_tiles_arrive_before(page, browser, gallery_url, photograph, small, tmp_path):
    """A large picture is stopped after some tiles; a second visitor, who waited in the line, is served at once."""
    large = tmp_path / "large.png"
    with Image.open(photograph) as image:
        image.resize((1900, 1300)).save(large)
    page.set_input_files("#srgan-picture input[type=file]", large)
    page.wait_for_selector("#srgan-picture img")
    page.click("#srgan-run")
    page.wait_for_selector("text=/tile \\d+ of 70/")

    other = browser.new_page()
    other.goto(gallery_url)
    other.wait_for_selector("#srgan-run")
    other.set_input_files("#srgan-picture input[type=file]", small)
    other.wait_for_selector("#srgan-picture img")
    other.click("#srgan-run")
    other.wait_for_selector("text=One visitor is before you")

    page.click("#srgan-stop")
    other.wait_for_selector("#srgan-download:visible", timeout=20_000)
    assert "512 x 512" in other.inner_text(".museum-label")
    other.close()
    page.wait_for_selector("#srgan-run:enabled")
    assert not page.locator("#srgan-download").is_visible()
