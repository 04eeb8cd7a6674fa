"""A whole visit, from the first room to the last, photographed. GM_SCREENSHOTS names a folder that keeps the pictures."""

import os
from pathlib import Path

import pytest
from PIL import Image

from gm_core.images import read_parameters
from tests.browser.rooms import enter, visiting
from tests.served import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Album:
    """Photographs of a page, by day and by night, on a desk and on a phone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.kept: list[Path] = []

    def photograph(self, page, name):
        for width, height in ((1280, 900), (390, 844)):
            page.set_viewport_size({"width": width, "height": height})
            for theme in ("light", "dark"):
                page.evaluate("night => document.body.classList.toggle('dark', night)", theme == "dark")
                for frame in page.query_selector_all("iframe"):
                    if frame.is_visible():  # Chromium paints a frame once it comes into view
                        frame.scroll_into_view_if_needed()
                page.wait_for_timeout(600)
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} scrolls sideways"
                self.kept.append(self.folder / f"{name}-{theme}-{width}.png")
                page.screenshot(path=self.kept[-1], full_page=True)
        page.evaluate("document.body.classList.remove('dark')")
        page.set_viewport_size({"width": 1280, "height": 900})
        page.evaluate("window.scrollTo(0, 0)")


def taken_home(page, button, path):
    with page.expect_download() as download:
        page.click(button)
    download.value.save_as(path)
    return path


def drag(page, canvas, *corners):
    """The mouse over a canvas from the first corner to the second, each 0..1 across and down."""
    place = page.locator(canvas)
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    begin, end = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners)
    page.mouse.move(*begin)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    page.mouse.up()


@pytest.mark.timeout(1800)
def test_a_whole_visit(browser, photograph, tmp_path):
    """A console without errors is seen to by `visiting`, a log without tracebacks by `serving`."""
    album = Album(Path(os.environ.get("GM_SCREENSHOTS") or tmp_path / "screenshots"))
    cat = tmp_path / "cat.png"
    with Image.open(photograph) as picture:
        picture.crop((100, 0, 292, 128)).save(cat)
    with serving(tmp_path, "app.py") as address, visiting(browser, address) as page:
        page.set_default_timeout(180_000)
        for number in range(1, 11):
            page.wait_for_selector(f'.quiz[data-phase="ask"][data-number="{number}"]')
            if number == 1:
                album.photograph(page, "quiz-asked")
            page.locator('.quiz-frame[data-choice="right"]').click()
            page.wait_for_selector(f'.quiz[data-phase="told"][data-number="{number}"]')
            if number == 1:
                album.photograph(page, "quiz-told")
            page.click(".quiz [data-on]")
        page.wait_for_selector('.quiz[data-phase="over"]')
        assert "of 10" in page.inner_text(".quiz-result")
        album.photograph(page, "quiz-over")
        page.get_by_role("tab", name="Class room").click()
        page.click("#quiz-open")
        page.wait_for_selector(".quiz-code")
        album.photograph(page, "quiz-class")
        page.get_by_role("tab", name="Everybody so far").click()
        page.wait_for_selector("#quiz-results .bar-row")
        assert "10 answers so far" in page.inner_text("#quiz-results")
        album.photograph(page, "quiz-everybody")

        enter(page, "Text to image")
        page.fill("#text_to_image-prompt textarea", "A small yellow bird with black wings on a branch.")
        page.click("#text_to_image-run")
        page.wait_for_selector("#text_to_image-download:visible")
        bird = read_parameters(taken_home(page, "#text_to_image-download", tmp_path / "bird.png"))
        assert bird["task"] == "text_to_image" and "yellow bird" in bird["prompt"]
        page.click("#text_to_image-watch")
        page.wait_for_selector("#text_to_image-words:visible")
        page.locator("#text_to_image-words label", has_text="yellow").click()
        album.photograph(page, "text-to-image")

        enter(page, "pix2pix")
        page.wait_for_selector("#pix2pix-canvas .easel-palette button")
        hung = page.get_attribute("#pix2pix-result img", "src")
        page.click("#pix2pix-canvas [data-tool=box]")
        page.click("#pix2pix-canvas [data-name=door]")
        drag(page, "#pix2pix-canvas canvas", (0.3, 0.3), (0.5, 0.6))
        page.wait_for_function("hung => document.querySelector('#pix2pix-result img')?.src !== hung", arg=hung)
        page.wait_for_selector("#pix2pix-download:visible")
        assert read_parameters(taken_home(page, "#pix2pix-download", tmp_path / "house.png"))["task"] == "pix2pix"
        page.click("#pix2pix-several")
        page.wait_for_function("document.querySelectorAll('#pix2pix-wall .thumbnail-lg').length == 4")
        album.photograph(page, "pix2pix")

        enter(page, "CycleGAN")
        page.set_input_files("#cyclegan-picture input[type=file]", cat)
        page.wait_for_selector("#cyclegan-picture img")
        page.click("#cyclegan-run")
        page.wait_for_selector("#cyclegan-download:visible")
        assert read_parameters(taken_home(page, "#cyclegan-download", tmp_path / "monet.png"))["task"] == "cyclegan"
        album.photograph(page, "cyclegan")

        enter(page, "Super-resolution")
        page.set_input_files("#srgan-picture input[type=file]", cat)
        page.wait_for_selector("#srgan-picture img")
        page.click("#srgan-run")
        page.wait_for_selector("#srgan-download:visible")
        with Image.open(taken_home(page, "#srgan-download", tmp_path / "large.png")) as large:
            assert large.size == (768, 512)
        album.photograph(page, "super-resolution")

        enter(page, "Inpainting")
        page.set_input_files("#inpainting-picture input[type=file]", cat)
        page.wait_for_function("document.querySelector('.marker-marks')?.width > 10")
        page.click("#inpainting-canvas [data-tool=box]")
        drag(page, ".marker-marks", (0.2, 0.2), (0.4, 0.4))
        page.click("#inpainting-run")
        page.wait_for_selector("#inpainting-download:visible")
        assert read_parameters(taken_home(page, "#inpainting-download", tmp_path / "mended.png"))["task"] == "inpainting"
        album.photograph(page, "inpainting")

        enter(page, "Style transfer")
        page.set_input_files("#style_transfer-picture input[type=file]", photograph)
        page.wait_for_selector("#style_transfer-picture img")
        page.locator("#style_transfer-painters .thumbnail-lg").nth(2).click()
        page.wait_for_timeout(1000)
        page.click("#style_transfer-run")
        page.wait_for_selector("#style_transfer-download:visible")
        painting = taken_home(page, "#style_transfer-download", tmp_path / "painting.png")
        assert read_parameters(painting)["style"] == "scream"
        album.photograph(page, "style-transfer")

        enter(page, "Check a checkpoint")
        page.click("#check-task input")
        page.get_by_role("option", name="Super-resolution").click()
        page.wait_for_selector("#check-chosen >> text=SRResNet x4")
        page.set_input_files("#check-inputs input[type=file]", cat)
        page.wait_for_selector("#check-inputs >> text=cat")
        page.click("#check-run")
        page.wait_for_selector("#check-report-file:visible")
        report = page.frame_locator("#check-result iframe")
        report.locator("#wall figure").first.wait_for()
        assert report.locator("#wall figure").count() == 3
        album.photograph(page, "check")
    assert len(album.kept) == 48 and all(path.stat().st_size > 20_000 for path in album.kept)
