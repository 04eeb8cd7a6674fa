"""The loader: against a real Hub server, a Hub that fails, damaged files, many visitors, a small memory."""

import errno
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file
from torch import Tensor, nn

from gm_core import hub as files
from gm_core import load as loader
from gm_core.checkpoints import CHECKPOINTS, Checkpoint
from gm_core.errors import Cancelled, CheckpointError, GMError
from gm_core.models.rrdbnet import RRDBNet
from gm_core.models.srresnet import SRResNet
from gm_core.report import silent
from tests.hubs import COMMIT, faulty, olah, publish
from tests.visitor import RECORD, ROOT, visit

TINY = {"channels": 4, "blocks": 1}


def tiny(seed: int = 0) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    return {key: torch.randn_like(value) for key, value in SRResNet(**TINY).state_dict().items()}


def total(state: dict[str, Tensor]) -> float:
    return sum(float(value.double().sum()) for value in state.values())


# --- a real Hub -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[dict]:
    """Records at olah, and what three visits to them gave: "online", "down" (the server has stopped), "offline" (told so).

    All three share one cache; the repository of "absent" is only asked for when the Hub is not there.
    """
    from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution

    folder = tmp_path_factory.mktemp("olah")
    torch.manual_seed(0)
    swin = Swin2SRForImageSuperResolution(Swin2SRConfig(
        image_size=8, num_channels=3, embed_dim=12, depths=[1], num_heads=[2], window_size=4, upscale=4,
        upsampler="pixelshuffle"))
    swin_state, swin_config = swin.state_dict(), swin.config.to_json_string().encode()
    lost = sorted(swin_state)[0]
    rrdb = RRDBNet(channels=4, blocks=1, growth=2).state_dict()

    def record(name: str, weights: bytes, extra: dict[str, bytes] | None = None, **fields: object) -> dict:
        files = {**(extra or {}), "model.safetensors": weights}
        return {"repo_id": f"team/{name}", "revision": publish(folder, f"team/{name}", files), "files": tuple(files),
                "config": TINY, **fields}

    def transformer(name: str, state: dict[str, Tensor]) -> dict:
        return record(name, save(state, {"format": "pt"}), {"config.json": swin_config}, build="swin2sr:build")

    records = {
        "tiny": record("tiny", save(tiny())),
        "half": record("half", save({key: value.half() for key, value in tiny().items()}),
                       {"text/vocabulary.txt": b"many words\n" * 100, "text/config.json": b"{}" * 100}),
        "branch": {**record("branch", save(tiny(1))), "revision": "main"},
        "rrdb": record("rrdb", save(rrdb), build="rrdbnet:RRDBNet", config={"channels": 4, "blocks": 1, "growth": 2}),
        "swin": transformer("swin", swin_state),
        "swin-lacking": transformer("swin-lacking", {key: swin_state[key] for key in swin_state if key != lost}),
        "swin-reshaped": transformer("swin-reshaped", {**swin_state, lost: torch.zeros(2, 3)}),
        "swin-cut": record("swin-cut", save(swin_state, {"format": "pt"})[:-500], {"config.json": swin_config},
                           build="swin2sr:build"),
    }
    absent = record("absent", save(tiny()))
    home = tmp_path_factory.mktemp("home")
    with olah(folder) as endpoint:
        online = visit(endpoint, home, records)
    later = {"tiny": records["tiny"], "half": records["half"], "branch": records["branch"], "absent": absent}
    yield {"online": online, "down": visit(endpoint, home, later), "lost": lost, "absent": absent,
           "offline": visit(endpoint, home, later, HF_HUB_OFFLINE="1"),
           "sums": {"tiny": total(tiny()), "half": total({key: value.half().float() for key, value in tiny().items()}),
                    "branch": total(tiny(1)), "rrdb": total(rrdb), "swin": total(swin_state)}}


@pytest.mark.parametrize(("name", "network"), [("tiny", "SRResNet"), ("half", "SRResNet"), ("branch", "SRResNet"),
                                               ("rrdb", "RRDBNet"), ("swin", "Swin2SR")])
