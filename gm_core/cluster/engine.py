"""RayEngine: the same seam as `LocalEngine`, the work in Ray Serve's replicas on as many machines as the cluster has.

One front process keeps the line of each task, so places are true. Each task is a Serve application of its own whose replicas
run one job at a time; Serve starts and ends them as the jobs come, sends a job where its checkpoint is in memory, and replaces
what dies. A job whose replica died is begun again, once.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reads these when it is imported
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # else Serve's threads would connect again after `close`

import ray
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException
from ray.serve.schema import ApplicationStatus

from gm_core.cluster.replica import Begun, Board, Failed, Question, Replica
from gm_core.cluster.settings import CHECK, OTHERS, Spread, read
from gm_core.engine import Event, Finished, News, Progress, Waiting, full, result_of
from gm_core.errors import Cancelled, GMError
from gm_core.hub import allowed_repositories
from gm_core.public import is_public

logger = logging.getLogger(__name__)

T = TypeVar("T")

HOUSE = Path(__file__).resolve().parents[2]
SHIPPED_THERE = ["/*", "!.", "!/gm_core", "!/assets", "/assets/*", "!/assets/checkpoints"]
"""Of the house everything stays here but the core and the weights, which every machine of the cluster is sent."""
LOOK_EVERY = 0.25
"""Seconds after which a job that has not begun looks where it stands."""
FAILED_AFTER = 30.0
"""Seconds after which a job that is first in its line asks whether its replicas can start at all."""
LONGEST_ID = 200


class _Work(News):
    """A job as the front sees it: in the line of its task until a replica has begun it."""

    def __init__(self, task: str) -> None:
        super().__init__()
        self.task = task
        self.begun = False
        self.left = False
        self.call: Any = None
        """What Serve gives for the running call: to read from and to cancel."""


class RayEngine:
    """Tasks run on a Ray cluster.

    address: of one that runs already; None starts one on this machine, which ends with `close`. cluster: a file like
    `settings.toml`. name: whoever uses another name on the same cluster has replicas of its own. tasks: those to make ready;
    None for all of the gallery. max_waiting: instead of the file's. Raises GMError where the cluster cannot be reached or the
    settings make no sense.
    """

    def __init__(self, address: str | None = None, *, cluster: Path | None = None, name: str = "gallery",
                 tasks: Sequence[str] | None = None, max_waiting: int | None = None) -> None:
        self._settings = read(cluster)
        self._max_waiting = max_waiting or self._settings.max_waiting
        self._name = name
        self._guard = threading.Lock()
        self._lines: dict[str, list[_Work]] = {}
        self._board: Any = None
        self._ours = not ray.is_initialized()
        if self._ours:
            self._connect(address)
        self._handles = self._deployed([*(self._settings.tasks if tasks is None else tasks)])

    def _connect(self, address: str | None) -> None:
        quiet: dict[str, Any] = {"include_dashboard": False} if address is None else {}
        where = {"address": "local", **self._settings.local} if address is None else {
            "address": address, "runtime_env": {"working_dir": str(HOUSE), "excludes": SHIPPED_THERE}}
        try:
            ray.init(**where, **quiet, log_to_driver=False, logging_level=logging.WARNING, namespace="gallery")
        except (ConnectionError, RuntimeError, ValueError, RayError) as error:
            place = f"at {address} " if address else ""
            raise GMError(f"The Ray cluster {place}cannot be reached: {str(error).strip().splitlines()[0]}") from error

    def _deployed(self, tasks: list[str]) -> dict[str, Any]:
        targets = [serve.RunTarget(_deployment(task, self._settings.tasks[task]), name=f"{self._name}-{task}",
                                   route_prefix=None) for task in tasks]
        quiet = {"log_level": "WARNING", "enable_access_log": False}
        try:
            serve.start(proxy_location="Disabled", logging_config=quiet)
            handles = serve.run_many(targets, wait_for_applications_running=False)
        except (RuntimeError, ValueError, TypeError, RayError) as error:
            self.close()
            raise GMError(f"The tasks could not be put on the cluster: {str(error).strip().splitlines()[0]}") from error
        # With its first options a handle makes its router: here, once, not in the threads of two visitors at the same time.
        return {task: handle.options(stream=True, method_name="run") for task, handle in zip(tasks, handles, strict=True)}

    def close(self) -> None:
        """Takes the tasks off the cluster, and ends it if it was started here. Jobs that still run get an error."""
        if not ray.is_initialized():
            return
        for task, handle in getattr(self, "_handles", {}).items():
            handle.shutdown()  # else its thread goes on telling a cluster that is gone how much it has to do
            serve.delete(f"{self._name}-{task}", _blocking=False)
        if self._ours:
            ray.shutdown()

    # --- the seam -----------------------------------------------------------------------------------------------------------

    def stream(self, task: Callable[..., T], *args: Any, **settings: Any) -> Iterator[Event[T]]:  # noqa: ANN401
        """As `LocalEngine.stream`. What it is given, returns and raises travels between processes, so it must be picklable;
        only settings that are callables, asked while the task runs, are asked here."""
        work = _Work(self._task_of(task))
        questions = {name: value for name, value in settings.items() if callable(value)}
        with self._guard:
            line = self._lines.setdefault(work.task, [])
            waiting = sum(not one.begun for one in line)
            if waiting >= self._max_waiting:
                raise full(waiting)
            line.append(work)
        words = {name: secrets.token_hex(8) for name in questions}
        sent = {**settings, **{name: Question(self._shared_board(), word) for name, word in words.items()}}
        threading.Thread(target=self._follow, args=(work, task, args, sent), name="job", daemon=True).start()
        try:
            yield from self._told(work, questions, words)
        finally:
            work.left = True
            if work.call is not None:
                work.call.cancel()
            self._gone(work)
            if words:
                self._shared_board().wipe.remote([*words.values()])

    def run(self, task: Callable[..., T], *args: Any, **settings: Any) -> T:  # noqa: ANN401
        """As `stream`, for callers who only want the result."""
        return result_of(self.stream(task, *args, **settings))

    def waiting(self) -> int:
        """How many jobs have not begun."""
        with self._guard:
            return sum(not work.begun for line in self._lines.values() for work in line)

    def warm(self, checkpoint: str) -> None:
        """Nothing: replicas keep what they are asked for, and none of them is asked for everything."""

    # --- in the visitor's thread --------------------------------------------------------------------------------------------

    def _told(self, work: _Work, questions: dict[str, Callable[..., Any]], words: dict[str, str]) -> Iterator[Event[Any]]:
        place, first_since, asked = None, time.monotonic(), time.monotonic()
        while True:
            event = work.next_event(LOOK_EVERY)
            if event is not None:
                yield event
                if isinstance(event, Finished):
                    return
            for name in [name for name, question in questions.items() if question()]:
                del questions[name]
                self._shared_board().write.remote(words[name])
            if work.begun:
                first_since = asked = time.monotonic()
                continue
            now = self._place(work)
            if now is None:
                continue
            if now:
                first_since = asked = time.monotonic()
            elif time.monotonic() - first_since > self._settings.start_within_s:
                raise GMError("No machine has room for this at the moment. Please come back in some minutes.")
            elif time.monotonic() - asked > FAILED_AFTER:
                asked = time.monotonic()
                self._check_started(work.task)
            if now != place:
                place = now
                yield Waiting(now) if now else Progress(None, "Waiting for a machine to be ready")

    def _check_started(self, task: str) -> None:
        """Raises GMError, and logs why, if the cluster has given up to start replicas of the task."""
        found = serve.status().applications.get(f"{self._name}-{task}")
        if found is None or found.status == ApplicationStatus.DEPLOY_FAILED:
            logger.error("The replicas of %s do not start: %s", task, found and found.message)
            raise GMError("The machines that should work on this do not start. Please come back later.")

    def _place(self, work: _Work) -> int | None:
        """How many run or wait before it; None if it has just ended."""
        with self._guard:
            line = self._lines[work.task]
            return line.index(work) if work in line else None

    def _gone(self, work: _Work) -> None:
        with self._guard:
            if work in self._lines[work.task]:
                self._lines[work.task].remove(work)

    # --- in the job's thread ------------------------------------------------------------------------------------------------

    def _follow(self, work: _Work, task: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> None:
        """Reads what the replica sends. If it dies, once more from the beginning."""
        try:
            try:
                self._read(work, task, args, settings)
            except (RayError, RayServeException) as error:
                if work.left or isinstance(error, RayTaskError):
                    raise
                logger.warning("A replica of %s died: %s. The job begins again.", work.task, _first_line(error))
                work.begun = False
                work.tell(Progress(None, "A machine has failed. Beginning again"))
                self._again(work, task, args, settings)
        except BaseException as error:  # noqa: BLE001 - raised again in the reader's thread
            work.fail(error)
        finally:
            self._gone(work)  # the next one moves up now, not when the visitor's thread has looked

    def _again(self, work: _Work, task: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> None:
        try:
            self._read(work, task, args, settings)
        except (RayError, RayServeException) as error:
            if work.left or isinstance(error, RayTaskError):
                raise
            logger.warning("A replica of %s died again: %s. The job is given up.", work.task, _first_line(error))
            raise GMError("The machines that worked on this failed, twice. Please try again, perhaps with less.") from error

    def _read(self, work: _Work, task: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> None:
        checkpoint = settings.get("checkpoint") or settings.get("features") or ""
        handle = self._handles[work.task].options(
            multiplexed_model_id=checkpoint[:LONGEST_ID] if isinstance(checkpoint, str) else "")
        work.call = handle.remote(task, args, settings)
        if work.left:  # while it was being sent
            work.call.cancel()
        for message in work.call:
            if isinstance(message, Begun):
                work.begun = True
            elif isinstance(message, Failed):
                raise message.error
            else:
                work.tell(message)
            if isinstance(message, Finished):
                return
        raise Cancelled("The job ended without a result.")

    # --- parts --------------------------------------------------------------------------------------------------------------

    def _task_of(self, task: Callable[..., Any]) -> str:
        """Whose replicas run it: the file's name in gm_core.tasks, "check", or else "others"."""
        module = getattr(task, "__module__", None) or ""
        name = module.rpartition(".")[2] if module.startswith("gm_core.tasks.") else \
            CHECK if module.startswith("gm_core.check.") else OTHERS
        if name not in self._handles:
            raise GMError(f"This cluster has no replicas for {name}. There are some for: {', '.join(self._handles)}.")
        return name

    def _shared_board(self) -> Any:  # noqa: ANN401 - an actor's handle
        with self._guard:
            if self._board is None:
                self._board = Board.remote()
            return self._board


