"""OpenVINO instead of PyTorch: it takes what it may, and gives the same pictures."""

import subprocess
import sys

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from torch import Tensor, nn

from gm_core import backends
from gm_core.checkpoints import find
from gm_core.errors import GMError
from gm_core.load import AGREEMENT_DB, build, unload
from gm_core.models.dropout import drawn_from
from gm_core.models.resnet_generator import ResnetGenerator, waves
from gm_core.models.translation_generator import TranslationGenerator
from gm_core.tasks.cyclegan import cyclegan

pytest.importorskip("openvino")


@pytest.fixture(autouse=True)
def nothing_loaded():
    unload()
    yield
    unload()


@pytest.fixture(scope="module")
def generator() -> TranslationGenerator:
    record = find("cyclegan-monet")
    return build(record, record.folder).eval().requires_grad_(False).a_to_b  # pyright: ignore


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10((a - b).square().mean().clamp_min(1e-12)))


def taken(network: nn.Module) -> list[float]:
    return backends.take_over(network, torch.float32, AGREEMENT_DB)


def test_a_wrong_setting_says_what_to_write(monkeypatch):
    monkeypatch.setenv("GM_BACKEND", "tensorrt")
    with pytest.raises(GMError, match=r"GM_BACKEND is 'tensorrt'\. Use openvino or torch"):
        backends.wanted()
    monkeypatch.setenv("GM_BACKEND", "torch")
    assert not backends.wanted()
    monkeypatch.delenv("GM_BACKEND")
    assert backends.wanted()  # it is installed here


def test_where_it_is_missing_pytorch_goes_on_unless_it_was_asked_for(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("GM_BACKEND", raising=False)
    assert not backends.wanted()
    monkeypatch.setenv("GM_BACKEND", "openvino")
    with pytest.raises(GMError, match="pip install openvino"):
        backends.wanted()


def test_sizes_it_never_saw_come_out_alike(generator):
    exact = TranslationGenerator().eval().requires_grad_(False)
    exact.load_state_dict(generator.state_dict())
    (reached,) = taken(generator)
    assert reached > 60
    with torch.inference_mode():
        for shape in ((256, 256), (97, 333), (16, 40)):
            x = torch.nn.functional.interpolate(waves(3, 128), shape, mode="bilinear")
            assert psnr(generator(x), exact(x)) > 60
        both = torch.cat([waves(3, 64), -waves(3, 64)])
        assert torch.equal(generator(both), exact(both)), "a batch is PyTorch's"


class OfOneSize(nn.Module):
    """Right at the size it was traced with, wrong at any other: a loop over rows is written down as it ran."""

    compiles = True

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return torch.cat([y[:, :, row : row + 1] / (1 + row) for row in range(x.shape[2])], 2)

    def example_inputs(self) -> tuple[Tensor]:
        return (waves(3, 32),)


class NotSure(OfOneSize):
    """Computes in a way that no graph holds."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.sort(x.numpy(), 3))


@pytest.mark.parametrize("kind", [OfOneSize, NotSure])
def test_what_it_would_compute_wrongly_stays_in_pytorch(kind):
    torch.manual_seed(0)
    network = kind().eval().requires_grad_(False)
    x = torch.rand(1, 3, 48, 20)
    before = network(x)
    assert taken(network) == []
    with torch.inference_mode():
        assert torch.equal(network(x), before)


def test_the_noise_of_dropout_is_drawn_by_pytorch():
    torch.manual_seed(0)
    network = ResnetGenerator(channels=8, blocks=2, dropout=True).eval().requires_grad_(False)
    x = waves(3, 64)
    with torch.inference_mode():
        with drawn_from(3):
            before = network(x)
        assert len(taken(network)) == 1
        with drawn_from(3):
            assert torch.equal(network(x), before)
        assert not torch.equal(network(x), before)


def test_a_task_gives_the_same_picture_and_always_the_same(monkeypatch):
    image = Image.fromarray(skimage.data.chelsea()[:200, :280])
    monkeypatch.setenv("GM_BACKEND", "torch")
    of_torch = torch.from_numpy(np.asarray(cyclegan(image)).copy()) / 255
    unload()
    monkeypatch.setenv("GM_BACKEND", "openvino")
    first, second = (np.asarray(cyclegan(image)).copy() for _ in range(2))
    assert np.array_equal(first, second)
    assert 40 < psnr(torch.from_numpy(first) / 255, of_torch) < 100, "both round to short floats, each in its way"


def test_it_reports_to_nobody():
    """OpenVINO's own statistics are sent to its makers unless they are left out."""
    script = ("import sys, torch; from gm_core import backends; from gm_core.models.translation_generator import "
              "TranslationGenerator as G; g = G(8, 1, 8).eval().requires_grad_(False); "
              "print(len(backends.take_over(g, torch.float32, 45.0)), sys.modules['openvino_telemetry'])")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "None"]
