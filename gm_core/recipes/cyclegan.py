"""cyclegan-monet, cyclegan-seasons: two kinds of pictures into each other, without pairs (Zhu et al. 2017, CycleGAN).

    python -m gm_core.recipes.cyclegan --data DATA --name cyclegan-monet --run runs/cyclegan-monet --minutes 240
    python -m gm_core.recipes.cyclegan --data DATA --name cyclegan-monet --run runs/cyclegan-monet --evaluate
    python -m gm_core.recipes.cyclegan --data DATA --name cyclegan-monet --run runs/cyclegan-monet --ship

DATA holds `monet2photo`, `summer2winter` and the weights of SqueezeNet. From the paper: two generators, the cycle and
identity losses, least squares, a history of made pictures for the discriminators, a constant rate and then a linear fall
to zero. For hours on one core instead of days on a GPU: generators that begin as the identity, 128 px crops of pictures
reduced a little, and discriminators that look at crops, at the crops reduced by two, and through SqueezeNet. Cycle and
identity losses are Huber's instead of L1: at the identity, where training begins, L1 has a kink that holds it there.

Minutes are of work, not of the clock's: the same command goes on after an interruption, and with more minutes after the
end. Every tenth picture of a folder is held out. `--ship` ships the last saved state, `--evaluate` measures it and writes
RUN/evaluation.json. Columns of the sheet: A, G(A), F(G(A)), then B, F(B), G(F(B)).
"""

import argparse
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from gm_core.datasets.folders import RandomCrops, read_picture, to_tensor
from gm_core.metrics import kid, pooled_features
from gm_core.models.discriminators import PatchDiscriminator
from gm_core.models.feature_discriminator import FeatureDiscriminator, least_squares
from gm_core.models.squeezenet import SqueezeNet, load_squeezenet
from gm_core.models.translation_generator import Translators
from gm_core.recipes.common import begin_with, load_state, quickly, save_state, sheet, ship, start, worked_seconds

logger = logging.getLogger("recipe.cyclegan")


@dataclass(frozen=True)
class Pair:
    """Two kinds of pictures, and what is asked of their translation."""

    a: tuple[str, ...]
    """Folders below DATA."""
    b: tuple[str, ...]
    domains: tuple[str, str]
    identity: float
    """Weight of the identity loss. Its paper's use is to keep a painter's network from repainting the daylight."""
    towards_whole: float = 0.5
    """How much of a picture a crop holds (`RandomCrops`)."""
    least_snow: float = 0.0
    """Pictures of B have at least this share of snow on the ground, those of A at most half of it; 0: all are taken."""


PAIRS = {
    "cyclegan-monet": Pair(("monet2photo/photo", "summer2winter/summer", "summer2winter/winter"), ("monet2photo/monet",),
                           ("photograph", "painting by Monet"), 1.0),
    "cyclegan-seasons": Pair(("summer2winter/summer",), ("summer2winter/winter",), ("summer", "winter"), 0.1, 2.0, 0.2),
}

CONFIG: dict[str, Any] = {"channels": 64, "blocks": 6, "half": 32}
SIDE, BATCH = 128, 1
RATE, JUDGE_RATE = 3e-4, 3e-4
CYCLE = 5.0
SMALL = 0.2  # differences below this, in -1..1, count squared
WHOLE, HALVED, FEATURES = 1.0, 1.0, 2.0  # weights of the three discriminators
HISTORY = 50  # made pictures that the discriminators may see again
AVERAGE = 0.999  # of the weights, a step
HOLD_OUT_EVERY = 10
MEASURED = 60  # held-out pictures of each kind, at most


