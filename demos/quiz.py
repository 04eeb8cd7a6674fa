"""Which face is fake? The quiz: the stage, the class room's door, the results of everybody, and a look inside the latents."""

import base64
import html
import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import gradio as gr

from demos import quiz_room
from demos.base import HEAVY, LIGHT, Demo, endpoint, follow, guarded, guarded_stream, how_it_works, result_file, status
from demos.languages import say
from gm_core.checkpoints import of_task
from gm_core.engine import Engine, LocalEngine
from gm_core.quiz import faces as photographs
from gm_core.quiz.answers import Share
from gm_core.quiz.card import share_card
from gm_core.quiz.game import CHOICES, ROUNDS, Games, Question, Reveal, Summary
from gm_core.quiz.levels import DISCRIMINATOR, JUDGE, usual
from gm_core.quiz.rooms import Rooms
from gm_core.quiz.supply import Supply, World
from gm_core.quiz.worlds import DrawnWorld

if TYPE_CHECKING:
    from gm_core.quiz.store import Store

TASK = "portraits"
PLAY: dict[str, Any] = {"concurrency_id": "quiz", "concurrency_limit": 16, "time_limit": 120}
"""Clicks of the game: they never stand behind a network's job, nor behind the page's other light work."""
DEAL: dict[str, Any] = {"concurrency_id": "quiz-rounds", "concurrency_limit": 32, "time_limit": 120}
"""New rounds, which may wait for their portraits: nobody's answer stands behind them."""
HIDDEN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
EXPLORED = "portraits-gan"
"""Whose latent space can be walked in."""
FEW = 20
"""Answers below which no accuracy is drawn: three answers are no result."""

STAGE_JS = """
const root = element;
const inForm = node => node && node.closest && node.closest('input, textarea, select, [role="tablist"], [role="listbox"]');
const seen = () => root.offsetParent !== null && document.visibilityState === 'visible';
const quiz = () => root.querySelector('.quiz');
let asked = null, began = 0;
function tick() {
  const stage = quiz(), clock = root.querySelector('.quiz-clock');
  if (!stage || !clock || stage.dataset.phase !== 'ask') { asked = null; return; }
  if (asked !== stage.dataset.number) { asked = stage.dataset.number; began = performance.now(); }
  clock.textContent = Math.floor((performance.now() - began) / 1000) + ' s';
}
setInterval(tick, 250);
function choose(choice) {
  const stage = quiz();
  if (!stage || stage.dataset.phase !== 'ask' || stage.dataset.sent) return;
  stage.dataset.sent = '1';
  stage.querySelectorAll('[data-choice="' + choice + '"]').forEach(one => one.classList.add('chosen'));
  trigger('choose', {choice: choice, number: Number(stage.dataset.number)});
}
function on() {
  const stage = quiz();
  if (!stage || stage.dataset.sent) return;
  if (stage.dataset.phase === 'told') { stage.dataset.sent = '1'; trigger('forward'); }
  else if (stage.dataset.phase === 'over') { stage.dataset.sent = '1'; trigger('again'); }
}
function heat() { const stage = quiz(); if (stage) stage.classList.toggle('cool'); }
root.addEventListener('click', event => {
  const choice = event.target.closest('[data-choice]');
  if (choice) return choose(choice.dataset.choice);
  if (event.target.closest('[data-on]')) return on();
  if (event.target.closest('[data-heat]')) return heat();
});
// Who clicked on a tab wants its room: the arrows shall answer there, not stay with the tabs as they must for a keyboard.
document.addEventListener('pointerup', event => {
  const tab = event.target.closest && event.target.closest('[role="tab"]');
  if (tab) setTimeout(() => tab.blur(), 0);
});
document.addEventListener('keydown', event => {
  if (!root.isConnected || !seen() || event.ctrlKey || event.metaKey || event.altKey || inForm(document.activeElement)) return;
  const stage = quiz();
  if (!stage) return;
  const choices = [...new Set([...stage.querySelectorAll('[data-choice]')].map(one => one.dataset.choice))];
  const first = ['ArrowLeft', '1', 'r', 'R'], second = ['ArrowRight', '2', 'f', 'F'];
  if (first.includes(event.key) && choices.length) { event.preventDefault(); choose(choices[0]); }
  else if (second.includes(event.key) && choices.length) { event.preventDefault(); choose(choices[1]); }
  else if ((event.key === 'h' || event.key === 'H')) heat();
  else if ((event.key === 'Enter' || event.key === ' ') && stage.dataset.phase !== 'ask') {
    const button = document.activeElement && document.activeElement.closest && document.activeElement.closest('button, a');
    if (button && !button.closest('[data-on]')) return;
    event.preventDefault(); on();
  }
});
setTimeout(() => trigger('enter'), 50);
"""


