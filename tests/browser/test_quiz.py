"""A visitor in the room of the quiz, and a class with phones."""

import base64
import io
import sqlite3

import pytest
from PIL import Image

from tests.quiz.served import gallery

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quiz")
    with gallery(folder) as url:
        yield url, folder


@pytest.fixture
def visit(browser, served):
    """Opens pages of this gallery; at the end no page may have had an error, nor asked for anything elsewhere."""
    pages, errors = [], []

    def open_page(path="", width=1280, **settings):
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None)
        page.on("request", lambda sent: None if sent.url.startswith((served[0], "data:", "blob:")) else errors.append(sent.url))
        page.goto(served[0] + path)
        pages.append(context)
        return page

    yield open_page
    for context in pages:
        context.close()
    assert not errors, errors


def phase(page, name, number=None):
    page.wait_for_selector(f'.quiz[data-phase="{name}"]' + (f'[data-number="{number}"]' if number else ""))


def test_a_game_by_keyboard_alone_ends_with_a_card(visit, served):
    page = visit()
    sources = set()
    for number in range(1, 11):
        phase(page, "ask", number)
        shown = page.eval_on_selector_all(".quiz-picture img", "all => all.map(one => one.src)")
        assert len(shown) == 2
        sources |= set(shown)
        page.keyboard.press("ArrowLeft" if number % 2 else "2")
        phase(page, "told", number)
        assert {label.split("\n")[0] for label in page.locator(".quiz .museum-label").all_inner_texts()} == {"Real", "Fake"}
        page.keyboard.press("Enter")
    phase(page, "over")
    assert len(sources) == 20, "a portrait hung twice"
    right = int(page.inner_text(".quiz-result").split(" of ")[0])
    with page.expect_download() as download:
        page.click("a.quiz-card")
    assert download.value.suggested_filename == "which-face-is-fake.png"
    card = base64.b64decode(page.get_attribute("a.quiz-card", "href").split(",")[1])
    with Image.open(io.BytesIO(card)) as picture:
        assert picture.format == "PNG" and picture.size == (1200, 630)
    with sqlite3.connect(served[1] / "data" / "quiz.sqlite3") as file:
        game = file.execute('SELECT rounds, "right" FROM quiz_games ORDER BY id DESC').fetchone()
    assert game == (10, right)
    page.get_by_role("tab", name="Everybody so far").click()
    page.wait_for_selector("#quiz-results .bar-row")
    assert "answers so far" in page.inner_text("#quiz-results")


def test_on_a_phone_a_tap_answers_and_one_portrait_can_be_asked(visit):
    page = visit(width=390)
    phase(page, "ask", 1)
    page.click('[data-choice="right"]')
    phase(page, "told", 1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"), "the page scrolls sideways"
    verdict = page.inner_text(".quiz-verdict")
    chosen = page.locator(".quiz figure").nth(1).locator(".work").inner_text()
    assert verdict.startswith("Right") == (chosen == "Fake")
    heat = page.locator(".quiz-frame.fake .heat")
    assert heat.evaluate("one => getComputedStyle(one).opacity") != "0"
    page.click("[data-heat]")
    page.wait_for_function("getComputedStyle(document.querySelector('.quiz-frame.fake .heat')).opacity === '0'")
    page.get_by_text("One portrait", exact=True).click()
    page.wait_for_selector('.quiz-choices [data-choice="real"]')
    phase(page, "ask", 1)
    assert page.locator(".quiz-picture img").count() == 1
    height = page.locator('.quiz-choices [data-choice="fake"]').bounding_box()["height"]
    assert height >= 44
    page.click('.quiz-choices [data-choice="fake"]')
    phase(page, "told", 1)


def test_keys_do_not_play_while_something_else_is_used(visit):
    page = visit()
    phase(page, "ask", 1)
    page.focus("#quiz-level input")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(700)
    phase(page, "ask", 1)


def test_a_class_of_three_phones_and_a_projector(visit, served):
    page = visit()
    phase(page, "ask", 1)
    page.get_by_role("tab", name="Class room").click()
    page.click("#quiz-open")
    page.wait_for_selector(".quiz-code")
    code, door = page.inner_text(".quiz-code"), page.get_attribute(".quiz-door a", "href")
    wall = visit(door)
    wall.wait_for_selector(".lobby .qr svg")
    assert "#" not in wall.url, "the key stays on the wall for everybody to read"
    phones = []
    for name in ("Anna", "<img src=x onerror=alert(1)>"[:20], "Яна"):
        phone = visit(f"room/{code.lower()}", width=390, color_scheme="dark" if phones else "light")
        phone.fill("#nickname", name)
        phone.click("button.accent")
        phone.wait_for_selector("text=You are in")
        phones.append(phone)
    wall.wait_for_selector("text=3 in the room")
    assert wall.locator(".names img").count() == 0, "a nickname became markup"
    wall.click('[data-action="deal"]')
    votes = ("left", "left", "right")
    for phone, vote in zip(phones, votes, strict=True):
        phone.click(f'[data-choice="{vote}"]')
        phone.wait_for_selector("text=Your vote is in")
    phones[0].reload()
    phones[0].wait_for_selector("text=Your vote is in: left")
    wall.wait_for_selector("text=3 of 3 votes")
    assert wall.locator(".histogram .votes").all_inner_texts() == ["2", "1"]
    wall.reload()
    wall.click('[data-action="reveal"]')
    wall.wait_for_selector("text=/The (left|right) one/")
    truth = wall.inner_text("h1").split()[1]
    for phone, vote in zip(phones, votes, strict=True):
        phone.wait_for_selector("text=Place")
        assert phone.inner_text("h1") == ("You are right" if vote == truth else "No, it was the other")
        assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    wall.click('[data-action="close"]')
    phones[2].wait_for_selector("text=The game is over")
    with sqlite3.connect(served[1] / "data" / "quiz.sqlite3") as file:
        assert file.execute("SELECT count(*) FROM quiz_answers WHERE place = 'room'").fetchone() == (3,)


def test_a_wrong_code_and_a_phone_without_a_place_get_a_sentence(visit):
    phone = visit("room", width=390)
    phone.fill("#code", "zzzzz")
    phone.click("button.accent")
    phone.fill("#nickname", "Anna")
    phone.click("button.accent")
    phone.wait_for_selector("text=There is no room with this code")
