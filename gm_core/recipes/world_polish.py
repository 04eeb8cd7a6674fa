"""The last touch of world-128: its decoder learns from what the denoiser makes, not only from what the encoder says.

    python -m gm_core.recipes.world_judge --world runs/world-128 --run runs/world-teacher --minutes 76
    python -m gm_core.recipes.world_polish --world runs/world-128 --data DATA --autoencoder runs/world-autoencoder/autoencoder \
        --denoiser runs/world-denoiser --teacher runs/world-teacher --run runs/world-polish --minutes 80
    python -m gm_core.recipes.world_denoiser --world runs/world-128 --run runs/world-denoiser \
        --autoencoder runs/world-polish/autoencoder --ship

A denoiser's latents are never quite those of a picture: neighbouring blocks disagree, fine components are half noise. So the
decoder grows, by channels and blocks that change nothing at first, and looks at three kinds of latents. Those that the encoder
gives, without a plan: from them it must paint the picture exactly, so that it forgets nothing. Those of the world's pictures
with noise, up to seven tenths of the way, that the denoiser took away again, with a caption and guidance as for a visitor,
while the plan was held to what is true: from them it must paint what was there, to a perceptual and an adversarial loss, as
exact pixels would be too much to ask (deeper, another picture comes back). And those that the denoiser made of nothing but
noise and a caption: there only the adversarial loss has a say. The last two have a plan beside them, where the decoder may
look, and the discriminator does: it can know that this is to be an eye.

And what was painted must show what was planned: a teacher, a classifier of attributes that has learnt on the world's pictures,
says what it sees, and that is compared with what the decoder was told (as InfoGAN holds on to its codes, Chen et al. 2016,
arXiv:1606.03657): with all that is true of a picture with a true plan, else with the marks of the plan that was made. The
denoiser plans a smile where the caption says so; without this the mouth remains a mouth. The teacher sees pictures shifted,
blurred and noisy, lest it be deceived by what nobody else would see; the judge that the figures are measured with
is another, of another seed.

All see through the SqueezeNet in DATA/weights. Code and denoiser stay as they are. Latents are denoised as by the shipped
scheduler, in steps that bring noise of their own, and kept in pools, a few new ones every few steps. Minutes are of work, not
of the clock's: the same command goes on after an interruption. Rows of the sheet: pictures; regenerated, by the decoder before
and after; made of noise, before and after.
"""

import argparse
import copy
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler  # pyright: ignore[reportPrivateImportUsage]
from diffusers.models.unets.unet_2d_blocks import AutoencoderTinyBlock
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from gm_core.models.attribute_judge import AttributeJudge
from gm_core.recipes.common import (
    average_in,
    begin_with,
    load_state,
    quickly,
    save_state,
    sheet,
    start,
    told_to_end,
    worked_seconds,
)
from gm_core.recipes.critic import Critic
from gm_core.recipes.world_attributes import loss_of, named_of, targets
from gm_core.recipes.world_autoencoder import CONFIG as AUTOENCODER
from gm_core.recipes.world_autoencoder import WorldFolder, measure, prepare, reconstruction_loss, to_batch
from gm_core.recipes.world_denoiser import (
    CHANNELS,
    CODE,
    GUIDANCE,
    GUIDANCE_RISE,
    SCHEDULE,
    Denoiser,
    captions_of,
    opened,
    widened,
)
from gm_core.recipes.world_judge import CONFIG as JUDGED
from gm_core.recipes.world_judge import softened
from gm_core.recipes.world_plan import LARGEST, PLAN, marks_in, plans_of
from gm_core.recipes.world_reader import spelled
from gm_core.tasks.text_to_image import Settings

logger = logging.getLogger("recipe.world_polish")

WIDTH, BLOCKS = 64, (8, 5, 2, 0)  # of the decoder: its channels, and its blocks at 16, 32, 64 and 128 px
POOLS = (128, 64)  # latents at hand, regenerated and made of noise
FRESH, EVERY = 4, (4, 4)  # so many of each are replaced, after so many steps
STRIDE, DEEPEST, WHOLE = 50, 14, 20  # of the noise's 1000 steps; strides that are denoised again, at most; all of them
CROP = 96
ENCODED, REGENERATED, MADE = 2, 3, 3  # pictures of each kind, the encoded ones crops
RATE, JUDGE_RATE, LAST = 2e-4, 4e-4, 0.05
EXACT, PIXELS, PERCEPTUAL, ADVERSARIAL, TAUGHT = 3.0, 0.15, 0.8, 0.25, 0.15
AVERAGE = 0.998  # of the weights, a step


