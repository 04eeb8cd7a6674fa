"""Swin2SR (Conde et al. 2022, arXiv:2209.11345): the transformers library's network behind our contract."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.errors import CheckpointError


class Swin2SR(nn.Module):
    """Pads to the window by reflection, asks the library's network, crops what the padding added."""

    halo = 32
    """Pixels of the small picture that a tile needs around it: four windows of 8."""

    def __init__(self, network: nn.Module, scale: int, window: int) -> None:
        super().__init__()
        self.network = network
        self.scale = scale
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, 3, H, W), RGB in 0..1. Returns (B, 3, scale*H, scale*W), RGB around 0..1, not clamped."""
        height, width = x.shape[-2:]
        bottom, right = -height % self.window, -width % self.window
        mode = "reflect" if min(height, width) > self.window else "replicate"
        y = self.network(pixel_values=F.pad(x, (0, right, 0, bottom), mode=mode)).reconstruction
        return y[..., : height * self.scale, : width * self.scale]


def build(folder: Path) -> Swin2SR:
    """From config.json and model.safetensors as transformers writes them. Raises CheckpointError for keys that differ."""
    from transformers import Swin2SRForImageSuperResolution

    loaded: Any = Swin2SRForImageSuperResolution.from_pretrained(
        str(folder), use_safetensors=True, local_files_only=True, output_loading_info=True, dtype=torch.float32,
        ignore_mismatched_sizes=True)  # a wrong shape comes into the report, with its name
    network, report = loaded
    wrong = {kind: sorted(map(str, keys)) for kind, keys in report.items() if keys}
    if wrong:
        raise CheckpointError(f"The weights of Swin2SR do not fit the network: {wrong}.")
    return Swin2SR(network, network.config.upscale, network.config.window_size)
