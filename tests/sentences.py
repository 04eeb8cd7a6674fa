"""All that the gallery says in English, read from its sources and from the page it builds."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from demos.languages import Catalogue, spoken

ROOT = Path(__file__).resolve().parents[1]
SPEAKING = [*sorted((ROOT / "demos").glob("*.py")), ROOT / "app.py",
            *(path for path in sorted((ROOT / "gm_core").rglob("*.py"))
              if not {"models", "recipes", "datasets"} & set(path.parts)
              and path.name not in ("bench.py", "convert.py", "metrics.py", "__main__.py", "publish.py", "report.py")
              and (path.parent.name != "cluster" or path.name == "engine.py"))]
"""Networks, recipes, the command line, a cluster's settings and the report of a check speak to programmers, in English."""
ERRORS = {"GMError", "BadInput", "CheckpointError", "Unavailable", "Cancelled"}


class Listening(Catalogue):
    """A catalogue that translates nothing and keeps what it is asked for."""

    def __init__(self) -> None:
        super().__init__({}, {})
        self.asked: set[str] = set()
        self.texts: set[str] = set()
        self.say = self._kept

    def _kept(self, sentence: str) -> str:
        if re.search(r"[^\W\d_]", sentence):
            self.asked.add(sentence)
        return sentence

    def text(self, text: str) -> str:
        self.texts.add(text.strip())
        return text


def template(node: ast.AST) -> str | None:
    """A literal, or an f-string with its values numbered. None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    found, count = "", 0
    for value in node.values:
        if isinstance(value, ast.Constant):
            found += str(value.value)
        else:
            found, count = f"{found}{{{count}}}", count + 1
    return found


def docstrings(tree: ast.AST) -> set[int]:
    """Ids of the constants that stand alone: docstrings, and the words below an attribute."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def annotations(tree: ast.AST) -> set[int]:
    """Ids of all that says of what type something is: names in quotes are no words."""
    found = [getattr(node, place, None) for node in ast.walk(tree) for place in ("annotation", "returns")]
    return {id(node) for said in found if isinstance(said, ast.AST) for node in ast.walk(said)}


def literals(tree: ast.AST) -> Iterator[str]:
    """Every literal and f-string with its template, outermost first; parts of an f-string are not told twice."""
    unseen, parts = docstrings(tree) | annotations(tree), set()
    for node in ast.walk(tree):
        if id(node) in unseen or id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            parts |= {id(value) for value in node.values if isinstance(value, ast.Constant)}
            for value in node.values:
                if isinstance(value, ast.FormattedValue) and value.format_spec is not None:
                    parts |= {id(inner) for inner in ast.walk(value.format_spec)}
        found = template(node)
        if found is not None:
            yield found


def calls(tree: ast.AST, names: Iterable[str], place: int, keyword: str = "") -> Iterator[str]:
    """Templates of what calls of these names are given at a place or under a keyword, both sides of a choice too."""
    wanted = set(names)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called not in wanted:
            continue
        given: list[Any] = [entry.value for entry in node.keywords if entry.arg == keyword]
        given += node.args[place : place + 1]
        for one in given:
            for branch in (one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,):
                found = template(branch)
                if found is not None:
                    yield found


def tree_of(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def errors() -> set[str]:
    """What raised errors say."""
    refusals = calls(tree_of(ROOT / "demos" / "guard.py"), {"_RefusedError"}, 1)
    return {*refusals, *(found for path in SPEAKING for found in calls(tree_of(path), ERRORS, 0))}


def doings() -> set[str]:
    """What tasks report to be doing, and what the line above a result says."""
    found = {one for path in SPEAKING for one in (*calls(tree_of(path), {"report", "tell", "Progress"}, 1),
                                                  *calls(tree_of(path), {"status"}, 1, "words"), *assigned(tree_of(path)))}
    return {one for one in found if is_words(one) or one.isalpha()}


def assigned(tree: ast.AST) -> Iterator[str]:
    """Templates given to the names under which tasks keep what they are doing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("words", "doing"):
            for branch in (node.value.body, node.value.orelse) if isinstance(node.value, ast.IfExp) else (node.value,):
                if found := template(branch):
                    yield found


def said_in_rooms() -> set[str]:
    """Every literal of the rooms that looks like words for a visitor."""
    found: set[str] = set()
    for path in SPEAKING:
        if path.parent.name in ("demos", "quiz") and path.name not in ("guard.py", "hang.py", "languages.py",
                                                                                     "interpreter.py", "tools.py"):
            for text in literals(tree_of(path)):
                found |= {numbered(one) for one in (spoken(text) if "<" in text else [text.strip()]) if is_words(one)}
    return found


def numbered(words: str) -> str:
    """A part of a template, with its values counted from nought."""
    places: dict[str, str] = {}
    return re.sub(r"\{(\d+)\}", lambda match: places.setdefault(match[1], f"{{{len(places)}}}"), words)


def is_words(text: str) -> bool:
    """Several words, or one that begins like a label: no identifier, no style sheet, no script."""
    if re.search(r"=>|;\s*$|\);|const |--[a-z]|^https?:|^\w+=|\.(py|md|svg|css|js|webp|png|json)$", text) or "\n" in text:
        return False
    bare = re.sub(r"\{\d+\}", "", text)
    if not re.search(r"[A-Za-z]{2}", bare):
        return False
    return bool(re.search(r"[A-Za-z]{2,}[^A-Za-z]* .*[A-Za-z]", text)) or bool(re.match(r"[A-Z][a-z]+\b", bare.strip()))

