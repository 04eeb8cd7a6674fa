"""pix2pix-facades, pix2pix-portraits (and -256), pix2pix-colour: from drawings to pictures, by pairs (Isola et al. 2017).

    python -m gm_core.recipes.pix2pix --data DATA --name pix2pix-facades --run runs/pix2pix-facades --minutes 150
    python -m gm_core.recipes.pix2pix --data DATA --name pix2pix-facades --run runs/facades-l1 --losses l1 --minutes 40
    python -m gm_core.recipes.pix2pix --data DATA --name pix2pix-facades --run runs/pix2pix-facades --evaluate \
        --baseline runs/facades-l1
    python -m gm_core.recipes.pix2pix --data DATA --name pix2pix-facades --run runs/pix2pix-facades --ship

DATA holds `facades`, `bsds400` and landscapes, and the weights of SqueezeNet. pix2pix-portraits learns from the folder that
`python -m gm_core.datasets.portraits --write WORLD` has written, named with `--world`; pix2pix-portraits-256 from one written
with `--side 256`, and also from lines without labels. pix2pix-colour gives chroma to luminance, which stays as it was.

From the paper: L1 to the picture that belongs to the drawing, and a discriminator that sees both; dropout is the noise.
For hours on one core: a perceptual loss through SqueezeNet, matching of the discriminator's own features (Wang et al. 2018,
arXiv:1711.11585), a second discriminator that looks through SqueezeNet, and crops that grow to 256 px. What a drawing
leaves open is told in numbers (a person's attributes; colours of wall and sky, a photograph's palette), so that no loss
has to average over it; for a visitor's photograph the network's own depths choose a palette, or none is told. Colour has two
losses of its own: against blotches (`unsteady`), and for seeing what SqueezeNet sees in the photograph (`Pupil`).
`--losses l1` trains the baseline that the figures compare with. Minutes are of work, not of the clock's: the same command
goes on after an interruption, and with more minutes after the end. Columns of the sheet: drawing, two samples, truth; of
photographs the first sample is told its own palette, the second what nobody has to know.
"""

import argparse
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from scipy.cluster.vq import kmeans2
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gm_core.datasets import facades, portraits
from gm_core.datasets.folders import RandomCrops, picture_files, read_picture, to_tensor
from gm_core.metrics import kid, pooled_features
from gm_core.models.discriminators import PatchDiscriminator
from gm_core.models.dropout import drawn_from
from gm_core.models.feature_discriminator import TAPS, FeatureDiscriminator, least_squares
from gm_core.models.line_reader import READ, LineReader
from gm_core.models.pix2pix_generator import GLANCE, PALETTE, Pix2PixGenerator, chroma, coloured, luminance, palette
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.recipes.common import begin_with, load_state, quickly, save_state, sheet, ship, start, worked_seconds

logger = logging.getLogger("recipe.pix2pix")

BATCH = 2
SIZES = ((0.0, 128), (0.45, 192), (0.8, 256))  # from this share of the time on, crops of this side
RATE, JUDGE_RATE = 8e-4, 4e-4
PERCEPTUAL, WHOLE, FEATURES, MATCHING = 3.0, 0.5, 0.5, 2.0  # weights of the losses beside L1
SEEING, STEADY = 1.0, 25.0  # of two more, for a network that colours
APART = (1, 4, 12)  # pixels at which `unsteady` compares
COLOURS = 6.0  # how much more a pixel's chroma counts in the L1 loss where there is colour
ADVERSARIAL_FROM = 0.08  # share of the time
AVERAGE = 0.999  # of the weights, a step
MEASURED = 100
READER_BATCH, READER_RATE = 16, 2e-3


@dataclass(frozen=True)
class Batch:
    drawing: Tensor
    """(B, inputs, S, S): what the network is given."""
    picture: Tensor
    """(B, 3, S, S), RGB in 0..1: what belongs to it."""
    attributes: Tensor | None = None
    """(B, attributes)."""


class Source(Protocol):
    """Pairs to learn from."""

    moods: list[list[float]]
    """Attributes to choose from where nobody knows them; see `Pix2PixGenerator`."""
    side: int
    """Of its pictures, where they show something whole; else 0."""

    def draw(self, random: np.random.Generator, side: int) -> Batch:
        """BATCH random crops."""
        ...

    def held_out(self, count: int) -> Batch:
        """Whole pictures that are never trained on, 256 px; at most `count`."""
        ...


