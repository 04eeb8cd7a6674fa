"""Many visitors at once on a gallery of its own on loopback: errors, waiting times, memory.

    python -m tests.load [--quiz 50] [--heavy 10] [--seconds 300] [--quiz-p95 1.0] [--round-p95 20] [--memory 4000]

Half of the quiz's visitors play alone through the page's queue, half are pupils of a class room whose phones ask once a second.
The others press the buttons of super-resolution, style transfer, pix2pix and text to image without a pause. Prints a table; the
exit status is 1 if there was an error besides the sentence that the queue is full, or if a limit was broken.

`--quiz-p95`: seconds of the quiz's clicks (an answer, a vote, a phone's look); `--round-p95`: until a new round for one player
is there, which waits for its portraits to be drawn. `--memory`: MB that the gallery's processes take together.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from gradio_client import Client, handle_file
from PIL import Image

from tests.served import serving

FULL = ("others are waiting already", "queue is full")
"""What a visitor is told who comes to a full house; Gradio's queue says it in its own words."""
ROOMS = 30
"""Class rooms that are opened beforehand; each lasts for ten rounds."""
THINKING = (3.0, 8.0)
ANSWERING, LOOKING = 8.0, 3.0
"""Seconds that the teacher leaves for votes, and for the answer."""


class Record:
    """What all visitors met."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self.seconds: dict[str, list[float]] = {}
        self.full: Counter[str] = Counter()
        self.errors: list[str] = []
        self.memory: list[tuple[float, float]] = []

    def timed(self, name: str, call: Callable[[], Any]) -> Any:
        """The call's result, or None if it failed, which is written down."""
        began = time.monotonic()
        try:
            found = call()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is what is looked for
            self.failed(name, error)
            return None
        self.took(name, time.monotonic() - began)
        return found

    def took(self, name: str, seconds: float) -> None:
        with self._guard:
            self.seconds.setdefault(name, []).append(seconds)

    def failed(self, name: str, error: object) -> None:
        words = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
        with self._guard:
            if any(sentence in words.lower() for sentence in FULL):
                self.full[name] += 1
            else:
                self.errors.append(f"{name}: {words}"[:300])


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


# --- visitors -------------------------------------------------------------------------------------------------------------


def plays(url: str, record: Record, over: threading.Event, folder: Path) -> None:
    """Game after game alone, thinking as people do."""
    client = record.timed("the page", lambda: Client(url, verbose=False, download_files=str(folder)))
    while client and not over.is_set():
        game = record.timed("a new game", lambda: client.predict(api_name="/quiz_start"))
        while game and not over.is_set():
            asked = record.timed("a round", lambda game=game: client.predict(game["game"], api_name="/quiz_round"))
            if not asked or over.wait(random.uniform(*THINKING)):
                break
            told = record.timed("an answer", lambda game=game, asked=asked: client.predict(
                game["game"], asked["number"], random.choice(game["choices"]), api_name="/quiz_answer"))
            if not told or told["last"]:
                break
        over.wait(1.0)


def paints(url: str, record: Record, over: threading.Event, folder: Path, brought: dict[str, Path | str]) -> None:
    """One heavy room after the other, without a pause. brought: to each room its picture, or its sentence."""
    client = record.timed("the page", lambda: Client(url, verbose=False, download_files=str(folder)))
    while client and not over.is_set():
        room, thing = random.choice([*brought.items()])
        given = thing if isinstance(thing, str) else handle_file(thing)
        if record.timed(room, lambda room=room, given=given: client.predict(given, api_name=f"/{room}")) is None:
            over.wait(1.0)


async def votes(http: httpx.AsyncClient, record: Record, over: threading.Event, code: list[str], name: str) -> None:
    """A pupil's phone: looks once a second, votes when it is asked."""
    joined, pupil, voted = "", "", 0
    while not over.is_set():
        if joined != code[0]:
            found = await _asked(http, record, "a pupil joins", f"room/{code[0]}/join", {"nickname": name})
            joined, pupil, voted = code[0], (found or {}).get("pupil", ""), 0
        state = await _asked(http, record, "a phone looks", f"room/{joined}/state", {"pupil": pupil})
        if state and state.get("phase") == "voting" and state["number"] > voted and random.random() < 0.4:
            voted = state["number"]
            choice = random.choice(("left", "right"))
            await _asked(http, record, "a vote", f"room/{joined}/vote", {"pupil": pupil, "number": voted, "choice": choice})
        await asyncio.sleep(1.0)


async def leads(http: httpx.AsyncClient, record: Record, over: threading.Event, code: list[str],
                rooms: list[tuple[str, str]]) -> None:
    """The teacher: round after round, room after room."""
    for opened, key in rooms:
        code[0] = opened
        while not over.is_set():
            dealt = await _asked(http, record, "the class's round", f"room/{opened}/lead", {"key": key, "action": "deal"})
            if not dealt:
                break
            await asyncio.sleep(ANSWERING)
            await _asked(http, record, "the class's answer", f"room/{opened}/lead", {"key": key, "action": "reveal"})
            await asyncio.sleep(LOOKING)
            if dealt["number"] >= dealt["rounds"]:
                break


async def _asked(http: httpx.AsyncClient, record: Record, name: str, path: str, sent: dict[str, Any]) -> dict[str, Any] | None:
    began = time.monotonic()
    try:
        answer = await http.post(path, json=sent)
    except httpx.HTTPError as error:
        record.failed(name, error)
        return None
    if answer.status_code != 200:
        record.failed(name, f"{answer.status_code} {answer.text[:200]}")
        return None
    record.took(name, time.monotonic() - began)
    return answer.json()


