"""What the sentences about birds and flowers have in common: a teller who chooses words and remembers what was said."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Teller:
    """Chooses the words of one sentence. `told` collects the attributes that it names, with their values."""

    def __init__(self, record: object, *seed: int) -> None:
        self.record = record
        self.random = np.random.default_rng(seed)
        self.told: dict[str, str] = {}

    def pick(self, *words: str) -> str:
        return words[int(self.random.integers(len(words)))]

    def often(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def tell(self, *attributes: str) -> None:
        """Notes that the sentence names these attributes of the record."""
        for attribute in attributes:
            value = getattr(self.record, attribute)
            self.told[attribute] = ("yes" if value else "no") if isinstance(value, bool) else str(value)

    def shuffled(self, things: Sequence[T]) -> list[T]:
        return [things[i] for i in self.random.permutation(len(things))]


def listed(words: Sequence[str]) -> str:
    """One, two and three."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def sentence(text: str) -> str:
    """With "an" before vowels, single spaces, capitals after full stops and a full stop at the end."""
    words = text.replace(" ,", ",").replace(" .", ".").split()
    pairs = zip(words, [*words[1:], "."], strict=True)
    words = ["an" if word == "a" and after[0] in "aeiou" else word for word, after in pairs]
    parts = [part[0].upper() + part[1:] for part in " ".join(words).rstrip(".").split(". ")]
    return ". ".join(parts) + "."
