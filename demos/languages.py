"""The gallery's languages. Code speaks English; at the door of the page every sentence is looked up in a catalogue.

A catalogue is `assets/languages/<language>.json`: English sentence -> the same in that language. A sentence with values has
numbered places for them, in the order of the English f-string: "Round {0} of {1}". The translation may put them elsewhere and
may choose a form by a number: "{0} {0|картинка|картинки|картинок}". Values are looked up too. Wall texts are whole files,
`assets/languages/<language>/<room>.md`.

So the rooms and the core know nothing of languages: an f-string of an error or of a museum label is found by its fixed words.
A catalogue in JSON, not gettext's, since it needs no compiled twin, and the standard library reads it.
`tests/test_languages.py` reads the sources and the built page and fails for a sentence that lacks a translation.
"""

import html
import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

ASSETS = Path(__file__).resolve().parents[1] / "assets"
LANGUAGES = {"en": "English", "ko": "한국어", "ru": "Русский"}
"""Code -> its own name, in the order of the switch. The first is the code's own."""
COOKIE = QUERY = "language"
LONGEST = 2000
"""Characters of a sentence that is looked up; anything longer is a visitor's or a picture."""

language: ContextVar[str] = ContextVar("language", default="en")
"""Of the visitor whose request is being answered."""

_PLACE = re.compile(r"\{(\d+)\}")
_CHOICE = re.compile(r"\{(\d+)\|([^{}]*)\}")
_MARKUP = re.compile(r"""<!--.*?-->|<(script|style)\b.*?</\1>|</?[A-Za-z](?:[^<>"']|"[^"]*"|'[^']*')*>""", re.DOTALL)
_WITHIN = re.compile(r"</?(?:b|i|em|strong|kbd|sub|sup)>")
"""Tags that belong to a sentence; any other ends it."""
_SPOKEN = re.compile(r'(?<=[\s"])(alt|aria-label|title|placeholder|data-say-\w+)="([^"]*)"')
_SEAM = r"(?<=[.!?]) (?=[A-Z])"
_LETTER = re.compile(r"[^\W\d_]")


class Catalogue:
    """The sentences of one language."""

    def __init__(self, sentences: Mapping[str, str], texts: Mapping[str, str], forms: str = "") -> None:
        """texts: English wall text -> translated. forms: "ru" counts as Russian does, otherwise there is one form."""
        self._sentences, self._texts, self._forms = sentences, texts, forms
        # The most fixed words win: "{0} of {1} right" before "{0} right".
        templates = sorted((english for english in sentences if _PLACE.search(english)),
                           key=lambda english: -len(_PLACE.sub("", english)))
        self._templates = [(pattern(english), sentences[english]) for english in templates]
        self.say = lru_cache(4096)(self._say)

    def _say(self, sentence: str) -> str:
        """The sentence in this language; as it came where the catalogue lacks it."""
        found = self._sentences.get(sentence)
        if found is not None:
            return found
        if len(sentence) > LONGEST or not _LETTER.search(sentence):
            return sentence
        for english, translated in self._templates:
            if match := english.fullmatch(sentence):
                return self._filled(translated, match.groups())
        for seam, between in ((" · ", " · "), (_SEAM, " ")):  # several things, or several sentences, in one line
            several = re.split(seam, sentence)
            if len(several) > 1:
                return between.join(map(self.say, several))
        return sentence

    def _filled(self, translated: str, values: tuple[str, ...]) -> str:
        chosen = _CHOICE.sub(lambda match: self._form(values[int(match[1])], match[2].split("|")), translated)
        return _PLACE.sub(lambda match: self._value(values[int(match[1])]), chosen)

    def _value(self, value: str) -> str:
        """A value may be a sentence of the catalogue too, and may have lost its capital in the middle of another."""
        if self._forms == "ru" and re.fullmatch(r"-?\d+\.\d+", value):
            return value.replace(".", ",")
        found = self.say(value)
        if found != value or not value[:1].islower():
            return found
        capital = value[0].upper() + value[1:]
        found = self.say(capital)
        return value if found == capital else found[0].lower() + found[1:]

    def _form(self, value: str, forms: list[str]) -> str:
        """Russian: 1, 21 картинка; 2, 3, 4 картинки; 5, 11, 12 картинок; 1.5 картинки."""
        if self._forms != "ru" or not value.isdecimal():
            return forms[min(1, len(forms) - 1)]
        last, tens = int(value) % 10, int(value) % 100
        if last == 1 and tens != 11:
            return forms[0]
        return forms[1] if 2 <= last <= 4 and not 12 <= tens <= 14 else forms[2]

    def markup(self, markup: str) -> str:
        """As `say`, for each sentence between the tags, and for what is read out: alternative texts, labels, titles."""
        return "".join(self._spoken(part) if tag else self._between(part) for tag, part in parts(markup))

    def text(self, text: str) -> str:
        """A wall text, or a sentence in Markdown."""
        found = self._texts.get(text.strip())
        return self.say(text) if found is None else found

    def _between(self, part: str) -> str:
        words = part.strip()
        if not words:
            return part
        plain = words if _WITHIN.search(words) else html.unescape(words)
        found = self.say(plain)
        if found == plain:
            return part
        return part.replace(words, found if plain is words else html.escape(found, quote=False))

    def _spoken(self, tag: str) -> str:
        return _SPOKEN.sub(lambda match: f'{match[1]}="{html.escape(self.say(html.unescape(match[2])))}"', tag)