def test_downloads_and_fills_the_network(hub, name, network):
    outcome = hub["online"][name]
    assert outcome.get("message") is None
    assert outcome["network"] == network
    assert outcome["weights"] == pytest.approx(hub["sums"][name], rel=1e-6, abs=1e-4)
    assert outcome["before"] == "1 MB to download"
    assert outcome["after"] == ("1 MB to download" if name == "branch" else "cached")  # a branch may move any time


def test_reports_megabytes_that_only_grow(hub):
    for name, outcome in hub["online"].items():
        fractions = [fraction for fraction, _ in outcome["reports"]]
        assert fractions, name
        assert fractions == sorted(fractions)
        assert all(0 <= fraction <= 1 for fraction in fractions)
        assert all(words.startswith("Downloading Tiny: ") and words.endswith(" 1 MB") for _, words in outcome["reports"])


@pytest.mark.parametrize("name", ["tiny", "half"])
@pytest.mark.parametrize("absence", ["down", "offline"])
def test_a_cached_checkpoint_needs_no_hub(hub, name, absence):
    outcome = hub[absence][name]
    assert outcome["before"] == "cached"
    assert outcome["weights"] == pytest.approx(hub["sums"][name])
    assert outcome["reports"] == []
    assert outcome["seconds"] < 3


@pytest.mark.parametrize("absence", ["down", "offline"])
def test_an_unpinned_checkpoint_is_taken_from_the_cache_when_the_hub_is_away(hub, absence):
    outcome = hub[absence]["branch"]
    assert outcome["before"] == "1 MB to download"
    assert outcome["weights"] == pytest.approx(hub["sums"]["branch"])
    assert outcome["seconds"] < 5


@pytest.mark.parametrize(("absence", "advice"), [("down", "Check the network"), ("offline", "HF_HUB_OFFLINE")])
def test_without_hub_and_cache_the_visitor_is_told_at_once(hub, absence, advice):
    """When connections are refused huggingface_hub alone would spend 23 s on retries."""
    outcome = hub[absence]["absent"]
    assert outcome["error"] == "Unavailable"
    assert advice in outcome["message"]
    assert "1 MB" in outcome["message"]
    assert outcome["seconds"] < 5


@pytest.mark.parametrize("name", ["swin-lacking", "swin-reshaped", "swin-cut"])
def test_a_library_network_with_wrong_weights_is_refused(hub, name):
    outcome = hub["online"][name]
    assert outcome["error"] == "CheckpointError"
    if name == "swin-lacking":
        assert hub["lost"] in outcome["message"]


# --- a Hub that fails -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def failures(tmp_path_factory) -> dict:
    """Outcome by fault, one visit after the other; "slow" is left at 15 percent, the silent ones after half a second."""
    whole = save(tiny())
    content = {"pickle": pickle.dumps([bytes(2000)]), "cut": whole[:-100], "unwritable": whole}
    faults = ["slow", "silent", "mute", "mute-left", "no-repository", "no-revision", "no-file", "private", "gated",
              "forbidden", "busy", "broken", "overloaded", "portal", "shorter", "zeros", "pickle", "cut", "unwritable",
              "truncated"]
    visits = {fault: {"repo_id": f"anyone/{fault.removesuffix('-left')}", "revision": COMMIT, "config": TINY}
              for fault in faults}
    visits["slow"] |= {"leave_at": 0.15, "size": 60_000_000}
    visits["silent"] |= {"leave_after": 0.5}
    visits["mute-left"] |= {"leave_after": 0.5}
    home = tmp_path_factory.mktemp("home")
    (home / "hub").mkdir()
    (home / "hub" / "models--anyone--unwritable").touch()  # no folder can be made here, by root neither
    with faulty(content) as (endpoint, server):
        outcomes = visit(endpoint, home, visits, HF_HUB_ETAG_TIMEOUT="2")
        # The process lived on for longer than the whole of "slow" would have taken.
        outcomes["slow"] |= {"sent": server.sent, "left": server.left}
    return outcomes


