"""From a source to a network, strictly: size before download, names and shapes from the header before loading, then weights.

A network that is not of the table becomes known to the tasks for as long as it is painting (`visiting`): they are called as in
any room, and treat it as one of their own.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gm_core import hub, load
from gm_core.check.outcome import Facts
from gm_core.check.sources import CANONICAL, WEIGHTS, Source, natural
from gm_core.checkpoints import Checkpoint, find
from gm_core.convert import filled, read_header, read_pickle, stated
from gm_core.errors import CheckpointError, Unavailable
from gm_core.models.layouts import recognised
from gm_core.report import Report, silent

MAX_BYTES = 20 * 10**9
"""Of the files of one checkpoint, on the command line."""
MAX_JSON = 10**6
FETCHED = (".safetensors", ".json", ".txt")


@dataclass(frozen=True)
class Pipeline:
    """A folder of several files, as diffusers and transformers write it."""

    title: str
    tasks: tuple[str, ...]
    build: str


PIPELINES = {
    "StableDiffusionInpaintPipeline": Pipeline("Stable Diffusion for inpainting, diffusers", ("inpainting",),
                                               "stable_diffusion_inpainting:build"),
    "StableDiffusionPipeline": Pipeline("Stable Diffusion, diffusers", ("text_to_image",), "text_to_image:build"),
    "DDPMPipeline": Pipeline("Unconditional diffusion, diffusers", ("portraits",), "celebahq:build"),
    "DDIMPipeline": Pipeline("Unconditional diffusion, diffusers", ("portraits",), "celebahq:build"),
    "UNet2DModel": Pipeline("Unconditional diffusion, diffusers", ("portraits",), "celebahq:build"),
    "swin2sr": Pipeline("Swin2SR, transformers", ("srgan",), "swin2sr:build"),
}
"""Class that model_index.json or config.json names -> who builds it."""


@dataclass
class Opened:
    """A network ready to paint, with what is said of it."""

    record: Checkpoint
    network: nn.Module
    facts: Facts
    folder: Path
    """Where its files are."""

    @property
    def name(self) -> str:
        return self.record.name


def opened(source: Source, task: str, *, pickles: bool = True, limit: int = MAX_BYTES, report: Report = silent) -> Opened:
    """The network of a source, in evaluation mode, float32, on the house's device.

    pickles: whether old files may be read, by `weights_only`. limit: bytes that may be downloaded. Raises CheckpointError and
    Unavailable, each with a sentence: damaged, wants to run something, of another task, like no layout here, too large.
    """
    report(None, f"Opening {source.label}")
    if source.kind == "table":
        found = _of_table(source, task, limit, report)
    else:
        place, licence, revision = Path(source.place), "", ""
        if source.kind == "hub":
            place, licence, revision = _from_hub(source, pickles, limit, report)
        found = _of_place(source, task, place, pickles)
        found.facts = replace(found.facts, licence=licence, revision=revision)
    found.network.eval().requires_grad_(False).to(load.device())
    broken = [name for name, value in found.network.state_dict().items() if value.is_floating_point()
              and not bool(value.isfinite().all())]
    if broken:
        note = f"{len(broken)} tensors hold numbers that are not finite ({broken[0]}): this training has diverged."
        found.facts = replace(found.facts, notes=(*found.facts.notes, note))
    return found


def _of_table(source: Source, task: str, limit: int, report: Report) -> Opened:
    record = find(source.place)
    _check_task(source.label, record.network, (record.task, *record.also), task)
    if not record.shipped and record.size > limit:
        raise CheckpointError(_too_large(source.label, record.size, limit))
    folder = hub.fetch(record, report)
    network = load.build(record, folder)
    files = [folder / name for name in record.files]
    facts = _facts(record.network, network, [file for file in files if file.suffix == ".safetensors"], ())
    config = dict(record.config)
    if record.shipped and (folder / "config.json").is_file():
        config |= record.shipped_config().get("config", {})
    return Opened(replace(record, config=config, repo_id=record.repo_id or "guest"), network,
                  replace(facts, revision=record.revision or "", licence=record.licence), folder)


def _check_task(label: str, layout: str, tasks: tuple[str, ...], task: str) -> None:
    if task not in tasks:
        raise CheckpointError(f"{label} is laid out as {layout}, which serves {' and '.join(tasks)}, not {task}.")


# --- files and folders --------------------------------------------------------------------------------------------------


def _of_place(source: Source, task: str, place: Path, pickles: bool) -> Opened:
    weights = place
    config = _json((place if place.is_dir() else place.parent) / "config.json")
    if place.is_dir():
        config = _json(place / "model_index.json") or config
        kind = config.get("_class_name") or config.get("model_type") or ""
        if isinstance(kind, str) and kind in PIPELINES:
            return _of_pipeline(source, task, place, PIPELINES[kind])
        if (place / "model_index.json").exists():
            raise CheckpointError(f"{source.label} is a {kind}, which is not known here. Known are: {', '.join(PIPELINES)}.")
        weights = _one_file(source, place, pickles)
    if weights.suffix == ".safetensors":
        shapes, header = read_header(weights)
        said, arguments = stated(header, config)
        found = recognised(shapes, arguments, said=said, title=weights.name)
        _check_task(source.label, found.layout.title, found.layout.tasks, task)
        state, notes = load.read_weights(weights), ()
    else:
        if not pickles:
            raise CheckpointError(f"{weights.name} is a pickle, which can run any program when it is opened. Here safetensors "
                                  "are taken; python -m gm_core.convert makes them.")
        state, notes = read_pickle(weights)
        said, arguments = stated({}, config)
        found = recognised({key: tuple(value.shape) for key, value in state.items()}, arguments, said=said, title=weights.name)
        _check_task(source.label, found.layout.title, found.layout.tasks, task)
    network = found.network()
    own = network.state_dict()
    whole = {**{key: value for key, value in own.items() if key.endswith("num_batches_tracked")}, **filled(found, state)}
    load.fill(network, whole, source.label)
    facts = _facts(found.layout.title, network, [weights], (*notes, *found.notes), state)
    return Opened(_guest(source, task, found.layout.build, found.config, facts), network, facts, weights.parent)


def _one_file(source: Source, folder: Path, pickles: bool) -> Path:
    if source.file:
        path = folder / source.file
        if not path.is_file():
            raise CheckpointError(f"{source.place} has no file {source.file}.")
        return path
    canonical = next((folder / name for name in CANONICAL if (folder / name).is_file()), None)
    files = [canonical] if canonical else [file for file in folder.iterdir() if file.suffix in WEIGHTS]
    safe = [file for file in files if file.suffix == ".safetensors"]
    files = safe or (files if pickles else [])
    if len(files) != 1:
        some = f"several ({', '.join(sorted(file.name for file in files)[:4])}, ...)" if files else "none that is taken here"
        raise CheckpointError(f"{source.label} should hold one file of weights; it holds {some}. Name the file.")
    return files[0]


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(MAX_JSON))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is no JSON.") from error
    return found if isinstance(found, dict) else {}


def _of_pipeline(source: Source, task: str, folder: Path, pipeline: Pipeline) -> Opened:
    _check_task(source.label, pipeline.title, pipeline.tasks, task)
    files = sorted(folder.rglob("*.safetensors"))
    if not files:
        raise CheckpointError(f"{source.label} holds no safetensors. A pipeline with pickled weights is not opened: save it "
                              "again with safe_serialization=True.")
    for file in files:
        read_header(file)  # damaged ones are found before gigabytes are read
    inner = folder / "unet" if pipeline.build == "celebahq:build" and (folder / "unet").is_dir() else folder
    own = tuple(str(file.relative_to(inner)) for file in files if inner in file.parents)
    record = Checkpoint(name="", task=task, title=source.label, network=pipeline.title, build=pipeline.build, parameters=0,
                        size=0, files=own, trained_on="", licence="", paper="", repo_id="guest")
    try:
        network = load.build(record, inner)
    except (ModuleNotFoundError, AttributeError) as error:
        raise CheckpointError(f"{pipeline.title} cannot be opened by this installation.") from error
    facts = _facts(pipeline.title, network, files, ())
    return Opened(_guest(source, task, pipeline.build, {}, facts), network, facts, folder)


def _facts(layout: str, network: nn.Module, files: list[Path], notes: tuple[str, ...],
           state: dict[str, Tensor] | None = None) -> Facts:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while part := stream.read(2**20):
                digest.update(part)
    held = sorted({str(value.dtype).removeprefix("torch.") for value in (state or {}).values() if value.is_floating_point()})
    return Facts(layout=layout, parameters=sum(value.numel() for value in network.parameters()), notes=notes,
                 bytes=sum(file.stat().st_size for file in files), sha256=digest.hexdigest(), stored=", ".join(held))


def _guest(source: Source, task: str, build: str, config: dict[str, Any], facts: Facts) -> Checkpoint:
    """A record for the time of a visit. A repository is named so that nobody takes it for a shipped one."""
    return Checkpoint(name=f"check-{secrets.token_hex(6)}", task=task, title=source.label, network=facts.layout, trained_on="",
                      licence="", paper="", build=build, parameters=facts.parameters, size=facts.bytes, config=config,
                      repo_id="guest")


# --- visiting -----------------------------------------------------------------------------------------------------------


@contextmanager
def visiting(found: Opened) -> Iterator[str]:
    """Inside, the tasks paint with this network as with any other, by the name that is given.

    Also a network of the table comes in this way: it is compared in float32, whatever precision the rooms run it in.
    """
    name = f"check-{secrets.token_hex(6)}"
    with load.visiting(replace(found.record, name=name), found.network):
        yield name


# --- the Hub ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """What a repository would bring: shown before anything of it is downloaded."""

    source: Source
    commit: str
    licence: str
    files: tuple[str, ...]
    bytes: int


def offer(source: Source, *, pickles: bool = False) -> Offer:
    """Asks the Hub what the source is: its commit, licence, the files that would be taken and their size.

    Raises CheckpointError and Unavailable.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

    name = source.label
    try:
        info = HfApi().model_info(source.place, revision=source.revision, timeout=20)
        commit = info.sha or source.revision
        files = _wanted([one.rfilename for one in info.siblings or []], source, pickles)
        size = sum(get_hf_file_metadata(hf_hub_url(source.place, file, revision=commit)).size or 0 for file in files)
    except (OSError, ValueError, RuntimeError, HTTPError) as error:
        record = _hub_record(source, source.revision, ("",), 0)
        raise Unavailable(hub.why_unavailable(record, name, error)) from error
    card: Any = info.card_data
    licence = str(getattr(card, "license", None) or next((tag.removeprefix("license:") for tag in info.tags or []
                                                          if tag.startswith("license:")), "not stated"))
    return Offer(source, commit, licence[:80], files, size)


