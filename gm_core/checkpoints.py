"""The table of weights. One record per checkpoint; dropdowns, credits, labels, tests and the README's table read it.

Adding a checkpoint is adding a record (see README, "Add a checkpoint").
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gm_core.errors import CheckpointError

SHIPPED = Path(__file__).resolve().parents[1] / "assets" / "checkpoints"
PICKLES = (".pth", ".pt", ".ckpt", ".bin")
"""Endings of old weights, which may hold programs: nothing of the table may have one."""
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One set of weights: what it is, whose it is, where its files are and how they become a network."""

    name: str
    """Short name, unique: what `load` and every `checkpoint=` argument take."""
    task: str
    """Name of the task, and so of the tab, that it serves."""
    also: tuple[str, ...] = ()
    """Other tasks that use it."""
    title: str
    """As the dropdown shows it."""
    network: str
    """Network and year, as the museum label shows them."""
    trained_on: str
    licence: str
    paper: str
    """Address of the paper that describes the network."""
    build: str
    """"module:attribute" below `gm_core.models`: an `nn.Module` class, filled strictly from one safetensors file, or a
    function that takes the folder of the files and returns the module, for layouts that a library defines."""
    parameters: int
    """Number of weights."""
    size: int
    """Bytes of `files` together."""
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Keyword arguments of the class; a shipped checkpoint keeps them in its config.json instead."""
    files: tuple[str, ...] = ("config.json", "model.safetensors")
    repo_id: str | None = None
    """Hub repository; None for a checkpoint that ships in `assets`."""
    revision: str | None = None
    """Commit of the repository, 40 hexadecimal digits."""
    source: str = ""
    """Address of the model card; empty for ours, whose card lies beside the weights."""

    @property
    def shipped(self) -> bool:
        return self.repo_id is None

    @property
    def pinned(self) -> bool:
        """Whether the files can never change under this record."""
        return self.shipped or bool(self.revision and _COMMIT.fullmatch(self.revision))

    @property
    def folder(self) -> Path:
        """Where a shipped checkpoint lies."""
        return SHIPPED / self.name

    @property
    def weights(self) -> str:
        """The first safetensors file of `files`."""
        return next(name for name in self.files if name.endswith(".safetensors"))

    def shipped_config(self) -> dict[str, Any]:
        """config.json of a shipped checkpoint: {"architecture": build, "config": keyword arguments}."""
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments that the network is built with, wherever they are kept."""
        return self.shipped_config()["config"] if self.shipped else dict(self.config)


LANDSCAPES = "BSDS500 (train and test parts) and landscape photographs of the CycleGAN sets"

_CLIP_TOKENIZER = ("tokenizer/merges.txt", "tokenizer/special_tokens_map.json", "tokenizer/tokenizer_config.json",
                   "tokenizer/vocab.json")
_HALF_PIPELINE = ("model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
                  "text_encoder/model.fp16.safetensors", *_CLIP_TOKENIZER, "unet/config.json",
                  "unet/diffusion_pytorch_model.fp16.safetensors", "vae/config.json",
                  "vae/diffusion_pytorch_model.fp16.safetensors")
"""What a Stable Diffusion pipeline in half precision needs."""

