"""The levels of the game: a family of networks, a moment of its training, and how far it may stray from its average."""

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gm_core.checkpoints import Checkpoint, of_task

TASK = "portraits"
JUDGE, DISCRIMINATOR = "portraits-judge", "portraits-gan-judge"
REJECTING = "portraits-gan"
"""Of its portraits only those are shown that its discriminator finds likely; see `gm_core.quiz.worlds`."""
TITLES = {"world-128": "Latent diffusion, told a sentence"}
"""Of networks that paint more than portraits: their levels are named by how they paint these."""
TRUNCATIONS = (0.7, 0.5)
"""Beside 1. Below 1 every latent is pulled towards the average: portraits get safer, and more alike."""
PHOTOGRAPHS = "photographs"


@dataclass(frozen=True)
class Level:
    """What a game is played against."""

    key: str
    """"portraits-gan", "portraits-gan/0.7", or "photographs"."""
    title: str
    checkpoint: str = ""
    truncation: float = 1.0
    minutes: float | None = None
    """Training until this snapshot."""


def levels() -> list[Level]:
    """Those that can be played with what ships, the easiest first: early snapshots, late ones, truncated ones, others.

    Drawn from the table of checkpoints: a family without weights is not offered.
    """
    makers = [record for record in of_task(TASK) if record.name not in (JUDGE, DISCRIMINATOR) and _here(record)]
    timed = {record.name: minutes_of(record) for record in makers}
    snapshots = sorted((record for record in makers if _family(record) == "portraits-gan"),
                       key=lambda record: timed[record.name] or float("inf"))
    found = [Level(record.name, _after(timed[record.name]) or record.title, record.name, 1.0, timed[record.name])
             for record in snapshots]
    if snapshots:
        last = snapshots[-1]
        found += [Level(f"{last.name}/{psi}", f"{_after(timed[last.name]) or last.title}, truncated to {psi}", last.name, psi,
                        timed[last.name]) for psi in TRUNCATIONS]
    found += [Level(record.name, TITLES.get(record.name, record.title), record.name, 1.0, timed[record.name])
              for record in makers if _family(record) != "portraits-gan"]
    return found


def usual(found: Sequence[Level]) -> Level:
    """The one that a visitor begins with: against another family than the GAN's snapshots, the first of which are an easy
    lesson; where there is none, the first."""
    others = [level for level in found if not level.checkpoint.startswith(REJECTING) and level.key != PHOTOGRAPHS]
    return (others or list(found))[0]


def minutes_of(record: Checkpoint) -> float | None:
    """Minutes of training as the weights' header tells them; None where it does not."""
    try:
        with (record.folder / record.weights).open("rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            notes = json.loads(file.read(min(length, 1_000_000))).get("__metadata__", {})
        return float(notes["minutes"])
    except (OSError, ValueError, KeyError, TypeError, struct.error, StopIteration):
        return None


def duration(minutes: float) -> str:
    """10 -> "10 minutes", 60 -> "1 hour", 300 -> "5 hours"."""
    amount, unit = (minutes / 60, "hour") if minutes >= 55 else (minutes, "minute")
    shown = f"{amount:.0f}" if abs(amount - round(amount)) < 0.1 or amount >= 10 else f"{amount:.1f}"
    return f"{shown} {unit}{'' if shown == '1' else 's'}"


def _after(minutes: float | None) -> str:
    return f"After {duration(minutes)} of training" if minutes is not None else ""


def _family(record: Checkpoint) -> str:
    """"portraits-gan-early" -> "portraits-gan"."""
    return "-".join(record.name.split("-")[:2])


def _here(record: Checkpoint) -> bool:
    return record.shipped and all((record.folder / name).is_file() for name in record.files)
