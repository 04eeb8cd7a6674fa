"""Answers kept in a process of its own: `python -m tests.quiz.keeper killed|full FILE`. Prints what was acknowledged."""

import resource
import sys
from pathlib import Path

from gm_core.quiz.store import Answered, Store

ANSWER = Answered("solo", "gan", 2, True, None, True, 2.5, {"glasses": "round"})


def main() -> None:
    way, file = sys.argv[1], Path(sys.argv[2])
    store, kept = Store(f"sqlite:///{file}"), 0
    if way == "full":
        store.keep([ANSWER])
        kept += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**17, resource.RLIM_INFINITY))
    while store.keep([ANSWER]):
        kept += 1
        sys.stdout.write(f"{kept}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{store.trouble}\n")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store._again = 0.0
    sys.stdout.write(f"{store.keep([ANSWER])} {store.trouble}\n")


if __name__ == "__main__":
    main()
