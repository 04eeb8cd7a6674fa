"""The solids of a bird: body, folded or spread wings, tail, beak, eyes, legs, and the branch it sits on.

Body frame: the middle of the trunk is the origin, z leads to the breast, y to the back; head frame: z leads to the beak. A
mirror plane runs through x = 0 of both. The bird's own frame stands upright: there the legs are.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gm_core.datasets import rendering
from gm_core.datasets.nature_bird_kinds import Bird
from gm_core.datasets.nature_studio import Chance, blade, frame, turned, within
from gm_core.datasets.rendering import (
    FAR_AWAY,
    Number,
    Parameters,
    ParametersAt,
    capsule,
    ellipsoid,
    smooth_max,
    smooth_min,
    smoothstep,
    sphere,
)

BODY, WING, TAIL, BEAK, EYE, LEG, PERCH, LEAF = range(8)
BODY_GROUP, FACE_GROUP, LEG_GROUP, PERCH_GROUP = range(4)
GROUPS = ((BODY, WING, TAIL), (BEAK, EYE), (LEG,), (PERCH, LEAF))

CAMERA_DISTANCE = 9.0
LEAVES = 4

_SHAPES: dict[str, dict[str, float]] = {
    # b*: radii of the trunk; h: radius of the head; h*: where it sits in the body frame; n: radius of the neck
    "stubby": {"bx": 0.49, "by": 0.485, "bz": 0.60, "h": 0.405, "hy": 0.36, "hz": 0.50, "n": 0.36, "tail": 0.60, "w0": 0.10,
               "w1": 0.155, "leg": 0.20},
    "slender": {"bx": 0.365, "by": 0.375, "bz": 0.62, "h": 0.325, "hy": 0.33, "hz": 0.60, "n": 0.26, "tail": 0.72, "w0": 0.085,
                "w1": 0.125, "leg": 0.26},
    "long-tailed": {"bx": 0.39, "by": 0.40, "bz": 0.57, "h": 0.34, "hy": 0.33, "hz": 0.55, "n": 0.27, "tail": 1.30, "w0": 0.09,
                    "w1": 0.135, "leg": 0.28},
    "water bird": {"bx": 0.46, "by": 0.40, "bz": 0.80, "h": 0.30, "hy": 0.70, "hz": 0.74, "n": 0.19, "tail": 0.40, "w0": 0.19,
                   "w1": 0.08, "leg": 0.20},
}
_SIZES = {"small": (0.62, 1.08, 1.12), "medium": (0.77, 1.0, 1.0), "large": (0.90, 0.94, 0.88)}
"""The share of the picture that the bird fills, and factors of its head and eyes."""
_BEAKS = {"pointy": (0.075, 0.01), "conical": (0.155, 0.02), "hooked": (0.120, 0.03), "flat": (0.105, 0.03)}
_LENGTHS = {"pointy": (0.17, 0.34, 0.66), "conical": (0.20, 0.31, 0.42), "hooked": (0.22, 0.36, 0.52), "flat": (0.28, 0.42,
                                                                                                                0.56)}


def numbers(b: Bird) -> dict[str, float]:
    """Everything the solids are made of, worked out once per bird."""
    s = _SHAPES[b.shape]
    fills, big_head, big_eye = _SIZES[b.size]
    flying, swimming, wet = b.setting == "sky", b.setting == "water", b.shape == "water bird"
    fat = b.plumpness
    bx, by, bz = s["bx"] * fat, s["by"] * fat, s["bz"] * (0.5 + 0.5 * fat)
    h = s["h"] * b.head_size * (0.5 + 0.5 * big_head)
    hy, hz = s["hy"] * (1 + 0.10 * b.neck), s["hz"] * (1 + 0.06 * b.neck)
    if wet:
        hy *= 1 + 0.18 * b.neck
    if flying:
        hy, hz = hy * (0.45 if wet else 0.55), hz * (1.35 if wet else 1.18)
    n: dict[str, float] = {"bx": bx, "by": by, "bz": bz, "h": h, "hy": hy, "hz": hz, "neck": s["n"] * fat}
    view = turned("x", b.elevation) @ turned("y", b.yaw)
    body = view @ turned("x", -b.pitch) @ turned("z", b.roll)
    head_at = body @ np.array([0.0, hy, hz])
    level = turned("y", b.turn) @ turned("x", b.nod - (0.5 * b.pitch if flying else 0.0)) @ turned("z", b.tilt)
    head = view @ level
    n |= frame("v", view, np.zeros(3)) | frame("b", body, np.zeros(3)) | frame("f", head, head_at)

    # beak and eyes sit on the head's surface
    length = _LENGTHS[b.beak_shape][("short", "medium", "long").index(b.beak_length)] * (h / 0.34) ** 0.5
    base, tip = _BEAKS[b.beak_shape]
    base *= (h / 0.34) * (1 + 0.25 * (b.beak_length == "long"))
    n |= {"k_len": length, "k_r0": base, "k_r1": tip, "k_flat": float(b.beak_shape == "flat"),
          "k_cone": float(b.beak_shape == "conical"),
          "k_hook": float(b.beak_shape == "hooked"), "k_drop": {"hooked": 0.16, "pointy": 0.02, "conical": 0.03, "flat": -0.02}[
              b.beak_shape], "k_y": -0.08 * h, "crest": float(b.crest)}
    n["eye_r"] = 0.21 * h * b.eye_size * (0.4 + 0.6 * big_eye) + 0.012
    along = torch.linspace(0.3 * h, 1.5 * h, 481)
    at = Parameters([n], along.device).at(torch.zeros(481, dtype=torch.long))

    def surface(dx: float, dy: float, dz: float) -> float:
        x, y, z = along * dx, along * dy, along * dz
        return float(along[skull(at, x.abs(), y, z) < 0].max())

    out = rendering.direction(1.02, 0.10)
    where = surface(*out) - 0.52 * n["eye_r"]
    n |= {"ex": out[0] * where, "ey": out[1] * where, "ez": out[2] * where,
          "k_z": surface(0.0, n["k_y"] / h, math.sqrt(1 - (n["k_y"] / h) ** 2)) - 0.05}

    # tail and wings
    raise_ = (0.35 if wet else 0.02) + b.tail_raise
    fan = 1.9 if flying and not wet else 1.0
    n |= {"t_len": s["tail"] * b.tail_length, "t_c": math.cos(raise_), "t_s": math.sin(raise_), "t_w0": s["w0"],
          "t_w1": s["w1"] * fan,
          "head_z": min(hz - 1.1 * h, 0.55 * hz - 1.3 * s["n"] * fat), "wing_z": 0.42 * bz + 0.62 * by + 0.05,
          "t_y": 0.10 * by, "t_z": -0.86 * bz, "t_fork": 0.30 * b.tail_fork}
    n |= {"fly": float(flying), "folded": float(not flying), "w_y0": 0.10 * by, "w_z0": 0.42 * bz, "w_y1": 0.22 * by,
          "w_z1": -(bz + 0.30), "w_r0": 0.62 * by, "w_c": math.cos(b.wing_raise), "w_s": math.sin(b.wing_raise),
          "w_span": 1.45 if not wet else 1.6, "w_chord": 1.12 if not wet else 0.85}

    # what it stands on
    down = body.T @ view  # from the bird's frame to the body's
    lowest = min(float((down.T @ np.array([0.0, -by * math.cos(a), bz * math.sin(a)]))[1]) for a in np.linspace(-0.8, 0.8, 17))
    foot = lowest - s["leg"] * b.leg_length * (1.2 if wet else 1.0)
    ground = lowest + (0.10 + 0.10 * b.sunk) if swimming else foot - 0.02
    fz = 0.10 if not wet else 0.05
    thigh = down @ np.array([0.17, lowest + 0.16, fz - 0.05])
    n |= {"legs": float(b.setting in ("branch", "ground")), "web": float(wet), "foot_x": 0.145, "foot_y": foot, "foot_z": fz,
          "hip_y": lowest + 0.16, "hip_z": fz - 0.06, "ground": ground, "th_y": float(thigh[1]), "th_z": float(thigh[2]),
          "toe_y": foot - (0.05 if b.setting == "branch" else 0.0), "standing": float(b.setting in ("ground", "water")),
          "perch": float(b.setting == "branch"), "seed": float(b.seed % 97)}
    n |= {"stage_c": math.cos(b.elevation), "stage_s": math.sin(b.elevation)}
    n |= _branch(b, view @ np.array([0.0, foot, fz + 0.01]))

    # the shot: everything from the beak to the tail
    beak = head_at + head @ np.array([0.0, 0.0, n["k_z"] + length])
    tail_end = body @ np.array([0.0, n["t_y"] + n["t_s"] * n["t_len"], n["t_z"] - n["t_c"] * n["t_len"]])
    # what is nearer than the middle looks larger
    spots = [(head_at, h * (1.65 if b.crest else 1.06)), (np.zeros(3), by), (beak, 0.06), (tail_end, 0.08)]
    if b.setting in ("branch", "ground"):
        spots.append((view @ np.array([0.0, foot, fz]), 0.1))
    if flying:
        spots += [(body @ np.array([side * (0.45 * bx + 0.95 * n["w_span"] * n["w_c"]), 0.2 + 0.95 * n["w_span"] * n["w_s"],
                                    -0.1]), 0.12)
                  for side in (-1, 1)]
    low = np.min([at[:2] / (1 - at[2] / CAMERA_DISTANCE) - r for at, r in spots], 0)
    high = np.max([at[:2] / (1 - at[2] / CAMERA_DISTANCE) + r for at, r in spots], 0)
    if swimming:
        low[1] = max(low[1], ground) - 0.35
    half = float(max(high - low)) / 2 / min(fills * b.zoom, 0.94)
    middle = (low + high) / 2
    spare = half - (high - low) / 2
    n |= {"camera_x": float(middle[0] - 0.6 * b.shift_x * spare[0]), "camera_y": float(middle[1] - 0.6 * b.shift_y * spare[1]),
          "camera_half": half}
    return n


def _branch(b: Bird, at: np.ndarray) -> dict[str, float]:
    """A branch under the feet at `at`, running against the way the bird looks, and the leaves on it."""
    c = Chance(b.seed, 77)
    r = b.perch_size
    along = np.array([1.0, b.perch_slope, math.copysign(b.perch_depth, b.yaw)])
    along /= np.linalg.norm(along)
    n = {"p_ax": along[0], "p_ay": along[1], "p_az": along[2], "p_x": at[0], "p_y": at[1] - r - 0.005, "p_z": at[2], "p_r": r,
         "p_bend": c.uniform(-0.05, 0.02), "leaves": float(b.setting == "branch" and b.perch in ("leaves", "blossoms",
                                                                                                 "berries")),
         "leaf_wide": {"leaves": 0.46, "blossoms": 0.9, "berries": 0.9}.get(b.perch, 0.5),
         "berries": float(b.perch == "berries"), "blossoms": float(b.perch == "blossoms")}
    sides = [1.0, -1.0, 1.0, -1.0]
    for i in range(LEAVES):
        size = {"leaves": c.uniform(0.20, 0.30), "blossoms": c.uniform(0.09, 0.13)}.get(b.perch, c.uniform(0.07, 0.10))
        far = sides[i] * c.uniform(0.42, 1.25)
        up = 1.0 if c.often(0.6) else -1.0
        root = at + along * far + np.array([0.0, -r, 0.0]) + np.array([0.0, up * r, 0.05])
        way = np.array([sides[i] * c.uniform(0.3, 1.0), up * c.uniform(0.2, 0.9), c.uniform(0.0, 0.5)])
        way /= np.linalg.norm(way)
        face = np.array([c.uniform(-0.5, 0.5), c.uniform(0.2, 0.8), 1.0])
        face -= (face @ way) * way
        face /= np.linalg.norm(face)
        middle = root + way * size * (1.0 if b.perch == "leaves" else 0.8)
        n |= frame(f"l{i}", np.stack([way, np.cross(face, way), face], 1), middle)
        n |= {f"l{i}size": size, f"l{i}x": middle[0], f"l{i}y": middle[1], f"l{i}z": middle[2]}
    return {name: float(value) for name, value in n.items()}


def rod(x: Tensor, y: Tensor, z: Tensor, start: Sequence[Number], end: Sequence[Number], r0: Number, r1: Number) -> Tensor:
    """`rendering.capsule` in the mirror plane, cheaper: its ends have only y and z."""
    wy, wz = end[0] - start[0], end[1] - start[1]
    scale = 1 / (wy * wy + wz * wz)
    b, c = y - start[0], z - start[1]
    along = (b * (wy * scale)).add_(c * (wz * scale)).clamp_(0, 1)
    b.sub_(along * wy)
    c.sub_(along * wz)
    return b.mul_(b).addcmul_(c, c).addcmul_(x, x).sqrt_().sub_(along.mul_(r1 - r0).add_(r0))


def trunk(p: ParametersAt, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Breast, belly and rump, without the head."""
    d = ellipsoid(x, y, z, (0.0, 0.0, 0.0), (p.bx, p.by, p.bz))
    d = smooth_min(d, sphere(x, y, z, (0.0, -0.10 * p.by, 0.34 * p.bz), 0.84 * p.bx), 0.12)
    return smooth_min(d, rod(x, y, z, (0.02, -0.45 * p.bz), (p.t_y - 0.02, -1.08 * p.bz), 0.62 * p.by, 0.085), 0.20)


