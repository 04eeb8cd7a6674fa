"""Ways to have the answer without looking: files, names, clocks, page source, state, schema. None may work."""

import io
import json
import re
import statistics
import struct
import time
import urllib.error
import urllib.request
import zlib

import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from demos.quiz import asked
from gm_core.quiz import present
from gm_core.quiz.game import Games, Question
from gm_core.quiz.present import FILE_BYTES, SIDE
from gm_core.quiz.store import Store
from gm_core.quiz.supply import Supply
from tests.quiz.served import gallery
from tests.quiz.tiny import TinyWorld, head

MANY = 60
"""Real and fake portraits looked at together."""


def separability(real, fake):
    """Share of pairs in which the figure is larger for the fake, ties half: 0.5 tells nothing, 0 or 1 tells all."""
    pairs = [(a < b) + 0.5 * (a == b) for a in real for b in fake]
    return sum(pairs) / len(pairs)


@pytest.fixture(scope="module")
def portraits():
    supply = Supply([TinyWorld()])
    found = []
    while len(found) < MANY:
        found += supply.take("tiny-early", 2)
    return found


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with gallery(tmp_path_factory.mktemp("quiz")) as url:
        yield url


def test_files_have_one_length_one_layout_and_no_metadata(portraits):
    heads = set()
    for portrait in portraits:
        file = portrait.file
        assert len(file) == FILE_BYTES
        heads.add(file[:30])  # RIFF, one chunk and its length, the length of the first partition, the size
        with Image.open(io.BytesIO(file)) as picture:
            picture.load()
            assert picture.size == (SIDE, SIDE) and picture.mode == "RGB"
            assert not picture.getexif() and not {"exif", "xmp", "icc_profile", "comment"} & set(picture.info)
    assert len(heads) == 1, "the first bytes of all files are the same"
    head = heads.pop()
    assert head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8 " and struct.unpack("<I", head[16:20])[0] == FILE_BYTES - 20


def test_statistics_of_the_bytes_tell_nothing(portraits):
    """Of the file as it travels. (What the pixels say is the game itself.)"""
    measures = {
        "compressed": lambda file: len(zlib.compress(file, 6)),
        "mean byte": lambda file: float(np.frombuffer(file, np.uint8).mean()),
        "entropy": lambda file: float(_entropy(file)),
    }
    for name, measure in measures.items():
        values = {kind: [measure(one.file) for one in portraits if one.fake == kind] for kind in (False, True)}
        assert 0.2 < separability(values[False], values[True]) < 0.8, f"{name} tells them apart"


def _entropy(file):
    counts = np.bincount(np.frombuffer(file, np.uint8), minlength=256) / len(file)
    return -(counts[counts > 0] * np.log2(counts[counts > 0])).sum()


def test_the_measure_of_cheating_would_find_files_that_are_not_padded(portraits):
    """The tests above can fail: coded plainly, the smeared fakes are shorter, and a look at the length would be enough."""
    values = {kind: [len(_coded(portrait)) for portrait in portraits if portrait.fake == kind] for kind in (False, True)}
    assert not 0.1 < separability(values[False], values[True]) < 0.9


def test_every_portrait_is_coded_at_the_first_quality_without_a_loss(portraits):
    """A second try at a lower quality would tell of a lively picture. The noise behind the picture is never decoded."""
    for portrait in portraits[:10]:
        plain = _coded(portrait)
        padded = present.pad(plain)
        assert padded is not None
        pixels = [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in (plain, padded)]
        assert np.array_equal(*pixels)


def _coded(portrait):
    file = io.BytesIO()
    Image.open(io.BytesIO(portrait.file)).convert("RGB").save(file, "WEBP", quality=present.QUALITIES[0], method=4)
    return file.getvalue()


def test_real_and_fake_get_the_same_grain(portraits):
    """The same head presented as real and as fake differs by chance alone, not by its path."""
    same = head(5)
    pixels = [np.asarray(Image.open(io.BytesIO(present.present(same))), float) for _ in range(4)]
    differences = [np.abs(a - b).mean() for i, a in enumerate(pixels) for b in pixels[:i]]
    assert min(differences) > 0.3 and max(differences) < 4


def test_names_and_order_are_chance(portraits):
    names = [portrait.name for portrait in portraits]
    assert len(set(names)) == len(names) and all(re.fullmatch(r"[\w-]{22}", name) for name in names)
    by_name = {kind: [portrait.name for portrait in portraits if portrait.fake == kind] for kind in (False, True)}
    assert 0.2 < separability(by_name[False], by_name[True]) < 0.8
    first = [portraits[i].fake for i in range(0, len(portraits), 2)]
    assert 4 <= sum(first) <= len(first) - 4  # outside once in a hundred thousand runs