def one_hot(labels: np.ndarray, count: int) -> Tensor:
    """(B, H, W) -> (B, count, H, W) float."""
    return F.one_hot(torch.from_numpy(labels.astype(np.int64)), count).permute(0, 3, 1, 2).float()


def cut(random: np.random.Generator, side: int, *arrays: np.ndarray) -> list[np.ndarray]:
    """The same random square of each array (H, W, ...), flipped or not."""
    top, left = (random.integers(extent - side + 1) for extent in arrays[0].shape[:2])
    flip = random.random() < 0.5
    found = [array[top : top + side, left : left + side] for array in arrays]
    return [np.ascontiguousarray(part[:, ::-1] if flip else part) for part in found]


class Facades:
    """Label maps of fronts of houses and their photographs."""

    MOODS = 32

    def __init__(self, data: Path) -> None:
        self.pairs = [facades.read_pair(path) for path in sorted((data / "facades" / "train").glob("*.jpg"))]
        self.others = sorted((data / "facades" / "val").glob("*.jpg"))
        self.tints = np.stack([facades.tints(*pair) for pair in self.pairs])
        self.moods, self.side = self._moods(), 0

    def _moods(self) -> list[list[float]]:
        """Tints of training photographs as they come, the most common one first. Those with dark surroundings are left out:
        where a photograph was set upright, the corners are black."""
        lit = self.tints[self.tints[:, 3:].mean(1) > -0.15]
        lit = lit if len(lit) else self.tints
        others = np.random.default_rng(0).permutation(len(lit))[: self.MOODS - 1]
        chosen = [np.square(lit - np.median(lit, 0)).sum(1).argmin(), *others]
        return [[round(float(x), 2) for x in lit[i]] for i in chosen]

    def draw(self, random: np.random.Generator, side: int) -> Batch:
        chosen = random.integers(len(self.pairs), size=BATCH)
        parts = [cut(random, side, *self.pairs[i]) for i in chosen]
        return self.batch([photo for photo, _ in parts], [labels for _, labels in parts], self.tints[chosen])

    def held_out(self, count: int) -> Batch:
        """As a visitor's: nobody knows the tints, so moods stand in."""
        pairs = [facades.read_pair(path) for path in self.others[:count]]
        moods = np.array([self.moods[i % len(self.moods)] for i in range(len(pairs))], np.float32)
        return self.batch([photo for photo, _ in pairs], [labels for _, labels in pairs], moods)

    def batch(self, photos: list[np.ndarray], labels: list[np.ndarray], tints: np.ndarray) -> Batch:
        return Batch(one_hot(np.stack(labels), len(facades.LABELS)), torch.stack([to_tensor(photo) for photo in photos]),
                     torch.from_numpy(tints))