class House:
    """What all visitors of the quiz share: the stock, the results, the games, the class rooms."""

    def __init__(self, worlds: list[World], store: Callable[[], "Store"]) -> None:
        """store: called when somebody plays for the first time; the page opens without a database."""
        self.supply = Supply(worlds)
        self._open_store, self._kept, self._moving_in = store, None, threading.Lock()

    @property
    def store(self) -> "Store":
        return self._furnished()[0]

    @property
    def games(self) -> Games:
        return self._furnished()[1]

    @property
    def rooms(self) -> Rooms:
        return self._furnished()[2]

    def _furnished(self) -> tuple["Store", Games, Rooms]:
        with self._moving_in:
            if not self._kept:
                store = self._open_store()
                self._kept = store, Games(self.supply, store), Rooms(self.supply, store)
            return self._kept


@cache
def house() -> House:
    """The one of this process. Nothing is drawn and no database is opened before somebody comes."""
    worlds: list[World] = [DrawnWorld()]
    if folder := photographs.chosen_folder():
        worlds.append(photographs.Photographs(folder))
    return House(worlds, open_store)


def open_store() -> "Store":
    from gm_core.quiz.store import Store  # SQLAlchemy with it, which takes a fifth of a second

    return Store()


def routes() -> list[Any]:
    """The class room's pages, for `launch(app_kwargs={"routes": routes()})`."""
    return quiz_room.routes(lambda: house().rooms)


# --- the stage --------------------------------------------------------------------------------------------------------


def _data(file: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(file).decode()}"


FRAMES = {"left": "Left portrait", "right": "Right portrait"}
BUTTONS = {"left": "The left portrait is the fake", "right": "The right portrait is the fake"}
WRONG = {"left": "No. The left one is the fake.", "right": "No. The right one is the fake.", "real": "No, it is real.",
         "fake": "No, it is fake."}
MACHINE = {("left", True): "The machine said the left one, and was right.",
           ("right", True): "The machine said the right one, and was right.",
           ("real", True): "The machine said real, and was right.", ("fake", True): "The machine said fake, and was right.",
           ("left", False): "The machine said the left one, and was wrong.",
           ("right", False): "The machine said the right one, and was wrong.",
           ("real", False): "The machine said real, and was wrong.", ("fake", False): "The machine said fake, and was wrong."}
"""Whole sentences, because other languages build them otherwise."""


def _score(number: int, rounds: int, results: list[bool], score: int, streak: int, clock: str) -> str:
    dots = "".join(f'<i class="{"right" if result else "wrong"}"></i>' for result in results)
    dots += '<i class="now"></i>' * (number > len(results)) + "<i></i>" * (rounds - max(number, len(results)))
    return (f'<div class="quiz-score"><span>Round <b>{number}</b> of {rounds}</span>'
            f'<span class="quiz-dots" role="img" aria-label="{sum(results)} of {len(results)} right">{dots}</span>'
            f"<span>Score <b>{score}</b></span><span>Streak <b>{streak}</b></span>"
            f'<span class="quiz-clock">{clock}</span></div>')


