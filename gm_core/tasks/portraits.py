"""Portraits of people who do not exist even in the portrait world: what the quiz asks about, and the machine's guess."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from gm_core.checkpoints import find, of_task
from gm_core.errors import BadInput, CheckpointError, number, whole
from gm_core.images import to_image, to_tensor
from gm_core.load import load
from gm_core.metrics import pooled_features
from gm_core.models.dropout import drawn_from
from gm_core.models.pix2pix_generator import Pix2PixGenerator
from gm_core.models.portrait_gan import Generator
from gm_core.models.portrait_judge import heat
from gm_core.models.text_to_image import TextToImage
from gm_core.report import Report, silent

if TYPE_CHECKING:
    from gm_core.datasets.portraits import Portrait

SNAPSHOTS = ("portraits-gan-early", "portraits-gan-middle", "portraits-gan")
"""Of one run, the youngest first."""
JUDGE, DISCRIMINATOR = "portraits-judge", "portraits-gan-judge"
"""They paint nothing: the forensic classifier, and the GAN's own discriminator."""
MAX_PORTRAITS, MAX_STEPS, MAX_NEIGHBOURS = 64, 16, 8
MAX_CHANGE = 3.0
KNOWN = Path(__file__).resolve().parents[2] / "assets" / "quiz" / "neighbours.safetensors"
COMPARED = 64
"""Side at which portraits are compared."""
MAX_SEED = 2**32 - 1


def portraits(n: int = 1, *, seed: int = 0, checkpoint: str = "pix2pix-portraits", truncation: float = 1.0,
              report: Report = silent) -> list[Image.Image]:
    """`n` portraits by a network, RGB, of its native size.

    seed: 0 to 2^32 - 1; portrait i of seed s is the same whatever `n` is, but for rounding. truncation: 1 is the
    network as trained, 0 its average portrait (Karras et al. 2019, arXiv:1812.04948, appendix B); networks that are told what
    to paint have none.
    A portrait's attributes are those of a random person of the portrait world. The painter gets that person's layout and
    contours, a latent diffusion a sentence about them; both paint 128 px.

    Raises BadInput for anything out of these limits, and what `load` raises.
    """
    _check_number("n", n, 1, MAX_PORTRAITS)
    _check_seed(seed)
    if not 0.0 <= number("Truncation", truncation) <= 1.0:
        raise BadInput(f"Truncation goes from 0 to 1, not {truncation}.")
    record = find(checkpoint)
    if "portraits" not in (record.task, *record.also) or checkpoint in (JUDGE, DISCRIMINATOR):
        raise BadInput(f"'{checkpoint}' paints no portraits.")
    network = load(checkpoint, report=report)
    report(0.1, "Dreaming of people")
    people = [_person(seed, i) for i in range(n)]
    if isinstance(network, Pix2PixGenerator):
        return _painted(network, people, seed, report)
    if isinstance(network, TextToImage):
        return _said(checkpoint, people, seed, report)
    network = _generator(checkpoint)
    with torch.inference_mode():
        w = network.styles(_latents(network.latent, seed, n), _attributes(people), truncation)
        return _images(network.paint(w))


def timeline(seed: int = 0, *, report: Report = silent) -> list[Image.Image]:
    """One latent and one record through the snapshots of `SNAPSHOTS` that ship, the youngest first."""
    ships = [record.name for record in of_task("portraits") if record.shipped]
    return [portraits(1, seed=seed, checkpoint=name, report=report)[0] for name in SNAPSHOTS if name in ships]


def walk(seed_a: int, seed_b: int, steps: int = 8, *, checkpoint: str = "portraits-gan",
         report: Report = silent) -> list[Image.Image]:
    """From the portrait of one seed to that of another in `steps` pictures, 2 to 16, evenly in w."""
    _check_number("steps", steps, 2, MAX_STEPS)
    _check_seed(seed_a)
    _check_seed(seed_b)
    network = _generator(checkpoint, report)
    with torch.inference_mode():
        a, b = (_style(network, seed) for seed in (seed_a, seed_b))
        return _images(network.paint(torch.cat([torch.lerp(a, b, i / (steps - 1)) for i in range(steps)])))


