"""VGG-16 as a feature extractor (Simonyan and Zisserman 2014, arXiv:1409.1556): what Gatys et al. painted with."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from gm_core.errors import BadInput, CheckpointError

CONVOLUTIONS = {
    "relu1_1": (0, 3, 64), "relu1_2": (2, 64, 64),
    "relu2_1": (5, 64, 128), "relu2_2": (7, 128, 128),
    "relu3_1": (10, 128, 256), "relu3_2": (12, 256, 256), "relu3_3": (14, 256, 256),
    "relu4_1": (17, 256, 512), "relu4_2": (19, 512, 512), "relu4_3": (21, 512, 512),
    "relu5_1": (24, 512, 512), "relu5_2": (26, 512, 512), "relu5_3": (28, 512, 512),
}  # fmt: skip
"""Activation -> (place in torchvision's `features`, channels in, channels out), shallow to deep; relu<n> has stride
2 ** (n - 1)."""
TAPS = tuple(CONVOLUTIONS)


class VGG16Features(nn.Module):
    """Activations of VGG-16 after their ReLU, without its classifier; parameters have torchvision's names."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict(
            {str(place): nn.Conv2d(inputs, outputs, 3, padding=1) for place, inputs, outputs in CONVOLUTIONS.values()}
        )
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor, taps: tuple[str, ...] = TAPS) -> dict[str, Tensor]:
        """x: (B, 3, H, W), RGB in 0..1, H and W at least 16. Returns the activations named in `taps`, shallow first.

        Layers deeper than the deepest one asked for are not computed. Raises BadInput for smaller pictures.
        """
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 16:
            raise BadInput(f"VGG-16 needs pictures (B, 3, H, W) of at least 16 by 16 pixels, not {tuple(x.shape)}.")
        found: dict[str, Tensor] = {}
        x = (x - self.mean) / self.deviation
        for tap, (place, _, _) in CONVOLUTIONS.items():
            if tap.endswith("_1") and tap != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(self.features[str(place)](x))
            if tap in taps:
                found[tap] = x
            if len(found) == len(taps):
                break
        return found


def build(folder: Path) -> VGG16Features:
    """From `model.safetensors` of timm's or torchvision's VGG-16. Raises CheckpointError for convolutions that differ.

    The classifier, nine tenths of the file, is not even read; it is the only thing that may be there besides.
    """
    state: dict[str, Tensor] = {}
    other: list[str] = []
    with safe_open(folder / "model.safetensors", "pt") as file:
        for key in file.keys():  # noqa: SIM118 - not a dict
            if key.startswith("features."):
                state[key] = file.get_tensor(key).float()
            elif not key.startswith(("pre_logits.", "head.", "classifier.")):
                other.append(key)
    network = VGG16Features()
    wanted = {key: value.shape for key, value in network.state_dict().items()}
    reshaped = [key for key in wanted.keys() & state.keys() if wanted[key] != state[key].shape]
    wrong = sorted({*other, *reshaped, *(wanted.keys() ^ state.keys())})
    if wrong:
        raise CheckpointError(f"The weights of VGG-16 do not fit the network: {', '.join(wrong[:6])}.")
    network.load_state_dict(state, strict=True)
    return network
