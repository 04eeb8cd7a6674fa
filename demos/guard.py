"""The door of the house: what may come in, how much of it, how often, and the headers that every answer carries.

An ASGI middleware around Gradio and our own pages. Gradio serves more than a gallery needs (a proxy, recordings, an editor,
component functions), fetches files from addresses that a visitor names, and limits neither the size of requests nor their
number; `Guard` does.
"""

import asyncio
import base64
import hashlib
import ipaddress
import json
import logging
import math
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gradio.utils import get_upload_folder
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from demos.base import is_disk_full
from demos.languages import catalogue, of_scope
from gm_core.errors import GMError
from gm_core.images import MAX_FILE_BYTES
from gm_core.public import is_public

logger = logging.getLogger(__name__)

MAX_POST_BYTES = 16 * 2**20
"""Of a request that is no upload: the largest is inpainting's, with a picture and its mask inside."""
MAX_UPLOAD_BYTES = 4 * MAX_FILE_BYTES
"""Of one upload, which may be of many files."""
MAX_TOOL_BYTES = 4 * 2**20
"""Of the call of a tool, with its pictures inside; the library for it takes no more."""

TOOLS = "/gradio_api/mcp"
"""Where assistants find the tasks as tools, if they may."""
INSIDE = "x-gallery-inside"
"""Header by which the house knows its own calls of itself: they are for a visitor who was counted when he came."""

READ = re.compile(r"/(config/?|favicon\.ico|theme\.css|robots\.txt|manifest\.json|pwa_icon(/\d+)?|login_check/?"
                  r"|(assets|static|svelte)/.+|gradio_api/(info/?|openapi\.json|app_id/?|login_check/?|startup-events|theme\.css|heartbeat/.+"
                  r"|queue/(data|status)|call/.+|upload_progress|file=.+))?")
