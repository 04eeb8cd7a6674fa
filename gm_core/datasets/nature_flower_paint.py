"""Colour: petals, centre, stem and leaves of the flowers. Colours are linear."""

import colorsys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gm_core.datasets import nature_flower_rig as rig
from gm_core.datasets.nature_flower_kinds import Flower
from gm_core.datasets.nature_flower_rig import FlowerScene, along, petal, whose
from gm_core.datasets.nature_studio import RGB, Brush, within, without
from gm_core.datasets.rendering import Lights, Material, ParametersAt, Surface, bump, noise, smoothstep

LABELS = ("background", "petal", "centre", "stem", "leaf")
(BACKGROUND, PETAL, CENTRE, STEM, LEAF) = range(5)

PETALS: dict[str, RGB] = {
    "white": (0.82, 0.81, 0.78), "yellow": (0.90, 0.64, 0.035), "orange": (0.88, 0.27, 0.022), "red": (0.60, 0.022, 0.028),
    "pink": (0.84, 0.26, 0.42), "lilac": (0.58, 0.42, 0.80), "purple": (0.27, 0.045, 0.45), "blue": (0.075, 0.18, 0.70),
    "black": (0.03, 0.01, 0.02)}
CENTRES: dict[str, RGB] = {"yellow": (0.84, 0.54, 0.03), "orange": (0.78, 0.25, 0.02), "brown": (0.15, 0.065, 0.025),
                           "dark purple": (0.085, 0.016, 0.11), "green": (0.28, 0.42, 0.06), "white": (0.78, 0.77, 0.68)}


def petal_rgb(f: Flower, colour: str) -> RGB:
    """A colour of this flower: every flower is a little different."""
    hue, saturation, value = colorsys.rgb_to_hsv(*PETALS[colour])
    return colorsys.hsv_to_rgb((hue + 0.012 * f.hue) % 1, saturation, min(value * f.shade, 0.92))


