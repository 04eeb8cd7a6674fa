"""What a training begins with, and how it ends."""

import os
import signal

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from gm_core.recipes.common import average_in, begin_with, save_state, told_to_end


def linear(value: float) -> nn.Linear:
    network = nn.Linear(2, 1)
    nn.init.constant_(network.weight, value)
    return network


def test_a_part_that_a_checkpoint_lacks_stays_as_it_is_and_no_other_may_be_missing(tmp_path):
    torch.manual_seed(0)
    network = nn.ModuleDict({"painter": nn.Linear(2, 2), "reader": nn.Linear(2, 1)})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    known = {f"painter.{name}": torch.ones_like(value) for name, value in network["painter"].state_dict().items()}
    save_file(known, tmp_path / "model.safetensors")
    begin_with(network, tmp_path, may_lack="reader")
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name] if name.startswith("reader.") else torch.ones_like(value))
    with pytest.raises(RuntimeError, match="reader"):
        begin_with(network, tmp_path)
    save_file(known | {"reader.weight": torch.ones(1, 2), "reader.bias": torch.ones(1)}, tmp_path / "model.safetensors")
    begin_with(network, tmp_path, may_lack="reader")
    assert all(torch.equal(value, torch.ones_like(value)) for value in network.state_dict().values()), "what it has is taken"
    save_file({"painter.weight": torch.ones(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(RuntimeError, match=r"painter\.bias"):
        begin_with(network, tmp_path, may_lack="reader")


def test_a_training_begins_with_the_averaged_weights_of_another_run(tmp_path):
    network, average = linear(1.0), AveragedModel(linear(2.0))
    save_state(tmp_path, network=network.state_dict(), average=average.state_dict(), step=3)
    begin_with(network, tmp_path)
    assert torch.equal(network.weight, torch.full((1, 2), 2.0))


def test_a_training_begins_with_a_shipped_checkpoint_or_with_its_own_weights(tmp_path):
    network = linear(1.0)
    begin_with(network, None)
    assert torch.equal(network.weight, torch.ones(1, 2))
    save_file(linear(3.0).half().state_dict(), tmp_path / "model.safetensors")
    begin_with(network, tmp_path)
    assert network.weight.dtype == torch.float32 and torch.equal(network.weight, torch.full((1, 2), 3.0))


def test_a_recipe_that_is_told_to_end_hears_of_it_and_lives():
    before = signal.getsignal(signal.SIGTERM)
    try:
        ending = told_to_end()
        assert not ending()
        os.kill(os.getpid(), signal.SIGTERM)
        assert ending() and ending()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_average_follows_and_soon_forgets_the_beginning():
    average, network = linear(0.0), linear(1.0)
    average_in(average, network, 1, 0.999)
    assert torch.allclose(average.weight, torch.full((1, 2), 1 - 2 / 11)), "the first step counts for much"
    assert torch.equal(network.weight, linear(1.0).weight)
    average_in(average, linear(2.0), 1_000_000, 0.5)
    assert torch.allclose(average.weight, torch.full((1, 2), (1 - 2 / 11) / 2 + 1)), "later the share that was given"
