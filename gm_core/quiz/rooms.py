"""Class rooms: a teacher's room with a code, pupils with nicknames, one round for all, every vote counted once.

All of it is in memory and ends with the process. One lock guards everything; nothing slow happens under it. Pupils and
the teacher hold tokens that cannot be guessed; the code that is projected only lets somebody in as a pupil.
"""

import secrets
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from gm_core.errors import BadInput
from gm_core.quiz import game
from gm_core.quiz.answers import Answered
from gm_core.quiz.supply import Portrait, Supply

if TYPE_CHECKING:
    from gm_core.quiz.store import Store

T = TypeVar("T")

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without I and O, 0 and 1, which look alike from the last row."""
CODE_LENGTH = 5
MOST_ROOMS, MOST_PUPILS = 40, 60
LONGEST_NAME = 20
IDLE = 3 * 3600.0
"""Seconds after which a room that nobody touches is closed."""
EMPTY = 1800.0
"""The same for a room that no pupil ever entered."""
LISTED = 10
"""Names in the ranking that is projected; a pupil also sees the own place."""


class NoPlace(BadInput):
    """Whoever asks is no pupil of this room, or not any more: he is to choose a name."""


@dataclass
class _Pupil:
    nickname: str
    right: int = 0
    seconds: float = 0.0
    votes: int = 0


@dataclass
class _Room:
    code: str
    key: str
    level: str
    faces: int
    rounds: int
    touched: float
    phase: str = "lobby"
    """"lobby", "drawing", "voting", "reveal" or "over"."""
    number: int = 0
    asked: float = 0.0
    portraits: tuple[Portrait, ...] = ()
    clue: str = ""
    seen: set[str] = field(default_factory=set)
    pupils: dict[str, _Pupil] = field(default_factory=dict)
    votes: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By the pupil's token: the choice, and the seconds it took."""
    machine_right: int = 0
    trouble: str = ""


