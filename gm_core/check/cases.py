"""Inputs and references: pictures of a folder, prompts of a file, seeds; every combination of what is varied is a case."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gm_core.check.kinds import Case, Kind, of
from gm_core.check.sources import natural
from gm_core.errors import BadInput
from gm_core.images import fit, open_picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".ppm")
MASK = "-mask"
"""What the name of a mask ends with that belongs to the picture of the same name."""
SIDE = 256
MIN_SIDE, MAX_SIDE = 32, 1024
MAX_CASES = 10_000
MAX_SEEDS = 1000


@dataclass(frozen=True)
class Inputs:
    """What is put in, before seeds and settings multiply it."""

    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    masks: Mapping[str, Image.Image] = field(default_factory=dict)
    prompts: Sequence[str] = ()
    references: Mapping[str, Image.Image] = field(default_factory=dict)
    """By the names of the inputs; other names make a set that is compared as a whole."""


def pictures_of(folder: Path) -> dict[str, Image.Image]:
    """Name without ending -> picture, in natural order, of a folder or a single file. Raises BadInput."""
    files = [folder] if folder.is_file() else sorted(folder.iterdir(), key=lambda file: natural(file.name)) if folder.is_dir() \
        else []
    found = {file.stem: open_picture(file) for file in files if file.suffix.lower() in SUFFIXES}
    if not found:
        raise BadInput(f"There are no pictures in {folder}.")
    return found


def samples() -> dict[str, Image.Image]:
    """The photographs that scikit-image carries in its wheel, all free to use."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(spec.submodule_search_locations[0]) / "data"
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    return {Path(name).stem: open_picture(folder / name) for name in names if (folder / name).exists()}


def read_seeds(text: str) -> list[int]:
    """"0-7", "3", "0,2,9-11" -> the numbers. Raises BadInput."""
    found: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            if int(last or first) - int(first) >= MAX_SEEDS:
                raise BadInput(f"Up to {MAX_SEEDS} seeds are compared at once; {part} are more.")
            found += range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise BadInput(f"Seeds are written like 0-7 or 0,3,9; '{text}' is not.") from error
    if not found or len(found) > MAX_SEEDS or min(found) < 0 or max(found) >= 2**31:
        raise BadInput(f"One to {MAX_SEEDS} seeds are needed, each from 0 to {2**31 - 1}; '{text}' is not.")
    return list(dict.fromkeys(found))


def read_settings(task: str, given: Sequence[str]) -> dict[str, list[Any]]:
    """["strength=0,0.5,1", "style=scream"] -> {"strength": [0.0, 0.5, 1.0], "style": ["scream"]}. Raises BadInput."""
    known = of(task).settings
    found: dict[str, list[Any]] = {}
    for one in given:
        name, equals, values = one.partition("=")
        if name not in known or not equals:
            some = f"There are: {', '.join(known)}." if known else "It has none."
            raise BadInput(f"'{one}' is no setting of {task}, written NAME=VALUE,VALUE. {some}")
        try:
            # a prompt may hold commas
            split = [values] if known[name] is str and "prompt" in name else values.split(",")
            found[name] = list(dict.fromkeys(known[name](value.strip()) for value in split))
        except (ValueError, KeyError) as error:
            raise BadInput(f"{name} cannot be '{values}'.") from error
    return found


def cases(task: str, inputs: Inputs, *, seeds: Sequence[int] = (0,), settings: Mapping[str, Sequence[Any]] | None = None,
          side: int = SIDE) -> tuple[list[Case], list[str]]:
    """(every combination of input, seed and setting, notes). side: to which the longer side of a larger input is reduced.

    Super-resolution with references alone makes its inputs from them, a quarter of the size; inpainting without masks marks
    holes itself, and without references the pictures are their own. Raises BadInput.
    """
    kind = of(task)
    if not MIN_SIDE <= side <= MAX_SIDE:
        raise BadInput(f"The side goes from {MIN_SIDE} to {MAX_SIDE} pixels; {side} does not.")
    notes: list[str] = []
    begun = _begun(task, kind, inputs, side, notes)
    if kind.takes != "seeds" and not kind.chance and len(seeds) > 1:
        notes.append(f"{kind.title} has no chance in it: one seed is enough.")
        seeds = seeds[:1]
    settings = settings or {}
    combined = [dict(zip(settings, values, strict=True)) for values in product(*settings.values())]
    if len(begun) * len(seeds) * len(combined) > MAX_CASES:
        raise BadInput(f"{len(begun)} inputs, {len(seeds)} seeds and {len(combined)} settings make more than {MAX_CASES} "
                       "pictures for each checkpoint.")
    return [Case(one.input, one.image, one.mask, one.prompt, seed, chosen, one.reference)
            for one in begun for seed in seeds for chosen in combined], notes


