"""The README's examples of `gradio_client`, each run as it stands against the gallery that is served."""

import json
import os
import re
import urllib.request
from pathlib import Path

import pytest
import skimage.data
from PIL import Image, ImageDraw

from gm_core.images import read_parameters
from tests.served import ROOT

SECTION = (ROOT / "README.md").read_text(encoding="utf-8").split("### Use it from a program\n")[1].split("\n### ")[0]
CONNECT, *EXAMPLES = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
ADDRESS = "http://127.0.0.1:7860/"


def endpoints(example: str) -> list[str]:
    return re.findall(r'api_name="/(\w+)"', example)


def offered(url: str) -> set[str]:
    with urllib.request.urlopen(f"{url}gradio_api/info") as answer:
        return {name.removeprefix("/") for name in json.load(answer)["named_endpoints"]}


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """The folder that a reader stands in, with the files that the examples name."""
    folder = tmp_path_factory.mktemp("desk")
    cat = Image.fromarray(skimage.data.chelsea()).crop((100, 40, 292, 232))
    cat.save(folder / "photograph.jpg")
    Image.fromarray(skimage.data.coffee()).resize((160, 120)).save(folder / "painting.jpg")
    mask = Image.new("L", cat.size)
    ImageDraw.Draw(mask).rectangle((60, 60, 90, 90), fill=255)
    mask.save(folder / "mask.png")
    return folder


def run(examples: list[str], url: str, desk: Path) -> None:
    """One after the other, as in one program at that desk."""
    names: dict[str, object] = {}
    here = Path.cwd()
    os.chdir(desk)
    try:
        for example in examples:
            exec(compile(example.replace(ADDRESS, url), "README.md", "exec"), names)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: endpoints(example)[0])
def test_an_example_does_what_the_readme_says(example, gallery_url, desk, capsys):
    """Against the gallery as it ships."""
    run([CONNECT, example], gallery_url, desk)
    said = [line for line in capsys.readouterr().out.splitlines() if "Loaded as API" not in line]
    assert said
    if "quiz" in endpoints(example)[0]:
        assert re.match(r"(right|wrong) \S", said[0])
        return
    assert len(said) == (2 if "for " in example.split("predict")[0].splitlines()[-1] else 1), said
    for path in map(Path, said):
        file = desk / path
        assert file.suffix == ".png" and (desk / "results") in file.parents
        parameters = read_parameters(file)
        assert parameters and parameters["task"] == endpoints(example)[0]


def test_every_endpoint_has_an_example_and_every_example_an_endpoint(gallery_url):
    assert {name for example in EXAMPLES for name in endpoints(example)} == offered(gallery_url)


def test_the_examples_are_found():
    assert ADDRESS in CONNECT and len(EXAMPLES) == 9 and all(map(endpoints, EXAMPLES))
