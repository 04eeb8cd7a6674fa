"""Class rooms: forty phones through the routes of the page, and the rules by themselves."""

import json
import threading
from collections import Counter

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from demos import quiz_room
from gm_core.errors import BadInput
from gm_core.quiz import rooms as rules
from gm_core.quiz.rooms import Rooms, clean_name
from gm_core.quiz.store import Store
from gm_core.quiz.supply import Supply
from tests.quiz.tiny import TinyWorld


@pytest.fixture(scope="module")
def supply():
    return Supply([TinyWorld()])


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def rooms(supply, tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'quiz.sqlite3'}")
    yield Rooms(supply, store, Clock())
    store.close()


@pytest.fixture
def client(rooms):
    return TestClient(Starlette(routes=quiz_room.routes(lambda: rooms)))


def truth(rooms, code):
    return rules.game.truth_of(rooms._rooms[code].portraits)


def test_forty_phones_vote_at_once_and_every_vote_counts_once(rooms, client):
    code, key = rooms.open("tiny")
    pupils = {}
    guard = threading.Lock()

    def join(i):
        reply = client.post(f"/room/{code}/join", json={"nickname": f"Pupil {i}"})
        with guard:
            pupils[i] = reply.json()["pupil"]

    def together(work):
        threads = [threading.Thread(target=work, args=(i,)) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    together(join)
    assert len(set(pupils.values())) == 40
    assert client.post(f"/room/{code}/lead", json={"key": key, "action": "deal"}).json()["phase"] == "voting"
    answer = truth(rooms, code)
    other = {"left": "right", "right": "left"}[answer]

    def vote(i):
        choice = answer if i < 25 else other
        for again in (choice, choice, {"left": "right", "right": "left"}[choice]):  # a thumb that taps three times
            assert client.post(f"/room/{code}/vote", json={"pupil": pupils[i], "number": 1, "choice": again}).json() == {
                "vote": choice}

    together(vote)
    shown = client.post(f"/room/{code}/lead", json={"key": key}).json()
    assert shown["histogram"] == {answer: 25, other: 15} and shown["votes"] == 40
    revealed = client.post(f"/room/{code}/lead", json={"key": key, "action": "reveal"}).json()
    client.post(f"/room/{code}/lead", json={"key": key, "action": "reveal"})  # a second press counts nothing twice
    assert revealed["reveal"]["truth"] == answer
    assert [one["right"] for one in revealed["ranking"]] == [1] * 10
    assert rooms.store.total().answers == 40 and rooms.store.total().right == 25
    states = [client.post(f"/room/{code}/state", json={"pupil": token}).json() for token in pupils.values()]
    assert Counter(state["right"] for state in states) == {1: 25, 0: 15}


def test_a_phone_that_reloads_comes_back_to_its_place(rooms, client):
    code, key = rooms.open("tiny")
    token = client.post(f"/room/{code}/join", json={"nickname": "Anna"}).json()["pupil"]
    rooms.deal(code, key)
    client.post(f"/room/{code}/vote", json={"pupil": token, "number": 1, "choice": "left"})
    state = client.post(f"/room/{code.lower()}/state", json={"pupil": token}).json()
    assert (state["nickname"], state["vote"], state["phase"]) == ("Anna", "left", "voting")
    assert client.get(f"/room/{code}/picture/{state['portraits'][0]}").headers["content-type"] == "image/webp"


def test_a_pupil_learns_nothing_before_the_reveal(rooms, client):
    code, key = rooms.open("tiny")
    token = rooms.join(code, "Spy")
    for _ in range(6):
        rooms.deal(code, key)
        text = client.post(f"/room/{code}/state", json={"pupil": token}).text
        state = json.loads(text)
        assert state["reveal"] == {} and state["machine_right"] is None and "votes" not in state
        assert not {"truth", "told", "clue", "histogram", "seed", "origin"} & set(state)
        portraits = rooms._rooms[code].portraits
        assert all(portrait.identity not in text and portrait.origin not in text for portrait in portraits)
        assert client.get(f"/room/{code}/heat/{state['portraits'][0]}").status_code == 404
        pictures = [client.get(f"/room/{code}/picture/{name}") for name in state["portraits"]]
        differing = {name for name in pictures[0].headers if pictures[0].headers[name] != pictures[1].headers[name]}
        assert not differing and len(pictures[0].content) == len(pictures[1].content)
        rooms.reveal(code, key)
        assert client.get(f"/room/{code}/heat/{state['portraits'][0]}").status_code == 200
    assert client.get(f"/room/{code}/picture/guess").status_code == 404


@pytest.mark.parametrize(("send", "sentence"), [
    ({"pupil": "guess"}, "no place"), ({"pupil": None}, "no place"), ({}, "no place"),
])
def test_without_a_token_there_is_no_state(rooms, client, send, sentence):
    code, _ = rooms.open("tiny")
    reply = client.post(f"/room/{code}/state", json=send)
    assert reply.status_code == 400 and sentence in reply.json()["sorry"]


def test_only_the_teacher_leads(rooms, client):
    code, key = rooms.open("tiny")
    token = rooms.join(code, "Anna")
    for wrong in ("", token, code, None, key[:-1]):
        for action in ("look", "deal", "reveal", "close", "remove", "qr"):
            reply = client.post(f"/room/{code}/lead", json={"key": wrong, "action": action})
            assert reply.status_code == 400 and "Only the teacher" in reply.json()["sorry"]
    assert rooms._rooms[code].phase == "lobby"


def test_votes_come_in_time_and_are_choices(rooms):
    code, key = rooms.open("tiny", rounds=1)
    token = rooms.join(code, "Anna")
    with pytest.raises(BadInput, match="over"):
        rooms.vote(code, token, 0, "left")
    rooms.deal(code, key)
    with pytest.raises(BadInput, match="neither"):
        rooms.vote(code, token, 1, "fake")
    rooms.deal(code, key)
    assert rooms._rooms[code].number == 1, "pressing twice deals once"
    rooms.reveal(code, key)
    with pytest.raises(BadInput, match="over"):
        rooms.vote(code, token, 1, "left")
    rooms.deal(code, key)
    assert rooms.state(code, token)["phase"] == "over"


def test_the_ranking_puts_right_answers_first_then_speed(rooms):
    code, key = rooms.open("tiny", rounds=1)
    fast, slow, wrong, silent = (rooms.join(code, name) for name in ("Fast", "Slow", "Wrong", "Silent"))
    rooms.deal(code, key)
    answer = truth(rooms, code)
    rooms._clock.now += 2
    rooms.vote(code, fast, 1, answer)
    rooms.vote(code, wrong, 1, {"left": "right", "right": "left"}[answer])
    rooms._clock.now += 3
    rooms.vote(code, slow, 1, answer)
    rooms.reveal(code, key)
    ranking = rooms.projector(code, key)["ranking"]
    assert [(one["place"], one["nickname"]) for one in ranking] == [(1, "Fast"), (2, "Slow"), (3, "Wrong"), (4, "Silent")]
    assert rooms.state(code, silent)["place"] == 4


def test_a_teacher_can_take_somebody_out(rooms):
    code, key = rooms.open("tiny")
    token = rooms.join(code, "Rude name")
    rooms.deal(code, key)
    rooms.vote(code, token, 1, "left")
    rooms.remove(code, key, "Rude name")
    assert rooms.projector(code, key)["pupils"] == rooms.projector(code, key)["votes"] == 0
    rooms.reveal(code, key)
    with pytest.raises(BadInput, match="no place"):
        rooms.state(code, token)


def test_limits(rooms, monkeypatch):
    monkeypatch.setattr(rules, "MOST_ROOMS", 2)
    monkeypatch.setattr(rules, "MOST_PUPILS", 2)
    code, key = rooms.open("tiny")
    rooms.open("tiny")
    with pytest.raises(BadInput, match="All 2 class rooms"):
        rooms.open("tiny")
    rooms.join(code, "Anna")
    with pytest.raises(BadInput, match="Somebody is called anna"):
        rooms.join(code, " anna ")
    rooms.join(code, "Ben")
    with pytest.raises(BadInput, match="full: 2"):
        rooms.join(code, "Cem")
    rooms._clock.now += rules.EMPTY + 1
    rooms.open("tiny")
    assert rooms.projector(code, key)["pupils"] == 2, "a room with pupils stays longer than an empty one"
    rooms._clock.now += rules.IDLE + 1
    with pytest.raises(BadInput, match="no room with this code"):
        rooms.projector(code, key)


@pytest.mark.parametrize(("settings", "sentence"), [
    ({"level": "none"}, "no level"), ({"level": "tiny", "faces": 3}, "one portrait or two"),
    ({"level": "tiny", "rounds": 99}, "1 to 10"),
])
def test_wrong_settings_open_no_room(rooms, settings, sentence):
    with pytest.raises(BadInput, match=sentence):
        rooms.open(**settings)


@pytest.mark.parametrize(("given", "kept"), [
    (" Anna  Maria ", "Anna Maria"), ("Яна", "Яна"), ("민준", "민준"), ("a\u202eb\u0000c\u200b", "abc"), ("x\ny", "xy"),
])
def test_names_are_cleaned(given, kept):
    assert clean_name(given) == kept


@pytest.mark.parametrize("given", ["", "   ", "\u200b", "x" * 21, None, 5, ["a"], "a" + "\u0301" * 15])
def test_names_have_limits(given):
    with pytest.raises(BadInput):
        clean_name(given)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'"x"', b"[" * 3000, b"\xff\xfe", b"{" + b" " * 5000 + b"}"])
