"""What comes of a check, plain: pictures, figures, words. Nothing here imports torch."""

import hashlib
import statistics
from dataclasses import dataclass, field

from PIL import Image

from gm_core.check.kinds import Case, Figures
from gm_core.check.sources import Source

BETTER = {"psnr": max, "ssim": max, "distance": min, "kid": min}
"""Figure -> which of two is nearer to the references."""


@dataclass(frozen=True)
class Facts:
    """What a report says of a set of weights."""

    layout: str = ""
    parameters: int = 0
    bytes: int = 0
    sha256: str = ""
    """Of the weights' file, or of all of them in the order of their names."""
    stored: str = ""
    """Number formats in the file."""
    revision: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class Made:
    """One picture, or why there is none."""

    case: int
    """Its place among the cases."""
    picture: Image.Image | None = None
    seconds: float = 0.0
    figures: Figures = field(default_factory=dict)
    failure: str = ""

    def digest(self) -> str:
        """SHA-256 of the pixels."""
        return hashlib.sha256(self.picture.tobytes()).hexdigest() if self.picture is not None else ""


@dataclass
class Examined:
    """What came of one set of weights."""

    source: Source
    facts: Facts = field(default_factory=Facts)
    made: list[Made] = field(default_factory=list)
    opening: float = 0.0
    """Seconds to open it."""
    memory: int = 0
    """Bytes that the process needed at most beyond what it had before; 0 where that cannot be told."""
    failure: str = ""
    figures: Figures = field(default_factory=dict)
    """Means over its pictures, and KID of the whole set."""

    @property
    def fine(self) -> bool:
        return not self.failure and all(not one.failure for one in self.made)

    def seconds(self) -> float:
        """Of one picture: the median, without the first where there are several, which pays for warming up."""
        times = [one.seconds for one in self.made if one.picture is not None]
        return statistics.median(times[1:] or times) if times else 0.0


@dataclass
class Outcome:
    """All that a report says."""

    task: str
    cases: list[Case]
    examined: list[Examined]
    baseline: Examined | None
    notes: list[str]
    environment: dict[str, str]
    command: str = ""
    grid: tuple[str, str] | None = None

    @property
    def fine(self) -> bool:
        return all(one.fine for one in self.examined)
