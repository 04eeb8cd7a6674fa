"""How a running task speaks to whoever waits for it."""

from typing import Protocol

from PIL.Image import Image


class Report(Protocol):
    """Called by a task whenever it has got somewhere, at least a few times a second in long loops."""

    def __call__(self, fraction: float | None, words: str, preview: Image | None = None) -> None:
        """fraction: share of the work done, 0..1, or None where it cannot be known. words: what is being done.

        preview: the picture as far as it has come. Raises Cancelled when nobody waits for the result any more.
        """
        ...


def silent(fraction: float | None, words: str, preview: Image | None = None) -> None:
    """The report of a caller who only wants the result."""
