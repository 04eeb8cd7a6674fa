"""Stands between the page and its visitor: one page, one queue and one API, and each visitor reads them in his own language."""

from collections.abc import Iterable, Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

import gradio as gr

from demos.install import HEAD
from demos.languages import COOKIE, LANGUAGES, QUERY, Catalogue, catalogue, language, of_scope, shown, shown_value, wanted

YEAR = 365 * 24 * 3600
OWN_WORDS = "<script>Object.defineProperty(navigator, 'language', {value: '%s'});</script>"
"""Gradio takes the language of its own words, such as "Drop image here", and of the document from there."""


class Page(gr.Blocks):
    """A page whose configuration and whose handlers' results are told in the language of the request at hand."""

    @property
    def config(self) -> Any:  # noqa: ANN401 - gradio's own
        code = language.get()
        if code not in self._configs:
            self._configs[code] = config_in(self._configs["en"], catalogue(code))
        return self._configs[code]

    @config.setter
    def config(self, config: Any) -> None:  # noqa: ANN401
        self._configs = {"en": config}

    async def process_api(self, block_fn: Any, inputs: list[Any], state: Any = None, request: Any = None,  # noqa: ANN401
                          *args: Any, **settings: Any) -> dict[str, Any]:  # noqa: ANN401
        """As Gradio's, with the language of the visitor who asked, which is that of nobody else meanwhile."""
        before = language.set(of_event(request))
        try:
            return await super().process_api(block_fn, inputs, state, request, *args, **settings)
        except gr.Error as error:
            words = catalogue(language.get())
            error.message, error.title = words.say(error.message), words.say(error.title)
            raise
        finally:
            language.reset(before)

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:  # noqa: ANN401
        found = await super().postprocess_data(block_fn, predictions, state)
        if language.get() == "en" or block_fn.api_visibility == "public":  # programs read what the interface says
            return found
        words = catalogue(language.get())
        return [result_in(block, one, words) for block, one in zip(block_fn.outputs, found, strict=True)]


def result_in(block: Any, result: Any, words: Catalogue) -> Any:  # noqa: ANN401
    """A handler's result for one component, in another language."""
    kind = block.get_block_name()
    if isinstance(result, dict) and result.get("__type__") == "update":
        return shown(kind, result, words)
    return shown_value(kind, result, words)


def config_in(config: Mapping[str, Any], words: Catalogue) -> dict[str, Any]:
    """A page's configuration in another language. What is not shown is shared with the original."""
    components = [{**one, "props": shown(one["type"], one["props"], words)} for one in config["components"]]
    return {**config, "title": words.say(config["title"]), "components": components}


def of_event(request: Any) -> str:  # noqa: ANN401
    """The language of whoever caused an event; English where nobody can be asked, as in a call of this process's own."""
    one: Any = request[0] if isinstance(request, list) and request else request
    if one is None or getattr(one, "request", None) is None:
        return "en"
    return wanted(one.query_params, one.cookies, one.headers)


class Interpreter:
    """ASGI middleware: finds out a request's language, remembers one that was chosen, marks the page as written in it."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        code = of_scope(scope)
        asked = parse_qs(scope["query_string"].decode("latin-1")).get(QUERY, [""])[-1]
        chosen = code if asked == code else None
        start: dict[str, Any] = {}

        async def answer(message: dict[str, Any]) -> None:
            """Pages are small and come in one piece; anything else passes as it is."""
            if message["type"] == "http.response.start":
                if not any(name == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"]):
                    await send(message)
                else:
                    start.update(message)
                return
            if start:
                body = b"" if message.get("more_body") else marked(message.get("body", b""), code)
                kept = [(name, value) for name, value in start["headers"] if name != b"content-length" or not body]
                added = [(b"content-length", str(len(body)).encode())] if body else []
                await send({**start, "headers": [*kept, *added, *headers_of(chosen, scope["scheme"] == "https")]})
                start.clear()
                message = {**message, "body": body} if body else message
            await send(message)

        before = language.set(code)
        try:
            await self.app(scope, receive, answer)
        finally:
            language.reset(before)


def marked(body: bytes, code: str) -> bytes:
    """A page's source with its language, and, of Gradio's page, with what tells Gradio and with what systems read of it: they
    would not wait for the script by which Gradio adds to its head."""
    body = body.replace(b'lang="en"', f'lang="{code}"'.encode(), 1)
    if b"window.gradio_config" in body:
        body = body.replace(b"<head>", b"<head>" + (OWN_WORDS % code + HEAD).encode(), 1)
    return body


def headers_of(chosen: str | None, secure: bool) -> Iterable[tuple[bytes, bytes]]:
    yield b"vary", b"Cookie, Accept-Language"
    if chosen in LANGUAGES:
        cookie: SimpleCookie = SimpleCookie({COOKIE: str(chosen)})
        # Third parties' frames, as on Spaces, get their cookies only so.
        cookie[COOKIE].update({"path": "/", "max-age": str(YEAR), "samesite": "None" if secure else "Lax"})
        if secure:
            cookie[COOKIE]["secure"] = "1"
        yield b"set-cookie", cookie[COOKIE].OutputString().encode()