def test_what_leaves_the_stock_does_not_depend_on_what_is_shown():
    """With one portrait the other kind leaves too: nobody can count the stock to learn which it was."""
    supply = Supply([TinyWorld()], mark=4)
    for _ in range(6):
        supply.take("tiny", 1)
    for _ in range(200):
        if not supply.doing("tiny"):
            break
        time.sleep(0.05)
    before = [supply._side["tiny"], *(len(stock.ready) for stock in (supply._fakes["tiny"], supply._real_stock("tiny")))]
    supply._mark = 0  # no refilling while we count
    supply.take("tiny", 1)
    after = [supply._side["tiny"], *(len(stock.ready) for stock in (supply._fakes["tiny"], supply._real_stock("tiny")))]
    assert [a - b for a, b in zip(before, after, strict=True)] == [0, 1, 1]


def test_clocks_tell_nothing(tmp_path):
    """Dealing a real one and a fake takes as long. What comes after the answer is no secret."""
    store = Store(f"sqlite:///{tmp_path / 'quiz.sqlite3'}")
    supply = Supply([TinyWorld()], mark=94)
    games = Games(supply, store)
    supply.want("tiny")
    end = time.monotonic() + 90
    while supply.ready("tiny") < 90 and time.monotonic() < end:
        time.sleep(0.2)
    supply._mark = 0
    dealt: dict[str, list[float]] = {"real": [], "fake": []}
    for game in range(9):
        token = games.start("tiny", faces=1)
        for number in range(1, 11):
            began = time.perf_counter()
            games.deal(token)
            took = time.perf_counter() - began
            truth = games.answer(token, number, "real").truth
            if game:  # the first game's rounds are slow, whatever they deal
                dealt[truth].append(took)
    store.close()
    assert min(len(times) for times in dealt.values()) >= 24
    assert abs(statistics.median(dealt["real"]) - statistics.median(dealt["fake"])) < 0.02
    assert 0.2 < separability(dealt["real"], dealt["fake"]) < 0.8


SECRETS = re.compile(r"seed|smeared|pillow|truth|identity|origin|is_fake|heat|guess", re.IGNORECASE)


def test_the_api_tells_nothing_before_the_answer_and_everything_after(url):
    client = Client(url, verbose=False)
    game = client.predict("tiny-early", 2, 3, api_name="/quiz_start")
    assert set(game) == {"game", "level", "faces", "rounds", "choices", "levels"}
    shapes = set()
    for number in (1, 2, 3):
        asked = client.predict(game["game"], api_name="/quiz_round")
        assert set(asked) == {"number", "rounds", "portraits"} and asked["number"] == number
        shapes.add(tuple(len(portrait) for portrait in asked["portraits"]))
        assert not SECRETS.search(re.sub(r"base64,[\w+/=]+", "", json.dumps(asked)))
        told = client.predict(game["game"], number, "left", api_name="/quiz_answer")
        assert told["portraits"][("left", "right").index(told["truth"])]["fake"]
        again = client.predict(game["game"], number, told["truth"], api_name="/quiz_answer")
        assert again["right"] == told["right"], "nobody corrects an answer"
    assert len(shapes) == 1 and len(set(next(iter(shapes)))) == 1
    assert told["game"]["right"] == sum([told["game"]["right"]]) and told["last"]


@pytest.mark.parametrize(("call", "arguments", "sentence"), [
    ("/quiz_start", ("nowhere", 2, 10), "There is no level 'nowhere'"),
    ("/quiz_start", ("tiny", 9, 10), "one portrait or two; 9"),
    ("/quiz_start", ("tiny", 2, 1000), "1 to 10 rounds; 1000"),
    ("/quiz_round", ("guess",), "no such game"),
    ("/quiz_answer", ("guess", 1, "left"), "no such game"),
])
def test_limits_hold_on_the_server(url, call, arguments, sentence):
    with pytest.raises(Exception, match=sentence):
        Client(url, verbose=False).predict(*arguments, api_name=call)


def test_page_source_config_and_schema_know_no_portrait(url):
    for path in ("", "config", "gradio_api/info", "gradio_api/openapi.json", "room"):
        try:
            with urllib.request.urlopen(url + path, timeout=30) as reply:
                text = reply.read().decode()
        except urllib.error.HTTPError as error:
            assert error.code in (404, 405)
            continue
        assert len(text) > 300
        assert "data:image/webp" not in text and not re.search(r"seed \d|Smeared|is_fake", text), path


def test_what_the_page_is_sent_while_it_asks_is_the_same_for_both(portraits):
    """The stage's source, blank of pictures: not one sign differs between left and right, or real and fake."""
    def source(*shown):
        text = asked(Question(1, 10, tuple(one.file for one in shown), tuple(one.name for one in shown)), [])
        return re.sub(r"base64,[\w+/=]+", "", text), len(text)

    fakes, reals = [one for one in portraits if one.fake], [one for one in portraits if not one.fake]
    assert len({source(a, b) for a, b in zip(fakes, reals, strict=False)} | {source(b, a) for a, b in zip(
        fakes, reals, strict=False)}) == 1
    assert len({source(one) for one in portraits}) == 1
