"""Real networks at a tiny size, saved as people save them."""

import torch
from safetensors.torch import save_file
from torch import nn

from gm_core.models.dcgan import DCGANGenerator
from gm_core.models.inpainting_generator import InpaintingGenerator
from gm_core.models.lama import LaMa
from gm_core.models.pix2pix_generator import Pix2PixGenerator
from gm_core.models.portrait_gan import Generator
from gm_core.models.resnet_generator import ResnetGenerator
from gm_core.models.rrdbnet import RRDBNet
from gm_core.models.srgan_layout import SRGANGenerator
from gm_core.models.srresnet import SRResNet
from gm_core.models.style_network import StyleNetwork
from gm_core.models.transformer_net import TransformerNet
from gm_core.models.translation_generator import Translators
from gm_core.models.unet_generator import UnetGenerator

NETWORKS = {
    "srresnet": (SRResNet, {"channels": 4, "blocks": 2, "scale": 4}),
    "srgan": (SRGANGenerator, {"channels": 4, "blocks": 2, "scale": 4, "norm": True}),
    "srgan-old": (SRGANGenerator, {"channels": 4, "blocks": 3, "scale": 2, "norm": False}),
    "rrdbnet": (RRDBNet, {"channels": 8, "blocks": 2, "growth": 4}),
    "style": (StyleNetwork, {"styles": 16, "channels": 8, "blocks": 1, "half": 6, "full": 4}),
    "transformer": (TransformerNet, {"channels": 4}),
    "translators": (Translators, {"channels": 8, "blocks": 1, "half": 8}),
    "resnet": (ResnetGenerator, {"inputs": 3, "outputs": 3, "channels": 2, "blocks": 6, "norm": "instance", "dropout": False}),
    "unet": (UnetGenerator, {"inputs": 3, "outputs": 3, "channels": 2, "floors": 7, "norm": "batch"}),
    "pix2pix": (Pix2PixGenerator, {"inputs": 12, "outputs": 3, "widths": [6, 8, 10, 12, 14], "attributes": 0,
                                   "kind": "labels"}),
    "pix2pix-told": (Pix2PixGenerator, {"inputs": 5, "outputs": 3, "widths": [6, 8, 10, 12, 14], "attributes": 7,
                                        "kind": "portrait"}),
    "inpainting": (InpaintingGenerator, {"widths": [4, 8, 12, 16], "blocks": [1, 2, 1], "local": 0.25, "match": 8,
                                         "finish": [8, 12], "finish_blocks": 2}),
    "lama": (LaMa, {"channels": 4, "blocks": 2, "downs": 2}),
    "portraits": (Generator, {"attributes": 5, "latent": 6, "style": 8, "channels": [8, 6, 4]}),
    "dcgan": (DCGANGenerator, {"latent": 6, "widths": [8, 6, 4], "outputs": 3}),
}
"""Name -> (class, the arguments that its weights must tell)."""


def network(name: str, seed: int = 0) -> nn.Module:
    """Random weights of a seed, statistics as after some training."""
    torch.manual_seed(seed)
    maker, config = NETWORKS[name]
    made = maker(**config).eval()
    for key, value in made.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif key.endswith("running_mean"):
            value.normal_(std=0.1)
    for head in ("tail", "a_to_b.tail", "b_to_a.tail"):  # some begin at zero, which shows nothing
        if f"{head}.weight" in made.state_dict():
            nn.init.normal_(made.get_submodule(head).weight, std=0.03)
    return made


def shapes(state) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}


def saved(path, name: str, seed: int = 0, **header: str):
    """As safetensors, or by torch.save where the path says so."""
    state = network(name, seed).state_dict()
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path, metadata=header or None)
    else:
        torch.save(state, path)
    return path
