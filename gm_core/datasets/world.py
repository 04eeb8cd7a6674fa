"""One world of three families, birds, flowers and portraits, behind one interface: what the text-to-image network learns from.

`sample(seed)` gives a record of some family, `render` pictures and label maps, `caption` a sentence, `named` the attributes.
Seeds from 0 are for training; those from `HELD_OUT` on are for tests. No record of `sample` has one of
`HELD_OUT_COMBINATIONS`; those of `sample_held_out` do, to measure whether a network composes what it never saw together.

    python -m gm_core.datasets.world --sheet world.webp --count 40 --family birds
    python -m gm_core.datasets.world --write runs/world --count 20000 --start 0 --side 128
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from gm_core.datasets import birds, drawn_sets, flowers, nature_studio, portrait_people, portrait_words, portraits
from gm_core.datasets.birds import Bird
from gm_core.datasets.flowers import Flower
from gm_core.datasets.portraits import HELD_OUT, Portrait, Rendered

__all__ = ["ATTRIBUTES", "FAMILIES", "HELD_OUT", "HELD_OUT_COMBINATIONS", "LABELS", "SIDE", "VOCABULARY", "Record", "Rendered",
           "boxes", "caption", "captioned", "family", "from_dict", "held_out", "named", "render", "sample", "sample_held_out",
           "sample_of", "write"]

Record = Bird | Flower | Portrait

FAMILIES = ("birds", "flowers", "portraits")
SHARES = (0.4, 0.3, 0.3)
SIDE = 128

LABELS = ("background", *(f"bird: {name}" for name in birds.LABELS[1:]), *(f"flower: {name}" for name in flowers.LABELS[1:]),
          *(f"portrait: {name}" for name in portraits.LABELS[1:]))
"""The labels of all families; 0 is every background."""

HELD_OUT_COMBINATIONS: tuple[tuple[str, tuple[str, str], tuple[str, str]], ...] = (
    *(("birds", one, two) for one, two in birds.HELD_OUT_COMBINATIONS),
    *(("flowers", one, two) for one, two in flowers.HELD_OUT_COMBINATIONS))
"""Family and pair of (attribute, value) that `sample` never gives together. Portraits have none."""

VOCABULARY = frozenset("""
    a above afro against all among an and angle anthers are around astonished at auburn autumn aviator back backdrop
    background bald bangs bare bars beach beak beanie beard before behind belly beret berries big bill bird black blond
    blossoming blossoms blue blurred bob body bookshelf braids branch breast broad brown bun buns bushy buzz calm cap
    cat-eye center centre charcoal checked cheeks cheerful chest chestnut chin-length chubby city clouds color colour
    combed cone cone-shaped conical coral cream crest crimson cropped crown cup-shaped cupped curls curly curved cut dark
    day disc dome dots dotted duck dusk earrings edges eight elderly evening eye eyebrow eyes facing fade fallen feathers
    feet few five flat flight floating floor flower flowers fluffy flying forest four freckles friendly frilled fringe from
    front full fuzzy garden ginger glasses gliding glowing goatee golden gradient grass gray green greenery grey greying
    grinning ground hair has hat head headscarf heart-shaped hoodie hooked hoop in indoors inside is it its jacket knitted
    lake landscape large laughing lavender layered layers leafy leaves legs light lights lilac lines little living long
    long-tailed lot lots man many mask meadow medium-sized merry middle middle-aged moustache mustard narrow navy near neat
    night no notched of old older olive on orange other oval parted parting peach pearl perched perching petals photo
    picture pink pixie plain plum plumage plump pointed pointy pond ponytail portrait profile purple quiff raised red ring
    room rose rosy round rounded ruffled sage sand sandy scarlet seabird seen serious seven several shaded sharp shirt
    short side side-swept silver sitting six sky slender slicked-back slim small smiling snow snowy softly speckled spots
    spotted spread square stamen stamens standing star-shaped stem stern straight streaked stripe striped stripes stubble
    stubbly stubby studio sun sunglasses sunset surprised sweater swept swimming t-shirt tail teal terracotta that the
    thick thin thin-rimmed thinning this three throat through tied tiny tips to top touch towards tuft tulip turtleneck
    twig two under up us v-neck very violet wall water waves wavy wearing white wide wing wings winter with woman yellow
    young
