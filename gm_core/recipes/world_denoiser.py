"""world-128: from a sentence to a bird, a flower or a person. The denoiser; and the whole, shipped.

    python -m gm_core.recipes.world_autoencoder --world runs/world-128 --data DATA --run runs/world-autoencoder
    python -m gm_core.recipes.world_reader --run runs/world-reader --minutes 12
    python -m gm_core.recipes.world_denoiser --world runs/world-128 --autoencoder runs/world-autoencoder/autoencoder \
        --reader runs/world-reader --run runs/world-denoiser --minutes 600
    python -m gm_core.recipes.world_denoiser --world runs/world-128 --run runs/world-denoiser --ship
    python -m gm_core.recipes.world_judge --world runs/world-128 --run runs/world-judge

Latent diffusion (Rombach et al. 2022, arXiv:2112.10752) at the size of a thimble, of the very classes of Stable Diffusion:
a `CLIPTextModel`, which has learnt to read before and learns on here, slowly, and a `UNet2DConditionModel`. Words are heard
twice: by attention, where a place of the picture looks for its word, and pooled, beside the time, in every block. It predicts
v (Salimans and Ho 2022, arXiv:2202.00512); the noise schedule ends in pure noise and sampling begins there (Lin et al. 2023,
arXiv:2305.08891); one caption in ten is dropped, for guidance (Ho and Salimans 2022, arXiv:2207.12598); samplers with noise
of their own draw better (`sampler`).

The latents have channels beside the picture's own, the plan (`world_plan`): which part of the body, the flower or the face
fills how much of each cell, of which colour and kind. The denoiser makes both at once, but not at one time: the picture's
channels are quiet, so that the plan comes out of the noise while they are still drowned in it (as in Pan et al. 2025,
arXiv:2512.04926, by two schedules): first where the beak will be, then how it looks. The decoder need not look at the plan, but
may learn to (`world_polish`).

Several folders may be given to `--world`, and others when the run goes on; one that is given twice is seen twice as often,
which what is hard to draw may need. Captions come from the records (`captions`), for
portraits alone from their grammar. Pictures are encoded once. Minutes are of work, not of the clock's: the same command
goes on after an interruption (SIGTERM lets it save first), and with more minutes after the end. The sheet shows held-out
pictures, and two answers to their captions.

Where a run is lost, what it shipped goes on, its steps and minutes counted on, with an optimiser of its own:

    python -m gm_core.recipes.world_denoiser --world runs/world-128 --begin assets/checkpoints/world-128 \
        --autoencoder assets/checkpoints/world-128/vae --run runs/world-denoiser --minutes 700
"""

import argparse
import copy
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderTiny,  # pyright: ignore[reportPrivateImportUsage]
    DDIMScheduler,  # pyright: ignore[reportPrivateImportUsage]
    DPMSolverMultistepScheduler,  # pyright: ignore[reportPrivateImportUsage]
    StableDiffusionPipeline,  # pyright: ignore[reportPrivateImportUsage]
    UNet2DConditionModel,  # pyright: ignore[reportPrivateImportUsage]
)
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPTokenizer

from gm_core.datasets import portraits
from gm_core.datasets.drawn_sets import records_of
from gm_core.recipes.common import (
    CHECKPOINTS,
    average_in,
    exactly,
    load_state,
    quickly,
    save_state,
    sheet,
    start,
    told_to_end,
    worked_seconds,
)
from gm_core.recipes.world_autoencoder import CONFIG as AUTOENCODER
from gm_core.recipes.world_autoencoder import WorldFolder, to_batch
from gm_core.recipes.world_plan import PARTS, PLAN, evened, plans_of, small_parts
from gm_core.recipes.world_reader import POOLED, TEXT, TOKENS, read, spelled, text_encoder, words_of
from gm_core.tasks.text_to_image import Settings

logger = logging.getLogger("recipe.world_denoiser")

