"""pix2pix: a drawing into a picture (Isola et al. 2017, arXiv:1611.07004): facades, portraits, colour for photographs."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from gm_core.checkpoints import find
from gm_core.datasets import facades
from gm_core.drawings import MIN_SIDE, check_size, kind_of, palette, read_labels
from gm_core.errors import BadInput, whole
from gm_core.images import to_image, to_tensor
from gm_core.load import load
from gm_core.models.dropout import drawn_from
from gm_core.models.pix2pix_generator import Pix2PixGenerator, coloured, filled_up, luminance
from gm_core.models.pix2pix_generator import palette as palette_of
from gm_core.report import Report, silent

LIKELY = 8
"""So many moods of a photograph, the likeliest first, do seeds from 1 on choose among; 0 takes what is to be expected."""
MOST_SEED = 2**31 - 1


def pix2pix(image: Image.Image, *, checkpoint: str = "pix2pix-facades", seed: int | None = 0,
            colours: Image.Image | None = None, report: Report = silent) -> Image.Image:
    """The drawing as a picture.

    image: RGB; a label map in the colours of `palette(checkpoint)`, 64 to 1024 px a side, or for a checkpoint that colours
    a photograph of up to 4096 px, whose luminance the result keeps. checkpoint: one of task "pix2pix". seed: of the
    dropout, of the colours of wall and sky or of a photograph's mood, and for portraits of the person, 0 to 2**31 - 1; None:
    seed 0 without dropout. colours: for a checkpoint that colours, RGB of up to 4096 px a side: another photograph, whose
    palette it is told in a mood's place, how much there is of each colour, but not where.
    Returns RGB of the same size.

    Raises BadInput for anything out of these limits and for a picture that is no label map, and what `load` raises.
    """
    if find(checkpoint).task != "pix2pix":
        raise BadInput(f"'{checkpoint}' does not turn drawings into pictures.")
    if seed is not None and not 0 <= whole("The seed", seed) <= MOST_SEED:
        raise BadInput(f"The seed must be 0 to {MOST_SEED}, not {seed}.")
    kind = kind_of(checkpoint)
    check_size(image, kind)
    if colours is not None:
        if kind != "luminance":
            raise BadInput(f"'{checkpoint}' does not colour photographs; it takes no colours from another one.")
        check_size(colours, kind)
    # Read before the network is loaded: a picture that is no label map should not cost a download.
    read = read_labels(image, palette(checkpoint)) if kind in ("labels", "portrait") else None
    network = load(checkpoint, report=report)
    report(0.3, "Colouring" if kind == "luminance" else "Painting")
    with torch.inference_mode(), drawn_from(seed):
        if kind == "luminance":
            return _coloured(network, image, colours, seed or 0)
        drawing, numbers = _drawing(network, image, read, seed or 0)
        if moods := getattr(network, "moods", None):  # of walls and skies; the first one for seed 0
            numbers = (torch.tensor([moods[(seed or 0) % len(moods)]]),)
        made = to_image(_answer(network, drawing, *numbers) / 2 + 0.5)
        return made if made.size == image.size else made.resize(image.size, Image.Resampling.BICUBIC)


# --- through the network ----------------------------------------------------------------------------------------------


def _drawing(network: nn.Module, image: Image.Image, read: tuple[np.ndarray, np.ndarray] | None,
             seed: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """What the network is given: (1, inputs, H, W), and attributes (1, A) where it takes a person's. read: labels and lines."""
    if read is None:
        return to_tensor(image) * 2 - 1, ()
    assert isinstance(network, Pix2PixGenerator)
    labels, lines = read
    if network.kind == "labels":
        return _one_hot(labels, len(facades.LABELS)), ()
    labels, lines = _reduced(labels, lines, network.side)
    if network.reader is not None and lines.any() and not labels.any():
        drawn = torch.from_numpy(lines)[None, None].float().to(next(network.parameters()).device)
        labels = network.reader.labels(drawn)[0].cpu().numpy().astype(np.uint8)
    drawing, person = _portrait(labels, lines, seed)
    return drawing, (person,)


def _reduced(labels: np.ndarray, lines: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and lines (H, W) of a drawing whose longest side is to be `side`; 0: as they are. A line stays a line."""
    longest = max(labels.shape)
    if side in (0, longest):
        return labels, lines
    size = [max(MIN_SIDE, round(extent * side / longest)) for extent in labels.shape]
    votes = F.interpolate(_one_hot(labels, int(labels.max()) + 1), size, mode="area" if longest > side else "nearest")
    drawn = F.adaptive_max_pool2d(torch.from_numpy(lines)[None, None].float(), size)
    return votes[0].argmax(0).numpy().astype(np.uint8), drawn[0, 0].numpy() > 0


def _one_hot(labels: np.ndarray, count: int) -> Tensor:
    """(H, W) -> (1, count, H, W)."""
    return F.one_hot(torch.from_numpy(labels.astype(np.int64)), count).permute(2, 0, 1)[None].float()


def _answer(network: nn.Module, x: Tensor, *numbers: Tensor) -> Tensor:
    """(1, C, H, W) of any size -> (1, outputs, H, W) on the CPU; edges repeated up to the sides that the network wants."""
    height, width = x.shape[2:]
    device = next(network.parameters()).device
    x = filled_up(x, int(network.multiple))  # pyright: ignore[reportArgumentType] - a plain int on every network of this task
    y = network(x.to(device), *(value.to(device) for value in numbers))
    return y[..., :height, :width].float().cpu()


def _coloured(network: nn.Module, image: Image.Image, colours: Image.Image | None, seed: int) -> Image.Image:
    assert isinstance(network, Pix2PixGenerator)
    light = luminance(to_tensor(image))  # (1, 1, H, W)
    given = (light * 2 - 1).to(next(network.parameters()).device)
    if colours is not None:
        told = palette_of(to_tensor(colours)).to(given)
    elif seed:
        order = network.likely(given)[0]
        told = given.new_tensor([network.moods[int(order[(seed - 1) % min(LIKELY, len(order))])]])
    else:
        told = network.default_palettes(given)
    return to_image(coloured(light, network.chroma_of(given, told).float().cpu()))



def _portrait(labels: np.ndarray, lines: np.ndarray, seed: int) -> tuple[Tensor, Tensor]:
    """The drawing (1, labels + 1, H, W) and the attributes of the seed's person, who wears what is drawn."""
    from gm_core.datasets import portraits

    contours = torch.from_numpy(lines | (portraits.edges(labels[None])[0] > 0))[None, None].float()
    drawing = torch.cat([_one_hot(labels, len(portraits.LABELS)), contours], 1)
    wanted = {name: bool((labels == portraits.LABELS.index(name)).any()) for name in ("glasses", "hat", "beard")}
    numbers = portraits.attributes(portraits.sample(seed))
    for i in range(300):
        numbers = portraits.attributes(portraits.sample((seed + 7919 * i) % portraits.HELD_OUT))
        if all(_wears(numbers, name) == yes for name, yes in wanted.items()):
            break
    return drawing, torch.from_numpy(numbers)[None]


def _wears(numbers: np.ndarray, name: str) -> bool:
    from gm_core.datasets.portraits import ATTRIBUTES

    return any(value > 0 for said, value in zip(ATTRIBUTES, numbers, strict=True)
               if said == name or said.startswith(f"{name}:"))
