"""Style transfer: sixteen painters in one network, and the original optimisation for any painting the visitor brings."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from PIL import Image

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
from gm_core.checkpoints import of_task
from gm_core.engine import Engine, Progress, Waiting
from gm_core.errors import BadInput
from gm_core.images import fit, open_picture, read_parameters
from gm_core.styles import STYLES, Style

TASK = "style_transfer"
BY_KEY = {style.key: style for style in STYLES}


def name_of(style: Style) -> str:
    return f"{style.title} · {style.painter} · {style.year}"


def short_name(style: Style) -> str:
    """"Vincent van Gogh" -> "van Gogh"."""
    return style.painter[style.painter.find(" van ") + 1 :] if " van " in style.painter else style.painter.split()[-1]


def reduced(image: Image.Image) -> Image.Image:
    """A phone's photograph is larger than the network's limit, and than any screen: here it is reduced, not refused."""
    from gm_core.tasks.style_transfer import MAX_SIDE

    return fit(image, MAX_SIDE)


def title_of(settings: dict[str, Any]) -> str:
    """What the label calls the work."""
    first = BY_KEY[settings["style"]]
    second = BY_KEY.get(settings.get("second_style") or "")
    if second and settings["blend"] > 0:
        return f"After {first.painter}, “{first.title}”, and {second.painter}, “{second.title}”"
    return f"After {first.painter}, “{first.title}”, {first.year}"


def draw(engine: Engine) -> None:
    """The room: photograph and painters left, the framed slider right; both ways of painting share them."""
    hung_path = ASSETS / "examples" / "style_transfer.png"
    hung_input = ASSETS / "examples" / "style_transfer-input.webp"
    hung = read_parameters(hung_path) or {}
    stops: dict[str, threading.Event] = {}  # of running optimisations, by session

    with gr.Row(elem_classes="room"):
        with gr.Column(scale=4, min_width=300):
            picture = photograph("Your photograph", "style_transfer-picture")
            gr.Examples([[str(path)] for _, path in sample_photographs()], [picture],
                        label="Or one of these", example_labels=[name for name, _ in sample_photographs()])
            with gr.Tabs(elem_classes="ways"):
                with gr.Tab("Sixteen painters", id="fast", render_children=True):
                    thumbnails = gr.Gallery(
                        [(str(ASSETS / "examples" / "styles" / f"{style.key}.webp"), short_name(style))
                         for style in STYLES], columns=4, height="auto", object_fit="cover", allow_preview=False,
                        interactive=False, show_label=False, label="Painters", elem_id="style_transfer-painters", buttons=[])
                    style = gr.Dropdown([(name_of(entry), entry.key) for entry in STYLES], value=STYLES[0].key,
                                        label="After", elem_id="style_transfer-style")
                    run = gr.Button("Paint", variant="primary", elem_id="style_transfer-run")
                    with gr.Accordion("Mix and temper", open=False):
                        second = gr.Dropdown([("No second painter", ""), *((name_of(entry), entry.key) for entry in STYLES)],
                                             value="", label="Second painter", elem_id="style_transfer-second")
                        blend = gr.Slider(0, 1, 0.5, step=0.05, label="Blend",
                                          info="0 is the first painter alone, 1 the second alone")
                        strength = gr.Slider(0, 1, 1, step=0.05, label="Strength", info="0 is your photograph")
                        keep = gr.Checkbox(False, label="Keep my colours", info="Only light and brushwork are the painter's")
                with gr.Tab("Any painting", id="slow", render_children=True):
                    gr.HTML('<p class="aside">The original method of 2015: the pixels themselves are optimised, step by step, '
                            "until a network sees your photograph's content and this painting's texture.</p>")
                    painting = photograph("The painting", "style_transfer-painting")
                    features = gr.Dropdown(choices("gatys"), value=of_task("gatys")[0].name, label="Network that looks",
                                           elem_id="style_transfer-features")
                    size = gr.Slider(128, 512, 320, step=32, label="Longest side, pixels")
                    steps = gr.Slider(10, 1000, 150, step=10, label="Steps")
                    weight = gr.Slider(1, 100, 30, step=1, label="Weight of the style")
                    optimise = gr.Button("Paint step by step", variant="primary", elem_id="style_transfer-optimise")
                    stop = gr.Button("Stop and keep this", visible=False, elem_id="style_transfer-stop")
        with gr.Column(scale=7, min_width=320):
            result = gr.ImageSlider((str(hung_input), str(hung_path)),
                                    label="Photograph · painting", show_label=False, interactive=False,
                                    buttons=["fullscreen"], max_height=680, slider_position=30, elem_classes="framed",
                                    elem_id="style_transfer-result")
            news = gr.HTML(elem_classes="news")
            label = gr.HTML(museum_label(title_of(hung), hung))
            download = gr.DownloadButton("Download (PNG)", visible=False, elem_id="style_transfer-download", size="sm")
    how_it_works(TASK)

    def paint(path: str | None, style: str, second: str, blend: float, strength: float,
              keep: bool) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.style_transfer import style_transfer

        # Whoever clicks a painter before bringing a picture sees the one that hangs there painted anew.
        image = reduced(pictured(path or str(hung_input)))
        settings = {"style": style, "second_style": second or None, "blend": blend if second else 0.0,
                    "strength": strength, "keep_colours": keep}
        finished = yield from follow(engine.stream(style_transfer, image, **settings), lambda e: {news: status(e)})
        made = finished.result
        parameters = parameters_of(TASK, "style-many", finished.seconds, **settings)
        yield {news: "", result: (shown(image), shown(made)), label: museum_label(title_of(settings), parameters),
               download: gr.update(value=result_file(made, parameters), visible=True)}

    def paint_slowly(path: str | None, style_path: str | None, steps: int, size: int, weight: float, features: str,
                     request: gr.Request) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.gatys import gatys

        image = pictured(path)
        if not style_path:
            raise BadInput("There is no painting yet. Bring one: its texture and colours are what is wanted.")
        style_image = open_picture(style_path)
        settings = {"steps": int(steps), "size": int(size), "style_weight": float(weight), "features": features}
        stops[str(request.session_hash)] = stopped = threading.Event()
        small = shown(fit(image, int(size)))

        def growing(event: Waiting | Progress) -> dict[Any, Any]:
            preview = event.preview if isinstance(event, Progress) else None
            return {news: status(event), **({result: (small, preview)} if preview else {})}

        try:
            yield {optimise: gr.update(interactive=False), stop: gr.update(visible=True), download: gr.update(visible=False)}
            events = engine.stream(gatys, image, style_image, stop=stopped.is_set, **settings)
            finished = yield from follow(events, growing, every=0.4)
        finally:
            stops.pop(str(request.session_hash), None)
        made = finished.result
        parameters = parameters_of("gatys", features, finished.seconds, **settings)
        title = "Your photograph, painted step by step"
        yield {news: "", result: (shown(image.resize(made.size)), shown(made)), label: museum_label(title, parameters),
               download: gr.update(value=result_file(made, parameters), visible=True),
               optimise: gr.update(interactive=True), stop: gr.update(visible=False)}

    def stop_painting(request: gr.Request) -> str:
        stopped = stops.get(str(request.session_hash))
        if stopped:
            stopped.set()
        return status(words="Stopping after this step")

    def choose(chosen: gr.SelectData) -> str:
        return STYLES[int(chosen.index)].key

    def brought(path: str | None) -> dict[Any, Any]:
        settings = brought_settings(path, TASK)
        if settings.get("style") not in BY_KEY:
            return {news: ""}
        return {style: settings["style"], second: settings["second_style"] if settings.get("second_style") in BY_KEY else "",
                blend: share(settings.get("blend"), 0.5), strength: share(settings.get("strength"), 1.0),
                keep: settings.get("keep_colours") is True, news: status(words="The settings of this picture are restored")}

    def share(value: object, otherwise: float) -> float:
        return float(value) if isinstance(value, int | float) and 0 <= value <= 1 else otherwise

    def style_transfer_api(image: str, style: str, second_style: str, blend: float, strength: float,
                           keep_colours: bool) -> str:
        """A photograph as a painter might have painted it.

        Args:
            image: The photograph, 16 to 1536 pixels a side.
            style: Name of the painter's work, one of those in this tool's description.
            second_style: A second one to mix in; empty for none.
            blend: How much of the second style, 0 to 1.
            strength: 0 is the photograph, 1 the painting.
            keep_colours: Whether the photograph's colours stay and only its brightness is painted.
        """
        from gm_core.tasks.style_transfer import style_transfer

        settings = {"style": style, "second_style": second_style or None, "blend": blend, "strength": strength,
                    "keep_colours": keep_colours}
        began = time.perf_counter()
        made = engine.run(style_transfer, pictured(image), **settings)
        return result_file(made, parameters_of(TASK, "style-many", time.perf_counter() - began, **settings))

    def gatys_api(image: str, style_image: str, steps: int, size: int, style_weight: float, features: str) -> str:
        """A photograph optimised towards a painting.

        Args:
            image: The photograph.
            style_image: The painting whose texture it shall have.
            steps: How long to optimise, 10 to 1000 steps; a step takes about a tenth of a second.
            size: Longest side of the result in pixels, 128 to 512.
            style_weight: How much the painting counts against the photograph, above 0, up to 1000.
            features: The network that compares: features-small, or vgg16 where it can be fetched.
        """
        from gm_core.tasks.gatys import gatys

        settings = {"steps": int(steps), "size": int(size), "style_weight": style_weight, "features": features}
        began = time.perf_counter()
        made = engine.run(gatys, pictured(image), pictured(style_image), **settings)
        return result_file(made, parameters_of("gatys", features, time.perf_counter() - began, **settings))

    def hidden_picture() -> gr.Image:
        return photograph("Picture", visible=False)

    endpoint(style_transfer_api,
             [hidden_picture(), gr.Textbox(STYLES[0].key, visible=False), gr.Textbox("", visible=False),
              gr.Number(0.0, visible=False), gr.Number(1.0, visible=False), gr.Checkbox(False, visible=False)],
             gr.Image(format="png", visible=False), TASK,
             f"A photograph as a painter might have painted it. Styles: {', '.join(BY_KEY)}.")
    endpoint(gatys_api,
             [hidden_picture(), hidden_picture(), gr.Number(200, visible=False, precision=0),
              gr.Number(384, visible=False, precision=0), gr.Number(30.0, visible=False),
              gr.Textbox(of_task("gatys")[0].name, visible=False)],
             gr.Image(format="png", visible=False), "gatys", "A photograph optimised towards the texture of any painting.")

    wanted = [picture, style, second, blend, strength, keep]
    painted = [news, result, label, download]
    fast: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last", **HEAVY}
    run.click(guarded_stream(paint), wanted, painted, **fast)
    for control in (second, keep):
        control.input(guarded_stream(paint), wanted, painted, **fast)
    for slider in (blend, strength):
        slider.release(guarded_stream(paint), wanted, painted, **fast)
    thumbnails.select(choose, None, style, show_progress="hidden", api_visibility="private", **LIGHT).then(
        guarded_stream(paint), wanted, painted, **fast)
    style.input(guarded_stream(paint), wanted, painted, **fast)

    show_on_phone(run, "style_transfer-result")
    show_on_phone(optimise, "style_transfer-result")
    job = optimise.click(guarded_stream(paint_slowly), [picture, painting, steps, size, weight, features],
                         [*painted, optimise, stop], show_progress="hidden", api_visibility="private", **HEAVY)
    job.failure(lambda: {optimise: gr.update(interactive=True), stop: gr.update(visible=False), news: ""}, None,
                [optimise, stop, news], api_visibility="private", **LIGHT)
    stop.click(stop_painting, None, news, show_progress="hidden", api_visibility="private", **LIGHT)
    picture.upload(guarded(brought), picture, [style, second, blend, strength, keep, news], show_progress="hidden",
                   api_visibility="private", **LIGHT)


DEMO = Demo(
    name=TASK, title="Style transfer", tasks=(TASK, "gatys"),
    door="Your photograph, as Hokusai, van Gogh or Mondrian might have painted it: one network that has learnt sixteen "
         "paintings, and mixes them. Or bring a painting of your own and watch the picture change step by step.",
    draw=draw,
    warm="style-many",
)
