"""Checks from the command line: all tasks with tiny networks, figures, failures that leave the rest alone, the report."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from gm_core import checkpoints
from gm_core.check.__main__ import main
from gm_core.check.cases import Inputs, cases, read_seeds, read_settings, samples
from gm_core.check.report import page, sheet, summary, table
from gm_core.check.run import check
from gm_core.check.sources import sources
from gm_core.checkpoints import SHIPPED
from gm_core.errors import BadInput, Cancelled
from gm_core.load import loaded
from gm_core.models.srresnet import SRResNet
from tests.check.tiny import network, saved


@pytest.fixture
def photographs() -> dict[str, Image.Image]:
    cat = Image.fromarray(skimage.data.chelsea())
    return {"eyes": cat.crop((110, 80, 206, 144)), "nose": cat.crop((150, 140, 214, 204))}


@pytest.fixture
def folder(photographs, tmp_path) -> Path:
    (tmp_path / "photographs").mkdir()
    for name, picture in photographs.items():
        picture.save(tmp_path / "photographs" / f"{name}.png")
    return tmp_path / "photographs"


def through(task, files, inputs, **more):
    wanted, notes = cases(task, inputs, **more)
    return check(task, sources([str(file) for file in files])[0], wanted, notes=notes)


# --- every task -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "names", "settings"), [
    ("srgan", ["srresnet", "srgan", "rrdbnet"], []), ("style_transfer", ["style", "transformer"], ["strength=0,1"]),
    ("cyclegan", ["translators", "resnet"], ["direction=AtoB"]), ("pix2pix", ["resnet", "unet"], []),
    ("inpainting", ["inpainting", "lama"], ["feather=0,4"]),
])
def test_pictures_in_pictures_out(task, names, settings, photographs, tmp_path):
    files = [saved(tmp_path / f"{name}.safetensors", name) for name in names]
    outcome = through(task, files, Inputs(photographs), settings=read_settings(task, settings), side=96)
    assert outcome.fine, table(outcome)
    times = 4 if task == "srgan" else 1
    for one in outcome.examined:
        assert one.facts.parameters > 0 and len(one.facts.sha256) == 64 and one.facts.bytes > 0
        for made in one.made:
            image = outcome.cases[made.case].image
            assert made.picture.size == (times * image.width, times * image.height)
    digests = {made.digest() for one in outcome.examined for made in one.made}
    assert len(digests) >= len(names) * len(photographs), "each network paints its own pictures"
    if task == "style_transfer":
        thin = [made for made in outcome.examined[1].made if outcome.cases[made.case].settings["strength"] == 0]
        assert all(np.array_equal(made.picture, outcome.cases[made.case].image) for made in thin)
    assert not any(name.startswith("check-") for name in (*loaded(), *checkpoints._by_name())), "guests have left"


def test_a_drawing_by_a_network_that_takes_labels(tmp_path):
    from gm_core.datasets.facades import LABEL_COLOURS

    drawing = np.full((64, 64, 3), LABEL_COLOURS[0], np.uint8)
    drawing[16:48, 20:40] = LABEL_COLOURS[3]
    outcome = through("pix2pix", [saved(tmp_path / "a.safetensors", "pix2pix")], Inputs({"door": Image.fromarray(drawing)}),
                      seeds=[0, 1])
    assert outcome.fine, table(outcome)
    assert len({made.digest() for made in outcome.examined[0].made}) == 2, "another seed, another house"


def test_portraits_begin_from_seeds_alone(tmp_path):
    outcome = through("portraits", [saved(tmp_path / "netG.pth", "dcgan")], Inputs(), seeds=[0, 1, 2])
    assert outcome.fine and [case.seed for case in outcome.cases] == [0, 1, 2]
    assert len({made.digest() for made in outcome.examined[0].made}) == 3
    assert outcome.examined[0].made[0].picture.size == (32, 32)
    with pytest.raises(BadInput, match="begin from seeds"):
        raise_usage(["portraits", str(tmp_path / "netG.pth"), "--inputs", str(tmp_path)])


def raise_usage(words):
    from gm_core.check.__main__ import checked, parser

    checked(parser().parse_args(words), words)


# --- figures --------------------------------------------------------------------------------------------------------------


def test_the_shipped_networks_stand_where_their_cards_say(photographs):
    """On a photograph that neither has seen: both look nearer than bicubic, SRResNet has more decibels."""
    outcome = through("srgan", ["srresnet-x4", "srgan-x4"], Inputs(references=samples()), side=64)
    assert outcome.fine and outcome.baseline is not None
    assert all(case.reference.size == (4 * case.image.width, 4 * case.image.height) for case in outcome.cases)
    own = {one.source.label: one.figures for one in outcome.examined}
    plain = outcome.baseline.figures
    assert max(one["distance"] for one in own.values()) < 0.95 * plain["distance"]
    assert own["srresnet-x4"]["psnr"] > max(own["srgan-x4"]["psnr"], plain["psnr"])
    assert summary(outcome)["nearest"] in own
    assert "KID compares sets of 50" in " ".join(outcome.notes)


def test_a_set_of_fifty_gets_a_distance_and_the_nearer_set_a_smaller_one(tmp_path):
    files = [saved(tmp_path / f"{seed}.pth", "dcgan", seed) for seed in (0, 1)]
    made = through("portraits", files[:1], Inputs(), seeds=range(100, 150)).examined[0].made
    references = {f"r{one.case}": one.picture for one in made}
    wanted, _ = cases("portraits", Inputs(), seeds=range(50))
    outcome = check("portraits", sources([str(file) for file in files])[0], wanted, references=references)
    own, other = (one.figures["kid"] for one in outcome.examined)
    assert own < 0.2 * other
    assert summary(outcome)["nearest"] == "0"
    few = check("portraits", sources([str(files[0])])[0], wanted[:10], references=references)
    assert "kid" not in few.examined[0].figures and "needs at least 50 pictures; 0 made 10" in " ".join(few.notes)


def test_references_of_other_proportions_are_left_out_and_larger_ones_reduced(photographs):
    wide, large = photographs["eyes"], photographs["nose"].resize((256, 256))
    wanted, notes = cases("cyclegan", Inputs(photographs, references={"eyes": wide.resize((96, 96)), "nose": large}), side=64)
    by_name = {case.input: case for case in wanted}
    assert by_name["eyes"].image.size == (64, 43) and by_name["eyes"].reference is None
    assert "The reference of eyes has 96 x 96" in notes[0]
    assert by_name["nose"].reference.size == (64, 64)


def test_a_hole_is_measured_in_the_hole_and_a_mask_belongs_to_its_picture(photographs, tmp_path):
    mask = Image.new("L", (96, 64))
    mask.paste(255, (30, 20, 60, 44))
    wanted, _ = cases("inpainting", Inputs(photographs, {"eyes": mask}), side=96)
    assert wanted[0].mask is mask and wanted[0].reference is not None
    outcome = check("inpainting", sources([str(saved(tmp_path / "a.safetensors", "inpainting"))])[0], wanted)
    made = np.asarray(outcome.examined[0].made[0].picture)
    same = (made == np.asarray(photographs["eyes"])).all(2)
    assert same[~(np.asarray(mask) > 0)].all() and not same.all()
    assert {"psnr", "ssim", "distance"} == outcome.examined[0].figures.keys() == outcome.baseline.figures.keys()


# --- what goes wrong ------------------------------------------------------------------------------------------------------


def test_each_bad_file_gets_its_sentence_and_the_good_one_its_pictures(folder, tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    bad = tmp_path / "bad"
    bad.mkdir()
    good = saved(tmp_path / "good.safetensors", "srresnet")
    whole = good.read_bytes()
    (bad / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (bad / "noise.safetensors").write_bytes(bytes(range(256)) * 8)
    (bad / "renamed.safetensors").write_bytes(saved(tmp_path / "x.pth", "srresnet").read_bytes())
    torch.save({"a": Trap()}, bad / "malicious.pth")
    saved(bad / "portraits.pth", "dcgan")
    save_file({"conv.weight": torch.zeros(3)}, bad / "foreign.safetensors")
    twice = saved(bad / "twice.safetensors", "srgan-old")
    state = load_file(good)
    state["head.bias"][0] = float("nan")
    save_file(state, bad / "diverged.safetensors")
    files = [good, *sorted(bad.iterdir())]
    words = ["srgan", *map(str, files), "--inputs", str(folder), "--side", "48"]
    status = main([*words, "--out", str(tmp_path / "r.html"), "--json"])
    assert status == 1 and not (tmp_path / "sprung").exists()
    told = json.loads(capsys.readouterr().out)
    failures = {one["label"]: one["failure"] for one in told["checkpoints"]}
    for label, words in (("good", ""), ("diverged", ""), ("cut", "not a whole safetensors"),
                         ("noise", "not a whole safetensors"), ("renamed", "is a pickle, not safetensors"),
                         ("malicious", "was not opened"),
                         ("portraits", "serves portraits, not srgan"), ("foreign", "like no network known here"),
                         (twice.stem, "enlarges 2 times")):
        assert words in failures[label] and bool(words) == bool(failures[label]), (label, failures[label])
    notes = next(one for one in told["checkpoints"] if one["label"] == "diverged")["notes"]
    assert "not finite (head.bias)" in notes[-1]
    good_ones = [one for one in told["pictures"] if one["checkpoint"] == "good"]
    assert len(good_ones) == 2 and all(one["sha256"] for one in good_ones)
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "wants posix.mkdir" in html and "data:image/webp" in html


def test_the_page_opens_no_pickle(photographs, tmp_path):
    wanted, _ = cases("srgan", Inputs(photographs))
    outcome = check("srgan", sources([str(saved(tmp_path / "old.pth", "srresnet"))])[0], wanted, pickles=False)
    assert "old.pth is a pickle" in outcome.examined[0].failure


def test_one_input_that_cannot_be_used_leaves_the_others(photographs, tmp_path):
    photographs["speck"] = Image.new("RGB", (40, 9))
    outcome = through("style_transfer", [saved(tmp_path / "a.safetensors", "transformer")], Inputs(photographs))
    failures = [made.failure for made in outcome.examined[0].made]
    assert failures[:2] == ["", ""] and "at least 16" in failures[2] and not outcome.fine
    assert "a, speck: This picture has 40 x 9" in table(outcome)
    assert "at least 16" in page(outcome)


def test_whoever_leaves_stops_it(photographs, tmp_path):
    file = saved(tmp_path / "a.safetensors", "srresnet")
    wanted, _ = cases("srgan", Inputs(photographs))
    told = []

    def report(fraction, words, preview=None):
        told.append(words)
        if "2 of 2" in words:
            raise Cancelled

    with pytest.raises(Cancelled):
        check("srgan", sources([str(file)])[0], wanted, report=report)
    assert not any(name.startswith("check-") for name in (*loaded(), *checkpoints._by_name()))


@pytest.mark.parametrize(("words", "sentence"), [
    (["srgan", "nothing such"], "is no name of the table"),
    (["srgan", "srgan-x4", "--inputs", "nowhere"], "There are no pictures"),
    (["srgan", "srgan-x4", "--seeds", "a"], "Seeds are written like"),
    (["srgan", "srgan-x4", "--seeds", "0-99999"], "Up to 1000 seeds"),
    (["style_transfer", "style-many", "--set", "colour=3"], "no setting of style_transfer"),
    (["style_transfer", "style-many", "--set", "strength=much"], "strength cannot be 'much'"),
    (["srgan", "srgan-x4", "--side", "5000"], "The side goes from 32 to 1024"),
    (["srgan", "srgan-x4", "--grid", "checkpoint", "guidance"], "no parameter 'guidance'"),
    (["srgan", "srgan-x4", "--grid", "epoch", "checkpoint"], "two different parameters"),
    (["pix2pix", "srgan-x4"], "name their folder with --inputs"),
    (["portraits", "srgan-x4", "--inputs", "."], "begin from seeds alone"),
])
def test_a_command_that_makes_no_sense_ends_with_2_and_a_sentence(words, sentence, tmp_path, capsys):
    assert main([*words, "--out", str(tmp_path / "r.html")]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()


# --- the report -----------------------------------------------------------------------------------------------------------


def epochs(run: Path, count: int) -> Path:
    """Files from bicubic to a shipped network and beyond, as its last layer grows, saved as a training run saves them."""
    run.mkdir()
    weights = load_file(SHIPPED / "srresnet-x4" / "model.safetensors")
    for i in range(count):
        share = 1.3 * i / (count - 1)
        save_file({key: (value.float() * share).half() if key.startswith("tail") else value for key, value in weights.items()},
                  run / f"epoch_{i + 1}.safetensors")
    return run


@pytest.mark.slow
def test_thirty_epochs_are_a_strip_in_natural_order_that_is_the_same_every_time(folder, tmp_path, capsys):
    run = epochs(tmp_path / "run", 30)
    words = ["srgan", str(run), "--references", str(folder), "--side", "32", "--out"]
    assert main([*words, str(tmp_path / "first.html"), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert [one["mark"] for one in first["checkpoints"]] == [str(i + 1) for i in range(30)]
    assert main([*words, str(tmp_path / "again.html"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [one["sha256"] for one in first["pictures"]] == [one["sha256"] for one in again["pictures"]]
    assert [one["figures"] for one in first["checkpoints"]] == [one["figures"] for one in again["checkpoints"]]
    assert len({one["sha256"] for one in first["pictures"]}) == 60
    html = (tmp_path / "first.html").read_text(encoding="utf-8")
    assert "30 epochs of run/epoch_…" in html and html.count("<svg") == 2
    data = json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])
    assert data["strips"][0]["marks"] == [str(i + 1) for i in range(30)]
    best = min(first["checkpoints"], key=lambda one: one["figures"]["distance"])
    assert first["nearest"] == best["label"] == data["checkpoints"][data["nearest"]]["label"]
    assert data["strips"][0]["best"] == int(best["mark"]) - 1
    with Image.open(tmp_path / "first.png") as picture:
        assert picture.format == "PNG" and picture.width > 30 * 96


def test_the_report_asks_nothing_of_any_network_and_what_others_named_stays_text(photographs, tmp_path):
    hostile = "<img src=x onerror=alert(1)></script>$title"
    file = saved(tmp_path / "net&<b>.safetensors", "transformer")
    outcome = through("style_transfer", [file], Inputs({hostile: photographs["eyes"]}))
    outcome.notes.append(hostile)
    html = page(outcome)
    assert "<img src=x" not in html and html.count("</script>") == 2
    addresses = set(re.findall(r"""(?:src|href)=["']([^"']{1,12})""", html)) | set(re.findall(r"url\(([^)]{1,12})", html))
    assert not {address for address in addresses if not address.startswith(("data:", "#"))}
    assert "default-src 'none'" in html
    assert outcome.notes[-1] == hostile


def test_a_grid_over_any_two_parameters(photographs, tmp_path):
    file = saved(tmp_path / "a.safetensors", "style")
    settings = read_settings("style_transfer", ["strength=0.2,1", "style=scream,irises"])
    wanted, _ = cases("style_transfer", Inputs({"eyes": photographs["eyes"]}), settings=settings)
    assert len(wanted) == 4
    outcome = check("style_transfer", sources([str(file)])[0], wanted, grid=("strength", "style"))
    data = json.loads(re.search(r'id="data">(.*?)</script>', page(outcome), re.DOTALL)[1])
    assert data["grid"] == ["strength", "style"]
    assert [axis["name"] for axis in data["axes"]] == ["input", "seed", "strength", "style"]
    own = [cell for cell in data["cells"] if cell["at"][2] is not None]
    assert sorted(tuple(cell["at"]) for cell in own) == [(0, 0, i, j) for i in (0, 1) for j in (0, 1)]
    assert len({cell["src"] for cell in own}) == 4
    wall = np.asarray(sheet(outcome)).astype(int)
    assert wall.shape[0] > wall.shape[1] * 0.5 and wall.std() > 10


def test_the_contact_sheet_shows_the_pictures_themselves(photographs, tmp_path):
    square = {"nose": photographs["nose"].resize((256, 256))}
    outcome = through("style_transfer", [saved(tmp_path / "a.safetensors", "transformer")], Inputs(square))
    wall = np.asarray(sheet(outcome)).astype(int)
    for picture in (square["nose"], outcome.examined[0].made[0].picture):
        row = np.asarray(picture).astype(int)[128]
        assert any((wall[y, x : x + 256] == row).all() for y in range(wall.shape[0]) for x in range(40, wall.shape[1] - 256)
                   if (wall[y, x] == row[0]).all())


def test_seeds_and_settings_are_read_as_people_write_them():
    assert read_seeds("0-3,9, 2") == [0, 1, 2, 3, 9]
    found = read_settings("style_transfer", ["keep_colours=yes,no", "blend=0.5"])
    assert found == {"keep_colours": [True, False], "blend": [0.5]}
    assert read_settings("inpainting", ["prompt=a cat, asleep"]) == {"prompt": ["a cat, asleep"]}
    for bad in ("", "3-1", "-2", "1;2"):
        with pytest.raises(BadInput):
            read_seeds(bad)


def test_label_maps_keep_their_colours_when_they_are_reduced():
    drawing = Image.new("RGB", (512, 512), (0, 0, 220))
    drawing.paste((240, 0, 0), (101, 33, 307, 411))
    wanted, _ = cases("pix2pix", Inputs({"map": drawing}), side=128)
    assert wanted[0].image.size == (128, 128) and len(wanted[0].image.getcolors()) == 2


def test_a_network_of_a_header_s_config_is_the_one_that_runs(tmp_path, photographs):
    """Scale and blocks are the weights'; the header that says so is agreed with."""
    torch.manual_seed(0)
    made = SRResNet(4, 1)
    torch.nn.init.normal_(made.tail.weight, std=0.05)
    save_file(made.state_dict(), tmp_path / "a.safetensors",
              metadata={"architecture": "srresnet:SRResNet", "config": json.dumps({"channels": 4, "blocks": 1, "scale": 4})})
    save_file(made.state_dict(), tmp_path / "b.safetensors",
              metadata={"architecture": "srresnet:SRResNet", "config": json.dumps({"channels": 4, "blocks": 7})})
    outcome = through("srgan", [tmp_path / "a.safetensors", tmp_path / "b.safetensors"], Inputs(photographs))
    assert outcome.examined[0].fine and "says blocks = 7, its weights say 1" in outcome.examined[1].failure
    from gm_core.images import to_image, to_tensor

    with torch.inference_mode():
        direct = to_image(made.eval()(to_tensor(photographs["eyes"])))
    assert np.array_equal(outcome.examined[0].made[0].picture, direct)


def test_networks_of_random_weights_differ():
    """The tests above would hold of networks that all paint the same."""
    x = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        assert (network("srresnet", 0)(x) - network("srresnet", 1)(x)).abs().max() > 0.01


def test_portraits_of_our_own_layout(tmp_path):
    from gm_core.datasets.portraits import ATTRIBUTES
    from gm_core.models.portrait_gan import Generator

    save_file(Generator(len(ATTRIBUTES), 6, 8, (8, 6, 4)).state_dict(), tmp_path / "g.safetensors")
    assert through("portraits", [tmp_path / "g.safetensors"], Inputs(), seeds=[0, 1]).fine
