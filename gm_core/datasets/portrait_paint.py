"""Colour: skin, eyes, hair and cloth of the portraits, and the lenses of their glasses.

Colours are linear. Every painter takes the samples of a `rendering.Surface` that belong to its part.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from gm_core.datasets import portrait_rig as rig
from gm_core.datasets.portrait_people import Portrait
from gm_core.datasets.portrait_places import RGB, lamps
from gm_core.datasets.portrait_rig import (
    PortraitScene,
    aperture,
    beard_field,
    comb,
    hair_field,
    lens,
    mouth_frame,
    nose,
    to_head,
)
from gm_core.datasets.rendering import Lights, Material, ParametersAt, Surface, bump, noise, smoothstep, unit

(BACKGROUND, SKIN, HAIR, BROWS, EYES, NOSE, LIPS, GLASSES, BEARD, HAT, CLOTHES) = range(11)
"""The labels of the map."""

SKIN_TONES: tuple[RGB, ...] = (
    (0.74, 0.475, 0.375), (0.72, 0.455, 0.335), (0.70, 0.43, 0.30), (0.66, 0.40, 0.262), (0.56, 0.325, 0.200),
    (0.42, 0.228, 0.132), (0.31, 0.156, 0.086), (0.215, 0.102, 0.056), (0.142, 0.067, 0.039), (0.098, 0.048, 0.030))
"""The Monk scale as albedo: a little redder than its swatches, which show skin under light."""

HAIR_COLOURS: dict[str, RGB] = {
    "black": (0.016, 0.0135, 0.013), "dark brown": (0.045, 0.025, 0.016), "brown": (0.105, 0.053, 0.027),
    "chestnut": (0.165, 0.064, 0.029), "auburn": (0.26, 0.075, 0.027), "ginger": (0.46, 0.16, 0.045),
    "dark blond": (0.31, 0.195, 0.09), "blond": (0.60, 0.41, 0.18), "pink": (0.62, 0.16, 0.30), "blue": (0.06, 0.16, 0.42)}

IRISES: dict[str, RGB] = {"dark": (0.040, 0.020, 0.011), "brown": (0.125, 0.052, 0.020), "hazel": (0.17, 0.11, 0.04),
                          "green": (0.10, 0.19, 0.075), "blue": (0.085, 0.23, 0.45), "grey": (0.21, 0.28, 0.33)}
LIPSTICKS: dict[str, RGB] = {"rose": (0.46, 0.11, 0.15), "red": (0.44, 0.025, 0.035), "berry": (0.27, 0.03, 0.09),
                             "coral": (0.52, 0.12, 0.08), "plum": (0.20, 0.035, 0.085)}
FRAMES: dict[str, RGB] = {"black": (0.014, 0.013, 0.013), "tortoise": (0.12, 0.05, 0.018), "gold": (0.50, 0.33, 0.10),
                          "silver": (0.42, 0.43, 0.45), "wine": (0.14, 0.02, 0.03), "blue": (0.03, 0.08, 0.22)}
CLOTH: dict[str, RGB] = {
    "red": (0.48, 0.035, 0.035), "coral": (0.66, 0.16, 0.11), "orange": (0.68, 0.24, 0.045), "mustard": (0.58, 0.34, 0.05),
    "olive": (0.17, 0.18, 0.055), "green": (0.06, 0.24, 0.10), "teal": (0.025, 0.22, 0.23), "sky blue": (0.22, 0.45, 0.66),
    "navy": (0.022, 0.045, 0.13), "purple": (0.17, 0.065, 0.29), "pink": (0.70, 0.30, 0.39), "cream": (0.74, 0.68, 0.55),
    "grey": (0.28, 0.29, 0.31), "charcoal": (0.045, 0.048, 0.055), "brown": (0.17, 0.085, 0.042)}


# --- the person -------------------------------------------------------------------------------------------------------


class Painter:
    """Paints the samples of a batch of portraits."""

    def __init__(self, portraits: Sequence[Portrait], scene: PortraitScene, surface: Surface) -> None:
        self.portraits, self.scene, self.surface = portraits, scene, surface
        self.device = surface.reach.device
        self.material = Material.blank(len(surface.index), self.device)
        everywhere = scene.parameters.at(surface.scene)
        self.head = torch.stack(to_head(everywhere, *surface.point))  # (3, N)
        self.tables: dict[str, Tensor] = {}

    def paint(self) -> Material:
        painters: dict[int, Callable[[Tensor, ParametersAt], None]] = {
            rig.SKIN: self.skin, rig.CHEST: self.chest, rig.EYE: self.eye, rig.MOUTH: self.mouth, rig.HAIR: self.hair,
            rig.BEARD: self.beard, rig.CLOTHES: self.clothes, rig.FRAME: self.frame, rig.HAT: self.hat, rig.RING: self.ring}
        for part, painter in painters.items():
            index = (self.surface.part == part).nonzero()[:, 0]
            if len(index):
                painter(index, self.scene.parameters.at(self.surface.scene[index]))
        return self.material

    def of(self, name: str, index: Tensor, value: Callable[[Portrait], Sequence[float]]) -> Tensor:
        """(3, N) a colour, or (1, N) a number, of each sample's portrait."""
        if name not in self.tables:
            rows = np.array([value(p) for p in self.portraits], np.float32)
            self.tables[name] = torch.from_numpy(rows).to(self.device)
        return self.tables[name][self.surface.scene[index]].T

    def colour(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self.device).view(3, 1)

    def bend(self, index: Tensor, dx: Tensor, dy: Tensor, dz: Tensor | float = 0.0) -> None:
        """Tilts the normals: fine relief that is not in the solids."""
        n = self.surface.normal
        n[0][index], n[1][index], n[2][index] = unit(n[0][index] + dx, n[1][index] + dy, n[2][index] + dz)

    def hair_colour(self, index: Tensor) -> Tensor:
        return self.of("hair", index, hair_rgb)

    # --- skin

    def bare_skin(self, index: Tensor, x: Tensor, y: Tensor) -> Tensor:
        tone = self.of("skin", index, skin_rgb)
        mottle = noise(x * 5 + 17, y * 5 + 3)
        return tone * (1 + (mottle - 0.5) * 0.08)

    def chest(self, index: Tensor, p: ParametersAt) -> None:
        x, y = self.surface.point[0][index], self.surface.point[1][index]
        m = self.material
        m.albedo[:, index] = self.bare_skin(index, x, y)
        m.specular[index], m.warmth[index], m.label[index] = 0.03, 1.0, SKIN

    def skin(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.head[:, index]
        ax = x.abs()
        one = self.of("numbers", index, lambda q: (q.blush, q.freckles, q.lipstick))
        blush, freckles, lipstick = one
        tone = self.of("skin", index, skin_rgb)
        front = smoothstep(0.05, 0.25, z)
        colour = self.bare_skin(index, x, y)
        fine = noise(x * 75, y * 75)
        age = p.age
        colour = colour * (1 + (noise(x * 38 + p.seed, y * 38 + z * 30) - 0.5) * (0.04 + 0.10 * age))
        # blood under the skin: cheeks, nose, ears, chin
        red = bump(((ax - 0.36) ** 2 + (y + 0.25) ** 2).sqrt() * 4.8) * front
        red = red + 0.7 * bump((ax * ax * 50 + (y - p.nose_y) ** 2 * 40).sqrt()) * front
        red = red + 0.8 * smoothstep(0.64, 0.72, ax) * smoothstep(-0.45, -0.3,
                                                                  y) + 0.25 * bump((ax * ax + (y + 0.85) ** 2).sqrt() * 6)
        flush = self.colour((1.10, 0.70, 0.66))
        colour = colour * (1 + (flush - 1) * (red * blush).clamp(0, 1) * 0.75)
        # around the eyes
        opening, u, v = aperture(p, ax, y)
        seen = smoothstep(0.15, 0.3, z)
        socket = bump((((ax - p.ex) ** 2 + (y + 0.01) ** 2 * 1.6).sqrt()) * 5) * seen
        colour = colour * (1 - (0.12 + 0.10 * age) * socket * self.colour((0.75, 1.0, 0.95)))
        # wrinkles
        crease = self.wrinkles(p, ax, y, opening) * front
        colour = colour * (1 - crease.clamp(0, 0.8) * self.colour((0.42, 0.52, 0.52)))
        # freckles
        spots = smoothstep(0.64, 0.80, noise(x * 44 + 9, y * 44 + 31))
        where = bump((((ax - 0.2) / 0.27) ** 2 + ((y + 0.2) / 0.16) ** 2).sqrt()) * front
        colour = colour * (1 - self.colour((0.32, 0.45, 0.5)) * (spots * where * freckles))
        # nostrils
        hole = bump(((ax - 0.046 * p.nose_w) ** 2 * 1700 + (y - (p.nose_y - 0.080)) ** 2 * 3000).sqrt()) * front
        colour = colour * (1 - 0.65 * hole)
        label = torch.full_like(x, SKIN)
        label = torch.where((nose(p, ax, y, z) < 0.028) & (z > 0.3), NOSE, label)
        # beard's shadow and hair's roots
        strand = noise(x * 95, y * 60 + z * 40)
        hair = self.hair_colour(index)
        shaven = self.of("shaven", index, lambda q: (stubble(q),))[0]
        if bool((shaven > 0).any()):
            grown = smoothstep(-0.05, 0.08, beard_field(p, ax, y, z)) * shaven * (0.55 + 0.75 * strand)
            colour = torch.lerp(colour, self.of("beard", index, beard_rgb) + colour * 0.15, grown.clamp(0, 0.9))
            rough = self.of("rough", index, lambda q: (float(q.beard != "none"),))[0]
            label = torch.where((grown * rough > 0.22), BEARD, label)
        if p.any("hair"):
            across, along = comb(p, x, y, z)
            field = hair_field(p, x, ax, y, z) + 0.05 * (noise(across * 30, along * 3) - 0.5)
            roots = smoothstep(-0.012, 0.05, field) * 0.9 * torch.as_tensor(p.hair, device=self.device)
            colour = torch.lerp(colour, hair * (0.7 + 0.6 * strand) + colour * 0.10, roots)
            label = torch.where(roots > 0.5, HAIR, label)
        # lips
        height, middle = mouth_frame(p, ax, y)
        edge = middle.clamp(min=0)
        bow = 0.012 * bump(ax / 0.024)
        top = (0.060 * p.lips + 0.0 * edge) * edge**0.75 - bow + (0.45 * p.open) * middle
        bottom = 0.078 * p.lips * edge**0.65 + (1.15 * p.open) * middle
        lip = smoothstep(0.010, -0.010, height - top) * smoothstep(-0.010, 0.010, height + bottom) * seen * smoothstep(-0.02,
                                                                                                                       0.06,
                                                                                                                       middle)
        natural = tone * self.of("lip", index, lambda q: (1.0, 0.54, 0.52) if q.skin_tone < 6 else (1.06, 0.68, 0.66))
        paint = self.of("lipstick", index, lambda q: tuple(c * (1 if q.skin_tone < 6 else 0.72)
                                                           for c in LIPSTICKS[q.lipstick_colour]))
        lips = torch.lerp(natural, paint, lipstick) * (0.92 + 0.16 * noise(x * 90, y * 9))
        colour = torch.lerp(colour, lips, lip * 0.92)
        line = bump(height / (0.009 + p.open)) * smoothstep(-0.1, 0.1, middle) * seen
        colour = colour * (1 - 0.72 * line * self.colour((0.7, 0.9, 0.9)))
        label = torch.where(lip > 0.45, LIPS, label)
        # brows
        along = (ax - 0.10) / 0.36
        a = along.clamp(0, 1)
        arch = p.brow_y + (p.brow_tilt + 0.01) * a + 0.042 * torch.sin(a * 2.7) - 0.045 * a * a - p.brow_frown * (1 - a) ** 2
        thick = p.brow_t * (1 - 0.55 * a)
        strands = noise(ax * 52 - y * 44 + p.seed, y * 14 + ax * 5)
        brow = smoothstep(1.20, 0.40, ((y - arch) / thick).abs() + (strands - 0.5) * 0.5)
        brow = brow * smoothstep(-0.05, 0.06, along) * smoothstep(1.06, 0.84, along) * front
        brow_colour = self.of("brow", index, brow_rgb)
        colour = torch.lerp(colour, brow_colour * (0.7 + 0.6 * strands), brow * 0.9)
        label = torch.where(brow > 0.45, BROWS, label)
        # lid crease, shadow, lashes
        fold = bump((opening - 0.046) / 0.010) * smoothstep(0.0, 0.04, v) * seen
        colour = colour * (1 - 0.32 * fold * self.colour((0.7, 0.9, 0.9)))
        lid = bump((opening - 0.028) / 0.028) * smoothstep(-0.02, 0.02, v) * seen * lipstick * 0.6
        colour = torch.lerp(colour, colour * self.colour((0.72, 0.48, 0.56)), lid)
        soft = 1 - p.masculinity
        wing = opening - (0.006 + 0.018 * soft) * smoothstep(0.02, 0.16, u)
        lash = smoothstep(0.013 + 0.013 * soft, 0.003, wing) * smoothstep(-0.02, 0.03,
                                                                          v + 0.25 * (u - 0.05).clamp(min=0)) * seen
        colour = torch.lerp(colour, self.colour((0.012, 0.009, 0.008)).expand_as(colour), lash * (0.62 + 0.34 * soft))
        under = smoothstep(0.012, 0.0, opening) * (v <= 0).float() * seen
        colour = colour * (1 - 0.30 * under * self.colour((0.4, 1.0, 1.0)))
        label = torch.where(lash > 0.5, EYES, label)
        m.albedo[:, index] = colour
        m.specular[index] = (0.034 + lip * (0.05 + 0.07 * lipstick)) * (1 - 0.8 * brow)
        m.gloss[index] = 13 + lip * 26
        m.warmth[index] = 1.0
        m.label[index] = label.long()
        pores = 0.04 + 0.05 * age
        self.bend(index, (fine - 0.5) * pores, (noise(x * 75 + 40, y * 75 + 9) - 0.5) * pores)

    def wrinkles(self, p: ParametersAt, ax: Tensor, y: Tensor, opening: Tensor) -> Tensor:
        """Forehead, crow's feet, bags and the folds beside the mouth, which a smile shows at any age."""
        old = (torch.as_tensor(p.age, device=self.device) - 0.33).clamp(min=0) * 1.3
        high = y - 0.40 + 0.2 * ax * ax
        lines = bump(high / 0.13) * bump(ax / 0.34) * (torch.sin(high * 62 + 2 * torch.sin(ax * 7)) * 0.5 + 0.5) ** 3
        total = old * 0.45 * lines
        fold = ax - 0.165 - (-0.33 - y) * 0.42 - 0.03 * p.joy
        along = smoothstep(-0.64, -0.54, y) * smoothstep(-0.30, -0.40, y)
        total = total + (old * 0.7 + 0.05 + 0.22 * p.joy) * bump(fold / 0.020) * along
        feet = bump((ax - p.ex - 0.23) / 0.07) * bump(y / 0.09) * (torch.sin((y + (ax - 0.5) * 0.3) * 72) * 0.5 + 0.5) ** 3
        total = total + (old * 0.45 + 0.08 * p.joy) * feet
        bags = bump((opening - 0.055) / 0.014) * (y < -0.03).float() * bump((ax - p.ex) / 0.13)
        return total + old * 0.4 * bags

    # --- eyes and mouth

    def eye(self, index: Tensor, p: ParametersAt) -> None:
        m, s = self.material, self.surface
        x, y, z = self.head[:, index]
        side = torch.sign(x)
        ex, ey = (x - side * p.ex) / p.eye_r, y / p.eye_r
        gaze = self.of("gaze", index, lambda q: (0.20 * q.gaze_x - 0.50 * q.yaw, 0.14 * q.gaze_y + 0.45 * q.pitch, 0.0))
        ix, iy = ex - gaze[0] + side * 0.03, ey - gaze[1] + 0.01
        radius = (ix * ix + iy * iy).sqrt()
        angle = torch.atan2(iy, ix)
        rim = 0.65
        key = self.lights.key[s.scene[index]].T
        fibres = noise(angle * 9 + 60, radius * 6)
        caustic = (1 - (ix * key[0] + iy * key[1]) / rim * 0.85).clamp(0.4, 2.0)
        hue = self.of("iris", index, lambda q: IRISES[q.iris])
        iris = hue * 1.45 * (0.6 + 0.8 * fibres) * (0.6 + 0.85 * caustic * smoothstep(0.2, 0.5, radius))
        iris = (iris + hue * 0.8 * bump((radius - 0.36) / 0.07)) * (1 - 0.8 * smoothstep(rim - 0.13, rim, radius))
        white = self.colour((0.80, 0.775, 0.755)) * (1 - 0.10 * ex * ex * self.colour((0.3, 1.0, 1.0)))
        colour = torch.lerp(white, iris, smoothstep(rim + 0.03, rim - 0.03, radius))
        colour = colour * (1 - 0.985 * smoothstep(0.345, 0.285, radius))
        opening, _, v = aperture(p, x.abs(), y)
        colour = colour * (1 - 0.55 * smoothstep(-0.055, 0.005, opening) * smoothstep(-0.05, 0.05, v))
        colour = colour * (1 - 0.22 * smoothstep(-0.03, 0.0, opening))
        corner = 0.5 * smoothstep(0.70, 0.92, -side * ex + 0.02)
        colour = torch.lerp(colour, colour * self.colour((1.05, 0.62, 0.58)), corner)
        m.albedo[:, index] = colour
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.0, 60.0, 0.25, EYES
        # catchlights: a soft window towards the key light, a faint one opposite, reflected in the round cornea
        n = unit(x - side * p.ex, y, z - p.ez)
        world = (n[0] * p.r00 + n[1] * p.r01 + n[2] * p.r02, n[0] * p.r10 + n[1] * p.r11 + n[2] * p.r12,
                 n[0] * p.r20 + n[1] * p.r21 + n[2] * p.r22)
        view = [-r[index] for r in s.ray]
        facing = world[0] * view[0] + world[1] * view[1] + world[2] * view[2]
        bounce = [2 * facing * a - b for a, b in zip(world, view, strict=True)]
        lamp = unit(key[0] * 0.8, key[1] * 0.5 + 0.45, torch.full_like(key[0], 0.8))
        hit = bounce[0] * lamp[0] + bounce[1] * lamp[1] + bounce[2] * lamp[2]
        other = -lamp[0] * bounce[0] - bounce[1] * 0.35 + bounce[2] * 0.75
        sky = self.lights.sky[s.scene[index]].T
        m.glow[:, index] = 2.4 * smoothstep(0.935, 0.972, hit) + 0.12 * smoothstep(0.75, 0.97, other)
        m.glow[:, index] += sky * 0.10 * smoothstep(0, 0.8, bounce[1])

    def mouth(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, _ = self.head[:, index]
        ax = x.abs()
        height, middle = mouth_frame(p, ax, y)
        ledge = 0.45 * p.open * middle - 0.062 - 0.10 * p.open
        teeth = smoothstep(-0.008, 0.008, height - ledge)
        gaps = 1 - 0.16 * bump((ax * 15 - (ax * 15).floor() - 0.5) / 0.12)
        dark = self.colour((0.10, 0.018, 0.018))
        tongue = self.colour((0.42, 0.11, 0.10)) * smoothstep(-0.5, -1.15, (height / (p.open + 1e-3)))
        colour = torch.lerp(dark + tongue, self.colour((0.84, 0.80, 0.73)) * gaps, teeth)
        m.albedo[:, index] = colour * (1 - 0.45 * smoothstep(0.10, 0.24, ax))
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.05, 40.0, 0.3, LIPS

    # --- hair

    def strands(self, index: Tensor, colour: Tensor, u: Tensor, v: Tensor, relief: float | Tensor, towards: Tensor) -> Tensor:
        """Shades hair: fine and coarse strands along v, with relief across them. towards (3, N): where they lead."""
        m, s = self.material, self.surface
        fine = 0.55 * noise(u + 64, v + 64) + 0.45 * noise(u * 2.9 + 17, v * 1.7 + 70)
        m.albedo[:, index] = colour * (0.50 + 1.0 * fine)
        n = torch.stack([n[index] for n in s.normal])
        t = torch.stack(unit(*(towards - (towards * n).sum(0) * n)))
        across = torch.linalg.cross(n, t, dim=0)
        tilt = (fine - 0.5) * relief
        for k in range(3):
            s.normal[k][index] = n[k] + across[k] * tilt
        self.bend(index, torch.zeros_like(tilt), torch.zeros_like(tilt))
        m.strand[:, index], m.shift[index] = t, (fine - 0.5) * 0.35
        m.specular[index], m.warmth[index] = 0.0, 0.15
        return fine

    def turned(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """(3, N) directions from head space to the world."""
        return torch.stack([x * p.r00 + y * p.r01 + z * p.r02, x * p.r10 + y * p.r11 + z * p.r12,
                            x * p.r20 + y * p.r21 + z * p.r22])

    def hair(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.head[:, index]
        colour = self.hair_colour(index)
        one = torch.ones_like(x)
        across, along = comb(p, x, y, z)
        wave = p.h_wave * 20 * torch.sin(y * 7.5 + p.h_phase)
        u, v = across * 30 + wave, along * 1.8
        if p.any("h_back") and p.any("h_parted"):
            towards = torch.stack([(x - p.h_part) * p.h_parted, -one * p.h_parted + 0.1 * p.h_back, -one * p.h_back])
        else:
            towards = torch.stack([(x - p.h_part) * 1.3 * p.h_parted, 0.1 * p.h_back - one * p.h_parted, -p.h_back * one])
        relief, sheen = 0.8 * one, one
        if p.any("h_curls"):
            f = p.h_curl_rate
            twirl = torch.sin(x * f + p.h_phase + 1.6 * torch.sin(y * f * 0.6)) + torch.sin(z * f
                                                                                            + 1.4 * torch.sin(y * f * 0.7))
            curly = torch.as_tensor(p.h_curls, device=self.device) > 0
            u, v = torch.where(curly, x * 17 + y * 26 + twirl * 4, u), torch.where(curly, y * 6 - x * 6 + twirl * 2, v)
            sheen = torch.where(curly, 0.45, sheen)
            relief = torch.where(curly, 1.1, relief)
        self.strands(index, colour, u, v, relief, self.turned(p, *towards))
        m.sheen[index] = sheen
        if p.any("h_groove"):
            groove = bump((x - p.h_part) / 0.022) * smoothstep(-0.35, -0.15, z) * smoothstep(0.4, 0.6, y) * p.h_groove
            m.albedo[:, index] = torch.lerp(m.albedo[:, index], self.of("skin", index, skin_rgb) * 0.7, 0.6 * groove)
        m.label[index] = HAIR
        thin = self.of("cropped", index, lambda q: (0.55 if q.hair_style == "buzz" else 0.18 if q.hair_style == "balding"
                                                    else 0.0,))[0]
        m.albedo[:, index] = torch.lerp(m.albedo[:, index], self.of("skin", index, skin_rgb) * 0.75, thin)
        m.sheen[index] = m.sheen[index] * (1 - thin)

    def beard(self, index: Tensor, p: ParametersAt) -> None:
        x, y, z = self.head[:, index]
        around = torch.atan2(x, z + 0.1)
        down = torch.stack([x * 0.3, -torch.ones_like(x), 0.3 * torch.ones_like(x)])
        self.strands(index, self.of("beard", index, beard_rgb), around * 34 + 3 * torch.sin(y * 9), y * 5, 0.9,
                     self.turned(p, *down))
        self.material.sheen[index] = 0.6
        self.material.label[index] = BEARD

    # --- what is worn

    def clothes(self, index: Tensor, p: ParametersAt) -> None:
        m, s = self.material, self.surface
        x, y, z = (q[index] for q in s.point)
        x, z = x * p.body_c - z * p.body_s, x * p.body_s + z * p.body_c
        first, second = self.of("cloth", index, lambda q: CLOTH[q.clothes_colour]), self.of("second", index,
                                                                                            lambda q: CLOTH[q.second_colour])
        kind = self.of("pattern", index, lambda q: [float(q.pattern == name) for name in ("stripes", "dots", "check", "knit")])
        slant = y + 0.25 * (x.abs() - 0.3).clamp(min=0)
        stripes = smoothstep(-0.15, 0.15, torch.sin(slant * 44))
        dots = smoothstep(0.55, 0.75, torch.sin(x * 34) * torch.sin(y * 34 + z * 16))
        check = 0.5 * smoothstep(-0.2, 0.2, torch.sin(x * 26)) + 0.5 * smoothstep(-0.2, 0.2, torch.sin(slant * 26 + z * 8))
        colour = torch.lerp(first, second, kind[0] * stripes + kind[1] * dots + kind[2] * 0.7 * check)
        rows = torch.sin(x * 85 + torch.sign(torch.sin(y * 60)) * 0.6)
        colour = colour * (1 - kind[3] * 0.22 * (0.5 - 0.5 * rows))
        # a jacket stands open over what is worn below
        lapel = x.abs() - 0.16 - (y + 1.62) * 0.55
        jacket = self.of("jacket", index, lambda q: (float(q.neckline == "jacket"),))[0]
        collar = smoothstep(-1.33, -1.28, y + 0.30 * (z + 0.2))
        inner = jacket * (smoothstep(0.02, -0.02, lapel) * smoothstep(-0.2, 0.0, z)).clamp(0, 1) * (1 - collar)
        colour = torch.lerp(colour, second, inner)
        colour = colour * (1 - 0.5 * jacket * bump(lapel / 0.025) * smoothstep(-0.2, 0.0, z) * (1 - collar))
        m.albedo[:, index] = colour * (0.9 + 0.2 * noise(x * 80, y * 80))
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.015, 6.0, 0.1, CLOTHES
        self.bend(index, (noise(x * 7, y * 5 + 3) - 0.5) * 0.4 + kind[3] * 0.3 * rows, (noise(x * 6 + 9, y * 6) - 0.5) * 0.2)

    def frame(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        m.albedo[:, index] = self.of("frame", index, frame_rgb)
        m.specular[index], m.gloss[index], m.label[index] = 0.14, 50.0, GLASSES

    def hat(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        x, y, z = self.head[:, index]
        colour = self.of("hat", index, lambda q: CLOTH[q.hat_colour])
        around = torch.atan2(x, z + 0.14)
        ribs = torch.sin(around * 42)
        beanie, cap, straw = self.of("hats", index, lambda q: [float(q.hat == name) for name in ("beanie", "cap", "sun hat")])
        straw_colour = self.colour((0.66, 0.47, 0.22)) * (0.8 + 0.25 * torch.sin(y * 70 + (x * x + z * z).sqrt() * 60))
        band = straw * smoothstep(0.02, 0.04, y - 0.58 - 0.16 * z) * smoothstep(0.20, 0.18, y - 0.58 - 0.16 * z)
        colour = torch.lerp(colour, torch.lerp(straw_colour, colour, band), straw)
        seam = cap * bump((around * 3 / 3.1416 - (around * 3 / 3.1416).round()) / 0.03) * smoothstep(0.5, 0.6, y)
        colour = colour * (1 - 0.18 * beanie * (0.5 - 0.5 * ribs)) * (1 - 0.35 * seam)
        m.albedo[:, index] = colour * (0.9 + 0.2 * noise(x * 70, y * 70))
        m.specular[index], m.gloss[index], m.warmth[index], m.label[index] = 0.015, 6.0, 0.1, HAT
        self.bend(index, beanie * 0.35 * torch.cos(around * 42), torch.zeros_like(x))

    def ring(self, index: Tensor, p: ParametersAt) -> None:
        m = self.material
        m.albedo[:, index] = self.of("ring", index, lambda q: (0.78, 0.75, 0.71) if q.earrings == "pearl" else
                                     (0.66, 0.45, 0.15) if q.seed % 2 else (0.52, 0.53, 0.55))
        m.specular[index], m.gloss[index], m.label[index] = 0.45, 36.0, SKIN

    @property
    def lights(self) -> Lights:
        """The lamps, made once: eyes reflect them."""
        if not hasattr(self, "_lights"):
            self._lights = lamps(self.portraits, self.device)
        return self._lights


def skin_rgb(p: Portrait) -> RGB:
    r, g, b = SKIN_TONES[p.skin_tone - 1]
    return r * (1 + 0.03 * p.undertone), g, b * (1 - 0.06 * p.undertone)


def hair_rgb(p: Portrait) -> RGB:
    grey = (0.66, 0.655, 0.64) if p.greyness > 0.75 else (0.36, 0.36, 0.365)
    colour = HAIR_COLOURS[p.hair_colour]
    return tuple(c + (g - c) * p.greyness for c, g in zip(colour, grey, strict=True))  # type: ignore[return-value]


def beard_rgb(p: Portrait) -> RGB:
    r, g, b = HAIR_COLOURS["dark brown"] if p.hair_colour in ("pink", "blue") else hair_rgb(p)
    return r * 0.85 + 0.004, g * 0.82 + 0.002, b * 0.8 + 0.002


def brow_rgb(p: Portrait) -> RGB:
    if p.hair_colour in ("pink", "blue"):
        return 0.05, 0.03, 0.02
    return tuple(min(c * 0.5, 0.10) if p.greyness < 0.5 else c * 0.45 + 0.02 for c in hair_rgb(p))  # type: ignore[return-value]


def frame_rgb(p: Portrait) -> RGB:
    thin_and_dark = p.glasses == "aviator" and p.glasses_colour in ("black", "wine")
    return FRAMES["gold" if thin_and_dark else p.glasses_colour]


def stubble(p: Portrait) -> float:
    """How dark the beard's area is."""
    shadow = {"none": 0.09, "stubble": 0.55, "moustache": 0.5, "goatee": 0.5, "full": 0.6}[p.beard]
    return shadow if p.sex == "man" and p.age > 19 else 0.0


# --- lenses ---------------------------------------------------------------------------------------------------------


def glaze(image: Tensor, labels: Tensor, scene: PortraitScene, portraits: Sequence[Portrait], reach: Tensor,
          lights: Lights) -> None:
    """Lays the lenses of glasses over the picture, in place: tint, and a reflection of the window.

    image: (B, 3, size, size) linear; labels (B, size, size); reach (B, size, size): how far the rays went.
    """
    size = image.shape[-1]
    wearers = [i for i, p in enumerate(portraits) if p.glasses != "none"]
    if not wearers:
        return
    device = image.device
    axis = (torch.arange(size, device=device) + 0.5) * (2 / size) - 1
    for i in wearers:
        p = scene.parameters.at(torch.full((size * size,), i, device=device))
        x0, y0, z0, half = scene.camera[i]
        right, up = (axis * half).expand(size, size).flatten(), (-axis * half)[:, None].expand(size, size).flatten()
        dx, dy, dz = unit(right, up, (-z0).expand(size * size))
        ox, oy, oz = (q.expand(size * size) for q in (x0, y0, z0))
        hx, hy, hz = to_head(p, ox, oy, oz)
        gx, gy, gz = to_head(p, ox + dx, oy + dy, oz + dz)
        gx, gy, gz = gx - hx, gy - hy, gz - hz
        t = (p.lens_z - 0.03 - hz) / gz
        x, y = hx + gx * t, hy + gy * t
        inside = smoothstep(0.012, -0.012, lens(p, x.abs(), y)) * (t < reach[i].flatten() + 0.03)
        stripe = smoothstep(0.06, 0.0, (((x.abs() - p.lens_x) * 0.8 + (y - 0.02) * 0.9 + 0.06).abs() - 0.028))
        sky = lights.sky[i][:, None]
        flat = image[i].flatten(1)
        if portraits[i].glasses == "sunglasses":
            flat = flat * (1 - 0.94 * inside) + inside * (sky * 0.05 + 0.22 * smoothstep(-0.05, 0.4, y + 0.3 * x.abs()) * sky)
            labels[i] = torch.where(inside.view(size, size) > 0.5, GLASSES, labels[i])
        else:
            flat = flat * (1 - 0.04 * inside) + inside * (stripe * 0.06 + 0.010)
        image[i] = flat.view(3, size, size)