def pattern(english: str) -> re.Pattern[str]:
    """What an English sentence with values looks like once they are in it.

    One with hardly a word of its own, such as "{0} of {1}", has numbers there: it would fit half the language otherwise.
    """
    fixed = _PLACE.split(english)
    few = english.startswith("{") and len(_LETTER.findall("".join(fixed[::2]))) < 6
    value = r"([\d.,−-]+)" if few else "(.+)"
    return re.compile("".join(re.escape(part) if i % 2 == 0 else value for i, part in enumerate(fixed)), re.DOTALL)


def parts(markup: str) -> list[tuple[bool, str]]:
    """(whether it is a tag, its source) of markup; tags within a sentence stay in it."""
    found: list[tuple[bool, str]] = []
    begin = 0
    for match in _MARKUP.finditer(markup):
        if _WITHIN.fullmatch(match[0]):
            continue
        found += [(False, markup[begin : match.start()]), (True, match[0])]
        begin = match.end()
    return [*found, (False, markup[begin:])]


def spoken(markup: str) -> list[str]:
    """All that `Catalogue.markup` looks up in it."""
    found = []
    for tag, part in parts(markup):
        words = part.strip()
        if tag:
            found += [html.unescape(match[2]) for match in _SPOKEN.finditer(part)]
        elif words:
            found.append(words if _WITHIN.search(words) else html.unescape(words))
    return [words for words in found if _LETTER.search(words)]


@cache
def catalogue(code: str) -> Catalogue:
    """Of a language of LANGUAGES; English has an empty one."""
    folder = ASSETS / "languages"
    if code == "en":
        return Catalogue({}, {})
    sentences = json.loads((folder / f"{code}.json").read_text(encoding="utf-8"))
    texts = {(ASSETS / "text" / path.name).read_text(encoding="utf-8").strip(): path.read_text(encoding="utf-8")
             for path in (folder / code).glob("*.md")}
    return Catalogue(sentences, texts, code)


def say(sentence: str) -> str:
    """The sentence in the language of the visitor whose request is being answered."""
    return catalogue(language.get()).say(sentence)


def switch(code: str) -> str:
    """Links to the page in each language; each is written, and read out, in its own. code: the one that the page has."""
    links = []
    for other, name in LANGUAGES.items():
        here = ' aria-current="true"' if other == code else ""
        links.append(f'<a href="?{QUERY}={other}" lang="{other}" hreflang="{other}"{here}>{name}</a>')
    return "".join(links)


def wanted(query: Mapping[str, str], cookies: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The language of a request: that of its address, else the one chosen before, else the browser's first that is here."""
    for given in (query.get(QUERY), cookies.get(COOKIE)):
        if given in LANGUAGES:
            return str(given)
    ranked = []
    for entry in headers.get("accept-language", "").split(","):
        code, _, weight = entry.partition(";q=")
        try:
            ranked.append((-float(weight or 1), code.strip().lower().partition("-")[0]))
        except ValueError:
            continue
    return next((code for _, code in sorted(ranked, key=lambda entry: entry[0]) if code in LANGUAGES), "en")


def of_scope(scope: Mapping[str, Any]) -> str:
    """The language of an ASGI scope's request."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
    return wanted(query, _cookies(headers.get("cookie", "")), headers)


def _cookies(header: str) -> dict[str, str]:
    """The one cookie that is looked for; a browser may send others that Python's reader refuses."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return {COOKIE: value}
    return {}


# --- what a component shows -------------------------------------------------------------------------------------------


def shown(kind: str, props: dict[str, Any], words: Catalogue) -> dict[str, Any]:
    """A component's properties in another language: what is seen, never what is sent. kind: Gradio's name, "dropdown"."""
    said = dict(props)
    for name in ("label", "info", "placeholder", "alt_text"):
        if isinstance(props.get(name), str):
            said[name] = words.say(props[name])
    if isinstance(props.get("choices"), list):
        said["choices"] = [[words.say(str(one[0])), one[1]] if isinstance(one, list | tuple) else [words.say(str(one)), one]
                           for one in props["choices"]]
    if isinstance(props.get("sample_labels"), list):
        said["sample_labels"] = [words.say(name) for name in props["sample_labels"]]
    if isinstance(props.get("initial_tabs"), list):
        said["initial_tabs"] = [shown("tabitem", tab, words) if isinstance(tab, dict) else tab for tab in props["initial_tabs"]]
    if isinstance(props.get("html_template"), str):
        said["html_template"] = words.markup(props["html_template"])
    if "value" in props:
        said["value"] = shown_value(kind, props["value"], words)
    return said


def shown_value(kind: str, value: Any, words: Catalogue) -> Any:  # noqa: ANN401 - a component's own
    """A component's value in another language. What a visitor wrote, and what programs read, stays as it is."""
    if kind == "html" and isinstance(value, str):
        return words.markup(value)
    if kind == "html" and isinstance(value, dict) and "palette" in value:
        return {**value, "palette": [[words.say(name), tone] for name, tone in value["palette"]],
                "first": words.say(value["first"])}
    if kind == "markdown" and isinstance(value, str):
        return words.text(value)
    if kind == "button" and isinstance(value, str):
        return words.say(value)
    if kind == "gallery" and isinstance(value, list):
        return [{**one, "caption": words.say(one["caption"])} if isinstance(one, dict) and isinstance(one.get("caption"), str)
                else one for one in value]
    return value