@torch.no_grad()
def grown(narrow: AutoencoderTiny) -> AutoencoderTiny:
    """One with a decoder of WIDTH channels and BLOCKS blocks that answers as the narrow one does, so far: what is new hears
    the rest and is not heard, and blocks that are new add nothing, as each follows another.
    """
    if narrow.config["decoder_block_out_channels"][0] == WIDTH:
        return narrow
    wide = AutoencoderTiny(**{
        **AUTOENCODER, "latent_channels": CHANNELS, "scaling_factor": narrow.config["scaling_factor"],
        "decoder_block_out_channels": (WIDTH,) * 4, "num_decoder_blocks": BLOCKS})
    prepare(wide)
    wide.encoder.load_state_dict(narrow.encoder.state_dict())
    layers = list(narrow.decoder.layers)
    for layer in wide.decoder.layers:
        if isinstance(layer, AutoencoderTinyBlock) and not isinstance(layers[0], AutoencoderTinyBlock):
            for value in layer.conv[-1].parameters():  # pyright: ignore[reportCallIssue, reportIndexIssue]
                value.zero_()
            continue
        for conv, known in zip(_convolutions(layer), _convolutions(layers.pop(0)), strict=True):
            outputs, inputs = known.weight.shape[:2]
            conv.weight[:outputs] = 0
            conv.weight[:outputs, :inputs] = known.weight
            if conv.bias is not None and known.bias is not None:
                conv.bias[:outputs] = known.bias
    return wide.eval().requires_grad_(False)


def _convolutions(layer: nn.Module) -> list[nn.Conv2d]:
    return [module for module in layer.modules() if isinstance(module, nn.Conv2d)]


