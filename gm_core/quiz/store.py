"""What is kept of the games: SQLite in the data folder, or the database of `GM_DATABASE_URL`. Nothing of a person.

A row says how an answer came out, never whose it was: no name, no address, no session, and the day instead of the hour.
Trouble with the database never reaches the game: `Store.trouble` says it, and the answers of that time are not kept.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, ForeignKey, String, case, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from gm_core.quiz.answers import Answered, Share, Standing, data_folder

logger = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that an answer may wait for a locked database: the player is waiting too."""
PAUSE = 15.0
"""Seconds without a further attempt after one that failed: a broken database must not slow every answer."""
KEPT_ATTRIBUTES = 12
"""At most so many attributes of a portrait are kept with an answer."""


class Base(DeclarativeBase):
    """The tables of the quiz."""


class GameRow(Base):
    """A game played to its end."""

    __tablename__ = "quiz_games"
    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date]
    level: Mapped[str] = mapped_column(String(80), index=True)
    faces: Mapped[int]
    """Portraits in a round: 1 (real or fake?) or 2 (which one?)."""
    rounds: Mapped[int]
    right: Mapped[int]
    machine_right: Mapped[int | None]
    score: Mapped[int]
    seconds: Mapped[float]


class AnswerRow(Base):
    """One answer."""

    __tablename__ = "quiz_answers"
    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date]
    place: Mapped[str] = mapped_column(String(8))
    """"solo", "room" or "api"."""
    level: Mapped[str] = mapped_column(String(80), index=True)
    faces: Mapped[int]
    right: Mapped[bool]
    machine_right: Mapped[bool | None]
    fake_shown: Mapped[bool]
    """Whether a fake was among the portraits: always with two, half of the time with one."""
    seconds: Mapped[float]
    attributes: Mapped[list["AttributeRow"]] = relationship(cascade="all, delete-orphan", back_populates="answer")


