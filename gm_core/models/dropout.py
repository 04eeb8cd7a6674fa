"""Dropout as pix2pix's noise (Isola et al. 2017, arXiv:1611.07004, section 3.2): drawn when a picture is made, too."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SOURCE: ContextVar[torch.Generator | None] = ContextVar("source of dropout", default=None)


@contextmanager
def drawn_from(seed: int | None) -> Iterator[None]:
    """Inside, every `Dropout` of networks that this thread runs draws from the seed; with None they let all through.

    The seed is no attribute of a network, because networks are shared by all visitors.
    """
    token = _SOURCE.set(None if seed is None else torch.Generator().manual_seed(seed))
    try:
        yield
    finally:
        _SOURCE.reset(token)


def drawing() -> bool:
    """Whether this thread is inside `drawn_from` with a seed."""
    return _SOURCE.get() is not None


class Dropout(nn.Module):
    """Drops single values, or whole channels with `channels=True`. While training from torch's own generator; in
    evaluation mode only inside `drawn_from`. Has no parameters, so that it keeps its place in the field's files."""

    def __init__(self, share: float = 0.5, *, channels: bool = False) -> None:
        super().__init__()
        self.share, self.channels = share, channels

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape, the mean kept."""
        if self.training:
            return F.dropout2d(x, self.share) if self.channels else F.dropout(x, self.share)
        source = _SOURCE.get()
        if source is None:
            return x
        shape = (*x.shape[:2], 1, 1) if self.channels else x.shape
        kept = torch.rand(shape, generator=source).to(x.device) >= self.share  # on the CPU: one seed, one picture anywhere
        return x * kept / (1 - self.share)