def _wanted(names: list[str], source: Source, pickles: bool) -> tuple[str, ...]:
    """Of a repository's files those that are needed. Raises CheckpointError where that is not clear."""
    if source.file:
        if source.file not in names:
            raise CheckpointError(f"{source.place} has no file {source.file}.")
        return tuple(dict.fromkeys((source.file, *(name for name in names if name == "config.json"))))
    if "model_index.json" in names:
        fp16 = {str(Path(name).parent) for name in names if name.endswith(".fp16.safetensors")}
        return tuple(name for name in names if name.endswith(FETCHED) and name.count("/") <= 1
                     and (name.count("/") == 1 or name == "model_index.json") and not name.startswith(("safety_checker/", "."))
                     and not (name.endswith(".safetensors") and str(Path(name).parent) in fp16
                              and not name.endswith(".fp16.safetensors"))
                     and "non_ema" not in name)
    roots = [name for name in names if "/" not in name]
    safe = [name for name in roots if name.endswith(".safetensors")]
    old = [name for name in roots if name.endswith(WEIGHTS[1:])] if pickles else []
    weights = next(([name] for name in CANONICAL if name in safe), None) or safe or old
    if len(weights) != 1:
        some = f"several ({', '.join(sorted(weights, key=natural)[:4])})" if weights else "no safetensors"
        raise CheckpointError(f"{source.place} holds {some} at its top. Name the file: {source.place}@{source.revision}:FILE.")
    return tuple(sorted({*weights, *(name for name in roots if name in ("config.json", "preprocessor_config.json"))}))