def _frames(files: tuple[bytes, ...], told: tuple[str, ...] = (), heats: tuple[bytes | None, ...] = (),
            marks: tuple[str, ...] = ()) -> str:
    """The portraits in their frames: buttons while it is asked, with labels once it is told."""
    frames = []
    for i, file in enumerate(files):
        choice = CHOICES[2][i]
        name = "Portrait" if len(files) == 1 else FRAMES[choice]
        picture = f'<img src="{_data(file, "webp")}" alt="{name}" width="320" height="320">'
        if told:
            heat = heats[i]
            over = f'<img class="heat" src="{_data(heat, "png")}" alt="Where the judge saw it">' if heat else ""
            frames.append(f'<figure><div class="quiz-frame framed {marks[i]}"><div class="quiz-picture">{picture}{over}</div>'
                          f"</div>{told[i]}</figure>")
        elif len(files) == 1:
            frames.append(f'<figure><div class="quiz-frame framed"><div class="quiz-picture">{picture}</div></div></figure>')
        else:
            frames.append(f'<figure><button type="button" class="quiz-frame framed" data-choice="{choice}" '
                          f'aria-label="{BUTTONS[choice]}"><span class="quiz-picture">{picture}</span>'
                          "</button></figure>")
    return f'<div class="quiz-wall {"one" if len(files) == 1 else "two"}">{"".join(frames)}</div>'


def asked(question: Question, before: list[Reveal]) -> str:
    """The stage while it is asked. Nothing in it depends on the answer."""
    last = before[-1] if before else None
    two = len(question.portraits) == 2
    words = "One of these was drawn, the other was dreamed by a network. Which one is the fake?" if two else \
        "Was this portrait drawn, or was it dreamed by a network?"
    foot = ('<p class="quiz-keys">Click the fake, or press <kbd>←</kbd> <kbd>→</kbd></p>' if two else
            '<div class="quiz-choices"><button type="button" data-choice="real">Real</button>'
            '<button type="button" data-choice="fake">Fake</button></div>'
            '<p class="quiz-keys">Or press <kbd>←</kbd> for real, <kbd>→</kbd> for fake</p>')
    return (f'<div class="quiz" data-phase="ask" data-number="{question.number}"><div class="quiz-head">'
            + _score(question.number, question.rounds, [reveal.right for reveal in before], last.score if last else 0,
                     last.streak if last else 0, "0 s")
            + f'<p class="quiz-ask" role="status">{words}</p></div>' + _frames(question.portraits)
            + f'<div class="quiz-foot">{foot}</div></div>')


def told(question: Question, reveals: list[Reveal], trouble: str | None) -> str:
    """The stage once it is answered."""
    reveal = reveals[-1]
    labels, marks = [], []
    for i, one in enumerate(reveal.portraits):
        judge = "" if one.guess is None else f"<div>The judge: {100 * one.guess:.0f} % fake</div>"
        labels.append(f'<div class="museum-label"><div class="work">{"Fake" if one.fake else "Real"}</div>'
                      f"<div>{html.escape(one.origin)}</div>{judge}</div>")
        yours = reveal.choice == (CHOICES[2][i] if len(reveal.portraits) == 2 else reveal.choice)
        marks.append(("fake" if one.fake else "real") + (" yours" if yours and len(reveal.portraits) == 2 else ""))
    verdict = f"Right, {reveal.points} points." if reveal.right else WRONG[reveal.truth]
    machine = ""
    if reveal.machine_choice is not None:
        machine = f'<p class="aside">{MACHINE[reveal.machine_choice, bool(reveal.machine_right)]}</p>'
    heat = '<button type="button" class="quiet" data-heat>The judge\'s heat map <kbd>H</kbd></button>' \
        if any(one.heat and one.fake for one in reveal.portraits) else ""
    note = f'<p class="quiz-note">{html.escape(trouble)}</p>' if trouble else ""
    forward = "See how you did" if reveal.last else "Next round"
    return (f'<div class="quiz" data-phase="told" data-number="{reveal.number}"><div class="quiz-head">'
            + _score(reveal.number, question.rounds, [one.right for one in reveals], reveal.score, reveal.streak,
                     f"{reveal.seconds:.1f} s")
            + f'<p class="quiz-ask quiz-verdict {"right" if reveal.right else "wrong"}" role="status">{verdict}</p></div>'
            + _frames(question.portraits, tuple(labels), tuple(one.heat for one in reveal.portraits), tuple(marks))
            + f'<div class="quiz-foot"><p class="quiz-clue">{html.escape(reveal.clue)}</p>{machine}'
              f'<div class="quiz-choices"><button type="button" class="accent" data-on>{forward} <kbd>Enter</kbd></button>'
              f"{heat}</div>{note}</div></div>")