UNREADABLE = " on the Hub cannot be read: it does not exist, or is private. If it is yours, set HF_TOKEN."
UNREACHABLE = "Tiny is not on this machine and the Hub cannot be reached. Check the network: 1 MB would be downloaded once."


@pytest.mark.parametrize(("fault", "sentence"), [
    ("no-repository", "anyone/no-repository" + UNREADABLE),
    ("private", "anyone/private" + UNREADABLE),
    ("forbidden", "anyone/forbidden" + UNREADABLE),
    ("gated", "anyone/gated on the Hub is gated: accept its licence on its page and set HF_TOKEN to a token of that account."),
    ("no-revision", "anyone/no-revision on the Hub has no commit 01234567 any more."),
    ("no-file", "anyone/no-file on the Hub has no file model.safetensors at commit 01234567."),
    ("busy", "The Hub asks for patience (too many requests). Try again in some minutes."),
    ("broken", "The Hub has trouble at the moment (error 500). Try again in some minutes."),
    ("overloaded", "The Hub has trouble at the moment (error 503). Try again in some minutes."),
    ("mute", UNREACHABLE),
    ("portal", UNREACHABLE),
    ("truncated", "Tiny could not be downloaded: the connection to the Hub broke. Try again."),
    ("shorter", "Tiny could not be downloaded: the connection to the Hub broke. Try again."),
    ("unwritable", "The cache folder for weights cannot be written. Point HF_HOME to a folder that can."),
])
def test_each_failure_has_its_sentence(failures, fault, sentence):
    outcome = failures[fault]
    assert outcome["error"] == "Unavailable"
    assert outcome["message"] == sentence + " The shipped checkpoints work without it."
    assert outcome["seconds"] < (12 if fault == "truncated" else 6)  # a broken body is asked for again, five times
    assert outcome["after"] == "1 MB to download"


@pytest.mark.parametrize(("fault", "sentence"), [
    ("pickle", "is a pickle"), ("cut", "is not a whole safetensors file"), ("zeros", "is not a whole safetensors file")])
def test_wrong_content_is_not_loaded(failures, fault, sentence):
    assert failures[fault]["error"] == "CheckpointError"
    assert sentence in failures[fault]["message"]


@pytest.mark.parametrize("fault", ["silent", "mute-left"])
def test_whoever_leaves_is_free_at_once(failures, fault):
    """Though the Hub says nothing that could be answered: the body of the one, the headers of the other."""
    assert failures[fault]["error"] == "Cancelled"
    assert failures[fault]["seconds"] < 1.5


def test_leaving_stops_the_download(failures):
    slow = failures["slow"]
    assert slow["error"] == "Cancelled"
    assert slow["left"]
    assert slow["sent"] <= 50_000_000
    assert slow["after"] == "60 MB to download"
    fractions = [fraction for fraction, _ in slow["reports"]]
    assert fractions == sorted(fractions)
    assert 0.15 <= fractions[-1] < 0.9
    assert slow["reports"][-1][1].endswith("of 60 MB")


def test_full_disk_has_its_sentence():
    record = Checkpoint(**{**RECORD, "name": "tiny", "size": 60_000_000, "repo_id": "team/tiny", "revision": COMMIT})
    for cause in (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
                  RuntimeError("I/O error: No space left on device (os error 28)")):  # as Xet says it
        error = OSError("Could not write")
        error.__cause__ = cause
        assert files.why_unavailable(record, "model.safetensors", error) == (
            "There is not enough room on the disk for Tiny (60 MB). Free some space, or point HF_HOME to a larger disk.")


