"""The solids of a flower: rings of petals, the centre, stem and leaves.

Flower frame: y is the axis, away from the stem. Every ring's petals are pieces of one surface of revolution: an arc that
starts at the axis. A petal's own coordinates are the way along the arc, the way across it, and the height above it.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gm_core.datasets import rendering
from gm_core.datasets.nature_flower_kinds import Flower
from gm_core.datasets.nature_studio import Chance, blade, frame, turned, within
from gm_core.datasets.rendering import (
    ParametersAt,
    capsule,
    ellipsoid,
    smooth_min,
    smoothstep,
    sphere,
)

RINGS = 3
CENTRE, STEM, LEAF = 2 * RINGS, 2 * RINGS + 1, 2 * RINGS + 2
PETAL_GROUP, CENTRE_GROUP, STEM_GROUP = range(3)
GROUPS = (tuple(range(2 * RINGS)), (CENTRE,), (STEM, LEAF))
"""The petals of a ring are two parts, every other one, so that a petal's edge is seen over the next."""

CAMERA_DISTANCE = 9.0
LEAVES = 3

_SIZES = {"small": 0.56, "medium": 0.74, "large": 0.93}
_CENTRES = {"round": 0.24, "pointed": 0.24, "narrow": 0.30, "heart-shaped": 0.16, "frilled": 0.22, "cup": 0.20}


