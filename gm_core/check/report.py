"""What came of a check, for eyes and for scripts: one HTML file that needs no network, a contact sheet, a table, JSON."""

import base64
import html
import io
import json
import os
import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gm_core.check.kinds import Case, of
from gm_core.check.outcome import BETTER, Examined, Outcome
from gm_core.errors import BadInput

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "check"
SHOWN_INPUTS = 24
"""Inputs whose pictures the page and the sheet show; figures are taken on all."""
LOSSLESS_PIXELS = 80_000_000
"""Above this many pixels in all the page's pictures are compressed a little; figures are taken on the exact ones."""
FIGURES = {"psnr": ("PSNR, dB", "{:.2f}"), "ssim": ("SSIM", "{:.3f}"), "distance": ("perceptual distance", "{:.3f}"),
           "kid": ("KID", "{:.4f}")}
WALL, INK, QUIET, ACCENT, FRAME, MAT = "#f6f3ec", "#2a2620", "#655e52", "#9c4f2c", "#2f2a23", "#fffdf8"


# --- what varies --------------------------------------------------------------------------------------------------------


def axes(outcome: Outcome) -> dict[str, list[Any]]:
    """Parameter -> its values in order, without the checkpoints: inputs, seeds, and whatever settings were varied."""
    found: dict[str, list[Any]] = {"input": list(dict.fromkeys(case.input for case in outcome.cases)),
                                   "seed": list(dict.fromkeys(case.seed for case in outcome.cases))}
    for name in outcome.cases[0].settings if outcome.cases else ():
        found[name] = list(dict.fromkeys(case.settings[name] for case in outcome.cases))
    return found


def value_of(case: Case, name: str) -> Any:  # noqa: ANN401 - a setting's own type
    return case.input if name == "input" else case.seed if name == "seed" else case.settings[name]


def grid_of(outcome: Outcome) -> tuple[str, str]:
    """(columns, rows): what was asked for, else checkpoints against what varies most. Raises BadInput for unknown names."""
    known = axes(outcome)
    if outcome.grid:
        wanted = tuple("checkpoint" if name == "epoch" else name for name in outcome.grid)
        for name in wanted:
            if name != "checkpoint" and name not in known:
                raise BadInput(f"There is no parameter '{name}' for the grid. There are: checkpoint, {', '.join(known)}.")
        if wanted[0] == wanted[1]:
            raise BadInput("A grid needs two different parameters.")
        return wanted[0], wanted[1]
    varied = [name for name in known if len(known[name]) > 1]
    if len(outcome.examined) == 1 and len(varied) > 1:
        return varied[-1], varied[0]
    return "checkpoint", varied[0] if varied else "input"


# --- for scripts ---------------------------------------------------------------------------------------------------------


def summary(outcome: Outcome) -> dict[str, Any]:
    """Everything but the pixels, as plain JSON."""
    return {
        "task": outcome.task, "fine": outcome.fine, "command": outcome.command, "environment": outcome.environment,
        "notes": outcome.notes, "seeds": axes(outcome)["seed"], "nearest": nearest(outcome),
        "checkpoints": [{**asdict(one.source), **asdict(one.facts), "failure": one.failure, "figures": one.figures,
                         "opening_s": round(one.opening, 3), "picture_s": round(one.seconds(), 4), "memory_bytes": one.memory}
                        for one in outcome.examined],
        "baseline": outcome.baseline and {"label": outcome.baseline.source.label, "figures": outcome.baseline.figures},
        "pictures": [{"checkpoint": one.source.label, "input": outcome.cases[made.case].input,
                      "seed": outcome.cases[made.case].seed, "settings": dict(outcome.cases[made.case].settings),
                      "sha256": made.digest(), "size": made.picture.size if made.picture is not None else None,
                      "seconds": round(made.seconds, 4), "figures": made.figures, "failure": made.failure}
                     for one in outcome.examined for made in one.made],
    }


def nearest(outcome: Outcome) -> str:
    """The checkpoint nearest to the references: by KID, else by perceptual distance; "" where there are no figures."""
    for name in ("kid", "distance", "psnr"):
        measured = [one for one in outcome.examined if name in one.figures]
        if measured:
            return BETTER[name](measured, key=lambda one: one.figures[name]).source.label
    return ""