def edit(seed: int, changes: Mapping[str, float], *, checkpoint: str = "portraits-gan",
         report: Report = silent) -> Image.Image:
    """The portrait of a seed, moved along directions in w.

    changes: attribute of `gm_core.datasets.portraits.ATTRIBUTES` to amount, -3 to 3, in units of that attribute. The
    directions are least-squares fits of w on the attributes of the portraits that the network was trained with, the
    arithmetic of Radford et al. 2015 (arXiv:1511.06434, figure 7) with the world's labels instead of three examples.
    """
    from gm_core.datasets.portraits import ATTRIBUTES

    _check_seed(seed)
    for name, amount in changes.items():
        if name not in ATTRIBUTES:
            raise BadInput(f"There is no direction '{name}'. There are: {', '.join(ATTRIBUTES)}.")
        if not abs(amount) <= MAX_CHANGE:
            raise BadInput(f"A direction can be followed from -{MAX_CHANGE:g} to {MAX_CHANGE:g}, not {amount}.")
    network = _generator(checkpoint, report)
    with torch.inference_mode():
        w = _style(network, seed)
        for name, amount in changes.items():
            w = w + amount * network.directions[ATTRIBUTES.index(name)]
        return _images(network.paint(w))[0]


@dataclass(frozen=True)
class Guess:
    """What the machine makes of a picture."""

    fake: float
    """Probability that a network has painted it, 0..1."""
    heat: np.ndarray
    """(H/8, W/8) float32, 0..`fake`: how much each patch speaks for it, see `gm_core.models.portrait_judge.heat`."""


def machine_guess(pictures: Sequence[Image.Image], *, checkpoint: str = JUDGE, report: Report = silent) -> list[Guess]:
    """The forensic classifier's opinion of portraits; each RGB with sides of at least 32 px."""
    judge = load(checkpoint, report=report)
    parameter = next(judge.parameters())
    guesses = []
    with torch.inference_mode():
        for picture in pictures:
            logits = judge(to_tensor(picture).to(parameter) * 2 - 1).float()
            guesses.append(Guess(float(logits.mean().sigmoid()), heat(logits)[0, 0].cpu().numpy()))
    return guesses


def likeliest(pictures: Sequence[Image.Image], n: int, *, report: Report = silent) -> list[int]:
    """Numbers of the `n` portraits, of the GAN's native size, that its discriminator finds likeliest to be real, in order."""
    discriminator = load(DISCRIMINATOR, report=report)
    parameter = next(discriminator.parameters())
    with torch.inference_mode():
        # One by one: the discriminator compares the pictures of a batch, and nobody's chance shall depend on the others.
        logits = [float(discriminator(to_tensor(picture).to(parameter) * 2 - 1)) for picture in pictures]
    return sorted(sorted(range(len(pictures)), key=lambda i: -logits[i])[:n])


def neighbours(image: Image.Image, n: int = 4, *, report: Report = silent) -> list[tuple[Image.Image, float]]:
    """The `n` (1 to 8) most similar of 256 real portraits by the distance of their pooled features, nearest first.

    Shows that a fake is no copy. image: RGB, square. Portraits are compared, and given back, at 64 px. Distances are
    Euclidean, of `gm_core.metrics.pooled_features` over the small feature network, divided by the root of their length.
    Raises CheckpointError where the features of the 256 are not there or are another network's.
    """
    from gm_core.datasets.portraits import SIDE, reduced, render, sample

    _check_number("n", n, 1, MAX_NEIGHBOURS)
    report(0.1, "Looking through the real portraits")
    known = _known()
    of_image = features_of([image])
    if known.shape[1] != of_image.shape[1]:
        raise CheckpointError(f"{KNOWN.name} holds the features of another network. Run python -m demos.hang.")
    distances = (known - of_image).square().mean(1).sqrt()
    nearest = distances.argsort()[:n].tolist()
    report(0.5, "Drawing the nearest")
    pictures = reduced(render([sample(seed) for seed in nearest], SIDE).pictures, COMPARED)
    return [(Image.fromarray(picture), float(distances[i])) for i, picture in zip(nearest, pictures, strict=True)]


def features_of(pictures: Sequence[Image.Image]) -> Tensor:
    """What `neighbours` compares: pooled features (N, D) of RGB portraits at 64 px."""
    network = load("features-small")
    parameter = next(network.parameters())
    size = (COMPARED, COMPARED)
    small = [picture if picture.size == size else picture.resize(size, Image.Resampling.BOX) for picture in pictures]
    with torch.inference_mode():
        return torch.cat([pooled_features(to_tensor(picture).to(parameter), network).float().cpu()  # pyright: ignore
                          for picture in small])


