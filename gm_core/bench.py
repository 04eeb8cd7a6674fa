"""Speed of every task with every checkpoint on this machine: a table of first and warm latency, memory, precision.

    python -m gm_core.bench [--json] [--only NAME ...]

Each row is measured in a process of its own, so that the first call pays for the loading as a visitor's would,
and the peak memory is that of this task alone. Hub checkpoints are measured where they are cached.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from gm_core.checkpoints import CHECKPOINTS, find
from gm_core.load import agreement, device, faster_dtype, load, where

WARM_RUNS = 5


def picture(width: int, height: int) -> Image.Image:
    """Smooth colours with some noise: no network is faster or slower for what is on a picture."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + k) * np.cos(y / 23 - k) for k in range(3)]
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3))
    return Image.fromarray((127 + 90 * np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8))


def work(name: str) -> tuple[str, Callable[[], object]]:
    """What is measured for a checkpoint: in words, and as a call."""
    task = find(name).task
    if task == "srgan":
        from gm_core.tasks.srgan import srgan

        small = picture(256, 256)
        return "256x256 to 1024x1024", lambda: srgan(small, checkpoint=name)
    if task == "style_transfer":
        from gm_core.tasks.style_transfer import style_transfer

        image = picture(512, 512)
        return "512x512", lambda: style_transfer(image, checkpoint=name)
    from gm_core.tasks.gatys import gatys

    image, style = picture(256, 256), picture(256, 256).rotate(90)
    return "256x256, 10 steps", lambda: gatys(image, style, features=name, steps=10, size=256)


def measure(name: str) -> dict[str, Any]:
    """One row, measured in this process."""
    began = time.perf_counter()
    words, call = work(name)
    call()
    first = time.perf_counter() - began
    warm = []
    for _ in range(WARM_RUNS):
        began = time.perf_counter()
        call()
        warm.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    network = load(name)
    short = faster_dtype(device())
    agrees = agreement(network, short) if short and hasattr(network, "example_inputs") else None
    return {"checkpoint": name, "task": find(name).task, "work": words, "first_s": round(first, 2),
            "warm_s": round(statistics.median(warm), 3), "warm_max_s": round(max(warm), 3), "peak_mb": round(peak / 1e6),
            "precision": str(short or "float32").removeprefix("torch."), "agreement_db": agrees and round(agrees, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON list instead of the table")
    parser.add_argument("--only", nargs="*", help="names of checkpoints")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.row:
        sys.stdout.write(json.dumps(measure(args.row)))
        return
    here = [record.name for record in CHECKPOINTS if where(record) in ("shipped", "cached")]
    rows = []
    for name in args.only or here:
        done = subprocess.run([sys.executable, "-m", "gm_core.bench", "--row", name], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        rows.append(json.loads(done.stdout))
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    line = "{:16} {:16} {:24} {:>8} {:>8} {:>8} {:>9}  {:10} {:>9}\n"
    sys.stdout.write(line.format("task", "checkpoint", "work", "first s", "warm s", "max s", "peak MB", "precision",
                                 "agrees dB"))
    for row in rows:
        sys.stdout.write(line.format(row["task"], row["checkpoint"], row["work"], row["first_s"], row["warm_s"],
                                     row["warm_max_s"], row["peak_mb"], row["precision"], row["agreement_db"] or "exact"))


if __name__ == "__main__":
    main()
