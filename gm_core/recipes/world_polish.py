"""The last touch of world-128: its decoder learns from what the denoiser makes, not only from what the encoder says.

    python -m gm_core.recipes.world_polish --world runs/world-128 --data DATA --autoencoder runs/world-autoencoder/autoencoder \
        --denoiser runs/world-denoiser --run runs/world-polish --minutes 25
    python -m gm_core.recipes.world_denoiser --world runs/world-128 --run runs/world-denoiser \
        --autoencoder runs/world-polish/autoencoder --ship

A denoiser's latents are never quite those of a picture: neighbouring blocks disagree, fine components are half noise. So
latents of the world's pictures get noise, as much as half of the way takes away, and are denoised again with their captions,
as a visitor's picture is, with guidance. From them the decoder must paint the picture that was there: to a perceptual and an
adversarial loss, through the SqueezeNet in DATA/weights, as exact pixels would be too much to ask. Regenerated latents have
a plan beside them, and the decoder learns to look there: it may know that this is an eye. Half of every batch are latents as
the encoder gives them, without a plan, so that the decoder forgets nothing.

Code and denoiser stay as they are. Regenerated latents are kept in a pool, one new one a step. Minutes are of work, not of the
clock's: the same command goes on after an interruption. Rows of the sheet: pictures; regenerated, by the decoder before and
after.
"""

import argparse
import copy
import logging
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler  # pyright: ignore[reportPrivateImportUsage]
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from gm_core.recipes.common import average_in, load_state, quickly, save_state, sheet, start, told_to_end, worked_seconds
from gm_core.recipes.critic import Critic
from gm_core.recipes.world_autoencoder import WorldFolder, measure, reconstruction_loss, to_batch
from gm_core.recipes.world_denoiser import CODE, GUIDANCE, SCHEDULE, Denoiser, captions_of, opened, plans_of, widened
from gm_core.recipes.world_reader import spelled

logger = logging.getLogger("recipe.world_polish")

POOL = 192  # regenerated pictures at hand, of which every step replaces one
STRIDE, DEEPEST = 50, 10  # of the noise's 1000 steps; strides that are denoised again, at most
CROP, HALF = 96, 3  # side of the crops, and how many of each kind
RATE, JUDGE_RATE, LAST = 2e-4, 4e-4, 0.05
PIXELS, PERCEPTUAL, ADVERSARIAL = 0.25, 0.8, 0.05
AVERAGE = 0.998  # of the weights, a step


