"""portraits-judge: tells drawn portraits from dreamed ones; and the figures of every family that paints them.

    python -m gm_core.datasets.portraits --write runs/world-128 --count 16000
    python -m gm_core.datasets.portraits --write runs/held-out-128 --count 10000 --start 10000000
    python -m gm_core.recipes.portraits_judge --data DATA

Every network of task "portraits" that ships paints `--fakes` portraits; the judge learns them against as many real ones
of the same size, all flipped at random, and ships. Then, or alone with `--evaluate`, RUN/evaluation.json gets for each
network, on portraits that nobody was trained on: the judge's accuracy, and the KID (features of the SqueezeNet in
DATA/weights) against the held-out portraits, beside that of real ones against the same; for the GAN's discriminator how many
pairs of a real one and a fake it tells apart. The sheets of their cards are drawn, too: forty real ones above forty fakes.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gm_core.checkpoints import of_task
from gm_core.datasets.portraits import HELD_OUT, reduced
from gm_core.images import to_tensor
from gm_core.load import load
from gm_core.metrics import kid, pooled_features
from gm_core.models.portrait_judge import PortraitJudge, heat
from gm_core.models.squeezenet import load_squeezenet
from gm_core.recipes.common import CHECKPOINTS, sheet, ship, start
from gm_core.tasks.portraits import DISCRIMINATOR, JUDGE, MAX_PORTRAITS, SNAPSHOTS, portraits

logger = logging.getLogger("recipe.portraits_judge")

BATCH = 32
RATE = 1e-3
TRAINING_SEED, TEST_SEED = 1_000_000, 2_000_000  # of fakes; the quiz and the tests draw others


def real_portraits(folder: Path, side: int) -> Tensor:
    """(N, 3, side, side) in 0..1: the pictures of the folder, reduced."""
    pictures = np.load(folder / "pictures.npy", mmap_mode="r")[: json.loads((folder / "state.json").read_text())["done"]]
    small = np.concatenate([reduced(pictures[i : i + 64], side) for i in range(0, len(pictures), 64)])
    return torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255


def fakes(name: str, count: int, seed: int) -> Tensor:
    """(count, 3, S, S) in 0..1, as the quiz gets them."""
    found = []
    while len(found) < count:
        made = portraits(min(MAX_PORTRAITS, count - len(found)), seed=seed + len(found), checkpoint=name)
        found += [to_tensor(picture) for picture in made]
    return torch.cat(found)


def train(judge: PortraitJudge, pairs: dict[str, tuple[Tensor, Tensor]], minutes: float, seed: int) -> int:
    """pairs: of each network real portraits and fakes, (N, 3, S, S) in 0..1. Returns how many steps it took."""
    optimizer = torch.optim.Adam(judge.parameters(), RATE)
    random = np.random.default_rng(seed)
    began, step, losses = time.perf_counter(), 0, []
    while (share := (time.perf_counter() - began) / 60 / minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * share))
        real, fake = pairs[list(pairs)[step % len(pairs)]]
        half = BATCH // 2
        batch = torch.cat([real[random.integers(len(real), size=half)], fake[random.integers(len(fake), size=half)]])
        if random.random() < 0.5:
            batch = batch.flip(3)
        truth = torch.arange(2.0).repeat_interleave(half)
        logits = judge(batch * 2 - 1)
        # Of the whole, and of each patch: one that shows nothing has to say so, or the heat lies where it happens to lie.
        loss = (F.binary_cross_entropy_with_logits(logits.mean((1, 2, 3)), truth)
                + F.binary_cross_entropy_with_logits(logits, truth.view(-1, 1, 1, 1).expand_as(logits)))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        step += 1
        if step % 200 == 0:
            logger.info("step %d  loss %.3f", step, np.mean(losses[-200:]))
    return step


@torch.inference_mode()
def evaluate(judge: PortraitJudge, args: argparse.Namespace) -> dict[str, object]:
    """For every network: accuracy on as many real as fake portraits, KID and its standard error."""
    squeezenet = load_squeezenet(args.data)

    def pooled(pictures: Tensor) -> Tensor:
        return torch.cat([pooled_features(batch, squeezenet) for batch in pictures.split(16)])

    def calls(pictures: Tensor) -> Tensor:
        return torch.cat([judge(batch * 2 - 1).mean((1, 2, 3)) > 0 for batch in pictures.split(64)]).float()

    report: dict[str, object] = {}
    known: dict[int, Tensor] = {}
    for record in of_task("portraits"):
        if record.name in (JUDGE, DISCRIMINATOR):
            continue
        fake = fakes(record.name, args.count, TEST_SEED)
        side = fake.shape[-1]
        real = real_portraits(args.held_out, side)
        if side not in known:
            known[side] = pooled(real[args.count :])
            value = kid(pooled(real[: args.count]), known[side])
            report[f"real, {side} px"] = {"kid": round(value.value, 5), "error": round(value.error, 5)}
        value = kid(pooled(fake), known[side])
        right = torch.cat([calls(fake), 1 - calls(real[: args.count])])
        report[record.name] = {"side": side, "kid": round(value.value, 5), "error": round(value.error, 5),
                               "real": len(known[side]), "fakes": args.count,
                               "judge's accuracy": round(float(right.mean()), 3)}
        logger.info("%s %s", record.name, report[record.name])
    return report


def write_sheet(judge: PortraitJudge, name: str, folder: Path) -> None:
    """sample.webp of the card: four drawn portraits and four dreamed ones, below them where the judge saw a network."""
    fake = fakes(name, 4, TEST_SEED)
    both = torch.cat([real_portraits(folder, fake.shape[-1])[:4], fake])
    with torch.inference_mode():
        seen = F.interpolate(heat(judge(both * 2 - 1)), both.shape[2:], mode="bilinear")  # (8, 1, S, S)
    shown = both.mean(1, keepdim=True) * (1 - 0.7 * seen) + torch.tensor([0.9, 0.35, 0.1]).view(1, 3, 1, 1) * 0.7 * seen
    sheet([list(both), list(shown)], CHECKPOINTS / JUDGE / "sample.webp")


@torch.inference_mode()
def of_discriminator(args: argparse.Namespace) -> dict[str, object]:
    """How many pairs it tells apart, of held-out portraits and of those by its own generator, and the card's sheet: fakes in
    the order of its liking."""
    fake = fakes("portraits-gan", args.count, TEST_SEED)
    real = real_portraits(args.held_out, fake.shape[-1])[: args.count]
    discriminator = load(DISCRIMINATOR)

    def logits(pictures: Tensor) -> Tensor:
        # One by one, as the quiz does: it compares the pictures of a batch.
        return torch.cat([discriminator(picture[None] * 2 - 1).float() for picture in pictures])

    of_real, of_fake = logits(real), logits(fake)
    order = fake[of_fake[:16].argsort(descending=True)]
    sheet([list(order[:8]), list(order[8:])], CHECKPOINTS / DISCRIMINATOR / "sample.webp")
    return {"pairs told apart": round(float((of_real[:, None] > of_fake[None]).float().mean()), 3), "of each": args.count}


def write_sheets(folder: Path) -> None:
    """sample.webp of the GAN's snapshots: forty held-out portraits, then as many by the network, nothing picked out."""
    for name in SNAPSHOTS:
        fake = fakes(name, 40, TEST_SEED)
        both = torch.cat([real_portraits(folder, fake.shape[-1])[:40], fake])
        sheet([list(row) for row in both.split(10)], CHECKPOINTS / name / "sample.webp")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, default=Path("runs/world-128"))
    parser.add_argument("--held-out", type=Path, default=Path("runs/held-out-128"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/portraits-judge"))
    parser.add_argument("--fakes", type=int, default=2000)
    parser.add_argument("--count", type=int, default=500, help="fakes of each network that are measured")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="measure what RUN has saved, train nothing")
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    judge = PortraitJudge()
    saved = args.run / "judge.pt"
    if args.evaluate:
        judge.load_state_dict(torch.load(saved, weights_only=True))
    else:
        pairs = {}
        for record in of_task("portraits"):
            if record.name not in (JUDGE, DISCRIMINATOR):
                fake = fakes(record.name, args.fakes, TRAINING_SEED)
                pairs[record.name] = real_portraits(args.world, fake.shape[-1]), fake
                logger.info("%s: %d fakes", record.name, len(fake))
        steps = train(judge, pairs, args.minutes, args.seed)
        torch.save(judge.state_dict(), saved)
        about = {"recipe": "gm_core.recipes.portraits_judge", "minutes": args.minutes, "steps": steps, "seed": args.seed,
                 "data": f"real portraits of gm_core.datasets.portraits below {HELD_OUT}; fakes by {', '.join(pairs)}"}
        ship(JUDGE, judge, "portrait_judge:PortraitJudge", {}, about)
    write_sheet(judge.eval(), "pix2pix-portraits", args.held_out)
    write_sheets(args.held_out)
    report = {**evaluate(judge.eval(), args), DISCRIMINATOR: of_discriminator(args)}
    (args.run / "evaluation.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
