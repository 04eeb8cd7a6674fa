"""What every room shares: the Demo record, pictures coming in and going out, errors, waiting shown, museum labels."""

import errno
import html
import logging
import re
import secrets
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.components import Component
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from PIL import Image

from gm_core.checkpoints import Checkpoint, find, of_task
from gm_core.engine import Engine, Event, Finished, Progress, Waiting
from gm_core.errors import BadInput, Cancelled, GMError
from gm_core.hub import where
from gm_core.images import fit, open_picture, read_parameters, save_png

logger = logging.getLogger(__name__)

ASSETS = Path(__file__).resolve().parents[1] / "assets"
HEAVY: dict[str, Any] = {"concurrency_id": "heavy", "concurrency_limit": 12, "time_limit": 600}
"""For events that run a network: they wait in the engine's line, which tells its places; Gradio only bounds them."""
LIGHT: dict[str, Any] = {"concurrency_id": "light", "concurrency_limit": 8, "time_limit": 60}
SHOWN_SIDE = 1600
"""Longest side of a picture as shown in the page; the file to download is never reduced."""

NO_MEMORY = re.compile(r"(can't|cannot) allocate memory|not enough memory|out of memory", re.IGNORECASE)
"""How torch says it, on the CPU and on a GPU."""

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Demo:
    """A room of the gallery. `draw` is called inside the tab, once per page that is built."""

    name: str
    """The task's name: the room's address, its API endpoint."""
    title: str
    door: str
    """One or two sentences by the door: what happens here."""
    draw: Callable[[Engine], None]
    tasks: tuple[str, ...] = ()
    """Tasks whose checkpoints hang in this room, if not only `name`."""
    beside: tuple[str, ...] = ()
    """Checkpoints that its own were measured with: no visitor runs them, but the credits name them."""
    warm: str = ""
    """The checkpoint that most visitors of this room will want: it is loaded while they look around."""
    routes: Callable[[], list[Any]] = list
    """Pages of its own beside the gallery's, as Starlette's routes."""
    scripts: Callable[[], list[str]] = list
    """Inline scripts of its frames, to the letter: the page's Content-Security-Policy reaches into them."""

    def checkpoints(self) -> list[Checkpoint]:
        return [*(checkpoint for task in self.tasks or (self.name,) for checkpoint in of_task(task)), *map(find, self.beside)]


class Picture(gr.Image):
    """A picture that a visitor brings, handed on as the path of the file as it came.

    Gradio would decode it first: without our limits, without the colour profile, dropping the parameters that a
    result carries, and with a traceback where the file is broken. `pictured` opens it instead.
    """

    is_template = True  # drawn in the page by the parent's front end

    def preprocess(self, payload: ImageData | None) -> str | None:
        return payload.path if payload else None


CHANGED = "The choices here have just changed. Please look at them and press again."
"""Where a visitor was quicker than the answer that brings a control's new choices."""


@contextmanager
def _in_time() -> Iterator[None]:
    try:
        yield
    except gr.Error as error:
        raise gr.Error(CHANGED, title="That did not work", print_exception=False) from error


class LateRadio(gr.Radio):
    """A Radio whose choices follow another control: a choice that is gone since gets a sentence, not Gradio's own error."""

    is_template = True

    def preprocess(self, payload: str | int | float | None) -> str | int | float | None:
        with _in_time():
            return super().preprocess(payload)


class LateDropdown(gr.Dropdown):
    """A Dropdown as `LateRadio`."""

    is_template = True

    def preprocess(self, payload: str | int | float | list[str | int | float] | None,
                   ) -> str | int | float | list[str | int | float] | list[int | None] | None:
        with _in_time():
            return super().preprocess(payload)


def photograph(label: str, elem_id: str | None = None, *, visible: bool = True, alt_text: str | None = None) -> Picture:
    """A place for the visitor's picture: upload, camera or clipboard."""
    return Picture(label=label, type="filepath", image_mode=None, format="png", height=360, elem_id=elem_id,
                   sources=["upload", "webcam", "clipboard"], visible=visible, alt_text=alt_text)


