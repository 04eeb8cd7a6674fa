"""Who is portrayed: the record of a portrait, and how a crowd of likely people is drawn from seeds."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

SEXES = ("woman", "man")
HAIR_STYLES = ("bald", "balding", "buzz", "crop", "side part", "quiff", "slicked back", "short curls", "afro", "pixie", "bob",
               "fringe bob", "long fringe", "long straight", "long wavy", "long curls", "ponytail", "bun", "two buns", "braids")
HAIR_COLOURS = ("black", "dark brown", "brown", "chestnut", "auburn", "ginger", "dark blond", "blond", "pink", "blue")
IRISES = ("dark", "brown", "hazel", "green", "blue", "grey")
EXPRESSIONS = ("serious", "neutral", "smile", "grin", "laugh", "surprised")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")
GLASSES = ("none", "round", "square", "cat-eye", "aviator", "sunglasses")
HATS = ("none", "beanie", "cap", "sun hat", "beret", "headscarf")
EARRINGS = ("none", "stud", "hoop", "pearl")
NECKLINES = ("crew", "v-neck", "scoop", "turtleneck", "shirt", "hoodie", "jacket")
PATTERNS = ("plain", "stripes", "dots", "check", "knit")
CLOTHES_COLOURS = ("red", "coral", "orange", "mustard", "olive", "green", "teal", "sky blue", "navy", "purple", "pink", "cream",
                   "grey", "charcoal", "brown")
LIPSTICKS = ("rose", "red", "berry", "coral", "plum")
BACKGROUNDS = ("studio", "gradient", "lights", "garden", "room")
BACKGROUND_COLOURS = ("grey", "sand", "peach", "rose", "lilac", "blue", "teal", "sage", "mustard", "terracotta", "plum",
                      "night blue")


@dataclass(frozen=True)
class Portrait:
    """Everything about one picture. Lengths are in head units (a head is about two units high) or relative to the mean."""

    seed: int  # of the grain, the background's shapes and the small irregularities
    # the person
    sex: str
    masculinity: float  # 0..1: brow, jaw, neck and shoulders
    age: float  # years, 18..85
    skin_tone: int  # 1..10 on the Monk scale
    undertone: float  # -1 cool .. 1 warm
    blush: float  # 0..1
    freckles: float  # 0..1
    # the head
    face_width: float  # around 1, as are the others without a sign in their comment
    head_height: float
    jaw_width: float
    chin_length: float  # -0.08 .. 0.08
    chin_width: float
    cheeks: float  # -0.04 .. 0.06
    ear_size: float
    ear_angle: float  # 0..1, how far they stand out
    nose_width: float
    nose_length: float  # -0.06 .. 0.08
    nose_bridge: float  # -0.04 .. 0.05
    nose_upturn: float  # -1 .. 1
    nose_size: float
    eye_size: float
    eye_spacing: float
    eye_tilt: float  # radians, positive lifts the outer corners
    eye_openness: float
    iris: str
    lips: float
    mouth_width: float
    lipstick: float  # 0..1
    lipstick_colour: str
    brow_thickness: float
    brow_height: float  # -0.05 .. 0.05
    brow_angle: float  # positive lifts the outer ends
    # the expression
    expression: str
    smile: float  # -0.3 .. 1
    mouth_open: float  # 0..1
    brow_raise: float  # -1 .. 1
    gaze_x: float  # -1 .. 1, to the right
    gaze_y: float
    # hair
    hair_style: str
    hair_colour: str
    greyness: float  # 0..1
    hair_volume: float
    hair_length: float  # -1 .. 1 within the style
    hair_wave: float  # 0..1
    parting: float  # -1 .. 1, where it is
    hairline: float  # 0 low .. 1 receding
    widows_peak: float  # 0..1
    beard: str
    beard_length: float
    # what is worn
    glasses: str
    glasses_colour: str
    hat: str
    hat_colour: str
    earrings: str
    neckline: str
    pattern: str
    clothes_colour: str
    second_colour: str
    # the shot
    yaw: float  # radians, positive turns the nose to the picture's right
    pitch: float  # positive lowers it
    roll: float  # positive tilts the head to the picture's left
    zoom: float
    key_azimuth: float  # radians, positive: from the right
    key_elevation: float
    key_strength: float
    key_warmth: float  # -1 .. 1
    fill: float
    rim: float  # 0..1
    rim_side: float  # -1 left, 1 right
    rim_warmth: float  # -1 .. 1
    background: str
    background_colour: str
    background_angle: float
    background_brightness: float  # 0..1
    grain: float  # 0..1

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Portrait":
        """What `to_dict` gave. Raises TypeError if a field is missing or unknown."""
        return cls(**values)

    def mirrored(self) -> "Portrait":
        """The person whose picture is this one's mirror image, but for what the seed strews: lights, leaves, grain."""
        return dataclasses.replace(
            self, yaw=-self.yaw, roll=-self.roll, gaze_x=-self.gaze_x, parting=-self.parting, key_azimuth=-self.key_azimuth,
            rim_side=-self.rim_side, background_angle=(math.pi - self.background_angle) % (2 * math.pi))


