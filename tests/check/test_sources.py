"""What a CHECKPOINT argument means."""

import pytest

from gm_core.check.sources import Source, check_allowed, natural, sources
from gm_core.errors import BadInput, CheckpointError
from gm_core.hub import allowed_repositories


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_numbers_in_names_are_ordered_as_numbers():
    names = ["epoch_10", "epoch_9", "Epoch_1", "latest", "epoch_100"]
    assert sorted(names, key=natural) == ["Epoch_1", "epoch_9", "epoch_10", "epoch_100", "latest"]


def test_names_of_the_table_files_folders_and_repositories(tmp_path):
    touch(tmp_path, "mine.pth", "whole/config.json", "whole/model.safetensors")
    found, notes = sources(["srgan-x4", str(tmp_path / "mine.pth"), str(tmp_path / "whole"), "owner/name@main:net.safetensors",
                            "owner/other"])
    assert [(one.kind, one.label) for one in found] == [
        ("table", "srgan-x4"), ("file", "mine"), ("folder", "whole"), ("hub", "owner/name@main:net.safetensors"),
        ("hub", "owner/other")]
    assert (found[3].place, found[3].revision, found[3].file) == ("owner/name", "main", "net.safetensors")
    assert found[4].revision == "main" and notes == []


def test_a_folder_of_epochs_is_a_strip_in_natural_order_without_its_discriminators(tmp_path):
    run = touch(tmp_path / "night", *(f"netG_epoch_{i}.pth" for i in (1, 2, 10, 20, 3)), "netD_epoch_1.pth", "optimizer.pt",
                "notes.txt")
    found, notes = sources([str(run)])
    assert [one.mark for one in found] == ["1", "2", "3", "10", "20"]
    assert {one.strip for one in found} == {"night/netG_epoch_…"}
    assert "2 files of night were left aside" in notes[0]


def test_two_generators_of_each_epoch_are_two_strips(tmp_path):
    run = touch(tmp_path / "cycle", *(f"{i}_net_{part}.pth" for i in (5, 10, 100) for part in ("G_A", "G_B", "D_A", "D_B")))
    found, _ = sources([str(run)])
    assert [(one.strip, one.mark) for one in found] == [
        *((f"cycle/…_net_G_{side}", mark) for side in "AB" for mark in ("5", "10", "100"))]


def test_epochs_that_were_named_one_by_one_or_saved_as_folders_are_a_strip_too(tmp_path):
    touch(tmp_path, *(f"g_{i}.pth" for i in range(3)), *(f"run/checkpoint-{i}/model.safetensors" for i in (100, 20, 3)))
    found, _ = sources([str(tmp_path / f"g_{i}.pth") for i in (2, 0, 1)])
    assert [one.mark for one in found] == ["2", "0", "1"], "the order in which they were named"
    found, _ = sources([str(tmp_path / "run")])
    assert [(one.kind, one.mark) for one in found] == [("folder", "3"), ("folder", "20"), ("folder", "100")]


def test_two_files_are_no_strip_and_equal_names_are_told_apart(tmp_path):
    touch(tmp_path, "a/net.pth", "b/net.pth", "c/e_1.pth", "c/e_2.pth")
    found, _ = sources([str(tmp_path / "a" / "net.pth"), str(tmp_path / "b" / "net.pth"), str(tmp_path / "c")])
    assert [one.label for one in found] == ["a/net.pth", "b/net.pth", "e_1", "e_2"]
    assert not any(one.strip for one in found)


@pytest.mark.parametrize(("words", "sentence"), [
    ([], "No checkpoint"), (["no such thing"], "is no name of the table"), (["runs/epoch_3.pth"], "no file or folder here"),
    (["../nowhere"], "is no name"),
])
def test_what_is_none_of_them_gets_a_sentence(words, sentence):
    with pytest.raises(BadInput, match=sentence):
        sources(words)


def test_an_empty_folder_gets_a_sentence_and_the_page_reads_no_paths(tmp_path):
    with pytest.raises(BadInput, match="holds no weights"):
        sources([str(touch(tmp_path, "notes.txt"))])
    touch(tmp_path, "mine.safetensors")
    for name in (str(tmp_path), str(tmp_path / "mine.safetensors"), "/etc/passwd", "~/x"):
        with pytest.raises(BadInput, match="is no name of the table, and no repository"):
            sources([name], local=False)


def test_the_operator_says_which_repositories_the_page_may_fetch(monkeypatch):
    source = Source("x", "hub", "Some-One/net", "main")
    monkeypatch.delenv("GM_HUB_ALLOW", raising=False)
    monkeypatch.delenv("SPACE_ID", raising=False)
    check_allowed(source)
    monkeypatch.setenv("SPACE_ID", "a/space")
    assert allowed_repositories() == []
    with pytest.raises(CheckpointError, match="takes the checkpoints of its table only"):
        check_allowed(source)
    check_allowed(Source("srgan-x4", "table", "srgan-x4"))
    monkeypatch.setenv("GM_HUB_ALLOW", "other/net, some-one/*")
    check_allowed(source)
    monkeypatch.setenv("GM_HUB_ALLOW", "other/net")
    with pytest.raises(CheckpointError, match="may fetch from other/net"):
        check_allowed(source)
    monkeypatch.setenv("GM_HUB_ALLOW", "")
    assert allowed_repositories() == []
