"""Where things come from: every picture has a stated origin, every package an exact version."""

import fnmatch
import re

from gm_core.checkpoints import CHECKPOINTS
from gm_core.styles import STYLES
from tests.served import ROOT

ASSETS = ROOT / "assets"
PICTURES = {".png", ".webp", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".svg", ".ico"}
ROWS = [[cell.strip() for cell in line.strip("|").split("|")]
        for line in (ASSETS / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]


def pictures():
    return [path.relative_to(ASSETS).as_posix() for path in sorted(ASSETS.rglob("*")) if path.suffix.lower() in PICTURES]


def covers(pattern, file):
    """As a shell would: a star stays in its folder."""
    return pattern.count("/") == file.count("/") and fnmatch.fnmatchcase(file, pattern)


def test_every_picture_has_a_stated_origin():
    patterns = [row[0].strip("`") for row in ROWS]
    assert len(pictures()) > 40
    for file in pictures():
        found = [pattern for pattern in patterns if covers(pattern, file)]
        assert len(found) == 1, f"assets/README.md must say of {file} where it comes from, once: {found}"
    for pattern in patterns:
        assert any(covers(pattern, file) for file in pictures()), f"there is no {pattern} any more"


def test_every_origin_is_something_that_is_there():
    """The module that made it exists, and so do the checkpoints that it names."""
    names = {record.name for record in CHECKPOINTS}
    for file, what, maker, source in ROWS:
        assert what and maker and source, file
        for module in re.findall(r"`((?:demos|gm_core|tests)\.[\w.]+)`", maker):
            path = ROOT / (module.replace(".", "/") + ".py")
            assert path.exists() or path.parent.with_suffix(".py").exists(), f"{file}: {module}"
        if "with " in maker:
            said = set(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)+", maker.split("with ")[1]))
            assert said and said <= names, f"{file}: {said - names}"
    assert {path for path in pictures() if path.startswith("examples/styles/")} == {
        f"examples/styles/{style.key}.webp" for style in STYLES}


def test_what_is_not_a_picture_needs_no_origin_and_what_is_does():
    """The test above can fail."""
    assert covers("examples/styles/*.webp", "examples/styles/x.webp")
    assert not covers("examples/*.webp", "examples/styles/x.webp") and not covers("text/*.svg", "text/x.png")


def test_every_package_has_an_exact_version():
    for file in ("requirements.txt", "tests/requirements.txt"):
        lines = [line.strip() for line in (ROOT / file).read_text().splitlines()]
        lines = [line for line in lines if line and not line.startswith("#")]
        assert lines
        for line in lines:
            assert re.fullmatch(r"[A-Za-z0-9_.-]+(\[[\w,-]+\])?==\d+(\.\w+)*", line), f"{file}: {line}"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    gradio = re.search(r"^gradio==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert gradio and f"sdk_version: {gradio[1]}\n" in readme


def test_the_table_of_faults_names_tests_that_are_there():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.split("### When something fails")[1].split("## Licence")[0]
    named, file = 0, ""
    for found in re.findall(r"`(tests/[\w/]+\.py)?::(test_\w+)`", table):
        file = found[0] or file
        assert f"def {found[1]}(" in (ROOT / file).read_text(encoding="utf-8"), found
        named += 1
    assert named >= 20
