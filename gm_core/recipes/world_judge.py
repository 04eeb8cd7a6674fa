"""How faithful world-128 is to its captions, measured by a classifier of attributes that is trained on the world.

    python -m gm_core.recipes.world_judge --world runs/world-128 --run runs/world-judge --seed 1 --minutes 70
    python -m gm_core.recipes.world_judge --world runs/world-128 --run runs/world-judge --seed 1 --ship
    python -m gm_core.recipes.world_judge --world runs/world-128 --run runs/world-judge --evaluate

The classifier sees a picture and says the value of every attribute. It also learns from pictures of the combinations that
the text-to-image network never sees: a yardstick must not share the blind spots of what it measures. Slight blur and noise
in its lessons let it read pictures that a network made. Its seed is not that of the decoder's teacher (`world_polish`). The
average of its weights is what answers, and what ships; `--evaluate` takes the shipped one where RUN holds no state.

`--evaluate` measures the classifier itself on held-out pictures of the world; then the pipeline's pictures for 500 captions
of seen combinations and 500 of held-out ones draw an answer for each attribute that the caption names, and so do the
renderer's own pictures of the same records: more than those get nobody can have. Minutes are of work, not of the clock's: the
same command goes on after an interruption.
"""

import argparse
import copy
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.datasets import world
from gm_core.images import to_image
from gm_core.models.attribute_judge import AttributeJudge
from gm_core.models.text_to_image import build
from gm_core.recipes.common import (
    CHECKPOINTS,
    average_in,
    begin_with,
    load_state,
    quickly,
    save_state,
    sheet,
    ship,
    start,
    told_to_end,
    worked_seconds,
)
from gm_core.recipes.world_attributes import loss_of, named_of, right, said, targets
from gm_core.recipes.world_autoencoder import WorldFolder, to_batch, worn
from gm_core.recipes.world_denoiser import GUIDANCE, GUIDANCE_RISE, NAME, STEPS, sampled
from gm_core.tasks.text_to_image import overlaid

logger = logging.getLogger("recipe.world_judge")

JUDGE = "world-judge"
CONFIG: dict[str, Any] = {"attributes": [len(values) for values in world.ATTRIBUTES.values()], "widths": [32, 64, 128, 192]}
BATCH = 32
RATE = 2e-3
AVERAGE = 0.998  # of the weights, a step
COMPOSED = 1500  # pictures of held-out combinations to learn from
TEST_FROM = world.HELD_OUT + 100_000  # seeds of records that are only tested with


def softened(x: Tensor, random: np.random.Generator) -> Tensor:
    """Shifted a little, and `worn`."""
    top, left = random.integers(0, 9, 2)
    return worn(F.pad(x, (4, 4, 4, 4), mode="replicate")[..., top : top + 128, left : left + 128], random)


def drawn(records: Sequence[world.Record], path: Path) -> np.ndarray:
    """The renderer's pictures (N, 128, 128, 3) uint8 of these records; kept at that path."""
    if not path.exists():
        parts = []
        for i in range(0, len(records), 50):
            parts.append(world.render(records[i : i + 50]).pictures)
            logger.info("%s: %d of %d drawn", path.stem, i + len(parts[-1]), len(records))
        np.save(path, np.concatenate(parts))
    return np.load(path)


def composed(run: Path, count: int) -> tuple[np.ndarray, list[dict[str, str]]]:
    """Pictures (N, 128, 128, 3) uint8 of held-out combinations, and their attributes; drawn once, kept in the run's folder."""
    records = [world.sample_held_out(world.HELD_OUT + i) for i in range(count)]
    return drawn(records, run / f"composed-{count}.npy"), [world.named(record) for record in records]


def shares(answers: Sequence[dict[str, str]], told: Sequence[dict[str, str]]) -> dict[str, Any]:
    """How many of the attributes in `told` were said right: all together, of each family, of each attribute."""
    found: dict[str, list[bool]] = {}
    for answer, asked in zip(answers, told, strict=True):
        for name, value in right(answer, asked).items():
            for key in ("all", f"of {asked['kind']}s", name):
                found.setdefault(key, []).append(value)
    return {key: {"right": round(float(np.mean(values)), 4), "of": len(values)} for key, values in found.items()}


WATCHED = {"bird": ("beak_colour", "crown", "leg_colour"), "flower": ("petal_colour", "centre_colour", "leaves"),
           "portrait": ("glasses", "hair_colour", "hat")}


@torch.inference_mode()
def watch(judge: AttributeJudge, worlds: Sequence[WorldFolder], folders: Sequence[Path], path: Path) -> None:
    """A sheet: held-out pictures of each family, and below each where the judge looks for an attribute that it has."""
    rows: list[list[Tensor]] = [[], []]
    attributes = list(world.ATTRIBUTES)
    for folder, written in zip(folders, worlds, strict=True):
        named = named_of(folder, written.done)
        left = list(written.held_out)
        for attribute in WATCHED[named[0]["kind"]]:
            number = next((n for n in left if named[n][attribute] not in ("none", "no", "hidden")), left[0])
            left.remove(number)
            x = to_batch(written.read([number]))
            whole = to_image(x[0] / 2 + 0.5)
            lit = overlaid(whole, judge.places_of(x)[0, attributes.index(attribute)].numpy())
            for row, image in zip(rows, (whole, lit), strict=True):
                row.append(torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1) / 255)
    sheet(rows, path)


