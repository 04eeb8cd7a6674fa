"""`load(name)`: a ready network. Shipped weights, else cached ones, else downloaded; built once, kept under a budget.

Strict everywhere: safetensors only, a missing, unexpected or misshapen weight is an error that names it, no code of a
repository ever runs. `python -m gm_core.load --verify` downloads every Hub record and says which load.

Environment: `GM_MODEL_MEMORY` (bytes, or like "2GB"; default a quarter of the memory), `GM_DEVICE` (cpu, cuda, mps),
`GM_BACKEND` (openvino, torch), and what `gm_core.hub` reads.
"""

import argparse
import importlib
import inspect
import logging
import os
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gm_core import backends, checkpoints
from gm_core.checkpoints import CHECKPOINTS, Checkpoint, find
from gm_core.errors import CheckpointError, GMError
from gm_core.hub import fetch
from gm_core.report import Report, silent

logger = logging.getLogger(__name__)

_ONE_AT_A_TIME = threading.RLock()
"""Held while a network is made of files. Diffusers and transformers put a function of torch that all threads share in
another's place meanwhile, so that weights begin without memory: a network of another thread would get none."""

AGREEMENT_DB = 45.0
"""A faster precision is used only where the checkpoint's own output stays this close to float32."""


def load(checkpoint: str | Checkpoint, *, report: Report = silent) -> nn.Module:
    """The checkpoint's network in evaluation mode, on the best device, without gradients for its weights.

    checkpoint: a name of the table, or a record beside it.

    Weights are float32; where the device computes faster in a shorter format and the checkpoint's own output
    agrees to 45 dB, `forward` runs under autocast by itself. The module is shared: keep nothing of a request on it.

    Raises CheckpointError (unknown name, weights that do not fit) and Unavailable (cannot be fetched).
    """
    return _STORE.get(find(checkpoint) if isinstance(checkpoint, str) else checkpoint, report)


@contextmanager
def visiting(record: Checkpoint, network: nn.Module) -> Iterator[None]:
    """Inside, `find` and `load` know this network by the record's name, which the table must not have: every task works with
    it as with any other."""
    checkpoints.add(record)
    _STORE.keep(record.name, network, memory_budget())
    try:
        yield
    finally:
        checkpoints.remove(record.name)
        _STORE.drop(record.name)


def loaded() -> list[str]:
    """Names of the checkpoints in memory, the least recently used first."""
    return _STORE.names()


def unload(name: str | None = None) -> None:
    """Forgets every network, or the one of that name; tasks that still run keep theirs until they end."""
    if name is None:
        _STORE.clear()
    else:
        _STORE.drop(name)


# --- from files to a network ------------------------------------------------------------------------------------------


def build(checkpoint: Checkpoint, folder: Path) -> nn.Module:
    """The network of the files in `folder`, on the CPU. Threads wait for each other. Raises CheckpointError."""
    for name in checkpoint.files:
        if not (folder / name).is_file():
            raise CheckpointError(f"{checkpoint.title} is not complete on this machine: {name} is missing.")
    with _ONE_AT_A_TIME:
        return _made_of(checkpoint, folder)


def _made_of(checkpoint: Checkpoint, folder: Path) -> nn.Module:
    module_name, _, attribute = checkpoint.build.partition(":")
    maker: Callable[..., nn.Module] = getattr(importlib.import_module(f"gm_core.models.{module_name}"), attribute)
    try:
        if not inspect.isclass(maker):
            return maker(folder)
        network = maker(**checkpoint.arguments())
        fill(network, read_weights(folder / checkpoint.weights), checkpoint.title)
    except (OSError, TypeError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"The files of {checkpoint.title} do not fit its record: {error}") from error
    return network


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file. Raises CheckpointError for anything else, pickles above all."""
    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        with path.open("rb") as file:
            start = file.read(2)
        # Only now: a whole safetensors file may begin with the same bytes, which say how long its header is.
        if start == b"PK" or start[:1] == b"\x80":
            raise CheckpointError(f"{path.name} is a pickle, not safetensors. A pickle can run any program when it is "
                                  "opened, so it is not opened here.") from error
        raise CheckpointError(f"{path.name} is not a whole safetensors file ({error}). Delete it and download it "
                              "again.") from error


def fill(network: nn.Module, state: dict[str, Tensor], title: str) -> None:
    """Copies the weights into the network, which must have exactly these. Raises CheckpointError naming the others."""
    own = network.state_dict()
    missing = sorted(own.keys() - state.keys())
    unexpected = sorted(state.keys() - own.keys())
    reshaped = [f"{key} is {tuple(state[key].shape)}, should be {tuple(own[key].shape)}"
                for key in sorted(own.keys() & state.keys()) if state[key].shape != own[key].shape]
    if missing or unexpected or reshaped:
        parts = [f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})" for what, keys in
                 (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped)) if keys]
        raise CheckpointError(f"The weights of {title} do not fit the network: {'; '.join(parts)}.")
    network.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()}, strict=True)


# --- device and precision ---------------------------------------------------------------------------------------------


@cache
def device() -> torch.device:
    """`GM_DEVICE` if set; else CUDA, Apple's MPS or the CPU, the first there is. Raises GMError for a wrong setting."""
    wanted = os.environ.get("GM_DEVICE", "")
    if wanted:
        try:
            torch.empty(1, device=wanted)
        except (RuntimeError, AssertionError) as error:
            raise GMError(f"GM_DEVICE is '{wanted}', which this machine lacks. Use cpu, cuda or mps.") from error
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def faster_dtype(of: torch.device) -> torch.dtype | None:
    """The short float that the device multiplies faster than float32, if there is one."""
    if of.type == "cuda":
        return torch.float16
    if of.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return torch.bfloat16
    return None