def test_nonsense_gets_a_sentence_not_a_trace(rooms, client, body):
    code, _ = rooms.open("tiny")
    for what in ("join", "state", "vote", "lead"):
        reply = client.post(f"/room/{code}/{what}", content=body)
        assert reply.status_code == 400 and reply.json()["sorry"].endswith(".")


def test_a_qr_code_is_only_made_of_an_address(rooms, client):
    code, key = rooms.open("tiny")
    ask = {"key": key, "action": "qr"}
    assert client.post(f"/room/{code}/lead", json={**ask, "address": "https://here/room/X"}).json()["qr"].startswith("<svg")
    for wrong in ("javascript:alert(1)", "https://" + "x" * 400, None, 7):
        assert client.post(f"/room/{code}/lead", json={**ask, "address": wrong}).status_code == 400


def test_the_pages_run_nothing_but_their_own_script(client):
    for path, files in (("/room", "room/files/"), ("/room/ABCDE", "files/"), ("/room/ABCDE/projector", "../files/")):
        reply = client.get(path)
        assert reply.status_code == 200 and f'src="{files}room.js"' in reply.text
        assert "unsafe" not in reply.headers["content-security-policy"]
    assert client.get("/room/files/room.js").status_code == client.get("/room/files/room.css").status_code == 200
    assert client.get("/room/files/room.html").status_code == 404
    assert client.get("/room/files/..%2f..%2fgallery.css").status_code == 404
