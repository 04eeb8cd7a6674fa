"""Check a checkpoint: the same inputs and seeds through several sets of weights, side by side in a report.

    python -m gm_core.check TASK CHECKPOINT [CHECKPOINT ...] [--inputs FOLDER] [--references FOLDER] [--out report.html]

A request goes `sources` (what was named) -> `opening` (files to a network, strictly) -> `kinds` (a task's inputs and pictures)
-> `run` (every picture, figures, time and memory) -> `report` (the page, the contact sheet, the table).
"""
