"""The birds: what one record says, and how a seed becomes one."""

from dataclasses import dataclass
from typing import Any

from gm_core.datasets.nature_studio import Chance, Shot

SHAPES = ("stubby", "slender", "long-tailed", "water bird")
SIZES = ("small", "medium", "large")
COLOURS = ("black", "white", "grey", "brown", "red", "orange", "yellow", "green", "blue", "purple")
BREAST_PATTERNS = ("plain", "spotted", "streaked")
EYE_STRIPES = ("none", "black", "white")
EYE_RINGS = ("none", "white", "yellow")
EYES = ("black", "brown", "red", "yellow")
BEAK_LENGTHS = ("short", "medium", "long")
BEAK_SHAPES = ("pointy", "conical", "hooked", "flat")
BEAK_COLOURS = ("black", "grey", "brown", "yellow", "orange", "red")
LEG_COLOURS = ("black", "grey", "brown", "yellow", "orange", "pink")
SETTINGS = ("branch", "ground", "water", "sky")
BACKGROUNDS = ("leaves", "autumn", "meadow", "sky", "dusk", "sand", "snow", "water")

HELD_OUT_COMBINATIONS: tuple[tuple[tuple[str, str], tuple[str, str]], ...] = (
    (("body", "red"), ("setting", "water")), (("body", "yellow"), ("setting", "sky")),
    (("body", "blue"), ("setting", "ground")), (("body", "green"), ("background", "autumn")),
    (("body", "orange"), ("background", "snow")), (("body", "white"), ("beak_shape", "hooked")),
    (("body", "purple"), ("beak_shape", "conical")), (("body", "blue"), ("breast", "red")),
    (("body", "black"), ("crown", "yellow")), (("shape", "slender"), ("beak_colour", "red")))
"""Pairs of attributes that never meet in a bird of `sample`."""


@dataclass(frozen=True)
class Bird(Shot):
    """Everything about one picture of a bird. Measures without a comment are factors around 1."""

    shape: str
    size: str
    # colours
    body: str
    breast: str
    belly: str
    crown: str
    cheek: str
    throat: str
    wing: str
    tail: str
    wing_bars: bool
    breast_pattern: str
    eye_stripe: str
    eye_ring: str
    eye: str
    crest: bool
    beak_length: str
    beak_shape: str
    beak_colour: str
    leg_colour: str
    hue: float  # -1..1, how far its colours are shifted
    shade: float
    # measures
    plumpness: float
    head_size: float
    eye_size: float
    neck: float  # -1..1, how far it is stretched
    tail_length: float
    tail_fork: float  # -1 pointed .. 1 forked
    tail_raise: float  # radians
    leg_length: float
    # pose
    setting: str
    yaw: float  # radians: 0 looks at us, positive to the picture's right
    pitch: float  # radians, positive lifts the breast
    turn: float  # radians, the head against the body
    nod: float  # radians, positive lowers the beak
    tilt: float  # radians, the head to its side
    roll: float  # radians, the body of a flying bird
    wing_raise: float  # radians, of a flying bird
    sunk: float  # how deep a swimming one lies
    # the shot
    elevation: float  # radians, how far from above it is seen
    zoom: float
    shift_x: float
    shift_y: float
    perch: str  # what is on the branch: bare, leaves, blossoms, berries
    perch_slope: float
    perch_depth: float
    perch_size: float

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Bird":
        """What `to_dict` gave. Raises TypeError if a field is missing or unknown."""
        return cls(**values)


