"""The class room's pages: light pages of our own beside Gradio's, so that forty phones are forty small requests a second.

    GET  room                      join by code          GET  room/CODE            a pupil's page
    GET  room/CODE/projector       the teacher's page    GET  room/CODE/picture/NAME, room/CODE/heat/NAME
    POST room/CODE/join            {nickname}            POST room/CODE/state      {pupil}
    POST room/CODE/vote            {pupil, number, choice}
    POST room/CODE/lead            {key, action, ...}: what the projector shows, after deal, reveal, close or remove

Everything a phone sends is checked here and in `gm_core.quiz.rooms`; what it gets before the reveal depends on no answer.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from demos.base import ASSETS
from demos.languages import catalogue, language, say, switch
from gm_core.errors import BadInput, GMError
from gm_core.quiz.rooms import NoPlace, Rooms

logger = logging.getLogger(__name__)

FILES = {"room.js": "text/javascript", "room.css": "text/css"}
MOST_BYTES = 4096
"""Of a request's body."""
LONGEST_ADDRESS = 300
HEADERS = {
    "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
                               "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}

PICTURE_HEADERS = {**HEADERS, "Cache-Control": "private, max-age=600, immutable"}
"""A portrait's name is never given twice: a phone need not ask for it again at every change of the page."""


def routes(rooms: Callable[[], Rooms]) -> list[Route]:
    """To be given to the server beside Gradio's own. rooms: asked at each request."""

    async def page(request: Request) -> Response:
        view = "projector" if request.url.path.rstrip("/").endswith("/projector") else "pupil"
        inside = "code" in request.path_params or request.url.path.endswith("/")
        files = "../files/" if view == "projector" else "files/" if inside else "room/files/"
        return HTMLResponse(room_page(view, files), headers=HEADERS)

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            return Response(status_code=404)
        return FileResponse(ASSETS / "quiz" / name, media_type=FILES[name],
                            headers={**HEADERS, "Cache-Control": "max-age=300"})

    async def picture(request: Request) -> Response:
        given = request.path_params
        house = rooms()
        try:
            if given["kind"] == "picture":
                return Response(house.picture(given["code"], given["name"]), media_type="image/webp", headers=PICTURE_HEADERS)
            return Response(house.heat(given["code"], given["name"]), media_type="image/png", headers=PICTURE_HEADERS)
        except BadInput:
            return Response(status_code=404, headers=HEADERS)

    async def join(request: Request, sent: dict[str, Any]) -> dict[str, Any]:
        return {"pupil": rooms().join(request.path_params["code"], sent.get("nickname", ""))}

    async def state(request: Request, sent: dict[str, Any]) -> dict[str, Any]:
        return in_language(rooms().state(request.path_params["code"], sent.get("pupil", "")))

    async def vote(request: Request, sent: dict[str, Any]) -> dict[str, Any]:
        number = sent.get("number")
        if isinstance(number, bool) or not isinstance(number, int):
            raise BadInput("A vote names its round.")
        return {"vote": rooms().vote(request.path_params["code"], sent.get("pupil", ""), number, sent.get("choice", ""))}

    async def lead(request: Request, sent: dict[str, Any]) -> dict[str, Any]:
        code, key, action = request.path_params["code"], sent.get("key", ""), sent.get("action", "look")
        house = rooms()
        if action == "deal":
            await run_in_threadpool(house.deal, code, key)
        elif action == "reveal":
            await run_in_threadpool(house.reveal, code, key)
        elif action == "close":
            house.close(code, key)
        elif action == "remove":
            house.remove(code, key, str(sent.get("nickname", "")))
        shown = in_language(house.projector(code, key))
        return {**shown, "qr": qr(sent.get("address"))} if action == "qr" else shown

    return [
        Route("/room", page), Route("/room/", page), Route("/room/files/{name}", file),
        Route("/room/{code}", page), Route("/room/{code}/projector", page),
        Route("/room/{code}/{kind:str}/{name}", picture),
        Route("/room/{code}/join", _json(join), methods=["POST"]), Route("/room/{code}/state", _json(state), methods=["POST"]),
        Route("/room/{code}/vote", _json(vote), methods=["POST"]), Route("/room/{code}/lead", _json(lead), methods=["POST"]),
    ]


def room_page(view: str, files: str) -> str:
    """The page in the visitor's language. files: where its script and style lie, seen from the page."""
    folder, code = ASSETS / "quiz", language.get()
    words = {sentence: say(sentence) for sentence in sentences((folder / "room.js").read_text(encoding="utf-8"))}
    page = catalogue(code).markup((folder / "room.html").read_text(encoding="utf-8"))
    return (page.replace("{{view}}", view).replace("{{files}}", files).replace("{{languages}}", switch(code))
            .replace("{{words}}", json.dumps(words, ensure_ascii=False).replace("<", "\\u003c")))


def sentences(script: str) -> list[str]:
    """What the page's script says, in English."""
    return [single or double for single, double in re.findall(r"""say\((?:'([^']+)'|"([^"]+)")""", script)]


def in_language(found: dict[str, Any]) -> dict[str, Any]:
    """What a page shows of a room, in the visitor's language; what people wrote stays as it is."""
    reveal = dict(found.get("reveal") or {})
    if "clue" in reveal:
        reveal["clue"] = say(reveal["clue"])
    if "told" in reveal:
        reveal["told"] = [{**one, "origin": say(one["origin"])} for one in reveal["told"]]
    return {**found, "reveal": reveal, **({"trouble": say(found["trouble"])} if found.get("trouble") else {})}


def qr(address: object) -> str:
    """The QR code of the pupils' address as SVG. The teacher's browser knows best under which address it sees this house."""
    import segno

    if not isinstance(address, str) or len(address) > LONGEST_ADDRESS or not address.startswith(("http://", "https://")):
        raise BadInput("This is no address for a QR code.")
    code = segno.make(address, error="m", micro=False)
    return code.svg_inline(scale=8, border=2, dark="#2a2620", light="#ffffff", omitsize=True)


def _json(handler: Callable[[Request, dict[str, Any]], Awaitable[dict[str, Any]]]) -> Callable[[Request], Awaitable[Response]]:
    """JSON in, JSON out; what went wrong as {"sorry": sentence}."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request, await _body(request)), headers=HEADERS)
        except GMError as error:
            return JSONResponse({"sorry": say(str(error)), "nameless": isinstance(error, NoPlace)}, 400, headers=HEADERS)
        except Exception as error:  # a phone gets a sentence, the log gets the trace
            logger.error("class room", exc_info=error)
            words = say("Something went wrong on our side. Please try again.")
            return JSONResponse({"sorry": words}, 500, headers=HEADERS)

    return answer


async def _body(request: Request) -> dict[str, Any]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise BadInput(f"More than {MOST_BYTES} bytes were sent.")
    try:
        sent = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadInput("What was sent is no JSON.") from error
    if not isinstance(sent, dict):
        raise BadInput("What was sent is no JSON object.")
    return sent
