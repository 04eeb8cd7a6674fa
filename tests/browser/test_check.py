"""A visitor who compares checkpoints: the report by itself, opened without a network, and the room that shows it."""

import json
import re
from contextlib import contextmanager

import pytest
from PIL import Image
from playwright.sync_api import expect
from safetensors.torch import save

from gm_core.check.cases import Inputs, cases, read_settings
from gm_core.check.report import page as written
from gm_core.check.run import check
from gm_core.check.sources import sources
from tests.browser.rooms import enter
from tests.check.tiny import network, saved
from tests.hubs import olah, publish
from tests.served import serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cat(photograph):
    with Image.open(photograph) as image:
        return image.convert("RGB")


@pytest.fixture
def opened(browser, tmp_path):
    """Opens an outcome's report from the disk. Fails on a script error, and on any request."""
    errors, pages = [], []

    def open_(outcome, width=1280):
        path = tmp_path / "report.html"
        path.write_text(written(outcome), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.on("request", lambda sent: None if sent.url.startswith(("file:", "data:", "blob:")) else errors.append(sent.url))
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_
    for page in pages:
        page.close()
    assert not errors, errors


def transforms(page, row):
    pictures = page.locator("#wall .wall-row").nth(row).locator(".view img")
    return pictures.evaluate_all("all => all.map(one => one.style.transform)")


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_compares(opened, cat, tmp_path, width):
    parts = {"eyes": cat.crop((90, 60, 218, 188)), "nose": cat.crop((150, 100, 278, 228))}
    (tmp_path / "cut.safetensors").write_bytes(b"nothing")
    wanted, notes = cases("srgan", Inputs(references=parts), side=32)
    found, _ = sources(["srresnet-x4", "srgan-x4", str(tmp_path / "cut.safetensors")])
    page = opened(check("srgan", found, wanted, notes=notes), width)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"
    assert "Nearest to the references" in page.inner_text(".verdict")
    assert "cut" in page.inner_text(".notes") and "not a whole safetensors" in page.inner_text(".notes")
    rows = page.locator("#wall .wall-row")
    assert rows.count() == 2 and rows.first.locator("figure").count() == 4

    page.locator("#tools [data-zoom='4']").click()
    assert len(set(transforms(page, 0))) == 1 and "scale(4)" in transforms(page, 0)[0]
    view = page.locator("#wall .view img").first
    view.scroll_into_view_if_needed()
    box = view.locator("..").bounding_box()
    before, other = transforms(page, 0), transforms(page, 1)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 - 30, box["y"] + box["height"] / 2 - 20, steps=3)
    page.mouse.up()
    after = transforms(page, 0)
    assert after != before and len(set(after)) == 1, "the crop is locked across the row"
    assert transforms(page, 1) == other
    page.locator("#tools [data-zoom='1']").click()

    page.get_by_role("button", name="Difference").click()
    expect(page.locator("#wall canvas")).to_have_count(6, timeout=60_000)  # all but the reference
    assert page.evaluate("(() => { const c = document.querySelector('#wall canvas'), p = c.getContext('2d');"
                         " return p.getImageData(0, 0, c.width, c.height).data.some((v, i) => i % 4 < 3 && v > 0); })()")

    stage = page.locator("#stage")
    stage.scroll_into_view_if_needed()
    assert page.locator("#stage-a").get_attribute("src") != page.locator("#stage-b").get_attribute("src")
    box = stage.bounding_box()
    assert box["width"] > 250
    page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    clip = page.evaluate("document.getElementById('stage-b').style.clipPath")
    cut = re.fullmatch(r"inset\(0(?:px)? 0(?:px)? 0(?:px)? ([\d.]+)%\)", clip)
    assert float(cut[1]) == pytest.approx(25, abs=1)
    page.get_by_label("Line between A and B").press("ArrowRight")
    assert float(page.evaluate("document.getElementById('stage-line').style.left").strip("%")) == pytest.approx(25.5, abs=1)
    page.get_by_label("Hang Reference as A").nth(1).click()
    expect(page.locator("#stage-side")).to_contain_text("A: Reference", timeout=60_000)


