"""The attributes of the world's records as numbers, for whoever learns to tell them from a picture or from a sentence."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets import world
from gm_core.datasets.drawn_sets import records_of

SLOTS = {name: slice(begin, begin + len(values)) for (name, values), begin in zip(
    world.ATTRIBUTES.items(), np.cumsum([0, *(len(values) for values in world.ATTRIBUTES.values())]), strict=False)}
"""Where each attribute's values are among a classifier's answers."""

VALUES = sum(len(values) for values in world.ATTRIBUTES.values())


def targets(named: Sequence[dict[str, str]]) -> Tensor:
    """(N, attributes): the number of each value, -1 where an attribute isn't named."""
    found = torch.full((len(named), len(SLOTS)), -1)
    for i, of_one in enumerate(named):
        for k, (name, values) in enumerate(world.ATTRIBUTES.items()):
            if name in of_one:
                found[i, k] = values.index(of_one[name])
    return found


def loss_of(answers: Tensor, wanted: Tensor) -> Tensor:
    """Mean cross entropy of answers (N, VALUES) over the attributes that `targets` has."""
    parts = [F.cross_entropy(answers[:, slot], wanted[:, k], ignore_index=-1, reduction="sum")
             for k, slot in enumerate(SLOTS.values())]
    return torch.stack(parts).sum() / (wanted >= 0).sum().clamp_min(1)


def said(answers: Tensor) -> list[dict[str, str]]:
    """For each row of answers (N, VALUES) the likeliest value of every attribute."""
    best = {name: answers[:, slot].argmax(1).tolist() for name, slot in SLOTS.items()}
    return [{name: world.ATTRIBUTES[name][best[name][i]] for name in SLOTS} for i in range(len(answers))]


def right(answer: dict[str, str], asked: dict[str, str]) -> dict[str, bool]:
    """For each attribute asked for, whether the answer has its value."""
    return {name: answer[name] == value for name, value in asked.items()}


def named_of(folder: Path, done: int) -> list[dict[str, str]]:
    """The attributes of the first `done` records of a written world."""
    return [record["named"] if "named" in record else world.named(world.from_dict("portraits", record))
            for record in records_of(folder, done)]
