"""Answers as they are kept and counted, and where. The database is in `gm_core.quiz.store`, which takes longer to import."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Answered:
    """An answer as it is kept."""

    place: str
    level: str
    faces: int
    right: bool
    machine_right: bool | None
    fake_shown: bool
    seconds: float
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Share:
    """How many of how many answers were right, for people and for the machine on the same rounds."""

    key: tuple[str, ...]
    answers: int
    right: int
    machine_answers: int
    machine_right: int

    @property
    def accuracy(self) -> float:
        return self.right / self.answers if self.answers else 0.0

    @property
    def machine_accuracy(self) -> float | None:
        return self.machine_right / self.machine_answers if self.machine_answers else None


@dataclass(frozen=True)
class Standing:
    """A result among all games of that level so far: `below` of `others` games had fewer right answers."""

    others: int
    below: int
    accuracy: float
    """Share of right answers in all of these games."""


def data_folder() -> Path:
    """`GM_DATA_DIR`, else the place where this system keeps a user's data."""
    if chosen := os.environ.get("GM_DATA_DIR"):
        return Path(chosen)
    if sys.platform == "win32":
        root = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        root = Path.home() / "Library" / "Application Support"
    else:
        root = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return root / "generative-models-gallery"
