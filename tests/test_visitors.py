"""The load script itself, on a small scale: what it counts, what it calls broken. No speed is asserted."""

import pytest

from tests.load import Record, main, table, verdict

LIMITS = {"quiz_p95": 1.0, "round_p95": 20.0, "memory": 4000.0}


def test_what_is_broken_is_said():
    record = Record()
    record.took("an answer", 0.2)
    record.took("a round", 5.0)
    record.memory.append((0.0, 900.0))
    record.failed("srgan", "AppError: 64 others are waiting already. Please come back in a minute.")
    record.failed("srgan", "QueueError: Queue is full! Max size is 128.")
    assert verdict(record, **LIMITS) == [] and record.full["srgan"] == 2
    assert "p95 of the quiz's clicks is 0.20 s" in verdict(record, **{**LIMITS, "quiz_p95": 0.1})[0]
    assert "p95 of a new round is 5.00 s" in verdict(record, **{**LIMITS, "round_p95": 4.0})[0]
    assert "took 900 MB" in verdict(record, **{**LIMITS, "memory": 800.0})[0]
    record.failed("srgan", "Something went wrong on our side")
    assert verdict(record, **LIMITS)[0].startswith("1 errors, the first: srgan: Something went wrong")
    assert "error: srgan: Something" in table(record)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_few_visitors_meet_no_error(capsys):
    words = ["--quiz", "4", "--heavy", "2", "--seconds", "15", "--quiz-p95", "100", "--round-p95", "200", "--memory", "9000"]
    status = main(words)
    told = capsys.readouterr().out
    assert status == 0, told
    done = {line[:20].strip(): int(line[20:].split()[0]) for line in told.splitlines()[1:] if line[20:27].strip().isdigit()}
    assert done["the page"] == 4 and done["a pupil joins"] >= 2 and done["a phone looks"] > 0 and done["a new game"] >= 1
    assert sum(done.get(name, 0) for name in ("srgan", "style_transfer", "pix2pix")) >= 1
    assert "memory, MB at s: " in told