def over(summary: Summary, title: str, trouble: str | None) -> str:
    """The stage at the end: the result, the machine's, everybody's, and the card."""
    lines = [f"{summary.score} points, longest streak {summary.longest_streak}, {summary.seconds:.0f} seconds."]
    if summary.machine_right is not None:
        theirs = f"it had {summary.machine_right} of {summary.rounds} in the same rounds."
        lines.append(f"You beat the machine: {theirs}" if summary.right > summary.machine_right else
                     f"The machine beat you: {theirs}" if summary.right < summary.machine_right else
                     f"You and the machine are level: {theirs}")
    if summary.standing and summary.standing.others:
        share = 100 * summary.standing.below / summary.standing.others
        lines.append(f"Better than {share:.0f} % of the {summary.standing.others} games played at this level so far. Everybody "
                     f"together is right {100 * summary.standing.accuracy:.0f} % of the time.")
    elif summary.standing:
        lines.append("You are the first to finish a game at this level here.")
    card = _png(summary, title)
    note = f'<p class="quiz-note">{html.escape(trouble)}</p>' if trouble else ""
    return (f'<div class="quiz" data-phase="over"><div class="quiz-end"><div><p class="quiz-ask">{html.escape(title)}</p>'
            f'<div class="quiz-result">{summary.right} of {summary.rounds}</div>'
            + "".join(f"<p>{html.escape(line)}</p>" for line in lines)
            + '<div class="quiz-choices"><button type="button" class="accent" data-on>Play again <kbd>Enter</kbd></button>'
            f'<a class="quiz-card" download="which-face-is-fake.png" href="{card}">Keep the card (PNG)</a></div>{note}</div>'
            f'<img class="framed" src="{card}" alt="The card: {summary.right} of {summary.rounds} right" width="1200" '
            'height="630"></div></div>')


def _png(summary: Summary, title: str) -> str:
    import io

    file = io.BytesIO()
    share_card(summary, title, say).save(file, "PNG", optimize=True)
    return _data(file.getvalue(), "png")


def waiting(words: str) -> str:
    """The stage while the first portraits are being drawn: empty frames, and what is being done."""
    frame = '<figure><div class="quiz-frame framed"><div class="quiz-picture empty"></div></div></figure>'
    return (f'<div class="quiz" data-phase="wait"><div class="quiz-head">{status(words=words)}</div>'
            f'<div class="quiz-wall two">{frame}{frame}</div></div>')


# --- everybody's results ----------------------------------------------------------------------------------------------


def results(home: House) -> str:
    """Accuracy by level and by attribute, for people and machine, as bars. Half is what a coin would get."""
    total, by_level = home.store.total(), home.store.by_level()
    if by_level is None:
        return f'<p class="aside">{html.escape(home.store.trouble or "The results cannot be read at the moment.")}</p>'
    if not total or not total.answers:
        return '<p class="aside">Nobody has answered yet. The first results appear here after your first round.</p>'
    titles = {level.key: level.title for level in home.supply.levels()}
    rounds = {"1": "one portrait", "2": "two portraits"}
    rows = [_bar(f"{titles.get(share.key[0], share.key[0])} · {rounds.get(share.key[1], '')}", share) for share in by_level]
    attributes = home.store.by_attribute() or []
    grouped: dict[str, list[Share]] = {}
    for share in attributes:
        grouped.setdefault(share.key[0], []).append(share)
    parts = []
    for name, shares in grouped.items():
        bars = [_bar(share.key[1], share) for share in shares if share.answers >= FEW]
        if bars:
            parts.append(f"<h4>{html.escape(name.replace('_', ' ').capitalize())}</h4>{''.join(bars)}")
    people = f"<span>{total.answers} answers so far, {100 * total.accuracy:.0f} % right.</span>"
    machine = ""
    if total.machine_accuracy is not None:
        machine = f" <span>The machine: {100 * total.machine_accuracy:.0f} % right.</span>"
    by_attribute = "".join(parts) or f'<p class="aside">An attribute is shown from {FEW} answers on.</p>'
    note = f'<p class="quiz-note">{html.escape(home.store.trouble)}</p>' if home.store.trouble else ""
    return (f'<div class="bars"><p class="aside">{people}{machine} <span>Filled: people. Line: the machine. The tick in the '
            "middle: a coin.</span></p>"
            f"<h3>By level</h3>{''.join(rows)}<h3>By what the real portrait showed</h3>{by_attribute}{note}</div>")