""".split())  # noqa: SIM905
"""Every word that `caption` can say, in lower case, without full stops and commas."""

# --- portraits as the world sees them: fewer, plainer attributes --------------------------------------------------------

_HAIR = {"bald": "bald", "balding": "bald", "buzz": "short", "crop": "short", "side part": "short", "quiff": "short",
         "slicked back": "short", "pixie": "short", "short curls": "curly", "afro": "curly", "bob": "bob", "fringe bob": "bob",
         "long straight": "long", "long fringe": "long", "long wavy": "long", "long curls": "long", "ponytail": "tied",
         "bun": "tied", "two buns": "tied", "braids": "tied"}
_MOODS = {"serious": ("serious", "stern"), "neutral": ("calm",), "smile": ("smiling", "friendly", "grinning", "cheerful"),
          "laugh": ("laughing", "merry"), "surprised": ("surprised", "astonished")}
_AGES = {"young": ("young",), "adult": ("middle-aged",), "old": ("old", "older", "elderly")}
_GARMENTS = ("T-shirt", "sweater", "V-neck", "top", "turtleneck", "shirt", "hoodie", "jacket")

_PORTRAIT_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "sex": portrait_people.SEXES, "age": tuple(_AGES), "expression": tuple(_MOODS),
    "hair": (*dict.fromkeys(_HAIR.values()), "hidden"), "hair_colour": (*portrait_people.HAIR_COLOURS, "grey", "white",
                                                                        "hidden"),
    "beard": portrait_people.BEARDS, "glasses": portrait_people.GLASSES, "hat": portrait_people.HATS,
    "clothes_colour": portrait_people.CLOTHES_COLOURS, "background": portrait_people.BACKGROUNDS,
    "background_colour": portrait_people.BACKGROUND_COLOURS}


def _merged(*tables: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    merged: dict[str, tuple[str, ...]] = {}
    for table in tables:
        for name, values in table.items():
            merged[name] = tuple(dict.fromkeys((*merged.get(name, ()), *values)))
    return merged


ATTRIBUTES = _merged({"kind": ("bird", "flower", "portrait")}, birds.ATTRIBUTES, flowers.ATTRIBUTES, _PORTRAIT_ATTRIBUTES)
"""What `named` may tell, and the values that occur; a name that families share has the values of all."""


def _portrait_named(p: Portrait) -> dict[str, str]:
    """Without an age for whoever is between young and middle-aged: no word says it."""
    grey = "white" if p.greyness > 0.75 else "grey" if p.greyness > 0.4 else p.hair_colour
    hidden = p.hat == "headscarf"
    age = "young" if p.age < 30 else "old" if p.age >= 60 else "adult" if p.age > 42 else ""
    return {"sex": p.sex, **({"age": age} if age else {}),
            "expression": "smile" if p.expression == "grin" else p.expression, "hair": "hidden"
            if hidden else _HAIR[p.hair_style],
            "hair_colour": "hidden" if hidden or p.hair_style == "bald" else grey, "beard": p.beard, "glasses": p.glasses,
            "hat": p.hat, "clothes_colour": p.clothes_colour, "background": p.background,
            "background_colour": p.background_colour}


def _portrait_told(p: Portrait, text: str) -> dict[str, str]:
    """Which attributes a portrait's sentence names: found by its words."""
    values = _portrait_named(p)
    words = text.lower().replace(",", " ").replace(".", " ").split()
    told = ["sex"]
    told += [name for name, table in (("age", _AGES), ("expression", _MOODS))
             if name in values and any(word in words for word in table[values[name]])]
    colours = {"white": ("white", "silver"), "grey": ("grey", "greying")}.get(values["hair_colour"], (p.hair_colour,))
    for phrase in portrait_words.HAIR_WORDS[p.hair_style]:
        if p.hat != "headscarf" and any(phrase.format(c=colour) in text for colour in colours):
            told += ["hair"] + ["hair_colour"] * ("{c}" in phrase and p.hair_style != "bald")
    told += ["beard"] * (p.beard != "none") + ["glasses"] * (p.glasses != "none") + ["hat"] * (p.hat != "none")
    told += ["clothes_colour"] * any(f"{p.clothes_colour} {garment}" in text for garment in _GARMENTS)
    for phrase in portrait_words.BACKGROUND_WORDS[p.background]:
        if phrase.format(c=p.background_colour).removeprefix("in a ") in text:
            told += ["background"] + ["background_colour"] * ("{c}" in phrase)
    return {name: values[name] for name in told}


# --- one interface ----------------------------------------------------------------------------------------------------


def family(record: Record) -> str:
    """Which of `FAMILIES` a record belongs to."""
    return "birds" if isinstance(record, Bird) else "flowers" if isinstance(record, Flower) else "portraits"


def sample_of(name: str, seed: int) -> Record:
    """The bird, flower or portrait of a seed. Raises ValueError for another family."""
    if name not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, not {name!r}")
    return {"birds": birds.sample, "flowers": flowers.sample, "portraits": portraits.sample}[name](seed)


def sample(seed: int) -> Record:
    """The record of this seed, always the same: a bird, a flower or a portrait, as the seed decides."""
    return sample_of(FAMILIES[int(np.random.default_rng([seed, 20_29]).choice(3, p=SHARES))], seed)


def held_out(record: Record) -> bool:
    """Whether a record has one of `HELD_OUT_COMBINATIONS`."""
    if isinstance(record, Bird):
        return birds.held_out(record)
    return isinstance(record, Flower) and flowers.held_out(record)


def sample_held_out(seed: int) -> Bird | Flower:
    """A record that has a held-out combination: the seeds go through the list in turn."""
    which = seed % len(HELD_OUT_COMBINATIONS)
    many = len(birds.HELD_OUT_COMBINATIONS)
    return birds.sample_held_out(seed, which) if which < many else flowers.sample_held_out(seed, which - many)


