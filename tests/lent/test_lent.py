"""Tasks on a GPU that is lent: nothing without the package, and with it everything that can be pickled, in another process."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from gm_core import engine
from gm_core.engine import LENT, Finished, LocalEngine, Progress, lent
from gm_core.errors import BadInput
from tests.lent.tasks import paint
from tests.served import ROOT

PICTURE = Image.new("RGB", (4, 4), "red")

LEND = """
import os, time
from PIL import Image
from gm_core.engine import Finished, LocalEngine, Progress
from gm_core.errors import BadInput
from tests.lent.tasks import paint

def told(**settings):
    return list(LocalEngine().stream(paint, Image.new("RGB", (4, 4), "red"), **settings))

events = told(steps=4)
process, made = events[-1].result
assert process != os.getpid() and made == 4, "it ran elsewhere"
assert [event.words for event in events if isinstance(event, Progress)][0] == "Step 0"
assert events[0].preview.getpixel((0, 0)) == (255, 0, 0)

try:
    told(steps=0)
except BadInput as error:
    assert str(error) == "Steps go from 1; 0 do not."
else:
    raise AssertionError("what it raised was lost")

began = time.monotonic()
process, made = told(steps=2000, stop=lambda: time.monotonic() > began + 0.3)[-1].result
assert 0 < made < 1000, "whoever asks it to stop is heard"

engine = LocalEngine()
stream = engine.stream(paint, Image.new("RGB", (4, 4)), steps=2000)
next(stream)
stream.close()
began = time.monotonic()
process, made = engine.run(paint, Image.new("RGB", (4, 4)), steps=1)
assert time.monotonic() - began < 20, "whoever leaves lets the next one in"
print("lent")
"""


def test_without_the_package_a_task_runs_here_as_ever():
    assert not LENT and lent.__module__ == engine.__name__
    found = list(LocalEngine().stream(paint, PICTURE, steps=2))
    assert found[-1].result == (os.getpid(), 2)


def test_with_it_a_task_runs_where_the_gpu_is():
    told = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.run([sys.executable, "-c", LEND], cwd=ROOT, env=told, capture_output=True, text=True, check=False,
                             timeout=120)
    assert process.returncode == 0 and process.stdout == "lent\n", process.stderr


def test_what_is_lent_yields_can_be_pickled():
    """Progress with a picture, the end, and what was raised."""
    events = list(lent(paint, (PICTURE,), {"steps": 2}))
    assert isinstance(events[0], Progress) and isinstance(events[-1], Finished)
    assert pickle.loads(pickle.dumps(events))[0].words == "Step 0"
    raised, = lent(paint, (PICTURE,), {"steps": 0})
    assert isinstance(pickle.loads(pickle.dumps(raised)), BadInput)
    with pytest.raises(BadInput, match="Steps go from 1"):
        LocalEngine().run(paint, PICTURE, steps=0)
