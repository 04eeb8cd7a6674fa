"""Text to image at a tiny size: real pipelines with random weights, as our recipe and the Hub lay them out.

Tests of what every pipeline must do put the tiny one in the place of `world-128`.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from gm_core.checkpoints import Checkpoint

NAME = "world-128"
ABOUT = {"task": "text_to_image", "trained_on": "nothing", "licence": "apache-2.0", "parameters": 1,
         "size": 1_000_000, "network": "Tiny, 2026", "paper": "https://arxiv.org/abs/2112.10752",
         "build": "text_to_image:build"}
CAPTIONS = ["This small blue bird has a short pointy beak and brown on its wings.",
            "This flower has small, round violet petals with a dark purple center.", "A man with a beard."]
SIDE = 64


def tiny_pipeline(vae: str = "AutoencoderTiny", checker: float | None = None, variant: str | None = None,
                  side: int = SIDE) -> dict[str, bytes]:
    """File -> content of a tiny `StableDiffusionPipeline`. vae: its class. checker: with a safety checker, which
    withholds everything for -1 and nothing for 1. variant: "fp16" for files named so.
    """
    from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPTextConfig, CLIPTextModel

    from gm_core.recipes.world_denoiser import sampler
    from gm_core.recipes.world_reader import TOKENS, learn_words

    torch.manual_seed(0)
    tokenizer = learn_words(CAPTIONS)
    text = CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=TOKENS, projection_dim=16, bos_token_id=0, eos_token_id=1, pad_token_id=1))
    unet = UNet2DConditionModel(
        sample_size=side // 8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(8, 16), norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16, attention_head_dim=2)
    if vae == "AutoencoderTiny":
        autoencoder: Any = AutoencoderTiny(
            encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4, num_encoder_blocks=(0, 0, 1, 1),
            num_decoder_blocks=(1, 1, 0, 0))
    else:
        autoencoder = AutoencoderKL(
            block_out_channels=(8,) * 4, down_block_types=("DownEncoderBlock2D",) * 4, norm_num_groups=4,
            up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, layers_per_block=1, sample_size=side)
    judge = extractor = None
    if checker is not None:
        tower = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
        judge = StableDiffusionSafetyChecker(CLIPConfig(
            projection_dim=8, text_config={**tower, "vocab_size": 8},
            vision_config={**tower, "image_size": 16, "patch_size": 8, "projection_dim": 8}))
        for thresholds in (judge.concept_embeds_weights, judge.special_care_embeds_weights):
            thresholds.data.fill_(checker * 2)
        extractor = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    pipeline = StableDiffusionPipeline(
        vae=autoencoder.half(), text_encoder=text.half(), tokenizer=tokenizer, unet=unet.half(),
        scheduler=sampler(), safety_checker=judge and judge.half(), feature_extractor=extractor,
        requires_safety_checker=judge is not None)
    with tempfile.TemporaryDirectory() as scratch:
        pipeline.save_pretrained(scratch, safe_serialization=True, variant=variant)
        written = sorted(file for file in Path(scratch).rglob("*") if file.is_file())
        return {str(file.relative_to(scratch)): file.read_bytes() for file in written}


def write(files: dict[str, bytes], folder: Path) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def tiny_record(shipped: Path) -> Checkpoint:
    """The record of a tiny `world-128`, whose files are written to `shipped`/world-128."""
    from gm_core.recipes.world_reader import words_of

    files = tiny_pipeline()
    words = sorted({word for caption in CAPTIONS for word in words_of(caption)})
    plan = {"first": 2, "parts": [{"name": "wing or petal", "full": 1.5}, {"name": "eye", "full": 3.0}]}
    write({**files, "words.json": json.dumps(words).encode(), "plan.json": json.dumps(plan).encode()}, shipped / NAME)
    return Checkpoint(name=NAME, title="Our world", files=tuple(files), config={"steps": 4, "guidance": 3.0}, **ABOUT)
