"""portraits-gan: portraits from pure noise, taught by the portrait world; and its discriminator.

    python -m gm_core.datasets.portraits --write runs/world-128 --count 16000
    python -m gm_core.recipes.portraits_gan --world runs/world-128 --data DATA --run runs/portraits-gan --minutes 300

The world gives what photographs never do: for every record the very portrait. Attributes say some of the record, the
latent the rest (`portraits_latents`), so the generator can be led to each portrait by plain losses: first by an L1 loss at
several scales, which is four times faster than the game and takes two fifths of the time; then the adversarial game
(non-saturating, Goodfellow et al. 2014; R1, Mescheder et al. 2018, arXiv:1801.04406) makes it sharp. Half of its dreams are
of known portraits and led on, the other half are made as a visitor's are: of attributes, and of noise that nobody chose. A
second discriminator looks through the SqueezeNet in DATA/weights, which knows from the first step on what an eye and a lock
of hair are (Sauer et al. 2021, "Projected GANs", arXiv:2111.01007). Minutes are of work, not of the clock's: run the same
command again to go on after an interruption. Snapshots are shipped when a share of the minutes has passed; `--ship` ships the
present state as the last one.
"""

import argparse
import copy
import json
import logging
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gm_core.datasets.drawn_sets import records_of
from gm_core.datasets.portraits import ATTRIBUTES, Portrait, attributes, reduced
from gm_core.models.feature_discriminator import TAPS, FeatureDiscriminator, least_squares
from gm_core.models.portrait_gan import Discriminator, Generator
from gm_core.models.squeezenet import load_squeezenet
from gm_core.models.wavelets import to_bands
from gm_core.recipes.common import average_in, load_state, quickly, save_state, sheet, ship, start, worked_seconds
from gm_core.recipes.pix2pix import unlike
from gm_core.recipes.portraits_latents import Latents

logger = logging.getLogger("recipe.portraits_gan")

CHANNELS = (256, 256, 160, 96)  # 64 px
STYLE = 256
CHANNELS_OF_JUDGE = (48, 96, 192, 256)
WARM_BATCH, BATCH = 16, 8
LED = 4  # of a batch: dreams of known portraits
WARM = 0.4  # share of the minutes without a discriminator
WARM_RATE, RATE, LAST_RATE = 1e-2, 2e-3, 5e-4
PAIRED, PAIRED_LAST = 2.0, 0.5  # weight of the L1 loss on reduced pictures when the game begins, and at the end
PERCEPTUAL, PERCEPTUAL_LAST = 4.0, 1.0
FEATURES, FEATURES_RATE = 1.0, 5e-4  # of the discriminator that looks through SqueezeNet
LARGER = 1.5  # SqueezeNet sees the portraits enlarged: it was made for larger ones
R1, R1_EVERY = 0.3, 16
HALF_LIFE = 8000  # pictures; of the moving average that ships
SNAPSHOTS = {"portraits-gan-early": 0.08, "portraits-gan-middle": 0.55}


class World:
    """What `python -m gm_core.datasets.portraits --write` has put into a folder, and its mirror images: pictures, attributes
    and latents."""

    def __init__(self, folder: Path, side: int, latent: int) -> None:
        """side: of the pictures wanted; a divisor of that of the pictures there are. latent: size of one."""
        done = json.loads((folder / "state.json").read_text())["done"]
        people = [Portrait.from_dict(record) for record in records_of(folder, done)]
        people += [person.mirrored() for person in people]
        self.attributes = torch.from_numpy(np.stack([attributes(person) for person in people]))
        self.latents = Latents(people, self.attributes.numpy(), latent)
        pictures = np.load(folder / "pictures.npy", mmap_mode="r")
        self.pictures = np.empty((done, side, side, 3), np.uint8)
        for i in range(0, done, 64):
            self.pictures[i : i + 64] = reduced(pictures[i : i + 64][: done - i], side)

    def choose(self, random: np.random.Generator, count: int) -> np.ndarray:
        """(count,) numbers of portraits; those from `len(pictures)` on are mirror images."""
        return random.integers(len(self.attributes), size=count)

    def portraits(self, chosen: np.ndarray) -> tuple[Tensor, Tensor]:
        """Portraits (N, 3, S, S) in -1..1 and their attributes (N, A)."""
        mirrored, number = np.divmod(chosen, len(self.pictures))
        pictures = np.where(mirrored[:, None, None, None], self.pictures[number, :, ::-1], self.pictures[number])
        return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1, self.attributes[chosen]


def pooled_l1(fake: Tensor, real: Tensor, scales: tuple[int, ...]) -> Tensor:
    """Mean over the scales of the L1 distance of the pictures reduced by them."""
    return torch.stack([F.l1_loss(F.avg_pool2d(fake, scale), F.avg_pool2d(real, scale)) for scale in scales]).mean()


