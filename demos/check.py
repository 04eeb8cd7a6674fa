"""Check a checkpoint: several sets of weights on the same inputs and seeds, side by side in a report to take home."""

import base64
import html
import json
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.utils import get_upload_folder
from PIL import Image

from demos.base import ASSETS, HEAVY, LIGHT, Demo, LateDropdown, choices, follow, guarded, guarded_stream, how_it_works, status
from gm_core.check.cases import Inputs, cases, read_seeds, read_settings
from gm_core.check.kinds import KINDS, of
from gm_core.check.outcome import Outcome
from gm_core.check.report import inline_script, page, sheet, summary
from gm_core.check.sources import Source, check_allowed, sources
from gm_core.checkpoints import of_task
from gm_core.engine import Engine
from gm_core.errors import BadInput
from gm_core.hub import allowed_repositories
from gm_core.images import open_picture

if TYPE_CHECKING:
    from gm_core.check.opening import Offer  # which needs torch; the page opens without it

NAME = "check"
MOST_CHECKPOINTS, MOST_INPUTS, MOST_SEEDS, MOST_PICTURES = 4, 8, 8, 64
MOST_REFERENCES = 64
MAX_SIDE = 256
MAX_BYTES = 2 * 10**9
"""Of one checkpoint that the page fetches."""
MAX_CHARS = 2000
PAINTS_NOTHING = ("portrait_judge:", "portrait_gan:Discriminator")


def possible() -> list[tuple[str, str]]:
    """(title, task) of the tasks that this installation has."""
    found = []
    for task, kind in KINDS.items():
        try:
            of(task)
        except BadInput:
            continue
        found.append((kind.title, task))
    return found


def of_table(task: str) -> list[tuple[str, str]]:
    """The task's checkpoints as a dropdown shows them."""
    painters = {record.name for record in of_task(task) if not record.build.startswith(PAINTS_NOTHING)}
    return [(title, name) for title, name in choices(task) if name in painters]


def named(chosen: list[str], repositories: str) -> list[Source]:
    """What the visitor chose and wrote, each allowed. Raises BadInput and CheckpointError."""
    if len(repositories) > MAX_CHARS:
        raise BadInput(f"Up to {MAX_CHARS} characters of repositories are read.")
    lines = [line.strip() for line in repositories.splitlines() if line.strip()]
    if not chosen and not lines:
        raise BadInput("Choose at least one checkpoint.")
    found, _ = sources([*chosen, *lines], local=False)
    if len(found) > MOST_CHECKPOINTS:
        raise BadInput(f"{len(found)} checkpoints are more than this page compares; up to {MOST_CHECKPOINTS} at once. On the "
                       "command line there is no such limit.")
    for one in found:
        check_allowed(one)
    return found


def put_in(task: str, pictures: list[str] | None, references: list[str] | None, prompts: str) -> Inputs:
    """The visitor's files, within the page's limits. Raises BadInput."""
    takes = of(task).takes
    given = _opened(pictures if takes == "pictures" else None, MOST_INPUTS)
    lines = [line.strip() for line in prompts[:MAX_CHARS].splitlines() if line.strip()]
    if len(lines) > MOST_INPUTS:
        raise BadInput(f"{len(lines)} prompts are more than this page compares; up to {MOST_INPUTS} at once.")
    masks = {name.removesuffix("-mask"): picture for name, picture in given.items() if name.endswith("-mask")}
    return Inputs({name: picture for name, picture in given.items() if not name.endswith("-mask")}, masks,
                  lines if takes == "prompts" else (), _opened(references, MOST_REFERENCES))


def _opened(paths: list[str] | None, most: int) -> dict[str, Image.Image]:
    paths = paths or []
    if len(paths) > most:
        raise BadInput(f"{len(paths)} pictures are more than this page takes; up to {most} here.")
    return {Path(path).stem: open_picture(path) for path in paths}


def offered(found: list[Source]) -> "list[Offer]":
    """What the Hub would send. Raises CheckpointError, also for more than 2 GB, and Unavailable."""
    from gm_core.check.opening import offer

    offers = [offer(one) for one in found if one.kind == "hub"]
    for one in offers:
        if one.bytes > MAX_BYTES:
            raise BadInput(f"{one.source.place} has {one.bytes / 1e6:.0f} MB; up to {MAX_BYTES / 1e6:.0f} MB are fetched here.")
    return offers


def _asked(offers: "list[Offer]") -> str:
    lines = "".join(f"<li><b>{html.escape(one.source.place)}</b> at commit {html.escape(one.commit[:8])}: "
                    f"{one.bytes / 1e6:.1f} MB in {len(one.files)} files, licence {html.escape(one.licence)}</li>"
                    for one in offers)
    return ('<div class="check-asked"><p>This would be downloaded. Press the button once more if you want it.</p>'
            f"<ul>{lines}</ul></div>")


