"""What a CHECKPOINT argument means: a name of the table, a repository on the Hub, a folder, a file, a folder of epochs."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gm_core.checkpoints import CHECKPOINTS, PICKLES
from gm_core.errors import BadInput, CheckpointError
from gm_core.hub import allowed_repositories, is_allowed

WEIGHTS = (".safetensors", *PICKLES)
CANONICAL = ("model.safetensors", "diffusion_pytorch_model.safetensors", "pytorch_model.bin")
"""What the one set of weights of a folder is called."""
NOT_GENERATORS = re.compile(r"(?i)net_?d(?![a-z])|discriminator|critic|optim|(?<![a-z])d(?:_[a-z])?$")
"""Names that training leaves beside its generators: 5_net_D_A.pth, netD_epoch_3.pth, optimizer.pt."""
REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?(?::([\w./-]+))?")
MAX_SOURCES = 200


@dataclass(frozen=True)
class Source:
    """Where one set of weights is. Plain, so that another process or machine can open it too."""

    label: str
    kind: str
    """"table", "hub", "folder" or "file"."""
    place: str
    """Name of the record, repository, or path."""
    revision: str = ""
    """Commit or branch on the Hub."""
    file: str = ""
    """The file to take from a repository that has several."""
    strip: str = ""
    """The series of epochs that it belongs to, or nothing."""
    mark: str = ""
    """Its place in that series: "10"."""


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts epoch_2 before epoch_10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.split(r"(\d+)", name) if part]


def sources(named: Sequence[str], *, local: bool = True) -> tuple[list[Source], list[str]]:
    """(every set of weights that the arguments mean, notes). local: whether files and folders of this machine may be named.

    Raises BadInput for an argument that is none of them, and for more than 200 sets.
    """
    found: list[Source] = []
    notes: list[str] = []
    for name in named:
        found += _meant(name.strip(), local, notes)
    if not found:
        raise BadInput("No checkpoint was named.")
    if len(found) > MAX_SOURCES:
        raise BadInput(f"{len(found)} sets of weights were named; up to {MAX_SOURCES} are compared at once.")
    found = list(dict.fromkeys(found))
    given = _as_strip([Path(one.place) for one in found if one.kind == "file" and not one.strip])
    found = [replace(one, strip=given[one.place][0], mark=given[one.place][1]) if not one.strip and one.place in given else one
             for one in found]
    return _distinct(found), notes


def _meant(name: str, local: bool, notes: list[str]) -> list[Source]:
    if name in [record.name for record in CHECKPOINTS]:
        return [Source(name, "table", name)]
    path = Path(name).expanduser()
    if local and path.is_file():
        return [Source(path.stem, "file", str(path))]
    if local and path.is_dir():
        return _of_folder(path, notes)
    match = REPOSITORY.fullmatch(name)
    if match and ".." not in name and (match[3] or path.suffix not in WEIGHTS):
        repository, revision, file = match[1], match[2] or "main", match[3] or ""
        return [Source(name if "@" in name else repository, "hub", repository, revision, file)]
    here = "no file or folder here, " if local else ""
    raise BadInput(f"'{name}' is no name of the table, {here}and no repository like owner/name@revision.")


def _of_folder(path: Path, notes: list[str]) -> list[Source]:
    files = sorted((file for file in path.iterdir() if file.suffix in WEIGHTS), key=lambda file: natural(file.name))
    if (path / "model_index.json").exists() or any((path / name).exists() for name in CANONICAL):
        return [Source(path.name or str(path), "folder", str(path))]
    inner = [folder for folder in sorted(path.iterdir(), key=lambda folder: natural(folder.name)) if folder.is_dir()
             and any((folder / name).exists() for name in (*CANONICAL, "model_index.json"))]
    generators = [file for file in files if not NOT_GENERATORS.search(file.stem)]
    if len(generators) < len(files):
        notes.append(f"{len(files) - len(generators)} files of {path.name} were left aside: by their names they are "
                     "discriminators or states of an optimiser.")
    if not generators and not inner:
        raise BadInput(f"The folder {path} holds no weights ({', '.join(WEIGHTS)}).")
    strips = _as_strip([*generators, *inner])
    found = [Source(place.stem if place.is_file() else place.name, "file" if place.is_file() else "folder", str(place),
                    strip=strips.get(str(place), ("", ""))[0], mark=strips.get(str(place), ("", ""))[1])
             for place in (*generators, *inner)]
    return sorted(found, key=lambda one: (not one.strip, one.strip, natural(one.mark or one.label)))


def _as_strip(places: Iterable[Path]) -> dict[str, tuple[str, str]]:
    """place -> (its series, its mark) for those of three or more whose names differ in one number only."""
    series: dict[str, list[Path]] = {}
    for place in places:
        series.setdefault(f"{place.parent.name}/{re.sub(r'[0-9]+', '#', place.stem)}", []).append(place)
    found = {}
    for name, members in series.items():
        numbers = [re.findall(r"\d+", place.stem) for place in members]
        changing = [i for i in range(len(numbers[0])) if len({row[i] for row in numbers}) > 1]
        if len(members) >= 3 and len(changing) == 1:
            title = name.replace("#", "…") if len(numbers[0]) == 1 else name.rsplit("/", 1)[0]
            found |= {str(place): (title, row[changing[0]]) for place, row in zip(members, numbers, strict=True)}
    return found


def _distinct(found: list[Source]) -> list[Source]:
    """Labels that tell them apart: with the folder, or else the path, where names are the same."""
    labels = [one.label for one in found]
    if len(set(labels)) == len(labels):
        return found
    longer = [one if labels.count(one.label) == 1 else replace(one, label="/".join(Path(one.place).parts[-2:]))
              for one in found]
    labels = [one.label for one in longer]
    return [one if labels.count(one.label) == 1 else replace(one, label=one.place) for one in longer]


# --- what the page may fetch --------------------------------------------------------------------------------------------


def check_allowed(source: Source) -> None:
    """Raises CheckpointError for a repository that this page may not fetch from."""
    patterns = allowed_repositories()
    if source.kind == "hub" and not is_allowed(source.place):
        told = f"It may fetch from {', '.join(patterns)}" if patterns else "It takes the checkpoints of its table only"
        raise CheckpointError(f"This page may not fetch {source.place}. {told}. On your own machine any repository can be "
                              "checked.")