def _bar(name: str, share: Share) -> str:
    machine = share.machine_accuracy
    line = "" if machine is None else f'<i class="machine" style="left:{100 * machine:.1f}%"></i>'
    few = share.answers < FEW
    words = f"{share.answers} answers" if few else f"{100 * share.accuracy:.0f} % of {share.answers}"
    fill = "" if few else f'<i class="people" style="width:{100 * share.accuracy:.1f}%"></i>'
    return (f'<div class="bar-row"><span>{html.escape(name)}</span><span class="bar-track" role="img" '
            f'aria-label="{html.escape(name)} · {words}">{fill}<i class="coin"></i>{"" if few else line}</span>'
            f"<span>{words}</span></div>")


# --- the room ---------------------------------------------------------------------------------------------------------


def draw(engine: Engine) -> None:
    """The room: play, a class room, a look inside the latents, everybody's results."""
    home = house()
    found = home.supply.levels()
    offered = [(level.title, level.key) for level in found]
    if not offered:
        gr.HTML('<p class="aside">No network that dreams portraits is here yet.</p>')
        return
    with gr.Tabs(elem_classes="ways"):
        with gr.Tab("Play", id="quiz-play", render_children=True):
            _draw_play(home, offered, usual(found).key)
        with gr.Tab("Class room", id="quiz-class", render_children=True):
            _draw_class(home, offered, usual(found).key)
        if EXPLORED in [key for _, key in offered]:
            with gr.Tab("Explore", id="quiz-explore", render_children=True):
                from demos import quiz_explore

                quiz_explore.draw(engine)
        with gr.Tab("Everybody so far", id="quiz-results", render_children=True) as everybody:
            plot = gr.HTML(elem_id="quiz-results")
            everybody.select(lambda: results(home), None, plot, **HIDDEN, **LIGHT)
    how_it_works("quiz")
    _draw_endpoints(home, engine)
    if photographs.absence():
        _draw_photographs()