def table(outcome: Outcome) -> str:
    """For a terminal: a row for each checkpoint, then what failed and what should be known."""
    columns = [name for name in FIGURES if any(name in one.figures for one in outcome.examined)]
    head = ["checkpoint", "layout", "parameters", "MB", "s/picture", "memory MB", *columns]
    rows = [head]
    for one in [*outcome.examined, *([outcome.baseline] if outcome.baseline else [])]:
        if one.failure:
            continue
        known = one.facts.parameters > 0
        rows.append([one.source.label, one.facts.layout, f"{one.facts.parameters:,}" if known else "",
                     f"{one.facts.bytes / 1e6:.1f}" if known else "", f"{one.seconds():.3f}" if known else "",
                     f"{one.memory / 1e6:.0f}" if one.memory else "",
                     *(FIGURES[name][1].format(one.figures[name]) if name in one.figures else "" for name in columns)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) if i < 2 else cell.rjust(width)
                       for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows]
    best = nearest(outcome)
    if best and len(outcome.examined) > 1:
        lines.append(f"Nearest to the references: {best}")
    lines += [f"FAILED {label}: {sentence}" for label, sentence in _failures(outcome)]
    lines += [f"Note: {note}" for note in _notes(outcome)]
    return "\n".join(lines) + "\n"


def _failures(outcome: Outcome) -> list[tuple[str, str]]:
    found = []
    for one in outcome.examined:
        if one.failure:
            found.append((one.source.label, one.failure))
            continue
        failed = [made for made in one.made if made.failure]
        if failed:
            more = f" ({len(failed)} of {len(one.made)} pictures)" if len(failed) > 1 else ""
            found.append((f"{one.source.label}, {outcome.cases[failed[0].case].input}", failed[0].failure + more))
    return found


def _notes(outcome: Outcome) -> list[str]:
    return [*outcome.notes, *(f"{one.source.label}: {note}" for one in outcome.examined for note in one.facts.notes)]


# --- the page ------------------------------------------------------------------------------------------------------------


class _Pictures:
    """Each picture once, as data URIs."""

    def __init__(self, pixels: int) -> None:
        self._places: dict[tuple[tuple[int, int], bytes], int] = {}
        self._pictures: list[Image.Image] = []
        self.lossless = pixels <= LOSSLESS_PIXELS

    def place(self, picture: Image.Image) -> int:
        picture = picture.convert("RGB")
        key = picture.size, picture.tobytes()
        if key not in self._places:
            self._places[key] = len(self._pictures)
            self._pictures.append(picture)
        return self._places[key]

    def coded(self) -> list[dict[str, Any]]:
        """All that were placed; as many at once as there are processors, for the coder lets other threads run."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self._coded, self._pictures))

    def _coded(self, picture: Image.Image) -> dict[str, Any]:
        file = io.BytesIO()
        if self.lossless:
            picture.save(file, "WEBP", lossless=True, quality=0, method=0)
        else:
            picture.save(file, "WEBP", quality=92, method=2)
        return {"src": "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode(),
                "w": picture.width, "h": picture.height}


def page(outcome: Outcome) -> str:
    """One HTML file with everything inside; it asks nothing of any network, and says so to the browser."""
    known = axes(outcome)
    if len(known["input"]) > SHOWN_INPUTS:
        note = f"The first {SHOWN_INPUTS} of {len(known['input'])} inputs are shown; figures are taken on all."
        outcome = replace(outcome, notes=[*outcome.notes, note])
        known["input"] = known["input"][:SHOWN_INPUTS]
    shown = {i for i, case in enumerate(outcome.cases) if case.input in known["input"]}
    pixels = sum(made.picture.width * made.picture.height for one in outcome.examined for made in one.made
                 if made.picture is not None and made.case in shown)
    pictures = _Pictures(pixels)
    data = _data(outcome, known, shown, pictures)
    strips = data["strips"]
    title = _title(outcome)
    if not pictures.lossless:
        note = "The pictures in this page are compressed a little; figures are of the exact ones."
        outcome = replace(outcome, notes=[*outcome.notes, note])
    # Whatever was named by somebody goes into the page as text: escaped here, and by textContent there.
    fields = {
        "title": html.escape(title), "door": html.escape(_door(outcome)), "verdict": _verdict(outcome),
        "strips": "".join(_strip(outcome, strip, i) for i, strip in enumerate(strips)), "figures": _figures(outcome),
        "aside": _aside(outcome), "labels": _labels(outcome),
        "provenance": _provenance(outcome), "data": json.dumps(data).replace("<", "\\u003c"),
        "style": _asset("report.css"), "script": _asset("report.js"),
    }
    return Template(_asset("report.html")).substitute(fields)


def inline_script() -> str:
    """The script inside the page, to the letter: a frame's Content-Security-Policy names it by its hash."""
    return f"\n{_asset('report.js')}\n"


