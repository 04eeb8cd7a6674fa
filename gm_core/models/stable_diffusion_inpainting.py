"""Stable Diffusion for inpainting (Rombach et al. 2022, arXiv:2112.10752): diffusers' networks behind our loader."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gm_core.errors import CheckpointError

TO_RGB = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
"""What each latent channel of Stable Diffusion 1 looks like, roughly: red, green, blue."""


class StableDiffusionInpainting(nn.Module):
    """The three networks. They are shared by all requests; whatever belongs to one lives in a `pipeline()` of its own."""

    def __init__(self, unet: nn.Module, vae: nn.Module, text_encoder: nn.Module, tokenizer: Any,  # noqa: ANN401
                 scheduler: Any) -> None:  # noqa: ANN401 - diffusers' and transformers' classes, which take seconds to import
        super().__init__()
        self.unet = unet
        self.vae = vae
        self.text_encoder = text_encoder
        self.tokenizer = tokenizer
        self.scheduler = scheduler

    def pipeline(self) -> Any:  # noqa: ANN401
        """A fresh `StableDiffusionInpaintPipeline` over these networks, with a schedule of its own."""
        from diffusers import StableDiffusionInpaintPipeline  # pyright: ignore[reportPrivateImportUsage]

        pipeline = StableDiffusionInpaintPipeline(
            vae=self.vae, text_encoder=self.text_encoder, tokenizer=self.tokenizer, unet=self.unet,  # pyright: ignore
            scheduler=type(self.scheduler).from_config(self.scheduler.config), safety_checker=None,  # pyright: ignore
            feature_extractor=None, requires_safety_checker=False)  # pyright: ignore[reportArgumentType]
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def forward(self, latents: Tensor, step: Tensor, words: Tensor) -> Tensor:
        """One look at noisy latents (B, 9, h, w): the denoiser's answer (B, 4, h, w). words: (B, tokens, width)."""
        return self.unet(latents, step, encoder_hidden_states=words).sample


def glimpse(latents: Tensor) -> Tensor:
    """What latents (1, 4, h, w) will look like, without the decoder: (1, 3, h, w), RGB in 0..1."""
    weights = torch.tensor(TO_RGB, dtype=latents.dtype, device=latents.device)
    return (0.5 + 0.5 * torch.einsum("bchw,cr->brhw", latents, weights)).clamp(0, 1)


def build(folder: Path) -> StableDiffusionInpainting:
    """From a folder laid out as diffusers saves pipelines. Raises CheckpointError for weights that do not fit.

    Weights may be saved in half precision ("fp16" variant); they become float32. No safety checker is loaded.
    """
    from diffusers import (
        AutoencoderKL,  # pyright: ignore[reportPrivateImportUsage]
        DPMSolverMultistepScheduler,  # pyright: ignore[reportPrivateImportUsage]
        UNet2DConditionModel,  # pyright: ignore[reportPrivateImportUsage]
    )
    from transformers import CLIPTextModel, CLIPTokenizer

    def part(kind: Any, name: str, **settings: Any) -> nn.Module:  # noqa: ANN401
        variant = "fp16" if list((folder / name).glob("*.fp16.safetensors")) else None
        network, report = kind.from_pretrained(str(folder), subfolder=name, variant=variant, use_safetensors=True,
                                               local_files_only=True, output_loading_info=True, **settings)
        # Older files of CLIP carry the numbers 0, 1, 2, ... as if they were weights.
        wrong = {kind: sorted(str(key) for key in keys if not str(key).endswith("position_ids"))
                 for kind, keys in report.items()}
        wrong = {kind: keys for kind, keys in wrong.items() if keys}
        if wrong:
            raise CheckpointError(f"The weights of Stable Diffusion's {name} do not fit the network: {wrong}.")
        return network

    unet = part(UNet2DConditionModel, "unet", torch_dtype=torch.float32)
    if unet.config.in_channels != 9:  # pyright: ignore[reportAttributeAccessIssue]
        raise CheckpointError("This Stable Diffusion was not trained for inpainting: its denoiser does not see the mask.")
    vae = part(AutoencoderKL, "vae", torch_dtype=torch.float32)
    text_encoder = part(CLIPTextModel, "text_encoder", dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(str(folder), subfolder="tokenizer", local_files_only=True)
    scheduler = DPMSolverMultistepScheduler.from_pretrained(str(folder), subfolder="scheduler", local_files_only=True)
    return StableDiffusionInpainting(unet, vae, text_encoder, tokenizer, scheduler)
