"""Drawings to begin with, drawn by code: fronts of houses as label maps, and faces of the portrait world."""

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from gm_core.datasets import facades

SIDE = 256


def town_house() -> Image.Image:
    """Four rows of five windows with sills below a cornice, a shop and a door at the street."""
    canvas, box = _sheet()
    box("wall", 16, 24, 239, 255)
    box("cornice", 12, 24, 243, 34)
    for row in range(3):
        top = 48 + 52 * row
        box("moulding", 16, top + 42, 239, top + 45)
        for column in range(5):
            left = 28 + 43 * column
            box("window", left, top, left + 24, top + 34)
            box("sill", left - 3, top + 35, left + 27, top + 38)
    box("shop", 24, 208, 150, 255)
    box("window", 32, 216, 86, 250)
    box("window", 92, 216, 144, 250)
    box("door", 178, 206, 208, 255)
    return canvas


def palace() -> Image.Image:
    """Pillars between tall windows with decoration above, and a balcony over the gate."""
    canvas, box = _sheet()
    box("wall", 6, 40, 249, 255)
    box("cornice", 4, 38, 251, 50)
    box("moulding", 6, 146, 249, 152)
    for column in range(6):
        left = 10 + 44 * column
        box("pillar", left, 52, left + 9, 145)
        if column < 5:
            box("window", left + 16, 76, left + 36, 132)
            box("decoration", left + 14, 64, left + 38, 72)
            if column != 2:
                box("window", left + 16, 172, left + 36, 220)
                box("sill", left + 13, 221, left + 39, 225)
    box("balcony", 96, 134, 160, 150)
    box("door", 106, 172, 150, 255)
    return canvas


def cottage() -> Image.Image:
    """Few windows with blinds in a wide wall, the sky above and beside it."""
    canvas, box = _sheet()
    box("wall", 36, 84, 219, 244)
    box("cornice", 30, 80, 225, 88)
    for left, top in ((58, 108), (116, 108), (174, 108), (58, 176), (174, 176)):
        box("window", left, top, left + 26, top + 36)
        box("blind", left - 10, top, left - 2, top + 36)
        box("blind", left + 28, top, left + 36, top + 36)
        box("sill", left - 2, top + 37, left + 28, top + 40)
    box("door", 114, 182, 144, 244)
    box("decoration", 110, 172, 148, 180)
    return canvas


def tenement() -> Image.Image:
    """Balconies with doors behind them in the middle, pairs of windows with blinds beside, shops below."""
    canvas, box = _sheet()
    box("wall", 20, 14, 235, 255)
    box("cornice", 16, 14, 239, 26)
    box("decoration", 20, 28, 235, 36)
    for row in range(4):
        top = 46 + 42 * row
        for left in (32, 60, 180, 208):
            box("window", left, top, left + 16, top + 28)
            box("blind", left - 5, top, left - 1, top + 28)
            box("blind", left + 17, top, left + 21, top + 28)
            box("sill", left - 2, top + 29, left + 18, top + 31)
        for left in (100, 134):
            box("window", left, top - 2, left + 22, top + 24)
        box("balcony", 92, top + 16, 164, top + 32)
    box("moulding", 20, 208, 235, 213)
    box("shop", 26, 216, 110, 255)
    box("shop", 150, 216, 230, 255)
    box("door", 118, 214, 142, 255)
    return canvas


def offices() -> Image.Image:
    """Rows of wide windows between thin pillars, and glass at the street."""
    canvas, box = _sheet()
    box("wall", 8, 20, 247, 255)
    box("cornice", 8, 20, 247, 26)
    for row in range(5):
        top = 36 + 36 * row
        for column in range(6):
            left = 16 + 39 * column
            box("window", left, top, left + 28, top + 22)
        box("moulding", 8, top + 28, 247, top + 30)
    for column in range(7):
        box("pillar", 8 + 39 * column, 30, 12 + 39 * column, 214)
    box("shop", 12, 220, 243, 255)
    box("door", 112, 222, 140, 255)
    return canvas


def one_window() -> Image.Image:
    """A window as large as the house: no facade has one."""
    canvas, box = _sheet()
    box("wall", 8, 20, 247, 255)
    box("window", 24, 36, 231, 236)
    return canvas


def three_eyes() -> Image.Image:
    """The first face, with a third eye on its forehead."""
    from gm_core.datasets import portraits

    drawing = np.array(face(FACES["A face"]))
    eyes = np.argwhere((drawing == portraits.LABEL_COLOURS[portraits.LABELS.index("eyes")]).all(2))
    left = eyes[eyes[:, 1] < drawing.shape[1] // 2]
    (top, begin), (bottom, end) = left.min(0) - 2, left.max(0) + 3
    up, right = -(bottom - top) - 14, (eyes[:, 1].min() + eyes[:, 1].max()) // 2 - (begin + end) // 2
    drawing[top + up : bottom + up, begin + right : end + right] = drawing[top:bottom, begin:end]
    return Image.fromarray(drawing)


FACADES = {"A town house": town_house, "A palace": palace, "A cottage": cottage, "A tenement": tenement, "Offices": offices}
FACES = {"A face": 10_000_007, "Another": 10_000_013, "A third": 10_000_031}
"""Name -> seed of a portrait that no network was trained on."""
LINES = {"Lines alone": 10_000_019, "Other lines": 10_000_041}
PEOPLE = FACES | LINES


def person(seed: int) -> Image.Image:
    """The portrait of this seed, as the renderer draws it."""
    from gm_core.datasets import portraits

    return Image.fromarray(portraits.render([portraits.sample(seed)], SIDE).pictures[0])


@cache
def face(seed: int, lines_alone: bool = False) -> Image.Image:
    """The label map of the portrait of this seed, with its contours drawn; or these alone."""
    from gm_core.datasets import portraits

    rendered = portraits.render([portraits.sample(seed)], SIDE, supersampling=1)
    drawing = np.array(portraits.LABEL_COLOURS, np.uint8)[rendered.labels[0] * (not lines_alone)]
    drawing[portraits.edges(rendered.labels, rendered.pictures)[0] > 0] = 0
    return Image.fromarray(drawing)


def _sheet() -> tuple[Image.Image, Callable[[str, int, int, int, int], None]]:
    """An empty drawing, and what puts a rectangle of a label on it: label, left, top, right, bottom."""
    canvas = Image.new("RGB", (SIDE, SIDE), facades.LABEL_COLOURS[0])
    draw = ImageDraw.Draw(canvas)

    def box(label: str, left: int, top: int, right: int, bottom: int) -> None:
        draw.rectangle((left, top, right, bottom), fill=facades.LABEL_COLOURS[facades.LABELS.index(label)])

    return canvas, box
