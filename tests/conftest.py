"""What all tests share."""

import os

import pytest
import skimage.data
import torch
from PIL import Image

from tests.served import gallery_url

__all__ = ["gallery_url"]


def pytest_configure(config: pytest.Config) -> None:
    """No test but those marked `hub` may ask the real Hub, by mistake or otherwise. (`-m hub` runs these.)"""
    if config.option.markexpr != "hub":
        os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("GM_BACKEND", "torch")  # as for whoever installs no more than the requirements
    torch.set_num_threads(min(2, torch.get_num_threads()))


@pytest.fixture
def photo() -> Image.Image:
    """96 x 64 RGB: a cat's eyes."""
    return Image.fromarray(skimage.data.chelsea()[80:208, 110:302]).resize((96, 64), Image.Resampling.LANCZOS)
