"""Photographs mode, for those who have the rights: `GM_FACES` names a folder, or is the word "hub".

A folder holds `real/`, `fake/` and `attribution.csv` with the columns file, author, source and licence (`file` as
"real/anna.jpg"). A picture that the table does not name is not shown. With "hub" such a folder is made under the data
folder: photographs of FairFace (CC BY 4.0) and portraits of a diffusion network trained on CelebA-HQ, drawn ahead of the
game, one by one, and kept:

    GM_FACES=hub python -m gm_core.quiz.faces --number 40
"""

import argparse
import csv
import errno
import io
import logging
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from gm_core.checkpoints import Checkpoint
from gm_core.errors import BadInput, GMError, Unavailable
from gm_core.images import FORMATS, open_picture
from gm_core.quiz.answers import data_folder
from gm_core.quiz.game import ROUNDS
from gm_core.quiz.levels import PHOTOGRAPHS, Level
from gm_core.quiz.present import square
from gm_core.quiz.supply import Drawn, Judged
from gm_core.report import Report, silent

logger = logging.getLogger(__name__)

LEAST_SIDE, MOST_SIDE = 96, 256
MOST_PICTURES = 2000
"""Of each kind; what a folder holds beyond is not looked at."""
HUB = "hub"
NUMBER = 40
"""Portraits of each kind that are prepared from the Hub unless told otherwise."""
STEPS = 50
"""Of DDIM, for one portrait."""

FAIRFACE = "HuggingFaceM4/FairFace"
FAIRFACE_COMMIT = "54d573cdb8b5af490ba8da9da2799628f6e5c496"
FAIRFACE_FILE = "0.25/validation-00000-of-00001-951dbd63c8724ee1.parquet"

GENERATOR = Checkpoint(
    name="ddpm-celebahq-256", task=PHOTOGRAPHS, title="DDPM CelebA-HQ", network="Denoising diffusion, 2020",
    trained_on="CelebA-HQ photographs, which are for non-commercial research", licence="apache-2.0 as tagged",
    paper="https://arxiv.org/abs/2006.11239", build="celebahq:build", parameters=113_673_219, size=455_000_000,
    files=("config.json", "diffusion_pytorch_model.safetensors"), repo_id="Mou11209203/ddpm-celebahq-256",
    revision="6e7ff50619b9b3f34408fcfc6f1818c38c6f90d6", source="https://huggingface.co/Mou11209203/ddpm-celebahq-256",
)


@dataclass(frozen=True)
class _Face:
    path: Path
    origin: str


