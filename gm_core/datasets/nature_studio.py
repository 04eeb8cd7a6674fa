"""What birds and flowers share: chances, frames, brushes, the taking of the picture, boxes of its parts."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets import rendering
from gm_core.datasets.portraits import Rendered
from gm_core.datasets.rendering import Lights, Material, ParametersAt, Scene, Surface, smoothstep, unit

RGB = tuple[float, float, float]

HELD_OUT = 10_000_000
"""Seeds below are for training, from here on for tests."""


@dataclass(frozen=True)
class Shot:
    """How any picture of nature is taken: the part of a record that is about light, film and surroundings."""

    seed: int  # of the grain, the background's shapes and the small irregularities
    background: str
    background_brightness: float  # 0..1
    key_azimuth: float  # radians, positive: from the right
    key_elevation: float
    key_strength: float  # around 1
    key_warmth: float  # -1 .. 1
    fill: float  # around 1
    rim: float  # 0..1
    rim_side: float  # -1 left, 1 right
    rim_warmth: float  # -1 .. 1
    grain: float  # 0..1

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return dataclasses.asdict(self)


ShotT = TypeVar("ShotT", bound=Shot)
Taken = TypeVar("Taken", bound=Shot, contravariant=True)


class Chance:
    """A seed's dice."""

    def __init__(self, *seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def uniform(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def normal(self, mean: float, deviation: float) -> float:
        """Within two deviations, so that nothing is grotesque."""
        return mean + deviation * float(np.clip(self.random.normal(), -2, 2))

    def often(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def side(self) -> float:
        return 1.0 if self.often(0.5) else -1.0

    def choose(self, weights: dict[str, float]) -> str:
        names = list(weights)
        share = np.array([weights[name] for name in names], float)
        return names[int(self.random.choice(len(names), p=share / share.sum()))]

    def even(self, names: Sequence[str]) -> str:
        return names[int(self.random.integers(len(names)))]

    def shot(self, seed: int, background: str) -> dict[str, Any]:
        """The fields of a `Shot`."""
        return {
            "seed": seed, "background": background, "background_brightness": self.uniform(0, 1),
            "key_azimuth": self.uniform(0.3, 1.0) * self.side(), "key_elevation": self.uniform(0.4, 0.9),
            "key_strength": self.normal(1.0, 0.07), "key_warmth": self.normal(0.3, 0.35), "fill": self.uniform(0.85, 1.25),
            "rim": self.uniform(0.3, 1.0), "rim_side": self.side(), "rim_warmth": self.uniform(-0.4, 1.0),
            "grain": self.uniform(0.3, 1.0)}


# --- frames -----------------------------------------------------------------------------------------------------------


def turned(axis: str, angle: float) -> np.ndarray:
    """The rotation (3, 3) about "x" (positive lowers the nose), "y" (positive turns it to the right) or "z"."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    if axis == "x":
        return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    if axis == "y":
        return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def frame(name: str, turn: np.ndarray, origin: np.ndarray) -> dict[str, float]:
    """The numbers of a frame of coordinates: its axes are the columns of `turn`, its origin lies at `origin`."""
    numbers = {f"{name}{i}{j}": float(turn[i, j]) for i in range(3) for j in range(3)}
    return numbers | {f"{name}t{j}": float(-(origin @ turn)[j]) for j in range(3)}


def within(p: ParametersAt, name: str, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Points of the world in a frame's coordinates."""
    if isinstance(getattr(p, f"{name}00"), float):  # of a single scene: one product
        kept = vars(p)
        if f"{name}_turn" not in kept:
            kept[f"{name}_turn"] = torch.tensor([[getattr(p, f"{name}{i}{j}") for i in range(3)] for j in range(3)],
                                                device=x.device)
            kept[f"{name}_origin"] = torch.tensor([[getattr(p, f"{name}t{j}")] for j in range(3)], device=x.device)
        a, b, c = torch.addmm(kept[f"{name}_origin"], kept[f"{name}_turn"], torch.stack((x, y, z))).unbind(0)
        return a, b, c
    r = [[getattr(p, f"{name}{i}{j}") for j in range(3)] for i in range(3)]
    a, b, c = ((x * r[0][j]).add_(y * r[1][j]).add_(z * r[2][j]).add_(getattr(p, f"{name}t{j}")) for j in range(3))
    return a, b, c


def without(p: ParametersAt, name: str, x: Tensor, y: Tensor, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Directions of a frame in the world."""
    a, b, c = (x * getattr(p, f"{name}{i}0") + y * getattr(p, f"{name}{i}1") + z * getattr(p, f"{name}{i}2") for i in range(3))
    return a, b, c


def blade(out: Tensor, off: Tensor, round_: float) -> Tensor:
    """Distance to something thin with a round rim. out: distance to its outline, off: to its plane less half its thickness."""
    a, b = (out + round_).clamp_(min=0), (off + round_).clamp_(min=0)
    return a.mul_(a).addcmul_(b, b).sqrt_().sub_(round_)


# --- brushes ----------------------------------------------------------------------------------------------------------


class Brush(Generic[ShotT]):
    """Paints the samples of a `rendering.Surface`; a family's painter adds a method for each of its parts."""

    def __init__(self, shots: Sequence[ShotT], surface: Surface, lights: Lights) -> None:
        self.shots, self.surface, self.lights = shots, surface, lights
        self.device = surface.reach.device
        self.material = Material.blank(len(surface.index), self.device)
        self.tables: dict[str, Tensor] = {}

    def of(self, name: str, index: Tensor, value: Callable[[ShotT], Sequence[float]]) -> Tensor:
        """(C, N): what `value` says of each sample's record, a colour or some numbers."""
        if name not in self.tables:
            rows = np.array([value(s) for s in self.shots], np.float32)
            self.tables[name] = torch.from_numpy(rows).to(self.device)
        table = self.tables[name]
        return table[self.surface.scene[index]].T if len(table) > 1 else table.T

    def colour(self, values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=self.device).view(3, 1)

    def normal(self, index: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a, b, c = (n[index] for n in self.surface.normal)
        return a, b, c

    def bend(self, index: Tensor, dx: Tensor, dy: Tensor, dz: Tensor | float = 0.0) -> None:
        """Tilts the normals: fine relief that is not in the solids."""
        n = self.surface.normal
        n[0][index], n[1][index], n[2][index] = unit(n[0][index] + dx, n[1][index] + dy, n[2][index] + dz)

    def soften(self, index: Tensor, amount: float) -> None:
        """Turns the normals of something thin towards the camera: its sharp rim would glitter."""
        self.bend(index, *(-amount * r[index] for r in self.surface.ray))

    def key(self, index: Tensor) -> Tensor:
        """(3, N) directions to the key light."""
        return self.lights.key[self.surface.scene[index]].T

    def wet_light(self, index: Tensor, strength: float) -> Tensor:
        """(N,) what a round wet thing mirrors: the window of the key light, sharp, and the sky, faint."""
        n, ray, key = self.normal(index), [r[index] for r in self.surface.ray], self.key(index)
        facing = n[0] * ray[0] + n[1] * ray[1] + n[2] * ray[2]
        bounce = [r - 2 * facing * a for a, r in zip(n, ray, strict=True)]
        lamp = unit(key[0] * 0.8, key[1] * 0.6 + 0.45, key[2] * 0.5 + 0.75)
        hit = bounce[0] * lamp[0] + bounce[1] * lamp[1] + bounce[2] * lamp[2]
        return strength * smoothstep(0.86, 0.94, hit) + 0.10 * smoothstep(0.0, 0.9, bounce[1])


# --- taking the picture -----------------------------------------------------------------------------------------------


class Family(Protocol[Taken]):
    """What `shoot` needs to know of birds or of flowers."""

    labels: int

    def scene(self, shots: Sequence[Taken], device: torch.device) -> Scene: ...

    def lamps(self, shots: Sequence[Taken], device: torch.device) -> Lights: ...

    def paint(self, shots: Sequence[Taken], scene: Any, surface: Surface, lights: Lights) -> Material: ...  # noqa: ANN401

    def behind(self, shots: Sequence[Taken], scene: Any, size: int, lights: Lights) -> Tensor:  # noqa: ANN401
        """The background (B, 3, size, size), linear."""
        ...

    def finish(self, image: Tensor, labels: Tensor, reach: Tensor, shots: Sequence[Taken], scene: Any,  # noqa: ANN401
               lights: Lights) -> None:
        """Last touches to the picture (B, 3, size, size) and labels (B, size, size), in place; reach: how far rays went."""
        ...


@torch.inference_mode()
def shoot(family: Family[ShotT], shots: Sequence[ShotT], side: int, supersampling: int, device: str | torch.device) -> Rendered:
    """Pictures and label maps of records. The same record gives the same picture, alone or among others.

    side: a multiple of 4, at least 32; supersampling: subpixels along a pixel's side. On the processor they are drawn one by
    one, which is as fast there; elsewhere 32 at once.
    """
    if side < 32 or side % 4:
        raise ValueError(f"side must be a multiple of 4, at least 32, not {side}")
    if supersampling < 1:
        raise ValueError(f"supersampling must be at least 1, not {supersampling}")
    device = torch.device(device)
    at_once = 1 if device.type == "cpu" else 32
    pictures, labels = np.empty((len(shots), side, side, 3), np.uint8), np.empty((len(shots), side, side), np.uint8)
    for i in range(0, len(shots), at_once):
        some = shots[i : i + at_once]
        picture, label = draw(family, some, side, supersampling, device)
        pictures[i : i + len(some)], labels[i : i + len(some)] = picture.cpu().numpy(), label.cpu().numpy()
    return Rendered(pictures, labels)


def draw(family: Family[ShotT], shots: Sequence[ShotT], side: int, supersampling: int,
         device: torch.device) -> tuple[Tensor, Tensor]:
    """`shoot` for one batch: (B, side, side, 3) and (B, side, side), uint8."""
    size, many = side * supersampling, len(shots)
    scene = family.scene(shots, device)
    lights = family.lamps(shots, device)
    surface = rendering.trace(scene, side, supersampling, lights.key)
    material = family.paint(shots, scene, surface, lights)
    colour = rendering.illuminate(surface, material, lights)

    flat = family.behind(shots, scene, size, lights).transpose(0, 1).flatten(1)
    flat[:, surface.index] = colour
    image = flat.view(3, many, size, size).transpose(0, 1).contiguous()
    labels = torch.zeros(many * size * size, dtype=torch.long, device=device)
    labels[surface.index] = material.label
    labels = labels.view(many, size, size)
    reach = torch.full((many * size * size,), rendering.FAR_AWAY, device=device)
    reach[surface.index] = surface.reach
    reach = reach.view(many, size, size)
    _mend(image, labels, reach)
    family.finish(image, labels, reach, shots, scene, lights)

    grain = np.stack([np.random.default_rng([s.seed, side]).normal(0, 0.003 + 0.005 * s.grain, (1, side, side)) for s in shots])
    pictures = rendering.develop(image, supersampling, torch.from_numpy(grain.astype(np.float32)).to(device))
    votes = F.one_hot(labels, family.labels).permute(0, 3, 1, 2).float()
    return pictures, F.avg_pool2d(votes, supersampling).argmax(1).to(torch.uint8)


def _mend(image: Tensor, labels: Tensor, reach: Tensor) -> None:
    """Closes cracks of at most two subpixels, in place: rays that grazed a petal and gave up before what lies behind it."""
    met = (reach < rendering.FAR_AWAY).float()[:, None]
    grown = F.max_pool2d(met, 3, 1, 1)
    crack = ((1 - F.max_pool2d(1 - grown, 3, 1, 1)) - met)[:, 0] > 0.5
    if not bool(crack.any()):
        return
    around = F.avg_pool2d(torch.cat([image * met, met], 1), 3, 1, 1)
    filled = around[:, :3] / around[:, 3:].clamp(min=1e-6)
    image.copy_(torch.where(crack[:, None], filled, image))
    labels.copy_(torch.where(crack, F.max_pool2d(labels[:, None].float(), 3, 1, 1)[:, 0].long(), labels))
    reach.copy_(torch.where(crack, -F.max_pool2d(-reach[:, None], 3, 1, 1)[:, 0], reach))


def boxes(labels: np.ndarray, names: Sequence[str], smallest: int = 4) -> dict[str, tuple[int, int, int, int]]:
    """The box (left, top, right, bottom), right and bottom exclusive, of each part in a label map (side, side).

    Parts of fewer than `smallest` pixels, and the background (label 0), have none.
    """
    found: dict[str, tuple[int, int, int, int]] = {}
    for number, name in enumerate(names):
        rows, columns = np.nonzero(labels == number)
        if number and len(rows) >= smallest:
            found[name] = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    return found
