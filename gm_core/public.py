"""Whether strangers can reach this gallery: then it keeps limits that a machine of one's own does not need."""

import os


def is_public() -> bool:
    """`GM_PUBLIC` (1 or 0) if set; else whether this is a Space of the Hub."""
    chosen = os.environ.get("GM_PUBLIC", "").strip().lower()
    return chosen not in ("0", "no", "false", "off") if chosen else bool(os.environ.get("SPACE_ID"))
