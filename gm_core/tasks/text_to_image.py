"""Text to image: a picture for a sentence, by latent diffusion (Rombach et al. 2022, arXiv:2112.10752)."""

import inspect
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageColor
from torch import Tensor

from gm_core import load as loading
from gm_core.checkpoints import Checkpoint, find
from gm_core.errors import BadInput, CheckpointError, Unavailable, number, string, whole
from gm_core.hub import fetch, is_allowed
from gm_core.images import to_image
from gm_core.models.text_to_image import NETWORKS, TextToImage, WordWatcher, parts_of, watched
from gm_core.report import Report, silent

MAX_PROMPT_CHARS = 1000
MIN_STEPS, MAX_STEPS = 1, 50
MAX_GUIDANCE = 15.0
MAX_PICTURES = 4
MAX_GRID_STEPS, MAX_GRID_CELLS = 200, 25
"""Of a grid of settings: all its steps together, all its pictures."""
SMALL = 32
"""Latents up to this side are denoised together, larger ones picture by picture: memory."""
PREVIEW_SHARE = 0.2
"""Previews may take this share of the time."""
PREVIEW_SIDE = 256
PLAN_COLOURS = ("#8a5a2e", "#4f8f4a", "#c98a1b", "#5b3a8c", "#d9698f", "#b23a48", "#3f78b5", "#7d8b99", "#e0762f", "#111820",
                "#a8763e", "#e3b394")
PLAN_PAPER = "#eeece5"
"""Of the parts of a plan, in their order, and of what is none of them."""

_REPOSITORY = re.compile(r"(?P<repo>[\w.-]{1,96}/[\w.-]{1,96})@(?P<revision>[0-9a-f]{40})")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def text_to_image(prompt: str, *, checkpoint: str = "world-128", negative_prompt: str = "", steps: int | None = None,
                  guidance: float | None = None, guidance_rise: float | None = None, seed: int = 0, pictures: int = 1,
                  report: Report = silent) -> list[Image.Image]:
    """Pictures of what the prompt says, RGB, of the size that the checkpoint paints.

    prompt: 1 to 1000 characters; a checkpoint reads its beginning (see `reading`). checkpoint: one of task
    "text_to_image", or "owner/name@commit" where the operator allows it (`GM_HUB_ALLOW`). negative_prompt: what shall not
    be seen. steps: 1 to 50. guidance: 0 to 15, how much the prompt counts; up to 1 the negative prompt does not count.
    guidance_rise: 0 to 1, the share of the steps in which guidance rises from 1 to what it is (Wang et al. 2024,
    arXiv:2404.13040). None: what suits the checkpoint, see `defaults`.
    seed: 0 to 2^31 - 1; picture i begins from the noise of seed + i, and is the same alone and among others. pictures: 1 to
    4. `report` gets previews.

    A picture that the checkpoint's own safety checker withholds is black and has `info["withheld"]`. Raises BadInput
    outside these limits, and what `load` raises.
    """
    record, settings = _checked(prompt, checkpoint, negative_prompt, steps, guidance, guidance_rise, seed)
    if not 1 <= whole("The number of pictures", pictures) <= MAX_PICTURES:
        raise BadInput(f"1 to {MAX_PICTURES} pictures can be made at once; {pictures} cannot.")
    network = _network(record, report)
    return _pictures(network, [prompt] * pictures, negative_prompt, settings, range(seed, seed + pictures), report)


def one_for_each(prompts: Sequence[str], seeds: Sequence[int], *, checkpoint: str = "world-128",
                 report: Report = silent) -> list[Image.Image]:
    """A picture for each of 1 to 4 prompts, from a seed each, with what suits the checkpoint: those that `text_to_image`
    makes of them one by one, in two thirds of the time where the checkpoint's latents are small.

    Raises ValueError for more prompts or another number of seeds, else what `text_to_image` does.
    """
    if not 1 <= len(prompts) <= MAX_PICTURES or len(seeds) != len(prompts):
        raise ValueError(f"1 to {MAX_PICTURES} prompts and a seed for each, not {len(prompts)} and {len(seeds)}")
    asked = [_checked(prompt, checkpoint, "", None, None, None, seed) for prompt, seed in zip(prompts, seeds, strict=True)]
    record, settings = asked[0]
    network = _network(record, report)
    return _pictures(network, prompts, "", settings, seeds, report)


