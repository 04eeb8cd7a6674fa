"""Neural style by optimisation: the pixels themselves are the parameters (Gatys et al. 2015, arXiv:1508.06576)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from gm_core.errors import BadInput, number, whole
from gm_core.images import fit, to_image, to_tensor
from gm_core.load import load
from gm_core.report import Report, silent

MIN_STEPS, MAX_STEPS = 10, 1000
MIN_SIZE, MAX_SIZE = 128, 512
MIN_SIDE = 32
"""Of the reduced picture: the networks cannot look at less."""
MAX_STYLE_WEIGHT = 1000.0
PREVIEW_EVERY = 5
VARIATION_WEIGHT = 100.0
"""Of the squared differences of neighbouring pixels: without it the small network is contented with coloured grain."""
LOSS_SCALE = 1e3
"""Of what the optimiser sees: its first step is as long as the gradient, which is tiny for one pixel of many."""


@dataclass(frozen=True)
class Taps:
    """Which activations of a network are matched, each style tap with its share."""

    style: dict[str, float]
    content: str


NETWORKS = {
    "features-small": Taps({"stride1": 1.0, "stride2": 1.0, "stride4": 1.0, "stride8": 0.1}, content="stride4"),
    "vgg16": Taps({"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 1.0, "relu4_1": 1.0, "relu5_1": 0.5}, content="relu4_2"),
}
"""For vgg16 the taps of the paper."""


class Statistics(NamedTuple):
    """What is matched on one tap: channel means (B, C, 1) and covariances (B, C, C) over all places.

    Together they are the paper's Gram matrix taken apart: behind a ReLU the means dominate the matrix, and apart the
    texture is heard beside them.
    """

    mean: Tensor
    covariance: Tensor


def never() -> bool:
    """The `stop` of a caller who waits until the end."""
    return False


def gatys(image: Image.Image, style_image: Image.Image, *, steps: int = 200, size: int = 384, style_weight: float = 30.0,
          features: str = "features-small", stop: Callable[[], bool] = never, report: Report = silent) -> Image.Image:
    """The picture optimised until a network sees the content of `image` in it and the texture of `style_image`.

    image, style_image: RGB; reduced to `size` px (128 to 512) on the long side. steps: 10 to 1000. style_weight: above
    0, up to 1000; how much one part of style loss counts against one part of content loss. features: one of NETWORKS.
    stop: asked before every step; on True the best picture so far is returned. `report` gets a preview every 5 steps.
    Returns RGB of the reduced size.

    Raises BadInput for anything out of these limits, and what `load` raises.
    """
    check_input(image, style_image, steps, size, style_weight, features)
    network = load(features, report=report)
    parameter = next(network.parameters())
    taps = NETWORKS[features]

    photograph = to_tensor(fit(image, size)).to(parameter)  # (1, 3, H, W), 0..1
    painting = to_tensor(fit(style_image, size)).to(parameter)
    with torch.no_grad():
        content = network(photograph, (taps.content,))[taps.content]
        style = {tap: statistics(found) for tap, found in network(painting, tuple(taps.style)).items()}

    # L-BFGS, as the paper does: after the same time its loss is half of Adam's. It knows no bounds, so what it moves are
    # the logits of the pixels, and every step is one pass through the network: no line search.
    logits = torch.logit(photograph.clamp(0.01, 0.99)).contiguous().requires_grad_()
    optimizer = _lbfgs(logits)
    best, best_loss, last_loss = photograph, float("inf"), float("inf")

    def closure() -> float:
        nonlocal best, best_loss, last_loss
        optimizer.zero_grad()
        x = torch.sigmoid(logits)
        loss = total_loss(network, taps, x, content, style, style_weight)
        (LOSS_SCALE * loss).backward()
        last_loss = loss.item()
        if last_loss < best_loss:
            best, best_loss = x.detach(), last_loss
        return LOSS_SCALE * last_loss

    for step in range(steps):
        if stop():
            break
        optimizer.step(closure)
        if not last_loss < 2.0 * best_loss:  # a step too far, which a line search would have taken back
            with torch.no_grad():
                logits.copy_(torch.logit(best.clamp(0.01, 0.99)))
            optimizer = _lbfgs(logits)
        if step % PREVIEW_EVERY == 0:
            report(step / steps, f"Step {step} of {steps}, loss {best_loss:.3f}", to_image(best))
    return to_image(best)


def total_loss(network: nn.Module, taps: Taps, x: Tensor, content: Tensor, style: dict[str, Statistics],
               style_weight: float) -> Tensor:
    """All losses of x (1, 3, H, W) as one number; content and style relative to the magnitude of what is matched."""
    found = network(x, (*taps.style, taps.content))
    content_loss = (found[taps.content] - content).square().mean() / (content.square().mean() + 1e-12)
    style_loss = sum(share * distance(statistics(found[tap]), style[tap]) for tap, share in taps.style.items())
    variation = (x[:, :, 1:] - x[:, :, :-1]).square().mean() + (x[..., 1:] - x[..., :-1]).square().mean()
    return content_loss + style_weight / sum(taps.style.values()) * style_loss + VARIATION_WEIGHT * variation


def _lbfgs(logits: Tensor) -> torch.optim.LBFGS:
    return torch.optim.LBFGS([logits], lr=1.0, max_iter=1, history_size=20, tolerance_grad=0, tolerance_change=0)


def statistics(features: Tensor) -> Statistics:
    """features: (B, C, H, W)."""
    features = features.flatten(2)  # (B, C, H * W)
    mean = features.mean(2, keepdim=True)
    features = features - mean
    return Statistics(mean, features @ features.transpose(1, 2) / features.shape[2])


def distance(ours: Statistics, theirs: Statistics) -> Tensor:
    """Squared distance of means and of covariances, relative to theirs; a number. An even colour has no covariance:
    then the mean gives the measure."""
    power = theirs.mean.square().sum()
    means = (ours.mean - theirs.mean).square().sum() / (power + 1e-12)
    measure = theirs.covariance.square().sum() + 1e-3 * power.square() + 1e-12
    return means + (ours.covariance - theirs.covariance).square().sum() / measure


def check_input(image: Image.Image, style_image: Image.Image, steps: int, size: int, style_weight: float,
                features: str) -> None:
    """Raises BadInput with the limit and the actual value."""
    if not MIN_STEPS <= whole("The number of steps", steps) <= MAX_STEPS:
        raise BadInput(f"Steps go from {MIN_STEPS} to {MAX_STEPS}; {steps} were asked for.")
    if not MIN_SIZE <= whole("The size", size) <= MAX_SIZE:
        raise BadInput(f"The size goes from {MIN_SIZE} to {MAX_SIZE} pixels; {size} was asked for.")
    if not 0.0 < number("The style weight", style_weight) <= MAX_STYLE_WEIGHT:
        raise BadInput(f"The style weight is above 0 and at most {MAX_STYLE_WEIGHT:g}; {style_weight:g} was given.")
    if not isinstance(features, str) or features not in NETWORKS:
        raise BadInput(f"There are no features '{str(features)[:80]}'. There are: {', '.join(NETWORKS)}.")
    for picture, name in ((image, "This picture"), (style_image, "The style picture")):
        reduced = fit(picture, size)
        if min(reduced.size) < MIN_SIDE:
            raise BadInput(f"{name} has {reduced.width} x {reduced.height} pixels once its long side is at most "
                           f"{size}; at least {MIN_SIDE} a side are needed.")
