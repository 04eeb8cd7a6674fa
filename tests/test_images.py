"""The pictures' door: every kind of file that people bring, damaged and hostile ones, and what results carry out."""

import io
import json
import struct
import warnings
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from gm_core import images
from gm_core.errors import BadInput
from gm_core.images import fit, open_picture, read_parameters, save_png, to_image, to_pixels, to_tensor

RED, GREEN, BLUE, WHITE = (220, 30, 20), (30, 190, 60), (20, 40, 210), (255, 255, 255)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def quarters() -> Image.Image:
    """32 x 16: red, green above; blue, white below."""
    image = Image.new("RGB", (32, 16))
    for colour, place in ((RED, (0, 0)), (GREEN, (16, 0)), (BLUE, (0, 8)), (WHITE, (16, 8))):
        image.paste(colour, (*place, place[0] + 16, place[1] + 8))
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """Colours in the middle of the four quarters, reading order."""
    w, h = image.size
    return [image.getpixel((x, y)) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


def close(a, b, tolerance: int = 0) -> bool:
    return bool(np.abs(np.asarray(a, int) - np.asarray(b, int)).max() <= tolerance)


def opened(data: bytes) -> Image.Image:
    """The picture, which must keep the contract: RGB, nothing carried along."""
    image = open_picture(data)
    assert image.mode == "RGB"
    assert image.info == {}
    return image


# --- every way a picture comes in -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "options", "tolerance"), [
    ("PNG", {}, 0), ("JPEG", {"quality": 95}, 6), ("WEBP", {"lossless": True}, 0), ("GIF", {}, 0), ("BMP", {}, 0),
    ("TIFF", {}, 0), ("TIFF", {"compression": "tiff_lzw"}, 0), ("PPM", {}, 0), ("AVIF", {"quality": 95}, 8),
    ("JPEG", {"quality": 95, "progressive": True}, 6)])
def test_the_usual_formats(form, options, tolerance, tmp_path):
    data = encoded(quarters(), form, **options)
    path = tmp_path / "picture"  # the name's ending does not matter
    path.write_bytes(data)
    for source in (data, path, str(path)):
        image = open_picture(source)
        assert image.size == (32, 16)
        assert close(corners(image), [RED, GREEN, BLUE, WHITE], tolerance)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_turned_camera(form, orientation):
    upright = quarters()
    stored = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
              4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90,
              7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 22.0, 0.0)})  # where it was taken
    data = encoded(upright.transpose(stored) if stored is not None else upright, form, exif=exif,
                   **({"quality": 95} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}))
    image = opened(data)
    assert image.size == (32, 16)
    assert close(corners(image), [RED, GREEN, BLUE, WHITE], 6)
    assert 0x8825 not in image.getexif()


def test_transparency_is_on_white():
    image = quarters().convert("RGBA")
    image.putalpha(Image.fromarray(np.repeat(np.uint8([[0, 51, 128, 255]]), 16, 0)).resize((32, 16), Image.Resampling.NEAREST))
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        seen = opened(encoded(image, form, **options))
        assert seen.getpixel((3, 3)) == WHITE
        for x, alpha, colour in ((12, 51, RED), (20, 128, GREEN), (28, 255, GREEN)):
            expected = [c * alpha / 255 + 255 - alpha for c in colour]
            assert close(seen.getpixel((x, 3)), np.round(expected), 1)


def test_a_palette_with_transparency():
    image = Image.new("P", (4, 1))
    image.putpalette([*RED, *GREEN, *BLUE, 0, 0, 0])
    image.putdata([0, 1, 2, 3])
    plain = opened(encoded(image, "PNG"))
    assert [plain.getpixel((x, 0)) for x in range(4)] == [RED, GREEN, BLUE, (0, 0, 0)]
    for form, transparency in (("PNG", bytes([255, 0, 255, 128])), ("PNG", 1), ("GIF", 1)):
        seen = opened(encoded(image, form, transparency=transparency))
        assert seen.getpixel((0, 0)) == RED
        assert seen.getpixel((1, 0)) == WHITE
        if isinstance(transparency, bytes):
            assert close(seen.getpixel((3, 0)), (127, 127, 127), 1)


