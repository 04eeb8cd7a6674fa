"""Beside the quiz: one latent through the snapshots, from one portrait to another, directions as sliders, neighbours."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

from demos.base import HEAVY, LIGHT, follow, guarded_stream, museum_label, parameters_of, result_file, status
from gm_core.checkpoints import find
from gm_core.engine import Engine
from gm_core.quiz.levels import duration, minutes_of

TASK = "portraits"
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
DIRECTIONS = (("Smile", "smile"), ("Glasses", "glasses"), ("Age", "age"), ("Hair length", "hair length"),
              ("Hair darkness", "hair darkness"), ("Light from the right", "light from right"), ("Turn to the right", "yaw"),
              ("Hat", "hat"))
"""Title of a slider and the attribute's name in the world."""
SHOWN_SIDE = 384
STEPS, NEIGHBOURS = 8, 4


def large(picture: Image.Image) -> Image.Image:
    """As the page shows it: enlarged, because the network's own 64 to 128 pixels are a stamp on a screen."""
    return picture.resize((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BICUBIC)


def moments() -> list[str]:
    """Captions of the timeline: how long each snapshot was trained."""
    from gm_core.tasks.portraits import SNAPSHOTS

    minutes = [minutes_of(find(name)) for name in SNAPSHOTS]
    return [f"after {duration(given)}" if given is not None else find(name).title
            for given, name in zip(minutes, SNAPSHOTS, strict=True)]


def draw(engine: Engine) -> None:
    """A seed and its portrait with sliders on the left and right; below it the strips."""
    with gr.Row(elem_classes="room quiz-explore"):
        with gr.Column(scale=4, min_width=300):
            gr.HTML('<p class="aside">Every portrait is a point in the network\'s latent space. Move: along directions that '
                    "were found with the world's labels, back in the training, or to somebody else.</p>")
            with gr.Row(elem_classes="quiz-settings quiz-first"):
                seed = gr.Number(7, precision=0, label="Seed", elem_id="quiz-seed", minimum=0, min_width=120)
                other = gr.Button("Somebody else", elem_id="quiz-other", min_width=140)
            sliders: list[gr.Slider] = []
            for pair in (DIRECTIONS[i : i + 2] for i in range(0, len(DIRECTIONS), 2)):
                with gr.Row():
                    sliders += [gr.Slider(-2, 2, 0, step=0.1, label=title, min_width=190,
                                          elem_id=f"quiz-{name.replace(' ', '-')}") for title, name in pair]
            back = gr.Button("All back to the middle", size="sm")
        with gr.Column(scale=5, min_width=320):
            portrait = gr.Image(label="Portrait", type="pil", format="png", interactive=False, show_label=False, height=420,
                                buttons=["fullscreen"], elem_classes="framed", elem_id="quiz-portrait",
                                alt_text="A portrait dreamed by the network from your seed and directions")
            news = gr.HTML(elem_classes="news")
            label = gr.HTML()
            download = gr.DownloadButton("Download (PNG)", visible=False, size="sm")
    gr.HTML('<h3 class="quiz-strip">Through the training</h3><p class="aside">The same latent, seen by snapshots of one '
            "run.</p>")
    timeline = _strip("quiz-timeline", 3)
    gr.HTML('<h3 class="quiz-strip">From one to another</h3><p class="aside">A straight line in latent space: everybody on the '
            "way is somebody.</p>")
    with gr.Row(elem_classes="quiz-settings"):
        towards = gr.Number(8, precision=0, label="Towards the seed", minimum=0, min_width=120, elem_id="quiz-towards")
        walk = gr.Button("Walk there", elem_id="quiz-walk", min_width=140)
    way = _strip("quiz-way", STEPS, visible=False)
    gr.HTML('<h3 class="quiz-strip">Is it a copy?</h3><p class="aside">The real portraits that resemble it most, of 256 that '
            "it learnt from, by the distance of their features.</p>")
    near = gr.Button("Look for its nearest", elem_id="quiz-near", elem_classes="quiz-open")
    nearest = _strip("quiz-nearest", NEIGHBOURS, visible=False)

    def changes(values: tuple[float, ...]) -> dict[str, float]:
        return {name: float(value) for (_, name), value in zip(DIRECTIONS, values, strict=True) if value}

    def paint(number: float, *values: float) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.portraits import SNAPSHOTS, edit

        finished = yield from follow(engine.stream(edit, int(number or 0), changes(values)), lambda e: {news: status(e)})
        parameters = parameters_of(TASK, SNAPSHOTS[-1], finished.seconds, seed=int(number or 0), directions=changes(values))
        yield {portrait: large(finished.result), label: museum_label("Somebody who does not exist", parameters), news: "",
               download: gr.update(value=result_file(finished.result, parameters), visible=True)}

    def through(number: float) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.portraits import timeline as snapshots

        finished = yield from follow(engine.stream(snapshots, int(number or 0)), lambda e: {news: status(e)})
        yield {timeline: [(large(picture), words) for picture, words in zip(finished.result, moments(), strict=True)], news: ""}

    def go(number: float, target: float) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.portraits import walk as walked

        steps = engine.stream(walked, int(number or 0), int(target or 0), STEPS)
        finished = yield from follow(steps, lambda e: {news: status(e)})
        yield {way: gr.update(value=[(large(picture), "") for picture in finished.result], visible=True), news: ""}

    def look(number: float, *values: float) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.portraits import edit, neighbours

        yield {news: status(words="Looking for its nearest"), near: gr.update(interactive=False)}
        made = yield from follow(engine.stream(edit, int(number or 0), changes(values)), lambda e: {news: status(e)})
        found = yield from follow(engine.stream(neighbours, made.result, NEIGHBOURS), lambda e: {news: status(e)})
        shown = [(large(picture), f"distance {distance:.2f}") for picture, distance in found.result]
        yield {nearest: gr.update(value=shown, visible=True), news: "", near: gr.update(interactive=True)}

    painted = [portrait, label, news, download]
    wanted = [seed, *sliders]
    newest: dict[str, Any] = {"trigger_mode": "always_last", **HIDDEN, **HEAVY}

    def show(event: Any) -> None:  # noqa: ANN401 - gradio's event listeners have no common type
        event(guarded_stream(paint), wanted, painted, **newest).success(
            guarded_stream(through), seed, [timeline, news], **newest)

    other.click(lambda: time.time_ns() % 100_000, None, seed, **HIDDEN, **LIGHT)
    show(seed.change)
    for slider in sliders:
        slider.release(guarded_stream(paint), wanted, painted, **newest)
    back.click(lambda: [0] * len(sliders), None, sliders, **HIDDEN, **LIGHT).then(
        guarded_stream(paint), wanted, painted, **newest)
    walk.click(guarded_stream(go), [seed, towards], [way, news], **newest)
    job = near.click(guarded_stream(look), wanted, [nearest, news, near], **newest)
    job.failure(lambda: gr.update(interactive=True), None, near, **HIDDEN, **LIGHT)
    # An empty room invites nobody: the first portrait is dreamed as soon as the tab is looked at.
    enter = gr.HTML("", js_on_load="setTimeout(() => trigger('enter'), 50)", elem_id="quiz-enter")
    show(enter.enter)


def _strip(elem_id: str, columns: int, visible: bool = True) -> gr.Gallery:
    return gr.Gallery(visible=visible, columns=columns, height="auto", object_fit="cover", allow_preview=False,
                      interactive=False, format="png", show_label=False, label="Portraits", elem_id=elem_id,
                      elem_classes="quiz-gallery", buttons=[])