class Rooms:
    """All rooms of this process."""

    def __init__(self, supply: Supply, store: "Store", clock: Callable[[], float] = time.monotonic) -> None:
        self.supply = supply
        self.store = store
        self._clock = clock
        self._guard = threading.Lock()
        self._rooms: dict[str, _Room] = {}

    # --- the teacher ----------------------------------------------------------------------------------------------------

    def open(self, level: str, faces: int = 2, rounds: int = game.ROUNDS) -> tuple[str, str]:
        """(code to be projected, key that only the teacher has). Raises BadInput for a wrong setting or a full house."""
        if faces not in game.CHOICES:
            raise BadInput(f"A round has one portrait or two; {str(faces)[:20]} cannot be played.")
        if isinstance(rounds, bool) or not isinstance(rounds, int) or not 1 <= rounds <= game.ROUNDS:
            raise BadInput(f"A game has 1 to {game.ROUNDS} rounds; {str(rounds)[:20]} cannot be played.")
        self.supply.want(level)
        with self._guard:
            self._sweep()
            if len(self._rooms) >= MOST_ROOMS:
                raise BadInput(f"All {MOST_ROOMS} class rooms are in use. Please try again later.")
            code = self._new_code()
            room = _Room(code, secrets.token_urlsafe(24), level, faces, rounds, self._clock())
            self._rooms[code] = room
            return code, room.key

    def deal(self, code: str, key: str) -> None:
        """The next round for everybody; after the last one the room is over. Waits for the portraits, not the lock.

        A second call while the portraits are being waited for does nothing. Raises BadInput, Unavailable.
        """
        with self._guard:
            room = self._of_teacher(code, key)
            if room.phase in ("drawing", "voting"):
                return
            if room.number >= room.rounds:
                room.phase = "over"
                return
            before, room.phase = room.phase, "drawing"
            level, faces, seen = room.level, room.faces, set(room.seen)
        try:
            portraits = self.supply.take(level, faces, seen)
        except BaseException as error:
            with self._guard:
                room.phase, room.trouble = before, str(error)
            raise
        with self._guard:
            room.portraits, room.votes, room.clue, room.trouble = portraits, {}, "", ""
            room.seen.update(portrait.identity for portrait in portraits)
            room.number += 1
            room.phase, room.asked = "voting", self._clock()

    def reveal(self, code: str, key: str) -> None:
        """Ends the voting, counts, and keeps the answers. A second call does nothing."""
        known = self.supply.reference(self._look(code, key).level)
        with self._guard:
            room = self._of_teacher(code, key)
            if room.phase != "voting":
                return
            truth = game.truth_of(room.portraits)
            machine = game.machine_choice_of(room.portraits)
            room.machine_right += machine == truth
            answers = []
            for token, (choice, seconds) in room.votes.items():
                pupil = room.pupils[token]
                pupil.votes += 1
                pupil.seconds += seconds
                pupil.right += choice == truth
                answers.append(Answered("room", room.level, room.faces, choice == truth,
                                        None if machine is None else machine == truth,
                                        any(portrait.fake for portrait in room.portraits), seconds,
                                        game.attributes_of(room.portraits)))
            room.clue = game.clue_of(room.portraits, known)
            room.phase = "reveal"
        if answers:
            self.store.keep(answers)

    def close(self, code: str, key: str) -> None:
        """Ends the game for everybody; the ranking stays to be seen until the room expires."""
        with self._guard:
            self._of_teacher(code, key).phase = "over"

    def remove(self, code: str, key: str, nickname: str) -> None:
        """Takes somebody out of the room, with the vote of this round."""
        with self._guard:
            room = self._of_teacher(code, key)
            for token in [token for token, pupil in room.pupils.items() if pupil.nickname == nickname]:
                del room.pupils[token]
                room.votes.pop(token, None)

    def projector(self, code: str, key: str) -> dict[str, Any]:
        """What the projector shows now, as JSON: `_common`, and the histogram while votes come in."""
        with self._guard:
            room = self._of_teacher(code, key)
            counted = Counter(choice for choice, _ in room.votes.values())
            return {**self._common(room), "histogram": {choice: counted[choice] for choice in game.CHOICES[room.faces]},
                    "names": [pupil.nickname for pupil in room.pupils.values()], "ranking": self._ranking(room)[:LISTED],
                    "trouble": room.trouble or self.store.trouble or ""}

    # --- the pupils -----------------------------------------------------------------------------------------------------

    def join(self, code: str, nickname: str) -> str:
        """A place in the room: its token, which the phone keeps. Raises BadInput for the code, the name or a full room."""
        name = clean_name(nickname)
        with self._guard:
            room = self._of_code(code)
            if len(room.pupils) >= MOST_PUPILS:
                raise BadInput(f"This room is full: {MOST_PUPILS} are in it.")
            if name.casefold() in {pupil.nickname.casefold() for pupil in room.pupils.values()}:
                raise BadInput(f"Somebody is called {name} already. Choose another name.")
            token = secrets.token_urlsafe(18)
            room.pupils[token] = _Pupil(name)
            room.touched = self._clock()
            return token

    def state(self, code: str, pupil: str) -> dict[str, Any]:
        """What that pupil's phone shows now, as JSON. Raises BadInput for a wrong code or token."""
        with self._guard:
            room = self._of_code(code)
            own = self._pupil(room, pupil)
            vote = room.votes.get(pupil)
            ranking = self._ranking(room)
            place = next(entry for entry in ranking if entry["nickname"] == own.nickname)
            common = self._common(room)
            del common["votes"]  # who follows the count could tell how a neighbour's tap moved it
            return {**common, "nickname": own.nickname, "vote": vote[0] if vote else None,
                    "place": place["place"], "right": own.right,
                    "ranking": ranking[:LISTED] if room.phase == "over" else []}

    def vote(self, code: str, pupil: str, number: int, choice: str) -> str:
        """Counts the vote, once: a second one is not counted, and the first is returned. Raises BadInput if it is late."""
        with self._guard:
            room = self._of_code(code)
            self._pupil(room, pupil)
            if choice not in game.CHOICES[room.faces]:
                raise BadInput(f"Vote {' or '.join(game.CHOICES[room.faces])}; '{str(choice)[:20]}' is neither.")
            if room.phase != "voting" or number != room.number:
                raise BadInput("That round is over.")
            room.votes.setdefault(pupil, (choice, self._clock() - room.asked))
            return room.votes[pupil][0]

    def picture(self, code: str, name: str) -> bytes:
        """A portrait of the current round as WebP. Raises BadInput."""
        with self._guard:
            room = self._of_code(code)
            for portrait in room.portraits:
                if secrets.compare_digest(portrait.name.encode(), str(name).encode()):
                    return portrait.file
        raise BadInput("That portrait is not hanging here any more.")

    def heat(self, code: str, name: str) -> bytes:
        """Where the judge saw it, as PNG, once the round is revealed. Raises BadInput."""
        with self._guard:
            room = self._of_code(code)
            for portrait in room.portraits:
                if portrait.name == name and portrait.heat and room.phase in ("reveal", "over"):
                    return portrait.heat
        raise BadInput("There is nothing to be seen yet.")

    # --- inside: the lock is held ---------------------------------------------------------------------------------------

    def _common(self, room: _Room) -> dict[str, Any]:
        """Before the reveal nothing in here depends on the answer."""
        shown = room.phase in ("voting", "reveal")
        judged = all(portrait.guess is not None for portrait in room.portraits)
        told: dict[str, Any] = {}
        if room.phase == "reveal":
            told = {"truth": game.truth_of(room.portraits), "clue": room.clue,
                    "machine": game.machine_choice_of(room.portraits),
                    "told": [{"fake": portrait.fake, "origin": portrait.origin, "guess": portrait.guess,
                              "heat": portrait.heat is not None} for portrait in room.portraits]}
        return {"phase": room.phase, "number": room.number, "rounds": room.rounds, "faces": room.faces,
                "choices": list(game.CHOICES[room.faces]), "pupils": len(room.pupils), "votes": len(room.votes),
                "portraits": [portrait.name for portrait in room.portraits] if shown else [],
                "machine_right": room.machine_right if judged and room.phase in ("reveal", "over") else None, "reveal": told}

    @staticmethod
    def _ranking(room: _Room) -> list[dict[str, Any]]:
        """Most right answers first; of equals who voted more often, then who was faster. Equal in all is the same place."""
        ordered = sorted(room.pupils.values(), key=lambda pupil: (-pupil.right, -pupil.votes, pupil.seconds))
        ranking: list[dict[str, Any]] = []
        for i, pupil in enumerate(ordered):
            last = ordered[i - 1] if i else None
            tied = last is not None and (last.right, last.seconds, last.votes) == (pupil.right, pupil.seconds, pupil.votes)
            ranking.append({"place": ranking[-1]["place"] if tied else i + 1, "nickname": pupil.nickname, "right": pupil.right,
                            "votes": pupil.votes, "seconds": round(pupil.seconds, 1)})
        return ranking

    def _of_code(self, code: str) -> _Room:
        self._sweep()
        room = self._rooms.get(str(code).strip().upper())
        if room is None:
            raise BadInput("There is no room with this code. Look at the projector again.")
        return room

    def _of_teacher(self, code: str, key: str) -> _Room:
        room = self._of_code(code)
        if not secrets.compare_digest(room.key.encode(), str(key).encode()):
            raise BadInput("Only the teacher who opened this room can do that.")
        room.touched = self._clock()
        return room

    def _look(self, code: str, key: str) -> _Room:
        with self._guard:
            return self._of_teacher(code, key)

    @staticmethod
    def _pupil(room: _Room, token: str) -> _Pupil:
        pupil = room.pupils.get(token) if isinstance(token, str) else None
        if pupil is None:
            raise NoPlace("This phone has no place in the room yet. Choose a name.")
        return pupil

    def _new_code(self) -> str:
        while True:
            code = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
            if code not in self._rooms:
                return code

    def _sweep(self) -> None:
        now = self._clock()
        for code in [code for code, room in self._rooms.items()
                     if now - room.touched > (IDLE if room.pupils else EMPTY)]:
            del self._rooms[code]


def clean_name(nickname: object) -> str:
    """A nickname without control characters and doubled spaces. Raises BadInput if it is empty or too long."""
    if not isinstance(nickname, str):
        raise BadInput("Choose a name.")
    kept = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in unicodedata.normalize("NFC", nickname[:200])
                   if unicodedata.category(sign)[0] != "C" and unicodedata.category(sign) not in ("Zl", "Zp"))
    name = " ".join(kept.split())
    if not name:
        raise BadInput("Choose a name.")
    if len(name) > LONGEST_NAME:
        raise BadInput(f"This name has {len(name)} letters; the limit is {LONGEST_NAME}.")
    if sum(unicodedata.combining(sign) > 0 for sign in name) > LONGEST_NAME // 2:
        raise BadInput("This name has too many accents. Choose another one.")
    return name
