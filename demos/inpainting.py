"""Inpainting: mark what shall go, and see it painted over; go on with the result; compare with the classical way."""

import base64
import binascii
import html
import io
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw

from demos.base import (
    ASSETS,
    HEAVY,
    LIGHT,
    Demo,
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
    status,
)
from gm_core.checkpoints import find, of_task
from gm_core.engine import Engine, Progress, Waiting
from gm_core.errors import BadInput
from gm_core.images import fit, open_picture, read_parameters, save_png

TASK = "inpainting"
CANVAS_SIDE = 1024
"""Longest side of the photograph on the canvas, and so of the mask; the result has the photograph's own size."""
MAX_MASK_CHARS = 6_000_000
MOST_PROPOSALS = 4
BORDERS = ("left", "top", "right", "bottom")


REMOVED: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "An astronaut": (((384, 0), (446, 0), (464, 36), (466, 150), (474, 210), (484, 285), (358, 292), (340, 222), (362, 165),
                      (370, 80)),),
    "A cup of coffee": (((385, 60), (440, 60), (440, 90), (420, 120), (400, 205), (418, 270), (410, 330), (350, 340),
                         (312, 290), (316, 240), (366, 215), (384, 180)),),
    "A rocket": (((442, 118), (454, 118), (464, 220), (486, 400), (430, 400), (436, 220)),
                 ((194, 120), (208, 120), (210, 220), (208, 380), (162, 380), (184, 220))),
}
"""Sample photograph -> outlines (x, y) of what its picture on the card lacks: a model, a spoon, two masts."""
HUNG = "A rocket"


