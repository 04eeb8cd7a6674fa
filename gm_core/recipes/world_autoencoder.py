"""The first third of world-128: an autoencoder of 128 px pictures, and the latents that the denoiser will learn.

    python -m gm_core.recipes.world_autoencoder --world runs/world-128 --data DATA --run runs/world-autoencoder

Each `--world` is a folder of `pictures.npy` that `python -m gm_core.datasets.portraits --write` or its neighbours have
written or are still writing; several may be given, and others when the run goes on. 128x128x3 becomes 16x16x12.

It is an `AutoencoderTiny` of diffusers, which has no normalisation: where a processor and not an accelerator computes,
that is half of the time. First encoder and decoder learn together (`--minutes`): L1, L1 of Haar's details, and of what
is pooled, whose colour differences count more, as colour is what such a short code loses first. A penalty on the latents'
covariance keeps them white, as the denoiser wants them, and a little noise makes the decoder forgiving. In a third of the
steps the latents are halved in size and must decode to the halved picture: they then vary smoothly, like a small picture,
and a denoiser learns them sooner (EQ-VAE, Kouzelis et al. 2025, arXiv:2502.09509). Then the encoder is frozen and the
decoder learns on with a perceptual and an adversarial loss (`--decoder-minutes`), both through the SqueezeNet in
DATA/weights, which brings clean eyes and edges. As soon as the encoder is done the denoiser may begin.

Minutes are of work, not of the clock's: the same command goes on after an interruption, and with more minutes after the
end. The result is RUN/autoencoder, in diffusers' layout. `--evaluate` measures it on held-out pictures. Rows of the
sheet: truth, decoded, truth, decoded.
"""

import argparse
import copy
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
from diffusers import AutoencoderTiny  # pyright: ignore[reportPrivateImportUsage]
from torch import Tensor, nn

from gm_core.datasets.portraits import reduced
from gm_core.metrics import squared_differences
from gm_core.models.feature_discriminator import FeatureDiscriminator, least_squares
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.models.wavelets import to_bands
from gm_core.recipes.common import load_state, quickly, save_state, sheet, start, worked_seconds

logger = logging.getLogger("recipe.world_autoencoder")

SIDE = 128
CONFIG: dict[str, Any] = {
    "latent_channels": 12, "encoder_block_out_channels": (48, 48, 48, 48), "decoder_block_out_channels": (48, 48, 48, 48),
    # Blocks at 128, 64, 32, 16 px, and back. Above 64 px there are none: they would take most of the time.
    "num_encoder_blocks": (0, 0, 3, 4), "num_decoder_blocks": (4, 4, 2, 0)}
CROPS = ((0.0, 64, 8), (0.6, 128, 3))  # from this share of the minutes on: side of the crops, how many at once
DECODER_CROP, DECODER_BATCH = 96, 6
RATE, DECODER_RATE, JUDGE_RATE, LAST = 1.2e-3, 3e-4, 4e-4, 0.02
DETAILS, POOLED, COLOUR = 0.5, 0.5, 0.75  # weights beside L1
WHITE = 0.03
HALVED = 0.33  # share of the steps whose latents and picture are halved
NOISE = 0.05  # deviation, where the latents' is 1
PERCEPTUAL, ADVERSARIAL = 0.6, 0.03
AVERAGE = 0.998  # of the weights, a step
HELD_OUT_EVERY = 50