def skull(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """The head, in its own frame, with round cheeks and a face that leads to the beak."""
    h = p.h
    d = ellipsoid(ax, y, z, (0.0, 0.02 * h, 0.0), (0.95 * h, 0.93 * h, h))
    d = smooth_min(d, sphere(ax, y, z, (0.36 * h, -0.26 * h, 0.20 * h), 0.60 * h), 0.14)
    return smooth_min(d, ellipsoid(ax, y, z, (0.0, -0.10 * h, 0.72 * h), (0.25 * h + p.k_r0 * 0.7, 0.22 * h + p.k_r0 * 0.6,
                                                                          0.42 * h)),
                      0.16)


def body(p: ParametersAt, bare: Tensor, at: Sequence[Tensor], head: Sequence[Tensor]) -> Tensor:
    """The trunk's distance with neck, head, crest and thighs."""
    x, y, z = at
    hx, hy, hz = head
    ax = hx.abs()
    d = smooth_min(bare, rod(x, y, z, (0.25 * p.hy, 0.60 * p.hz), (p.hy - 0.1 * p.h, p.hz - 0.05), p.neck * 1.15, p.neck), 0.22)
    d = smooth_min(d, skull(p, ax, hy, hz), 0.16)
    if p.any("crest"):
        d = smooth_min(d, p.only("crest", rod(ax, hy, hz, (0.55 * p.h, 0.15 * p.h), (1.42 * p.h, -0.72 * p.h), 0.34 * p.h,
                                              0.03)), 0.10)
    if p.any("legs"):
        d = smooth_min(d, p.only("legs", sphere(x.abs(), y, z, (0.17, p.th_y, p.th_z), 0.13)), 0.14)
    fluff = torch.sin(x * 31 + y * 17).mul_(torch.sin(z * 27 - y * 13))
    return d.sub_(fluff.mul_(0.007))


def wing_across(p: ParametersAt, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """A folded wing from the side: 0..1 from the shoulder to the tip, and the distance to its outline."""
    wy, wz = p.w_y1 - p.w_y0, p.w_z1 - p.w_z0
    a, c = y - p.w_y0, z - p.w_z0
    scale = 1 / (wy * wy + wz * wz)
    along = (a * (wy * scale)).add_(c * (wz * scale))
    t = along.clamp(0, 1)
    a, c = a.sub_(t * wy), c.sub_(t * wz)
    out = a.mul_(a).addcmul_(c, c).sqrt_().sub_((1 - t).mul_(1 + 0.3 * t).mul_(p.w_r0)).sub_(0.03)
    return along, out


def spread_wing(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A spread wing's coordinates: along its span, back across its chord, both 0..1, height, distance to the outline."""
    a, c = ax - 0.45 * p.bx, y - 0.35 * p.by
    u = (a * p.w_c + c * p.w_s) * (1 / p.w_span)
    inside = u.clamp(0, 1)
    v = c * p.w_c - a * p.w_s + 0.22 * p.w_span * (inside - 0.45) ** 2
    square = inside * inside
    front = 0.28 + (0.46 * inside - 0.80 * square) * p.w_chord
    chord = (0.74 - 0.16 * inside) * p.w_chord * (1 - square * square * 0.80)
    ragged = 0.05 * torch.sin(inside * 31).abs() * smoothstep(0.25, 0.9, inside)
    back = z - front + chord - ragged
    outline = torch.maximum(torch.maximum(z - front, -back), (u - 1.0) * p.w_span)
    return u, (front - z) / chord, v, outline


class BirdScene(rendering.Solids):
    """The solids of a batch of birds, as `rendering.Scene` wants them."""

    def __init__(self, birds: Sequence[Bird], device: torch.device) -> None:
        super().__init__([numbers(b) for b in birds], GROUPS, (6.8, 11.2), CAMERA_DISTANCE, device)

    def distances(self, group: int, scene: Tensor, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        """See `rendering.Scene`."""
        p = self.parameters.at(scene)
        if group == BODY_GROUP:
            return self._body(p, x, y, z, detail)
        if group in (FACE_GROUP, LEG_GROUP) and detail == rendering.PLAIN:
            return [None] * len(GROUPS[group])
        if group == FACE_GROUP:
            return self._face(p, *within(p, "f", x, y, z), detail)
        if group == LEG_GROUP:
            return self._legs(p, *within(p, "v", x, y, z), detail) if p.any("legs") else [None]
        return self._perch(p, x, y, z, detail) if p.any("perch") else [None, None]

    def _body(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        head = within(p, "f", x, y, z)
        x, y, z = within(p, "b", x, y, z)
        ax = x.abs()
        if detail == rendering.ROUGH:
            d = torch.minimum(sphere(*head, (0.0, 0.0, 0.0), p.h * 1.13), ellipsoid(
                x, y, z, (0.0, 0.0, 0.0), (p.bx + 0.09, p.by + 0.10, p.bz + 0.08)))
            if p.any("crest"):
                d = torch.minimum(d, p.only("crest", rod(*head, (0.55 * p.h, 0.15 * p.h), (1.42 * p.h, -0.72 * p.h), 0.45 * p.h,
                                                         0.08)))
            d = torch.minimum(d, rod(x, y, z, (0.0, -0.5 * p.bz), (p.t_y + p.t_s * p.t_len, p.t_z - p.t_c * p.t_len), 0.62
                                     * p.by + 0.04, p.t_w1 + 0.06))
            d = torch.minimum(d, rod(x, y, z, (0.1, 0.3 * p.bz), (p.hy, p.hz), p.neck + 0.14, p.neck + 0.08))
            if p.any("fly"):
                spread = capsule(ax, y, z, (0.3 * p.bx, 0.3 * p.by, 0.0),
                                 (0.45 * p.bx + p.w_span * p.w_c, 0.35 * p.by + p.w_span * p.w_s - 0.08, -0.15), 0.46, 0.34)
                d = torch.minimum(d, p.only("fly", spread))
            return [d, None, None]
        if detail == rendering.PLAIN:
            d = smooth_min(ellipsoid(x, y, z, (0.0, 0.0, 0.0), (p.bx, p.by, p.bz)), sphere(*head, (0.0, -0.03, 0.0), p.h), 0.3)
            wings = p.only("fly", self._spread(p, ax, y, z)) if p.any("fly") else None
            return [d, wings, self._tail(p, ax, y, z)]
        bare = trunk(p, x, y, z)
        if len(x) < 700:
            return [body(p, bare, (x, y, z), head), self._wing(p, bare, ax, y, z), self._tail(p, ax, y, z)]
        # of many points only those that can be near; the others are told how far the part is at least
        whole = torch.minimum(bare, (p.head_z - z).clamp(min=0.05))
        here = (z > p.head_z - 0.2).nonzero()[:, 0]
        whole[here] = body(p.some(here), bare[here], (x[here], y[here], z[here]), [h[here] for h in head])
        wing = z - p.wing_z
        here = (wing < 0.1).nonzero()[:, 0] if not p.any("fly") else torch.arange(len(z), device=z.device)
        wing[here] = self._wing(p.some(here), bare[here], ax[here], y[here], z[here])
        tail = z - p.t_z
        here = (tail < 0.1).nonzero()[:, 0]
        tail[here] = self._tail(p.some(here), ax[here], y[here], z[here])
        return [whole, wing, tail]

    def _wing(self, p: ParametersAt, bare: Tensor, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
        wing = torch.full_like(bare, FAR_AWAY)
        if p.any("folded"):
            along, out = wing_across(p, y, z)
            step = 0.016 * smoothstep(0.40, 0.37, along)  # coverts lie over the quills
            folded = smooth_max(bare - 0.045 - step, out, 0.07)
            tip = capsule(ax, y, z, (0.42 * p.bx, 0.30 * p.by, -0.55 * p.bz), (0.085, p.w_y1, p.w_z1), 0.14, 0.02)
            folded = smooth_min(folded, smooth_max(tip, -y + 0.02, 0.05), 0.06)
            wing = p.where("folded", folded, wing)
        if p.any("fly"):
            wing = p.where("fly", self._spread(p, ax, y, z), wing)
        return wing

    def _spread(self, p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
        u, across, height, outline = spread_wing(p, ax, y, z)
        thick = 0.018 + 0.05 * (1 - u.clamp(0, 1)) * smoothstep(0.9, 0.1, across)
        return smooth_max(smooth_max(outline, height.abs() - thick, 0.04), -u - 0.05, 0.05) * 0.8

    def _tail(self, p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
        a, c = y - p.t_y, p.t_z - z
        back, up = c * p.t_c + a * p.t_s, a * p.t_c - c * p.t_s
        wide = p.t_w0 + (p.t_w1 - p.t_w0) * (back * (1 / p.t_len)).clamp(0, 1)
        end = back - p.t_len - p.t_fork * (ax - 0.07)
        flat = smooth_max(ax - wide, (up + 0.5 * ax * ax).abs() - 0.032, 0.04)
        return smooth_max(flat, torch.maximum(end, -back), 0.05) * 0.9

    def _face(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        ax = x.abs()
        if detail == rendering.ROUGH:
            bill = capsule(ax, y, z, (0.0, p.k_y, p.k_z), (0.0, p.k_y - 0.1 * p.k_hook, p.k_z + p.k_len), p.k_r0 * 1.3 + 0.06,
                           0.10)
            return [torch.minimum(bill, sphere(ax, y, z, (p.ex, p.ey, p.ez), p.eye_r + 0.02)), None]
        return [beak(p, ax, y, z), sphere(ax, y, z, (p.ex, p.ey, p.ez), p.eye_r)]

    def _legs(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        ax = x.abs()
        fx, fy, fz = p.foot_x, p.foot_y, p.foot_z
        if detail == rendering.ROUGH:
            return [p.only("legs", capsule(ax, y, z, (fx, p.hip_y, p.hip_z), (fx, fy, fz + 0.04), 0.12, 0.24))]
        d = capsule(ax, y, z, (0.16, p.hip_y, p.hip_z), (fx, fy + 0.02, fz), 0.042 + 0.018 * p.web, 0.026 + 0.012 * p.web)
        for out, on in ((0.0, 0.19), (0.105, 0.155), (-0.095, 0.155), (0.01, -0.14)):
            d = smooth_min(d, capsule(ax, y, z, (fx, fy + 0.015, fz), (fx + out, p.toe_y + 0.01, fz + on), 0.03, 0.018), 0.03)
        if p.any("web"):
            d = smooth_min(d, p.only("web", ellipsoid(ax, y, z, (fx, fy + 0.0, fz + 0.10), (0.12, 0.02, 0.12))), 0.03)
        return [p.only("legs", d)]

    def _perch(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        a, b, c = x - p.p_x, y - p.p_y, z - p.p_z
        s = a * p.p_ax + b * p.p_ay + c * p.p_az
        if detail == rendering.ROUGH:
            b = b - p.p_bend * s * s
            d = ((a - s * p.p_ax) ** 2 + (b - s * p.p_ay) ** 2 + (c - s * p.p_az) ** 2).sqrt_() - p.p_r - 0.06
            leaf = None
            if p.any("leaves"):
                for i in range(LEAVES):
                    one = sphere(x, y, z, [getattr(p, f"l{i}{k}") for k in "xyz"], getattr(p, f"l{i}size") * 1.05)
                    leaf = one if leaf is None else torch.minimum(leaf, one)
                leaf = p.only("leaves", leaf) if leaf is not None else None
            return [p.only("perch", d), leaf]
        b = b - p.p_bend * s * s
        d = ((a - s * p.p_ax) ** 2 + (b - s * p.p_ay) ** 2 + (c - s * p.p_az) ** 2).sqrt_() - p.p_r
        leaf = None
        if detail == rendering.PLAIN:
            return [p.only("perch", d), None]
        d = d + (0.014 * s.abs().clamp(max=1)) * torch.sin(s * 9 + p.seed) * torch.sin(s * 3.7 + b * 9)
        if p.any("leaves"):
            for i in range(LEAVES):
                u, v, w = within(p, f"l{i}", x, y, z)
                size = getattr(p, f"l{i}size")
                wide = size * p.leaf_wide
                k = (size * size - wide * wide) / (2 * wide)
                out = (u * u + (v.abs() + k) ** 2).sqrt_() - (k + wide)
                one = blade(out, (w + 0.9 * u * u - 0.35 * v.abs()).abs() - 0.012, 0.010) * 0.88
                if p.any("berries"):
                    one = p.where("berries", sphere(u, v, w, (0.0, 0.0, 0.0), size * 0.9), one)
                if p.any("blossoms"):
                    r = (u * u + v * v).sqrt_()
                    five = torch.cos(torch.atan2(v, u) * 5)
                    one = p.where("blossoms", blade(r - size * (1.15 + 0.28 * five), (w - 1.4 * r * r).abs() - 0.012, 0.012)
                                  * 0.8, one)
                leaf = one if leaf is None else torch.minimum(leaf, one)
            leaf = p.only("leaves", leaf) if leaf is not None else None
        return [p.only("perch", d * 0.9), leaf]


def beak(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Both mandibles, in the head's frame."""
    a, c = y - p.k_y, z - p.k_z
    t = c * (1 / p.k_len)
    a = a + p.k_drop * p.k_len * t * t.clamp(min=0) + p.k_hook * 0.30 * p.k_len * (t - 0.55).clamp(min=0)
    squash = ax * (1 + 0.15 * p.k_cone)
    upper = capsule(squash, a, c, (0.0, 0.25 * p.k_r0, -0.02), (0.0, 0.0, p.k_len), p.k_r0 * 0.80, p.k_r1)
    lower = capsule(squash, a, c, (0.0, -0.30 * p.k_r0, -0.02), (0.0, -0.012 * (1 - p.k_hook) + 0.0 * p.k_hook, p.k_len
                                                                 * (0.90 - 0.28 * p.k_hook)),
                    p.k_r0 * 0.58, p.k_r1 * 0.8)
    d = smooth_min(upper, lower, 0.012)
    if p.any("k_flat"):
        lift = a - 0.10 * (t - 0.75) * (t - 0.1)
        up = ellipsoid(ax, lift, c, (0.0, 0.035, 0.42 * p.k_len), (0.115 + 0.0 * p.k_len, 0.052, 0.60 * p.k_len))
        up = smooth_min(up, ellipsoid(ax, lift, c, (0.0, 0.06, 0.0), (0.10, 0.085, 0.16)), 0.08)
        low = ellipsoid(ax, lift, c, (0.0, -0.022, 0.40 * p.k_len), (0.100, 0.034, 0.53 * p.k_len))
        d = p.where("k_flat", smooth_min(up, low, 0.010), d)
    return d * 0.9
