"""The benchmark runs and measures what it says. Speed itself is not asserted anywhere."""

import json
import subprocess
import sys

import pytest

from gm_core.bench import timed, work
from gm_core.errors import BadInput


def test_every_checkpoint_that_somebody_waits_for_has_work_to_time():
    names = timed()
    assert {"world-128", "pix2pix-colour", "features-small"} <= set(names) and "world-judge" not in names
    assert all(words and callable(call) for words, call in map(work, names))
    with pytest.raises(BadInput, match="'world-judge' does nothing that a visitor waits for"):
        work("world-judge")


@pytest.mark.slow
def test_a_row_of_the_benchmark_has_all_its_figures():
    done = subprocess.run([sys.executable, "-m", "gm_core.bench", "--json", "--only", "srresnet-x4"], capture_output=True,
                          text=True, check=True)
    (row,) = json.loads(done.stdout)
    assert row["checkpoint"] == "srresnet-x4" and row["task"] == "srgan" and row["work"] == "256x256 to 1024x1024"
    assert 0 < row["warm_s"] <= row["warm_max_s"] and row["first_s"] > 0
    assert 100 < row["peak_mb"] < 4000
    assert row["agreement_db"] is None or row["agreement_db"] > 0
