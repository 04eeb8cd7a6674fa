"""Every checkpoint through every case: pictures, figures, seconds, memory. What fails says why and leaves the rest alone.

`examine` is the unit of work: one set of weights and its cases, plain data in and out, independent of all others. Here they
run one after another, so that one network at a time is in memory; an engine runs them anywhere, as many at once as it can.
"""

import platform
import queue
import resource
import statistics
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image

import gm_core
from gm_core import load
from gm_core.check.kinds import Case, of
from gm_core.check.opening import MAX_BYTES, opened, settle
from gm_core.check.outcome import Examined, Facts, Made, Outcome
from gm_core.check.sources import Source
from gm_core.engine import Engine, Finished, Progress
from gm_core.errors import Cancelled, GMError
from gm_core.images import to_tensor
from gm_core.metrics import kid, pooled_features
from gm_core.report import Report, silent

LEAST_FOR_KID = 50
AT_ONCE = 16
"""Sets of weights that are given to an engine together."""


def examine(task: str, source: Source, cases: Sequence[Case], *, pickles: bool = True, limit: int = MAX_BYTES,
            report: Report = silent) -> Examined:
    """One set of weights through the cases. Raises Cancelled only: whatever else goes wrong is said in what is returned."""
    kind, found = of(task), Examined(source)
    before = _begin_to_watch()
    began = time.perf_counter()
    try:
        network = opened(source, task, pickles=pickles, limit=limit, report=report)
    except Cancelled:
        raise
    except (GMError, OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        found.failure = str(error) if isinstance(error, GMError) else f"{source.label} could not be opened: {_short(error)}"
        return found
    found.facts, found.opening = network.facts, time.perf_counter() - began
    for i, case in enumerate(cases):
        def tell(fraction: float | None, words: str, preview: Image.Image | None = None, i: int = i) -> None:
            report((i + (fraction or 0.0)) / len(cases), f"{source.label}, picture {i + 1} of {len(cases)}", preview)

        tell(0.0, "")
        one = Made(i)
        began = time.perf_counter()
        try:
            one.picture = kind.paint(network, case, tell)
        except Cancelled:
            raise
        except (GMError, RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, MemoryError) as error:
            one.failure = str(error) if isinstance(error, GMError) else f"The network could not be run: {_short(error)}"
        one.seconds = time.perf_counter() - began
        found.made.append(one)
    if all(one.failure for one in found.made) and len({one.failure for one in found.made}) == 1:
        found.failure = found.made[0].failure
    found.memory = max(0, _most_needed() - before) if before else 0
    return found


def check(task: str, sources: Sequence[Source], cases: Sequence[Case], *, pickles: bool = True, limit: int = MAX_BYTES,
          references: Mapping[str, Image.Image] | None = None, notes: Sequence[str] = (), command: str = "",
          grid: tuple[str, str] | None = None, engine: Engine | None = None, report: Report = silent) -> Outcome:
    """All sources through all cases, measured. references: pictures that belong to no single input, compared as a set.

    engine: who makes the pictures; None: this process. Files must lie at the same paths wherever its jobs run.

    `report` gets the newest picture as preview. Raises BadInput for a task that there is not, and Cancelled.
    """
    kind, notes = of(task), list(notes)
    if engine is not None:
        examined = _spread(engine, task, sources, cases, pickles, limit, report)
        notes.append("The pictures were made by several processes, perhaps on several machines; seconds and memory are theirs.")
    else:
        examined = []
        for i, source in enumerate(sources):
            def tell(fraction: float | None, words: str, preview: Image.Image | None = None, i: int = i) -> None:
                report((i + (fraction or 0.0)) / (len(sources) + 0.2), words, preview)

            examined.append(examine(task, source, cases, pickles=pickles, limit=limit, report=tell))
    baseline = _baseline(task, cases)
    paired = {case.input: case.reference for case in cases if case.reference is not None}
    whole_set = list((references or paired).values())
    of_set = _pooled(whole_set) if len(whole_set) >= LEAST_FOR_KID else None
    if whole_set and of_set is None:
        notes.append(f"KID compares sets of {LEAST_FOR_KID} pictures and more; there are {len(whole_set)} references, so it is "
                     "not given.")
    for i, one in enumerate(examined):
        report((len(sources) + 0.2 * i / len(examined)) / (len(sources) + 0.2), f"Measuring {one.source.label}")
        _measure(task, one, cases)
        pictures = [made.picture for made in one.made if made.picture is not None]
        if of_set is not None and len(pictures) >= LEAST_FOR_KID:
            one.figures["kid"] = kid(_pooled(pictures), of_set).value
        elif of_set is not None and not one.failure:
            notes.append(f"KID needs at least {LEAST_FOR_KID} pictures; {one.source.label} made {len(pictures)}.")
    if baseline is not None:
        _measure(task, baseline, cases)
    measured = [one for one in examined if one.figures]
    if any(case.reference is not None for case in cases) and not measured and any(not one.failure for one in examined):
        notes.append(f"{kind.title}: no picture had a reference of its size.")
    return Outcome(task, list(cases), examined, baseline, list(dict.fromkeys(notes)), environment(), command, grid)


def examine_elsewhere(task: str, source: Source, cases: Sequence[Case], *, pickles: bool, limit: int,
                      report: Report) -> Examined:
    """As `examine`, for a process that does nothing else."""
    settle()
    return examine(task, source, cases, pickles=pickles, limit=limit, report=report)


def _spread(engine: Engine, task: str, sources: Sequence[Source], cases: Sequence[Case], pickles: bool, limit: int,
            report: Report) -> list[Examined]:
    """Each source a job of the engine. Raises Cancelled, after which the jobs end at their next news."""
    heard: queue.SimpleQueue[tuple[int, Progress | Examined | BaseException]] = queue.SimpleQueue()
    over = threading.Event()

    def follow(i: int) -> None:
        source = sources[i]
        there = source
        if source.kind in ("file", "folder"):
            there = replace(source, place=str(Path(source.place).absolute()))
        try:
            with closing(engine.stream(examine_elsewhere, task, there, cases, pickles=pickles,  # pyright: ignore - a generator
                                       limit=limit)) as events:
                for event in events:
                    if over.is_set():
                        return
                    if isinstance(event, Finished):
                        heard.put((i, replace(event.result, source=source)))
                    elif isinstance(event, Progress):
                        heard.put((i, event))
        except GMError as error:
            heard.put((i, Examined(source, failure=str(error))))
        except BaseException as error:  # noqa: BLE001 - raised again below
            heard.put((i, error))

    found: dict[int, Examined] = {}
    shares = [0.0] * len(sources)
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check")
    try:
        for i in range(len(sources)):
            pool.submit(follow, i)
        while len(found) < len(sources):
            i, news = heard.get()
            if isinstance(news, BaseException):
                raise news
            if isinstance(news, Examined):
                found[i], shares[i] = news, 1.0
                continue
            shares[i] = max(shares[i], news.fraction or 0.0)
            report(sum(shares) / (len(sources) + 0.2), news.words, news.preview)
    finally:
        over.set()
        pool.shutdown(wait=False, cancel_futures=True)
    return [found[i] for i in range(len(sources))]


def _baseline(task: str, cases: Sequence[Case]) -> Examined | None:
    kind = of(task)
    if kind.baseline is None:
        return None
    name, make = kind.baseline
    found = Examined(Source(name, "baseline", name), Facts(layout="without a network"))
    for i, case in enumerate(cases):
        one = Made(i)
        try:
            one.picture = make(case)
        except GMError as error:
            one.failure = str(error)
        found.made.append(one)
    return found


def _measure(task: str, one: Examined, cases: Sequence[Case]) -> None:
    kind = of(task)
    for made in one.made:
        case = cases[made.case]
        if made.picture is None or case.reference is None:
            continue
        if made.picture.size == case.reference.size and min(made.picture.size) >= 16:
            made.figures = kind.measure(made.picture, case)
    for name in ("psnr", "ssim", "distance"):
        values = [made.figures[name] for made in one.made if name in made.figures]
        if values:
            one.figures[name] = statistics.fmean(values)


def _pooled(pictures: Sequence[Image.Image]) -> torch.Tensor:
    features = load.load("features-small")
    with torch.inference_mode():
        return torch.cat([pooled_features(to_tensor(picture), features) for picture in pictures])  # pyright: ignore


def _short(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def environment() -> dict[str, str]:
    """Versions and machine: what decides whether the same command gives the same pictures."""
    device = load.device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {"gallery": gm_core.__version__, "torch": torch.__version__, "python": platform.python_version(),
            "device": f"{device.type}: {name}", "threads": str(torch.get_num_threads()), "precision": "float32",
            "system": f"{platform.system()} {platform.machine()}"}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


# --- memory -------------------------------------------------------------------------------------------------------------


def _begin_to_watch() -> int:
    """Bytes in use now; from here on `_most_needed` counts. 0 where the system does not tell."""
    if load.device().type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return max(1, torch.cuda.memory_allocated())
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        return _status("VmRSS")
    except OSError:
        return 0


def _most_needed() -> int:
    if load.device().type == "cuda":
        return torch.cuda.max_memory_allocated()
    try:
        return _status("VmHWM")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
