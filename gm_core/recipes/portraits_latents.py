"""What a portrait's latent means: everything about it that its attributes do not say.

A generator that is given a portrait's attributes and noise can only learn the mean of all portraits with these attributes,
unless it is told which of them the noise stands for. The world knows: how long the hair is, whose glasses these are, where
the rim light stands. So each of these is written into the latent, in such a way that the latent stays what it is for
whoever samples: independent normal numbers. A network trained so is asked for portraits with plain noise, and what that
noise means is what the world's crowd is like. (InfoGAN, Chen et al. 2016, arXiv:1606.03657, finds such a code itself.)
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from gm_core.datasets.portrait_people import CLOTHES_COLOURS, LIPSTICKS, NECKLINES, Portrait

MEASURES = (
    "masculinity", "undertone", "blush", "head_height", "chin_width", "ear_size", "ear_angle", "nose_length", "nose_bridge",
    "nose_upturn", "nose_size", "eye_spacing", "eye_tilt", "eye_openness", "mouth_width", "brow_height", "brow_angle", "gaze_y",
    "hair_volume", "hair_length", "hair_wave", "parting", "widows_peak", "beard_length", "zoom", "key_strength", "fill", "rim",
    "rim_side", "rim_warmth", "background_angle", "background_brightness", "grain")
"""Fields that are numbers, one latent each: what the attributes do not foretell of them, by rank made normal."""

CHOICES: Mapping[str, Sequence[str]] = {
    "glasses": ("round", "round", "square", "square", "cat-eye", "aviator"),
    "glasses_colour": ("black", "black", "tortoise", "gold", "silver", "wine", "blue"),
    "hat": ("beanie", "beanie", "cap", "cap", "sun hat", "beret"),
    "hat_colour": CLOTHES_COLOURS,
    "earrings": ("stud", "hoop", "pearl"),
    "neckline": ("crew", *NECKLINES),
    "pattern": ("plain", "plain", "plain", "stripes", "dots", "check", "knit"),
    "second_colour": ("cream", "cream", "cream", "navy", "charcoal", "sky blue", "coral", "mustard"),
    "lipstick_colour": LIPSTICKS,
}
"""Fields that are words: a latent for each word here, and the largest of them names it. Who is frequent stands here twice."""


class Latents:
    """Latents for known portraits: normal numbers that mean what is known, and noise where nothing is."""

    def __init__(self, people: Sequence[Portrait], attributes: np.ndarray, size: int) -> None:
        """attributes: theirs, (N, A); size: of a latent."""
        self.size = size
        used = len(MEASURES) + sum(map(len, CHOICES.values()))
        if used > size:
            raise ValueError(f"A latent of {size} numbers has no room for {used}")
        values = np.array([[getattr(person, name) for name in MEASURES] for person in people], np.float64)
        known = np.hstack([attributes, np.ones((len(attributes), 1))])
        weights = np.linalg.solve(known.T @ known + 1e-3 * len(known) * np.eye(known.shape[1]), known.T @ values)
        self.measures = _normal_by_rank(values - known @ weights)
        self.chosen = {name: [[i for i, word in enumerate(words) if word == getattr(person, name)] for person in people]
                       for name, words in CHOICES.items()}

    def of(self, numbers: np.ndarray, random: np.random.Generator) -> Tensor:
        """(B, size): latents of the portraits of these numbers, other noise in them every time."""
        z = random.standard_normal((len(numbers), self.size))
        z[:, : len(MEASURES)] = self.measures[numbers]
        at = len(MEASURES)
        for name, words in CHOICES.items():
            for row, number in enumerate(numbers):
                if codes := self.chosen[name][number]:
                    largest, meant = at + int(z[row, at : at + len(words)].argmax()), at + int(random.choice(codes))
                    z[row, [largest, meant]] = z[row, [meant, largest]]  # normal numbers of which this is the largest
            at += len(words)
        return torch.from_numpy(z.astype(np.float32))


def _normal_by_rank(values: np.ndarray) -> np.ndarray:
    """(N, K): in each column the smallest becomes the smallest of N normal numbers, and so on; equals fall as they come."""
    shuffled = np.random.default_rng(0).permutation(len(values))
    ranks = np.empty(values.shape, np.int64)
    order = shuffled[np.argsort(values[shuffled], axis=0, kind="stable")]
    np.put_along_axis(ranks, order, np.arange(len(values))[:, None].repeat(values.shape[1], 1), 0)
    share = torch.from_numpy((ranks + 0.5) / len(values))
    return torch.special.ndtri(share).numpy()
