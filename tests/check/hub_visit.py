"""What checks do with a Hub, in a process of its own: huggingface_hub reads its environment at import.

Reads a JSON list of {"name", "limit", "pickles"} and writes a JSON list of what came of each.
"""

import json
import sys

import numpy as np
from PIL import Image

from gm_core.check.cases import Inputs, cases
from gm_core.check.opening import offer
from gm_core.check.run import check
from gm_core.check.sources import sources
from gm_core.errors import GMError


def visit(name: str, limit: int = 10**9, pickles: bool = True) -> dict[str, object]:
    found, _ = sources([name], local=False)
    told: dict[str, object] = {}
    try:
        offered = offer(found[0], pickles=pickles)
        told |= {"files": offered.files, "bytes": offered.bytes, "licence": offered.licence, "commit": offered.commit}
    except GMError as error:
        told["refused"] = str(error)
    picture = Image.fromarray(np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3))
    wanted, _ = cases("srgan", Inputs({"ramp": picture}))
    outcome = check("srgan", found, wanted, pickles=pickles, limit=limit)
    one = outcome.examined[0]
    return {**told, "failure": one.failure, "layout": one.facts.layout, "revision": one.facts.revision,
            "said": one.facts.licence, "digest": one.made[0].digest() if one.made else ""}


if __name__ == "__main__":
    sys.stdout.write(json.dumps([visit(**one) for one in json.load(sys.stdin)]))
