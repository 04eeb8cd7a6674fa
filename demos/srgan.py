"""Super-resolution: four times larger, and the paper's own experiment with the visitor's picture."""

import html
import time
from collections.abc import Iterator
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
from gm_core.images import open_picture, read_parameters

TASK = "srgan"
COMPARED = ("srresnet-x4", "srgan-x4")
"""The lecture's table: bicubic, these two, the original."""
DETAIL = 64
"""Side of the detail in pixels of the small picture; shown eight times as large."""
MEASURED_SIDE = 768
"""Figures are taken on the middle of the picture, at most this large, to keep their memory small."""


def _methods(checkpoint: str) -> dict[str, str]:
    """Title -> checkpoint of what a detail or a table compares: always the lecture's two, and the chosen one."""
    return {find(name).title: name for name in dict.fromkeys((*COMPARED, checkpoint))}


def _table(figures: list[tuple[str, float, float, float]]) -> str:
    rows = "".join(f"<tr><th>{html.escape(name)}</th><td>{psnr:.2f}</td><td>{ssim:.3f}</td><td>{distance:.3f}</td></tr>"
                   for name, psnr, ssim, distance in figures)
    return ('<table class="figures"><caption>Against your original</caption><thead><tr><th></th><th>PSNR, dB</th>'
            '<th>SSIM</th><th>perceptual distance</th></tr></thead>'
            f"<tbody>{rows}</tbody></table><p class=\"aside\">PSNR and SSIM: higher is closer, pixel for pixel (luma, "
            "4 pixels off each border). Perceptual distance, as our small feature network sees it: lower is closer.</p>")


def _measure(result: Image.Image, original: Image.Image) -> tuple[float, float, float]:
    from gm_core.images import to_tensor
    from gm_core.load import load
    from gm_core.metrics import perceptual_distance, psnr_y, ssim_y

    left, top = max(0, (original.width - MEASURED_SIDE) // 2), max(0, (original.height - MEASURED_SIDE) // 2)
    box = (left, top, min(original.width, left + MEASURED_SIDE), min(original.height, top + MEASURED_SIDE))
    x, y = to_tensor(result.crop(box)), to_tensor(original.crop(box))
    return psnr_y(x, y), ssim_y(x, y), float(perceptual_distance(x, y, load("features-small")))


def detail_by_method(small: Image.Image, original: Image.Image | None, checkpoint: str,
            at: tuple[float, float]) -> dict[str, Image.Image]:
    """The same place by every method, four times enlarged, each pixel then shown as four. at: 0..1 across and down."""
    from gm_core.tasks.srgan import SCALE, bicubic, srgan

    side = min(DETAIL, *small.size)
    halo = 32
    left = int(np.clip(at[0] * small.width - side / 2, 0, small.width - side))
    top = int(np.clip(at[1] * small.height - side / 2, 0, small.height - side))
    wide = (max(0, left - halo), max(0, top - halo), min(small.width, left + side + halo),
            min(small.height, top + side + halo))
    around = small.crop(wide)
    inner = tuple(SCALE * value for value in (left - wide[0], top - wide[1], left - wide[0] + side, top - wide[1] + side))
    found = {"Bicubic": bicubic(around).crop(inner)}
    for title, name in _methods(checkpoint).items():
        found[title] = srgan(around, checkpoint=name).crop(inner)
    if original is not None:
        box = tuple(SCALE * value for value in (left, top, left + side, top + side))
        found["Original"] = original.crop(box)
    return {name: picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST)
            for name, picture in found.items()}


