"""Latent diffusion from text (Rombach et al. 2022, arXiv:2112.10752): diffusers' networks behind our loader, large or tiny."""

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import CheckpointError
from gm_core.models.stable_diffusion_inpainting import TO_RGB

NETWORKS = {"unet": ("UNet2DConditionModel",), "vae": ("AutoencoderKL", "AutoencoderTiny"), "text_encoder": ("CLIPTextModel",)}
"""Parts of a pipeline, and the classes that each may have."""


@dataclass(frozen=True)
class Plan:
    """Channels of the latents beside the picture's own: which part of a bird or a face fills how much of each cell. The
    denoiser makes them together with the picture. A pipeline of ours has them where it has a `plan.json`.
    """

    first: int
    """The first of the channels."""
    parts: tuple[str, ...]
    full: tuple[float, ...]
    """What a cell counts that is full of the part."""

    def shares(self, latents: Tensor) -> Tensor:
        """Latents (B, C, h, w) -> how much of each cell each part fills: (B, parts, h, w) in 0..1."""
        full = torch.tensor(self.full, dtype=latents.dtype, device=latents.device).view(-1, 1, 1)
        return (latents[:, self.first : self.first + len(self.parts)] / full).clamp(0, 1).square()

    @classmethod
    def of(cls, path: Path, channels: int) -> "Plan | None":
        """As a file says it, of latents with so many channels; None without one. Raises CheckpointError."""
        if not path.exists():
            return None
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            plan = cls(int(told["first"]), tuple(str(part["name"]) for part in told["parts"]),
                       tuple(float(part["full"]) for part in told["parts"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"The pipeline's plan.json cannot be read: {error}.") from error
        if not plan.parts or plan.first < 0 or plan.first + len(plan.parts) > channels or not all(n > 0 for n in plan.full):
            raise CheckpointError("The pipeline's plan.json does not fit its latents.")
        return plan


class TextToImage(nn.Module):
    """The networks of a `StableDiffusionPipeline`. All requests share them; what belongs to one lives in its `pipeline()`."""

    def __init__(self, unet: nn.Module, vae: nn.Module, text_encoder: nn.Module, tokenizer: Any,  # noqa: ANN401
                 scheduler: Any, safety_checker: nn.Module | None = None,  # noqa: ANN401 - diffusers' and transformers'
                 feature_extractor: Any = None,  # noqa: ANN401 - classes, which take seconds to import
                 plan: Plan | None = None) -> None:
        super().__init__()
        self.unet = unet
        self.vae = vae
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.scheduler = scheduler
        self.safety_checker = safety_checker
        self.feature_extractor = feature_extractor
        self.plan = plan

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of one picture's latents."""
        config: Any = self.unet.config
        side = config.sample_size
        height, width = (side, side) if isinstance(side, int) else side
        return config.in_channels, height, width

    def pipeline(self) -> Any:  # noqa: ANN401
        """A fresh `StableDiffusionPipeline` over these networks, with a schedule of its own."""
        from diffusers import StableDiffusionPipeline  # pyright: ignore[reportPrivateImportUsage]

        pipeline = StableDiffusionPipeline(
            vae=self.vae, text_encoder=self.text_encoder, tokenizer=self.tokenizer, unet=self.unet,  # pyright: ignore
            scheduler=type(self.scheduler).from_config(self.scheduler.config),
            safety_checker=self.safety_checker, feature_extractor=self.feature_extractor,  # pyright: ignore
            requires_safety_checker=self.safety_checker is not None)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def forward(self, latents: Tensor, step: Tensor, words: Tensor) -> Tensor:
        """One look at noisy latents (B, C, h, w): the denoiser's answer, of their shape. words: (B, tokens, width)."""
        return self.unet(latents, step, encoder_hidden_states=words).sample

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) -> pictures (B, 3, H, W), RGB in 0..1, clamped."""
        vae: Any = self.vae
        return (vae.decode(latents / vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)

    def glimpse(self, latents: Tensor) -> Tensor | None:
        """What latents (B, C, h, w) will look like, (B, 3, H', W') in 0..1, where that costs little: by the decoder where it
        is a tiny one, by one colour for each of Stable Diffusion's channels at the latents' size; else None.
        """
        if type(self.vae).__name__ == "AutoencoderTiny":
            return self.decode(latents)
        if latents.shape[1] != len(TO_RGB):
            return None
        weights = torch.tensor(TO_RGB, dtype=latents.dtype, device=latents.device)
        return (0.5 + 0.5 * torch.einsum("bchw,cr->brhw", latents, weights)).clamp(0, 1)


# --- where words act --------------------------------------------------------------------------------------------------


class WordWatcher:
    """Attention as diffusers computes it in `attn2`, whose probabilities it also keeps (Hertz et al. 2022,
    arXiv:2208.01626). One for all layers of a `watched` denoiser.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        """shape: height and width of the maps."""
        self.shape = shape
        self._sum: Tensor | None = None
        self._count = 0

    def __call__(self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None = None,  # noqa: ANN401
                 attention_mask: Tensor | None = None, *_: object, **__: object) -> Tensor:
        """hidden_states: (B, places, width); encoder_hidden_states: (B, tokens, width of the text)."""
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if attn.norm_cross:
            context = attn.norm_encoder_hidden_states(context)
        query, key, value = (attn.head_to_batch_dim(layer(x)) for layer, x in (
            (attn.to_q, hidden_states), (attn.to_k, context), (attn.to_v, context)))
        mask = attn.prepare_attention_mask(attention_mask, context.shape[1], len(hidden_states))
        shares = attn.get_attention_scores(query, key, mask)  # (B heads, places, tokens), of one place 1 together
        self._keep(shares.float().unflatten(0, (len(hidden_states), -1)).mean(1))
        found = attn.batch_to_head_dim(torch.bmm(shares, value))
        return attn.to_out[1](attn.to_out[0](found))

    def _keep(self, shares: Tensor) -> None:
        """shares: (B, places, tokens). Of a guided batch the last one is the one with the prompt."""
        height, width = self.shape
        rows = max(1, round((shares.shape[1] * height / width) ** 0.5))
        maps = shares[-1].T.reshape(1, shares.shape[2], rows, -1)
        # Of neighbours a mean: at every place the tokens' shares are still 1 together.
        maps = F.interpolate(maps, self.shape, mode="bilinear", align_corners=False)[0]
        self._sum = maps if self._sum is None else self._sum + maps
        self._count += 1

    def maps(self) -> Tensor:
        """(tokens, height, width): the share of each token in what a place attended to, 1 together; the mean over heads,
        layers and steps.
        """
        if self._sum is None:
            raise CheckpointError("This denoiser has no cross-attention to watch: it reads words in another way.")
        return self._sum / self._count


def watched(unet: nn.Module, watcher: WordWatcher) -> nn.Module:
    """A denoiser that shares all weights with `unet`, and tells `watcher` where it looks. `unet` itself stays as it is."""
    own = {id(tensor): tensor for tensor in (*unet.parameters(), *unet.buffers())}
    found: Any = copy.deepcopy(unet, own)
    found.set_attn_processor({name: watcher if ".attn2." in name else processor
                              for name, processor in found.attn_processors.items()})
    return found


# --- from files -------------------------------------------------------------------------------------------------------


def parts_of(index: dict[str, Any], title: str) -> dict[str, str]:
    """Of a `model_index.json`: the parts that are loaded here, and their classes. Raises CheckpointError for what is not a
    `StableDiffusionPipeline`, or has networks of other classes.
    """
    kind = index.get("_class_name")
    if kind != "StableDiffusionPipeline":
        raise CheckpointError(f"{title} is a {kind or 'folder without a pipeline'}; here a StableDiffusionPipeline is needed.")
    found = {}
    for part in (*NETWORKS, "tokenizer", "scheduler", "safety_checker", "feature_extractor"):
        entry = index.get(part)
        if isinstance(entry, Sequence) and len(entry) == 2 and entry[1]:
            found[part] = str(entry[1])
    for part, kinds in NETWORKS.items():
        if found.get(part) not in kinds:
            raise CheckpointError(f"The {part} of {title} is a {found.get(part)}; {' or '.join(kinds)} can be used here.")
    return found


def build(folder: Path) -> TextToImage:
    """From a folder laid out as diffusers saves a `StableDiffusionPipeline`; safetensors only, no code of the repository.

    Weights may be saved in half precision, as such or as the "fp16" variant; they become float32. The safety checker is
    loaded where its files are there. Raises CheckpointError for other pipelines and for weights that do not fit.
    """
    import diffusers
    from transformers import CLIPTextModel, CLIPTokenizer

    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    kinds = parts_of(index, "This pipeline")

    def part(kind: Any, name: str, **settings: Any) -> nn.Module:  # noqa: ANN401
        if not list((folder / name).glob("*.safetensors")):
            raise CheckpointError(f"The pipeline's {name} is not there as safetensors. Nothing else is opened here.")
        variant = "fp16" if list((folder / name).glob("*.fp16.safetensors")) else None
        network, report = kind.from_pretrained(str(folder), subfolder=name, variant=variant, use_safetensors=True,
                                               local_files_only=True, output_loading_info=True, **settings)
        # Older files of CLIP carry the numbers 0, 1, 2, ... as if they were weights.
        wrong = {how: sorted(str(key) for key in keys if not str(key).endswith("position_ids")) for how, keys in report.items()}
        if wrong := {how: keys for how, keys in wrong.items() if keys}:
            raise CheckpointError(f"The weights of the pipeline's {name} do not fit the network: {wrong}.")
        return network

    unet = part(diffusers.UNet2DConditionModel, "unet", torch_dtype=torch.float32)  # pyright: ignore
    autoencoder = diffusers.AutoencoderTiny if kinds["vae"] == "AutoencoderTiny" else diffusers.AutoencoderKL  # pyright: ignore
    vae = part(autoencoder, "vae", torch_dtype=torch.float32)
    text_encoder = part(CLIPTextModel, "text_encoder", dtype=torch.float32)
    if unet.config.in_channels != vae.config.latent_channels:  # pyright: ignore[reportAttributeAccessIssue]
        raise CheckpointError("This pipeline's denoiser does not fit its autoencoder: it was made for another task.")
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), subfolder="tokenizer", local_files_only=True)
    scheduler = getattr(diffusers, kinds.get("scheduler", ""), None)
    if not (isinstance(scheduler, type) and issubclass(scheduler, diffusers.SchedulerMixin)):  # pyright: ignore
        raise CheckpointError(f"The pipeline's scheduler, {kinds.get('scheduler')}, is not one of diffusers.")
    schedule = scheduler.from_pretrained(str(folder), subfolder="scheduler", local_files_only=True)
    checker = extractor = None
    if "safety_checker" in kinds and (folder / "safety_checker" / "config.json").exists():
        from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
        from transformers import CLIPImageProcessorPil

        checker = part(StableDiffusionSafetyChecker, "safety_checker", dtype=torch.float32)
        extractor = CLIPImageProcessorPil.from_pretrained(str(folder), subfolder="feature_extractor", local_files_only=True)
    plan = Plan.of(folder / "plan.json", unet.config.in_channels)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    return TextToImage(unet, vae, text_encoder, tokenizer, schedule, checker, extractor, plan)