@cache
def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _beside(outcome: Outcome) -> list[tuple[str, str]]:
    """(label, kind) of what hangs beside the checkpoints: inputs, references, the classical way."""
    found = []
    if outcome.task != "srgan" and any(case.image is not None for case in outcome.cases):
        found.append(("Input", "input"))
    if any(case.reference is not None for case in outcome.cases):
        found.append(("Reference", "reference"))
    if outcome.baseline is not None:
        found.append((outcome.baseline.source.label, "baseline"))
    return found


def _beside_picture(outcome: Outcome, kind: str, case: int) -> Image.Image | None:
    one = outcome.cases[case]
    if kind == "reference":
        return one.reference
    if kind == "baseline":
        assert outcome.baseline is not None
        return outcome.baseline.made[case].picture
    if one.image is not None and one.mask is not None:
        from gm_core.tasks.inpainting import hole_of

        hole = Image.fromarray(hole_of(one.mask, one.image.size))
        return Image.composite(Image.new("RGB", one.image.size, "#b9b2a4"), one.image, hole.convert("L"))
    return one.image


def _data(outcome: Outcome, known: dict[str, list[Any]], shown: set[int], pictures: _Pictures) -> dict[str, Any]:
    beside = _beside(outcome)
    checkpoints: list[dict[str, Any]] = [{"label": label, "beside": kind} for label, kind in beside]
    checkpoints += [{"label": one.source.label, "mark": one.source.mark, "failure": one.failure} for one in outcome.examined]
    cells: list[dict[str, Any]] = []
    firsts = {name: next(i for i, case in enumerate(outcome.cases) if case.input == name) for name in known["input"]}
    for c, (_, kind) in enumerate(beside):
        for place, case in enumerate(firsts.values()):
            picture = _beside_picture(outcome, kind, case)
            if picture is not None:
                at = [place if name == "input" else None for name in known]
                figures = outcome.baseline.made[case].figures if kind == "baseline" and outcome.baseline else {}
                cells.append({"c": c, "at": at, "src": pictures.place(picture), "f": figures})
    for c, one in enumerate(outcome.examined, len(beside)):
        for made in one.made:
            if made.case not in shown:
                continue
            case = outcome.cases[made.case]
            cell: dict[str, Any] = {"c": c, "at": [values.index(value_of(case, name)) for name, values in known.items()]}
            if made.picture is None:
                cell["fail"] = made.failure
            else:
                cell |= {"src": pictures.place(made.picture), "f": made.figures}
            cells.append(cell)
    labels = [one["label"] for one in checkpoints]
    best = nearest(outcome)
    first = next((made.picture for one in outcome.examined for made in one.made if made.picture is not None), None)
    kinds = [kind for _, kind in beside]
    return {"checkpoints": checkpoints, "cells": cells, "pictures": pictures.coded(),
            "axes": [{"name": name, "values": [str(value) for value in values]} for name, values in known.items()],
            "grid": list(grid_of(outcome)), "aspect": f"{first.width} / {first.height}" if first is not None else "1 / 1",
            "from": kinds.index("reference") if "reference" in kinds else len(beside),
            "nearest": labels.index(best) if best else -1, "strips": _strips(outcome, len(beside))}


def _title(outcome: Outcome) -> str:
    task = of(outcome.task).title
    labels = [one.source.label for one in outcome.examined]
    strips = {one.source.strip for one in outcome.examined if one.source.strip}
    if len(strips) == 1 and all(one.source.strip for one in outcome.examined):
        return f"{task}: {len(labels)} epochs of {next(iter(strips))}"
    if len(labels) == 1:
        return f"{task}: {labels[0]}"
    return f"{task}: {labels[0]} and {labels[1]}, side by side" if len(labels) == 2 else f"{task}: {len(labels)} checkpoints"


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _door(outcome: Outcome) -> str:
    known = axes(outcome)
    parts = [_number(len(outcome.examined), "checkpoint", "checkpoints")]
    if of(outcome.task).takes != "seeds":
        parts.append(_number(len(known["input"]), "input", "inputs"))
    seeds = known["seed"]
    if of(outcome.task).chance:
        parts.append(f"seed {seeds[0]}" if len(seeds) == 1 else f"{len(seeds)} seeds from {min(seeds)} to {max(seeds)}")
    parts += [_number(len(values), name, f"values of {name}") for name, values in known.items()
              if name not in ("input", "seed") and len(values) > 1]
    return (f"{', '.join(parts)}, the same for each. Computed in {outcome.environment['precision']} on "
            f"{outcome.environment['device'].partition(': ')[2] or outcome.environment['device']}.")


