"""The plan of a picture of the world: what stands where, of which colour, and of which kind.

The world knows more of its pictures than a photographer: its renderer writes which pixel is beak and which is petal, and the
record says that the beak is hooked. On the grid of the latents (a cell of 8x8 px) this makes channels that a denoiser can
learn beside the picture's own, as ReDi does with what a network that sees finds in the picture (Kouzelis et al. 2025,
arXiv:2504.16064). Their numbers are large and few, so they come out of the noise early: first where the beak will be, and
that it is orange and hooked; then how it looks.

Three groups: PARTS, how much of the cell each part fills; then, of the cell's foremost part, which is the rarest that is more
than a trace, its colour, and its marks: the attributes of that part, each value as so many bits of plus or minus.

No sentence says whether a bird looks to the left or to the right. A denoiser that is to decide it where a beak will be, late
and in two cells, decides it twice: its birds had an eye and a beak to either side. So every cell of a bird says where its body
and its head are turned. What a hundred cells say alike is the first thing that comes out of the noise.
"""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets import portraits, world
from gm_core.datasets.drawn_sets import records_of
from gm_core.datasets.world import LABELS
from gm_core.recipes.world_attributes import named_of
from gm_core.recipes.world_autoencoder import WorldFolder

CELL = 8  # px

PARTS: tuple[tuple[float, tuple[str, ...]], ...] = (
    # A channel each: what a cell full of these parts counts, and the parts. No picture has two parts of one channel.
    (4.6, ("bird: body", "flower: stem", "portrait: beard")),
    (4.4, ("bird: breast", "flower: leaf", "portrait: hat")),
    (4.8, ("bird: belly", "flower: centre")),
    (3.5, ("bird: crown", "portrait: hair")),
    (5.2, ("bird: cheek", "portrait: nose")),
    (5.3, ("bird: throat", "portrait: lips")),
    (2.8, ("bird: wing", "flower: petal", "portrait: clothes")),
    (7.1, ("bird: tail", "portrait: brows")),
    (6.5, ("bird: beak", "portrait: glasses")),
    (6.1, ("bird: eye", "portrait: eyes")),
    (7.6, ("bird: leg",)),
    (3.2, ("bird: perch", "portrait: skin")))
MARKS: dict[str, tuple[str, ...]] = {
    "bird: body": ("shape", "size"), "bird: breast": ("breast_pattern",), "bird: crown": ("crest",),
    "bird: cheek": ("eye_stripe",), "bird: wing": ("wing_bars",), "bird: beak": ("beak_shape", "beak_length"),
    "bird: eye": ("eye", "eye_ring"), "bird: leg": ("leg_colour",),
    "flower: petal": ("petal_shape", "gradient", "pattern"), "flower: centre": ("centre", "layers", "petal_number"),
    "portrait: skin": ("sex", "age"), "portrait: hair": ("hair",), "portrait: lips": ("expression",),
    "portrait: glasses": ("glasses",), "portrait: beard": ("beard",), "portrait: hat": ("hat",)}
"""Of which attributes (`world.ATTRIBUTES`) a part has the marks."""

TURNS = 2
"""The last bits of every part of a bird, not of its perch: where its body is turned and where its head is, -1 to the picture's
left, 1 to its right, less where it looks at us or away."""
COLOURS = 3  # lightness; red against green; yellow against blue
BITS = 7
PLAN = len(PARTS) + COLOURS + BITS
FULL = torch.tensor([full for full, _ in PARTS]).view(-1, 1, 1)
LARGEST = torch.cat([FULL, torch.full((COLOURS + BITS, 1, 1), float(FULL.max()) / 2)])
"""(PLAN, 1, 1): what no number of a channel exceeds, up or down."""
SMALL = FULL.flatten() > 5.0  # parts of few pixels that make a bird a bird, and a face a face
TRACE = 0.08  # share of a cell below which a part is a trace
EVEN, MOST = 48, 32.0  # cells of a part that count as they are; of smaller parts a cell counts more, but not more than so much
EQUAL = 6.0  # what a part is at least as loud as, where what is off in its colour and marks is counted
STEADY = 32  # a cell's colour: its own pixels of the part, and so many of the part's mean