@torch.no_grad()
def regenerated(denoiser: Denoiser, z: Tensor, said: Tensor, nothing: Tensor, strides: int, noise: Tensor) -> Tensor:
    """Latents (B, CHANNELS, 16, 16) with so many strides' noise and denoised again by DDIM with guidance; said: tokens."""
    every = DDIMScheduler(**SCHEDULE).alphas_cumprod
    words = denoiser.text(torch.cat([nothing.expand(len(z), -1), said])).last_hidden_state
    times = [STRIDE * k - 1 for k in range(strides, 0, -1)]
    share = every[times[0]]
    x = share.sqrt() * z + (1 - share).sqrt() * noise
    for time_ in times:
        share, later = every[time_], every[time_ - STRIDE] if time_ >= STRIDE else torch.tensor(1.0)
        both = torch.cat([x, x]).contiguous(memory_format=torch.channels_last)
        with sdpa_kernel(SDPBackend.MATH):
            of_nothing, of_words = quickly(denoiser.unet, both, time_, words).sample.chunk(2)
        v = of_nothing + GUIDANCE * (of_words - of_nothing)
        clean, left = share.sqrt() * x - (1 - share).sqrt() * v, share.sqrt() * v + (1 - share).sqrt() * x
        x = later.sqrt() * clean + (1 - later).sqrt() * left
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, nargs="+", default=[Path("runs/world-128")])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, default=Path("runs/world-autoencoder/autoencoder"))
    parser.add_argument("--denoiser", type=Path, default=Path("runs/world-denoiser"))
    parser.add_argument("--run", type=Path, default=Path("runs/world-polish"))
    parser.add_argument("--minutes", type=float, default=25.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    before = widened(opened(args.autoencoder))
    scaling = float(before.config["scaling_factor"])
    network, critic = copy.deepcopy(before), Critic(args.data, JUDGE_RATE)
    network.decoder.requires_grad_(True)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    average = copy.deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.Adam(network.decoder.parameters(), RATE, (0.5, 0.99))
    parts: dict[str, nn.Module | torch.optim.Optimizer] = {
        "network": network, "judge": critic.judge, "average": average, "optimizer": optimizer, "of_judge": critic.optimizer}
    step, worked = 0, 0.0
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, worked = state["step"], state["worked"]
        logger.info("going on from step %d, %.1f minutes", step, worked / 60)

    learnt = load_state(args.denoiser)
    if learnt is None:
        raise SystemExit(f"{args.denoiser} holds no denoiser. Run gm_core.recipes.world_denoiser first.")
    denoiser = Denoiser()
    denoiser.load_state_dict(learnt["average"])
    denoiser.eval().requires_grad_(False)
    tokenizer = CLIPTokenizer.from_pretrained(str(args.denoiser / "tokenizer"))
    nothing = torch.from_numpy(spelled(tokenizer, [""])).long()
    worlds = [WorldFolder(folder) for folder in args.world]
    captions = [captions_of(folder, world.done) for folder, world in zip(args.world, worlds, strict=True)]
    plans = [plans_of(folder, world.done) for folder, world in zip(args.world, worlds, strict=True)]

    random = np.random.default_rng((args.seed, step))
    torch.manual_seed(args.seed + step)

    def fresh(count: int, held_out: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (count, 3, 128, 128) in -1..1, their latents, scaled, without a plan, and those regenerated with one."""
        chosen = [(of, int(random.choice(worlds[of].held_out if held_out else worlds[of].train)))
                  for of in random.integers(len(worlds), size=count)]
        x = to_batch(np.concatenate([worlds[of].read([number]) for of, number in chosen]))
        told = [captions[of][number][random.integers(len(captions[of][number]))] for of, number in chosen]
        with torch.no_grad():
            z = network.encode(x).latents * scaling  # pyright: ignore[reportAttributeAccessIssue]
        said = torch.from_numpy(spelled(tokenizer, told)).long()
        planned = torch.cat([z[:, :CODE], torch.stack([plans[of][number] for of, number in chosen]).float()], 1)
        made = regenerated(denoiser, planned, said, nothing, int(random.integers(2, DEEPEST + 1)), torch.randn_like(planned))
        return x, z, made

    def crops(pictures: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        """The same random places of pictures and of their latents."""
        found = []
        for x, z in zip(pictures, latents, strict=True):
            top, left = random.integers(0, (128 - CROP) // 8 + 1, 2)
            found.append((x[:, 8 * top : 8 * top + CROP, 8 * left : 8 * left + CROP],
                          z[:, top : top + CROP // 8, left : left + CROP // 8]))
        return torch.stack([x for x, _ in found]), torch.stack([z for _, z in found])

    def save() -> None:
        save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, worked=worked)
        average.save_pretrained(args.run / "autoencoder", safe_serialization=True)
        x, _, made = (part[:24] for part in seen)
        with torch.no_grad():
            rows = [[picture / 2 + 0.5 for picture in some] for some in (
                x, before.decode(made / scaling).sample, average.decode(made / scaling).sample)]  # pyright: ignore
        sheet([row[i : i + 8] for i in range(0, len(x), 8) for row in rows], args.run / f"sheet-{round(worked / 60):03d}.webp")
        logger.info("held out, as encoded: %s", measure(average, worlds, 64))

    seen = fresh(24, held_out=True)
    pool = [fresh(8) for _ in range(POOL // 8)]
    pictures, latents, made = (torch.cat(part) for part in zip(*pool, strict=True))
    ending = told_to_end()
    told: dict[str, list[float]] = {}
    reported = saved = time.perf_counter()
    clock = worked_seconds()
    over = worked >= args.minutes * 60
    while not over:
        share = worked / (args.minutes * 60)
        fall = max(LAST, min(1.0, 2 * (1 - share)))
        for optim, rate in ((optimizer, RATE), (critic.optimizer, JUDGE_RATE)):
            for group in optim.param_groups:
                group["lr"] = rate * fall * min(1.0, (step + 1) / 100)
        oldest = step % len(pictures)
        for whole, new in zip((pictures, latents, made), fresh(1), strict=True):
            whole[oldest] = new[0]
        chosen = torch.from_numpy(random.choice(len(pictures), 2 * HALF, replace=False))
        x, z = crops(pictures[chosen], torch.cat([latents[chosen[:HALF]], made[chosen[HALF:]]]))
        x, z = (part.contiguous(memory_format=torch.channels_last) for part in (x, z))
        y = quickly(network.decode, z / scaling).sample
        pixels = reconstruction_loss(y, x)
        perceptual, adversarial = critic.opinion(y / 2 + 0.5, x / 2 + 0.5, random)
        optimizer.zero_grad(set_to_none=True)
        (PIXELS * pixels + PERCEPTUAL * perceptual + ADVERSARIAL * min(1.0, step / 300) * adversarial).backward()
        torch.nn.utils.clip_grad_norm_(network.decoder.parameters(), 1.0)
        optimizer.step()
        parted = {"pixels": pixels, "perceptual": perceptual, "adversarial": adversarial, "judge": critic.learn()}
        for name, value in parted.items():
            told.setdefault(name, []).append(float(value.detach()))
        step += 1
        average_in(average, network, step, AVERAGE)
        worked += worked_seconds() - clock
        over = worked >= args.minutes * 60 or ending()
        if time.perf_counter() - reported > 60 or over:
            logger.info("%.1f min  step %d  %s", worked / 60, step,
                        "  ".join(f"{name} {np.mean(values):.4f}" for name, values in told.items()))
            told, reported = {}, time.perf_counter()
        if time.perf_counter() - saved > 300 or over:
            save()
            saved = reported = time.perf_counter()
        clock = worked_seconds()


if __name__ == "__main__":
    main()