def write_known() -> None:
    """Draws the real portraits of seeds 0 to 255, on which networks were trained, and keeps their features in KNOWN."""
    from gm_core.datasets.portraits import SIDE, render, sample

    found = [features_of([Image.fromarray(picture) for picture in render([sample(i + k) for k in range(16)], SIDE).pictures])
             for i in range(0, 256, 16)]
    told = {"made by": "python -m demos.hang", "network": "features-small"}
    save_file({"features": torch.cat(found).half()}, KNOWN, metadata=told)
    KNOWN.chmod(0o644)


@cache
def _known() -> Tensor:
    """Features (256, D) of the real portraits of seeds 0 to 255."""
    if not KNOWN.exists():
        raise CheckpointError(f"{KNOWN.name} is not there. Run python -m demos.hang.")
    return load_file(KNOWN)["features"].float()


def _person(seed: int, i: int) -> "Portrait":
    """Portrait i of a seed: somebody of the world's training half, of whom no picture need ever have been drawn."""
    from gm_core.datasets.portraits import HELD_OUT, sample

    return sample(int(np.random.default_rng((seed, i)).integers(HELD_OUT)))


def _attributes(people: "Sequence[Portrait]") -> Tensor:
    from gm_core.datasets.portraits import attributes

    return torch.from_numpy(np.stack([attributes(person) for person in people]))


def _latents(size: int, seed: int, n: int) -> Tensor:
    """(n, size), normal; the first ones do not depend on n."""
    return torch.from_numpy(np.stack([np.random.default_rng((seed, i, 1)).standard_normal(size, np.float32)
                                      for i in range(n)]))


def _generator(checkpoint: str, report: Report = silent) -> Generator:
    network = load(checkpoint, report=report)
    if not isinstance(network, Generator):
        raise BadInput(f"'{checkpoint}' has no latent to move in.")
    return network


def _style(network: Generator, seed: int) -> Tensor:
    """w of the seed's first portrait, (1, style)."""
    return network.styles(_latents(network.latent, seed, 1), _attributes([_person(seed, 0)]))


def _painted(painter: Pix2PixGenerator, people: "Sequence[Portrait]", seed: int, report: Report) -> list[Image.Image]:
    """One by one: each needs its layout drawn first."""
    from gm_core.datasets.portraits import LABELS, edges, render

    images = []
    for i, person in enumerate(people):
        report(0.1 + 0.9 * i / len(people), f"Painting portrait {i + 1} of {len(people)}")
        drawn = render([person])
        labels = torch.from_numpy(drawn.labels.astype(np.int64))
        lines = torch.from_numpy(edges(drawn.labels, drawn.pictures)).float()[:, None] / 255
        layout = torch.nn.functional.one_hot(labels, len(LABELS)).permute(0, 3, 1, 2).float()
        own = int(np.random.default_rng((seed, i, 1)).integers(2**31))
        with torch.inference_mode(), drawn_from(own):
            images += _images(painter(torch.cat([layout, lines], 1), _attributes([person])))
    return images


def _said(checkpoint: str, people: "Sequence[Portrait]", seed: int, report: Report) -> list[Image.Image]:
    """Each from a caption of its own, some together."""
    from gm_core.datasets.portraits import caption
    from gm_core.tasks.text_to_image import MAX_PICTURES, one_for_each

    images = []
    for i in range(0, len(people), MAX_PICTURES):
        some = range(i, min(i + MAX_PICTURES, len(people)))
        report(0.1 + 0.9 * i / len(people), f"Drawing portrait {i + 1} of {len(people)}")
        seeds = [int(np.random.default_rng((seed, k, 1)).integers(2**31)) for k in some]
        captions = [caption(people[k], own) for k, own in zip(some, seeds, strict=True)]
        images += one_for_each(captions, seeds, checkpoint=checkpoint)
    return images


def _images(x: Tensor) -> list[Image.Image]:
    """(B, 3, S, S) in -1..1."""
    return [to_image(picture[None] / 2 + 0.5) for picture in x.float()]


def _check_number(name: str, value: int, least: int, most: int) -> None:
    if not least <= whole(name.capitalize(), value) <= most:
        raise BadInput(f"{name} goes from {least} to {most}, not {value}.")


def _check_seed(seed: int) -> None:
    if not 0 <= whole("A seed", seed) <= MAX_SEED:
        raise BadInput(f"A seed goes from 0 to {MAX_SEED}, not {seed}.")