def test_verify_names_every_record(tmp_path):
    process = subprocess.run([sys.executable, "-m", "gm_core.load", "--verify"], cwd=ROOT, capture_output=True, text=True,
                             env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}, timeout=120, check=False)
    lines = dict(line.split(maxsplit=1) for line in process.stdout.splitlines())
    assert list(lines) == [checkpoint.name for checkpoint in CHECKPOINTS]
    assert all("HF_HUB_OFFLINE" in lines[checkpoint.name] for checkpoint in CHECKPOINTS if not checkpoint.shipped)
    assert process.returncode == 1, process.stderr


# --- files that are not what they should be ---------------------------------------------------------------------------


def local(folder: Path, state: dict[str, Tensor] | None = None, build: str = "srresnet:SRResNet",
          config: dict | None = None, **fields: object) -> Checkpoint:
    """A shipped record whose folder is elsewhere: its name is a path."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"architecture": build, "config": TINY if config is None else config}))
    save_file(tiny() if state is None else state, folder / "model.safetensors")
    files = ("config.json", "model.safetensors")
    return Checkpoint(**{**RECORD, "name": str(folder), "build": build, "files": files, **fields})


def refusal(record: Checkpoint) -> str:
    with pytest.raises(CheckpointError) as caught:
        loader.build(record, files.fetch(record))
    return str(caught.value)


def test_wrong_keys_are_named(tmp_path):
    state = tiny()
    state["body.0.conv9.weight"] = state.pop("body.0.conv1.weight")
    message = refusal(local(tmp_path / "w", state))
    assert "1 missing (body.0.conv1.weight)" in message
    assert "1 unexpected (body.0.conv9.weight)" in message


def test_many_wrong_keys_are_counted(tmp_path):
    message = refusal(local(tmp_path / "w", {"a": torch.zeros(1)}))
    assert f"{len(tiny())} missing (body.0.conv1.bias, body.0.conv1.weight, body.0.conv2.bias, ...)" in message


def test_wrong_shapes_are_named(tmp_path):
    message = refusal(local(tmp_path / "w", {**tiny(), "tail.bias": torch.zeros(7)}))
    assert "tail.bias is (7,), should be (48,)" in message


def test_a_config_for_another_network_is_refused(tmp_path):
    assert "depth" in refusal(local(tmp_path / "w", config={"depth": 3}))


def test_a_missing_file_is_named(tmp_path):
    record = local(tmp_path / "w")
    (record.folder / "model.safetensors").unlink()
    message = refusal(record)
    assert "model.safetensors is missing" in message
    assert str(tmp_path) not in message.replace(record.title, "")


class Bomb:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("written", ["torch", "torch's old format", "pickle"])
def test_a_pickle_is_never_opened(tmp_path, written):
    record, bomb = local(tmp_path / "w"), Bomb(tmp_path / "exploded")
    path = record.folder / "model.safetensors"
    if written == "pickle":
        path.write_bytes(pickle.dumps(bomb))
    else:
        torch.save({"a": bomb}, path, _use_new_zipfile_serialization=written == "torch")
    assert "is a pickle" in refusal(record)
    assert not bomb.path.exists()
    pickle.loads(pickle.dumps(bomb))
    assert bomb.path.exists(), "the bomb is a dud, and this test proves nothing"


@pytest.mark.parametrize("kept", [0, 7, 40, -1])
def test_a_truncated_file_is_refused(tmp_path, kept):
    record = local(tmp_path / "w")
    path = record.folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert "is not a whole safetensors file" in refusal(record)


@pytest.mark.parametrize("first", [b"\x80", b"PK"])
def test_a_whole_file_that_begins_like_a_pickle_is_loaded(tmp_path, first):
    """The first eight bytes are the header's length, a multiple of 8: one file in 32 starts like a pickle by chance."""
    record = local(tmp_path / "w")
    bare = int.from_bytes(save(tiny(), {"padding": ""})[:8], "little")
    padding = (int.from_bytes(first, "little") - bare) % 256 ** len(first)
    file = save(tiny(), {"padding": "x" * padding})
    assert file.startswith(first)
    (record.folder / "model.safetensors").write_bytes(file)
    assert isinstance(loader.build(record, files.fetch(record)), SRResNet)


