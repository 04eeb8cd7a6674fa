"""What is kept, in a real SQLite file, and what happens when it cannot be."""

import os
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from gm_core.quiz.store import Answered, Store, data_folder, database_url


def answered(right=True, level="gan", machine=None, **attributes):
    return Answered("solo", level, 2, right, machine, True, 2.5, attributes)


@pytest.fixture
def store(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'new' / 'quiz.sqlite3'}")
    yield store
    store.close()


def test_accuracy_by_level_and_attribute_of_people_and_machine(store):
    assert store.keep([answered(True, machine=True, glasses="round"), answered(False, machine=True, glasses="round"),
                       answered(True, machine=False, glasses="none"), answered(True, level="painter")])
    by_level = {share.key: share for share in store.by_level()}
    assert by_level["gan", "2"].accuracy == 2 / 3 and by_level["gan", "2"].machine_accuracy == 2 / 3
    assert by_level["painter", "2"].answers == 1 and by_level["painter", "2"].machine_accuracy is None
    by_attribute = {share.key: share.accuracy for share in store.by_attribute()}
    assert by_attribute == {("glasses", "none"): 1.0, ("glasses", "round"): 0.5}
    assert store.by_attribute(at_least=2)[0].key == ("glasses", "round")
    assert store.total().answers == 4


def test_a_game_is_compared_with_those_before_it(store):
    def play(right, rounds=10):
        return store.keep_game(level="gan", faces=2, rounds=rounds, right=right, machine_right=None, score=0, seconds=1.0)

    first, second, third = play(5), play(8), play(6)
    assert (first.others, second.others, second.below, third.below) == (0, 1, 1, 1)
    assert third.accuracy == pytest.approx(19 / 30)
    assert play(3, rounds=4).below == 2, "games of other lengths are compared by their share"


def test_a_locked_database_costs_a_second_once_and_is_told(store, tmp_path):
    store.keep([answered()])
    other = sqlite3.connect(tmp_path / "new" / "quiz.sqlite3")
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    assert not store.keep([answered()])
    assert "busy" in store.trouble
    slow = time.monotonic()
    assert not store.keep([answered()]) and store.by_level() is None
    assert slow - began < 10 and time.monotonic() - slow < 0.2, "the second answer must not wait again"
    other.rollback()
    store._again = 0.0
    assert store.keep([answered()]) and store.trouble is None
    assert store.total().answers == 2


def test_a_deleted_file_is_begun_anew_instead_of_written_into_nothing(store, tmp_path):
    store.keep([answered(), answered()])
    shutil.rmtree(tmp_path / "new")
    assert store.keep([answered()])
    with sqlite3.connect(tmp_path / "new" / "quiz.sqlite3") as again:
        assert again.execute("SELECT count(*) FROM quiz_answers").fetchone() == (1,)


@pytest.mark.parametrize(("url", "sentence"), [
    ("sqlite:////proc/nowhere/quiz.sqlite3", "cannot be"), ("postgresql+psycopg://nobody:secret@127.0.0.1:9/none", "reached"),
    ("no address at all", "reached"), ("mysql://127.0.0.1/none", "reached"),
])
def test_a_database_that_is_not_there_is_told_without_its_address(url, sentence):
    store = Store(url)
    assert not store.keep([answered()])
    assert sentence in store.trouble and "secret" not in store.trouble and "127" not in store.trouble
    assert store.keep_game(level="x", faces=1, rounds=1, right=1, machine_right=1, score=1, seconds=1.0) is None
    assert store.total() is None


def test_nothing_of_a_person_has_a_place_in_the_tables(store, tmp_path):
    store.keep([answered()])
    with sqlite3.connect(tmp_path / "new" / "quiz.sqlite3") as file:
        columns = {row[1] for table in ("quiz_games", "quiz_answers", "quiz_attributes")
                   for row in file.execute(f"PRAGMA table_info({table})")}
    assert columns == {"id", "day", "level", "faces", "rounds", "right", "machine_right", "score", "seconds", "place",
                       "fake_shown", "answer_id", "name", "value"}


def test_the_settings_choose_the_place(monkeypatch, tmp_path):
    monkeypatch.delenv("GM_DATABASE_URL", raising=False)
    monkeypatch.setenv("GM_DATA_DIR", str(tmp_path))
    assert data_folder() == tmp_path and database_url() == f"sqlite:///{tmp_path / 'quiz.sqlite3'}"
    monkeypatch.setenv("GM_DATABASE_URL", "postgres://somebody@somewhere/quiz")
    assert database_url() == "postgresql+psycopg://somebody@somewhere/quiz"


@pytest.fixture
def postgres(tmp_path):
    """A PostgreSQL of its own on a socket in a folder, where it is installed."""
    found = shutil.which("postgres")
    programs = Path(found).resolve().parent if found else Path("/nowhere")
    root = os.geteuid() == 0
    if not (programs / "initdb").exists() or (root and not shutil.which("runuser")):
        pytest.skip("PostgreSQL is not installed here")
    as_user = ["runuser", "-u", "postgres", "--"] if root else []
    folder = tmp_path / "postgres"
    folder.mkdir()
    if as_user:
        for parent in [folder, *folder.parents][:4]:
            parent.chmod(0o755)
        shutil.chown(folder, "postgres")
    subprocess.run([*as_user, programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "quiz", "--no-sync"],
                   check=True, capture_output=True)
    server = subprocess.Popen([*as_user, programs / "postgres", "-D", folder / "data", "-k", folder, "-h", ""],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"postgresql://quiz@/postgres?host={folder}"
    for _ in range(100):
        if (folder / ".s.PGSQL.5432").exists():
            break
        time.sleep(0.2)
    yield url, server
    server.terminate()
    server.wait(30)


def test_the_same_answers_in_postgresql_and_its_end(postgres, monkeypatch):
    url, server = postgres
    monkeypatch.setenv("GM_DATABASE_URL", url)
    store = Store()
    for _ in range(50):
        if store.keep([answered(True, glasses="round"), answered(False, glasses="none")]):
            break
        store._again = 0.0
        time.sleep(0.2)
    assert store.trouble is None
    assert [(share.key, share.right) for share in store.by_attribute()] == [(("glasses", "none"), 0), (("glasses", "round"), 1)]
    assert store.keep_game(level="gan", faces=2, rounds=10, right=5, machine_right=4, score=1, seconds=1.0).others == 0
    server.terminate()
    server.wait(30)
    assert not store.keep([answered()]) and "reached" in store.trouble
    store.close()