def moved(random: np.random.Generator, *batches: Tensor, by: int = 4) -> list[Tensor]:
    """Each picture shifted by up to `by` pixels, edges repeated: what the discriminator cannot learn by heart."""
    side = batches[0].shape[-1]
    found = []
    for batch in batches:
        padded = F.pad(batch, (by, by, by, by), mode="replicate")
        places = random.integers(0, 2 * by + 1, size=(len(batch), 2))
        found.append(torch.stack([picture[:, top : top + side, left : left + side]
                                  for picture, (top, left) in zip(padded, places, strict=True)]))
    return found


@torch.no_grad()
def find_directions(generator: Generator, attributes: Tensor, seed: int = 0) -> None:
    """Fills `directions` and `mean_style` from portraits of these attributes (N, A) and random latents."""
    z = torch.randn(len(attributes), generator.latent, generator=torch.Generator().manual_seed(seed))
    w = generator.styles(z, attributes)
    generator.mean_style.copy_(w.mean(0))
    centred = attributes - attributes.mean(0)
    # Ridge: one-hot columns add up to a constant, so plain least squares has no single answer.
    gram = centred.T @ centred / len(centred) + 1e-3 * torch.eye(centred.shape[1])
    generator.directions.copy_(torch.linalg.solve(gram, centred.T @ (w - w.mean(0)) / len(centred)))


