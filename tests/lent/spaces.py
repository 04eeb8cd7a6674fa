"""What of the Hub's package `spaces` a task meets on ZeroGPU: a process of its own, reached by pickled messages alone.

Stands in for that package, which does nothing outside a Space.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from typing import Any

END = "end"


def GPU(duration: int) -> Callable[[Callable[..., Iterator[Any]]], Callable[..., Iterator[Any]]]:  # noqa: N802
    assert 0 < duration <= 120

    def lend(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        def work(asked: Any, told: Any) -> None:
            for one in function(*asked.get()):
                told.put(one)
            told.put(END)

        def borrow(*args: Any) -> Iterator[Any]:
            fork = multiprocessing.get_context("fork")
            asked, told = fork.SimpleQueue(), fork.SimpleQueue()
            asked.put(args)
            process = fork.Process(target=work, args=(asked, told), daemon=True)
            process.start()
            try:
                while (one := told.get()) != END:
                    yield one
            finally:
                process.kill()
                process.join()

        return borrow

    return lend