def pictured(path: str | None) -> Image.Image:
    """The visitor's picture. Raises BadInput, also where none was given."""
    if not path:
        raise BadInput("There is no picture yet. Choose one, take one, paste one, or click an example.")
    return open_picture(path)


def side_by_side(before: Image.Image, after: Image.Image, gap: int = 6) -> Image.Image:
    """Two pictures of one size in one, so that a failure cannot be shown without what was asked."""
    both = Image.new("RGB", (2 * before.width + gap, before.height), "white")
    both.paste(before, (0, 0))
    both.paste(after, (before.width + gap, 0))
    return both


# --- errors -----------------------------------------------------------------------------------------------------------


def guarded(function: Callable[P, T]) -> Callable[P, T]:
    """What a visitor may be told becomes a message in the page; anything else is logged and apologised for."""

    @wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            raise _spoken(error) from error

    return answer


def guarded_stream(function: Callable[P, Iterator[T]]) -> Callable[P, Iterator[T]]:
    """As `guarded`, for handlers that yield."""

    @wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        try:
            yield from function(*args, **kwargs)
        except Exception as error:
            raise _spoken(error) from error

    return answer


def _spoken(error: Exception) -> gr.Error:
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, GMError):
        title = "Stopped" if isinstance(error, Cancelled) else "That did not work"
        return gr.Error(str(error), title=title, print_exception=False)
    if sentence := _of_the_machine(error):
        logger.error("%s", error)
        return gr.Error(sentence, title="That did not work", print_exception=False)
    number = secrets.token_hex(4)
    logger.error("error %s", number, exc_info=error)
    return gr.Error(f"Something went wrong on our side (number {number} in the log). Please try again.",
                    title="That did not work", print_exception=False)


def _of_the_machine(error: Exception) -> str | None:
    """What to say where the machine has come to an end, not the program."""
    if is_disk_full(error):
        return "The disk of this gallery is full, so that could not be kept. Please come back later."
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and NO_MEMORY.search(str(error))):
        return "This gallery has not enough memory for that at the moment. Please try a smaller picture, or come back later."
    return None


def is_disk_full(error: Exception) -> bool:
    """Whether a file could not be written because there is no room for it, or no right to more."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


# --- results ----------------------------------------------------------------------------------------------------------


def result_file(image: Image.Image, parameters: dict[str, Any]) -> str:
    """Writes the result as PNG with its parameters into Gradio's cache, which forgets it after an hour."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return str(save_png(image, folder / f"{parameters['task']}-{parameters['checkpoint']}.png", parameters))


def shown(image: Image.Image) -> Image.Image:
    """The picture as the page shows it."""
    return fit(image, SHOWN_SIDE)


def parameters_of(task: str, checkpoint: str, seconds: float, **settings: Any) -> dict[str, Any]:  # noqa: ANN401
    """What a result's PNG and its museum label say of how it was made."""
    record = find(checkpoint)
    return {"task": task, "checkpoint": checkpoint, "revision": record.revision, **settings, "seconds": round(seconds, 2)}


def brought_settings(path: str | None, task: str) -> dict[str, Any]:
    """The settings inside a result of ours that is dropped back into its tab; empty for any other picture."""
    found = read_parameters(path) if path else None
    return found if found and found.get("task") == task else {}


def museum_label(title: str, parameters: dict[str, Any], extra: Sequence[str] = ()) -> str:
    """The label beside a framed result, drawn from the checkpoint's record. Everything in it is escaped."""
    record = find(parameters["checkpoint"])
    lines = [f"{record.network}, {count(record.parameters)} parameters", f"Trained on {record.trained_on}",
             *extra, f"Licence of the weights: {record.licence}"]
    if "seed" in parameters:
        lines.append(f"Seed {parameters['seed']}")
    made = f"Made in {parameters['seconds']:.1f} s by {record.title}"
    lines.append(made if record.pinned else f"{made} (not pinned to a commit)")
    body = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    return f'<div class="museum-label"><div class="work">{html.escape(title)}</div>{body}</div>'


