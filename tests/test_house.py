"""The house's rules, held by reading the code."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted((ROOT / "gm_core").rglob("*.py")), *sorted((ROOT / "demos").rglob("*.py")), ROOT / "app.py"]

STOREYS = [
    {"gm_core", "gm_core.background", "gm_core.errors", "gm_core.public", "gm_core.report"},
    {"gm_core.images"},
    {"gm_core.models", "gm_core.metrics", "gm_core.datasets", "gm_core.styles"},
    {"gm_core.checkpoints"},
    {"gm_core.backends", "gm_core.hub", "gm_core.drawings", "gm_core.translations"},
    {"gm_core.load"},
    {"gm_core.tasks"},
    {"gm_core.quiz"},
    {"gm_core.engine"},
    {"gm_core.cluster"},
    {"gm_core.bench", "gm_core.publish"},
    {"gm_core.convert"},
    {"gm_core.check"},
    {"demos"},
    {"app"},
    {"gm_core.recipes"},
]
"""From the ground up. Who lives on one may import from those below, and from its own package."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """The part of the house that a module belongs to: "gm_core.tasks.srgan" to "gm_core.tasks"."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "gm_core" else parts[0]


def storey(module: str) -> int:
    found = [i for i, rooms in enumerate(STOREYS) if room(module) in rooms]
    assert found, f"{module} has no place in the house: give it one in STOREYS"
    return found[0]


def imports(path: Path) -> set[str]:
    """Modules that the file imports anywhere, in functions too."""
    modules = {module_of(file) for file in SOURCES}
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            module = node.module or ""
            inner = {f"{module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else module for name in inner}
    return found


def ours(module: str) -> bool:
    return module.split(".")[0] in ("gm_core", "demos", "app")


every_file = pytest.mark.parametrize("path", SOURCES, ids=module_of)


@every_file
def test_imports_go_one_way(path):
    module = module_of(path)
    for imported in filter(ours, imports(path)):
        same_package = room(imported) == room(module) and room(module) != "gm_core"
        assert same_package or storey(imported) < storey(module), f"{module} must not import {imported}"


@every_file
def test_gradio_lives_in_the_demos(path):
    if module_of(path).startswith("gm_core"):
        assert not {name for name in imports(path) if name.split(".")[0] in ("gradio", "gradio_client", "demos", "app")}


@every_file
def test_the_core_prints_nothing(path):
    if module_of(path).startswith("gm_core"):
        calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
        assert not [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]


def test_the_reader_of_imports_sees_what_is_there():
    """The rules above would hold of a house that was not looked at."""
    assert "gm_core.load" in imports(ROOT / "gm_core" / "tasks" / "srgan.py")
    assert "demos.srgan" in imports(ROOT / "demos" / "__init__.py")
    assert "huggingface_hub" in imports(ROOT / "gm_core" / "hub.py")
    assert "gradio" in imports(ROOT / "demos" / "start.py")
    assert len(SOURCES) > 20


def test_importing_the_core_is_cheap():
    """Without the libraries that take seconds, in a fresh interpreter."""
    script = ("import gm_core.cluster, gm_core.engine, gm_core.images, gm_core.load, json, sys; "
              "print(json.dumps(sorted(sys.modules)))")
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(process.stdout))
    assert {"gm_core.load", "torch"} <= loaded
    assert not loaded & {"gradio", "diffusers", "transformers", "huggingface_hub", "torchmetrics", "skimage", "ray"}


def test_the_page_opens_without_what_takes_long():
    """torch takes more than a second, a third of the opening; whoever asks for the page has asked for no picture yet."""
    script = "import app, json, sys; app.gallery(); print(json.dumps(sorted(sys.modules)))"
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(process.stdout))
    assert "gradio" in loaded
    assert not loaded & {"torch", "sqlalchemy"}


def test_gradio_comes_without_stubs_and_leaves_nothing_changed():
    """What speeds up its import ends with it."""
    stub = ROOT / "demos" / "base.pyi"
    stub.unlink(missing_ok=True)
    script = ("import inspect; own = inspect.getfile; import app, gc; from demos.base import Picture; "
              "print(inspect.getfile is own, gc.isenabled(), inspect.getfile(Picture).endswith('base.py'))")
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["True", "True", "True"]
    assert not stub.exists()


def test_no_file_names_a_place_of_the_machine_it_was_written_on():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split("\0")
    files = [ROOT / name for name in listed if name.endswith((".py", ".md", ".toml"))]
    assert len(files) > 30
    for file in filter(Path.is_file, files):
        assert not re.findall(r"(?<![\w.$}])/(?:work|root|tmp)/\S*", file.read_text(encoding="utf-8")), file


TOP = {"app.py", "demos", "gm_core", "assets", "tests", "requirements.txt", "README.md", "pyproject.toml", "LICENSE",
       "Dockerfile"}
"""What stands at the top, beside what begins with a dot."""


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name]


def test_the_top_of_the_house_is_as_it_is_drawn():
    assert {name.split("/")[0] for name in tracked() if not name.startswith(".")} <= TOP


def settings_read() -> set[str]:
    """Every `GM_` variable that the code asks for, the kinds of limits one by one."""
    from demos.guard import DEFAULTS

    found = {f"GM_LIMIT_{kind.upper()}" for kind in DEFAULTS}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"GM_[A-Z_]*[A-Z]", node.value):
                found.add(node.value)
    return found


def test_the_table_of_settings_is_complete():
    """Every variable that is read has its row, and every row is read somewhere."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## Settings\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in table.splitlines() if line.startswith("| `")]
    assert all(len(row) == 3 and row[1].strip() for row in rows)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row[0]) if name.startswith("GM_")}
    assert named == settings_read() and len(named) > 10


def test_rules_for_some_pages_only_survive_gradio():
    """Gradio puts a selector inside @media behind its container: one that begins with that, or outside it, never matches."""
    sheet = re.sub(r"/\*.*?\*/", "", (ROOT / "assets" / "gallery.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    blocks = re.findall(r"@media [^{]*\{((?:[^{}]*\{[^{}]*\})*)\s*\}", sheet)
    assert len(blocks) == sheet.count("@media ")
    selectors = [selector for block in blocks for selector in re.findall(r"([^{}]+)\{", block)]
    lost = [selector.strip() for selector in selectors if re.search(r"\.gradio-container|\.projector|\bbody\b|:root", selector)]
    assert selectors and not lost, lost
