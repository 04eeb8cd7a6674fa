"""The gallery on a home screen: what a browser asks for when a visitor installs it, and its icon.

`python -m demos.install` draws the icon into assets/icons.
"""

from typing import Any

from PIL import Image, ImageDraw
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from demos.base import ASSETS
from demos.languages import language, say

ICONS = ASSETS / "icons"
DAY, NIGHT = "#f6f3ec", "#171d26"
"""The walls, as in `demos.shell.THEME`: what a system paints around the page."""
HEAD = (f'<meta name="theme-color" content="{DAY}" media="(prefers-color-scheme: light)">'
        f'<meta name="theme-color" content="{NIGHT}" media="(prefers-color-scheme: dark)">'
        '<link rel="apple-touch-icon" href="icon/180.png">')
RUST, INK, MAT = "#9c4f2c", "#2a2620", "#fbf9f5"


def manifest(_: Request) -> Response:
    """In the language of whoever installs it. Addresses are relative: the gallery may stand below another one's root."""
    return JSONResponse({
        "id": "./",
        "name": say("Gallery of generative models"),
        "short_name": say("Gallery"),
        "description": say("Small networks that we trained ourselves, working here and now. Bring a picture."),
        "lang": language.get(),
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": DAY,
        "theme_color": DAY,
        "icons": [{"src": f"icon/{name}.png", "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
                  for name, side, purpose in (("192", 192, "any"), ("512", 512, "any"), ("512-maskable", 512, "maskable"))],
    }, headers={"Vary": "Cookie, Accept-Language"}, media_type="application/manifest+json")


def icon(request: Request) -> Response:
    path = ICONS / f"{request.path_params['name']}.png"
    if path not in ICONS.iterdir():
        return Response(status_code=404)
    return FileResponse(path, media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})


def routes() -> list[Route]:
    """The first is instead of Gradio's own, which has its name and colours."""
    return [Route("/manifest.json", manifest), Route("/icon/{name}.png", icon)]


# --- the icon ---------------------------------------------------------------------------------------------------------


def picture(side: int) -> Image.Image:
    """Sun and hills: seen by few pixels on the left, and as they are on the right."""
    canvas = Image.new("RGB", (side, side))
    draw: Any = ImageDraw.Draw(canvas)
    for y in range(side):
        share = y / side
        draw.line((0, y, side, y), tuple(int((1 - share) * a + share * b) for a, b in zip((122, 168, 190), (246, 222, 190),
                                                                                          strict=True)))
    draw.ellipse((0.55 * side, 0.16 * side, 0.83 * side, 0.44 * side), "#dd8a4f")
    draw.ellipse((-0.55 * side, 0.52 * side, 0.75 * side, 1.7 * side), "#5f7a68")
    draw.ellipse((0.25 * side, 0.66 * side, 1.6 * side, 1.9 * side), "#33483f")
    coarse = canvas.resize((6, 6), Image.Resampling.BOX).resize((side, side), Image.Resampling.NEAREST)
    canvas.paste(coarse.crop((0, 0, side // 2, side)), (0, 0))
    return canvas


def drawn(side: int, *, maskable: bool = False) -> Image.Image:
    """The picture in its frame on a wall. maskable: so that a circle may be cut out of it; otherwise with round corners."""
    fine = 4 * 512
    canvas = Image.new("RGBA", (fine, fine), RUST if maskable else (0, 0, 0, 0))
    draw = ImageDraw.Draw(canvas)
    if not maskable:
        draw.rounded_rectangle((0, 0, fine - 1, fine - 1), fine // 6, RUST)
    edge = fine * (0.23 if maskable else 0.15)
    for colour, inset in ((INK, 0.0), (MAT, 0.035)):
        at = edge + inset * fine
        draw.rectangle((at, at, fine - at, fine - at), colour)
    at = round(edge + 0.09 * fine)
    canvas.paste(picture(fine - 2 * at), (at, at))
    return canvas.resize((side, side), Image.Resampling.LANCZOS)


def main() -> None:
    ICONS.mkdir(exist_ok=True)
    for side in (192, 512):
        drawn(side).save(ICONS / f"{side}.png", optimize=True)
    for name, side in (("180", 180), ("512-maskable", 512)):  # what goes on a phone's screen is cut by the phone
        drawn(side, maskable=True).convert("RGB").save(ICONS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
