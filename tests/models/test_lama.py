"""LaMa's network at a tiny size: laid out as the authors' checkpoints, filled strictly."""

import pytest
import torch
from safetensors.torch import save_file

from gm_core.errors import BadInput, CheckpointError
from gm_core.models.lama import FourierUnit, LaMa, build

TINY = {"channels": 4, "blocks": 2, "downs": 2}


@pytest.fixture
def tiny() -> LaMa:
    torch.manual_seed(0)
    return LaMa(**TINY).eval()


def test_the_large_one_has_the_keys_and_shapes_of_the_authors_file():
    """989 tensors are known to be in it; a few of each kind by name."""
    with torch.device("meta"):
        shapes = {key: tuple(value.shape) for key, value in LaMa().state_dict().items()}
    assert len(shapes) == 989
    assert shapes["model.1.ffc.convl2l.weight"] == (64, 4, 7, 7)
    assert shapes["model.4.ffc.convl2g.weight"] == (384, 256, 3, 3)
    assert shapes["model.5.conv1.ffc.convg2g.conv1.0.weight"] == (192, 384, 1, 1)
    assert shapes["model.22.conv2.ffc.convg2g.fu.conv_layer.weight"] == (384, 384, 1, 1)
    assert shapes["model.22.conv2.bn_g.running_var"] == (384,)
    assert shapes["model.24.weight"] == (512, 256, 3, 3) and shapes["model.34.weight"] == (3, 64, 7, 7)
    assert "model.1.bn_g.weight" not in shapes and "model.5.conv1.ffc.convl2l.bias" not in shapes


@torch.inference_mode()
@pytest.mark.parametrize("size", [(32, 32), (33, 50), (64, 35)])
def test_outside_the_hole_nothing_changes(tiny, size):
    x, mask = torch.rand(1, 3, *size), torch.zeros(1, 1, *size)
    mask[..., 10:20, 8:30] = 1
    y = tiny(x, mask)
    assert torch.equal(torch.where(mask > 0, x, y), x)
    assert not torch.equal(x, y) and y.min() >= 0 and y.max() <= 1
    torch.testing.assert_close(y, tiny(x * (1 - mask) + 0.9 * mask, mask), rtol=0, atol=1e-6)


def test_the_fourier_unit_takes_real_and_imaginary_parts_of_a_channel_together():
    """By hand: ReLU of both parts, each channel for itself, where the convolution and the norm do nothing."""
    unit, x = FourierUnit(3).eval(), torch.randn(2, 3, 8, 6)
    unit.conv_layer.weight.data = torch.eye(6)[:, :, None, None]
    spectrum = torch.fft.rfft2(x, norm="ortho")
    by_hand = torch.complex(spectrum.real.clamp_min(0), spectrum.imag.clamp_min(0)) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(unit(x), torch.fft.irfft2(by_hand, s=(8, 6), norm="ortho"), rtol=1e-4, atol=1e-5)
    unit.conv_layer.weight.data[1] = 0  # the imaginary part of the first channel
    by_hand[:, 0] = torch.complex(by_hand[:, 0].real, torch.zeros_like(by_hand[:, 0].real))
    torch.testing.assert_close(unit(x), torch.fft.irfft2(by_hand, s=(8, 6), norm="ortho"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "generator."])
def test_it_is_built_from_a_file_with_or_without_the_authors_prefix(tiny, tmp_path, prefix):
    save_file({prefix + key: value for key, value in tiny.state_dict().items()}, tmp_path / "any-name.safetensors")
    built = build(tmp_path).eval()
    x, mask = torch.rand(1, 3, 40, 40), torch.zeros(1, 1, 40, 40)
    mask[..., 10:20, 10:20] = 1
    with torch.inference_mode():
        assert torch.equal(built(x, mask), tiny(x, mask))


@pytest.mark.parametrize(("spoil", "named"), [
    (lambda state: state.pop("model.5.conv1.bn_g.weight"), "model.5.conv1.bn_g.weight"),
    (lambda state: state.update({"discriminator.weight": torch.zeros(2)}), "discriminator.weight"),
    (lambda state: state.update({"model.5.conv1.bn_l.bias": torch.zeros(3)}), "model.5.conv1.bn_l.bias"),
    (lambda state: state.pop("model.1.bn_l.weight"), "not laid out like LaMa"),
    (lambda state: [state.pop(key) for key in list(state) if ".conv1.ffc.convl2l" in key], "not laid out like LaMa"),
])
def test_a_file_that_does_not_fit_is_refused_by_name(tiny, tmp_path, spoil, named):
    state = tiny.state_dict()
    spoil(state)
    save_file(state, tmp_path / "big-lama.safetensors")
    with pytest.raises(CheckpointError, match=named):
        build(tmp_path)


@pytest.mark.parametrize(("shape", "mask_shape"), [((1, 3, 31, 40), (1, 1, 31, 40)), ((1, 3, 48, 48), (1, 1, 40, 48))])
def test_other_shapes_are_refused(tiny, shape, mask_shape):
    with pytest.raises(BadInput):
        tiny(torch.rand(shape), torch.zeros(mask_shape))
