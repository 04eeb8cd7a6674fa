"""Colour: plumage, beak, eyes and legs of the birds, the branch below them. Colours are linear."""

import colorsys
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gm_core.datasets import nature_bird_rig as rig
from gm_core.datasets.nature_bird_kinds import Bird
from gm_core.datasets.nature_bird_rig import BirdScene, spread_wing, wing_across
from gm_core.datasets.nature_studio import RGB, Brush, within, without
from gm_core.datasets.rendering import Lights, Material, ParametersAt, Surface, bump, noise, smoothstep

LABELS = ("background", "body", "breast", "belly", "crown", "cheek", "throat", "wing", "tail", "beak", "eye", "leg", "perch")
(BACKGROUND, BACK, BREAST, BELLY, CROWN, CHEEK, THROAT, WING, TAIL, BEAK, EYE, LEG, PERCH) = range(13)

PLUMAGE: dict[str, RGB] = {
    "black": (0.020, 0.020, 0.024), "white": (0.80, 0.79, 0.76), "grey": (0.25, 0.265, 0.29), "brown": (0.205, 0.105, 0.050),
    "red": (0.56, 0.035, 0.028), "orange": (0.80, 0.245, 0.030), "yellow": (0.86, 0.60, 0.050), "green": (0.15, 0.34, 0.045),
    "blue": (0.045, 0.20, 0.60), "purple": (0.24, 0.075, 0.42)}
BEAKS: dict[str, RGB] = {"black": (0.022, 0.021, 0.022), "grey": (0.22, 0.235, 0.25), "brown": (0.20, 0.10, 0.05),
                         "yellow": (0.84, 0.56, 0.05), "orange": (0.85, 0.28, 0.025), "red": (0.60, 0.045, 0.03)}
LEGS: dict[str, RGB] = {"black": (0.03, 0.028, 0.028), "grey": (0.20, 0.21, 0.22), "brown": (0.22, 0.11, 0.06),
                        "yellow": (0.70, 0.44, 0.06), "orange": (0.75, 0.26, 0.04), "pink": (0.66, 0.32, 0.27)}
EYES: dict[str, RGB] = {"black": (0.012, 0.010, 0.010), "brown": (0.16, 0.06, 0.02), "red": (0.50, 0.04, 0.02),
                        "yellow": (0.75, 0.48, 0.05)}


def plumage(b: Bird, colour: str) -> RGB:
    """A colour of this bird: every bird is a little different."""
    red, green, blue = PLUMAGE[colour]
    hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
    value = min(value * (b.shade if colour != "white" else 1.0), 0.9)
    return colorsys.hsv_to_rgb((hue + 0.012 * b.hue) % 1, saturation, value)


