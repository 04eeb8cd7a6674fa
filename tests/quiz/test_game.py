"""Dealing and scoring."""

import io
import random
import threading

import numpy as np
import pytest
from PIL import Image

from gm_core.errors import BadInput, Unavailable
from gm_core.quiz.card import share_card
from gm_core.quiz.clues import place
from gm_core.quiz.game import Games
from gm_core.quiz.levels import Level
from gm_core.quiz.store import Store
from gm_core.quiz.supply import AGAIN, Supply
from tests.quiz.tiny import TinyWorld


@pytest.fixture(scope="module")
def supply():
    return Supply([TinyWorld()])


@pytest.fixture
def games(supply, tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'quiz.sqlite3'}")
    yield Games(supply, store)
    store.close()


def truth(games, token):
    """What only the server knows."""
    return games._games[token].dealt[-1].truth


def test_a_game_of_ten_is_scored_kept_and_summed_up(games):
    token = games.start("tiny-early")
    names, files = set(), set()
    wanted = [True, True, False, True, True, True, True, True, True, True]
    for i, right in enumerate(wanted):
        question = games.deal(token)
        assert question.number == i + 1 and len(question.portraits) == 2
        names |= set(question.names)
        files |= set(question.portraits)
        answer = truth(games, token)
        reveal = games.answer(token, question.number, answer if right else {"left": "right", "right": "left"}[answer])
        assert reveal.right == right and reveal.truth == answer and reveal.last == (i == 9)
        assert [told.fake for told in reveal.portraits].index(True) == ("left", "right").index(answer)
    assert len(names) == len(files) == 20, "no portrait twice"
    assert reveal.streak == 7 and reveal.right_so_far == 9
    assert reveal.score == (100 + 110) + (100 + 110 + 120 + 130 + 140 + 150 + 150)
    summary = games.summary(token)
    assert (summary.right, summary.longest_streak, summary.results) == (9, 7, tuple(wanted))
    assert summary.machine_right is not None and len(summary.shown) == 2
    assert games.store.total().answers == 10 and games.store.total().right == 9
    games.summary(token)
    with pytest.raises(BadInput, match="over"):
        games.deal(token)
    assert games.store.keep_game(level="tiny-early", faces=2, rounds=10, right=1, machine_right=1, score=1,
                                 seconds=1.0).others == 1, "asking twice for the end keeps one game"


def test_the_first_answer_counts_and_late_clicks_answer_no_other_round(games):
    token = games.start("tiny")
    games.deal(token)
    wrong = {"left": "right", "right": "left"}[truth(games, token)]
    first = games.answer(token, 1, wrong)
    assert games.answer(token, 1, first.truth) is first
    with pytest.raises(BadInput, match="Round 2 has not been dealt"):
        games.answer(token, 2, "left")
    assert games.store.total().answers == 1


def test_an_open_round_is_dealt_again_not_skipped(games):
    token = games.start("tiny")
    assert games.deal(token).names == games.deal(token).names


def test_one_portrait_is_real_or_fake_about_equally_often(games):
    truths = []
    for _ in range(4):
        token = games.start("tiny-early", faces=1)
        for number in range(1, 11):
            assert len(games.deal(token).portraits) == 1
            truths.append(games.answer(token, number, "real").truth)
    assert 8 <= truths.count("fake") <= 32  # outside once in 80,000 runs


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda games, token: games.start("no such"), "There is no level 'no such'. There are: tiny-early, tiny"),
    (lambda games, token: games.start("tiny", 3), "one portrait or two"),
    (lambda games, token: games.start("tiny", 2, 11), "1 to 10 rounds; 11"),
    (lambda games, token: games.start("tiny", 2, 1.5), "1 to 10 rounds"),
    (lambda games, token: games.deal("guess"), "no such game"),
    (lambda games, token: games.deal(None), "no such game"),
    (lambda games, token: games.answer(token, 1, "real"), "Answer left or right"),
    (lambda games, token: games.answer(token, True, "left"), "not been dealt"),
    (lambda games, token: games.answer(token, "1", "left"), "not been dealt"),
    (lambda games, token: games.summary(token), "not over: 0 of 10"),
])
def test_nonsense_gets_a_sentence(games, call, sentence):
    token = games.start("tiny")
    games.deal(token)
    with pytest.raises(BadInput, match=sentence):
        call(games, token)


def test_a_broken_database_does_not_stop_the_game(supply):
    games = Games(supply, Store("sqlite:////proc/nowhere/quiz.sqlite3"))
    token = games.start("tiny", rounds=2)
    for number in (1, 2):
        games.deal(token)
        games.answer(token, number, "left")
    assert games.summary(token).standing is None and "not kept" in games.store.trouble