def numbers(f: Flower) -> dict[str, float]:
    """Everything the solids are made of, worked out once per flower."""
    cup = f.petal_shape == "cup"
    rings = 2 if cup else f.layers
    count = f.petals // 2 if cup else f.petals
    rc = _CENTRES[f.petal_shape] * f.centre_size * (1.15 if f.centre in ("cone", "disc") and not cup else 0.9)
    n: dict[str, float] = {"step": 2 * math.pi / count, "per": count / (2 * math.pi), "count": float(count), "spin": f.spin
                           * count / (
        2 * math.pi), "rc": rc, "disorder": 0.0 if cup else 0.05 * f.disorder, "seed": float(f.seed % 97),
        "cross": 0.0 if cup else f.petal_cup, "lean": 0.06 if cup else f.overlap, "frill": float(f.petal_shape == "frilled")}
    tops: list[tuple[float, float]] = []
    for ring in range(RINGS):
        n[f"ring{ring}"] = float(ring < rings)
        if cup:
            length, rise, curl, start, up = 1.50 - 0.06 * ring, 0.25 + 0.10 * ring, f.petal_curl + 0.03 * ring, 0.07, 0.0
        else:
            length = (1.0 - 0.20 * ring) - 0.4 * rc
            rise, curl, start = f.petal_rise + 0.36 * ring, f.petal_curl + 0.30 * ring, 0.4 * rc
            up = 0.035 * ring
        curl = math.copysign(max(abs(curl), 0.12), curl)
        # the width lets the petals of a ring touch or overlap at their widest
        around = start + 0.62 * length if not cup else 0.62
        fills = {"round": 1.20, "pointed": 1.12, "narrow": 0.92, "heart-shaped": 1.16, "frilled": 1.30,
                 "cup": 1.22}[f.petal_shape]
        wide = min(0.5 * fills * f.petal_width * around * n["step"], 0.60 * length)
        if f.petal_shape == "narrow":
            wide = min(wide, 0.17)
        tall = 0.56 * length
        if f.petal_shape in ("pointed", "narrow"):
            wide = min(wide, tall * 0.92)
            squash, k = 1.0, (tall * tall - wide * wide) / (2 * wide)
            if f.petal_shape == "narrow":  # blunter than a blade
                squash, k = wide / tall, 0.0
            radius = k + wide
        else:
            k = -0.50 * wide if f.petal_shape == "heart-shaped" else 0.0
            radius = wide + k
            tall = tall * (0.92 if f.petal_shape == "heart-shaped" else 1.0)
            squash = radius / tall
            if cup:
                tall = 0.60 * length
                squash, k = 1.0, (tall * tall - wide * wide) / (2 * wide)
                radius = k + wide
        middle = length - tall
        n |= {f"start{ring}": start, f"up{ring}": up, f"c{ring}": math.cos(rise), f"s{ring}": math.sin(rise),
              f"bend{ring}": 1 / abs(curl), f"sign{ring}": math.copysign(1.0, curl), f"length{ring}": length,
              f"wide{ring}": wide, f"middle{ring}": middle, f"squash{ring}": squash, f"k{ring}": k, f"radius{ring}": radius,
              f"phase{ring}": 0.5 * ring + 0.13 * ring * (not cup)}
        if ring < rings:
            for way in np.linspace(0.0, length, 9):
                angle = rise + curl * way
                tops.append((start + (math.sin(angle) - math.sin(rise)) / curl, up + (math.cos(rise) - math.cos(angle)) / curl))
    reach = max(r for r, _ in tops)
    low, high = min(h for _, h in tops), max(h for _, h in tops)
    loose = n["disorder"]
    edge = 0.05 + 1.6 * loose + (abs(n["lean"]) + 2
                                 * loose) * n["wide0"] + abs(n["cross"]) * n["wide0"] ** 2 + 0.06 * n["frill"]
    n |= {"reach": reach * (1 + loose) + 0.04, "mid": (low + high) / 2, "thick": (high - low) / 2 + edge}
    n |= {f"is_{kind}": float(f.centre == kind) for kind in ("disc", "cone", "stamens", "fluffy")}
    n |= {"c_y": 0.06 + 0.04 * (rings - 1) * (not cup), "c_tall": rc * {"disc": 0.50, "cone": 1.15, "stamens": 0.35,
                                                                        "fluffy": 0.75}[f.centre],
          "c_long": (0.62 if cup else 0.34) * f.centre_size, "c_step": 2 * math.pi / 9, "c_per": 9 / (2 * math.pi)}

    # it faces us, or up
    turn = turned("y", f.azimuth) @ turned("x", -f.rise) @ turned("x", math.pi / 2)
    n |= frame("a", turn, np.zeros(3))
    base = turn @ np.array([0.0, 0.0, 0.0])
    behind = turn @ np.array([0.0, -0.42, 0.0]) + np.array([0.0, -0.10, 0.0])
    foot = behind + np.array([0.6 * f.stem_bend, -3.0, -0.3 + 0.2 * f.stem_bend])
    n |= {f"{name}{axis}": float(v) for name, at in (("s0", base), ("s1", behind), ("s2", foot)) for axis, v in zip("xyz", at,
                                                                                                                    strict=True)}
    c = Chance(f.seed, 78)
    side = c.side()
    for i in range(LEAVES):
        size = c.uniform(0.42, 0.62)
        root = behind + (foot - behind) * c.uniform(0.12 + 0.09 * i, 0.24 + 0.09 * i)
        way = np.array([side * c.uniform(0.7, 1.0), c.uniform(0.05, 0.8), c.uniform(-0.1, 0.5)])
        side = -side
        way /= np.linalg.norm(way)
        face = np.array([c.uniform(-0.4, 0.4), c.uniform(0.4, 1.1), 0.8])
        face -= (face @ way) * way
        face /= np.linalg.norm(face)
        middle = root + way * size * 0.98
        n |= {name: float(v) for name, v in frame(f"l{i}", np.stack([way, np.cross(face, way), face], 1), middle).items()}
        n |= {f"l{i}size": size, f"l{i}x": float(middle[0]), f"l{i}y": float(middle[1]), f"l{i}z": float(middle[2]),
              f"l{i}": float(i < f.leaves)}
    n["leaves"] = float(f.leaves > 0)

    # the shot
    rim = [(r, h) for r, h in tops]
    points = np.array([turn @ np.array([r * math.sin(a), h, r * math.cos(a)]) for r, h in rim for a in np.linspace(0, 2
                                                                                                                   * math.pi,
                                                                                                                   13)])
    flat = points[:, :2] / (1 - points[:, 2:] / CAMERA_DISTANCE)
    lowest, highest = flat.min(0) - 0.05, flat.max(0) + 0.05
    if f.view == "side":
        lowest[1] -= 0.45
    half = float(max(highest - lowest)) / 2 / min(_SIZES[f.size] * f.zoom, 0.96)
    middle, spare = (lowest + highest) / 2, half - (highest - lowest) / 2
    n |= {"camera_x": float(middle[0] - 0.6 * f.shift_x * spare[0]), "camera_y": float(middle[1] + (-0.25 - 0.35 * f.shift_y)
                                                                                       * spare[1]),
          "camera_half": half}
    return n


