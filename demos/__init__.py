"""The rooms of the gallery, in tab order. Gradio lives here and in app.py, nowhere else."""

from demos import srgan, style_transfer
from demos.base import Demo

DEMOS: list[Demo] = [srgan.DEMO, style_transfer.DEMO]