def named(record: Record) -> dict[str, str]:
    """The attributes of a record by name, as in `ATTRIBUTES`; a family has only its own."""
    if isinstance(record, Bird):
        return {"kind": "bird", **birds.named(record)}
    if isinstance(record, Flower):
        return {"kind": "flower", **flowers.named(record)}
    return {"kind": "portrait", **_portrait_named(record)}


def captioned(record: Record, seed: int = 0) -> tuple[str, dict[str, str]]:
    """A sentence about a record, and the attributes that it names, with their values."""
    if isinstance(record, Bird):
        text, told = birds.captioned(record, seed)
    elif isinstance(record, Flower):
        text, told = flowers.captioned(record, seed)
    else:
        text = portraits.caption(record, seed)
        told = _portrait_told(record, text)
    return text, {"kind": named(record)["kind"], **told}


def caption(record: Record, seed: int = 0) -> str:
    """A sentence about a record; another seed says it in other words."""
    return captioned(record, seed)[0]


def from_dict(name: str, values: dict[str, Any]) -> Record:
    """A record of a family from what its `to_dict` gave."""
    return {"birds": Bird, "flowers": Flower, "portraits": Portrait}[name].from_dict(values)


def render(records: Sequence[Record], side: int = SIDE, *, supersampling: int = 2,
           device: str | torch.device = "cpu") -> Rendered:
    """The pictures of records of any families, in their order, and label maps: indices into `LABELS`."""
    pictures = np.empty((len(records), side, side, 3), np.uint8)
    labels = np.empty((len(records), side, side), np.uint8)
    first = 0
    for name, module in (("birds", birds), ("flowers", flowers), ("portraits", portraits)):
        places = [i for i, record in enumerate(records) if family(record) == name]
        if places:
            seen = module.render(cast("Any", [records[i] for i in places]), side, supersampling=supersampling, device=device)
            pictures[places] = seen.pictures
            labels[places] = np.where(seen.labels > 0, seen.labels + first, 0)
        first += len(module.LABELS) - 1
    return Rendered(pictures, labels)


def boxes(labels: np.ndarray) -> dict[str, tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) of the parts in one of `render`'s label maps (side, side), by names as in `LABELS`."""
    return nature_studio.boxes(labels, LABELS)


# --- files ------------------------------------------------------------------------------------------------------------


def write(folder: Path, count: int, start: int, side: int, *, only: str | None = None, captions: int = 4, device: str = "cpu",
          every: int = drawn_sets.EVERY, until: int | None = None) -> int:
    """Pictures of the seeds start .. start + count - 1 into files of `folder`, see `drawn_sets.write`.

    `pictures.npy` (count, side, side, 3) and `labels.npy` (count, side, side), uint8; in `records.jsonl` a line for each:
    family, record, `named`, boxes, and as many captions as wanted with the attributes that each names. only: one family.
    Returns how many are done. Raises ValueError if the folder holds another set.
    """
    def draw(seeds: range) -> tuple[dict[str, Any], list[Any]]:
        records = [sample_of(only, seed) if only else sample(seed) for seed in seeds]
        rendered = render(records, side, device=device)
        lines = [_line(record, labels, captions) for record, labels in zip(records, rendered.labels, strict=True)]
        return {"pictures": rendered.pictures, "labels": rendered.labels}, lines

    arrays = {"pictures": ((count, side, side, 3), np.uint8), "labels": ((count, side, side), np.uint8)}
    order = {"count": count, "start": start, "side": side, "only": only, "captions": captions}
    return drawn_sets.write(folder, order, arrays, draw, every=every, until=until)


def _line(record: Record, labels: np.ndarray, captions: int) -> dict[str, Any]:
    """What `records.jsonl` says of a picture."""
    sentences = [captioned(record, seed) for seed in range(captions)]
    return {"family": family(record), "record": dataclasses.asdict(record), "named": named(record), "boxes": boxes(labels),
            "captions": [text for text, _ in sentences], "told": [told for _, told in sentences]}


def main() -> None:
    parser = drawn_sets.command_line("Birds, flowers and portraits from seeds: a sheet, or files to train from.")
    parser.add_argument("--family", choices=FAMILIES, help="only this one")
    parser.add_argument("--held-out", action="store_true", help="a sheet of records with held-out combinations")
    parser.add_argument("--captions", type=int, default=4, help="for each picture written")
    arguments = drawn_sets.begin(parser)
    seeds = range(arguments.start, arguments.start + arguments.count)
    if arguments.sheet:
        records = [sample_held_out(seed) if arguments.held_out else
                   sample_of(arguments.family, seed) if arguments.family else sample(seed) for seed in seeds]
        drawn_sets.sheet(arguments.sheet, render(records, arguments.side).pictures)
    if arguments.write:
        write(arguments.write, arguments.count, arguments.start, arguments.side, only=arguments.family,
              captions=arguments.captions, device=arguments.device)


if __name__ == "__main__":
    main()
