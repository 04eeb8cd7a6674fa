"""The first third of world-128: an autoencoder of 128 px pictures, and the latents that the denoiser will learn.

    python -m gm_core.recipes.world_autoencoder --world runs/world-128 --data DATA --run runs/world-autoencoder

Each `--world` is a folder of `pictures.npy` that `python -m gm_core.datasets.portraits --write` or its neighbours have
written or are still writing; several may be given, and others when the run goes on. 128x128x3 becomes 16x16x16.

It is an `AutoencoderTiny` of diffusers, but its encoder is not learnt: it is the best linear code that there is, the
principal components of the world's 8x8 blocks, written into the encoder's convolutions exactly. Encoder and decoder that
learnt together were, after half an hour of one core, no better than the plain linear code of as many numbers. So all the
learning goes into the decoder, which knows the world, mends the blocks and puts back what the code left out. The code is
half whitened: a component's deviation is the root of what it was. So large things keep the greater say, and the denoiser
settles them first, as it does where it denoises pixels.

First the decoder learns (`--minutes`) by L1, L1 of Haar's details, and of what is pooled, whose colour differences count
more, as colour is what such a short code loses first. Then it learns on with a perceptual and an adversarial loss
(`--adversarial-minutes`), both through the SqueezeNet in DATA/weights, which brings clean eyes and edges. A little noise on
the latents, and more in the end, makes it forgive what a denoiser does not get quite right. The denoiser may begin at once,
as the code never changes.

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
from gm_core.models.wavelets import to_bands
from gm_core.recipes.common import average_in, load_state, quickly, save_state, sheet, start, worked_seconds
from gm_core.recipes.critic import Critic

logger = logging.getLogger("recipe.world_autoencoder")

SIDE = 128
CHANNELS, CODE = 48, 16  # of the networks, of the latents
CONFIG: dict[str, Any] = {
    "latent_channels": CODE, "encoder_block_out_channels": (CHANNELS,) * 4, "decoder_block_out_channels": (CHANNELS,) * 4,
    # Blocks at 128, 64, 32, 16 px, and back. Above 64 px there are none: they would take most of the time.
    "num_encoder_blocks": (0, 0, 0, 0), "num_decoder_blocks": (4, 4, 2, 0)}
LARGEST = 0.6  # deviation of a latent channel at the decoder's door, whose clamp bends what is beyond 2
CROPS = ((0.0, 64, 8), (0.6, 128, 3))  # from this share of the minutes on: side of the crops, how many at once
ADVERSARIAL_CROP, ADVERSARIAL_BATCH = 96, 6
RATE, ADVERSARIAL_RATE, JUDGE_RATE, LAST = 1.2e-3, 3e-4, 4e-4, 0.02
DETAILS, POOLED, COLOUR = 0.5, 0.5, 0.75  # weights beside L1
NOISE, ADVERSARIAL_NOISE = 0.05, 0.2  # deviation up to which latents are disturbed, where their own is 1
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


def worn(x: Tensor, random: np.random.Generator) -> Tensor:
    """Half of the batches a little blurred, and noisy: lessons for whoever shall see in pictures that a network made."""
    if random.random() < 0.5:
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1).lerp(x, float(random.uniform(0, 1)))
        x = x + float(random.uniform(0, 0.06)) * torch.randn_like(x)
    return x


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


def some_of(worlds: Sequence[WorldFolder], count: int = 400) -> Tensor:
    """Pictures of each world (N, 3, 128, 128) in -1..1, always the same."""
    return torch.cat([to_batch(world.read(world.train[:: max(1, len(world.train) // count)][:count])) for world in worlds])


def reconstruction_loss(made: Tensor, real: Tensor) -> Tensor:
    """Both (B, 3, S, S) in -1..1."""
    pooled = F.avg_pool2d(made - real, 4)
    colour = (pooled[:, 0] - pooled[:, 1]).abs().mean() + (pooled[:, 2] - pooled[:, 1]).abs().mean()
    details = F.l1_loss(to_bands(made)[:, 3:], to_bands(real)[:, 3:])
    return F.l1_loss(made, real) + DETAILS * details + POOLED * pooled.abs().mean() + COLOUR * colour


def prepare(network: AutoencoderTiny) -> None:
    """The decoder's weights to begin with: without normalisation, PyTorch's own let the signal die on its way."""
    for module in network.decoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for block in (module for module in network.decoder.modules() if type(module).__name__ == "AutoencoderTinyBlock"):
        first, _, second, _, last = block.conv  # pyright: ignore
        for conv, gain in ((first, 2**0.5), (second, 2**0.5), (last, 0.2)):
            conv.weight.data *= gain  # pyright: ignore
    head = network.decoder.layers[-1]
    head.weight.data *= 0.3  # pyright: ignore
    nn.init.constant_(head.bias, 0.5)  # pyright: ignore[reportArgumentType]


@torch.no_grad()
def write_code(network: AutoencoderTiny, pictures: Tensor) -> None:
    """Makes the encoder the principal components of 8x8 blocks of these pictures (N, 3, S, S) in -1..1, half whitened, and
    sets `scaling_factor` so that the scaled latents' mean variance is 1.

    Exact, as there is no activation on its way: each stride of two lays four neighbours side by side, 3, 12, 48 numbers;
    the third takes the components, and the last convolution their means.
    """
    blocks = F.unfold(pictures, 8, stride=8).transpose(1, 2).flatten(0, 1)  # (B, 192), channel by channel, row by row
    mean = blocks.mean(0)
    variances, axes = torch.linalg.eigh(torch.cov(blocks.T))
    deviations = variances.flip(0)[:CODE].clamp_min(1e-6).sqrt()
    after = LARGEST * (deviations / deviations[0]).sqrt()
    components = axes.flip(1)[:, :CODE] * (after / deviations)  # (192, CODE)

    first, *strides, last = (layer for layer in network.encoder.layers if isinstance(layer, nn.Conv2d))
    for layer in (first, *strides, last):
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    for channel in range(3):
        first.weight[channel, channel, 1, 1] = 1
    inputs = 3
    for layer in strides[:2]:
        for down in range(2):
            for right in range(2):
                for channel in range(inputs):
                    layer.weight[(2 * down + right) * inputs + channel, channel, 1 + down, 1 + right] = 1
        inputs *= 4
    # Where in the block each of the 4 x 48 numbers is that the third stride sees.
    for down in range(2):
        for right in range(2):
            for number in range(48):
                two, (one, channel) = number // 12, divmod(number % 12, 3)
                row, column = 4 * down + 2 * (two // 2) + one // 2, 4 * right + 2 * (two % 2) + one % 2
                # The encoder sees 0..1 and the components mean -1..1.
                strides[2].weight[:CODE, number, 1 + down, 1 + right] = 2 * components[channel * 64 + row * 8 + column]
    for channel in range(CODE):
        last.weight[channel, channel, 1, 1] = 1
    last.bias[:CODE] = -((mean + 1) @ components)  # pyright: ignore[reportOptionalSubscript]
    network.register_to_config(scaling_factor=round(float(after.square().mean().rsqrt()), 4))


@torch.inference_mode()
def measure(network: AutoencoderTiny, worlds: Sequence[WorldFolder], count: int, path: Path | None = None) -> dict[str, Any]:
    """PSNR in dB on held-out pictures of each world; a sheet into `path`."""
    found: dict[str, Any] = {}
    rows: list[list[Tensor]] = []
    for world in worlds:
        x = to_batch(world.read(world.held_out[:count]))
        z = torch.cat([network.encode(batch).latents for batch in x.split(16)])  # pyright: ignore
        y = torch.cat([network.decode(batch).sample for batch in z.split(16)]).clamp(-1, 1)  # pyright: ignore
        psnr = -10 * torch.log10(((y - x) / 2).square().mean((1, 2, 3)))
        found[world.name] = {"pictures": len(x), "psnr": round(float(psnr.mean()), 2),
                             "least psnr": round(float(psnr.min()), 2)}
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
    parser.add_argument("--minutes", type=float, default=60.0, help="of plain reconstruction")
    parser.add_argument("--adversarial-minutes", type=float, default=25.0, help="after these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="measure what RUN has saved, train nothing")
    args = parser.parse_args()
    start(args.run, args.threads)

    worlds = [WorldFolder(folder) for folder in args.world]
    torch.manual_seed(args.seed)
    network = AutoencoderTiny(**CONFIG)
    network.encoder.requires_grad_(False)
    prepare(network)
    critic = Critic(args.data, JUDGE_RATE)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = torch.optim.Adam(network.decoder.parameters(), RATE, (0.9, 0.99))
    parts: dict[str, nn.Module | torch.optim.Optimizer] = {
        "network": network, "judge": critic.judge, "average": average, "optimizer": optimizer, "of_judge": critic.optimizer}
    step, seen, worked, judged = 0, 0.0, 0.0, 0.0
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, seen, worked, judged = state["step"], state["seen"], state["worked"], state["judged"]
        average.register_to_config(scaling_factor=state["scaling"])
        logger.info("going on from step %d, %.1f and %.1f minutes", step, worked / 60, judged / 60)
    else:
        write_code(network, some_of(worlds))
        average.load_state_dict(network.state_dict())
        average.register_to_config(scaling_factor=network.config["scaling_factor"])
        average.save_pretrained(args.run / "autoencoder", safe_serialization=True)  # the denoiser may begin
    scaling = float(average.config["scaling_factor"])
    logger.info("%s; %.2f M weights", ", ".join(f"{world.done} pictures of {world.name}" for world in worlds),
                sum(p.numel() for p in network.parameters()) / 1e6)

    if args.evaluate:
        figures = measure(average, worlds, 200, args.run / "evaluation.webp")
        about = {"steps": step, "pictures": round(seen), "minutes": [round(worked / 60), round(judged / 60)]}
        (args.run / "evaluation.json").write_text(json.dumps({**about, "worlds": figures}, indent=2) + "\n")
        logger.info("%s", figures)
        return

    random = np.random.default_rng((args.seed, step))
    torch.manual_seed(args.seed + step)
    told: dict[str, list[float]] = {}
    began, pictures = worked_seconds(), 0.0

    def save() -> None:
        save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, seen=seen,
                   worked=worked, judged=judged, scaling=scaling)
        average.save_pretrained(args.run / "autoencoder", safe_serialization=True)
        figures = measure(average, worlds, 64, args.run / f"sheet-{round((worked + judged) / 60):03d}.webp")
        logger.info("held out: %s", figures)

    reported = saved = time.perf_counter()
    clock = worked_seconds()
    while worked < args.minutes * 60 or judged < args.adversarial_minutes * 60:
        plain = worked < args.minutes * 60
        share = worked / (args.minutes * 60) if plain else judged / (args.adversarial_minutes * 60)
        fall = LAST + (1 - LAST) * (0.5 + 0.5 * math.cos(math.pi * max(0.0, share - 0.3) / 0.7))
        for group in optimizer.param_groups:
            group["lr"] = (RATE if plain else ADVERSARIAL_RATE) * fall * min(1.0, (step + 1) / 100)
        for group in critic.optimizer.param_groups:
            group["lr"] = JUDGE_RATE * fall
        side, count = ADVERSARIAL_CROP, ADVERSARIAL_BATCH
        if plain:
            side, count = next((side, count) for since, side, count in reversed(CROPS) if share >= since)
        x = draw(worlds, random, side, count)
        with torch.no_grad():
            z = network.encode(x).latents  # pyright: ignore
            noise = torch.rand(count, 1, 1, 1) * (NOISE if plain else ADVERSARIAL_NOISE) / scaling
            z += noise * torch.randn_like(z)  # (B, 16, side / 8, side / 8)
        y = quickly(network.decode, z).sample
        loss = reconstruction_loss(y, x)
        parted = {"pixels": loss}
        if not plain:
            perceptual, adversarial = critic.opinion(y / 2 + 0.5, x / 2 + 0.5, random)
            parted |= {"perceptual": perceptual, "adversarial": adversarial}
            loss = loss + PERCEPTUAL * perceptual + ADVERSARIAL * min(1.0, 4 * share) * adversarial
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.decoder.parameters(), 1.0)
        optimizer.step()
        if not plain:
            parted["judge"] = critic.learn()
        for name, value in parted.items():
            told.setdefault(name, []).append(float(value.detach()))
        step += 1
        seen, pictures = seen + count * (side / SIDE) ** 2, pictures + count * (side / SIDE) ** 2
        average_in(average, network, step, AVERAGE)
        passed = worked_seconds() - clock
        worked, judged = (worked + passed, judged) if plain else (worked, judged + passed)
        over = worked >= args.minutes * 60 and (plain or judged >= args.adversarial_minutes * 60)
        if time.perf_counter() - reported > 60 or over:
            logger.info("%.1f + %.1f min  step %d  %.0f pictures, %.1f a second of work  %s", worked / 60, judged / 60, step,
                        seen, pictures / (worked_seconds() - began),
                        "  ".join(f"{name} {np.mean(values):.4f}" for name, values in told.items()))
            told, reported, began, pictures = {}, time.perf_counter(), worked_seconds(), 0.0
        if plain and over:
            network.load_state_dict(average.state_dict())
            optimizer.state.clear()
        if time.perf_counter() - saved > 300 or over:
            save()
            saved = reported = time.perf_counter()
            began, pictures = worked_seconds(), 0.0
        clock = worked_seconds()


if __name__ == "__main__":
    main()
