"""CycleGAN: a picture of one kind into another, the way back, what was lost on it, and what the cycle hides."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from demos.base import (
    ASSETS,
    HEAVY,
    LIGHT,
    Demo,
    LateRadio,
    brought_settings,
    choices,
    endpoint,
    follow,
    guarded,
    guarded_stream,
    how_it_works,
    museum_label,
    parameters_of,
    photograph,
    pictured,
    result_file,
    sample_photographs,
    show_on_phone,
    shown,
    side_by_side,
    status,
)
from gm_core.checkpoints import of_task
from gm_core.engine import Engine, Progress, Waiting
from gm_core.errors import BadInput
from gm_core.images import fit, open_picture, read_parameters, save_png
from gm_core.translations import check_direction, check_size, difference, directions, error_map

TASK = "cyclegan"
TIMES = 10
SIDES = (256, 384, 512, 768, 1024)
"""Longest sides to work at."""
ROW_SIDE = 640
"""Longest side of a picture in the rows below the result."""


FAILURES = {"face": ("An astronaut", "A face, and a flag"), "cat": ("A cat", "A cat"), "cup": ("A cup of coffee", "A table")}
"""Key of a picture that hangs under "Where it fails" -> name of its sample photograph, and its caption."""


SHOWN = ("A rocket", "A cup of coffee", "A cat")
"""Sample photographs on the cards' sheets."""


def card_sheet(name: str, photographs: dict[str, Path], gap: int = 4) -> Image.Image:
    """The sample sheet of a checkpoint's card, a row for each photograph: A, G(A), F(G(A)), and F(A)."""
    from gm_core.tasks.cyclegan import cycle, cyclegan

    rows = []
    for photograph_name in SHOWN:
        found = cycle(fit(open_picture(photographs[photograph_name]), 384), checkpoint=name)
        other = cyclegan(found.original, checkpoint=name, direction="BtoA")
        rows.append([found.original, found.translated, found.back, other])
    sheet = Image.new("RGB", (4 * (384 + gap) - gap, sum(row[0].height + gap for row in rows) - gap), "white")
    top = 0
    for row in rows:
        for column, made in enumerate(row):
            sheet.paste(made, (column * (384 + gap), top))
        top += row[0].height + gap
    return sheet


def hang(photographs: dict[str, Path]) -> None:
    """Makes the pictures of this room and the sheets of its cards; see `demos.hang`. photographs: `sample_photographs`, by
    name."""
    from gm_core.tasks.cyclegan import cycle, cyclegan

    for record in of_task(TASK):
        if record.shipped:
            card_sheet(record.name, photographs).save(record.folder / "sample.webp", quality=84)
    folder, name = ASSETS / "examples", of_task(TASK)[0].name
    original = fit(open_picture(photographs["A rocket"]), 512)
    cycle(original, checkpoint=name)  # the first pass pays for the loading
    began = time.perf_counter()
    found = cycle(original, checkpoint=name)
    settings = {"direction": "AtoB", "side": 512}
    parameters = parameters_of(TASK, name, time.perf_counter() - began, **settings)
    save_png(found.translated, folder / "cyclegan.png", parameters)
    original.save(folder / "cyclegan-input.webp", lossless=True)  # what coding loses would count as the cycle's error
    found.back.save(folder / "cyclegan-back.webp", lossless=True)
    for key, (photograph_name, _) in FAILURES.items():
        asked = fit(open_picture(photographs[photograph_name]), 320)
        side_by_side(asked, cyclegan(asked, checkpoint=name)).save(folder / f"cyclegan-failure-{key}.webp", quality=88)


def title_of(words: str) -> str:
    """What the label calls the work; words: "summer to winter"."""
    return f"Your picture, from {words}"


def captions(words: str) -> tuple[str, str, str, str]:
    """Of the cycle's row; words: "summer to winter"."""
    here, _, there = words.partition(" to ")
    return f"A: {here}", f"G(A): {there}", f"F(G(A)): {here} again", "what was lost"


