"""Files in the layout of the field's reference code: generators of CycleGAN and of pix2pix that others have trained.

`build` recognises from the keys, their shapes and the file's header which network a safetensors file holds, and fills it
strictly. A header may say {"layout": "resnet_generator" or "unet_generator", "config": JSON of the class's arguments};
what it says must agree with the weights. Dropout alone leaves no trace in a U-Net's weights: without a header the paper's
is assumed.

    python -m gm_core.models.community latest_net_G.pth model.safetensors

turns a reference file of tensors into such a safetensors file, header included. The pickle is read by torch's
`weights_only`, which runs no program; in the gallery itself no pickle is ever opened.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from gm_core.errors import CheckpointError
from gm_core.models.resnet_generator import ResnetGenerator
from gm_core.models.unet_generator import UnetGenerator

LAYOUTS: dict[str, type[ResnetGenerator] | type[UnetGenerator]] = {
    "resnet_generator": ResnetGenerator, "unet_generator": UnetGenerator}
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
_SHOWN = 6


def build(folder: Path) -> ResnetGenerator | UnetGenerator:
    """The generator of the one safetensors file in `folder`, on the CPU. Raises CheckpointError, naming what differs."""
    files = sorted(folder.glob("*.safetensors"))
    if len(files) != 1:
        raise CheckpointError(f"One safetensors file was expected in {folder.name}, not {len(files)}.")
    try:
        with safe_open(files[0], "pt") as file:
            header = file.metadata() or {}
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
    except SafetensorError as error:
        raise CheckpointError(f"{files[0].name} is not a whole safetensors file ({error}).") from error
    return from_state(state, header, files[0].name)


def from_state(state: dict[str, Tensor], header: dict[str, str], title: str) -> ResnetGenerator | UnetGenerator:
    """The generator that has exactly these weights. Raises CheckpointError."""
    state = without_old_statistics(state)
    layout, config = recognised(state, title)
    said = header.get("layout")
    if said is not None and said not in LAYOUTS:
        raise CheckpointError(f"The header of {title} says the layout '{said}', which is not known here. Known are: "
                              f"{', '.join(LAYOUTS)}.")
    if said is not None and said != layout:
        raise CheckpointError(f"The header of {title} says the layout '{said}', its weights are those of a {layout}.")
    stated = _stated_config(header, title)
    for name, value in stated.items():
        # what leaves no trace in the weights is the header's to say
        if name in config and config[name] != value and (layout, name) != ("unet_generator", "dropout"):
            raise CheckpointError(f"The header of {title} says {name} = {value}, its weights say {config[name]}.")
        config[name] = value
    try:
        network = LAYOUTS[layout](**config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"The header of {title} describes no {layout}: {error}") from error
    _fill(network, state, title)
    return network


def without_old_statistics(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Files from before 2018 carry statistics of instance normalisation, which nothing reads: a mean without a weight."""
    def unused(key: str) -> bool:
        place, _, name = key.rpartition(".")
        return name in _STATISTICS and f"{place}.weight" not in state

    return {key: value for key, value in state.items() if not unused(key)}


def recognised(state: dict[str, Tensor], title: str) -> tuple[str, dict[str, Any]]:
    """(layout, arguments of its class) as keys and shapes tell. Raises CheckpointError for anything else."""
    if _is_kernel(state.get("model.1.weight"), 7):
        return "resnet_generator", _resnet_config(state, title)
    if _is_kernel(state.get("model.model.0.weight"), 4):
        return "unet_generator", _unet_config(state)
    keys = sorted(state)
    raise CheckpointError(f"{title} is laid out neither like a ResNet generator (model.1.weight, 7x7) nor like a U-Net "
                          f"(model.model.0.weight, 4x4). It begins with: {', '.join(keys[:_SHOWN])}.")


def _is_kernel(weight: Tensor | None, side: int) -> bool:
    return weight is not None and weight.ndim == 4 and tuple(weight.shape[2:]) == (side, side)


def _resnet_config(state: dict[str, Tensor], title: str) -> dict[str, Any]:
    channels, inputs = state["model.1.weight"].shape[:2]
    blocks = len({match[1] for key in state if (match := re.match(r"model\.(\d+)\.conv_block\.", key))})
    last = f"model.{17 + blocks}.weight"  # 10 layers before the blocks, 6 of the way up, the padding
    if last not in state:
        raise CheckpointError(f"{title} looks like a ResNet generator with {blocks} blocks, but {last} is missing.")
    return {"inputs": inputs, "outputs": state[last].shape[0], "channels": channels, "blocks": blocks,
            "norm": "batch" if "model.2.weight" in state else "instance",
            # dropout between the two convolutions moves the second one by a place
            "dropout": "model.10.conv_block.6.weight" in state and "model.10.conv_block.5.weight" not in state}


def _unet_config(state: dict[str, Tensor]) -> dict[str, Any]:
    channels, inputs = state["model.model.0.weight"].shape[:2]
    floors = max(key.count(".model.") for key in state)
    outputs = state["model.model.3.weight"].shape[1] if "model.model.3.weight" in state else 3
    return {"inputs": inputs, "outputs": outputs, "channels": channels, "floors": floors,
            "norm": "batch" if "model.model.1.model.2.weight" in state else "instance", "dropout": True}


def _stated_config(header: dict[str, str], title: str) -> dict[str, Any]:
    try:
        config = json.loads(header.get("config", "{}"))
    except ValueError as error:
        raise CheckpointError(f"The config in the header of {title} is no JSON.") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"The config in the header of {title} is no dictionary.")
    return config


def _fill(network: nn.Module, state: dict[str, Tensor], title: str) -> None:
    own = network.state_dict()
    # Counters of batches appeared in torch 0.4.1 and change nothing; files without them are whole.
    state = {**{key: value for key, value in own.items() if key.endswith(".num_batches_tracked")}, **state}
    parts = [("missing", sorted(own.keys() - state.keys())), ("unexpected", sorted(state.keys() - own.keys())),
             ("of another shape", [f"{key} is {tuple(state[key].shape)}, should be {tuple(own[key].shape)}"
                                   for key in sorted(own.keys() & state.keys()) if own[key].shape != state[key].shape])]
    if any(keys for _, keys in parts):
        words = "; ".join(f"{len(keys)} {what} ({', '.join(keys[:_SHOWN])}{', ...' if len(keys) > _SHOWN else ''})"
                          for what, keys in parts if keys)
        raise CheckpointError(f"The weights of {title} do not fit a {type(network).__name__}: {words}.")
    network.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()}, strict=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    state: dict[str, Tensor] = dict(torch.load(args.source, map_location="cpu", weights_only=True))
    network = from_state(state, {}, args.source.name)
    layout, config = recognised(without_old_statistics(state), args.source.name)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, args.target,
              metadata={"format": "pt", "layout": layout, "config": json.dumps(config)})


if __name__ == "__main__":
    main()