class WorldFolder:
    """A written world, perhaps still growing. Every fiftieth picture is held out."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.pictures = np.load(folder / "pictures.npy", mmap_mode="r")
        state = folder / "state.json"
        done = json.loads(state.read_text())["done"] if state.exists() else len(self.pictures)
        self.done = int(done)
        numbers = np.arange(self.done)
        held_out = numbers % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        self.train, self.held_out = numbers[~held_out], numbers[held_out]

    def read(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """(N, 128, 128, 3) uint8."""
        return reduced(np.stack([self.pictures[number] for number in numbers]), SIDE)


def to_batch(pictures: np.ndarray) -> Tensor:
    """(N, S, S, 3) uint8 -> (N, 3, S, S) in -1..1, channels last in memory."""
    x = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    return (x.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def draw(worlds: Sequence[WorldFolder], random: np.random.Generator, side: int, count: int) -> Tensor:
    """Random crops (count, 3, side, side) in -1..1, half of them mirrored; large worlds are met more often."""
    sizes = np.array([len(world.train) for world in worlds], float)
    crops = np.empty((count, side, side, 3), np.uint8)
    for i, of in enumerate(random.choice(len(worlds), count, p=sizes / sizes.sum())):
        picture = worlds[of].read([random.choice(worlds[of].train)])[0]
        top, left = random.integers(0, SIDE - side + 1, 2)
        crop = picture[top : top + side, left : left + side]
        crops[i] = crop[:, ::-1] if random.random() < 0.5 else crop
    return to_batch(crops)


def some_of(worlds: Sequence[WorldFolder], count: int = 128) -> Tensor:
    """Pictures of each world (N, 3, 128, 128) in -1..1, always the same."""
    return torch.cat([to_batch(world.read(world.train[:: max(1, len(world.train) // count)][:count])) for world in worlds])


def reconstruction_loss(made: Tensor, real: Tensor) -> Tensor:
    """Both (B, 3, S, S) in -1..1."""
    pooled = F.avg_pool2d(made - real, 4)
    colour = (pooled[:, 0] - pooled[:, 1]).abs().mean() + (pooled[:, 2] - pooled[:, 1]).abs().mean()
    details = F.l1_loss(to_bands(made)[:, 3:], to_bands(real)[:, 3:])
    return F.l1_loss(made, real) + DETAILS * details + POOLED * pooled.abs().mean() + COLOUR * colour


def unlike_white(z: Tensor) -> Tensor:
    """How far latents (B, C, h, w) are from mean 0 and covariance 1; 0 for white ones."""
    flat = z.transpose(0, 1).flatten(1)
    mean = flat.mean(1)
    centred = flat - mean[:, None]
    covariance = centred @ centred.T / flat.shape[1]
    return (covariance - torch.eye(len(flat))).square().sum() / len(flat) + mean.square().mean()


def prepare(network: AutoencoderTiny) -> None:
    """Weights to begin with: without normalisation, PyTorch's own let the signal die on its way through so many layers."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for block in (module for module in network.modules() if type(module).__name__ == "AutoencoderTinyBlock"):
        first, _, second, _, last = block.conv  # pyright: ignore
        for conv, gain in ((first, 2**0.5), (second, 2**0.5), (last, 0.2)):
            conv.weight.data *= gain  # pyright: ignore
    head = network.decoder.layers[-1]
    head.weight.data *= 0.3  # pyright: ignore
    nn.init.constant_(head.bias, 0.5)  # pyright: ignore[reportArgumentType]


@torch.no_grad()
def whiten(network: AutoencoderTiny, pictures: Tensor) -> Tensor:
    """Makes the latents of these pictures (N, 3, S, S) white: folded into the encoder's last convolution, and undone in the
    decoder's first (where it matters: its clamp lies between). Returns the deviations along the axes that were there.
    """
    z = torch.cat([network.encode(batch).latents for batch in pictures.split(32)])  # pyright: ignore
    flat = z.transpose(0, 1).flatten(1)
    mean = flat.mean(1)
    variances, axes = torch.linalg.eigh(torch.cov(flat))
    # The nearest white axes (ZCA), so that channels keep what they meant to the decoder.
    white = axes @ torch.diag(variances.rsqrt()) @ axes.T
    colour = axes @ torch.diag(variances.sqrt()) @ axes.T
    last, first = network.encoder.layers[-1], network.decoder.layers[0]
    last.weight.copy_(torch.einsum("ij,jckl->ickl", white, last.weight))  # pyright: ignore
    last.bias.copy_(white @ (last.bias - mean))  # pyright: ignore
    # The decoder pads with zeros, which now stand for the mean: at the border only, and it learns on.
    first.bias += torch.einsum("ockl,c->o", first.weight, mean)  # pyright: ignore
    first.weight.copy_(torch.einsum("ockl,cj->ojkl", first.weight, colour))  # pyright: ignore
    return variances.sqrt()