@pytest.mark.parametrize("most", [1.0, 0.002])
def test_the_place_of_the_greatest_heat_is_found_where_all_of_it_is_faint(most):
    heat = np.zeros((8, 8), np.float32)
    for row, words in ((1, "the hair and forehead"), (3, "the eyes"), (7, "the neck and clothes")):
        heat[row, 4] = most
        assert place(heat) == words
        heat[row, 4] = most / 2


def test_clues_are_measured(games):
    """The smeared fakes of this world have less detail than its real ones, and that is what is said of most of them."""
    token = games.start("tiny-early")
    clues = []
    for number in range(1, 11):
        games.deal(token)
        clues.append(games.answer(token, number, "left").clue)
    assert sum("fine detail is" in clue and "smeared" in clue for clue in clues[3:]) >= 5, clues


def test_many_at_once_get_portraits_of_their_own(games):
    seen, guard = [], threading.Lock()

    def play():
        token = games.start("tiny")
        for number in range(1, 4):
            question = games.deal(token)
            games.answer(token, number, random.choice(("left", "right")))
            with guard:
                seen.extend(question.names)

    players = [threading.Thread(target=play) for _ in range(6)]
    for player in players:
        player.start()
    for player in players:
        player.join(60)
    assert len(seen) == len(set(seen)) == 36


def test_the_machine_is_left_out_where_there_is_none(tmp_path):
    store = Store(f"sqlite:///{tmp_path / 'quiz.sqlite3'}")
    games = Games(Supply([TinyWorld(judges=False)]), store)
    token = games.start("tiny", rounds=1)
    games.deal(token)
    reveal = games.answer(token, 1, "left")
    assert reveal.machine_choice is None and reveal.portraits[0].heat is None
    assert games.summary(token).machine_right is None and store.total().machine_accuracy is None
    store.close()


class Failing(TinyWorld):
    def fake(self, n, level):
        raise Unavailable("The weights are gone.")


class Broken(TinyWorld):
    def real(self, n, level, side):
        raise ZeroDivisionError


@pytest.mark.parametrize(("world", "sentence"), [(Failing(), "The weights are gone"), (Broken(), "could not be drawn")])
def test_a_world_that_fails_is_told_to_whoever_waits(world, sentence, tmp_path):
    supply = Supply([world])
    with pytest.raises(Unavailable, match=sentence):
        supply.take("tiny", 2)
    with pytest.raises(Unavailable, match=sentence):
        supply.take("tiny", 1)


def test_the_stock_is_bounded_and_refilled_only_where_somebody_plays():
    supply = Supply([TinyWorld([Level("a", "A"), Level("b", "B")])], mark=4)
    supply.take("a", 2)
    for _ in range(100):
        if supply.doing("a") == "":
            break
        threading.Event().wait(0.1)
    sizes = {key: len(stock.ready) for key, stock in supply._fakes.items()}
    assert 4 <= sizes["a"] <= 6 and "b" not in sizes
    assert supply._thread is None or not supply._thread.is_alive() or supply._next() is None


def test_where_nobody_can_draw_so_fast_others_portraits_come_again_in_new_grain():
    supply = Supply([TinyWorld()], mark=AGAIN)
    first = {portrait.identity: portrait for _ in range(AGAIN) for portrait in supply.take("tiny", 2)}
    supply._mark = 0  # nobody draws any more
    while supply.ready("tiny"):
        first |= {portrait.identity: portrait for portrait in supply.take("tiny", 2)}
    met: set[str] = set()
    for _ in range(10):
        pair = supply.take("tiny", 2, met, patience=1.0)
        assert sorted(portrait.fake for portrait in pair) == [False, True]
        for again in pair:
            before = first[again.identity]
            assert again.identity not in met and again.name != before.name and again.file != before.file
            assert (again.picture, again.origin, again.guess) == (before.picture, before.origin, before.guess)
            met.add(again.identity)


def test_the_card_is_a_picture_of_the_result_without_a_name(games):
    token = games.start("tiny", rounds=3)
    for number in (1, 2, 3):
        games.deal(token)
        games.answer(token, number, "left")
    card = share_card(games.summary(token), "After 5 hours of training " * 9)
    assert card.size == (1200, 630) and card.mode == "RGB"
    file = io.BytesIO()
    card.save(file, "PNG")
    with Image.open(io.BytesIO(file.getvalue())) as again:
        assert len(again.getcolors(10**6)) > 500, "portraits hang on it"
