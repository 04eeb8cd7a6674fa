"""The gallery from outside, through gradio_client: every task as an endpoint, its limits, its errors."""

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from gm_core.images import read_parameters
from gm_core.styles import STYLES


@pytest.fixture(scope="module")
def client(gallery_url, tmp_path_factory) -> Client:
    return Client(gallery_url, verbose=False, download_files=str(tmp_path_factory.mktemp("results")))


@pytest.fixture
def small(tmp_path):
    import skimage.data

    path = tmp_path / "small.png"
    Image.fromarray(skimage.data.chelsea()).crop((100, 50, 196, 122)).save(path)
    return path


def test_only_the_tasks_are_offered_under_their_names(client):
    offered = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    parameters = {name: [entry["parameter_name"] for entry in endpoint["parameters"]] for name, endpoint in offered.items()}
    assert parameters == {
        "/portraits": ["n", "seed", "checkpoint", "truncation"],
        "/quiz_start": ["level", "faces", "rounds"],
        "/quiz_round": ["game"],
        "/quiz_answer": ["game", "number", "choice"],
        "/text_to_image": ["prompt", "checkpoint", "negative_prompt", "steps", "guidance", "seed", "pictures",
                           "guidance_rise"],
        "/pix2pix": ["image", "checkpoint", "seed", "colours"],
        "/cyclegan": ["image", "checkpoint", "direction"],
        "/srgan": ["image", "checkpoint"],
        "/inpainting": ["image", "mask", "checkpoint", "feather", "seed", "prompt", "steps"],
        "/style_transfer": ["image", "style", "second_style", "blend", "strength", "keep_colours"],
        "/gatys": ["image", "style_image", "steps", "size", "style_weight", "features"],
    }


def test_srgan_gives_a_png_four_times_larger_that_says_how_it_was_made(client, small):
    path = client.predict(handle_file(small), api_name="/srgan")
    with Image.open(path) as large:
        assert large.format == "PNG" and large.size == (4 * 96, 4 * 72)
    parameters = read_parameters(path)
    assert parameters["task"] == "srgan" and parameters["checkpoint"] == "srgan-x4"


def test_style_transfer_paints_in_the_style_asked_for(client, small):
    results = [client.predict(handle_file(small), style=style.key, api_name="/style_transfer") for style in STYLES[:2]]
    pictures = [np.asarray(Image.open(path)).astype(int) for path in results]
    assert pictures[0].shape == (72, 96, 3)
    assert np.abs(pictures[0] - pictures[1]).mean() > 10
    assert read_parameters(results[1])["style"] == STYLES[1].key


def test_gatys_optimises_towards_a_painting_of_the_visitor(client, small):
    path = client.predict(handle_file(small), handle_file(small), steps=10, size=128, api_name="/gatys")
    with Image.open(path) as made:
        assert made.size == (96, 72)


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"style": "rembrandt"}, "There is no style 'rembrandt'"),
    ({"blend": 7}, "Blend goes from 0 to 1; 7"),
    ({"strength": -1}, "Strength goes from 0 to 1; -1"),
])
def test_limits_hold_on_the_server(client, small, settings, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(small), **settings, api_name="/style_transfer")


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"steps": 100000}, "Steps go from 10 to 1000; 100000"),
    ({"size": 4096}, "size goes from 128 to 512 pixels; 4096"),
    ({"style_weight": 1e9}, "style weight"),
    ({"features": "no-such"}, "There are no features 'no-such'"),
])
def test_limits_of_the_slow_way_hold_on_the_server(client, small, settings, sentence):
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(small), handle_file(small), **settings, api_name="/gatys")


@pytest.mark.parametrize(("content", "sentence"), [
    (b"", "empty"), (b"just some words", "not a picture"), (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
])
def test_a_wrong_file_gets_a_sentence(client, tmp_path, content, sentence):
    path = tmp_path / "photo.png"
    path.write_bytes(content)
    with pytest.raises(AppError, match=sentence):
        client.predict(handle_file(path), api_name="/srgan")


def test_a_checkpoint_that_cannot_be_fetched_gets_a_sentence(client, small):
    with pytest.raises(AppError, match="Real-ESRGAN x4 is not on this machine"):
        client.predict(handle_file(small), checkpoint="real-esrgan-x4", api_name="/srgan")


def test_no_picture_gets_a_sentence(client):
    with pytest.raises(AppError, match="There is no picture yet"):
        client.predict(None, api_name="/srgan")


def test_a_photograph_takes_its_colours_from_another_one_where_one_is_given(client, small):
    asked = {"checkpoint": "pix2pix-colour", "api_name": "/pix2pix"}
    alone = client.predict(handle_file(small), **asked)
    told = client.predict(handle_file(small), **asked, colours=handle_file(small))
    assert "borrowed_colours" not in read_parameters(alone) and read_parameters(told)["borrowed_colours"]
    with Image.open(alone) as one, Image.open(told) as other:
        assert one.size == other.size == (96, 72) and one.tobytes() != other.tobytes()
