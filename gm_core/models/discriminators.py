"""PatchGAN discriminators (Isola et al. 2017, arXiv:1611.07004, section 3.2.2): one answer per patch, not per picture."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


class PatchDiscriminator(nn.Module):
    """Is each patch a photograph? Spectral normalisation (Miyato et al. 2018, arXiv:1802.05957) keeps it calm.

    Strides 2, 2, 2, 1, 1: an answer for every 8x8 pixels, each seeing 54x54 (`seen_by`); the paper's, with wider kernels in the
    last two, sees 70x70.
    """

    def __init__(self, inputs: int = 3, channels: tuple[int, ...] = (32, 64, 128, 128)) -> None:
        super().__init__()
        self.convs = nn.ModuleList()
        for i, width in enumerate(channels):
            kernel, stride = (4, 2) if i < 3 else (3, 1)
            self.convs.append(spectral_norm(nn.Conv2d(inputs, width, kernel, stride, padding=1)))
            inputs = width
        self.answer = spectral_norm(nn.Conv2d(inputs, 1, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, inputs, H, W), centred on 0. Returns logits (B, 1, H/8, W/8), positive for photographs."""
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.2)
        return self.answer(x)


def seen_by(network: nn.Module, inputs: int, height: int, width: int, row: int, column: int) -> Tensor:
    """The receptive field of one answer of a fully convolutional network, (height, width) bool: the pixels of an input
    (1, inputs, height, width) that the answer at (row, column) depends on.
    """
    x = torch.randn(1, inputs, height, width, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    [slope] = torch.autograd.grad(network(x)[0, :, row, column].sum(), x)
    return slope[0].abs().amax(0) > 0