NAME = "world-128"
UNET: dict[str, Any] = {
    "sample_size": 16, "block_out_channels": (112, 128, 192), "layers_per_block": 1, "norm_num_groups": 16,
    "time_embedding_dim": POOLED, "addition_embed_type": "text", "addition_embed_type_num_heads": TEXT["num_attention_heads"],
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D",) * 3,  # at 16 px too: a beak is one cell there, and a quarter of one at 8 px
    "attention_head_dim": (2, 4, 6)}  # the number of heads, whatever diffusers calls it
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "clip_sample": False, "steps_offset": 1}
CODE = AUTOENCODER["latent_channels"]
CHANNELS = CODE + PLAN
QUIET = 2.5  # the picture's channels are divided by it: a fifth of the way later than the plan they leave the noise
BATCH = 32
RATE, LAST, WARM_STEPS, STEADY = 8e-4, 0.02, 200, 0.5  # the rate falls after this share of the minutes
READING = 0.2  # the text encoder's rate, of the denoiser's
PLANNED = 0.5  # weight of the plan's v, which is learnt soon, beside the picture's
SMALL = 4.0  # weight, in the picture's v, of what shows a part of few pixels, beside 1: a beak fills one cell of 256
DROPPED = 0.1
NOISY = 0.65  # power of a uniform number: the smaller, the more lessons have much noise
AVERAGE = 0.9993  # of the weights, a step
CAPTIONS = 6  # of a portrait
STEPS, GUIDANCE, GUIDANCE_RISE = 20, 4.0, 0.25
"""As a visitor's pictures are drawn: in the first quarter of the steps guidance rises from 1. All of it from the first step on
makes each side of a bird decide alone, sooner than the noise does, that the head is there, and it gets two. Wang et al. 2024
(arXiv:2404.13040) found the same of large networks: guidance that rises."""

LECTURES = ("This small blue bird has a short pointy beak and brown on its wings.",
            "This bird is completely red with black wings and pointy beak.",
            "A small sized bird that has a cream belly and a short pointed bill.",
            "A small bird with a black head and wings and features grey wings.",
            "This flower has small, round violet petals with a dark purple center.",
            "This flower has petals that are white with a yellow center.",
            "A smiling young woman with long wavy auburn hair and round glasses, in front of a teal background.",
            "An old man with a full beard, wearing a green beanie.")


# --- the world as lessons ------------------------------------------------------------------------------------------------


def captions_of(folder: Path, done: int) -> list[list[str]]:
    """For each of the first `done` pictures of a written world its captions."""
    found: list[list[str]] = []
    for record in records_of(folder, done):
        if "captions" in record:
            found.append(list(record["captions"]))
        else:
            person = portraits.Portrait.from_dict(record)
            found.append([portraits.caption(person, seed) for seed in range(CAPTIONS)])
    return found


# --- the networks -----------------------------------------------------------------------------------------------------


class Denoiser(nn.Module):
    """What learns here: the text encoder and the UNet."""

    def __init__(self) -> None:
        super().__init__()
        self.text = text_encoder()
        self.unet = UNet2DConditionModel(in_channels=CHANNELS, out_channels=CHANNELS, cross_attention_dim=TEXT["hidden_size"],
                                         **UNET)

    def forward(self, noisy: Tensor, steps: Tensor, tokens: Tensor) -> Tensor:
        """v, of the shape of `noisy`: latents (B, CHANNELS, 16, 16) at `steps` (B,) of 1000. tokens: (B, TOKENS)."""
        words = self.text(tokens).last_hidden_state
        return self.unet(noisy, steps, encoder_hidden_states=words).sample


def sampler() -> DPMSolverMultistepScheduler:
    """Brings some noise of its own with every step (SDE-DPM-Solver++, Lu et al. 2022, arXiv:2211.01095). Without it (DDIM) a
    bird looked left and right at once: what went wrong where there is much noise is never taken back.
    """
    known = {key: value for key, value in SCHEDULE.items() if key != "clip_sample"}
    return DPMSolverMultistepScheduler(**known, algorithm_type="sde-dpmsolver++", lambda_min_clipped=-20.0)  # not -inf: no JSON


def opened(folder: Path) -> AutoencoderTiny:
    return AutoencoderTiny.from_pretrained(str(folder), use_safetensors=True).eval().requires_grad_(False)


