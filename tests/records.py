"""Tiny networks in the place of those that ship, for this process: real classes with random weights."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from gm_core import checkpoints, load
from gm_core.checkpoints import Checkpoint

Maker = Callable[[Path], tuple[Checkpoint, ...]]
"""Writes the files below a folder and returns their records."""


def put(records: tuple[Checkpoint, ...], shipped: Path) -> None:
    """These records before all others. `shipped` also gets links to what really ships."""
    for folder in checkpoints.SHIPPED.iterdir():
        if not (shipped / folder.name).exists():
            (shipped / folder.name).symlink_to(folder)
    checkpoints.SHIPPED = shipped
    names = [record.name for record in records]
    checkpoints.CHECKPOINTS = (*records, *(record for record in checkpoints.CHECKPOINTS if record.name not in names))
    checkpoints._by_name.cache_clear()


@contextmanager
def standing_in(make: Maker, shipped: Path) -> Iterator[None]:
    """Inside, they stand in the table; afterwards all is as it was."""
    before = checkpoints.SHIPPED, checkpoints.CHECKPOINTS
    put(make(shipped), shipped)
    load.unload()
    try:
        yield
    finally:
        checkpoints.SHIPPED, checkpoints.CHECKPOINTS = before
        checkpoints._by_name.cache_clear()
        load.unload()


def serve(rooms: list[ModuleType], make: Maker, hang: Callable[[Path], None]) -> None:
    """The gallery with these rooms, whether or not they hang there already; see `tests.served.serving`.

    hang: puts the rooms' pictures into a folder.
    """
    import app
    import demos

    with tempfile.TemporaryDirectory() as scratch:
        shipped, assets = Path(scratch) / "checkpoints", Path(scratch) / "assets"
        put(make(shipped), shipped)
        (assets / "examples").mkdir(parents=True)
        for file in rooms[0].ASSETS.iterdir():
            if file.name != "examples":
                (assets / file.name).symlink_to(file)
        hang(assets / "examples")
        for room in rooms:
            room.ASSETS = assets
            if room.DEMO not in demos.DEMOS:
                demos.DEMOS.append(room.DEMO)
        sys.argv = ["app.py"]
        app.main()
