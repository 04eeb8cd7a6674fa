"""A visitor in the room of text to image: draws, chooses, watches words, lays out the grid, brings a picture back."""

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from gm_core.checkpoints import find
from gm_core.images import read_parameters
from tests.browser.rooms import enter, set_slider

pytestmark = pytest.mark.browser
BIRD = "This small blue bird has a short pointy beak and brown on its wings."


@pytest.fixture
def room(page):
    page.set_default_timeout(180_000)
    enter(page, "Text to image")
    page.wait_for_selector("#text_to_image-result img")
    return page


def say(room, text):
    room.fill("#text_to_image-prompt textarea", text)


def draw(room):
    """Ends when another picture hangs: right after the click the form still looks as it does when all is done."""
    before = shown(room)
    room.click("#text_to_image-run")
    room.wait_for_function("src => document.querySelector('#text_to_image-result img').src !== src", arg=before)
    room.wait_for_selector("#text_to_image-stop", state="hidden")
    room.wait_for_selector("#text_to_image-run:enabled")
    room.wait_for_selector("#text_to_image-download:visible")


def seed_of(room):
    return int(room.input_value("#text_to_image-seed input"))


def choose_seed(room, seed):
    room.locator("#text_to_image-fresh input").uncheck()
    room.fill("#text_to_image-seed input", str(seed))
    room.locator("#text_to_image-seed input").press("Tab")


def taken_home(room, path):
    with room.expect_download() as download:
        room.click("#text_to_image-download")
    download.value.save_as(path)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def shown(room):
    return room.evaluate("document.querySelector('#text_to_image-result img').src")


@pytest.mark.parametrize("page", [1280, 390], indirect=True)
def test_a_sentence_is_drawn_and_its_settings_go_home_with_it(room, tmp_path):
    assert room.evaluate("document.querySelector('#text_to_image-result img').naturalWidth") == 512, "large enough to see"
    say(room, BIRD)
    choose_seed(room, 41)
    draw(room)
    made = taken_home(room, tmp_path / "bird.png")
    parameters = read_parameters(tmp_path / "bird.png")
    assert parameters["prompt"] == BIRD and parameters["seed"] == 41 and parameters["steps"] == 20
    label = room.locator(".museum-label:visible").inner_text()
    assert BIRD in label and "Seed 41" in label and f"guidance {find('world-128').config['guidance']:g}" in label
    assert room.get_attribute("#text_to_image-result img", "alt") == BIRD
    assert room.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"

    room.locator("#text_to_image-fresh input").check()
    draw(room)
    assert seed_of(room) != 41, "a new seed each time"
    assert not np.array_equal(taken_home(room, tmp_path / "other.png"), made)

    say(room, "A man")
    room.click("text=Go on from a picture made here")
    room.set_input_files("#text_to_image-picture input[type=file]", tmp_path / "bird.png")
    room.wait_for_selector("text=Its sentence and settings are in the form now")
    assert room.input_value("#text_to_image-prompt textarea") == BIRD and seed_of(room) == 41
    draw(room)
    assert np.array_equal(taken_home(room, tmp_path / "again.png"), made), "the very same picture"


def test_words_that_mean_nothing_are_pointed_out(room):
    say(room, "A blue car")
    room.wait_for_selector("text=It has only ever seen birds, flowers and portraits: 'car' means nothing to it.")
    say(room, BIRD)
    room.wait_for_function("!document.querySelector('#text_to_image-unknown').innerText.includes('means nothing')")
    say(room, "")
    room.click("#text_to_image-run")
    room.wait_for_selector("text=Say what shall be drawn")
    room.wait_for_selector("#text_to_image-run:enabled")


def test_four_pictures_words_to_click_and_the_grid(room, tmp_path):
    say(room, "a blue bird")
    choose_seed(room, 7)
    room.click("text=Settings >> visible=true")
    set_slider(room, "text_to_image-pictures", 4)
    draw(room)
    room.wait_for_function("document.querySelectorAll('#text_to_image-wall img').length === 4")
    room.locator("#text_to_image-wall button.thumbnail-item").nth(2).click()
    room.wait_for_function("[...document.querySelectorAll('.museum-label')].some(l => l.innerText.includes('Seed 9'))")
    taken_home(room, tmp_path / "third.png")
    assert read_parameters(tmp_path / "third.png")["seed"] == 9

    plain = shown(room)
    room.click("#text_to_image-watch")
    room.wait_for_selector("#text_to_image-words:visible")
    said = room.locator("#text_to_image-words label").all_inner_texts()
    assert [word.strip() for word in said] == ["the picture", "its plan", "a", "blue", "bird"]
    room.locator("#text_to_image-words label", has_text="blue").click()
    room.wait_for_function("src => document.querySelector('#text_to_image-result img').src !== src", arg=plain)

    lit = shown(room)
    room.locator("#text_to_image-words label", has_text="its plan").click()
    room.wait_for_function("src => document.querySelector('#text_to_image-result img').src !== src", arg=lit)
    room.wait_for_selector("#text_to_image-parts :text('Beside the picture the denoiser plans')")

    room.click("text=Guidance × steps")
    room.click("#text_to_image-compare")
    room.wait_for_function("document.querySelectorAll('#text_to_image-table img').length >= 9")
    alternatives = room.locator("#text_to_image-table img").evaluate_all("all => all.map(image => image.alt)")
    assert len(set(alternatives)) == len(alternatives) and all("Guidance" in said for said in alternatives)


def test_a_program_draws_through_the_endpoint(gallery_url, tmp_path):
    client = Client(gallery_url, verbose=False, download_files=tmp_path)
    made = client.predict(BIRD, pictures=2, seed=3, api_name="/text_to_image")
    files = [entry["image"] for entry in made]
    assert [read_parameters(file)["seed"] for file in files] == [3, 4]
    assert read_parameters(files[0])["steps"] == 20, "what suits the checkpoint"
    with pytest.raises(Exception, match="1 to 4 pictures"):
        client.predict(BIRD, pictures=9, api_name="/text_to_image")