def _verdict(outcome: Outcome) -> str:
    best = nearest(outcome)
    lines = []
    found = next((one for one in outcome.examined if one.source.label == best), None)
    if found is not None:
        name = next(name for name in ("kid", "distance", "psnr") if name in found.figures)
        words, form = FIGURES[name]
        words = words[0].upper() + words[1:]
        sentence = (f"Nearest to the references: <b>{html.escape(best)}</b>." if len(outcome.examined) > 1
                    else f"<b>{html.escape(best)}</b>:")
        sentence += f" {words} {form.format(found.figures[name])}"
        others = [(one.source.label, one.figures[name]) for one in outcome.examined if one is not found and name in one.figures]
        if others and name == "distance":
            label, value = min(others, key=lambda entry: entry[1])
            sentence += f", {_beyond(found.figures[name], value)} {html.escape(label)}"
        if outcome.baseline is not None and name == "distance" and outcome.baseline.figures.get(name):
            sentence += (f"{' and' if others else ','} {_beyond(found.figures[name], outcome.baseline.figures[name])} "
                         f"{html.escape(outcome.baseline.source.label)}")
        lines.append(f'<p class="verdict">{sentence}.</p>')
    failures = [f'<li class="failed"><b>{html.escape(label)}</b>: {html.escape(sentence)}</li>' for label, sentence in
                _failures(outcome)]
    notes = [f"<li>{html.escape(note)}</li>" for note in outcome.notes]
    return "".join(lines) + (f'<ul class="notes">{"".join(failures + notes)}</ul>' if failures or notes else "")


def _beyond(value: float, other: float) -> str:
    """"17 % below", with a space that does not break."""
    share = round(100 * (1 - value / other)) if other else 0
    return "about level with" if share == 0 else f"{abs(share)}\u00a0% {'below' if share > 0 else 'above'}"


