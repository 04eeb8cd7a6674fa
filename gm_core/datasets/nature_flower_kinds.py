"""The flowers: what one record says, and how a seed becomes one."""

from dataclasses import dataclass
from typing import Any

from gm_core.datasets.nature_studio import Chance, Shot

SIZES = ("small", "medium", "large")
PETAL_SHAPES = ("round", "pointed", "narrow", "heart-shaped", "frilled", "cup")
COLOURS = ("white", "yellow", "orange", "red", "pink", "lilac", "purple", "blue")
GRADIENTS = ("none", "centre", "tip")
PATTERNS = ("plain", "striped", "spotted")
CENTRES = ("disc", "cone", "stamens", "fluffy")
CENTRE_COLOURS = ("yellow", "orange", "brown", "dark purple", "green", "white")
VIEWS = ("front", "angle", "side")
BACKGROUNDS = ("garden", "meadow", "sky", "dusk", "plain", "dark")

HELD_OUT_COMBINATIONS: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = (
    (("petal_colour", "blue"), ("centre_colour", "orange")), (("petal_colour", "pink"), ("centre_colour", "brown")),
    (("petal_colour", "white"), ("centre_colour", "dark purple")), (("petal_colour", "yellow"), ("background", "dark")),
    (("petal_colour", "purple"), ("background", "sky")), (("petal_colour", "red"), ("petal_shape", "narrow")),
    (("petal_colour", "orange"), ("petal_shape", "heart-shaped")), (("petal_shape", "frilled"), ("background", "meadow")))
"""Pairs of attributes that never meet in a flower of `sample`."""


@dataclass(frozen=True)
class Flower(Shot):
    """Everything about one picture of a flower. Measures without a comment are factors around 1."""

    size: str
    petals: int  # 4..24, of the outer ring; of a cup in all
    petal_shape: str
    layers: int  # 1..3
    petal_colour: str
    second_colour: str  # of the gradient
    gradient: str
    pattern: str
    pattern_colour: str
    hue: float  # -1..1, how far the colours are shifted
    shade: float
    petal_width: float
    petal_rise: float  # radians, how far petals rise from the flat
    petal_curl: float  # positive curls them up
    petal_cup: float  # how their edges bend up, negative: down
    overlap: float  # how far each lies over the next
    disorder: float  # 0..1
    centre: str
    centre_colour: str
    centre_size: float
    leaves: int  # 0..3
    stem_bend: float
    view: str
    rise: float  # radians, the direction the flower faces: 0 at us, pi/2 up
    azimuth: float  # radians, positive to the picture's right
    spin: float  # radians, about its own axis
    zoom: float
    shift_x: float
    shift_y: float

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Flower":
        """What `to_dict` gave. Raises TypeError if a field is missing or unknown."""
        return cls(**values)


# flowers that one has met; what they leave open is left to chance
_KNOWN: tuple[dict[str, Any], ...] = (
    {"petals": 20, "petal_shape": "narrow", "layers": 1, "petal_colour": "white", "gradient": "none", "pattern": "plain",
     "centre": "disc", "centre_colour": "yellow"},  # daisy
    {"petals": 18, "petal_shape": "pointed", "layers": 2, "petal_colour": "yellow", "gradient": "centre",
     "second_colour": "orange", "centre": "disc", "centre_colour": "brown"},  # sunflower
    {"petals": 12, "petal_shape": "narrow", "layers": 1, "petal_colour": "yellow", "centre": "cone", "centre_colour": "brown"},
    {"petals": 14, "petal_shape": "narrow", "layers": 1, "petal_colour": "pink", "centre": "cone", "centre_colour": "orange"},
    {"petals": 6, "petal_shape": "cup", "layers": 1, "petal_colour": "red", "centre": "stamens"},  # tulip
    {"petals": 6, "petal_shape": "cup", "layers": 1, "petal_colour": "purple", "centre": "stamens", "centre_colour": "orange"},
    {"petals": 5, "petal_shape": "heart-shaped", "layers": 1, "petal_colour": "pink", "gradient": "centre",
     "second_colour": "white", "centre": "stamens", "centre_colour": "yellow"},  # primrose, cherry
    {"petals": 5, "petal_shape": "round", "layers": 1, "petal_colour": "blue", "gradient": "centre", "second_colour": "white",
     "centre": "disc", "centre_colour": "yellow"},  # forget-me-not
    {"petals": 6, "petal_shape": "pointed", "layers": 1, "petal_colour": "orange", "pattern": "spotted", "centre": "stamens",
     "centre_colour": "brown"},  # tiger lily
    {"petals": 6, "petal_shape": "pointed", "layers": 1, "petal_colour": "pink", "pattern": "striped", "gradient": "tip",
     "second_colour": "white", "centre": "stamens", "centre_colour": "yellow"},  # lily
    {"petals": 5, "petal_shape": "frilled", "layers": 1, "petal_colour": "red", "centre": "stamens",
     "centre_colour": "dark purple"},
    {"petals": 10, "petal_shape": "round", "layers": 3, "petal_colour": "pink", "centre": "fluffy", "centre_colour": "yellow"},
    {"petals": 8, "petal_shape": "frilled", "layers": 3, "petal_colour": "red", "centre": "fluffy", "centre_colour": "yellow"},
    {"petals": 16, "petal_shape": "pointed", "layers": 3, "petal_colour": "orange", "gradient": "centre",
     "second_colour": "yellow",
     "centre": "disc", "centre_colour": "green"},  # dahlia
    {"petals": 8, "petal_shape": "pointed", "layers": 2, "petal_colour": "white", "gradient": "tip", "second_colour": "pink",
     "centre": "fluffy", "centre_colour": "yellow"},  # water lily
    {"petals": 8, "petal_shape": "frilled", "layers": 1, "petal_colour": "purple", "centre": "disc", "centre_colour": "yellow"},
)


