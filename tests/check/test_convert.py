"""Old pickles: read without running anything, or refused with a sentence; and turned into safetensors."""

import json
import os
import pickle
import re
import sys
import zipfile

import pytest
import torch
from safetensors.torch import load_file

from gm_core.convert import convert, main, read_header, read_pickle, stated
from gm_core.errors import CheckpointError
from gm_core.models.community import build
from tests.check.tiny import network, saved


class Reducer:
    """What a malicious file holds: a call that happens when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [
    lambda thing, path: torch.save({"weight": thing}, path),
    lambda thing, path: torch.save({"weight": thing}, path, _use_new_zipfile_serialization=False),
    lambda thing, path: path.write_bytes(pickle.dumps(thing, protocol=2)),
    lambda thing, path: path.write_bytes(pickle.dumps(thing, protocol=4)),
])
def test_a_reducer_is_refused_and_does_not_run(write, tmp_path):
    trap = tmp_path / "sprung"
    write(Reducer(trap), tmp_path / "bad.pth")
    with pytest.raises(CheckpointError, match=r"(wants posix\.mkdir|wants more than tensors).*not opened"):
        read_pickle(tmp_path / "bad.pth")
    assert not trap.exists()


def test_the_trap_would_have_sprung(tmp_path):
    pickle.loads(pickle.dumps(Reducer(tmp_path / "sprung")))
    assert (tmp_path / "sprung").exists()


def test_a_whole_pickled_network_is_named_as_what_it_is(tmp_path):
    torch.save(network("srresnet"), tmp_path / "network.pth")
    with pytest.raises(CheckpointError, match=r"wants gm_core\.models\.srresnet\.SRResNet .*state_dict"):
        read_pickle(tmp_path / "network.pth")


@pytest.mark.parametrize("spoil", [lambda data: data[: len(data) // 2], lambda data: data[:40], lambda data: b"",
                                   lambda data: bytes(1000), lambda data: b"PK\x03\x04" + os.urandom(500)])
def test_a_damaged_file_gets_a_sentence(spoil, tmp_path):
    path = saved(tmp_path / "weights.pth", "srresnet")
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(CheckpointError, match=r"weights\.pth (is damaged|cannot be read safely)"):
        read_pickle(path)


def test_a_file_that_unpacks_to_far_more_is_not_opened(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("archive/data/0", bytes(30_000_000))
    with pytest.raises(CheckpointError, match="would unpack to"):
        read_pickle(tmp_path / "bomb.pth")


@pytest.mark.parametrize(("wrap", "note"), [
    (lambda state: {"params_ema": state, "params": {}}, "'params_ema'"),
    (lambda state: {"epoch": 3, "state_dict": state, "optimizer": {"lr": 1}}, "'state_dict'"),
    (lambda state: {"model": {"generator": state}}, "'generator'"),
    (lambda state: {**state, "epoch": 3}, "1 entries beside"),
])
def test_weights_are_found_where_training_scripts_put_them(wrap, note, tmp_path):
    state = network("srresnet").state_dict()
    torch.save(wrap(state), tmp_path / "last.ckpt")
    found, notes = read_pickle(tmp_path / "last.ckpt")
    assert found.keys() == state.keys() and note in notes[-1]


@pytest.mark.parametrize("thing", [[1, 2], {"epoch": 3}, {"state_dict": 5}, torch.zeros(3)])
def test_what_holds_no_weights_is_said(thing, tmp_path):
    torch.save(thing, tmp_path / "log.pt")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        read_pickle(tmp_path / "log.pt")


@pytest.mark.parametrize("name", ["srgan", "transformer", "dcgan", "unet"])
def test_what_is_converted_fills_the_network_strictly_and_says_what_it_is(name, tmp_path):
    old = network(name).state_dict()
    torch.save({f"module.{key}": value for key, value in old.items() if "num_batches" not in key}, tmp_path / "old.pth")
    found, notes = convert(tmp_path / "old.pth", tmp_path / "model.safetensors")
    assert "'module.'" in notes[0]
    state = load_file(tmp_path / "model.safetensors")
    again = found.network()
    again.load_state_dict(state, strict=True)
    assert all(torch.equal(state[key], value) for key, value in old.items())
    _, header = read_header(tmp_path / "model.safetensors")
    said, config = stated(header, {})
    assert said == found.layout.build and config == json.loads(json.dumps(found.config))


def test_what_is_converted_opens_in_the_rooms_too(tmp_path):
    saved(tmp_path / "latest_net_G.pth", "unet")
    (tmp_path / "safe").mkdir()
    convert(tmp_path / "latest_net_G.pth", tmp_path / "safe" / "model.safetensors", {"dropout": False})
    assert not build(tmp_path / "safe").dropout


def test_the_command_writes_beside_the_old_file_and_says_what_it_found(tmp_path, monkeypatch, capsys):
    path = saved(tmp_path / "netG.pth", "srgan-old")
    monkeypatch.setattr(sys, "argv", ["convert", str(path)])
    main()
    assert (tmp_path / "netG.safetensors").exists()
    assert "SRGAN generator" in capsys.readouterr().out
    own = str(tmp_path / "netG.safetensors")
    for words, sentence in ((["nowhere.pth"], "There is no file"), ([own], "would be overwritten")):
        monkeypatch.setattr(sys, "argv", ["convert", *words])
        with pytest.raises(SystemExit, match=re.escape(sentence)):
            main()


@pytest.mark.parametrize("header", [{"architecture": "x", "config": "{"}, {"architecture": "x", "config": "[1]"}])
def test_a_header_that_is_no_dictionary_is_refused(header):
    with pytest.raises(CheckpointError, match="config"):
        stated(header, {})