CHECKPOINTS: tuple[Checkpoint, ...] = (
    Checkpoint(
        name="pix2pix-facades", task="pix2pix", title="Fronts of houses", network="U-Net generator (pix2pix), 2017",
        trained_on="CMP Facades, 400 photographs of house fronts with their label maps", licence="apache-2.0",
        paper="https://arxiv.org/abs/1611.07004", build="pix2pix_generator:Pix2PixGenerator", parameters=5_477_532,
        size=10_967_045,
    ),
    Checkpoint(
        name="pix2pix-portraits-256", task="pix2pix", title="Labels or lines",
        network="U-Net generator (pix2pix), 2017", trained_on="Portraits drawn by our own renderer", licence="apache-2.0",
        paper="https://arxiv.org/abs/1611.07004", build="pix2pix_generator:Pix2PixGenerator", parameters=6_988_392,
        size=13_990_568,
    ),
    Checkpoint(
        name="pix2pix-colour", task="pix2pix", title="From grey", network="U-Net generator (pix2pix), 2017",
        trained_on="2,497 landscape photographs of the CycleGAN sets and 380 of BSDS500", licence="apache-2.0",
        paper="https://arxiv.org/abs/1611.07004", build="pix2pix_generator:Pix2PixGenerator", parameters=5_415_896,
        size=10_842_576,
    ),
    Checkpoint(
        name="pix2pix-portraits", task="pix2pix", also=("portraits",), title="Portrait painter",
        network="U-Net generator (pix2pix), 2017", trained_on="Portraits drawn by our own renderer", licence="apache-2.0",
        paper="https://arxiv.org/abs/1611.07004", build="pix2pix_generator:Pix2PixGenerator", parameters=5_531_388,
        size=11_070_252,
    ),
    Checkpoint(
        name="portraits-gan-early", task="portraits", title="Portraits from noise, early in training",
        network="Style-based generator (GAN), 2020", trained_on="Portraits drawn by our own renderer", licence="apache-2.0",
        paper="https://arxiv.org/abs/1912.04958",
        build="portrait_gan:Generator", parameters=4_172_240, size=8_348_664,
    ),
    Checkpoint(
        name="portraits-gan-middle", task="portraits", title="Portraits from noise, in the middle of training",
        network="Style-based generator (GAN), 2020", trained_on="Portraits drawn by our own renderer", licence="apache-2.0",
        paper="https://arxiv.org/abs/1912.04958",
        build="portrait_gan:Generator", parameters=4_172_240, size=8_348_664,
    ),
    Checkpoint(
        name="portraits-gan", task="portraits", title="Portraits from noise",
        network="Style-based generator (GAN), 2020", trained_on="Portraits drawn by our own renderer", licence="apache-2.0",
        paper="https://arxiv.org/abs/1912.04958",
        build="portrait_gan:Generator", parameters=4_172_240, size=8_348_656,
    ),
    Checkpoint(
        name="portraits-gan-judge", task="portraits", title="Discriminator of portraits from noise",
        network="Residual discriminator (GAN), 2018", trained_on="Portraits drawn by our own renderer", licence="apache-2.0",
        paper="https://arxiv.org/abs/1710.10196", build="portrait_gan:Discriminator", parameters=2_889_985, size=5_782_706,
    ),
    Checkpoint(
        name="portraits-judge", task="portraits", title="Judge of portraits", network="Patch discriminator, 2017",
        trained_on="Portraits drawn by our own renderer, and those by painter, GAN and diffusion", licence="apache-2.0",
        paper="https://arxiv.org/abs/1611.07004", build="portrait_judge:PortraitJudge", parameters=223_041, size=447_362,
    ),
    Checkpoint(
        name="cyclegan-monet", task="cyclegan", title="Photographs and Monet", network="CycleGAN generators, 2017",
        trained_on="300 paintings by Monet and 2,627 landscape photographs of the CycleGAN sets", licence="apache-2.0",
        paper="https://arxiv.org/abs/1703.10593", build="translation_generator:Translators", parameters=995_864,
        size=2_003_207,
    ),
    Checkpoint(
        name="cyclegan-seasons", task="cyclegan", title="Summer and winter", network="CycleGAN generators, 2017",
        trained_on="769 summers and 286 winters with snow of Yosemite, of the CycleGAN sets", licence="apache-2.0",
        paper="https://arxiv.org/abs/1703.10593", build="translation_generator:Translators", parameters=995_864,
        size=2_003_136,
    ),
    Checkpoint(
        name="srgan-x4", task="srgan", title="SRGAN x4", network="SRGAN generator, 2017", trained_on=LANDSCAPES,
        licence="apache-2.0", paper="https://arxiv.org/abs/1609.04802", build="srresnet:SRResNet",
        parameters=708_000, size=1_422_300,
    ),
    Checkpoint(
        name="srresnet-x4", task="srgan", title="SRResNet x4", network="SRResNet, 2017", trained_on=LANDSCAPES,
        licence="apache-2.0", paper="https://arxiv.org/abs/1609.04802", build="srresnet:SRResNet",
        parameters=1_248_112, size=2_502_618,
    ),
    Checkpoint(
        name="swin2sr-x4", task="srgan", title="Swin2SR x4", network="Swin2SR, 2022",
        trained_on="DIV2K and Flickr2K photographs", licence="apache-2.0", paper="https://arxiv.org/abs/2209.11345",
        build="swin2sr:build", parameters=12_239_283, size=49_000_000,
        repo_id="caidas/swin2SR-classical-sr-x4-64", revision="c69ef3e2d2ac5777ff4a9f2f5afcd86d20604b7e",
        source="https://huggingface.co/caidas/swin2SR-classical-sr-x4-64",
    ),
    Checkpoint(
        name="real-esrgan-x4", task="srgan", title="Real-ESRGAN x4", network="RRDBNet (Real-ESRGAN), 2021",
        trained_on="DIV2K, Flickr2K and OutdoorSceneTraining, degraded as real pictures are",
        licence="bsd-3-clause", paper="https://arxiv.org/abs/2107.10833", build="rrdbnet:RRDBNet",
        config={"channels": 64, "blocks": 23, "growth": 32}, parameters=16_697_987, size=66_900_000,
        files=("RealESRGAN_x4plus.safetensors",),
        repo_id="Comfy-Org/Real-ESRGAN_repackaged", revision="5fd49b7b278836f48af63ecd314d0f98ab336105",
        source="https://huggingface.co/Comfy-Org/Real-ESRGAN_repackaged",
    ),
    Checkpoint(
        name="inpaint-256", task="inpainting", title="Our inpainting network",
        network="Fourier convolutions and contextual attention, 2026", trained_on=LANDSCAPES, licence="apache-2.0",
        paper="https://arxiv.org/abs/1801.07892", build="inpainting_generator:InpaintingGenerator", parameters=3_642_721,
        size=7_312_743,
    ),
    Checkpoint(
        name="big-lama", task="inpainting", title="LaMa, large", network="LaMa, 2021",
        trained_on="Places2, photographs of 365 kinds of places", licence="apache-2.0",
        paper="https://arxiv.org/abs/2109.07161", build="lama:build", parameters=50_975_875, size=204_000_000,
        files=("big-lama.safetensors",),
        repo_id="michaelgold/big-lama", revision="98ab7cface89a594b381f32fc7a9f2cae3f91ccc",
        source="https://huggingface.co/michaelgold/big-lama",
    ),
    Checkpoint(
        name="stable-diffusion-inpainting", task="inpainting", title="Stable Diffusion 1.5, inpainting",
        network="Latent diffusion (Stable Diffusion), 2022", trained_on="LAION-5B, pictures and captions of the web",
        licence="creativeml-openrail-m", paper="https://arxiv.org/abs/2112.10752",
        build="stable_diffusion_inpainting:build", parameters=1_066_249_707, size=2_133_000_000,
        files=_HALF_PIPELINE,
        repo_id="stable-diffusion-v1-5/stable-diffusion-inpainting", revision="8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
        source="https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-inpainting",
    ),
    Checkpoint(
        name="world-128", task="text_to_image", also=("portraits",), title="A small world of birds, flowers and people",
        network="Latent diffusion, 2022", trained_on="Birds, flowers and portraits drawn by our own renderers, and captions "
        "from a grammar of ours", licence="apache-2.0", paper="https://arxiv.org/abs/2112.10752", build="text_to_image:build",
        parameters=15_401_727, size=30_910_000, config={"steps": 20, "guidance": 4.0, "guidance_rise": 0.25},
        files=("model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
               "plan.json", "text_encoder/model.safetensors", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json",
               "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
               "vae/diffusion_pytorch_model.safetensors", "words.json"),
    ),
    Checkpoint(
        name="world-judge", task="attributes", title="Judge of the drawn world",
        network="Classifier with learned queries, 2026",
        trained_on="Birds, flowers and portraits drawn by our own renderers", licence="apache-2.0",
        paper="https://arxiv.org/abs/2005.12872", build="attribute_judge:AttributeJudge", parameters=2_213_593, size=4_446_437,
    ),
    Checkpoint(
        name="sdxs-512", task="text_to_image", title="SDXS, 512 px in one step", network="Latent diffusion, distilled, 2024",
        trained_on="LAION-5B, pictures and captions of the web; taught by DreamShaper", licence="openrail++",
        paper="https://arxiv.org/abs/2403.16627", build="text_to_image:build", parameters=441_000_000, size=1_763_000_000,
        config={"steps": 1, "guidance": 0.0},
        files=("model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
               "text_encoder/model.safetensors", *_CLIP_TOKENIZER, "unet/config.json",
               "unet/diffusion_pytorch_model.safetensors", "vae/config.json", "vae/diffusion_pytorch_model.safetensors"),
        repo_id="IDKiro/sdxs-512-dreamshaper", revision="76f720262bb051da75666b22c902a78c8e16c763",
        source="https://huggingface.co/IDKiro/sdxs-512-dreamshaper",
    ),
    Checkpoint(
        name="sd-turbo", task="text_to_image", title="Stable Diffusion Turbo, 512 px in one step",
        network="Latent diffusion, distilled, 2023", trained_on="LAION-5B, pictures and captions of the web",
        licence="stabilityai-ai-community", paper="https://arxiv.org/abs/2311.17042", build="text_to_image:build",
        parameters=1_289_952_427, size=2_580_000_000, config={"steps": 1, "guidance": 0.0},
        files=_HALF_PIPELINE,
        repo_id="stabilityai/sd-turbo", revision="b261bac6fd2cf515557d5d0707481eafa0485ec2",
        source="https://huggingface.co/stabilityai/sd-turbo",
    ),
    Checkpoint(
        name="stable-diffusion", task="text_to_image", title="Stable Diffusion 1.5, 512 px",
        network="Latent diffusion (Stable Diffusion), 2022", trained_on="LAION-5B, pictures and captions of the web",
        licence="creativeml-openrail-m", paper="https://arxiv.org/abs/2112.10752", build="text_to_image:build",
        parameters=1_370_216_895, size=2_741_000_000, config={"steps": 25, "guidance": 7.5},
        files=(*_HALF_PIPELINE, "feature_extractor/preprocessor_config.json", "safety_checker/config.json",
               "safety_checker/model.fp16.safetensors"),
        repo_id="stable-diffusion-v1-5/stable-diffusion-v1-5", revision="451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        source="https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5",
    ),
    Checkpoint(
        name="style-many", task="style_transfer", title="Many styles in one network",
        network="Conditional instance normalisation, 2017",
        trained_on=LANDSCAPES + "; paintings in the public domain", licence="apache-2.0",
        paper="https://arxiv.org/abs/1610.07629", build="style_network:StyleNetwork", parameters=444_579, size=894_500,
    ),
    Checkpoint(
        name="features-small", task="gatys", title="Our small feature network", network="Distilled features, 2026",
        trained_on=LANDSCAPES + "; taught by SqueezeNet", licence="apache-2.0",
        paper="https://arxiv.org/abs/1508.06576", build="features:Features", parameters=686_473, size=1_376_400,
    ),
    Checkpoint(
        name="vgg16", task="gatys", title="VGG-16, as Gatys used", network="VGG-16, 2014",
        trained_on="ImageNet", licence="bsd-3-clause", paper="https://arxiv.org/abs/1409.1556",
        build="vgg:build", parameters=14_714_688, size=553_000_000, files=("model.safetensors",),
        repo_id="timm/vgg16.tv_in1k", revision="b8d8aa2dd860af9233c8c67385a8097fd6c35d3f",
        source="https://huggingface.co/timm/vgg16.tv_in1k",
    ),
)