class BirdPainter(Brush[Bird]):
    """Paints the samples of a batch of birds."""

    def __init__(self, birds: Sequence[Bird], scene: BirdScene, surface: Surface, lights: Lights) -> None:
        super().__init__(birds, surface, lights)
        self.scene = scene

    def paint(self) -> Material:
        painters: dict[int, Callable[[Tensor, ParametersAt], None]] = {
            rig.BODY: self.body, rig.WING: self.wing, rig.TAIL: self.tail, rig.BEAK: self.beak, rig.EYE: self.eye,
            rig.LEG: self.leg, rig.PERCH: self.perch, rig.LEAF: self.leaf}
        for part, painter in painters.items():
            index = (self.surface.part == part).nonzero()[:, 0]
            if len(index):
                painter(index, self.scene.parameters.at(self.surface.scene[index]))
        return self.material

    def place(self, index: Tensor, p: ParametersAt, name: str) -> tuple[Tensor, Tensor, Tensor]:
        x, y, z = (q[index] for q in self.surface.point)
        return within(p, name, x, y, z)

    def feathers(self, index: Tensor, colour: Tensor, along: Tensor, across: Tensor, size: float, relief: float) -> None:
        """Soft plumage: tufts along the way the feathers lie, their ends lighter, their roots darker."""
        m = self.material
        tuft = noise(across * (26 * size) + 11, along * (9 * size) + 5)
        fine = noise(across * (58 * size) + 40, along * (20 * size) + 80)
        coarse = noise(across * 5 + 3, along * 4 + 60)
        m.albedo[:, index] = colour * (0.74 + 0.26 * tuft + 0.17 * fine + 0.14 * coarse)
        self.bend(index, (tuft - 0.5) * relief + (coarse - 0.5) * 0.25, (fine - 0.5) * relief, (noise(across * 24 + 90, along
                                                                                                      * 10) - 0.5) * relief)
        m.specular[index], m.gloss[index], m.warmth[index] = 0.012, 8.0, 0.35

    def body(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.place(index, p, "b")
        hx, hy, hz = self.place(index, p, "f")
        ah = hx.abs()
        h = p.h
        ny, nz = y / p.by, z / p.bz
        angle = torch.atan2(x, y + 1e-4)
        around = torch.atan2(x, z + 0.4 * p.bz)  # about the upright axis: on the breast the other one has its pole
        ragged = (noise(angle * 9 + 30, z * 16 + y * 12) - 0.5) * 0.22 + (noise(hx * 40 + 9, hy * 40 + hz * 30) - 0.5) * 0.06
        back, breast, belly, crown, cheek, throat = (self.of(name, index, lambda b, name=name: plumage(b, getattr(b, name)))
                                                     for name in ("body", "breast", "belly", "crown", "cheek", "throat"))
        # the trunk: below lighter than above, breast before belly
        under = smoothstep(-0.12, 0.16, 0.70 * nz - 0.95 * ny - 0.10 + ragged)
        front = smoothstep(-0.08, 0.22, 0.75 * nz + 0.75 * ny + 0.12 + ragged)
        chest = torch.lerp(belly, breast, front)
        spots = self.of("pattern", index, lambda b: (float(b.breast_pattern == "spotted"),
                                                     float(b.breast_pattern == "streaked"),
                                                     0.9 if b.breast in ("black", "brown")
                                                     and b.breast_pattern != "plain" else 0.0))
        if bool((spots[:2] > 0).any()):
            row = y * 9 - z * 3
            cell = around * 5 + 0.5 * (row.floor() % 2)
            du, dv = cell - cell.floor() - 0.5, row - row.floor() - 0.5
            dots = smoothstep(0.34, 0.20, (du * du * 1.5 + dv * dv).sqrt() + 0.12 * (noise(cell.floor() * 3.1, row.floor()
                                                                                           * 2.7) - 0.5))
            lines = smoothstep(0.60, 0.74, noise(around * 17 + 70, y * 6 - z * 2 + 20))
            ink = (spots[0] * dots + spots[1] * lines) * smoothstep(-1.0, -0.3, nz + 0.4 * ny)
            dark = torch.lerp(self.colour((0.075, 0.040, 0.024)).expand(3, len(index)), self.colour((0.72, 0.68, 0.60)),
                              spots[2])
            chest = torch.lerp(chest, dark, 0.88 * ink)
        colour = torch.lerp(back, chest, under)
        label = torch.where(under > 0.5, torch.where(front > 0.5, BREAST, BELLY), BACK)

        # the head: cap, cheeks, throat
        far = (hx * hx + hy * hy + hz * hz).sqrt() / h
        a, b, c = ah / h, hy / h, hz / h
        head = smoothstep(1.42, 1.16, far + 0.35 * (-b - 0.2).clamp(min=0) + 0.5 * (ragged * 0.5))
        face = smoothstep(-0.35, -0.05, c + 0.25 * ragged)
        colour = torch.lerp(colour, back, head * smoothstep(0.25, 0.0, c) * smoothstep(-0.75, -0.4, b) * (1 - under * 0.6))
        cheeks = head * face * smoothstep(-0.75, -0.58, b + 0.3 * ragged)
        colour = torch.lerp(colour, cheek, cheeks)
        label = torch.where(cheeks > 0.5, CHEEK, label)
        bib = smoothstep(0.02, 0.16, 0.62 * c - b - 0.62 - 0.25 * a + 0.3 * ragged) * smoothstep(1.75, 1.35,
                                                                                                 far) * smoothstep(0.0, 0.3, c)
        colour = torch.lerp(colour, throat, bib)
        label = torch.where(bib > 0.5, THROAT, label)
        line = 0.26 + 0.10 * (c - 0.3) - 0.28 * smoothstep(0.0, -0.9, c)
        cap = smoothstep(-0.06, 0.05, b - line + 0.35 * ragged) * smoothstep(1.9, 1.5, far) * smoothstep(-1.25, -0.95, c + 0.4
                                                                                                         * b)
        if p.any("crest"):
            cap = torch.maximum(cap, p.where("crest", smoothstep(0.85, 1.0, b) + 0.0 * cap, 0.0))
        colour = torch.lerp(colour, crown, cap)
        label = torch.where(cap > 0.5, CROWN, label)

        # stripe through or above the eye, ring around it
        marks = self.of("marks", index, lambda q: (float(q.eye_stripe == "black"), float(q.eye_stripe == "white"),
                                                   float(q.eye_ring != "none"), float(q.eye_ring == "yellow")))
        level = p.ey / h
        way = b - level - 0.10 * (p.ez / h - c) * 0.6
        reach = smoothstep(-0.85, -0.6, c) * head
        colour = torch.lerp(colour, self.colour((0.020, 0.018, 0.017)).expand_as(colour),
                            0.94 * marks[0] * reach * smoothstep(0.15, 0.09, way.abs() + 0.3 * ragged))
        colour = torch.lerp(colour, self.colour((0.82, 0.80, 0.74)).expand_as(colour),
                            0.94 * marks[1] * reach * smoothstep(0.11, 0.05, (way - 0.25).abs() + 0.25 * ragged))
        off = ((ah - p.ex) ** 2 + (hy - p.ey) ** 2 + (hz - p.ez) ** 2).sqrt() / p.eye_r
        ring = smoothstep(1.52, 1.40, off)
        ring_colour = torch.lerp(self.colour((0.82, 0.80, 0.75)), self.colour((0.85, 0.55, 0.04)), marks[3])
        lid = smoothstep(1.30, 1.12, off)
        dark = colour * 0.25 + 0.004
        colour = torch.lerp(colour, ring_colour, ring * marks[2])
        colour = torch.lerp(colour, dark, lid * (1 - marks[2]) + 0.9 * smoothstep(1.14, 1.06, off) * marks[2])
        # where the beak begins, small dark feathers
        root = ((ah) ** 2 + (hy - p.k_y) ** 2 + (hz - p.k_z - 0.02) ** 2).sqrt()
        colour = colour * (1 - 0.35 * smoothstep(p.k_r0 * 1.9, p.k_r0 * 1.1, root))
        facing = nz + 0.2 * ny > 0.35
        along = torch.where(head > 0.5, hz * 1.3 - 0.4 * hy, torch.where(facing, y, z - 0.3 * y))
        across = torch.where(head > 0.5, torch.atan2(hx, hy + 0.2 * h) * 0.9, torch.where(facing, around * 0.8, angle))
        self.feathers(index, colour, along, across, 1.0, 0.30)
        scale = 1 - head.clamp(max=1)
        rows = along * 13
        columns = across * 4.2 + 0.5 * (rows.floor() % 2)
        edge = (rows + 0.55 * (columns - columns.floor() - 0.5).abs() * 2)
        edge = edge - edge.floor()
        m.albedo[:, index] *= 1 + (scale * 0.20) * (edge - 0.55) * (1 - 0.5 * under)
        m.label[index] = label

    def quills(self, colour: Tensor, lanes: Tensor, dark: Tensor) -> tuple[Tensor, Tensor]:
        """Long feathers side by side: lighter at one edge, a shadow where the next begins. Returns colour and relief."""
        f = lanes - lanes.floor()
        vary = noise(lanes.floor() * 3.7 + 9, lanes.floor() * 1.3 + 4)
        shade = 0.66 + 0.34 * smoothstep(0.0, 0.35, f) + 0.16 * smoothstep(0.75, 0.95, f) + 0.14 * (vary - 0.5)
        return torch.lerp(colour, dark, 0.35 * bump((f - 0.02) / 0.13)) * shade, (f - 0.5) * 0.55

    def wing(self, index: Tensor, p: ParametersAt) -> None:
        if p.any("folded"):
            here = index if not p.any("fly") else index[torch.as_tensor(p.folded > 0)]
            if len(here):
                self.folded_wing(here,
                                 p if len(here) == len(index) else p.some((torch.as_tensor(p.folded > 0)).nonzero()[:, 0]))
        if p.any("fly"):
            here = index if not p.any("folded") else index[torch.as_tensor(p.fly > 0)]
            if len(here):
                self.spread_wing(here, p if len(here) == len(index) else p.some((torch.as_tensor(p.fly > 0)).nonzero()[:, 0]))

    def wing_colours(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        colour = self.of("wing", index, lambda b: plumage(b, b.wing))
        dark = self.of("quill", index, lambda b: tuple(0.30 * c + 0.010 for c in plumage(b, b.wing)) if b.wing != "white" else
                       (0.24, 0.24, 0.25))
        bars = self.of("bars", index, lambda b: (float(b.wing_bars),))[0]
        bar = self.of("bar", index, lambda b: (0.82, 0.80, 0.74) if b.wing not in ("white", "grey") else (0.05, 0.05, 0.055))
        return colour, dark, bars, bar

    def scales(self, along: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
        """Small feathers like tiles: 0 where one comes out from below the next, 1 at its end; and the way from its middle."""
        columns = across + 0.5 * (along.floor() % 2) + 0.35 * noise(along.floor() * 3.1 + 7, along.floor() * 0.7)
        side = columns - columns.floor() - 0.5
        rows = along + 1.3 * side * side
        return rows - rows.floor(), side

    def folded_wing(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        _, y, z = self.place(index, p, "b")
        along, _ = wing_across(p, y, z)
        up = y - p.w_y0 - along * (p.w_y1 - p.w_y0)
        colour, dark, bars, bar = self.wing_colours(index)
        curve = along + 0.28 * (up / p.by) ** 2
        wobble = 0.25 * (noise(up * 14 + 3, along * 11) - 0.5)
        tile, _ = self.scales(curve * 12.5 + wobble, up * 5.6 / p.by + wobble)
        coverts = colour * (0.76 + 0.36 * smoothstep(0.0, 0.75, tile) - 0.26 * smoothstep(0.80, 1.0, tile))
        fan = up / (p.w_r0 * (1.05 - along).clamp(min=0.16))
        long_, ridge = self.quills(colour, fan * 3.6 + 20, dark)
        long_ = torch.lerp(long_, dark, 0.75 * smoothstep(0.62, 0.95, along))
        covered = smoothstep(0.415, 0.385, curve)
        out = torch.lerp(long_, coverts, covered)
        out = out * (1 - 0.45 * bump((curve - 0.42) / 0.022))
        stripes = bump((curve - 0.235) / 0.028) + bump((curve - 0.385) / 0.030)
        out = torch.lerp(out, bar, (bars * stripes * 1.15 * smoothstep(1.15, 0.8, fan.abs())).clamp(0, 0.95))
        grain = noise(up * 60 + 5, along * 50)
        m.albedo[:, index] = out * (0.90 + 0.2 * grain)
        self.bend(index, 0.0 * up, ridge * (1 - covered) * 0.8 + 0.22 * (tile - 0.5) * covered, -0.2 * (tile - 0.5) * covered)
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.035, 14.0, 0.25, WING

    def spread_wing(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.place(index, p, "b")
        u, across, height, _ = spread_wing(p, x.abs(), y, z)
        colour, dark, bars, bar = self.wing_colours(index)
        below = smoothstep(0.01, -0.02, height)
        under = self.of("belly", index, lambda b: plumage(b, b.belly))
        colour = torch.lerp(colour, torch.lerp(colour, under, 0.55) * 0.9, below)
        tile, _ = self.scales(across * 8, u * 10)
        coverts = colour * (0.74 + 0.36 * smoothstep(0.0, 0.7, tile) - 0.28 * smoothstep(0.82, 1.0, tile))
        lanes, ridge = self.quills(colour, u * 9.9 - across * 0.9 * u, dark)
        lanes = torch.lerp(lanes, dark, 0.7 * smoothstep(0.72, 1.0, torch.maximum(across * 0.95, u)))
        covered = smoothstep(0.46, 0.41, across)
        out = torch.lerp(lanes, coverts, covered)
        stripes = bump((across - 0.28) / 0.04) + bump((across - 0.45) / 0.04)
        out = torch.lerp(out, bar, (bars * stripes).clamp(0, 0.92))
        m.albedo[:, index] = out
        self.bend(index, ridge * (1 - covered) * 0.6, 0.0 * u)
        key = self.key(index)
        n = self.normal(index)
        through = (-(n[0] * key[0] + n[1] * key[1] + n[2]
                     * key[2])).clamp(min=0) * self.lights.key_colour[self.surface.scene[index]].T
        m.glow[:, index] = out * through * 0.22  # light that comes through the feathers
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.03, 12.0, 0.25, WING

    def tail(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.place(index, p, "b")
        a, c = y - p.t_y, p.t_z - z
        back = (c * p.t_c + a * p.t_s) / p.t_len
        colour = self.of("tail", index, lambda b: plumage(b, b.tail))
        dark = self.of("tail end", index, lambda b: tuple(0.42 * v + 0.008 for v in plumage(b, b.tail))
                       if b.tail != "white" else
                       (0.50, 0.50, 0.51))
        wide = p.t_w0 + (p.t_w1 - p.t_w0) * back
        out, ridge = self.quills(colour, x / wide * 2.4 + 20, dark)
        out = torch.lerp(out, dark, 0.6 * smoothstep(0.70, 0.96, back))
        m.albedo[:, index] = out
        sx, sy, sz = without(p, "b", ridge * 0.8, torch.zeros_like(ridge), torch.zeros_like(ridge))
        self.bend(index, sx, sy, sz)
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.035, 14.0, 0.2, TAIL

    # --- beak, eyes, legs

    def beak(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.place(index, p, "f")
        t = ((z - p.k_z) / p.k_len).clamp(0, 1)
        a = y - p.k_y + p.k_drop * p.k_len * t * t + p.k_hook * 0.30 * p.k_len * (t - 0.55).clamp(min=0)
        colour = self.of("beak", index, lambda b: BEAKS[b.beak_colour])
        tip = smoothstep(0.55, 1.0, t)
        colour = colour * (1.08 - 0.35 * tip * (1 - p.k_flat))
        nail = p.k_flat * smoothstep(0.90, 0.96, t) * bump(x / 0.05)
        colour = colour * (1 - 0.55 * nail)
        gape = bump((a + 0.02 * p.k_r0 + 0.10 * p.k_r0 * (1 - t)) / (0.014 + 0.010 * p.k_flat))
        gape = gape * (1 - 0.9 * smoothstep(0.86, 1.0, t))
        colour = colour * (1 - 0.72 * gape)
        hole = bump((t - 0.24) / 0.055) * bump((a - 0.38 * p.k_r0) / (0.16 * p.k_r0))
        hole = hole * smoothstep(0.15, 0.4, x.abs() / p.k_r0)
        colour = colour * (1 - 0.75 * hole)
        m.albedo[:, index] = colour * (0.94 + 0.12 * noise(z * 60, y * 40 + x * 40))
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.085, 30.0, 0.25, BEAK

    def eye(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.place(index, p, "f")
        outward = (p.ex**2 + p.ey**2 + p.ez**2) ** 0.5
        a, b, c = (x.abs() - p.ex) / p.eye_r, (y - p.ey) / p.eye_r, (z - p.ez) / p.eye_r
        looks = (a * p.ex + b * p.ey + c * p.ez) / outward
        off = (1 - looks * looks).clamp(min=0).sqrt()
        iris = self.of("iris", index, lambda q: EYES[q.eye]) * (0.75 + 0.5 * noise(torch.atan2(b, c) * 6 + 50, off * 5))
        colour = torch.lerp(iris, iris * 0.15, smoothstep(0.78, 0.95, off))
        colour = torch.lerp(colour, self.colour((0.006, 0.005, 0.006)).expand_as(colour), smoothstep(0.60, 0.52, off))
        m.albedo[:, index] = colour
        m.specular[index], m.gloss[index], m.label[index] = 0.05, 70.0, EYE
        m.glow[:, index] = self.wet_light(index, 2.2)
        # light gathers at the iris' far side
        m.glow[:, index] += iris * 0.5 * bump((off - 0.72) / 0.12) * smoothstep(0.1, -0.7, b)

    def leg(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        _, y, z = self.place(index, p, "v")
        colour = self.of("leg", index, lambda b: LEGS[b.leg_colour])
        rings = torch.sin((y * 1.0 + (z - p.foot_z) * 0.8) * 130)
        m.albedo[:, index] = colour * (0.92 + 0.10 * rings)
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.05, 18.0, 0.35, LEG

    # --- what it sits on

    def perch(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = (q[index] for q in self.surface.point)
        s = (x - p.p_x) * p.p_ax + (y - p.p_y) * p.p_ay + (z - p.p_z) * p.p_az
        around = torch.atan2(y - p.p_y - s * p.p_ay, z - p.p_z - s * p.p_az)
        bark = noise(s * 6 + p.seed, around * 7 + 30)
        crack = noise(s * 11 + 50, around * 22 + p.seed)
        moss = smoothstep(0.50, 0.72, noise(s * 3 + 7 + p.seed, around * 2 + 11) + 0.16 * self.normal(index)[1])
        wood = self.of("wood", index, lambda b: ((0.20, 0.135, 0.085), (0.24, 0.205, 0.165), (0.155, 0.095, 0.060))[b.seed % 3])
        colour = wood * (0.45 + 0.75 * bark) * (0.62 + 0.6 * smoothstep(0.25, 0.5, crack))
        green = self.of("moss", index, lambda b: (0.20, 0.26, 0.07) if b.background in ("leaves", "meadow") else (0.26, 0.24,
                                                                                                                  0.15))
        colour = torch.lerp(colour, green * (0.7 + 0.6 * crack), 0.65 * moss)
        winter = self.of("winter", index, lambda b: (float(b.background == "snow"),))[0]
        snow = winter * smoothstep(0.25, 0.55, self.normal(index)[1] + 0.35 * (bark - 0.5))
        colour = torch.lerp(colour, self.colour((0.84, 0.86, 0.90)).expand_as(colour), snow)
        m.albedo[:, index] = colour
        rough = 0.9 * (1 - 0.8 * snow)
        self.bend(index, (crack - 0.5) * rough * 0.6, (crack - 0.5) * rough, (bark - 0.5) * rough)
        m.specular[index], m.gloss[index], m.label[index] = 0.015, 8.0, PERCH

    def leaf(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        point = torch.stack([q[index] for q in self.surface.point])
        best = torch.full_like(point[0], 1e3)
        u, v = torch.zeros_like(best), torch.zeros_like(best)
        number = torch.zeros_like(best)
        for i in range(rig.LEAVES):
            a, b, c = within(p, f"l{i}", *point)
            d = a * a + b * b + 2 * c * c
            closer = d < best
            best = torch.where(closer, d, best)
            u, v = torch.where(closer, a / getattr(p, f"l{i}size"), u), torch.where(closer, b / getattr(p, f"l{i}size"), v)
            number = torch.where(closer, float(i), number)
        colour = self.of("leaf", index, leaf_rgb)
        ripe = self.of("ripe", index, lambda b: (float(b.perch != "leaves"),))[0]
        vary = noise(number * 7 + p.seed, number * 3 + 1)
        vein = bump(v / 0.035) + 0.5 * bump(((u * 5 + v.abs() * 4) % 1 - 0.5) / 0.12)
        self.soften(index, 0.4)
        green = colour * (0.75 + 0.5 * vary) * (1 + 0.28 * vein) * (0.9 + 0.2 * noise(u * 14, v * 14))
        fruit = colour * (0.8 + 0.4 * vary)
        if p.any("blossoms"):
            r = (u * u + v * v).sqrt()
            flower = torch.lerp(self.colour((0.80, 0.52, 0.08)), colour * (0.75 + 0.35 * r), smoothstep(0.26, 0.36, r))
            fruit = p.where("blossoms", flower, fruit)
        m.albedo[:, index] = torch.lerp(green, fruit, ripe)
        key = self.key(index)
        n = self.normal(index)
        through = (-(n[0] * key[0] + n[1] * key[1] + n[2]
                     * key[2])).clamp(min=0) * self.lights.key_colour[self.surface.scene[index]].T
        m.glow[:, index] = m.albedo[:, index] * through * 0.35 * (1 - ripe)
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.05 + 0.05 * ripe, 16.0 + 20 * ripe, 0.2, PERCH


def leaf_rgb(b: Bird) -> RGB:
    """Of the leaves, blossoms or berries on the branch."""
    if b.perch == "blossoms":
        return ((0.85, 0.50, 0.55), (0.85, 0.80, 0.80))[b.seed % 2]
    if b.perch == "berries":
        return (0.60, 0.035, 0.025)
    if b.background == "autumn":
        return ((0.62, 0.20, 0.03), (0.66, 0.38, 0.05), (0.45, 0.06, 0.03))[b.seed % 3]
    return ((0.13, 0.30, 0.045), (0.20, 0.36, 0.06), (0.09, 0.23, 0.05))[b.seed % 3]