class AttributeRow(Base):
    """What the real portrait of the round showed: glasses = round. Only the drawn ones have labels."""

    __tablename__ = "quiz_attributes"
    id: Mapped[int] = mapped_column(primary_key=True)
    answer_id: Mapped[int] = mapped_column(ForeignKey("quiz_answers.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(40), index=True)
    value: Mapped[str] = mapped_column(String(40))
    answer: Mapped[AnswerRow] = relationship(back_populates="attributes")


def database_url() -> str:
    """`GM_DATABASE_URL` with the driver that is installed for PostgreSQL, else a file in the data folder."""
    url = os.environ.get("GM_DATABASE_URL", "")
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            return "postgresql+psycopg://" + url.removeprefix(short)
    return url or f"sqlite:///{data_folder() / 'quiz.sqlite3'}"


class Store:
    """The results. Every method returns at once or within about a second, and none of them raises for the database."""

    def __init__(self, url: str | None = None) -> None:
        """url: as SQLAlchemy spells it; None for `database_url()`, read when the first answer comes."""
        self._url = url
        self._guard = threading.Lock()
        self._engine: Engine | None = None
        self._again = 0.0
        self.trouble: str | None = None
        """Why results are not kept at the moment, as a sentence for players; None while they are."""

    def keep(self, answers: Sequence[Answered]) -> bool:
        """Keeps answers, all or none. Returns whether they were kept."""
        day = datetime.now(UTC).date()
        rows = [
            AnswerRow(day=day, place=one.place[:8], level=one.level[:80], faces=one.faces, right=one.right,
                      machine_right=one.machine_right, fake_shown=one.fake_shown, seconds=round(min(one.seconds, 3600.0), 2),
                      attributes=[AttributeRow(name=name[:40], value=value[:40])
                                  for name, value in list(one.attributes.items())[:KEPT_ATTRIBUTES]])
            for one in answers]
        return self._with(lambda session: session.add_all(rows) or True, False)

    def keep_game(self, *, level: str, faces: int, rounds: int, right: int, machine_right: int | None, score: int,
                  seconds: float) -> Standing | None:
        """Keeps a finished game and says how it stands among those before it; None if it could not be kept."""
        def work(session: Session) -> Standing:
            row = GameRow
            others, below, answers, rights = session.execute(
                select(func.count(), func.coalesce(func.sum(case((row.right * rounds < right * row.rounds, 1), else_=0)), 0),
                       func.coalesce(func.sum(row.rounds), 0), func.coalesce(func.sum(row.right), 0))
                .where(row.level == level, row.faces == faces)).one()
            session.add(GameRow(day=datetime.now(UTC).date(), level=level[:80], faces=faces, rounds=rounds, right=right,
                                machine_right=machine_right, score=score, seconds=round(seconds, 2)))
            return Standing(int(others), int(below), (int(rights) + right) / (int(answers) + rounds))

        return self._with(work, None)

    def by_level(self) -> list[Share] | None:
        """Accuracy by (level, portraits in a round); None while the database cannot be read."""
        return self._with(lambda session: self._shares(session, (AnswerRow.level, AnswerRow.faces)), None)

    def by_attribute(self, level: str | None = None, at_least: int = 1) -> list[Share] | None:
        """Accuracy by (attribute, value) of the real portrait shown, over all levels or one."""
        def work(session: Session) -> list[Share]:
            found = self._shares(session, (AttributeRow.name, AttributeRow.value), level)
            return [share for share in found if share.answers >= at_least]

        return self._with(work, None)

    def total(self) -> Share | None:
        """All answers of everybody so far."""
        found = self._with(lambda session: self._shares(session, ()), None)
        return found[0] if found else None

    def close(self) -> None:
        """Gives the connections back; the store opens again when it is needed."""
        with self._guard:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    @staticmethod
    def _shares(session: Session, keys: tuple[Any, ...], level: str | None = None) -> list[Share]:
        one = case((AnswerRow.right, 1), else_=0)
        judged = case((AnswerRow.machine_right.is_not(None), 1), else_=0)
        machine = case((AnswerRow.machine_right.is_(True), 1), else_=0)
        query = select(*keys, func.count(), func.sum(one), func.sum(judged), func.sum(machine)).select_from(AnswerRow)
        if keys and keys[0] is AttributeRow.name:
            query = query.join(AttributeRow)
        if level is not None:
            query = query.where(AnswerRow.level == level)
        rows = session.execute(query.group_by(*keys).order_by(*keys)).all()
        return [Share(tuple(str(value) for value in row[:-4]), *(int(value or 0) for value in row[-4:])) for row in rows]

    def _with(self, work: Callable[[Session], T], otherwise: T) -> T:
        """`work` in a transaction of its own; `otherwise`, and `trouble` set, if the database refuses."""
        if time.monotonic() < self._again:
            return otherwise
        try:
            with Session(self._open()) as session, session.begin():
                done = work(session)
            self.trouble = None
            return done
        except (SQLAlchemyError, OSError, ImportError) as error:
            logger.warning("results are not kept: %s", str(error).partition("\n")[0])
            self.trouble = f"Results are not kept at the moment: {_reason(error)}"
            self._again = time.monotonic() + PAUSE
            return otherwise

    def _open(self) -> Engine:
        with self._guard:
            file = self._engine.url.database if self._engine and self._engine.name == "sqlite" else None
            if self._engine and file and not Path(file).exists():  # deleted under us: writing on would keep nothing
                self._engine.dispose()
                self._engine = None
            if self._engine is None:
                try:
                    url = make_url(self._url or database_url())
                except ArgumentError as error:
                    raise OSError("GM_DATABASE_URL is no address of a database") from error
                sqlite = url.get_backend_name() == "sqlite"
                if sqlite and url.database:
                    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
                waits = {"timeout": PATIENCE} if sqlite else {"connect_timeout": 2}
                engine = create_engine(url, connect_args=waits, pool_pre_ping=not sqlite)
                if sqlite:
                    event.listen(engine, "connect", _readers_beside_the_writer)
                try:
                    Base.metadata.create_all(engine)
                except SQLAlchemyError:
                    engine.dispose()
                    raise
                self._engine = engine
            return self._engine


def _readers_beside_the_writer(connection: Any, _record: object) -> None:  # noqa: ANN401 - a driver's connection
    """SQLite's write-ahead log: who looks at the results does not hold up who answers."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA foreign_keys=ON")


def _reason(error: Exception) -> str:
    """Why, without paths, addresses or statements, which are nobody's business."""
    text = str(error).lower()
    if "locked" in text or "timeout" in text:
        return "the database is busy."
    if "no space" in text or "disk is full" in text or "database or disk is full" in text:
        return "the disk is full."
    if "disk i/o" in text:  # as SQLite says it of a quota
        return "the disk is full, or broken."
    if "readonly" in text or "read-only" in text or "permission" in text:
        return "the database cannot be written."
    return "the database cannot be reached."