# how likely the hair styles are
_MEN_YOUNG = {"buzz": 1.6, "crop": 3, "side part": 3, "quiff": 2.4, "slicked back": 1.0, "short curls": 2.2, "afro": 1.0,
              "long wavy": 0.5, "bald": 0.5, "bun": 0.5, "braids": 0.1, "long straight": 0.2, "pixie": 0.8}
_MEN_OLD = {"buzz": 1.6, "crop": 3, "side part": 3.2, "slicked back": 1.6, "short curls": 1.6, "bald": 1.8, "balding": 3.2,
            "afro": 0.5, "quiff": 0.6, "long wavy": 0.2}
_WOMEN_YOUNG = {"long straight": 2.4, "long wavy": 2.8, "long curls": 2.0, "bob": 2.0, "fringe bob": 1.4, "long fringe": 1.2,
                "two buns": 0.8, "ponytail": 2.0, "bun": 1.8,
                "braids": 1.5, "pixie": 1.2, "afro": 1.3, "short curls": 1.2, "buzz": 0.25, "side part": 0.2, "bald": 0.1}
_WOMEN_OLD = {"bob": 2.8, "fringe bob": 1.6, "pixie": 2.4, "short curls": 2.8, "bun": 2.6, "long wavy": 1.0,
              "long straight": 0.8,
              "ponytail": 0.7, "long curls": 0.7, "afro": 0.6, "braids": 0.25, "crop": 0.4}
_COILY = {"afro": 3.0, "long curls": 1.5, "short curls": 1.8, "braids": 2.2, "buzz": 2.0, "bald": 1.5, "long straight": 0.35,
          "long fringe": 0.3, "two buns": 1.6,
          "fringe bob": 0.35, "quiff": 0.25, "side part": 0.3, "pixie": 0.5, "slicked back": 0.5, "crop": 1.2, "long wavy": 0.6}
_STRAIGHT = {"afro": 0.08, "long curls": 0.6, "short curls": 0.8, "braids": 0.8}
_WITH_HAT = {
    "beanie": {"crop", "side part", "short curls", "bob", "fringe bob", "long straight", "long fringe", "long wavy",
               "long curls", "buzz", "bald",
               "pixie", "balding", "braids"},
    "cap": {"crop", "buzz", "side part", "ponytail", "long straight", "long wavy", "bald", "balding", "braids", "pixie"},
    "sun hat": {"long straight", "long wavy", "long curls", "bob", "ponytail", "crop", "side part", "balding", "braids"},
    "beret": {"bob", "fringe bob", "long straight", "long fringe", "long wavy", "pixie", "crop", "side part", "balding"},
}