def test_transparent_grey_and_colour_keys():
    grey = Image.fromarray(np.uint8([[0, 100, 200, 255]]))
    both = Image.merge("LA", (grey, Image.fromarray(np.uint8([[255, 0, 255, 0]]))))
    assert [opened(encoded(both, "PNG")).getpixel((x, 0))[0] for x in range(4)] == [0, 255, 200, 255]
    assert [opened(encoded(grey, "PNG", transparency=100)).getpixel((x, 0))[0] for x in range(4)] == [0, 255, 200, 255]
    keyed = opened(encoded(quarters(), "PNG", transparency=BLUE))
    assert corners(keyed) == [RED, GREEN, WHITE, WHITE]


def test_grey_and_black_and_white():
    ramp = np.arange(256, dtype=np.uint8)[None]
    for form in ("PNG", "BMP", "TIFF", "PPM"):
        seen = np.asarray(opened(encoded(Image.fromarray(ramp), form)))
        assert (seen == ramp[..., None]).all()
    stripes = Image.fromarray(np.tile(np.uint8([[0, 255]]), (4, 8))).convert("1")
    for form in ("PNG", "TIFF", "BMP", "GIF"):
        seen = np.asarray(opened(encoded(stripes, form)))
        assert (seen == np.asarray(stripes.convert("RGB"))).all()


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_keep_their_range(form):
    values = np.uint16([[0, 255, 257 * 100, 65535]])
    seen = np.asarray(opened(encoded(Image.fromarray(values), form)))[0, :, 0]
    assert close(seen, [0, 1, 100, 255])
    dark = np.asarray(opened(encoded(Image.fromarray(np.uint16([[0, 200]])), form)))[0, :, 0]
    assert close(dark, [0, 1]), "a dark picture stays dark"


def test_sixteen_bits_big_endian_and_turned():
    values = np.uint16([[0, 257 * 50], [257 * 100, 65535]])
    image = Image.frombytes("I;16B", (2, 2), values.astype(">u2").tobytes())
    exif = Image.Exif()
    exif[0x0112] = 3
    seen = np.asarray(opened(encoded(image, "TIFF", exif=exif)))[..., 0]
    assert close(seen, [[255, 100], [50, 0]])


@pytest.mark.parametrize(("values", "expected"), [
    ([0.0, 0.25, 0.5, 1.0], [0, 64, 128, 255]), ([0.0, 10.0, 128.0, 255.0], [0, 10, 128, 255]),
    ([0.0, 25700.0, 65535.0, 99999.0], [0, 100, 255, 255]), ([-5.0, float("nan"), 0.5, 1.0], [0, 0, 128, 255])])
def test_floating_point_tiff(values, expected):
    seen = np.asarray(opened(encoded(Image.fromarray(np.float32([values])), "TIFF")))[0, :, 0]
    assert close(seen, expected)


def test_a_printer_s_jpeg():
    ink = {RED: (0, 230, 235, 20), GREEN: (200, 20, 220, 20), BLUE: (235, 210, 10, 10), WHITE: (0, 0, 0, 0)}
    image = Image.new("CMYK", (32, 16))
    for inks, place in zip(ink.values(), ((0, 0), (16, 0), (0, 8), (16, 8)), strict=True):
        image.paste(inks, (*place, place[0] + 16, place[1] + 8))
    seen = corners(opened(encoded(image, "JPEG", quality=95)))
    assert [max(range(3), key=lambda i: colour[i]) for colour in seen[:3]] == [0, 1, 2]
    assert close(seen[3], WHITE, 3)