def held_out(flower: Flower) -> bool:
    """Whether the flower has one of `HELD_OUT_COMBINATIONS`."""
    return any(getattr(flower, a) == x and getattr(flower, b) == y for (a, x), (b, y) in HELD_OUT_COMBINATIONS)


def sample(seed: int) -> Flower:
    """The flower of this seed, always the same, without held-out combinations."""
    return next(flower for attempt in range(10_000) if not held_out(flower := _draw(seed, attempt)))


def sample_held_out(seed: int, which: int | None = None) -> Flower:
    """A flower of this seed that has a held-out combination: number `which` of the list, else the seeds take turns."""
    wanted = HELD_OUT_COMBINATIONS[(seed if which is None else which) % len(HELD_OUT_COMBINATIONS)]
    return _draw(seed, 0, dict(wanted))


def _draw(seed: int, attempt: int, wanted: dict[str, str] | None = None) -> Flower:
    """Any flower, with the wanted attributes if there are any."""
    c = Chance(seed, attempt, 20_28)
    fixed: dict[str, Any] = dict(wanted or {})
    if not wanted and c.often(0.32):
        fixed = dict(_KNOWN[int(c.random.integers(len(_KNOWN)))])

    shape = fixed.get("petal_shape", c.choose({"round": 1.3, "pointed": 1.3, "narrow": 1.0, "heart-shaped": 0.9, "frilled": 0.9,
                                               "cup": 0.9}))
    low, high = {"round": (5, 9), "pointed": (5, 14), "narrow": (10, 24), "heart-shaped": (4, 6), "frilled": (5, 9),
                 "cup": (6, 6)}[shape]
    petals = fixed.get("petals", int(c.random.integers(low, high + 1)))
    if shape == "round" and c.often(0.15):
        petals = fixed.get("petals", 4)
    layers = fixed.get("layers", 1 if shape in ("cup", "heart-shaped") else int(c.random.choice([1, 2, 3], p=[0.55, 0.25,
                                                                                                              0.20])))
    colour = fixed.get("petal_colour", c.even(COLOURS))
    blends = {"white": ("pink", "yellow", "lilac"), "yellow": ("orange", "red", "white"), "orange": ("yellow", "red"),
              "red": ("yellow", "orange", "pink"), "pink": ("white", "yellow", "red"), "lilac": ("white", "purple", "yellow"),
              "purple": ("white", "lilac", "yellow"), "blue": ("white", "lilac", "yellow")}[colour]
    second = fixed.get("second_colour", c.even(blends))
    gradient = fixed.get("gradient", c.choose({"none": 1.6, "centre": 1.0, "tip": 0.6}))
    pattern = fixed.get("pattern", c.choose({"plain": 3.6, "striped": 0.7, "spotted": 0.6}))
    ink = {"white": "purple", "yellow": "red", "orange": "red", "red": "black", "pink": "purple", "lilac": "purple",
           "purple": "black", "blue": "black"}[colour]
    centre = fixed.get("centre", c.choose({"cup": {"stamens": 1.0}, "narrow": {"disc": 1.6, "cone": 1.2, "fluffy": 0.5},
                                           "heart-shaped": {"disc": 0.8, "stamens": 1.2}}.get(
        shape, {"disc": 1.1, "cone": 0.5, "stamens": 1.1, "fluffy": 0.7})))
    centre_colour = fixed.get("centre_colour", c.choose({name: weight for name, weight in {
        "yellow": 2.0, "orange": 1.0, "brown": 1.0, "dark purple": 1.0, "green": 0.7, "white": 0.6}.items() if name != colour}))
    background = fixed.get("background", c.choose({"garden": 1.5, "meadow": 1.1, "sky": 0.9, "dusk": 0.5, "plain": 0.8,
                                                   "dark": 0.8}))

    view = c.choose({"front": 1.0, "angle": 1.5, "side": 0.6})
    if shape == "cup":
        view = c.choose({"angle": 0.8, "side": 1.6})
    rise = {"front": c.uniform(0.05, 0.42), "angle": c.uniform(0.50, 0.88), "side": c.uniform(0.98, 1.12)}[view]
    cup = shape == "cup"
    if cup and view == "side":
        rise = c.uniform(1.0, 1.35)
    return Flower(
        **c.shot(int(seed), background),
        size=c.choose({"small": 0.8, "medium": 1.2, "large": 1.2}),
        petals=petals, petal_shape=shape, layers=layers, petal_colour=colour, second_colour=second, gradient=gradient,
        pattern=pattern, pattern_colour=ink,
        hue=c.uniform(-1, 1), shade=c.normal(1.0, 0.08), petal_width=c.normal(1.0, 0.08),
        petal_rise=c.normal(0.20, 0.10), petal_curl=c.uniform(0.75, 1.05) if cup else c.normal(0.10, 0.22),
        petal_cup=c.normal(0.28, 0.26), overlap=c.uniform(0.10, 0.24) * c.side(), disorder=c.uniform(0.2, 1.0),
        centre=centre, centre_colour=centre_colour, centre_size=c.normal(1.0, 0.14), leaves=int(c.random.integers(0, 4)),
        stem_bend=c.normal(0, 0.35), view=view, rise=rise, azimuth=c.normal(0, 0.40), spin=c.uniform(0, 6.28),
        zoom=c.normal(1.0, 0.04), shift_x=c.normal(0, 0.4), shift_y=c.normal(0, 0.3))