# birds that one has met; what they leave open is left to chance
_KNOWN: tuple[dict[str, Any], ...] = (
    {"shape": "stubby", "body": "brown", "breast": "orange", "cheek": "orange", "throat": "orange", "belly": "white",
     "crown": "brown",
     "wing": "brown", "beak_shape": "pointy", "beak_length": "short"},  # robin
    {"shape": "stubby", "body": "green", "breast": "yellow", "belly": "yellow", "crown": "black", "cheek": "white",
     "throat": "black", "wing": "blue", "wing_bars": True, "beak_shape": "pointy", "beak_length": "short"},  # great tit
    {"shape": "stubby", "body": "blue", "breast": "yellow", "belly": "yellow", "crown": "blue", "cheek": "white",
     "throat": "yellow", "wing": "blue", "eye_stripe": "black", "wing_bars": True, "beak_shape": "pointy",
     "beak_length": "short"},  # blue tit
    {"shape": "stubby", "body": "grey", "breast": "red", "belly": "red", "crown": "black", "cheek": "red", "throat": "red",
     "wing": "black", "beak_shape": "conical", "beak_colour": "black"},  # bullfinch
    {"shape": "stubby", "body": "red", "breast": "red", "belly": "red", "crown": "red", "cheek": "red", "throat": "black",
     "wing": "red", "crest": True, "beak_shape": "conical", "beak_colour": "orange"},  # cardinal
    {"shape": "stubby", "body": "brown", "breast": "grey", "belly": "white", "crown": "brown", "cheek": "white",
     "throat": "black", "wing": "brown", "wing_bars": True, "beak_shape": "conical"},  # sparrow
    {"shape": "slender", "body": "yellow", "breast": "yellow", "belly": "yellow", "crown": "yellow", "cheek": "yellow",
     "throat": "yellow", "wing": "grey", "wing_bars": True, "beak_shape": "pointy"},  # warbler
    {"shape": "slender", "body": "yellow", "breast": "yellow", "belly": "white", "crown": "black", "cheek": "yellow",
     "throat": "yellow", "wing": "black", "tail": "black", "beak_shape": "conical", "beak_colour": "orange"},  # goldfinch
    {"shape": "slender", "body": "blue", "breast": "orange", "belly": "white", "crown": "blue", "cheek": "blue",
     "throat": "orange", "wing": "blue", "beak_shape": "pointy"},  # bluebird
    {"shape": "stubby", "body": "blue", "breast": "orange", "belly": "orange", "crown": "blue", "cheek": "orange",
     "throat": "white", "wing": "blue", "beak_shape": "pointy", "beak_length": "long"},  # kingfisher
    {"shape": "slender", "body": "black", "breast": "black", "belly": "black", "crown": "black", "cheek": "black",
     "throat": "black", "wing": "black", "beak_colour": "orange", "eye_ring": "yellow", "beak_shape": "pointy"},  # blackbird
    {"shape": "slender", "body": "brown", "breast": "white", "belly": "white", "crown": "brown", "throat": "white",
     "wing": "brown", "breast_pattern": "spotted", "beak_shape": "pointy"},  # thrush
    {"shape": "long-tailed", "body": "black", "breast": "black", "belly": "white", "crown": "black", "cheek": "black",
     "throat": "black", "wing": "blue", "tail": "black", "beak_shape": "pointy", "beak_colour": "black"},  # magpie
    {"shape": "long-tailed", "body": "grey", "breast": "yellow", "belly": "yellow", "crown": "grey", "throat": "yellow",
     "wing": "black", "tail": "black", "eye_stripe": "white", "beak_shape": "pointy"},  # wagtail
    {"shape": "long-tailed", "body": "green", "breast": "green", "belly": "yellow", "crown": "red", "wing": "green",
     "tail": "blue", "beak_shape": "hooked", "beak_colour": "red"},  # parakeet
    {"shape": "water bird", "body": "grey", "breast": "brown", "belly": "grey", "crown": "green", "cheek": "green",
     "throat": "green", "wing": "grey", "tail": "black", "beak_shape": "flat", "beak_colour": "yellow"},  # mallard
    {"shape": "water bird", "body": "brown", "breast": "brown", "belly": "brown", "crown": "brown", "wing": "brown",
     "breast_pattern": "streaked", "beak_shape": "flat", "beak_colour": "orange"},  # its mate
    {"shape": "water bird", "body": "grey", "breast": "white", "belly": "white", "crown": "white", "cheek": "white",
     "throat": "white", "wing": "grey", "tail": "white", "beak_shape": "hooked", "beak_colour": "yellow"},  # gull
    {"shape": "water bird", "body": "white", "breast": "white", "belly": "white", "crown": "white", "cheek": "white",
     "throat": "white", "wing": "white", "tail": "white", "beak_shape": "flat", "beak_colour": "orange"},  # white duck
)


def held_out(bird: Bird) -> bool:
    """Whether the bird has one of `HELD_OUT_COMBINATIONS`."""
    return any(getattr(bird, a) == x and getattr(bird, b) == y for (a, x), (b, y) in HELD_OUT_COMBINATIONS)


def sample(seed: int) -> Bird:
    """The bird of this seed, always the same, without held-out combinations."""
    return next(bird for attempt in range(10_000) if not held_out(bird := _draw(seed, attempt)))


