"""How often a visitor may come: the rules as they are set, and a public gallery with small ones, from outside."""

import json
import os
import re
import subprocess
import sys

import pytest

from demos.guard import DEFAULTS, Limits, rules, visitor
from gm_core.errors import GMError
from gm_core.hub import allowed_repositories
from gm_core.public import is_public
from tests.hubs import free_port
from tests.served import ROOT, serving
from tests.test_safety import META, ask, call, form, png, upload

SENTENCE = re.compile(r"One visitor can have \d+ .+ in one (minute|hour|day), and you have had them\. "
                      r"Please wait \d+ (seconds|minutes)\.")


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for name in ("SPACE_ID", "GM_PUBLIC", "GM_HUB_ALLOW", *(f"GM_LIMIT_{kind.upper()}" for kind in DEFAULTS)):
        monkeypatch.delenv(name, raising=False)


def test_strangers_come_to_a_space_or_where_it_is_said(monkeypatch):
    assert not is_public() and not any(rules(kind) for kind in DEFAULTS) and allowed_repositories() == ["*"]
    monkeypatch.setenv("SPACE_ID", "somebody/gallery")
    assert is_public() and all(rules(kind) for kind in DEFAULTS) and allowed_repositories() == []
    monkeypatch.setenv("GM_PUBLIC", "0")
    assert not is_public() and not rules("jobs")
    monkeypatch.delenv("SPACE_ID")
    monkeypatch.setenv("GM_PUBLIC", "1")
    assert is_public() and allowed_repositories() == []


def test_rules_are_read_as_people_write_them(monkeypatch):
    monkeypatch.setenv("GM_LIMIT_JOBS", "3 per minute; 10/hour")
    assert [(rule.amount, rule.GRANULARITY.name) for rule in rules("jobs")] == [(3, "minute"), (10, "hour")]
    monkeypatch.setenv("GM_PUBLIC", "1")
    monkeypatch.setenv("GM_LIMIT_JOBS", "off")
    assert rules("jobs") == [] and rules("uploads")
    for wrong in ("many", "3", "3/fortnight", "-1/minute", "1/minute;x"):
        monkeypatch.setenv("GM_LIMIT_JOBS", wrong)
        with pytest.raises(GMError, match=r"GM_LIMIT_JOBS is .* Write it like 120/minute"):
            rules("jobs")


def test_each_visitor_and_each_kind_is_counted_alone(monkeypatch):
    monkeypatch.setenv("GM_LIMIT_JOBS", "2/minute")
    monkeypatch.setenv("GM_LIMIT_MEGABYTES", "10/day")
    limits = Limits()
    assert [limits.over("jobs", "a") is None for _ in range(3)] == [True, True, False]
    assert limits.over("jobs", "b") is None and limits.over("votes", "a") is None
    sentence, seconds = limits.over("jobs", "a")
    assert SENTENCE.fullmatch(sentence) and 1 <= seconds <= 60 and str(seconds) in sentence
    assert limits.over("megabytes", "a", 9) is None
    sentence, seconds = limits.over("megabytes", "a", 2)
    assert SENTENCE.fullmatch(sentence) and sentence.endswith("minutes.") and seconds > 60 * 60


@pytest.mark.parametrize(("host", "who"), [
    ("203.0.113.9", "203.0.113.9"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
    ("::ffff:203.0.113.9", "203.0.113.9"), ("testclient", "testclient")])
def test_a_visitor_is_an_address_or_a_network_of_the_size_that_one_has(host, who):
    assert visitor({"client": (host, 1)}) == who
    assert visitor({"client": None}) == "unknown"


def test_a_wrong_setting_is_told_before_anybody_comes():
    process = subprocess.run([sys.executable, "app.py", "--port", str(free_port())], cwd=ROOT, capture_output=True, text=True,
                             env={**os.environ, "GM_LIMIT_VOTES": "often", "HF_HUB_OFFLINE": "1"}, check=False)
    assert process.returncode == 1 and "Traceback" not in process.stderr
    assert "GM_LIMIT_VOTES is 'often'. Write it like 600/minute, or off." in process.stderr


LOW = {"GM_PUBLIC": "1", "GM_LIMIT_JOBS": "2/hour", "GM_LIMIT_UPLOADS": "4/hour", "GM_LIMIT_MEGABYTES": "6/hour",
       "GM_LIMIT_VOTES": "3/hour", "GM_LIMIT_REQUESTS": "300/hour", "FORWARDED_ALLOW_IPS": "127.0.0.9,10.0.0.0/8"}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("limits"), "app.py", **LOW) as url:
        yield url


