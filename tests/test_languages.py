"""The gallery in its languages: nothing that a visitor sees is forgotten, and translations fit what they translate."""

import json
import re

import pytest

from demos.interpreter import config_in
from demos.languages import ASSETS, LANGUAGES, Catalogue, catalogue, spoken, wanted
from demos.quiz_room import sentences
from tests.sentences import doings, errors, numbered, said_in_rooms

OTHERS = [code for code in LANGUAGES if code != "en"]
SAME = re.compile("|".join((
    r"[A-Za-z0-9′⁻¹]{1,3}|\+ z|[FG]\([^ ]*\)|G\(x, z\)|FFT⁻¹",  # formulas
    r"[“”a-z]*(a small|small|blue bird|blue|bird)”?",  # a prompt in a drawing
    r"\$\{value\}|px|\d+ px|2016, 2017: GAN-INT-CLS, StackGAN",
    r"[a-z0-9]+(-[a-z0-9.]+)+|[\w.-]+/[\w.-]+(@\w+)?|atob|Tiny, 2026|nothing|safetensors",  # checkpoints, licences, places
    r"SRGAN x4|SRResNet x4|SRResNet|Swin2SR x4|Swin2SR|Real-ESRGAN x4|VGG-16|(SRResNet|Swin2SR|VGG-16), \d{4}|SRGAN",
    r"English|한국어|Русский|RRDBNet.*|ImageNet|pix2pix|CycleGAN|Inpainting|Hub|SSIM|DDPM CelebA-HQ|CC BY 4.0|FairFace, .*",
    r"Telea, 2004|Hub, \{0\}|This (bird|flower|small blue bird) .*|A smiling young woman .*|An old man with .*",
    r"“This (small blue bird|flower) .*|(HTML|JSON|PNG|QR|KID|LPIPS|PSNR|dB)|strength|style|second_style|blend|keep_colours",
    r"[a-z_]+(, [a-z_]+)+|openrail\+\+",
)))
"""What is the same in every language: names, formulas, and what the networks read, which is English."""
UNSEEN = re.compile("|".join((
    r"default-src.*|private, max.*|Cache-Control|.*-Policy|Consolas|Menlo|Noto Sans.*|Segoe UI|.*px \d+px|error %s|class room",
    r"Apple SD Gothic Neo|Malgun Gothic|quiz-settings.*|room .*|cycle-row.*|hair (darkness|length)|light from right",
    r"Application Support|Library|Local|PRAGMA.*|Ready in.*|Zl|Zp|Zs|all, delete-orphan|.*disk is full|no space|quiz supply",
    r"portraits for %s|results are not kept: %s|Palatino.*|.*\.ttc|[A-Z][A-Za-z]+\.tt[cf]|.*CJK.*|the disk is full.*|disk i/o",
    r"\(can't\|cannot\).*|Write it like .*|\{0\} is '\{1\}'\.|GM_MCP is 1, but .*|Install it: pip .*",
    r"public, max.*|Vary|Cookie, Accept-Language",
)))
"""Literals that look like words and are none for a visitor: fonts, headers, statements, classes, notes to the operator."""
API = re.compile("|".join((
    r"A label map as a picture.*|A photograph (as a painter|four times larger in|optimised|with the part).*",
    r"A picture of one kind.*|Answers a round.*|Begins a game.*|Pictures of what.*|Portraits dreamed from.*|The round to be.*",
)))
"""Descriptions of endpoints: programs' language stays English."""


class Searching(Catalogue):
    """A catalogue that keeps what it did not find."""

    def __init__(self, code: str) -> None:
        known = catalogue(code)
        super().__init__(known._sentences, known._texts, code)
        self.missed: set[str] = set()

    def _say(self, sentence: str) -> str:
        found = super()._say(sentence)
        whole = " · " not in sentence and not re.search(r"[.!?] [A-Z]", sentence)
        if found == sentence and whole and sentence not in self._sentences and re.search(r"[A-Za-z]{2}", sentence):
            self.missed.add(sentence)
        return found

    def text(self, text: str) -> str:
        if text.strip() not in self._texts:
            self.missed.add(text[:60])
        return super().text(text)

    def lacks(self) -> list[str]:
        """What was not found and should have been. A value is looked up with a capital too: that alone is no loss."""
        capitals = {one[:1].upper() + one[1:] for one in self.missed if one[:1].islower()}
        return sorted(one for one in self.missed - capitals if not any(kind.fullmatch(one) for kind in (SAME, UNSEEN)))


@pytest.fixture(scope="module")
def config():
    """Of the page with every room."""
    import app

    return app.gallery().config


@pytest.mark.slow
@pytest.mark.parametrize("code", OTHERS)
def test_the_page_lacks_no_translation(config, code):
    searching = Searching(code)
    config_in(config, searching)
    assert not searching.lacks(), json.dumps(searching.lacks(), ensure_ascii=False, indent=1)


@pytest.mark.parametrize("code", OTHERS)
def test_what_is_said_later_lacks_no_translation(code):
    """Errors, doings, and every sentence in the rooms' code and in the class room's script."""
    searching = Searching(code)
    script = (ASSETS / "quiz" / "room.js").read_text(encoding="utf-8")
    page = (ASSETS / "quiz" / "room.html").read_text(encoding="utf-8")
    said = {*errors(), *doings(), *said_in_rooms(), *sentences(script), *spoken(re.sub(r"<!doctype html>|{{\w+}}", "", page))}
    for one in said:
        if API.fullmatch(one):
            continue
        one = numbered("{99}" + one if one.startswith(", ") else one)
        if one not in searching._sentences:
            searching.say(one)
    assert not searching.lacks(), json.dumps(searching.lacks(), ensure_ascii=False, indent=1)