@cache
def _by_name() -> dict[str, Checkpoint]:
    return {checkpoint.name: checkpoint for checkpoint in CHECKPOINTS}


def find(name: str) -> Checkpoint:
    """The record of that name. Raises CheckpointError, which lists the names there are."""
    if not isinstance(name, str) or name not in _by_name():
        raise CheckpointError(f"There is no checkpoint '{str(name)[:80]}'. There are: {', '.join(_by_name())}.")
    return _by_name()[name]


def add(record: Checkpoint) -> None:
    """Makes `find` know a record beside the table's, until `remove`."""
    _by_name()[record.name] = record


def remove(name: str) -> None:
    _by_name().pop(name, None)


def of_task(task: str) -> list[Checkpoint]:
    """The task's checkpoints in the table's order; the first is the default. Those of other tasks that it uses come last."""
    found = [checkpoint for checkpoint in CHECKPOINTS if checkpoint.task == task]
    return found + [checkpoint for checkpoint in CHECKPOINTS if task in checkpoint.also]


def table() -> str:
    """The records as the README's Markdown table. `python -m gm_core.checkpoints` prints it."""
    lines = ["| checkpoint | task | network | parameters | trained on | licence | where |", "|---|---|---|---|---|---|---|"]
    for record in CHECKPOINTS:
        place = "ships" if record.shipped else f"[Hub]({record.source}) at `{(record.revision or 'no commit')[:8]}`"
        lines.append(f"| `{record.name}` | {record.task} | {record.network} | {record.parameters:,} | {record.trained_on} "
                     f"| {record.licence} | {place} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
