"""Games of ten rounds: dealing, answering, scoring. Which portrait is the fake stays here until it is answered."""

import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gm_core.errors import BadInput
from gm_core.quiz import clues
from gm_core.quiz.answers import Answered, Standing
from gm_core.quiz.levels import PHOTOGRAPHS
from gm_core.quiz.supply import Portrait, Supply
from gm_core.report import Report, silent

if TYPE_CHECKING:
    from gm_core.quiz.store import Store

ROUNDS = 10
MOST_GAMES = 400
"""Games at a time; beyond, the one untouched for longest is forgotten."""
FORGOTTEN_AFTER = 3600.0
CHOICES = {1: ("real", "fake"), 2: ("left", "right")}
"""What can be answered with one portrait and with two."""
LONGEST_COUNTED = 120.0
"""Seconds of a round that count: whoever went to have lunch did not think for an hour."""
POINTS, STREAK_POINTS, LONGEST_PAID_STREAK = 100, 10, 5


@dataclass(frozen=True)
class Question:
    """A round as the player gets it: nothing in it depends on the answer."""

    number: int
    """1..rounds."""
    rounds: int
    portraits: tuple[bytes, ...]
    """WebP files of equal length, in the order shown."""
    names: tuple[str, ...]
    """Unguessable, one for each."""


@dataclass(frozen=True)
class Told:
    """What is told of one portrait after the answer."""

    fake: bool
    origin: str
    guess: float | None
    heat: bytes | None


@dataclass(frozen=True)
class Reveal:
    """What is told after an answer."""

    number: int
    right: bool
    choice: str
    truth: str
    """The choice that would have been, or was, right."""
    machine_choice: str | None
    machine_right: bool | None
    clue: str
    portraits: tuple[Told, ...]
    points: int
    """Of this answer."""
    score: int
    streak: int
    right_so_far: int
    machine_right_so_far: int | None
    seconds: float
    """This answer took."""
    last: bool


@dataclass(frozen=True)
class Summary:
    """A finished game."""

    level: str
    faces: int
    rounds: int
    right: int
    machine_right: int | None
    score: int
    longest_streak: int
    seconds: float
    results: tuple[bool, ...]
    standing: Standing | None
    """Among all players so far; None if results are not kept."""
    shown: tuple[bytes, ...]
    """Two portraits of the game for the card: a real one and a fake, where both were seen."""


@dataclass
class _Round:
    portraits: tuple[Portrait, ...]
    asked: float
    reveal: Reveal | None = None

    @property
    def truth(self) -> str:
        return truth_of(self.portraits)


@dataclass
class _Game:
    level: str
    faces: int
    rounds: int
    place: str
    touched: float
    dealt: list[_Round] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    summary: Summary | None = None
    busy: threading.Lock = field(default_factory=threading.Lock)

    def question(self) -> Question:
        """The round dealt last, as the player gets it."""
        portraits = self.dealt[-1].portraits
        return Question(len(self.dealt), self.rounds, tuple(portrait.file for portrait in portraits),
                        tuple(portrait.name for portrait in portraits))


def truth_of(portraits: tuple[Portrait, ...]) -> str:
    """The right choice: which of two is the fake, or what the one is."""
    if len(portraits) == 1:
        return "fake" if portraits[0].fake else "real"
    return "left" if portraits[0].fake else "right"


def machine_choice_of(portraits: tuple[Portrait, ...]) -> str | None:
    """What the machine would have answered; None without a machine."""
    guesses = [portrait.guess for portrait in portraits]
    if any(guess is None for guess in guesses):
        return None
    if len(guesses) == 1:
        return "fake" if (guesses[0] or 0) > 0.5 else "real"
    return "left" if (guesses[0] or 0) > (guesses[1] or 0) else "right"


def clue_of(portraits: tuple[Portrait, ...], known: clues.Reference) -> str:
    """The sentence on what gives it away."""
    fake = next((portrait for portrait in portraits if portrait.fake), None)
    if fake is not None:
        return clues.sentence(fake.figures, fake.seen_at, known)
    real = portraits[0]
    strange = known.unusual(real.figures)
    if strange and abs(strange[0][1]) < clues.UNUSUAL:
        return "A real one: its detail, colours and symmetry measure like those of the others."
    doubt = f" What looked most suspicious to the judge: {real.seen_at}." if real.seen_at else ""
    return "A real one." + (doubt or " Nothing gave it away, because there was nothing.")


def attributes_of(portraits: tuple[Portrait, ...]) -> Mapping[str, str]:
    """The labels of the round's real portrait, where there is one."""
    return next((portrait.attributes for portrait in portraits if not portrait.fake), {})


def tell(portraits: tuple[Portrait, ...]) -> tuple[Told, ...]:
    return tuple(Told(portrait.fake, portrait.origin, portrait.guess, portrait.heat) for portrait in portraits)


