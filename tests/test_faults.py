"""When the machine comes to an end: memory, disk, the process itself. What the Hub can do is in tests/test_load.py, what the
database can do in tests/quiz/test_store.py."""

import io
import os
import signal
import sqlite3
import subprocess
import sys

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from demos.base import LateDropdown, LateRadio, guarded, guarded_stream
from gm_core.quiz.store import Store
from tests.quiz.keeper import ANSWER
from tests.served import ROOT, serving
from tests.test_safety import META, ask, call, form, png, upload

MORE = 2**46
"""More bytes than any machine has: the allocation is tried, and fails."""


@pytest.mark.parametrize("allocate", [lambda: torch.empty(MORE), lambda: np.empty(MORE), lambda: bytearray(MORE)])
def test_out_of_memory_is_said_and_is_no_mystery(allocate, caplog):
    with pytest.raises(gr.Error, match="not enough memory for that at the moment") as told:
        guarded(allocate)()
    assert not told.value.print_exception and "Traceback" not in caplog.text

    def stream():
        yield 1
        allocate()

    with pytest.raises(gr.Error, match="not enough memory"):
        list(guarded_stream(stream)())


def test_other_errors_are_not_taken_for_an_end_of_memory():
    def fail():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(gr.Error, match="Something went wrong on our side"):
        guarded(fail)()


@pytest.mark.parametrize(("kind", "gone"), [(LateDropdown, ["a", "b"]), (LateRadio, "b")])
def test_who_presses_before_new_choices_have_come_is_told_so(kind, gone, caplog):
    """The page may send a choice that the server has just taken away; whoever chose another checkpoint sees it so."""
    control = kind(["a", "c"], **({"multiselect": True} if isinstance(gone, list) else {}))
    with pytest.raises(gr.Error, match=r"have just changed\..*press again") as told:
        control.preprocess(gone)
    assert not told.value.print_exception and "Traceback" not in caplog.text
    kept = gone[:1] if isinstance(gone, list) else "a"
    assert control.preprocess(kept) == kept and control.preprocess(None) is None


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    """A gallery whose files end at 1 MB and whose memory ends soon. Its log must be without a traceback."""
    with serving(tmp_path_factory.mktemp("poor"), "-m", "tests.poor", MALLOC_ARENA_MAX="1") as url:
        yield url


def noise(side):
    return png(Image.effect_noise((side, side), 100).convert("RGB"))


def test_a_full_disk_is_said_and_smaller_things_go_on(poor):
    body, headers = form(("large.png", bytes(2 * 2**20)))
    reply = ask(poor, "POST", "/gradio_api/upload", body, headers)
    assert reply.status == 507 and reply.text == "The disk of this gallery is full. Please come back later."
    file = upload(poor, "noise.png", png(Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8))))
    event, told = call(poor, "srgan", {"path": file, "meta": META}, "srgan-x4")
    assert event == "error" and "disk of this gallery is full" in str(told)
    event, told = call(poor, "srgan", {"path": upload(poor, "small.png", noise(32)), "meta": META}, "srgan-x4")
    assert event == "complete", told


def test_too_little_memory_is_said_and_smaller_things_go_on(poor):
    large, file = Image.new("P", (8000, 7900)), io.BytesIO()  # decoded, made transparent and made RGB: 800 MB
    large.putpalette(list(range(256)) * 3)
    large.save(file, "PNG", transparency=bytes(range(256)))
    event, told = call(poor, "srgan", {"path": upload(poor, "large.png", file.getvalue()), "meta": META}, "srgan-x4")
    assert event == "error" and "not enough memory" in str(told)
    event, told = call(poor, "srgan", {"path": upload(poor, "small.png", noise(32)), "meta": META}, "srgan-x4")
    assert event == "complete", told


# --- answers of the quiz ----------------------------------------------------------------------------------------------


def test_an_answer_that_was_acknowledged_survives_a_killed_process(tmp_path):
    """Killed between two answers or in the middle of one, a hundred answers in."""
    file = tmp_path / "quiz.sqlite3"
    with subprocess.Popen([sys.executable, "-m", "tests.quiz.keeper", "killed", str(file)], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE) as process:
        assert process.stdout
        acknowledged = [int(process.stdout.readline()) for _ in range(100)][-1]
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split("\n")
    acknowledged = max([acknowledged, *(int(line) for line in rest[:-1] if line)])
    with sqlite3.connect(file) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        answers, = database.execute("SELECT count(*) FROM quiz_answers").fetchone()
        attributes, = database.execute("SELECT count(*) FROM quiz_attributes").fetchone()
    assert acknowledged <= answers <= acknowledged + 1 and attributes == answers, "all that was said, nothing by halves"
    store = Store(f"sqlite:///{file}")
    assert store.keep([ANSWER]) and store.total().answers == answers + 1
    store.close()


def test_a_full_disk_loses_no_answer_that_was_acknowledged(tmp_path):
    file = tmp_path / "quiz.sqlite3"
    process = subprocess.run([sys.executable, "-m", "tests.quiz.keeper", "full", str(file)], cwd=ROOT, text=True, check=False,
                             capture_output=True)
    *lines, trouble, again = process.stdout.strip().split("\n")
    assert "Traceback" not in process.stderr
    assert trouble.startswith("Results are not kept at the moment: the disk is full"), process.stderr
    assert again == "True None", "and once there is room, it goes on"
    store = Store(f"sqlite:///{file}")
    assert store.total().answers == int(lines[-1]) + 1
    store.close()


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, b"SQLite format 3\0" + bytes(5000)])
def test_a_damaged_database_is_told_and_never_overwritten(tmp_path, content):
    file = tmp_path / "quiz.sqlite3"
    file.write_bytes(content)
    store = Store(f"sqlite:///{file}")
    if not content:  # an empty file is a new database
        assert store.keep([ANSWER])
    else:
        assert not store.keep([ANSWER]) and store.trouble.startswith("Results are not kept at the moment: ")
        assert store.total() is None and file.read_bytes() == content
    store.close()