class FlowerPainter(Brush[Flower]):
    """Paints the samples of a batch of flowers."""

    def __init__(self, flowers: Sequence[Flower], scene: FlowerScene, surface: Surface, lights: Lights) -> None:
        super().__init__(flowers, surface, lights)
        self.scene = scene

    def paint(self) -> Material:
        painters: dict[int, Callable[[Tensor, ParametersAt], None]] = {
            rig.CENTRE: self.centre, rig.STEM: self.stem, rig.LEAF: self.leaf}
        for part, painter in painters.items():
            index = (self.surface.part == part).nonzero()[:, 0]
            if len(index):
                painter(index, self.scene.parameters.at(self.surface.scene[index]))
        for ring in range(rig.RINGS):
            index = (torch.div(self.surface.part, 2, rounding_mode="floor") == ring).nonzero()[:, 0]
            if len(index):
                self.petals(ring, index, self.scene.parameters.at(self.surface.scene[index]))
        return self.material

    def place(self, index: Tensor, p: ParametersAt, name: str) -> tuple[Tensor, Tensor, Tensor]:
        x, y, z = (q[index] for q in self.surface.point)
        return within(p, name, x, y, z)

    def through(self, index: Tensor) -> Tensor:
        """(3, N): the key light that comes through something thin from behind."""
        key, n = self.key(index), self.normal(index)
        behind = (-(n[0] * key[0] + n[1] * key[1] + n[2] * key[2])).clamp(min=0) + 0.08
        return behind * self.surface.key[index].clamp(min=0.25) * self.lights.key_colour[self.surface.scene[index]].T

    def petals(self, ring: int, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.place(index, p, "a")
        around = (x * x + z * z).sqrt()
        way, height = along(p, ring, around, y)
        angle = torch.atan2(x, z)
        number, beyond = whose(p, ring, angle)
        one, across_one, lift_one = petal(p, ring, beyond, angle, around, way, height)
        two, across_two, lift_two = petal(p, ring, beyond - 1, angle, around, way, height)
        nearer = one < two
        across, lift = torch.where(nearer, across_one, across_two), torch.where(nearer, lift_one, lift_two)
        number = torch.where(nearer, number, number + 1)
        number = number - p.count * (number / p.count + 1e-4).floor()
        t = (way / getattr(p, f"length{ring}")).clamp(0, 1)
        wide = getattr(p, f"wide{ring}")
        w = across / wide
        # the petal's width here, so that stripes run to its tip
        room = (1 - ((t - 0.45) / 0.62).clamp(-1, 1) ** 2).clamp(min=0.05).sqrt()
        v = w / room
        first, second, ink = (self.of(name, index, lambda f, name=name: petal_rgb(f, getattr(f, name)))
                              for name in ("petal_colour", "second_colour", "pattern_colour"))
        kind = self.of("kind", index, lambda f: (float(f.gradient == "centre"), float(f.gradient == "tip"),
                                                 float(f.pattern == "striped"),
                                                 float(f.pattern == "spotted")))
        vary = noise(number * 5.3 + p.seed, number * 2.1 + ring * 7)
        blend = kind[0] * smoothstep(0.74, 0.26, t + 0.06 * w * w) + kind[1] * smoothstep(0.52, 0.98, t + 0.10 * w * w)
        colour = torch.lerp(first, second, (blend * 0.94).clamp(0, 1))
        lines = smoothstep(0.30, 0.75, torch.cos(v * 9.5)) * smoothstep(0.98, 0.55, t) * smoothstep(1.0, 0.7, v.abs())
        colour = torch.lerp(colour, ink, kind[2] * 0.72 * lines)
        u = w * wide * 15
        row = t * 15
        cell = u + 0.5 * (row.floor() % 2)
        du, dv = cell - cell.floor() - 0.5, row - row.floor() - 0.5
        dots = smoothstep(0.36, 0.24, (du * du + dv * dv).sqrt() + 0.2 * (noise(cell.floor() * 3.3 + number * 7, row.floor()
                                                                                * 2.9) - 0.5))
        colour = torch.lerp(colour, ink, kind[3] * 0.8 * dots * smoothstep(0.80, 0.55, t) * smoothstep(0.06, 0.16, t))
        fine = noise(v * 11 + number * 17 + 40, t * 5 + 9)
        vein = bump(v / 0.07) * smoothstep(1.0, 0.4, t)
        colour = colour * (0.84 + 0.13 * fine + 0.20 * (vary - 0.5) + 0.10 * smoothstep(0.0, 0.45, t)) * (1 - 0.10 * vein)
        colour = colour * (1 - 0.12 * smoothstep(0.75, 1.0, v.abs()))
        outside = smoothstep(0.004, -0.004, height - lift)
        colour = torch.lerp(colour, colour * 0.86 + 0.02, outside)
        sepal = outside * smoothstep(0.30, 0.05, t)
        colour = torch.lerp(colour, self.colour((0.22, 0.34, 0.07)).expand_as(colour), 0.55 * sepal)
        m.albedo[:, index] = colour
        relief = (fine - 0.5) * 0.22 + 0.16 * torch.sin(v * 9.5) * (1 - v.abs()).clamp(min=0)
        a, b, c = (torch.cos(angle) * relief, 0.0 * relief, -torch.sin(angle) * relief)
        self.soften(index, 0.45)
        self.bend(index, *without(p, "a", a, b, c))
        m.glow[:, index] = colour * self.through(index) * 0.34
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.022, 10.0, 0.30, PETAL

    def centre(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.place(index, p, "a")
        around = (x * x + z * z).sqrt() / p.rc
        angle = torch.atan2(x, z)
        colour = self.of("centre", index, lambda f: CENTRES[f.centre_colour])
        stamens, fluffy = self.of("centres", index, lambda f: (float(f.centre == "stamens"), float(f.centre == "fluffy")))
        # seeds in spirals, as in a sunflower: two families of curves that cross
        log = (around + 0.08).log()
        a, b = (angle * 13 / 6.2832 + log * 3.4), (angle * 21 / 6.2832 - log * 2.6)
        du, dv = a - a.floor() - 0.5, b - b.floor() - 0.5
        seed = smoothstep(0.62, 0.15, (du * du + dv * dv).sqrt())
        mound = colour * (0.50 + 0.75 * seed) * (0.80 + 0.35 * smoothstep(0.2, 0.95, around))
        ripe = bump((around - 0.86) / 0.16)
        mound = mound * (1 + 0.30 * ripe)
        tuft = noise(angle * 12 + 40, around * 14 + y * 20)
        soft = colour * (0.62 + 0.75 * tuft)
        tall = p.c_y + p.c_long
        knob = smoothstep(tall - 0.13, tall - 0.08, y)
        thread = torch.lerp(self.colour((0.55, 0.60, 0.30)).expand_as(colour), colour, knob)
        heart = smoothstep(p.c_tall + p.c_y + 0.02, p.c_tall + p.c_y - 0.01, y)
        thread = torch.lerp(thread, colour * (0.7 + 0.4 * seed), heart)
        out = torch.lerp(torch.lerp(mound, soft, fluffy), thread, stamens)
        m.albedo[:, index] = out
        self.bend(index, (du * seed) * 0.5 * (1 - stamens), (dv * seed) * 0.5 * (1 - stamens), 0.0 * du)
        m.glow[:, index] = out * self.through(index) * 0.12
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.03, 14.0, 0.3, CENTRE

    def stem(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = (q[index] for q in self.surface.point)
        green = self.of("stem", index, lambda f: ((0.17, 0.34, 0.07), (0.25, 0.38, 0.09), (0.13, 0.28, 0.08))[f.seed % 3])
        m.albedo[:, index] = green * (0.75 + 0.5 * noise(x * 40 + z * 40, y * 5))
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.03, 14.0, 0.2, STEM

    def leaf(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        point = torch.stack([q[index] for q in self.surface.point])
        best = torch.full_like(point[0], 1e3)
        u, v = torch.zeros_like(best), torch.zeros_like(best)
        for i in range(rig.LEAVES):
            a, b, c = within(p, f"l{i}", *point)
            size = getattr(p, f"l{i}size")
            d = a * a + 4 * b * b + 8 * c * c
            closer = d < best
            best = torch.where(closer, d, best)
            u, v = torch.where(closer, a / size, u), torch.where(closer, b / size, v)
        green = self.of("leaf", index, lambda f: ((0.12, 0.28, 0.05), (0.19, 0.35, 0.07), (0.09, 0.23, 0.06))[f.seed % 3])
        self.soften(index, 0.5)
        rib = (u * 5 + v.abs() * 6)
        rib = bump((rib - rib.floor() - 0.5) / 0.14)
        colour = green * (0.85 + 0.28 * bump(v / 0.03) + 0.14 * rib) * (0.85 + 0.3 * noise(u * 12 + 5, v * 14))
        m.albedo[:, index] = colour
        m.glow[:, index] = colour * self.through(index) * 0.35
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.06, 16.0, 0.1, LEAF