def _hub_record(source: Source, commit: str, files: tuple[str, ...], size: int) -> Checkpoint:
    return Checkpoint(name="", task="", title=source.label, network="", trained_on="", licence="", paper="", build="",
                      parameters=0, size=size, files=files, repo_id=source.place, revision=commit)


def _from_hub(source: Source, pickles: bool, limit: int, report: Report) -> tuple[Path, str, str]:
    """(folder or file, licence, commit), downloaded where it is not here yet."""
    kept = _kept(source)
    if kept:
        return kept, "", source.revision
    found = offer(source, pickles=pickles)
    if found.bytes > limit:
        raise CheckpointError(_too_large(source.label, found.bytes, limit))
    old = [name for name in found.files if not name.endswith(FETCHED)]
    if old:
        return _old_file(source, found, old[0]), found.licence, found.commit
    folder = hub.fetch(_hub_record(source, found.commit, found.files, found.bytes), report)
    return folder / source.file if source.file else folder, found.licence, found.commit


def _kept(source: Source) -> Path | None:
    """The folder of a full commit that was fetched before: no network is needed then."""
    from huggingface_hub import snapshot_download

    if len(source.revision) != 40 or source.file:
        return None
    try:
        folder = Path(snapshot_download(source.place, revision=source.revision, local_files_only=True))
    except (OSError, ValueError):
        return None
    return folder if any(folder.rglob("*.safetensors")) else None


def _old_file(source: Source, found: Offer, name: str) -> Path:
    from httpx2 import HTTPError
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(source.place, name, revision=found.commit))
    except (OSError, ValueError, RuntimeError, HTTPError) as error:
        record = _hub_record(source, found.commit, (name,), found.bytes)
        raise Unavailable(hub.why_unavailable(record, name, error)) from error


def _too_large(label: str, size: int, limit: int) -> str:
    return f"{label} has {size / 1e6:.0f} MB; up to {limit / 1e6:.0f} MB are fetched here."


def settle() -> None:
    """The same pictures to the bit every time on one machine: for processes that do nothing else."""
    torch.set_deterministic_debug_mode("warn")  # as use_deterministic_algorithms, without loading a compiler for three seconds
    torch.backends.cudnn.benchmark = False
