"""The records of inpainting at a tiny size: real networks with random weights, written as recipes and the Hub lay them out.

Tests of what every network must do put the tiny one in the place of `inpaint-256`.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from gm_core.checkpoints import Checkpoint
from gm_core.models.inpainting_generator import InpaintingGenerator

NAME = "inpaint-256"
CONFIG = {"widths": [4, 8, 12, 16], "blocks": [1, 1, 1], "local": 0.25, "match": 8, "finish": [8, 12], "finish_blocks": 1}
ABOUT = {"task": "inpainting", "trained_on": "nothing", "licence": "apache-2.0", "paper": "https://arxiv.org/abs/2109.07161",
         "parameters": 1, "size": 1_000_000}


def tiny_generator() -> InpaintingGenerator:
    torch.manual_seed(0)
    network = InpaintingGenerator(**CONFIG)
    for tail in (network.coarse.tail, network.finish.tail):
        nn.init.normal_(tail.weight, std=0.03)
    return network.eval()


def tiny_record(shipped: Path) -> Checkpoint:
    """The record of a tiny `inpaint-256`, whose files are written to `shipped`/inpaint-256."""
    folder = shipped / NAME
    folder.mkdir(parents=True)
    save_file(tiny_generator().state_dict(), folder / "model.safetensors")
    architecture = "inpainting_generator:InpaintingGenerator"
    (folder / "config.json").write_text(json.dumps({"architecture": architecture, "config": CONFIG}))
    return Checkpoint(name=NAME, title="Our inpainting network", network="Tiny, 2026", build=architecture, **ABOUT)


def tiny_stable_diffusion(channels: int = 9) -> dict[str, bytes]:
    """File -> content of a tiny Stable Diffusion for inpainting, laid out as on the Hub, in half precision."""
    import tempfile

    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)
    # As the files of the real one: every byte, alone and at the end of a word, one pair, begin and end.
    letters = [chr(i) for i in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))]
    words = [*letters, *(letter + "</w>" for letter in letters), "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "words").mkdir()
        (folder / "words" / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
        (folder / "words" / "merges.txt").write_text("#version: 0.2\nc a\nca t</w>\n")
        tokenizer = CLIPTokenizer.from_pretrained(str(folder / "words"))
        tokenizer.model_max_length = 16
        ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1, "pad_token_id": len(words) - 1}
        text = CLIPTextModel(CLIPTextConfig(
            vocab_size=len(words), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
            max_position_embeddings=16, projection_dim=16, **ends))
        unet = UNet2DConditionModel(
            sample_size=16, in_channels=channels, out_channels=4, layers_per_block=1, block_out_channels=(8, 16),
            norm_num_groups=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), cross_attention_dim=16, attention_head_dim=4)
        vae = AutoencoderKL(
            block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, norm_num_groups=4,
            up_block_types=("UpDecoderBlock2D",) * 2, latent_channels=4, layers_per_block=1, sample_size=32)
        pipeline = StableDiffusionInpaintPipeline(
            vae=vae.half(), text_encoder=text.half(), tokenizer=tokenizer, unet=unet.half(), safety_checker=None,
            feature_extractor=None, requires_safety_checker=False,
            scheduler=DDIMScheduler(steps_offset=1, clip_sample=False))
        pipeline.save_pretrained(str(folder / "all"), safe_serialization=True, variant="fp16")
        return {str(file.relative_to(folder / "all")): file.read_bytes() for file in sorted((folder / "all").rglob("*"))
                if file.is_file()}
