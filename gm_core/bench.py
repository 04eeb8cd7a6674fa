"""Speed of every task with every checkpoint on this machine: a table of first and warm latency, memory, precision.

    python -m gm_core.bench [--json] [--only NAME ...] [--pictures 4]
    python -m gm_core.bench --backends [--json] [--only NAME ...]
    python -m gm_core.bench --engine ray [--address ADDRESS] [--replicas 1 2 4] [--json]

Each row is measured in a process of its own, so that the first call pays for the loading as a visitor's would,
and the peak memory is that of this task alone. Hub checkpoints are measured where they are cached.

With `--backends`: the same network on what its task gives it, computed by PyTorch in float32 and in bfloat16, and by OpenVINO
and onnxruntime where they are installed (`pip install openvino onnxruntime onnx`), in turns, so that whatever else the machine
does meets all alike. How many times as fast as PyTorch in float32, and how close to it.

With Ray: how many pictures a minute so many replicas enlarge, each with a CPU and a thread of its own.
"""

import argparse
import contextlib
import functools
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from gm_core import backends
from gm_core.checkpoints import CHECKPOINTS, find
from gm_core.cluster import RAY
from gm_core.errors import BadInput, GMError
from gm_core.hub import fetch, where
from gm_core.load import AGREEMENT_DB, agreement, build, device, faster_dtype

WARM_RUNS = 5
ROUNDS = 5
"""In which backends take their turns."""
JOBS = 12
"""For each number of replicas."""


