"""The quiz's own world: portraits drawn by the renderer, the real ones, against portraits by networks trained on them."""

import secrets
from functools import cached_property
from typing import TYPE_CHECKING

from PIL import Image

from gm_core.checkpoints import find, of_task
from gm_core.quiz.levels import DISCRIMINATOR, JUDGE, REJECTING, TASK, Level, levels
from gm_core.quiz.supply import Drawn, Judged

if TYPE_CHECKING:
    from gm_core.datasets.portraits import Portrait

OF = 3
"""Of so many portraits of the last snapshot the likeliest one is shown."""


class DrawnWorld:
    """See `gm_core.datasets.portraits` for the real ones and `gm_core.tasks.portraits` for the fakes and the judge."""

    @cached_property
    def _levels(self) -> list[Level]:
        return levels()

    def levels(self) -> list[Level]:
        return self._levels

    def real(self, n: int, level: Level, side: int) -> list[Drawn]:
        """From seeds that no network was trained on."""
        from gm_core.datasets.portraits import HELD_OUT, render, sample

        seeds = [HELD_OUT + secrets.randbelow(2**31) for _ in range(n)]
        people = [sample(seed) for seed in seeds]
        pictures = render(people, side).pictures
        return [Drawn(Image.fromarray(picture), str(seed), f"Drawn by the renderer, seed {seed}", told(person))
                for seed, person, picture in zip(seeds, people, pictures, strict=True)]

    def fake(self, n: int, level: Level) -> list[Drawn]:
        from gm_core.tasks.portraits import MAX_SEED, likeliest, portraits

        seed = secrets.randbelow(MAX_SEED)
        rejecting = level.checkpoint == REJECTING and DISCRIMINATOR in {record.name for record in of_task(TASK)}
        made = portraits(n * OF if rejecting else n, seed=seed, checkpoint=level.checkpoint, truncation=level.truncation)
        kept = likeliest(made, n) if rejecting else range(n)
        title = find(level.checkpoint).title
        return [Drawn(made[i], f"{level.key} {seed} {i}", f"Dreamed by {title}, seed {seed}, number {i + 1}") for i in kept]

    def judge(self, pictures: list[Image.Image]) -> list[Judged] | None:
        if JUDGE not in {record.name for record in of_task(TASK)}:
            return None
        from gm_core.tasks.portraits import machine_guess

        return [Judged(guess.fake, guess.heat) for guess in machine_guess(pictures)]


def told(person: "Portrait") -> dict[str, str]:
    """What of a person is kept with an answer: labels that can be counted."""
    age = next((words for limit, words in ((30, "under 30"), (45, "30 to 44"), (60, "45 to 59")) if person.age < limit),
               "60 or more")
    side = "the left" if person.key_azimuth < -0.3 else "the right" if person.key_azimuth > 0.3 else "the front"
    return {"glasses": person.glasses, "hat": person.hat, "expression": person.expression, "age": age,
            "hair": person.hair_style, "beard": person.beard, "light from": side, "background": person.background}