def _figures(outcome: Outcome) -> str:
    columns = [name for name in FIGURES if any(name in one.figures for one in outcome.examined)]
    bests = {name: BETTER[name](one.figures[name] for one in outcome.examined if name in one.figures) for name in columns}
    head = "".join(f'<th scope="col">{html.escape(words)}</th>' for words in
                   ("", "parameters", "file, MB", "opening, s", "a picture, s", "memory, MB", *(FIGURES[name][0] for name in
                                                                                              columns)))
    rows = []
    for one in outcome.examined:
        if one.failure:
            rows.append(f'<tr class="baseline"><th scope="row">{html.escape(one.source.label)}</th>'
                        f'<td class="words" colspan="{5 + len(columns)}">no pictures; why, is said above</td></tr>')
            continue
        cells = [f"{one.facts.parameters:,}", f"{one.facts.bytes / 1e6:.1f}", f"{one.opening:.2f}", f"{one.seconds():.3f}",
                 f"{one.memory / 1e6:.0f}" if one.memory else "–"]
        body = "".join(f"<td>{cell}</td>" for cell in cells)
        for name in columns:
            value = one.figures.get(name)
            mark = ' class="best"' if value == bests[name] and len(outcome.examined) > 1 else ""
            body += f"<td{mark}>{FIGURES[name][1].format(value) if value is not None else '–'}</td>"
        rows.append(f'<tr><th scope="row">{html.escape(one.source.label)}</th>{body}</tr>')
    if outcome.baseline is not None and columns:
        body = "<td></td>" * 5 + "".join(f"<td>{FIGURES[name][1].format(outcome.baseline.figures[name])}</td>"
                                          if name in outcome.baseline.figures else "<td>–</td>" for name in columns)
        rows.append(f'<tr class="baseline"><th scope="row">{html.escape(outcome.baseline.source.label)}</th>{body}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _aside(outcome: Outcome) -> str:
    columns = {name for one in outcome.examined for name in one.figures}
    if not columns:
        return ('<p class="aside">No references were given, so nothing was measured against any: look at the pictures. Seconds '
                "are the median without the first picture; memory is what was needed at most beyond what was in use.</p>")
    where = {"srgan": "of the luma, four pixels off each border", "inpainting": "in the hole (SSIM over the whole picture)"}
    words = f"PSNR and SSIM {where.get(outcome.task, 'over the three channels')}: higher is nearer, pixel for pixel. "
    words += "Perceptual distance as our small feature network sees it: lower looks nearer. "
    if "kid" in columns:
        words += "KID with the same network, for whole sets: lower is nearer; it compares with no paper's figures. "
    return f'<p class="aside">{words}Means over all inputs.</p>'


def _labels(outcome: Outcome) -> str:
    labels = [_label(one) for one in outcome.examined if not one.failure]
    body = f'<div class="labels">{"".join(labels)}</div>'
    # a long series says the same of all its members
    return body if len(labels) <= 6 else f"{_first_label(outcome)}<details><summary>Each of them</summary>{body}</details>"


def _first_label(outcome: Outcome) -> str:
    """What most of them have in common."""
    kinds: dict[str, int] = {}
    for one in outcome.examined:
        if not one.failure:
            words = f"{one.facts.layout}, {one.facts.parameters:,} parameters"
            kinds[words] = kinds.get(words, 0) + 1
    return "".join(f'<p class="aside">{_number(count, "checkpoint", "checkpoints")}: {html.escape(words)}</p>'
                   for words, count in kinds.items())


def _label(one: Examined) -> str:
    facts = one.facts
    origin = {"table": "From this gallery's table", "hub": f"From {one.source.place} on the Hub"}.get(one.source.kind,
                                                                                                  one.source.place)
    lines = [facts.layout, f"{facts.parameters:,} parameters, {facts.bytes / 1e6:.1f} MB"
             + (f", stored as {facts.stored}" if facts.stored else ""), origin]
    lines += [f"Commit {facts.revision}"] if facts.revision else []
    lines += [f"Licence of the weights: {facts.licence}"] if facts.licence else []
    lines += list(facts.notes)
    body = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    digest = f'<div class="mono">SHA-256 {facts.sha256[:16]}…</div>' if facts.sha256 else ""
    return f'<div class="museum"><div class="title">{html.escape(one.source.label)}</div>{body}{digest}</div>'


def _provenance(outcome: Outcome) -> str:
    entries = dict(outcome.environment)
    known = axes(outcome)
    if of(outcome.task).chance:
        entries["seeds"] = ", ".join(map(str, known["seed"][:32])) + (", …" if len(known["seed"]) > 32 else "")
    entries |= {name: ", ".join(map(str, values)) for name, values in known.items() if name not in ("input", "seed")}
    lines = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in entries.items())
    command = ("<p>The same command gives the same pictures, to the bit, on the same machine:</p>"
               f"<pre>{html.escape(outcome.command)}</pre>" if outcome.command else "")
    digests = "".join(f"{one.facts.sha256}  {one.source.label}\n" for one in outcome.examined if one.facts.sha256)
    return f"{command}<dl>{lines}</dl><pre>{html.escape(digests)}</pre>"


# --- epochs --------------------------------------------------------------------------------------------------------------


def _strips(outcome: Outcome, beside: int) -> list[dict[str, Any]]:
    """Series of three and more: title, members as places among the page's checkpoints, charts, and which is best."""
    found = []
    for title in dict.fromkeys(one.source.strip for one in outcome.examined if one.source.strip):
        places = [i for i, one in enumerate(outcome.examined) if one.source.strip == title]
        if len(places) < 3:
            continue
        members = [outcome.examined[i] for i in places]
        charts = []
        for name in ("distance", "kid", "psnr"):
            values = [one.figures.get(name) for one in members]
            if sum(value is not None for value in values) >= 3 and len(charts) < 2:
                better = BETTER[name](value for value in values if value is not None)
                charts.append({"name": FIGURES[name][0], "values": values, "best": values.index(better)})
        if not charts:
            changes = [None, *(_change(before, after) for before, after in pairwise(members))]
            if sum(value is not None for value in changes) >= 2:
                charts.append({"name": "change from the one before, of 255", "values": changes, "best": -1})
        found.append({"title": title, "members": [i + beside for i in places], "charts": charts,
                      "best": charts[0]["best"] if charts else -1, "marks": [one.source.mark for one in members]})
    return found


