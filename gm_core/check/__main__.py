"""Check checkpoints: the same inputs and seeds through each, side by side in one HTML report.

    python -m gm_core.check srgan runs/netG_epoch_90.pth srgan-x4 --references photographs/
    python -m gm_core.check cyclegan runs/epochs/ --inputs photographs/ --out epochs.html
    python -m gm_core.check portraits runs/epochs/ --seeds 0-7 --grid epoch seed
    python -m gm_core.check style_transfer style-many --set strength=0,0.5,1 --set style=scream,irises --grid strength style

A CHECKPOINT is a name of the gallery's table, a file (safetensors, or an old pickle, read by torch's weights_only), a folder, a
folder of epochs, or a repository on the Hub: owner/name@revision, with :FILE where it holds several.

Exit status: 0 if every checkpoint made every picture, 1 if one did not (the report is written all the same), 2 if the command
itself makes no sense.
"""

import argparse
import json
import logging
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from gm_core.check.cases import MASK, SIDE, Inputs, cases, pictures_of, read_seeds, read_settings
from gm_core.check.kinds import KINDS, of
from gm_core.check.opening import settle
from gm_core.check.report import axes, command_line, grid_of, summary, table, write
from gm_core.check.run import AT_ONCE, Outcome, check
from gm_core.check.sources import sources
from gm_core.cluster import add_options, chosen
from gm_core.errors import BadInput, GMError


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m gm_core.check", description=__doc__,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("task", choices=KINDS)
    made.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT")
    made.add_argument("--inputs", type=Path, help="folder of pictures (NAME-mask.png beside NAME.png for inpainting), or for "
                                                  "text to image a file with a prompt on each line")
    made.add_argument("--references", type=Path, help="folder of pictures to measure against, named like the inputs; for "
                                                      "super-resolution they alone are enough")
    made.add_argument("--prompt", action="append", default=[], help="a prompt; may be given several times")
    made.add_argument("--seeds", default="0", help="like 0-7 or 0,3,9")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE[,VALUE...]", dest="settings",
                      help="a setting of the task, or several values of it to compare")
    made.add_argument("--grid", nargs=2, metavar=("COLUMNS", "ROWS"), help="two of: checkpoint, epoch, input, seed, settings")
    made.add_argument("--side", type=int, default=SIDE, help="longest side of the inputs, larger ones are reduced")
    made.add_argument("--out", type=Path, default=Path("report.html"), help="the report; a contact sheet (PNG) goes beside it")
    made.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    add_options(made)
    return made


def inputs_of(args: argparse.Namespace) -> Inputs:
    """Reads the files that were named. Raises BadInput."""
    takes = of(args.task).takes
    pictures: dict[str, Image.Image] = {}
    prompts = list(args.prompt)
    if args.inputs and takes == "prompts":
        try:
            prompts += [line.strip() for line in args.inputs.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"The prompts in {args.inputs} cannot be read.") from error
    elif args.inputs and takes == "pictures":
        pictures = pictures_of(args.inputs)
    elif args.inputs:
        raise BadInput(f"{of(args.task).title} begin from seeds alone: use --seeds.")
    masks = {name.removesuffix(MASK): picture for name, picture in pictures.items() if name.endswith(MASK)}
    references = pictures_of(args.references) if args.references else {}
    return Inputs({name: picture for name, picture in pictures.items() if not name.endswith(MASK)}, masks, prompts, references)


def checked(args: argparse.Namespace, words: list[str]) -> Outcome:
    """Does what the command says. Raises GMError for what makes no sense."""
    found, notes = sources(args.checkpoints)
    settings = read_settings(args.task, args.settings)
    inputs = inputs_of(args)
    wanted, more = cases(args.task, inputs, seeds=read_seeds(args.seeds), settings=settings, side=args.side)
    paired = any(case.reference is not None for case in wanted)
    grid = (args.grid[0], args.grid[1]) if args.grid else None
    grid_of(Outcome(args.task, wanted, [], None, [], {}, grid=grid))  # before the work: the names may be wrong
    bar = tqdm(total=1.0, bar_format="{desc:48.48} {percentage:3.0f}% |{bar:32}| {elapsed} left {remaining}", file=sys.stderr,
               disable=None, leave=False)

    def report(fraction: float | None, words: str, preview: Any = None) -> None:  # noqa: ANN401 - a picture that nobody sees
        bar.set_description_str(words, refresh=False)
        bar.update(max(0.0, min(1.0, fraction or bar.n) - bar.n))

    # A name of its own: this work neither waits behind a gallery's visitors on the same cluster nor they behind it.
    with chosen(args, f"check-{os.getpid()}-{secrets.token_hex(3)}", ["check"], AT_ONCE) as engine, bar:
        return check(args.task, found, wanted, references=None if paired else inputs.references, notes=[*notes, *more],
                     command=command_line(words), grid=grid, engine=None if args.engine == "local" else engine, report=report)


def main(words: list[str] | None = None) -> int:
    words = sys.argv[1:] if words is None else words
    args = parser().parse_args(words)
    logging.basicConfig(level=logging.WARNING)
    settle()
    try:
        outcome = checked(args, words)
        page, picture = write(outcome, args.out)
    except GMError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if args.json:
        sys.stdout.write(json.dumps({**summary(outcome), "report": str(page), "sheet": str(picture)}, indent=2) + "\n")
    else:
        sys.stdout.write(table(outcome))
        varied = [name for name, values in axes(outcome).items() if len(values) > 1]
        told = f" ({', '.join(varied)} vary)" if varied else ""
        sys.stdout.write(f"{page} and {picture}{told}\n")
    return 0 if outcome.fine else 1


if __name__ == "__main__":
    sys.exit(main())
