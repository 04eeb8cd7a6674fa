"""The gallery with the quiz alone, in a process of its own: `PORT=... python -m tests.quiz.served`.

Environment: `TINY=networks` plays the renderer's world against tiny untrained networks; without it a world of Pillow's
drawings is played, which needs no network at all. `GM_DATA_DIR` is for the results, as in the gallery itself.
"""

import os
from contextlib import AbstractContextManager
from pathlib import Path

from tests.served import serving


def gallery(folder: Path, **environment: str) -> AbstractContextManager[str]:
    """Its address; see `serving`."""
    return serving(folder, "-m", "tests.quiz.served", **environment)


def main() -> None:
    import app
    from demos import quiz
    from gm_core.quiz.store import Store
    from tests.quiz.tiny import TinyWorld

    if os.environ.get("TINY") == "networks":
        from tests.quiz.networks import ship_tiny

        ship_tiny(Path(os.environ["GM_DATA_DIR"]) / "checkpoints")
    else:
        home = quiz.House([TinyWorld()], Store)
        quiz.house = lambda: home  # type: ignore[assignment]
    app.DEMOS[:] = [quiz.DEMO]
    page = app.gallery()
    app.serve(page, server_name="127.0.0.1", server_port=int(os.environ["PORT"]))
    page.block_thread()


if __name__ == "__main__":
    main()
