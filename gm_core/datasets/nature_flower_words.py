"""Flowers in words: sentences as people write them about photographs, and the attributes that a network may learn."""

from collections.abc import Callable

from gm_core.datasets import nature_flower_kinds as kinds
from gm_core.datasets.nature_flower_kinds import Flower
from gm_core.datasets.nature_words import Teller, listed, sentence

NUMBERS = ("few", "several", "many")
"""Of petals: up to 6, up to 12, more."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "size": kinds.SIZES, "petal_number": NUMBERS, "petal_shape": kinds.PETAL_SHAPES, "layers": ("1", "2", "3"),
    "petal_colour": kinds.COLOURS, "gradient": kinds.GRADIENTS, "second_colour": (*kinds.COLOURS[:-1], "none"),
    "pattern": kinds.PATTERNS, "centre": kinds.CENTRES, "centre_colour": kinds.CENTRE_COLOURS, "leaves": ("no", "yes"),
    "view": kinds.VIEWS, "background": kinds.BACKGROUNDS}
"""What `named` tells of a flower, and the values each attribute can have."""

_COLOURS = {"purple": ("purple", "violet"), "lilac": ("lilac", "light purple", "lavender"), "red": ("red", "red", "crimson"),
            "yellow": ("yellow", "yellow", "golden"), "pink": ("pink", "pink", "rosy")}
_SIZES = {"small": ("small", "small", "tiny"), "medium": ("",), "large": ("large", "big")}
_SHAPES = {"round": ("round", "rounded", "oval"), "pointed": ("pointed", "pointy", "star-shaped"),
           "narrow": ("narrow", "thin", "long and narrow"), "heart-shaped": ("heart-shaped", "notched"),
           "frilled": ("frilled", "ruffled", "wavy"), "cup": ("cupped", "curved", "cup-shaped")}
_CENTRES = {"disc": ("center", "centre", "disc"), "cone": ("cone", "dome", "raised center"),
            "stamens": ("stamens", "stamen", "anthers"), "fluffy": ("fluffy center", "fuzzy center", "fluffy centre")}
_COUNTS = {4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
_NUMBERS = {"few": ("a few",), "several": ("several",), "many": ("many", "lots of", "a lot of")}
_BEHIND = {"garden": ("in a garden", "in front of a blurred garden", "among other flowers"), "meadow": ("in a meadow",
                                                                                                        "on a green meadow"),
           "sky": ("against the blue sky", "in front of a blue sky", "under the sky"),
           "dusk": ("at dusk", "at sunset", "in front of an evening sky"), "plain": ("in front of a plain wall",
                                                                                     "on a plain background", "in a studio"),
           "dark": ("on a dark background", "in front of a black background", "in the dark")}
_VIEWS = {"front": ("seen from the front", "facing us"), "angle": ("seen at an angle",), "side": ("seen from the side",
                                                                                                  "in profile")}


def petal_number(f: Flower) -> str:
    return NUMBERS[(f.petals > 6) + (f.petals > 12)]


def named(f: Flower) -> dict[str, str]:
    """The flower's attributes by name, as in `ATTRIBUTES`. Without a gradient there is no second colour."""
    values = {name: getattr(f, name) for name in ATTRIBUTES if name not in ("petal_number", "layers", "leaves")}
    values |= {"petal_number": petal_number(f), "layers": str(f.layers), "leaves": "yes" if f.leaves else "no"}
    if f.gradient == "none":
        values["second_colour"] = "none"
    return values


def caption(f: Flower, seed: int = 0) -> str:
    """A sentence about the flower; another seed says it in other words. The colour of its petals is always named."""
    return captioned(f, seed)[0]


