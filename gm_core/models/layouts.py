"""Which network a file of weights holds: told from the names and shapes of its tensors alone, before any is loaded.

`recognised` compares them with every layout known here, each built without memory (torch's "meta" device) at the sizes that
the shapes say. Only an exact match counts; for anything else the message names the nearest layout and where it differs.
What leaves no trace in the weights (the kind of drawing, dropout) may be stated in the file's header or its config.json.
"""

import importlib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gm_core.errors import CheckpointError
from gm_core.models import community

Shapes = Mapping[str, tuple[int, ...]]
Config = dict[str, Any]

SHOWN = 5
"""Names of tensors that a message lists before it says how many more there are."""
COUNTER = "num_batches_tracked"
"""Counters of batches appeared in torch 0.4.1 and change nothing; files without them are whole."""


@dataclass(frozen=True)
class Layout:
    """One way in which weights are named and shaped."""

    title: str
    tasks: tuple[str, ...]
    build: str
    """"module:Class" below `gm_core.models`."""
    configured: Callable[[Shapes, Config], Config]
    """(shapes, what is stated) -> those arguments of the class that the shapes tell. A KeyError, IndexError or ValueError
    says that they tell nothing."""
    default: Config
    """Arguments to compare a file with that tells nothing."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Patterns of other names for the same tensors, and this layout's."""
    dropped: str = r"(?!)"
    """Pattern of tensors that old files carry and nothing reads."""


@dataclass(frozen=True)
class Recognised:
    """What `recognised` found."""

    layout: Layout
    config: Config
    """Arguments of the layout's class."""
    names: dict[str, str]
    """The network's name of each tensor -> its name in the file."""
    notes: tuple[str, ...]
    """What had to be done to the names."""

    def network(self) -> nn.Module:
        """The network, its weights not yet filled in."""
        return _maker(self.layout)(**self.config)


# --- what shapes tell ---------------------------------------------------------------------------------------------------


def _count(shapes: Shapes, pattern: str) -> int:
    """How many different first groups the pattern finds at the beginning of names."""
    return len({match[1] for key in shapes if (match := re.match(pattern, key))})


