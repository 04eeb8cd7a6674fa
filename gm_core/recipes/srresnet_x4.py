"""srresnet-x4: SRResNet trained for PSNR, four times larger (Ledig et al. 2017, the MSE/L1 network of table 2).

    python -m gm_core.recipes.srresnet_x4 --data DATA --run runs/srresnet-x4

DATA holds `bsds400` (481x321), the landscape folders of `summer2winter` and `monet2photo`, and `set5` to measure on.
Small pictures are made from large ones with antialiased bicubic reduction, as the field does. L1 loss, Adam, cosine
decay to zero. Run the same command again to go on after an interruption. A trained network can be made deeper and wider:

    python -m gm_core.recipes.srresnet_x4 --data DATA --run runs/srresnet-x4-64 --blocks 16 --channels 64 \
        --grow assets/checkpoints/srresnet-x4 --rate 1e-3 --steps 5000

begins with the checkpoint's blocks and channels, and beside them new ones that change nothing yet (Net2Net, Chen et al.
2016, arXiv:1511.05641).
"""

import argparse
import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from gm_core.datasets.folders import RandomCrops, picture_files, read_picture, to_tensor
from gm_core.metrics import psnr_y
from gm_core.models.srresnet import SRResNet
from gm_core.recipes.common import load_state, quickly, save_state, sheet, ship, start

logger = logging.getLogger("recipe.srresnet_x4")

CONFIG: dict[str, Any] = {"channels": 48, "blocks": 10, "scale": 4}
PHASES = ((0.0, 128, 16), (0.58, 256, 4))
"""(share of the steps done, side of a crop, crops in a batch): many small crops first, for variety; then few large ones,
in which most pixels have all the surroundings that the network can see, as in a whole picture."""
RATE = 2e-3
SOFT = 0.25  # share of crops without the finest detail and its grain, as in large photographs
LANDSCAPE_SHARE = 0.2  # of the crops: 256 px landscapes have seen JPEG twice, BSDS photographs are cleaner