def captioned(f: Flower, seed: int = 0) -> tuple[str, dict[str, str]]:
    """`caption`, and the attributes that it names, with their values."""
    t = Teller(f, seed, f.seed, 7)
    values = named(f)

    def tell(*names: str) -> None:
        t.told.update((name, values[name]) for name in names)

    def colour(name: str) -> str:
        tell(name)
        value = values[name]
        return t.pick(*_COLOURS.get(value, (value,)))

    def shape() -> str:
        tell("petal_shape")
        return t.pick(*_SHAPES[f.petal_shape])

    def number() -> str:
        tell("petal_number")
        exact = _COUNTS.get(f.petals) if f.layers == 1 else None
        return exact if exact and t.often(0.7) else t.pick(*_NUMBERS[values["petal_number"]])

    def petals(certain: bool = True) -> str:
        """The petals with what is said before their name."""
        count = number() if t.often(0.32) else ""
        form = shape() if t.often(0.68) else ""
        size = t.pick(*_SIZES[f.size]) if not count and t.often(0.25) else ""
        if size:
            tell("size")
        comma = "," if size and form else ""
        hue = colour("petal_colour") if certain else ""
        return f"{count} {size}{comma} {form} {hue} petals"

    def heart() -> str:
        hue = colour("centre_colour")
        if t.often(0.8 if f.centre == "stamens" else 0.6):
            tell("centre")
            noun = t.pick(*_CENTRES[f.centre])
            return f"{'' if noun in ('stamens', 'anthers') else 'a'} {hue} {noun}"
        return f"a {hue} {t.pick('center', 'centre', 'middle')}"

    def extras() -> list[Callable[[], str]]:
        """What else stands out, in any order."""
        def blend() -> str:
            second = colour("second_colour")
            tell("gradient")
            if f.gradient == "tip":
                return t.pick(f"{second} tips", f"{second} edges", f"petals that fade to {second} at the tips")
            return t.pick(f"{second} near the center", f"petals that fade to {second} towards the centre",
                          f"a touch of {second} inside")

        def pattern() -> str:
            tell("pattern")
            hue = "dark" if f.pattern_colour == "black" else f.pattern_colour
            return (t.pick(f"{hue} stripes", f"{hue} stripes on its petals", f"{hue} lines") if f.pattern == "striped" else
                    t.pick(f"{hue} spots", f"{hue} dots", f"{hue} spots on its petals"))

        def layers() -> str:
            tell("layers")
            return t.pick("layered petals", "petals in layers", f"{('two', 'three')[f.layers - 2]} layers of petals")

        def green() -> str:
            tell("leaves")
            return t.pick("green leaves", "green leaves", "leaves on its stem")

        likely = ((0.8 if f.gradient != "none" else 0, blend), (0.92 if f.pattern != "plain" else 0, pattern),
                  (0.7 if f.layers > 1 else 0, layers), (0.22 if f.leaves else 0, green))
        return t.shuffled([phrase for chance, phrase in likely if t.often(chance)])

    noun = "flower"
    if f.petal_shape == "cup" and t.often(0.6):
        tell("petal_shape")
        noun = t.pick("tulip", "tulip", "cup-shaped flower")
    size = t.pick(*_SIZES[f.size]) if t.often(0.3) else ""
    if size:
        tell("size")
    plain, noun = noun, f"{size} {noun}"
    form = t.pick("has", "has", "has", "with", "with", "is", "are", "are", "short", "two")
    more = [phrase() for phrase in extras()[: int(t.random.integers(0, 4)) if t.often(0.5) else 4]]
    middle = [heart()] if t.often(0.25 if f.petal_shape == "cup" else 0.85) else []
    where = ""
    if t.often(0.18):
        tell("view")
        where = t.pick(*_VIEWS[f.view])
    if t.often(0.55):
        tell("background")
        where = f"{where}, {t.pick(*_BEHIND[f.background])}" if where else t.pick(*_BEHIND[f.background])
    end = f" {where}" if where and "view" not in t.told and t.often(0.5) else f", {where}" if where else ""
    if form == "has":
        text = f"this {noun} has {listed([petals(), *t.shuffled(middle + more)])}"
        if middle and not more and t.often(0.6):
            text = f"this {noun} has {petals()} with {middle[0]}"
    elif form == "with":
        text = f"a {noun} with {listed([petals(), *middle, *more])}"
    elif form == "is":
        hue = colour("petal_colour")
        rest = t.shuffled(middle + more) or [petals(certain=False)]
        text = t.pick(f"this {noun} is {hue} in color, with {listed(rest)}", f"this {noun} is {hue} and has {listed(rest)}",
                      f"this is a {size} {hue} {plain} with {listed(rest)}")
    elif form == "are":
        hue, form_ = colour("petal_colour"), shape() if t.often(0.6) else ""
        text = t.pick(f"the petals of this {noun} are {hue}", f"the petals of the {noun} are {hue} in colour",
                      f"this {noun} has petals that are {hue}")
        text += f" and {form_}" if form_ else ""
        text += f" with {listed(middle + more)}" if middle + more else ""
    elif form == "short":
        text = f"a {size} {colour('petal_colour')} {plain}" + (f" with {listed(middle + more)}" if middle + more else "")
    else:
        rest = middle + more or [petals(certain=False)]
        text = f"a {size} {colour('petal_colour')} {plain}{end}. it has {listed(t.shuffled(rest))}"
        end = ""
    return sentence(text + end), t.told