class Photographs:
    """A folder of photographs and fakes as a world of the quiz. It is read when it is first asked, and again if it grew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp: tuple[float, ...] = ()
        self._faces: dict[str, list[_Face]] = {"real": [], "fake": []}
        self._side = MOST_SIDE
        self._trouble = ""
        self._turns = {"real": 0, "fake": 0}

    def trouble(self) -> str:
        """Why this folder cannot be played with, as a sentence; empty if it can."""
        self._read()
        return self._trouble

    def levels(self) -> list[Level]:
        return [] if self.trouble() else [Level(PHOTOGRAPHS, "Photographs of people, against a network's")]

    def real(self, n: int, level: Level, side: int) -> list[Drawn]:
        return list(self._next("real", n))

    def fake(self, n: int, level: Level) -> list[Drawn]:
        return list(self._next("fake", n))

    def judge(self, pictures: list[Image.Image]) -> list[Judged] | None:
        """No machine that ships has seen a photograph of a person."""
        return None

    def _next(self, kind: str, n: int) -> Iterator[Drawn]:
        """In a fixed shuffled order, again and again: so any run of them has no repeats."""
        faces = self._faces[kind]
        for _ in range(n):
            face = faces[self._turns[kind] % len(faces)]
            self._turns[kind] += 1
            try:
                picture = open_picture(face.path)
            except BadInput as error:
                raise GMError(f"{kind}/{face.path.name} cannot be read: {error}") from error
            yield Drawn(square(picture, self._side), f"{kind}/{face.path.name}", face.origin)

    def _read(self) -> None:
        parts = (self.folder / "attribution.csv", self.folder / "real", self.folder / "fake")
        try:
            stamp = tuple(part.stat().st_mtime for part in parts)
        except OSError:
            self._trouble = ("Photographs mode needs a folder with real/, fake/ and attribution.csv; the one named by "
                             "GM_FACES is not complete.")
            self._stamp = ()
            return
        if stamp == self._stamp:
            return
        self._stamp, self._trouble = stamp, ""
        try:
            table = read_table(parts[0])
        except GMError as error:
            self._trouble = str(error)
            return
        found: dict[str, list[_Face]] = {}
        side = MOST_SIDE
        for kind in ("real", "fake"):
            found[kind] = []
            for path in sorted((self.folder / kind).iterdir())[:MOST_PICTURES]:
                origin = table.get(f"{kind}/{path.name}")
                edge = _edge(path) if origin else 0
                if origin and edge >= LEAST_SIDE:
                    found[kind].append(_Face(path, origin))
                    side = min(side, edge)
            random.Random(17).shuffle(found[kind])
            if len(found[kind]) < ROUNDS:
                self._trouble = (f"Photographs mode needs at least {ROUNDS} pictures in {kind}/ that attribution.csv names "
                                 f"and that have {LEAST_SIDE} pixels a side; there are {len(found[kind])}.")
                return
        self._faces, self._side = found, side


def _edge(path: Path) -> int:
    """The shorter side in pixels, from the header alone; 0 where it is no picture."""
    try:
        with Image.open(path, formats=FORMATS) as picture:
            return min(picture.size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return 0


def read_table(path: Path) -> dict[str, str]:
    """attribution.csv -> the sentence that is shown at the reveal, by file. Raises GMError if columns are missing."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GMError("attribution.csv cannot be read; it must be a table in UTF-8, separated by commas.") from error
    columns = set(rows[0]) if rows else set()
    if missing := {"file", "author", "source", "licence"} - columns:
        raise GMError(f"attribution.csv lacks the column {sorted(missing)[0]}; it needs file, author, source and licence.")
    return {row["file"].strip(): f"{row['author'].strip()}, {row['source'].strip()}, {row['licence'].strip()}"
            for row in rows if all(isinstance(row[name], str) and row[name].strip() for name in
                                   ("file", "author", "source", "licence"))}


def chosen_folder() -> Path | None:
    """What `GM_FACES` says: a folder, the prepared one for "hub", or None if it is not set."""
    chosen = os.environ.get("GM_FACES", "").strip()
    if not chosen:
        return None
    return data_folder() / "faces" if from_hub() else Path(chosen)


def from_hub() -> bool:
    """Whether the photographs shall come from the Hub."""
    return os.environ.get("GM_FACES", "").strip().lower() == HUB


def absence() -> str:
    """Why there is no photographs mode, for the page; empty if there is one."""
    folder = chosen_folder()
    if folder is None:
        return ("No photograph of a person ships with this gallery. Whoever has the rights to some can name a folder in "
                "GM_FACES, or set it to “hub” to use a licensed collection.")
    trouble = Photographs(folder).trouble()
    if trouble and from_hub():
        real, fake = prepared(folder)
        return (f"Photographs are being prepared: {real} photographs and {fake} portraits are here, {ROUNDS} of each are "
                "needed. Run python -m gm_core.quiz.faces, or press the button: what is drawn is kept.")
    return trouble


def prepared(folder: Path) -> tuple[int, int]:
    """How many photographs and how many fakes are there."""
    return tuple(len(list((folder / kind).glob("*.png"))) for kind in ("real", "fake"))  # pyright: ignore[reportReturnType]