def picture(width: int, height: int) -> Image.Image:
    """Smooth colours with some noise: no network is faster or slower for what is on a picture."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 17 + k) * np.cos(y / 23 - k) for k in range(3)]
    noise = np.random.default_rng(0).normal(0, 8, (height, width, 3))
    return Image.fromarray((127 + 90 * np.stack(waves, -1) + noise).clip(0, 255).astype(np.uint8))


def timed() -> list[str]:
    """The checkpoints at hand that somebody waits for in a room; those of the task "attributes" are yardsticks of recipes."""
    return [record.name for record in CHECKPOINTS if where(record) in ("shipped", "cached") and record.task != "attributes"]


def work(name: str, pictures: int = 1) -> tuple[str, Callable[[], object]]:
    """What is measured for a checkpoint: in words, and as a call. pictures: at once, where a task makes more than one."""
    task = find(name).task
    if task == "srgan":
        from gm_core.tasks.srgan import srgan

        small = picture(256, 256)
        return "256x256 to 1024x1024", lambda: srgan(small, checkpoint=name)
    if task == "style_transfer":
        from gm_core.tasks.style_transfer import style_transfer

        image = picture(512, 512)
        return "512x512", lambda: style_transfer(image, checkpoint=name)
    if task == "portraits":
        return portraits_work(name)
    if task == "cyclegan":
        from gm_core.tasks.cyclegan import cyclegan

        image = picture(512, 512)
        return "512x512", lambda: cyclegan(image, checkpoint=name)
    if task == "inpainting":
        from gm_core.tasks.inpainting import inpainting

        image, mask = picture(512, 512), Image.new("L", (512, 512))
        mask.paste(255, (180, 160, 330, 340))
        return "512x512, a tenth of it", lambda: inpainting(image, mask, checkpoint=name)
    if task == "text_to_image":
        from gm_core.tasks.text_to_image import defaults, text_to_image

        said = "This small blue bird has a short pointy beak and brown on its wings."
        return (f"{pictures} picture{'s' * (pictures > 1)}, {defaults(name).steps} steps",
                lambda: text_to_image(said, checkpoint=name, pictures=pictures))
    if task == "pix2pix":
        from gm_core.drawings import kind_of, palette
        from gm_core.tasks.pix2pix import pix2pix

        drawing = picture(256, 256)
        if kind_of(name) != "luminance":  # walls and windows, or whatever the first labels are
            colours = np.array([colour for _, colour in palette(name)], np.uint8)
            drawing = Image.fromarray(colours[np.add.outer(np.arange(256) // 32, np.arange(256) // 32) % len(colours)])
        return "256x256", lambda: pix2pix(drawing, checkpoint=name)
    if task != "gatys":
        raise BadInput(f"'{name}' does nothing that a visitor waits for.")
    from gm_core.tasks.gatys import gatys

    image, style = picture(256, 256), picture(256, 256).rotate(90)
    return "256x256, 10 steps", lambda: gatys(image, style, features=name, steps=10, size=256)


def portraits_work(name: str) -> tuple[str, Callable[[], object]]:
    from gm_core.tasks.portraits import DISCRIMINATOR, JUDGE, likeliest, machine_guess, portraits

    if name == JUDGE:
        shown = [picture(128, 128)] * 16
        return "16 guesses, 128 px", lambda: machine_guess(shown)
    if name == DISCRIMINATOR:
        small = [picture(64, 64)] * 16
        return "16 portraits judged", lambda: likeliest(small, 1)
    return "16 portraits", lambda: portraits(16, checkpoint=name)


def measure(name: str, pictures: int = 1) -> dict[str, Any]:
    """One row, measured in this process."""
    began = time.perf_counter()
    words, call = work(name, pictures)
    call()
    first = time.perf_counter() - began
    warm = []
    for _ in range(WARM_RUNS):
        began = time.perf_counter()
        call()
        warm.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    network = build(find(name), fetch(find(name))).eval().to(device())  # as it is before `load` lets it run in short floats
    short = faster_dtype(device())
    agrees = agreement(network, short) if short and hasattr(network, "example_inputs") else None
    used = short if agrees and agrees >= AGREEMENT_DB else torch.float32
    return {"checkpoint": name, "task": find(name).task, "work": words, "first_s": round(first, 2),
            "warm_s": round(statistics.median(warm), 3), "warm_max_s": round(max(warm), 3), "peak_mb": round(peak / 1e6),
            "precision": str(used).removeprefix("torch."), "agreement_db": agrees and round(agrees, 1)}


def given(name: str) -> tuple[torch.nn.Module, tuple[Tensor, ...]] | None:
    """The part of the checkpoint's network that computes, in float32, and what its task's work gives it first.

    The part is one that says of itself that it `compiles`, else the whole network. None for a network that its task never
    calls as a whole, or asks for more than pictures.
    """
    from gm_core.load import load

    os.environ["GM_BACKEND"] = "torch"
    network, seen = load(name), []
    parts = [(path, part) for path, part in network.named_modules() if getattr(part, "compiles", False)] or [("", network)]
    hooks = [part.register_forward_pre_hook(lambda _, inputs, path=path: seen.append((path, inputs))) for path, part in parts]
    work(name)[1]()
    for hook in hooks:
        hook.remove()
    if not seen or not all(isinstance(value, Tensor) for value in seen[0][1]):
        return None
    path, inputs = seen[0]
    exact = build(find(name), fetch(find(name))).eval().requires_grad_(False)
    return exact.get_submodule(path), tuple(value.detach().float().cpu().clone() for value in inputs)


def contenders(network: torch.nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Callable[[], Tensor]]:
    """By name what computes the network on these inputs; only what is installed and can."""

    def short() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return network(*inputs)

    found: dict[str, Callable[[], Tensor]] = {"float32": lambda: network(*inputs)}
    if hasattr(network, "example_inputs"):
        found["bfloat16"] = short
    for title, precision in (("OpenVINO f32", torch.float32), ("OpenVINO bf16", torch.bfloat16)):
        with contextlib.suppress(Exception):  # not installed, or beyond it
            found[title] = functools.partial(backends.compiled(network, inputs, precision), *inputs)
    with contextlib.suppress(Exception):
        found["onnxruntime"] = on_onnxruntime(network, inputs)
    return found


def on_onnxruntime(network: torch.nn.Module, inputs: tuple[Tensor, ...]) -> Callable[[], Tensor]:
    import onnxruntime  # pyright: ignore[reportMissingImports] - optional

    file = io.BytesIO()
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, inputs, file, dynamo=False, opset_version=17)  # pyright: ignore[reportArgumentType]
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(file.getvalue(), settings, providers=["CPUExecutionProvider"])
    values = {one.name: value.numpy() for one, value in zip(session.get_inputs(), inputs, strict=True)}
    return lambda: torch.from_numpy(session.run(None, values)[0])


def compare(name: str) -> dict[str, Any]:
    """One row of `--backends`: seconds and agreement with PyTorch's float32, by name."""
    found = given(name)
    if not found:
        return {"checkpoint": name, "shape": []}
    network, inputs = found
    with torch.inference_mode():
        able = contenders(network, inputs)
        results = {title: call() for title, call in able.items()}
        seconds: dict[str, list[float]] = {title: [] for title in able}
        for _ in range(ROUNDS):
            for title, call in able.items():
                began = time.perf_counter()
                call()
                seconds[title].append(time.perf_counter() - began)
    row: dict[str, Any] = {"checkpoint": name, "shape": list(inputs[0].shape)}
    for title, result in results.items():
        faster = [a / b for a, b in zip(seconds["float32"], seconds[title], strict=True)]
        row[title] = {"s": round(statistics.median(seconds[title]), 4), "times": round(statistics.median(faster), 2),
                      "db": round(backends.decibels(results["float32"], result), 1)}
    return row


