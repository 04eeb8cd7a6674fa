"""Recipes run as from the command line, in this process, and what they save."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch


def run(module: ModuleType, *words: object) -> None:
    """`python -m MODULE WORDS`, with one thread."""
    before, sys.argv = sys.argv, ["recipe", *map(str, words), "--threads", "1"]
    try:
        module.main()
    finally:
        sys.argv = before


def state_of(folder: Path) -> dict[str, Any]:
    """What the run in this folder has saved."""
    return torch.load(folder / "state.pt", weights_only=True)
