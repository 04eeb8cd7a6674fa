"""Text to image: a sentence becomes a picture, step by step; see where each word acted, and what guidance and steps do."""

import base64
import html
import io
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from demos.base import (
    ASSETS,
    HEAVY,
    LIGHT,
    Demo,
    LateRadio,
    Picture,
    brought_settings,
    choices,
    endpoint,
    follow,
    guarded,
    guarded_stream,
    how_it_works,
    museum_label,
    parameters_of,
    result_file,
    show_on_phone,
    status,
)
from gm_core.checkpoints import find, of_task
from gm_core.engine import Engine, Progress, Waiting
from gm_core.errors import BadInput
from gm_core.hub import allowed_repositories
from gm_core.images import open_picture, read_parameters, save_png

TASK = "text_to_image"
EXAMPLES = (
    "This small blue bird has a short pointy beak and brown on its wings.",
    "This bird is completely red with black wings and pointy beak.",
    "This flower has small, round violet petals with a dark purple center.",
    "This flower has petals that are white with a yellow center.",
    "A smiling young woman with long wavy auburn hair and round glasses.",
    "An old man with a full beard, wearing a green beanie.",
)
HUNG, HUNG_SEED = EXAMPLES[3], 1
"""What hangs in the frame when a visitor enters."""
SHOWN_SIDE = 512
"""Small pictures are shown this large; the file to download has the checkpoint's own size."""
PICTURE, PLAN = "picture", "plan"
"""Beside the words, what can be looked at."""
GRIDS = {1: ((0.0, 1.5, 3.0), (1, 2, 4)), 20: ((1.0, 2.0, 4.0, 8.0), (2, 5, 10, 20))}
"""By the checkpoint's usual number of steps: guidances and steps of its grid."""
CELL_SIDE = 116  # of a grid, as shown; twice that in pixels


def enlarged(image: Image.Image) -> Image.Image:
    """As it hangs in the frame: small pictures large enough to see."""
    if max(image.size) >= SHOWN_SIDE:
        return image
    scale = SHOWN_SIDE / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


def quoted(words: list[str]) -> str:
    """'one', 'two', 'three'."""
    return ", ".join(f"'{word}'" for word in words[:6])


def unknown_said(prompt: str, checkpoint: str) -> str:
    """What the line below the prompt says of words that mean nothing; empty if there are none."""
    from gm_core.tasks.text_to_image import unknown_words

    words = unknown_words(prompt, checkpoint)
    if not words:
        return ""
    named = html.escape(quoted(words))
    said = f"It has only ever seen birds, flowers and portraits: {named} means nothing to it." if len(words) == 1 else \
        f"It has only ever seen birds, flowers and portraits: {named} mean nothing to it."
    return f'<p class="aside" role="status">{said}</p>'


def cost_said(checkpoint: str) -> str:
    """Of a checkpoint from the Hub: what it costs, before it is asked for."""
    from gm_core.hub import where

    record = find(checkpoint)
    place = where(record)
    if place == "shipped":
        return ""
    minutes = max(1, round(record.size / 1e7 / 60))
    fetch = "" if place == "cached" else (f'<p class="aside">The first picture waits for a download of {record.size / 1e9:.1f} '
                                          f"GB, about {minutes} min at 10 MB a second.</p>")
    return (f'{fetch}<p class="aside">Without a graphics card each step of so large a network takes many seconds, and it '
            f"needs {record.parameters * 4 / 1e9:.0f} GB of memory.</p>")


def label_of(prompt: str, parameters: dict[str, Any]) -> str:
    extra = [f"{parameters['steps']} steps, guidance {parameters['guidance']:g}"]
    if parameters["negative_prompt"]:
        extra.append(f"Without: {parameters['negative_prompt']}")
    title = f"“{prompt}”"
    if "@" not in parameters["checkpoint"]:
        return museum_label(title, parameters, extra)
    place = "".join(parameters["checkpoint"].partition("@")[:2]) + parameters["revision"][:8]
    lines = [f"{place}, from the Hub", *extra, f"Seed {parameters['seed']}", f"Made in {parameters['seconds']:.1f} s"]
    return (f'<div class="museum-label"><div class="work">{html.escape(title)}</div>'
            + "".join(f"<div>{html.escape(line)}</div>" for line in lines) + "</div>")


