"""What gives a fake away, said from what was measured on it: never a sentence by chance.

Four figures are taken from the picture and compared with the same figures of the real portraits at hand. The one that
stands out most is told, with the place where the judge saw it. If none stands out, that is what is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

ENOUGH = 8
"""So many real portraits must have been measured before anything is said to be unusual."""
UNUSUAL = 1.7
"""Standard deviations from the real portraits' mean, from which a figure is told."""


@dataclass(frozen=True)
class Reference:
    """Mean and deviation of each figure over real portraits."""

    count: int
    mean: Mapping[str, float]
    deviation: Mapping[str, float]

    def unusual(self, figures: Mapping[str, float]) -> list[tuple[str, float]]:
        """Figures with their distance in standard deviations, the strangest first."""
        if self.count < ENOUGH:
            return []
        distances = [(name, (value - self.mean[name]) / self.deviation[name]) for name, value in figures.items()
                     if name in self.mean]
        return sorted(distances, key=lambda entry: -abs(entry[1]))


def reference(measured: Sequence[Mapping[str, float]]) -> Reference:
    """Of the real portraits measured so far."""
    names = measured[0].keys() if measured else ()
    columns = {name: np.array([figures[name] for figures in measured]) for name in names}
    return Reference(len(measured), {name: float(column.mean()) for name, column in columns.items()},
                     {name: float(column.std()) + 0.02 * abs(float(column.mean())) + 1e-6 for name, column in columns.items()})


def measure(picture: Image.Image) -> dict[str, float]:
    """RGB square of the native size -> its figures.

    detail: mean absolute Laplacian of the brightness, by its contrast. fringes: steps of colour where brightness has none,
    by all steps of brightness. eyes: how much the band of the eyes differs from its mirror image, by its contrast.
    grid: energy of the finest checkerboard, by that of all fine detail.
    """
    pixels = np.asarray(picture.convert("RGB"), np.float64) / 255
    light = pixels @ (0.299, 0.587, 0.114)
    contrast = light.std() + 0.02
    laplacian = 4 * light[1:-1, 1:-1] - light[:-2, 1:-1] - light[2:, 1:-1] - light[1:-1, :-2] - light[1:-1, 2:]
    colour = np.stack([pixels[..., 0] - light, pixels[..., 2] - light], -1)
    step = np.abs(np.diff(light, axis=1))
    colour_step = np.abs(np.diff(colour, axis=1)).sum(-1)
    quiet = step < np.median(step) + 1e-3
    height, width = light.shape
    band = light[round(0.34 * height) : round(0.54 * height), round(0.2 * width) : round(0.8 * width)]
    corner = light[: height // 2 * 2, : width // 2 * 2]
    a, b, c, d = corner[::2, ::2], corner[::2, 1::2], corner[1::2, ::2], corner[1::2, 1::2]
    fine = [np.square(a + b - c - d).mean(), np.square(a - b + c - d).mean(), np.square(a - b - c + d).mean()]
    return {
        "detail": float(np.abs(laplacian).mean() / contrast),
        "fringes": float(colour_step[quiet].mean() / (step.mean() + 0.002)),
        "eyes": float(np.abs(band - band[:, ::-1]).mean() / (band.std() + 0.02)),
        "grid": float(fine[2] / (sum(fine) + 1e-6)),
    }


def place(heat: np.ndarray) -> str:
    """Where the heat is greatest, in words, from where things are in a portrait: heat (H, W), 0..1."""
    block = np.asarray(Image.fromarray(heat.astype(np.float32)).resize((16, 16), Image.Resampling.BOX))
    row, column = np.unravel_index(int(block.argmax()), block.shape)
    y, x = (float(row) + 0.5) / 16, (float(column) + 0.5) / 16
    if abs(x - 0.5) > 0.33 and y < 0.8:
        return f"the background and outline on the {'left' if x < 0.5 else 'right'}"
    for limit, words in ((0.31, "the hair and forehead"), (0.53, "the eyes"), (0.64, "the nose and cheeks"),
                         (0.8, "the mouth and chin")):
        if y < limit:
            return words
    return "the neck and clothes"


def sentence(figures: Mapping[str, float], seen_at: str | None, known: Reference) -> str:
    """What gives this fake away. seen_at: what `place` said of the judge's heat, None without a judge."""
    look = f" The judge saw it most at {seen_at}." if seen_at else ""
    for name, distance in known.unusual(figures):
        if abs(distance) < UNUSUAL:
            break
        share = figures[name] / max(known.mean[name], 1e-6)
        words = _told(name, distance, share)
        if words:
            return words + look
    if known.count < ENOUGH:
        return f"Look at {seen_at}: there the judge saw it most." if seen_at else "There is nothing to compare it with yet."
    return "Its detail, colours and symmetry measure like a real one's." + (look or " Only the whole can give it away.")


def _told(name: str, distance: float, share: float) -> str:
    percent = f"{100 * share:.0f} %"
    if name == "detail":
        return (f"Its fine detail is {percent} of what real ones have: strands and edges are smeared." if distance < 0 else
                f"It has {percent} of the fine detail of real ones: texture where there should be calm.")
    if name == "fringes" and distance > 0:
        return f"Colours change where the light does not: {percent} of the fringes of real ones."
    if name == "eyes" and distance > 0:
        return f"Left and right disagree around the eyes, {percent} as much as in real ones."
    if name == "grid" and distance > 0:
        return f"A fine checkerboard lies over it, {percent} of what real ones have: the trace of enlarging layers."
    return ""