@torch.no_grad()
def regenerated(denoiser: Denoiser, z: Tensor, said: Tensor, nothing: Tensor, strides: int, noise: Tensor,
                planned: bool = False) -> Tensor:
    """Latents (B, CHANNELS, 16, 16) with so many strides' noise, denoised again by steps with guidance, each of which
    brings as much noise as it can (DDIM with eta 1, Song et al. 2020, arXiv:2010.02502); said: tokens.

    planned: hold the plan to that of z, with its share of the noise.
    """
    every = DDIMScheduler(**SCHEDULE).alphas_cumprod
    without, words = denoiser.text(torch.cat([nothing.expand(len(z), -1), said])).last_hidden_state.chunk(2)
    settings = Settings(1000 // STRIDE, GUIDANCE, GUIDANCE_RISE)
    times = [STRIDE * k - 1 for k in range(strides, 0, -1)]
    share = every[times[0]]
    x = share.sqrt() * z + (1 - share).sqrt() * noise
    for time_ in times:
        share, later = every[time_], every[time_ - STRIDE] if time_ >= STRIDE else torch.tensor(1.0)
        guidance = settings.guidance_at((999 - time_) // STRIDE)
        guided = guidance > 1
        asked, context = (torch.cat([x, x]), torch.cat([without, words])) if guided else (x, words)
        with sdpa_kernel(SDPBackend.MATH):
            v = quickly(denoiser.unet, asked.contiguous(memory_format=torch.channels_last), time_, context).sample
        if guided:
            of_nothing, of_words = v.chunk(2)
            v = of_nothing + guidance * (of_words - of_nothing)
        clean, left = share.sqrt() * x - (1 - share).sqrt() * v, share.sqrt() * v + (1 - share).sqrt() * x
        fresh = (1 - later) / (1 - share) * (1 - share / later)  # variance of the step's own noise
        x = later.sqrt() * clean + (1 - later - fresh).clamp_min(0).sqrt() * left + fresh.sqrt() * torch.randn_like(x)
        if planned:
            x[:, CODE:] = later.sqrt() * z[:, CODE:] + (1 - later).sqrt() * noise[:, CODE:]
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, nargs="+", default=[Path("runs/world-128")])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, default=Path("runs/world-autoencoder/autoencoder"))
    parser.add_argument("--denoiser", type=Path, default=Path("runs/world-denoiser"))
    parser.add_argument("--run", type=Path, default=Path("runs/world-polish"))
    parser.add_argument("--minutes", type=float, default=80.0)
    parser.add_argument("--teacher", type=Path, default=Path("runs/world-teacher"), help="a run of gm_core.recipes.world_judge")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    before = widened(opened(args.autoencoder))
    scaling = float(before.config["scaling_factor"])
    network, critic = copy.deepcopy(grown(before)), Critic(args.data, JUDGE_RATE, PLAN)
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

    named = [named_of(folder, world.done) for folder, world in zip(args.world, worlds, strict=True)]
    teacher = AttributeJudge(**JUDGED)
    begin_with(teacher, args.teacher)
    teacher.eval().requires_grad_(False)
    random = np.random.default_rng((args.seed, step))
    torch.manual_seed(args.seed + step)

    def fresh(count: int, strides: int, held_out: bool = False) -> tuple[Tensor, ...]:
        """Pictures (count, 3, 128, 128) in -1..1, their latents, scaled, without a plan, those regenerated with one, the true
        plan, and the attributes that what is regenerated shall show."""
        chosen = [(of, int(random.choice(worlds[of].held_out if held_out else worlds[of].train)))
                  for of in random.integers(len(worlds), size=count)]
        x = to_batch(np.concatenate([worlds[of].read([number]) for of, number in chosen]))
        told = [captions[of][number][random.integers(len(captions[of][number]))] for of, number in chosen]
        with torch.no_grad():
            z = network.encode(x).latents * scaling  # pyright: ignore[reportAttributeAccessIssue]
        planned = torch.cat([z[:, :CODE], torch.stack([plans[of][number] for of, number in chosen]).float()], 1)
        said = torch.from_numpy(spelled(tokenizer, told)).long()
        made = regenerated(denoiser, planned, said, nothing, strides, torch.randn_like(planned), strides < WHOLE)
        if strides < WHOLE:
            wanted = targets([named[of][number] for of, number in chosen])
        else:
            wanted = marks_in(made[:, CODE:], [named[of][number]["kind"] for of, number in chosen])
        return x, z, made, planned[:, CODE:], wanted

    def depth() -> int:
        return int(random.integers(3, DEEPEST + 1))

    def crops(*batches: Tensor) -> list[Tensor]:
        """The same random places of pictures and of what is known of their cells."""
        found = []
        for several in zip(*batches, strict=True):
            top, left = random.integers(0, (128 - CROP) // 8 + 1, 2)
            sides = [one.shape[-1] // 16 for one in several]  # of a cell
            found.append([one[:, top * side : top * side + CROP // 8 * side, left * side : left * side + CROP // 8 * side]
                          for one, side in zip(several, sides, strict=True)])
        return [torch.stack(one).contiguous(memory_format=torch.channels_last) for one in zip(*found, strict=True)]

    def save() -> None:
        save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, worked=worked)
        average.save_pretrained(args.run / "autoencoder", safe_serialization=True)
        with torch.no_grad():
            painted: list[Any] = [decoder.decode(latents / scaling) for latents in (seen[2], unseen)
                                  for decoder in (before, average)]
        rows = [[picture / 2 + 0.5 for picture in some] for some in (seen[0], *(one.sample for one in painted))]
        sheet([row[i : i + 8] for i in range(0, len(unseen), 8) for row in rows],
              args.run / f"sheet-{round(worked / 60):03d}.webp")
        logger.info("held out, as encoded: %s", measure(average, worlds, 64))

    seen = fresh(16, DEEPEST - 2, held_out=True)
    unseen = fresh(16, WHOLE, held_out=True)[2]
    pools = [[torch.cat(part) for part in zip(*(fresh(FRESH, WHOLE if whole else depth()) for _ in range(size // FRESH)),
                                              strict=True)] for whole, size in enumerate(POOLS)]
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
        for whole, (pool, every) in enumerate(zip(pools, EVERY, strict=True)):
            if step % every == every - 1:
                oldest = step // every * FRESH % len(pool[0])
                for kept, new in zip(pool, fresh(FRESH, WHOLE if whole else depth()), strict=True):
                    kept[oldest : oldest + FRESH] = new
        (pictures, latents, again, true, asked), (others, _, of_noise, theirs, planned) = pools
        encoded, known = torch.from_numpy(random.choice(len(pictures), ENCODED + REGENERATED, replace=False)).split(
            [ENCODED, REGENERATED])
        new = torch.from_numpy(random.choice(len(others), MADE, replace=False))
        z = torch.cat([again[known], of_noise[new]]).contiguous(memory_format=torch.channels_last)
        painted = quickly(network.decode, z / scaling).sample
        taught = loss_of(quickly(teacher, softened(painted, random)), torch.cat([asked[known], planned[new]]))
        x, y, made_plan, plan = crops(torch.cat([pictures[known], others[new]]), painted, z[:, CODE:],
                                      torch.cat([true[known], theirs[new]]))
        # A plan that was made is less clean than a true one; by that alone no judge shall know.
        fit = [(one / LARGEST).clamp(-1, 1) for one in (made_plan, plan)]
        made_of, true_to = (F.interpolate(one + 0.1 * torch.randn_like(one), scale_factor=8.0) for one in fit)
        perceptual, adversarial = critic.opinion(y / 2 + 0.5, x / 2 + 0.5, random, REGENERATED, (made_of, true_to))
        pixels = reconstruction_loss(y[:REGENERATED], x[:REGENERATED])
        x, z = crops(pictures[encoded], latents[encoded])
        exact = reconstruction_loss(quickly(network.decode, z / scaling).sample, x)
        loss = (EXACT * exact + PIXELS * pixels + PERCEPTUAL * perceptual
                + min(1.0, step / 300) * (ADVERSARIAL * adversarial + TAUGHT * taught))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.decoder.parameters(), 1.0)
        optimizer.step()
        parted = {"exact": exact, "pixels": pixels, "perceptual": perceptual, "adversarial": adversarial,
                  "taught": taught, "judge": critic.learn()}
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
