"""The engine on a real Ray cluster of two nodes: the same pictures, true places, cancel, failures, replicas that die."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from gm_core.engine import Finished, Progress, Waiting
from gm_core.errors import BadInput, Cancelled, GMError, Unavailable
from gm_core.report import Report, silent
from tests.served import serving

ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "ray[serve]==2.60.0"')

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900),
              pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]  # Ray's own

PATIENCE = 240.0
SETTINGS = """
max_waiting = 2
[task]
num_cpus = 0.05
min_replicas = 0
max_replicas = 1
upscale_delay_s = 0
[tasks.check]
min_replicas = 2
max_replicas = 2
[tasks.others]             # more than half a node each: one on each node
num_cpus = 0.6
min_replicas = 2
max_replicas = 2
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    written = tmp_path_factory.mktemp("cluster") / "settings.toml"
    written.write_text(SETTINGS)
    return written


@pytest.fixture(scope="module")
def address():
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 150_000_000}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        yield cluster.address
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture(scope="module")
def engine(address, file):
    from gm_core.cluster.engine import RayEngine

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # the cluster is sent the core, not the tests
    engine = RayEngine(address, cluster=file, name="test", tasks=["srgan", "style_transfer", "pix2pix", "gatys", "others"])
    yield engine
    engine.close()


@pytest.fixture
def gates(tmp_path):
    """Lets everybody through in the end, so that a failed test leaves no job behind."""
    yield tmp_path
    (tmp_path / "open").touch()


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def collect(engine, task, *args, **settings) -> tuple[threading.Thread, list]:
    """The events as they come; a failure is the last of them."""
    into = []

    def read():
        try:
            into.extend(engine.stream(task, *args, **settings))
        except Exception as error:  # noqa: BLE001 - looked at by the test
            into.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread, into


# --- tasks that the cluster is given --------------------------------------------------------------------------------------


def gate(folder: Path, name: str, *, report: Report = silent) -> tuple[int, str]:
    """Says that it has begun and goes on when it is let."""
    import ray

    (folder / f"{name}.begun").write_text(str(os.getpid()))
    try:
        while not (folder / "open").exists():
            report(0.5, f"working on {name}", Image.new("RGB", (3, 2), (1, 2, 3)))
            time.sleep(0.02)
    except Cancelled:
        (folder / f"{name}.stopped").touch()
        raise
    return os.getpid(), ray.get_runtime_context().get_node_id()


def meeting(folder: Path, own: str, other: str, *, report: Report = silent) -> tuple[int, str]:
    """Ends only if the other one runs at the same time."""
    import ray

    (folder / own).touch()
    while not (folder / other).exists():
        report(None, "waiting for the other")
        time.sleep(0.02)
    return os.getpid(), ray.get_runtime_context().get_node_id()