@pytest.mark.parametrize("code", OTHERS)
def test_translations_keep_the_values(code):
    for english, translated in catalogue(code)._sentences.items():
        asked, kept = set(re.findall(r"\{(\d+)\}", english)), set(re.findall(r"\{(\d+)[|}]", translated))
        assert kept <= asked, (english, translated)
        assert asked - kept <= {"1"} or "and no repository" in english, (english, translated)
        for forms in re.findall(r"\{\d+\|([^{}]*)\}", translated):
            assert code == "ru" and len(forms.split("|")) == 3, translated
        assert translated.strip(), english


def test_every_language_says_the_same_sentences():
    assert len({frozenset(catalogue(code)._sentences) for code in OTHERS}) == 1


@pytest.mark.parametrize("code", OTHERS)
def test_wall_texts_keep_their_papers_and_formulas(code):
    for english in sorted((ASSETS / "text").glob("*.md")):
        original = english.read_text(encoding="utf-8")
        translated = (ASSETS / "languages" / code / english.name).read_text(encoding="utf-8")
        assert re.findall(r"\]\((http[^)]*)\)", original) == re.findall(r"\]\((http[^)]*)\)", translated)
        formulas = [re.sub(r"\\text\{[^}]*\}|[.\s]", "", "".join(re.findall(r"\$\$.*?\$\$", text, re.DOTALL)))
                    for text in (original, translated)]
        assert formulas[0] == formulas[1], english.name


@pytest.mark.parametrize("number, expected", [
    ("1", "1 шаг"), ("2", "2 шага"), ("4", "4 шага"), ("5", "5 шагов"), ("11", "11 шагов"), ("12", "12 шагов"),
    ("21", "21 шаг"), ("22", "22 шага"), ("111", "111 шагов")])
def test_russian_counts(number, expected):
    assert catalogue("ru").say(f"{number} steps, guidance 3") == f"{expected}, guidance 3"


@pytest.mark.parametrize("english, korean, russian", [
    ("Stop", "멈추기", "Стоп"),
    ("Melancholy · Edvard Munch · 1890s", "멜랑콜리 · 에드바르 뭉크 · 1890년대", "Меланхолия · Эдвард Мунк · 1890-е"),
    ("Made in 0.3 s by SRGAN x4", "SRGAN x4, 0.3초 걸림", "Сделано за 0,3 с сетью «SRGAN x4»"),
    ("Picture 2 of 4: drawing, step 3 of 20",
     "그림 4장 중 2번째: 그리는 중, 20단계 중 3단계", "Картинка 2 из 4: рисуем, шаг 3 из 20"),
    ("Left and right disagree around the eyes, 180 % as much as in real ones. The judge saw it most at the eyes.",
     "눈 주위의 좌우가 어긋납니다. 차이가 진짜의 180 %입니다. 감정가가 가장 의심한 곳: 눈.",
     "Левое и правое вокруг глаз расходятся: 180 % от того, что у настоящих. Заметнее всего для эксперта: глаза."),
    ("A sentence of nobody's catalogue.", "A sentence of nobody's catalogue.", "A sentence of nobody's catalogue."),
])
def test_sentences_with_values(english, korean, russian):
    assert catalogue("ko").say(english) == korean
    assert catalogue("ru").say(english) == russian


def test_markup_is_translated_between_its_tags_and_where_it_is_read_out():
    page = '<p class="Stop"><img alt="Stop"> Stop</p><span>Round <b>2</b> of 10</span><a href="Stop">3 &lt; 4</a>'
    assert catalogue("ru").markup(page) == ('<p class="Stop"><img alt="Стоп"> Стоп</p><span>Раунд <b>2</b> из 10</span>'
                                            '<a href="Stop">3 &lt; 4</a>')


def test_values_of_visitors_stay_escaped():
    said = catalogue("ko").markup("<p>Without: &lt;script&gt;alert(1)&lt;/script&gt;</p>")
    assert said == "<p>제외: &lt;script&gt;alert(1)&lt;/script&gt;</p>"


@pytest.mark.parametrize("query, cookies, header, expected", [
    ({}, {}, "", "en"), ({}, {}, "ko-KR,ko;q=0.9,en;q=0.8", "ko"), ({}, {}, "de-DE,de;q=0.9,ru;q=0.5,en;q=0.3", "ru"),
    ({}, {}, "en;q=0.2,ko;q=0.7", "ko"), ({}, {}, "de", "en"), ({}, {}, "ko;q=x", "en"),
    ({}, {"language": "ru"}, "ko", "ru"), ({"language": "en"}, {"language": "ru"}, "ko", "en"),
    ({"language": "xx"}, {"language": "../ko"}, "ko", "ko")])
def test_whose_word_counts(query, cookies, header, expected):
    assert wanted(query, cookies, {"accept-language": header}) == expected


@pytest.mark.slow
def test_only_what_is_seen_changes(config):
    """Components, events, choices' values and inputs are the same in every language."""
    for code in OTHERS:
        other = config_in(config, catalogue(code))
        assert other["dependencies"] == config["dependencies"] and other["layout"] == config["layout"]
        for mine, theirs in zip(config["components"], other["components"], strict=True):
            assert (mine["id"], mine["type"]) == (theirs["id"], theirs["type"])
            choices = [component["props"].get("choices") or [] for component in (mine, theirs)]
            assert [one[1] for one in choices[0]] == [one[1] for one in choices[1]]
            if mine["type"] in ("textbox", "dropdown", "radio", "number", "slider", "checkbox", "image"):
                assert mine["props"].get("value") == theirs["props"].get("value")