def test_only_safetensors_is_ever_fetched():
    record = Checkpoint(**{**RECORD, "name": "x", "files": ("model.safetensors", "pytorch_model.bin"),
                           "repo_id": "team/x", "revision": COMMIT})
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin, which is not safetensors"):
        files.fetch(record)


def test_a_library_s_network_is_made_beside_ours(tmp_path):
    """While diffusers makes one, each weight that any thread's network gets begins without memory."""
    from diffusers.models.unets.unet_2d import UNet2DModel

    UNet2DModel(sample_size=8, in_channels=3, out_channels=3, block_out_channels=(32, 32), layers_per_block=8,
                down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2).save_pretrained(tmp_path / "theirs")
    theirs = Checkpoint(**{**RECORD, "name": "theirs", "build": "celebahq:build", "repo_id": "team/theirs", "revision": COMMIT,
                           "files": ("config.json", "diffusion_pytorch_model.safetensors")})
    ours, begin = local(tmp_path / "ours"), threading.Barrier(2)

    def make(record: Checkpoint, folder: Path) -> bool:
        begin.wait()
        return any(value.is_meta for _ in range(12) for value in loader.build(record, folder).state_dict().values())

    with ThreadPoolExecutor(2) as pool:
        made = pool.submit(make, theirs, tmp_path / "theirs"), pool.submit(make, ours, tmp_path / "ours")
        assert not any(one.result() for one in made)


# --- the store --------------------------------------------------------------------------------------------------------


@pytest.fixture
def store() -> loader._Store:
    return loader._Store(loader._fetch_and_build)


def test_a_loaded_network_is_ready(tmp_path, store):
    record = local(tmp_path / "w")
    network = store.get(record, silent)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    for key, value in network.state_dict().items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.cpu(), tiny()[key])
    assert store.get(record, silent) is network


def test_eight_at_once_build_one(tmp_path, store):
    record = local(tmp_path / "w", {key: torch.zeros_like(value) for key, value in SRResNet(128, 8).state_dict().items()},
                   config={"channels": 128, "blocks": 8})
    barrier, words = threading.Barrier(8), []

    def ask(_: int) -> nn.Module:
        barrier.wait()
        return store.get(record, lambda fraction, said, preview=None: words.append(said))

    with ThreadPoolExecutor(8) as pool:
        networks = list(pool.map(ask, range(8)))
    assert len({id(network) for network in networks}) == 1
    assert words.count("Loading Tiny") == 1


def test_one_who_waits_may_leave_and_the_others_are_served(tmp_path, store):
    record, started, let = local(tmp_path / "w"), threading.Event(), threading.Event()

    def builder(fraction: float | None, words: str, preview: object = None) -> None:
        started.set()
        let.wait(20)

    def leaver(fraction: float | None, words: str, preview: object = None) -> None:
        assert words == "Waiting for Tiny, which somebody else is loading"
        raise Cancelled

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.get, record, builder)
        assert started.wait(20)
        with pytest.raises(Cancelled):
            store.get(record, leaver)
        let.set()
        assert first.result(20) is store.get(record, silent)


def test_after_a_failure_the_next_request_tries_again(tmp_path, store):
    record = local(tmp_path / "w", {"a": torch.zeros(1)})
    with pytest.raises(CheckpointError):
        store.get(record, silent)
    assert store.names() == []
    local(tmp_path / "w")
    assert isinstance(store.get(record, silent), SRResNet)


def test_the_least_recently_used_leaves(tmp_path, store, monkeypatch):
    a, b, c = (local(tmp_path / name) for name in "abc")
    size = sum(4 * value.numel() for value in tiny().values())
    monkeypatch.setenv("GM_MODEL_MEMORY", str(2 * size))
    store.get(a, silent)
    store.get(b, silent)
    assert store.names() == [a.name, b.name]
    store.get(a, silent)
    kept = store.get(a, silent)
    store.get(c, silent)
    assert store.names() == [a.name, c.name]
    assert store.get(a, silent) is kept
    monkeypatch.setenv("GM_MODEL_MEMORY", "1")
    store.get(b, silent)
    assert store.names() == [b.name], "one network is kept however large it is"
    store.clear()
    assert store.names() == []