def count(number: int) -> str:
    """458736 -> "459 thousand", 1500000 -> "1.5 million"."""
    return f"{number / 1e6:.1f} million" if number >= 1_000_000 else f"{number / 1e3:.0f} thousand"


# --- waiting ----------------------------------------------------------------------------------------------------------


def status(event: Event[Any] | None = None, words: str = "") -> str:
    """The line above a result: the place in the queue, or what is being done and how far it is. Empty when idle."""
    fraction = None
    if isinstance(event, Waiting):
        words = "One visitor is before you" if event.position == 1 else f"{event.position} visitors are before you"
    elif isinstance(event, Progress):
        words, fraction = event.words, event.fraction
    if not words:
        return ""
    bar = "" if fraction is None else f'<span class="bar"><span style="width:{100 * fraction:.0f}%"></span></span>'
    return f'<div class="status" role="status">{html.escape(words)}{bar}</div>'


def follow(events: Iterator[Event[T]], render: Callable[[Waiting | Progress], U],
           every: float = 0.1) -> Generator[U, None, Finished[T]]:
    """Yields `render(event)` at most once in `every` seconds and returns the end: `finished = yield from follow(...)`.

    Closing it closes the engine's stream, which stops the task.
    """
    last = 0.0
    with closing(events):  # pyright: ignore[reportArgumentType] - a stream is a generator
        for event in events:
            if isinstance(event, Finished):
                return event
            if time.monotonic() - last >= every:
                last = time.monotonic()
                yield render(event)
    raise Cancelled("The job ended without a result.")


# --- parts of a room --------------------------------------------------------------------------------------------------


def choices(task: str) -> list[tuple[str, str]]:
    """Entries of a checkpoint dropdown: title with where the weights are, and the name."""
    return [(f"{checkpoint.title} · {where(checkpoint)}", checkpoint.name) for checkpoint in of_task(task)]


def text(name: str) -> str:
    """An explanation from assets/text."""
    return (ASSETS / "text" / name).read_text(encoding="utf-8")


def how_it_works(name: str) -> None:
    """The wall text of a room: `assets/text/<name>.md` beside the drawing `<name>.svg`."""
    with gr.Accordion("How it works", open=False, elem_classes="wall-text"), gr.Row():
        gr.Markdown(text(f"{name}.md"), latex_delimiters=[{"left": "$$", "right": "$$", "display": True},
                                                         {"left": "$", "right": "$", "display": False}])
        gr.HTML(f'<div class="drawing">{text(f"{name}.svg")}</div>')


def sample_photographs() -> list[tuple[str, Path]]:
    """(name, file) of the photographs that scikit-image carries in its wheel, all free to use."""
    import importlib.util

    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(spec.submodule_search_locations[0]) / "data"
    named = (("An astronaut", "astronaut.png"), ("A cat", "chelsea.png"), ("A cup of coffee", "coffee.png"),
             ("A rocket", "rocket.jpg"))
    return [(name, folder / file) for name, file in named if (folder / file).exists()]


def endpoint(function: Callable[..., Any], inputs: Sequence[Component], output: Component,
             name: str, description: str) -> None:
    """Offers `function` as `/name` of the API under its own parameter names; nothing of it shows in the page.

    Its docstring says below "Args:" what each parameter is: assistants read that, if they may come in (`demos.tools`).
    """
    button = gr.Button(visible=False)
    button.click(guarded(function), list(inputs), output, api_name=name, api_description=description, **HEAVY)


def show_on_phone(button: gr.Button, elem_id: str) -> None:
    """On a narrow screen the result hangs below the form: pressing the button brings it into view."""
    button.click(None, js="() => { const calm = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'; "
                          f"if (window.innerWidth < 700) document.getElementById('{elem_id}')"
                          ".scrollIntoView({behavior: calm, block: 'start'}); }", api_visibility="private")