def snow_on_ground(picture: np.ndarray) -> float:
    """Of (H, W, 3) uint8: the share of the lower half that is bright and without colour. Some of it may be granite."""
    low = picture[len(picture) // 2 :].astype(np.float32) / 255
    return float(((low.mean(2) > 0.55) & (np.ptp(low, axis=2) < 0.14)).mean())


def pictures_of(data: Path, pair: Pair, kind: str, *, held_out: bool) -> list[np.ndarray]:
    """Pictures of A or B in name order: those to train on, or every tenth, which is never trained on.

    The folder of winters holds many without snow, and from those a generator learns cold light and nothing else.
    """
    folders = pair.a if kind == "a" else pair.b
    files: list[Path] = []
    for folder in folders:
        all_files = sorted(path for path in (data / folder).iterdir() if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
        files += [path for i, path in enumerate(all_files) if (i % HOLD_OUT_EVERY == HOLD_OUT_EVERY - 1) == held_out]
    if not files:
        raise FileNotFoundError(f"No JPEG or PNG pictures in {', '.join(folders)} below {data}")
    pictures = [read_picture(path) for path in files]
    if not pair.least_snow:
        return pictures
    return [picture for picture in pictures if (snow_on_ground(picture) >= pair.least_snow if kind == "b"
                                                else snow_on_ground(picture) <= pair.least_snow / 2)]


def held_out(data: Path, pair: Pair, kind: str, count: int) -> Tensor:
    """(N, 3, 256, 256) in -1..1, spread evenly over the held-out pictures of A or B."""
    pictures = pictures_of(data, pair, kind, held_out=True)
    chosen = np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int)
    return torch.stack([to_tensor(pictures[i][:256, :256]) for i in chosen]) * 2 - 1


class History:
    """Pictures made before (Shrivastava et al. 2017): half of what the discriminator sees comes from here."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.kept: list[Tensor] = []

    def exchange(self, made: Tensor) -> Tensor:
        """(B, 3, H, W) -> as many, each the new one or an older one, which the new one then replaces."""
        found = []
        for picture in made.detach():
            if len(self.kept) < HISTORY:
                self.kept.append(picture)
                found.append(picture)
            elif self.random.random() < 0.5:
                place = int(self.random.integers(HISTORY))
                found.append(self.kept[place])
                self.kept[place] = picture
            else:
                found.append(picture)
        return torch.stack(found)


class Judges(nn.Module):
    """The discriminators of one kind: of crops, of crops reduced by two, and of features."""

    def __init__(self) -> None:
        super().__init__()
        self.whole = PatchDiscriminator(3, (32, 64, 128, 128))
        self.halved = PatchDiscriminator(3, (32, 64, 128, 128))
        self.features = FeatureDiscriminator()

    def forward(self, x: Tensor, features: dict[str, Tensor], real: bool) -> Tensor:
        """x: (B, 3, H, W) in -1..1; features: SqueezeNet's, of pictures of that kind. The loss of answering `real` to both."""
        return (WHOLE * least_squares([quickly(self.whole, x)], real)
                + HALVED * least_squares([quickly(self.halved, F.avg_pool2d(x, 2))], real)
                + FEATURES * least_squares(self.features(features), real))


@torch.inference_mode()
def translated(network: nn.Module, pictures: Tensor, direction: str) -> Tensor:
    """As 8-bit pictures would keep it: (N, 3, H, W) in -1..1."""
    made = torch.cat([network(picture[None], direction) for picture in pictures])
    return ((made.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def write_sheet(network: nn.Module, data: Path, pair: Pair, path: Path) -> None:
    a, b = held_out(data, pair, "a", 6), held_out(data, pair, "b", 6)
    made_b, made_a = translated(network, a, "AtoB"), translated(network, b, "BtoA")
    columns = (a, made_b, translated(network, made_b, "BtoA"), b, made_a, translated(network, made_a, "AtoB"))
    sheet([[column[row] / 2 + 0.5 for column in columns] for row in range(min(len(a), len(b)))], path)


def quarters(x: Tensor) -> Tensor:
    """(N, 3, 256, 256) -> (4N, 3, 128, 128): more of them steady a figure that few pictures would shake."""
    return torch.cat([x[..., top : top + 128, left : left + 128] for top in (0, 128) for left in (0, 128)])


def tinted(x: Tensor, like: Tensor) -> Tensor:
    """x (N, 3, H, W) with the mean and deviation of every colour of `like`: what a mere tint reaches."""
    mean, deviation = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
    return ((x - mean) / deviation * like.std((0, 2, 3), keepdim=True) + like.mean((0, 2, 3), keepdim=True)).clamp(-1, 1)


def lattice(x: Tensor) -> float:
    """How unevenly change falls on every fourth line and column: 1 is evenly."""
    shares = []
    for along in (2, 3):
        change = x.diff(dim=along).abs().mean((0, 1, 5 - along))[:252].view(63, 4).sum(0)
        shares.append(float(change.max() / change.mean()))
    return sum(shares) / 2


@torch.inference_mode()
def evaluate(network: nn.Module, squeezenet: SqueezeNet, data: Path, pair: Pair, run: Path, about: dict[str, Any]) -> None:
    """Writes evaluation.json; KID with SqueezeNet's features, of quarters of held-out pictures."""
    a, b = held_out(data, pair, "a", MEASURED), held_out(data, pair, "b", MEASURED)
    made_b, made_a = translated(network, a, "AtoB"), translated(network, b, "BtoA")

    def features(x: Tensor) -> Tensor:
        return torch.cat([pooled_features(part / 2 + 0.5, squeezenet) for part in quarters(x).split(4)])

    of_a, of_b = features(a), features(b)
    size = min(50, len(of_a), len(of_b))
    before = kid(of_a, of_b, subset_size=size)
    table: dict[str, Any] = {**about, "pictures": [len(a), len(b)], "subset_size": size, "kid_before": before.value,
                             "kid_before_error": before.error}
    for name, x, made, wanted, others, back in (("AtoB", a, made_b, of_b, b, "BtoA"), ("BtoA", b, made_a, of_a, a, "AtoB")):
        found = kid(features(made), wanted, subset_size=size)
        cycle = translated(network, made, back)
        change = (made - x).abs().mean((0, 1))
        border = torch.cat([change[:8].flatten(), change[-8:].flatten(), change[:, :8].flatten(), change[:, -8:].flatten()])
        table[name] = {"kid": found.value, "kid_error": found.error, "kid_ratio": found.value / before.value,
                       "kid_ratio_of_a_tint": kid(features(tinted(x, others)), wanted, subset_size=size).value / before.value,
                       "cycle_l1": float((cycle - x).abs().mean()), "change_l1": float((made - x).abs().mean()),
                       "border_change": float(border.mean() / change[8:-8, 8:-8].mean()),
                       "grid": lattice(made) / lattice(x)}
    (run / "evaluation.json").write_text(json.dumps(table, indent=2) + "\n")
    logger.info("%s", json.dumps(table, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--name", choices=sorted(PAIRS), required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=240.0)
    parser.add_argument("--begin", type=Path, help="folder of a checkpoint to begin with, if RUN has none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--evaluate", action="store_true", help="measure what RUN has saved, train nothing")
    parser.add_argument("--ship", action="store_true", help="ship what RUN has saved, train nothing")
    args = parser.parse_args()
    start(args.run, args.threads)
    pair = PAIRS[args.name]

    torch.manual_seed(args.seed)
    config = {**CONFIG, "domains": list(pair.domains)}
    network = Translators(**config)
    begin_with(network, args.begin)
    judges = nn.ModuleDict({"a": Judges(), "b": Judges()})
    judges.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    average = AveragedModel(network, avg_fn=lambda ours, theirs, count: ours.lerp(
        theirs, 1 - min(AVERAGE, (1 + int(count)) / (10 + int(count)))))
    of_network = torch.optim.Adam(network.parameters(), RATE, (0.5, 0.99))
    of_judges = torch.optim.Adam(judges.parameters(), JUDGE_RATE, (0.5, 0.99))
    parts = {"network": network, "judges": judges, "average": average, "of_network": of_network, "of_judges": of_judges}
    step, worked = 0, 0.0
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, worked = state["step"], state["worked"]
        logger.info("from step %d, %.1f minutes", step, worked / 60)

    def about() -> dict[str, Any]:
        return {"recipe": "gm_core.recipes.cyclegan", "name": args.name, "steps": step, "minutes": round(worked / 60),
                "seed": args.seed, "batch": BATCH, "data": ", ".join(pair.a + pair.b)}

    if args.ship:
        ship(args.name, average.module, "translation_generator:Translators", config, about())
        return
    squeezenet = load_squeezenet(args.data)
    squeezenet.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - its poolings are slow otherwise
    if args.evaluate:
        evaluate(average.module.eval(), squeezenet, args.data, pair, args.run, about())
        return

    random = np.random.default_rng((args.seed, step))
    crops = {kind: RandomCrops(pictures_of(args.data, pair, kind, held_out=False), SIDE,
                               towards_whole=pair.towards_whole, turn=False, seed=args.seed + step + i)
             for i, kind in enumerate("ab")}
    history = {"a": History(random), "b": History(random)}
    logger.info("%d and %d pictures; generators %.2f M, discriminators %.2f M weights",
                *(len(source.pictures) for source in crops.values()),
                *(sum(p.numel() for p in part.parameters()) / 1e6 for part in (network, judges)))

    def seen(x: Tensor) -> dict[str, Tensor]:
        return quickly(squeezenet, x / 2 + 0.5, ("fire3", "fire5", "fire8"))

    kept: list[list[float]] = []
    clock, reported, saved, processed = worked_seconds(), time.perf_counter(), time.perf_counter(), time.process_time()
    while worked < args.minutes * 60:
        share = worked / (args.minutes * 60)
        for optimizer, rate in ((of_network, RATE), (of_judges, JUDGE_RATE)):
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, 2 * (1 - share)) * min(1.0, (step + 1) / 50)
        real = {kind: torch.stack([to_tensor(source.crop()) for _ in range(BATCH)]) * 2 - 1 for kind, source in crops.items()}
        made = {"b": quickly(network.a_to_b, real["a"]), "a": quickly(network.b_to_a, real["b"])}
        kind = "ab"[step % 2]  # of the identity loss the directions take turns, each with twice the weight
        same = quickly(network.a_to_b if kind == "b" else network.b_to_a, real[kind])
        identity = 2 * F.smooth_l1_loss(same, real[kind], beta=SMALL)
        again = {"a": quickly(network.b_to_a, made["b"]), "b": quickly(network.a_to_b, made["a"])}
        cycle = torch.stack([F.smooth_l1_loss(again[kind], real[kind], beta=SMALL) for kind in ("a", "b")]).sum()

        # The features' strides and poolings favour some pixels; another corner every time leaves no grid behind.
        top, left = random.integers(0, 8, 2)
        of_made, of_real = {}, {}
        for kind in ("a", "b"):
            with torch.no_grad():
                of_real[kind] = seen(real[kind][..., top:, left:])
            of_made[kind] = seen(made[kind][..., top:, left:])
        judges.requires_grad_(False)
        adversarial = judges["a"](made["a"], of_made["a"], True) + judges["b"](made["b"], of_made["b"], True)
        judges.requires_grad_(True)
        loss = adversarial + CYCLE * cycle + pair.identity * identity
        of_network.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        of_network.step()
        average.update_parameters(network)

        d_loss = torch.zeros(())
        for kind in ("a", "b"):
            older = history[kind].exchange(made[kind])
            now = {tap: x.detach() for tap, x in of_made[kind].items()}
            d_loss = d_loss + judges[kind](real[kind], of_real[kind], True) + judges[kind](older, now, False)
        of_judges.zero_grad(set_to_none=True)
        d_loss.backward()
        of_judges.step()

        change = F.l1_loss(made["b"], real["a"]) + F.l1_loss(made["a"], real["b"])  # no loss: how much is done at all
        kept.append([float(x.detach()) / 2 for x in (adversarial, cycle, identity, d_loss, change)])
        step += 1
        now_at = time.perf_counter()
        worked, clock = worked + worked_seconds() - clock, worked_seconds()
        over = worked >= args.minutes * 60
        if now_at - reported > 60 or over:
            logger.info("%.1f min  step %d  %s  %.2f s a step, %.2f of processor time", worked / 60, step, "  ".join(
                f"{name} {value:.4f}" for name, value in zip(
                    ("adversarial", "cycle", "identity", "d", "change"), np.mean(kept, 0), strict=True)),
                (now_at - reported) / len(kept), (time.process_time() - processed) / len(kept))
            kept, reported, processed = [], now_at, time.process_time()
        if now_at - saved > 300 or over:
            save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, worked=worked)
            write_sheet(average.module, args.data, pair, args.run / f"sheet-{round(worked / 60):03d}.webp")
            kept, saved, reported, processed = [], time.perf_counter(), time.perf_counter(), time.process_time()
        clock = worked_seconds()


if __name__ == "__main__":
    main()