def _draw_play(home: House, offered: list[tuple[str, str]], first: str) -> None:
    token = gr.State("")
    stage = gr.HTML(waiting("The gallery is opening"), js_on_load=STAGE_JS, elem_id="quiz-result")
    with gr.Row(elem_classes="quiz-settings"):
        level = gr.Dropdown(offered, value=first, label="Spot the fake", elem_id="quiz-level", scale=4, min_width=240)
        faces = gr.Radio([("Two portraits", 2), ("One portrait", 1)], value=2, label="In each round", elem_id="quiz-faces",
                         scale=3, min_width=240)
        again = gr.Button("New game", elem_id="quiz-new", scale=1, min_width=140)

    def new(key: str, number: float) -> Iterator[dict[Any, Any]]:
        fresh = home.games.start(key, int(number))
        yield from wait(key)
        question = home.games.deal(fresh)
        yield {stage: asked(question, []), token: fresh}

    def wait(key: str) -> Iterator[dict[Any, Any]]:
        """The stock is empty only for the first visitor after a start, or after many at once."""
        end = time.monotonic() + 60
        while home.supply.ready(key) == 0 and time.monotonic() < end and not home.supply.trouble(key):
            yield {stage: waiting(home.supply.doing(key))}
            time.sleep(0.4)

    def choose(key: str, event: gr.EventData) -> str:
        home.games.answer(key, event.number, event.choice)
        return told(*home.games.so_far(key), home.store.trouble)

    def forward(key: str, level_key: str) -> Iterator[dict[Any, Any]]:
        _, reveals = home.games.so_far(key)
        if reveals and reveals[-1].last:
            summary = home.games.summary(key)
            title = next((one.title for one in home.supply.levels() if one.key == summary.level), summary.level)
            yield {stage: over(summary, title, home.store.trouble)}
            return
        yield from wait(level_key)
        yield {stage: asked(home.games.deal(key), reveals)}

    def offers() -> dict[str, Any]:
        """Photographs may have been prepared since the page was built."""
        now = [(one.title, one.key) for one in home.supply.levels()]
        return gr.skip() if now == offered else gr.update(choices=now)

    stage.enter(offers, None, level, **HIDDEN, **LIGHT)
    for event in (stage.enter, stage.again, again.click, level.input, faces.input):
        event(guarded_stream(new), [level, faces], [stage, token], trigger_mode="always_last", **HIDDEN, **DEAL)
    stage.choose(guarded(choose), token, stage, trigger_mode="once", **HIDDEN, **PLAY)
    stage.forward(guarded_stream(forward), [token, level], [stage], trigger_mode="once", **HIDDEN, **DEAL)


def _draw_class(home: House, offered: list[tuple[str, str]], first: str) -> None:
    gr.HTML('<p class="aside">One round for the whole class: you project a page with a code, pupils join it from their phones '
            "with a nickname and vote, and the wall shows the votes as they come, the answer, and the ranking. Nothing of it "
            "is kept but how the answers came out.</p>")
    with gr.Row(elem_classes="quiz-settings"):
        level = gr.Dropdown(offered, value=first, label="Spot the fake", scale=3, min_width=220)
        faces = gr.Radio([("Two portraits", 2), ("One portrait", 1)], value=2, label="In each round", scale=2, min_width=220)
        rounds = gr.Slider(1, ROUNDS, ROUNDS, step=1, label="Rounds", scale=2, min_width=160)
    open_room = gr.Button("Open a class room", variant="primary", elem_id="quiz-open", elem_classes="quiz-open")
    door = gr.HTML(elem_id="quiz-door")
    gr.HTML('<p class="aside">You have a code already? <a href="room" target="_blank">Join a room</a>.</p>')

    def open_one(key: str, number: float, count: float) -> str:
        code, secret = home.rooms.open(key, int(number), int(count))
        return (f'<div class="quiz-door"><div class="quiz-code">{code}</div><p><a class="quiz-card" target="_blank" '
                f'href="room/{code}/projector#{secret}">Open the page to project</a></p><p class="aside">Only this link can '
                "lead the class; pupils need the code or the QR that it shows. The room closes after three hours.</p></div>")

    open_room.click(guarded(open_one), [level, faces, rounds], door, **HIDDEN, **LIGHT)


def _draw_photographs() -> None:
    """Why there are no photographs, and, where the Hub was chosen, the button that draws them ahead.

    It takes many minutes, so it has an engine of its own: nobody in another room shall stand behind it.
    """
    beside = LocalEngine(max_waiting=1)
    with gr.Accordion("Photographs of people", open=False, elem_classes="wall-text"):
        words = gr.HTML(f'<p class="aside">{html.escape(photographs.absence())}</p>', elem_id="quiz-photographs")
        if photographs.chosen_folder() is None or not photographs.from_hub():
            return
        prepare = gr.Button("Prepare photographs and portraits", elem_id="quiz-prepare")

        def preparing() -> Iterator[str]:
            yield status(words="Beginning")
            yield from follow(beside.stream(photographs.prepare, ROUNDS), status, every=0.5)
            yield f'<p class="aside">{html.escape(photographs.absence() or "They are ready. Reload the page to play.")}</p>'

        prepare.click(guarded_stream(preparing), None, words, **HIDDEN, **HEAVY)


