"""Birds in words: sentences as people write them about photographs of birds, and the attributes that a network may learn."""

from collections.abc import Callable

from gm_core.datasets import nature_bird_kinds as kinds
from gm_core.datasets.nature_bird_kinds import Bird
from gm_core.datasets.nature_words import Teller, listed, sentence

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "shape": kinds.SHAPES, "size": kinds.SIZES, **dict.fromkeys(("body", "breast", "belly", "crown", "cheek", "throat", "wing",
                                                                 "tail"), kinds.COLOURS),
    "wing_bars": ("no", "yes"), "breast_pattern": kinds.BREAST_PATTERNS, "eye_stripe": kinds.EYE_STRIPES,
    "eye_ring": kinds.EYE_RINGS, "eye": kinds.EYES, "crest": ("no", "yes"), "beak_length": kinds.BEAK_LENGTHS,
    "beak_shape": kinds.BEAK_SHAPES, "beak_colour": kinds.BEAK_COLOURS, "leg_colour": (*kinds.LEG_COLOURS, "hidden"),
    "setting": kinds.SETTINGS, "background": kinds.BACKGROUNDS}
"""What `named` tells of a bird, and the values each attribute can have."""

_COLOURS = {"grey": ("grey", "gray"), "purple": ("purple", "purple", "violet"), "red": ("red", "red", "red", "scarlet"),
            "yellow": ("yellow", "yellow", "yellow", "golden")}
_SIZES = {"small": ("small", "small", "tiny", "little"), "medium": ("medium-sized", ""), "large": ("large", "big")}
_SHAPES = {"stubby": ("plump", "round", "chubby", "stubby"), "slender": ("slender", "slim"), "long-tailed": ("long-tailed",)}
_BEAK_SHAPES = {"pointy": ("pointy", "pointed", "sharp"), "conical": ("conical", "cone-shaped", "thick"),
                "hooked": ("hooked", "curved"), "flat": ("flat", "broad", "wide")}
_BEAK_LENGTHS = {"short": ("short", "short", "very short", "small"), "medium": ("medium-sized", "", ""), "long": ("long",
                                                                                                                  "long",
                                                                                                                  "very long")}
_PERCHES = {"leaves": ("a leafy branch", "a branch with leaves", "a branch"), "bare": ("a bare branch", "a branch", "a twig"),
            "blossoms": ("a blossoming branch", "a branch with blossoms", "a branch"),
            "berries": ("a branch with red berries", "a branch with berries", "a branch")}
_BEHIND = {"leaves": ("in front of green leaves", "with green leaves behind it", "in the green forest"),
           "autumn": ("in front of autumn leaves", "in an autumn forest", "in autumn"),
           "meadow": ("in front of a green meadow", "above a meadow", "with a meadow behind it"),
           "sky": ("against the blue sky", "in front of a blue sky", "under a blue sky"),
           "dusk": ("at dusk", "at sunset", "in front of an evening sky"),
           "snow": ("in winter", "on a snowy day", "in front of a snowy landscape")}
_GROUND = {"sand": ("on the sand", "on a sandy beach", "on the beach"), "meadow": ("in the grass", "on the green grass",
                                                                                   "in a meadow"),
           "snow": ("in the snow", "on the snow", "on snowy ground"),
           "autumn": ("among fallen leaves", "on the forest floor in autumn", "on the brown autumn ground")}
_WATER = {"water": ("on the water", "on a blue lake", "on a pond", "in the water"), "dusk": ("on the water at sunset",
                                                                                             "on a lake at dusk"),
          "autumn": ("on an autumn pond", "on the water in autumn")}
_SKY = {"sky": ("in the blue sky", "through the sky", "in front of white clouds"), "dusk": ("in the evening sky", "at sunset",
                                                                                            "through the dusk")}
_DOES = {"branch": ("perched", "sitting", "perching", ""), "ground": ("standing", "standing", ""),
         "water": ("swimming", "floating", "swimming"), "sky": ("flying", "flying", "gliding")}


