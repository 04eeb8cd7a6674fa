"""What is measured and shown: PSNR, SSIM, perceptual distance, KID. Pictures are (B, 3, H, W), RGB in 0..1.

Nothing here loads weights. What needs a feature network takes it as an argument: any module that turns pictures into a
dictionary of named activations (B, C, H, W), such as `load("features-small")` or SqueezeNet.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.errors import BadInput

FeatureNetwork = Callable[[Tensor], dict[str, Tensor]]
"""Pictures (B, 3, H, W), RGB in 0..1 -> named activations (B, C, H', W')."""


def _check_pair(x: Tensor, y: Tensor) -> None:
    if x.ndim != 4 or x.shape[1] != 3:
        raise BadInput(f"Pictures to compare must have the shape (B, 3, H, W), not {tuple(x.shape)}.")
    if x.shape != y.shape:
        raise BadInput(f"Both pictures must have the same size; these have {tuple(x.shape)} and {tuple(y.shape)}.")


def luma(x: Tensor) -> Tensor:
    """The Y of ITU-R BT.601 in 16..235, scaled to 0..1, as super-resolution papers measure it: (B, 1, H, W)."""
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    return ((x * weights).sum(1, keepdim=True) + 16.0) / 255.0


def psnr_y(x: Tensor, y: Tensor, *, border: int = 4) -> float:
    """Peak signal-to-noise ratio of the luma in dB, `border` pixels left out on each side."""
    a, b = (luma(picture)[..., border:-border or None, border:-border or None] for picture in (x, y))
    return float(-10.0 * torch.log10((a - b).square().mean().clamp_min(1e-12)))


def psnr(x: Tensor, y: Tensor) -> float:
    """Peak signal-to-noise ratio over the three channels in dB; infinite for equal pictures."""
    _check_pair(x, y)
    return float(-10.0 * torch.log10((x - y).square().mean()))


def ssim(x: Tensor, y: Tensor) -> float:
    """Structural similarity (Wang et al. 2004), Gaussian window of 11 px, mean over the three channels; 1 is equal."""
    _check_pair(x, y)
    return _ssim(x, y)


def ssim_y(x: Tensor, y: Tensor, *, border: int = 4) -> float:
    """SSIM of the luma with `border` pixels left out on each side: the figure super-resolution papers print."""
    _check_pair(x, y)
    a, b = (luma(picture)[..., border:-border or None, border:-border or None] for picture in (x, y))
    return _ssim(a, b)


def _ssim(a: Tensor, b: Tensor) -> float:
    if min(a.shape[-2:]) < 11:
        raise BadInput(f"SSIM needs pictures of at least 11 by 11 pixels; this one has {a.shape[-1]} by {a.shape[-2]}.")
    # Imported here: torchmetrics takes about a second, and most callers want another figure.
    from torchmetrics.functional.image import structural_similarity_index_measure

    # In float64: variances are differences of close numbers.
    figure = structural_similarity_index_measure(a.double(), b.double(), data_range=1.0)
    if isinstance(figure, tuple):  # only with options that are not used here
        figure = figure[0]
    return float(figure)


def squared_differences(x: Tensor, y: Tensor, features: FeatureNetwork) -> list[Tensor]:
    """One map (B, 1, H', W') for each activation: squared distance of the unit vectors over channels, in 0..4."""
    _check_pair(x, y)
    both = features(torch.cat([x, y]))
    maps = []
    for activation in both.values():
        unit = activation * (activation.square().sum(1, keepdim=True) + 1e-10).rsqrt()
        of_x, of_y = unit.chunk(2)
        maps.append((of_x - of_y).square().sum(1, keepdim=True))
    return maps


def perceptual_distance(x: Tensor, y: Tensor, features: FeatureNetwork) -> Tensor:
    """How different two pictures look, (B,): 0 for equal ones, at most 2 after ReLUs. Differentiable in x and y.

    LPIPS (Zhang et al. 2018, arXiv:1801.03924) without its learned channel weights: every activation is scaled to unit
    length over channels, squared differences are summed over channels, averaged over space, and averaged over the
    activations that the network returns, each with the same weight.
    """
    return torch.stack([difference.mean((1, 2, 3)) for difference in squared_differences(x, y, features)]).mean(0)


def perceptual_map(x: Tensor, y: Tensor, features: FeatureNetwork) -> Tensor:
    """Where two pictures look different, (B, 1, H, W): the distance's maps enlarged to the pictures' size, averaged."""
    size = tuple(x.shape[-2:])
    maps = [F.interpolate(difference, size, mode="bilinear") for difference in squared_differences(x, y, features)]
    return torch.stack(maps).mean(0)


def pooled_features(x: Tensor, features: FeatureNetwork) -> Tensor:
    """One vector a picture for `kid`, (B, D): mean and deviation over space of every channel of every activation.

    Each activation's part is scaled to the mean square 1, so that no depth outweighs another.
    """
    parts = []
    for activation in features(x).values():
        mean = activation.mean((2, 3))
        deviation = (activation.square().mean((2, 3)) - mean.square()).clamp_min(0).add(1e-10).sqrt()
        part = torch.cat([mean, deviation], 1)
        parts.append(F.normalize(part, dim=1) * part.shape[1] ** 0.5)
    return torch.cat(parts, 1)


class Kid(NamedTuple):
    """A kernel distance between two sets of pictures."""

    value: float
    """0 in the mean for two sets of one kind, larger the more they differ; may be a little below 0."""
    error: float
    """Standard error of the mean over subsets. It does not tell how much another choice of pictures would change."""


def kid(x_features: Tensor, y_features: Tensor, *, subsets: int = 100, subset_size: int = 50, seed: int = 0) -> Kid:
    """Kernel distance of two sets of feature vectors (N, D) and (M, D), for example from `pooled_features`.

    Binkowski et al. 2018 (arXiv:1801.01401): the unbiased estimate of MMD^2 under the kernel (x.y / D + 1)^3, averaged
    over `subsets` random subsets of `subset_size` vectors. Only figures with the same feature network compare: these
    are not the KID of papers, which is measured with Inception.

    Raises BadInput if the vectors' lengths differ or a set has fewer than `subset_size` of them.
    """
    if x_features.ndim != 2 or y_features.ndim != 2 or x_features.shape[1] != y_features.shape[1]:
        raise BadInput("KID needs two sets of feature vectors (N, D) and (M, D) from the same network, not "
                       f"{tuple(x_features.shape)} and {tuple(y_features.shape)}.")
    if subset_size < 2 or subsets < 1:
        raise BadInput(f"KID needs at least one subset of at least 2 pictures, not {subsets} of {subset_size}.")
    if min(len(x_features), len(y_features)) < subset_size:
        raise BadInput(f"KID needs at least {subset_size} pictures in each set; these have {len(x_features)} and "
                       f"{len(y_features)}. Give more pictures, or a smaller subset_size.")
    from torchmetrics.image.kid import poly_mmd  # imported here for the same reason as above

    generator = torch.Generator().manual_seed(seed)
    x, y = x_features.detach().double().cpu(), y_features.detach().double().cpu()
    values = torch.stack([
        poly_mmd(x[torch.randperm(len(x), generator=generator)[:subset_size]],
                 y[torch.randperm(len(y), generator=generator)[:subset_size]])
        for _ in range(subsets)
    ])
    error = float(values.std() / subsets**0.5) if subsets > 1 else float("nan")
    return Kid(float(values.mean()), error)
