"""What a browser asks for when a visitor puts the gallery on a home screen."""

import io
import json
import re
import urllib.parse

import pytest
from PIL import Image

from demos import install
from demos.languages import catalogue
from demos.shell import THEME
from tests.test_safety import ask


def manifest(url, **headers):
    reply = ask(url, "GET", "/manifest.json", headers=headers)
    assert reply.status == 200 and reply.headers["content-type"] == "application/manifest+json"
    return json.loads(reply.body)


def test_the_manifest_is_ours(gallery_url):
    told = manifest(gallery_url)
    assert told["name"] == "Gallery of generative models" and told["display"] == "standalone" and told["lang"] == "en"
    assert told["theme_color"] == told["background_color"] == THEME.body_background_fill
    here = urllib.parse.urljoin(gallery_url, "manifest.json")
    for address in (told["start_url"], told["scope"], *(icon["src"] for icon in told["icons"])):
        assert urllib.parse.urljoin(here, address).startswith(gallery_url)
    assert "http" not in json.dumps(told)


@pytest.mark.parametrize("code", ["ko", "ru"])
def test_the_manifest_speaks_the_visitor_s_language(gallery_url, code):
    told = manifest(gallery_url, **{"Accept-Language": code})
    assert told["lang"] == code
    for field in ("name", "short_name", "description"):
        assert told[field] == catalogue(code).say(manifest(gallery_url)[field]) != manifest(gallery_url)[field]


def test_every_icon_is_what_the_manifest_says(gallery_url):
    icons = manifest(gallery_url)["icons"]
    assert {icon["purpose"] for icon in icons} == {"any", "maskable"}
    for icon in icons:
        reply = ask(gallery_url, "GET", f"/{icon['src']}")
        assert reply.status == 200 and reply.headers["content-type"] == icon["type"] == "image/png"
        with Image.open(io.BytesIO(reply.body)) as image:
            assert image.format == "PNG" and "{}x{}".format(*image.size) == icon["sizes"]
            if icon["purpose"] == "maskable":
                assert image.mode == "RGB", "a phone cuts it, and nothing may shine through"
    for name in ("256", "../../app", "..%2f..%2fREADME", "%2fetc%2fpasswd", "192.png%00"):
        assert ask(gallery_url, "GET", f"/icon/{name}.png").status == 404


def test_the_page_has_its_icon_and_the_colours_of_its_walls(gallery_url):
    assert ask(gallery_url, "GET", "/favicon.ico").body == (install.ICONS / "192.png").read_bytes()
    assert install.HEAD in ask(gallery_url, "GET", "/").text
    assert THEME.body_background_fill_dark == install.NIGHT
    touched = re.search(r'apple-touch-icon" href="([^"]+)"', install.HEAD)
    assert touched and ask(gallery_url, "GET", f"/{touched[1]}").status == 200


def test_the_icons_are_those_that_are_drawn():
    for name, side, maskable in (("192", 192, False), ("512-maskable", 512, True)):
        with Image.open(install.ICONS / f"{name}.png") as image:
            assert image.tobytes() == install.drawn(side, maskable=maskable).convert(image.mode).tobytes()
