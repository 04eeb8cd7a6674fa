"""Damaged picture files by the thousand, in a process with little memory: `python -m tests.fuzzing COUNT SEED`.

Prints one JSON object: how many of each kind were opened and refused, and outcomes that are neither a picture nor a GMError.
"""

import io
import json
import random
import resource
import sys
import traceback
import warnings
import zlib
from pathlib import Path

from PIL import Image

from gm_core.errors import GMError
from gm_core.images import MAX_PIXELS, open_picture, read_parameters

MEMORY = 2 * 2**30
"""Bytes that opening may take beyond what the process has: twice what the largest picture that is allowed needs."""
PROCESSOR = 3600
"""Seconds of the processor for all of it: who hangs is ended."""
TELLING = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 200, 254, 255)
"""Bytes that decoders trip over sooner than over others."""


def damaged(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """The file with one to four injuries: bytes, numbers, pieces lost, doubled, moved, or of another file."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        near = min(len(found), 120) if rng.random() < 0.5 else len(found)  # headers tell decoders what to do
        place, length = rng.randrange(max(1, near)), rng.randint(1, 64)
        what = rng.randrange(8)
        if what == 0:
            found[place:place + 1] = bytes([rng.choice(TELLING)])
        elif what == 1:
            found[place:place + 1] = bytes([rng.randrange(256)])
        elif what == 2:  # a size, an offset, a count
            number = rng.choice((0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, rng.randrange(2**32)))
            width = rng.choice((2, 4))
            found[place:place + width] = (number % 256**width).to_bytes(width, rng.choice(("big", "little")))
        elif what == 3:
            del found[place:place + length]
        elif what == 4:
            found[place:place] = found[place:place + length]
        elif what == 5:
            found[place:place] = rng.randbytes(length)
        elif what == 6:
            start = rng.randrange(max(1, len(other)))
            found[place:place + length] = other[start:start + length]
        else:
            del found[place + length * 8:]
        if not found:
            break
    return recounted(bytes(found)) if rng.random() < 0.7 else bytes(found)


def recounted(data: bytes) -> bytes:
    """A PNG with right checksums, or its decoder would never see what is in it; anything else as it is."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    found, place = bytearray(data), 8
    while place + 12 <= len(found):
        end = place + 8 + int.from_bytes(found[place:place + 4])
        if end + 4 > len(found):
            break
        found[end:end + 4] = zlib.crc32(found[place + 4:end]).to_bytes(4)
        place = end + 4
    return bytes(found)


def kinds() -> dict[str, bytes]:
    """Whole files: all that the gallery reads, and some that it does not."""
    from tests.test_images import SAMPLES

    noise = Image.effect_noise((32, 24), 80).convert("RGB")
    found = dict(SAMPLES)
    for form in ("ICO", "JPEG2000", "TGA", "PCX", "SGI", "DDS", "ICNS", "EPS"):
        file = io.BytesIO()
        (noise.resize((128, 128)) if form == "ICNS" else noise).save(file, form)
        found[form] = file.getvalue()
    return found


def main() -> None:
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    warnings.simplefilter("error")
    files = kinds()
    for data in files.values():  # libraries load their parts before the memory is counted
        try:
            open_picture(data)
        except GMError:
            continue
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR, PROCESSOR))
    told: dict[str, object] = {"opened": {}, "refused": {}, "wrong": []}
    opened, refused, wrong = dict.fromkeys(files, 0), dict.fromkeys(files, 0), []
    names = list(files)
    for name, data in files.items():
        rng = random.Random(f"{name} {seed}")
        for i in range(count):
            tried = damaged(rng, data, files[rng.choice(names)])
            try:
                picture = open_picture(tried)
                opened[name] += 1
                if picture.mode != "RGB" or picture.width * picture.height > MAX_PIXELS:
                    wrong.append(f"{name} {i}: {picture}")
            except GMError as error:
                refused[name] += 1
                if not (str(error)[:1].isupper() and str(error).endswith(".")):
                    wrong.append(f"{name} {i}: no sentence: {error}")
            except BaseException:  # noqa: BLE001 - that is what is looked for
                wrong.append(f"{name} {i}: {traceback.format_exc()[-600:]}")
            try:
                parameters = read_parameters(tried)
                if not (parameters is None or isinstance(parameters, dict)):
                    wrong.append(f"{name} {i}: parameters {parameters!r}")
            except BaseException:  # noqa: BLE001 - that is what is looked for
                wrong.append(f"{name} {i}: parameters: {traceback.format_exc()[-600:]}")
    told.update(opened=opened, refused=refused, wrong=wrong[:20])
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
