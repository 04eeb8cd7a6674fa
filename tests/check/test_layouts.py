"""Which network a file holds: told from names and shapes, strictly; and networks that were written from papers, checked
against ones that are built here as the files' authors build them."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gm_core.errors import BadInput, CheckpointError
from gm_core.models.dcgan import DCGANGenerator
from gm_core.models.layouts import LAYOUTS, recognised
from gm_core.models.srgan_layout import SRGANGenerator
from gm_core.models.transformer_net import TransformerNet
from tests.check.tiny import NETWORKS, network, shapes


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layout_is_recognised_with_its_sizes(name):
    made = network(name)
    found = recognised(shapes(made.state_dict()))
    assert found.layout.build.endswith(f":{type(made).__name__}")
    assert {key: found.config[key] for key in NETWORKS[name][1]} == NETWORKS[name][1]
    again = found.network()
    again.load_state_dict(made.state_dict(), strict=True)
    assert found.notes == ()


def test_no_layout_was_forgotten_above():
    named = {maker.__name__ for maker, _ in NETWORKS.values()}
    assert named == {layout.build.partition(":")[2] for layout in LAYOUTS}


@pytest.mark.parametrize("prefix", ["module.", "netG.", "generator.model.", "_orig_mod.module."])
def test_wrappers_are_seen_through(prefix):
    own = shapes(network("srresnet").state_dict())
    found = recognised({prefix + key: shape for key, shape in own.items()})
    assert found.layout.build == "srresnet:SRResNet" and prefix in found.notes[0]
    assert found.names == {key: prefix + key for key in own}


@pytest.mark.parametrize("names", [
    [(r"^body\.(\d+)\.rdb(\d)\.", r"RRDB_trunk.\1.RDB\2."), (r"^conv_body\.", "trunk_conv."), (r"^conv_up(\d)\.", r"upconv\1."),
     (r"^conv_hr\.", "HRconv.")],
    [(r"^body\.(\d+)\.rdb(\d)\.conv(\d)\.", r"model.1.sub.\1.RDB\2.conv\3.0."), (r"^conv_body\.", "model.1.sub.2."),
     (r"^conv_first\.", "model.0."), (r"^conv_up1\.", "model.3."), (r"^conv_up2\.", "model.6."), (r"^conv_hr\.", "model.8."),
     (r"^conv_last\.", "model.10.")],
])
def test_older_names_of_esrgan_are_the_same_network(names):
    own = shapes(network("rrdbnet").state_dict())
    old = {}
    for key, shape in own.items():
        for pattern, name in names:
            key = re.sub(pattern, name, key)
        old[key] = shape
    assert old.keys() != own.keys()
    found = recognised(old)
    assert found.layout.build == "rrdbnet:RRDBNet" and found.names.keys() == own.keys()
    assert "translated" in found.notes[0]


def test_old_files_without_counters_and_with_idle_statistics_are_whole():
    own = shapes(network("srgan").state_dict())
    assert recognised({key: shape for key, shape in own.items() if "num_batches" not in key}).layout.tasks == ("srgan",)
    old = {**shapes(network("transformer").state_dict()), "in1.running_mean": (4,), "res2.in1.running_var": (16,)}
    found = recognised(old)
    assert found.layout.build == "transformer_net:TransformerNet" and "2 old statistics" in found.notes[0]


def test_an_unknown_layout_names_what_it_saw_the_nearest_and_what_differs():
    own = shapes(network("srresnet").state_dict())
    own["tail.bias"] = (7,)
    del own["fuse.bias"]
    own["colour.weight"] = (1, 2)
    with pytest.raises(CheckpointError) as caught:
        recognised(own, title="mine.safetensors")
    words = str(caught.value)
    assert words.startswith("mine.safetensors is laid out like no network known here. It has 14 tensors: ")
    assert "The nearest layout is SRResNet of this gallery" in words
    for part in ("1 missing (fuse.bias (4,))", "1 unexpected (colour.weight (1, 2))", "tail.bias is (7,), should be (48,)"):
        assert part in words


def test_nothing_near_and_nothing_at_all_are_said():
    with pytest.raises(CheckpointError, match="No layout comes near"):
        recognised({"conv.weight": (3, 3), "fc.bias": (2,)})
    with pytest.raises(CheckpointError, match="holds no tensors"):
        recognised({})


@pytest.mark.parametrize(("said", "stated", "words"), [
    ("stargan", {}, "says that its layout is 'stargan'; its weights are laid out as SRResNet"),
    ("rrdbnet:RRDBNet", {}, "says that its layout is 'rrdbnet:RRDBNet'"),
    ("srresnet:SRResNet", {"blocks": 900}, "says blocks = 900, its weights say 2"),
    ("srresnet", {"scale": 2}, "says scale = 2, its weights say 4"),
])
def test_a_header_that_contradicts_the_weights_is_refused(said, stated, words):
    with pytest.raises(CheckpointError, match=re.escape(words)):
        recognised(shapes(network("srresnet").state_dict()), stated, said=said)


def test_the_header_says_what_weights_cannot():
    own = shapes(network("pix2pix").state_dict())
    found = recognised(own, {"kind": "luminance", "dropout": 0.2}, said="pix2pix_generator:Pix2PixGenerator")
    assert (found.config["kind"], found.config["dropout"]) == ("luminance", 0.2)
    assert recognised(own).config["kind"] == "labels"


def test_a_number_in_a_name_costs_nothing():
    lama = {key.replace("model.4.", "model.90000000."): shape for key, shape in shapes(network("lama").state_dict()).items()}
    with pytest.raises(CheckpointError, match="laid out like no network"):
        recognised(lama)


# --- parity -------------------------------------------------------------------------------------------------------------


class Layer(nn.Module):
    """A convolution behind a reflection pad, as PyTorch's examples have it."""

    def __init__(self, inputs, outputs, kernel, stride, upsample=None):
        super().__init__()
        self.upsample = upsample
        self.reflection_pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x):
        if self.upsample:
            x = F.interpolate(x, mode="nearest", scale_factor=self.upsample)
        return self.conv2d(self.reflection_pad(x))