def agreement(network: nn.Module, dtype: torch.dtype) -> float:
    """How close the network's output on its own `example_inputs()` is under autocast to `dtype`: PSNR in dB, peak 1."""
    parameter = next(network.parameters())
    inputs = [value.to(parameter.device) for value in network.example_inputs()]  # pyright: ignore[reportCallIssue]
    with torch.inference_mode():
        exact = network(*inputs)
        with torch.autocast(parameter.device.type, dtype):
            short = network(*inputs)
        return backends.decibels(exact, short)


def speed_up(network: nn.Module, dtype: torch.dtype | None) -> float | None:
    """Lets `forward` run under autocast to `dtype` if the output agrees to 45 dB. Returns the agreement measured.

    A network takes part by having `example_inputs()`: tensors as its task would give them. On a CPU OpenVINO runs the parts
    that it is made for, on the same condition, where it is installed: see `gm_core.backends`.
    """
    measured = agreement(network, dtype) if dtype and hasattr(network, "example_inputs") else None
    kind = next(network.parameters()).device.type
    if kind == "cpu" and backends.wanted():
        backends.take_over(network, dtype or torch.float32, AGREEMENT_DB)
    if dtype and measured is not None and measured >= AGREEMENT_DB:
        network.forward = torch.autocast(kind, dtype)(network.forward)
    return measured


# --- the store --------------------------------------------------------------------------------------------------------


def memory_budget() -> int:
    """Bytes that loaded networks may take together: `GM_MODEL_MEMORY`, else a quarter of the machine's memory."""
    text = os.environ.get("GM_MODEL_MEMORY", "").strip()
    if not text:
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
        except (AttributeError, ValueError, OSError):
            return 2 * 10**9
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", text, re.IGNORECASE)
    if not match:
        raise GMError(f"GM_MODEL_MEMORY is '{text}'. Write bytes, or a number with a unit, like 2GB.")
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2].upper() or " "))


@dataclass
class _Kept:
    network: nn.Module
    size: int


class _Store:
    """Networks in memory. One build per checkpoint however many ask; the least recently used leave over the budget."""

    def __init__(self, builder: Callable[[Checkpoint, Report], nn.Module]) -> None:
        self._builder = builder
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._guard = threading.Lock()
        self._building: dict[str, threading.Lock] = {}

    def get(self, checkpoint: Checkpoint, report: Report) -> nn.Module:
        if network := self._look_up(checkpoint.name):
            return network
        with self._guard:
            building = self._building.setdefault(checkpoint.name, threading.Lock())
        while not building.acquire(timeout=0.25):
            report(None, f"Waiting for {checkpoint.title}, which somebody else is loading")
        try:
            if network := self._look_up(checkpoint.name):
                return network
            budget = memory_budget()  # before the long work: the setting may be wrong
            network = self._builder(checkpoint, report)
            self.keep(checkpoint.name, network, budget)
            return network
        finally:
            building.release()

    def _look_up(self, name: str) -> nn.Module | None:
        with self._guard:
            if name not in self._kept:
                return None
            self._kept.move_to_end(name)
            return self._kept[name].network

    def keep(self, name: str, network: nn.Module, budget: int) -> None:
        tensors = [*network.parameters(), *network.buffers()]
        size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        with self._guard:
            self._kept[name] = _Kept(network, size)
            while len(self._kept) > 1 and sum(kept.size for kept in self._kept.values()) > budget:
                gone, _ = self._kept.popitem(last=False)
                logger.info("%s leaves memory (budget %d MB)", gone, budget // 10**6)

    def drop(self, name: str) -> None:
        with self._guard:
            self._kept.pop(name, None)

    def names(self) -> list[str]:
        with self._guard:
            return list(self._kept)

    def clear(self) -> None:
        with self._guard:
            self._kept.clear()


def _fetch_and_build(checkpoint: Checkpoint, report: Report) -> nn.Module:
    report(None, f"Loading {checkpoint.title}")
    target = device()
    network = build(checkpoint, fetch(checkpoint, report)).eval().requires_grad_(False).to(target)
    speed_up(network, faster_dtype(target))
    return network


_STORE = _Store(_fetch_and_build)


def main() -> None:
    """`--verify`: downloads every Hub record and says which load strictly. Exit status 1 if one does not."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--verify", action="store_true", required=True)
    parser.parse_args()
    failed = 0
    for checkpoint in CHECKPOINTS:
        try:
            build(checkpoint, fetch(checkpoint))
            outcome = "loads"
        except GMError as error:
            failed += 1
            outcome = f"FAILS: {error}"
        sys.stdout.write(f"{checkpoint.name:20} {outcome}\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
