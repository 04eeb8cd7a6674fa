"""features-small: our own small feature network, distilled from SqueezeNet v1.0 (Iandola et al. 2016).

    python -m gm_core.recipes.features_small --data DATA --run runs/features-small

DATA holds `weights` (SqueezeNet), `bsds400`, `summer2winter`, `monet2photo` and `paintings`. Every step draws crops and
two damaged versions of each; what our super-resolution and style networks make of a picture is among the damage, since
their outputs are what will be measured. The student learns

- the teacher's activations, channel-normalised, through 1x1 convolutions that are thrown away afterwards;
- the teacher's perceptual distances between a crop and its damaged versions, in proportion;
- to use every channel: their means and mean squares are held to one value.

`--painted` adds steps that take turns with pictures being painted by descending the student's own style loss.
A network that has only seen photographs can be satisfied by coloured noise, and paints it; here the teacher corrects
what it says of such pictures while they come into being.

Run the same command again to go on after an interruption. At the end, or alone with `--evaluate`, it measures on
held-out pictures how well our distance agrees with SqueezeNet's, overall and for each kind of damage, beside PSNR, and
writes RUN/evaluation.json.
"""

import argparse
import io
import json
import logging
import math
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from scipy.stats import rankdata
from torch import Tensor, nn

from gm_core.checkpoints import find
from gm_core.datasets.folders import RandomCrops, picture_files, read_picture, to_tensor
from gm_core.load import build
from gm_core.metrics import perceptual_distance, psnr
from gm_core.models.features import TAPS, Features
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.recipes.common import load_state, save_state, ship, start

logger = logging.getLogger("recipe.features_small")

CONFIG: dict[str, Any] = {"widths": [16, 32, 64, 128, 192], "depths": [0, 0, 1, 2, 2], "squeeze": 3}
SIZE, LARGER, LARGER_FROM = 64, 96, 0.85  # side of a crop; the last steps see larger ones
CROPS = 8  # a step; each with two damaged versions, so that 24 pictures pass through both networks
RATE, PAINTED_RATE = 2e-3, 1e-3
PAINTED_SIZE, CANVASES, VISITS, STROKES = 80, 32, 12, 3  # canvases kept; times each is trained on; descents each time
FOLDERS = ("bsds400", "summer2winter/summer", "summer2winter/winter", "monet2photo/monet", "monet2photo/photo",
           "paintings")
HEADS = {"conv1": "stride2", "fire4": "stride4", "fire8": "stride8", "fire9": "stride16"}  # teacher: student
TEACHERS = {"stride1": ("conv1",), "stride2": ("conv1",), "stride4": ("fire2", "fire3", "fire4"),
            "stride8": ("fire5", "fire6", "fire7", "fire8"), "stride16": ("fire9",)}
WEIGHTS = {"features": 1.0, "distance": 0.5, "depths": 0.2, "moments": 0.05}
FLOOR = 1e-3  # of a distance inside a logarithm: below it nobody sees a difference

# --- Damage. Each takes a picture (any size, RGB), a strength in 0..1, a generator and another picture of its size. ---

Damage = Callable[[Image.Image, float, np.random.Generator, Image.Image], Image.Image]


def blur(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(0.35 * 12.0**strength))


