"""Birds, flowers and portraits behind one interface."""

import collections
import json

import numpy as np
import pytest
from PIL import Image

from gm_core.datasets import birds, drawn_sets, flowers, portraits, world
from gm_core.datasets.world import ATTRIBUTES, FAMILIES, HELD_OUT, HELD_OUT_COMBINATIONS, LABELS, VOCABULARY

SEEDS = {name: next(seed for seed in range(100) if world.family(world.sample(seed)) == name) for name in FAMILIES}


def words(text: str) -> set[str]:
    return set(text.lower().replace(",", " ").replace(".", " ").split())


def test_the_families_have_their_shares():
    seen = collections.Counter(world.family(world.sample(seed)) for seed in range(1000))
    assert abs(seen["birds"] - 400) < 50
    assert abs(seen["flowers"] - 300) < 50
    assert abs(seen["portraits"] - 300) < 50
    assert world.sample(7) == world.sample(7)
    with pytest.raises(ValueError, match="must be one of"):
        world.sample_of("cars", 1)


def test_a_family_alone():
    for name, module in (("birds", birds), ("flowers", flowers), ("portraits", portraits)):
        assert world.sample_of(name, 11) == module.sample(11)
        assert world.family(module.sample(11)) == name


def test_pictures_of_all_families_in_their_order():
    order = [SEEDS["portraits"], SEEDS["birds"], SEEDS["flowers"], SEEDS["birds"]]
    records = [world.sample(seed) for seed in order]
    seen = world.render(records, 32)
    assert seen.pictures.shape == (4, 32, 32, 3)
    assert (seen.pictures[1] == seen.pictures[3]).all()
    for i, module in ((0, portraits), (1, birds), (2, flowers)):
        alone = module.render([records[i]], 32)
        assert (seen.pictures[i] == alone.pictures[0]).all()
        parts = {LABELS[label] for label in np.unique(seen.labels[i]) if label}
        kind = {portraits: "portrait", birds: "bird", flowers: "flower"}[module]
        assert parts == {f"{kind}: {module.LABELS[label]}" for label in np.unique(alone.labels[0]) if label}
        for name, (left, top, right, bottom) in world.boxes(seen.labels[i]).items():
            inside = seen.labels[i][top:bottom, left:right] == LABELS.index(name)
            assert inside.sum() == (seen.labels[i] == LABELS.index(name)).sum(), name
            assert inside[0].any()
            assert inside[:, -1].any()
    assert len(set(LABELS)) == len(LABELS)


@pytest.mark.parametrize("wrong", [{"side": 30}, {"side": 16}, {"side": 64, "supersampling": 0}])
@pytest.mark.parametrize("name", FAMILIES)
def test_sizes_that_cannot_be(name, wrong):
    with pytest.raises(ValueError, match="must be"):
        world.render([world.sample_of(name, 1)], **wrong)


def test_attributes_of_every_record():
    for seed in range(600):
        record = world.sample(seed)
        values = world.named(record)
        assert values["kind"] + "s" == world.family(record)
        assert all(value in ATTRIBUTES[name] for name, value in values.items()), values
        text, told = world.captioned(record, seed)
        assert world.caption(record, seed) == text
        assert all(values[name] == value for name, value in told.items()), (text, told)


def test_what_a_portraits_sentence_names():
    told = collections.Counter()
    for seed in range(400):
        person = portraits.sample(seed)
        text, names = world.captioned(person, seed)
        told.update(list(names))
        assert ("hat" in names) == (person.hat != "none")
        assert ("glasses" in names) == (person.glasses != "none")
        assert ("age" in world.named(person)) == (person.age < 30 or person.age > 42), "no word says between"
        if "clothes_colour" in names:
            assert person.clothes_colour in text
        if "background_colour" in names:
            assert person.background_colour in text
        if person.hat == "headscarf":
            assert "hair" not in names
    for name in ("age", "expression", "hair", "hair_colour", "background", "background_colour", "clothes_colour", "beard"):
        assert told[name] > 40, name
    assert told["sex"] == 400


def test_the_vocabulary_is_what_is_said():
    """Every word is reached, and no other."""
    said: set[str] = set()
    for name in FAMILIES:
        for seed in range(1500):
            record = world.sample_of(name, seed)
            for k in range(6):
                said |= words(world.caption(record, k))
    assert said - VOCABULARY == set()
    assert VOCABULARY - said == set()


def test_held_out_combinations():
    assert all(not world.held_out(world.sample(seed)) for start in (0, HELD_OUT) for seed in range(start, start + 300))
    seen = collections.Counter()
    for seed in range(2 * len(HELD_OUT_COMBINATIONS)):
        record = world.sample_held_out(seed)
        assert world.held_out(record)
        assert record == world.sample_held_out(seed)
        name, one, two = HELD_OUT_COMBINATIONS[seed % len(HELD_OUT_COMBINATIONS)]
        assert world.family(record) == name
        assert all(world.named(record)[attribute] == value for attribute, value in (one, two))
        seen[name] += 1
    assert set(seen) == {"birds", "flowers"}
    assert not world.held_out(portraits.sample(3))


# --- files ------------------------------------------------------------------------------------------------------------


def test_writing_goes_on_where_it_stopped(tmp_path):
    folder = tmp_path / "world"
    assert world.write(folder, 4, 70, 32, every=1, until=2, captions=3) == 2
    first = np.load(folder / "pictures.npy")
    assert first[:2].any((1, 2, 3)).all()
    assert not first[2].any()
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"half": ')  # what an interruption may leave
    with pytest.raises(ValueError, match="another set"):
        world.write(folder, 4, 71, 32, captions=3)
    with pytest.raises(ValueError, match="another set"):
        world.write(folder, 4, 70, 32, captions=3, only="birds")
    assert world.write(folder, 4, 70, 32, every=2, captions=3) == 4
    records = [world.sample(seed) for seed in range(70, 74)]
    expected = world.render(records, 32)
    assert (np.load(folder / "pictures.npy", mmap_mode="r") == expected.pictures).all()
    assert (np.load(folder / "labels.npy", mmap_mode="r") == expected.labels).all()
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    assert [world.from_dict(line["family"], line["record"]) for line in lines] == records
    for line, record, labels in zip(lines, records, expected.labels, strict=True):
        assert line["captions"] == [world.caption(record, k) for k in range(3)]
        assert line["told"] == [world.captioned(record, k)[1] for k in range(3)]
        assert line["named"] == world.named(record)
        assert {name: tuple(box) for name, box in line["boxes"].items()} == world.boxes(labels)


def test_one_family_alone_is_written(tmp_path):
    assert world.write(tmp_path, 1, 5, 32, only="flowers", captions=1) == 1
    line = json.loads((tmp_path / "records.jsonl").read_text())
    assert world.from_dict(line["family"], line["record"]) == flowers.sample(5)


def test_a_sheet(tmp_path):
    records = [world.sample(seed) for seed in (1, 2, 3)]
    drawn_sets.sheet(tmp_path / "sheet.png", world.render(records, 32).pictures, columns=2)
    with Image.open(tmp_path / "sheet.png") as image:
        pixels = np.asarray(image)
    assert pixels.shape == (64, 64, 3)
    assert (pixels[:32, 32:] == world.render(records[1:2], 32).pictures[0]).all()
    assert (pixels[32:, 32:] == 255).all()