def figure(error: float) -> str:
    """The cycle error as the room shows it, in the paper's range."""
    return (f'<p class="cycle-error">Cycle error <b>{error:.3f}</b> '
            '<span class="aside">mean |F(G(A)) − A|, colours in −1 to 1: 0 is nothing lost</span></p>')


def small(picture: Image.Image) -> Image.Image:
    return fit(picture, ROW_SIDE)


def draw(engine: Engine) -> None:
    """The room: picture left; right the framed slider and its label; below the cycle, ten cycles, and what they hide."""
    examples = ASSETS / "examples"
    hung_path, hung_input = examples / "cyclegan.png", examples / "cyclegan-input.webp"
    hung = read_parameters(hung_path) or {}
    hung_words = directions(hung["checkpoint"])[hung["direction"]]
    original, back = open_picture(hung_input), open_picture(examples / "cyclegan-back.webp")
    hung_row = [small(picture) for picture in (original, open_picture(hung_path), back, error_map(original, back))]
    first = of_task(TASK)[0].name

    def ways(name: str) -> list[tuple[str, str]]:
        return [(words, key) for key, words in directions(name).items()]

    with gr.Row(elem_classes="room"):
        with gr.Column(scale=4, min_width=300):
            picture = photograph("Your picture", "cyclegan-picture")
            gr.Examples([[str(hung_input)], *([str(path)] for _, path in sample_photographs())], [picture],
                        label="Or one of these", example_labels=["The one that hangs here",
                                                                 *(name for name, _ in sample_photographs())])
            checkpoint = gr.Dropdown(choices(TASK), value=first, label="Checkpoint", elem_id="cyclegan-checkpoint")
            direction = LateRadio(ways(first), value="AtoB", label="From, to", elem_id="cyclegan-direction")
            run = gr.Button("Translate", variant="primary", elem_id="cyclegan-run")
            stop = gr.Button("Stop", visible=False, elem_id="cyclegan-stop")
            with gr.Accordion("Settings", open=False):
                side = gr.Dropdown([(f"{side} pixels", side) for side in SIDES], value=512, label="Longest side",
                                   elem_id="cyclegan-side",
                                   info="The network learnt from pictures of 256 pixels; on larger ones its strokes are finer.")
        with gr.Column(scale=7, min_width=320):
            result = gr.ImageSlider((str(hung_input), str(hung_path)), label="Before · after", show_label=False,
                                    interactive=False, buttons=["fullscreen"], max_height=600, elem_classes="framed",
                                    elem_id="cyclegan-result")
            news = gr.HTML(elem_classes="news")
            label = gr.HTML(museum_label(f"A photograph, from {hung_words}", hung))
            download = gr.DownloadButton("Download (PNG)", visible=False, elem_id="cyclegan-download", size="sm")
    with gr.Column(elem_classes="cycle"):
        heading = gr.HTML("<h3>There and back again</h3>")
        error = gr.HTML(figure(difference(original, back)), elem_id="cyclegan-error")
        row = gr.Gallery(list(zip(hung_row, captions(hung_words), strict=True)), columns=4, height="auto", interactive=False,
                         show_label=False, label="The cycle", buttons=["fullscreen"], elem_id="cyclegan-cycle",
                         elem_classes="cycle-row")
        with gr.Row(visible=False) as further:
            many = gr.Button(f"Translate again and again ({TIMES} times)", size="sm", elem_id="cyclegan-again")
            look = gr.Button("What does the translation hide?", size="sm", elem_id="cyclegan-look")
        told = gr.HTML(elem_id="cyclegan-told")
        more = gr.Gallery([], columns=4, height="auto", interactive=False, show_label=False, label="Further", visible=False,
                          buttons=["fullscreen"], elem_id="cyclegan-more", elem_classes="cycle-row")
    with gr.Accordion("Where it fails", open=False, elem_classes="wall-text"):
        gr.HTML('<p class="aside">Left what was asked, right what came. None of these is a landscape, and the network has seen '
                "nothing else.</p>")
        gr.Gallery([(str(examples / f"cyclegan-failure-{key}.webp"), said) for key, (_, said) in FAILURES.items()], columns=3,
                   height="auto", interactive=False, show_label=False, label="Failures", buttons=["fullscreen"],
                   elem_id="cyclegan-failures", elem_classes="cycle-row three")
    how_it_works(TASK)
    work = gr.State()  # of the last run: cycle, checkpoint, direction

    def translate(path: str | None, name: str, way: str, longest: float) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.cyclegan import cycle, cyclegan

        if int(longest) not in SIDES:
            raise BadInput(f"The longest side must be one of {', '.join(map(str, SIDES))}, not {longest:g}.")
        # Whoever presses the button before bringing a picture sees the one that hangs there translated anew.
        image = fit(pictured(path or str(hung_input)), int(longest))
        check_size(image)
        check_direction(name, way)
        words = directions(name)[way]
        yield {run: gr.update(interactive=False), stop: gr.update(visible=True), news: status(words="Beginning"),
               further: gr.update(visible=False), told: "", more: gr.update(visible=False), download: gr.update(visible=False)}
        before = shown(image)

        def arriving(event: Waiting | Progress) -> dict[Any, Any]:
            preview = event.preview if isinstance(event, Progress) else None
            return {news: status(event), **({result: (before, shown(preview))} if preview else {})}

        settings = {"direction": way, "side": int(longest)}
        ready = {news: "", run: gr.update(interactive=True), stop: gr.update(visible=False)}
        if len(directions(name)) == 1:
            finished = yield from follow(engine.stream(cyclegan, image, checkpoint=name, direction=way), arriving)
            made, seconds = finished.result, finished.seconds
            ready |= {heading: "<h3>There is no way back</h3>", row: gr.update(visible=False), work: None,
                      error: '<p class="aside">This checkpoint holds one generator: it never learnt to return.</p>'}
        else:
            done = yield from follow(engine.stream(cycle, image, checkpoint=name, direction=way), arriving)
            found, made, seconds = done.result, done.result.translated, done.seconds
            pictures = (found.original, found.translated, found.back, found.lost)
            ready |= {heading: "<h3>There and back again</h3>", error: figure(found.error), further: gr.update(visible=True),
                      row: gr.update(value=list(zip(map(small, pictures), captions(words), strict=True)), visible=True),
                      work: {"cycle": found, "checkpoint": name, "direction": way}}
        parameters = parameters_of(TASK, name, seconds, **settings)
        yield {**ready, result: (before, shown(made)), label: museum_label(title_of(words), parameters),
               download: gr.update(value=result_file(made, parameters), visible=True)}

    def go_on(last: dict[str, Any] | None) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.cyclegan import again

        if not last:
            raise BadInput("Translate a picture first.")
        yield {many: gr.update(interactive=False), stop: gr.update(visible=True), news: status(words="Beginning")}
        stream = engine.stream(again, last["cycle"].original, checkpoint=last["checkpoint"], direction=last["direction"],
                               times=TIMES)
        finished = yield from follow(stream, lambda event: {news: status(event)})
        found = finished.result
        labels = ["the original", *(f"once · {value:.3f}" if i == 1 else f"{i} times · {value:.3f}"
                                    for i, value in enumerate(found.errors) if i)]
        yield {news: "", many: gr.update(interactive=True), stop: gr.update(visible=False),
               told: f"<p>After {TIMES} cycles the picture is {found.errors[-1] / max(found.errors[1], 1e-6):.1f} times as far "
                     f"from the original as after one ({found.errors[-1]:.3f} and {found.errors[1]:.3f}). What stays is what "
                     "the networks agree on.</p>",
               more: gr.update(value=list(zip(map(small, found.pictures), labels, strict=True)), visible=True)}

    def uncover(last: dict[str, Any] | None) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.cyclegan import hidden

        if not last:
            raise BadInput("Translate a picture first.")
        cycle = last["cycle"]
        yield {look: gr.update(interactive=False), stop: gr.update(visible=True), news: status(words="Beginning")}
        stream = engine.stream(hidden, cycle, checkpoint=last["checkpoint"], direction=last["direction"])
        finished = yield from follow(stream, lambda event: {news: status(event)})
        found = finished.result
        pictures = (found.amplified, found.cleaned, found.back, error_map(cycle.original, found.back))
        labels = ("faint detail of G(A), 8 times stronger", "G(A) as a small JPEG", "F of that", "what was lost now")
        yield {news: "", look: gr.update(interactive=True), stop: gr.update(visible=False),
               told: f"<p>Coded as a small JPEG the translation looks the same, but its faint detail is gone. The way back "
                     f"from it: cycle error {found.error:.3f} instead of {cycle.error:.3f}. The more the two differ, the more "
                     "of the original was carried in what nobody sees.</p>",
               more: gr.update(value=list(zip(map(small, pictures), labels, strict=True)), visible=True)}

    def for_checkpoint(name: str) -> dict[str, Any]:
        if name not in [record.name for record in of_task(TASK)]:
            raise BadInput(f"'{name}' does not translate pictures.")
        return gr.update(choices=ways(name), value="AtoB")

    def brought(path: str | None) -> dict[Any, Any]:
        settings = brought_settings(path, TASK)
        name, way = settings.get("checkpoint"), settings.get("direction")
        if name not in [record.name for record in of_task(TASK)] or way not in directions(str(name)):
            return {news: ""}
        return {checkpoint: name, direction: gr.update(choices=ways(str(name)), value=way),
                side: settings["side"] if settings.get("side") in SIDES else 512,
                news: status(words="The settings of this picture are restored")}

    def cyclegan_api(image: str, checkpoint: str, direction: str) -> str:
        """A picture of one kind translated into another kind.

        Args:
            image: The picture, 16 to 1024 pixels a side.
            checkpoint: The network, which knows two kinds of pictures, A and B.
            direction: AtoB, or BtoA for the way back.
        """
        from gm_core.tasks.cyclegan import cyclegan

        began = time.perf_counter()
        made = engine.run(cyclegan, pictured(image), checkpoint=checkpoint, direction=direction)
        return result_file(made, parameters_of(TASK, checkpoint, time.perf_counter() - began, direction=direction))

    endpoint(cyclegan_api, [photograph("Picture", visible=False), gr.Textbox(first, visible=False),
                            gr.Textbox("AtoB", visible=False)],
             gr.Image(format="png", visible=False), TASK,
             "A picture of one kind translated into another kind. Directions: AtoB, BtoA.")

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **LIGHT}
    heavy: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **HEAVY}
    jobs: list[Any] = [
        run.click(guarded_stream(translate), [picture, checkpoint, direction, side],
                  [run, stop, result, news, label, download, heading, error, row, further, told, more, work], **heavy),
        many.click(guarded_stream(go_on), work, [many, stop, news, told, more], **heavy),
        look.click(guarded_stream(uncover), work, [look, stop, news, told, more], **heavy),
    ]
    buttons = [run, many, look]
    ready = {**{button: gr.update(interactive=True) for button in buttons}, stop: gr.update(visible=False), news: ""}
    for job in jobs:
        job.failure(lambda: ready, None, [*buttons, stop, news], **quiet)
    stop.click(lambda: ready, None, [*buttons, stop, news], cancels=jobs, api_visibility="private", **LIGHT)
    show_on_phone(run, "cyclegan-result")
    checkpoint.input(guarded(for_checkpoint), checkpoint, direction, **quiet)
    picture.upload(guarded(brought), picture, [checkpoint, direction, side, news], **quiet)


DEMO = Demo(
    name=TASK, title="CycleGAN",
    door="A photograph becomes a painting, summer becomes winter, and back again. Nobody ever showed the network the same "
         "place twice: it learnt from two heaps of pictures, and from the wish to find its way back.",
    draw=draw,
    warm="cyclegan-monet",
)
