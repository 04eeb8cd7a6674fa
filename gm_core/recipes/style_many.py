"""style-many: one network, sixteen painters (Johnson et al. 2016; Dumoulin et al. 2017, "A Learned Representation For
Artistic Style").

    python -m gm_core.recipes.style_many --data DATA --run runs/style-many --minutes 95
    python -m gm_core.recipes.style_many --data DATA --run runs/style-many --ship-only
    python -m gm_core.recipes.style_many --data DATA --run runs/style-many --evaluate

DATA holds photographs (`bsds400`, `summer2winter`, `monet2photo/photo`), `paintings`, and the weights of SqueezeNet, on
whose activations both losses are taken. Each sample of a batch has its own style. Adam with a cosine decay to zero over
the minutes given: the recipe is for machines whose speed is not known beforehand. Run the same command again to go on
after an interruption; `--ship-only` ships the last saved state at any time.
"""

import argparse
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from gm_core.datasets.folders import RandomCrops, picture_files, read_picture, to_tensor
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.models.style_network import StyleNetwork
from gm_core.recipes.common import begin_with, exactly, load_state, quickly, save_state, sheet, ship, start, worked_seconds
from gm_core.styles import STYLES
from gm_core.tasks.gatys import Statistics, statistics

logger = logging.getLogger("recipe.style_many")

PAINTINGS = {
    "great-wave": "great_wave.jpg",
    "starry-night": "starry_night.jpg",
    "scream": "the_scream.jpg",
    "irises": "irises.jpg",
    "port-en-bessin": "port_en_bessin.jpg",
    "adele": "adele_bloch_bauer.jpg",
    "cossacks": "cossacks_kandinsky.jpg",
    "deluge": "sintflut_kandinsky.jpg",
    "gray-tree": "gray_tree_mondrian.jpg",
    "horses": "red_and_blue_horse.jpg",
    "street-pavers": "street_pavers.jpg",
    "water-lilies": "water_lilies.jpg",
    "shipwreck": "shipwreck_turner.jpg",
    "marry": "when_will_you_marry.jpg",
    "melancholy": "melancholy_munch.jpg",
    "moulin": "bal_du_moulin.jpg",
}

CONFIG = {"styles": len(STYLES), "channels": 64, "blocks": 5, "half": 32, "full": 16}
STYLE_TAPS = ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7")
CONTENT_TAP = "fire5"
STYLE_SIDES = (256, 360)  # the painting's short side: what is matched is the mean of its statistics at these sizes
PHASES = ((0.0, 128, 4), (0.45, 160, 4), (0.75, 224, 2))  # (share of the time gone, side of the crops, crops in a batch)
RATE = 2e-3
STYLE_RATE = 1e-2  # of the styles' own scales and shifts: at the shared rate all styles look alike for long
STYLE_WEIGHT = 16.0
OPTIMISED_STYLE_WEIGHT = 10.0  # of the optimisation that the network is measured against, which reaches more with less
CONTENT_WEIGHT = 2.5
VARIATION_WEIGHT = 1.0
OPTIMISED = 300  # steps of the optimisation that the network is measured against
SHIFT = 4  # output is judged at a random offset below this: no pattern can hide in the grid of the strided layers


def style_statistics(x: Tensor, features: dict[str, Tensor]) -> dict[str, Statistics]:
    """Of every style tap, and of the colours of `x` themselves averaged over 4x4 pixels: the palette."""
    found = {tap: statistics(features[tap]) for tap in STYLE_TAPS}
    found["palette"] = statistics(F.avg_pool2d(x, 4))
    return found


