"""The ground or the water that a bird stands or swims on: a plane met by every ray at once, laid behind the bird."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets.nature_bird_kinds import Bird
from gm_core.datasets.nature_bird_paint import LABELS
from gm_core.datasets.nature_bird_rig import BirdScene
from gm_core.datasets.nature_studio import within
from gm_core.datasets.rendering import FAR_AWAY, Lights, ParametersAt, bump, noise, smoothstep, unit

_SOILS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "sand": ((0.62, 0.48, 0.31), (0.46, 0.34, 0.21)), "meadow": ((0.20, 0.33, 0.075), (0.085, 0.185, 0.035)),
    "snow": ((0.83, 0.86, 0.92), (0.72, 0.77, 0.86)), "autumn": ((0.40, 0.19, 0.065), (0.15, 0.075, 0.03)),
    "water": ((0.07, 0.22, 0.30), (0.03, 0.13, 0.20)), "dusk": ((0.30, 0.14, 0.14), (0.12, 0.07, 0.13))}


class _Plane:
    """Where the rays of one picture meet its ground."""

    def __init__(self, scene: BirdScene, number: int, size: int) -> None:
        device = scene.camera.device
        self.p = scene.parameters.at(torch.full((size * size,), number, device=device))
        row = scene.rows[number]
        c, s, level = row["stage_c"], row["stage_s"], row["ground"]
        x0, y0, z0, half = (float(v) for v in scene.camera[number])
        axis = (torch.arange(size, device=device) + 0.5) * (2 / size) - 1
        right, up = (axis * half).expand(size, size).flatten(), (-axis * half)[:, None].expand(size, size).flatten()
        self.ray = unit(right, up, torch.full_like(right, -z0))
        down = self.ray[1] * c + self.ray[2] * s
        self.t = torch.where(down < -1e-3, (level - y0 * c - z0 * s) / down.clamp(max=-1e-3), FAR_AWAY)
        self.far = self.t.clamp(max=60.0)
        self.point = (x0 + self.far * self.ray[0], y0 + self.far * self.ray[1], z0 + self.far * self.ray[2])
        self.x = self.point[0]  # across, and away from us
        self.z = self.point[2] * c - self.point[1] * s
        self.c, self.s, self.row, self.eye, self.half = c, s, row, (x0, y0, z0), half
        self.size = size


def lay(image: Tensor, labels: Tensor, reach: Tensor, birds: Sequence[Bird], scene: BirdScene, lights: Lights) -> None:
    """Lays ground or water into pictures (B, 3, size, size), linear, in place, wherever it is nearer than the bird.

    labels (B, size, size) become background there; reach (B, size, size): how far the rays to the birds went.
    """
    size = image.shape[-1]
    for i, b in enumerate(birds):
        if b.setting not in ("ground", "water"):
            continue
        small = _Plane(scene, i, size // 2)
        blurred = (small.far - 9.0).abs()
        sharp = 1 / (1 + 2.0 * blurred * blurred)
        swims = b.setting == "water"
        colour = _water(b, small, sharp, lights, i) if swims else _soil(b, small, sharp, lights, i)
        haze = smoothstep(9.0, 34.0, small.far)
        flat = F.avg_pool2d(image[i][None], 2)[0].flatten(1)
        floor = torch.lerp(colour, flat * 0.6 + colour * 0.4, haze)
        floor = F.interpolate(floor.view(1, 3, size // 2, size // 2), scale_factor=2, mode="bilinear", align_corners=False)[0]
        plane = _Plane(scene, i, size)
        if swims:
            floor = _mirrored(b, floor, image[i], reach[i], plane)
        before = (plane.t < reach[i].flatten()).view(size, size)
        horizon = smoothstep(45.0, 22.0, plane.t).view(size, size)
        image[i] = torch.where(before, torch.lerp(image[i], floor, horizon), image[i])
        labels[i] = torch.where(before & (labels[i] != LABELS.index("leg")), 0, labels[i])


def _shadow(p: ParametersAt, plane: _Plane, key: Tensor) -> tuple[Tensor, Tensor]:
    """How much of the key light and of the sky the bird takes away, 0..1: it is two ellipsoids for this."""
    light = [k.expand_as(plane.x) for k in key]
    zero = torch.zeros_like(plane.x)
    dark, near = zero, zero
    for name, radii in (("b", (p.bx, p.by, p.bz * 1.25)), ("f", (p.h, p.h, p.h))):
        o = [q / r for q, r in zip(within(p, name, *plane.point), radii, strict=True)]
        origin = [q / r for q, r in zip(within(p, name, zero, zero, zero), radii, strict=True)]
        way = [q / r - w for q, r, w in zip(within(p, name, *light), radii, origin, strict=True)]
        length = way[0] ** 2 + way[1] ** 2 + way[2] ** 2
        along = -(o[0] * way[0] + o[1] * way[1] + o[2] * way[2]) / length
        off = ((o[0] + along * way[0]) ** 2 + (o[1] + along * way[1]) ** 2 + (o[2] + along * way[2]) ** 2).sqrt()
        soft = 0.12 + 0.16 * along.clamp(min=0)
        dark = torch.maximum(dark, smoothstep(1.0, -1.0, (off - 1) / (2 * soft)) * (along > 0))
        near = torch.maximum(near, bump((o[0] ** 2 + o[1] ** 2 * 0.55 + o[2] ** 2).sqrt() / 1.35))
    return dark, near


def _soil(b: Bird, plane: _Plane, sharp: Tensor, lights: Lights, i: int) -> Tensor:
    """(3, N): sand, grass, snow or fallen leaves, lit."""
    light, dark = (torch.tensor(c, device=sharp.device).view(3, 1) for c in _SOILS[b.background])
    shift = b.seed % 83
    x, z = plane.x, plane.z
    broad = noise(x * 1.7 + shift, z * 1.7 + 9)
    fine = noise(x * 22 + shift, z * 22)
    finer = noise(x * 48 + 5, z * 48 + shift)
    if b.background == "meadow":
        blades = noise(x * 34 + shift, z * 5)
        mix = 0.30 + 0.5 * broad + sharp * (1.0 * (blades - 0.5) + 0.3 * (fine - 0.5))
    elif b.background == "autumn":
        cell = noise((x * 7).floor() * 1.37 + shift, (z * 7 + (x * 7).floor() * 0.37).floor() * 1.91)
        mix = 0.25 + 0.3 * broad + sharp * (1.5 * (noise(x * 9 + shift, z * 8) - 0.5) + 0.5 * (cell - 0.5) + 0.5
                                            * (finer - 0.5))
        hot = torch.tensor((0.62, 0.28, 0.05), device=sharp.device).view(3, 1)
        light = torch.lerp(light, hot, (sharp * smoothstep(0.5, 0.75, noise(x * 8 + 40, z * 8 + shift))))
    elif b.background == "snow":
        mix = 0.55 + 0.6 * (broad - 0.5) + sharp * 0.35 * (fine - 0.5)
    else:
        waves = torch.sin(z * 13 + 3 * noise(x * 1.5 + shift, z * 1.5)) * 0.5
        mix = 0.5 + 0.5 * (broad - 0.5) + sharp * (0.22 * waves + 0.5 * (fine - 0.5) + 0.4 * (finer - 0.5))
    albedo = dark + (light - dark) * mix.clamp(-0.3, 1.4)
    taken, near = _shadow(plane.p, plane, lights.key[i])
    key = lights.key_colour[i][:, None] * lights.key[i][1].clamp(min=0.2)
    around = lights.sky[i][:, None] * 0.95 + lights.fill_colour[i][:, None] * 0.3
    return albedo * (key * (1 - 0.9 * taken) + around * (1 - 0.55 * near))


def _water(b: Bird, plane: _Plane, sharp: Tensor, lights: Lights, i: int) -> Tensor:
    """(3, N): the colour of the water, with what it mirrors of the sky, and rings around the bird."""
    light, dark = (torch.tensor(c, device=sharp.device).view(3, 1) for c in _SOILS.get(b.background, _SOILS["water"]))
    if b.background == "autumn":
        light, dark = light * 0.8, dark * 0.7
    shift = b.seed % 83
    x, z = plane.x, plane.z
    soft = 0.35 + 0.65 * sharp
    ripple = (noise(x * 1.6 + shift, z * 7) - 0.5) + 0.6 * (noise(x * 3.4 + 20, z * 14 + shift) - 0.5)
    far = ((x * 0.75) ** 2 + z * z).sqrt()
    ring = torch.sin(far * 17 - 2 * ripple) * bump((far - 0.9) / 0.75) * 0.4
    mix = 0.45 + (ripple * 0.9 + ring) * soft
    colour = dark + (light - dark) * mix.clamp(-0.3, 1.6)
    glint = smoothstep(0.28, 0.62, ripple * soft + 0.5 * ring)
    sky = lights.sky[i][:, None]
    taken, near = _shadow(plane.p, plane, lights.key[i])
    return (colour * 1.3 + sky * (0.10 + 0.55 * glint)) * (1 - 0.30 * near) * (1 - 0.18 * taken)


def _mirrored(b: Bird, floor: Tensor, image: Tensor, reach: Tensor, plane: _Plane) -> Tensor:
    """The water (3, size, size) with the bird's mirror image in it: the picture itself, met again by the mirrored rays.

    The bird is taken for a flat picture that stands at the depth of its middle.
    """
    size, (x0, y0, _), half = plane.size, plane.eye, plane.half
    bird = (reach < FAR_AWAY / 2).float()
    seen = torch.cat([image * bird, bird[None]])[None]
    qx, qy, qz = plane.point
    shift = b.seed % 83
    wave = (noise(plane.x * 2.2 + shift, plane.z * 11) - 0.5) * 0.16 + torch.sin(plane.z * 26 + 3 * noise(plane.x * 2, plane.z
                                                                                                          * 3)) * 0.018
    up = 2 * (plane.ray[1] * plane.c + plane.ray[2] * plane.s)
    ry, rz = plane.ray[1] - up * plane.c, plane.ray[2] - up * plane.s
    step = (qz / (-rz).clamp(min=0.05)).clamp(0, 6)
    hx, hy = qx + step * plane.ray[0] + wave * step.clamp(0.1, 1.0) * 0.8, qy + step * ry
    places = torch.stack([(hx - x0) / half, -(hy - y0) / half], -1).view(1, size, size, 2)
    found = F.grid_sample(seen, places, align_corners=False, padding_mode="zeros")[0]
    found = F.avg_pool2d(found[None], (5, 3), 1, (2, 1))[0]
    strength = (0.62 * (qz > -0.15).float() * smoothstep(4.0, 0.4, step)).view(size, size)
    return floor * (1 - 0.85 * strength * found[3]) + found[:3] * strength