@torch.inference_mode()
def measure(network: AutoencoderTiny, worlds: Sequence[WorldFolder], count: int, path: Path | None = None) -> dict[str, Any]:
    """PSNR in dB and the latents' statistics on held-out pictures of each world; a sheet into `path`."""
    found: dict[str, Any] = {}
    rows: list[list[Tensor]] = []
    for world in worlds:
        x = to_batch(world.read(world.held_out[:count]))
        z = torch.cat([network.encode(batch).latents for batch in x.split(16)])  # pyright: ignore
        y = torch.cat([network.decode(batch).sample for batch in z.split(16)]).clamp(-1, 1)  # pyright: ignore
        psnr = -10 * torch.log10(((y - x) / 2).square().mean((1, 2, 3)))
        deviations = z.std((0, 2, 3))
        found[world.name] = {"pictures": len(x), "psnr": round(float(psnr.mean()), 2),
                             "least psnr": round(float(psnr.min()), 2),
                             "deviations": [round(float(value), 2) for value in deviations],
                             "largest": round(float(z.abs().max()), 1)}
        for i in range(0, min(16, len(x)), 8):
            rows += [list(x[i : i + 8] / 2 + 0.5), list(y[i : i + 8] / 2 + 0.5)]
    if path:
        sheet(rows, path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, nargs="+", default=[Path("runs/world-128")])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/world-autoencoder"))
    parser.add_argument("--minutes", type=float, default=60.0, help="of encoder and decoder together")
    parser.add_argument("--decoder-minutes", type=float, default=25.0, help="of the decoder alone, after these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="measure what RUN has saved, train nothing")
    args = parser.parse_args()
    start(args.run, args.threads)

    worlds = [WorldFolder(folder) for folder in args.world]
    torch.manual_seed(args.seed)
    network = AutoencoderTiny(**CONFIG)
    prepare(network)
    judge = FeatureDiscriminator()
    for part in (network, judge):
        part.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = torch.optim.Adam(network.parameters(), RATE, (0.9, 0.99))
    of_judge = torch.optim.Adam(judge.parameters(), JUDGE_RATE, (0.5, 0.99))
    parts: dict[str, nn.Module | torch.optim.Optimizer] = {
        "network": network, "judge": judge, "average": average, "optimizer": optimizer, "of_judge": of_judge}
    step, seen, worked, alone = 0, 0.0, 0.0, 0.0
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, seen, worked, alone = state["step"], state["seen"], state["worked"], state["alone"]
        logger.info("going on from step %d, %.1f and %.1f minutes", step, worked / 60, alone / 60)
    else:
        whiten(network, some_of(worlds))
        average.load_state_dict(network.state_dict())
    logger.info("%s; %.2f M weights", ", ".join(f"{world.done} pictures of {world.name}" for world in worlds),
                sum(p.numel() for p in network.parameters()) / 1e6)

    if args.evaluate:
        figures = measure(average, worlds, 200, args.run / "evaluation.webp")
        about = {"steps": step, "pictures": round(seen), "minutes": [round(worked / 60), round(alone / 60)]}
        (args.run / "evaluation.json").write_text(json.dumps({**about, "worlds": figures}, indent=2) + "\n")
        logger.info("%s", figures)
        return

    squeezenet: SqueezeNet | None = None
    random = np.random.default_rng((args.seed, step))
    torch.manual_seed(args.seed + step)
    told: dict[str, list[float]] = {}
    began, pictures = worked_seconds(), 0.0

    def save() -> None:
        save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, seen=seen,
                   worked=worked, alone=alone)
        average.save_pretrained(args.run / "autoencoder", safe_serialization=True)
        figures = measure(average, worlds, 64, args.run / f"sheet-{round((worked + alone) / 60):03d}.webp")
        logger.info("held out: %s", figures)

    reported = saved = time.perf_counter()
    clock = worked_seconds()
    while worked < args.minutes * 60 or alone < args.decoder_minutes * 60:
        together = worked < args.minutes * 60
        share = worked / (args.minutes * 60) if together else alone / (args.decoder_minutes * 60)
        fall = LAST + (1 - LAST) * (0.5 + 0.5 * math.cos(math.pi * max(0.0, share - 0.3) / 0.7))
        for group in optimizer.param_groups:
            group["lr"] = (RATE if together else DECODER_RATE) * fall * min(1.0, (step + 1) / 100)
        for group in of_judge.param_groups:
            group["lr"] = JUDGE_RATE * fall
        of_real: dict[str, Tensor] = {}  # SqueezeNet's activations, of the second part only
        of_made: dict[str, Tensor] = {}
        if together:
            side, count = next((side, count) for since, side, count in reversed(CROPS) if share >= since)
            x = draw(worlds, random, side, count)
            z = quickly(network.encode, x).latents  # (B, 12, side / 8, side / 8)
            white = unlike_white(z)
            if random.random() < HALVED:
                x, z = F.avg_pool2d(x, 2), F.avg_pool2d(z, 2)
            y = quickly(network.decode, z + NOISE * torch.randn_like(z)).sample
            parted = {"pixels": reconstruction_loss(y, x), "unlike white": white}
            loss = parted["pixels"] + WHITE * parted["unlike white"]
        else:
            if squeezenet is None:
                squeezenet = load_squeezenet(args.data)
                squeezenet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
            side, count = DECODER_CROP, DECODER_BATCH
            x = draw(worlds, random, side, count)
            with torch.no_grad():
                z = network.encode(x).latents  # pyright: ignore
            y = quickly(network.decode, z + NOISE * torch.randn_like(z)).sample
            # The features' strides and poolings favour some pixels; another corner every time leaves no grid behind.
            top, left = random.integers(0, 8, 2)
            seen_x, seen_y = x[..., top:, left:] / 2 + 0.5, y[..., top:, left:] / 2 + 0.5

            def through(both: Tensor, real: dict[str, Tensor] = of_real, made: dict[str, Tensor] = of_made,
                        eyes: SqueezeNet = squeezenet) -> dict[str, Tensor]:
                """SqueezeNet's activations, kept for the judge, who looks through the same eyes."""
                activations = quickly(eyes, both)
                for tap, values in activations.items():
                    made[tap], real[tap] = values.chunk(2)
                return activations

            perceptual = torch.stack([part.mean() for part in squared_differences(seen_y, seen_x, through)]).mean()
            judge.requires_grad_(False)
            adversarial = least_squares(judge(of_made), True)
            judge.requires_grad_(True)
            parted = {"pixels": reconstruction_loss(y, x), "perceptual": perceptual, "adversarial": adversarial}
            loss = parted["pixels"] + PERCEPTUAL * perceptual + ADVERSARIAL * min(1.0, 4 * share) * adversarial
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        if not together:
            d_loss = (least_squares(judge({tap: values.detach() for tap, values in of_real.items()}), True)
                      + least_squares(judge({tap: values.detach() for tap, values in of_made.items()}), False))
            of_judge.zero_grad(set_to_none=True)
            d_loss.backward()
            of_judge.step()
            parted["judge"] = d_loss
        for name, value in parted.items():
            told.setdefault(name, []).append(float(value.detach()))
        step += 1
        seen, pictures = seen + count * (side / SIDE) ** 2, pictures + count * (side / SIDE) ** 2
        with torch.no_grad():
            keep = min(AVERAGE, (1 + step) / (10 + step))
            for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
                ours.lerp_(theirs, 1 - keep)
        passed = worked_seconds() - clock
        worked, alone = (worked + passed, alone) if together else (worked, alone + passed)
        over = worked >= args.minutes * 60 and (together or alone >= args.decoder_minutes * 60)
        if time.perf_counter() - reported > 60 or over:
            logger.info("%.1f + %.1f min  step %d  %.0f pictures, %.1f a second of work  %s", worked / 60, alone / 60, step,
                        seen, pictures / (worked_seconds() - began),
                        "  ".join(f"{name} {np.mean(values):.4f}" for name, values in told.items()))
            told, reported, began, pictures = {}, time.perf_counter(), worked_seconds(), 0.0
        if together and over:
            network.load_state_dict(average.state_dict())
            logger.info("the encoder is done; deviations of the latents before the last whitening: %s",
                        [round(float(value), 3) for value in whiten(network, some_of(worlds))])
            average.load_state_dict(network.state_dict())
            optimizer.state.clear()
        if time.perf_counter() - saved > 300 or over:
            save()
            saved = reported = time.perf_counter()
            began, pictures = worked_seconds(), 0.0
        clock = worked_seconds()


if __name__ == "__main__":
    main()
