"""The records of CycleGAN and pix2pix at a tiny size: real networks with random weights, laid out as the recipes ship them.

Tests put them in the places of those that ship, and serve the gallery with them: `python -m tests.translation_records`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save, save_file
from torch import nn

from gm_core.checkpoints import Checkpoint
from gm_core.datasets import facades, portraits
from gm_core.images import save_png
from gm_core.models.pix2pix_generator import PALETTE, Pix2PixGenerator
from gm_core.models.resnet_generator import ResnetGenerator
from gm_core.models.translation_generator import Translators
from gm_core.models.unet_generator import UnetGenerator
from tests.records import serve

ABOUT = {"trained_on": "nothing", "licence": "apache-2.0", "parameters": 1, "size": 1_000_000}
TRANSLATORS = {
    "cyclegan-monet": {"domains": ["photograph", "painting by Monet"], "channels": 8, "blocks": 1, "half": 8},
    "cyclegan-seasons": {"domains": ["summer", "winter"], "channels": 8, "blocks": 1, "half": 8},
}
WIDTHS = [6, 8, 10, 12, 14]
PAINTERS = {
    "pix2pix-facades": {"inputs": len(facades.LABELS), "widths": WIDTHS, "kind": "labels", "attributes": 6,
                        "moods": [[0.5, 0, 0, 0, 0, 0.9], [-0.5, 0, 0.5, 0, 0, 0.9]]},
    "pix2pix-portraits": {"inputs": len(portraits.LABELS) + 1, "widths": WIDTHS, "kind": "portrait",
                          "attributes": len(portraits.ATTRIBUTES)},
    "pix2pix-portraits-256": {"inputs": len(portraits.LABELS) + 1, "widths": WIDTHS, "kind": "portrait", "side": 128,
                              "attributes": len(portraits.ATTRIBUTES), "alone": True},
    "pix2pix-colour": {"inputs": 1, "outputs": 2, "widths": WIDTHS, "kind": "luminance", "attributes": PALETTE,
                       "moods": [[1.0, *[0.0] * (PALETTE - 2), 1.7], [0.2, 1.9, *[0.0] * (PALETTE - 2)]]},
}


def _record(shipped: Path, name: str, network: nn.Module, architecture: str, config: dict, paper: str) -> Checkpoint:
    folder = shipped / name
    folder.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": architecture, "config": config}))
    return Checkpoint(name=name, task=name.split("-")[0], title=name, network="Tiny, 2026", build=architecture,
                      paper=paper, **ABOUT)


def tiny_records(shipped: Path) -> tuple[Checkpoint, ...]:
    """All of them, their files written below `shipped`."""
    found = []
    for name, config in TRANSLATORS.items():
        torch.manual_seed(0)
        network = Translators(**config)
        for generator in (network.a_to_b, network.b_to_a):
            nn.init.normal_(generator.tail.weight, std=0.05)  # something to see, and to lose
        found.append(_record(shipped, name, network, "translation_generator:Translators", config,
                             "https://arxiv.org/abs/1703.10593"))
    for name, config in PAINTERS.items():
        torch.manual_seed(0)
        found.append(_record(shipped, name, Pix2PixGenerator(**config), "pix2pix_generator:Pix2PixGenerator", config,
                             "https://arxiv.org/abs/1611.07004"))
    return tuple(found)


def community_files() -> dict[str, dict[str, bytes]]:
    """Repository -> files of generators in the field's layout, as others publish them, one with a header."""
    torch.manual_seed(0)
    resnet = ResnetGenerator(channels=2, blocks=6).state_dict()
    unet = UnetGenerator(channels=2, floors=7).state_dict()
    broken = {key: value for key, value in resnet.items() if key != "model.10.conv_block.1.weight"}
    config = json.dumps({"dropout": True})
    return {"anyone/resnet": {"model.safetensors": save(resnet)},
            "anyone/unet": {"model.safetensors": save(unet, {"layout": "unet_generator", "config": config})},
            "anyone/broken": {"model.safetensors": save(broken)}}


def community_record(repo: str, files: dict[str, bytes], shipped: Path, task: str = "cyclegan") -> Checkpoint:
    """The record of such a file, as if it shipped."""
    name = repo.replace("/", "-")
    (shipped / name).mkdir()
    for file, content in files.items():
        (shipped / name / file).write_bytes(content)
    (shipped / name / "config.json").write_text(json.dumps({"architecture": "", "config": {"domains": ["horse", "zebra"]}}))
    return Checkpoint(name=name, task=task, title=repo, network="Someone's, 2017", build="community:build",
                      paper="https://arxiv.org/abs/1703.10593", **ABOUT)


def hang(folder: Path) -> None:
    """Pictures for the rooms' walls, where none hang yet."""
    for key in ("face", "cat", "cup"):
        Image.new("RGB", (64, 32), "grey").save(folder / f"cyclegan-failure-{key}.webp")
    picture = Image.fromarray(np.dstack([np.add.outer(np.arange(96), np.arange(128)) % 256] * 3).astype(np.uint8))
    for room, checkpoint in (("cyclegan", "cyclegan-monet"), ("pix2pix", "pix2pix-facades")):
        picture.save(folder / f"{room}-input.webp")
        picture.save(folder / f"{room}-back.webp")
        save_png(picture, folder / f"{room}.png", {"task": room, "checkpoint": checkpoint, "revision": None, "seconds": 0.1,
                                                   "direction": "AtoB", "seed": 0})


if __name__ == "__main__":
    from demos import cyclegan, pix2pix

    serve([cyclegan, pix2pix], tiny_records, hang)
