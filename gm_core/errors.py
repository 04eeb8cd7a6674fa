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