def on_canvas(image: Image.Image) -> dict[str, str]:
    """The canvas' value that shows the photograph, nothing marked."""
    file = io.BytesIO()
    fit(image, CANVAS_SIDE).save(file, "WEBP", quality=90)
    return {"picture": "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()}


def marked(value: object, size: tuple[int, int]) -> Image.Image:
    """The canvas' value as a mask of `size` (width, height), mode L; black if nothing was marked. Raises BadInput."""
    url = value.get("mask") if isinstance(value, dict) else None
    if url is None:
        return Image.new("L", size)
    prefix = "data:image/png;base64,"
    if not isinstance(url, str) or not url.startswith(prefix) or len(url) > MAX_MASK_CHARS:
        raise BadInput("The marks did not arrive as they should. Please mark again.")
    try:
        mask = open_picture(base64.b64decode(url[len(prefix) :], validate=True))
    except binascii.Error as error:
        raise BadInput("The marks did not arrive as they should. Please mark again.") from error
    return mask.convert("L").resize(size, Image.Resampling.BILINEAR)


def prepared(path: str | None, value: object, borders: dict[str, int]) -> tuple[Image.Image, Image.Image, bool]:
    """(photograph with the borders to be added, mask of its size, whether borders were added)."""
    from gm_core.tasks.inpainting import MAX_SIDE, extended

    image = fit(pictured(path), MAX_SIDE)
    mask = marked(value, image.size)
    if not any(borders.values()):
        return image, mask, False
    larger, beyond = extended(image, **borders)
    beyond.paste(mask, (borders["left"], borders["top"]))
    return larger, beyond, True


def masked(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The picture with its hole in the grey of the wall."""
    return Image.composite(Image.new("RGB", image.size, "#b9b2a4"), image, mask.point(lambda value: 255 * (value >= 128)))


def around_hole(mask: Image.Image, *pictures: Image.Image) -> list[Image.Image]:
    """The same part of each picture: the hole and something around it."""
    left, top, right, bottom = mask.point(lambda value: 255 * (value >= 128)).getbbox() or (0, 0, *mask.size)
    margin = 24 + max(right - left, bottom - top) // 3
    box = (max(0, left - margin), max(0, top - margin), min(mask.width, right + margin), min(mask.height, bottom + margin))
    return [shown(picture.crop(box)) for picture in pictures]


def _table(figures: list[tuple[str, float, float]]) -> str:
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{psnr:.2f}</td><td>{distance:.3f}</td></tr>"
                   for name, psnr, distance in figures)
    return ('<table class="figures"><caption>In the hole, against the truth</caption><thead><tr><th></th><th>PSNR, dB</th>'
            f"<th>perceptual distance</th></tr></thead><tbody>{rows}</tbody></table>"
            '<p class="aside">The truth is what was there before you marked it: of use where nothing was to be removed. PSNR: '
            "higher is closer, pixel for pixel; a grey average does well in it. Perceptual distance, as our small feature "
            "network sees it: lower is closer.</p>")


def hang() -> None:
    """Makes the picture of this room and the sheet of its card; see `demos.hang`: something less in each photograph."""
    from gm_core.tasks.inpainting import inpainting, telea

    record = of_task(TASK)[0]
    rows = []
    for name, path in sample_photographs():
        if name not in REMOVED:
            continue
        original = open_picture(path)
        mask = Image.new("L", original.size)
        for outline in REMOVED[name]:
            ImageDraw.Draw(mask).polygon(outline, fill=255)
        inpainting(original, mask, checkpoint=record.name)  # the first pass pays for the loading
        began = time.perf_counter()
        made = inpainting(original, mask, checkpoint=record.name)
        seconds = time.perf_counter() - began
        rows.append([fit(picture, 400) for picture in (masked(original, mask), telea(original, mask), made)])
        if name == HUNG:
            original.save(ASSETS / "examples" / "inpainting-input.webp", quality=92)
            save_png(made, ASSETS / "examples" / "inpainting.png", parameters_of(TASK, record.name, seconds, seed=0, feather=0))
    sheet = Image.new("RGB", (3 * 404 - 4, sum(row[0].height + 4 for row in rows) - 4), "white")
    top = 0
    for row in rows:
        for i, picture in enumerate(row):
            sheet.paste(picture, (404 * i, top))
        top += row[0].height + 4
    sheet.save(record.folder / "sample.webp", quality=86)


def draw(engine: Engine) -> None:
    """The room: canvas left; right the framed slider, proposals, label and comparison."""
    hung_path = ASSETS / "examples" / "inpainting.png"
    hung_input = ASSETS / "examples" / "inpainting-input.webp"
    hung = read_parameters(hung_path) or {}
    first = of_task(TASK)[0].name

    with gr.Row(elem_classes="room"):
        with gr.Column(scale=5, min_width=320):
            with gr.Column() as choosing:
                picture = photograph("Your photograph", "inpainting-picture")
                gr.Examples([[str(path)] for _, path in sample_photographs()], [picture],
                            label="Or one of these", example_labels=[name for name, _ in sample_photographs()])
            canvas = gr.HTML(None, html_template=(ASSETS / "marker.html").read_text(encoding="utf-8"),
                             js_on_load=(ASSETS / "marker.js").read_text(encoding="utf-8"), visible=False,
                             apply_default_css=False, elem_id="inpainting-canvas")
            run = gr.Button("Paint over what is marked", variant="primary", elem_id="inpainting-run")
            stop = gr.Button("Stop", visible=False, elem_id="inpainting-stop")
            prompt = gr.Textbox("", label="What shall be there", lines=2, max_length=1000, visible=False,
                                elem_id="inpainting-prompt", info="In English. Empty: whatever fits.")
            with gr.Accordion("Settings", open=False):
                checkpoint = gr.Dropdown(choices(TASK), value=first, label="Checkpoint", elem_id="inpainting-checkpoint")
                feather = gr.Slider(0, 64, 0, step=1, label="Feather, pixels", elem_id="inpainting-feather",
                                    info="So far inside the outline the new fades into the old.")
                proposals = gr.Slider(1, MOST_PROPOSALS, 1, step=1, label="Proposals", elem_id="inpainting-proposals",
                                      info="Each begins from other noise.")
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="inpainting-seed")
                steps = gr.Slider(2, 50, 20, step=1, label="Steps", visible=False, elem_id="inpainting-steps")
            with gr.Accordion("Beyond the frame", open=False, elem_id="inpainting-beyond"):
                gr.HTML('<p class="aside">Continue the photograph past its border, by so many pixels on each side.</p>')
                with gr.Row():
                    sides = {side: gr.Number(0, label=side.capitalize(), precision=0, minimum=0, maximum=1024, min_width=90,
                                             elem_id=f"inpainting-{side}") for side in BORDERS}
        with gr.Column(scale=6, min_width=320):
            result = gr.ImageSlider((str(hung_input), str(hung_path)), label="Before · after", show_label=False,
                                    interactive=False, buttons=["fullscreen"], max_height=640, elem_classes="framed",
                                    elem_id="inpainting-result")
            news = gr.HTML(elem_classes="news")
            label = gr.HTML(museum_label("A photograph, mended", hung))
            wall = gr.Gallery([], columns=MOST_PROPOSALS, height="auto", allow_preview=False, interactive=False, buttons=[],
                              show_label=False, label="Proposals", visible=False, elem_id="inpainting-wall")
            with gr.Row(visible=False) as after:
                again = gr.Button("Go on with this result", size="sm", elem_id="inpainting-again")
                compare = gr.Button("Compare with Telea", size="sm", elem_id="inpainting-compare")
                download = gr.DownloadButton("Download (PNG)", size="sm", elem_id="inpainting-download")
            comparison = gr.Gallery([], columns=4, height="auto", allow_preview=True, interactive=False, buttons=["fullscreen"],
                                    show_label=False, label="Comparison", visible=False, elem_id="inpainting-comparison")
            table = gr.HTML(elem_id="inpainting-table")
    how_it_works(TASK)
    work = gr.State()  # of the last run: original, mask, proposals, which is shown

    def bring(path: str | None) -> dict[Any, Any]:
        """The photograph goes onto the canvas, and the settings that a result of ours carries into the form."""
        if not path:
            return {choosing: gr.update(visible=True), canvas: gr.update(value=None, visible=False)}
        from gm_core.tasks.inpainting import MAX_SIDE, check_size

        image = fit(pictured(path), MAX_SIDE)
        check_size(image)
        settings = brought_settings(path, TASK)
        name = settings.get("checkpoint")
        restored: dict[Any, Any] = {}
        if name in [record.name for record in of_task(TASK)]:
            restored = {**for_checkpoint(str(name)), checkpoint: name, feather: number(settings.get("feather"), 0, 64)}
            restored[seed] = {**restored[seed], "value": number(settings.get("seed"), 0, 2**31 - 1)}
        return {choosing: gr.update(visible=False), canvas: gr.update(value=on_canvas(image), visible=True), **restored}

    def number(value: object, least: int, most: int) -> int:
        return value if isinstance(value, int) and least <= value <= most else least

    def for_checkpoint(name: str) -> dict[Any, Any]:
        from gm_core.tasks.inpainting import has_chance, reads_prompt

        reads = reads_prompt(name)
        return {prompt: gr.update(visible=reads), steps: gr.update(visible=reads),
                proposals: gr.update(visible=has_chance(name)), seed: gr.update(visible=has_chance(name))}

    def paint(path: str | None, marks: object, name: str, feather: float, count: float, seed: float | None, words: str,
              steps: float, left: float | None, top: float | None, right: float | None,
              bottom: float | None) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.inpainting import has_chance, inpainting, reads_prompt

        borders = {side: int(amount or 0) for side, amount in zip(BORDERS, (left, top, right, bottom), strict=True)}
        image, mask, continued = prepared(path, marks, borders)
        reads, chance = reads_prompt(name), has_chance(name)
        settings: dict[str, Any] = {"feather": int(feather)}
        if reads:
            settings |= {"prompt": words, "steps": int(steps)}
        count = max(1, min(MOST_PROPOSALS, int(count))) if chance else 1
        before = shown(masked(image, mask) if continued else image)
        made: list[tuple[str, Image.Image, dict[str, Any]]] = []
        yield {run: gr.update(interactive=False), stop: gr.update(visible=True), news: status(words="Beginning"), table: "",
               comparison: gr.update(visible=False), after: gr.update(visible=False), wall: gr.update(visible=False)}
        for i in range(count):
            own = {**settings, **({"seed": int(seed or 0) + i} if chance else {})}

            def arriving(event: Waiting | Progress, i: int = i) -> dict[Any, Any]:
                preview = event.preview if isinstance(event, Progress) else None
                if isinstance(event, Progress) and count > 1:
                    event = Progress(event.fraction, f"Proposal {i + 1} of {count}: {event.words}")
                return {news: status(event), **({result: (before, preview)} if preview else {})}

            finished = yield from follow(engine.stream(inpainting, image, mask, checkpoint=name, **own), arriving)
            parameters = parameters_of(TASK, name, finished.seconds, **own, **({"borders": borders} if continued else {}))
            made.append((result_file(finished.result, parameters), finished.result, parameters))
            if i == 0:
                yield {result: (before, shown(finished.result)), label: museum_label(title(mask, continued), parameters)}
        yield {news: "", run: gr.update(interactive=True), stop: gr.update(visible=False), after: gr.update(visible=True),
               download: gr.update(value=made[0][0]), compare: gr.update(visible=not continued),
               wall: gr.update(value=[(shown(picture), f"Seed {parameters['seed']}") for _, picture, parameters in made],
                               visible=True, selected_index=0) if count > 1 else gr.update(visible=False),
               work: {"before": before, "original": image, "mask": mask, "made": made, "chosen": 0, "continued": continued}}

    def title(mask: Image.Image, continued: bool) -> str:
        share = 100 * float((np.asarray(mask) >= 128).mean())
        if share < 1:
            return "Your photograph, continued: a little of it painted" if continued else \
                "Your photograph, mended: a little of it painted"
        return f"Your photograph, continued: {share:.0f} % of it painted" if continued else \
            f"Your photograph, mended: {share:.0f} % of it painted"

    def choose(last: dict[str, Any] | None, chosen: gr.SelectData) -> dict[Any, Any]:
        if not last or not 0 <= int(chosen.index) < len(last["made"]):
            return {news: ""}
        path, picture_, parameters = last["made"][int(chosen.index)]
        return {result: (last["before"], shown(picture_)), download: gr.update(value=path), table: "",
                label: museum_label(title(last["mask"], last["continued"]), parameters),
                comparison: gr.update(visible=False), work: {**last, "chosen": int(chosen.index)}}

    def go_on(last: dict[str, Any] | None) -> dict[Any, Any]:
        """The result becomes the photograph: the very file, so that nothing outside the next hole changes either."""
        if not last:
            raise BadInput("There is no result to go on with yet.")
        path = last["made"][last["chosen"]][0]
        return {picture: path, news: status(words="The result is on the canvas now"), **dict.fromkeys(sides.values(), 0)}

    def measure(last: dict[str, Any] | None) -> dict[Any, Any]:
        from gm_core.tasks.inpainting import measured, telea

        if not last:
            raise BadInput("There is nothing to compare yet.")
        truth, mask = last["original"], last["mask"]
        _, mine, parameters = last["made"][last["chosen"]]
        classical = telea(truth, mask)
        name = find(parameters["checkpoint"]).title
        parts = around_hole(mask, masked(truth, mask), classical, mine, truth)
        captions = ("Marked", "Telea, 2004", name, "Truth")
        figures = [(said, *measured(found, truth, mask)) for said, found in (("Telea, 2004", classical), (name, mine))]
        return {comparison: gr.update(value=list(zip(parts, captions, strict=True)), visible=True), table: _table(figures)}

    def inpainting_api(image: str, mask: str, checkpoint: str, feather: int, seed: int, prompt: str, steps: int) -> str:
        """A photograph with a part painted anew.

        Args:
            image: The photograph, 32 to 2048 pixels a side.
            mask: White where to paint, black where everything stays; as large as the photograph.
            checkpoint: The network that paints.
            feather: Over how many pixels inside the outline the new fades into the old, 0 to 64.
            seed: Another number is another proposal, where the network has chance in it.
            prompt: What to paint, for networks that read; otherwise empty.
            steps: 2 to 50, for networks that paint step by step.
        """
        from gm_core.tasks.inpainting import inpainting

        began = time.perf_counter()
        settings = {"feather": int(feather), "seed": int(seed), "prompt": prompt, "steps": int(steps)}
        made = engine.run(inpainting, pictured(image), pictured(mask), checkpoint=checkpoint, **settings)
        return result_file(made, parameters_of(TASK, checkpoint, time.perf_counter() - began, **settings))

    endpoint(inpainting_api,
             [photograph("Picture", visible=False), photograph("Mask", visible=False), gr.Textbox(first, visible=False),
              gr.Number(0, visible=False, precision=0), gr.Number(0, visible=False, precision=0),
              gr.Textbox("", visible=False), gr.Number(20, visible=False, precision=0)],
             gr.Image(format="png", visible=False), TASK,
             "A photograph with the part painted over that is white in the mask. Every other pixel stays as it was.")

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **LIGHT}
    told = [checkpoint, feather, seed, prompt, steps, proposals]
    picture.change(guarded(bring), picture, [choosing, canvas, *told], **quiet)
    canvas.another(lambda: None, None, picture, **quiet)
    checkpoint.input(guarded(for_checkpoint), checkpoint, [prompt, steps, proposals, seed], **quiet)

    shown_things = [run, stop, result, news, label, wall, after, compare, download, comparison, table, work]
    job = run.click(guarded_stream(paint), [picture, canvas, checkpoint, feather, proposals, seed, prompt, steps,
                                            *sides.values()],
                    shown_things, show_progress="hidden", api_visibility="private", **HEAVY)
    ready = {run: gr.update(interactive=True), stop: gr.update(visible=False), news: ""}
    job.failure(lambda: ready, None, [run, stop, news], **quiet)
    stop.click(lambda: ready, None, [run, stop, news], cancels=[job], api_visibility="private", **LIGHT)
    show_on_phone(run, "inpainting-result")
    wall.select(guarded(choose), work, [result, download, label, comparison, table, work, news], **quiet)
    again.click(guarded(go_on), work, [picture, news, *sides.values()], **quiet)
    compare.click(guarded(measure), work, [comparison, table], show_progress="minimal", api_visibility="private", **LIGHT)


DEMO = Demo(
    name=TASK, title="Inpainting",
    door="Mark what shall go: a wire, a scratch, a passer-by. The network looks at the whole photograph and paints what might "
         "have been there. What you did not mark stays as it was, to the last bit.",
    draw=draw,
    warm="inpaint-256",
)
