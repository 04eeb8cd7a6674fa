"""How a portrait is shown: real and fake go through the same hands, and the file says nothing but its pixels.

Drawing and dream come in at the same native size. Both are enlarged by the same filter, get the same light grain, and are
coded by the same encoder with the same settings into WebP files without metadata, all of whose lengths are the same. What
is left to tell them apart is what can be seen.
"""

import io
import secrets
import struct

import numpy as np
from PIL import Image

from gm_core.errors import GMError

SIDE = 320
"""Pixels a side as shown; a page enlarges it further, both alike."""
GRAIN = 2.2
"""Standard deviation of the grain in steps of 255: below what an eye notices, above what rounding leaves behind."""
QUALITIES = (90, 80, 65, 45, 20)
"""The first whose file fits is taken; with portraits that is always the first (a test counts)."""
FILE_BYTES = 49_152
"""Length of every file, and so of every picture in it."""
FIRST_BYTES = 4_096
"""Length of every file's first partition, which holds the encoder's choices."""


def square(picture: Image.Image, side: int) -> Image.Image:
    """The middle square of the picture, reduced or enlarged to `side` pixels: nothing else is done to it."""
    edge = min(picture.size)
    left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
    picture = picture.convert("RGB").crop((left, top, left + edge, top + edge))
    return picture if edge == side else picture.resize((side, side), Image.Resampling.LANCZOS)


def present(picture: Image.Image) -> bytes:
    """RGB square of the native size -> the WebP file that the page gets, FILE_BYTES long."""
    pixels = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32)
    grain = np.random.default_rng(secrets.randbits(128)).normal(0, GRAIN, (SIDE, SIDE, 1)).astype(np.float32)
    shown = Image.fromarray((pixels + grain).round().clip(0, 255).astype(np.uint8))
    for quality in QUALITIES:
        file = io.BytesIO()
        shown.save(file, "WEBP", quality=quality, method=4)
        padded = pad(file.getvalue())
        if padded is not None:
            return padded
    raise GMError("This portrait could not be coded small enough.")


def pad(file: bytes) -> bytes | None:
    """A simple WebP file with noise behind each of its two partitions, so that all of its lengths are the same for all.

    A calm portrait is coded in fewer bytes than a lively one, and its length alone would give a smooth fake away. A
    decoder of VP8 stops where the picture ends (RFC 6386, section 7.3) and never looks at the noise; where it begins only
    decoding tells. None if the picture is too long. Raises GMError if the encoder wrote another layout.
    """
    riff, kind, chunk, frame = file[:4], file[8:12], file[12:16], file[20:]
    tag = int.from_bytes(frame[:3], "little")
    if (riff, kind, chunk, frame[3:6]) != (b"RIFF", b"WEBP", b"VP8 ", b"\x9d\x01\x2a") or tag & 1:
        raise GMError("The encoder gave another layout than was asked for.")
    first, tokens = frame[10 : 10 + (tag >> 5)], frame[10 + (tag >> 5) :]
    rest = FILE_BYTES - 20 - 10 - FIRST_BYTES - len(tokens)
    if len(first) > FIRST_BYTES or rest < 0:
        return None
    tag = (tag & 0b11111) | FIRST_BYTES << 5
    frame = (tag.to_bytes(3, "little") + frame[3:10] + first + secrets.token_bytes(FIRST_BYTES - len(first))
             + tokens + secrets.token_bytes(rest))
    return b"RIFF" + struct.pack("<I", FILE_BYTES - 8) + b"WEBPVP8 " + struct.pack("<I", len(frame)) + frame


def heat_picture(heat: np.ndarray, side: int = 96) -> bytes:
    """Where the judge saw it: (H, W) in 0..1 -> a small PNG of one warm colour, the more opaque the hotter."""
    scaled = Image.fromarray((heat.clip(0, 1) * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    strength = np.asarray(scaled, np.float32) / 255
    colour = np.empty((side, side, 4), np.uint8)
    colour[..., 0], colour[..., 1], colour[..., 2] = 255, 40 + (150 * strength).astype(np.uint8), 20
    colour[..., 3] = (190 * strength**2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(colour, "RGBA").save(file, "PNG")
    return file.getvalue()