@pytest.mark.parametrize(("text", "size"), [("500", 500), ("2GB", 2 * 10**9), (" 1.5 gb ", 15 * 10**8), ("300m", 3 * 10**8),
                                            ("7KiB", 7000), ("1T", 10**12)])
def test_the_memory_budget_reads_what_people_write(text, size, monkeypatch):
    monkeypatch.setenv("GM_MODEL_MEMORY", text)
    assert loader.memory_budget() == size


def test_without_a_setting_the_budget_is_a_quarter_of_the_memory(monkeypatch):
    monkeypatch.delenv("GM_MODEL_MEMORY", raising=False)
    assert 10**8 < loader.memory_budget() < 10**13


@pytest.mark.parametrize("text", ["lots", "-1", "2 gigabytes", "GB"])
def test_a_bad_memory_budget_is_told_before_anything_is_loaded(text, tmp_path, store, monkeypatch):
    monkeypatch.setenv("GM_MODEL_MEMORY", text)
    said = []
    with pytest.raises(GMError, match="like 2GB") as caught:
        store.get(local(tmp_path / "w"), lambda *words: said.append(words))
    assert f"'{text}'" in str(caught.value)
    assert said == []


@pytest.fixture
def fresh_device() -> Iterator[None]:
    loader.device.cache_clear()
    yield
    loader.device.cache_clear()


@pytest.mark.usefixtures("fresh_device")
def test_a_device_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setenv("GM_DEVICE", "banana")
    with pytest.raises(GMError, match="GM_DEVICE is 'banana'"):
        loader.device()
    monkeypatch.setenv("GM_DEVICE", "cpu")
    assert loader.device() == torch.device("cpu")


def test_an_unknown_name_lists_the_names():
    with pytest.raises(CheckpointError, match="There is no checkpoint 'nonesuch'") as caught:
        loader.load("nonesuch")
    assert all(checkpoint.name in str(caught.value) for checkpoint in CHECKPOINTS)


def test_where_a_shipped_checkpoint_is():
    assert files.where(Checkpoint(**{**RECORD, "name": "x"})) == "shipped"


# --- precision --------------------------------------------------------------------------------------------------------


def painter(loudness: float) -> nn.Module:
    torch.manual_seed(0)
    network = RRDBNet(channels=8, blocks=1, growth=4).eval().requires_grad_(False)
    network.conv_last.weight.mul_(loudness)
    return network


def test_a_short_float_is_used_where_the_output_agrees():
    network = painter(1.0)
    x = network.example_inputs()[0]
    exact = network(x)
    measured = loader.speed_up(network, torch.bfloat16)
    assert measured is not None
    assert measured >= loader.AGREEMENT_DB
    short = network(x).float()
    assert not torch.equal(short, exact), "forward does not run in bfloat16"
    error = -10 * torch.log10((short - exact).square().mean())
    assert float(error) == pytest.approx(measured, abs=0.5)


def test_a_short_float_is_refused_where_the_output_disagrees():
    network = painter(3000.0)
    x = network.example_inputs()[0]
    exact = network(x)
    measured = loader.speed_up(network, torch.bfloat16)
    assert measured is not None
    assert measured < loader.AGREEMENT_DB
    assert torch.equal(network(x), exact)


def test_a_network_that_overflows_keeps_float32():
    network = painter(float("1e38"))
    assert not loader.speed_up(network, torch.float16) >= loader.AGREEMENT_DB  # not a number
    assert network(network.example_inputs()[0]).dtype == torch.float32


def test_without_a_shorter_float_or_an_example_nothing_changes():
    assert loader.speed_up(painter(1.0), None) is None
    assert loader.speed_up(nn.Conv2d(3, 3, 1), torch.bfloat16) is None