def reduce(picture: np.ndarray, scale: int = 4) -> np.ndarray:
    """(H, W, 3) uint8 -> (H/scale, W/scale, 3) uint8, bicubic with antialiasing."""
    height, width = picture.shape[:2]
    return np.asarray(Image.fromarray(picture).resize((width // scale, height // scale), Image.Resampling.BICUBIC))


def training_crops(data: Path, seed: int) -> tuple[RandomCrops, RandomCrops]:
    """Photographs of BSDS, and landscapes; the held-out twentieth of each folder is not among them."""
    bsds = [read_picture(path) for path in picture_files(data / "bsds400")]
    folders = ("summer2winter/summer", "summer2winter/winter", "monet2photo/photo")
    landscapes = [read_picture(path) for folder in folders for path in picture_files(data / folder)]
    side = PHASES[0][1]
    return (RandomCrops(bsds, side, soft=SOFT, seed=seed),
            RandomCrops(landscapes, side, max_reduction=1.5, soft=SOFT, seed=seed + 1))


def draw_batch(bsds: RandomCrops, landscapes: RandomCrops, size: int) -> tuple[Tensor, Tensor]:
    """Small (B, 3, S/4, S/4) and large (B, 3, S, S) pictures, 0..1, S the sources' side."""
    of_landscapes = int(bsds.random.binomial(size, LANDSCAPE_SHARE))
    crops = [landscapes.crop() for _ in range(of_landscapes)] + [bsds.crop() for _ in range(size - of_landscapes)]
    return torch.stack([to_tensor(reduce(crop)) for crop in crops]), torch.stack([to_tensor(crop) for crop in crops])


def grow(network: SRResNet, state: dict[str, Tensor]) -> None:
    """Fills `network` with the weights of a smaller one, so that it begins with that one's answers.

    Old blocks are spread evenly, the blocks between them become the identity; new channels are computed from all there
    is, but the old ones do not listen to them yet. Raises ValueError if `network` has fewer blocks or channels.
    """
    old = len({key.split(".")[1] for key in state if key.startswith("body.")})
    new = len(network.body)
    places = {round(i * (new - 1) / max(old - 1, 1)): i for i in range(old)}
    found = network.state_dict()
    if len(places) < old or len(state["head.bias"]) > len(found["head.bias"]):
        raise ValueError(f"A network of {old} blocks and {len(state['head.bias'])} channels cannot be made one of "
                         f"{new} blocks and {len(found['head.bias'])} channels.")
    for key, weights in found.items():
        source = key
        if key.startswith("body."):
            _, place, name = key.split(".", 2)
            if int(place) not in places:
                if name.startswith("conv2"):
                    weights.zero_()
                continue
            source = f"body.{places[int(place)]}.{name}"
        theirs = state[source]
        if theirs.dim() == 4:  # (to, from, 3, 3)
            weights[: len(theirs)] = 0
            weights[: theirs.shape[0], : theirs.shape[1]] = theirs
        else:
            weights[: len(theirs)] = theirs
    network.load_state_dict(found)


@torch.inference_mode()
def measure(network: SRResNet, data: Path) -> tuple[float, list[list[Tensor]]]:
    """PSNR on Set5 (luma, 4 px border), and rows of bicubic, network, original for the sheet."""
    figures, rows = [], []
    for path in sorted((data / "set5").glob("*.png")):
        original = read_picture(path)
        height, width = (side // 4 * 4 for side in original.shape[:2])
        original = original[:height, :width]
        small = to_tensor(reduce(original))[None]
        large = (network(small).clamp(0, 1) * 255).round() / 255
        truth = to_tensor(original)[None]
        figures.append(psnr_y(large, truth, border=4))
        bicubic = F.interpolate(small, scale_factor=4, mode="bicubic").clamp(0, 1)
        centre = (slice(None), slice(height // 2 - 96, height // 2 + 96), slice(width // 2 - 96, width // 2 + 96))
        rows.append([picture[0][centre] for picture in (bicubic, large, truth) if min(height, width) >= 192])
    return float(np.mean(figures)), [row for row in rows if row]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, default=Path("runs/srresnet-x4"))
    parser.add_argument("--steps", type=int, default=10500)
    parser.add_argument("--blocks", type=int, default=CONFIG["blocks"])
    parser.add_argument("--channels", type=int, default=CONFIG["channels"])
    parser.add_argument("--grow", type=Path, help="folder of a checkpoint of fewer blocks or channels to begin with")
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate at the beginning")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    start(args.run, args.threads)

    torch.manual_seed(args.seed)
    config = {**CONFIG, "blocks": args.blocks, "channels": args.channels}
    network = SRResNet(**config)
    if args.grow:
        grow(network, load_file(args.grow / "model.safetensors"))
    optimizer = torch.optim.Adam(network.parameters(), lr=args.rate, betas=(0.9, 0.99))
    step = 0
    if state := load_state(args.run):
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
        logger.info("going on from step %d", step)
    bsds, landscapes = training_crops(args.data, args.seed + step)

    began, losses = time.perf_counter(), []
    while step < args.steps:
        rate = args.rate * min(1, (step + 1) / 200) * (0.5 + 0.5 * math.cos(math.pi * step / args.steps))
        for group in optimizer.param_groups:
            group["lr"] = rate
        _, side, batch = max(phase for phase in PHASES if phase[0] <= step / args.steps)
        bsds.size = landscapes.size = side
        small, large = draw_batch(bsds, landscapes, batch)
        loss = F.l1_loss(quickly(network, small.contiguous(memory_format=torch.channels_last)), large)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        step += 1
        if step % 250 == 0 or step == args.steps:
            figure, rows = measure(network.eval(), args.data)
            network.train()
            logger.info("step %d  loss %.5f  Set5 %.2f dB  %.2f s a step", step, np.mean(losses), figure,
                        (time.perf_counter() - began) / len(losses))
            began, losses = time.perf_counter(), []
            sheet(rows, args.run / "sheet.png")
            save_state(args.run, network=network.state_dict(), optimizer=optimizer.state_dict(), step=step)

    about = {"recipe": "gm_core.recipes.srresnet_x4", "steps": step, "seed": args.seed, "phases": PHASES,
             "data": "bsds400, summer2winter, monet2photo/photo"}
    ship("srresnet-x4", network, "srresnet:SRResNet", config, about)


if __name__ == "__main__":
    main()