class Portraits:
    """Label maps with a line drawing, and the portraits; the record's attributes say what a drawing leaves open."""

    HELD_OUT = 200
    BOLD, OUTLINED = 0.4, 0.3  # shares of the drawings of lines alone whose pen is wide, and which have outlines only
    RUBBED = 6  # places a drawing of lines alone may be rubbed out at

    def __init__(self, world: Path, alone: bool = False) -> None:
        """alone: drawings may also be lines without labels."""
        self.moods: list[list[float]] = []
        self.alone = alone
        self.attributes = torch.from_numpy(np.load(world / "attributes.npy"))
        self.done = int(self.attributes.abs().sum(1).ne(0).sum())  # a folder that is still being written ends in zeros
        self.pictures = np.load(world / "pictures.npy", mmap_mode="r")
        self.labels = np.load(world / "labels.npy", mmap_mode="r")
        self.side = self.pictures.shape[1]

    def draw(self, random: np.random.Generator, side: int) -> Batch:
        chosen = random.integers(self.HELD_OUT, self.done, size=BATCH)
        # Whole portraits, reduced: the attributes speak of the whole. Lines come and go, so that a map alone will do.
        return self.batch(chosen, [random.random() < 0.7 for _ in chosen], max(1, self.pictures.shape[1] // side))

    def lines(self, random: np.random.Generator, chosen: np.ndarray, side: int) -> tuple[Tensor, Tensor]:
        """Drawings of lines alone (N, 1, side, side) in 0..1, as different hands draw, and their labels (N, side, side)."""
        pictures, labels = self._reduced(chosen, max(1, self.side // side))
        drawn = torch.from_numpy(portraits.edges(labels, pictures)).float()[:, None] / 255
        outlines = torch.from_numpy(portraits.edges(labels)).float()[:, None] / 255
        for i in range(len(chosen)):
            if random.random() < self.OUTLINED:
                drawn[i] = outlines[i]
            if random.random() < self.BOLD:
                drawn[i] = F.max_pool2d(drawn[i : i + 1], 3, 1, 1)[0]
            for _ in range(random.integers(self.RUBBED)):
                top, left, extent = *random.integers(side, size=2), int(random.integers(2, max(3, side // 10)))
                drawn[i, :, top : top + extent, left : left + extent] = 0
        return drawn, torch.from_numpy(labels.astype(np.int64))

    def held_out(self, count: int) -> Batch:
        chosen = np.arange(min(count, self.HELD_OUT))
        return self.batch(chosen, [True for _ in chosen], 1)

    @torch.inference_mode()
    def read(self, network: nn.Module, count: int) -> Batch:
        """As `held_out`, but from lines alone, of which the network's reader says what they enclose."""
        assert isinstance(network, Pix2PixGenerator) and network.reader is not None
        chosen = np.arange(min(count, self.HELD_OUT))
        batch = self.batch(chosen, [True for _ in chosen], 1)
        drawn, _ = self.lines(np.random.default_rng(0), chosen, self.side)
        labels = torch.cat([network.reader.labels(one[None]) for one in drawn])
        return Batch(torch.cat([one_hot(labels.numpy(), len(portraits.LABELS)), drawn], 1), batch.picture, batch.attributes)

    def _reduced(self, chosen: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
        """Pictures and label maps at 1 / factor of their size."""
        pictures, labels = np.stack([self.pictures[i] for i in chosen]), np.stack([self.labels[i] for i in chosen])
        if factor > 1:
            count, height, width, _ = pictures.shape
            blocks = pictures.reshape(count, height // factor, factor, width // factor, factor, 3)
            pictures, labels = blocks.mean((2, 4)).round().astype(np.uint8), labels[:, ::factor, ::factor]
        return pictures, labels

    def batch(self, chosen: np.ndarray, lined: list[bool], factor: int) -> Batch:
        pictures, labels = self._reduced(chosen, factor)
        lines = torch.from_numpy(portraits.edges(labels, pictures)).float()[:, None] / 255
        lines = lines * torch.tensor(lined).float().view(-1, 1, 1, 1)
        drawing = torch.cat([one_hot(labels, len(portraits.LABELS)), lines], 1)
        return Batch(drawing, torch.stack([to_tensor(picture) for picture in pictures]), self.attributes[chosen])


class Colour:
    """The luminance of photographs with their palettes, and the photographs."""

    FOLDERS = ("summer2winter/summer", "summer2winter/winter", "monet2photo/photo")
    MOODS = 24
    THINGS = 0.75  # share of the crops with people, animals and things, of which there are fewer photographs
    UNTOLD = 0.4  # share of the crops whose palette stays untold, as a visitor's is
    ROUGH = 0.08  # palettes are told about so exactly: no mood ever fits to the last bit

    def __init__(self, data: Path) -> None:
        self.data = data
        self.side = 0
        self.bsds = [read_picture(path) for path in picture_files(data / "bsds400")]
        self.landscapes = [read_picture(path) for folder in self.FOLDERS for path in picture_files(data / folder)]
        self.crops: dict[int, list[RandomCrops]] = {}
        self.palettes = torch.cat([palette(to_tensor(picture)[None]) for picture in self.bsds + self.landscapes])
        self.moods = self._moods()

    def _moods(self) -> list[list[float]]:
        """Palettes of photographs that stand for groups of alike ones (k-means)."""
        found = self.palettes.double().numpy()
        means, places = kmeans2(found, min(self.MOODS, len(found) // 4), minit="++", rng=np.random.default_rng(0))
        moods = []
        for i, mean in enumerate(means):
            of_group = found[places == i]
            if len(of_group):
                chosen = of_group[np.square(of_group - mean).sum(1).argmin()]
                moods.append([round(float(x), 2) for x in chosen])
        return moods

    @torch.inference_mode()
    def teach_choice(self, network: nn.Module, most: int) -> None:
        """Fits `network.choose` by logistic regression: from its own depths to the moods near a photograph's palette.

        BSDS counts as much as the landscapes, which are more: visitors bring people and things.
        """
        assert isinstance(network, Pix2PixGenerator) and network.choose is not None
        pictures = self.bsds + self.landscapes
        random = np.random.default_rng(0)
        chosen = np.concatenate([random.integers(len(self.bsds), size=most // 2),
                                 len(self.bsds) + random.integers(len(self.landscapes), size=most // 2)])
        depths = torch.cat([network.depths(luminance(_whole(pictures[i])) * 2 - 1) for i in chosen])
        apart = torch.cdist(self.palettes[chosen], torch.tensor(self.moods)).square()
        wanted = F.softmax(-apart / 0.3, 1)
        middle, scale = depths.mean(0), depths.std(0) + 1e-3
        with torch.inference_mode(False):
            given, wanted = ((depths - middle) / scale).clone(), wanted.clone()
            weight = torch.zeros(len(self.moods), given.shape[1], requires_grad=True)
            bias = torch.zeros(len(self.moods), requires_grad=True)
            solver = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

            def loss() -> float:
                solver.zero_grad()
                value = F.cross_entropy(F.linear(given, weight, bias), wanted) + 0.05 * weight.square().sum()
                value.backward()
                return float(value.detach())

            solver.step(loss)
        network.choose.weight.copy_(weight / scale)
        network.choose.bias.copy_(bias - (weight / scale) @ middle)

    def draw(self, random: np.random.Generator, side: int) -> Batch:
        if side not in self.crops:
            seeds = random.integers(2**31, size=2)
            self.crops[side] = [RandomCrops(pictures, side, max_reduction=3.0, towards_whole=2.0, turn=False, seed=int(seed))
                                for pictures, seed in zip((self.bsds, self.landscapes), seeds, strict=True)]
        things, landscapes = self.crops[side]
        pictures = torch.stack([to_tensor((things if random.random() < self.THINGS else landscapes).crop())
                                for _ in range(BATCH)])
        told = palette(pictures) + torch.from_numpy(random.normal(0, self.ROUGH, (BATCH, PALETTE)).astype(np.float32))
        told[torch.from_numpy(random.random(BATCH) < self.UNTOLD)] = 0
        return self.batch(pictures, told)

    def held_out(self, count: int) -> Batch:
        files = picture_files(self.data / "bsds400", held_out=True)
        files += [path for folder in self.FOLDERS for path in picture_files(self.data / folder, held_out=True)]
        chosen = np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)
        found = []
        for i in chosen:
            picture = read_picture(files[i])
            top, left = (picture.shape[0] - 256) // 2, (picture.shape[1] - 256) // 2
            found.append(to_tensor(picture[top : top + 256, left : left + 256]))
        pictures = torch.stack(found)
        return self.batch(pictures, palette(pictures))

    def batch(self, pictures: Tensor, told: Tensor) -> Batch:
        return Batch(luminance(pictures) * 2 - 1, pictures, told)


def _whole(picture: np.ndarray) -> Tensor:
    """(1, 3, GLANCE, GLANCE): the whole photograph."""
    return F.interpolate(to_tensor(picture)[None], (GLANCE, GLANCE), mode="area")


@dataclass(frozen=True)
class Recipe:
    kind: str
    inputs: int
    l1: float
    """Weight of the L1 loss."""
    data: str
    widths: tuple[int, int, int, int, int] = (32, 64, 128, 192, 256)
    attributes: int = 0
    alone: bool = False
    """Does it also learn to read lines without labels?"""
    sizes: tuple[tuple[float, int], ...] = SIZES

    @property
    def config(self) -> dict[str, Any]:
        """Arguments of Pix2PixGenerator."""
        return {"inputs": self.inputs, "outputs": 2 if self.kind == "luminance" else 3, "widths": list(self.widths),
                "attributes": self.attributes, "kind": self.kind, "alone": self.alone}


RECIPES = {
    "pix2pix-facades": Recipe("labels", len(facades.LABELS), 5.0, "facades/train", attributes=6),
    "pix2pix-portraits": Recipe("portrait", len(portraits.LABELS) + 1, 8.0, "portraits of gm_core.datasets.portraits",
                                attributes=len(portraits.ATTRIBUTES)),
    "pix2pix-portraits-256": Recipe("portrait", len(portraits.LABELS) + 1, 8.0,
                                    "portraits of gm_core.datasets.portraits, 256 px", attributes=len(portraits.ATTRIBUTES),
                                    alone=True, sizes=((0.0, 128), (0.3, 256))),
    "pix2pix-colour": Recipe("luminance", 1, 8.0, "bsds400, summer2winter, monet2photo/photo", attributes=PALETTE,
                             sizes=((0.0, 128), (0.5, 192))),
}


def taught_to_read(reader: LineReader, source: Portraits, minutes: float, seed: int) -> None:
    """Teaches a reader what lines enclose: cross entropy, in which what is small counts for more."""
    random = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(reader.parameters(), READER_RATE, weight_decay=0.01)
    shares = np.bincount(np.ravel(source.labels[: Portraits.HELD_OUT]), minlength=len(portraits.LABELS)) + 1.0
    weights = torch.from_numpy(np.sqrt(shares.sum() / shares)).float()
    began, reported, losses, over = worked_seconds(), time.perf_counter(), [], False
    reader.train().requires_grad_(True)
    while not over:
        share = min(1.0, (worked_seconds() - began) / (60 * minutes))
        for group in optimizer.param_groups:
            group["lr"] = READER_RATE * max(0.02, min(1.0, 2 * (1 - share)))
        chosen = random.integers(Portraits.HELD_OUT, source.done, size=READER_BATCH)
        drawn, labels = source.lines(random, chosen, min(READ, source.side))
        loss = F.cross_entropy(quickly(reader, drawn), labels, weights / weights.mean())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        over = share >= 1
        if time.perf_counter() - reported > 60 or over:
            logger.info("reader: %.1f min  step %d  loss %.4f", (worked_seconds() - began) / 60, len(losses),
                        np.mean(losses[-200:]))
            reported = time.perf_counter()
    reader.eval().requires_grad_(False)


class Judges(nn.Module):
    """A discriminator that sees drawing and picture, and one that sees the picture through SqueezeNet."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.patches = PatchDiscriminator(inputs + 3)
        self.features = FeatureDiscriminator()

    def forward(self, drawing: Tensor, picture: Tensor,
                features: dict[str, Tensor]) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """picture: (B, 3, S, S) in 0..1. Returns answers, answers about features, and what the first one sees on the way."""
        x = torch.cat([picture * 2 - 1, drawing], 1)
        seen = []
        for conv in self.patches.convs:
            x = F.leaky_relu(quickly(conv, x), 0.2)
            seen.append(x)
        return [self.patches.answer(x)], self.features(features), seen


def painted(network: nn.Module, batch: Batch, kind: str) -> tuple[Tensor, Tensor]:
    """(the network's answer, the picture (B, 3, S, S) in 0..1 or a little beyond)."""
    told = [batch.drawing] if batch.attributes is None else [batch.drawing, batch.attributes]
    answer = quickly(network, *told) if network.training else network(*told)
    return answer, coloured(batch.drawing[:, :1] / 2 + 0.5, answer) if kind == "luminance" else answer / 2 + 0.5


def unlike(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> Tensor:
    """Perceptual distance from activations that are known already; see `gm_core.metrics.perceptual_distance`."""
    return torch.stack([(F.normalize(x, dim=1) - F.normalize(theirs[tap], dim=1)).square().sum(1).mean()
                        for tap, x in ours.items()]).mean()


def unsteady(made: Tensor, real: Tensor) -> Tensor:
    """How much chroma (B, 2, H, W) changes from place to place where the real one does not: blotches, and colour that runs
    over an edge. Where the real one changes more, nothing is said."""
    found = torch.zeros(())
    for far in APART:
        for dim in (2, 3):
            length = made.shape[dim] - far
            ours, theirs = ((x.narrow(dim, far, length) - x.narrow(dim, 0, length)).abs() for x in (made, real))
            found = found + F.relu(ours - theirs).mean()
    return found / len(APART)


class Pupil(nn.Module):
    """Learns beside a network that colours to say from its depths what SqueezeNet sees in the real photograph (hints as of
    Romero et al. 2015, arXiv:1412.6550): what is a face and what is fur is more than a few hundred photographs teach."""

    def __init__(self, network: Pix2PixGenerator, widths: tuple[int, ...]) -> None:
        """widths: of the network's two deepest floors, which are listened to."""
        super().__init__()
        self.seen: list[Tensor] = []
        for floor in network.on_the_way_down[-len(widths) :]:
            floor.register_forward_hook(self._see)
        self.says = nn.ModuleList(nn.Conv2d(width, 512, 1) for width in widths)

    def _see(self, floor: nn.Module, given: object, found: Tensor) -> None:
        self.seen.append(found)

    def forward(self, of_real: dict[str, Tensor]) -> Tensor:
        """of_real: activations of the real photographs. Returns one less the cosine between what is said and what is seen."""
        found = torch.zeros(())
        for say, seen in zip(self.says, self.seen, strict=True):
            wanted = F.interpolate(of_real["fire8"], seen.shape[2:], mode="area")
            found = found + 1 - F.cosine_similarity(quickly(say, seen), wanted).mean()
        return found / len(self.says)


def as_asked(network: nn.Module, photograph: Batch, told: bool) -> Tensor:
    """One photograph as the task colours it with seed 0; told: by its own palette."""
    assert isinstance(network, Pix2PixGenerator) and photograph.attributes is not None
    light = photograph.drawing
    palettes = photograph.attributes if told else network.default_palettes(light)
    return coloured(light / 2 + 0.5, network.chroma_of(light, palettes))


@torch.inference_mode()
def samples(network: nn.Module, batch: Batch, kind: str, seed: int | None) -> Tensor:
    """Pictures as 8 bits would keep them, (N, 3, S, S) in 0..1. For photographs seed 1 tells their own palette, which nobody
    else knows; any other, what the task's seed 0 tells."""
    found = []
    for i in range(len(batch.drawing)):
        one = Batch(batch.drawing[i : i + 1], batch.picture[i : i + 1],
                    None if batch.attributes is None else batch.attributes[i : i + 1])
        with drawn_from(None if seed is None else seed + i):
            found.append(as_asked(network, one, seed == 1) if kind == "luminance" else painted(network, one, kind)[1])
    return (torch.cat(found).clamp(0, 1) * 255).round() / 255


def drawn(batch: Batch, kind: str) -> Tensor:
    """The drawings as one sees them, (N, 3, S, S) in 0..1."""
    if kind == "luminance":
        return (batch.drawing[:, :1] / 2 + 0.5).expand(-1, 3, -1, -1)
    legend = facades.LABEL_COLOURS if kind == "labels" else portraits.LABEL_COLOURS
    colours = torch.tensor(legend).float() / 255  # (labels, 3)
    found = torch.einsum("blhw,lc->bchw", batch.drawing[:, : len(legend)], colours)
    return found * (1 - batch.drawing[:, len(legend) :].amax(1, keepdim=True)) if kind == "portrait" else found


def write_sheet(network: nn.Module, source: Source, kind: str, path: Path) -> None:
    batch = source.held_out(16)
    if isinstance(source, Portraits) and source.alone:
        read, half = source.read(network, len(batch.picture)), len(batch.picture) // 2
        batch = Batch(torch.cat([batch.drawing[:half], read.drawing[half:]]), batch.picture, batch.attributes)
    columns = (drawn(batch, kind), samples(network, batch, kind, 1), samples(network, batch, kind, 2), batch.picture)
    half = len(batch.picture) // 2
    sheet([[column[i] for i in (row, half + row) for column in columns] for row in range(half)], path)  # two to a row


@torch.inference_mode()
def evaluate(networks: dict[str, nn.Module], squeezenet: SqueezeNet, source: Source, kind: str, run: Path,
             about: dict[str, Any]) -> None:
    """Every network on held-out drawings; KID of its pictures against the real ones; writes evaluation.json."""
    batch = source.held_out(MEASURED)

    def features(x: Tensor) -> Tensor:
        return torch.cat([pooled_features(part, squeezenet) for part in x.split(4)])

    real, size = features(batch.picture), min(50, len(batch.picture) // 2)
    table: dict[str, Any] = {**about, "pictures": len(batch.picture), "subset_size": size}
    asked = {name: (network, batch, 2) for name, network in networks.items()}
    if isinstance(source, Portraits) and source.alone:
        for name, network in networks.items():
            read = source.read(network, MEASURED)
            asked[f"{name}, lines alone"] = network, read, 2
            right = (read.drawing[:, :-1].argmax(1) == batch.drawing[:, :-1].argmax(1)).float().mean()
            table[f"{name}, labels read from lines alone, right"] = round(float(right), 4)
    if kind == "luminance":
        asked |= {f"{name}, told the photographs' own palettes": (network, batch, 1) for name, network in networks.items()}
    shown = {name: [samples(network, drawings, kind, seed) for seed in (first, 1000)]
             for name, (network, drawings, first) in asked.items()}
    if kind == "luminance":
        shown["no colour at all"] = [luminance(batch.picture).expand_as(batch.picture)] * 2
    for name, (made, other) in shown.items():
        found = kid(features(made), real, subset_size=size)
        distances = [unlike(squeezenet(x[None]), squeezenet(y[None])) for x, y in zip(made, batch.picture, strict=True)]
        table[name] = {"kid": found.value, "kid_error": found.error, "l1": float((made - batch.picture).abs().mean()),
                       "perceptual": float(torch.stack(distances).mean()),
                       "samples_differ_l1": float((made - other).abs().mean()),
                       "colourfulness": float(chroma(made).abs().mean() / chroma(batch.picture).abs().mean()),
                       "luminance_l1": float((luminance(made) - luminance(batch.picture)).abs().mean())}
    (run / "evaluation.json").write_text(json.dumps(table, indent=2) + "\n")
    logger.info("%s", json.dumps(table, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--name", choices=sorted(RECIPES), required=True)
    parser.add_argument("--world", type=Path, default=Path("runs/world-128"), help="for pix2pix-portraits")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=150.0)
    parser.add_argument("--reading-minutes", type=float, default=8.0,
                        help="before them, for the reader of lines alone; 0: it has learnt already")
    parser.add_argument("--losses", choices=("all", "l1"), default="all", help="l1: the baseline that is measured beside")
    parser.add_argument("--begin", type=Path, help="folder of a checkpoint to begin with, if RUN has none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="measure what RUN has saved, train nothing")
    parser.add_argument("--baseline", type=Path, help="run of the L1 baseline, for --evaluate")
    parser.add_argument("--ship", action="store_true", help="ship what RUN has saved, train nothing")
    args = parser.parse_args()
    start(args.run, args.threads)
    recipe = RECIPES[args.name]
    kind = recipe.kind

    source: Source = {"labels": lambda: Facades(args.data), "portrait": lambda: Portraits(args.world, recipe.alone),
                      "luminance": lambda: Colour(args.data)}[kind]()
    config = {**recipe.config, "moods": source.moods, "side": source.side}
    torch.manual_seed(args.seed)
    network = Pix2PixGenerator(**config)
    reader = network.reader
    begin_with(network, args.begin, may_lack="reader")
    painting = [value for name, value in network.named_parameters() if not name.startswith("reader.")]
    average = AveragedModel(network, avg_fn=lambda ours, theirs, count: ours.lerp(
        theirs, 1 - min(AVERAGE, (1 + int(count)) / (10 + int(count)))))
    pupil = Pupil(network, recipe.widths[-2:]) if kind == "luminance" else None
    painting += pupil.parameters() if pupil else []
    of_network = torch.optim.Adam(painting, RATE, (0.5, 0.99))
    judges = Judges(recipe.inputs)
    judges.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    of_judges = torch.optim.Adam(judges.parameters(), JUDGE_RATE, (0.5, 0.99))
    parts = {"network": network, "judges": judges, "average": average, "of_network": of_network, "of_judges": of_judges}
    parts |= {"pupil": pupil} if pupil else {}
    step, worked, side = 0, 0.0, recipe.sizes[0][1]
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, worked, side = state["step"], state["worked"], state["side"]
        logger.info("from step %d, %.1f minutes", step, worked / 60)
    about = {"recipe": "gm_core.recipes.pix2pix", "name": args.name, "losses": args.losses, "seed": args.seed, "batch": BATCH,
             "data": recipe.data}
    if isinstance(source, Colour) and (args.ship or args.evaluate):
        source.teach_choice(average.module.eval(), len(source.palettes))
    if args.ship:
        ship(args.name, average.module, "pix2pix_generator:Pix2PixGenerator", config,
             {**about, "steps": step, "minutes": round(worked / 60)})
        return
    squeezenet = load_squeezenet(args.data)
    squeezenet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - its poolings are slow otherwise
    if args.evaluate:
        networks: dict[str, nn.Module] = {args.name: average.module.eval()}
        if args.baseline and (state := load_state(args.baseline)):
            baseline = AveragedModel(Pix2PixGenerator(**config))
            baseline.load_state_dict(state["average"])
            networks["l1 alone"] = baseline.module.eval()
            about["baseline_steps"] = state["step"]
        evaluate(networks, squeezenet, source, kind, args.run, {**about, "steps": step, "minutes": round(worked / 60)})
        return

    logger.info("generator %.2f M, discriminators %.2f M weights",
                *(sum(p.numel() for p in part.parameters()) / 1e6 for part in (network, judges)))
    if reader is not None and isinstance(source, Portraits):
        if args.reading_minutes and not (state and state["read"]):
            taught_to_read(reader, source, args.reading_minutes, args.seed)
        of_average = average.module.reader
        assert isinstance(of_average, LineReader)
        of_average.load_state_dict(reader.state_dict())
    random = np.random.default_rng((args.seed, step))
    torch.manual_seed(args.seed + step)
    kept: list[dict[str, float]] = []
    clock, reported, saved, processed = worked_seconds(), time.perf_counter(), time.perf_counter(), time.process_time()
    while worked < args.minutes * 60:
        share = worked / (args.minutes * 60)
        # Crops do not go back when more minutes are given.
        side = max(side, next(size for since, size in reversed(recipe.sizes) if share >= since))
        for optimizer, rate in ((of_network, RATE), (of_judges, JUDGE_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, 2 * (1 - share)) * min(1.0, (step + 1) / 100)
        batch = source.draw(random, side)
        if pupil:
            pupil.seen.clear()
        answer, made = painted(network, batch, kind)
        wanted = chroma(batch.picture) if kind == "luminance" else batch.picture * 2 - 1
        l1 = (answer - wanted).abs()
        if kind == "luminance":  # most of a photograph is nearly grey, and what is not would count for little
            l1 = l1 * (1 + COLOURS * wanted.abs().sum(1, keepdim=True))
        l1 = l1.mean()
        loss, told = recipe.l1 * l1, {"l1": l1}
        of_real: dict[str, Tensor] = {}
        of_made: dict[str, Tensor] = {}
        if args.losses == "all":
            # The features' strides and poolings favour some pixels; another corner every time leaves no grid behind.
            top, left = random.integers(0, 8, 2)
            with torch.no_grad():
                of_real = quickly(squeezenet, batch.picture[..., top:, left:], ("conv1", *TAPS))
            of_made = quickly(squeezenet, made[..., top:, left:], ("conv1", *TAPS))
            perceptual = unlike(of_made, of_real)
            loss, told = loss + PERCEPTUAL * perceptual, {**told, "perceptual": perceptual}
            if pupil:
                seeing, blotches = pupil(of_real), unsteady(answer, wanted)
                loss, told = loss + SEEING * seeing + STEADY * blotches, {**told, "seeing": seeing, "unsteady": blotches}
            if share >= ADVERSARIAL_FROM:
                judges.requires_grad_(False)
                answers, of_features, seen = judges(batch.drawing, made, of_made)
                with torch.no_grad():
                    truth = judges(batch.drawing, batch.picture, of_real)[2]
                matching = torch.stack([(ours - theirs).abs().mean() / theirs.abs().mean().clamp_min(1e-6)
                                        for ours, theirs in zip(seen, truth, strict=True)]).mean()
                adversarial = WHOLE * least_squares(answers, True) + FEATURES * least_squares(of_features, True)
                judges.requires_grad_(True)
                loss = loss + adversarial + MATCHING * matching
                told |= {"adversarial": adversarial, "matching": matching}
        of_network.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        of_network.step()
        average.update_parameters(network)
        if "adversarial" in told:
            d_loss = torch.zeros(())
            for picture, features, real in ((batch.picture, of_real, True), (made.detach(), of_made, False)):
                answers, of_features, _ = judges(batch.drawing, picture, {tap: x.detach() for tap, x in features.items()})
                d_loss = d_loss + WHOLE * least_squares(answers, real) + FEATURES * least_squares(of_features, real)
            of_judges.zero_grad(set_to_none=True)
            d_loss.backward()
            of_judges.step()
            told["d"] = d_loss
        kept.append({name: float(value.detach()) for name, value in told.items()})
        step += 1
        now = time.perf_counter()
        worked, clock = worked + worked_seconds() - clock, worked_seconds()
        over = worked >= args.minutes * 60
        if now - reported > 60 or over:
            logger.info("%.1f min  step %d  side %d  %s  %.2f s a step, %.2f of processor time",
                        worked / 60, step, side, "  ".join(
                f"{name} {np.mean([row[name] for row in kept if name in row]):.4f}" for name in kept[-1]),
                (now - reported) / len(kept), (time.process_time() - processed) / len(kept))
            kept, reported, processed = [], now, time.process_time()
        if now - saved > 300 or over:
            save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, worked=worked,
                       side=side, read=reader is not None)
            if isinstance(source, Colour):
                source.teach_choice(average.module.eval(), 600)
            write_sheet(average.module.eval(), source, kind, args.run / f"sheet-{round(worked / 60):03d}.webp")
            saved, reported, processed = time.perf_counter(), time.perf_counter(), time.process_time()
        clock = worked_seconds()


if __name__ == "__main__":
    main()