def label_maps(folder: Path, first: int, last: int) -> np.ndarray:
    """Those of the pictures first .. last - 1 of a written world: (N, S, S) uint8, indices into LABELS."""
    labels = np.array(np.load(folder / "labels.npy", mmap_mode="r")[first:last])
    alone = "family" not in next(records_of(folder, 1))  # portraits that were drawn by themselves count their own labels
    return np.where(labels > 0, labels + len(LABELS) - len(portraits.LABELS), 0).astype(np.uint8) if alone else labels


def bits_of(part: str, named: dict[str, str]) -> list[float]:
    """+1 or -1 for each bit of the marks of a part; 0 for what has no say in it. BITS of them."""
    found: list[float] = []
    for name in MARKS.get(part, ()):
        values = world.ATTRIBUTES[name]
        number = values.index(named[name]) if name in named else -1
        for bit in range((len(values) - 1).bit_length()):
            found.append(0.0 if number < 0 else 1.0 if number >> bit & 1 else -1.0)
    return found + [0.0] * (BITS - len(found))


def turns_of(folder: Path, done: int) -> list[tuple[float, ...]]:
    """TURNS numbers for each of the first `done` records of a written world; zeros for what is no bird."""
    found: list[tuple[float, ...]] = []
    for record in records_of(folder, done):
        if record.get("family") == "birds":
            body, head = record["record"]["yaw"], record["record"]["yaw"] + record["record"]["turn"]
            found.append(tuple(max(-1.0, min(1.0, 2 * math.sin(angle))) for angle in (body, head)))
        else:
            found.append((0.0,) * TURNS)
    return found


def foremost_of(shares: Tensor) -> tuple[Tensor, Tensor]:
    """shares (N, parts, h, w) of cells -> the number of each cell's foremost part (N, h, w); has it any (N, 1, h, w)?"""
    rank = torch.where(shares >= TRACE, 1 + FULL, shares)  # the rarest that is more than a trace, else what there is most of
    return rank.argmax(1), (shares.amax(1) > 0)[:, None]


def plans(labels: np.ndarray, pictures: np.ndarray, named: list[dict[str, str]], turns: Sequence[Sequence[float]]) -> Tensor:
    """labels (N, S, S) indices into LABELS; pictures (N, S, S, 3) uint8 RGB; the attributes of each, as `world.named` has them,
    and its turns, as `turns_of` has them. Returns (N, PLAN, S/8, S/8), half precision.

    How much of a cell a part fills counts by its root, so that an eye, which fills none, counts too.
    """
    many, side = len(labels), labels.shape[1] // CELL
    channel = np.zeros(len(LABELS), np.int64)
    for i, (_, parts) in enumerate(PARTS):
        channel[[LABELS.index(part) for part in parts]] = i + 1
    kinds = len(PARTS) + 1
    of_each = channel[labels]
    grid = np.arange(many * side * side).reshape(many, side, side).repeat(CELL, 1).repeat(CELL, 2)
    place = (grid * kinds + of_each).ravel()

    def summed(weights: np.ndarray | None = None) -> Tensor:
        """Over the pixels of each cell and kind: (N, kinds, side, side)."""
        found = np.bincount(place, None if weights is None else weights.ravel(), many * side * side * kinds)
        return torch.from_numpy(found.reshape(many, side, side, kinds).transpose(0, 3, 1, 2).astype(np.float32))[:, 1:]

    counts = summed()
    shares = counts / CELL**2
    red, green, blue = (pictures[..., i].astype(np.float64) / 127.5 - 1 for i in range(3))
    colours = torch.stack([summed(one) for one in ((red + green + blue) / 3, red - green, (red + green) / 2 - blue)], 2)
    means = colours.sum((3, 4), keepdim=True) / counts.sum((2, 3))[:, :, None, None, None].clamp_min(1)
    colours = (colours + STEADY * means) / (counts[:, :, None] + STEADY)  # (N, parts, 3, side, side)

    foremost, there = foremost_of(shares)
    loud = FULL.flatten()[foremost][:, None] / 2 * there
    paint = colours.gather(1, foremost[:, None, None].expand(-1, -1, COLOURS, -1, -1))[:, 0] * loud
    marks = torch.zeros(many, len(PARTS), BITS)
    for i, values in enumerate(named):
        for k, (_, parts) in enumerate(PARTS):
            for part in parts:
                if part.startswith(values["kind"]):
                    marks[i, k] = torch.tensor(bits_of(part, values))
                    if part.startswith("bird") and part != "bird: perch":
                        marks[i, k, BITS - TURNS :] = torch.tensor(turns[i])
    bits = marks[torch.arange(many)[:, None, None], foremost].permute(0, 3, 1, 2) * loud
    return torch.cat([shares.sqrt() * FULL, paint, bits], 1).half()