def test_a_strip_and_a_grid_of_settings(opened, cat, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for i in (1, 2, 10):
        saved(run / f"style_{i}.safetensors", "transformer", i)
    settings = read_settings("style_transfer", ["strength=0.3,1"])
    wanted, _ = cases("style_transfer", Inputs({"eyes": cat.crop((90, 60, 154, 124))}), settings=settings)
    page = opened(check("style_transfer", sources([str(run)])[0], wanted))
    marks = page.locator(".film button").all_inner_texts()
    assert marks == ["1", "2", "10"]
    large = page.locator("[data-strip] .view img")
    last = large.get_attribute("src")
    page.locator(".film button").first.click()
    assert large.get_attribute("src") != last and page.inner_text(".strip-mark").startswith("1")
    page.locator("[data-strip] input[type=range]").press("ArrowRight")
    assert page.inner_text(".strip-mark").startswith("2")
    assert page.locator(".chart circle").count() == 2, "the change from epoch to epoch"

    assert page.locator("#wall h3").all_inner_texts() == ["strength 0.3", "strength 1.0"]
    page.get_by_label("Columns").select_option("strength")
    assert page.locator("#wall h3").count() == 3 and page.locator("#wall .wall-row").first.locator("figure").count() == 2


# --- the room -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("gallery"), "app.py", GM_HUB_ALLOW="anyone/*") as url:
        yield url


@pytest.fixture
def room(browser, address, request, tmp_path_factory):
    with entered(browser, address, request, tmp_path_factory) as page:
        yield page


@contextmanager
def entered(browser, address, request, tmp_path_factory):
    page = browser.new_page(viewport={"width": getattr(request, "param", 1280), "height": 900})
    page.set_default_timeout(180_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    inside = (address, "data:", "blob:", "about:")
    page.on("request", lambda sent: None if sent.url.startswith(inside) else errors.append(sent.url))
    page.goto(address)
    enter(page, "Check a checkpoint")
    page.wait_for_selector("#check-result img")
    yield page
    page.screenshot(path=tmp_path_factory.mktemp("screens") / f"{request.node.name[:60].replace('/', '-')}.png", full_page=True)
    page.close()
    assert not errors, errors


def choose(room, task):
    room.click("#check-task input")
    room.get_by_role("option", name=task).click()


@pytest.mark.parametrize("room", [1280, 390], indirect=True)
def test_two_checkpoints_are_compared_and_the_report_is_taken_home(room, cat, tmp_path):
    cat.crop((90, 60, 154, 124)).save(tmp_path / "eyes.png")
    choose(room, "Super-resolution")
    room.wait_for_selector("#check-chosen >> text=SRResNet x4")
    room.set_input_files("#check-inputs input[type=file]", tmp_path / "eyes.png")
    room.wait_for_selector("#check-inputs >> text=eyes")
    room.click("#check-run")
    room.wait_for_selector("#check-report-file:visible")
    report = room.frame_locator("#check-result iframe")
    report.locator("#wall figure").first.wait_for()
    assert report.locator("#wall figure").count() == 3
    assert "Super-resolution" in report.locator("h1").inner_text()
    with room.expect_download() as download:
        room.click("#check-figures-file")
    told = json.loads(download.value.path().read_text(encoding="utf-8"))
    assert told["fine"] and [one["label"] for one in told["checkpoints"]] == ["srgan-x4", "srresnet-x4"]
    assert room.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"


def test_what_the_page_does_not_do_gets_a_sentence(room):
    choose(room, "Super-resolution")
    room.wait_for_selector("#check-chosen >> text=SRResNet x4")
    for words, sentence in (("someone/else@main", "may not fetch someone/else"), ("/etc/passwd", "is no name of the table"),
                            ("anyone/net@main", "HF_HUB_OFFLINE")):
        room.fill("#check-repositories textarea", words)
        room.click("#check-run")
        room.wait_for_selector(f"text={sentence}")
        room.wait_for_selector("#check-run:enabled")
    room.fill("#check-repositories textarea", "")
    room.click("text=Settings >> visible=true")
    seeds = room.locator("#check-seeds input, #check-seeds textarea")
    room.wait_for_timeout(500)  # a form that just opened may still take its own value over
    seeds.fill("0-99")
    seeds.press("Tab")
    room.wait_for_timeout(300)
    assert seeds.input_value() == "0-99"
    room.click("#check-run")
    room.wait_for_selector("text=100 seeds are more")


def test_a_repository_is_fetched_only_once_its_size_and_licence_were_agreed_to(browser, request, cat, tmp_path,
                                                                               tmp_path_factory):
    weights = save(network("srresnet").state_dict())
    commit = publish(tmp_path / "remote", "anyone/net", {"model.safetensors": weights, "README.md": b"---\nlicense: mit\n---\n",
                                                      "config.json": b'{"upscale": 4}'})
    cat.crop((90, 60, 154, 124)).save(tmp_path / "eyes.png")
    online = {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "GM_HUB_ALLOW": "anyone/*"}
    with (olah(tmp_path / "remote") as endpoint, serving(tmp_path, "app.py", HF_ENDPOINT=endpoint, **online) as address,
          entered(browser, address, request, tmp_path_factory) as room):
        choose(room, "Super-resolution")
        room.wait_for_selector("#check-chosen >> text=SRResNet x4")
        room.set_input_files("#check-inputs input[type=file]", tmp_path / "eyes.png")
        room.wait_for_selector("#check-inputs >> text=eyes")
        room.fill("#check-repositories textarea", "anyone/net@main")
        room.click("#check-run")
        room.wait_for_selector(".check-asked")
        asked = room.inner_text(".check-asked")
        assert "anyone/net" in asked and commit[:8] in asked and "licence mit" in asked and "MB in 2 files" in asked
        assert not list((tmp_path / "hub").rglob("*.safetensors")), "nothing was fetched yet"
        room.wait_for_selector("#check-run:enabled")
        room.click("#check-run")
        room.wait_for_selector("#check-report-file:visible")
        with room.expect_download() as download:
            room.click("#check-figures-file")
        told = json.loads(download.value.path().read_text(encoding="utf-8"))
        assert [one["label"] for one in told["checkpoints"]][-1].startswith("anyone/net") and told["fine"]
        assert any(commit in json.dumps(one) for one in told["checkpoints"]), "at the commit that was shown"
        assert list((tmp_path / "hub").rglob("*.safetensors")), "fetched into the cache that HF_HOME names"