def widened(autoencoder: AutoencoderTiny) -> AutoencoderTiny:
    """One with room for the plan among its latents: its encoder says 0 there, and its decoder does not look, so far. The
    picture's own are quiet.
    """
    if autoencoder.config["latent_channels"] == CHANNELS:
        return autoencoder
    kept = {name: autoencoder.config[name] for name in ("scaling_factor", "decoder_block_out_channels", "num_decoder_blocks")}
    wider = AutoencoderTiny(**{**AUTOENCODER, "latent_channels": CHANNELS, **kept})
    state = wider.state_dict()
    for key, value in autoencoder.state_dict().items():
        state[key].zero_()[tuple(slice(size) for size in value.shape)] = value
    wider.load_state_dict(state)
    wider.eval().requires_grad_(False)
    for value in list(wider.encoder.parameters())[-2:]:
        value.div_(QUIET)
    next(wider.decoder.parameters()).mul_(QUIET)
    return wider


def assembled(denoiser: Denoiser, autoencoder: AutoencoderTiny, tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline(
        vae=widened(autoencoder), text_encoder=denoiser.text, tokenizer=tokenizer, unet=denoiser.unet,  # pyright: ignore
        scheduler=sampler(), safety_checker=None, feature_extractor=None,  # pyright: ignore
        requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def begin_with(network: Denoiser, folder: Path) -> tuple[CLIPTokenizer, set[str], int, int, float]:
    """Fills `network` with a pipeline that `ship_pipeline` wrote. Returns its tokenizer, the words that it has met, and its
    steps, pictures and seconds of work.

    What was rounded to fp16 is learnt again within a few steps. A denoiser that looked for words in fewer places answers as
    it did, so far: the new ones add nothing yet. Raises SystemExit for another network.
    """
    missing, unexpected = network.unet.load_state_dict(load_file(folder / "unet" / "diffusion_pytorch_model.safetensors"),
                                                       strict=False)
    if unexpected or not all(".attentions." in key for key in missing):
        raise SystemExit(f"The denoiser in {folder} is another network: {missing or unexpected}.")
    with torch.no_grad():
        for key in missing:
            if ".proj_out." in key:
                network.unet.get_parameter(key).zero_()
    network.text.load_state_dict(load_file(folder / "text_encoder" / "model.safetensors"))
    with safe_open(folder / "unet" / "diffusion_pytorch_model.safetensors", "pt") as file:
        about = file.metadata()
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
    return tokenizer, set(words), int(about["steps"]), int(about["pictures"]), 60 * float(about["minutes"])


@torch.no_grad()
def sampled(pipeline: StableDiffusionPipeline, captions: Sequence[str], seed: int, steps: int = STEPS,
            guidance: float = GUIDANCE, at_once: int = 16) -> Tensor:
    """Pictures (N, 3, 128, 128) in 0..1, with guidance that rises."""

    def after(pipeline: Any, step: int, _: object, tensors: dict[str, Tensor]) -> dict[str, Tensor]:  # noqa: ANN401
        pipeline._guidance_scale = scale(step + 1)
        return tensors

    def scale(step: int) -> float:
        return max(1 + 1e-6, settings.guidance_at(step))  # with 1, diffusers would not read the empty words at all

    settings = Settings(steps, guidance, GUIDANCE_RISE)
    found = []
    for i in range(0, len(captions), at_once):
        some = list(captions[i : i + at_once])
        generators = [torch.Generator().manual_seed(seed + i + k) for k in range(len(some))]
        made: Any = pipeline(some, num_inference_steps=steps, guidance_scale=scale(0), generator=generators, output_type="pt",
                             callback_on_step_end=after)  # pyright: ignore[reportArgumentType] - its hint lacks what it is given
        found.append(made.images.float())
    return torch.cat(found)


def encoded(world: WorldFolder, autoencoder: AutoencoderTiny, run: Path) -> Tensor:
    """Latents (N, 16, 16, 16) of all pictures, scaled, half precision; kept in the run's folder, where later runs only add.

    The picture's own: without the plan."""
    weights = autoencoder.encoder.state_dict().values()  # a decoder that has learnt on, or room for a plan, changes nothing
    fingerprint = hashlib.sha256(b"".join(value[:CODE].numpy().tobytes() for value in weights)).hexdigest()
    path = run / f"latents-{world.name}-{fingerprint[:12]}.npy"
    known = np.load(path)[: world.done] if path.exists() else np.empty((0, CODE, 16, 16), np.float16)
    if len(known) < world.done:
        parts, scaling = [known], autoencoder.config["scaling_factor"]
        with torch.inference_mode():
            for i in range(len(known), world.done, 32):
                x = to_batch(world.read(range(i, min(i + 32, world.done))))
                parts.append(autoencoder.encode(x).latents[:, :CODE].mul(scaling).half().numpy())  # pyright: ignore
                if i % 3200 == 0:
                    logger.info("%s: %d of %d pictures encoded", world.name, i, world.done)
        known = np.concatenate(parts)
        for old in run.glob(f"latents-{world.name}-*.npy"):
            old.unlink()
        np.save(path, known)
    return torch.from_numpy(known)


# --- shipping ---------------------------------------------------------------------------------------------------------


def spoken(parts: Sequence[str]) -> str:
    """"bird: body", "flower: stem", "portrait: beard" -> "body, stem or beard"."""
    names: list[str] = []
    for name in (part.split(": ")[1] for part in parts):
        if name.rstrip("s") not in names:  # an eye, and eyes
            names.append(name)
    return " or ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else names[0]


def ship_pipeline(pipeline: StableDiffusionPipeline, words: Sequence[str], about: dict[str, object]) -> Path:
    """Writes assets/checkpoints/world-128 as diffusers lays pipelines out: half precision, `about` in the files' headers,
    words.json, the words that its captions ever had, and plan.json, what the channels beside the picture's mean.
    """
    folder = CHECKPOINTS / NAME
    for name in ("model_index.json", "scheduler", "text_encoder", "tokenizer", "unet", "vae"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder):
        part.half()
    pipeline.save_pretrained(folder, safe_serialization=True)
    metadata = {"format": "pt", "name": NAME, **{key: str(value) for key, value in about.items()}}
    config = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))
    for name in ("block_out_channels", "_name_or_path"):  # the class warns of one that it wrote itself; a path of the run's
        config.pop(name, None)
    (folder / "vae" / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for file in folder.glob("*/*.safetensors"):
        save_file(load_file(file), file, metadata=metadata)
        file.chmod(0o644)
    (folder / "words.json").write_text(json.dumps(sorted(words)) + "\n", encoding="utf-8")
    plan = {"first": CODE, "parts": [{"name": spoken(parts), "full": full} for full, parts in PARTS]}
    (folder / "plan.json").write_text(json.dumps(plan, indent=1) + "\n", encoding="utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, nargs="+", default=[Path("runs/world-128")])
    parser.add_argument("--autoencoder", type=Path, default=Path("runs/world-autoencoder/autoencoder"))
    parser.add_argument("--reader", type=Path, default=Path("runs/world-reader"))
    parser.add_argument("--begin", type=Path, help="folder of a shipped pipeline to go on with, if RUN holds no state")
    parser.add_argument("--run", type=Path, default=Path("runs/world-denoiser"))
    parser.add_argument("--minutes", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--compile", action="store_true", help="a quarter faster after two minutes; needs a C++ compiler")
    parser.add_argument("--ship", action="store_true", help="ship what RUN has saved, and end")
    args = parser.parse_args()
    start(args.run, args.threads)

    autoencoder = opened(args.autoencoder)
    torch.manual_seed(args.seed)
    denoiser = Denoiser()
    denoiser.unet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    average = copy.deepcopy(denoiser).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW([
        {"params": [p for p in part.parameters() if (p.ndim > 1) == decays], "weight_decay": 0.01 * decays, "share": share}
        for part, share in ((denoiser.unet, 1.0), (denoiser.text, READING))
        for decays in (True, False)], RATE, (0.9, 0.98), fused=True)
    parts: dict[str, nn.Module | torch.optim.Optimizer] = {"denoiser": denoiser, "average": average, "optimizer": optimizer}
    step, seen, worked = 0, 0, 0.0
    words: set[str] = set()
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, seen, worked, words = state["step"], state["seen"], state["worked"], set(state["words"])
        tokenizer = CLIPTokenizer.from_pretrained(str(args.run / "tokenizer"))
        logger.info("going on from step %d, %.0f minutes", step, worked / 60)
    elif args.ship:
        raise SystemExit(f"{args.run} holds no state to ship.")
    elif args.begin:
        tokenizer, words, step, seen, worked = begin_with(denoiser, args.begin)
        average.load_state_dict(denoiser.state_dict())
        tokenizer.save_pretrained(str(args.run / "tokenizer"))
        logger.info("beginning with %s, from step %d, %.0f minutes", args.begin, step, worked / 60)
    else:
        tokenizer, weights, pooled = read(args.reader)
        for part in (denoiser, average):
            part.text.load_state_dict(weights)
            part.unet.add_embedding.load_state_dict(pooled)  # pyright: ignore[reportOptionalMemberAccess]
        tokenizer.save_pretrained(str(args.run / "tokenizer"))

    worlds = [WorldFolder(folder) for folder in args.world]
    data = " and ".join(f"{world.done} pictures of {world.name}" for world in worlds)
    if args.ship:
        ship_pipeline(assembled(average, autoencoder, tokenizer), sorted(words), {
            "recipe": "gm_core.recipes.world_denoiser", "minutes": round(worked / 60), "steps": step, "pictures": seen,
            "seed": args.seed, "data": data})
        return

    captions = [captions_of(folder, world.done) for folder, world in zip(args.world, worlds, strict=True)]
    words |= {word for of_world in captions for of_one in of_world for caption in of_one for word in words_of(caption)}
    every_length = [len(of_one) for world in captions for of_one in tokenizer([each[0] for each in world])["input_ids"]]
    logger.info("%s; %d words, %d tokens; captions of %.0f tokens, 1 in 100 longer than %d, %.2f %% cut; "
                "UNet %.2f M, text encoder %.2f M weights", data, len(words), len(tokenizer), np.mean(every_length),
                np.percentile(every_length, 99), 100 * np.mean(np.array(every_length) > TOKENS),
                *(sum(p.numel() for p in part.parameters()) / 1e6 for part in (denoiser.unet, denoiser.text)))
    latents = [encoded(world, widened(autoencoder), args.run) for world in worlds]
    loudness = torch.cat([of_world[::8] for of_world in latents]).float().std((0, 2, 3))
    loudness /= loudness.mean()
    plans = [plans_of(folder, world.done) for folder, world in zip(args.world, worlds, strict=True)]
    tokens = [[spelled(tokenizer, of_one) for of_one in world] for world in captions]
    nothing = torch.from_numpy(spelled(tokenizer, [""])[0]).long()
    train = np.array([(of, number) for of, world in enumerate(worlds) for number in world.train])
    held_out = [(of, int(number)) for of, world in enumerate(worlds)
                for number in world.held_out[:: max(1, len(world.held_out) // 64)][:64]]
    every = DDIMScheduler(**SCHEDULE).alphas_cumprod

    def chosen(pairs: Sequence[tuple[int, int]] | np.ndarray, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Latents (B, CHANNELS, 16, 16), and one caption of each as tokens (B, TOKENS)."""
        z = torch.stack([torch.cat([latents[of][number], plans[of][number]]) for of, number in pairs]).float()
        of_each = [tokens[of][number] for of, number in pairs]
        return z, torch.from_numpy(np.stack([some[random.integers(len(some))] for some in of_each])).long()

    def losses_of(network: Denoiser, z: Tensor, said: Tensor, steps: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Mean squared errors of the picture's v and of the plan's.

        A channel of the picture counts by its deviation: half whitened, fine components are louder than in the picture.
        """
        share = every[steps].view(-1, 1, 1, 1)
        loud = QUIET**2 / (1 + (QUIET**2 - 1) * share)  # what is quiet has small errors where there is much noise
        noisy = share.sqrt() * z + (1 - share).sqrt() * noise
        wanted = share.sqrt() * noise - (1 - share).sqrt() * z
        how = quickly if network.training else exactly
        with sdpa_kernel(SDPBackend.MATH):  # with so few tokens a fifth faster, forth and back, than what torch chooses
            v = how(network, noisy.contiguous(memory_format=torch.channels_last), steps, said)
        off = (v.float() - wanted).square()
        cells = loud * (1 + SMALL * small_parts(z[:, CODE:]))
        return ((off[:, :CODE] * cells).mean((0, 2, 3)) * loudness).mean(), (off[:, CODE:] * evened(z[:, CODE:])).mean()

    @torch.no_grad()
    def unseen() -> list[float]:
        """The losses on held-out pictures, always with the same noise."""
        random, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
        found = []
        for i in range(0, len(held_out), 64):
            z, said = chosen(held_out[i : i + 64], random)
            steps = (torch.arange(len(z)) + 0.5).div(len(z)).mul(1000).long()
            noise = torch.randn(z.shape, generator=generator)
            found.append([float(part) for part in losses_of(average, z, said, steps, noise)])
        return [round(float(value), 4) for value in np.mean(found, 0)]

    watched = [held_out[i * len(held_out) // 8] for i in range(min(8, len(held_out)))]
    watched_captions = [captions[of][number][0] for of, number in watched]
    (args.run / "captions.txt").write_text("\n".join([*watched_captions, "", *LECTURES]) + "\n", encoding="utf-8")
    fits = len(words & set(words_of(" ".join(LECTURES)))) > 40  # else the lectures' captions say nothing yet

    def save() -> None:
        save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, seen=seen,
                   worked=worked, words=sorted(words))
        pipeline = assembled(average, opened(args.autoencoder), tokenizer)  # whose decoder may have learnt on
        truth = np.concatenate([worlds[of].read([number]) for of, number in watched])
        rows = [list(torch.from_numpy(truth).permute(0, 3, 1, 2).float() / 255)]
        rows += [list(sampled(pipeline, watched_captions, seed)) for seed in (1000, 2000)]
        rows += [list(sampled(pipeline, LECTURES, 3000))] if fits else []
        sheet(rows, args.run / f"sheet-{round(worked / 60):04d}.webp")
        logger.info("held out: loss of v and of the plan's %s", unseen())

    if args.compile:
        denoiser.compile()
    random = np.random.default_rng((args.seed, step))
    torch.manual_seed(args.seed + step)
    warm = step if args.begin and not state else 0  # an optimiser that knows nothing yet
    losses: list[list[float]] = []
    reported = saved = time.perf_counter()
    clock = began = worked_seconds()
    ending = told_to_end()
    over = worked >= args.minutes * 60
    while not over:
        share = worked / (args.minutes * 60)
        fall = 1.0 if share < STEADY else max(LAST, (1 - share) / (1 - STEADY))
        for group in optimizer.param_groups:
            group["lr"] = RATE * group["share"] * fall * min(1.0, (step + 1 - warm) / WARM_STEPS)
        z, said = chosen(train[random.integers(len(train), size=BATCH)], random)
        said[torch.rand(BATCH) < DROPPED] = nothing
        # One noise level from each of BATCH equal parts: the loss of a batch wanders less. More from where there is much
        # noise: what is wrong after half of the way no decoder mends, what is fine one may learn to (`world_polish`).
        steps = (torch.arange(BATCH) + torch.rand(1)).div(BATCH).pow(NOISY).mul(1000).long().clamp(0, 999)
        of_v, of_plan = losses_of(denoiser, z, said, steps, torch.randn_like(z))
        optimizer.zero_grad(set_to_none=True)
        (of_v + PLANNED * of_plan).backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimizer.step()
        losses.append([float(of_v.detach()), float(of_plan.detach())])
        step += 1
        seen += BATCH
        average_in(average, denoiser, step, AVERAGE)
        worked += worked_seconds() - clock
        over = worked >= args.minutes * 60 or ending()
        if time.perf_counter() - reported > 60 or over:
            logger.info("%.1f min  step %d  %d pictures, %.1f a second of work  "
                        "loss of v %.4f, of the plan's %.4f", worked / 60, step, seen,
                        len(losses) * BATCH / (worked_seconds() - began), *np.mean(losses, 0))
            losses, reported, began = [], time.perf_counter(), worked_seconds()
        if time.perf_counter() - saved > 900 or over:
            save()
            saved = reported = time.perf_counter()
            began = worked_seconds()
        clock = worked_seconds()


if __name__ == "__main__":
    main()
