"""The solids of a portrait: head, hair, body and what is worn, as signed distances of a record's numbers.

Head space: the eyes lie at y = 0, the chin at about -0.9, the crown at 1.05, the face looks along +z; a mirror plane runs
through x = 0, so that most shapes take ax = |x|. The head turns about a point in the neck; the body follows by a third.
"""

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gm_core.datasets import rendering
from gm_core.datasets.portrait_people import Portrait
from gm_core.datasets.rendering import (
    FAR_AWAY,
    Parameters,
    ParametersAt,
    capsule,
    ellipsoid,
    smooth_max,
    smooth_min,
    smoothstep,
    sphere,
)

SKIN, EYE, MOUTH, BEARD, HAIR, CHEST, CLOTHES, FRAME, HAT, RING = range(10)
"""The parts. MOUTH is what an open one shows."""

HEAD_GROUP, HAIR_GROUP, BODY_GROUP, WORN_GROUP = range(4)
GROUPS = ((SKIN, EYE, MOUTH, BEARD), (HAIR,), (CHEST, CLOTHES), (FRAME, HAT, RING))

PIVOT = (0.0, -0.75, -0.2)
"""The point in the neck about which the head turns."""

CAMERA_DISTANCE = 8.0

_HAIR: dict[str, dict[str, float]] = {
    # top, side: thickness; nape, burn: where it ends behind and before the ear; back: combed back instead of from a parting
    "bald": {"hair": 0},
    "balding": {"top": 0.03, "side": 0.045, "ring": 1, "locks": 0.5},
    "buzz": {"top": 0.03, "side": 0.018, "locks": 0.0, "crown": 1.07},
    "crop": {"top": 0.11, "side": 0.035, "locks": 1.1, "tousle": 1, "crown": 1.17},
    "side part": {"top": 0.12, "side": 0.045, "locks": 0.9, "sweep": 1, "crown": 1.2},
    "quiff": {"top": 0.09, "side": 0.03, "locks": 0.9, "quiff": 1, "back": 1, "crown": 1.3},
    "slicked back": {"top": 0.075, "side": 0.04, "locks": 0.7, "back": 1, "nape": -0.62, "crown": 1.14},
    "short curls": {"top": 0.17, "side": 0.075, "locks": 0.0, "curls": 0.036, "curl_rate": 13, "crown": 1.27},
    "afro": {"top": 0.10, "side": 0.10, "locks": 0.0, "curls": 0.022, "curl_rate": 21, "afro": 1, "crown": 1.38},
    "pixie": {"top": 0.11, "side": 0.06, "locks": 1.1, "fringe": 1, "fringe_y": 0.34, "slant": 0.32, "burn": -0.26,
              "crown": 1.18},
    "bob": {"vee": 0.12, "top": 0.10, "side": 0.09, "locks": 0.8, "curtain": 1, "end": -0.66, "wide": 0.80, "crown": 1.17},
    "fringe bob": {"top": 0.10, "side": 0.09, "locks": 0.8, "curtain": 1, "end": -0.66, "wide": 0.79, "fringe": 1,
                   "fringe_y": 0.24,
                   "crown": 1.17},
    "long fringe": {"top": 0.09, "side": 0.08, "locks": 0.75, "curtain": 1, "end": -1.6, "wide": 0.77, "fringe": 1,
                    "fringe_y": 0.25,
                    "crown": 1.15},
    "two buns": {"top": 0.06, "side": 0.045, "locks": 0.6, "buns": 1, "nape": -0.5, "vee": 0.08, "crown": 1.34},
    "long straight": {"vee": 0.14, "top": 0.085, "side": 0.08, "locks": 0.75, "curtain": 1, "end": -1.6, "wide": 0.77,
                      "crown": 1.15},
    "long wavy": {"vee": 0.14, "top": 0.11, "side": 0.10, "locks": 1.0, "curtain": 1, "end": -1.55, "wide": 0.83, "wave": 1,
                  "crown": 1.18},
    "long curls": {"vee": 0.12, "top": 0.14, "side": 0.12, "locks": 0.0, "curtain": 1, "end": -1.35, "wide": 0.93,
                   "curls": 0.042,
                   "curl_rate": 10.5, "crown": 1.24},
    "ponytail": {"top": 0.06, "side": 0.045, "locks": 0.7, "back": 1, "tail": 1, "nape": -0.55, "crown": 1.15},
    "bun": {"top": 0.06, "side": 0.045, "locks": 0.7, "back": 1, "bun": 1, "nape": -0.5, "crown": 1.42},
    "braids": {"vee": 0.10, "top": 0.06, "side": 0.05, "locks": 0.6, "braids": 1, "nape": -0.5, "crown": 1.13},
}
_HAIR_DEFAULTS = {"hair": 1, "top": 0.05, "side": 0.04, "nape": -0.48, "burn": -0.14, "locks": 0.8, "back": 0, "ring": 0,
                  "tousle": 0,
                  "sweep": 0, "quiff": 0, "curls": 0, "curl_rate": 12, "afro": 0, "fringe": 0, "fringe_y": 0.3, "slant": 0,
                  "curtain": 0, "end": -1.0, "wide": 0.8, "wave": 0, "tail": 0, "bun": 0, "buns": 0, "braids": 0, "vee": 0,
                  "crown": 1.1}
_HAT_TOP = {"none": 0.0, "beanie": 1.3, "cap": 1.26, "sun hat": 1.3, "beret": 1.24, "headscarf": 1.16}


