"""The engine with plain functions as tasks: the line, its places, progress, cancel, failures."""

import os
import sys
import threading
import time

import pytest
from PIL import Image

import app
from gm_core.checkpoints import find
from gm_core.engine import Finished, LocalEngine, Progress, Waiting
from gm_core.errors import BadInput, Cancelled, GMError
from gm_core.load import loaded, unload
from gm_core.report import Report, silent

PATIENCE = 10.0


class Gate:
    """A task that says when it has started and goes on when it is let."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.let = threading.Event()
        self.stopped = threading.Event()

    def __call__(self, *, report: Report = silent) -> str:
        self.started.set()
        try:
            while not self.let.wait(0.01):
                report(None, "working")
        except Cancelled:
            self.stopped.set()
            raise
        return "done"


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def collect(engine, task, into, **settings):
    def read():
        into.extend(engine.stream(task, **settings))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only whole processes give way")
def test_tasks_give_way_to_those_who_answer_visitors():
    def task(*, report: Report = silent) -> tuple[int, int]:
        mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        theirs: list[int] = []
        helper = threading.Thread(target=lambda: theirs.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
        helper.start()  # as torch starts its own
        helper.join()
        return mine, theirs[0]

    here = os.getpriority(os.PRIO_PROCESS, 0)
    engine, first, found = LocalEngine(), Gate(), []
    blocked = collect(engine, first, [])
    assert first.started.wait(PATIENCE)
    waiting = collect(engine, task, found)
    until(lambda: engine.waiting() == 1, "the second stands in the line")
    first.let.set()
    for reader in (blocked, waiting):
        reader.join(PATIENCE)
    back = (min(19, here + 10),) * 2
    assert engine.run(task) == back, "it steps back from where the page is"
    assert found[-1].result == back, "and no further when the one before it has started it"
    assert os.getpriority(os.PRIO_PROCESS, 0) == here


def test_arguments_progress_and_result_come_through_in_order():
    def task(x: int, *, y: int, report: Report = silent) -> int:
        report(0.0, "first", Image.new("RGB", (2, 2)))
        time.sleep(0.05)
        report(0.5, "second")
        time.sleep(0.05)
        return x * y

    events = list(LocalEngine().stream(task, 6, y=7))
    assert [event.words for event in events[:-1]] == ["first", "second"]
    assert events[0].preview is not None
    assert events[-1].result == 42 and events[-1].seconds >= 0.1


def test_a_slow_reader_gets_the_newest_news_not_a_backlog():
    def task(*, report: Report = silent) -> None:
        for i in range(200):
            report(i / 200, str(i))

    stream = LocalEngine().stream(task)
    next(stream)
    time.sleep(0.2)
    assert len(list(stream)) <= 2


def test_one_job_at_a_time_and_the_others_see_their_places_shrink():
    engine, gates = LocalEngine(), [Gate() for _ in range(3)]
    events = [[] for _ in gates]
    threads = []
    for i, gate in enumerate(gates):
        threads.append(collect(engine, gate, events[i]))
        until(gate.started.is_set if i == 0 else lambda i=i: engine.waiting() == i, "the job did not join the line")
    until(lambda: events[1] and events[2], "nobody told the waiting ones their places")
    assert events[1][0] == Waiting(1) and events[2][0] == Waiting(2)
    assert not gates[1].started.is_set()
    gates[0].let.set()
    until(gates[1].started.is_set, "the second job did not start")
    until(lambda: Waiting(1) in events[2], "the third did not move up")
    assert not gates[2].started.is_set()
    for gate in gates:
        gate.let.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert all(isinstance(seen[-1], Finished) and seen[-1].result == "done" for seen in events)


def test_two_workers_run_two_jobs():
    engine, gates = LocalEngine(workers=2), [Gate() for _ in range(3)]
    threads = [collect(engine, gate, []) for gate in gates]
    until(lambda: sum(gate.started.is_set() for gate in gates) == 2, "two jobs should run")
    time.sleep(0.05)
    assert sum(gate.started.is_set() for gate in gates) == 2
    for gate in gates:
        gate.let.set()
    for thread in threads:
        thread.join(PATIENCE)


def test_closing_the_stream_stops_the_work_and_only_this_work():
    engine, mine, other = LocalEngine(), Gate(), Gate()
    stream = engine.stream(mine)
    assert isinstance(next(stream), Progress)
    events = []
    thread = collect(engine, other, events)
    stream.close()
    until(mine.stopped.is_set, "the task went on")
    until(other.started.is_set, "the next job did not start")
    assert not other.stopped.is_set()
    other.let.set()
    thread.join(PATIENCE)
    assert events[-1].result == "done"


def test_leaving_the_line_moves_the_others_up_and_the_job_never_starts():
    engine, first, gone, last = LocalEngine(), Gate(), Gate(), Gate()
    running, events = [], []
    collect(engine, first, running)
    until(first.started.is_set, "the first job did not start")
    leaving = engine.stream(gone)
    assert next(leaving) == Waiting(1)
    thread = collect(engine, last, events)
    until(lambda: Waiting(2) in events, "the last one has no place")
    leaving.close()
    until(lambda: Waiting(1) in events, "the last one did not move up")
    first.let.set()
    last.let.set()
    thread.join(PATIENCE)
    assert not gone.started.is_set() and events[-1].result == "done"


def test_a_task_s_failure_reaches_its_caller_and_the_line_goes_on():
    def fails(*, report: Report = silent) -> None:
        raise BadInput("no such thing")

    engine = LocalEngine()
    with pytest.raises(BadInput, match="no such thing"):
        engine.run(fails)
    assert engine.run(lambda report: 5) == 5


def test_a_full_line_says_so_at_once():
    engine, gate = LocalEngine(max_waiting=1), Gate()
    collect(engine, gate, [])
    until(gate.started.is_set, "the first job did not start")
    collect(engine, gate, [])
    until(lambda: engine.waiting() == 1, "the second job did not join the line")
    with pytest.raises(GMError, match="1 others are waiting"):
        next(engine.stream(gate))
    gate.let.set()


def test_what_is_warmed_is_loaded_beside_the_line():
    """The line stands still meanwhile, and nobody hears of a checkpoint that there is not."""
    unload()
    engine, gate = LocalEngine(), Gate()
    thread = collect(engine, gate, [])
    assert gate.started.wait(PATIENCE)
    for name in ("cyclegan-monet", "cyclegan-monet", "no-such-checkpoint"):
        engine.warm(name)
    until(lambda: "cyclegan-monet" in loaded(), "it was not loaded")
    until(lambda: not any(one.name == "warm" for one in threading.enumerate()), "a thread was left behind")
    gate.let.set()
    thread.join(PATIENCE)
    unload()


def test_a_room_warms_its_network_when_it_is_opened():
    """By its tab's own event, and only what hangs in it and ships."""
    class Noting(LocalEngine):
        def __init__(self) -> None:
            super().__init__()
            self.noted: list[str] = []

        def warm(self, checkpoint: str) -> None:
            self.noted.append(checkpoint)

    engine = Noting()
    tabs = {f"tab-{demo.name}": demo for demo in app.DEMOS if demo.warm}
    assert len(tabs) >= 5
    page = app.gallery(engine)
    for event in page.fns.values():
        for number, kind in event.targets:
            demo = tabs.pop(getattr(page.blocks.get(number), "elem_id", None), None)
            if demo:
                assert kind == "select"
                event.fn()
                assert engine.noted.pop() == demo.warm and find(demo.warm).shipped and find(demo.warm) in demo.checkpoints()
    assert not tabs
