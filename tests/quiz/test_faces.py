"""Photographs mode: a folder with rights, or none."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from gm_core.errors import BadInput
from gm_core.quiz import faces
from gm_core.quiz.game import Games
from gm_core.quiz.present import FILE_BYTES
from gm_core.quiz.store import Store
from gm_core.quiz.supply import Supply
from tests.quiz.tiny import head

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    """Twelve of each, of several sizes and formats, with a table."""
    rows = ["file,author,source,licence"]
    for kind, first in (("real", 0), ("fake", 100)):
        (tmp_path / kind).mkdir()
        for i in range(12):
            name = f"{i}.jpg" if kind == "real" else f"{i}.png"
            picture = head(first + i).resize((200 + 8 * i, 180))
            exif = Image.Exif()
            exif[0x010E] = "a secret place"
            picture.save(tmp_path / kind / name, exif=exif)
            rows.append(f'{kind}/{name},"Photographer {i}, {kind}",An archive,CC BY 4.0')
    (tmp_path / "attribution.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_the_same_game_with_attribution_at_the_reveal(folder, tmp_path):
    world = faces.Photographs(folder)
    store = Store(f"sqlite:///{tmp_path / 'quiz.sqlite3'}")
    games = Games(Supply([world]), store)
    token = games.start("photographs")
    for number in range(1, 11):
        question = games.deal(token)
        assert {len(file) for file in question.portraits} == {FILE_BYTES}
        assert all(b"secret" not in file for file in question.portraits)
        reveal = games.answer(token, number, "left")
        for told in reveal.portraits:
            assert told.origin.endswith(f"{'fake' if told.fake else 'real'}, An archive, CC BY 4.0")
        assert reveal.machine_choice is None
    game = games._games[token]
    assert len(game.seen) == 20, "no photograph twice in a game"
    assert games.summary(token).shown == (), "nobody's photograph travels on a card"
    store.close()


@pytest.mark.parametrize(("spoil", "sentence"), [
    (lambda folder: (folder / "attribution.csv").unlink(), "is not complete"),
    (lambda folder: (folder / "attribution.csv").write_text("file,author\nreal/1.jpg,me"), "lacks the column licence"),
    (lambda folder: (folder / "attribution.csv").write_bytes(b"\xff\xfe\x00\x01"), "cannot be read"),
    (lambda folder: (folder / "attribution.csv").write_text(
        "file,author,source,licence\n" + "\n".join(f"real/{i}.jpg,a,b,c" for i in range(12))), r"10 pictures in fake/.*are 0"),
    (lambda folder: [head(1).resize((40, 40)).save(path) for path in (folder / "real").iterdir()], "in real/.*96 pixels"),
    (lambda folder: [path.write_bytes(b"no picture") for path in (folder / "real").iterdir()], "in real/"),
])
def test_a_folder_that_cannot_be_played_says_why(folder, spoil, sentence):
    spoil(folder)
    world = faces.Photographs(folder)
    assert re.search(sentence, world.trouble()) and world.levels() == []


def test_a_picture_without_attribution_is_not_shown(folder):
    lines = (folder / "attribution.csv").read_text().splitlines()
    (folder / "attribution.csv").write_text("\n".join([lines[0], *lines[2:]]))  # without real/0.jpg
    world = faces.Photographs(folder)
    level = world.levels()[0]
    assert "real/0.jpg" not in {drawn.identity for drawn in world.real(40, level, 0)}


def test_without_the_setting_a_sentence_stands_there(monkeypatch, tmp_path, folder):
    monkeypatch.delenv("GM_FACES", raising=False)
    assert "No photograph of a person ships" in faces.absence()
    monkeypatch.setenv("GM_FACES", str(folder))
    assert faces.absence() == ""
    monkeypatch.setenv("GM_FACES", "hub")
    monkeypatch.setenv("GM_DATA_DIR", str(tmp_path / "data"))
    assert "being prepared: 0 photographs and 0 portraits" in faces.absence()


def test_without_the_hub_preparing_says_so_and_leaves_nothing_half_done(tmp_path):
    """In a process of its own: huggingface_hub reads its environment at import."""
    script = ("import json, sys; from gm_core.quiz import faces; from gm_core.errors import GMError\n"
              "try: faces.prepare(10)\nexcept GMError as error: print(json.dumps([type(error).__name__, str(error)]))")
    told = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub"), "GM_DATA_DIR": str(tmp_path / "data")}
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=told, capture_output=True, text=True, check=True)
    kind, sentence = json.loads(process.stdout)
    assert kind == "Unavailable" and ("pyarrow" in sentence or "cannot be reached" in sentence)
    assert faces.prepared(tmp_path / "data" / "faces") == (0, 0)


def test_preparing_has_limits():
    for number in (0, 9, 501):
        with pytest.raises(BadInput, match="10 and 500"):
            faces.prepare(number)


def test_fairface_is_read_shuffled_and_credited(tmp_path, monkeypatch):
    """With a table in the layout of the Hub's, fetched as from the Hub."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="only photographs from the Hub need pyarrow")
    import huggingface_hub
    import pyarrow

    def coded(seed):
        file = io.BytesIO()
        head(seed).resize((224, 224)).save(file, "JPEG")
        return {"bytes": file.getvalue(), "path": None}

    table = tmp_path / "part.parquet"
    parquet.write_table(pyarrow.table({"image": [coded(i) for i in range(15)], "age": list(range(15))}), table)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: str(table))
    (tmp_path / "real").mkdir()
    (tmp_path / "fake").mkdir()
    faces._photographs(tmp_path, 10, lambda *_: None)
    assert faces.prepared(tmp_path) == (10, 0)
    credit = faces.read_table(tmp_path / "attribution.csv")
    assert len(credit) == 10 and all("FairFace" in words and words.endswith("CC BY 4.0") for words in credit.values())