def prepare(number: int = NUMBER, *, folder: Path | None = None, report: Report = silent) -> Path:
    """Photographs from FairFace and portraits by the diffusion network, until there are `number` of each. Resumes.

    number: 10 to 500. Raises BadInput, Unavailable, CheckpointError, and Cancelled from `report`.
    """
    if not ROUNDS <= number <= 500:
        raise BadInput(f"Between {ROUNDS} and 500 portraits can be prepared; {number} is outside.")
    folder = folder or data_folder() / "faces"
    try:
        for kind in ("real", "fake"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        if prepared(folder)[0] < number:
            _photographs(folder, number, report)
        _portraits(folder, number, report)
        _write_table(folder)
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else "the data folder cannot be written"
        raise Unavailable(f"The portraits could not be kept: {why}.") from error
    return folder


def _photographs(folder: Path, number: int, report: Report) -> None:
    """Real ones: a shuffled part of FairFace's validation pictures, 224 px, as they are."""
    report(None, "Fetching photographs of FairFace")
    try:
        import pyarrow.parquet as parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise Unavailable("To read FairFace, pyarrow is needed: pip install pyarrow.") from error
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        path = hf_hub_download(FAIRFACE, FAIRFACE_FILE, revision=FAIRFACE_COMMIT, repo_type="dataset")
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, ValueError) as error:
        raise Unavailable("The photographs of FairFace are not on this machine and the Hub cannot be reached. Check the "
                          "network and HF_HUB_OFFLINE.") from error
    rows = parquet.read_table(path, columns=["image"]).column("image").to_pylist()
    order = list(range(len(rows)))
    random.Random(17).shuffle(order)
    for i, index in enumerate(order[:number]):
        square(open_picture(rows[index]["bytes"]), 224).save(folder / "real" / f"fairface-{index:05d}.png")
        report((i + 1) / number, f"Photographs: {i + 1} of {number}")
    _write_table(folder)


def _portraits(folder: Path, number: int, report: Report) -> None:
    """Fakes: DDIM from noise of the file's own number, reduced to the photographs' 224 px."""
    lacking = [i for i in range(number) if not (folder / "fake" / f"ddpm-{i:05d}.png").exists()]
    if not lacking:
        return
    import torch
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    from gm_core import load
    from gm_core.hub import fetch

    report(None, f"Loading {GENERATOR.title}")
    network = load.build(GENERATOR, fetch(GENERATOR, report)).eval().requires_grad_(False).to(load.device())
    scheduler = DDIMScheduler(num_train_timesteps=1000, beta_start=1e-4, beta_end=0.02, beta_schedule="linear")
    scheduler.set_timesteps(STEPS)
    for done, i in enumerate(lacking):
        x = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(i)).to(load.device())
        for step, t in enumerate(scheduler.timesteps):
            report((done + step / STEPS) / len(lacking), f"Portrait {i + 1} of {number}, step {step + 1} of {STEPS}")
            with torch.inference_mode():
                x = scheduler.step(network(x, t).sample, int(t), x, return_dict=False)[0]
        pixels = ((x[0].float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()
        file = io.BytesIO()
        square(Image.fromarray(pixels), 224).save(file, "PNG")
        scratch = folder / "fake" / f"ddpm-{i:05d}.part"
        scratch.write_bytes(file.getvalue())
        scratch.replace(scratch.with_suffix(".png"))
        _write_table(folder)


def _write_table(folder: Path) -> None:
    """attribution.csv of what was prepared."""
    credit = {"real": ("FairFace, Kärkkäinen and Joo 2021, photographs of YFCC-100M", f"Hub, {FAIRFACE}", "CC BY 4.0"),
              "fake": (f"{GENERATOR.title}, {GENERATOR.network}", f"Hub, {GENERATOR.repo_id}", GENERATOR.licence)}
    scratch = folder / "attribution.part"
    with scratch.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file", "author", "source", "licence"))
        table.writerows((f"{kind}/{path.name}", *credit[kind]) for kind in credit
                        for path in sorted((folder / kind).glob("*.png")))
    scratch.replace(folder / "attribution.csv")


def main() -> None:
    """Prepares photographs mode from the Hub and says how far it is."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--number", type=int, default=NUMBER, help="portraits of each kind")
    number = parser.parse_args().number
    try:
        folder = prepare(number, report=lambda fraction, words, preview=None: print_line(words) or None)
    except GMError as error:
        sys.exit(str(error))
    print_line(f"Ready in {folder}.\n")


def print_line(words: str) -> None:
    """Over the line before."""
    sys.stdout.write(f"\r\x1b[K{words}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