def draw(engine: Engine) -> None:
    """The room: photograph left; right the framed slider, its label, the detail, and the table."""
    hung_input = open_picture(ASSETS / "examples" / "srgan-input.png")
    hung_input = hung_input.resize((4 * hung_input.width, 4 * hung_input.height), Image.Resampling.BICUBIC)
    hung_path = ASSETS / "examples" / "srgan.png"
    hung = read_parameters(hung_path) or {}
    hung_details = {title: open_picture(ASSETS / "examples" / f"srgan-detail-{name}.png")
                    for title, name in (("Bicubic", "bicubic"), *_methods(COMPARED[1]).items())}

    with gr.Row(elem_classes="room"):
        with gr.Column(scale=4, min_width=300):
            picture = photograph("Your photograph", "srgan-picture")
            gr.Examples([[str(path)] for _, path in sample_photographs()], [picture],
                        label="Or one of these", example_labels=[name for name, _ in sample_photographs()])
            run = gr.Button("Enlarge four times", variant="primary", elem_id="srgan-run")
            stop = gr.Button("Stop", visible=False, elem_id="srgan-stop")
            with gr.Accordion("Settings", open=False):
                checkpoint = gr.Dropdown(choices(TASK), value=of_task(TASK)[0].name, label="Checkpoint",
                                         elem_id="srgan-checkpoint")
                shrink_first = gr.Checkbox(False, label="Shrink my picture first, then restore it",
                                           info="The lecture's experiment: then there is an original to measure against.",
                                           elem_id="srgan-shrink")
        with gr.Column(scale=7, min_width=320):
            result = gr.ImageSlider((shown(hung_input), str(hung_path)), label="Bicubic · network",
                                    show_label=False, interactive=False, buttons=["fullscreen"], max_height=640,
                                    elem_classes="framed", elem_id="srgan-result")
            news = gr.HTML(elem_classes="news")
            label = gr.HTML(museum_label("A cat, four times larger", hung))
            download = gr.DownloadButton("Download the large picture (PNG)", visible=False, elem_id="srgan-download",
                                         size="sm")
            table = gr.HTML(elem_id="srgan-table")
            gr.HTML('<h3>Look closer</h3><p class="aside">Click your photograph where you want to look. The same place, by '
                    "each method.</p>")
            method = LateRadio(list(hung_details), value=find(COMPARED[1]).title, show_label=False, container=False,
                               elem_id="srgan-method", label="Method")
            detail = gr.Image(hung_details[find(COMPARED[1]).title], label="Detail", format="png", type="pil",
                              interactive=False, show_label=False, height=420,
                              buttons=["fullscreen"], elem_classes="framed", elem_id="srgan-detail",
                              alt_text="A detail of your photograph, enlarged by the chosen method")
    how_it_works(TASK)
    details = gr.State(hung_details)

    def enlarge(path: str | None, name: str, experiment: bool) -> Iterator[dict[Any, Any]]:
        from gm_core.tasks.srgan import bicubic, check_size, shrink, srgan

        image = pictured(path)
        small, original = shrink(image) if experiment else (image, None)
        check_size(small)
        yield {run: gr.update(interactive=False), stop: gr.update(visible=True), table: "",
               news: status(words="Beginning")}
        finished = yield from follow(engine.stream(srgan, small, checkpoint=name), arriving)
        large, plain = finished.result, bicubic(small)
        parameters = parameters_of(TASK, name, finished.seconds, shrunk_first=experiment)
        size = f"{large.width} x {large.height}"
        title = f"Your photograph, restored ({size})" if experiment else f"Your photograph, four times larger ({size})"
        file = result_file(large, parameters)
        yield {result: (shown(plain), shown(large)), label: museum_label(title, parameters),
               news: status(words="Looking closer")}

        rows = []
        if original is not None:
            results = {"Bicubic": plain, find(name).title: large}
            for title, other in _methods(name).items():
                if title not in results:
                    done = yield from follow(engine.stream(srgan, small, checkpoint=other), lambda e: {news: status(e)})
                    results[title] = done.result
            rows = [(title, *_measure(candidate, original)) for title, candidate in results.items()]
        found = detail_by_method(small, original, name, (0.5, 0.5))
        # With the last message: of several that come at once the page may miss that a component has become visible.
        yield {news: "", table: _table(rows) if rows else "", details: found, download: gr.update(value=file, visible=True),
               method: gr.update(choices=list(found), value=find(name).title), detail: found[find(name).title],
               run: gr.update(interactive=True), stop: gr.update(visible=False)}

    def arriving(event: Waiting | Progress) -> dict[Any, Any]:
        preview = event.preview if isinstance(event, Progress) else None
        return {news: status(event), **({result: (preview, preview)} if preview else {})}

    def look(path: str | None, name: str, experiment: bool, chosen: str, where: gr.SelectData) -> dict[Any, Any]:
        from gm_core.tasks.srgan import check_size, shrink

        image = pictured(path)
        small, original = shrink(image) if experiment else (image, None)
        check_size(small)
        at = (where.index[0] / image.width, where.index[1] / image.height)
        found = detail_by_method(small, original, name, at)
        chosen = chosen if chosen in found else find(name).title
        return {details: found, method: gr.update(choices=list(found), value=chosen), detail: found[chosen]}

    def switch(chosen: str, found: dict[str, Image.Image]) -> Image.Image | dict[str, Any]:
        return found.get(chosen, gr.skip())

    def brought(path: str | None) -> dict[Any, Any]:
        settings = brought_settings(path, TASK)
        name = settings.get("checkpoint")
        if name not in [record.name for record in of_task(TASK)]:
            return {news: ""}
        return {checkpoint: name, shrink_first: bool(settings.get("shrunk_first")),
                news: status(words="The settings of this picture are restored")}

    def srgan_api(image: str, checkpoint: str) -> str:
        """A photograph four times larger.

        Args:
            image: The photograph, 8 to 2048 pixels a side.
            checkpoint: The network, such as srgan-x4 (crisp) or srresnet-x4 (cautious).
        """
        from gm_core.tasks.srgan import srgan

        began = time.perf_counter()
        large = engine.run(srgan, pictured(image), checkpoint=checkpoint)
        return result_file(large, parameters_of(TASK, checkpoint, time.perf_counter() - began))

    endpoint(srgan_api, [photograph("Picture", visible=False), gr.Textbox(of_task(TASK)[0].name, visible=False)],
             gr.Image(format="png", visible=False), TASK, "A photograph four times larger in each direction.")

    everything = [run, stop, result, label, download, table, news, method, detail, details]
    job = run.click(guarded_stream(enlarge), [picture, checkpoint, shrink_first], everything, show_progress="hidden",
                    api_visibility="private", **HEAVY)
    ready = {run: gr.update(interactive=True), stop: gr.update(visible=False), news: ""}
    job.failure(lambda: ready, None, [run, stop, news], api_visibility="private", **LIGHT)
    show_on_phone(run, "srgan-result")
    stop.click(lambda: ready, None, [run, stop, news], cancels=[job], api_visibility="private", **LIGHT)
    picture.select(guarded(look), [picture, checkpoint, shrink_first, method], [details, method, detail],
                   show_progress="minimal", api_visibility="private", **LIGHT)
    method.input(guarded(switch), [method, details], detail, show_progress="hidden", api_visibility="private", **LIGHT)
    picture.upload(guarded(brought), picture, [checkpoint, shrink_first, news], show_progress="hidden",
                   api_visibility="private", **LIGHT)


DEMO = Demo(
    name=TASK, title="Super-resolution",
    door="A small photograph becomes four times larger in each direction: sixteen pixels from one. What was lost cannot "
         "come back, so the network paints what it has learnt to expect.",
    draw=draw,
    warm="srgan-x4",
)