def _change(before: Examined, after: Examined) -> float | None:
    """Mean absolute difference of what two made of the same cases."""
    pairs = [(a.picture, b.picture) for a, b in zip(before.made, after.made, strict=False)
             if a.picture is not None and b.picture is not None and a.picture.size == b.picture.size]
    if not pairs:
        return None
    return float(np.mean([np.abs(np.asarray(a).astype(np.int16) - np.asarray(b)).mean() for a, b in pairs]))


def _strip(outcome: Outcome, strip: dict[str, Any], place: int) -> str:
    charts = "".join(_chart(chart, strip["marks"]) for chart in strip["charts"])
    best = strip["best"]
    said = (f'<p class="aside">Nearest to the references by {html.escape(strip["charts"][0]["name"])}: '
            f'{html.escape(strip["marks"][best])}.</p>' if best >= 0 else "")
    return (f'<section data-strip="{place}"><h2>{html.escape(strip["title"])}: {len(strip["members"])} epochs</h2>'
            '<div class="tools"></div><div class="strip-row"><div class="strip-large"><div class="framed"><div class="view">'
            '</div></div><div class="strip-mark"></div><input type="range" min="0" value="0" aria-label="Epoch"></div>'
            f'<div>{charts}{said}</div></div><div class="film" role="group" aria-label="Epochs"></div></section>')


def _chart(chart: dict[str, Any], marks: list[str]) -> str:
    """A line over the epochs, its best point filled. The dashed line follows the film."""
    width, height, left, right, top, bottom = 640, 214, 16, 62, 40, 28
    values = [value for value in chart["values"] if value is not None]
    low, high = min(values), max(values)
    span = high - low or 1.0
    xs = [left + (width - left - right) * i / max(1, len(marks) - 1) for i in range(len(marks))]

    def y(value: float) -> float:
        return top + (height - top - bottom) * (high - value) / span

    points = [(x, y(value), i) for i, (x, value) in enumerate(zip(xs, chart["values"], strict=True)) if value is not None]
    line = " ".join(f"{x:.1f},{at:.1f}" for x, at, _ in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{at:.1f}" r="5" class="best"/>' if i == chart["best"]
                   else f'<circle cx="{x:.1f}" cy="{at:.1f}" r="3"/>' for x, at, i in points)
    spots = json.dumps([round(x, 1) for x in xs])
    form = "{:.2f}" if high >= 10 else "{:.3f}"
    best = ""
    if chart["best"] >= 0:
        x, at, _ = next(point for point in points if point[2] == chart["best"])
        under = at + 20 if at < height - bottom - 24 else at - 11
        anchor = "start" if x < 40 else "end" if x > width - right - 30 else "middle"
        best = (f'<text x="{x:.1f}" y="{under:.1f}" text-anchor="{anchor}" class="best-name">'
                f'{form.format(chart["values"][chart["best"]])}</text>')
    name = html.escape(chart["name"])
    return (f'<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{name} over the epochs">'
            f'<text class="name" x="{left}" y="18">{name}</text>'
            f'<line class="axis" x1="{left}" x2="{width - right}" y1="{height - bottom}" y2="{height - bottom}"/>'
            f'<line class="now" y1="{top - 6}" y2="{height - bottom}" data-spots="{spots}"/>'
            f'<polyline class="line" points="{line}"/>{dots}{best}'
            f'<text x="{width - right + 12}" y="{y(high) + 4:.1f}">{form.format(high)}</text>'
            f'<text x="{width - right + 12}" y="{y(low) + 4:.1f}">{form.format(low)}</text>'
            f'<text x="{left}" y="{height - 8}">{html.escape(marks[0])}</text>'
            f'<text x="{width - right}" y="{height - 8}" text-anchor="end">{html.escape(marks[-1])}</text></svg>')


# --- the contact sheet ---------------------------------------------------------------------------------------------------


