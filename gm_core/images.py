"""The only place that knows files, PIL and tensors: every picture comes in, and every result leaves, through here.

Inside the core a picture is an RGB `PIL.Image`, upright, sRGB, without alpha; a tensor is (1, 3, H, W) float in 0..1.
"""

from __future__ import annotations

import io
import json
import re
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, PngImagePlugin, UnidentifiedImageError

import gm_core
from gm_core.errors import BadInput, GMError

if TYPE_CHECKING:
    from torch import Tensor

UPRIGHT: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what turns such a picture upright."""
MAX_FILE_BYTES = 30 * 2**20
MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: 64 million pixels take 192 MB as RGB."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
"""Decoders that may run on a visitor's bytes (JPEG's reads MPO too). Pillow knows many more that few need and nobody
fuzzes; ICO is decoded as soon as it is opened, before its size can be looked at."""

PARAMETERS_KEY = "gm_core"
MAX_PARAMETERS_CHARS = 20_000
TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{TRAINED_ALGORITHMIC_MEDIA}"/></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def open_picture(source: str | Path | bytes) -> Image.Image:
    """A visitor's file as the picture a person sees: upright RGB, sRGB, transparency on white, the first frame.

    Raises BadInput with the limit and the actual value if the file is too large, has too many pixels (checked before
    decoding), is damaged, or is no picture that this gallery reads; GMError if the machine has no memory for it.
    """
    data = _read_limited(source)
    if _looks_like_svg(data):
        raise BadInput("This is an SVG drawing, which has no pixels. Please export it as PNG or JPEG.")
    try:
        with _open(data, FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise BadInput(_too_many_pixels(width * height, f" ({width} x {height})"))
            image.seek(0)
            image.load()
            seen = _as_seen(image)
            seen.info = {}  # the camera's place, a spent colour profile: nothing of it may reach a result
            return seen
    except Image.DecompressionBombError as error:
        pixels = re.search(r"\((\d+) pixels\)", str(error))
        raise BadInput(_too_many_pixels(int(pixels[1]) if pixels else 0)) from error
    except UnidentifiedImageError as error:
        raise BadInput("This file is not a picture that can be read here. Please use PNG, JPEG, WebP, GIF, BMP, "
                       "TIFF or AVIF.") from error
    except MemoryError as error:
        raise GMError("There is not enough memory to open this picture at the moment. Please make it smaller, or come back "
                      "later.") from error
    except (OSError, SyntaxError, ValueError, EOFError, LookupError, OverflowError, TypeError, RuntimeError,
            struct.error) as error:
        # Pillow's decoders raise all of these on damaged files.
        raise BadInput("This picture file is damaged or cut short and cannot be read. Please save it again, or "
                       "choose another one.") from error


def _read_limited(source: str | Path | bytes) -> bytes:
    if isinstance(source, bytes):
        size, data = len(source), source
    else:
        try:
            with Path(source).open("rb") as file:
                size = Path(source).stat().st_size
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:  # no such file; no such name for one
            raise BadInput("The picture did not arrive. Please upload it again.") from error
    if len(data) > MAX_FILE_BYTES:
        raise BadInput(f"This file has {size / 2**20:.0f} MB; the limit is {MAX_FILE_BYTES // 2**20} MB. Please save "
                       "it smaller.")
    if not data:
        raise BadInput("This file is empty. Please choose another one.")
    return data


def _open(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    """Reads the header; pixels come with `load`."""
    # What Pillow warns of in a visitor's file is nothing that whoever runs the gallery can mend.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return Image.open(io.BytesIO(data), formats=formats)


def _looks_like_svg(data: bytes) -> bool:
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<svg", b"<?xml", b"<!doctype svg")) and b"<svg" in data[:65536].lower()


def _too_many_pixels(pixels: int, size: str = "") -> str:
    actual = f"{pixels / 1e6:.4g} million pixels{size}" if pixels else "far more pixels"
    return f"This picture has {actual}; the limit is {MAX_PIXELS // 10**6} million. Please make it smaller first."


def _as_seen(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    # Not Pillow's exif_transpose, which also writes the data anew and stumbles over what is odd in it.
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation))
    image = image if turn is None else image.transpose(turn)
    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        image = _eight_bits(image)
    if image.mode in ("LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        alpha = image.getchannel("A")
        colour = _to_srgb(image.convert("RGB"), profile)
        page = Image.new("RGB", image.size, "white")
        page.paste(colour, mask=alpha)
        return page
    return _to_srgb(image, profile)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Greyscale of more than eight bits: by its nominal range, which Pillow would clip instead."""
    values = np.nan_to_num(np.asarray(image).astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    top = 65535.0
    if image.mode == "F":  # whose range no file tells
        top = next((limit for limit in (1.0, 255.0) if values.max(initial=0.0) <= limit), top)
    return Image.fromarray((values.clip(0, top) / top * 255).round().astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Through the embedded colour profile where there is one: a phone's Display P3, a printer's CMYK."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            convertible = image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")
            converted = ImageCms.profileToProfile(convertible, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # a broken or mismatched profile is common and no reason to refuse the picture
    return image.convert("RGB")


def fit(image: Image.Image, longest: int) -> Image.Image:
    """Reduced (antialiased), never enlarged, so that the longer side has at most `longest` pixels."""
    if max(image.size) <= longest:
        return image
    scale = longest / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def to_tensor(image: Image.Image) -> Tensor:
    """RGB picture -> (1, 3, H, W) float32 in 0..1."""
    import torch  # here: it takes more than a second, and the page opens without it

    pixels = np.array(image.convert("RGB"))  # a copy: torch wants writable memory
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255.0


def to_pixels(tensor: Tensor) -> np.ndarray:
    """(3, H, W) or (1, 3, H, W), 0..1, clamped here -> (H, W, 3) uint8."""
    if tensor.dim() == 4:
        tensor = tensor[0]
    return (tensor.detach().float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()


def to_image(tensor: Tensor) -> Image.Image:
    """(3, H, W) or (1, 3, H, W) in 0..1, clamped here -> RGB picture."""
    return Image.fromarray(to_pixels(tensor))


def save_png(image: Image.Image, path: Path, parameters: dict[str, Any]) -> Path:
    """Writes a result with its parameters (task, checkpoint, revision, seed, settings...) and XMP's statement that
    a trained model made it. Dropping the file back into its tab restores the settings.
    """
    info = PngImagePlugin.PngInfo()
    info.add_itxt(PARAMETERS_KEY, json.dumps({**parameters, "version": gm_core.__version__}))
    info.add_itxt("XML:com.adobe.xmp", XMP)
    image.save(path, "PNG", pnginfo=info, compress_level=3 if image.width * image.height < 4_000_000 else 1)
    return path


def read_parameters(source: str | Path | bytes) -> dict[str, Any] | None:
    """What `save_png` wrote into a picture, or None. The content is a visitor's: check every value before use."""
    try:
        with _open(_read_limited(source), ("PNG",)) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            text = image.info.get(PARAMETERS_KEY)
    except (BadInput, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
    if not isinstance(text, str) or len(text) > MAX_PARAMETERS_CHARS:
        return None
    try:
        parameters = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parameters if isinstance(parameters, dict) else None
