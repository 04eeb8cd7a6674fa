"""Pictures of signed distance scenes in plain torch: marching, light and film, on any device, for many scenes at once.

A scene is a few groups of solids. A solid is a function that gives for points in space the distance to its surface,
negative inside; smooth unions of ellipsoids, capsules and shells make soft shapes of any kind (Hart, "Sphere tracing",
1996; the shapes and smooth unions are those collected by I. Quilez). The camera looks along -z, x is right, y is up.

A picture is made from coarse to fine. Cones as wide as 4x4 pixels find out which groups lie behind which part of the
picture. Rays through the pixels find the surfaces. Only pixels at an edge are traced again through every subpixel; inside
a surface, depth and normal are interpolated, and only its colour is worked out for every subpixel.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Number = float | Tensor
"""A float for one scene, or one value per point where points of several scenes are mixed."""

FAR_AWAY = 1e3
"""The distance of what is not there."""


# --- numbers of the scenes --------------------------------------------------------------------------------------------


class Parameters:
    """The numbers of a batch of scenes: plain floats of a single one, else tensors looked up for each point.

    Code that reads them may only use arithmetic (+ - * / **), and then serves both. Whatever needs more (a square root, a
    comparison) belongs into the rows.
    """

    def __init__(self, rows: Sequence[dict[str, float]], device: torch.device) -> None:
        self._index = {name: i for i, name in enumerate(rows[0])}
        self._rows = rows
        table = [[row[name] for row in rows] for name in self._index]
        self._table = torch.tensor(table, dtype=torch.float32, device=device)  # (names, scenes)
        self._single: ParametersAt | None = None
        self._used = {name for name in self._index if any(row[name] for row in rows)}

    def at(self, scene: Tensor) -> "ParametersAt":
        """The numbers for points (N,) that belong to the scenes `scene` (N,)."""
        if len(self._rows) > 1:
            return ParametersAt(self, scene)
        if self._single is None:
            self._single = ParametersAt(self, scene)
        return self._single


class ParametersAt:
    """`Parameters` seen from points: an attribute is a float if there is one scene, else a tensor (N,)."""

    def __init__(self, parameters: Parameters, scene: Tensor) -> None:
        self._parameters = parameters
        self._scene = scene

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - float or Tensor, and both take the same arithmetic
        parameters = self._parameters
        if len(parameters._rows) == 1:
            value = parameters._rows[0][name]
        else:
            value = parameters._table[parameters._index[name]][self._scene]
        self.__dict__[name] = value
        return value

    def some(self, index: Tensor) -> "ParametersAt":
        """The numbers for some of the points."""
        return self._parameters.at(self._scene[index]) if len(self._parameters._rows) > 1 else self

    def any(self, name: str) -> bool:
        """Whether the number differs from zero in any scene of the batch."""
        return name in self._parameters._used

    def where(self, name: str, yes: Tensor, no: Tensor | float) -> Tensor:
        """`yes` in the scenes where the number differs from zero, `no` in the others."""
        if len(self._parameters._rows) == 1:
            chosen = yes if getattr(self, name) else no
            return chosen if isinstance(chosen, Tensor) else torch.full_like(yes, chosen)
        return torch.where(getattr(self, name) != 0, yes, no)

    def only(self, name: str, distance: Tensor) -> Tensor:
        """`distance` in the scenes where the number differs from zero, far away in the others."""
        if len(self._parameters._rows) == 1:
            return distance
        return torch.where(getattr(self, name) != 0, distance, FAR_AWAY)


# --- shapes -----------------------------------------------------------------------------------------------------------


def sphere(x: Tensor, y: Tensor, z: Tensor, centre: Sequence[Number], radius: Number) -> Tensor:
    a, b, c = x - centre[0], y - centre[1], z - centre[2]
    return a.mul_(a).addcmul_(b, b).addcmul_(c, c).sqrt_().sub_(radius)


def ellipsoid(x: Tensor, y: Tensor, z: Tensor, centre: Sequence[Number], radii: Sequence[Number]) -> Tensor:
    """Quilez' bound: exact on the surface, first order beside it."""
    in_plane = isinstance(centre[0], float) and centre[0] == 0.0  # most are centred on the mirror plane
    a = x * (1 / radii[0]) if in_plane else (x - centre[0]).mul_(1 / radii[0])
    b = (y - centre[1]).mul_(1 / radii[1])
    c = (z - centre[2]).mul_(1 / radii[2])
    a.mul_(a)
    b.mul_(b)
    c.mul_(c)
    k0 = (a + b).add_(c).sqrt_()
    k1 = a.mul_(radii[0] ** -2.0).add_(b.mul_(radii[1] ** -2.0)).add_(c.mul_(radii[2] ** -2.0)).sqrt_().add_(1e-6)
    return (k0 - 1).mul_(k0).div_(k1)