def test_the_transformer_network_paints_as_the_examples_do():
    torch.manual_seed(0)
    ours = TransformerNet(4).eval()
    layers = nn.ModuleDict({"conv1": Layer(3, 4, 9, 1), "conv2": Layer(4, 8, 3, 2), "conv3": Layer(8, 16, 3, 2),
                            "deconv1": Layer(16, 8, 3, 1, 2), "deconv2": Layer(8, 4, 3, 1, 2), "deconv3": Layer(4, 3, 9, 1)})
    for i, width in enumerate((4, 8, 16, 8, 4), 1):
        layers[f"in{i}"] = nn.InstanceNorm2d(width, affine=True)
    for i in range(1, 6):
        layers[f"res{i}"] = nn.ModuleDict({"conv1": Layer(16, 16, 3, 1), "in1": nn.InstanceNorm2d(16, affine=True),
                                           "conv2": Layer(16, 16, 3, 1), "in2": nn.InstanceNorm2d(16, affine=True)})
    layers.load_state_dict(ours.state_dict(), strict=True)
    x = torch.rand(2, 3, 32, 24)
    with torch.inference_mode():
        y = 255 * x
        for i in (1, 2, 3):
            y = F.relu(layers[f"in{i}"](layers[f"conv{i}"](y)))
        for i in range(1, 6):
            block = layers[f"res{i}"]
            y = y + block["in2"](block["conv2"](F.relu(block["in1"](block["conv1"](y)))))
        for i in (1, 2):
            y = F.relu(layers[f"in{i + 3}"](layers[f"deconv{i}"](y)))
        torch.testing.assert_close(ours(x), layers["deconv3"](y) / 255, atol=1e-4, rtol=1e-4)
        assert ours(x[..., :31, :21]).shape == (2, 3, 31, 21)
    with pytest.raises(BadInput, match="at least 16 by 16"):
        ours(torch.zeros(1, 3, 8, 32))


def test_dcgan_draws_as_the_tutorial_does():
    torch.manual_seed(0)
    ours = DCGANGenerator(5, (16, 8, 4, 2)).eval()
    tutorial = nn.Module()
    tutorial.main = nn.Sequential(
        nn.ConvTranspose2d(5, 16, 4, 1, 0, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
        nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(True),
        nn.ConvTranspose2d(8, 4, 4, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(True),
        nn.ConvTranspose2d(4, 2, 4, 2, 1, bias=False), nn.BatchNorm2d(2), nn.ReLU(True),
        nn.ConvTranspose2d(2, 3, 4, 2, 1, bias=False), nn.Tanh()).eval()
    tutorial.load_state_dict(ours.state_dict(), strict=True)
    z = torch.randn(2, 5, 1, 1)
    with torch.inference_mode():
        torch.testing.assert_close(ours(z), tutorial.main(z))
    assert ours.side == 64
    with pytest.raises(BadInput, match="Latents must be"):
        ours(torch.zeros(2, 5))


@pytest.mark.parametrize("norm", [True, False])
def test_the_srgan_generator_is_the_paper_s_and_needs_no_more_than_its_halo(norm):
    torch.manual_seed(0)
    ours = SRGANGenerator(4, 2, 4, norm).eval()
    x = torch.rand(1, 3, 60, 60)
    named = dict(ours.named_modules())
    with torch.inference_mode():
        first = named["block1.1"](named["block1.0"](x))
        y = first
        for place in ("block2", "block3"):
            block = named[place]
            y = y + block.bn2(block.conv2(block.prelu(block.bn1(block.conv1(y)))))
        y = first + named["block4"][1](named["block4"][0](y))
        for i in (0, 1):
            up = named["block5"][i]
            y = up.prelu(F.pixel_shuffle(up.conv(y), 2))
        whole = ours(x)
        torch.testing.assert_close(whole, (torch.tanh(named["block5"][2](y)) + 1) / 2)
        h = ours.halo
        part = ours(x[..., 20 - h : 40 + h, 20 - h : 40 + h])[..., 4 * h : -4 * h, 4 * h : -4 * h]
        torch.testing.assert_close(part, whole[..., 80:160, 80:160], atol=1e-6, rtol=1e-4)