def marks_in(plan: Tensor, kinds: Sequence[str]) -> Tensor:
    """What plans (N, PLAN, h, w), perhaps made by a network, say of the attributes of `MARKS`, as in
    `world_attributes.targets`: of each part the mean of its cells; -1 where it has none. kinds: of what each is a picture.
    """
    shares, bits = (plan[:, : len(PARTS)] / FULL).clamp_min(0).square(), plan[:, len(PARTS) + COLOURS :]
    foremost, there = foremost_of(shares * (shares > CELL**-2))  # less than a pixel is nothing
    column = {name: k for k, name in enumerate(world.ATTRIBUTES)}
    found = torch.full((len(plan), len(column)), -1)
    for i, kind in enumerate(kinds):
        found[i, column["kind"]] = world.ATTRIBUTES["kind"].index(kind)
        for k, (_, parts) in enumerate(PARTS):
            cells = (foremost[i] == k) & there[i, 0]
            for part in (part for part in parts if part.startswith(kind) and cells.any()):
                means = bits[i, :, cells].mean(1).tolist()
                for name in MARKS.get(part, ()):
                    values = world.ATTRIBUTES[name]
                    own, means = means[: (len(values) - 1).bit_length()], means[(len(values) - 1).bit_length() :]
                    number = sum(1 << bit for bit, mean in enumerate(own) if mean > 0)
                    found[i, column[name]] = number if number < len(values) else -1
    return found


def plans_of(folder: Path, done: int) -> Tensor:
    """The plans of the first `done` pictures of a written world (N, PLAN, 16, 16); kept beside it, and only added to."""
    which = hashlib.sha256(repr((PARTS, MARKS, BITS, TURNS, TRACE, STEADY)).encode()).hexdigest()[:12]
    path = folder / f"plans-{which}.npy"
    known = np.load(path)[:done] if path.exists() else np.empty((0, PLAN, world.SIDE // CELL, world.SIDE // CELL), np.float16)
    if len(known) < done:
        named, turns, written, parts = named_of(folder, done), turns_of(folder, done), WorldFolder(folder), [known]
        for i in range(len(known), done, 500):
            last = min(i + 500, done)
            parts.append(plans(label_maps(folder, i, last), written.read(range(i, last)), named[i:last], turns[i:last]).numpy())
        known = np.concatenate(parts)
        for old in folder.glob("plans-*.npy"):
            old.unlink()
        np.save(path, known)
    return torch.from_numpy(known)


def small_parts(plan: Tensor) -> Tensor:
    """(B, PLAN, h, w) -> (B, 1, h, w) in 0..1: how much there is of a part of few pixels."""
    return (plan[:, : len(PARTS)] / FULL)[:, SMALL].amax(1, keepdim=True).clamp(0, 1)


def evened(plan: Tensor) -> Tensor:
    """(B, PLAN, h, w) -> weights (B, PLAN, h, w) for what is off in it: that the beak is orange is told in two cells of 256,
    and shall count as much as that the body is blue; and that a wing has bars is told quietly, in many.
    """
    foremost, there = foremost_of((plan[:, : len(PARTS)] / FULL).square())
    known = F.one_hot(foremost, len(PARTS)) * there[:, 0, :, :, None]
    counts = known.sum((1, 2))  # (B, parts)
    of_cells = (EVEN / counts.clamp_min(1)).clamp(1, MOST) * (EQUAL / FULL.flatten()).square().clamp_min(1)
    told = torch.where(there[:, 0], of_cells.gather(1, foremost.flatten(1)).view_as(foremost), 1.0)[:, None]
    return torch.cat([torch.ones_like(plan[:, : len(PARTS)]), told.expand(-1, COLOURS + BITS, -1, -1)], 1)
