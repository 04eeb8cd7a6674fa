"""Portraits in words and numbers: a sentence about one, and the vector that a network is conditioned on."""

import math

import numpy as np

from gm_core.datasets.portrait_people import BACKGROUNDS, BEARDS, HAIR_STYLES, Portrait

_DARKNESS = {"black": 1.0, "dark brown": 0.75, "brown": 0.45, "chestnut": 0.3, "auburn": 0.1, "ginger": -0.2,
             "dark blond": -0.3,
             "blond": -0.9, "pink": -0.5, "blue": 0.0}
_REDNESS = {"chestnut": 0.3, "auburn": 0.8, "ginger": 1.0, "pink": 0.5, "blue": -1.0}
_LENGTH = {"bald": -1.0, "balding": -0.9, "buzz": -0.85, "crop": -0.6, "side part": -0.5, "quiff": -0.45, "slicked back": -0.45,
           "short curls": -0.3, "afro": 0.0, "pixie": -0.4, "bob": 0.2, "fringe bob": 0.2, "ponytail": 0.5, "bun": 0.4,
           "braids": 0.8,
           "long straight": 1.0, "long fringe": 1.0, "two buns": 0.3, "long wavy": 1.0, "long curls": 0.9}
_HUES = {"red": 0, "coral": 15, "orange": 30, "mustard": 48, "olive": 65, "green": 135, "teal": 180, "sky blue": 208,
         "navy": 225,
         "purple": 275, "pink": 340, "cream": 45, "grey": None, "charcoal": None, "brown": 28,
         "sand": 38, "peach": 20, "rose": 355, "lilac": 260, "blue": 215, "sage": 105, "terracotta": 15, "plum": 305,
         "night blue": 228}
"""Degrees of the clothes' and backdrops' colours; greys have none."""

ATTRIBUTES: tuple[str, ...] = (
    "woman", "age", "skin tone", "smile", "mouth open", "brow raise", "yaw", "pitch", "roll", "gaze right",
    "face width", "jaw width", "chin length", "cheeks", "nose width", "eye size", "lips",
    "lipstick", "brow thickness", "eyes: dark", "eyes: blue", "eyes: green", "freckles",
    "hair length", "hair darkness", "hair redness", "grey hair", "hairline",
    *(f"hair: {style}" for style in HAIR_STYLES),
    *(f"beard: {kind}" for kind in BEARDS[1:]),
    "glasses", "sunglasses", "hat", "headscarf", "earrings",
    "clothes: light", "clothes: red-cyan", "clothes: yellow-blue", "collar",
    "light from right", "light from above", "warm light",
    *(f"background: {kind}" for kind in BACKGROUNDS), "background: light", "background: red-cyan", "background: yellow-blue",
)
"""What the numbers of `attributes` mean."""


