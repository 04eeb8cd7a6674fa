"""Checkpoints of the Hub: size and licence before anything is fetched, only what is needed, strictly."""

import io
import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save

from tests.check.tiny import network
from tests.hubs import olah, publish
from tests.served import ROOT


def asked(endpoint, home, visits, **environment):
    told = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", **environment}
    process = subprocess.run([sys.executable, "-m", "tests.check.hub_visit"], input=json.dumps(visits), text=True, cwd=ROOT,
                             capture_output=True, env={**os.environ, **told}, timeout=240, check=False)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    state = network("srresnet").state_dict()
    old = io.BytesIO()
    torch.save(state, old)
    card = b"---\nlicense: mit\n---\n# Tiny\n"
    commits = {
        "anyone/whole": publish(folder, "anyone/whole", {"model.safetensors": save(state), "README.md": card,
                                                         "config.json": b'{"upscale": 4, "note": "HubMixin"}',
                                                         "code.py": b"raise SystemExit('ran')" * 10}),
        "anyone/epochs": publish(folder, "anyone/epochs", {f"epoch_{i}.safetensors": save(state) for i in (1, 2)}),
        "anyone/old": publish(folder, "anyone/old", {"netG.pth": old.getvalue()}),
        "anyone/other": publish(folder, "anyone/other", {"model.safetensors": save(network("dcgan").state_dict())}),
    }
    with olah(folder) as endpoint:
        yield endpoint, commits


@pytest.mark.slow
def test_checkpoints_of_the_hub(hub, tmp_path):
    endpoint, commits = hub
    whole = f"anyone/whole@{commits['anyone/whole']}"
    visits = [{"name": whole, "limit": 1000}, {"name": whole}, {"name": f"anyone/epochs@{commits['anyone/epochs']}"},
              {"name": f"anyone/epochs@{commits['anyone/epochs']}:epoch_2.safetensors"},
              {"name": f"anyone/old@{commits['anyone/old']}", "pickles": False},
              {"name": f"anyone/old@{commits['anyone/old']}"},
              {"name": f"anyone/other@{commits['anyone/other']}"}, {"name": "anyone/nobody@main"}]
    large, good, many, chosen, old, old_here, other, nobody = asked(endpoint, tmp_path / "home", visits)
    assert "up to 0 MB are fetched here" in large["failure"] and not large["digest"]
    assert good["files"] == ["config.json", "model.safetensors"] and good["bytes"] > 10_000
    assert good["failure"] == "" and good["layout"].startswith("SRResNet") and good["revision"] == commits["anyone/whole"]
    assert "Name the file" in many["failure"] and "epoch_1.safetensors, epoch_2.safetensors" in many["refused"]
    assert chosen["failure"] == "" and chosen["digest"] == good["digest"]
    assert "no safetensors" in old["failure"]
    assert old_here["failure"] == "" and old_here["digest"] == good["digest"], "on the command line, by weights_only"
    assert "serves portraits, not srgan" in other["failure"]
    assert "cannot be read" in nobody["failure"] and nobody["refused"]

    [kept] = asked("http://127.0.0.1:9", tmp_path / "home", [{"name": whole}], HF_HUB_OFFLINE="1")
    assert kept["failure"] == "" and kept["digest"] == good["digest"], "what was fetched at a full commit needs no network"
