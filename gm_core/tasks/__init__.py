"""One application per file: PIL pictures or text in, PIL pictures out; the story of a request from top to bottom.

`gm_core/tasks/<task>.py` exports the function `<task>`; everything but the picture, mask or prompt has a default.
"""
