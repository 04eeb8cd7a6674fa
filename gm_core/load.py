"""`load(name)`: a ready network. Shipped weights, else cached ones, else downloaded; built once, kept under a budget.

Strict everywhere: safetensors only, a missing, unexpected or misshapen weight is an error that names it, no code of a
repository ever runs. `python -m gm_core.load --verify` downloads every Hub record and says which load.

Environment: `GM_MODEL_MEMORY` (bytes, or like "2GB"; default a quarter of the memory), `GM_DEVICE` (cpu, cuda, mps),
`GM_HUB_ALLOW` (repositories that visitors may have fetched), and the Hub's own `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE`,
`HF_ENDPOINT`.
"""

import argparse
import errno
import fnmatch
import importlib
import inspect
import io
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
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gm_core import checkpoints
from gm_core.checkpoints import CHECKPOINTS, Checkpoint, find
from gm_core.errors import Cancelled, CheckpointError, GMError, Unavailable
from gm_core.public import is_public
from gm_core.report import Report, silent

logger = logging.getLogger(__name__)

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


def allowed_repositories() -> list[str]:
    """Patterns of the repositories beyond the table that a visitor may have fetched: `GM_HUB_ALLOW`, names or patterns like
    "owner/*" separated by commas; unset, none where strangers come (`is_public`) and any on a machine of one's own."""
    text = os.environ.get("GM_HUB_ALLOW")
    if text is None:
        return [] if is_public() else ["*"]
    return [pattern.strip() for pattern in text.split(",") if pattern.strip()]


def is_allowed(repo_id: str) -> bool:
    """Whether `allowed_repositories` has this one."""
    return any(fnmatch.fnmatchcase(repo_id.lower(), pattern.lower()) for pattern in allowed_repositories())


def where(checkpoint: Checkpoint) -> str:
    """"shipped", "cached", or the size of the download: "67 MB to download". Touches no network."""
    if checkpoint.shipped:
        return "shipped"
    if checkpoint.pinned and _cached_files(checkpoint):
        return "cached"
    return f"{checkpoint.size / 1e6:.0f} MB to download"


def loaded() -> list[str]:
    """Names of the checkpoints in memory, the least recently used first."""
    return _STORE.names()


def unload(name: str | None = None) -> None:
    """Forgets every network, or the one of that name; tasks that still run keep theirs until they end."""
    if name is None:
        _STORE.clear()
    else:
        _STORE.drop(name)


# --- files ------------------------------------------------------------------------------------------------------------


def fetch(checkpoint: Checkpoint, report: Report = silent) -> Path:
    """The folder that holds the checkpoint's files, downloaded if they are not here yet.

    The cache is asked first: at a full commit a cached file needs no network at all. Raises Unavailable, and
    CheckpointError before anything is fetched that is not safetensors.
    """
    for name in checkpoint.files:
        if Path(name).suffix not in (".safetensors", ".json", ".txt"):
            raise CheckpointError(f"{checkpoint.title} lists {name}, which is not safetensors. It is not loaded.")
    if checkpoint.shipped:
        return checkpoint.folder
    files = _cached_files(checkpoint)
    if files is None or not checkpoint.pinned:
        try:
            files = _download(checkpoint, report)
        except Unavailable:
            if files is None:
                raise
    return files[0].parents[checkpoint.files[0].count("/")]


def _cached_files(checkpoint: Checkpoint) -> list[Path] | None:
    from huggingface_hub import try_to_load_from_cache

    found = []
    for name in checkpoint.files:
        path = try_to_load_from_cache(checkpoint.repo_id or "", name, revision=checkpoint.revision)
        if not isinstance(path, str) or not Path(path).exists():
            return None
        found.append(Path(path))
    return found


def _download(checkpoint: Checkpoint, report: Report) -> list[Path]:
    download = _Download(checkpoint)
    download.start()
    try:
        while download.is_alive():
            download.join(0.2)
            total = max(checkpoint.size, download.received, 1)
            report(download.received / total, f"Downloading {checkpoint.title}: {download.received / 1e6:.0f} of "
                                              f"{total / 1e6:.0f} MB")
    finally:
        download.abandoned = True
    if download.failure:
        file, error = download.failure
        raise Unavailable(_why_unavailable(checkpoint, file, error)) from error
    return download.files