def test_a_small_diffusion_network_draws_the_fakes_one_by_one(tmp_path, monkeypatch):
    """The real U-Net and sampler at a tiny size; drawn ones are kept and not drawn again; leaving stops between steps."""
    import torch
    from diffusers.models.unets.unet_2d import UNet2DModel

    from gm_core import hub, load
    from gm_core.errors import Cancelled
    from gm_core.models import celebahq

    torch.manual_seed(0)
    network = UNet2DModel(sample_size=256, block_out_channels=(4, 4, 4), layers_per_block=1, norm_num_groups=2,
                          down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3, add_attention=False)
    network.save_pretrained(tmp_path / "weights")
    monkeypatch.setattr(hub, "fetch", lambda *_: tmp_path / "weights")
    monkeypatch.setattr(load, "build", lambda _, folder: celebahq.build(folder))
    monkeypatch.setattr(faces, "STEPS", 2)
    for kind in ("real", "fake"):
        (tmp_path / kind).mkdir()
    told = []
    faces._portraits(tmp_path, 2, lambda fraction, words: told.append(words))
    assert "Portrait 2 of 2, step 2 of 2" in told
    files = sorted((tmp_path / "fake").iterdir())
    assert [file.name for file in files] == ["ddpm-00000.png", "ddpm-00001.png"]
    with Image.open(files[0]) as picture:
        assert picture.size == (224, 224)
    before = files[0].stat().st_mtime_ns

    def leaving(fraction, words):
        if words.startswith("Portrait 3"):
            raise Cancelled

    with pytest.raises(Cancelled):
        faces._portraits(tmp_path, 3, leaving)
    assert files[0].stat().st_mtime_ns == before and len(list((tmp_path / "fake").iterdir())) == 2


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    from diffusers.models.unets.unet_2d import UNet2DModel
    from safetensors.torch import load_file, save_file

    from gm_core.errors import CheckpointError
    from gm_core.models import celebahq

    UNet2DModel(sample_size=32, block_out_channels=(4, 4), layers_per_block=1, norm_num_groups=2, add_attention=False,
                down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2).save_pretrained(tmp_path)
    file = tmp_path / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    weights.pop("conv_in.weight")
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"conv_in\.weight"):
        celebahq.build(tmp_path)