def refused(reply):
    """The sentence of a refusal, from wherever it stands."""
    assert reply.status == 429, reply.text
    assert 1 <= int(reply.headers["retry-after"]) <= 3600
    sentence = reply.text
    if reply.headers["content-type"] == "application/json":
        told = json.loads(reply.body)
        sentence = told.get("detail") or told["sorry"]
    assert SENTENCE.fullmatch(sentence), sentence
    return sentence


def test_a_visitor_over_a_limit_is_told_and_others_go_on(url):
    """Addresses 127.0.0.2 and so on are visitors of their own."""
    from PIL import Image

    small = png(Image.effect_noise((32, 32), 60).convert("RGB"))
    file = {"path": upload(url, "noise.png", small, source="127.0.0.2"), "meta": META}
    for _ in range(2):
        assert call(url, "srgan", file, "srgan-x4", source="127.0.0.2")[0] == "complete"
    job = {"data": [file, "srgan-x4"]}
    assert "2 jobs" in refused(ask(url, "POST", "/gradio_api/call/srgan", job, source="127.0.0.2"))
    assert "2 jobs" in refused(ask(url, "POST", "/gradio_api/call/v2/srgan", {"image": file}, source="127.0.0.2"))
    assert call(url, "quiz_round", "none", source="127.0.0.2")[0] == "error", "another kind is not used up"
    assert call(url, "srgan", file, "srgan-x4", source="127.0.0.3")[0] == "complete", "another visitor is not held up"

    for _ in range(3):
        upload(url, "noise.png", small, source="127.0.0.2")
    body, headers = form(("noise.png", small))
    assert "4 uploads" in refused(ask(url, "POST", "/gradio_api/upload", body, headers, source="127.0.0.2"))
    body, headers = form(("large.bin", bytes(5 * 2**20)))
    assert "6 megabytes" in refused([ask(url, "POST", "/gradio_api/upload", body, headers, source="127.0.0.4")
                                     for _ in range(2)][1])

    votes = [ask(url, "POST", f"/room/ABCDE/{what}", {}, source="127.0.0.5")
             for what in ("vote", "join", "vote", "vote", "state")]
    assert [vote.status for vote in votes] == [400, 400, 400, 429, 400]
    assert "3 answers and votes" in refused(votes[3]) and "sorry" in votes[3].text
    assert "3 answers" in refused(ask(url, "POST", "/gradio_api/call/quiz_round", {"data": [""]}, source="127.0.0.5"))


def test_the_page_s_own_events_are_counted_as_what_they_are(url):
    """By the kind of event, whatever its number or the session that it names."""
    events = json.loads(ask(url, "GET", "/config", source="127.0.0.6").body)["dependencies"]
    number = next(event["id"] for event in events if event["api_name"] == "srgan")
    job = {"data": [None, "srgan-x4"], "fn_index": number}
    statuses = [ask(url, "POST", "/gradio_api/queue/join", {**job, "session_hash": f"s{i}"}, source="127.0.0.6").status
                for i in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_an_address_that_a_visitor_makes_up_is_not_believed(url):
    """X-Forwarded-For counts from the proxies that are configured, and from nobody else; of it, the last address not theirs."""
    def vote(source, forwarded):
        return ask(url, "POST", "/room/ABCDE/vote", {}, {"X-Forwarded-For": forwarded}, source=source).status

    assert [vote("127.0.0.7", f"203.0.113.{i}") for i in range(4)] == [400, 400, 400, 429], "a visitor's own invention"
    proxied = [vote("127.0.0.9", f"198.51.100.{i}, 203.0.113.77, 10.1.2.3") for i in range(4)]
    assert proxied == [400, 400, 400, 429], "the first address is the visitor's own invention too"
    assert vote("127.0.0.9", "203.0.113.78, 10.1.2.3") == 400, "another visitor behind the same proxy"


def test_everything_has_a_limit_but_the_page_s_scripts(url):
    statuses = [ask(url, "GET", "/robots.txt", source="127.0.0.8").status for _ in range(310)]
    assert statuses[:300] == [200] * 300 and statuses[300:] == [429] * 10
    assert ask(url, "GET", "/static/js/iframeResizer.contentWindow.min.js", source="127.0.0.8").status == 200
    assert ask(url, "GET", "/robots.txt", source="127.0.0.10").status == 200