async def class_room(url: str, record: Record, over: threading.Event, pupils: int, rooms: list[tuple[str, str]]) -> None:
    if not pupils:
        return
    async with httpx.AsyncClient(base_url=url, timeout=120) as http:
        code = [rooms[0][0]]
        phones = [votes(http, record, over, code, f"Pupil {i}") for i in range(pupils)]
        await asyncio.gather(leads(http, record, over, code, rooms), *phones)


def watches(process: psutil.Process, record: Record, over: threading.Event) -> None:
    """Memory of the gallery and of all that it started, MB, every second."""
    began = time.monotonic()
    while True:
        try:
            whole = [process, *process.children(recursive=True)]
            record.memory.append((time.monotonic() - began, sum(one.memory_info().rss for one in whole) / 1e6))
        except psutil.NoSuchProcess:
            pass
        if over.wait(1.0):
            return


# --- the whole ------------------------------------------------------------------------------------------------------------


def besiege(url: str, rooms: list[tuple[str, str]], process: psutil.Process, *, quiz: int, heavy: int, seconds: float,
            folder: Path) -> Record:
    """All visitors for so many seconds."""
    record, over = Record(), threading.Event()
    pictures = {name: folder / f"{name}.png" for name in ("srgan", "style_transfer", "pix2pix")}
    from gm_core.datasets.facades import LABEL_COLOURS

    for name, path in pictures.items():
        picture = Image.effect_noise((128, 96), 60).convert("RGB") if name != "pix2pix" else \
            Image.new("RGB", (128, 128), LABEL_COLOURS[0])
        picture.save(path)
    brought = {**pictures, "text_to_image": "This bird is completely red with black wings and pointy beak."}
    alone = (quiz + 1) // 2
    threads = [threading.Thread(target=plays, args=(url, record, over, folder)) for _ in range(alone)]
    threads += [threading.Thread(target=paints, args=(url, record, over, folder, brought)) for _ in range(heavy)]
    threads += [threading.Thread(target=lambda: asyncio.run(class_room(url, record, over, quiz - alone, rooms))),
                threading.Thread(target=watches, args=(process, record, over))]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    over.set()
    for thread in threads:
        thread.join(180)
    if any(thread.is_alive() for thread in threads):
        record.failed("the end", "a visitor still waits for an answer after three minutes")
    return record


CLICKS = ("an answer", "a vote", "a phone looks", "a pupil joins", "a new game")


def verdict(record: Record, quiz_p95: float, round_p95: float, memory: float) -> list[str]:
    """What was broken, in words."""
    clicks = [value for name in CLICKS for value in record.seconds.get(name, [])]
    rounds = record.seconds.get("a round", [])
    most = max((value for _, value in record.memory), default=0.0)
    broken = []
    if record.errors:
        broken.append(f"{len(record.errors)} errors, the first: {record.errors[0]}")
    if percentile(clicks, 0.95) > quiz_p95:
        broken.append(f"p95 of the quiz's clicks is {percentile(clicks, 0.95):.2f} s, the limit {quiz_p95:g} s")
    if percentile(rounds, 0.95) > round_p95:
        broken.append(f"p95 of a new round is {percentile(rounds, 0.95):.2f} s, the limit {round_p95:g} s")
    if most > memory:
        broken.append(f"the gallery took {most:.0f} MB, the limit is {memory:g} MB")
    return broken


def table(record: Record) -> str:
    lines = [f"{'':20} {'done':>6} {'full':>5} {'median s':>9} {'p95 s':>8} {'max s':>8}"]
    for name in sorted({*record.seconds, *record.full}):
        values = record.seconds.get(name, [])
        figures = (statistics.median(values), percentile(values, 0.95), max(values)) if values else (0.0, 0.0, 0.0)
        lines.append(f"{name:20} {len(values):6} {record.full[name]:5} {figures[0]:9.3f} {figures[1]:8.3f} {figures[2]:8.3f}")
    step = max(1, len(record.memory) // 10)
    lines.append("memory, MB at s: " + ", ".join(f"{value:.0f} at {at:.0f}" for at, value in record.memory[::step]))
    lines += [f"error: {words}" for words in record.errors[:20]]
    return "\n".join(lines) + "\n"


def serve(told: Path) -> None:
    """The gallery as it ships, with class rooms opened: their codes and keys are written to `told`."""
    import app
    from demos import quiz
    from gm_core.quiz.game import ROUNDS
    from gm_core.quiz.levels import usual

    page = app.gallery()
    house = quiz.house()
    level = usual(house.supply.levels()).key
    told.write_text(json.dumps([house.rooms.open(level, 2, ROUNDS) for _ in range(ROOMS)]), encoding="utf-8")
    app.serve(page, server_name="127.0.0.1", server_port=int(os.environ["PORT"]))
    page.block_thread()


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quiz", type=int, default=50, help="visitors of the quiz")
    parser.add_argument("--heavy", type=int, default=10, help="visitors of the rooms with networks")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--quiz-p95", type=float, default=1.0)
    parser.add_argument("--round-p95", type=float, default=20.0)
    parser.add_argument("--memory", type=float, default=4000.0)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.serve:
        serve(args.serve)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with serving(folder, "-m", "tests.load", "--serve", str(folder / "rooms.json")) as url:
            rooms = [(code, key) for code, key in json.loads((folder / "rooms.json").read_text(encoding="utf-8"))]
            process = next(one for one in psutil.Process().children() if "--serve" in one.cmdline())
            record = besiege(url, rooms, process, quiz=args.quiz, heavy=args.heavy, seconds=args.seconds, folder=folder)
    broken = verdict(record, args.quiz_p95, args.round_p95, args.memory)
    sys.stdout.write(table(record))
    sys.stdout.writelines(f"BROKEN: {words}\n" for words in broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
