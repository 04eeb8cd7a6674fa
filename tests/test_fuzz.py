"""Whatever is put in, a picture comes out, or a GMError with a sentence: never another exception, nor memory without end."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from gm_core.drawings import palette
from gm_core.errors import GMError
from gm_core.images import MAX_PIXELS, open_picture
from gm_core.styles import STYLES
from gm_core.tasks.cyclegan import cyclegan
from gm_core.tasks.gatys import gatys
from gm_core.tasks.inpainting import inpainting
from gm_core.tasks.pix2pix import pix2pix
from gm_core.tasks.portraits import portraits
from gm_core.tasks.srgan import srgan
from gm_core.tasks.style_transfer import style_transfer
from gm_core.tasks.text_to_image import text_to_image
from tests.served import ROOT
from tests.test_images import encoded

often = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), max_examples=30)


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "seed"), [(120, 0), pytest.param(3000, 1, marks=pytest.mark.slow)])
def test_damaged_files_of_all_formats_in_little_memory(count, seed):
    process = subprocess.run([sys.executable, "-m", "tests.fuzzing", str(count), str(seed)], cwd=ROOT, capture_output=True,
                             text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert process.returncode == 0, process.stderr[-2000:]
    told = json.loads(process.stdout)
    assert not told["wrong"], "\n".join(told["wrong"])
    assert len(told["refused"]) >= 22 and all(told["opened"][kind] + told["refused"][kind] == count for kind in told["refused"])
    read = [kind for kind, number in told["opened"].items() if number]
    assert len(read) >= 14, "of every format that is read some survive"
    assert all(told["refused"].values()), "and some do not"


@often
@given(mode=st.sampled_from(["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "HSV", "LAB"]),
       form=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "MPO", "ICO"]),
       width=st.integers(1, 70), height=st.integers(1, 70), seed=st.integers(0, 9),
       orientation=st.integers(0, 12) | st.sampled_from(["up", b"x", 2**31]),
       icc=st.binary(max_size=200) | st.none(), transparency=st.integers(0, 255) | st.none())
def test_pictures_of_every_mode_and_form(mode, form, width, height, seed, orientation, icc, transparency):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    picture = Image.fromarray(values)
    for step in (("RGB", "LAB") if mode in ("HSV", "LAB", "YCbCr", "CMYK") else ("RGB",)):
        picture = picture.convert("RGB") if step == "RGB" else picture
    try:
        picture = picture.convert("L").convert(mode) if mode in ("LA", "PA", "I;16", "LAB") else picture.convert(mode)
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(picture, form, exif=exif.tobytes(), **({"icc_profile": icc} if icc else {}),
                       **({"transparency": transparency} if transparency is not None and form in ("PNG", "GIF") else {}))
    except Exception:  # noqa: BLE001 - what cannot be written tells nothing about reading
        return
    try:
        seen = open_picture(data)
    except GMError as error:
        assert form == "ICO" and str(error).endswith(".")
    else:
        assert seen.mode == "RGB" and sorted(seen.size) == sorted((width, height))


@often
@given(data=st.binary(max_size=4000), start=st.sampled_from(
    [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x20\0\0\0WEBPVP8X", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"P6\n",
     b"\0\0\0\x20ftypavif", b"<svg"]))
def test_any_bytes(data, start):
    try:
        picture = open_picture(start + data)
    except GMError as error:
        assert str(error).endswith(".")
    else:
        assert picture.mode == "RGB" and picture.width * picture.height <= MAX_PIXELS


# --- parameters of the tasks ------------------------------------------------------------------------------------------

ODD: list[object] = [-1, 0, -2**70, 2**31, 2**32, 2**63, 2**70, 10**9, math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324, 0.5,
                     [], {}, [1], "", "x", "\0", "ä" * 300, "../../etc/passwd", "{0}%s", b"x", (1, 2)]
JUNK = st.one_of(st.none(), st.booleans(), st.sampled_from(ODD), st.text(max_size=30), st.floats(max_value=0),
                 st.integers(max_value=0))
SIDES = st.sampled_from([1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 48])


@st.composite
def pictures(draw, sides=SIDES):
    width, height, kind = draw(sides), draw(sides), draw(st.sampled_from(["noise", "black", "white", "even"]))
    if kind == "noise":
        values = np.random.default_rng(draw(st.integers(0, 5))).integers(0, 256, (height, width, 3), np.uint8)
        return Image.fromarray(values)
    return Image.new("RGB", (width, height), {"black": 0, "white": (255, 255, 255), "even": (90, 140, 30)}[kind])


def some(*good):
    """A value that is taken, or (a third of the time) one that makes no sense."""
    return st.one_of(st.sampled_from(good), st.sampled_from(good), JUNK)


@st.composite
def drawings(draw):
    """Label maps of the shipped checkpoints, and pictures that are none."""
    if draw(st.booleans()):
        return draw(pictures(st.sampled_from([1, 63, 64, 65, 80])))
    checkpoint = draw(st.sampled_from(["pix2pix-facades", "pix2pix-portraits"]))
    colours = np.array([colour for _, colour in palette(checkpoint)], np.uint8)
    places = np.random.default_rng(draw(st.integers(0, 5))).integers(0, len(colours), (8, 9)).repeat(8, 0).repeat(8, 1)
    return Image.fromarray(colours[places])


TASKS = {
    "srgan": (srgan, {"image": pictures(), "checkpoint": some("srgan-x4", "srresnet-x4")}),
    "style_transfer": (style_transfer, {
        "image": pictures(), "style": some(*(style.key for style in STYLES)), "second_style": some(None, STYLES[3].key),
        "blend": some(0, 0.5, 1), "strength": some(0, 0.5, 1), "keep_colours": some(False, True),
        "checkpoint": some("style-many")}),
    "gatys": (gatys, {"image": pictures(), "style_image": pictures(), "steps": some(10, 11), "size": some(128, 512),
                      "style_weight": some(0.1, 30, 1000), "features": some("features-small")}),
    "pix2pix": (pix2pix, {"image": drawings(), "checkpoint": some("pix2pix-facades", "pix2pix-portraits"),
                          "seed": some(None, 0, 7, 2**31 - 1)}),
    "portraits": (portraits, {"n": some(1), "seed": some(0, 9), "checkpoint": some("pix2pix-portraits", "portraits-judge"),
                              "truncation": some(0.5, 1.0)}),
    "cyclegan": (cyclegan, {"image": pictures(), "checkpoint": some("cyclegan-monet"), "direction": some("AtoB", "BtoA")}),
    "inpainting": (inpainting, {"image": pictures(), "mask": pictures(), "checkpoint": some("inpaint-256"),
                                "feather": some(0, 8), "seed": some(0, 5), "prompt": some("", "a cat"), "steps": some(20)}),
    "text_to_image": (text_to_image, {
        "prompt": some("a red bird"), "checkpoint": some("world-128"), "negative_prompt": some("", "a cat"),
        "steps": some(None, 2), "guidance": some(None, 3.0), "guidance_rise": some(None, 1.0),
        "seed": some(0, 5), "pictures": some(1, 2)}),
}


def only_pictures_or_a_sentence(task, arguments):
    try:
        made = task(**arguments)
    except GMError as error:
        assert str(error).endswith(".") and str(error)[:1].strip(), f"no sentence: {error}"
        assert len(str(error)) < 2000
    else:
        for picture in made if isinstance(made, list) else [made]:
            assert isinstance(picture, Image.Image) and picture.mode == "RGB"


@pytest.mark.parametrize("name", TASKS)
@often
@given(data=st.data())
def test_whatever_a_task_is_given(name, data):
    task, parameters = TASKS[name]
    only_pictures_or_a_sentence(task, data.draw(st.fixed_dictionaries(parameters)))


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
@settings(often, max_examples=1500)
@given(data=st.data())
def test_whatever_a_task_is_given_often(name, data):
    task, parameters = TASKS[name]
    only_pictures_or_a_sentence(task, data.draw(st.fixed_dictionaries(parameters)))