# --- the same from outside --------------------------------------------------------------------------------------------


def _draw_endpoints(home: House, engine: Engine) -> None:
    """`/portraits`, and the game as `/quiz_start`, `/quiz_round` and `/quiz_answer`: what the page knows, no more."""

    def portraits_api(n: int, seed: int, checkpoint: str, truncation: float) -> list[str]:
        """Portraits dreamed from a seed.

        Args:
            n: How many portraits.
            seed: The same number gives the same people.
            checkpoint: The network, one of those in this tool's description.
            truncation: 1 is the network as trained, 0 its average portrait; the painter knows 1 only.
        """
        from gm_core.tasks.portraits import portraits

        began = time.perf_counter()
        made = engine.run(portraits, n, seed=seed, checkpoint=checkpoint, truncation=truncation)
        seconds = round(time.perf_counter() - began, 2)
        return [result_file(picture, {"task": TASK, "checkpoint": checkpoint, "seed": seed, "number": i,
                                      "truncation": truncation, "seconds": seconds}) for i, picture in enumerate(made)]

    def quiz_start(level: str, faces: int, rounds: int) -> dict[str, Any]:
        key = level or usual(home.supply.levels()).key
        return {"game": home.games.start(key, faces, rounds, "api"), "level": key, "faces": faces, "rounds": rounds,
                "choices": CHOICES[faces], "levels": [one.key for one in home.supply.levels()]}

    def quiz_round(game: str) -> dict[str, Any]:
        question = home.games.deal(game)
        return {"number": question.number, "rounds": question.rounds,
                "portraits": [_data(file, "webp") for file in question.portraits]}

    def quiz_answer(game: str, number: int, choice: str) -> dict[str, Any]:
        reveal = home.games.answer(game, number, choice)
        found: dict[str, Any] = {
            "right": reveal.right, "truth": reveal.truth, "clue": reveal.clue, "score": reveal.score, "streak": reveal.streak,
            "machine_choice": reveal.machine_choice, "seconds": round(reveal.seconds, 2), "last": reveal.last,
            "portraits": [{"fake": one.fake, "origin": one.origin, "guess": one.guess,
                           "heat": _data(one.heat, "png") if one.heat else None} for one in reveal.portraits],
            "kept": home.store.trouble or "yes"}
        if reveal.last:
            summary = home.games.summary(game)
            found["game"] = {"right": summary.right, "machine_right": summary.machine_right, "score": summary.score,
                             "seconds": round(summary.seconds, 1),
                             "everybody": summary.standing.accuracy if summary.standing else None}
        return json.loads(json.dumps(found))

    def number(value: float) -> gr.Number:
        return gr.Number(value, precision=0, visible=False)

    def words(value: str = "") -> gr.Textbox:
        return gr.Textbox(value, visible=False)

    makers = [record.name for record in of_task(TASK) if record.name not in (JUDGE, DISCRIMINATOR)]
    if makers:
        found = home.supply.levels()
        first = usual(found).checkpoint if found else makers[-1]
        endpoint(portraits_api, [number(1), number(0), words(first), gr.Number(1.0, visible=False)],
                 gr.File(file_count="multiple", visible=False), TASK,
                 f"Portraits dreamed from a seed. Checkpoints: {', '.join(makers)}.")
    for function, inputs, described in (
            (quiz_start, [words(), number(2), number(ROUNDS)], "Begins a game; gives its token."),
            (quiz_round, [words()], "The round to be answered: portraits as WebP."),
            (quiz_answer, [words(), number(1), words()], "Answers a round; tells which one it was.")):
        hidden = gr.Button(visible=False)
        hidden.click(guarded(function), inputs, gr.JSON(visible=False), api_name=function.__name__,
                     api_description=described, **(DEAL if function is quiz_round else PLAY))


DEMO = Demo(
    name="quiz", title="Which face is fake?", tasks=(TASK,),
    door="Portraits drawn by a renderer hang beside portraits dreamed by networks that were trained on them. Ten rounds: can "
         "you tell, and can you tell better than the machine?",
    draw=draw,
    routes=routes,
)