def numbers(p: Portrait) -> dict[str, float]:
    """Everything the solids are made of. Whatever takes more than arithmetic is worked out here, once per portrait."""
    smile = max(p.smile, 0.0)
    open_ = 0.12 * p.mouth_open
    man = p.masculinity
    n: dict[str, float] = {"smile": p.smile, "joy": smile, "masculinity": man, "seed": float(p.seed % 97)}
    n |= {
        "face_w": p.face_width, "head_h": p.head_height, "jaw_w": p.jaw_width, "chin_w": 0.155 * p.chin_width,
        "chin_y": -p.chin_length - 0.45 * open_, "cheek": 0.205 + p.cheeks + 0.016 * smile, "cheek_y": -0.29 + 0.035 * smile,
    }
    # places on the front of the bare skull, found by looking along z
    ex = 0.292 * p.eye_spacing
    mouth_y = -0.525 - 0.4 * p.nose_length
    mouth_w = 0.215 * p.mouth_width * (1 + 0.24 * smile) * (1 - 0.30 * max(0.0, p.brow_raise - 0.6) * p.mouth_open)
    z = torch.linspace(0.2, 1.2, 401)
    places = ((ex, 0.0), (0.0, 0.1), (0.0, mouth_y), (mouth_w, mouth_y))
    grid = [torch.full((401,), value) for value in (0.0, 0.0)]
    fronts = []
    at = Parameters([n], z.device).at(torch.zeros(401, dtype=torch.long))
    for px, py in places:
        inside = skull(at, grid[0] + px, grid[1] + py, z) < 0
        fronts.append(float(z[inside].max()))
    eye_r = 0.207 * p.eye_size
    tilt = p.eye_tilt
    w = eye_r * 0.86
    wide = p.eye_openness * (1 - 0.14 * smile - 0.16 * smile * p.mouth_open + 0.22 * max(0.0, p.brow_raise - 0.5))
    upper, lower = 0.52 * w * wide + 0.012, 0.40 * w * (1 - 0.28 * smile) + 0.008
    n |= {
        "ex": ex, "ez": fronts[0] - eye_r + 0.072, "eye_r": eye_r, "lid_r": eye_r * 1.085, "tilt_c": math.cos(tilt),
        "tilt_s": math.sin(tilt), "eye_w": w, "upper": upper, "lower": lower, "upper_r": (w * w + upper * upper) / (2 * upper),
        "lower_r": (w * w + lower * lower) / (2 * lower),
        "brow_z": fronts[1], "brow_y": 0.205 + p.brow_height + 0.05 * p.brow_raise + 0.03 * (p.eye_size - 1),
        "brow_tilt": p.brow_angle, "brow_t": 0.036 * p.brow_thickness, "brow_frown": 0.10 * max(0.0, -p.brow_raise),
        "ridge": 0.026 * man,
        "nose_y": -0.265 - p.nose_length, "nose_w": p.nose_width, "nose_b": p.nose_bridge, "nose_u": p.nose_upturn,
        "nose_s": p.nose_size, "mouth_y": mouth_y, "mouth_z": fronts[2], "mouth_w": mouth_w,
        "mouth_c": (fronts[2] - fronts[3]) / mouth_w**2, "open": open_, "mouth_d": 0.025 + 0.24 * min(1.0, p.mouth_open * 6),
        "mouth": float(p.mouth_open > 0.02), "lips": p.lips, "ear_s": p.ear_size, "ear_a": 0.25 + 0.45 * p.ear_angle,
        "age": float(np.clip((p.age - 18) / 67, 0, 1)),
    }
    # turns
    cy, sy, cx, sx = math.cos(p.yaw), math.sin(p.yaw), math.cos(p.pitch), math.sin(p.pitch)
    cz, sz = math.cos(p.roll), math.sin(p.roll)
    turn = (np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]]) @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
            @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]))
    n |= {f"r{i}{j}": float(turn[i, j]) for i in range(3) for j in range(3)}
    n |= {f"t{j}": float(PIVOT[j] - np.array(PIVOT) @ turn[:, j]) for j in range(3)}
    n |= {"yaw": p.yaw, "pitch": p.pitch, "body_c": math.cos(0.35 * p.yaw), "body_s": math.sin(0.35 * p.yaw)}
    # hair
    hair = _HAIR_DEFAULTS | _HAIR[p.hair_style]
    volume = p.hair_volume
    covered = p.hat == "headscarf"
    end = hair["end"] + (0.16 if hair["end"] > -1 else 0.3) * p.hair_length
    n |= {
        "hair": 0.0 if covered else hair["hair"], "h_top": hair["top"] * volume, "h_side": hair["side"] * (0.5 + 0.5 * volume),
        "h_nape": hair["nape"], "h_burn": hair["burn"], "h_back": hair["back"], "h_parted": 1 - hair["back"],
        "h_ring": hair["ring"],
        "h_locks": 0.016 * hair["locks"], "h_tousle": hair["tousle"], "h_sweep": hair["sweep"], "h_quiff": hair["quiff"],
        "h_quiff_h": 0.21 * volume, "h_curls": hair["curls"], "h_steep": 0.75 if hair["curls"] else 1.0,
        "h_curl_rate": hair["curl_rate"], "h_afro": hair["afro"],
        "h_afro_r": 0.86 + 0.12 * volume, "h_fringe": hair["fringe"], "h_fringe_y": hair["fringe_y"] + 0.04 * p.hair_length,
        "h_slant": hair["slant"] * (1 if p.parting > 0 else -1), "h_curtain": hair["curtain"], "h_end": end,
        "h_wide": hair["wide"] * (0.8 + 0.2 * volume), "h_wave": hair["wave"] * (0.025 + 0.035 * p.hair_wave),
        "h_tail": hair["tail"], "h_bun": hair["bun"], "h_buns": hair["buns"], "h_vee": hair["vee"] * (1 + 0.3 * p.hair_length),
        "h_groove": float(hair["vee"] > 0), "h_bun_r": 0.24 * (0.7 + 0.3 * volume), "h_braids": hair["braids"],
        "h_part": 0.30 * p.parting, "h_sign": 1.0 if p.parting > 0 else -1.0,
        "h_line": 0.585 + 0.10 * p.hairline, "h_recess": 0.26 * p.hairline, "h_peak": 0.09 * p.widows_peak,
        "h_phase": float(p.seed % 61), "beard_t": {"none": 0, "stubble": 0, "moustache": 0.05, "goatee": 0.05,
                                                   "full": 0.06}[p.beard]
        * (0.4 + 0.6 * p.beard_length),
        "b_full": float(p.beard == "full"), "b_goatee": float(p.beard == "goatee"),
        "b_moustache": float(p.beard == "moustache"),
        "b_drop": 0.08 * (p.beard_length - 0.8) if p.beard == "full" else 0.0,
    }
    # what is worn
    lens = {"none": (0, 0, 0, 0), "round": (0.012, 0.01, 0.205, 0), "square": (0.155, 0.085, 0.085, 0),
            "cat-eye": (0.14, 0.06, 0.085, 0.24),
            "aviator": (0.10, 0.06, 0.135, -0.10), "sunglasses": (0.145, 0.07, 0.10, 0.05)}[p.glasses]
    n |= {
        "glasses": float(p.glasses != "none"), "lens_w": lens[0], "lens_h": lens[1], "lens_r": lens[2], "lens_slope": lens[3],
        "lens_x": ex + 0.015, "lens_z": n["brow_z"] + 0.10 + 0.7 * max(p.nose_bridge, 0.0),
        "frame": {"aviator": 0.013, "round": 0.017, "square": 0.021, "cat-eye": 0.022, "sunglasses": 0.024}.get(p.glasses,
                                                                                                                0.02),
        "hat": float(p.hat != "none"), "hat_line": {"beret": 0.60, "sun hat": 0.52}.get(p.hat, 0.44),
        "ring_y": -0.055 - 0.175 * p.ear_size,
        "earring": float(p.earrings != "none" and not covered),
    }
    n |= {f"hat_{name.replace(' ', '_')}": float(p.hat == name) for name in ("beanie", "cap", "sun hat", "beret", "headscarf")}
    n |= {f"ring_{name}": float(p.earrings == name) for name in ("stud", "hoop", "pearl")}
    n |= {f"neck_{name}": float(p.neckline == name) for name in ("crew", "scoop", "turtleneck", "shirt", "hoodie", "jacket")}
    n |= {"neck_v": float(p.neckline == "v-neck"), "neck_collar": float(p.neckline in ("shirt", "jacket")),
          "neck_r": 0.262 + 0.075 * man, "shoulder": 0.98 + 0.24 * man}
    # the shot shows everything from the crown, or what sits on it, down to the shoulders
    crown = max(hair["crown"] * (1 if covered is False else 0), 1.07 * p.head_height, _HAT_TOP[p.hat])
    half = (crown + 0.13 + 1.58) / 2 / p.zoom
    eyes = turn @ (np.array([0.0, 0.0, 0.62]) - PIVOT) + PIVOT
    n |= {"camera_x": 0.62 * float(eyes[0]), "camera_y": 0.5 * (crown + 0.13 - 1.58) + 0.6 * float(eyes[1]),
          "camera_half": half}
    return n


