"""What runs in the other processes: one job at a time, its news sent as they come."""

import asyncio
import os
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import torch
from ray import serve
from ray.cloudpickle.cloudpickle import dumps, loads

from gm_core import load
from gm_core.engine import Event, Finished, Job
from gm_core.errors import GMError

ASKED_EVERY = 0.3


@dataclass(frozen=True)
class Begun:
    """A replica has taken the job."""

    process: int
    node: str


@dataclass(frozen=True)
class Failed:
    """What the task raised."""

    error: BaseException


@ray.remote(num_cpus=0)
class Board:
    """Where the front writes down that a visitor has answered: the way to a task that is running already."""

    def __init__(self) -> None:
        self._written: set[str] = set()

    def write(self, word: str) -> None:
        self._written.add(word)

    def wipe(self, words: Sequence[str]) -> None:
        self._written.difference_update(words)

    def written(self, word: str) -> bool:
        return word in self._written


@dataclass
class Question:
    """Stands for a callable that only the front can ask, such as the `stop` of a visitor: false until the board has it."""

    board: Any
    word: str
    last: float = 0.0
    said: bool = False

    def __call__(self) -> bool:
        if not self.said and time.monotonic() - self.last > ASKED_EVERY:
            self.last = time.monotonic()
            self.said = bool(ray.get(self.board.written.remote(self.word)))
        return self.said


class Held:
    """A checkpoint that Serve counts as ready here. When it is one too many, its network leaves memory."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __del__(self) -> None:
        load.unload(self.name)


async def hold(name: str) -> Held:
    """Only the name: the task loads the network itself, with progress, cancel and sentences as in any process."""
    return Held(name)


class Replica:
    """A process that runs tasks. networks: how many checkpoints stay ready."""

    def __init__(self, networks: int) -> None:
        self._hold: Any = serve.multiplexed(max_num_models_per_replica=networks)(hold)
        self._alone = asyncio.Lock()
        load.device()  # a wrong GM_DEVICE is told when the replica starts, not to a visitor

    async def run(self, task: Callable[..., Any], args: Sequence[Any],
                  settings: dict[str, Any]) -> AsyncIterator[Begun | Failed | Event[Any]]:
        """Begun, the task's news, at last Finished or Failed. Cancelled, it ends when the task has ended."""
        if name := serve.get_multiplexed_model_id():
            await self._hold(name)
        async with self._alone:
            job = Job(lambda report: task(*args, **settings, report=report))
            thread = threading.Thread(target=job.run, name="task", daemon=True)
            thread.start()
            try:
                yield Begun(os.getpid(), ray.get_runtime_context().get_node_id())
                while True:
                    event = await asyncio.to_thread(_next, job)
                    yield event
                    if isinstance(event, Finished | Failed):
                        return
            finally:
                job.leave()
                await asyncio.shield(asyncio.to_thread(thread.join))  # the next job shall not share the machine with this one

    def check_health(self) -> None:
        """Raises where a GPU has failed: every later call in this process would."""
        torch.zeros(1, device=load.device())


def _next(job: Job) -> Failed | Event[Any]:
    try:
        event = job.next_event()
        assert event is not None
        return event
    except BaseException as error:  # noqa: BLE001 - raised again in the front
        return Failed(_sendable(error))


def _sendable(error: BaseException) -> BaseException:
    """The error as it can travel: with its traceback as a note, and what cannot be pickled in words."""
    error.add_note("In the replica:\n" + "".join(traceback.format_exception(error)))
    try:
        copy = loads(dumps(error))
        return error if type(copy) is type(error) and str(copy) == str(error) else _in_words(error)
    except Exception:  # noqa: BLE001 - a class may do anything when it is pickled
        return _in_words(error)


def _in_words(error: BaseException) -> BaseException:
    ours = [kind for kind in type(error).__mro__ if issubclass(kind, GMError) and kind.__module__ == GMError.__module__]
    said = ours[0](str(error)) if ours else RuntimeError(f"{type(error).__name__}: {error}")
    for note in getattr(error, "__notes__", []):
        said.add_note(note)
    return said