def told(checkpoint: str, seconds: float, **settings: Any) -> dict[str, Any]:  # noqa: ANN401 - the task's own
    """The parameters that a result carries."""
    if "@" not in checkpoint:
        return parameters_of(TASK, checkpoint, seconds, **settings)
    return {"task": TASK, "checkpoint": checkpoint, "revision": checkpoint.partition("@")[2], **settings,
            "seconds": round(seconds, 2)}


def grid_table(rows: list[list[Image.Image]], guidances: tuple[float, ...], steps: tuple[int, ...], prompt: str) -> str:
    """The grid as a table with its settings on the rims."""
    def cell(image: Image.Image, guidance: float, count: int) -> str:
        file = io.BytesIO()
        small = image if max(image.size) <= 2 * CELL_SIDE else image.resize((2 * CELL_SIDE,) * 2, Image.Resampling.LANCZOS)
        small.save(file, "WEBP", quality=88)
        words = html.escape(f"{prompt} Guidance {guidance:g}, {count} steps.")
        return (f'<td><img src="data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}" alt="{words}" '
                f'width="{CELL_SIDE}" style="max-width:none;display:block"></td>')

    head = "".join("<th>1 step</th>" if count == 1 else f"<th>{count} steps</th>" for count in steps)
    body = "".join(f"<tr><th>guidance {guidance:g}</th>"
                   + "".join(cell(image, guidance, count) for image, count in zip(row, steps, strict=True)) + "</tr>"
                   for row, guidance in zip(rows, guidances, strict=True))
    return ('<div class="scroll"><table class="figures"><caption>One seed, every setting</caption>'
            f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            '<p class="aside">Down: the prompt counts more, colours grow stronger, variety is lost. To the right: more looks '
            "at the noise, finer detail, more time.</p>")


def hang() -> None:
    """Makes the picture of this room and the sheet of its card; see `demos.hang`: the examples, four seeds of each."""
    from gm_core.tasks.text_to_image import defaults, text_to_image

    record = of_task(TASK)[0]
    columns = [text_to_image(prompt, checkpoint=record.name, pictures=4) for prompt in EXAMPLES]
    width, height = (side + 4 for side in columns[0][0].size)
    sheet = Image.new("RGB", (len(columns) * width - 4, 4 * height - 4), "white")
    for i, column in enumerate(columns):
        for j, picture in enumerate(column):
            sheet.paste(picture, (i * width, j * height))
    sheet.save(record.folder / "sample.webp", quality=88)
    began = time.perf_counter()
    [hung] = text_to_image(HUNG, checkpoint=record.name, seed=HUNG_SEED)
    parameters = told(record.name, time.perf_counter() - began, prompt=HUNG, negative_prompt="",
                      **asdict(defaults(record.name)), seed=HUNG_SEED)
    save_png(hung, ASSETS / "examples" / f"{TASK}.png", parameters)


def parts_said(parts: tuple[str, ...], plan: np.ndarray) -> str:
    """What the colours of a plan mean, of those parts (parts, h, w) that are somewhere in it."""
    from gm_core.tasks.text_to_image import PLAN_COLOURS

    seen = [(name, PLAN_COLOURS[i % len(PLAN_COLOURS)]) for i, name in enumerate(parts) if plan[i].max() > 0.25]
    chips = "".join(f'<li><span style="background:{colour}"></span>{html.escape(name)}</li>' for name, colour in seen)
    return (f'<ul class="parts">{chips}</ul><p class="aside">Beside the picture the denoiser plans which part goes where, '
            "each in a channel of its own; one channel serves a bird, a flower and a face.</p>")