def capsule(x: Tensor, y: Tensor, z: Tensor, start: Sequence[Number], end: Sequence[Number], r0: Number, r1: Number) -> Tensor:
    """A rod from `start` with radius r0 to `end` with radius r1."""
    way = [e - s for s, e in zip(start, end, strict=True)]
    scale = 1 / (way[0] * way[0] + way[1] * way[1] + way[2] * way[2])
    a, b, c = x - start[0], y - start[1], z - start[2]
    along = (a * (way[0] * scale)).add_(b * (way[1] * scale)).add_(c * (way[2] * scale)).clamp_(0, 1)
    a.sub_(along * way[0])
    b.sub_(along * way[1])
    c.sub_(along * way[2])
    return a.mul_(a).addcmul_(b, b).addcmul_(c, c).sqrt_().sub_(along.mul_(r1 - r0).add_(r0))


def smooth_min(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Union of two solids, melted together where their surfaces are less than k apart."""
    h = (a - b).abs_().neg_().add_(k).clamp_(min=0)
    return torch.minimum(a, b).sub_(h.mul_(h).mul_(0.25 / k))


def smooth_max(a: Tensor, b: Tensor, k: float) -> Tensor:
    """Intersection of two solids with an edge rounded over k; with a negated distance, the solid cut out."""
    h = (a - b).abs_().neg_().add_(k).clamp_(min=0)
    return torch.maximum(a, b).add_(h.mul_(h).mul_(0.25 / k))


def smoothstep(start: Number, end: Number, x: Tensor) -> Tensor:
    """0 before `start`, 1 beyond `end` (which may be the smaller one), smooth between."""
    t = ((x - start) * (1 / (end - start))).clamp_(0, 1)
    return t * t * (3 - 2 * t)


def bump(x: Tensor) -> Tensor:
    """exp(-x^2): 1 at 0, gone beyond 2."""
    return torch.exp(-x * x)


_NOISE = torch.from_numpy(np.random.default_rng(7).random(256 * 256, dtype=np.float32))
_NOISE_ON: dict[str, Tensor] = {}


def noise(u: Tensor, v: Tensor) -> Tensor:
    """Value noise in 0..1, one grain per unit, period 256."""
    table = _NOISE_ON.setdefault(str(u.device), _NOISE.to(u.device))
    iu, iv = u.floor(), v.floor()
    fu, fv = u - iu, v - iv
    fu = fu * fu * (3 - 2 * fu)
    fv = fv * fv * (3 - 2 * fv)
    left, top = iu.long() & 255, (iv.long() & 255) * 256
    right, bottom = (left + 1) & 255, (top + 256) & 65535
    above = torch.lerp(table[top + left], table[top + right], fu)
    below = torch.lerp(table[bottom + left], table[bottom + right], fu)
    return torch.lerp(above, below, fv)


def unit(x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The vectors at length one."""
    scale = (x * x + y * y + z * z).clamp_(min=1e-12).rsqrt_()
    return x * scale, y * scale, z * scale


ROUGH, PLAIN, FULL = range(3)
"""How exactly a scene's distances are wanted."""


# --- tracing ----------------------------------------------------------------------------------------------------------


class Scene(Protocol):
    """What can be traced: `scenes` pictures at once. Parts are numbered through all groups."""

    @property
    def scenes(self) -> int: ...

    @property
    def groups(self) -> Sequence[Sequence[int]]:
        """For each group the numbers of its parts."""
        ...

    @property
    def camera(self) -> Tensor:
        """(scenes, 4): x and y of the camera, its z (its distance from the plane z = 0), half the plane's visible height."""
        ...

    @property
    def depth(self) -> tuple[float, float]:
        """Nearest and farthest distance from the camera at which anything can lie."""
        ...

    def distances(self, group: int, scene: Tensor, x: Tensor, y: Tensor, z: Tensor, detail: int) -> list[Tensor | None]:
        """Distances (N,) of the group's parts from points (N,) of the scenes `scene` (N,); None for a part that no scene has.

        detail: FULL; PLAIN leaves out what casts no shadow worth mentioning; ROUGH is a cheap bound, nowhere larger than the
        true distance.
        """
        ...


class Solids:
    """A scene of records: their numbers, looked up for each ray, and a camera that each of them sets."""

    def __init__(self, rows: Sequence[dict[str, float]], groups: Sequence[Sequence[int]], depth: tuple[float, float],
                 camera_distance: float, device: torch.device) -> None:
        """rows: the numbers of each picture, with "camera_x", "camera_y" and "camera_half" among them."""
        self.rows, self.groups, self.depth = rows, groups, depth
        self.scenes = len(rows)
        self.parameters = Parameters(rows, device)
        self.camera = torch.tensor([[row["camera_x"], row["camera_y"], camera_distance, row["camera_half"]] for row in rows],
                                   device=device)


@dataclass
class Surface:
    """Where rays met something: N samples of all pictures of a batch, one after another."""

    index: Tensor  # (N,) place in the (scenes, side * n, side * n) grid of subpixels
    scene: Tensor  # (N,) whose picture
    part: Tensor  # (N,) which part
    point: tuple[Tensor, Tensor, Tensor]  # (N,) each
    ray: tuple[Tensor, Tensor, Tensor]  # direction from the camera, unit length
    normal: tuple[Tensor, Tensor, Tensor]  # unit length
    reach: Tensor  # (N,) distance from the camera
    openness: Tensor  # (N,) 0..1, how much of the sky is seen: ambient occlusion
    key: Tensor  # (N,) 0..1, how much of the key light arrives: soft shadow


class Rays:
    """The camera's rays through the centres of a grid of `size` x `size` in every picture."""

    def __init__(self, scene: Scene, size: int) -> None:
        self.camera = scene.camera
        self.size = size
        self.spread = 2 * self.camera[:, 3] / self.camera[:, 2] / size
        """(scenes,) width of a grid cell at distance 1."""

    def __call__(self, index: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
        """Scene (N,), direction and origin of the rays with these places in the (scenes, size, size) grid."""
        size = self.size
        scene = torch.div(index, size * size, rounding_mode="floor")
        row = torch.div(index, size, rounding_mode="floor") - scene * size
        column = index - (scene * size + row) * size
        x0, y0, z0, half = self.camera[scene].unbind(1)
        right = ((column + 0.5) * (2 / size) - 1) * half
        up = (1 - (row + 0.5) * (2 / size)) * half
        return scene, unit(right, up, -z0), (x0, y0, z0)


def _nearest(scene: Scene, number: Tensor, x: Tensor, y: Tensor, z: Tensor, near: Tensor | None,
             detail: int = FULL) -> tuple[Tensor, Tensor]:
    """Distance (N,) to the nearest surface and the part it belongs to. near (groups, N): look only at these groups."""
    distance = torch.full_like(x, FAR_AWAY)
    part = torch.zeros_like(number)
    for group, parts in enumerate(scene.groups):
        index = None
        if near is not None:
            index = near[group].nonzero()[:, 0]
            if len(index) == 0:
                continue
            if len(index) > 0.9 * len(x):
                index = None
        if index is None:
            found = scene.distances(group, number, x, y, z, detail)
        else:
            found = scene.distances(group, number[index], x[index], y[index], z[index], detail)
        for one, d in zip(parts, found, strict=True):
            if d is None:
                continue
            before = distance if index is None else distance[index]
            closer = d < before
            if index is None:
                distance = torch.where(closer, d, distance)
                part.masked_fill_(closer, one)
            else:
                distance[index] = torch.where(closer, d, before)
                part[index] = part[index].masked_fill_(closer, one)
    return distance, part


def _march(scene: Scene, rays: Rays, index: Tensor, start: Tensor, near: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Follows rays to the first surface. Returns the reach (N,), and a reach (N,) before which nothing is within a cell.

    A quarter of a cell from the surface is near enough, and more after many steps, which only grazing rays take: whoever asks
    what was met takes the last step.
    """
    number, (dx, dy, dz), (ox, oy, oz) = rays(index)
    far = scene.depth[1]
    reach, free = start.clone(), start.clone()
    active = torch.arange(len(index), device=index.device)
    wide = rays.spread[number] * 0.75
    precision = wide * (scene.depth[0] / 3)
    for step in range(steps):
        if len(active) == 0:
            break
        t = reach[active]
        d, _ = _nearest(scene, number[active], torch.addcmul(ox[active], t, dx[active]),
                        torch.addcmul(oy[active], t, dy[active]),
                        torch.addcmul(oz[active], t, dz[active]), near[:, active])
        slack = wide[active] * t
        open_ = (free[active] >= t - 1e-6) & (d > slack)
        t = t + 1.15 * d  # a little further than is safe: what was overshot is found from behind
        reach[active] = t
        free[active] = torch.where(open_, t - slack, free[active])
        active = active[(d > precision[active] * (1 + 0.03 * step * step)) & (t < far)]
    return reach, torch.minimum(free, reach)


def trace(scene: Scene, side: int, supersampling: int, key: Tensor) -> Surface:
    """Finds what is seen, through side x side pixels of supersampling^2 subpixels each. key (scenes, 3): towards the light."""
    device = scene.camera.device
    near_end, far = scene.depth
    pixels, cells = Rays(scene, side), Rays(scene, max(side // 4, 1))

    # cones: which groups lie behind which cell, and from where on
    every = torch.arange(scene.scenes * cells.size**2, device=device)
    number, (dx, dy, dz), (ox, oy, oz) = cells(every)
    cone = cells.spread[number] * 0.75
    begin = torch.full((len(every),), far + 1, device=device)
    touched = torch.zeros(len(scene.groups), len(every), dtype=torch.bool, device=device)
    for group in range(len(scene.groups)):
        t = torch.full((len(every),), near_end, device=device)
        active = every
        for _ in range(9):
            ta = t[active]
            found = scene.distances(group, number[active], ta * dx[active] + ox[active], ta * dy[active] + oy[active],
                                    ta * dz[active] + oz[active], ROUGH)
            there = [d for d in found if d is not None]
            if not there:
                t.fill_(far)
                break
            d = functools.reduce(torch.minimum, there)
            d = d - cone[active] * ta
            t[active] = ta + d.clamp(min=0)
            active = active[(d > 0.01) & (t[active] < far)]
            if len(active) == 0:
                break
        touched[group] = t < far
        begin = torch.minimum(begin, t)

    def of_cell(index: Tensor, grid: int) -> Tensor:
        """The cell (N,) in which places of a finer grid lie."""
        scene_, inside = torch.div(index, grid * grid, rounding_mode="floor"), index % (grid * grid)
        row, column = torch.div(inside, grid, rounding_mode="floor"), inside % grid
        f = grid // cells.size
        return (scene_ * cells.size + torch.div(row, f, rounding_mode="floor")) * cells.size + torch.div(
            column, f, rounding_mode="floor")

    # rays through the pixels
    every = torch.arange(scene.scenes * side * side, device=device)
    cell = of_cell(every, side)
    every, cell = every[begin[cell] < far], cell[begin[cell] < far]
    reach = torch.full((scene.scenes * side * side,), far + 1, device=device)
    free = reach.clone()
    reach[every], free[every] = _march(scene, pixels, every, begin[cell], touched[:, cell], 12)
    part = torch.full_like(reach, -1).long()

    def settle(rays: Rays, index: Tensor, t: Tensor, near: Tensor) -> tuple[Tensor, Tensor]:
        """The part at the end of the rays, -1 where they ended at nothing; and the reach, corrected once more."""
        number, (dx, dy, dz), (ox, oy, oz) = rays(index)
        d, found = _nearest(scene, number, t * dx + ox, t * dy + oy, t * dz + oz, near)
        return torch.where(d < rays.spread[number] * far * 4, found, -1), t + d

    hit = every[reach[every] < far]
    part[hit], reach[hit] = settle(pixels, hit, reach[hit], touched[:, of_cell(hit, side)])
    reach[part < 0] = far + 1
    hit = (part >= 0).nonzero()[:, 0]

    # edges: pixels whose neighbourhood is not one smooth surface
    shape = (scene.scenes, 1, side, side)
    around = F.pad(torch.cat([part.view(shape).float(), reach.view(shape)], 1), (1, 1, 1, 1), mode="replicate")
    spread = F.max_pool2d(around, 3, 1) + F.max_pool2d(-around, 3, 1)  # (scenes, 2, side, side)
    pixel = (pixels.spread * scene.camera[:, 2]).view(-1, 1, 1, 1)  # its width at the portrait
    edge = ((spread[:, 0] > 0) | (spread[:, 1] > 6 * pixel[:, 0])).flatten()
    if supersampling == 1:
        edge[:] = False

    # subpixels of the edges
    n = supersampling
    fine = Rays(scene, side * n)

    def children(index: Tensor) -> Tensor:
        """(N * n * n,) places of the subpixels of pixels (N,)."""
        scene_, inside = torch.div(index, side * side, rounding_mode="floor"), index % (side * side)
        row, column = torch.div(inside, side, rounding_mode="floor"), inside % side
        corner = (scene_ * side * n + row * n) * side * n + column * n
        steps = (torch.arange(n, device=device)[:, None] * side * n + torch.arange(n, device=device)).flatten()
        return (corner[:, None] + steps).flatten()

    parents = (edge & (begin[of_cell(torch.arange(len(edge), device=device), side)] < far)).nonzero()[:, 0]
    sub = children(parents)
    # nothing lies much before the nearest surface around
    close = (-F.max_pool2d(-reach.view(shape), 3, 1, 1) - 8 * pixel).flatten()
    start = torch.maximum(free, close)[parents].repeat_interleave(n * n)
    near = touched[:, of_cell(parents, side)].repeat_interleave(n * n, 1)
    keep = (start < far).nonzero()[:, 0]
    sub, start, near, above = sub[keep], start[keep], near[:, keep], parents.repeat_interleave(n * n)[keep]
    sub_reach, _ = _march(scene, fine, sub, start, near, 11)
    keep = (sub_reach < far).nonzero()[:, 0]
    sub, sub_reach, near, above = sub[keep], sub_reach[keep], near[:, keep], above[keep]
    sub_part, sub_reach = settle(fine, sub, sub_reach, near)
    keep = (sub_part >= 0).nonzero()[:, 0]
    sub, sub_reach, sub_part, above = sub[keep], sub_reach[keep], sub_part[keep], above[keep]

    # normals, by a tetrahedron of four looks at the part's own group
    owner = torch.zeros(sum(len(parts) for parts in scene.groups), dtype=torch.long, device=device)
    for group, parts in enumerate(scene.groups):
        owner[list(parts)] = group

    def normals(rays: Rays, index: Tensor, t: Tensor, found: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        number, (dx, dy, dz), (ox, oy, oz) = rays(index)
        x, y, z = t * dx + ox, t * dy + oy, t * dz + oz
        near = owner[found] == torch.arange(len(scene.groups), device=device)[:, None]
        e = 0.004
        n0, n1, n2 = torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)
        for a, b, c in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
            d, _ = _nearest(scene, number, x + a * e, y + b * e, z + c * e, near)
            n0, n1, n2 = n0 + a * d, n1 + b * d, n2 + c * d
        return unit(n0, n1, n2)

    coarse_normal = torch.zeros(3, len(part), device=device)
    coarse_normal[:, hit] = torch.stack(normals(pixels, hit, reach[hit], part[hit]))
    sub_normal = torch.stack(normals(fine, sub, sub_reach, sub_part))

    # light, for every second pixel, as on the black squares of a chessboard, and blurred to the others
    row, column = torch.div(hit, side, rounding_mode="floor"), hit % side
    some = hit[(row + column) % 2 == 0]
    number, (dx, dy, dz), (ox, oy, oz) = pixels(some)
    t = reach[some]
    point = (t * dx + ox, t * dy + oy, t * dz + oz)
    n0, n1, n2 = coarse_normal[:, some].unbind(0)
    wide = F.max_pool2d(touched.view(len(scene.groups), scene.scenes, cells.size, cells.size).float(), 5, 1, 2) > 0
    near = wide.flatten(1)[:, of_cell(some, side)]
    dark = torch.zeros_like(t)
    for height, weight in ((0.06, 1.1), (0.17, 0.8), (0.45, 0.5)):
        d, _ = _nearest(scene, number, point[0] + n0 * height, point[1] + n1 * height, point[2] + n2 * height, near, PLAIN)
        dark += weight * ((height - d) / height).clamp(0, 1.3)
    flat = torch.zeros(3, len(part), device=device)
    flat[0, some] = (1 - 0.36 * dark).clamp(0.05, 1)
    flat[1, some] = _shadow(scene, number, point, (n0, n1, n2), key[number].unbind(1))
    flat[2, some] = 1.0
    light = flat.view(3, scene.scenes, side, side).transpose(0, 1)
    light = F.avg_pool2d(F.pad(light, (1, 1, 1, 1)), 3, 1)
    light = torch.where(light[:, 2:] > 0, light[:, :2] / light[:, 2:].clamp(min=1e-6), 0.7)

    # everything to the subpixels
    inside = hit[~edge[hit]]
    smooth = children(inside)
    index = torch.cat([smooth, sub])

    def enlarge(image: Tensor) -> Tensor:
        """(scenes, C, side, side) -> (C, scenes * (side n)^2)."""
        large = F.interpolate(image, scale_factor=n, mode="bilinear", align_corners=False) if n > 1 else image
        return large.transpose(0, 1).flatten(1)

    all_reach = torch.cat([enlarge(reach.view(shape))[0][smooth], sub_reach])
    all_part = torch.cat([part[inside].repeat_interleave(n * n), sub_part])
    all_normal = torch.cat([enlarge(coarse_normal.view(3, scene.scenes, side, side).transpose(0, 1))[:, smooth], sub_normal], 1)
    all_light = enlarge(light)[:, index]
    order = torch.argsort(index)
    index, all_reach, all_part = index[order], all_reach[order], all_part[order]
    all_normal, all_light = all_normal[:, order], all_light[:, order]
    number, ray, (ox, oy, oz) = fine(index)
    point = (all_reach * ray[0] + ox, all_reach * ray[1] + oy, all_reach * ray[2] + oz)
    return Surface(index, number, all_part, point, ray, unit(*all_normal.unbind(0)), all_reach, all_light[0], all_light[1])


def _shadow(scene: Scene, number: Tensor, point: tuple[Tensor, Tensor, Tensor], normal: tuple[Tensor, Tensor, Tensor],
            light: tuple[Tensor, ...]) -> Tensor:
    """How much of a soft light arrives, 0..1 (N,): the narrowest free cone on the way to it, after Quilez."""
    lx, ly, lz = light
    x, y, z = (p + n * 0.03 for p, n in zip(point, normal, strict=True))
    open_ = torch.ones_like(x)
    way = torch.full_like(x, 0.05)
    active = (normal[0] * lx + normal[1] * ly + normal[2] * lz > -0.25).nonzero()[:, 0]
    for _ in range(10):
        if len(active) == 0:
            break
        t = way[active]
        d, _ = _nearest(scene, number[active], torch.addcmul(x[active], t, lx[active]), torch.addcmul(y[active], t, ly[active]),
                        torch.addcmul(z[active], t, lz[active]), None, PLAIN)
        open_[active] = torch.minimum(open_[active], (6 * d / t).clamp(-1, 1))
        way[active] = t + d.clamp(0.05, 0.4)
        active = active[(way[active] < 2.0) & (open_[active] > -0.95)]
    return 0.25 * (1 + open_) ** 2 * (2 - open_)


# --- light ------------------------------------------------------------------------------------------------------------


@dataclass
class Lights:
    """The lights of a batch of scenes, each (scenes, 3): directions towards the light of unit length, linear colours."""

    key: Tensor
    key_colour: Tensor
    fill: Tensor
    fill_colour: Tensor
    rim: Tensor
    rim_colour: Tensor
    sky: Tensor  # what comes from above ...
    ground: Tensor  # ... and from below


@dataclass
class Material:
    """How the samples of a `Surface` answer to light."""

    albedo: Tensor  # (3, N), linear
    specular: Tensor  # (N,) strength of the highlight
    gloss: Tensor  # (N,) its exponent
    warmth: Tensor  # (N,) 0..1: light that enters, wanders and comes out redder, as in skin
    sheen: Tensor  # (N,) 0..1: highlights along strands
    strand: Tensor  # (3, N) direction of the strands, unit length
    shift: Tensor  # (N,) how far the strand's highlight is moved, so that it breaks up
    glow: Tensor  # (3, N) light of its own
    label: Tensor  # (N,) what it is called

    @staticmethod
    def blank(n: int, device: torch.device) -> "Material":
        """Dull and black."""
        zeros = torch.zeros(n, device=device)
        strand = torch.zeros(3, n, device=device)
        strand[1] = 1
        return Material(torch.zeros(3, n, device=device), zeros + 0.03, zeros + 12, zeros.clone(), zeros.clone(), strand,
                        zeros.clone(), torch.zeros(3, n, device=device), torch.zeros(n, dtype=torch.long, device=device))


def illuminate(surface: Surface, material: Material, lights: Lights) -> Tensor:
    """The colour (3, N), linear, that each sample sends to the camera."""
    number = surface.scene

    def of(values: Tensor) -> Tensor:
        return values[number].T  # (3, N)

    def facing(direction: Tensor) -> Tensor:
        return (normal * direction).sum(0)

    normal = torch.stack(surface.normal)
    view = -torch.stack(surface.ray)
    key, key_colour, sky = of(lights.key), of(lights.key_colour), of(lights.sky)
    warmth, shade, openness = material.warmth, surface.key, surface.openness
    tint = torch.tensor([[0.42], [0.20], [0.14]], device=normal.device) * warmth
    nl = facing(key)
    diffuse = ((nl + tint) / (1 + tint)).clamp(min=0)
    soft = shade.clamp(min=1e-3)
    shadow = torch.stack([soft ** (1 - 0.40 * warmth), soft ** (1 - 0.10 * warmth), soft])
    hollow = openness.clamp(min=1e-3)
    ambient = torch.stack([hollow ** (1 - 0.40 * warmth), hollow ** (1 - 0.08 * warmth), hollow])
    colour = key_colour * diffuse * shadow
    colour += (sky * (0.62 + 0.38 * normal[1]) + of(lights.ground) * (0.5 - 0.5 * normal[1])
               + of(lights.fill_colour) * (facing(of(lights.fill)) * 0.75 + 0.25).clamp(min=0)) * ambient
    colour *= material.albedo

    nv = facing(view).clamp(0, 1)
    half = F.normalize(key + view, dim=0)
    nh = facing(half).clamp(0, 1)
    lit = shade * (nl * 6).clamp(0, 1)
    colour += key_colour * (material.specular * lit * nh**material.gloss * (material.gloss + 8) / 14)
    fresnel = (1 - nv) ** 4
    colour += sky * (material.specular * 3 * fresnel * openness)
    rim = facing(of(lights.rim)).clamp(min=0) * (1 - nv) ** 1.5 * openness
    colour += of(lights.rim_colour) * (1.9 * rim) * (material.albedo * 0.8 + 0.05)

    index = (material.sheen > 0).nonzero()[:, 0]
    if len(index):  # Kajiya and Kay, "Rendering fur", 1989, with a second, coloured highlight
        along = (half[:, index] * material.strand[:, index]).sum(0) + material.shift[index]
        first = (1 - (along + 0.06) ** 2).clamp(min=0) ** 40
        second = (1 - (along - 0.12) ** 2).clamp(min=0) ** 10
        light = shade[index] * (nl[index] * 0.7 + 0.4).clamp(0, 1) * material.sheen[index]
        colour[:, index] += key_colour[:, index] * light * (0.07 * first + (material.albedo[:, index] + 0.008) * 0.4 * second)
        colour[:, index] += sky[:, index] * (0.05 * openness[index] * fresnel[index] * material.sheen[index])
    return colour + material.glow


# --- film -------------------------------------------------------------------------------------------------------------


def develop(linear: Tensor, supersampling: int, grain: Tensor) -> Tensor:
    """Light on the subpixels (B, 3, side * n, side * n) to the finished picture (B, side, side, 3) uint8.

    Vignette, a filmic curve (Narkowicz' fit of ACES), glow of what is very bright, gamma, and grain (B, 1, side, side).
    """
    n = supersampling
    size = linear.shape[-1]
    axis = torch.linspace(-1, 1, size, device=linear.device) ** 2
    image = linear * (1 - 0.13 * (axis[:, None] + axis))
    side = size // n
    curve = torch.empty_like(image)
    for i in range(len(image)):  # one by one, so that it stays in the processor's cache
        x = image[i] * 0.62
        curve[i] = (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14)
    image = F.avg_pool2d(curve, n) if n > 1 else curve
    reach = max(side // 16, 1)
    bright = F.avg_pool2d((image - 0.6).clamp(min=0), 2 * reach, reach, reach, count_include_pad=False)
    image = image + 0.12 * F.interpolate(bright, size=(side, side), mode="bilinear", align_corners=False)
    image = image.clamp(1e-5, 1) ** (1 / 2.2) + grain
    return (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """Unit vector: azimuth 0 is towards the camera, positive to the right; elevation upwards; both in radians."""
    flat = math.cos(elevation)
    return math.sin(azimuth) * flat, math.sin(elevation), math.cos(azimuth) * flat
