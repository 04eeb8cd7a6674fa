"""What a visitor meets who sees little or nothing, or dislikes motion: axe-core's rules, and contrast by the figures."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from demos import DEMOS
from demos.shell import THEME
from tests.browser.rooms import enter, unfold, visiting

pytestmark = pytest.mark.browser

ALLOWED = {
    # Gradio's gallery writes the caption under a thumbnail and says it again as the picture's alternative text.
    ("image-redundant-alt", "thumbnail-lg"),
}
"""(rule, what the markup around the element must contain) of faults in Gradio's own components, which we cannot reach."""
BOTH = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]


def faults(page):
    """What axe-core finds: rule, element, and what is wrong with it."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    told = []
    for rule in found:
        for node in rule["nodes"]:
            around = page.evaluate("path => document.querySelector(path.at(-1))?.closest('button')?.className ?? ''",
                                   node["target"])
            if any(rule["id"] == name and part in around for name, part in ALLOWED):
                continue
            why = [check["message"] for check in node["any"] + node["all"] + node["none"]]
            told.append(f"{rule['id']}: {node['html'][:160]} {why[:1]}")
    return told


def test_the_audit_finds_what_is_wrong(browser):
    """A page without names and contrast: the audit is no empty one."""
    page = browser.new_page()
    page.set_content('<html lang="en"><title>x</title><main><h1>x</h1><button></button><img src="data:,">'
                     '<p style="color:#999;background:#fff">pale</p></main>')
    assert {fault.split(":")[0] for fault in faults(page)} == {"button-name", "image-alt", "color-contrast"}
    page.close()


@pytest.mark.parametrize(("theme", "width"), BOTH)
def test_every_room_passes_the_audit(browser, gallery_url, theme, width):
    told = []
    with visiting(browser, f"{gallery_url}?__theme={theme}", width, theme) as page:
        for demo in DEMOS:
            enter(page, demo.title)
            page.wait_for_selector(f"#{demo.name}-result img")
            unfold(page)
            told += [f"{demo.name}: {fault}" for fault in faults(page)]
    assert not told, "\n".join(told)


def test_captions_stay_readable_under_the_mouse(browser, gallery_url):
    with visiting(browser, gallery_url) as page:
        enter(page, "pix2pix")
        page.locator("button.label-wrap").get_by_text("Where it fails").click()
        caption = page.locator("#pix2pix-failures .caption-label").last
        caption.hover()
        assert caption.evaluate("element => element.closest('.thumbnail-lg').matches(':hover')")
        assert caption.evaluate("element => getComputedStyle(element).opacity") == "1"


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_the_quiz_passes_the_audit_in_all_its_phases(browser, gallery_url, theme, width):
    told = []
    with visiting(browser, f"{gallery_url}?__theme={theme}", width, theme) as page:
        for faces in ("Two portraits", "One portrait"):
            if faces == "One portrait":
                page.locator("#quiz-faces").get_by_text(faces).click()
                page.wait_for_selector('.quiz [data-choice="real"]')
                page.evaluate("document.activeElement.blur()")  # the arrows are the switch's as long as it has the focus
            for number in range(1, 11):
                page.wait_for_selector(f'.quiz[data-phase="ask"][data-number="{number}"]')
                if number == 2:
                    told += faults(page)
                page.keyboard.press("ArrowLeft")
                page.wait_for_selector(f'.quiz[data-phase="told"][data-number="{number}"]')
                if number in (1, 2):
                    told += faults(page)
                if number == 2 and faces == "One portrait":
                    break
                page.keyboard.press("Enter")
            else:
                page.wait_for_selector('.quiz[data-phase="over"]')
                told += faults(page)
    assert not told, "\n".join(told)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_class_room_passes_the_audit(browser, gallery_url, theme):
    told = []

    def look(where, page):
        told.extend(f"{where}: {fault}" for fault in faults(page))

    with visiting(browser, f"{gallery_url}?__theme={theme}", 1280, theme) as page:
        page.get_by_role("tab", name="Class room").click()
        page.click("#quiz-open")
        page.wait_for_selector(".quiz-code")
        look("door", page)
        code, door = page.inner_text(".quiz-code"), page.get_attribute(".quiz-door a", "href")
        with visiting(browser, gallery_url + door, 1280, theme) as wall, \
                visiting(browser, f"{gallery_url}room", 390, theme) as lost, \
                visiting(browser, f"{gallery_url}room/{code}", 390, theme) as phone:
            look("entrance", lost)
            look("join", phone)
            phone.fill("#nickname", "Anna")
            phone.click("button.accent")
            phone.wait_for_selector("text=You are in")
            look("waiting", phone)
            wall.wait_for_selector("text=1 in the room")
            look("lobby", wall)
            wall.click('[data-action="deal"]')
            phone.wait_for_selector('[data-choice="left"]')
            look("question", phone)
            look("question on the wall", wall)
            phone.click('[data-choice="left"]')
            phone.wait_for_selector("text=Your vote is in")
            look("voted", phone)
            wall.wait_for_selector("text=1 of 1 votes")
            wall.click('[data-action="reveal"]')
            phone.wait_for_selector("text=Place")
            look("answer", phone)
            wall.wait_for_selector("text=/The (left|right) one/")
            look("answer on the wall", wall)
            wall.click('[data-action="close"]')
            phone.wait_for_selector("text=The game is over")
            look("end", phone)
    assert not told, "\n".join(told)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("night", ["", "_dark"])
def test_what_axe_does_not_measure_has_contrast_too(night):
    """Placeholders, a button under the mouse, and the edges of fields against the wall."""
    def tone(name):
        return getattr(THEME, name + night)

    assert contrast(tone("input_placeholder_color"), tone("input_background_fill")) >= 4.5
    assert contrast(tone("button_primary_text_color"), tone("button_primary_background_fill_hover")) >= 4.5
    for edge in ("input_border_color", "checkbox_border_color"):
        assert contrast(tone(edge), tone("body_background_fill")) >= 3
    assert contrast("#8a8274", "#cbc4b5") < 3  # the measure itself


def test_nothing_moves_for_who_asked_for_stillness(browser, gallery_url):
    longest = """() => {
        const seconds = (text) => Math.max(...text.split(',').map((one) => Number.parseFloat(one)));
        let most = [0, ''];
        for (const one of document.querySelectorAll('*')) for (const part of ['', '::before', '::after']) {
            const style = getComputedStyle(one, part || null);
            const lasts = Math.max(seconds(style.transitionDuration), style.animationName === 'none' ? 0
                : seconds(style.animationDuration) * (style.animationIterationCount === 'infinite' ? 1e6 : 1));
            if (lasts > most[0]) most = [lasts, one.outerHTML.slice(0, 120)];
        }
        return most;
    }"""
    with visiting(browser, gallery_url) as page:
        page.wait_for_selector(".quiz-frame")
        assert page.evaluate(longest)[0] > 0.1, "nothing moves for anybody: the measure is blind"
    with visiting(browser, gallery_url, reduced_motion="reduce") as page:
        for demo in DEMOS:
            enter(page, demo.title)
            page.wait_for_selector(f"#{demo.name}-result img")
            lasts, where = page.evaluate(longest)
            assert lasts <= 0.01, where
    with visiting(browser, f"{gallery_url}room", reduced_motion="reduce") as page:
        assert page.evaluate(longest)[0] <= 0.01
