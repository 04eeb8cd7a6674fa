"""What computes a network: on a CPU OpenVINO instead of PyTorch, where it is installed, wins, and gives the same pictures.

Which networks it takes is written on their classes (`compiles = True`), after `python -m gm_core.bench --backends`: those
that it runs at least 1.3 times as fast as PyTorch would, and as well. That is measured beforehand and not while somebody
waits, so that the same machine always gives the same picture. `GM_BACKEND=torch` leaves it out.
"""

import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gm_core.errors import GMError
from gm_core.models.dropout import drawing

logger = logging.getLogger(__name__)

BACKENDS = ("openvino", "torch")


def wanted() -> bool:
    """Whether OpenVINO shall run what it can: it is installed, and `GM_BACKEND` does not say torch.

    Raises GMError for a wrong setting, and where it says openvino and there is none.
    """
    setting = os.environ.get("GM_BACKEND", "")
    if setting and setting not in BACKENDS:
        raise GMError(f"GM_BACKEND is '{setting}'. Use {' or '.join(BACKENDS)}, or leave it out.")
    there = importlib.util.find_spec("openvino") is not None
    if setting == "openvino" and not there:
        raise GMError("GM_BACKEND is 'openvino', which is not installed here. Install it with: pip install openvino")
    return there and setting != "torch"


def compiled(network: nn.Module, inputs: Sequence[Tensor], precision: torch.dtype) -> Callable[..., Tensor]:
    """The network's `forward` as OpenVINO computes it: one picture at a time, of any height and width.

    inputs: examples, on the CPU; those with four dimensions are pictures (1, C, H, W). precision: float32 or bfloat16.
    The result is float32. Raises whatever OpenVINO raises where a network is beyond it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType] - so that it reports to nobody
    import openvino  # pyright: ignore[reportMissingImports] - optional

    # With gradients on, networks take the way without strips: a loop would be written down for this size alone.
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer doubts every question about shapes; `agreement` answers them
        examples = tuple(value.clone() for value in inputs)
        traced = torch.jit.trace(network, examples, check_trace=False)
        shapes = [openvino.PartialShape([1, value.shape[1], -1, -1] if value.ndim == 4 else list(value.shape))
                  for value in examples]
        graph = openvino.convert_model(traced, example_input=examples, input=shapes)
    short = {torch.float32: "f32", torch.bfloat16: "bf16"}[precision]
    model = openvino.Core().compile_model(graph, "CPU", {
        "INFERENCE_PRECISION_HINT": short, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": torch.get_num_threads()})

    def forward(*values: Tensor) -> Tensor:
        request: Any = model.create_infer_request()  # one each: several visitors at once
        request.infer([value.float().contiguous().numpy() for value in values])
        return torch.from_numpy(request.get_output_tensor(0).data.copy())

    return forward


def decibels(exact: Tensor, other: Tensor) -> float:
    """How close two outputs of one network are: PSNR in dB, peak 1, at most 120."""
    return float(-10 * torch.log10((exact.float() - other.float()).square().mean().clamp_min(1e-12)))


def larger(inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The same examples with pictures of another size, and no square: a graph that holds for one size only fails here."""
    return tuple(value.repeat(1, 1, 3, 2)[..., : value.shape[2] * 5 // 2, :] if value.ndim == 4 else value for value in inputs)


def agreement(network: nn.Module, forward: Callable[..., Tensor], inputs: Sequence[Tensor]) -> float:
    """How close `forward` comes to the network's float32, on the examples and on larger ones: the lower PSNR in dB, peak 1."""
    with torch.inference_mode():
        return min(decibels(network(*given), forward(*given)) for given in (inputs, larger(inputs)))


def take_over(network: nn.Module, precision: torch.dtype, least: float) -> list[float]:
    """Lets OpenVINO run the parts of the network that it runs faster, where they agree with float32 to `least` dB.

    A part is a module with `compiles = True` and `example_inputs()`. Its `forward` goes on in PyTorch for what OpenVINO was
    not told: batches, dropout's noise, gradients. Returns the agreement of every part that was taken over.
    """
    taken = []
    for part in [module for module in network.modules() if getattr(module, "compiles", False)]:
        examples: Any = part.example_inputs()  # pyright: ignore[reportCallIssue] - the parts that compile have it
        try:
            fast = compiled(part, examples, precision)
            reached = agreement(part, fast, examples)
        except Exception as error:  # noqa: BLE001 - an optional library's own; PyTorch goes on
            logger.warning("OpenVINO cannot run %s: %s", type(part).__name__, str(error).partition("\n")[0])
            continue
        if reached < least:
            logger.info("%s stays in PyTorch: OpenVINO agrees to %.1f dB only", type(part).__name__, reached)
            continue
        part.forward = _either(fast, part.forward)
        taken.append(reached)
    return taken


def _either(fast: Callable[..., Tensor], exact: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def forward(*values: Any, **named: Any) -> Tensor:  # noqa: ANN401 - whatever the network takes
        plain = not named and all(isinstance(value, Tensor) and len(value) == 1 for value in values)
        return fast(*values) if plain and not drawing() and not torch.is_grad_enabled() else exact(*values, **named)

    return forward