def framed(report: str) -> str:
    """The report in a frame of its own: its script reaches nothing of this page."""
    return (f'<iframe class="check-report" title="Report" sandbox="allow-scripts" srcdoc="{html.escape(report)}"></iframe>')


def taken_home(outcome: Outcome, report: str) -> tuple[str, str, str]:
    """Paths of the report, the contact sheet and the figures in Gradio's cache, which forgets them after an hour."""
    folder = Path(get_upload_folder()) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    (folder / "report.html").write_text(report, encoding="utf-8")
    sheet(outcome).save(folder / "contact-sheet.png", compress_level=3)
    (folder / "report.json").write_text(json.dumps(summary(outcome), indent=2), encoding="utf-8")
    return str(folder / "report.html"), str(folder / "contact-sheet.png"), str(folder / "report.json")


def draw(engine: Engine) -> None:
    """The room: what is compared left, what goes in right, the report across the whole width below."""
    tasks = possible()
    first = next((task for _, task in tasks if len(of_table(task)) > 1), tasks[0][1])
    style = (ASSETS / "check" / "room.css").read_text(encoding="utf-8")
    gr.HTML(f"<style>{style}</style>", elem_classes="check-style", padding=False)
    with gr.Row(elem_classes="room"):
        with gr.Column(min_width=300):
            task = gr.Dropdown(tasks, value=first, label="What they do", elem_id="check-task", filterable=False)
            chosen = LateDropdown(of_table(first), value=[name for _, name in of_table(first)][:2], multiselect=True,
                                  max_choices=MOST_CHECKPOINTS, label="Checkpoints", elem_id="check-chosen")
            repositories = gr.Textbox("", label="From the Hub", lines=2, max_length=MAX_CHARS,
                                      visible=bool(allowed_repositories()), placeholder="owner/name@revision",
                                      elem_id="check-repositories",
                                      info="One on each line; safetensors only. Its size and licence are shown first.")
            with gr.Accordion("Settings", open=False):
                seeds = gr.Textbox("0", label="Seeds", info="Like 0-3 or 0,7", max_length=60, elem_id="check-seeds")
                settings = gr.Textbox("", label="Settings to compare", lines=2, max_length=300, elem_id="check-settings",
                                      info="One on each line: strength=0,0.5,1")
                side = gr.Slider(64, MAX_SIDE, MAX_SIDE, step=32, label="Longest side of the inputs, pixels",
                                 elem_id="check-side")
        with gr.Column(min_width=300):
            pictures = gr.File(label="Inputs", file_count="multiple", file_types=["image"], type="filepath", height=150,
                               elem_id="check-inputs")
            prompts = gr.Textbox("", label="Prompts", lines=4, visible=False, max_length=MAX_CHARS, info="One on each line",
                                 elem_id="check-prompts")
            references = gr.File(label="References, named like the inputs", file_count="multiple", file_types=["image"],
                                 type="filepath", height=150, elem_id="check-references")
            about = gr.HTML(_about(first), elem_id="check-about")
    with gr.Row():
        run = gr.Button("Compare", variant="primary", elem_id="check-run")
        stop = gr.Button("Stop", visible=False, elem_id="check-stop")
    news = gr.HTML(elem_classes="news", elem_id="check-news")
    hung = (f'<figure class="framed check-hung"><img src="{_hung()}" alt="Contact sheet: two photographs by two checkpoints">'
            "</figure>")
    result = gr.HTML(hung, elem_id="check-result", padding=False)
    with gr.Row(visible=False) as home:
        report_file = gr.DownloadButton("Report (HTML, opens without a network)", size="sm", elem_id="check-report-file")
        sheet_file = gr.DownloadButton("Contact sheet (PNG)", size="sm", elem_id="check-sheet-file")
        figures_file = gr.DownloadButton("Figures (JSON)", size="sm", elem_id="check-figures-file")
    how_it_works(NAME)
    agreed = gr.State([])

    def for_task(task_: str) -> dict[Any, Any]:
        takes, table = of(task_).takes, of_table(task_)
        return {chosen: gr.update(choices=table, value=[name for _, name in table][:2]),
                pictures: gr.update(visible=takes == "pictures", value=None), prompts: gr.update(visible=takes == "prompts"),
                references: gr.update(value=None), settings: "", about: _about(task_)}

    def compare(task_: str, chosen_: list[str], repositories_: str, seeds_: str, settings_: str, side_: float,
                pictures_: list[str] | None, prompts_: str, references_: list[str] | None,
                agreed_: list[str]) -> Iterator[dict[Any, Any]]:
        from gm_core.check.run import check

        found = named(chosen_ or [], repositories_ or "")
        varied = read_settings(task_, [line.strip() for line in (settings_ or "").splitlines() if line.strip()])
        numbers = read_seeds(seeds_ or "0")
        if len(numbers) > MOST_SEEDS:
            raise BadInput(f"{len(numbers)} seeds are more than this page compares; up to {MOST_SEEDS} at once.")
        if not 64 <= side_ <= MAX_SIDE:
            raise BadInput(f"The side goes from 64 to {MAX_SIDE} pixels here; {side_:g} does not.")
        inputs = put_in(task_, pictures_, references_, prompts_ or "")
        wanted, notes = cases(task_, inputs, seeds=numbers, settings=varied, side=int(side_))
        if len(wanted) * len(found) > MOST_PICTURES:
            raise BadInput(f"That would be {len(wanted) * len(found)} pictures; this page makes up to {MOST_PICTURES} at once. "
                           "Take fewer inputs, seeds or settings.")
        if any(one.kind == "hub" for one in found):
            yield {news: status(words="Asking the Hub"), run: gr.update(interactive=False)}
            offers = offered(found)
            now = [f"{one.source.place}@{one.commit}" for one in offers]
            if not set(now) <= set(agreed_ or []):
                yield {news: _asked(offers), agreed: now, run: gr.update(interactive=True)}
                return
            commits = {one.source: one.commit for one in offers}  # what was shown, not what has come since
            found = [replace(one, revision=commits.get(one, one.revision)) for one in found]
        yield {run: gr.update(interactive=False), stop: gr.update(visible=True), news: status(words="Beginning"),
               home: gr.update(visible=False)}
        paired = any(case.reference is not None for case in wanted)
        finished = yield from follow(engine.stream(
            check, task_, found, wanted, pickles=False, limit=MAX_BYTES, notes=notes,
            references=None if paired else inputs.references), lambda event: {news: status(event)})
        outcome = finished.result
        report = page(outcome)
        paths = taken_home(outcome, report)
        yield {news: "", result: framed(report), home: gr.update(visible=True), report_file: gr.update(value=paths[0]),
               sheet_file: gr.update(value=paths[1]), figures_file: gr.update(value=paths[2]),
               run: gr.update(interactive=True), stop: gr.update(visible=False)}

    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    told = [chosen, pictures, prompts, references, settings, about]
    task.input(guarded(for_task), task, told, **quiet, **LIGHT)
    everything = [run, stop, news, result, home, report_file, sheet_file, figures_file, agreed]
    job = run.click(guarded_stream(compare), [task, chosen, repositories, seeds, settings, side, pictures, prompts, references,
                                              agreed], everything, **quiet, **HEAVY)
    ready = {run: gr.update(interactive=True), stop: gr.update(visible=False), news: ""}
    job.failure(lambda: ready, None, [run, stop, news], **quiet, **LIGHT)
    stop.click(lambda: ready, None, [run, stop, news], cancels=[job], api_visibility="private", **LIGHT)


