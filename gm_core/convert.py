"""Old pickled weights into safetensors with their config in the header, for layouts that are known here.

    python -m gm_core.convert netG_epoch_100.pth [model.safetensors] [--config '{"kind": "luminance"}']

The pickle is read by torch's `weights_only`, which builds tensors and runs no program of the file's. What comes out bears the
network's own names, its layout ("architecture", "layout") and the arguments of its class ("config"), and fills the network
strictly. Exit status 1 with a sentence where the file is damaged, wants to run something, or is laid out like no network here.
"""

import argparse
import json
import pickle
import re
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gm_core.checkpoints import PICKLES
from gm_core.errors import CheckpointError
from gm_core.load import read_weights
from gm_core.models.layouts import Recognised, recognised

INSIDE = ("params_ema", "g_ema", "ema", "params", "state_dict", "model_state_dict", "generator", "netG", "net_g", "G", "model",
          "weights", "module", "net")
"""Where training scripts keep the weights beside other things; averaged ones first, as they are what papers show."""
MAX_INFLATED = 50


def read_pickle(path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """(tensors of the state dict in a pickled file, on the CPU; notes on where it was found). Runs nothing of the file's.

    Raises CheckpointError for a file that is damaged, holds no state dict, or wants to run something.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as parts:
                inflated = sum(part.file_size for part in parts.infolist())
            if inflated > MAX_INFLATED * max(path.stat().st_size, 1):
                raise CheckpointError(f"{path.name} would unpack to {inflated / 1e9:.1f} GB, which no weights do. It was not "
                                      "opened.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unusual pickles torch warns before it refuses them
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_why_refused(path, error)) from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, IndexError, AttributeError, TypeError, AssertionError,
            MemoryError, zipfile.BadZipFile) as error:  # all of which torch raises on damaged files
        raise CheckpointError(f"{path.name} is damaged or cut short and cannot be read. Copy it again from where it was "
                              "saved.") from error
    return _state_of(found, path.name)


def _why_refused(path: Path, error: Exception) -> str:
    wanted = re.search(r"(?:GLOBAL|global|function|class) ['\"]?([A-Za-z_]\w*(?:\.\w+)+)", str(error))
    if wanted is None:
        return (f"{path.name} cannot be read safely: it is damaged, or wants more than tensors. It was not opened. If it is "
                "your own, save network.state_dict() with today's torch.")
    return (f"{path.name} wants {wanted[1]} when it is opened; weights need tensors alone. It was not opened. If it is your "
            "own, save network.state_dict() instead.")


def _state_of(found: object, title: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The state dict itself, or what `INSIDE` names of a training script's dictionary."""
    notes: list[str] = []
    for _ in range(3):
        if not isinstance(found, dict):
            break
        tensors = {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, Tensor)}
        if tensors and len(tensors) == len(found):
            return tensors, tuple(notes)
        inner = next((key for key in INSIDE if isinstance(found.get(key), dict) and found[key]), None)
        if inner is None:
            if tensors:
                notes.append(f"{len(found) - len(tensors)} entries beside the weights were left aside.")
                return tensors, tuple(notes)
            break
        notes.append(f"The weights were found under '{inner}'.")
        found = found[inner]
    raise CheckpointError(f"{title} holds no state dict. Save network.state_dict(), or a dictionary that has it as "
                          "'state_dict'.")


def read_header(path: Path) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """(names and shapes, metadata) of a safetensors file, no tensor read. Raises CheckpointError for anything else."""
    try:
        with safe_open(path, "pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - not a dict
            return shapes, file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        read_weights(path)  # says why in words
        raise CheckpointError(f"{path.name} is not a whole safetensors file ({error}).") from error


def stated(header: dict[str, str], config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """(layout, arguments of its class) as a file's header says, or else its config.json; empty where neither does.

    Raises CheckpointError where they are no JSON dictionaries.
    """
    said = header.get("architecture") or header.get("layout") or ""
    if said:
        try:
            arguments = json.loads(header.get("config", "{}"))
        except (ValueError, RecursionError) as error:
            raise CheckpointError("The config in the file's header is no JSON.") from error
    else:
        said, arguments = config.get("architecture", ""), config.get("config", {})
    if not isinstance(arguments, dict) or not isinstance(said, str):
        raise CheckpointError("The config beside the weights is no dictionary.")
    return said, arguments if said else {}


def filled(found: Recognised, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors under the network's names, counters of batches added where an old file lacks them."""
    return {own: state[key] for own, key in found.names.items()}


def convert(source: Path, target: Path, config: dict[str, Any] | None = None) -> tuple[Recognised, tuple[str, ...]]:
    """Writes `target`; returns what was recognised, with notes. config: what weights cannot say. Raises CheckpointError."""
    if source.suffix == ".safetensors":
        state, notes = read_weights(source), ()
    else:
        state, notes = read_pickle(source)
    found = recognised({key: tuple(value.shape) for key, value in state.items()}, config, title=source.name)
    network = found.network()
    own = network.state_dict()
    # clone: tensors that share memory are not written by safetensors
    whole = {**own, **{key: value.to(own[key].dtype) for key, value in filled(found, state).items()}}
    header = {"format": "pt", "layout": found.layout.build.partition(":")[0], "architecture": found.layout.build,
              "config": json.dumps(found.config)}
    save_file({key: value.clone().contiguous() for key, value in whole.items()}, target, metadata=header)
    return found, (*notes, *found.notes)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gm_core.convert", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help=f"the old file ({', '.join(PICKLES)})")
    parser.add_argument("target", type=Path, nargs="?", help="the new file; beside the old one if left out")
    parser.add_argument("--config", type=json.loads, help="arguments of the network's class that weights cannot say, as JSON")
    args = parser.parse_args()
    target = args.target or args.source.with_suffix(".safetensors")
    if not args.source.is_file():
        sys.exit(f"There is no file {args.source}.")
    if target.resolve() == args.source.resolve():
        sys.exit(f"{target} would be overwritten. Name another file to write.")
    try:
        found, notes = convert(args.source, target, args.config)
    except CheckpointError as error:
        sys.exit(str(error))
    sys.stdout.write("".join(f"{line}\n" for line in (f"{target}: {found.layout.title}, {json.dumps(found.config)}", *notes)))


if __name__ == "__main__":
    main()
