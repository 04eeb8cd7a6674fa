"""pix2pix: a drawing table. The picture follows the drawing while one draws; a photograph is coloured."""

import base64
import binascii
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from demos import pix2pix_templates as templates
from demos.base import (
    ASSETS,
    HEAVY,
    LIGHT,
    Demo,
    LateRadio,
    brought_settings,
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
from gm_core.drawings import MAX_COLOURED_SIDE, MAX_SIDE, check_size, kind_of, lines_alone, palette, read_labels
from gm_core.engine import Engine
from gm_core.errors import BadInput
from gm_core.images import fit, open_picture, read_parameters, save_png

TASK = "pix2pix"
MAX_DRAWING_CHARS = 2_000_000
SAMPLES = 4
FAILURES = {"window": ("pix2pix-facades", templates.one_window, "A window as large as the house"),
            "eyes": ("pix2pix-portraits", templates.three_eyes, "Three eyes")}
"""Key of a picture that hangs under "Where it fails" -> checkpoint, what draws the drawing, and its caption."""
ANSWERS = ((7, 8), (14, 21), (24, 11))
"""Rows and columns of the discriminator's answers whose patches are lit."""
TITLES = {"labels": "A house that nobody built", "portrait": "A face that nobody has",
          "luminance": "Your photograph, coloured"}
DOORS = {"labels": "Draw a house", "portrait": "Draw a face", "luminance": "Colour a photograph", "picture": "Bring a picture"}


@cache
def starters(checkpoint: str) -> dict[str, Image.Image]:
    """Templates to begin with, by name."""
    kind = kind_of(checkpoint)
    if kind == "labels":
        return {name: draw() for name, draw in templates.FACADES.items()}
    if kind == "portrait":
        found = {name: templates.face(seed) for name, seed in templates.FACES.items()}
        if lines_alone(checkpoint):
            found |= {name: templates.face(seed, lines_alone=True) for name, seed in templates.LINES.items()}
        return found
    return {}


def table(colours: list[tuple[str, tuple[int, int, int]]], drawing: Image.Image | None) -> dict[str, Any]:
    """The drawing table's value: palette, and what lies on it."""
    url = None
    if drawing is not None:
        file = io.BytesIO()
        drawing.save(file, "PNG")
        url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    named = [[name, "#{:02x}{:02x}{:02x}".format(*colour)] for name, colour in colours]
    return {"palette": named, "first": named[min(2, len(named) - 1)][0], "drawing": url}


def drawing_of(value: object) -> Image.Image:
    """What lies on the drawing table. Raises BadInput."""
    url = value.get("drawing") if isinstance(value, dict) else None
    prefix = "data:image/png;base64,"
    if url is None:
        raise BadInput("The table is empty. Draw something, or begin with a template.")
    if not isinstance(url, str) or not url.startswith(prefix) or len(url) > MAX_DRAWING_CHARS:
        raise BadInput("The drawing did not arrive as it should. Please draw again.")
    try:
        return open_picture(base64.b64decode(url[len(prefix) :], validate=True))
    except binascii.Error as error:
        raise BadInput("The drawing did not arrive as it should. Please draw again.") from error


def snapped(path: str, checkpoint: str) -> Image.Image:
    """A visitor's label map in the palette's own colours, at most the table's size. Raises BadInput if it is none."""
    import numpy as np

    image = open_picture(path)
    check_size(image, kind_of(checkpoint))
    colours = palette(checkpoint)
    labels, lines = read_labels(image, colours)
    tones = np.array([colour for _, colour in colours], np.uint8)[labels]
    tones[lines] = 0
    if max(image.size) > 512:  # without mixing colours
        scale = 512 / max(image.size)
        size = (max(64, round(image.width * scale)), max(64, round(image.height * scale)))
        return Image.fromarray(tones).resize(size, Image.Resampling.NEAREST)
    return Image.fromarray(tones)


def card_sheet(name: str) -> Image.Image:
    """The sample sheet of a checkpoint's card: templates, two samples of each, and where there is one, the truth; of one that
    colours, grey, coloured, truth."""
    from gm_core.tasks.pix2pix import pix2pix

    rows: list[list[Image.Image]] = []
    if kind_of(name) == "luminance":
        for _, path in sample_photographs():
            truth = fit(open_picture(path), 320)
            truth = truth.crop((0, 0, truth.width, min(truth.height, 208)))
            rows.append([truth.convert("L").convert("RGB"), pix2pix(truth, checkpoint=name, seed=None), truth])
    else:
        drawings = [drawing.resize((192, 192), Image.Resampling.NEAREST) for drawing in starters(name).values()]
        rows = [drawings, *[[pix2pix(drawing, checkpoint=name, seed=seed).resize((192, 192), Image.Resampling.LANCZOS)
                             for drawing in starters(name).values()] for seed in (0, 1)]]
        if kind_of(name) == "portrait":
            rows.append([templates.person(templates.PEOPLE[template]).resize((192, 192), Image.Resampling.LANCZOS)
                         for template in starters(name)])
    width = max(sum(picture.width + 4 for picture in row) for row in rows) - 4
    sheet = Image.new("RGB", (width, sum(row[0].height + 4 for row in rows) - 4), "white")
    top = 0
    for row in rows:
        left = 0
        for picture in row:
            sheet.paste(picture, (left, top))
            left += picture.width + 4
        top += row[0].height + 4
    return sheet


def hang() -> None:
    """Makes the picture of this room and the sheets of its cards; see `demos.hang`: the first template, painted."""
    from gm_core.tasks.pix2pix import pix2pix

    for record in of_task(TASK):
        if record.shipped:
            card_sheet(record.name).save(record.folder / "sample.webp", quality=88)

    name = of_task(TASK)[0].name
    drawing = next(iter(starters(name).values()))
    pix2pix(drawing, checkpoint=name)  # the first pass pays for the loading
    began = time.perf_counter()
    made = pix2pix(drawing, checkpoint=name)
    save_png(made, ASSETS / "examples" / "pix2pix.png", parameters_of(TASK, name, time.perf_counter() - began, seed=0))
    patches(made).save(ASSETS / "examples" / "pix2pix-patches.webp", quality=90)
    for key, (checkpoint, drawn, _) in FAILURES.items():
        asked = drawn()
        side_by_side(asked, pix2pix(asked, checkpoint=checkpoint)).save(ASSETS / "examples" / f"pix2pix-failure-{key}.webp",
                                                                       quality=90)


def patches(picture: Image.Image) -> Image.Image:
    """The picture, dark but for what three of the discriminator's answers see."""
    import numpy as np
    import torch

    from gm_core.models.discriminators import PatchDiscriminator, seen_by

    torch.manual_seed(0)
    network = PatchDiscriminator()
    lit = np.asarray(picture) // 4
    for row, column in ANSWERS:
        rows, columns = seen_by(network, 3, picture.height, picture.width, row, column).nonzero().T.numpy()
        field = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        lit[field] = 255  # its border
        within = tuple(slice(part.start + 1, part.stop - 1) for part in field)
        lit[within] = np.asarray(picture)[within]
    return Image.fromarray(lit)


def hang_average(run: Path) -> None:
    """What the first template becomes when only the distance counts. run: of `gm_core.recipes.pix2pix --losses l1`."""
    import torch
    from torch.optim.swa_utils import AveragedModel

    from gm_core.load import build, visiting
    from gm_core.tasks.pix2pix import pix2pix

    ours = of_task(TASK)[0]
    average = AveragedModel(build(ours, ours.folder).eval().requires_grad_(False))
    average.load_state_dict(torch.load(run / "state.pt", map_location="cpu", weights_only=True)["average"])
    drawing = next(iter(starters(ours.name).values()))
    record = replace(ours, name="l1-alone", repo_id="none/l1-alone", config=ours.arguments())
    with visiting(record, average.module):
        pix2pix(drawing, checkpoint=record.name).save(ASSETS / "examples" / "pix2pix-l1.webp", quality=90)


def draw(engine: Engine) -> None:
    """The room: table left; right the picture that follows, its label, and samples."""
    hung_path = ASSETS / "examples" / "pix2pix.png"
    hung = read_parameters(hung_path) or {}
    first = of_task(TASK)[0].name
    kind = kind_of(first)
    names = list(starters(first))
    hung_drawing = starters(first).get(names[0]) if names else None

    with gr.Row(elem_classes="room easel-room"):
        with gr.Column(scale=5, min_width=320):
            checkpoint = gr.Radio([(f"{DOORS[kind_of(record.name)]} · {record.title}", record.name)
                                   for record in of_task(TASK)], value=first, label="What shall it be",
                                  elem_id="pix2pix-checkpoint")
            canvas = gr.HTML(table(palette(first), hung_drawing) if palette(first) else None,
                             html_template=(ASSETS / "easel.html").read_text(encoding="utf-8"),
                             js_on_load=(ASSETS / "easel.js").read_text(encoding="utf-8"), visible=bool(palette(first)),
                             elem_id="pix2pix-canvas")
            template = LateRadio(names, value=None, label="Begin with", visible=bool(names), elem_id="pix2pix-template")
            with gr.Accordion("Bring a label map", open=False, visible=bool(names)) as bring_map:
                brought_map = photograph("A label map in the palette's colours", "pix2pix-map")
            # A column, because Gradio would move the samples' files anew when their own visibility changes, and may not.
            with gr.Column(visible=not names) as bring_photograph:
                picture = photograph("Your photograph", "pix2pix-picture")
                gr.Examples([[str(path)] for _, path in sample_photographs()], [picture],
                            label="Or one of these", example_labels=[name for name, _ in sample_photographs()])
                with gr.Accordion("Take the colours of another photograph", open=False):
                    has_colours = photograph("A photograph that has them", "pix2pix-colours")
                    gr.Examples([[str(path)] for _, path in sample_photographs()], [has_colours],
                                label="Or those of one of these", example_labels=[name for name, _ in sample_photographs()])
            run = gr.Button("Paint" if names else "Colour", variant="primary", elem_id="pix2pix-run")
            with gr.Accordion("Settings", open=False):
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, elem_id="pix2pix-seed",
                                 info="Another seed is another picture of the same drawing, or another mood of the same "
                                      "photograph.")
        with gr.Column(scale=6, min_width=320):
            result = gr.Image(str(hung_path), label="The picture", show_label=False, interactive=False, format="png",
                              buttons=["fullscreen"], elem_classes="framed", elem_id="pix2pix-result",
                              alt_text="What the network painted for the drawing")
            news = gr.HTML(elem_classes="news")
            label = gr.HTML(museum_label(TITLES.get(kind, "A picture"), hung))
            with gr.Row():
                download = gr.DownloadButton("Download (PNG)", visible=False, elem_id="pix2pix-download", size="sm")
                several = gr.Button(f"{SAMPLES} samples side by side", size="sm", elem_id="pix2pix-several")
            wall = gr.Gallery([], columns=SAMPLES, height="auto", interactive=False, show_label=False, label="Samples",
                              visible=False, buttons=["fullscreen"], elem_id="pix2pix-wall", elem_classes="cycle-row")
    with gr.Accordion("What the discriminator adds", open=False, elem_classes="wall-text"):
        gr.HTML('<p class="aside">The same network, drawing and house fronts. In the second picture it had learnt from the '
                "distance alone and paints the average of all that might be there; in the third two discriminators had looked "
                "at its pictures, too. One of them, PatchGAN, gives an answer for every 8 x 8 pixels and sees 54 x 54 around "
                "them: the fourth picture shows what three of its 1,024 answers see.</p>")
        gr.Gallery([(hung_drawing, "the drawing"), (str(ASSETS / "examples" / "pix2pix-l1.webp"), "learnt with L1 alone"),
                    (str(hung_path), "learnt with discriminators"),
                    (str(ASSETS / "examples" / "pix2pix-patches.webp"), "what three answers see")], columns=4, height="auto",
                   interactive=False, show_label=False, label="L1 alone, and with discriminators", buttons=["fullscreen"],
                   elem_id="pix2pix-average", elem_classes="cycle-row")
    with gr.Accordion("Where it fails", open=False, elem_classes="wall-text"):
        gr.HTML('<p class="aside">Left what was drawn, right what came: a drawing unlike those that the network learnt '
                "from.</p>")
        gr.Gallery([(str(ASSETS / "examples" / f"pix2pix-failure-{key}.webp"), said)
                    for key, (*_, said) in FAILURES.items()], columns=3, height="auto", interactive=False, show_label=False,
                   label="Failures", buttons=["fullscreen"], elem_id="pix2pix-failures", elem_classes="cycle-row three")
    how_it_works(TASK)
    first_seed = gr.State(0)  # of the samples on the wall
    on_table = gr.State(hung_drawing)  # what Python laid there: the table itself speaks only after the first stroke

    def source(value: object, laid: Image.Image | None, path: str | None, name: str) -> Image.Image:
        """What is to be painted: the photograph, the drawing, or the template that nobody has touched yet."""
        if not palette(name):
            return fit(pictured(path), MAX_COLOURED_SIDE if kind_of(name) == "luminance" else MAX_SIDE)
        if laid is not None and not (isinstance(value, dict) and "palette" not in value):
            return laid
        return drawing_of(value)

    def title(name: str) -> str:
        return TITLES.get(kind_of(name), "Your picture, translated")

    def borrowed(path: str | None) -> Image.Image | None:
        """The photograph whose colours are to be taken, if there is one."""
        return fit(pictured(path), MAX_SIDE) if path else None

    def told(seed: int, colours: Image.Image | None) -> dict[str, Any]:
        """What the result's file says of them: not the photograph itself."""
        return {"seed": seed, "borrowed_colours": True} if colours else {"seed": seed}

    def paint(value: object, laid: Image.Image | None, path: str | None, name: str, number: float | None,
              taken: str | None) -> Iterator[dict[Any, Any]]:
        """The newest stroke wins: while this runs, Gradio keeps only the last of the strokes that follow."""
        from gm_core.tasks.pix2pix import pix2pix

        image = source(value, laid, path, name)
        own, colours = int(number or 0), borrowed(taken) if kind_of(name) == "luminance" else None
        stream = engine.stream(pix2pix, image, checkpoint=name, seed=own, colours=colours)
        finished = yield from follow(stream, lambda e: {news: status(e)}, every=0.5)
        parameters = parameters_of(TASK, name, finished.seconds, **told(own, colours))
        yield {news: "", result: shown(finished.result), label: museum_label(title(name), parameters),
               download: gr.update(value=result_file(finished.result, parameters), visible=True)}

    def entered(value: object, laid: Image.Image | None, path: str | None, name: str, number: float | None,
                taken: str | None) -> Iterator[dict[Any, Any]]:
        """Behind another door hangs its own picture; where photographs are coloured, once there is one."""
        if palette(name) or path:
            yield from paint(value, laid, path, name, number, taken)
        else:
            yield {news: ""}

    def sample(value: object, laid: Image.Image | None, path: str | None, name: str, number: float | None,
               taken: str | None) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.pix2pix import pix2pix

        image, colours = source(value, laid, path, name), borrowed(taken) if kind_of(name) == "luminance" else None
        made: list[tuple[Image.Image, str]] = []
        for i in range(SAMPLES):
            own = int(number or 0) + i
            stream = engine.stream(pix2pix, image, checkpoint=name, seed=own, colours=colours)
            finished = yield from follow(stream, lambda e: {news: status(e)}, every=0.5)
            made.append((fit(finished.result, 512), f"Seed {own}"))
            yield {wall: gr.update(value=list(made), visible=True), first_seed: int(number or 0)}
        yield {news: ""}

    def take(chosen: gr.SelectData, begun: int) -> int:
        return begun + int(chosen.index)

    def for_checkpoint(name: str) -> dict[Any, Any]:
        if name not in [record.name for record in of_task(TASK)]:
            raise BadInput(f"'{name}' does not turn drawings into pictures.")
        colours, found = palette(name), starters(name)
        laid = next(iter(found.values()), None)
        draws = bool(colours)
        return {canvas: gr.update(value=table(colours, laid) if draws else None, visible=draws), on_table: laid,
                template: gr.update(choices=list(found), value=None, visible=draws), bring_map: gr.update(visible=draws),
                bring_photograph: gr.update(visible=not draws),
                run: gr.update(value="Paint" if draws else "Colour"), wall: gr.update(value=[], visible=False)}

    def begin(chosen: str | None, name: str) -> dict[Any, Any]:
        laid = starters(name).get(chosen or "")
        return {canvas: table(palette(name), laid), on_table: laid} if laid is not None else {news: ""}

    def lay_map(path: str | None, name: str) -> dict[Any, Any]:
        if not path:
            return {news: ""}
        laid = snapped(path, name)
        return {canvas: table(palette(name), laid), on_table: laid, news: status(words="Your map lies on the table")}

    def brought(path: str | None) -> dict[Any, Any]:
        settings = brought_settings(path, TASK)
        number = settings.get("seed")
        if not isinstance(number, int) or not 0 <= number < 2**31:
            return {news: ""}
        return {seed: number, news: status(words="The seed of this picture is restored")}

    def pix2pix_api(image: str, checkpoint: str, seed: int, colours: str | None = None) -> str:
        """A drawing as a picture.

        Args:
            image: A label map in the network's colours, 64 to 1024 pixels a side; or a photograph to colour, up to 4096.
            checkpoint: A network: pix2pix-facades for houses, pix2pix-portraits-256 for faces, pix2pix-colour for photographs.
            seed: Another number gives another picture of the same drawing.
            colours: With pix2pix-colour, another photograph whose colours the picture is to take; may be left out.
        """
        from gm_core.tasks.pix2pix import pix2pix

        began = time.perf_counter()
        taken = borrowed(colours)
        made = engine.run(pix2pix, pictured(image), checkpoint=checkpoint, seed=int(seed), colours=taken)
        return result_file(made, parameters_of(TASK, checkpoint, time.perf_counter() - began, **told(int(seed), taken)))

    endpoint(pix2pix_api, [photograph("Picture", visible=False), gr.Textbox(first, visible=False),
                           gr.Number(0, visible=False, precision=0), photograph("Colours", visible=False)],
             gr.Image(format="png", visible=False), TASK, "A label map as a picture, or a photograph coloured.")

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **LIGHT}
    live: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last", **HEAVY}
    wanted = [canvas, on_table, picture, checkpoint, seed, has_colours]
    painted = [news, result, label, download]
    canvas.drawn(guarded_stream(paint), wanted, painted, **live)
    run.click(guarded_stream(paint), wanted, painted, **live)
    template.input(guarded(begin), [template, checkpoint], [canvas, on_table, news], **quiet).then(
        guarded_stream(paint), wanted, painted, **live)
    brought_map.upload(guarded(lay_map), [brought_map, checkpoint], [canvas, on_table, news], **quiet).success(
        guarded_stream(paint), wanted, painted, **live)
    checkpoint.input(guarded(for_checkpoint), checkpoint,
                     [canvas, on_table, template, bring_map, bring_photograph, run, wall], **quiet).success(
        guarded_stream(entered), wanted, painted, **live)
    seed.submit(guarded_stream(paint), wanted, painted, **live)
    several.click(guarded_stream(sample), wanted, [wall, news, first_seed], show_progress="hidden", api_visibility="private",
                  **HEAVY)
    wall.select(guarded(take), first_seed, seed, **quiet).then(guarded_stream(paint), wanted, painted, **live)
    picture.upload(guarded(brought), picture, [seed, news], **quiet)
    has_colours.change(guarded_stream(entered), wanted, painted, **live)
    show_on_phone(several, "pix2pix-result")


DEMO = Demo(
    name=TASK, title="pix2pix",
    door="A drawing table: put eyes and hair on a head, or windows and a door on a wall, and beside it the picture appears "
         "while you draw.",
    draw=draw,
    warm="pix2pix-facades",
)