def _begun(task: str, kind: Kind, inputs: Inputs, side: int, notes: list[str]) -> list[Case]:
    if kind.takes == "seeds":
        return [Case("")]
    if kind.takes == "prompts":
        if not inputs.prompts:
            raise BadInput("Text to image needs prompts: --prompt TEXT, or --inputs FILE with one on each line.")
        return [Case(prompt, prompt=prompt) for prompt in dict.fromkeys(inputs.prompts)]
    if task == "srgan":
        return _small_ones(inputs, side, notes)
    pictures = dict(inputs.pictures) or (samples() if task != "pix2pix" else {})
    if not pictures:
        raise BadInput("Drawings are needed: name their folder with --inputs.")
    found = []
    for i, (name, picture) in enumerate(pictures.items()):
        image = _reduced(picture, side)
        reference = inputs.references.get(name)
        mask = None
        if task == "inpainting":
            mask = inputs.masks.get(name) or _hole(image, i)
            reference = reference if inputs.references else image
        if reference is not None and reference.size != image.size:
            reference = _as_large(reference, image, name, notes)
        found.append(Case(name, image, mask, reference=reference))
    if task == "inpainting" and not inputs.masks:
        notes.append("No masks were given (NAME-mask.png beside NAME.png): holes were drawn, the same ones every time.")
    return found


def _small_ones(inputs: Inputs, side: int, notes: list[str]) -> list[Case]:
    from gm_core.tasks.srgan import SCALE, shrink

    pictures, references = dict(inputs.pictures), dict(inputs.references)
    if not pictures and not references:
        references = samples()
    if not pictures:
        notes.append("The inputs are the references at a quarter of their size, as the papers' tables have it.")
        made = {name: shrink(fit(picture, SCALE * side)) for name, picture in references.items()}
        return [Case(name, small, reference=original) for name, (small, original) in made.items()]
    found = []
    for name, picture in pictures.items():
        image = fit(picture, side)
        reference = references.get(name)
        large = Image.new("RGB", (SCALE * image.width, SCALE * image.height))
        if reference is not None and reference.size != large.size:
            reference = _as_large(reference, large, name, notes)
        found.append(Case(name, image, reference=reference))
    return found


def _reduced(picture: Image.Image, side: int) -> Image.Image:
    """Label maps keep their colours: what has few of them is thinned out, everything else is averaged."""
    if max(picture.size) > side and picture.getcolors(64) is not None:
        scale = side / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        return picture.resize(size, Image.Resampling.NEAREST)
    return fit(picture, side)


def _as_large(reference: Image.Image, image: Image.Image, name: str, notes: list[str]) -> Image.Image | None:
    """The reference at the size of what it is compared with; None for other proportions, or where it would be enlarged."""
    if reference.width < image.width or abs(reference.width * image.height - reference.height * image.width) > max(
            image.size) * 2 + max(reference.size):
        notes.append(f"The reference of {name} has {reference.width} x {reference.height} pixels, the picture {image.width} x "
                     f"{image.height}: it was left out.")
        return None
    return reference.resize(image.size, Image.Resampling.LANCZOS)


def _hole(image: Image.Image, place: int) -> Image.Image:
    from gm_core.datasets.masks import random_mask

    return Image.fromarray(255 * random_mask(np.random.default_rng(place), image.height, image.width, least=0.08, most=0.25))
