"""srgan-x4: SRResNet made crisp by a perceptual and an adversarial loss (Ledig et al. 2017, section 2.2).

    python -m gm_core.recipes.srgan_x4 --data DATA --run runs/srgan-x4

Starts from the shipped srresnet-x4. SqueezeNet stands in for VGG. The discriminator sees the bicubic enlargement beside
each picture, so that it judges what was added and colours cannot drift; it compares pairs (Jolicoeur-Martineau 2018,
arXiv:1807.00734). `--evaluate` measures the shipped pair on Set5 and writes evaluation.json.
"""

import argparse
import json
import logging
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from gm_core.checkpoints import find
from gm_core.datasets.folders import read_picture, to_tensor
from gm_core.load import build
from gm_core.metrics import perceptual_distance, psnr_y, ssim_y
from gm_core.models.discriminators import PatchDiscriminator
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.recipes.common import CHECKPOINTS, load_state, quickly, save_state, sheet, ship, start
from gm_core.recipes.srresnet_x4 import draw_batch, reduce, training_crops

logger = logging.getLogger("recipe.srgan_x4")

BATCH = 6
RATE, JUDGE_RATE = 6e-4, 4e-4  # of the generator, of the discriminator
PIXELS, MEANS, PERCEPTUAL, ADVERSARIAL = 0.3, 1.0, 1.0, 0.04  # weights of the losses
EVEN = 0.06  # share of the crops that are of one colour: a network that never saw any puts grain into the sky


