"""LaMa and Stable Diffusion through the same code, fetched at a tiny size from a real Hub server on loopback."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from tests.hubs import olah, publish
from tests.inpainting_records import ABOUT, tiny_record, tiny_stable_diffusion
from tests.records import put

ROOT = Path(__file__).resolve().parents[2]
SIZE = (96, 64)
BOX = (30, 20, 60, 44)


def picture() -> Image.Image:
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    return Image.fromarray(np.stack([x * 2, y * 3, 128 + 60 * np.sin(x / 5)], -1).astype(np.uint8))


def mask() -> Image.Image:
    found = Image.new("L", SIZE)
    found.paste(255, BOX)
    return found


def call(record: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """One call of the task, in the process that knows the Hub: what came of it."""
    from gm_core.errors import GMError
    from gm_core.tasks.inpainting import inpainting

    reports: list[tuple[str, bool]] = []
    whole = settings.pop("whole", False)
    marked = Image.new("L", SIZE, 255) if whole else mask()
    try:
        made = inpainting(picture(), marked, checkpoint=record["name"],
                          report=lambda fraction, words, preview=None: reports.append((words, preview is not None)), **settings)
    except GMError as error:
        return {"message": str(error)}
    change = (np.asarray(made) != np.asarray(picture())).any(-1)
    inside = np.asarray(mask()) > 0
    return {"size": made.size, "inside": float(change[inside].mean()), "outside": int(change[~inside].sum()),
            "reports": reports, "sum": int(np.asarray(made).astype(int).sum())}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, Any]:
    from gm_core.models.lama import LaMa

    hub, home = tmp_path_factory.mktemp("olah"), tmp_path_factory.mktemp("home")
    torch.manual_seed(0)
    lama = {f"generator.{key}": value for key, value in LaMa(4, 1, 2).state_dict().items()}
    without = {key: value for key, value in lama.items() if key != "generator.model.4.conv1.bn_g.weight"}
    files = {"lama": {"big-lama.safetensors": save(lama)}, "lacking": {"big-lama.safetensors": save(without)},
             "words": tiny_stable_diffusion()}
    builds = {"lama": "lama:build", "lacking": "lama:build", "words": "stable_diffusion_inpainting:build"}
    records = {name: {"name": name, "title": f"Tiny {name}", "network": "Tiny, 2026", "build": builds[name],
                      "files": tuple(content), "repo_id": f"team/{name}", "revision": publish(hub, f"team/{name}", content)}
               for name, content in files.items()}
    calls = {
        "lama": ("lama", {}), "lama again": ("lama", {"seed": 5}), "lama with words": ("lama", {"prompt": "a cat"}),
        "lacking": ("lacking", {}),
        "words": ("words", {"prompt": "cat", "steps": 2}), "words again": ("words", {"prompt": "cat", "steps": 2}),
        "other seed": ("words", {"prompt": "cat", "steps": 2, "seed": 1}),
        "other words": ("words", {"prompt": "ccc", "steps": 2}), "no words": ("words", {"steps": 2}),
        "whole": ("words", {"prompt": "cat", "steps": 2, "whole": True}),
        "whole without words": ("words", {"steps": 2, "whole": True}),
    }
    with olah(hub) as endpoint:
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0",
                       "HF_HUB_DISABLE_XET": "1", "OMP_NUM_THREADS": "1"}
        process = subprocess.run([sys.executable, "-m", "tests.tasks.test_inpainting_hub"], cwd=ROOT, text=True,
                                 input=json.dumps([records, calls]), capture_output=True, env=environment, timeout=540,
                                 check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("name", ["lama", "words", "no words"])
def test_the_hole_is_painted_and_nothing_else(outcomes, name):
    assert outcomes[name]["size"] == list(SIZE)
    assert outcomes[name]["inside"] > 0.9
    assert outcomes[name]["outside"] == 0


def test_each_says_what_it_does(outcomes):
    words = [said for said, _ in outcomes["lama"]["reports"]]
    assert any(said.startswith("Downloading Tiny lama") for said in words) and words[-1] == "Painting"
    steps = [(said, shown) for said, shown in outcomes["words"]["reports"] if "step" in said]
    assert steps == [("Painting, step 1 of 2", True), ("Painting, step 2 of 2", True)]


def test_the_seed_and_the_words_decide_where_there_is_chance(outcomes):
    assert outcomes["lama"]["sum"] == outcomes["lama again"]["sum"]
    assert outcomes["words"]["sum"] == outcomes["words again"]["sum"]
    assert len({outcomes[name]["sum"] for name in ("words", "other seed", "other words", "no words")}) == 4


def test_what_cannot_be_gets_a_sentence(outcomes):
    assert "reads no words" in outcomes["lama with words"]["message"]
    assert "model.4.conv1.bn_g.weight" in outcomes["lacking"]["message"]
    assert "Everything is marked" in outcomes["whole without words"]["message"]


def test_with_words_a_whole_picture_can_be_painted(outcomes):
    assert outcomes["whole"]["inside"] > 0.9 and outcomes["whole"]["outside"] > 1000


def main() -> None:
    from gm_core.checkpoints import Checkpoint

    records, calls = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tiny_record(folder)
        put(tuple(Checkpoint(**{**ABOUT, **record, "files": tuple(record["files"])}) for record in records.values()), folder)
        found = {name: call(records[record], settings) for name, (record, settings) in calls.items()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