class _Download(threading.Thread):
    """Fetches a checkpoint's files. A thread of its own, because the Hub's downloader waits and retries in silence,
    while whoever asked for the checkpoint may leave at any moment.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(name=f"download {checkpoint.name}", daemon=True)
        self.checkpoint = checkpoint
        self.files: list[Path] = []
        self.received = 0
        """Bytes that are here; never falls, though a broken file starts again."""
        self.failure: tuple[str, Exception] | None = None
        """The file that could not be fetched, and why."""
        self.abandoned = False
        """Set when nobody waits any more: the download ends at its next ten megabytes, or, if the Hub sends the file by
        its Xet protocol, which cannot be stopped, in the cache."""

    def run(self) -> None:
        from httpx2 import HTTPError
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url

        repo_id, revision = self.checkpoint.repo_id or "", self.checkpoint.revision
        for name in self.checkpoint.files:
            try:
                # Asked first, because it fails at once and says why; the downloader tries again for half a minute
                # (or for as long as a busy Hub demands) and then forgets the reason.
                get_hf_file_metadata(hf_hub_url(repo_id, name, revision=revision))
                self.files.append(Path(hf_hub_download(repo_id, name, revision=revision, tqdm_class=self._meter())))
            except Cancelled:
                return
            except (OSError, ValueError, RuntimeError, HTTPError) as error:
                self.failure = name, error
                return
            self.received = max(self.received, sum(file.stat().st_size for file in self.files))

    def _meter(self) -> type:
        """The progress bar that the Hub's downloader shall drive: it counts, and says when to stop."""
        from tqdm import tqdm

        download, before = self, self.received

        class Meter(tqdm):
            def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the downloader's own arguments
                super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

            def update(self, n: float | None = 1) -> bool | None:
                shown = super().update(n)
                download.received = max(download.received, int(before + self.n))
                if download.abandoned and threading.current_thread() is download:
                    raise Cancelled
                return shown

        return Meter


def _why_unavailable(checkpoint: Checkpoint, file: str, error: Exception) -> str:
    """What happened, and what can be done, for a visitor."""
    from httpx2 import ConnectError, TimeoutException
    from huggingface_hub import errors

    place = f"{checkpoint.repo_id} on the Hub"
    status = getattr(getattr(error, "response", None), "status_code", None)
    others = "The shipped checkpoints work without it."
    if _caused_by_full_disk(error):
        return (f"There is not enough room on the disk for {checkpoint.title} ({checkpoint.size / 1e6:.0f} MB). Free "
                "some space, or point HF_HOME to a larger disk.")
    if isinstance(error, errors.GatedRepoError):
        return (f"{place} is gated: accept its licence on its page and set HF_TOKEN to a token of that account. "
                f"{others}")
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{place} has no commit {(checkpoint.revision or '')[:8]} any more. {others}"
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return f"{place} has no file {file} at commit {(checkpoint.revision or '')[:8]}. {others}"
    if isinstance(error, errors.RepositoryNotFoundError) or status in (401, 403):
        return f"{place} cannot be read: it does not exist, or is private. If it is yours, set HF_TOKEN. {others}"
    if status == 429:
        return f"The Hub asks for patience (too many requests). Try again in some minutes. {others}"
    if status is not None and status >= 500:
        return f"The Hub has trouble at the moment (error {status}). Try again in some minutes. {others}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return (f"{checkpoint.title} is not on this machine and HF_HUB_OFFLINE forbids to fetch it. Unset it to "
                f"download {checkpoint.size / 1e6:.0f} MB once. {others}")
    if isinstance(error, (errors.LocalEntryNotFoundError, ConnectError, TimeoutException)):
        return (f"{checkpoint.title} is not on this machine and the Hub cannot be reached. Check the network: "
                f"{checkpoint.size / 1e6:.0f} MB would be downloaded once. {others}")
    if getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
        return f"The cache folder for weights cannot be written. Point HF_HOME to a folder that can. {others}"
    return f"{checkpoint.title} could not be downloaded: the connection to the Hub broke. Try again. {others}"


def _caused_by_full_disk(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) == errno.ENOSPC or "no space left" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


# --- from files to a network ------------------------------------------------------------------------------------------


def build(checkpoint: Checkpoint, folder: Path) -> nn.Module:
    """The network of the files in `folder`, on the CPU. Raises CheckpointError."""
    for name in checkpoint.files:
        if not (folder / name).is_file():
            raise CheckpointError(f"{checkpoint.title} is not complete on this machine: {name} is missing.")
    module_name, _, attribute = checkpoint.build.partition(":")
    maker: Callable[..., nn.Module] = getattr(importlib.import_module(f"gm_core.models.{module_name}"), attribute)
    try:
        if not inspect.isclass(maker):
            return maker(folder)
        config = checkpoint.shipped_config()["config"] if checkpoint.shipped else dict(checkpoint.config)
        network = maker(**config)
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
        exact = network(*inputs).float()
        with torch.autocast(parameter.device.type, dtype):
            short = network(*inputs).float()
    return float(-10 * torch.log10((exact - short).square().mean().clamp_min(1e-12)))


def speed_up(network: nn.Module, dtype: torch.dtype | None) -> float | None:
    """Lets `forward` run under autocast to `dtype` if the output agrees to 45 dB. Returns the agreement measured.

    A network takes part by having `example_inputs()`: tensors as its task would give them.
    """
    if dtype is None or not hasattr(network, "example_inputs"):
        return None
    measured = agreement(network, dtype)
    if measured >= AGREEMENT_DB:
        kind = next(network.parameters()).device.type
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