def _srresnet(shapes: Shapes, stated: Config) -> Config:
    return {"channels": shapes["head.weight"][0], "blocks": _count(shapes, r"body\.(\d+)\."),
            "scale": math.isqrt(shapes["tail.weight"][0] // 3)}


def _srgan(shapes: Shapes, stated: Config) -> Config:
    blocks = _count(shapes, r"block(\d+)\.conv1\.")
    return {"channels": shapes["block1.0.weight"][0], "blocks": blocks, "norm": f"block{2 + blocks}.1.running_mean" in shapes,
            "scale": 2 ** _count(shapes, rf"block{3 + blocks}\.(\d+)\.conv\.")}


def _rrdbnet(shapes: Shapes, stated: Config) -> Config:
    return {"channels": shapes["conv_first.weight"][0], "blocks": _count(shapes, r"body\.(\d+)\."),
            "growth": shapes["body.0.rdb1.conv1.weight"][0]}


def _style(shapes: Shapes, stated: Config) -> Config:
    styles, channels = shapes["head_norm.scale"]
    return {"styles": styles, "channels": channels, "blocks": _count(shapes, r"blocks\.(\d+)\."),
            "half": shapes["half_norm.scale"][1], "full": shapes["full_norm.scale"][1]}


def _transformer(shapes: Shapes, stated: Config) -> Config:
    return {"channels": shapes["conv1.conv2d.weight"][0]}


def _translators(shapes: Shapes, stated: Config) -> Config:
    return {"channels": shapes["a_to_b.head.weight"][0], "blocks": _count(shapes, r"a_to_b\.blocks\.(\d+)\."),
            "half": shapes["a_to_b.widen.weight"][0]}


def _community(wanted: str) -> Callable[[Shapes, Config], Config]:
    def configured(shapes: Shapes, stated: Config) -> Config:
        state = {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
        try:
            layout, config = community.recognised(state, "The file")
        except CheckpointError as error:
            raise ValueError from error
        if layout != wanted:
            raise ValueError
        if layout == "unet_generator":  # dropout alone leaves no trace in a U-Net's weights
            config.pop("dropout")
        return config

    return configured


def _pix2pix(shapes: Shapes, stated: Config) -> Config:
    downs = _count(shapes, r"down\.(\d+)\.weight")
    widths = [shapes["fine.weight"][0], shapes["head.weight"][0], *(shapes[f"down.{i}.weight"][0] for i in range(downs))]
    attributes = shapes["tint.weight"][1] if "tint.weight" in shapes else 0
    # what is unshuffled, twice and four times, and hints of the attributes in both
    inputs = (shapes["head.weight"][1] - shapes["fine.weight"][1]) // 12
    found: Config = {"inputs": inputs, "outputs": shapes["tail.weight"][0] // 4, "widths": widths, "attributes": attributes}
    if "kind" not in stated:
        found["kind"] = "luminance" if found["outputs"] == 2 else "labels" if not attributes else "portrait"
    if "choose.weight" in shapes and "moods" not in stated:
        found["moods"] = [[0.0] * 6] * shapes["choose.weight"][0]  # nobody says what they were
    return found


def _inpainting(shapes: Shapes, stated: Config) -> Config:
    eighth = shapes["coarse.down1.weight"][0]
    local = next(shapes[key][1] for key in shapes if key.endswith("before.0.conv1.from_local.weight"))
    return {"widths": [shapes[f"coarse.{place}.weight"][0] for place in ("polish", "head", "down1", "down2")],
            "blocks": [_count(shapes, rf"coarse\.{place}\.(\d+)\.") for place in ("before", "middle", "after")],
            "local": local / eighth, "match": shapes["attention.query.2.weight"][0],
            "finish": [shapes[f"finish.{place}.weight"][0] for place in ("head", "down")],
            "finish_blocks": _count(shapes, r"finish\.blocks\.(\d+)\."), "grain": stated.get("grain", 1.0)}


def _lama(shapes: Shapes, stated: Config) -> Config:
    numbers = [int(key.split(".")[1]) for key in shapes if ".conv1.ffc.convl2l.weight" in key]
    downs = min(numbers) - 2
    if not 1 <= downs <= 6:  # a number in a name, which anyone may write
        raise ValueError
    return {"channels": shapes["model.1.bn_l.weight"][0], "blocks": len(numbers), "downs": downs}


def _portrait_channels(shapes: Shapes, place: str) -> list[int]:
    return [shapes[f"{place}.{i}.conv.weight"][0] for i in range(_count(shapes, rf"{place}\.(\d+)\.conv\."))]


def _portraits(shapes: Shapes, stated: Config) -> Config:
    attributes = shapes["directions"][0]
    style, inputs = shapes["mapping.0.weight"]
    return {"attributes": attributes, "latent": inputs - attributes, "style": style,
            "channels": [shapes["constant"][1], *_portrait_channels(shapes, "before")]}


def _dcgan(shapes: Shapes, stated: Config) -> Config:
    kernels = sorted((int(key.split(".")[1]), shape) for key, shape in shapes.items()
                     if re.fullmatch(r"main\.\d+\.weight", key) and len(shape) == 4)
    return {"latent": kernels[0][1][0], "widths": [shape[1] for _, shape in kernels[:-1]], "outputs": kernels[-1][1][1]}


STATISTICS = r"\.(running_mean|running_var|num_batches_tracked)"
TRANSLATE = ("cyclegan", "pix2pix")

LAYOUTS = (
    Layout("SRResNet of this gallery", ("srgan",), "srresnet:SRResNet", _srresnet, {}),
    Layout("SRGAN generator, the field's layout", ("srgan",), "srgan_layout:SRGANGenerator", _srgan, {}),
    Layout("RRDBNet (ESRGAN, Real-ESRGAN)", ("srgan",), "rrdbnet:RRDBNet", _rrdbnet, {}, renamed=(
        # as ESRGAN's authors named them, and as the older files before that
        (r"RRDB_trunk\.(\d+)\.RDB(\d)\.", r"body.\1.rdb\2."), (r"trunk_conv\.", "conv_body."), (r"upconv(\d)\.", r"conv_up\1."),
        (r"HRconv\.", "conv_hr."), (r"model\.0\.", "conv_first."),
        (r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\.", r"body.\1.rdb\2.conv\3."), (r"model\.1\.sub\.\d+\.", "conv_body."),
        (r"model\.3\.", "conv_up1."), (r"model\.6\.", "conv_up2."), (r"model\.8\.", "conv_hr."),
        (r"model\.10\.", "conv_last."))),
    Layout("Style network of this gallery", ("style_transfer",), "style_network:StyleNetwork", _style, {"styles": 16}),
    Layout("Fast neural style, PyTorch's examples", ("style_transfer",), "transformer_net:TransformerNet", _transformer, {},
           dropped=r".*\bin\d\.(running_mean|running_var|num_batches_tracked)"),
    Layout("Translators of this gallery", ("cyclegan",), "translation_generator:Translators", _translators, {}),
    Layout("ResNet generator, the field's layout", TRANSLATE, "resnet_generator:ResnetGenerator",
           _community("resnet_generator"), {}),
    Layout("U-Net generator, the field's layout", TRANSLATE, "unet_generator:UnetGenerator", _community("unet_generator"), {}),
    Layout("pix2pix generator of this gallery", ("pix2pix", "portraits"), "pix2pix_generator:Pix2PixGenerator", _pix2pix,
           {"inputs": 12}),
    Layout("Inpainting generator of this gallery", ("inpainting",), "inpainting_generator:InpaintingGenerator", _inpainting,
           {}),
    Layout("LaMa", ("inpainting",), "lama:LaMa", _lama, {}),
    Layout("Portrait generator of this gallery", ("portraits",), "portrait_gan:Generator", _portraits, {"attributes": 1}),
    Layout("DCGAN generator, PyTorch's tutorial", ("portraits",), "dcgan:DCGANGenerator", _dcgan, {}),
)


# --- recognising --------------------------------------------------------------------------------------------------------


def recognised(shapes: Shapes, stated: Config | None = None, *, said: str = "", title: str = "The file") -> Recognised:
    """The layout whose tensors are exactly these.

    said: the layout's `build`, or the module of it, as a header or a config.json may name it; stated: the arguments of its
    class that stand beside it. Both must agree with the weights.

    Raises CheckpointError: the nearest layout and what differs; or what the header says and the weights do not.
    """
    stated = stated or {}
    near: list[tuple[float, Layout, list[str]]] = []
    untold: list[tuple[Layout, dict[str, tuple[int, ...]]]] = []
    for begun, prefix in _without_wrappers(shapes):
        for layout in LAYOUTS:
            names = _named(begun, layout)
            these = {own: shapes[prefix + key] for own, key in names.items()}
            try:
                told = layout.configured(these, stated)
                config = {**_left_open(layout, stated), **told}
                own = _described(layout, config)
            except (KeyError, IndexError, ValueError, ZeroDivisionError, StopIteration, TypeError, RuntimeError):
                untold.append((layout, these))
                continue
            likeness, differences = _compared(own, these)
            if not differences:
                _check_said(layout, told, said, stated, title)
                return Recognised(layout, config, {key: prefix + name for key, name in names.items()},
                                  _notes(shapes, names, prefix))
            near.append((likeness, layout, differences))
    for layout, these in untold:  # they may still come near
        likeness, differences = _compared(_described(layout, layout.default), these)
        near.append((likeness, layout, differences))
    raise CheckpointError(_unknown(shapes, max(near, key=lambda entry: entry[0], default=None), title))


def _maker(layout: Layout) -> Callable[..., nn.Module]:
    module, _, attribute = layout.build.partition(":")
    return getattr(importlib.import_module(f"gm_core.models.{module}"), attribute)


def _left_open(layout: Layout, stated: Config) -> Config:
    """What is stated and the class takes. Sizes are then overruled by the weights: a header's claim costs no memory."""
    return {key: value for key, value in stated.items() if key in inspect.signature(_maker(layout)).parameters}


def _described(layout: Layout, config: Config) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the layout's tensors."""
    with torch.device("meta"):
        network = _maker(layout)(**config)
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def _compared(own: dict[str, tuple[int, ...]], these: dict[str, tuple[int, ...]]) -> tuple[float, list[str]]:
    """(how alike, 0..1, and in words what differs; no words for an exact match)."""
    missing = [key for key in own if key not in these and not key.endswith(COUNTER)]
    unexpected = [key for key in these if key not in own]
    reshaped = [key for key in own if key in these and own[key] != these[key]]
    parts = []
    if missing:
        parts.append(f"{len(missing)} missing ({_listed([f'{key} {own[key]}' for key in missing])})")
    if unexpected:
        parts.append(f"{len(unexpected)} unexpected ({_listed([f'{key} {these[key]}' for key in unexpected])})")
    if reshaped:
        words = _listed([f"{key} is {these[key]}, should be {own[key]}" for key in reshaped])
        parts.append(f"{len(reshaped)} of another shape ({words})")
    return (len(own.keys() & these.keys()) - 0.5 * len(reshaped)) / max(1, len(own.keys() | these.keys())), parts


def _without_wrappers(shapes: Shapes) -> list[tuple[list[str], str]]:
    """The names as they are, then without what all of them begin with ("module.", "generator.model.", ...)."""
    found, keys, prefix = [], list(shapes), ""
    while keys:
        found.append((keys, prefix))
        first = keys[0].partition(".")[0] + "."
        if not all(key.startswith(first) and len(key) > len(first) for key in keys):
            break
        keys, prefix = [key[len(first):] for key in keys], prefix + first
    return found


def _named(keys: list[str], layout: Layout) -> dict[str, str]:
    """The layout's name of each tensor -> its name in the file, without what the layout drops."""
    named = {}
    old = set(keys)
    for key in keys:
        place, _, last = key.rpartition(".")
        # Files from before 2018 carry statistics of instance normalisation without a gain, which nothing reads.
        if re.fullmatch(layout.dropped, key) or (re.fullmatch(STATISTICS, "." + last) and f"{place}.weight" not in old):
            continue
        own = key
        for pattern, name in layout.renamed:
            own = re.sub(f"^{pattern}", name, own)
        named[own] = key
    return named


def _check_said(layout: Layout, told: Config, said: str, stated: Config, title: str) -> None:
    if said and said not in (layout.build, layout.build.partition(":")[0]):
        raise CheckpointError(f"{title} says that its layout is '{said}'; its weights are laid out as {layout.title}.")
    for name, value in stated.items() if said else ():
        if name in told and told[name] != value and not (isinstance(value, float) and math.isclose(value, told[name])):
            raise CheckpointError(f"The config of {title} says {name} = {value}, its weights say {told[name]} "
                                  f"({layout.title}).")


def _notes(shapes: Shapes, names: dict[str, str], prefix: str) -> tuple[str, ...]:
    notes = []
    if prefix:
        notes.append(f"Every name began with '{prefix}', which was left out.")
    if any(own != key for own, key in names.items()):
        notes.append("Names were translated to this gallery's.")
    if len(names) < len(shapes):
        notes.append(f"{len(shapes) - len(names)} old statistics that nothing reads were left aside.")
    return tuple(notes)


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:SHOWN]) + (f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else "")


def _unknown(shapes: Shapes, best: tuple[float, Layout, list[str]] | None, title: str) -> str:
    if not shapes:
        return f"{title} holds no tensors."
    seen = _listed([f"{key} {shape}" for key, shape in shapes.items()])
    words = f"{title} is laid out like no network known here. It has {len(shapes)} tensors: {seen}."
    if best is None or best[0] <= 0:
        return f"{words} No layout comes near."
    return f"{words} The nearest layout is {best[1].title}, from which it differs by {'; '.join(best[2])}."
