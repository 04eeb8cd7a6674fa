"""The gallery's core: pictures, weights, networks and tasks. It never imports the page (gradio, demos, app)."""

__version__ = "0.1.0"