def throughput(replicas: int, address: str | None) -> dict[str, Any]:
    """One row: srgan-x4 from 256x256 to 1024x1024, `JOBS` at once. Raises GMError."""
    from gm_core.cluster.engine import RayEngine
    from gm_core.tasks.srgan import srgan

    small = picture(256, 256)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(max(JOBS, 2 * replicas)) as visitors:
        settings = Path(scratch) / "settings.toml"
        settings.write_text(f"[tasks.srgan]\nnum_cpus = 1\nthreads = 1\nmin_replicas = {replicas}\n"
                            f"max_replicas = {replicas}\n", encoding="utf-8")
        engine = RayEngine(address, cluster=settings, name="bench", tasks=["srgan"])
        try:
            def wave(jobs: int) -> float:
                began = time.perf_counter()
                list(visitors.map(lambda _: engine.run(srgan, small), range(jobs)))
                return time.perf_counter() - began

            for _ in range(2):  # every replica has loaded its network
                wave(2 * replicas)
            seconds = wave(JOBS)
        finally:
            engine.close()
    return {"replicas": replicas, "jobs": JOBS, "seconds": round(seconds, 2), "per_minute": round(60 * JOBS / seconds, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON list instead of the table")
    parser.add_argument("--only", nargs="*", help="names of checkpoints")
    parser.add_argument("--pictures", type=int, default=1, help="at once, of text to image")
    parser.add_argument("--backends", action="store_true", help="PyTorch, OpenVINO and onnxruntime on the same networks")
    parser.add_argument("--row", help=argparse.SUPPRESS)
    parser.add_argument("--engine", choices=("local", "ray"), default="local", help="ray: throughput by number of replicas")
    parser.add_argument("--address", help="of a Ray cluster that runs already")
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    if args.engine == "ray":
        try:
            found = [throughput(count, args.address) for count in args.replicas]
        except ModuleNotFoundError:
            sys.exit(f'Ray is not installed here. Install it with: pip install "{RAY}"')
        except GMError as error:
            sys.exit(str(error))
        if args.json:
            sys.stdout.write(json.dumps(found, indent=2) + "\n")
            return
        sys.stdout.write("replicas  jobs  seconds  pictures a minute\n")
        for row in found:
            sys.stdout.write(f"{row['replicas']:8}  {row['jobs']:4}  {row['seconds']:7.2f}  {row['per_minute']:17.1f}\n")
        return
    if args.row:
        sys.stdout.write(json.dumps(compare(args.row) if args.backends else measure(args.row, args.pictures)))
        return
    rows = []
    for name in args.only or timed():
        command = [sys.executable, "-m", "gm_core.bench", "--row", name, "--pictures", str(args.pictures),
                   *["--backends"] * args.backends]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        rows.append(json.loads(done.stdout))
    if args.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    if args.backends:
        titles = list(dict.fromkeys(title for row in rows for title in row if title not in ("checkpoint", "shape")))
        sys.stdout.write("seconds, times as fast as float32, agreement in dB\n")
        sys.stdout.write(f"{'checkpoint':18} {'input':>16}" + "".join(f"  {title:>20}" for title in titles) + "\n")
        for row in rows:
            cells = [f"{row[title]['s']:.3f} {row[title]['times']:5.2f} {row[title]['db']:6.1f}" if title in row else "-"
                     for title in titles]
            shape = "x".join(str(side) for side in row["shape"][1:])
            sys.stdout.write(f"{row['checkpoint']:18} {shape:>16}" + "".join(f"  {cell:>20}" for cell in cells) + "\n")
        return
    line = "{:16} {:22} {:24} {:>8} {:>8} {:>8} {:>9}  {:10} {:>9}\n"
    sys.stdout.write(line.format("task", "checkpoint", "work", "first s", "warm s", "max s", "peak MB", "precision",
                                 "agrees dB"))
    for row in rows:
        sys.stdout.write(line.format(row["task"], row["checkpoint"], row["work"], row["first_s"], row["warm_s"],
                                     row["warm_max_s"], row["peak_mb"], row["precision"], row["agreement_db"] or "exact"))


if __name__ == "__main__":
    main()
