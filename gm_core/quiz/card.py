"""The card to be shared at the end of a game: a PNG of 1200 x 630, as previews of links want it."""

import io
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from gm_core.quiz.game import Summary

WIDTH, HEIGHT = 1200, 630
WALL, INK, QUIET, ACCENT, FRAME, MAT = "#f6f3ec", "#2a2620", "#655e52", "#9c4f2c", "#2f2a23", "#fffdf8"
SERIFS = ("Palatino.ttc", "NotoSerif-Regular.ttf", "georgia.ttf", "DejaVuSerif.ttf")
"""Looked for in the system's folders in this order; else Pillow's own type."""
KOREAN = ("AppleMyungjo.ttf", "NotoSerifCJK-Regular.ttc", "NotoSansCJK-Regular.ttc", "batang.ttc", "NanumMyeongjo.ttf",
          "AppleSDGothicNeo.ttc", "malgun.ttf")
"""As SERIFS, for text with Hangul."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def share_card(summary: Summary, level: str, say: Callable[[str], str] = str) -> Image.Image:
    """A finished game as RGB 1200 x 630. level: its title. say: puts an English sentence into the player's language.

    Nothing on it says whose game it was. Where no font of this machine has Hangul, a Korean card stays English.
    """
    hangul = any("가" <= sign <= "힣" for sign in say("Which face is fake?"))
    if hangul and _type(KOREAN, 20) is None:
        return share_card(summary, level)

    def serif(size: int) -> Font:
        return _type(KOREAN if hangul else SERIFS, size) or ImageFont.load_default(size)

    level = say(level)
    card = Image.new("RGB", (WIDTH, HEIGHT), WALL)
    pen = ImageDraw.Draw(card)
    pictures = [Image.open(io.BytesIO(file)).convert("RGB") for file in summary.shown]
    for i, picture in enumerate(pictures):
        left = WIDTH - 82 - 210 - 248 * (len(pictures) - 1 - i)
        _hang(card, pen, picture, (left, 214), 210)
        pen.text((left - 12, 448), ("" if len(pictures) == 1 else say("Fake") if i else say("Real")).lower(), QUIET, serif(21))
    title = say("Which face is fake?")
    pen.text((70, 58), title, INK, serif(50 if pen.textlength(title, serif(50)) <= 1060 else 40))
    pen.text((70, 124), _fitted(pen, level, serif(26), 660), QUIET, serif(26))
    pen.text((66, 196), say(f"{summary.right} of {summary.rounds}"), ACCENT, serif(116))
    lines = [f"Longest streak {summary.longest_streak} · {summary.score} points · {summary.seconds:.0f} seconds"]
    if summary.machine_right is not None:
        lines.append(f"The machine had {summary.machine_right} of {summary.rounds} in the same rounds.")
    if summary.standing is not None and summary.standing.others:
        share = 100 * summary.standing.below / summary.standing.others
        lines.append(f"Better than {share:.0f} % of {summary.standing.others} games before.")
    for i, line in enumerate(lines):
        pen.text((70, 350 + 38 * i), _fitted(pen, say(line), serif(23), 550), INK, serif(23))
    for i, right in enumerate(summary.results):
        left = 70 + 46 * i
        if right:
            pen.ellipse((left, 500, left + 32, 532), fill=ACCENT)
        else:
            pen.ellipse((left, 500, left + 32, 532), outline=QUIET, width=2)
    pen.line((70, 566, WIDTH - 70, 566), "#d9d2c4", 1)
    pen.text((70, 580), say("Gallery of generative models · filled: right, hollow: wrong"), QUIET, serif(19))
    return card


def _hang(card: Image.Image, pen: ImageDraw.ImageDraw, picture: Image.Image, at: tuple[int, int], side: int) -> None:
    """The picture in a thin frame with a mat."""
    left, top = at
    pen.rectangle((left - 12, top - 12, left + side + 11, top + side + 11), MAT, FRAME, 1)
    card.paste(picture.resize((side, side), Image.Resampling.LANCZOS), at)


def _fitted(pen: ImageDraw.ImageDraw, text: str, font: Font, width: int) -> str:
    while pen.textlength(text, font) > width and len(text) > 4:
        text = text[:-2].rstrip(" .,…") + "…"
    return text


@cache
def _type(names: tuple[str, ...], size: int) -> Font | None:
    for name in names:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None