class StyleLoss:
    """How far pictures are from the statistics of their paintings; for a photograph as it is, 1 on average.

    Every tap counts alike (each relative to the painting's own magnitude), and every painting alike: its loss is
    divided by that of untouched photographs. Without this, pale and even paintings hardly show.
    """

    def __init__(self, teacher: SqueezeNet, paintings: list[Path], photographs: Tensor) -> None:
        """photographs: (B, 3, H, W), RGB in 0..1, to measure the untouched loss on."""
        self.targets: dict[str, Statistics] = {}
        of_paintings: list[dict[str, Statistics]] = []
        with torch.no_grad():
            for path in paintings:
                sizes = [to_tensor(resize(read_picture(path), side))[None] for side in STYLE_SIDES]
                found = [style_statistics(x, teacher(x, STYLE_TAPS)) for x in sizes]
                of_paintings.append({tap: Statistics(torch.stack([one[tap].mean for one in found]).mean(0),
                                                     torch.stack([one[tap].covariance for one in found]).mean(0))
                                     for tap in found[0]})
            for tap in of_paintings[0]:
                self.targets[tap] = Statistics(torch.cat([one[tap].mean for one in of_paintings]),
                                               torch.cat([one[tap].covariance for one in of_paintings]))
            untouched = style_statistics(photographs, teacher(photographs, STYLE_TAPS))
            self.scale = torch.ones(len(paintings))
            of_style = torch.arange(len(paintings))[:, None].expand(-1, len(photographs))
            self.scale = torch.stack([1.0 / self(untouched, style).mean() for style in of_style])

    def __call__(self, found: dict[str, Statistics], styles: Tensor) -> Tensor:
        """found: the pictures' statistics; styles: (B,) int64. Returns (B,)."""
        total = torch.zeros(len(styles), device=styles.device)
        for tap, targets in self.targets.items():
            for ours, theirs in zip(found[tap], targets, strict=True):
                theirs = theirs[styles]
                total = total + (ours - theirs).square().sum((1, 2)) / theirs.square().sum((1, 2))
        return total / len(self.targets) * self.scale[styles]


def resize(picture: np.ndarray, short: int) -> np.ndarray:
    """(H, W, 3) uint8 -> the same with `short` pixels on the short side."""
    height, width = picture.shape[:2]
    size = round(width * short / min(height, width)), round(height * short / min(height, width))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def square(path: Path, side: int) -> Tensor:
    """The middle of a picture as (3, side, side), 0..1."""
    picture = resize(read_picture(path), side)
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return to_tensor(picture[top : top + side, left : left + side])


def training_crops(data: Path, seed: int) -> tuple[RandomCrops, RandomCrops]:
    """Photographs of BSDS, and landscapes; the held-out twentieth of each folder is not among them."""
    bsds = [read_picture(path) for path in picture_files(data / "bsds400")]
    folders = ("summer2winter/summer", "summer2winter/winter", "monet2photo/photo")
    landscapes = [read_picture(path) for folder in folders for path in picture_files(data / folder)]
    return (RandomCrops(bsds, PHASES[0][1], turn=False, seed=seed),
            RandomCrops(landscapes, PHASES[0][1], turn=False, seed=seed + 1))


