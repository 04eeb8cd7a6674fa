"""What one visit does with Hub checkpoints, in a process of its own: huggingface_hub reads its environment at import.

`visit(...)` starts the process, which reads a JSON list of visits and writes a JSON list of what came of them. A visit
is the record's fields and "leave_after", seconds, or "leave_at", a fraction: then the visitor's `report` raises Cancelled.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RECORD = {"task": "srgan", "title": "Tiny", "network": "", "trained_on": "", "licence": "", "paper": "",
          "build": "srresnet:SRResNet", "files": ("model.safetensors",), "parameters": 0, "size": 1_000_000}


def visit(endpoint: str, home: Path, visits: dict[str, dict[str, Any]], **environment: str) -> dict[str, dict[str, Any]]:
    """Each visit's outcome: network and sum of weights, or error and message; seconds, reports, `where` before, after."""
    told = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
            "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.run([sys.executable, "-m", "tests.visitor"], input=json.dumps(list(visits.values())), text=True,
                             capture_output=True, cwd=ROOT, env={**os.environ, **told}, timeout=240, check=False)
    assert process.returncode == 0, process.stderr
    return dict(zip(visits, json.loads(process.stdout), strict=True))


def _visit(leave_after: float = 1e9, leave_at: float = 2.0, **fields: Any) -> dict[str, Any]:
    from gm_core import hub, load
    from gm_core.checkpoints import Checkpoint
    from gm_core.errors import Cancelled, GMError

    checkpoint = Checkpoint(**{**RECORD, "name": fields["repo_id"], **fields})
    before = hub.where(checkpoint)
    started = time.monotonic()
    reports: list[tuple[float | None, str]] = []

    def report(fraction: float | None, words: str, preview: object = None) -> None:
        reports.append((fraction, words))
        if time.monotonic() - started >= leave_after or (fraction or 0) >= leave_at:
            raise Cancelled

    outcome: dict[str, Any] = {"before": before, "reports": reports}
    try:
        network = load.build(checkpoint, hub.fetch(checkpoint, report))
        outcome["network"] = type(network).__name__
        outcome["weights"] = sum(float(value.double().sum()) for value in network.state_dict().values())
    except GMError as error:
        outcome |= {"error": type(error).__name__, "message": str(error)}
    # anything else ends the process, and the test shows its traceback
    return {**outcome, "seconds": time.monotonic() - started, "after": hub.where(checkpoint)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps([_visit(**fields) for fields in json.load(sys.stdin)]))
