"""The stock: real and fake portraits drawn ahead in the background, so that a round is ready before its question.

Real ones and fakes are drawn in the same batches, presented by the same function and judged by the same network before
anybody is asked. A round is dealt only when both kinds are at hand, so that waiting tells nothing.

Where more play than this machine can draw for, portraits that others were shown come again, in new grain and under new names;
never twice in a game.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from PIL import Image

from gm_core.background import NEAR, in_background
from gm_core.errors import BadInput, GMError, Unavailable
from gm_core.quiz import clues, present
from gm_core.quiz.levels import Level
from gm_core.report import Report, silent

logger = logging.getLogger(__name__)

MARK = 12
"""So many of each kind are kept per level: more than a game of ten needs."""
RESERVE, AGAIN = 240, 16
"""So many of each kind that were dealt are kept per level; with fewer than the second, a player waits for new ones."""
BATCH = 3
"""Drawn at a time: small, because whoever waits gets the first of them."""
INTEREST = 900.0
"""Seconds after the last game of a level, for which its stock is filled up again."""
PATIENCE = 90.0
"""Seconds that a round may wait for its portraits."""
KNOWN = 64
"""Real portraits whose figures are remembered, to compare fakes with."""

_chance = secrets.SystemRandom()


@dataclass(frozen=True)
class Drawn:
    """A portrait as it comes from the renderer, a network or a folder."""

    picture: Image.Image
    """RGB, square, of the world's native size."""
    identity: str
    """Which portrait of its world this is: a seed or a file."""
    origin: str
    """What is told of it after the answer: who made it, or whose photograph it is."""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """What the machine makes of a portrait. fake: probability; heat: (H, W) float in 0..1, where it saw it."""

    fake: float
    heat: np.ndarray


class World(Protocol):
    """Where portraits come from."""

    def levels(self) -> Sequence[Level]:
        """What can be played here now."""
        ...

    def real(self, n: int, level: Level, side: int) -> list[Drawn]:
        """`n` real portraits of `side` pixels, none given out before as far as the world has others."""
        ...

    def fake(self, n: int, level: Level) -> list[Drawn]:
        """`n` fakes; their side is the level's native size."""
        ...

    def judge(self, pictures: list[Image.Image]) -> list[Judged] | None:
        """The machine's guesses, None where there is no machine."""
        ...


@dataclass(frozen=True)
class Portrait:
    """A portrait ready to be asked about."""

    name: str
    """Unguessable; a new one each time that it is dealt."""
    file: bytes
    """WebP, see `present`."""
    picture: Image.Image
    """What the file was made from."""
    fake: bool
    identity: str
    origin: str
    attributes: Mapping[str, str]
    figures: Mapping[str, float]
    guess: float | None
    """The machine's probability that this is a fake."""
    heat: bytes | None
    """PNG to be laid over the picture."""
    seen_at: str | None
    """Where the heat is greatest, in words."""


@dataclass
class _Stock:
    """Portraits of one kind at one level."""

    ready: deque[Portrait] = field(default_factory=deque)
    dealt: deque[Portrait] = field(default_factory=lambda: deque(maxlen=RESERVE))