@torch.inference_mode()
def evaluate(judge: AttributeJudge, worlds: Sequence[WorldFolder], folders: Sequence[Path], pipeline: Path, count: int,
             run: Path) -> dict[str, Any]:
    """The figures of the module's docstring; writes evaluation.json, and a sheet of what was drawn."""
    judge.eval()

    def answers(pictures: Tensor) -> list[dict[str, str]]:
        """pictures: (N, 3, 128, 128) in 0..1."""
        return [one for batch in pictures.split(64) for one in said(judge.considered(batch * 2 - 1))]

    found: dict[str, Any] = {"count": count, "steps": STEPS, "guidance": GUIDANCE,
                             "guidance_rise": GUIDANCE_RISE}
    real, of_real = [], []
    for folder, written in zip(folders, worlds, strict=True):
        named = named_of(folder, written.done)
        chosen = written.held_out[:count]
        real.append(to_batch(written.read(chosen)) / 2 + 0.5)
        of_real += [named[number] for number in chosen]
    found["judge on real pictures"] = shares(answers(torch.cat(real)), of_real)
    network = build(pipeline)
    drawing = network.pipeline()
    for kind in ("seen", "held out"):
        seeds = range(TEST_FROM, TEST_FROM + count)
        records = [world.sample(seed) if kind == "seen" else world.sample_held_out(seed) for seed in seeds]
        captions = [world.captioned(record, 0) for record in records]
        truth = to_batch(drawn(records, run / f"drawn-{kind.replace(' ', '-')}-{count}.npy")) / 2 + 0.5
        found[f"{kind} combinations, by the renderer"] = shares(answers(truth), [told for _, told in captions])
        pictures = sampled(drawing, [text for text, _ in captions], 0)
        found[f"{kind} combinations"] = shares(answers(pictures), [told for _, told in captions])
        logger.info("%s: %s", kind, found[f"{kind} combinations"]["all"])
        sheet([list(pictures[i : i + 8]) for i in range(0, min(32, count), 8)], run / f"{kind.replace(' ', '-')}.webp")
    (run / "evaluation.json").write_text(json.dumps(found, indent=1) + "\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, nargs="+", default=[Path("runs/world-128")])
    parser.add_argument("--run", type=Path, default=Path("runs/world-judge"))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--pipeline", type=Path, default=CHECKPOINTS / NAME, help="folder of the pipeline to measure")
    parser.add_argument("--count", type=int, default=500, help="captions of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="measure, train nothing")
    parser.add_argument("--ship", action="store_true", help="ship what RUN has saved, and end")
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    judge = AttributeJudge(**CONFIG)
    judge.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    average = copy.deepcopy(judge).eval().requires_grad_(False)
    optimizer = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.02)
    parts = {"judge": judge, "average": average, "optimizer": optimizer}
    step, worked = 0, 0.0
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, worked = state["step"], state["worked"]
        logger.info("going on from step %d, %.1f minutes", step, worked / 60)
    worlds = [WorldFolder(folder) for folder in args.world]
    if args.evaluate:
        if not state:
            begin_with(average, CHECKPOINTS / JUDGE)
        evaluate(average, worlds, args.world, args.pipeline, args.count, args.run)
        return
    if args.ship:
        if not state:
            raise SystemExit(f"{args.run} holds no state to ship.")
        data = " and ".join(f"{written.done} pictures of {written.name}" for written in worlds)
        ship(JUDGE, average, "attribute_judge:AttributeJudge", CONFIG, {
            "recipe": "gm_core.recipes.world_judge", "minutes": round(worked / 60), "steps": step, "seed": args.seed,
            "data": f"{data} and {COMPOSED} of held-out combinations", "attributes": json.dumps(world.ATTRIBUTES)})
        watch(average, worlds, args.world, CHECKPOINTS / JUDGE / "sample.webp")
        return

    wanted = [targets(named_of(folder, written.done)) for folder, written in zip(args.world, worlds, strict=True)]
    unusual, of_unusual = composed(args.run, COMPOSED)
    wanted.append(targets(of_unusual))
    train = [(of, number) for of, written in enumerate(worlds) for number in written.train]
    train += [(len(worlds), number) for number in range(len(unusual))]
    random = np.random.default_rng((args.seed, step))
    torch.manual_seed(args.seed + step)
    losses: list[float] = []
    reported = saved = time.perf_counter()
    clock = worked_seconds()
    judge.train()
    ending = told_to_end()
    over = worked >= args.minutes * 60
    while not over:
        share = worked / (args.minutes * 60)
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - share)) * min(1.0, (step + 1) / 100)
        chosen = [train[i] for i in random.integers(len(train), size=BATCH)]
        pictures = np.stack([unusual[number] if of == len(worlds) else worlds[of].read([number])[0] for of, number in chosen])
        answers = quickly(judge, softened(to_batch(pictures), random))
        loss = loss_of(answers, torch.stack([wanted[of][number] for of, number in chosen]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        step += 1
        average_in(average, judge, step, AVERAGE)
        worked += worked_seconds() - clock
        over = worked >= args.minutes * 60 or ending()
        if time.perf_counter() - reported > 60 or over:
            logger.info("%.1f min  step %d  loss %.4f", worked / 60, step, np.mean(losses))
            losses, reported = [], time.perf_counter()
        if time.perf_counter() - saved > 300 or over:
            save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, worked=worked)
            saved = time.perf_counter()
        clock = worked_seconds()


if __name__ == "__main__":
    main()
