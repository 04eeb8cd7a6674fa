"""The quiz on the code that ships: the renderer, and tiny untrained networks in the shipped layout, behind a real server."""

import sqlite3

import pytest
from gradio_client import Client
from PIL import Image

from gm_core.checkpoints import of_task
from gm_core.images import read_parameters
from gm_core.quiz.levels import DISCRIMINATOR, JUDGE, Level, duration, levels, usual
from tests.quiz.served import gallery


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    with gallery(folder, TINY="networks") as url:
        client = Client(url, verbose=False, download_files=str(folder / "results"))
        client.folder = folder
        yield client


def test_levels_are_drawn_from_the_table_with_the_minutes_of_the_headers(client):
    """And a family without weights, as the painter is here, is not among them."""
    game = client.predict("", 2, 1, api_name="/quiz_start")
    assert game["levels"] == ["portraits-gan-early", "portraits-gan-middle", "portraits-gan", "portraits-gan/0.7",
                              "portraits-gan/0.5"]
    assert game["level"] == "portraits-gan-early"


@pytest.mark.parametrize("level", ["portraits-gan-early", "portraits-gan/0.5"])
def test_a_round_against_a_network_with_the_judge_s_word(client, level):
    game = client.predict(level, 2, 1, api_name="/quiz_start")["game"]
    assert len(client.predict(game, api_name="/quiz_round")["portraits"]) == 2
    told = client.predict(game, 1, "left", api_name="/quiz_answer")
    fake, real = sorted(told["portraits"], key=lambda one: not one["fake"])
    assert fake["origin"].startswith("Dreamed by Portraits gan") and real["origin"].startswith("Drawn by the renderer")
    assert 0 <= fake["guess"] <= 1 and fake["heat"].startswith("data:image/png")
    assert told["machine_choice"] in ("left", "right") and told["clue"].endswith(".")
    with sqlite3.connect(client.folder / "data" / "quiz.sqlite3") as file:
        kept = {name for (name,) in file.execute("SELECT DISTINCT name FROM quiz_attributes")}
    assert {"glasses", "expression", "age", "hair", "light from"} <= kept


def test_portraits_by_seed_and_limits(client):
    files = client.predict(2, 5, "portraits-gan", 0.8, api_name="/portraits")
    assert len(files) == 2
    with Image.open(files[0]) as picture:
        assert picture.format == "PNG" and picture.size == (32, 32)
    assert read_parameters(files[1])["seed"] == 5
    for arguments, sentence in (((1000, 0, "portraits-gan", 1.0), "n goes from 1 to 64"),
                                ((1, 0, "srgan-x4", 1.0), "paints no"), ((1, -1, "portraits-gan", 1.0), "A seed goes"),
                                ((1, 0, "portraits-gan", 7.0), "Truncation")):
        with pytest.raises(Exception, match=sentence):
            client.predict(*arguments, api_name="/portraits")


def test_a_visitor_begins_with_the_painter_where_it_ships():
    here = levels()
    assert [level.key for level in here][:3] == ["portraits-gan-early", "portraits-gan-middle", "portraits-gan"]
    assert usual(here).key == "pix2pix-portraits"
    assert usual([level for level in here if level.checkpoint.startswith("portraits-gan")]) is here[0]
    assert usual([Level("photographs", "Photographs"), here[1]]).key == "photographs"


def test_what_is_not_shipped_is_not_offered():
    """In this process, where the table is the real one."""
    names = {record.name for record in of_task("portraits")
             if record.shipped and all((record.folder / name).exists() for name in record.files)}
    assert {level.checkpoint for level in levels()} == names - {JUDGE, DISCRIMINATOR}


@pytest.mark.parametrize(("minutes", "words"), [(1, "1 minute"), (10, "10 minutes"), (60, "1 hour"), (90, "1.5 hours"),
                                                (300, "5 hours"), (61, "1 hour"), (720, "12 hours")])
def test_durations_in_words(minutes, words):
    assert duration(minutes) == words


def test_answers_do_not_stand_behind_rounds_that_wait_for_portraits():
    import app

    group = {event.api_name: event.concurrency_id for event in app.gallery().fns.values()}
    assert group["quiz_answer"] == group["quiz_start"] != group["quiz_round"]
    assert group["srgan"] not in (group["quiz_answer"], group["quiz_round"])
