"""Threads that compute let those go first that answer a visitor: a page must not stand still because networks run."""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

FAR, NEAR = 10, 5
"""How far a thread steps back, in Unix's steps: beside one that answers it gets a tenth of a processor, or a quarter."""


def in_background(work: Callable[..., object], *args: Any, name: str, back: int = FAR) -> threading.Thread:  # noqa: ANN401
    """Starts `work(*args)` in a daemon thread that gives way to others where both want the processor. So do the threads that
    torch starts for it; one that it starts in this way itself goes no further back. Elsewhere than on Linux, where only whole
    processes can give way, it is a thread like any other.
    """

    def run() -> None:
        if sys.platform == "linux":
            me = threading.get_native_id()
            # From where the process began, not from the thread that started this one: that may have stepped back itself.
            page, mine = (os.getpriority(os.PRIO_PROCESS, who) for who in (os.getpid(), me))
            os.setpriority(os.PRIO_PROCESS, me, min(19, max(mine, page + back)))
        work(*args)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
