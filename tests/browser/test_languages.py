"""Visitors of three languages in the same gallery at the same time."""

import json
import urllib.request
from contextlib import contextmanager

import pytest

from tests.browser.rooms import enter

pytestmark = pytest.mark.browser

NOTHING_YET = {"ko-KR": "아직 사진이 없습니다.", "ru-RU": "Картинки ещё нет.", "de-DE": "There is no picture yet."}
ROOMS = {"ko-KR": "초해상도", "ru-RU": "Сверхразрешение", "de-DE": "Super-resolution"}


@contextmanager
def visitor(browser, url, locale, width=1280):
    """A browser of its own, with its own cookies and the locale of its owner."""
    context = browser.new_context(locale=locale, viewport={"width": width, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    page.wait_for_selector(".door:visible")
    try:
        yield page
    finally:
        context.close()


def language_of(page) -> str:
    return page.evaluate("document.documentElement.lang")


def test_each_visitor_is_answered_in_the_own_language(browser, gallery_url):
    with visitor(browser, gallery_url, "ko-KR") as korean, visitor(browser, gallery_url, "ru-RU") as russian, \
            visitor(browser, gallery_url, "de-DE") as german:
        visitors = {"ko-KR": korean, "ru-RU": russian, "de-DE": german}
        assert [language_of(page) for page in visitors.values()] == ["ko", "ru", "en"]
        assert [page.title() for page in visitors.values()] == ["생성 모델 미술관", "Галерея генеративных моделей",
                                                                "Gallery of generative models"]
        for locale, page in visitors.items():
            enter(page, ROOMS[locale])
        for page in visitors.values():  # all of them at once; the answers come when they come
            page.click("#srgan-run")
        for locale, page in visitors.items():
            page.locator("[data-testid=toast-body], .toast-body").filter(has_text=NOTHING_YET[locale]).wait_for()
        # Gradio's own words agree with the page's, whatever the browser's language is.
        assert "이미지" in korean.inner_text("#srgan-picture") and "изображение" in russian.inner_text("#srgan-picture")
        assert "Drop" in german.inner_text("#srgan-picture")


def test_the_switch_works_by_keyboard_on_a_phone_and_is_remembered(browser, gallery_url):
    with visitor(browser, gallery_url, "en-US", width=390) as page:
        link = page.locator("#language a[lang=ru]")
        page.wait_for_selector("#language a[aria-current=true][lang=en]")
        box = link.bounding_box()
        assert box["height"] >= 44 and box["x"] + box["width"] <= 390
        link.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**language=ru**")
        page.wait_for_selector(".door:visible")
        assert language_of(page) == "ru" and page.title() == "Галерея генеративных моделей"
        page.wait_for_selector("#language a[aria-current=true][lang=ru]")
        page.goto(gallery_url)
        page.wait_for_selector(".door:visible")
        assert language_of(page) == "ru" and "Приносите картинку" in page.inner_text("#header")
        assert page.get_by_role("navigation", name="Язык").count() == 1
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        page.goto(gallery_url + "room")
        page.wait_for_selector("#code")
        assert language_of(page) == "ru" and "Код с экрана" in page.inner_text("main")


def test_programs_find_the_same_interface_in_every_language(gallery_url):
    found = []
    for code in ("en", "ko", "ru"):
        asked = urllib.request.Request(gallery_url + "gradio_api/info", headers={"Accept-Language": code})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            found.append(json.load(answer)["named_endpoints"])
    assert found[0] == found[1] == found[2] and "/srgan" in found[0]
