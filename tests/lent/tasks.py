"""Tasks that say where they run."""

import os
import time
from collections.abc import Callable

from PIL import Image

from gm_core.errors import BadInput
from gm_core.report import Report, silent


def never() -> bool:
    return False


def paint(picture: Image.Image, *, steps: int, stop: Callable[[], bool] = never, report: Report = silent) -> tuple[int, int]:
    """(process, steps that were made)."""
    if steps < 1:
        raise BadInput(f"Steps go from 1; {steps} do not.")
    for step in range(steps):
        if stop():
            return os.getpid(), step
        report(step / steps, f"Step {step}", picture)
        time.sleep(0.05)
    return os.getpid(), steps
