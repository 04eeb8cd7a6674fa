"""Generators in the field's layout: parity with networks built here the reference way, recognition, refusals."""

import functools
import json
import re
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from gm_core.errors import BadInput, CheckpointError
from gm_core.models.community import build, main
from gm_core.models.dropout import drawn_from
from gm_core.models.resnet_generator import ResnetGenerator
from gm_core.models.unet_generator import UnetGenerator

NORMS = {"instance": functools.partial(nn.InstanceNorm2d, affine=False, track_running_stats=False), "batch": nn.BatchNorm2d}


class Block(nn.Module):
    """A residual block, its layers named conv_block.<place> as the reference names them."""

    def __init__(self, width, norm, dropout):
        super().__init__()
        bias = norm == "instance"
        layers = [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), NORMS[norm](width), nn.ReLU(True)]
        layers += [nn.Dropout(0.5)] if dropout else []
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), NORMS[norm](width)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x):
        return x + self.conv_block(x)


class Resnet(nn.Module):
    def __init__(self, width, blocks, norm, dropout):
        super().__init__()
        bias, n = norm == "instance", NORMS[norm]
        self.model = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=bias), n(width), nn.ReLU(True),
            nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), n(2 * width), nn.ReLU(True),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1, bias=bias), n(4 * width), nn.ReLU(True),
            *(Block(4 * width, norm, dropout) for _ in range(blocks)),
            nn.ConvTranspose2d(4 * width, 2 * width, 3, 2, 1, output_padding=1, bias=bias), n(2 * width), nn.ReLU(True),
            nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1, bias=bias), n(width), nn.ReLU(True),
            nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, x):
        return self.model(x)


class Skip(nn.Module):
    """A floor of the U, written as the reference writes it: rectified in place, handed on beside."""

    def __init__(self, layers, outermost=False):
        super().__init__()
        self.model = nn.Sequential(*layers)
        self.outermost = outermost

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


def unet(width, floors, norm, dropout):
    bias, n = norm == "instance", NORMS[norm]

    def middle(outer, inner, below, drop=False):
        return Skip([nn.LeakyReLU(0.2, True), nn.Conv2d(outer, inner, 4, 2, 1, bias=bias), n(inner), below, nn.ReLU(True),
                     nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=bias), n(outer), *([nn.Dropout(0.5)] if drop else [])])

    eight = 8 * width
    net = Skip([nn.LeakyReLU(0.2, True), nn.Conv2d(eight, eight, 4, 2, 1, bias=bias), nn.ReLU(True),
                nn.ConvTranspose2d(eight, eight, 4, 2, 1, bias=bias), n(eight)])
    for _ in range(floors - 5):
        net = middle(eight, eight, net, dropout)
    for k in (4, 2, 1):
        net = middle(k * width, 2 * k * width, net)
    whole = nn.Module()
    whole.model = Skip([nn.Conv2d(3, width, 4, 2, 1, bias=bias), net, nn.ReLU(True),
                        nn.ConvTranspose2d(2 * width, 3, 4, 2, 1), nn.Tanh()], outermost=True)
    return whole


def stirred(network):
    """Statistics of batch normalisation and weights as after some training."""
    generator = torch.Generator().manual_seed(1)
    for name, value in network.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.is_floating_point():
            value.copy_(torch.randn(value.shape, generator=generator) * (0.1 if value.ndim > 1 else 0.3))
    return network.eval()


def saved(network, folder, **header):
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / "model.safetensors",
              metadata=header or None)
    return folder


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize(("blocks", "dropout"), [(6, False), (9, True)])
def test_a_resnet_file_of_the_field_gives_the_same_picture(norm, blocks, dropout, tmp_path):
    reference = stirred(Resnet(4, blocks, norm, dropout))
    network = build(saved(reference, tmp_path)).eval()
    assert isinstance(network, ResnetGenerator) and network.dropout == dropout
    x = torch.rand(2, 3, 36, 24) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(network(x), reference(x.clone()))


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize(("floors", "dropout"), [(7, False), (8, True)])
def test_a_unet_file_of_the_field_gives_the_same_picture(norm, floors, dropout, tmp_path):
    reference = stirred(unet(2, floors, norm, dropout))
    network = build(saved(reference, tmp_path)).eval()
    assert isinstance(network, UnetGenerator) and network.multiple == 2**floors
    x = torch.rand(1, 3, 2**floors, 2**floors) * 2 - 1
    with torch.inference_mode():
        torch.testing.assert_close(network(x), reference.model(x.clone()))