def profile(primaries: list[list[float]]) -> bytes:
    """An ICC profile of the third kind of screen: columns of `primaries` are red, green, blue in XYZ (D50), gamma 2.2."""
    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.2 * 256)) + bytes(2)
    white = b"".join(map(number, (0.9642, 1.0, 0.8249)))
    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"wide\0" + bytes(83),
            b"cprt": b"text" + bytes(4) + b"none\0\0\0\0", b"wtpt": b"XYZ " + bytes(4) + white}
    for i, channel in enumerate((b"r", b"g", b"b")):
        tags[channel + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(number(row[i]) for row in primaries)
        tags[channel + b"TRC"] = curve
    start, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ") + struct.pack(
        ">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + white + bytes(48)
    assert len(header) == 128
    return header + struct.pack(">I", len(tags)) + table + body


DISPLAY_P3 = [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
SRGB = [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_phone_s_colours_become_srgb(form):
    p3 = np.array([200, 120, 90]) / 255
    linear = np.linalg.inv(SRGB) @ (np.array(DISPLAY_P3) @ p3**2.2)
    expected = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear) * 255
    assert abs(expected[0] - 200) > 8, "the conversion must show"
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {"lossless": True} if form == "WEBP" else {}
    image = Image.new("RGB", (16, 16), (200, 120, 90))
    for mode in ("RGB",) if form == "JPEG" else ("RGB", "RGBA"):
        seen = opened(encoded(image.convert(mode), form, icc_profile=profile(DISPLAY_P3), **options))
        assert close(seen.getpixel((8, 8)), expected.round(), 3)


@pytest.mark.parametrize("icc", [b"not a profile", b"", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
                                 profile(DISPLAY_P3)[:150]])
def test_a_broken_colour_profile_is_no_reason_to_refuse(icc):
    for image in (quarters(), quarters().convert("L"), quarters().convert("RGBA"), quarters().convert("P")):
        assert opened(encoded(image, "PNG", icc_profile=icc)).size == (32, 16)
    assert close(corners(opened(encoded(quarters(), "PNG", icc_profile=icc))), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize(("form", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {}),
                                               ("MPO", {"quality": 95}), ("AVIF", {"quality": 95})])
def test_the_first_frame_of_many(form, options):
    frames = [quarters(), quarters().rotate(180), quarters().transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(data)) as file:
        assert file.n_frames == 3
    assert close(corners(opened(data)), [RED, GREEN, BLUE, WHITE], 8)


# --- what is refused --------------------------------------------------------------------------------------------------


def refusal(source: bytes | str | Path) -> str:
    with pytest.raises(BadInput) as caught:
        open_picture(source)
    return str(caught.value)


@pytest.mark.parametrize("start", [
    '<svg xmlns="http://www.w3.org/2000/svg"/>', '<?xml version="1.0"?>\n<!-- a drawing -->\n<svg width="1"/>',
    '\ufeff  <!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">\n<svg/>', "\n\n<SVG></SVG>"])
def test_a_drawing_is_told_to_be_one(start):
    assert "SVG" in refusal(start.encode())


@pytest.mark.parametrize("data", [b"this is no picture, whatever its name says\n" * 20, b"\0" * 5000, b"%PDF-1.7\n",
                                  b'<?xml version="1.0"?><html/>', b"PK\x03\x04" + bytes(100), b"\xff\xd8"])
def test_other_files_are_refused(data, tmp_path):
    path = tmp_path / "holiday.jpg"
    path.write_bytes(data)
    message = refusal(path)
    assert "PNG, JPEG" in message or "damaged" in message
    assert str(tmp_path) not in message


def test_formats_nobody_needs_are_not_decoded():
    for form in ("EPS", "ICO", "PCX", "TGA", "SGI", "IM"):
        assert "not a picture that can be read here" in refusal(encoded(quarters(), form))


def test_empty_and_missing_files(tmp_path):
    assert "empty" in refusal(b"")
    assert "did not arrive" in refusal(tmp_path / "nothing.png")
    assert "did not arrive" in refusal(tmp_path)


def test_a_file_over_the_limit(tmp_path):
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.truncate(77 * 2**20)
    assert "77 MB; the limit is 30 MB" in refusal(path)
    assert "31 MB; the limit is 30 MB" in refusal(bytes(31 * 2**20))


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def one_bit_png(width: int, height: int) -> bytes:
    """A whole, valid picture that is small as a file."""
    packer, row = zlib.compressobj(1), bytes(1 + (width + 7) // 8)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
            + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


@pytest.mark.parametrize(("side", "actual"), [
    (8001, "64.02 million pixels (8001 x 8001)"), (10_000, "100 million pixels (10000 x 10000)"),
    (12_000, "144 million pixels (12000 x 12000)"), (30_000, "900 million pixels")])
def test_huge_pictures_are_refused_before_they_are_decoded(side, actual, recwarn):
    data = one_bit_png(side, side)
    assert len(data) < 10 * 2**20
    before = Image.core.get_stats()["new_count"]
    message = refusal(data)
    assert actual in message
    assert "the limit is 64 million" in message
    assert Image.core.get_stats()["new_count"] == before, "memory was taken for pixels"
    assert not recwarn.list


def test_a_large_picture_within_the_limit_is_read():
    assert open_picture(one_bit_png(9000, 1000)).size == (9000, 1000)


def test_a_bomb_inside_an_icon_is_not_decoded():
    bomb = one_bit_png(11_000, 11_000)
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(bomb), 22) + bomb
    before = Image.core.get_stats()["new_count"]
    refusal(icon)
    assert Image.core.get_stats()["new_count"] == before


# --- damage -----------------------------------------------------------------------------------------------------------


def samples() -> dict[str, bytes]:
    """Small files of every format and of the metadata that decoders parse."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (24, 32, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    text = PngImagePlugin.PngInfo()
    text.add_itxt(images.PARAMETERS_KEY, json.dumps({"seed": 1}))
    return {
        "PNG": encoded(noise, "PNG", exif=exif, icc_profile=icc, pnginfo=text),
        "palette": encoded(noise.convert("P"), "PNG", transparency=bytes(range(250))),
        "JPEG": encoded(noise, "JPEG", exif=exif, icc_profile=icc),
        "progressive": encoded(noise, "JPEG", progressive=True),
        "CMYK": encoded(noise.convert("CMYK"), "JPEG"),
        "MPO": encoded(noise, "MPO", save_all=True, append_images=[noise]),
        "WEBP": encoded(noise, "WEBP", exif=exif, icc_profile=icc),
        "GIF": encoded(noise.convert("P"), "GIF", save_all=True, append_images=[noise.rotate(90).convert("P")]),
        "BMP": encoded(noise, "BMP"),
        "TIFF": encoded(noise, "TIFF", icc_profile=icc),
        "LZW": encoded(noise, "TIFF", compression="tiff_lzw"),
        "float": encoded(noise.convert("F"), "TIFF"),
        "PPM": encoded(noise, "PPM"),
        "AVIF": encoded(noise, "AVIF"),
    }


SAMPLES = samples()


def only_a_picture_or_bad_input(data: bytes) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            image = open_picture(data)
        except BadInput as error:
            assert str(error)[0].isupper()
            assert str(error).endswith(".")
        else:
            assert image.mode == "RGB"
        parameters = read_parameters(data)
        assert parameters is None or isinstance(parameters, dict)
    assert not caught


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_short_anywhere(name):
    data = SAMPLES[name]
    assert opened(data).size in ((32, 24), (24, 32))
    for length in sorted({*range(64), *range(64, len(data), max(1, len(data) // 60)), len(data) - 1}):
        only_a_picture_or_bad_input(data[:length])


@pytest.mark.parametrize("name", SAMPLES)
@settings(max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutated_files(name, data):
    mutated = bytearray(SAMPLES[name])
    ends = st.one_of(st.integers(0, min(len(mutated), 200) - 1), st.integers(0, len(mutated) - 1))  # headers, and all
    for place, value in data.draw(st.lists(st.tuples(ends, st.integers(0, 255)), min_size=1, max_size=12)):
        mutated[place] = value
    only_a_picture_or_bad_input(bytes(mutated))


# --- results ----------------------------------------------------------------------------------------------------------


def test_parameters_survive_the_file(tmp_path, photo):
    parameters = {"task": "text_to_image", "prompt": "ein Vögelchen, 小鳥, 🐦 " + "very " * 1000, "seed": 2**63, "scale": 7.5,
                  "settings": {"steps": [1, 2], "none": None, "on": True}, "half a character": "\ud83d"}
    path = save_png(photo, tmp_path / "result.png", parameters)
    read = read_parameters(path)
    assert read is not None
    assert read.pop("version")
    assert read == parameters
    assert read_parameters(path.read_bytes())["prompt"] == parameters["prompt"]
    assert (np.asarray(open_picture(path)) == np.asarray(photo)).all()


def test_the_file_says_that_a_trained_model_made_it(tmp_path, photo):
    data = save_png(photo, tmp_path / "result.png", {}).read_bytes()
    packets = []
    place = 8
    while place < len(data):  # the chunks as the PNG specification lays them out
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        content = data[place + 8 : place + 8 + length]
        assert struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0] == zlib.crc32(kind + content)
        if kind == b"iTXt" and content.startswith(b"XML:com.adobe.xmp\0"):
            packets.append(content)
        place += 12 + length
    assert len(packets) == 1
    # keyword, not compressed, no language, no translated keyword: what the XMP specification demands in a PNG
    assert packets[0].startswith(b"XML:com.adobe.xmp\0\0\0\0\0")
    with Image.open(io.BytesIO(data)) as image:
        packet = image.info["xmp"].decode()
    assert packet.startswith("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>")
    assert packet.rstrip().endswith("<?xpacket end=\"w\"?>")
    root = ElementTree.fromstring(packet)
    description = root.find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description is not None
    assert description.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType") == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia")


def with_text(text: str, *, compressed: bool = False) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_itxt(images.PARAMETERS_KEY, text, zip=compressed)
    return encoded(quarters(), "PNG", pnginfo=info)


@pytest.mark.parametrize("text", [
    "", "not json", "[1, 2]", "3", '"text"', "null", '{"open": ', "[" * 20_000, '{"a":' * 3000 + "1" + "}" * 3000,
    '{"a": ' + "9" * 10_000 + "}", json.dumps({"long": "x" * 10_000_000})], ids=lambda text: text[:8] or "empty")
@pytest.mark.parametrize("compressed", [False, True])
def test_hostile_parameters_are_none(text, compressed):
    assert read_parameters(with_text(text, compressed=compressed)) is None


def test_parameters_of_other_files_are_none(tmp_path):
    assert read_parameters(with_text('{"seed": 1}')) == {"seed": 1}
    assert read_parameters(encoded(quarters(), "PNG")) is None
    assert read_parameters(encoded(quarters(), "JPEG", comment='{"seed": 1}')) is None
    assert read_parameters(b"") is None
    assert read_parameters(b"<svg/>") is None
    assert read_parameters(tmp_path / "nothing.png") is None
    assert read_parameters(one_bit_png(9000, 9000)) is None


# --- tensors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "longest", "expected"), [
    ((96, 64), 48, (48, 32)), ((64, 96), 48, (32, 48)), ((96, 64), 96, (96, 64)), ((96, 64), 500, (96, 64)),
    ((1000, 1), 10, (10, 1)), ((3, 1000), 10, (1, 10))])
def test_fit_reduces_and_never_enlarges(size, longest, expected):
    assert fit(Image.new("RGB", size), longest).size == expected


def test_fit_does_not_alias():
    stripes = Image.fromarray(np.tile(np.uint8([[[0] * 3, [255] * 3]]), (64, 32, 1)))
    assert close(np.asarray(fit(stripes, 16)), 127, 12)


def test_to_tensor_has_its_shape_range_and_order(photo):
    tensor = to_tensor(photo)
    assert tensor.shape == (1, 3, 64, 96)
    assert tensor.dtype == torch.float32
    assert tensor.min() >= 0
    assert tensor.max() <= 1
    assert tensor[0, :, 10, 20].mul(255).tolist() == pytest.approx(photo.getpixel((20, 10)))
    tensor.zero_()  # its own memory, writable
    assert np.asarray(photo).any()


def test_to_tensor_and_back_changes_nothing():
    every = Image.fromarray(np.arange(256 * 3, dtype=np.int64).reshape(16, 16, 3).astype(np.uint8))
    for back in (to_image(to_tensor(every)), to_image(to_tensor(every)[0]), Image.fromarray(to_pixels(to_tensor(every)))):
        assert back.mode == "RGB"
        assert (np.asarray(back) == np.asarray(every)).all()


def test_to_pixels_clamps_and_rounds():
    values = torch.tensor([-3.0, 0.0, 0.4 / 255, 0.6 / 255, 254.6 / 255, 1.0, 7.0]).expand(3, 1, 7)
    for dtype in (torch.float32, torch.float64):
        pixels = to_pixels(values.to(dtype).requires_grad_())
        assert pixels.shape == (1, 7, 3)
        assert pixels.dtype == np.uint8
        assert pixels[0, :, 1].tolist() == [0, 0, 0, 1, 255, 255, 255]
    assert to_pixels(torch.full((1, 3, 2, 2), 0.5, dtype=torch.bfloat16)).tolist() == [[[128] * 3] * 2] * 2
