"""The gallery: a room for each entry of `demos.DEMOS`. `python app.py` opens it; importing it builds nothing."""

import argparse
import logging
import os
import webbrowser
from typing import Any

import gradio as gr
from PIL import Image

from demos import DEMOS
from demos.base import ASSETS
from demos.shell import THEME, footer, header
from gm_core.engine import LocalEngine
from gm_core.images import MAX_FILE_BYTES, MAX_PIXELS

LAUNCH: dict[str, Any] = {
    "theme": THEME,
    "css_paths": ASSETS / "gallery.css",
    "max_file_size": MAX_FILE_BYTES,
    "allowed_paths": [],
    "blocked_paths": [],
    "show_error": False,
    "enable_monitoring": False,
    "strict_cors": True,
    "state_session_capacity": 500,
    "run_history": False,
    "ssr_mode": False,
    "footer_links": ["api"],
    "quiet": True,
}


def gallery(engine: LocalEngine | None = None) -> gr.Blocks:
    """The whole page, with its queue set up, ready to `launch(**LAUNCH)` or to be mounted."""
    engine = engine or LocalEngine()
    with gr.Blocks(title="Gallery of generative models", analytics_enabled=False, delete_cache=(3600, 3600),
                   fill_width=False) as page:
        header()
        with gr.Tabs(elem_id="rooms"):
            for demo in DEMOS:
                with gr.Tab(demo.title, id=demo.name, elem_id=f"tab-{demo.name}"):
                    gr.HTML(f'<div class="door"><h2>{demo.title}</h2><p>{demo.door}</p></div>')
                    demo.draw(engine)
        footer(DEMOS)
    return page.queue(api_open=False, max_size=128)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # whoever else opens pictures in this process has a limit too
    page = gallery()
    _, address, _ = page.launch(server_name=args.host, server_port=args.port, prevent_thread_lock=True, **LAUNCH)
    logging.getLogger("gallery").info("The gallery is open at %s", address)
    if args.open:
        webbrowser.open(address)
    page.block_thread()


if __name__ == "__main__":
    main()