@dataclass(frozen=True)
class WordMaps:
    """Where words acted in a picture."""

    picture: Image.Image
    words: tuple[str, ...]
    """The prompt's words as they stand there, as far as they were read."""
    maps: np.ndarray
    """(words, h, w) float32: share of the word's tokens in what each place attended to."""
    tokens: np.ndarray
    """(tokens, h, w) float32: the same for every token, begin, end and padding too; 1 together at every place."""
    parts: tuple[str, ...] = ()
    """What the checkpoint plans beside the picture, if it does: see `gm_core.models.text_to_image.Plan`."""
    plan: np.ndarray | None = None
    """(parts, h, w) float32 in 0..1: how much of each cell each part fills, as the denoiser planned it."""


def word_maps(prompt: str, *, checkpoint: str = "world-128", negative_prompt: str = "", steps: int | None = None,
              guidance: float | None = None, guidance_rise: float | None = None, seed: int = 0,
              report: Report = silent) -> WordMaps:
    """The picture that `text_to_image` makes of these settings, and where each word of the prompt acted in it: the
    denoiser's cross-attention, mean over heads, layers and steps (Hertz et al. 2022, arXiv:2208.01626).
    """
    record, settings = _checked(prompt, checkpoint, negative_prompt, steps, guidance, guidance_rise, seed)
    network = _network(record, report)
    watcher = WordWatcher(network.latent_shape[1:])
    [picture], latents = _drawn(network, [prompt], negative_prompt, settings, [seed], report, watcher)
    tokens = watcher.maps().cpu().numpy()
    words, groups = _tokens_of_words(prompt, network.tokenizer)
    maps = np.stack([tokens[group].sum(0) for group in groups]) if groups else np.empty((0, *tokens.shape[1:]), np.float32)
    if network.plan is None:
        return WordMaps(picture, words, maps, tokens)
    return WordMaps(picture, words, maps, tokens, network.plan.parts, network.plan.shares(latents)[0].cpu().numpy())


def overlaid(picture: Image.Image, where: np.ndarray) -> Image.Image:
    """The picture in grey, lit where the map (h, w) is high: from nothing at its least to all of the colour at its most."""
    spread = float(np.ptp(where))
    share = (where - where.min()) / spread if spread > 1e-12 else np.zeros_like(where)
    glow = Image.fromarray((255 * share).astype(np.uint8)).resize(picture.size, Image.Resampling.BICUBIC)
    dim = Image.blend(picture.convert("L").convert("RGB"), Image.new("RGB", picture.size, "#171d26"), 0.55)
    return Image.composite(picture, dim, glow)


