"""Runs tasks: one heavy job at a time, others in a line that they can see, progress on the way, cancel that stops.

    for event in engine.stream(srgan, image, checkpoint="srgan-x4"):
        match event:
            case Waiting(position): ...
            case Progress(fraction, words, preview): ...
            case Finished(result): ...

Closing the iterator (the visitor left, or pressed stop) takes the job out of the line, or stops it at its next report.
"""

import importlib.util
import logging
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from PIL.Image import Image

from gm_core.background import in_background
from gm_core.errors import Cancelled, GMError

logger = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True)
class Waiting:
    """In the line: `position` jobs run or wait before this one."""

    position: int


@dataclass(frozen=True)
class Progress:
    """See `gm_core.report.Report`."""

    fraction: float | None
    words: str
    preview: Image | None = None


@dataclass(frozen=True)
class Finished(Generic[T]):
    """The task's return value, and the seconds it ran (without the waiting)."""

    result: T
    seconds: float


Event = Waiting | Progress | Finished[T]


class Engine(Protocol):
    """What the rooms and tools know of whoever runs their tasks: `LocalEngine`, or a cluster's (`gm_core.cluster`)."""

    def stream(self, task: Callable[..., T], *args: Any, **settings: Any) -> Iterator[Event[T]]:  # noqa: ANN401
        """Runs `task(*args, **settings, report=...)`; yields Waiting and Progress, at last Finished.

        Raises GMError at once if the line is full, and whatever the task raises.
        """
        ...

    def run(self, task: Callable[..., T], *args: Any, **settings: Any) -> T:  # noqa: ANN401
        """As `stream`, for callers who only want the result."""
        ...

    def waiting(self) -> int:
        """How many jobs stand in the line."""
        ...

    def warm(self, checkpoint: str) -> None:
        """Somebody may want this checkpoint soon. Returns at once; whatever goes wrong is told to whoever asks for it."""
        ...


class News:
    """What is heard of a job: a single slot, so that a slow reader sees the newest, not a backlog."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._event: Event[Any] | None = None
        self._failure: BaseException | None = None

    def tell(self, event: Event[Any]) -> None:
        with self._changed:
            self._event = event
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def next_event(self, patience: float | None = None) -> Event[Any] | None:
        """Waits for news; None if there are none after `patience` seconds. Raises what the task raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._event is not None or self._failure is not None, patience)
            if self._failure is not None:
                raise self._failure
            event, self._event = self._event, None
            return event


class Job(News):
    """One call of a task, to be run in a thread of its own."""

    def __init__(self, call: Callable[[Callable[..., None]], Any]) -> None:
        super().__init__()
        self._call = call
        self._left = False

    def leave(self) -> None:
        """Nobody waits for it any more: its next report raises Cancelled."""
        self._left = True

    def report(self, fraction: float | None, words: str, preview: Image | None = None) -> None:
        if self._left:
            raise Cancelled("The visitor has gone.")
        self.tell(Progress(fraction, words, preview))

    def run(self) -> None:
        began = time.perf_counter()
        try:
            result = self._call(self.report)
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            self.fail(error)
        else:
            self.tell(Finished(result, time.perf_counter() - began))


def result_of(events: Iterator[Event[T]]) -> T:
    """Waits for the end of a stream."""
    for event in events:
        if isinstance(event, Finished):
            return event.result
    raise Cancelled("The job ended without a result.")


def full(waiting: int) -> GMError:
    """What is said to whoever finds the line full."""
    return GMError(f"{waiting} others are waiting already. Please come back in a minute.")


# --- a GPU that is lent for a while -------------------------------------------------------------------------------------

GPU_SECONDS = 120
"""The longest that a task may have the GPU of a Space."""
LENT = importlib.util.find_spec("spaces") is not None
"""Whether the package is here by which Spaces on ZeroGPU lend theirs."""


def marked(function: Callable[P, T]) -> Callable[P, T]:
    """A Space on ZeroGPU lends a GPU while `function` runs; elsewhere the mark means nothing."""
    if not LENT:
        return function
    import spaces  # pyright: ignore[reportMissingImports]

    return spaces.GPU(duration=GPU_SECONDS)(function)


