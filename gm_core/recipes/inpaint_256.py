"""inpaint-256: a hole in a photograph painted over (Suvorov et al. 2022, LaMa; Yu et al. 2018, contextual attention).

    python -m gm_core.recipes.inpaint_256 --data DATA --run runs/inpaint-256-l1 --losses l1 --minutes 25
    python -m gm_core.recipes.inpaint_256 --data DATA --run runs/inpaint-256 --begin runs/inpaint-256-l1 --minutes 80
    python -m gm_core.recipes.inpaint_256 --data DATA --run runs/inpaint-256 --evaluate --baseline runs/inpaint-256-l1
    python -m gm_core.recipes.inpaint_256 --data DATA --run runs/inpaint-256 --ship-only

DATA holds photographs (`bsds400`, `summer2winter`, `monet2photo/photo`) and the weights of SqueezeNet, which stands in
for VGG. First the coarse answer learns L1, and the attention learns to point: at the known cells that look, to SqueezeNet,
like what the hole hides (cross-entropy; no discriminator is needed to learn what texture belongs where). Then these two
rest, and the finish learns on what they copy: L1 of means, a perceptual loss, a PatchGAN with feature matching, and a
discriminator that looks through SqueezeNet (Sauer et al. 2021, "Projected GANs", arXiv:2111.01007).

`--losses l1` trains the coarse answer alone: the baseline, and a beginning (`--begin`) for the rest; the folder of a shipped
checkpoint is one, too, for all of it. The same command goes on after an interruption, and with more minutes after the end.
`--ship-only` ships the last saved state at any time; `--evaluate` measures it against OpenCV (opencv-python-headless).
"""

import argparse
import json
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gm_core.datasets.folders import RandomCrops, picture_files, read_picture, to_tensor
from gm_core.datasets.masks import KINDS, random_mask
from gm_core.metrics import perceptual_map
from gm_core.models.discriminators import PatchDiscriminator
from gm_core.models.feature_discriminator import FeatureDiscriminator
from gm_core.models.inpainting_generator import CoarseGenerator, InpaintingGenerator, fill_smoothly
from gm_core.models.patch_attention import CELL, REFUSED, Comparison
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.recipes.common import begin_with, load_state, quickly, save_state, sheet, ship, start, worked_seconds

logger = logging.getLogger("recipe.inpaint_256")

COARSE: dict[str, Any] = {"widths": [24, 64, 128, 192], "blocks": [2, 4, 2], "local": 0.25}
CONFIG: dict[str, Any] = {**COARSE, "match": 64, "finish": [48, 96], "finish_blocks": 4, "grain": 0.75}
BATCH = 4
SIZES = ((0.0, 128), (0.4, 192), (0.85, 256))  # of the coarse answer alone: from this share of the time on, crops of this side
SIDE = 256  # of the crops that there are patches to copy in
RATE, FINISH_RATE, JUDGE_RATE = 8e-4, 4e-4, 3e-4  # of coarse answer and attention, of the finish, of the discriminators
AVERAGE = 0.999  # of the weights, a step
POINTING = 0.1  # weight of the attention's cross-entropy beside the coarse answer's L1
SURE = 0.05  # squared distance of features that divides a source's share in what the attention shall say by e
POOLED, PERCEPTUAL, ADVERSARIAL, FEATURES, MATCHING = 3.0, 1.0, 0.1, 0.3, 2.0  # losses of the finish
POOL = 8
FINISHING_FROM = 0.45  # share of the time
WINDOW = 128  # side of what the finish and its critics look at: a random window with hole in it
MEASURED = 40  # held-out pictures of BSDS and of the landscapes each, at most


class Judgement:
    """What the discriminator says of pictures and on the way sees in them."""

    def __init__(self, discriminator: PatchDiscriminator, pictures: Tensor, mask: Tensor) -> None:
        """pictures: (B, 3, H, W) in 0..1; mask: (B, 1, H, W)."""
        x = torch.cat([pictures - 0.5, mask - 0.5], 1)
        self.seen: list[Tensor] = []
        for conv in discriminator.convs:
            x = F.leaky_relu(quickly(conv, x), 0.2)
            self.seen.append(x)
        self.logits = discriminator.answer(x)  # (B, 1, H/8, W/8)