def ship_generator(name: str, average: Generator, world: World, about: dict[str, object]) -> None:
    find_directions(average, world.attributes)
    config = {"attributes": average.attributes, "style": STYLE, "channels": list(CHANNELS)}
    ship(name, average, "portrait_gan:Generator", config, about)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", type=Path, default=Path("runs/world-128"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/portraits-gan"))
    parser.add_argument("--minutes", type=float, default=300.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--ship", action="store_true", help="ship what RUN has saved, and end")
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    side = 4 * 2 ** len(CHANNELS)
    generator = Generator(len(ATTRIBUTES), style=STYLE, channels=CHANNELS)
    discriminator = Discriminator(len(ATTRIBUTES), CHANNELS_OF_JUDGE)
    world = World(args.world, side, generator.latent)
    seer = FeatureDiscriminator()
    squeezenet = load_squeezenet(args.data)
    for network in (generator, discriminator, seer, squeezenet):
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - an overload torch leaves out
    average = copy.deepcopy(generator).requires_grad_(False)
    of_warm = torch.optim.Adam(generator.parameters(), WARM_RATE, (0.9, 0.99), fused=True)
    of_generator = torch.optim.Adam(generator.parameters(), RATE, (0.0, 0.99), fused=True)
    of_discriminator = torch.optim.Adam(discriminator.parameters(), RATE, (0.0, 0.99), fused=True)
    of_seer = torch.optim.Adam(seer.parameters(), FEATURES_RATE, (0.0, 0.99), fused=True)
    parts: dict[str, nn.Module | torch.optim.Optimizer] = {
        "generator": generator, "discriminator": discriminator, "average": average, "of_warm": of_warm,
        "of_generator": of_generator, "of_discriminator": of_discriminator, "seer": seer, "of_seer": of_seer}
    step, shown, worked, shipped = 0, 0, 0.0, []
    if state := load_state(args.run):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        step, shown, worked, shipped = state["step"], state["seen"], state["worked"], state["shipped"]
        logger.info("going on from step %d, %.0f minutes", step, worked / 60)
    logger.info("%d portraits of %d px, %d attributes; G %.2f M, D %.2f M weights", len(world.pictures), side, len(ATTRIBUTES),
                *(sum(p.numel() for p in network.parameters()) / 1e6 for network in (generator, discriminator)))

    def about() -> dict[str, object]:
        return {"recipe": "gm_core.recipes.portraits_gan", "minutes": round(worked / 60), "steps": step, "pictures": shown,
                "seed": args.seed, "data": f"{len(world.pictures)} portraits of gm_core.datasets.portraits"}

    def ship_both() -> None:
        ship_generator("portraits-gan", average, world, about())
        ship("portraits-gan-judge", discriminator, "portrait_gan:Discriminator",
             {"attributes": len(ATTRIBUTES), "channels": list(CHANNELS_OF_JUDGE)}, about())

    if args.ship:
        ship_both()
        return

    def seen(pictures: Tensor, top: int, left: int) -> dict[str, Tensor]:
        """SqueezeNet's activations. Its strides favour some pixels; another corner every time leaves no grid behind."""
        larger = F.interpolate(pictures / 2 + 0.5, scale_factor=LARGER, mode="bilinear")
        return quickly(squeezenet, larger[..., top:, left:], ("conv1", *TAPS))

    random = np.random.default_rng((args.seed, step))
    fixed = torch.randn(32, generator.latent, generator=torch.Generator().manual_seed(5))
    fixed_attributes = world.attributes[:32]
    losses: dict[str, list[float]] = {}
    clock, reported, saved = worked_seconds(), time.perf_counter(), time.perf_counter()
    while worked < args.minutes * 60:
        share = worked / (args.minutes * 60)
        batch = WARM_BATCH if share < WARM else BATCH
        chosen = world.choose(random, batch)
        real, told = world.portraits(chosen)
        if share < WARM:
            fake = quickly(generator, world.latents.of(chosen, random), told)
            rate = (WARM_RATE + (RATE - WARM_RATE) * share / WARM) * min(1.0, (step + 1) / 100)
            for group in of_warm.param_groups:
                group["lr"] = rate
            paired = pooled_l1(fake, real, (1, 2, 4, 8)) * 4 + 0.5 * F.l1_loss(to_bands(fake)[:, 3:], to_bands(real)[:, 3:])
            of_warm.zero_grad(set_to_none=True)
            paired.backward()
            of_warm.step()
            losses.setdefault("L1", []).append(F.l1_loss(fake.detach(), real).item())
        else:
            played = (share - WARM) / (1 - WARM)
            rate = RATE if played < 0.67 else LAST_RATE + (RATE - LAST_RATE) * (1 - played) / 0.33
            for optimizer, peak in ((of_generator, RATE), (of_discriminator, RATE), (of_seer, FEATURES_RATE)):
                for group in optimizer.param_groups:
                    group["lr"] = rate / RATE * peak
            asked = torch.cat([told[:LED], world.attributes[world.choose(random, BATCH - LED)]])
            z = torch.cat([world.latents.of(chosen[:LED], random), torch.randn(BATCH - LED, generator.latent)])
            fake = quickly(generator, z, asked)
            seen_real, seen_fake = moved(random, real, fake)
            logits = quickly(discriminator, torch.cat([seen_real, seen_fake.detach()]), torch.cat([told, asked]))
            d_loss = F.softplus(-logits[:BATCH]).mean() + F.softplus(logits[BATCH:]).mean()
            if step % R1_EVERY == 0:
                pictures = seen_real.detach().requires_grad_()
                (slope,) = torch.autograd.grad(discriminator(pictures, told).sum(), pictures, create_graph=True)
                d_loss = d_loss + slope.square().sum((1, 2, 3)).mean() * (R1 / 2 * R1_EVERY)
            of_discriminator.zero_grad(set_to_none=True)
            d_loss.backward()
            of_discriminator.step()
            top, left = random.integers(0, 8, 2)
            with torch.no_grad():
                of_real = seen(real, top, left)
            of_fake = seen(fake, top, left)
            perceptual = unlike({tap: x[:LED] for tap, x in of_fake.items()}, {tap: x[:LED] for tap, x in of_real.items()})
            s_loss = (least_squares(quickly(seer, of_real), True)
                      + least_squares(quickly(seer, {tap: x.detach() for tap, x in of_fake.items()}), False))
            of_seer.zero_grad(set_to_none=True)
            s_loss.backward()
            of_seer.step()
            for judge in (discriminator, seer):
                judge.requires_grad_(False)
            g_loss = F.softplus(-quickly(discriminator, seen_fake, asked)).mean()
            f_loss = least_squares(quickly(seer, of_fake), True)
            for judge in (discriminator, seer):
                judge.requires_grad_(True)
            paired = pooled_l1(fake[:LED], real[:LED], (2, 4, 8))
            of_generator.zero_grad(set_to_none=True)
            (g_loss + FEATURES * f_loss + (PAIRED + (PAIRED_LAST - PAIRED) * played) * paired
             + (PERCEPTUAL + (PERCEPTUAL_LAST - PERCEPTUAL) * played) * perceptual).backward()
            of_generator.step()
            for name, value in (("D", d_loss), ("G", g_loss), ("S", s_loss), ("F", f_loss), ("L1", paired),
                                ("perceptual", perceptual)):
                losses.setdefault(name, []).append(value.item())
        step += 1
        shown += batch
        average_in(average, generator, step, 0.5 ** (batch / HALF_LIFE))
        now = time.perf_counter()
        worked, clock = worked + worked_seconds() - clock, worked_seconds()
        due = [name for name, at in SNAPSHOTS.items() if at <= worked / (args.minutes * 60) and name not in shipped]
        if now - reported > 120 or due or worked >= args.minutes * 60:
            words = "  ".join(f"{name} {np.mean(values):.3f}" for name, values in losses.items())
            logger.info("%.1f min  step %d  %d pictures  %.1f a second  %s", worked / 60, step, shown,
                        len(next(iter(losses.values()))) * batch / (now - reported), words)
            losses, reported = {}, now
        if now - saved > 300 or due or worked >= args.minutes * 60:
            for name in due:
                ship_generator(name, average, world, about())
                shipped.append(name)
            with torch.no_grad():
                found = average(fixed, fixed_attributes) / 2 + 0.5
            sheet([list(found[row * 8 : row * 8 + 8]) for row in range(4)], args.run / f"sheet-{round(worked / 60):03d}.png")
            save_state(args.run, **{name: part.state_dict() for name, part in parts.items()}, step=step, seen=shown,
                       worked=worked, shipped=shipped)
            saved = time.perf_counter()
        clock = worked_seconds()
    ship_both()


if __name__ == "__main__":
    main()