def fragile(folder: Path, deaths: int, *, report: Report = silent) -> int:
    """Its process dies in the middle, so many times."""
    died = len(list(folder.glob("death-*")))
    report(0.5, "in the middle")
    if died < deaths:
        (folder / f"death-{died}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return died


class Awkward(BadInput):
    """Cannot be made from its message alone."""

    def __init__(self, side: int, least: int) -> None:
        super().__init__(f"{side} pixels are less than {least}.")


class Locked(Exception):
    """Cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()


def raising(what: str, *, report: Report = silent) -> None:
    raise {"bad": BadInput("no such thing"), "far": Unavailable("not here"), "awkward": Awkward(3, 8),
           "defect": ZeroDivisionError("by nothing"), "locked": Locked()}[what]


def until_told(*, stop, report: Report = silent) -> int:
    steps = 0
    while not stop():
        steps += 1
        report(None, f"step {steps}")
        time.sleep(0.02)
    return steps


# --- the same as in process -----------------------------------------------------------------------------------------------


def drawing() -> Image.Image:
    from gm_core.datasets.facades import LABEL_COLOURS

    labels = np.full((96, 80, 3), LABEL_COLOURS[0], np.uint8)
    labels[16:48, 20:40] = LABEL_COLOURS[3]
    return Image.fromarray(labels)


@pytest.mark.parametrize(("name", "settings"), [
    ("srgan", {"checkpoint": "srgan-x4"}), ("style_transfer", {"style": "scream", "checkpoint": "style-many"}),
    ("pix2pix", {"checkpoint": "pix2pix-facades", "seed": 3}),
])
def test_a_replica_makes_the_same_picture_to_the_bit(engine, name, settings):
    from importlib import import_module

    task = getattr(import_module(f"gm_core.tasks.{name}"), name)
    image = drawing() if name == "pix2pix" else Image.fromarray(skimage.data.chelsea()[80:144, 110:206])
    events = list(engine.stream(task, image, **settings))
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # as settings.toml gives a replica
    try:
        here = task(image, **settings)
    finally:
        torch.set_num_threads(before)
    assert isinstance(events[-1], Finished) and events[-1].seconds > 0
    assert any(isinstance(event, Progress) for event in events)
    assert np.array_equal(events[-1].result, here) and np.asarray(here).std() > 5


def test_two_jobs_run_at_once_in_two_processes_on_two_nodes(engine, gates):
    readers = [collect(engine, meeting, gates, *names) for names in (("a", "b"), ("b", "a"))]
    for thread, _ in readers:
        thread.join(PATIENCE)
    first, second = (events[-1].result for _, events in readers)
    assert first[0] != second[0] and os.getpid() not in (first[0], second[0])
    assert first[1] != second[1]


def test_places_shrink_previews_arrive_and_a_full_line_says_so(engine, gates):
    running = [collect(engine, gate, gates, f"r{i}") for i in range(2)]
    until(lambda: all((gates / f"r{i}.begun").exists() for i in range(2)) and engine.waiting() == 0, "two jobs should run")
    until(lambda: engine.waiting() == 0, "a running job counts as waiting")
    waiting = []
    for i in range(2):
        waiting.append(collect(engine, gate, gates, f"w{i}"))
        until(lambda i=i: waiting[i][1] == [Waiting(2 + i)], "the job has no place in the line")
    assert engine.waiting() == 2
    with pytest.raises(GMError, match=r"^2 others are waiting already"):
        next(engine.stream(gate, gates, "none"))
    previews = [event.preview for event in running[0][1] if isinstance(event, Progress) and event.preview]
    assert previews[-1].size == (3, 2) and previews[-1].getpixel((0, 0)) == (1, 2, 3)
    (gates / "open").touch()
    for thread, events in (*running, *waiting):
        thread.join(PATIENCE)
        assert isinstance(events[-1], Finished), events[-1]
    assert not (gates / "none.begun").exists() and engine.waiting() == 0


def test_closing_the_stream_stops_the_work_and_frees_its_replica(engine, gates):
    mine = engine.stream(gate, gates, "mine")
    until(lambda: isinstance(next(mine), Progress) and (gates / "mine.begun").exists(), "the job did not begin")
    other, events = collect(engine, gate, gates, "other")
    until((gates / "other.begun").exists, "the second replica took no job")
    mine.close()
    until((gates / "mine.stopped").exists, "the task went on")
    third, more = collect(engine, gate, gates, "third")
    until((gates / "third.begun").exists, "the replica was not freed")
    assert (gates / "third.begun").read_text() == (gates / "mine.begun").read_text()
    assert not (gates / "other.stopped").exists()
    (gates / "open").touch()
    for thread in (other, third):
        thread.join(PATIENCE)
    assert isinstance(events[-1], Finished) and isinstance(more[-1], Finished)


def test_leaving_the_line_moves_the_others_up_and_the_job_never_begins(engine, gates):
    running = [collect(engine, gate, gates, f"r{i}") for i in range(2)]
    until(lambda: all((gates / f"r{i}.begun").exists() for i in range(2)) and engine.waiting() == 0, "two jobs should run")
    gone = engine.stream(gate, gates, "gone")
    assert next(gone) == Waiting(2)
    last, events = collect(engine, gate, gates, "last")
    until(lambda: events == [Waiting(3)], "the last one has no place")
    gone.close()
    until(lambda: events[-1] == Waiting(2), "the last one did not move up")
    (gates / "open").touch()
    for thread, _ in (*running, (last, events)):
        thread.join(PATIENCE)
    assert isinstance(events[-1], Finished) and not (gates / "gone.begun").exists()


def test_a_setting_that_is_asked_while_the_task_runs_is_asked_here(engine):
    answered = threading.Event()
    thread, events = collect(engine, until_told, stop=answered.is_set)
    until(lambda: any(isinstance(event, Progress) and event.words.startswith("step") for event in events), "it did not begin")
    answered.set()
    thread.join(PATIENCE)
    assert isinstance(events[-1], Finished) and events[-1].result > 0


# --- what goes wrong ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "kind", "sentence"), [
    ("bad", BadInput, "no such thing"), ("far", Unavailable, "not here"), ("awkward", BadInput, "3 pixels are less than 8."),
    ("defect", ZeroDivisionError, "by nothing"), ("locked", RuntimeError, "Locked: locked"),
])
def test_errors_arrive_as_what_they_are_with_their_sentence(engine, what, kind, sentence):
    with pytest.raises(kind) as caught:
        engine.run(raising, what)
    assert type(caught.value) is kind and str(caught.value) == sentence
    assert "in raising" in caught.value.__notes__[-1], "the log needs the traceback of the replica"


def test_limits_hold_on_the_cluster_too(engine):
    from gm_core.tasks.srgan import srgan

    with pytest.raises(BadInput, match="at least 8 a side"):
        engine.run(srgan, Image.new("RGB", (3, 3)))
    with pytest.raises(GMError, match="There is no checkpoint 'no-such'"):
        engine.run(srgan, Image.new("RGB", (8, 8)), checkpoint="no-such")


def test_what_cannot_be_sent_is_an_error_and_no_hang(engine):
    lock = threading.Lock()
    with pytest.raises(TypeError, match="pickle"):
        engine.run(raising, lock)


def test_a_job_whose_replica_was_killed_begins_again(engine, tmp_path):
    thread, events = collect(engine, fragile, tmp_path, 1)
    thread.join(PATIENCE)
    assert isinstance(events[-1], Finished) and events[-1].result == 1
    assert any(isinstance(event, Progress) and "Beginning again" in event.words for event in events)


def test_a_job_that_kills_every_replica_gets_a_sentence_and_others_go_on(engine, tmp_path, gates):
    with pytest.raises(GMError, match="failed, twice"):
        engine.run(fragile, tmp_path, 100)
    # Serve sends a call again by itself if a replica died before it said that it takes it.
    assert len(list(tmp_path.glob("death-*"))) in (2, 3)
    (gates / "open").touch()
    assert engine.run(gate, gates, "next")[0] > 0


# --- tool and page --------------------------------------------------------------------------------------------------------


def test_a_check_on_the_cluster_has_the_same_pictures_and_figures_to_the_bit(engine, address, file, tmp_path, capsys,
                                                                             monkeypatch):
    from gm_core.check.__main__ import main
    from tests.check.tiny import saved

    (tmp_path / "photographs").mkdir()
    Image.fromarray(skimage.data.chelsea()[80:144, 110:206]).save(tmp_path / "photographs" / "eyes.png")
    saved(tmp_path / "netG.pth", "srresnet")
    (tmp_path / "torn.safetensors").write_bytes(bytes(range(256)) * 8)
    monkeypatch.chdir(tmp_path)  # files are named as they are from here
    words = ["srgan", "srgan-x4", "netG.pth", "torn.safetensors", "--references", "photographs", "--json"]
    told = []
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for more in ([], ["--engine", "ray", "--address", address, "--cluster", str(file)]):
            assert main([*words, *more]) == 1
            told.append(json.loads(capsys.readouterr().out))
    finally:
        torch.set_num_threads(threads)
    here, there = told
    assert [one["sha256"] for one in here["pictures"]] == [one["sha256"] for one in there["pictures"]]
    assert len({one["sha256"] for one in here["pictures"]}) == 2
    assert [one["figures"] for one in here["pictures"]] == [one["figures"] for one in there["pictures"]]
    for name in ("label", "place", "figures", "sha256", "parameters", "failure"):
        assert [one[name] for one in here["checkpoints"]] == [one[name] for one in there["checkpoints"]]
    assert "not a whole safetensors" in there["checkpoints"][2]["failure"]


def test_the_gallery_before_a_cluster(engine, address, file, tmp_path):
    """One front process; its networks run in replicas of its own."""
    from gradio_client import Client, handle_file

    from gm_core.tasks.srgan import srgan

    small = Image.fromarray(skimage.data.chelsea()[80:112, 110:158])
    small.save(tmp_path / "small.png")
    with serving(tmp_path, "app.py", "--engine", "ray", "--address", address, "--cluster", str(file)) as url:
        client = Client(url, verbose=False, download_files=str(tmp_path))
        with Image.open(client.predict(handle_file(tmp_path / "small.png"), api_name="/srgan")) as large:
            assert np.array_equal(large, srgan(small))
        client.close()