POSTED = re.compile(r"/gradio_api/(queue/join|call/.+|upload|cancel|reset/?)")
"""What the page and a client use of Gradio. Everything else is closed, whatever a next version brings."""
FORWARDED = (b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server")
"""Headers by which Gradio believes where it stands, and tells it to others: a proxy's business alone."""
RANGE = re.compile(rb"bytes=(\d+)-(\d*)")
LINGER = 20.0
"""Seconds that whoever sends too much may go on, unheard: a browser shows no answer before it has sent everything."""
UNCOUNTED = re.compile(r"/(assets|static|svelte)/")
VOTED = re.compile(r"/room/[^/]+/(vote|join)")

PRIVATE_NETWORKS = "127.0.0.1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"
"""Where a Space's proxies stand. The visitor is the last address of X-Forwarded-For that is none of theirs."""

DEFAULTS = {"jobs": "120/minute;1200/hour", "uploads": "60/minute;600/hour", "megabytes": "1000/hour", "votes": "600/minute",
            "requests": "6000/minute"}
"""For a public gallery. A class of sixty shares one address: it votes sixty times a round and asks sixty times a second."""
NOUNS = {"jobs": "jobs", "uploads": "uploads", "megabytes": "megabytes of uploads", "votes": "answers and votes",
         "requests": "requests"}

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # The camera, because pictures come from it; the clipboard, because they are pasted.
    "Permissions-Policy": "camera=(self), clipboard-read=(self), clipboard-write=(self), fullscreen=(self), microphone=(), "
                          "geolocation=(), payment=(), usb=(), display-capture=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
POLICY = {
    "default-src": "'self'",
    # eval: Gradio compiles the `js=` of events and the templates of gr.HTML, and the plot's library its expressions.
    # Inline scripts run only if they stand in the page as it was served, or in a frame of ours: by their hashes.
    "script-src": "'self' 'unsafe-eval'",
    # Inline styles: Svelte writes style attributes, Gradio the theme, gr.HTML its css_template.
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",    # rooms hang pictures as data, the browser shows what is brought as a blob
    "media-src": "'self' data: blob:",  # the camera's preview
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",  # Gradio's front end fetches pasted pictures from where they are
    "worker-src": "'self' blob:",
    "frame-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",  # Gradio's page has a <base>
    "form-action": "'self'",
    "frame-ancestors": "'self' https://huggingface.co https://*.hf.space",  # the Hub shows a Space in a frame
}
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
"""For a file that somebody brought or took home, should it be opened by itself."""
INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


def trust_proxies() -> None:
    """Lets the server read X-Forwarded-For where that is configured (`FORWARDED_ALLOW_IPS`, the server's own setting) or on a
    Space, and nowhere else: whoever writes the header would choose whose limits are used up."""
    os.environ.setdefault("FORWARDED_ALLOW_IPS", PRIVATE_NETWORKS if os.environ.get("SPACE_ID") else "")


def hashed(script: str) -> str:
    """As a Content-Security-Policy names an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def policy(scripts: Iterable[str] = ()) -> str:
    """The page's Content-Security-Policy. scripts: hashes of inline scripts."""
    return "; ".join(f"{name} {' '.join([sources, *(scripts if name == 'script-src' else ())])}"
                     for name, sources in POLICY.items())


# --- how often --------------------------------------------------------------------------------------------------------


def rules(kind: str) -> list[RateLimitItem]:
    """`GM_LIMIT_<KIND>`, such as "120/minute;1200/hour" or "off"; unset, the default where strangers come, else none.

    Raises GMError for a setting that cannot be read.
    """
    name = f"GM_LIMIT_{kind.upper()}"
    text = os.environ.get(name, "").strip() or (DEFAULTS[kind] if is_public() else "off")
    if text.lower() in ("off", "none", "0"):
        return []
    try:
        return parse_many(text)
    except ValueError as error:
        raise GMError(f"{name} is '{text}'. Write it like {DEFAULTS[kind]}, or off.") from error


class Limits:
    """How often each visitor has come, in memory."""

    def __init__(self) -> None:
        """Reads the settings. Raises GMError for one that cannot be read."""
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._rules = {kind: rules(kind) for kind in DEFAULTS}

    def over(self, kind: str, visitor: str, cost: int = 1) -> tuple[str, int] | None:
        """Counts, and says a sentence and the seconds to wait if that was too much."""
        for rule in self._rules[kind]:
            if not self._limiter.hit(rule, kind, visitor, cost=cost):
                reset = self._limiter.get_window_stats(rule, kind, visitor).reset_time
                seconds = max(1, math.ceil(reset - time.time()))
                window = f"{rule.multiples} {rule.GRANULARITY.name}s" if rule.multiples > 1 else f"one {rule.GRANULARITY.name}"
                words = (f"One visitor can have {rule.amount} {NOUNS[kind]} in {window}, and you have had them. Please wait "
                         f"{seconds} seconds." if seconds < 100 else
                         f"One visitor can have {rule.amount} {NOUNS[kind]} in {window}, and you have had them. Please wait "
                         f"{math.ceil(seconds / 60)} minutes.")
                return words, seconds
        return None


def visitor(scope: Scope) -> str:
    """Whom a request counts for: the address; of IPv6 the network of 64 bits, which one visitor has whole."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host


# --- the door ---------------------------------------------------------------------------------------------------------


class _RefusedError(Exception):
    """The request goes no further."""

    def __init__(self, status: int, sentence: str, retry_after: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.headers = {"Retry-After": str(retry_after)} if retry_after else {}
        self.call: object = None
        """Number of the tool's call that is refused, if it is one: who called it reads a result, and no status."""


class Guard:
    """See the module. event_of: concurrency id and number of inputs of an event, by its number or API name, if there is one."""

    def __init__(self, app: ASGIApp, limits: Limits, event_of: Callable[[int | str], tuple[str, int] | None],
                 own: Iterable[str] = (), scripts: Iterable[str] = (), tools: Mapping[str, list[str]] | None = None,
                 password: str = "") -> None:
        """own: first parts of the addresses of our own pages. scripts: see `Demo.scripts`. tools: parameters that are pictures,
        of each tool that assistants may call; None where they may not. password: what `INSIDE` says of the house's own calls.
        """
        self._app = app
        self._tools = tools
        self._password = password
        self._event_of = event_of
        self._own = tuple(own)
        self._scripts = [hashed(script) for script in scripts]
        self._limits = limits
        self._behind_proxy = bool(os.environ.get("FORWARDED_ALLOW_IPS"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = [(name, value) for name, value in scope["headers"] if self._believed(name, value)]
        answer = _Answer(scope["path"], send, self._scripts)
        try:
            await self._app(scope, await self._let_in(scope, receive), answer)
        except _RefusedError as refused:
            if refused.status == 413:
                await _drained(receive)
            if refused.call is not None:
                words = catalogue(of_scope(scope)).say(str(refused))
                result = {"content": [{"type": "text", "text": words}], "isError": True}
                told = JSONResponse({"jsonrpc": "2.0", "id": refused.call, "result": result}, headers=refused.headers)
                await told(scope, receive, answer)
                return
            await self._sorry(scope, str(refused), refused.status, refused.headers)(scope, receive, answer)
        except Exception as error:
            if answer.begun and isinstance(error.__cause__, HTTPException):  # Gradio's, for the events of an unknown job
                logger.info("the answer at %s broke off: %s", scope["path"], error.__cause__.detail)
                return
            if answer.begun:
                raise
            if is_disk_full(error):
                logger.error("at %s: %s", scope["path"], error)
                _sweep()
                words = "The disk of this gallery is full. Please come back later."
                await self._sorry(scope, words, 507)(scope, receive, answer)
                return
            number = secrets.token_hex(4)
            logger.error("error %s at %s", number, scope["path"], exc_info=error)
            await self._sorry(scope, f"Something went wrong on our side (number {number} in the log). Please try again.",
                              500)(scope, receive, answer)

    def _believed(self, name: bytes, value: bytes) -> bool:
        if name in FORWARDED:
            return self._behind_proxy
        if name == b"range":  # others make Gradio stumble
            match = RANGE.fullmatch(value)
            return bool(match and (not match[2] or int(match[1]) <= int(match[2])))
        return True

    @staticmethod
    def _sorry(scope: Scope, sentence: str, status: int, headers: dict[str, str] | None = None) -> Response:
        """As whoever asked shows it, in his language: the class room's pages, Gradio's uploads, Gradio's events."""
        path, sentence = scope["path"], catalogue(of_scope(scope)).say(sentence)
        if path.startswith("/gradio_api/upload"):
            return PlainTextResponse(sentence, status, headers)
        return JSONResponse({"sorry" if path.startswith("/room") else "detail": sentence}, status, headers)

    async def _let_in(self, scope: Scope, receive: Receive) -> Receive:
        """What the house shall read the request from. Raises _RefusedError."""
        path, method, who = scope["path"], scope["method"], visitor(scope)
        if self._password and secrets.compare_digest(Headers(scope=scope).get(INSIDE, "").encode(), self._password.encode()):
            who = None
        if not UNCOUNTED.match(path):
            self._count("requests", who)
        if self._tools is not None and path.rstrip("/") == TOOLS:
            return await self._let_call(method, self._tools, receive, who)
        own = path.split("/")[1] in self._own
        if method in ("GET", "HEAD"):
            if not own and not READ.fullmatch(path):
                raise _RefusedError(404, "There is nothing at this address.")
            if path.startswith("/gradio_api/file=") and "://" in path:
                raise _RefusedError(403, "Files of other places are not fetched here.")
            return receive
        if method == "POST" and own:
            if VOTED.fullmatch(path):
                self._count("votes", who)
            return receive
        if method != "POST" or not POSTED.fullmatch(path):
            raise _RefusedError(404, "There is nothing at this address.")
        headers = Headers(scope=scope)
        most = MAX_UPLOAD_BYTES if path == "/gradio_api/upload" else MAX_POST_BYTES
        told = headers.get("content-length", "")
        length = int(told) if told.isdecimal() else most
        if length > most:
            raise _RefusedError(413, f"{length / 2**20:.0f} MB were sent at once; the limit is {most // 2**20} MB. Please send "
                                     "less.")
        if path == "/gradio_api/upload":
            self._count("uploads", who)
            self._count("megabytes", who, math.ceil(length / 2**20))
            return _measured(receive, most)
        body = await _whole(receive, most)
        if path in ("/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/reset/"):
            return _again(body, receive)
        sent = _read(body)
        name = path.removeprefix("/gradio_api/call/").removeprefix("v2/").strip("/")
        asked = sent.get("fn_index") if path.endswith("/join") else name
        event = self._event_of(asked) if isinstance(asked, int | str) else None
        if event is None:
            raise _RefusedError(404, "There is nothing of this name to be called.")
        kind, takes = event
        data = sent.get("data")
        if isinstance(data, list) and len(data) < takes and not path.startswith("/gradio_api/call/v2/"):
            raise _RefusedError(400, f"This takes {takes} values; {len(data)} were sent.")
        if kind in ("heavy", "quiz", "quiz-rounds"):
            self._count("jobs" if kind == "heavy" else "votes", who)
        return _again(body, receive)

    async def _let_call(self, method: str, tools: Mapping[str, list[str]], receive: Receive, who: str | None) -> Receive:
        """As `_let_in`, for an assistant: a call of a tool is a job."""
        if method != "POST":  # there is no news beside the answers, and the protocol says it so
            raise _RefusedError(405, "There is nothing at this address.")
        body = await _whole(receive, MAX_TOOL_BYTES)
        sent = _read(body)
        if sent.get("method") != "tools/call":
            return _again(body, receive)
        asked = sent.get("params")
        asked = asked if isinstance(asked, dict) else {}
        given = asked.get("arguments")
        pictures = [given.get(name) for name in tools.get(str(asked.get("name")), ())] if isinstance(given, dict) else []
        try:
            self._count("jobs", who)
            if any(isinstance(picture, str) and not picture.startswith("data:") for picture in pictures):
                raise _RefusedError(400, "Pictures are uploaded here, not fetched from an address. Please send the file "
                                         "itself.")
        except _RefusedError as refused:
            refused.call = sent.get("id")
            raise
        return _again(body, receive)

    def _count(self, kind: str, who: str | None, cost: int = 1) -> None:
        """who: None for the house itself."""
        if who is not None and (over := self._limits.over(kind, who, cost)):
            raise _RefusedError(429, *over)


class _Answer:
    """Sends what the house answers, with its headers."""

    def __init__(self, path: str, send: Send, scripts: list[str]) -> None:
        self._path = path
        self._send = send
        self._scripts = scripts
        self._held: Message | None = None
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            if self._path == "/" and headers.get("content-type", "").startswith("text/html"):
                self._held = message  # until the page is seen, whose scripts its policy names
                return
            headers.setdefault("Content-Security-Policy", FILE_POLICY if "/file=" in self._path else policy())
        elif self._held is not None and message["type"] == "http.response.body":
            found = INLINE.findall(message.get("body", b"").decode("utf-8", "replace"))
            MutableHeaders(scope=self._held)["Content-Security-Policy"] = policy([*map(hashed, found), *self._scripts])
            held, self._held = self._held, None
            await self._send(held)
        await self._send(message)


def _read(body: bytes) -> dict[str, object]:
    """The JSON object of a call, in which every file is one that was uploaded here, or made here.

    Gradio would fetch a file that is named by an address, whatever its size, and hand on the path of any file of this machine
    that comes without "meta".
    """
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, "What was sent is no JSON.") from error
    if not isinstance(sent, dict):
        raise _RefusedError(400, "What was sent is no JSON object.")
    folder = Path(get_upload_folder()).resolve()
    todo: list[object] = [sent]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            path = one.get("path")
            if isinstance(path, str):
                if "://" in path or path.startswith("//"):
                    raise _RefusedError(400, "Pictures are uploaded here, not fetched from an address. Please send the file "
                                             "itself.")
                if not _lies_in(path, folder) or not isinstance(one.get("meta", {}), dict):
                    raise _RefusedError(400, "The file did not arrive. Please upload it again.")
            todo.extend(one.values())
        elif isinstance(one, list):
            todo.extend(one)
    return sent


def _lies_in(path: str, folder: Path) -> bool:
    try:
        return Path(path).resolve().is_relative_to(folder)
    except (OSError, ValueError, RuntimeError):
        return False


def _sweep() -> None:
    """Throws away the halves of uploads for which there was no room; nothing is written into them for a minute."""
    for half in Path(get_upload_folder()).glob("tmp*"):
        if half.is_file() and time.time() - half.stat().st_mtime > 60:
            half.unlink(missing_ok=True)


async def _drained(receive: Receive) -> None:
    """Hears no more of the body, until it ends or patience does."""
    try:
        async with asyncio.timeout(LINGER):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def _whole(receive: Receive, most: int) -> bytes:
    """The body. Raises _RefusedError beyond `most` bytes, and if whoever sent it has left."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _RefusedError(400, "The connection broke.")
        body += message.get("body", b"")
        if len(body) > most:
            raise _RefusedError(413, f"More than {most // 2**20} MB were sent at once. Please send less.")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """The body, given once more."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _measured(receive: Receive, most: int) -> Receive:
    """An upload, counted as it comes. Gradio's parser throws its half-written files away for MultiPartException only; at any
    other end of the connection they would stay on the disk for good."""
    received = 0

    async def count() -> Message:
        nonlocal received
        message = await receive()
        if message["type"] == "http.disconnect":
            raise MultiPartException("The upload broke off.")
        received += len(message.get("body", b""))
        if received > most:
            await _drained(receive)
            raise MultiPartException(f"This upload exceeds the maximum allowed size of {most // 2**20} MB. Please send less.")
        return message

    return count