def of_hole(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of (B, C, h, w) over the hole, whatever the values' resolution. mask: (B, 1, H, W)."""
    share = F.interpolate(mask, values.shape[2:], mode="area") if values.shape[2:] != mask.shape[2:] else mask
    return (values * share).sum() / (share.sum() * values.shape[1]).clamp_min(1e-6)


def pixel_loss(fake: Tensor, real: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """L1 in the hole; and L1 of means over 8x8, which says that the colour is right and leaves the detail free."""
    error = (fake - real) * mask
    pooled = F.avg_pool2d(error, POOL).abs().sum() / (3 * F.avg_pool2d(mask, POOL).sum()).clamp_min(1e-6)
    return of_hole(error.abs(), mask), pooled


def perceptual_loss(fake: dict[str, Tensor], real: dict[str, Tensor], mask: Tensor) -> Tensor:
    """`perceptual_distance` of the hole: squared distance of the features' unit vectors, mean over hole and layers."""
    losses = []
    for tap, ours in fake.items():
        units = [x * (x.square().sum(1, keepdim=True) + 1e-10).rsqrt() for x in (ours, real[tap])]
        losses.append(of_hole((units[0] - units[1]).square().sum(1, keepdim=True), mask))
    return torch.stack(losses).mean()


def least_squares_in_hole(answers: list[Tensor], mask: Tensor, real: bool) -> Tensor:
    """Mean over the taps of the squared distance to 1 or 0 (Mao et al. 2017, arXiv:1611.04076), where there is a hole."""
    return torch.stack([of_hole((answer - float(real)).square(), mask) for answer in answers]).mean()


def matching_loss(fake: Judgement, real: Judgement) -> Tensor:
    """L1 of the discriminator's own features (Wang et al. 2018, pix2pixHD), each relative to its size."""
    return torch.stack([(ours - theirs.detach()).abs().mean() / theirs.detach().abs().mean().clamp_min(1e-6)
                        for ours, theirs in zip(fake.seen, real.seen, strict=True)]).mean()


def looks(picture: Tensor, squeezenet: SqueezeNet) -> Tensor:
    """(B, 3, H, W) in 0..1, sides multiples of 8 -> (B, C, H/8, W/8): what each cell looks like, to compare by distance."""
    cells = [side // CELL for side in picture.shape[2:]]
    x = F.pad(picture, (CELL,) * 4, mode="reflect")
    seen = quickly(squeezenet, x, ("fire3", "fire5"))
    units = [F.normalize(F.interpolate(seen["fire5"], cells, mode="bilinear"), dim=1),
             F.normalize(F.interpolate(seen["fire3"], cells, mode="area"), dim=1)]
    return torch.cat([*units, 3 * F.avg_pool2d(picture, CELL)], 1)


def pointing_loss(found: list[Comparison | None], looks_of: Tensor) -> Tensor:
    """Cross-entropy between the attention and the likeness of the truth, mean over places; the ring's count a third."""
    losses = []
    for i, comparison in enumerate(found):
        if comparison is None:
            continue
        every = looks_of[i].flatten(1).T  # (cells, C)
        logits = comparison.logits.flatten(1)
        width = comparison.logits.shape[2]
        truth = every[comparison.places[:, 0] * width + comparison.places[:, 1]]
        likeness = -torch.cdist(truth, every).square() / SURE
        target = likeness.masked_fill(logits <= REFUSED, REFUSED).softmax(1)
        weight = torch.where(comparison.wanted, 1.0, 0.33)
        losses.append((-(target * logits.log_softmax(1)).sum(1) * weight).sum() / weight.sum())
    return torch.stack(losses).mean() if losses else looks_of.new_zeros(())


def windows(mask: Tensor, random: np.random.Generator) -> list[tuple[slice, slice]]:
    """For each picture of (B, 1, H, W) the rows and columns of a window around some pixel of its hole."""
    side = min(WINDOW, mask.shape[-1])
    found = []
    for holes in mask[:, 0]:
        places = torch.nonzero(holes)
        centre = places[random.integers(len(places))] if len(places) else torch.tensor(holes.shape) // 2
        corner = [int(np.clip(int(at) - random.integers(side), 0, extent - side))
                  for at, extent in zip(centre, holes.shape, strict=True)]
        found.append((slice(corner[0], corner[0] + side), slice(corner[1], corner[1] + side)))
    return found


def training_crops(data: Path, size: int, seed: int) -> tuple[RandomCrops, RandomCrops]:
    """BSDS, and landscapes; the held-out twentieth of each folder is not among them."""
    bsds = [read_picture(path) for path in picture_files(data / "bsds400")]
    folders = ("summer2winter/summer", "summer2winter/winter", "monet2photo/photo")
    landscapes = [read_picture(path) for folder in folders for path in picture_files(data / folder)]
    return (RandomCrops(bsds, size, turn=False, seed=seed), RandomCrops(landscapes, size, turn=False, seed=seed + 1))


def held_out(data: Path, count: int) -> list[tuple[str, Tensor]]:
    """(kind, picture (3, 256, 256)): the middles of pictures never trained on, `count` each of BSDS and landscapes."""
    found = []
    landscapes = [path for folder in ("summer2winter/summer", "summer2winter/winter", "monet2photo/photo")
                  for path in picture_files(data / folder, held_out=True)]
    for kind, paths in (("bsds", picture_files(data / "bsds400", held_out=True)), ("landscapes", landscapes)):
        for i in np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int):
            picture = read_picture(paths[i])
            top, left = (picture.shape[0] - 256) // 2, (picture.shape[1] - 256) // 2
            found.append((kind, to_tensor(picture[top : top + 256, left : left + 256])))
    return found


def fixed_masks(count: int, seed: int = 7) -> list[Tensor]:
    """(1, 256, 256) each, 20 to 40 % hole, brush strokes, boxes and irregular shapes in turn; the same at every call."""
    random = np.random.default_rng(seed)
    kinds = [kind for kind in KINDS if kind != "borders"]
    return [torch.from_numpy(random_mask(random, 256, 256, least=0.2, most=0.4, kind=kinds[i % len(kinds)])).float()[None]
            for i in range(count)]


@torch.inference_mode()
def answers(network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
    """The network's answer as an 8-bit picture would keep it, (1, 3, 256, 256)."""
    made = network(picture[None], mask[None])
    made = made[0] if isinstance(made, tuple) else made
    return (made.clamp(0, 1) * 255).round() / 255


@torch.inference_mode()
def figures_of(result: Tensor, truth: Tensor, mask: Tensor, squeezenet: SqueezeNet) -> dict[str, float]:
    """All (1, C, 256, 256). In the hole: PSNR in dB, perceptual distance; sharpness: mean gradient deep inside the
    hole, relative to the truth's; seam: mean step across the hole's outline, relative to the truth's; grid: how
    unevenly change falls on every fourth line and column, relative to the truth's. 1 is best for these three.
    """
    def steps(x: Tensor, along: int) -> Tensor:
        return x.diff(dim=along).abs().mean(1, keepdim=True)

    def lattice(x: Tensor) -> float:
        shares = []
        for along in (2, 3):
            change = (steps(x, along) * mask.narrow(along, 1, 255)).sum(5 - along).flatten()[:252].view(63, 4).sum(0)
            shares.append(float(change.max() / change.mean().clamp_min(1e-6)))
        return sum(shares) / 2

    inside = -F.max_pool2d(-F.pad(mask, (8, 8, 8, 8), value=1.0), 17, 1)  # at least 8 px from what is known
    sharp = [sum(float(of_hole(steps(x, along), inside.narrow(along, 1, 255))) for along in (2, 3)) for x in (result, truth)]
    seam = [float(torch.cat([steps(x, along)[mask.diff(dim=along).abs() > 0] for along in (2, 3)]).mean())
            for x in (result, truth)]
    return {
        "psnr": float(-10 * torch.log10(of_hole((result - truth).square(), mask).clamp_min(1e-10))),
        "perceptual": float(of_hole(perceptual_map(result, truth, squeezenet), mask)),
        "sharpness": sharp[0] / max(sharp[1], 1e-6) if inside.sum() > 50 else float("nan"),
        "seam": seam[0] / max(seam[1], 1e-6),
        "grid": lattice(result) / lattice(truth),
    }


def classical(picture: Tensor, mask: Tensor, method: str) -> Tensor:
    """OpenCV's inpainting, radius 3: (3, H, W) and (1, H, W) -> (1, 3, H, W)."""
    import cv2

    pixels = (picture * (1 - mask) * 255).round().byte().permute(1, 2, 0).numpy()
    flag = cv2.INPAINT_TELEA if method == "telea" else cv2.INPAINT_NS
    return to_tensor(cv2.inpaint(pixels, mask[0].byte().numpy(), 3, flag))[None]


def watch(network: nn.Module, pictures: Sequence[Tensor], masks: Sequence[Tensor], squeezenet: SqueezeNet,
          path: Path) -> dict[str, float]:
    """The sheet (masked, smooth filling, network, truth; two pictures a row) and means over its pictures."""
    network.eval()
    rows, figures = [], []
    for i, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        result = answers(network, picture, mask)
        figures.append(figures_of(result, picture[None], mask[None], squeezenet))
        if i % 2 == 0:
            rows.append([])
        rows[-1] += [picture * (1 - mask) + 0.5 * mask, fill_smoothly(picture[None], mask[None])[0], result[0], picture]
    network.train()
    sheet(rows, path)
    return {key: round(float(np.nanmean([figure[key] for figure in figures])), 4) for key in figures[0]}


def mean_of(parts: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(float(np.nanmean([part[key] for part in parts])), 4) for key in parts[0]}


def evaluate(networks: dict[str, nn.Module], steps: dict[str, int], data: Path, run: Path, squeezenet: SqueezeNet) -> None:
    """Every network, and OpenCV's Telea and Navier-Stokes, on held-out pictures; writes evaluation.json and a sheet."""
    pictures = held_out(data, MEASURED)
    masks = fixed_masks(len(pictures))
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    rows: list[list[Tensor]] = []
    for i, ((kind, picture), mask) in enumerate(zip(pictures, masks, strict=True)):
        results = {"telea": classical(picture, mask, "telea"), "navier-stokes": classical(picture, mask, "ns"),
                   "smooth filling": fill_smoothly(picture[None], mask[None])}
        results |= {name: answers(network, picture, mask) for name, network in networks.items()}
        for name, result in results.items():
            parts = found.setdefault(name, {})
            figures = figures_of(result, picture[None], mask[None], squeezenet)
            for of in ("all", kind, tuple(KINDS)[i % 3]):
                parts.setdefault(of, []).append(figures)
        if i % 5 == 0:
            rows.append([picture * (1 - mask) + 0.5 * mask, *(result[0] for result in results.values()), picture])
    means = {name: {of: mean_of(figures) for of, figures in parts.items()} for name, parts in found.items()}
    best_classical = min(means["telea"]["all"]["perceptual"], means["navier-stokes"]["all"]["perceptual"])
    table = {"pictures": len(pictures), "side": 256, "hole": "20 to 40 %", "steps": steps, "means": means,
             "perceptual_below_classical": {name: round(1 - means[name]["all"]["perceptual"] / best_classical, 4)
                                            for name in networks}}
    (run / "evaluation.json").write_text(json.dumps(table, indent=1) + "\n")
    sheet(rows, run / "evaluation.webp")
    for name, parts in means.items():
        logger.info("%-14s %s", name, parts["all"])
    logger.info("columns of the sheet: masked, %s, truth", ", ".join(means))


def slow_average(averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
    """Exponential average of the weights, short at first so that it soon forgets where training began."""
    decay = min(AVERAGE, (1 + int(count)) / (10 + int(count)))
    for mean, value in zip(averages, values, strict=True):
        mean.lerp_(value, 1 - decay)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/inpaint-256"))
    parser.add_argument("--minutes", type=float, default=270.0, help="of training in all, interruptions not counted")
    parser.add_argument("--losses", choices=("all", "l1"), default="all", help="l1: the baseline that is measured beside")
    parser.add_argument("--begin", type=Path, help="run or checkpoint to begin with, if RUN has none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--ship-only", action="store_true", help="ship the last saved state, train nothing")
    parser.add_argument("--evaluate", action="store_true", help="measure the last saved state, train nothing")
    parser.add_argument("--baseline", type=Path, help="run of the L1 baseline, for --evaluate")
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    alone = args.losses == "l1"
    generator = CoarseGenerator(**COARSE) if alone else InpaintingGenerator(**CONFIG)
    discriminator, seer = PatchDiscriminator(inputs=4), FeatureDiscriminator()
    # a run of L1 alone knows the coarse answer, a shipped checkpoint all of it
    of_coarse = isinstance(generator, InpaintingGenerator) and args.begin and (args.begin / "state.pt").exists()
    begin_with(generator.coarse if of_coarse else generator, args.begin)  # pyright: ignore[reportArgumentType]
    average = AveragedModel(generator, multi_avg_fn=slow_average)
    of_generator = torch.optim.Adam(generator.parameters(), betas=(0.9, 0.99))
    of_discriminator = torch.optim.Adam([*discriminator.parameters(), *seer.parameters()], betas=(0.5, 0.99))
    step, spent, side, judged = 0, 0.0, SIZES[0][1] if alone else SIDE, 0
    parts = {"generator": generator, "discriminator": discriminator, "seer": seer, "average": average,
             "of_generator": of_generator, "of_discriminator": of_discriminator}  # and the seer's
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, spent, side, judged = state["step"], state["spent"], state["side"], state["judged"]
        logger.info("from step %d, %.1f minutes", step, spent / 60)
    if args.ship_only:
        ship_state(average.module, step, spent, args.seed)
        return

    squeezenet = load_squeezenet(args.data)
    squeezenet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - its poolings are slow otherwise
    if args.evaluate:
        networks, steps = {"network": average.module.eval()}, {"network": step}
        if args.baseline and (state := load_state(args.baseline)):
            baseline = AveragedModel(CoarseGenerator(**COARSE))
            baseline.load_state_dict(state["average"])
            networks["l1 alone"], steps["l1 alone"] = baseline.module.eval(), state["step"]
        evaluate(networks, steps, args.data, args.run, squeezenet)
        return

    random = np.random.default_rng(args.seed + step)
    bsds, landscapes = training_crops(args.data, side, args.seed + step)
    watched = [picture for _, picture in held_out(args.data, 6)]
    watched_masks = fixed_masks(len(watched), seed=3)
    watched_masks[-1] = F.pad(torch.zeros(1, 256, 176), (0, 80), value=1.0)  # the right side is to be invented
    kept: list[dict[str, float]] = []
    began = worked_seconds() - spent
    saved, logged = time.perf_counter(), time.perf_counter()

    def save() -> None:
        save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, spent=spent, side=side,
                   judged=judged)
        logger.info("held out %s", watch(average, watched, watched_masks, squeezenet, args.run / "sheet.webp"))

    while (spent := worked_seconds() - began) < args.minutes * 60:
        progress = spent / (args.minutes * 60)
        # Neither crops nor losses go back when more minutes are given.
        if alone:
            side = max(side, next(size for share, size in reversed(SIZES) if progress >= share))
        finishing = not alone and (judged > 0 or progress >= FINISHING_FROM)
        begin, end = (0.0, 1.0) if alone else (FINISHING_FROM, 1.0) if finishing else (0.0, FINISHING_FROM)
        share = max(0.0, progress - begin) / (end - begin)
        decay = 0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * max(0.0, share - 0.4) / 0.6))
        for group in of_generator.param_groups:
            group["lr"] = (FINISH_RATE if finishing else RATE) * decay * min(1.0, ((judged if finishing else step) + 1) / 200)
        for group in of_discriminator.param_groups:
            group["lr"] = JUDGE_RATE * decay

        bsds.size = landscapes.size = side
        real = torch.stack([to_tensor(source.crop()) for source in (bsds, landscapes) for _ in range(BATCH // 2)])
        mask = torch.stack([torch.from_numpy(random_mask(random, side, side)).float()[None] for _ in range(BATCH)])
        of_generator.zero_grad(set_to_none=True)
        if isinstance(generator, InpaintingGenerator) and finishing:
            told = finish_step(generator, discriminator, seer, squeezenet, real, mask, random, of_discriminator,
                               min(1.0, judged / 300))
            judged += 1
        else:
            coarse = generator if isinstance(generator, CoarseGenerator) else generator.coarse
            answer, features = quickly(coarse, real, mask)
            pixels, pooled = pixel_loss(answer, real, mask)
            loss, told = pixels, {"pixels": pixels.item(), "pooled": pooled.item()}
            if isinstance(generator, InpaintingGenerator):
                with torch.no_grad():
                    looks_of = looks(real, squeezenet)
                found = generator.attention.compare(fill_smoothly(real, mask), mask, features)
                pointing = pointing_loss(found, looks_of)
                loss, told = loss + POINTING * pointing, told | {"pointing": pointing.item()}
            loss.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        of_generator.step()
        average.update_parameters(generator)
        kept.append(told)
        step += 1
        if step % 50 == 0:
            kept = [row for row in kept if row.keys() == told.keys()]
            logger.info("step %d  %.1f min  side %d  %s  %.2f s a step", step, spent / 60, side, "  ".join(
                f"{name} {np.mean([row[name] for row in kept]):.4f}" for name in told), (time.perf_counter() - logged) / 50)
            kept, logged = [], time.perf_counter()
        if time.perf_counter() - saved > 300:
            save()
            saved = logged = time.perf_counter()
    save()
    if not alone:
        ship_state(average.module, step, spent, args.seed)


def finish_step(generator: InpaintingGenerator, discriminator: PatchDiscriminator, seer: FeatureDiscriminator,
                squeezenet: SqueezeNet, real: Tensor, mask: Tensor, random: np.random.Generator,
                of_discriminator: torch.optim.Optimizer, grown: float) -> dict[str, float]:
    """Gradients for the finish, and a step of its critics. grown: share of the critics' weight. Returns the losses."""
    with torch.no_grad():
        whole = [*generator.draft(real, mask), real, mask]
    at = windows(mask, random)
    draft, coarse, real, mask = (torch.stack([x[(slice(None), *window)] for x, window in zip(one, at, strict=True)])
                                 for one in whole)  # (B, C, 128, 128)
    fake = quickly(generator.finish, draft, coarse, mask)
    _, pooled = pixel_loss(fake, real, mask)
    # The features' strides and poolings favour some pixels; another corner every time leaves no grid behind.
    top, left = (int(shift) for shift in random.integers(0, 8, 2))
    corner = (..., slice(top, None), slice(left, None))
    with torch.no_grad():
        features_of_real = quickly(squeezenet, real[corner])
    features_of_fake = quickly(squeezenet, fake[corner])
    perceptual = perceptual_loss(features_of_fake, features_of_real, mask[corner])
    # Both players move at once: one pass of the discriminator serves its own step and the generator's.
    shown = fake.detach().requires_grad_()
    of_fake, of_real = Judgement(discriminator, shown, mask), Judgement(discriminator, real, mask)
    matching = matching_loss(of_fake, of_real)
    # Pairs are compared (Jolicoeur-Martineau 2018), and only where there is a hole.
    holed = (F.interpolate(mask, of_real.logits.shape[2:], mode="area") > 0).float()
    adversarial = of_hole(F.softplus(of_real.logits.detach() - of_fake.logits), holed)
    (slope,) = torch.autograd.grad(grown * (ADVERSARIAL * adversarial + MATCHING * matching), shown, retain_graph=True)
    d_loss = of_hole(F.softplus(of_fake.logits - of_real.logits), holed)
    s_loss = (least_squares_in_hole(seer(features_of_real), mask[corner], True) + least_squares_in_hole(
        seer({tap: x.detach() for tap, x in features_of_fake.items()}), mask[corner], False))
    of_discriminator.zero_grad(set_to_none=True)
    (d_loss + s_loss).backward()
    seer.requires_grad_(False)  # and as it was before its step, like the other
    seen = least_squares_in_hole(seer(features_of_fake), mask[corner], True)
    seer.requires_grad_(True)
    loss = POOLED * pooled + PERCEPTUAL * perceptual + (slope * fake).sum() + FEATURES * grown * seen
    loss.backward()
    of_discriminator.step()
    return {"pooled": pooled.item(), "perceptual": perceptual.item(), "matching": matching.item(),
            "adversarial": adversarial.item(), "d": d_loss.item(), "seen": seen.item(), "s": s_loss.item()}


def ship_state(network: nn.Module, step: int, spent: float, seed: int) -> None:
    about = {"recipe": "gm_core.recipes.inpaint_256", "steps": step, "minutes": round(spent / 60), "seed": seed,
             "batch": BATCH, "data": "bsds400, summer2winter, monet2photo/photo"}
    ship("inpaint-256", network, "inpainting_generator:InpaintingGenerator", CONFIG, about)


if __name__ == "__main__":
    main()