def draw(engine: Engine) -> None:
    """The room: the sentence left; right the framed picture forming, its label, the words to click, the grid."""
    hung_path = ASSETS / "examples" / f"{TASK}.png"
    hung = read_parameters(hung_path) or {}
    hung_prompt = str(hung.get("prompt", EXAMPLES[0]))
    first = of_task(TASK)[0].name
    usual_settings = {"steps": 20, "guidance": 7.5, "guidance_rise": 0.0, **find(first).config}
    open_to_all = bool(allowed_repositories())

    with gr.Row(elem_classes="room"):
        with gr.Column(scale=5, min_width=320):
            prompt = gr.Textbox(hung_prompt, label="What shall be drawn", lines=3, max_length=1000,
                                elem_id="text_to_image-prompt")
            unknown = gr.HTML(elem_id="text_to_image-unknown")
            gr.Examples([[text] for text in EXAMPLES], [prompt], label="Or one of these sentences",
                        elem_id="text_to_image-examples")
            run = gr.Button("Draw it", variant="primary", elem_id="text_to_image-run")
            stop = gr.Button("Stop", visible=False, elem_id="text_to_image-stop")
            with gr.Row():
                seed = gr.Number(int(hung.get("seed", 0)), label="Seed", precision=0, minimum=0, maximum=2**31 - 1,
                                 min_width=120, elem_id="text_to_image-seed")
                fresh = gr.Checkbox(True, label="A new seed each time", min_width=160, elem_id="text_to_image-fresh")
            with gr.Accordion("Settings", open=False):
                checkpoint = gr.Dropdown(choices(TASK), value=first, label="Checkpoint", elem_id="text_to_image-checkpoint")
                cost = gr.HTML()
                other = gr.Textbox("", label="Another pipeline of the Hub: owner/name@commit", max_length=250,
                                   visible=open_to_all, elem_id="text_to_image-other",
                                   info="A StableDiffusionPipeline with safetensors, at a full commit.")
                negative = gr.Textbox("", label="What shall not be seen", max_length=1000, elem_id="text_to_image-negative")
                steps = gr.Slider(1, 50, usual_settings["steps"], step=1, label="Steps", elem_id="text_to_image-steps")
                guidance = gr.Slider(0, 15, usual_settings["guidance"], step=0.5, label="Guidance",
                                     elem_id="text_to_image-guidance", info="How much the prompt counts.")
                rise = gr.Slider(0, 1, usual_settings["guidance_rise"], step=0.05, label="Rise of guidance",
                                 elem_id="text_to_image-rise", info="The share of the steps in which it grows from 1. With 0, "
                                 "birds of our small network easily get two heads.")
                pictures = gr.Slider(1, 4, 1, step=1, label="Pictures", elem_id="text_to_image-pictures",
                                     info="Each from the next seed.")
            with gr.Accordion("Go on from a picture made here", open=False):
                back = Picture(label="A PNG that you took home: its sentence and settings come back", type="filepath",
                               image_mode=None, format="png", height=140, sources=["upload", "clipboard"],
                               elem_id="text_to_image-picture")
        with gr.Column(scale=6, min_width=320):
            result = gr.Image(enlarged(open_picture(hung_path)) if hung else None, label="Result", show_label=False,
                              interactive=False, format="png", buttons=["fullscreen"], elem_classes="framed",
                              elem_id="text_to_image-result", alt_text=hung_prompt)
            news = gr.HTML(elem_classes="news")
            words = LateRadio([], label="Click a word to see where it acted", visible=False, elem_id="text_to_image-words")
            parts = gr.HTML(elem_id="text_to_image-parts")
            label = gr.HTML(label_of(hung_prompt, {"negative_prompt": "", **usual_settings, **hung}) if hung else "")
            wall = gr.Gallery([], columns=4, height=165, allow_preview=False, interactive=False, buttons=[],
                              show_label=False, label="Pictures", visible=False, elem_id="text_to_image-wall", format="png")
            with gr.Row(visible=False) as after:
                watch = gr.Button("Where did each word act?", size="sm", elem_id="text_to_image-watch")
                download = gr.DownloadButton("Download (PNG)", size="sm", elem_id="text_to_image-download")
            with gr.Accordion("Guidance × steps", open=False, elem_id="text_to_image-grid"):
                gr.HTML('<p class="aside">The same seed with other settings: what guidance and steps do.</p>')
                compare = gr.Button("Draw the grid", size="sm", elem_id="text_to_image-compare")
                table = gr.HTML(elem_id="text_to_image-table")
    how_it_works(TASK)
    work = gr.State()  # of the last run: what was made, which is shown, where its words acted

    def named(name: str, elsewhere: str) -> str:
        return elsewhere.strip() if open_to_all and elsewhere.strip() else name

    def for_checkpoint(name: str, text: str) -> dict[Any, Any]:
        from gm_core.tasks.text_to_image import defaults

        usual = defaults(name)
        return {steps: usual.steps, guidance: usual.guidance, rise: usual.guidance_rise, cost: cost_said(name),
                unknown: unknown_said(text, name)}

    def bring(path: str | None) -> dict[Any, Any]:
        """The sentence and the settings that a picture of ours carries, every one of them checked."""
        if not path:
            return {news: ""}
        open_picture(path)
        found = brought_settings(path, TASK)
        name, text = found.get("checkpoint"), found.get("prompt")
        if name not in [record.name for record in of_task(TASK)] or not isinstance(text, str):
            raise BadInput("This picture does not say how it was made. Bring a PNG that was downloaded in this room.")

        def within(key: str, least: float, most: float, otherwise: float) -> float:
            value = found.get(key)
            usable = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
            return value if usable else otherwise  # pyright: ignore[reportReturnType]

        without = found.get("negative_prompt")
        usual = for_checkpoint(str(name), text)
        return {**usual, prompt: text[:1000], checkpoint: name, negative: without[:1000] if isinstance(without, str) else "",
                seed: int(within("seed", 0, 2**31 - 1, 0)), fresh: False, steps: int(within("steps", 1, 50, usual[steps])),
                guidance: within("guidance", 0, 15, usual[guidance]),
                rise: within("guidance_rise", 0, 1, 0.0), pictures: 1,
                news: status(words="Its sentence and settings are in the form now")}

    def paint(text: str, name: str, elsewhere: str, without: str, growth: float, count_of_steps: float, weight: float,
              at: float | None, anew: bool, count: float) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.text_to_image import reading, text_to_image

        name, count = named(name, elsewhere), int(count)
        begin = secrets.randbelow(2**31 - 4) if anew else int(at or 0)
        settings: dict[str, Any] = {"negative_prompt": without, "steps": int(count_of_steps), "guidance": float(weight),
                                    "guidance_rise": float(growth)}
        yield {run: gr.update(interactive=False), stop: gr.update(visible=True), news: status(words="Beginning"), seed: begin,
               after: gr.update(visible=False), words: gr.update(visible=False, value=None), parts: "",
               wall: gr.update(visible=False), unknown: unknown_said(text, name), label: "", table: ""}

        def arriving(event: Waiting | Progress) -> dict[Any, Any]:
            preview = event.preview if isinstance(event, Progress) else None
            return {news: status(event), **({result: gr.update(value=preview)} if preview else {})}

        finished = yield from follow(
            engine.stream(text_to_image, text, checkpoint=name, seed=begin, pictures=count, **settings), arriving)
        made = []
        for i, image in enumerate(finished.result):
            parameters = told(name, finished.seconds, prompt=text, **settings, seed=begin + i)
            withheld = bool(image.info.pop("withheld", False))
            made.append({"path": result_file(image, parameters), "image": image, "parameters": parameters,
                         "withheld": withheld})
        heard = reading(text, name) if "@" not in name else text
        note = "" if heard == text else f"Only its beginning was read, up to “{heard[-40:]}”."
        if any(one["withheld"] for one in made):
            note = "The checkpoint's safety checker withheld a picture; another seed may pass."
        last = {"made": made, "chosen": 0, "prompt": text, "watched": None}
        yield {**hanging(last), news: status(words=note), run: gr.update(interactive=True), stop: gr.update(visible=False),
               wall: gr.update(value=[(enlarged(one["image"]), f"Seed {one['parameters']['seed']}") for one in made],
                               visible=count > 1, selected_index=0)}

    def hanging(last: dict[str, Any]) -> dict[Any, Any]:
        """The chosen picture into the frame, with its label and its file; its words have yet to be watched."""
        one = last["made"][last["chosen"]]
        return {result: gr.update(value=enlarged(one["image"]), alt_text=last["prompt"]),
                label: label_of(last["prompt"], one["parameters"]), download: gr.update(value=one["path"]),
                after: gr.update(visible=True), words: gr.update(visible=False, value=None), parts: "",
                work: {**last, "watched": None}}

    def choose(last: dict[str, Any] | None, chosen: gr.SelectData) -> dict[Any, Any]:
        if not last or not 0 <= int(chosen.index) < len(last["made"]):
            return {news: ""}
        return hanging({**last, "chosen": int(chosen.index)})

    def look(last: dict[str, Any] | None) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.text_to_image import word_maps

        if not last:
            raise BadInput("Draw a picture first; then its words can be watched.")
        parameters = last["made"][last["chosen"]]["parameters"]
        settings = {key: parameters[key] for key in ("checkpoint", "negative_prompt", "steps", "guidance", "guidance_rise",
                                                     "seed")}
        yield {news: status(words="Drawing it again, and watching the words"), watch: gr.update(interactive=False)}
        finished = yield from follow(engine.stream(word_maps, last["prompt"], **settings),
                                     lambda event: {news: status(event)})
        found = finished.result
        listed = [("the picture", PICTURE), *([("its plan", PLAN)] if found.plan is not None else []),
                  *((word, str(i)) for i, word in enumerate(found.words))]
        yield {news: "", watch: gr.update(interactive=True), words: gr.update(choices=listed, value=PICTURE, visible=True),
               parts: "", work: {**last, "watched": found}}

    def light_up(last: dict[str, Any] | None, word: str | None) -> dict[Any, Any]:
        from gm_core.tasks.text_to_image import overlaid, plan_drawn

        if not last or last["watched"] is None or word is None:
            return {news: ""}
        image, found = enlarged(last["made"][last["chosen"]]["image"]), last["watched"]
        if word == PLAN and found.plan is not None:
            return {result: gr.update(value=plan_drawn(found.plan, image.size)), parts: parts_said(found.parts, found.plan)}
        lit = word.isdigit() and int(word) < len(found.maps)
        return {result: gr.update(value=overlaid(image, found.maps[int(word)]) if lit else image), parts: ""}

    def lay_out(text: str, name: str, elsewhere: str, without: str, growth: float,
                at: float | None) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.text_to_image import defaults, guidance_grid

        name = named(name, elsewhere)
        usual = 1 if defaults(name).steps < 10 else 20
        weights, counts = GRIDS[usual]
        yield {news: status(words="Beginning the grid"), compare: gr.update(interactive=False), stop: gr.update(visible=True)}
        finished = yield from follow(
            engine.stream(guidance_grid, text, checkpoint=name, negative_prompt=without, guidances=weights, steps=counts,
                          guidance_rise=float(growth), seed=int(at or 0)), lambda event: {news: status(event)})
        yield {news: "", compare: gr.update(interactive=True), stop: gr.update(visible=False),
               table: grid_table(finished.result, weights, counts, text)}

    def text_to_image_api(prompt: str, checkpoint: str, negative_prompt: str, steps: int | None = None,
                          guidance: float | None = None, seed: int = 0, pictures: int = 1,
                          guidance_rise: float | None = None) -> list[str]:
        """Pictures of what the prompt says.

        Args:
            prompt: What shall be seen, in English.
            checkpoint: The network that paints.
            negative_prompt: What shall not be seen; empty for nothing.
            steps: 1 to 50; left out, what suits the network.
            guidance: How much the prompt counts, 0 to 15; left out, what suits the network.
            seed: Of the noise that the picture begins from; the same number gives the same picture.
            pictures: How many, 1 to 4.
            guidance_rise: Share of the steps in which guidance grows from 1, 0 to 1; left out, what suits the network.
        """
        from gm_core.tasks.text_to_image import defaults, text_to_image

        began = time.perf_counter()
        asked = {"steps": None if steps is None else int(steps), "guidance": guidance, "guidance_rise": guidance_rise}
        settings: dict[str, Any] = {"negative_prompt": negative_prompt, **asdict(defaults(checkpoint)),
                                    **{key: value for key, value in asked.items() if value is not None}}
        made = engine.run(text_to_image, prompt, checkpoint=checkpoint, seed=int(seed), pictures=int(pictures), **settings)
        seconds = time.perf_counter() - began
        return [result_file(image, told(checkpoint, seconds, prompt=prompt, **settings, seed=int(seed) + i))
                for i, image in enumerate(made)]

    endpoint(text_to_image_api,
             [gr.Textbox(visible=False), gr.Textbox(first, visible=False), gr.Textbox("", visible=False),
              gr.Number(None, visible=False, precision=0), gr.Number(None, visible=False),
              gr.Number(0, visible=False, precision=0), gr.Number(1, visible=False, precision=0),
              gr.Number(None, visible=False)],
             gr.Gallery(format="png", visible=False), TASK,
             "Pictures of what the prompt says. Steps and guidance left out: what suits the checkpoint.")

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **LIGHT}
    prompt.change(guarded(unknown_said), [prompt, checkpoint], unknown, trigger_mode="always_last", **quiet)
    checkpoint.input(guarded(for_checkpoint), [checkpoint, prompt], [steps, guidance, rise, cost, unknown], **quiet)
    back.change(guarded(bring), back,
                [prompt, checkpoint, negative, seed, fresh, steps, guidance, rise, pictures, cost, unknown, news], **quiet)

    heavy: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", **HEAVY}
    told_things = [prompt, checkpoint, other, negative, rise]
    job = run.click(guarded_stream(paint), [*told_things, steps, guidance, seed, fresh, pictures],
                    [run, stop, news, seed, after, words, parts, wall, unknown, label, table, result, download, work], **heavy)
    wall.select(guarded(choose), work, [result, label, download, after, work, words, parts, news], **quiet)
    watching = watch.click(guarded_stream(look), work, [news, watch, words, parts, work], **heavy)
    words.input(guarded(light_up), [work, words], [result, parts, news], **quiet)
    laying = compare.click(guarded_stream(lay_out), [*told_things, seed], [news, compare, stop, table], **heavy)
    ready = {run: gr.update(interactive=True), stop: gr.update(visible=False), news: "", watch: gr.update(interactive=True),
             compare: gr.update(interactive=True)}
    for event in (job, watching, laying):
        event.failure(lambda: ready, None, list(ready), **quiet)
    stop.click(lambda: ready, None, list(ready), cancels=[job, laying], api_visibility="private", **LIGHT)
    show_on_phone(run, "text_to_image-result")


DEMO = Demo(
    name=TASK, title="Text to image", beside=("world-judge",),
    door="Say what you would like to see, and watch it come out of the noise. Our small network has only ever seen birds, "
         "flowers and portraits, drawn by code; larger ones know more.",
    draw=draw,
    warm="world-128",
)