def named(b: Bird) -> dict[str, str]:
    """The bird's attributes by name, as in `ATTRIBUTES`. Legs that cannot be seen are "hidden"."""
    values = {name: getattr(b, name) for name in ATTRIBUTES}
    values = {name: ("yes" if value else "no") if isinstance(value, bool) else value for name, value in values.items()}
    if b.setting in ("water", "sky"):
        values["leg_colour"] = "hidden"
    return values


def caption(b: Bird, seed: int = 0) -> str:
    """A sentence about the bird; another seed says it in other words. Its colour is always named, what stands out mostly."""
    return captioned(b, seed)[0]


def captioned(b: Bird, seed: int = 0) -> tuple[str, dict[str, str]]:
    """`caption`, and the attributes that it names, with their values."""
    t = Teller(b, seed, b.seed, 6)

    def colour(name: str) -> str:
        t.tell(name)
        value = getattr(b, name)
        return t.pick(*_COLOURS.get(value, (value,)))

    def features() -> list[Callable[[], str]]:
        """What will be said of its parts, in any order; what stands out is rarely left out."""
        head = b.crown == b.cheek and b.crown != b.body
        striking = [
            (0.85, beak),
            (0.9 if b.crown != b.body else 0.12, (lambda: _both(t, colour("crown"), "cheek", "head")) if head else
             (lambda: f"a {colour('crown')} {t.pick('crown', 'crown', 'cap')}")),
            (0.9 if b.wing != b.body else 0.15, lambda: f"{colour('wing')} wings"),
            (0.9 if b.wing_bars else 0, bars),
            (0.9 if b.breast != b.body or b.breast_pattern != "plain" else 0.15, breast),
            (0.45 if b.throat not in (b.breast, b.body) else 0.04, lambda: f"a {colour('throat')} throat"),
            (0.45 if b.cheek not in (b.crown, b.body) else 0, lambda: f"{colour('cheek')} cheeks"),
            (0.9 if b.crest else 0, crest), (0.75 if b.eye_stripe != "none" else 0, stripe),
            (0.7 if b.eye_ring != "none" else 0, lambda: t.pick(f"a {colour('eye_ring')} eye ring",
                                                                f"a {colour('eye_ring')} ring around its eye")),
            (0.4 if b.eye in ("red", "yellow") else 0.03, lambda: f"{colour('eye')} eyes"),
            (0.3 if b.tail not in (b.body, b.wing) else 0.06, tail),
            (0.18 if b.setting in ("branch", "ground") else 0,
             lambda: f"{colour('leg_colour')} {t.pick('legs', 'legs', 'feet')}")]
        return t.shuffled([tell for likely, tell in striking if t.often(likely)])

    def beak() -> str:
        noun = t.pick("beak", "beak", "bill")
        words = []
        if t.often(0.6):
            words.append(t.pick(*_BEAK_LENGTHS[b.beak_length]))
            if words[-1]:
                t.tell("beak_length")
        if t.often(0.6):
            t.tell("beak_shape")
            words.append(t.pick(*_BEAK_SHAPES[b.beak_shape]))
        if t.often(0.55) or not any(words):
            words.append(colour("beak_colour"))
        if t.often(0.12):
            return f"a {noun} that is {listed([word for word in words if word])}"
        return f"a {' '.join(words)} {noun}"

    def breast() -> str:
        pattern = ""
        if b.breast_pattern != "plain" and t.often(0.9):
            t.tell("breast_pattern")
            pattern = t.pick("spotted", "speckled") if b.breast_pattern == "spotted" else t.pick("streaked", "striped")
        noun = t.pick("breast", "breast", "chest")
        if b.breast == b.belly:
            if t.often(0.55):
                return _both(t, f"{pattern} {colour('breast')}", "belly", f"{noun} and belly")
            return f"a {pattern} {colour('breast')} {noun}"
        if t.often(0.45):
            return f"a {pattern} {colour('breast')} {noun} and a {colour('belly')} belly"
        return f"a {pattern} {colour('breast')} {noun}"

    def bars() -> str:
        t.tell("wing_bars")
        shade = "dark" if b.wing in ("white", "grey") else "white"
        return t.pick(f"{shade} wing bars", f"two {shade} bars on its wings", f"{shade} stripes on its wings")

    def crest() -> str:
        t.tell("crest")
        words = t.pick("a pointed crest", "a {} crest", "a tuft on its head")
        return words.format(colour("crown")) if "{}" in words else words

    def stripe() -> str:
        shade = colour("eye_stripe")
        return t.pick(f"a {shade} eye stripe", f"a {shade} stripe {'through' if b.eye_stripe == 'black' else 'above'} its eye",
                      f"a {shade} {'mask' if b.eye_stripe == 'black' else 'eyebrow'}")

    def tail() -> str:
        long_ = b.shape == "long-tailed" and t.often(0.7)
        if long_:
            t.tell("shape")
        return f"a {'long' if long_ else ''} {colour('tail')} tail"

    def noun(plain: bool = False) -> str:
        size, shape, kind = "", "", "bird"
        if not plain and t.often(0.55):
            size = t.pick(*_SIZES[b.size])
            if size:
                t.tell("size")
        if b.shape == "water bird" and t.often(0.75):
            t.tell("shape")
            kind = t.pick("duck", "water bird", "duck") if b.beak_shape == "flat" else t.pick("water bird", "seabird")
        elif b.shape in _SHAPES and not plain and t.often(0.4):
            t.tell("shape")
            shape = t.pick(*_SHAPES[b.shape])
        return f"{size} {shape} {'' if plain else colour('body')} {kind}"

    def place() -> str:
        t.tell("setting")
        does = t.pick(*_DOES[b.setting])
        if b.setting != "branch":
            table = {"ground": _GROUND, "water": _WATER, "sky": _SKY}[b.setting]
            if b.setting == "sky" and t.often(0.2):
                return t.pick("in flight", "flying with its wings spread")
            t.tell("background")
            return f"{does} {t.pick(*table[b.background])}"
        perch = t.pick("a branch",
                       "a snowy branch") if b.background == "snow" and b.perch == "bare" else t.pick(*_PERCHES[b.perch])
        text = f"{does} on {perch}"
        if t.often(0.65):
            t.tell("background")
            text += " " + t.pick(*_BEHIND[b.background])
        return text

    form = t.pick("has", "has", "with", "with", "with", "is", "is", "the", "short", "two", "first")
    where = place() if form == "two" or t.often(0.72) else ""
    chosen = features()
    if form == "short":
        chosen = [] if where else chosen[:1]
    elif form != "two":
        chosen = chosen[: int(t.random.integers(1, 6))]
    if not chosen and not (form == "short" and where):
        chosen = [beak]
    said = [tell() for tell in chosen]
    if form == "short":
        text = f"a {noun()} {where or 'with ' + said[0]}"
    elif form == "has":
        inside = where and t.often(0.5)
        text = f"this {noun()} {where if inside else ''} has {listed(said)}" + (f", {where}" if where and not inside else "")
    elif form == "with" and where and t.often(0.5):
        text = f"a {noun()} {where}, with {listed(said)}"
    elif form == "with":
        text = f"a {noun()} with {listed(said)}" + (f", {where}" if where else "")
    elif form == "is":
        half = max(1, len(said) // 2)
        text = f"this {noun(plain=True)} is {colour('body')} with {listed(said[:half])}"
        text += f" and has {listed(said[half:])}" if said[half:] else ""
        text += f", {where}" if where else ""
    elif form == "the":
        coat = t.pick("{} feathers", "{} plumage", "a {} body", "a {} back").format(colour("body"))
        text = f"the {noun(plain=True)} has {listed([coat, *said])}" + (f", {where}" if where else "")
    elif form == "two":
        text = f"a {noun()} {where}. it has {listed(said)}"
    elif where:
        text = f"{where}, a {noun()} with {listed(said)}"
    else:
        text = f"{t.pick('a picture', 'a photo')} of a {noun()} with {listed(said)}"
    return sentence(text), t.told


def _both(t: Teller, words: str, other: str, noun: str) -> str:
    """A phrase about two parts of one colour."""
    t.tell(other)
    return f"a {words} {noun}"