def sample_held_out(seed: int, which: int | None = None) -> Bird:
    """A bird of this seed that has a held-out combination: number `which` of the list, else the seeds take turns."""
    wanted = HELD_OUT_COMBINATIONS[(seed if which is None else which) % len(HELD_OUT_COMBINATIONS)]
    return _draw(seed, 0, dict(wanted))


def _draw(seed: int, attempt: int, wanted: dict[str, str] | None = None) -> Bird:
    """Any bird, with the wanted attributes if there are any."""
    c = Chance(seed, attempt, 20_27)
    fixed: dict[str, Any] = dict(wanted or {})
    if not wanted and c.often(0.36):
        fixed = dict(_KNOWN[int(c.random.integers(len(_KNOWN)))])

    def trait(name: str, drawn: str) -> str:
        return fixed.get(name, drawn)

    setting = trait("setting", "")
    likely = {"stubby": 1.2, "slender": 1.0, "long-tailed": 0.9, "water bird": 0.85}
    if setting == "water":
        likely = {"water bird": 1.0}
    shape = trait("shape", c.choose(likely))
    wet = shape == "water bird"
    background = trait("background", "")
    if not setting:
        settings = {"ground": 1.0, "water": 2.2, "sky": 0.8} if wet else {"branch": 2.4, "ground": 1.1, "sky": 0.75}
        fitting = {"autumn": ("branch", "ground"), "snow": ("branch", "ground")}.get(background, tuple(settings))
        setting = c.choose({name: weight for name, weight in settings.items() if name in fitting})
    if not background:
        background = c.choose({
            "branch": {"leaves": 1.5, "autumn": 0.9, "meadow": 0.9, "sky": 0.9, "dusk": 0.6, "snow": 0.8},
            "ground": {"sand": 1.0, "meadow": 1.1, "snow": 0.8, "autumn": 0.7},
            "water": {"water": 1.5, "dusk": 0.4, "autumn": 0.25},
            "sky": {"sky": 1.6, "dusk": 0.6}}[setting])

    # colours
    body = trait("body", c.choose({"black": 0.9, "white": 0.9, "grey": 1.1, "brown": 1.2, "red": 1.1, "orange": 0.9,
                                   "yellow": 1.1,
                                   "green": 1.0, "blue": 1.3, "purple": 0.7}))

    def other(*weights: tuple[str, float]) -> str:
        return c.choose({name: weight for name, weight in weights if name != body})

    def mostly(share: float, base: str, *weights: tuple[str, float]) -> str:
        return base if c.often(share) else other(*weights)

    breast = trait("breast", mostly(0.42, body, ("white", 2.2), ("yellow", 1.3), ("orange", 1.0), ("red", 0.9), ("grey", 0.7),
                                    ("brown", 0.5), ("blue", 0.4), ("black", 0.4), ("green", 0.3), ("purple", 0.2)))
    belly = trait("belly", breast if c.often(0.55) else other(("white", 3.0), (breast, 1.0), ("yellow", 0.6), ("grey", 0.5)))
    crown = trait("crown", mostly(0.56, body, ("black", 1.4), ("red", 1.0), ("white", 0.8), ("brown", 0.7), ("yellow", 0.6),
                                  ("blue", 0.6), ("grey", 0.4), ("green", 0.3), ("orange", 0.3), ("purple", 0.2)))
    cheek = trait("cheek", c.choose({body: 3.0, crown: 0.7, "white": 0.6, breast: 0.6}))
    throat = trait("throat", c.choose({breast: 2.6, cheek: 0.8, "black": 0.3, "white": 0.4, "red": 0.2, "yellow": 0.15}))
    wing = trait("wing", mostly(0.45, body, ("black", 1.4), ("brown", 1.0), ("grey", 1.0), ("white", 0.6), ("blue", 0.7),
                                ("green", 0.4), ("yellow", 0.3), ("red", 0.3)))
    tail = trait("tail", c.choose({wing: 2.0, body: 1.5, "black": 0.5}))

    # beak
    beak_shape = trait("beak_shape", c.choose({"flat": 2.0, "pointy": 0.8, "hooked": 0.8} if wet else
                                              {"pointy": 2.2, "conical": 1.4, "hooked": 1.0}))
    beak_length = trait("beak_length", c.choose({"conical": {"short": 1.4, "medium": 0.6},
                                                 "hooked": {"short": 1.0, "medium": 1.0, "long": 0.25},
                                                 "flat": {"medium": 1.3, "long": 0.5, "short": 0.3},
                                                 "pointy": {"short": 1.2, "medium": 1.0, "long": 0.8}}[beak_shape]))
    beak_colour = trait("beak_colour", c.choose({"black": 1.6, "grey": 0.9, "brown": 0.7, "yellow": 1.2, "orange": 1.1,
                                                 "red": 0.7}))
    warm = {"yellow", "orange", "red"}
    leg_colour = ("orange" if beak_colour in warm and c.often(0.6) else
                  c.choose({"black": 1.2, "grey": 1.0, "brown": 0.9, "yellow": 0.7, "orange": 0.6, "pink": 0.5}))
    stripe = fixed.get("eye_stripe", c.choose({"none": 3.4, "black": 0.8, "white": 0.7}))
    if stripe == cheek == crown:
        stripe = "none"

    flying = setting == "sky"
    yaw = c.uniform(0.55, 1.75) * c.side() if c.often(0.85) else c.uniform(-0.55, 0.55)
    if flying:
        yaw = c.uniform(0.35, 1.2) * c.side()
    elif shape == "long-tailed":
        yaw = c.uniform(0.75, 1.8) * c.side()
    pitch = {"stubby": c.normal(0.50, 0.12), "slender": c.normal(0.46, 0.14), "long-tailed": c.normal(0.30, 0.09),
             "water bird": c.normal(0.04, 0.04)}[shape]
    if setting == "ground":
        pitch = min(pitch, {"long-tailed": 0.16, "slender": 0.36, "stubby": 0.48}.get(shape, 1.0))
    if flying:
        pitch = c.normal(0.12, 0.12)
    towards = -0.5 * yaw if abs(yaw) > 1.2 else -0.15 * yaw  # it likes to look at us
    return Bird(
        **c.shot(int(seed), background),
        shape=shape,
        size=c.choose({"small": 1.0, "medium": 1.2, "large": 1.0}),
        body=body, breast=breast, belly=belly, crown=crown, cheek=cheek, throat=throat, wing=wing, tail=tail,
        wing_bars=fixed.get("wing_bars", c.often(0.25)),
        breast_pattern=fixed.get("breast_pattern", c.choose({"plain": 4.0, "spotted": 0.8, "streaked": 0.8})
                                 if breast not in ("black", "blue") else "plain"),
        eye_stripe=stripe,
        eye_ring=fixed.get("eye_ring", c.choose({"none": 3.5, "white": 0.7, "yellow": 0.5})),
        eye=c.choose({"black": 2.2, "brown": 1.6, "red": 0.4, "yellow": 0.6}),
        crest=fixed.get("crest", c.often(0.14 if not wet else 0.04)),
        beak_length=beak_length, beak_shape=beak_shape, beak_colour=beak_colour, leg_colour=leg_colour,
        hue=c.uniform(-1, 1), shade=c.normal(1.0, 0.10),
        plumpness=c.normal(1.0, 0.055), head_size=c.normal(1.0, 0.05), eye_size=c.normal(1.0, 0.07), neck=c.uniform(-1, 1),
        tail_length=c.normal(1.0, 0.10), tail_fork=c.uniform(-1, 1), tail_raise=c.normal(0.05, 0.13), leg_length=c.normal(1.0,
                                                                                                                          0.12),
        setting=setting, yaw=yaw, pitch=pitch, turn=towards + c.normal(0, 0.26), nod=c.normal(0.02, 0.12),
                tilt=c.normal(0, 0.10),
        roll=c.uniform(0.25, 0.75) * (1 if yaw > 0 else -1) if flying else 0.0, wing_raise=c.uniform(0.05, 0.5),
                sunk=c.uniform(0.0, 1.0),
        elevation=c.uniform(0.02, 0.16) if setting == "branch" else c.uniform(0.09, 0.19) if not flying else c.uniform(0.12,
                                                                                                                       0.42),
        zoom=c.normal(1.0, 0.04), shift_x=c.normal(0, 0.35), shift_y=c.normal(0, 0.3),
        perch=c.choose({"autumn": {"leaves": 2.0, "berries": 1.0, "bare": 0.8}, "snow": {"bare": 1.5, "berries": 1.5},
                        "sky": {"bare": 1.0, "leaves": 1.0, "blossoms": 1.4}}.get(
                            background, {"leaves": 2.2, "blossoms": 0.9, "berries": 0.5, "bare": 0.7})),
        perch_slope=c.normal(0.0, 0.10), perch_depth=c.uniform(0.1, 0.45), perch_size=c.uniform(0.075, 0.15))