def test_the_names_are_the_field_s():
    resnet, both = ResnetGenerator(channels=2, blocks=9).state_dict(), UnetGenerator(channels=2).state_dict()
    assert resnet["model.1.weight"].shape == (2, 3, 7, 7)
    assert {"model.10.conv_block.1.weight", "model.18.conv_block.5.bias", "model.19.weight", "model.26.bias"} <= resnet.keys()
    assert {"model.model.0.weight", "model.model.1.model.1.weight", "model.model.1.model.2.running_mean",
            "model.model.1.model.3.model.1.weight", "model.model.3.bias"} <= both.keys()
    assert "model.model.0.bias" not in both, "batch normalisation makes the bias idle"


def test_old_statistics_of_instance_normalisation_are_left_aside(tmp_path):
    reference = stirred(Resnet(4, 6, "instance", False))
    state = {**reference.state_dict(), "model.2.running_mean": torch.zeros(4), "model.2.running_var": torch.ones(4)}
    save_file(state, tmp_path / "model.safetensors")
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(build(tmp_path).eval()(x), reference(x))


@pytest.mark.parametrize(("change", "words"), [
    (lambda state: state.pop("model.12.conv_block.1.bias"), "1 missing (model.12.conv_block.1.bias)"),
    (lambda state: state.update({"model.99.weight": torch.zeros(1)}), "1 unexpected (model.99.weight)"),
    (lambda state: state.update({"model.4.weight": torch.zeros(9, 4, 3, 3)}), "model.4.weight is (9, 4, 3, 3), should be (8,"),
    (lambda state: state.pop("model.1.weight"), "laid out neither"),
    (lambda state: state.pop("model.23.weight"), "model.23.weight is missing"),
])
def test_a_file_that_differs_is_refused_and_the_keys_are_named(change, words, tmp_path):
    state = Resnet(4, 6, "instance", False).state_dict()
    change(state)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=re.escape(words)):
        build(tmp_path)


@pytest.mark.parametrize(("header", "words"), [
    ({"layout": "stargan"}, "'stargan', which is not known"),
    ({"layout": "unet_generator"}, "its weights are those of a resnet_generator"),
    ({"layout": "resnet_generator", "config": json.dumps({"blocks": 9})}, "says blocks = 9, its weights say 6"),
    ({"layout": "resnet_generator", "config": "{"}, "no JSON"),
    ({"layout": "resnet_generator", "config": json.dumps({"colour": 1})}, "describes no resnet_generator"),
])
def test_a_header_that_contradicts_the_weights_is_refused(header, words, tmp_path):
    with pytest.raises(CheckpointError, match=re.escape(words)):
        build(saved(Resnet(4, 6, "instance", False), tmp_path, **header))


def test_the_header_says_what_weights_cannot(tmp_path):
    config = json.dumps({"dropout": False})
    assert not build(saved(unet(2, 7, "batch", True), tmp_path, layout="unet_generator", config=config)).dropout


def test_dropout_is_noise_that_a_seed_repeats():
    network = UnetGenerator(channels=2, floors=7).eval()
    x = torch.rand(1, 3, 128, 128) * 2 - 1

    def made(seed):
        with torch.inference_mode(), drawn_from(seed):
            return network(x)

    assert torch.equal(made(3), made(3)) and not torch.equal(made(3), made(4))
    assert torch.equal(made(None), made(None)) and not torch.equal(made(None), made(3))


@pytest.mark.parametrize("shape", [(1, 3, 30, 32), (1, 1, 32, 32), (3, 32, 32)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(BadInput, match="multiples of 4"):
        ResnetGenerator(channels=2, blocks=1)(torch.zeros(shape))
    with pytest.raises(BadInput, match="multiples of 128"):
        UnetGenerator(channels=2, floors=7)(torch.zeros(shape))


def test_a_reference_file_can_be_turned_into_a_safe_one(tmp_path, monkeypatch):
    reference = stirred(unet(2, 7, "batch", False))
    torch.save(reference.state_dict(), tmp_path / "latest_net_G.pth")
    (tmp_path / "safe").mkdir()
    target = tmp_path / "safe" / "model.safetensors"
    monkeypatch.setattr(sys, "argv", ["community", str(tmp_path / "latest_net_G.pth"), str(target)])
    main()
    x = torch.rand(1, 3, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(build(tmp_path / "safe").eval()(x), reference.model(x.clone()))
