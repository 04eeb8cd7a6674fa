"""Every record of the table, and what ships with it."""

import importlib.util
import inspect
import json
import math
import re
from pathlib import Path

import pytest
import torch
import yaml
from safetensors import safe_open

from gm_core.checkpoints import CHECKPOINTS, SHIPPED, Checkpoint, find, of_task, table
from gm_core.hub import fetch, where
from gm_core.images import open_picture
from gm_core.load import build

MB = 10**6
SHIPPING = [checkpoint for checkpoint in CHECKPOINTS if checkpoint.shipped]
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}

every_record = pytest.mark.parametrize("record", CHECKPOINTS, ids=lambda record: record.name)
every_shipped_one = pytest.mark.parametrize("record", SHIPPING, ids=lambda record: record.name)


def maker(record: Checkpoint):
    module, _, attribute = record.build.partition(":")
    return getattr(importlib.import_module(f"gm_core.models.{module}"), attribute)


def is_pipeline(record: Checkpoint) -> bool:
    """Whether a library lays its files out: a folder for each network, with a configuration of its own."""
    return "model_index.json" in record.files


def header(record: Checkpoint) -> tuple[dict[str, str], dict[str, tuple[str, list[int]]]]:
    """Metadata, the same in all of its files, and number format and shape by file and key, of shipped weights."""
    told, tensors = [], {}
    for name in (name for name in record.files if name.endswith(".safetensors")):
        with safe_open(record.folder / name, "pt") as file:
            told.append(file.metadata())
            for key in file.keys():  # noqa: SIM118 - a safetensors file is no dictionary
                part = file.get_slice(key)
                tensors[f"{name}: {key}"] = part.get_dtype(), part.get_shape()
    assert all(metadata == told[0] for metadata in told)
    return told[0], tensors


@every_record
def test_the_record_is_complete(record):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", record.name)
    assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", record.task)
    assert re.search(r", (19|20)\d\d$", record.network), "the label shows the year"
    assert re.fullmatch(r"[a-z0-9.+-]+", record.licence)
    assert record.title
    assert record.trained_on
    assert record.paper.startswith("https://")
    assert record.parameters > 0
    assert record.size > 0
    assert find(record.name) is record
    assert callable(maker(record))
    hash(record)  # a key of caches, in the table or out of it


@every_record
def test_only_files_that_can_do_no_harm_are_listed(record):
    assert all(name.endswith((".safetensors", ".json", ".txt")) for name in record.files)
    assert record.weights in record.files


@every_record
def test_the_source_is_named(record):
    if record.shipped:
        assert record.revision is None
        assert record.source == ""
        assert record.pinned
    else:
        assert record.source == f"https://huggingface.co/{record.repo_id}"
        # Either a full commit, or nothing: a branch or a short commit looks pinned and is not.
        assert record.revision is None or re.fullmatch(r"[0-9a-f]{40}", record.revision)
        assert record.pinned == (record.revision is not None)


@pytest.mark.parametrize("record", [record for record in CHECKPOINTS if record.shipped or inspect.isclass(maker(record))],
                         ids=lambda record: record.name)
def test_the_network_has_as_many_weights_as_the_record_says(record):
    """Of shipped files their header tells, of the Hub's the network, where it is a class of ours."""
    if record.shipped:
        counted = sum(math.prod(shape) for _, shape in header(record)[1].values())
    else:
        with torch.device("meta"):
            counted = sum(value.numel() for value in maker(record)(**record.config).state_dict().values())
    assert record.parameters == counted


def test_names_are_unique():
    names = [record.name for record in CHECKPOINTS]
    assert len(set(names)) == len(names)


def test_every_task_begins_with_one_that_ships():
    for task in {record.task for record in CHECKPOINTS}:
        records = of_task(task)
        assert records[0].shipped, f"{task} shows nothing without a network"
        assert {record.name for record in records} == {record.name for record in CHECKPOINTS
                                                       if task == record.task or task in record.also}


def test_nothing_else_lies_among_the_shipped():
    assert {folder.name for folder in SHIPPED.iterdir()} == {record.name for record in SHIPPING}


def test_all_that_ships_is_small():
    assert sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file()) < 150 * MB


@every_shipped_one
def test_the_folder_is_laid_out_like_a_hub_repository(record):
    assert {*record.files, "README.md"} <= {str(file.relative_to(record.folder)) for file in record.folder.rglob("*")}
    beside = {file.name for file in record.folder.iterdir()} - {name.split("/")[0] for name in record.files} - {"README.md"}
    assert all(Path(name).suffix in PICTURES for name in beside), "the card's pictures, nothing else"
    if is_pipeline(record):
        index = json.loads((record.folder / "model_index.json").read_text(encoding="utf-8"))
        parts = {name for name, kind in index.items() if isinstance(kind, list) and kind[0]}
        assert parts == {name.split("/")[0] for name in record.files if "/" in name}
        return
    assert set(record.files) == {"config.json", "model.safetensors"}
    assert record.shipped_config()["architecture"] == record.build
    assert set(record.shipped_config()) == {"architecture", "config"}


@every_shipped_one
def test_the_size_is_right(record):
    size = sum((record.folder / name).stat().st_size for name in record.files)
    assert size < 50 * MB
    assert record.size == pytest.approx(size, rel=0.02)


@every_shipped_one
def test_the_header_says_how_it_was_made(record):
    metadata, tensors = header(record)
    assert {number for number, _ in tensors.values()} <= {"F16", "I64"}, "I64 is a normalisation's counter"
    assert any(number == "F16" for number, _ in tensors.values())
    assert metadata["name"] == record.name
    if not is_pipeline(record):
        assert metadata["architecture"] == record.build
        assert json.loads(metadata["config"]) == record.shipped_config()["config"]
    assert metadata["recipe"].startswith("gm_core.recipes.")
    assert importlib.util.find_spec(metadata["recipe"])
    assert int(metadata["steps"]) > 0
    assert re.fullmatch(r"\d+", metadata["seed"])
    assert metadata["data"]


@every_shipped_one
def test_the_card_has_front_matter_and_a_sample_sheet(record):
    text = (record.folder / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["license"] == record.licence
    assert card["tags"]
    assert all(isinstance(tag, str) for tag in card["tags"])
    assert len(body) > 300
    sheets = [file for file in record.folder.iterdir() if file.suffix in PICTURES]
    assert sheets
    for sheet in sheets:
        assert sheet.stat().st_size < 300_000
        assert min(open_picture(sheet).size) >= 64
    for name in re.findall(r"\]\(([^):]+)\)", body):
        assert (record.folder / name).resolve().exists(), f"the card links to {name}"


@every_shipped_one
def test_it_loads_strictly(record):
    network = build(record, fetch(record))
    assert where(record) == "shipped"
    for key, value in network.state_dict().items():
        assert torch.isfinite(value).all(), key


def test_the_readme_shows_the_table_as_the_records_have_it():
    assert table() in (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
