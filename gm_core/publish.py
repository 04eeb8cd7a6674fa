"""Uploads the gallery to a Space of the Hub: what is committed and a Space needs, no more.

    python -m gm_core.publish OWNER/NAME --dry-run
    python -m gm_core.publish OWNER/NAME

The token is the Hub's own: `hf auth login`, or `HF_TOKEN`.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from gm_core.checkpoints import CHECKPOINTS

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("app.py", "demos", "gm_core", "assets", "requirements.txt", "README.md", "LICENSE")
"""What the running gallery reads, and what says whose it is. Tests, runs and this machine's own files stay here."""
KEPT = {".gitattributes"}
"""The Space's own."""


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout


def files(root: Path = ROOT) -> list[str]:
    """Names of the tracked files that a Space needs."""
    return sorted(filter(None, _git(root, "ls-files", "-z", "--", *NEEDED).split("\0")))


def uncommitted(root: Path = ROOT) -> list[str]:
    """Names of files of these that are not as they are committed; they would be uploaded as they lie there."""
    return [line[3:] for line in _git(root, "status", "--porcelain", "--untracked-files=no", "--", *NEEDED).splitlines()]


def front_matter(root: Path = ROOT) -> dict[str, Any]:
    """What the README tells the Hub about the Space."""
    from huggingface_hub import metadata_load

    return dict(metadata_load(root / "README.md") or {})


def contradictions(told: dict[str, Any], root: Path = ROOT) -> list[str]:
    """Where the front matter says something else than the repository. Empty where all is well."""
    requirements = (root / "requirements.txt").read_text(encoding="utf-8")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = re.search(r"^gradio==(\S+)$", requirements, re.MULTILINE)
    expected = {
        "sdk": "gradio",
        "sdk_version": pinned[1] if pinned else "one that requirements.txt pins",
        "app_file": "app.py",
        "python_version": project["requires-python"].removeprefix(">="),
        "license": project["license"].lower(),
        "models": sorted({record.repo_id for record in CHECKPOINTS if record.repo_id}),
    }
    found = {**told, "models": sorted(told.get("models") or [])}
    wrong = [f"{name} is {found.get(name)!r}; it should be {value!r}" for name, value in expected.items()
             if found.get(name) != value]
    return wrong + [f"{name} is missing" for name in ("title", "emoji") if not told.get(name)]


def publish(space: str, *, private: bool = False, root: Path = ROOT) -> str:
    """Makes the Space, if it is not there, and one commit in which it has these files and no others. Returns its address."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api, names = HfApi(), files(root)
    address = api.create_repo(space, repo_type="space", space_sdk="gradio", private=private, exist_ok=True)
    old = set(api.list_repo_files(space, repo_type="space")) - set(names) - KEPT
    operations = [*(CommitOperationAdd(name, root / name) for name in names), *map(CommitOperationDelete, sorted(old))]
    commit = _git(root, "rev-parse", "--short", "HEAD").strip()
    api.create_commit(space, operations, commit_message=f"The gallery at {commit}", repo_type="space")
    return str(address)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gm_core.publish", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space", metavar="OWNER/NAME")
    parser.add_argument("--dry-run", action="store_true", help="list what would be uploaded, and check the front matter")
    parser.add_argument("--private", action="store_true", help="if the Space is new, nobody else sees it")
    args = parser.parse_args()
    wrong = [*contradictions(front_matter()), *(f"{name} has changes that are not committed" for name in uncommitted())]
    if args.dry_run:
        names = files()
        for name in names:
            sys.stdout.write(f"{(ROOT / name).stat().st_size:>12,}  {name}\n")
        size = sum((ROOT / name).stat().st_size for name in names)
        sys.stdout.write(f"{len(names)} files, {size / 2**20:.1f} MB, would go to {args.space}.\n")
    if wrong:
        sys.exit("Not ready:\n" + "\n".join(f"- {one}" for one in wrong))
    if not args.dry_run:
        sys.stdout.write(f"The gallery is at {publish(args.space, private=args.private)}\n")


if __name__ == "__main__":
    main()