def attributes(p: Portrait) -> np.ndarray:
    """(len(ATTRIBUTES),) float32, each roughly in -1..1: yes is 1 and no is -1, measures are centred and scaled."""
    def centred(value: float, mean: float, spread: float) -> float:
        """About -1..1 over what `sample` draws."""
        return float(np.clip((value - mean) / spread, -1.5, 1.5))

    def yes(condition: bool) -> float:
        return 1.0 if condition else -1.0

    def hue(colour: str) -> tuple[float, float]:
        degrees = _HUES[colour]
        return (0.0, 0.0) if degrees is None else (math.cos(math.radians(degrees)), math.cos(math.radians(degrees - 60)))

    light = {"cream": 1.0, "pink": 0.6, "sky blue": 0.5, "mustard": 0.4, "coral": 0.2, "orange": 0.3, "peach": 0.6, "sand": 0.7,
             "red": -0.3, "grey": 0.0, "olive": -0.4, "green": -0.4, "teal": -0.4, "purple": -0.5, "brown": -0.6, "navy": -0.9,
             "charcoal": -0.9, "rose": 0.1, "lilac": 0.2, "blue": -0.1, "sage": 0.1, "terracotta": -0.2, "plum": -0.8,
             "night blue": -1.0}
    values = {
        "woman": yes(p.sex == "woman"), "age": centred(p.age, 51.5, 33.5), "skin tone": (p.skin_tone - 5.5) / 4.5,
        "smile": centred(p.smile, 0.4, 0.6), "mouth open": 2 * p.mouth_open - 1, "brow raise": p.brow_raise,
        "yaw": centred(p.yaw, 0, 0.5), "pitch": centred(p.pitch, 0.02, 0.15), "roll": centred(p.roll, 0, 0.11),
        "gaze right": centred(p.gaze_x, 0, 0.6),
        "face width": centred(p.face_width, 1, 0.11), "jaw width": centred(p.jaw_width, 1, 0.2),
        "chin length": centred(p.chin_length, 0, 0.08), "cheeks": centred(p.cheeks, 0.008, 0.045),
        "nose width": centred(p.nose_width, 1.04, 0.28),
        "eye size": centred(p.eye_size, 1.01, 0.12),
        "lips": centred(p.lips, 1.0, 0.25), "lipstick": 2 * p.lipstick - 1,
        "brow thickness": centred(p.brow_thickness, 1.08, 0.45),
        "eyes: dark": yes(p.iris in ("dark", "brown")), "eyes: blue": yes(p.iris in ("blue", "grey")),
        "eyes: green": yes(p.iris in ("green", "hazel")), "freckles": 2 * p.freckles - 1,
        "hair length": _LENGTH[p.hair_style], "hair darkness": (1 - p.greyness) * _DARKNESS[p.hair_colour] - p.greyness * 0.8,
        "hair redness": (1 - p.greyness) * _REDNESS.get(p.hair_colour, 0.0), "grey hair": 2 * p.greyness - 1,
        "hairline": 2 * p.hairline - 1,
        "glasses": yes(p.glasses != "none"), "sunglasses": yes(p.glasses == "sunglasses"), "hat": yes(p.hat != "none"),
        "headscarf": yes(p.hat == "headscarf"), "earrings": yes(p.earrings != "none"),
        "clothes: light": light[p.clothes_colour], "collar": yes(p.neckline in ("shirt", "jacket", "turtleneck", "hoodie")),
        "light from right": p.key_azimuth, "light from above": centred(p.key_elevation, 0.525, 0.225),
        "warm light": p.key_warmth, "background: light": light[p.background_colour],
    }
    values |= {f"hair: {style}": yes(p.hair_style == style) for style in HAIR_STYLES}
    values |= {f"beard: {kind}": yes(p.beard == kind) for kind in BEARDS[1:]}
    values |= {f"background: {kind}": yes(p.background == kind) for kind in BACKGROUNDS}
    for what, colour in (("clothes", p.clothes_colour), ("background", p.background_colour)):
        values[f"{what}: red-cyan"], values[f"{what}: yellow-blue"] = hue(colour)
    return np.array([values[name] for name in ATTRIBUTES], np.float32)


HAIR_WORDS = {
    "bald": ("a bald head", "no hair at all"), "balding": ("a ring of {c} hair", "thinning {c} hair"),
    "buzz": ("a {c} buzz cut", "very short {c} hair"), "crop": ("short {c} hair", "cropped {c} hair"),
    "side part": ("{c} hair parted at the side", "neat {c} hair with a side parting"),
    "quiff": ("a {c} quiff", "{c} hair swept up"), "slicked back": ("slicked-back {c} hair", "{c} hair combed back"),
    "short curls": ("short {c} curls", "curly {c} hair"), "afro": ("a {c} afro", "a round {c} afro"),
    "pixie": ("a {c} pixie cut", "short {c} hair with a side-swept fringe"), "bob": ("a {c} bob", "chin-length {c} hair"),
    "fringe bob": ("a {c} bob with a fringe", "{c} hair with bangs"),
    "long fringe": ("long {c} hair with a fringe", "long {c} hair with bangs"),
    "two buns": ("two {c} buns", "{c} hair in two buns"),
    "long straight": ("long straight {c} hair", "long {c} hair"), "long wavy": ("long wavy {c} hair", "long {c} waves"),
    "long curls": ("long {c} curls", "long curly {c} hair"), "ponytail": ("a {c} ponytail", "{c} hair in a ponytail"),
    "bun": ("a {c} bun", "{c} hair tied up in a bun"), "braids": ("{c} braids", "two {c} braids"),
}
BACKGROUND_WORDS = {
    "studio": ("in front of a {c} backdrop", "against a plain {c} wall", "in a {c} studio"),
    "gradient": ("against a {c} gradient", "in front of a softly shaded {c} background"),
    "lights": ("in front of blurred lights", "with blurred city lights behind", "before glowing lights at night"),
    "garden": ("in a garden", "in front of a blurred garden", "with blurred greenery behind"),
    "room": ("in a {c} room", "indoors, in a {c} living room", "in front of a blurred bookshelf"),
}