def _hung() -> str:
    """The sheet that hangs here first, in the page itself."""
    return "data:image/webp;base64," + base64.b64encode((ASSETS / "check" / "hung.webp").read_bytes()).decode()


def _about(task: str) -> str:
    """What goes in where nothing is given."""
    kind = of(task)
    words = {
        "srgan": "Without inputs the references are made small and restored; without either, sample photographs are.",
        "inpainting": "Name masks like the pictures, with -mask at the end; without masks, holes are drawn. Without pictures, "
                      "sample photographs are taken.",
        "pix2pix": "Drawings in the colours of the checkpoint's palette.",
        "portraits": "Each seed is a portrait. 50 references and more give a distance between the sets.",
        "text_to_image": "Each prompt is drawn from every seed.",
    }.get(task, "Without inputs, sample photographs are taken.")
    known = f"<span>Settings: {html.escape(', '.join(kind.settings))}.</span> " if kind.settings else ""
    return (f'<p class="aside"><span>{html.escape(words)}</span> {known}'
            "<span>Nothing of it leaves this page but the report that you download.</span></p>")


def hang() -> None:
    """Makes the sheet that hangs here first: python -c "from demos.check import hang; hang()"."""
    from gm_core.check.cases import samples
    from gm_core.check.run import check

    photographs = samples()
    parts = {"A cat": photographs["chelsea"].crop((90, 20, 346, 276)),
             "An astronaut": photographs["astronaut"].crop((100, 0, 356, 256))}
    wanted, _ = cases("srgan", Inputs(references=parts))
    found, _ = sources(["srresnet-x4", "srgan-x4"], local=False)
    sheet(check("srgan", found, wanted)).save(ASSETS / "check" / "hung.webp", quality=86, method=6)


DEMO = Demo(
    name=NAME, title="Check a checkpoint",
    door="Which epoch is the good one? The same inputs and the same seeds through several sets of weights, side by side, with "
         "a line to draw across any two and, where there are references, figures.",
    draw=draw,
    scripts=lambda: [inline_script()],
)