def skull(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """The bare head, without features."""
    d = cranium(p, ax, y, z)
    jaw = ellipsoid(ax, y, z, (0.0, p.chin_y * 0.5 - 0.50, 0.13), (0.46 * p.jaw_w, 0.35 - 0.4 * p.chin_y, 0.455))
    d = smooth_min(d, jaw, 0.18)
    d = smooth_min(d, ellipsoid(ax, y, z, (0.0, p.chin_y - 0.765, 0.43), (p.chin_w * 1.15, p.chin_w * 0.85, p.chin_w)), 0.17)
    return smooth_min(d, sphere(ax, y, z, (0.335, p.cheek_y, 0.385), p.cheek), 0.16)


def cranium(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """The part of the skull that hair grows on, melted with the face."""
    d = ellipsoid(ax, y, z, (0.0, 0.28 * p.head_h, -0.14), (0.71 * (0.4 + 0.6 * p.face_w), 0.765 * p.head_h, 0.80))
    return smooth_min(d, ellipsoid(ax, y, z, (0.0, -0.24, 0.12), (0.595 * p.face_w, 0.68, 0.575)), 0.22)


def aperture(p: ParametersAt, ax: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The opening between the lids, in front view: distance to its edge, and coordinates along (outwards) and across it."""
    a = ax - p.ex
    u = a * p.tilt_c + y * p.tilt_s
    v = y * p.tilt_c - a * p.tilt_s
    above = (u * u + (v - (p.upper - p.upper_r)) ** 2).sqrt_() - p.upper_r
    below = (u * u + (v - (p.lower_r - p.lower)) ** 2).sqrt_() - p.lower_r
    return torch.maximum(above, below), u, v


def nose(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Bridge, tip and wings."""
    ny, nz, s = p.nose_y, p.brow_z, p.nose_s
    tip = 0.018 * p.nose_u
    d = capsule(ax, y, z, (0.0, 0.10, nz - 0.085 + p.nose_b), (0.0, ny + 0.03, nz + 0.085 * s), 0.050, 0.062 * p.nose_w)
    d = smooth_min(d, sphere(ax, y, z, (0.0, ny + tip, nz + 0.118 * s), 0.082 * s * (0.55 + 0.45 * p.nose_w)), 0.07)
    return smooth_min(d, sphere(ax, y, z, (0.086 * p.nose_w, ny - 0.022, nz + 0.03), 0.058 * s), 0.06)


def mouth_frame(p: ParametersAt, ax: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The mouth's own coordinates: height above the line between the lips, and 1 at its middle falling to 0 at the corners."""
    square = ax * ax
    height = y - p.mouth_y - p.smile * 1.3 * square + 0.012 * p.smile
    return height, (1 - square * (1 / p.mouth_w**2)).clamp_(-0.6, 1)


def face(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """The skull with brow, sockets, nose, lids, lips and ears."""
    d = skull(p, ax, y, z)
    if len(d) < 3000:
        return ear(p, features(p, d, ax, y, z), ax, y, z)
    # of many points only those that can be near them
    for here, add in (((z > 0.2).nonzero()[:, 0], features), ((ax > 0.45).nonzero()[:, 0], ear)):
        d[here] = add(p.some(here), d[here], ax[here], y[here], z[here])
    return d


def features(p: ParametersAt, d: Tensor, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """The skull's distance d with brow, sockets, nose, lids and lips."""
    d = smooth_min(d, ellipsoid(ax, y, z, (0.22, p.brow_y + 0.0, p.brow_z - 0.125), (0.20, 0.07, 0.095 + p.ridge)), 0.13)
    d = smooth_max(d, -ellipsoid(ax, y, z, (p.ex - 0.01, 0.015, p.ez + 0.315), (0.17, 0.12, 0.13)), 0.14)
    d = smooth_min(d, nose(p, ax, y, z), 0.085)
    # nostrils
    nostril = sphere(ax, y, z, (0.046 * p.nose_w, p.nose_y - 0.078 + 0.012 * p.nose_u, p.brow_z + 0.075), 0.020)
    d = smooth_max(d, -nostril, 0.03)
    # lids: a shell around the eyeball, opened
    d = smooth_min(d, sphere(ax, y, z, (p.ex, 0.006, p.ez), p.lid_r), 0.05)
    opening, _, _ = aperture(p, ax, y)
    d = smooth_max(d, torch.minimum(-opening, z - (p.ez + 0.02)), 0.018)
    # lips, bent around the teeth and by the smile
    height, middle = mouth_frame(p, ax, y)
    zb = z - p.mouth_z + p.mouth_c * 0.95 * (ax * ax)
    up = height - (0.45 * p.open) * middle
    low = height + (1.15 * p.open) * middle
    thick = p.lips
    upper = ellipsoid(ax, up, zb, (0.0, 0.026 * thick, 0.002), (p.mouth_w * 0.93, 0.036 * thick, 0.055))
    upper = smooth_min(upper, sphere(ax, up, zb, (0.05, 0.036 * thick, 0.012), 0.027 * thick), 0.03)
    lower = ellipsoid(ax, low, zb, (0.0, -0.037 * thick, 0.0), (p.mouth_w * 0.76, 0.044 * thick, 0.066))
    d = smooth_min(d, torch.minimum(upper, lower), 0.035)
    slit = torch.maximum(torch.maximum(up, -low) - 0.005, (p.mouth_z - p.mouth_d) - z - p.mouth_c * (ax * ax))
    d = smooth_max(d, -torch.maximum(slit, ax - p.mouth_w * 0.98), 0.02)
    return smooth_max(d, -sphere(ax, height, zb, (p.mouth_w * 1.01, 0.0, 0.036), 0.017), 0.05)


def ear(p: ParametersAt, d: Tensor, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """The head's distance d with ears: a tilted shell with a hollow, and the ridge in it."""
    back = z + 0.13 + 0.22 * (y + 0.04)
    out = ax + back * p.ear_a
    tall = (y + 0.045) * (1 / p.ear_s)
    shell = ellipsoid(out, tall, back, (0.695 * (0.4 + 0.6 * p.face_w), 0.0, 0.0), (0.056, 0.185, 0.125))
    x_hollow = 0.695 * (0.4 + 0.6 * p.face_w) + 0.062
    shell = smooth_max(shell, -ellipsoid(out, tall, back, (x_hollow, 0.02, 0.012), (0.052, 0.125, 0.075)), 0.025)
    shell = smooth_min(shell, sphere(out, tall, back, (x_hollow - 0.045, 0.035, 0.0), 0.028), 0.03)
    return smooth_min(d, shell, 0.03)


def hair_field(p: ParametersAt, x: Tensor, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """How deep inside the hairy part of the head a point lies; 0 at the hairline, negative on the face."""
    wobble = 0.008 * torch.sin(x * 31 + p.h_phase) + 0.007 * torch.sin(x * 73 + y * 20)
    temple = (ax - 0.37) * (1 / 0.15)
    line = p.h_line - 0.30 * (ax - 0.26).clamp(min=0) + p.h_recess * torch.exp(-temple
                                                                               * temple) - p.h_peak * torch.exp(-(ax * ax) * 90)
    if p.any("h_vee"):  # hair that falls away from the parting shows the forehead there
        line = line + p.h_vee * torch.exp(-(((x - 0.6 * p.h_part) * (1 / 0.34)) ** 2))
    front = y - line + wobble
    side = 0.13 + 0.34 * (y - 0.02).clamp(min=0) - z + wobble
    field = smooth_max(front, side, 0.14)
    low = p.h_burn + (p.h_nape - p.h_burn) * smoothstep(-0.06, -0.24, z)
    field = smooth_min(field, (y - low) + wobble, 0.08)
    if p.any("h_ring"):
        field = smooth_min(field, p.where("h_ring", 0.30 - 0.25 * (z + 0.2) - y, FAR_AWAY), 0.08)
    if p.any("h_fringe"):
        edge = p.h_fringe_y + 0.25 * ax * ax + p.h_slant * x + 0.030 * torch.sin(x * 19 + p.h_phase) + 0.018 * torch.sin(x * 43)
        fringe = torch.minimum(y - edge, 0.60 - ax) + torch.where(z > 0, 0.0, -1.0)
        field = torch.maximum(field, p.where("h_fringe", fringe, -FAR_AWAY))
    return field


def comb(p: ParametersAt, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates across and along the strands: combed away from the parting, or from the forehead back."""
    across = along = torch.zeros_like(x)
    if p.any("h_parted"):
        spine = z.clamp(-0.45, 0.30)
        across = torch.atan2(x - p.h_part, z - spine + 1e-4) + 2.2 * spine * torch.sign(x - p.h_part)
        along = y
    if p.any("h_back"):
        over = torch.atan2(x, y + 0.12)
        if p.any("h_parted"):
            across, along = torch.lerp(across, over, p.h_back), torch.lerp(along, z, p.h_back)
        else:
            across, along = over, z
    return across, along


def hair(p: ParametersAt, x: Tensor, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """A shell on the skull that thins out towards the hairline, and the masses of the style."""
    field = hair_field(p, x, ax, y, z)
    cover = smoothstep(-0.06, 0.16, field)
    thick = p.h_side + (p.h_top - p.h_side) * smoothstep(0.1, 0.95, y)
    if p.any("h_sweep"):  # more on one side of the parting
        thick = thick * (1 + 0.55 * p.h_sweep * smoothstep(-0.12, 0.12, (p.h_part - x) * p.h_sign) * smoothstep(0.2, 0.7, y))
    across, along = comb(p, x, y, z)
    locks = torch.sin(across * 11 + 1.8 * torch.sin(along * 2.6 + p.h_phase)) + 0.55 * torch.sin(across * 25 + along * 3
                                                                                                 + p.h_phase)
    d = cranium(p, ax, y, z) + 0.016 - (thick + 0.016) * cover
    d = torch.maximum(d, -0.10 - field)  # nothing inside the face, where an open mouth would show it
    locks = locks * p.h_locks
    if p.any("h_tousle"):
        locks = locks + p.h_tousle * 0.022 * torch.sin(x * 13 + 2 * torch.sin(z * 7 + p.h_phase)) * torch.sin(z * 15 + x * 5)
    d = d - locks * cover * smoothstep(0.0, 0.05, thick)
    if p.any("h_groove"):
        groove = torch.exp(-(((x - p.h_part) * (1 / 0.022)) ** 2)) * smoothstep(-0.35, -0.15, z) * smoothstep(0.4, 0.6, y)
        d = d + 0.03 * p.h_groove * groove
    if p.any("h_quiff"):
        lift = ellipsoid(x, y, z, (0.10 * p.h_sign, 0.98, 0.30), (0.44, p.h_quiff_h, 0.34)) - locks
        d = smooth_min(d, p.only("h_quiff", lift), 0.20)
    if p.any("h_afro"):
        ball = sphere(x, y, z, (0.0, 0.36, -0.24), p.h_afro_r)
        ball = smooth_max(ball, -ellipsoid(ax, y, z, (0.0, -0.42, 0.80), (0.60, 0.98, 0.95)), 0.14)
        d = smooth_min(d, p.only("h_afro", ball), 0.08)
    if p.any("h_curtain"):
        wave = p.h_wave * torch.sin(y * 7.5 + p.h_phase + 1.5 * torch.sin(across * 2)) * smoothstep(0.35, -0.3, y)
        wide = p.h_wide - 0.05 * smoothstep(-0.5, -1.3, y)
        a, c = (ax + wave) / wide, (z + 0.20) * (1 / 0.72)
        round_ = (a * a + c * c).sqrt_()
        fall = (round_ - 1) * 0.70 - locks
        ragged = 0.05 * torch.sin(across * 9 + p.h_phase) + 0.03 * torch.sin(across * 21)
        fall = smooth_max(fall, p.h_end + ragged - y, 0.12)
        fall = smooth_max(fall, y - 0.42, 0.2)
        gap = ellipsoid(ax + 0.4 * wave, y, z, (0.0, -0.62, 0.86), (0.585, 1.32, 0.98))
        fall = smooth_max(fall, -gap, 0.08)
        d = smooth_min(d, p.only("h_curtain", fall), 0.14)
    if p.any("h_tail"):
        s = p.h_sign
        tail = ellipsoid(x - 0.10 * torch.sin(y * 4) * s, y, z, (0.60 * s, -0.10, -0.72), (0.23, 0.85, 0.24)) - locks
        tie = sphere(x, y, z, (0.14 * s, 0.72, -0.80), 0.24)
        d = smooth_min(d, p.only("h_tail", smooth_min(tail, tie, 0.2)), 0.06)
    if p.any("h_bun"):
        twist = 0.012 * torch.sin(torch.atan2(x, z + 0.34) * 9 + y * 14)
        d = smooth_min(d, p.only("h_bun", sphere(x, y, z, (0.0, 1.12, -0.34), p.h_bun_r) - twist), 0.05)
    if p.any("h_buns"):
        twist = 0.012 * torch.sin(torch.atan2(ax - 0.46, z + 0.16) * 9 + y * 14)
        d = smooth_min(d, p.only("h_buns", sphere(ax, y, z, (0.47, 0.98, -0.18), p.h_bun_r * 0.92) - twist), 0.05)
    if p.any("h_braids"):
        swing = ax - 0.03 * torch.sin(y * 13)
        beads = 0.028 * torch.sin(y * 26 + 1.5 * torch.sign(x)).abs()
        braid = capsule(swing, y, z, (0.64, -0.30, -0.12), (0.62, -1.30, 0.20), 0.085, 0.06) - beads
        d = smooth_min(d, p.only("h_braids", braid), 0.05)
    if p.any("h_curls"):
        d = d - curls(p, x, y, z) * cover.clamp(min=0.25) * p.h_curls
        d = d * p.h_steep
    if p.any("hat"):  # what would stand through the hat is pressed under it
        under = torch.maximum(d, y - p.hat_line + 0.22 * (z + 0.1))
        d = p.where("hat", under, d)
    return d * 0.9


def curls(p: ParametersAt, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Bumps of about -1..1.6 like packed curls."""
    f = p.h_curl_rate
    a, b, c = x * f + p.h_phase, y * f, z * f
    one = torch.sin(a + 1.6 * torch.sin(b * 0.6 + 0.3 * c)) * torch.sin(b + 1.4 * torch.sin(c * 0.7 + 0.2 * a))
    two = torch.sin(c * 0.9 + 1.9 * torch.sin(a * 0.8 + b * 0.25))
    return one + 0.6 * two


def beard_field(p: ParametersAt, ax: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """As `hair_field`, for the beard: positive where it grows."""
    height, middle = mouth_frame(p, ax, y)
    wobble = 0.010 * torch.sin(ax * 47 + y * 31)
    cheek = 0.05 + 0.55 * (ax - 0.30).clamp(min=0) + 1.3 * (ax - 0.50).clamp(min=0) - height
    cheek = torch.minimum(cheek, z + 0.06)
    chin = 0.20 - (ax * ax + ((height + 0.20) * 0.9) ** 2).sqrt()
    goatee = torch.maximum(chin, torch.minimum(0.25 - ax, 0.13 - height.abs()))
    lip = torch.minimum(0.135 - 0.22 * ax - height, torch.minimum(0.27 - ax, height + 0.02 + 0.5 * (ax - 0.12).clamp(min=0)))
    full = smooth_max(cheek, lip, 0.06)
    field = p.where("b_moustache", lip, p.where("b_goatee", goatee, full))
    lips = torch.maximum(height - (0.45 * p.open) * middle - 0.055 * p.lips * middle.clamp(min=0) ** 0.5,
                         -(height + (1.15 * p.open) * middle + 0.075 * p.lips * middle.clamp(min=0) ** 0.5))
    lips = torch.maximum(lips, ax - p.mouth_w)
    return torch.minimum(torch.minimum(field + wobble, lips + 0.012), p.nose_y - 0.075 - y)


def lens(p: ParametersAt, ax: Tensor, y: Tensor) -> Tensor:
    """Distance to the rim of a lens, in front view."""
    a = ax - p.lens_x
    b = y + 0.02 - p.lens_slope * a
    return ((a.abs() - p.lens_w).clamp_(min=0) ** 2 + (b.abs() - p.lens_h).clamp_(min=0) ** 2).sqrt_() - p.lens_r


def to_head(p: ParametersAt, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return ((x * p.r00).add_(y * p.r10).add_(z * p.r20).add_(p.t0), (x * p.r01).add_(y * p.r11).add_(z * p.r21).add_(p.t1),
            (x * p.r02).add_(y * p.r12).add_(z * p.r22).add_(p.t2))


class PortraitScene(rendering.Solids):
    """The solids of a batch of portraits, as `rendering.Scene` wants them."""

    def __init__(self, portraits: Sequence[Portrait], device: torch.device) -> None:
        super().__init__([numbers(p) for p in portraits], GROUPS, (6.2, 9.7), CAMERA_DISTANCE, device)

    def distances(self, group: int, scene: Tensor, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        """See `rendering.Scene`."""
        p = self.parameters.at(scene)
        if group == BODY_GROUP:
            return self._body(p, x, y, z)
        neck = self._neck(p, x, y, z) if group == HEAD_GROUP else None
        x, y, z = to_head(p, x, y, z)
        ax = x.abs()
        if group == HAIR_GROUP:
            return [p.only("hair", hair(p, x, ax, y, z))] if p.any("hair") else [None]
        if group == WORN_GROUP:
            return self._worn(p, x, ax, y, z)
        assert neck is not None
        if detail == rendering.ROUGH:
            d = torch.minimum(cranium(p, ax, y, z) - 0.13, sphere(ax, y, z, (0.0, -0.62, 0.20), 0.52))
            d = torch.minimum(d, sphere(ax, y, z, (0.72, -0.04, -0.13), 0.27))
            return [torch.minimum(d, neck), None, None, None]
        if detail == rendering.PLAIN:
            plain = smooth_min(skull(p, ax, y, z), nose(p, ax, y, z), 0.085)
            plain = smooth_max(plain, -ellipsoid(ax, y, z, (p.ex - 0.01, 0.015, p.ez + 0.315), (0.17, 0.12, 0.13)), 0.14)
            return [smooth_min(plain, neck, 0.10), None, None, None]
        bare = face(p, ax, y, z)
        eye = sphere(ax, y, z, (p.ex, 0.0, p.ez), p.eye_r)
        mouth = beard = None
        if p.any("mouth"):
            mouth = p.only("mouth", ellipsoid(ax, y, z, (0.0, p.mouth_y - 0.4 * p.open, p.mouth_z - 0.275),
                                              (0.24, 0.20, 0.235)))
        if p.any("beard_t"):
            field = beard_field(p, ax, y, z)
            strands = 0.007 * torch.sin(x * 41 + 2 * torch.sin(y * 17)) * torch.sin(y * 23 + z * 13)
            longer = p.beard_t + p.b_drop * smoothstep(-0.62, -0.9, y)
            beard = bare + 0.012 - (longer + 0.012 + strands) * smoothstep(-0.03, 0.07, field)
            beard = p.only("beard_t", beard * 0.7)
        return [smooth_min(bare, neck, 0.10), eye, mouth, beard]

    def _neck(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        a, c = x * p.body_c - z * p.body_s, x * p.body_s + z * p.body_c
        return capsule(a, y, c, (0.0, -0.62, -0.20), (0.0, -1.5, -0.28), p.neck_r, p.neck_r + 0.03)

    def _body(self, p: ParametersAt, x: Tensor, y: Tensor, z: Tensor) -> list[Tensor | None]:
        x, z = x * p.body_c - z * p.body_s, x * p.body_s + z * p.body_c
        y = y - 0.07
        ax = x.abs()
        neck = capsule(ax, y, z, (0.0, -0.62, -0.20), (0.0, -1.5, -0.28), p.neck_r, p.neck_r + 0.03)
        trunk = ellipsoid(ax, y, z, (0.0, -1.93, -0.28), (p.shoulder, 0.60, 0.46))
        trunk = smooth_min(trunk, sphere(ax, y, z, (p.shoulder - 0.10, -1.80, -0.28), 0.34), 0.2)
        chest = smooth_min(trunk, neck, 0.30)
        cloth = smooth_min(trunk, neck + 0.06, 0.24) - 0.04
        around = (ax * ax + (z + 0.22) ** 2).sqrt()  # distance from the neck's axis
        wear = cloth
        if p.any("neck_crew"):
            crew = smooth_max(cloth, -ellipsoid(ax, y, z, (0.0, -1.10, -0.08), (0.46, 0.33, 0.56)), 0.03)
            ring = ((around - 0.44) ** 2 + (y + 1.335 + 0.22 * (z + 0.2)) ** 2).sqrt() - 0.042
            wear = p.where("neck_crew", smooth_min(crew, ring, 0.03), wear)
        if p.any("neck_v"):
            vee = smooth_max(ax - 0.34 - (y + 1.30) * 0.62, torch.maximum(-z - 0.1, -y - 1.95), 0.05)
            wear = p.where("neck_v", smooth_max(cloth, -vee, 0.03), wear)
        if p.any("neck_scoop"):
            scoop = ellipsoid(ax, y, z, (0.0, -1.14, 0.10), (0.54, 0.46, 0.60))
            wear = p.where("neck_scoop", smooth_max(cloth, -scoop, 0.03), wear)
        if p.any("neck_turtleneck"):
            tube = smooth_max(neck - 0.055, (y + 1.17).abs() - 0.17, 0.06)
            high = smooth_min(chest - 0.035, tube, 0.05)
            wear = p.where("neck_turtleneck", smooth_max(high, y + 1.0, 0.03), wear)
        if p.any("neck_hoodie"):
            hole = smooth_max(cloth, -ellipsoid(ax, y, z, (0.0, -1.12, 0.0), (0.46, 0.36, 0.60)), 0.03)
            hood = ((((ax * 0.88) ** 2 + (z + 0.26) ** 2).sqrt() - 0.50) ** 2
                    + (y + 1.27 + 0.40 * (z + 0.2)) ** 2).sqrt() - 0.13
            wear = p.where("neck_hoodie", smooth_min(hole, hood, 0.06), wear)
        if p.any("neck_collar"):
            hole = smooth_max(ax - 0.30 - (y + 1.22) * 0.75, torch.maximum(-z - 0.1, -y - 1.62), 0.05)
            open_ = smooth_max(cloth, -hole, 0.03)
            flare = around - 0.345 - 0.05 * p.masculinity + 0.42 * (y + 1.16)
            collar = torch.maximum(flare.abs() - 0.022, (y + 1.235 + 0.30 * (z + 0.2) + 0.15 * ax).abs() - 0.115)
            collar = smooth_max(collar, torch.minimum(z + 0.05, 0.30 - ax * 1.6 - (-1.10 - y) * 0.9 + 0.02), 0.03) * 0.8
            dressed = torch.minimum(open_, collar)
            wear = p.where("neck_collar", dressed, wear)
        return [chest, wear]

    def _worn(self, p: ParametersAt, x: Tensor, ax: Tensor, y: Tensor, z: Tensor) -> list[Tensor | None]:
        frame = None
        hats: list[Tensor] = []
        rings: list[Tensor] = []
        if p.any("glasses"):
            deep = z - p.lens_z + 0.35 * ax * ax
            f = lens(p, ax, y)
            frame = (f * f + deep * deep).sqrt() - p.frame
            edge = p.lens_x + p.lens_w + p.lens_r
            inner = p.lens_x - p.lens_w - p.lens_r
            frame = torch.minimum(frame, capsule(ax, y, z, (0.0, 0.05, p.lens_z + 0.012), (inner, 0.03, p.lens_z), p.frame,
                                                 p.frame))
            frame = torch.minimum(frame, capsule(ax, y, z, (edge, 0.05, p.lens_z - 0.35 * edge * edge), (0.73, 0.05, -0.10),
                                                 p.frame, p.frame))
            frame = p.only("glasses", frame)
        if p.any("hat_beanie"):
            line = y - 0.50 - 0.10 * z
            dome = smooth_max(ellipsoid(ax, y, z, (0.0, 0.34, -0.14), (0.80, 0.90, 0.90)), -line - 0.08, 0.05)
            cuff = smooth_max(ellipsoid(ax, y, z, (0.0, 0.30, -0.14), (0.835, 0.93, 0.935)), line.abs() - 0.115, 0.06)
            hats.append(p.only("hat_beanie", smooth_min(dome, cuff, 0.03)))
        if p.any("hat_cap"):
            dome = smooth_max(ellipsoid(ax, y, z, (0.0, 0.34, -0.14), (0.775, 0.85, 0.87)), 0.43 + 0.08 * z - y, 0.04)
            brim = (y - 0.50 - 0.02 * (z - 0.7) + 0.30 * ax * ax).abs() - 0.020
            brim = smooth_max(brim, ((ax / 0.52) ** 2 + ((z - 0.62) / 0.55) ** 2).sqrt() * 0.5 - 0.5, 0.03)
            hats.append(p.only("hat_cap", smooth_min(dome, brim, 0.04) * 0.9))
        if p.any("hat_sun_hat"):
            tilt = y - 0.56 - 0.16 * z
            dome = smooth_max(ellipsoid(ax, y, z, (0.0, 0.42, -0.14), (0.76, 0.80, 0.84)), -tilt - 0.02, 0.04)
            disc = (ax * ax + (z + 0.10) ** 2).sqrt()
            brim = smooth_max((tilt + 0.05 * (disc - 0.7) + 0.025 * torch.sin(torch.atan2(x, z + 0.1) * 3 + p.h_phase)).abs()
                              - 0.020,
                              disc - 1.16, 0.03)
            hats.append(p.only("hat_sun_hat", smooth_min(dome, brim, 0.06) * 0.9))
        if p.any("hat_beret"):
            s = p.h_sign
            bag = ellipsoid(x, y + 0.20 * s * x, z, (0.15 * s, 0.86, -0.18), (0.82, 0.25, 0.84))
            band = smooth_max(ellipsoid(ax, y, z, (0.0, 0.30, -0.14), (0.765, 0.86, 0.87)),
                              (y - 0.60 - 0.10 * z + 0.1 * s * x).abs() - 0.09, 0.05)
            hats.append(p.only("hat_beret", smooth_min(bag, band, 0.10)))
        if p.any("hat_headscarf"):
            folds = 0.012 * torch.sin(torch.atan2(y + 0.15, ax) * 14 + 3 * z) + 0.010 * torch.sin(ax * 9 + y * 13 + z * 7)
            shell = smooth_min(cranium(p, ax, y, z) - 0.075, ellipsoid(x, y, z, (0.03, -0.98, -0.08), (0.52, 0.50, 0.52)), 0.22)
            shell = smooth_min(shell, ellipsoid(x, y, z, (0.0, -1.42, -0.16), (0.82, 0.30, 0.56)), 0.20) - folds
            opening = ellipsoid(ax, y, z, (0.0, -0.14, 0.80), (0.505, 0.69, 0.80))
            hats.append(p.only("hat_headscarf", smooth_max(shell, -opening, 0.05) * 0.85))
        if p.any("earring"):
            ex, ey = 0.735, p.ring_y
            if p.any("ring_stud"):
                rings.append(p.only("ring_stud", sphere(ax, y, z, (ex, ey - 0.0, -0.07), 0.034)))
            if p.any("ring_pearl"):
                rings.append(p.only("ring_pearl", sphere(ax, y, z, (ex, ey - 0.05, -0.07), 0.056)))
            if p.any("ring_hoop"):
                hoop = ((((y - ey + 0.115) ** 2 + (z + 0.07) ** 2).sqrt() - 0.115) ** 2 + (ax - ex) ** 2).sqrt() - 0.017
                rings.append(p.only("ring_hoop", hoop))
        hat = functools.reduce(torch.minimum, hats) if hats else None
        ring = p.only("earring", functools.reduce(torch.minimum, rings)) if rings else None
        return [frame, hat, ring]