def enlarged(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A corner of a crop (S, S, 3), enlarged to the whole up to three times. The smooth surfaces of a large photograph
    hardly occur in crops of small ones, and what a network has not met it leaves unpainted."""
    side = len(crop)
    extent = round(side / (1.0 + 2.0 * random.random()))
    return np.asarray(Image.fromarray(crop[:extent, :extent]).resize((side, side), Image.Resampling.BICUBIC))


def style_rounds(count: int, seed: int) -> Iterator[Tensor]:
    """Style numbers, each (1,): every style equally often, shuffled in each round."""
    random = np.random.default_rng(seed)
    while True:
        yield from torch.from_numpy(random.permutation(count)).split(1)


def held_out(data: Path, side: int) -> Tensor:
    """Eight photographs never trained on: (8, 3, side, side)."""
    bsds = picture_files(data / "bsds400", held_out=True)
    paths = [bsds[i] for i in (2, 5, 8, 11, 14, 17)]
    for folder in ("summer2winter/summer", "monet2photo/photo"):
        paths.append(picture_files(data / folder, held_out=True)[3])
    return torch.stack([square(path, side) for path in paths])


@torch.inference_mode()
def draw_sheet(network: StyleNetwork, photographs: Tensor, path: Path) -> None:
    """Rows: photographs. Columns: the photograph, then every style."""
    network.eval()
    rows = []
    for photograph in photographs:
        row = [photograph]
        for style in range(network.styles):
            row.append(network(photograph[None], F.one_hot(torch.tensor([style]), network.styles).float())[0])
        rows.append(row)
    network.train()
    sheet(rows, path)


def judge(teacher: SqueezeNet, style_loss: StyleLoss, painted: Tensor, photographs: Tensor, styles: Tensor,
          offset: tuple[int, int] = (0, 0), *, see: Callable[..., Any] = exactly) -> tuple[Tensor, Tensor, Tensor]:
    """Style, content and variation loss of painted (B, 3, H, W) against photographs (B, 3, H, W), each (B,).

    see: `exactly` to measure, `quickly` to train."""
    painted, photographs = (x[:, :, offset[0] :, offset[1] :] for x in (painted, photographs))
    with torch.no_grad():
        wanted = see(teacher, photographs, (CONTENT_TAP,))[CONTENT_TAP]
    features = see(teacher, painted, STYLE_TAPS)
    style = style_loss(style_statistics(painted, features), styles)
    content = (features[CONTENT_TAP] - wanted).square().mean((1, 2, 3)) / wanted.square().mean((1, 2, 3))
    variation = ((painted[:, :, 1:] - painted[:, :, :-1]).square().mean((1, 2, 3))
                 + (painted[..., 1:] - painted[..., :-1]).square().mean((1, 2, 3)))
    return style, content, variation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/style-many"))
    parser.add_argument("--minutes", type=float, default=165.0, help="of training in all, interruptions not counted")
    parser.add_argument("--begin", type=Path, help="folder of a checkpoint to begin with, if RUN has none")
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate at first; of the styles' own five times")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--ship-only", action="store_true", help="ship the last saved state, train nothing")
    parser.add_argument("--evaluate", action="store_true", help="measure the last saved state, train nothing")
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    network = StyleNetwork(**CONFIG)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    own = [parameter for name, parameter in network.named_parameters() if "norm" in name]
    shared = [parameter for name, parameter in network.named_parameters() if "norm" not in name]
    groups = [{"params": shared, "peak": args.rate}, {"params": own, "peak": STYLE_RATE * args.rate / RATE}]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    step, spent = 0, 0.0
    begin_with(network, args.begin)
    if state := load_state(args.run):
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        step, spent = state["step"], state["spent"]
        logger.info("from step %d, %.1f minutes", step, spent / 60)
    if args.ship_only:
        ship_state(network, step, spent, args.seed)
        return

    teacher = load_squeezenet(args.data)
    teacher.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    paintings = [args.data / "paintings" / PAINTINGS[style.key] for style in STYLES]
    style_loss = StyleLoss(teacher, paintings, held_out(args.data, 192))
    if args.evaluate:
        evaluate(network, teacher, style_loss, args.data, args.run, step)
        return

    bsds, landscapes = training_crops(args.data, args.seed + step)
    rounds = style_rounds(len(STYLES), args.seed + step)
    random = np.random.default_rng(args.seed + step)
    sheet_photographs = held_out(args.data, 192)[[0, 2, 4, 6]]
    kept: list[list[float]] = []
    began, saved = worked_seconds() - spent, time.perf_counter()
    while (spent := worked_seconds() - began) < args.minutes * 60:
        progress = spent / (args.minutes * 60)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * min(1, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * progress))
        _, side, batch = max(phase for phase in PHASES if phase[0] <= progress)
        bsds.size = landscapes.size = side
        crops = [bsds.crop(), *(enlarged(source.crop(), random) for source in (landscapes, bsds, bsds)[: batch - 1])]
        photographs = torch.stack([to_tensor(crop) for crop in crops]).contiguous(memory_format=torch.channels_last)
        styles = torch.cat([next(rounds) for _ in range(batch)])
        offset = (int(random.integers(SHIFT)), int(random.integers(SHIFT)))
        painted = quickly(network, photographs, F.one_hot(styles, network.styles).float())
        style, content, variation = judge(teacher, style_loss, painted, photographs, styles, offset, see=quickly)
        loss = (STYLE_WEIGHT * style + CONTENT_WEIGHT * content + VARIATION_WEIGHT * variation).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        kept.append([style.mean().item(), content.mean().item(), variation.mean().item()])
        step += 1
        if step % 50 == 0:
            logger.info("step %d  %.1f min  style %.3f  content %.3f  variation %.4f  side %d  %.2f s a step", step,
                        spent / 60, *np.mean(kept, 0), bsds.size, (worked_seconds() - began - spent))
            kept = []
        if time.perf_counter() - saved > 180:
            saved = time.perf_counter()
            draw_sheet(network, sheet_photographs, args.run / "sheet.webp")
            save_state(args.run, network=network.state_dict(), optimizer=optimizer.state_dict(), step=step, spent=spent)

    draw_sheet(network, sheet_photographs, args.run / "sheet.webp")
    save_state(args.run, network=network.state_dict(), optimizer=optimizer.state_dict(), step=step, spent=spent)
    ship_state(network, step, spent, args.seed)


def ship_state(network: StyleNetwork, step: int, spent: float, seed: int) -> None:
    about = {"recipe": "gm_core.recipes.style_many", "steps": step, "minutes": round(spent / 60), "seed": seed,
             "phases": PHASES, "styles": " ".join(style.key for style in STYLES),
             "data": "bsds400, summer2winter, monet2photo/photo, paintings"}
    draw_sample(network, ship("style-many", network, "style_network:StyleNetwork", CONFIG, about) / "sample.webp")


@torch.inference_mode()
def draw_sample(network: StyleNetwork, path: Path) -> None:
    """scikit-image's sample photographs in all styles, two rows each: the photograph, then half of the styles."""
    network.eval()
    rows = []
    for picture in (skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.rocket()):
        height, width = picture.shape[:2]
        cut = min(height, width * 3 // 4)
        left = (width - cut * 4 // 3) // 2
        cutting = Image.fromarray(picture[:cut, left : left + cut * 4 // 3])
        cutting = cutting.resize((320, 240), Image.Resampling.LANCZOS)
        photograph = to_tensor(np.asarray(cutting))
        painted = [network(photograph[None], weights[None])[0] for weights in torch.eye(network.styles)]
        row = [F.avg_pool2d(x, 2) for x in (photograph, *painted)]
        half = network.styles // 2
        rows += [[row[0], *row[1 : half + 1]], [row[0], *row[half + 1 :]]]
    scratch = path.with_suffix(".png")
    sheet(rows, scratch)
    with Image.open(scratch) as image:
        image.save(path, quality=70, method=6)
    scratch.unlink()


def optimise(teacher: SqueezeNet, style_loss: StyleLoss, photographs: Tensor, styles: Tensor, steps: int) -> Tensor:
    """What the network stands in for: the pixels optimised on the very same loss, from the photographs on."""
    x = photographs.clone().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=0.03)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 0.03 * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        style, content, variation = judge(teacher, style_loss, x, photographs, styles)
        optimizer.zero_grad(set_to_none=True)
        (OPTIMISED_STYLE_WEIGHT * style + CONTENT_WEIGHT * content + VARIATION_WEIGHT * variation).sum().backward()
        optimizer.step()
        with torch.no_grad():
            x.clamp_(0, 1)
    return x.detach()


def evaluate(network: StyleNetwork, teacher: SqueezeNet, style_loss: StyleLoss, data: Path, run: Path,
             step: int) -> None:
    """Style and content loss of eight held-out photographs at 256 px, each in another style: untouched, painted by the
    network, and optimised for 300 steps. Writes `evaluation.json` and a sheet."""
    network.eval()
    figures: dict[str, dict[str, list[float]]] = {}
    rows = []
    for i, photograph in enumerate(held_out(data, 256)):
        photographs = photograph[None].contiguous(memory_format=torch.channels_last)
        styles = torch.tensor([2 * i % len(STYLES)])
        weights = F.one_hot(styles, len(STYLES)).float()
        network.requires_grad_(False)
        with torch.no_grad():
            network(photographs, weights)  # the first pass of a size also plans its convolutions
            began = time.perf_counter()
            ours = network(photographs, weights)
            seconds = {"photograph": 0.0, "network": time.perf_counter() - began}
        kept = run / f"optimised-{i}.pt"  # takes minutes, and does not depend on the network
        if not kept.exists():
            began = time.perf_counter()
            optimised = optimise(teacher, style_loss, photographs, styles, OPTIMISED)
            torch.save({"picture": optimised, "seconds": time.perf_counter() - began}, kept)
        known = torch.load(kept, weights_only=True)
        optimised, seconds["optimisation"] = known["picture"], known["seconds"]
        for name, painted in (("photograph", photographs), ("network", ours), ("optimisation", optimised)):
            with torch.no_grad():
                style, content, _ = judge(teacher, style_loss, painted, photographs, styles)
            of = figures.setdefault(name, {"style": [], "content": [], "seconds": []})
            of["style"] += style.tolist()
            of["content"] += content.tolist()
            of["seconds"].append(seconds[name])
        rows.append([photograph, ours[0], optimised[0]])
        logger.info("photograph %d  style %s", i, {name: round(of["style"][-1], 3) for name, of in figures.items()})
    mean = {name: {what: float(np.mean(values)) for what, values in of.items()} for name, of in figures.items()}
    summary = {
        "step": step, "side": 256, "optimisation_steps": OPTIMISED, "mean": mean,
        "style_ratio": mean["network"]["style"] / mean["optimisation"]["style"],
        "time_ratio": mean["network"]["seconds"] / mean["optimisation"]["seconds"],
        "pairs": figures, "styles": [STYLES[2 * i % len(STYLES)].key for i in range(8)],
    }
    (run / "evaluation.json").write_text(json.dumps(summary, indent=1) + "\n")
    sheet(rows, run / "evaluation.webp")
    logger.info("%s", {name: {what: round(value, 4) for what, value in of.items()} for name, of in mean.items()})
    logger.info("style loss %.2f times the optimisation's in 1/%.0f of its time", summary["style_ratio"],
                1 / summary["time_ratio"])


if __name__ == "__main__":
    main()