def caption(p: Portrait, seed: int = 0) -> str:
    """A sentence about the portrait. It names who it is, and most of what is seen; another seed says it in other words.

    What stands out (glasses, a hat, a beard) is always named; hair, clothes and surroundings sometimes are not.
    """
    random = np.random.default_rng([seed, p.seed, 5])

    def pick(*words: str) -> str:
        return words[int(random.integers(len(words)))]

    def chance(probability: float) -> bool:
        return bool(random.random() < probability)

    if p.age < 30:
        age = "young"
    elif p.age < 60:
        age = pick("middle-aged", "") if p.age > 42 else ""
    else:
        age = pick("elderly", "old") if p.age > 68 else pick("older", "elderly")
    mood = {"serious": pick("serious", "stern"), "neutral": pick("calm", "", ""), "smile": pick("smiling", "friendly"),
            "grin": pick("grinning", "smiling", "cheerful"), "laugh": pick("laughing", "merry"),
            "surprised": pick("surprised", "astonished")}[p.expression]
    colour = pick("white", "silver") if p.greyness > 0.75 else pick("grey", "greying") if p.greyness > 0.4 else p.hair_colour
    features: list[str] = []
    if p.hat != "headscarf" and chance(0.92):
        features.append(pick(*HAIR_WORDS[p.hair_style]).format(c=colour))
    if p.glasses != "none":
        features.append({"sunglasses": pick("sunglasses", "dark glasses"), "cat-eye": pick("cat-eye glasses", "glasses"),
                         "aviator": pick("aviator glasses", "thin-rimmed glasses", "glasses"),
                         "round": pick("round glasses", "round glasses", "glasses"),
                         "square": pick("square glasses", "glasses")}[p.glasses])
    if p.beard != "none":
        features.append({"stubble": pick("stubble", "a stubbly beard"), "moustache": "a moustache", "goatee": "a goatee",
                         "full": pick("a full beard", "a beard", "a bushy beard")}[p.beard])
    if p.freckles > 0.3 and chance(0.7):
        features.append("freckles")
    if p.earrings != "none" and p.hat != "headscarf" and chance(0.6):
        features.append({"stud": "small earrings", "hoop": "hoop earrings", "pearl": "pearl earrings"}[p.earrings])
    if p.iris in ("blue", "green") and p.glasses != "sunglasses" and chance(0.35):
        features.append(f"{p.iris} eyes")
    random.shuffle(features)

    wearing: list[str] = []
    if p.hat != "none":
        wearing.append(f"a {p.hat}" if p.hat == "sun hat" else f"a {p.hat_colour} {p.hat}")
    if chance(0.55):
        garment = {"crew": pick("T-shirt", "sweater"), "v-neck": "V-neck", "scoop": "top", "turtleneck": "turtleneck",
                   "shirt": "shirt",
                   "hoodie": "hoodie", "jacket": "jacket"}[p.neckline]
        pattern = {"stripes": "striped ", "dots": "dotted ", "check": "checked ", "knit": "knitted "}.get(p.pattern, "")
        wearing.append(f"a {pattern}{p.clothes_colour} {garment}")

    parts: list[str] = []
    if features:
        parts.append("with " + _listed(features))
    if wearing:
        parts.append(pick("wearing ", "in ") + _listed(wearing))
    if len(parts) == 2 and chance(0.3):
        parts.reverse()
    noun = " ".join(word for word in (mood, age, p.sex) if word)
    text = f"{_article(noun)} {noun}" if chance(0.75) else pick("Portrait of ", "A portrait of ", "A picture of ") + (
        f"{_article(noun).lower()} {noun}")
    text += "".join((" " if i == 0 else ", ") + _articles(part) for i, part in enumerate(parts))
    if chance(0.7):
        text += ", " + _articles(pick(*BACKGROUND_WORDS[p.background]).format(c=p.background_colour))
    return text + "."


def _listed(words: list[str]) -> str:
    """One, two and three."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _article(noun: str) -> str:
    return "An" if noun[0] in "aeiou" else "A"


def _articles(text: str) -> str:
    """Every "a" before a vowel becomes "an"."""
    words = text.split(" ")
    pairs = zip(words, [*words[1:], "."], strict=True)
    return " ".join("an" if word == "a" and after[:1] in "aeiouAEIOU" else word for word, after in pairs)