def sample(seed: int) -> Portrait:
    """The person of this seed, always the same. What goes with what is likely, little is impossible."""
    random = np.random.default_rng([seed, 20_26])

    def uniform(low: float, high: float) -> float:
        return float(random.uniform(low, high))

    def normal(mean: float, deviation: float) -> float:
        """Within two deviations, so that nobody is grotesque."""
        return mean + deviation * float(np.clip(random.normal(), -2, 2))

    def chance(probability: float) -> bool:
        return bool(random.random() < probability)

    def choose(weights: dict[str, float]) -> str:
        names = list(weights)
        share = np.array([weights[name] for name in names], float)
        return names[int(random.choice(len(names), p=share / share.sum()))]

    def even(names: tuple[str, ...]) -> str:
        return names[int(random.integers(len(names)))]

    sex = even(SEXES)
    man = sex == "man"
    masculinity = uniform(0.62, 1.0) if man else uniform(0.0, 0.34)
    age = 18 + 67 * uniform(0, 1) ** 1.25
    old = float(np.clip((age - 45) / 30, 0, 1))
    tone = int(random.integers(1, 11))
    dark = float(np.clip((tone - 5) / 3, 0, 1))

    # hair
    young, elder = (_MEN_YOUNG, _MEN_OLD) if man else (_WOMEN_YOUNG, _WOMEN_OLD)
    weights = {style: (1 - old) * young.get(style, 0.0) + old * elder.get(style, 0.0) for style in HAIR_STYLES}
    coily = chance(0.08 + 0.82 * dark)
    for style, factor in (_COILY if coily else _STRAIGHT).items():
        weights[style] *= factor
    style = choose(weights)
    if tone <= 3:
        colours = {"black": 0.6, "dark brown": 1.4, "brown": 1.8, "chestnut": 1.3, "auburn": 1.1, "ginger": 1.4,
                   "dark blond": 1.5,
                   "blond": 1.9}
    elif tone <= 6:
        colours = {"black": 3.0, "dark brown": 2.6, "brown": 1.6, "chestnut": 0.9, "auburn": 0.5, "ginger": 0.1,
                   "dark blond": 0.5,
                   "blond": 0.25}
    else:
        colours = {"black": 4.5, "dark brown": 2.4, "brown": 0.6, "chestnut": 0.3, "auburn": 0.2, "dark blond": 0.1,
                   "blond": 0.12}
    if age < 40:
        colours |= {"pink": 0.18, "blue": 0.14}
    hair_colour = choose(colours)
    greyness = float(np.clip((age - 49) / 25 + normal(0, 0.22), 0, 1))
    if not man and chance(0.4):
        greyness *= 0.25  # dyed
    if hair_colour in ("pink", "blue"):
        greyness = 0.0
    receding = float(np.clip((0.12 + 0.75 * old) * uniform(0, 1) + 0.1, 0, 1)) if man else uniform(0.0, 0.25)

    hat = "none"
    if chance(0.16):
        hat = choose({"beanie": 1.2, "cap": 1.1 if age < 60 else 0.6, "sun hat": 0.4 if man else 0.9,
                      "beret": 0.4 if man else 0.9,
                      "headscarf": 0.0 if man else 1.0})
        if hat != "headscarf" and style not in _WITH_HAT[hat]:
            hat = "none"

    beard = "none"
    if man and age > 20:
        beard = choose({"none": 5.0, "stubble": 2.2, "moustache": 0.8 + 0.5 * old, "goatee": 1.0, "full": 2.2})
    glasses = "none"
    if chance(0.24 + 0.2 * old):
        glasses = choose({"round": 1.4, "square": 1.5, "cat-eye": 0.1 if man else 0.9, "aviator": 0.7, "sunglasses": 0.35})
    earrings = "none"
    if chance(0.07 if man else 0.6):
        earrings = "stud" if man else choose({"stud": 1.0, "hoop": 1.2, "pearl": 1.0 + old})

    # expression
    expression = choose({"serious": 0.5, "neutral": 1.4, "smile": 3.6, "grin": 2.6, "laugh": 1.2, "surprised": 0.4})
    smile = {"serious": uniform(-0.22, -0.05), "neutral": uniform(0.10, 0.30), "smile": uniform(0.35, 0.75),
             "grin": uniform(0.6, 0.95), "laugh": uniform(0.8, 1.0), "surprised": uniform(0.0, 0.25)}[expression]
    mouth_open = {"grin": uniform(0.22, 0.38), "laugh": uniform(0.6, 0.95), "surprised": uniform(0.5, 0.8)}.get(expression, 0.0)
    brow_raise = {"serious": uniform(-0.7, -0.2), "laugh": uniform(0.1, 0.7), "surprised": uniform(0.75, 1.0)}.get(
        expression, normal(0.05, 0.28))
    yaw, pitch = normal(0, 0.26), normal(0.02, 0.075)

    # clothes and surroundings that go together
    background = choose({"studio": 2.0, "gradient": 2.2, "lights": 1.7, "garden": 1.8, "room": 1.8})
    background_colour = even(BACKGROUND_COLOURS)
    alike = {"grey": "grey", "sand": "cream", "peach": "coral", "rose": "pink", "lilac": "purple", "blue": "sky blue",
             "teal": "teal", "sage": "green", "mustard": "mustard", "terracotta": "orange", "plum": "purple",
             "night blue": "navy"}
    clothes_colour = even(tuple(c for c in CLOTHES_COLOURS if c != alike[background_colour]))
    second_colour = choose({"cream": 3.0, "navy": 1.0, "charcoal": 1.0, "sky blue": 0.6, "coral": 0.6, "mustard": 0.6})
    if second_colour == clothes_colour:
        second_colour = "grey"
    neckline = choose({"crew": 2.2, "v-neck": 1.2, "scoop": 0.3 if man else 1.6, "turtleneck": 1.4,
                       "shirt": 2.0 if man else 1.3,
                       "hoodie": 1.3 * (1 - 0.8 * old) + 0.1, "jacket": 1.3})
    pattern = "knit" if neckline == "turtleneck" and chance(0.6) else choose(
        {"plain": 3.0, "stripes": 1.5, "dots": 0.9, "check": 1.0, "knit": 0.8})
    if neckline in ("jacket", "hoodie") and pattern in ("dots", "knit"):
        pattern = "plain"

    return Portrait(
        seed=int(seed),
        sex=sex,
        masculinity=masculinity,
        age=age,
        skin_tone=tone,
        undertone=normal(0, 0.5),
        blush=float(np.clip(normal(0.45 if man else 0.62, 0.2), 0, 1)),
        freckles=uniform(0.35, 1.0) if tone <= 6 and chance(0.5 if hair_colour in ("ginger", "auburn") else 0.13) else 0.0,
        face_width=normal(1.0 + 0.015 * masculinity, 0.055),
        head_height=normal(1.0, 0.03),
        jaw_width=normal(0.92 + 0.16 * masculinity, 0.075),
        chin_length=normal(0.018 * (2 * masculinity - 1), 0.036),
        chin_width=normal(0.92 + 0.26 * masculinity, 0.10),
        cheeks=normal(0.008, 0.022),
        ear_size=normal(1.0 + 0.12 * old, 0.09),
        ear_angle=float(np.clip(normal(0.4, 0.3), 0, 1)),
        nose_width=normal(1.0 + 0.12 * dark, 0.13),
        nose_length=normal(0.008 + 0.015 * old, 0.028),
        nose_bridge=normal(-0.008 * dark, 0.02),
        nose_upturn=normal(0.15 - 0.3 * masculinity + 0.05, 0.4),
        nose_size=normal(0.93 + 0.12 * masculinity + 0.06 * old, 0.085),
        eye_size=normal(1.12 - 0.09 * masculinity, 0.045),
        eye_spacing=normal(1.0, 0.045),
        eye_tilt=normal(0.05, 0.07),
        eye_openness=normal(1.05 - 0.12 * masculinity - 0.1 * old, 0.08),
        iris=choose({"dark": 0.3, "brown": 1.6, "hazel": 1.1, "green": 1.0, "blue": 1.5, "grey": 0.7} if tone <= 4 else
                    {"dark": 2.4, "brown": 2.0, "hazel": 0.6, "green": 0.2, "blue": 0.06, "grey": 0.05}),
        lips=normal(1.06 - 0.16 * masculinity + 0.14 * dark - 0.1 * old, 0.1),
        mouth_width=normal(1.0, 0.075),
        lipstick=uniform(0.35, 1.0) if not man and chance(0.5) else 0.0,
        lipstick_colour=even(LIPSTICKS),
        brow_thickness=normal(0.86 + 0.42 * masculinity, 0.14),
        brow_height=normal(0.012 - 0.03 * masculinity, 0.013),
        brow_angle=normal(-0.005, 0.035),
        expression=expression,
        smile=smile,
        mouth_open=mouth_open,
        brow_raise=brow_raise,
        gaze_x=normal(0, 0.3),
        gaze_y=normal(0, 0.2),
        hair_style=style,
        hair_colour=hair_colour,
        greyness=greyness,
        hair_volume=normal(1.0, 0.15),
        hair_length=uniform(-1, 1),
        hair_wave=uniform(0, 1),
        parting=uniform(0.4, 1.0) * (1 if chance(0.5) else -1),
        hairline=receding,
        widows_peak=uniform(0.3, 1.0) if chance(0.3) else 0.0,
        beard=beard,
        beard_length=normal(1.0, 0.22),
        glasses=glasses,
        glasses_colour=choose({"black": 2.0, "tortoise": 1.2, "gold": 1.0, "silver": 0.8, "wine": 0.5, "blue": 0.4}),
        hat=hat,
        hat_colour=even(tuple(c for c in CLOTHES_COLOURS if c != alike[background_colour])),
        earrings=earrings,
        neckline=neckline,
        pattern=pattern,
        clothes_colour=clothes_colour,
        second_colour=second_colour,
        yaw=yaw,
        pitch=pitch,
        roll=normal(0, 0.055),
        zoom=normal(1.0, 0.03),
        key_azimuth=uniform(0.25, 0.95) * (1 if chance(0.5) else -1),
        key_elevation=uniform(0.3, 0.75),
        key_strength=normal(1.0, 0.07),
        key_warmth=normal(0.25, 0.4),
        fill=uniform(0.75, 1.25),
        rim=uniform(0.3, 1.0),
        rim_side=1.0 if chance(0.5) else -1.0,
        rim_warmth=uniform(-1, 1),
        background=background,
        background_colour=background_colour,
        background_angle=uniform(0, 6.28),
        background_brightness=uniform(0, 1),
        grain=uniform(0.3, 1.0),
    )
