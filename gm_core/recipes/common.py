"""What every recipe needs: state that survives an interruption, a log, sheets of samples, the shipped form."""

import json
import logging
import platform
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

logger = logging.getLogger("recipe")

CHECKPOINTS = Path(__file__).resolve().parents[2] / "assets" / "checkpoints"


def start(run: Path, threads: int) -> None:
    """Makes the run's folder, logs to it and to the terminal, sets the number of threads (0: torch's choice)."""
    run.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S",
                        handlers=[logging.StreamHandler(), logging.FileHandler(run / "log.txt")])
    if threads:
        torch.set_num_threads(threads)
    logger.info("torch %s, %d threads, %s", torch.__version__, torch.get_num_threads(), platform.machine())


def worked_seconds() -> float:
    """Seconds that each of torch's threads has computed so far: how much is learned in a run's minutes must not depend on
    who else uses the processors."""
    return time.process_time() / torch.get_num_threads()


HALF = torch.cpu._is_avx512_bf16_supported()
"""Whether this processor multiplies in bfloat16: then convolutions learn nearly twice as fast in it."""


def quickly(network: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401 - whatever the network takes and gives
    """`network(*args)`, in bfloat16 where the processor multiplies in it; what comes out is float32 again, as losses want.

    Weights, gradients and averages stay in float32. What is measured is called without this.
    """
    with torch.autocast("cpu", torch.bfloat16, enabled=HALF):
        found = network(*args)
    return tree_map_only(Tensor, Tensor.float, found)


def exactly(network: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
    """`network(*args)`, for what may be done `quickly` or must be measured."""
    return network(*args)


def told_to_end() -> Callable[[], bool]:
    """From now on SIGTERM does not kill: it is only remembered, and whoever asks may save first."""
    came: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    return lambda: bool(came)


def save_state(run: Path, **state: Any) -> None:  # noqa: ANN401 - whatever torch.save takes
    """Writes `state.pt` so that an interruption leaves either the old or the new file, never half of one."""
    scratch = run / "state.pt.new"
    torch.save(state, scratch)
    scratch.replace(run / "state.pt")


def load_state(run: Path) -> dict[str, Any] | None:
    """What `save_state` wrote, or None. Our own file, read with `weights_only`."""
    path = run / "state.pt"
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None


def begin_with(network: nn.Module, folder: Path | None, may_lack: str = "") -> None:
    """Fills `network` with the weights of a shipped checkpoint or with the averaged ones of another run; None changes nothing.

    may_lack: a part of it that the checkpoint may not have; it stays as it is then. Raises RuntimeError for any other
    difference. What was rounded to fp16 is learnt again within a few steps; optimisers and discriminators begin anew.
    """
    if folder is None:
        return
    if state := load_state(folder):
        weights = {name.removeprefix("module."): value for name, value in state["average"].items() if name != "n_averaged"}
    else:
        weights = load_file(folder / "model.safetensors")
    if may_lack:
        weights = {name: value for name, value in network.state_dict().items() if name.startswith(f"{may_lack}.")} | weights
    network.load_state_dict(weights)


@torch.no_grad()
def average_in(average: nn.Module, network: nn.Module, step: int, most: float) -> None:
    """Moves the average of a network's weights on by one step: what was keeps the share `most`, less in the first steps
    (step: 1, 2, ...), or the beginning would never be forgotten. So with a normalisation's running statistics.
    """
    keep = min(most, (1 + step) / (10 + step))
    for ours, theirs in zip(average.parameters(), network.parameters(), strict=True):
        ours.lerp_(theirs, 1 - keep)
    for ours, theirs in zip(average.buffers(), network.buffers(), strict=True):
        if ours.is_floating_point():
            ours.lerp_(theirs, 1 - keep)
        else:
            ours.copy_(theirs)


def sheet(rows: list[list[Tensor]], path: Path, gap: int = 4) -> None:
    """A contact sheet. rows: pictures (3, H, W) in 0..1, all of one size; written as WebP or PNG by the path's ending."""
    height, width = rows[0][0].shape[1:]
    columns = max(len(row) for row in rows)
    canvas = np.full((len(rows) * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            pixels = (picture.detach().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
            canvas[i * (height + gap) : i * (height + gap) + height, j * (width + gap) : j * (width + gap) + width] = pixels
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(canvas).save(path, quality=88)


def ship(name: str, network: nn.Module, architecture: str, config: dict[str, Any], about: dict[str, Any]) -> Path:
    """Writes `assets/checkpoints/<name>`: config.json and model.safetensors in fp16, `about` in the file's header.

    architecture: "module:Class" below `gm_core.models`; config: the class's keyword arguments.
    about: recipe, steps, seed, data and whatever else the header should tell; values become strings.
    """
    folder = CHECKPOINTS / name
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: value.detach().half().contiguous() for key, value in network.state_dict().items()}
    metadata = {"format": "pt", "name": name, "architecture": architecture, "config": json.dumps(config)}
    metadata.update({key: str(value) for key, value in about.items()})
    save_file(state, folder / "model.safetensors", metadata=metadata)
    (folder / "model.safetensors").chmod(0o644)
    (folder / "config.json").write_text(json.dumps({"architecture": architecture, "config": config}, indent=2) + "\n")
    return folder
