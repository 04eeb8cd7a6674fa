"""Fast style transfer: one pass of one network, many painters (Johnson et al. 2016, Dumoulin et al. 2017)."""

import torch
from PIL import Image
from torch import Tensor

from gm_core.checkpoints import find
from gm_core.errors import BadInput, number
from gm_core.images import to_image, to_tensor
from gm_core.load import load
from gm_core.report import Report, silent
from gm_core.styles import STYLES

MIN_SIDE, MAX_SIDE = 16, 1536


def style_transfer(image: Image.Image, *, style: str = "great-wave", second_style: str | None = None,
                   blend: float = 0.0, strength: float = 1.0, keep_colours: bool = False,
                   checkpoint: str = "style-many", report: Report = silent) -> Image.Image:
    """The picture as one painter, or a mixture of two, might have painted it.

    image: RGB, 16 to 1536 px a side. style, second_style: keys of `gm_core.styles.STYLES`. blend: 0 is the first style
    alone, 1 the second alone; without a second style it has no effect. strength: 0 is the photograph, 1 the painting.
    keep_colours: the painting gives the brightness only, the photograph its colours. checkpoint: one of task
    "style_transfer". Returns RGB of the same size.

    Raises BadInput for anything out of these limits, and what `load` raises.
    """
    check_size(image)
    check_share("blend", blend)
    check_share("strength", strength)
    first = _row(style)
    second = _row(second_style) if second_style else first
    if find(checkpoint).task != "style_transfer":
        raise BadInput(f"'{checkpoint}' does not paint in styles.")
    network = load(checkpoint, report=report)
    parameter = next(network.parameters())

    photograph = to_tensor(image).to(parameter)  # (1, 3, H, W), 0..1
    weights = torch.zeros(1, len(STYLES)).to(parameter)
    weights[0, first] += 1.0 - blend
    weights[0, second] += blend
    report(0.1, "Painting")
    with torch.inference_mode():
        painting = network(photograph, weights).float()
    report(0.9, "Drying")
    photograph = photograph.float()
    if keep_colours:
        painting = with_colours_of(photograph, painting)
    # Between the pictures, not between the normalisations: no row of the network gives the photograph back, so only
    # this way 0 is exactly the photograph and every strength lies between the two. Contours stay where they were, so
    # the mixture looks like thinner paint, not like a double exposure.
    return to_image(photograph + strength * (painting - photograph))


def with_colours_of(photograph: Tensor, painting: Tensor) -> Tensor:
    """Luminance-only transfer (Gatys et al. 2016, arXiv:1606.05897, section 5.2). Both (B, 3, H, W), RGB in 0..1.

    Where the new brightness leaves no room for the old colour, the colour is made paler, never turned to another hue.
    """
    light = luminance(painting)
    colour = photograph - luminance(photograph)  # (B, 3, H, W), its own luminance is 0
    room = torch.where(colour > 0, 1.0 - light, light) / colour.abs().clamp_min(1e-6)
    return light + colour * room.amin(1, keepdim=True).clamp(0.0, 1.0)


def luminance(x: Tensor) -> Tensor:
    """The Y of ITU-R BT.601 in 0..1: (B, 3, H, W) -> (B, 1, H, W)."""
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)


def check_size(image: Image.Image) -> None:
    """Raises BadInput unless both sides have 16 to 1536 pixels."""
    if max(image.size) > MAX_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; up to {MAX_SIDE} a side can be "
                       "painted. Please crop it, or make it smaller.")
    if min(image.size) < MIN_SIDE:
        raise BadInput(f"This picture has {image.width} x {image.height} pixels; at least {MIN_SIDE} a side are "
                       "needed.")


def check_share(name: str, value: float) -> None:
    """Raises BadInput unless the value is a number from 0 to 1."""
    if not 0.0 <= number(name.capitalize(), value) <= 1.0:  # also catches NaN
        raise BadInput(f"{name.capitalize()} goes from 0 to 1; {value:g} was given.")


def _row(key: str) -> int:
    """The network's row of a style. Raises BadInput, which lists the names there are."""
    keys = [style.key for style in STYLES]
    if key not in keys:
        raise BadInput(f"There is no style '{str(key)[:80]}'. There are: {', '.join(keys)}.")
    return keys.index(key)