def noise(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    pixels = np.asarray(picture, np.float32)
    grain = random.standard_normal(pixels.shape if random.random() < 0.7 else (*pixels.shape[:2], 1), np.float32)
    return Image.fromarray((pixels + grain * 2.0 * 30.0**strength).clip(0, 255).astype(np.uint8))


def jpeg(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=round(80 * 0.05**strength))
    return Image.open(file).convert("RGB")


def small_and_back(picture: Image.Image, strength: float, random: np.random.Generator,
                   other: Image.Image) -> Image.Image:
    factor = 1.3 * 5.0**strength
    small = picture.resize((round(picture.width / factor), round(picture.height / factor)), Image.Resampling.BICUBIC)
    return small.resize(picture.size, Image.Resampling.BICUBIC if random.random() < 0.7 else Image.Resampling.NEAREST)


def colours(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    pixels = np.asarray(picture, np.float32)
    mixing = np.eye(3) + random.standard_normal((3, 3)) * 0.25 * strength
    moved = pixels @ mixing.T.astype(np.float32) + random.standard_normal(3).astype(np.float32) * 30 * strength
    return Image.fromarray(moved.clip(0, 255).astype(np.uint8))


def contrast(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    factor = math.exp((1 if random.random() < 0.5 else -1) * (0.05 + 1.2 * strength))
    kind = ImageEnhance.Contrast if random.random() < 0.6 else ImageEnhance.Brightness
    return kind(picture).enhance(factor)


def move(picture: Image.Image, by: Tensor) -> Image.Image:
    """by: how far in pixels each place looks down and right, (2, H, W)."""
    height, width = by.shape[1:]
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    grid = torch.stack([(x + by[1]) / width, (y + by[0]) / height], -1)[None] * 2 - 1
    found = F.grid_sample(to_tensor(np.asarray(picture))[None], grid, mode="bicubic", padding_mode="reflection",
                          align_corners=False)[0]
    return Image.fromarray((found.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


def warp(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    height, width = picture.height, picture.width
    coarse = torch.from_numpy(random.standard_normal((1, 2, max(height // 16, 3), max(width // 16, 3)), np.float32))
    return move(picture, F.interpolate(coarse, (height, width), mode="bicubic")[0] * 0.3 * 15.0**strength)


def shift(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    angle = 2 * math.pi * random.random()
    by = torch.tensor([math.cos(angle), math.sin(angle)]) * 0.3 * 12.0**strength
    if random.random() < 0.5:
        by = by.round()  # whole pixels: nothing else happens to the picture
    return move(picture, by.view(2, 1, 1).expand(-1, picture.height, picture.width))


def blend(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    return Image.blend(picture, other, 0.02 * 35.0**strength)


def smear(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    """Median or most frequent value of a neighbourhood, as oil-paint filters do, mixed with the picture."""
    size = 3 if strength < 0.35 else 5 if strength < 0.75 else 7
    median = random.random() < 0.7 or size == 3
    smeared = picture.filter(ImageFilter.MedianFilter(size) if median else ImageFilter.ModeFilter(size))
    return Image.blend(picture, smeared, min(1.0, 0.3 + strength))


@cache
def shipped(name: str) -> nn.Module:
    record = find(name)
    return build(record, record.folder)


def to_picture(x: Tensor) -> Image.Image:
    """(1, 3, H, W) in 0..1 to a picture."""
    return Image.fromarray((x[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy())


@torch.no_grad()
def enlarge(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    """A quarter of its size and back, by our super-resolution networks or a blend of their answers."""
    small = picture.resize((picture.width // 4, picture.height // 4), Image.Resampling.BICUBIC)
    x = to_tensor(np.asarray(small))[None]
    crisp = 0.0 if random.random() < 0.3 else 1.0 if random.random() < 0.43 else random.random()
    y = torch.lerp(shipped("srresnet-x4")(x), shipped("srgan-x4")(x), crisp)
    return Image.blend(picture, to_picture(y), 0.3 + 0.7 * strength)


@torch.no_grad()
def paint(picture: Image.Image, strength: float, random: np.random.Generator, other: Image.Image) -> Image.Image:
    """In one of the styles of our style network, thinly to fully."""
    network = shipped("style-many")
    style = F.one_hot(torch.tensor([int(random.integers(16))]), 16).float()
    return Image.blend(picture, to_picture(network(to_tensor(np.asarray(picture))[None], style)), 0.05 * 20.0**strength)


DAMAGES: dict[str, Damage] = {"blur": blur, "noise": noise, "jpeg": jpeg, "small and back": small_and_back,
                              "colours": colours, "contrast": contrast, "warp": warp, "shift": shift, "blend": blend,
                              "smear": smear, "enlarge": enlarge, "paint": paint}


def damage_all(originals: list[Image.Image], random: np.random.Generator) -> list[Image.Image]:
    """One damaged version of each picture; one in four is hurt twice."""
    kinds = list(DAMAGES.values())

    def damaged(i: int) -> Image.Image:
        picture = originals[i]
        for _ in range(2 if random.random() < 0.25 else 1):
            damage = kinds[random.integers(len(kinds))]
            picture = damage(picture, random.random(), random, originals[(i + 1) % len(originals)])
        return picture

    return [damaged(i) for i in range(len(originals))]


def draw_batch(crops: RandomCrops, count: int, random: np.random.Generator) -> Tensor:
    """(3 count, 3, S, S), 0..1: crops, then a damaged version of each, then another one."""
    originals = [Image.fromarray(crops.crop()) for _ in range(count)]
    pictures = originals + damage_all(originals, random) + damage_all(originals, random)
    return torch.stack([to_tensor(np.asarray(picture)) for picture in pictures])


def gram(activation: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, C), mean over space."""
    flat = activation.flatten(2)
    return flat @ flat.transpose(1, 2) / flat.shape[2]


class Canvases:
    """Crops on their way to the Gram matrices (Gatys et al. 2015) of other crops, as the student sees them now."""

    def __init__(self, crops: RandomCrops, seed: int) -> None:
        self.crops = crops
        self.random = np.random.default_rng(seed)
        self.kept = [self.fresh(int(self.random.integers(VISITS))) for _ in range(CANVASES)]

    def fresh(self, visits: int = 0) -> tuple[Tensor, Tensor, Tensor, int]:
        """Crop, style and picture (3, S, S), and how often it has been trained on."""
        crop, style = to_tensor(self.crops.crop()), to_tensor(self.crops.crop())
        return crop, style, crop, visits

    def draw(self, student: Features, count: int) -> tuple[Tensor, Tensor]:
        """Crops and what has been made of them, (count, 3, S, S) each, some strokes further than last time."""
        chosen = self.random.choice(CANVASES, count, replace=False)
        crop, style, x = (torch.stack([self.kept[i][part] for i in chosen]) for part in range(3))
        with torch.no_grad():
            targets = {name: gram(activation) for name, activation in student(style).items()}
        weights = dict(zip(TAPS, np.exp(self.random.standard_normal(len(TAPS))).tolist(), strict=True))
        stride = torch.from_numpy(self.random.uniform(0.005, 0.03, (count, 1, 1, 1)).astype(np.float32))
        for _ in range(STROKES):
            x.requires_grad_()
            loss = torch.stack([weights[name] * ((gram(activation) - targets[name]).square().sum((1, 2))
                                                 / targets[name].square().sum((1, 2))).sum()
                                for name, activation in student(x).items()]).sum()
            (slope,) = torch.autograd.grad(loss, x)
            step = slope / slope.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
            x = (x.detach() - stride * step.clamp(-4, 4)).clamp(0, 1)
        for j, i in enumerate(chosen):
            visits = self.kept[i][3] + 1
            self.kept[i] = (crop[j], style[j], x[j], visits) if visits < VISITS else self.fresh()
        return crop, x


def draw_painted_batch(canvases: Canvases, student: Features, count: int, random: np.random.Generator) -> Tensor:
    """As `draw_batch`: crops, a damaged version of each, and what painting has made of it so far."""
    crop, painted = canvases.draw(student, count)
    originals = [Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy()) for picture in crop]
    damaged = torch.stack([to_tensor(np.asarray(picture)) for picture in damage_all(originals, random)])
    return torch.cat([crop, damaged, painted])


# --- Training ---


def unit(activation: Tensor) -> Tensor:
    """Scaled to the length 1 over channels."""
    return activation * (activation.square().sum(1, keepdim=True) + 1e-10).rsqrt()


def distances(activations: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """For each activation (3 * count, ...) the distances crop-first, crop-second, first-second: (3 * count,)."""
    found = {}
    for name, activation in activations.items():
        crop, first, second = unit(activation).split(count)
        pairs = ((crop, first), (crop, second), (first, second))
        found[name] = torch.cat([(a - b).square().sum(1).mean((1, 2)) for a, b in pairs])
    return found


def losses(student: Features, heads: nn.ModuleDict, teacher: SqueezeNet, pictures: Tensor) -> dict[str, Tensor]:
    """The parts of the training loss. pictures: what `draw_batch` gives."""
    count = len(pictures) // 3
    with torch.no_grad():
        # One more pixel on the left and above brings both networks' grids together: the teacher's activation i then
        # lies where the student's activation i + 1 lies, at every stride.
        shifted = F.pad(pictures, (1, 0, 1, 0), mode="reflect")
        taught = teacher(shifted.contiguous(memory_format=torch.channels_last))
        far = distances(taught, count)
    found = student(pictures)
    parts = {}
    features = []
    for theirs, ours in HEADS.items():
        height, width = taught[theirs].shape[2:]
        guess = heads[theirs](found[ours][:, :, 1 : 1 + height, 1 : 1 + width])
        features.append(1 - F.cosine_similarity(guess, taught[theirs], dim=1).mean())
    parts["features"] = torch.stack(features).mean()

    # Distances need not have the teacher's scale (an offset of the logarithms), only its proportions. Holding them to
    # the scale as well left a sixth of the channels alive: sparse activations are far apart, and the teacher's are.
    ours = distances(found, count)
    target = (torch.stack(list(far.values())).mean(0) + FLOOR).log()
    parts["distance"] = ((torch.stack(list(ours.values())).mean(0) + FLOOR).log() - target).var()
    depths, moments = [], []
    for name, theirs in TEACHERS.items():
        apart = (ours[name] + FLOOR).log() - (torch.stack([far[tap] for tap in theirs]).mean(0) + FLOOR).log()
        depths.append(apart.var())
        # Every channel shall answer often and as loudly as the others: Gram matrices and KID hear them all alike.
        loud, often = found[name].square().mean((0, 2, 3)), found[name].mean((0, 2, 3))
        moments.append((loud + 1e-4).log().square().mean() + ((often + 1e-4) / 0.5).log().square().mean())
    parts["depths"] = torch.stack(depths).mean()
    parts["moments"] = torch.stack(moments).mean()
    return parts


# --- Measuring ---


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's, of two lists of figures (N,)."""
    return round(float(np.corrcoef(rankdata(a), rankdata(b))[0, 1]), 4)


@torch.inference_mode()
def evaluate(student: nn.Module, teacher: SqueezeNet, data: Path, *, side: int = 192, versions: int = 4,
             seed: int = 1) -> dict[str, object]:
    """Agreement with SqueezeNet's distance on held-out pictures, of our distance and of PSNR.

    From every held-out picture one crop and `versions` damaged ones, each of a random kind and strength.
    """
    random = np.random.default_rng(seed)
    files = [path for folder in FOLDERS for path in picture_files(data / folder, held_out=True)]
    crops = []
    for path in files:
        picture = read_picture(path)
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        crops.append(Image.fromarray(np.ascontiguousarray(picture[top : top + side, left : left + side])))
    kinds: list[str] = []
    measured: dict[str, list[list[float]]] = {"squeezenet": [], "features-small": [], "psnr": []}
    for i, crop in enumerate(crops):
        chosen = random.choice(list(DAMAGES), versions, replace=False)
        other = crops[random.integers(len(crops) - 1) - len(crops) + 1 + i]  # any but itself
        hurt = [DAMAGES[kind](crop, random.random(), random, other) for kind in chosen]
        x = to_tensor(np.asarray(crop)).expand(versions, -1, -1, -1)
        y = torch.stack([to_tensor(np.asarray(picture)) for picture in hurt])
        kinds.extend(chosen)
        measured["squeezenet"].append(perceptual_distance(x, y, teacher).tolist())
        measured["features-small"].append(perceptual_distance(x, y, student).tolist())
        measured["psnr"].append((x - y).square().mean((1, 2, 3)).tolist())  # in the order of -PSNR
    tables = {name: np.array(values) for name, values in measured.items()}  # (pictures, versions)
    truth = tables.pop("squeezenet")
    of_kind = np.array(kinds).reshape(truth.shape)
    report: dict[str, object] = {"pictures": len(crops), "pairs": truth.size, "side": side}
    first, second = np.triu_indices(versions, 1)
    for name, table in tables.items():
        agree = np.sign(table[:, first] - table[:, second]) == np.sign(truth[:, first] - truth[:, second])
        report[name] = {
            "spearman": rank_correlation(table.ravel(), truth.ravel()),
            "two-alternative agreement": round(float(agree.mean()), 4),
            "spearman by kind": {kind: rank_correlation(table[of_kind == kind], truth[of_kind == kind])
                                 for kind in DAMAGES},
        }
    return report


@torch.inference_mode()
def draw_sample(student: nn.Module, teacher: SqueezeNet, path: Path) -> None:
    """The model card's sheet: scikit-image's photographs and damaged versions, in the order of our distance."""
    import skimage.data

    side, margin, gap = 176, 34, 6
    photographs = (skimage.data.astronaut()[:360, 60:420], skimage.data.chelsea()[:, 80:380],
                   skimage.data.coffee()[40:, 80:440])
    random = np.random.default_rng(0)
    rows = []
    for i, pixels in enumerate(photographs):
        picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
        other = Image.fromarray(photographs[i - 1]).resize((side, side), Image.Resampling.LANCZOS)
        x = to_tensor(np.asarray(picture))[None]
        row = []
        for name in ("colours", "contrast", "warp", "small and back", "jpeg", "noise"):
            hurt = DAMAGES[name](picture, 0.5, random, other)
            y = to_tensor(np.asarray(hurt))[None]
            ours, theirs = (perceptual_distance(x, y, network).item() for network in (student, teacher))
            words = f"{name}\nours {ours:.3f}  SqueezeNet {theirs:.3f}\nPSNR {psnr(x, y):.1f} dB"
            row.append((ours, words, hurt))
        rows.append([(0.0, "the photograph", picture), *sorted(row, key=lambda cell: cell[0])])
    canvas = Image.new("RGB", (7 * (side + gap) + gap, len(rows) * (side + margin + gap) + gap), "white")
    pen = ImageDraw.Draw(canvas)
    for i, row in enumerate(rows):
        for j, (_, words, picture) in enumerate(row):
            left, top = gap + j * (side + gap), gap + i * (side + margin + gap)
            canvas.paste(picture, (left, top))
            pen.multiline_text((left, top + side + 2), words, fill=(40, 40, 40), font_size=10, spacing=1)
    canvas.save(path, quality=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/features-small"))
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--painted", type=int, default=0, help="steps after these that train on painted pictures too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="only measure what RUN has saved")
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    teacher = load_squeezenet(args.data)
    teacher.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    student = Features(**CONFIG)
    widths: dict[str, int] = dict(zip(TAPS, CONFIG["widths"], strict=True))
    theirs = {"conv1": 96, "fire4": 256, "fire8": 512, "fire9": 512}
    heads = nn.ModuleDict({tap: nn.Conv2d(widths[ours], theirs[tap], 1) for tap, ours in HEADS.items()})
    parameters = [*student.parameters(), *heads.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=RATE, betas=(0.9, 0.99))
    step = 0
    if state := load_state(args.run):
        student.load_state_dict(state["student"])
        heads.load_state_dict(state["heads"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
        logger.info("going on from step %d", step)

    if not args.evaluate:
        files = [path for folder in FOLDERS for path in picture_files(args.data / folder)]
        pictures = [read_picture(path) for path in files]
        logger.info("%d pictures, %d parameters", len(pictures), sum(p.numel() for p in student.parameters()))
        crops = RandomCrops(pictures, SIZE, seed=args.seed + step)
        random = np.random.default_rng((args.seed, step))
        began, history = time.perf_counter(), []
        canvases = None
        while step < args.steps + args.painted:
            painting = step >= args.steps
            peak, past, of = (PAINTED_RATE, step - args.steps, args.painted) if painting else (RATE, step, args.steps)
            for group in optimizer.param_groups:
                group["lr"] = peak * min(1, (past + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * past / of))
            crops.size = PAINTED_SIZE if painting else LARGER if step >= LARGER_FROM * args.steps else SIZE
            if painting and canvases is None:
                canvases = Canvases(crops, args.seed + step)
            if canvases is not None and step % 2:
                batch = draw_painted_batch(canvases, student, CROPS, random)
            else:
                batch = draw_batch(crops, CROPS, random)
            parts = losses(student, heads, teacher, batch)
            loss = torch.stack([weight * parts[name] for name, weight in WEIGHTS.items()]).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            history.append([part.item() for part in parts.values()])
            step += 1
            if step % 100 == 0 or step == args.steps + args.painted:
                # even and odd steps apart: on photographs, and (in the end) on painted pictures
                means = ["  ".join(f"{name} {value:.4f}" for name, value in zip(parts, np.mean(part, 0), strict=True))
                         for part in (history[::2], history[1::2])]
                logger.info("step %d  %s | %s  %.3f s a step", step, *means,
                            (time.perf_counter() - began) / len(history))
                began, history = time.perf_counter(), []
                save_state(args.run, student=student.state_dict(), heads=heads.state_dict(),
                           optimizer=optimizer.state_dict(), step=step)
        about = {"recipe": "gm_core.recipes.features_small", "steps": step, "painted": args.painted, "seed": args.seed,
                 "crops": CROPS, "data": ", ".join(FOLDERS), "teacher": "SqueezeNet v1.0, ImageNet (BSD-2-Clause)"}
        ship("features-small", student, "features:Features", CONFIG, about)

    report = evaluate(student.half().float(), teacher, args.data)  # as it ships: rounded to fp16
    logger.info("%s", json.dumps(report))
    (args.run / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")
    draw_sample(student, teacher, args.run / "sample.webp")


if __name__ == "__main__":
    main()