class Supply:
    """Draws ahead. Safe to ask from many threads; one thread of its own draws, and ends when the stock is full."""

    def __init__(self, worlds: Sequence[World], mark: int = MARK) -> None:
        self._worlds = list(worlds)
        self._mark = mark
        self._changed = threading.Condition()
        self._fakes: dict[str, _Stock] = {}
        self._reals: dict[tuple[int, int], _Stock] = {}  # by world and side: levels of one world share them
        self._figures: dict[tuple[int, int], deque[Mapping[str, float]]] = {}
        self._side: dict[str, int] = {}
        self._wanted: dict[str, float] = {}
        self._waiting: dict[str, int] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._thread: threading.Thread | None = None

    def levels(self) -> list[Level]:
        """What can be played now, in the worlds' order."""
        return [level for world in self._worlds for level in world.levels()]

    def level(self, key: str) -> Level:
        """Raises BadInput, which lists the levels there are."""
        return self._find(key)[1]

    def want(self, key: str) -> None:
        """Begins to draw for that level, if its stock is not full. Returns at once."""
        self._find(key)
        with self._changed:
            self._wanted[key] = time.monotonic()
            self._start()

    def ready(self, key: str) -> int:
        """Rounds of two that could be dealt at once."""
        with self._changed:
            return min(len(self._fakes.get(key, _Stock()).ready), len(self._real_stock(key).ready))

    def reference(self, key: str) -> clues.Reference:
        """The figures of the real portraits that this level's fakes are compared with."""
        with self._changed:
            return clues.reference(list(self._figures.get((self._world_of(key), self._side.get(key, 0)), ())))

    def take(self, key: str, faces: int, without: Collection[str] = (), report: Report = silent,
             patience: float = PATIENCE) -> tuple[Portrait, ...]:
        """The portraits of a round, in the order to be shown: with two one is a fake, with one it is by a coin's toss.

        without: identities that were in the game already. Where too few are drawn, some that others have met. Waits until both
        kinds are at hand, whichever is shown, telling `report` what is being drawn. Raises BadInput, Unavailable, and
        Cancelled from `report`.
        """
        self._find(key)
        fake_shown, fake_first = _chance.random() < 0.5, _chance.random() < 0.5
        end = time.monotonic() + patience
        with self._changed:
            self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            while True:
                with self._changed:
                    self._wanted[key] = time.monotonic()
                    fakes, reals = self._fakes.get(key, _Stock()), self._real_stock(key)
                    fake, real = _first(fakes, without), _first(reals, without)
                    new = fake is not None and real is not None
                    if not new:
                        fake, real = _met(fakes, without), _met(reals, without)
                    if fake and real:
                        # Both leave the stock, even if one is shown: what is left must not depend on which.
                        for stock, portrait in ((fakes, fake), (reals, real)) if new else ():
                            stock.ready.remove(portrait)
                            stock.dealt.append(portrait)
                        self._start()
                        break
                    if key in self._failed and time.monotonic() - self._failed[key][0] < 5:
                        raise Unavailable(self._failed[key][1])
                    if time.monotonic() > end:
                        raise Unavailable("The portraits are not drawn yet: this machine is very busy. Please try again "
                                          "in a minute.")
                    self._start()
                    words = self._doing(key)
                    self._changed.wait(0.25)
                report(None, words)
        finally:
            with self._changed:
                self._waiting[key] -= 1
        pair = (fake, real) if fake_first else (real, fake)
        shown = pair if faces == 2 else (fake if fake_shown else real,)
        return shown if new else tuple(_anew(portrait) for portrait in shown)

    def trouble(self, key: str) -> str:
        """Why nothing could be drawn for that level just now; empty if all is well."""
        with self._changed:
            return self._failed.get(key, (0.0, ""))[1]

    def doing(self, key: str) -> str:
        """What is being drawn for that level, in words; empty if its stock is full."""
        with self._changed:
            full = min(len(self._fakes.get(key, _Stock()).ready), len(self._real_stock(key).ready)) >= self._mark
            return "" if full else self._doing(key)

    # --- inside; `_changed` is held where the name begins with an underscore and touches the stock ---------------------

    def _find(self, key: str) -> tuple[World, Level]:
        found = [(world, level) for world in self._worlds for level in world.levels()]
        for world, level in found:
            if level.key == key:
                return world, level
        names = ", ".join(level.key for _, level in found) or "none, because no trained network is here"
        raise BadInput(f"There is no level '{str(key)[:60]}'. There are: {names}.")

    def _world_of(self, key: str) -> int:
        return self._worlds.index(self._find(key)[0])

    def _real_stock(self, key: str) -> _Stock:
        side = self._side.get(key)
        return self._reals.setdefault((self._world_of(key), side), _Stock()) if side else _Stock()

    def _doing(self, key: str) -> str:
        pairs = min(len(self._fakes.get(key, _Stock()).ready), len(self._real_stock(key).ready))
        return f"Drawing portraits and dreaming others: {pairs} pairs of {self._mark} are ready"

    def _start(self) -> None:
        if (self._thread is None or not self._thread.is_alive()) and self._next() is not None:
            self._thread = in_background(self._work, name="quiz supply", back=NEAR)  # players wait for it

    def _next(self) -> tuple[str, bool] | None:
        """The level, and whether a fake is lacking there: where somebody waits first, then the emptiest."""
        now = time.monotonic()
        lacking: list[tuple[bool, int, str, bool]] = []
        for key, asked in self._wanted.items():
            if now - asked > INTEREST or now - self._failed.get(key, (-99.0, ""))[0] < 5:
                continue
            fakes, reals = len(self._fakes.get(key, _Stock()).ready), len(self._real_stock(key).ready)
            quiet = not self._waiting.get(key)
            if fakes < self._mark:
                lacking.append((quiet, fakes, key, True))
            if reals < self._mark and key in self._side:
                lacking.append((quiet, reals, key, False))
        return min(lacking)[2:] if lacking else None

    def _work(self) -> None:
        while True:
            with self._changed:
                task = self._next()
                if task is None:
                    self._thread = None
                    return
            key, fake = task
            try:
                portraits = self._draw(key, fake)
            except Exception as error:  # told to whoever waits; the thread must not die in silence
                if not isinstance(error, GMError):
                    logger.error("portraits for %s", key, exc_info=error)
                words = str(error) if isinstance(error, GMError) else "The portraits could not be drawn (see the log)."
                with self._changed:
                    self._failed[key] = time.monotonic(), words
                    self._changed.notify_all()
                continue
            with self._changed:
                self._failed.pop(key, None)
                stock = self._fakes.setdefault(key, _Stock()) if fake else self._real_stock(key)
                stock.ready.extend(portraits)
                self._changed.notify_all()

    def _draw(self, key: str, fake: bool) -> list[Portrait]:
        world, level = self._find(key)
        if fake:
            drawn = world.fake(BATCH, level)
            with self._changed:
                self._side.setdefault(key, drawn[0].picture.width)
        else:
            drawn = world.real(BATCH, level, self._side[key])
        side = self._side[key]
        pictures = [present.square(one.picture, side) for one in drawn]
        guesses = world.judge(pictures)
        portraits = []
        for i, (one, picture) in enumerate(zip(drawn, pictures, strict=True)):
            guess = guesses[i] if guesses else None
            portraits.append(Portrait(
                name=secrets.token_urlsafe(16), file=present.present(picture), picture=picture, fake=fake,
                identity=f"{'fake' if fake else 'real'} {one.identity}", origin=one.origin,
                attributes=dict(one.attributes), figures=clues.measure(picture), guess=guess.fake if guess else None,
                heat=present.heat_picture(guess.heat) if guess else None,
                seen_at=clues.place(guess.heat) if guess else None))
        if not fake:
            with self._changed:
                known = self._figures.setdefault((self._worlds.index(world), side), deque(maxlen=KNOWN))
                known.extend(portrait.figures for portrait in portraits)
        return portraits


def _first(stock: _Stock, without: Collection[str]) -> Portrait | None:
    return next((portrait for portrait in stock.ready if portrait.identity not in without), None)


def _met(stock: _Stock, without: Collection[str]) -> Portrait | None:
    """One that was dealt before, by chance; None while there are too few for chance to hide them."""
    if len(stock.dealt) < AGAIN:
        return None
    found = [portrait for portrait in stock.dealt if portrait.identity not in without]
    return _chance.choice(found) if found else None


def _anew(portrait: Portrait) -> Portrait:
    """The same one in a file that nobody has seen, so that no list of files tells what it is."""
    return replace(portrait, name=secrets.token_urlsafe(16), file=present.present(portrait.picture))