def sheet(outcome: Outcome) -> Image.Image:
    """All pictures of the grid on one wall, rows and columns labelled: RGB, at most about 9000 px a side."""
    known = axes(outcome)
    across, down = grid_of(outcome)
    beside = _beside(outcome)
    labels = [*(label for label, _ in beside), *(one.source.mark or one.source.label for one in outcome.examined)]
    values = {"checkpoint": labels, **{name: [str(value) for value in one] for name, one in known.items()}}
    own_only = "checkpoint" not in (across, down) or "input" not in (across, down)
    first = len(beside) if own_only and "seed" not in (across, down) else 0
    failed = {len(beside) + i for i, one in enumerate(outcome.examined) if one.failure}
    columns, rows = ([i for i in range(len(values[name])) if name != "checkpoint" or (i >= first and i not in failed)]
                     for name in (across, down))
    rows = rows[:SHOWN_INPUTS]
    side = max(96, min(256, 8000 // max(1, len(columns))))
    gap, head, margin, mat = 22, 34, 40, 6
    top = margin + 92
    numbered = len(rows) > 1
    title = head if numbered else 4
    frames = [[_at(outcome, beside, known, {across: column, down: row}) for column in columns] for row in rows]
    tall = [max([round(side * picture.height / picture.width) for picture in line if picture is not None] or [side])
            for line in frames]
    width = max(2 * margin + len(columns) * (side + 2 * mat + gap) - gap, 640)
    height = top + sum(high + 2 * mat + title + 46 for high in tall) + margin - 12
    wall = Image.new("RGB", (width, height), WALL)
    pen = ImageDraw.Draw(wall)
    pen.text((margin, margin - 8), _cut(pen, _title(outcome), 28, width - 2 * margin), INK, _serif(28))
    pen.text((margin, margin + 34), _cut(pen, _door(outcome), 15, width - 2 * margin), QUIET, _serif(15))
    y = top
    for row, line, high in zip(rows, frames, tall, strict=True):
        if numbered:
            words = f"{down} {values[down][row]}" if down not in ("input", "checkpoint") else values[down][row]
            pen.text((margin, y), _cut(pen, words, 18, width - 2 * margin), INK, _serif(18))
        y += title
        for i, (column, picture) in enumerate(zip(columns, line, strict=True)):
            x = margin + i * (side + 2 * mat + gap)
            pen.rectangle((x, y, x + side + 2 * mat - 1, y + high + 2 * mat - 1), MAT, FRAME, 1)
            if picture is None:
                pen.text((x + mat + 8, y + mat + high // 2 - 9), "no picture", QUIET, _serif(14))
            else:
                large = picture.width > side
                fitted = picture.resize((side, max(1, round(side * picture.height / picture.width))),
                                        Image.Resampling.LANCZOS if large else Image.Resampling.BICUBIC)
                wall.paste(fitted, (x + mat, y + mat + (high - fitted.height) // 2))
            words = f"{across} {values[across][column]}" if across not in ("input", "checkpoint") else values[across][column]
            pen.text((x + 2, y + high + 2 * mat + 7), _cut(pen, words, 15, side + 2 * mat), INK, _serif(15))
        y += high + 2 * mat + 46
    return wall


def _at(outcome: Outcome, beside: Sequence[tuple[str, str]], known: dict[str, list[Any]],
        at: dict[str, int]) -> Image.Image | None:
    """The picture at these places of the axes, the first value of all others."""
    wanted = {name: values[at.get(name, 0)] for name, values in known.items()}
    case = next((i for i, one in enumerate(outcome.cases)
                 if all(value_of(one, name) == value for name, value in wanted.items())), None)
    column = at.get("checkpoint", len(beside))
    if case is None:
        return None
    if column < len(beside):
        return _beside_picture(outcome, beside[column][1], case)
    return next((made.picture for made in outcome.examined[column - len(beside)].made if made.case == case), None)


def _cut(pen: ImageDraw.ImageDraw, text: str, size: int, width: int) -> str:
    while pen.textlength(text, _serif(size)) > width and len(text) > 2:
        text = text[:-2].rstrip(" .,…") + "…"
    return text


@cache
def _serif(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in ("Palatino.ttc", "NotoSerif-Regular.ttf", "georgia.ttf", "DejaVuSerif.ttf"):
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


# --- files ---------------------------------------------------------------------------------------------------------------


def write(outcome: Outcome, out: Path) -> tuple[Path, Path]:
    """The page at `out`, the contact sheet beside it as PNG; both paths. Raises BadInput where they cannot be written."""
    picture = out.with_suffix(".png")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page(outcome), encoding="utf-8")
        sheet(outcome).save(picture, compress_level=3)
    except OSError as error:
        raise BadInput(f"The report cannot be written to {out}: {error.strerror or error}.") from error
    return out, picture


def command_line(words: Sequence[str]) -> str:
    """As it would be typed again."""
    return shlex.join(["python", "-m", "gm_core.check", *words])