class Games:
    """All games at a time, by their tokens. A token cannot be guessed; whoever has it plays that game."""

    def __init__(self, supply: Supply, store: "Store") -> None:
        self.supply = supply
        self.store = store
        self._guard = threading.Lock()
        self._games: dict[str, _Game] = {}

    def start(self, level: str, faces: int = 2, rounds: int = ROUNDS, place: str = "solo") -> str:
        """A new game's token. Raises BadInput for a level, a number of portraits or of rounds that there is not."""
        if faces not in CHOICES:
            raise BadInput(f"A round has one portrait or two; {str(faces)[:20]} cannot be played.")
        if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= ROUNDS:
            raise BadInput(f"A game has 1 to {ROUNDS} rounds; {str(rounds)[:20]} cannot be played.")
        self.supply.want(level)
        token = secrets.token_urlsafe(24)
        now = time.monotonic()
        with self._guard:
            for old in [key for key, game in self._games.items() if now - game.touched > FORGOTTEN_AFTER]:
                del self._games[old]
            while len(self._games) >= MOST_GAMES:
                del self._games[min(self._games, key=lambda key: self._games[key].touched)]
            self._games[token] = _Game(level, faces, rounds, place, now)
        return token

    def deal(self, token: str, report: Report = silent) -> Question:
        """The round to be answered next: the open one again, if it was dealt already. Its clock starts now.

        Raises BadInput without such a game or after its last round, and what `Supply.take` raises.
        """
        game = self._game(token)
        with game.busy:
            if not game.dealt or game.dealt[-1].reveal is not None:
                if len(game.dealt) >= game.rounds:
                    raise BadInput("This game is over. Begin a new one.")
                portraits = self.supply.take(game.level, game.faces, game.seen, report)
                game.seen.update(portrait.identity for portrait in portraits)
                game.dealt.append(_Round(portraits, time.monotonic()))
            return game.question()

    def answer(self, token: str, number: int, choice: str) -> Reveal:
        """Which one it was. The first answer to a round counts; a later one is told the same again.

        number: the question's, so that a click that comes late answers no other round. Raises BadInput.
        """
        game = self._game(token)
        with game.busy:
            if choice not in CHOICES[game.faces]:
                raise BadInput(f"Answer {' or '.join(CHOICES[game.faces])}; '{str(choice)[:20]}' is neither.")
            if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= len(game.dealt):
                raise BadInput(f"Round {str(number)[:20]} has not been dealt yet.")
            asked = game.dealt[number - 1]
            if asked.reveal is None:
                asked.reveal = self._judge(game, asked, number, choice)
                self.store.keep([Answered(game.place, game.level, game.faces, asked.reveal.right, asked.reveal.machine_right,
                                          any(portrait.fake for portrait in asked.portraits), asked.reveal.seconds,
                                          attributes_of(asked.portraits))])
            return asked.reveal

    def so_far(self, token: str) -> tuple[Question, list[Reveal]]:
        """The last question dealt, and what was told after each answer. Raises BadInput."""
        game = self._game(token)
        with game.busy:
            if not game.dealt:
                raise BadInput("No round of this game has been dealt yet.")
            return game.question(), [asked.reveal for asked in game.dealt if asked.reveal is not None]

    def summary(self, token: str) -> Summary:
        """How a finished game went. Raises BadInput before its end."""
        game = self._game(token)
        with game.busy:
            reveals = [asked.reveal for asked in game.dealt if asked.reveal is not None]
            if len(reveals) < game.rounds:
                raise BadInput(f"This game is not over: {len(reveals)} of {game.rounds} rounds are answered.")
            if game.summary is None:
                last = reveals[-1]
                seconds = sum(reveal.seconds for reveal in reveals)
                standing = self.store.keep_game(
                    level=game.level, faces=game.faces, rounds=game.rounds, right=last.right_so_far,
                    machine_right=last.machine_right_so_far, score=last.score, seconds=seconds)
                everyone = [portrait for asked in game.dealt for portrait in asked.portraits]
                # A photograph of a person is shown in the game with its attribution; it does not travel on a card.
                kinds = () if game.level == PHOTOGRAPHS else (False, True)
                shown = tuple(next(portrait.file for portrait in everyone if portrait.fake == kind) for kind in kinds
                              if any(portrait.fake == kind for portrait in everyone))
                game.summary = Summary(
                    game.level, game.faces, game.rounds, last.right_so_far, last.machine_right_so_far, last.score,
                    max((reveal.streak for reveal in reveals), default=0), seconds,
                    tuple(reveal.right for reveal in reveals), standing, shown)
            return game.summary

    def _judge(self, game: _Game, asked: _Round, number: int, choice: str) -> Reveal:
        seconds = min(time.monotonic() - asked.asked, LONGEST_COUNTED)
        before = [entry.reveal for entry in game.dealt[: number - 1] if entry.reveal is not None]
        last = before[-1] if before else None
        right = choice == asked.truth
        machine = machine_choice_of(asked.portraits)
        streak = (last.streak if last else 0) + 1 if right else 0
        points = POINTS + STREAK_POINTS * min(streak - 1, LONGEST_PAID_STREAK) if right else 0
        machine_before = last.machine_right_so_far if last else 0
        machine_total = None if machine is None or machine_before is None else machine_before + (machine == asked.truth)
        return Reveal(
            number=number, right=right, choice=choice, truth=asked.truth, machine_choice=machine,
            machine_right=None if machine is None else machine == asked.truth,
            clue=clue_of(asked.portraits, self.supply.reference(game.level)), portraits=tell(asked.portraits),
            points=points, score=(last.score if last else 0) + points, streak=streak,
            right_so_far=(last.right_so_far if last else 0) + right, machine_right_so_far=machine_total, seconds=seconds,
            last=number == game.rounds)

    def _game(self, token: str) -> _Game:
        with self._guard:
            game = self._games.get(token) if isinstance(token, str) else None
            if game is None:
                raise BadInput("There is no such game any more. Begin a new one.")
            game.touched = time.monotonic()
            return game