def plan_drawn(shares: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A plan (parts, h, w) in 0..1 as a mosaic of `PLAN_COLOURS` on paper, RGB of that width and height."""
    colours = np.array([ImageColor.getrgb(PLAN_COLOURS[i % len(PLAN_COLOURS)]) for i in range(len(shares))], np.float32)
    paper = np.array(ImageColor.getrgb(PLAN_PAPER), np.float32)
    shares = shares / np.maximum(1.0, shares.sum(0))  # the parts of a cell share it
    mixed = np.einsum("phw,pc->hwc", shares, colours) + (1 - shares.sum(0))[..., None] * paper
    return Image.fromarray(mixed.round().clip(0, 255).astype(np.uint8)).resize(size, Image.Resampling.NEAREST)


def guidance_grid(prompt: str, *, checkpoint: str = "world-128", negative_prompt: str = "", guidances: Sequence[float],
                  steps: Sequence[int], guidance_rise: float | None = None, seed: int = 0,
                  report: Report = silent) -> list[list[Image.Image]]:
    """The same seed with each guidance (rows) and number of steps (columns). Raises BadInput for more than 25 pictures, and
    for more than 200 steps together.
    """
    if not guidances or not steps or len(guidances) * len(steps) > MAX_GRID_CELLS:
        raise BadInput(f"A grid has 1 to {MAX_GRID_CELLS} pictures; this one would have {len(guidances) * len(steps)}.")
    total = sum(steps) * len(guidances)
    if total > MAX_GRID_STEPS:
        raise BadInput(f"This grid takes {total} steps; up to {MAX_GRID_STEPS} are drawn. Choose fewer pictures or steps.")
    for guidance in guidances:
        for count in steps:
            _checked(prompt, checkpoint, negative_prompt, count, guidance, guidance_rise, seed)
    rows: list[list[Image.Image]] = []
    done = 0
    for guidance in guidances:
        rows.append([])
        for count in steps:
            before = done / total

            def tell(fraction: float | None, words: str, preview: Image.Image | None = None, *, before: float = before,
                     share: float = count / total, of: str = f"guidance {guidance:g}, {count} steps") -> None:
                report(before + share * (fraction or 0.0), f"{words} ({of})", preview)

            rows[-1] += text_to_image(prompt, checkpoint=checkpoint, negative_prompt=negative_prompt, steps=count,
                                      guidance=guidance, guidance_rise=guidance_rise, seed=seed, report=tell)
            done += count
    return rows


# --- what is asked ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """How a picture is drawn; see `text_to_image`."""

    steps: int = 20
    guidance: float = 7.5
    guidance_rise: float = 0.0

    def guidance_at(self, step: int) -> float:
        """Of a step, counted from 0."""
        rising = int(self.guidance_rise * self.steps)
        return self.guidance if step >= rising else 1 + (self.guidance - 1) * step / rising


def defaults(checkpoint: str) -> Settings:
    """What suits the checkpoint: from its record, else as a classical latent diffusion wants it."""
    return Settings(**find(checkpoint).config) if not _REPOSITORY.fullmatch(checkpoint) else Settings()


def known_words(checkpoint: str) -> frozenset[str]:
    """The words that a shipped checkpoint has ever met; empty where they are not known."""
    if _REPOSITORY.fullmatch(checkpoint):
        return frozenset()
    record = find(checkpoint)
    return _words_in(record.folder / "words.json") if record.shipped else frozenset()


@cache
def _words_in(path: Path) -> frozenset[str]:
    return frozenset(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else frozenset()


def unknown_words(prompt: str, checkpoint: str = "world-128") -> list[str]:
    """Words of the prompt that mean nothing to a shipped checkpoint, in their order; no network is asked."""
    known = known_words(checkpoint)
    if not known:
        return []
    found = [word for word in re.findall(r"[^\W\d_]+", prompt.lower()) if word not in known and word != "s"]
    return list(dict.fromkeys(found))


def reading(prompt: str, checkpoint: str = "world-128", report: Report = silent) -> str:
    """The beginning of the prompt that the checkpoint reads: its text encoder has only so many places. Loads it."""
    network = _network(record_of(checkpoint, report), report)
    words = list(_WORD.finditer(prompt))
    read, _ = _tokens_of_words(prompt, network.tokenizer)
    return prompt if len(read) == len(words) else prompt[: words[len(read) - 1].end() if read else 0]


def _tokens_of_words(prompt: str, tokenizer: Any) -> tuple[tuple[str, ...], list[list[int]]]:  # noqa: ANN401
    """(words that are read, for each the places of its tokens), the begin token being place 0."""
    coded = tokenizer(prompt, truncation=True, max_length=tokenizer.model_max_length, return_offsets_mapping=True)
    ends = [(place, begin, end) for place, (begin, end) in enumerate(coded["offset_mapping"]) if end > begin]
    words, groups = [], []
    for word in _WORD.finditer(prompt):
        group = [place for place, begin, end in ends if begin < word.end() and end > word.start()]
        if not group or ends[-1][2] < word.end():  # cut off, or only its beginning was read
            break
        words.append(word.group())
        groups.append(group)
    return tuple(words), groups


def _checked(prompt: str, checkpoint: str, negative_prompt: str, steps: int | None, guidance: float | None,
             guidance_rise: float | None, seed: int) -> tuple[Checkpoint, Settings]:
    for name, text in (("prompt", prompt), ("negative prompt", negative_prompt)):
        if len(string(f"The {name}", text)) > MAX_PROMPT_CHARS:
            raise BadInput(f"This {name} has {len(text)} characters; up to {MAX_PROMPT_CHARS} are read.")
    if not prompt.strip():
        raise BadInput("Say what shall be drawn, in a sentence or two.")
    if not _REPOSITORY.fullmatch(string("The checkpoint", checkpoint)) and find(checkpoint).task != "text_to_image":
        raise BadInput(f"'{checkpoint}' does not draw what words say.")
    usual = defaults(checkpoint)
    steps = usual.steps if steps is None else whole("The number of steps", steps)
    guidance = usual.guidance if guidance is None else number("Guidance", guidance)
    rise = usual.guidance_rise if guidance_rise is None else number("The rise of guidance", guidance_rise)
    if not MIN_STEPS <= steps <= MAX_STEPS:
        raise BadInput(f"Steps go from {MIN_STEPS} to {MAX_STEPS}; {steps} do not.")
    if not 0 <= guidance <= MAX_GUIDANCE:
        raise BadInput(f"Guidance goes from 0 to {MAX_GUIDANCE:g}; {guidance:g} does not.")
    if not 0 <= rise <= 1:
        raise BadInput(f"Guidance rises over a share of the steps from 0 to 1; {rise:g} is not between them.")
    if not 0 <= whole("A seed", seed) < 2**31:
        raise BadInput(f"A seed is a whole number from 0 to {2**31 - 1}; {seed} is not.")
    return record_of(checkpoint), Settings(steps, guidance, rise)


# --- the networks -----------------------------------------------------------------------------------------------------


def record_of(checkpoint: str, report: Report = silent) -> Checkpoint:
    """The record of a checkpoint of the table, or of a `StableDiffusionPipeline` on the Hub, "owner/name@commit".

    Raises BadInput where the operator does not allow it, CheckpointError for what is no such pipeline or has no
    safetensors, Unavailable where the Hub does not answer.
    """
    named = _REPOSITORY.fullmatch(checkpoint)
    if not named:
        return find(checkpoint)
    repo_id, revision = named["repo"], named["revision"]
    if not is_allowed(repo_id):
        raise BadInput(f"{repo_id} is not among the repositories that this gallery's operator allows (GM_HUB_ALLOW).")
    about: dict[str, Any] = {
        "name": checkpoint, "task": "text_to_image", "title": repo_id, "network": "Stable Diffusion pipeline, from the Hub",
        "trained_on": "what its card says", "licence": "see its card", "paper": "https://arxiv.org/abs/2112.10752",
        "build": "text_to_image:build", "parameters": 0, "repo_id": repo_id, "revision": revision,
        "source": f"https://huggingface.co/{repo_id}"}
    folder = fetch(Checkpoint(size=1000, files=("model_index.json",), **about), report)
    kinds = parts_of(json.loads((folder / "model_index.json").read_text(encoding="utf-8")), repo_id)
    here = {str(file.relative_to(folder)): file.stat().st_size for file in folder.rglob("*") if file.is_file()}
    files = _needed(kinds, here)
    if _without_weights(kinds, files):  # not all of it is on this machine
        files = _needed(kinds, _listed(repo_id, revision))
    if missing := _without_weights(kinds, files):
        raise CheckpointError(f"{repo_id} has no safetensors of its {missing[0]} at this commit. Pickled weights are not "
                              "opened here; ask its author for safetensors.")
    return Checkpoint(size=sum(files.values()), files=tuple(sorted(files)), **about)


def _needed(kinds: dict[str, str], there: dict[str, int]) -> dict[str, int]:
    """Of the files there are, those that are loaded: of each network its half precision where there is one."""
    found = {"model_index.json": there.get("model_index.json", 0)}
    for part in kinds:
        names = [name for name in there if name.startswith(f"{part}/") and name.count("/") == 1]
        found |= {name: there[name] for name in names if name.endswith((".json", ".txt")) and "safetensors" not in name}
        weights = [name for name in names if name.endswith(".safetensors") and "non_ema" not in name
                   and "openvino" not in name and "-of-" not in name]
        half = [name for name in weights if name.endswith(".fp16.safetensors")]
        full = [name for name in weights if name.count(".") == 1]
        found |= {name: there[name] for name in (half or full)[:1]}
    return found


def _without_weights(kinds: dict[str, str], files: dict[str, int]) -> list[str]:
    """Parts that need weights and have no safetensors among the files."""
    return [part for part in (*NETWORKS, "safety_checker") if part in kinds
            and not any(name.startswith(f"{part}/") and name.endswith(".safetensors") for name in files)]


def _listed(repo_id: str, revision: str) -> dict[str, int]:
    """Files of the repository at that commit, and their sizes."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    try:
        entries = HfApi().list_repo_tree(repo_id, revision=revision, recursive=True)
        return {entry.path: entry.size for entry in entries if isinstance(entry, RepoFile)}
    except (OSError, HTTPError) as error:
        raise Unavailable(f"The Hub does not say what files {repo_id} has at commit {revision[:8]}. Check the network and the "
                          "commit, and try again.") from error


def _network(record: Checkpoint, report: Report) -> TextToImage:
    network = loading.load(record, report=report)
    if not isinstance(network, TextToImage):
        raise CheckpointError(f"{record.title} is no pipeline that draws what words say.")
    return network


# --- drawing ----------------------------------------------------------------------------------------------------------


def _pictures(network: TextToImage, prompts: Sequence[str], negative_prompt: str, settings: Settings,
              seeds: Sequence[int], report: Report) -> list[Image.Image]:
    """One picture for each prompt and its seed: together where latents are small, else one by one."""
    at_once = len(prompts) if max(network.latent_shape[1:]) <= SMALL else 1
    found: list[Image.Image] = []
    for i in range(0, len(prompts), at_once):

        def tell(fraction: float | None, words: str, preview: Image.Image | None = None, *, i: int = i) -> None:
            doing = words if at_once == len(prompts) else f"Picture {i + 1} of {len(prompts)}: {words.lower()}"
            report((i + at_once * (fraction or 0.0)) / len(prompts), doing, preview)

        found += _drawn(network, prompts[i : i + at_once], negative_prompt, settings, seeds[i : i + at_once], tell)[0]
    return found


@torch.inference_mode()
def _drawn(network: TextToImage, prompts: Sequence[str], negative_prompt: str, settings: Settings, seeds: Sequence[int],
           report: Report, watcher: WordWatcher | None = None) -> tuple[list[Image.Image], Tensor]:
    """One picture for each prompt and its seed, denoised together, and the latents that they were decoded from."""
    pipeline = network.pipeline()
    target = next(network.unet.parameters()).device
    guided = settings.guidance > 1
    report(0.0, "Reading the words")
    words, without = pipeline.encode_prompt(list(prompts), target, 1, guided,
                                            negative_prompt=[negative_prompt] * len(seeds) if guided else None)
    unet = watched(network.unet, watcher) if watcher else network.unet

    schedule = pipeline.scheduler
    schedule.set_timesteps(settings.steps, device=target)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    noise = [torch.randn(network.latent_shape, generator=generator) for generator in generators]
    latents = torch.stack(noise).to(target) * schedule.init_noise_sigma
    chance = {"generator": generators} if "generator" in inspect.signature(schedule.step).parameters else {}
    preview = _Previews(network.glimpse)
    times = schedule.timesteps
    for i, time_ in enumerate(times):
        guidance = settings.guidance_at(i)
        context = torch.cat([without, words]) if guidance > 1 else words
        both = schedule.scale_model_input(torch.cat([latents] * 2) if guidance > 1 else latents, time_)
        answer = unet(both, time_, encoder_hidden_states=context).sample
        if guidance > 1:
            of_nothing, of_words = answer.chunk(2)
            answer = of_nothing + guidance * (of_words - of_nothing)
        step = schedule.step(answer, time_, latents, **chance)
        latents = step.prev_sample
        last = i + 1 == len(times)
        report((i + 1) / (len(times) + 1), f"Drawing, step {i + 1} of {len(times)}",
               None if last else preview.of(_foreseen(schedule, step)))
    pictures = network.decode(latents)
    pictures, withheld = _judged(pipeline, pictures)
    found = [to_image(picture) for picture in pictures]
    for picture, bad in zip(found, withheld, strict=True):
        if bad:
            picture.info["withheld"] = True
    report(1.0, "Done", None)
    return found, latents


def _foreseen(schedule: Any, step: Any) -> Tensor:  # noqa: ANN401 - a scheduler of diffusers, and what its step gave
    """The latents as they would end, if the denoiser were right already; of schedulers that don't tell, as they are."""
    clean = getattr(step, "pred_original_sample", None)
    if clean is None and str(schedule.config.get("algorithm_type", "")).endswith("dpmsolver++"):
        clean = schedule.model_outputs[-1]
    return step.prev_sample if clean is None else clean


def _judged(pipeline: Any, pictures: Tensor) -> tuple[Tensor, list[bool]]:  # noqa: ANN401
    """What the checkpoint's own safety checker leaves of the pictures (B, 3, H, W), and which it withholds."""
    if pipeline.safety_checker is None:
        return pictures, [False] * len(pictures)
    _, withheld = pipeline.run_safety_checker(pictures * 2 - 1, pictures.device, pictures.dtype)
    kept = torch.tensor([not bad for bad in withheld], device=pictures.device).view(-1, 1, 1, 1)
    return pictures * kept, [bool(bad) for bad in withheld]


class _Previews:
    """What has become of the pictures so far, two in a row; as often as its share of the time allows."""

    def __init__(self, glimpse: Callable[[Tensor], Tensor | None]) -> None:
        self._glimpse = glimpse
        self._next = 0.0

    def of(self, latents: Tensor) -> Image.Image | None:
        began = time.perf_counter()
        if began < self._next:
            return None
        seen = self._glimpse(latents)
        if seen is None:
            self._next = float("inf")
            return None
        rows = [torch.cat(list(pair), 2) for pair in seen.split(2)]
        rows[-1] = F.pad(rows[-1], (0, rows[0].shape[2] - rows[-1].shape[2]), value=1.0)  # of three, one stands alone
        image = to_image(torch.cat(rows, 1))
        scale = max(1, PREVIEW_SIDE // max(image.size))
        shown = image.resize((image.width * scale, image.height * scale), Image.Resampling.BICUBIC)
        now = time.perf_counter()
        self._next = now + (now - began) / PREVIEW_SHARE
        return shown
