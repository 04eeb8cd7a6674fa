"""Tiny real networks in the shipped layout, so that the quiz, its API and Explore run on the code that ships."""

from pathlib import Path

import torch

from gm_core import checkpoints
from gm_core.checkpoints import Checkpoint
from gm_core.datasets.portraits import ATTRIBUTES
from gm_core.models.portrait_gan import Discriminator, Generator
from gm_core.models.portrait_judge import PortraitJudge
from gm_core.recipes import common

MINUTES = {"portraits-gan-early": 10, "portraits-gan-middle": 60, "portraits-gan": 300}


def ship_tiny(folder: Path) -> tuple[Checkpoint, ...]:
    """Writes untrained networks of 32 px below `folder` and puts their records into the table. For a process of its own."""
    common.CHECKPOINTS = checkpoints.SHIPPED = folder
    made = []

    def ship(name: str, network: torch.nn.Module, build: str, config: dict, **about: object) -> None:
        common.ship(name, network, build, config, about)
        size = sum(file.stat().st_size for file in (folder / name).iterdir())
        made.append(Checkpoint(
            name=name, task="portraits", title=name.replace("-", " ").capitalize(), network="Tiny, 2026",
            trained_on="nothing", licence="apache-2.0", paper="https://arxiv.org/abs/1406.2661", build=build,
            parameters=sum(value.numel() for value in network.parameters()), size=size))

    config = {"attributes": len(ATTRIBUTES), "latent": 16, "style": 16, "channels": [16, 12, 8]}
    for i, (name, minutes) in enumerate(MINUTES.items()):
        torch.manual_seed(i)
        network = Generator(len(ATTRIBUTES), 16, 16, (16, 12, 8))
        torch.nn.init.normal_(network.directions, std=0.3)
        ship(name, network, "portrait_gan:Generator", config, minutes=minutes)
    ship("portraits-gan-judge", Discriminator(len(ATTRIBUTES), (8, 12, 16)), "portrait_gan:Discriminator",
         {"attributes": len(ATTRIBUTES), "channels": [8, 12, 16]})
    ship("portraits-judge", PortraitJudge((4, 6, 8)), "portrait_judge:PortraitJudge", {"channels": [4, 6, 8]})
    checkpoints.CHECKPOINTS = (*made, *(record for record in checkpoints.CHECKPOINTS if record.task != "portraits"))
    checkpoints._by_name.cache_clear()
    return tuple(made)