@marked
def lent(task: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> Iterator[Event[Any] | Exception]:
    """Runs a task; yields its progress, at last Finished or what it raised.

    ZeroGPU runs this in a process of its own, so what goes in and comes out can be pickled, which a `report` cannot.
    """
    job = Job(lambda report: task(*args, **settings, report=report))
    threading.Thread(target=job.run, name="lent", daemon=True).start()
    try:
        event = None
        while not isinstance(event, Finished):
            event = job.next_event()
            assert event is not None  # it waits as long as it takes
            yield event
    except Exception as error:  # noqa: BLE001 - raised again on the other side, as what it is
        yield error
    finally:
        job.leave()


@dataclass(frozen=True)
class Answer:
    """Stands in another process for a setting that is asked while the task runs: yes once the file is there."""

    file: Path

    def __call__(self) -> bool:
        return self.file.exists()


def borrowing(task: Callable[..., T], *args: Any, report: Callable[..., None], **settings: Any) -> T:  # noqa: ANN401
    """`task(*args, **settings, report=report)`, by way of `lent`."""
    with tempfile.TemporaryDirectory() as folder:
        questions = {Path(folder, name): value for name, value in settings.items() if callable(value)}
        answers = {file.name: Answer(file) for file in questions}
        with closing(lent(task, args, {**settings, **answers})) as events:  # pyright: ignore - it is a generator
            for event in events:
                if isinstance(event, Finished):
                    return event.result
                if isinstance(event, Exception):
                    raise event
                if isinstance(event, Progress):
                    report(event.fraction, event.words, event.preview)
                for file, question in questions.items():
                    if question():
                        file.touch()
    raise Cancelled("The job ended without a result.")


class LocalEngine:
    """Tasks run in this process. `workers` of them at a time; on two cores one is fastest for everybody."""

    def __init__(self, workers: int = 1, max_waiting: int = 64) -> None:
        self._workers = workers
        self._max_waiting = max_waiting
        self._guard = threading.Lock()
        self._line: deque[Job] = deque()
        self._running: set[Job] = set()
        self._warming: set[str] = set()

    def stream(self, task: Callable[..., T], *args: Any, **settings: Any) -> Iterator[Event[T]]:  # noqa: ANN401
        """Runs `task(*args, **settings, report=...)`; yields Waiting and Progress, at last Finished.

        Raises GMError at once if the line is full, and whatever the task raises.
        """
        call = partial(borrowing, task) if LENT else task
        job = Job(lambda report: call(*args, **settings, report=report))
        with self._guard:
            if len(self._line) >= self._max_waiting:
                raise full(len(self._line))
            self._line.append(job)
            self._advance()
        try:
            while True:
                event = job.next_event()
                assert event is not None  # it waits as long as it takes
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            job.leave()
            with self._guard:
                if job in self._line:
                    self._line.remove(job)
                    self._advance()

    def run(self, task: Callable[..., T], *args: Any, **settings: Any) -> T:  # noqa: ANN401
        """As `stream`, for callers who only want the result."""
        return result_of(self.stream(task, *args, **settings))

    def waiting(self) -> int:
        """How many jobs stand in the line."""
        with self._guard:
            return len(self._line)

    def warm(self, checkpoint: str) -> None:
        """Loads it beside the line, unless it is in memory or on its way, or computes in another process."""
        with self._guard:
            if LENT or checkpoint in self._warming:
                return
            self._warming.add(checkpoint)
        in_background(self._load, checkpoint, name="warm")

    def _load(self, checkpoint: str) -> None:
        from gm_core.load import load  # torch with it: the page opens without

        try:
            load(checkpoint)
        except Exception as error:  # noqa: BLE001 - nobody has asked for anything yet
            logger.warning("%s is not warm: %s", checkpoint, error)
        finally:
            with self._guard:
                self._warming.discard(checkpoint)

    def _advance(self) -> None:
        """Starts what may start and tells the others their places. Called with the guard held."""
        while self._line and len(self._running) < self._workers:
            job = self._line.popleft()
            self._running.add(job)
            in_background(self._work, job, name="task")
        for i, job in enumerate(self._line):
            job.tell(Waiting(i + len(self._running)))

    def _work(self, job: Job) -> None:
        try:
            job.run()
        finally:
            with self._guard:
                self._running.discard(job)
                self._advance()
