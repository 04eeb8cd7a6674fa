"""Everything a visitor may be told. The message of a GMError is shown as it stands: what happened, what to do."""


class GMError(Exception):
    """Base of every expected failure. Anything else that reaches the page is a defect of ours."""


class BadInput(GMError):
    """The visitor's picture, prompt or setting cannot be used; the message names the limit and the actual value."""


class CheckpointError(GMError):
    """A set of weights is not what its record says: wrong keys, wrong shapes, wrong file format, unknown name."""


class Unavailable(GMError):
    """Weights that are not on this machine could not be fetched: no network, gated, missing, disk full."""


class Cancelled(GMError):
    """Raised by a `report` callback when nobody waits for the result any more. Tasks let it pass."""


# --- kinds of input: what comes from outside may be anything ----------------------------------------------------------


def number(name: str, value: object) -> float:
    """The value, if it is a number (also nan and inf, which no range has). Raises BadInput."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name} is a number; {str(value)[:40]!r} is none.")
    return value


def whole(name: str, value: object) -> int:
    """The value, if it is a whole number. Raises BadInput."""
    if not isinstance(number(name, value), int):
        raise BadInput(f"{name} is a whole number; {value} is none.")
    return value  # pyright: ignore[reportReturnType]


def string(name: str, value: object) -> str:
    """The value, if it is a text. Raises BadInput."""
    if not isinstance(value, str):
        raise BadInput(f"{name} is a text; {str(value)[:40]!r} is none.")
    return value