def with_even_ones(small: Tensor, large: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The same pairs, a few of them replaced by pictures of one colour."""
    for i in np.flatnonzero(random.random(len(small)) < EVEN):
        colour = torch.from_numpy(random.random(3).astype(np.float32)).view(3, 1, 1)
        small[i], large[i] = colour, colour
    return small, large


def evaluate(network: nn.Module, squeezenet: SqueezeNet, data: Path) -> tuple[dict[str, float], list[list[Tensor]]]:
    """Means over Set5 and rows of bicubic, network, original for the sheet."""
    figures, rows = [], []
    with torch.inference_mode():
        for path in sorted((data / "set5").glob("*.png")):
            original = read_picture(path)
            height, width = (side // 4 * 4 for side in original.shape[:2])
            original = original[:height, :width]
            truth, small = to_tensor(original)[None], to_tensor(reduce(original))[None]
            bicubic = F.interpolate(small, scale_factor=4, mode="bicubic").clamp(0, 1)
            large = (network(small).clamp(0, 1) * 255).round() / 255
            figures.append({"psnr": psnr_y(large, truth, border=4), "ssim": ssim_y(large, truth, border=4),
                            "perceptual": float(perceptual_distance(large, truth, squeezenet)),
                            "colour_shift": float((large.mean((2, 3)) - truth.mean((2, 3))).abs().max())})
            if min(height, width) >= 192:
                centre = (slice(None), slice(height // 2 - 96, height // 2 + 96), slice(width // 2 - 96, width // 2 + 96))
                rows.append([picture[0][centre] for picture in (bicubic, large, truth)])
    return {key: float(np.mean([figure[key] for figure in figures])) for key in figures[0]}, rows


def write_evaluation(squeezenet: SqueezeNet, data: Path, run: Path) -> None:
    """Bicubic, and both shipped networks, measured alike."""

    class Bicubic(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=4, mode="bicubic", antialias=True)  # a = -0.5, as Pillow and the field

    networks: dict[str, nn.Module] = {"bicubic": Bicubic()}
    for name in ("srresnet-x4", "srgan-x4"):
        network = build(find(name), find(name).folder)
        networks[name] = network.eval()
    table = {name: evaluate(network, squeezenet, data)[0] for name, network in networks.items()}
    (run / "evaluation.json").write_text(json.dumps(table, indent=2) + "\n")
    logger.info("%s", json.dumps(table, indent=2))
    write_sheet(networks)


def write_sheet(networks: dict[str, nn.Module]) -> None:
    """sample.webp of both cards: scikit-image's photographs, bicubic, SRResNet, SRGAN, original from left to right."""
    import skimage.data

    rows = []
    for picture, (left, top) in ((skimage.data.chelsea(), (96, 44)), (skimage.data.astronaut(), (96, 32)),
                                 (skimage.data.rocket(), (250, 150)), (skimage.data.coffee(), (150, 120))):
        original = np.ascontiguousarray(picture[top : top + 240, left : left + 240])
        small = to_tensor(reduce(original))[None]
        with torch.inference_mode():
            rows.append([*(network(small)[0] for network in networks.values()), to_tensor(original)])
    for name in ("srresnet-x4", "srgan-x4"):
        sheet(rows, CHECKPOINTS / name / "sample.webp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/srgan-x4"))
    parser.add_argument("--steps", type=int, default=2800)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true")
    args = parser.parse_args()
    start(args.run, args.threads)
    squeezenet = load_squeezenet(args.data)
    if args.evaluate:
        write_evaluation(squeezenet, args.data, args.run)
        return

    torch.manual_seed(args.seed)
    record = find("srresnet-x4")
    generator = build(record, record.folder).train()
    discriminator = PatchDiscriminator(inputs=6)
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(0.995))
    of_generator = torch.optim.Adam(generator.parameters(), lr=RATE, betas=(0.9, 0.99))
    of_discriminator = torch.optim.Adam(discriminator.parameters(), lr=JUDGE_RATE, betas=(0.5, 0.99))
    step = 0
    if state := load_state(args.run):
        for name, part in (("generator", generator), ("discriminator", discriminator), ("average", average),
                           ("of_generator", of_generator), ("of_discriminator", of_discriminator)):
            part.load_state_dict(state[name])
        step = state["step"]
        logger.info("going on from step %d", step)
    bsds, landscapes = training_crops(args.data, args.seed + 1000 + step)

    began, log = time.perf_counter(), []
    while step < args.steps:
        decay = 0.5 + 0.5 * math.cos(math.pi * max(0.0, step / args.steps - 0.4) / 0.6)
        for optimizer, rate in ((of_generator, RATE), (of_discriminator, JUDGE_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * decay
        random = np.random.default_rng((args.seed, step))
        small, large = with_even_ones(*draw_batch(bsds, landscapes, BATCH), random)
        bicubic = F.interpolate(small, scale_factor=4, mode="bicubic")
        fake = quickly(generator, small)

        real_pair = torch.cat([large - bicubic, bicubic - 0.5], 1)  # (B, 6, 128, 128)
        fake_pair = torch.cat([fake - bicubic, bicubic - 0.5], 1)
        of_discriminator.zero_grad(set_to_none=True)
        d_loss = F.softplus(quickly(discriminator, fake_pair.detach()) - quickly(discriminator, real_pair)).mean()
        d_loss.backward()
        of_discriminator.step()

        # The features' strides and poolings favour some pixels; another corner every time leaves no grid behind.
        top, left = random.integers(0, 8, 2)
        perceptual = perceptual_distance(fake[..., top:, left:], large[..., top:, left:], partial(quickly, squeezenet)).mean()
        pixels = F.l1_loss(fake, large)
        means = F.avg_pool2d(fake - large, 4).abs().mean()  # what the small picture knows is not up for invention
        discriminator.requires_grad_(False)
        with torch.no_grad():
            real_logits = quickly(discriminator, real_pair)
        adversarial = F.softplus(real_logits - quickly(discriminator, fake_pair)).mean()
        discriminator.requires_grad_(True)
        loss = PIXELS * pixels + MEANS * means + PERCEPTUAL * perceptual + ADVERSARIAL * adversarial
        of_generator.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(generator.parameters(), 1.0)
        of_generator.step()
        average.update_parameters(generator)
        log.append((pixels.item(), means.item(), perceptual.item(), adversarial.item(), d_loss.item()))
        step += 1
        if step % 250 == 0 or step == args.steps:
            figures, rows = evaluate(average.eval(), squeezenet, args.data)
            logger.info("step %d  pixels %.4f  means %.4f  perceptual %.4f  adversarial %.3f  d %.3f  Set5 %s  %.2f s a step",
                        step,
                        *np.mean(log, 0), {key: round(value, 4) for key, value in figures.items()},
                        (time.perf_counter() - began) / len(log))
            began, log = time.perf_counter(), []
            sheet(rows, args.run / "sheet.png")
            save_state(args.run, generator=generator.state_dict(), discriminator=discriminator.state_dict(),
                       average=average.state_dict(), of_generator=of_generator.state_dict(),
                       of_discriminator=of_discriminator.state_dict(), step=step)

    about = {"recipe": "gm_core.recipes.srgan_x4", "steps": step, "seed": args.seed, "batch": BATCH,
             "data": "bsds400, summer2winter, monet2photo/photo; started from srresnet-x4"}
    ship("srgan-x4", average.module, "srresnet:SRResNet", record.shipped_config()["config"], about)


if __name__ == "__main__":
    main()
