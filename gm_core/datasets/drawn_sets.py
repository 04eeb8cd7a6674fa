"""Drawn pictures on the disk: a sheet to look at, and files to train from that no interruption harms."""

import argparse
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike
from PIL import Image

logger = logging.getLogger(__name__)

EVERY = 64
"""So many pictures are drawn before they are safe on the disk."""


def sheet(path: Path, pictures: np.ndarray, columns: int = 8) -> None:
    """Pictures (B, side, side, 3) uint8 side by side, as WebP or PNG by the path's ending."""
    side, rows = pictures.shape[1], -(-len(pictures) // columns)
    canvas = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        canvas[i // columns * side :, i % columns * side :][:side, :side] = picture
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(canvas).save(path, quality=90)


def write(folder: Path, order: Mapping[str, Any], arrays: Mapping[str, tuple[Sequence[int], DTypeLike]],
          draw: Callable[[range], tuple[Mapping[str, ArrayLike], Sequence[Any]]], *, every: int = EVERY,
          until: int | None = None) -> int:
    """Draws a set into `folder` and continues where it was stopped.

    order: what the set is, with its "count" and "start", the first seed. arrays: name -> (shape, type) of `NAME.npy`, the
    count first. draw: seeds -> rows of each array, and a record for each that JSON can hold. Beside the arrays
    `records.jsonl` has a record a line, and `state.json` says how many are done. What is there is safe after every `every`
    pictures. until: stop when so many are done.
    Returns how many are done. Raises ValueError if the folder holds another set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state_file = folder / "state.json"
    if state_file.exists():
        state = json.loads(state_file.read_text())
        if {key: state.get(key) for key in order} != dict(order):
            raise ValueError(f"{folder} holds another set: {state}. Choose another folder.")
        files = {name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="r+") for name in arrays}
    else:
        state = {**order, "done": 0}
        files = {name: np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=np.dtype(dtype), shape=tuple(shape))
                 for name, (shape, dtype) in arrays.items()}
    # records of pictures that were not finished before an interruption are written again
    records_file = folder / "records.jsonl"
    kept = records_file.read_text().splitlines(keepends=True)[: state["done"]] if records_file.exists() else []
    records_file.write_text("".join(kept))
    count, start = order["count"], order["start"]
    with records_file.open("a") as lines:
        while (done := state["done"]) < (count if until is None else min(until, count)):
            end = min(done + every, count)
            rows, records = draw(range(start + done, start + end))
            for name, row in rows.items():
                files[name][done:end] = row
            lines.writelines(json.dumps(record) + "\n" for record in records)
            lines.flush()
            for file in files.values():
                file.flush()
            state["done"] = end
            scratch = state_file.with_suffix(".new")
            scratch.write_text(json.dumps(state) + "\n")
            scratch.replace(state_file)
            logger.info("%d of %d", end, count)
    return state["done"]


def records_of(folder: Path, count: int) -> Iterator[dict[str, Any]]:
    """The first `count` records of a set that `write` has drawn."""
    with (folder / "records.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, islice(lines, count))


def command_line(description: str) -> argparse.ArgumentParser:
    """What every renderer's command takes; `begin` reads it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--sheet", type=Path, help="write a sheet of pictures into this file")
    parser.add_argument("--write", type=Path, help="write pictures and what is known of them into this folder")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--seed", "--start", type=int, default=0, dest="start", help="the first seed")
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=0, help="0: torch's choice")
    return parser


def begin(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The arguments; threads and log are set. Ends the program where neither --sheet nor --write is given."""
    arguments = parser.parse_args()
    if not (arguments.sheet or arguments.write):
        parser.error("nothing to do: give --sheet or --write")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    return arguments