def _deployment(task: str, spread: Spread) -> serve.Application:
    # What visitors may have fetched is the gallery's decision, not the machine's.
    variables = {"OMP_NUM_THREADS": str(spread.threads), "GM_MODEL_MEMORY": spread.model_memory,
                 "GM_PUBLIC": str(int(is_public())), "GM_HUB_ALLOW": ",".join(allowed_repositories())}
    sent = ray.get_runtime_context().runtime_env.get("working_dir")  # a replica's own environment replaces the connection's
    if not sent:
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HOUSE), os.environ.get("PYTHONPATH"))))
    there = {"env_vars": variables, **({"working_dir": sent} if sent else {})}
    made: Any = serve.deployment(  # typed as what it decorates
        Replica, name=task, max_ongoing_requests=1,
        ray_actor_options={"num_cpus": spread.num_cpus, "num_gpus": spread.num_gpus, "runtime_env": there},
        autoscaling_config={
            "min_replicas": spread.min_replicas, "max_replicas": spread.max_replicas, "target_ongoing_requests": 1,
            "upscale_delay_s": spread.upscale_delay_s, "downscale_delay_s": spread.downscale_delay_s,
            "metrics_interval_s": 1, "look_back_period_s": 2},
        health_check_period_s=spread.health_check_period_s, health_check_timeout_s=spread.health_check_timeout_s,
        graceful_shutdown_timeout_s=spread.graceful_shutdown_timeout_s,
    )
    return made.bind(spread.networks)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