def along(p: ParametersAt, ring: int, around: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The way along a ring's arc, and the height above it. around: distance from the axis."""
    c, s, bend, sign = (getattr(p, f"{name}{ring}") for name in ("c", "s", "bend", "sign"))
    a = around - (getattr(p, f"start{ring}") - s * bend * sign)
    b = y - (getattr(p, f"up{ring}") + c * bend * sign)
    forth = (a * c).add_(b * s)
    under = (a * (s * sign)).sub_(b * (c * sign))
    height = ((a.mul_(a).addcmul_(b, b)).sqrt_().neg_().add_(bend)).mul_(sign)
    return torch.atan2(forth, under).mul_(bend), height


def whose(p: ParametersAt, ring: int, angle: Tensor) -> tuple[Tensor, Tensor]:
    """The number of the petal before a direction, and how far beyond its middle that lies, 0..1 of the way to the next."""
    g = angle * p.per + (p.spin + getattr(p, f"phase{ring}"))
    number = g.floor()
    return number, g - number


def petal(p: ParametersAt, ring: int, beyond: Tensor, angle: Tensor, around: Tensor, way: Tensor,
          height: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A petal's distance, the way across it, and the height of its middle. beyond: how far beside its middle, in steps."""
    off = beyond * p.step
    across = off * around
    length, wide = getattr(p, f"length{ring}"), getattr(p, f"wide{ring}")
    t = way * (1 / length)
    beside = across.abs()
    lift = (across * p.cross).add_(p.lean).mul_(across)
    odd = 0.0
    if p.any("disorder"):  # no petal is like the next: waves around the flower, met at each petal's middle
        odd = torch.sin((angle - off) * 7 + (p.seed + 3.1 * ring)).mul_(p.disorder)
        lift = lift + odd * (2 * across + 1.6 * t)
    out = (((way * (1 + odd) - getattr(p, f"middle{ring}")) * getattr(p, f"squash{ring}")) ** 2
           + (beside + getattr(p, f"k{ring}")) ** 2).sqrt_()
    out = out - getattr(p, f"radius{ring}")
    if p.any("frill"):
        wave = torch.sin(across * (8.8 / wide) + 60 * odd + 2 * t) * smoothstep(0.35, 1.0, t) * p.frill
        out = out + wave * 0.022
        lift = lift + wave * 0.055 * t
    return blade(out, (height - lift).abs_().sub_(0.014), 0.012).mul_(0.9), across, lift


class FlowerScene(rendering.Solids):
    """The solids of a batch of flowers, as `rendering.Scene` wants them."""

    def __init__(self, flowers: Sequence[Flower], device: torch.device) -> None:
        super().__init__([numbers(f) for f in flowers], GROUPS, (6.8, 11.4), CAMERA_DISTANCE, device)

    def distances(self, group: int, scene: Tensor, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        """See `rendering.Scene`."""
        p = self.parameters.at(scene)
        if group == STEM_GROUP:
            return self._green(p, x, y, z, detail)
        x, y, z = within(p, "a", x, y, z)
        if group == CENTRE_GROUP:
            return [None] if detail == rendering.PLAIN else [self._centre(p, x, y, z, detail)]
        around = (x * x).addcmul_(z, z).sqrt_()
        if detail == rendering.ROUGH:
            bound = torch.maximum(around - p.reach, (y - p.mid).abs() - p.thick)
            return [bound, *[None] * (2 * RINGS - 1)]
        angle = torch.atan2(x, z)
        parts: list[Tensor | None] = []
        for ring in range(RINGS):
            if not p.any(f"ring{ring}"):
                parts += [None, None]
                continue
            way, height = along(p, ring, around, y)
            number, beyond = whose(p, ring, angle)
            if detail == rendering.PLAIN:  # the nearest petal is enough
                later = (beyond > 0.5).float()
                one, _, _ = petal(p, ring, beyond - later, angle, around, way, height)
                parts += [p.only(f"ring{ring}", one), None]
                continue
            one, _, _ = petal(p, ring, beyond, angle, around, way, height)
            even = number - 2 * (number * 0.5).floor() < 0.5
            two, _, _ = petal(p, ring, beyond - 1, angle, around, way, height)
            parts += [p.only(f"ring{ring}", torch.where(even, one, two)), p.only(f"ring{ring}", torch.where(even, two, one))]
        return parts

    def _centre(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor, detail: int) -> Tensor:
        rc = p.rc
        if detail == rendering.ROUGH:
            mound = ellipsoid(x, y, z, (0.0, p.c_y, 0.0), (rc + 0.05, p.c_tall + 0.05, rc + 0.05))
            if p.any("is_stamens"):
                mound = torch.minimum(mound, p.only("is_stamens", capsule(x, y, z, (0.0, 0.0, 0.0), (0.0, p.c_y + p.c_long,
                                                                                                     0.0), 0.12,
                                                                          0.20 + 0.5 * rc)))
            return mound
        d = ellipsoid(x, y, z, (0.0, p.c_y, 0.0), (rc, p.c_tall, rc))
        if p.any("is_fluffy"):
            tufts = torch.sin(x * 47) * torch.sin(y * 43 + 1) * torch.sin(z * 45 + 2)
            d = p.where("is_fluffy", (d - 0.05 * tufts) * 0.6, d)
        if p.any("is_cone") or p.any("is_disc"):
            seeds = torch.sin(x * 60) * torch.sin(z * 60) * torch.sin(y * 50 + 1)
            d = d - seeds * 0.012 * (p.is_cone + p.is_disc)
        if p.any("is_stamens"):
            g = torch.atan2(x, z) * p.c_per + 0.3
            off = (g - g.round()) * p.c_step
            r = (x * x + z * z).sqrt()
            u, v = r * torch.cos(off), r * torch.sin(off)
            tall = p.c_y + p.c_long
            thread = capsule(v, y, u, (0.0, 0.0, 0.03), (0.0, tall - 0.06, 0.55 * rc + 0.13), 0.014, 0.012)
            knob = ellipsoid(v, y, u, (0.0, tall - 0.04, 0.55 * rc + 0.15), (0.035, 0.030, 0.055))
            pistil = capsule(x, y, z, (0.0, 0.0, 0.0), (0.0, tall + 0.02, 0.0), 0.03, 0.038)
            d = p.where("is_stamens", torch.minimum(torch.minimum(torch.minimum(thread, knob), pistil), d), d)
        return d

    def _green(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        first, second, third = ([getattr(p, f"s{i}{axis}") for axis in "xyz"] for i in range(3))
        wide = 0.10 if detail == rendering.ROUGH else 0.0
        stem = smooth_min(capsule(x, y, z, first, second, 0.075 + wide, 0.050 + wide), capsule(x, y, z, second, third, 0.050
                                                                                               + wide, 0.060 + wide),
                          0.04)
        if detail != rendering.ROUGH:
            calyx = [a + 0.16 * (b - a) for a, b in zip(first, second, strict=True)]
            stem = smooth_min(stem, sphere(x, y, z, calyx, 0.10), 0.10)
        leaf = None
        if p.any("leaves"):
            for i in range(LEAVES):
                if not p.any(f"l{i}"):
                    continue
                size = getattr(p, f"l{i}size")
                if detail == rendering.ROUGH:
                    one = sphere(x, y, z, [getattr(p, f"l{i}{axis}") for axis in "xyz"], size * 1.08)
                else:
                    u, v, w = within(p, f"l{i}", x, y, z)
                    short = size * 0.36
                    k = (size * size - short * short) / (2 * short)
                    out = (u * u + (v.abs() + k) ** 2).sqrt_() - (k + short)
                    one = blade(out, (w + 0.45 * u * u - 0.30 * v.abs()).abs() - 0.014, 0.012) * 0.88
                one = p.only(f"l{i}", one)
                leaf = one if leaf is None else torch.minimum(leaf, one)
        return [stem, leaf]


