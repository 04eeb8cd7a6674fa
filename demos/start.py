"""Gradio, imported before anything else of the page and in half of the time; so that the page is there sooner."""

import gc
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def unhindered() -> Iterator[None]:
    """Inside, imports are spared two kinds of work that come to nothing.

    For every component class Gradio reads its source and renders a stub (.pyi) for editors from it; it leaves that where a
    class comes from no file, and so it is told here. And the garbage collector looks again and again through objects that
    all stay.
    """
    getfile, collecting = inspect.getfile, gc.isenabled()

    def of_no_file(item: Any) -> str:  # noqa: ANN401 - as inspect's own
        if type(item).__name__ == "ComponentMeta":
            raise OSError
        return getfile(item)

    inspect.getfile = of_no_file
    gc.disable()
    try:
        yield
    finally:
        inspect.getfile = getfile
        if collecting:
            gc.enable()


with unhindered():
    import gradio

__all__ = ["gradio", "unhindered"]
