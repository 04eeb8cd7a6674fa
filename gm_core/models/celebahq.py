"""Ho, Jain, Abbeel 2020, "Denoising diffusion probabilistic models" (arXiv:2006.11239): the CelebA-HQ U-Net of diffusers.

x: (B, 3, 256, 256) noisy RGB in -1..1, t: step 0..999 -> the noise in x, (B, 3, 256, 256) in `.sample`.
"""

from pathlib import Path
from typing import Any

from torch import nn

from gm_core.errors import CheckpointError


def build(folder: Path) -> nn.Module:
    """The U-Net of the folder's config.json and safetensors. diffusers renames the keys of old attention blocks by itself.

    Raises CheckpointError unless every weight has its place.
    """
    from diffusers.models.unets.unet_2d import UNet2DModel

    loaded: Any = UNet2DModel.from_pretrained(folder, use_safetensors=True, output_loading_info=True,
                                                local_files_only=True)
    network, told = loaded
    wrong = [*told["missing_keys"], *told["unexpected_keys"], *(str(entry) for entry in told["mismatched_keys"])]
    if wrong:
        raise CheckpointError(f"The weights in {folder.name} do not fit the network: {', '.join(wrong[:3])}.")
    return network
