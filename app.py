"""The gallery: a room for each entry of `demos.DEMOS`. `python app.py` opens it; importing it builds nothing."""

import argparse
import gc
import importlib
import logging
import os
import secrets
import sys
import threading
import webbrowser
from functools import partial
from typing import Any

from PIL import Image
from starlette.middleware import Middleware

from demos import DEMOS, install
from demos.base import ASSETS, LIGHT
from demos.guard import Guard, Limits, trust_proxies
from demos.interpreter import Interpreter, Page
from demos.shell import THEME, footer, header
from demos.start import gradio as gr
from demos.start import unhindered
from demos.tools import Tools, pictures_of, wanted
from gm_core.cluster import add_options, chosen
from gm_core.engine import Engine, LocalEngine
from gm_core.errors import GMError
from gm_core.images import MAX_FILE_BYTES, MAX_PIXELS

WARM_AFTER = 4.0
"""Seconds after the opening."""
LAUNCH: dict[str, Any] = {
    "theme": THEME,
    "css_paths": ASSETS / "gallery.css",
    "favicon_path": str(install.ICONS / "192.png"),
    "pwa": True,
    "head": f"<style>{(ASSETS / 'page.css').read_text(encoding='utf-8')}</style>",
    "max_file_size": MAX_FILE_BYTES,
    "max_threads": 96,  # most of them wait: in the line for the networks, or for portraits to be drawn
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
    "mcp_server": False,  # `demos.tools` has its own
}


def gallery(engine: Engine | None = None) -> gr.Blocks:
    """The whole page, with its queue set up, ready to be served or mounted."""
    engine = engine or LocalEngine()
    with Page(title="Gallery of generative models", analytics_enabled=False, delete_cache=(3600, 3600),
              fill_width=False) as page:
        header()
        with gr.Tabs(elem_id="rooms"):
            for demo in DEMOS:
                with gr.Tab(demo.title, id=demo.name, elem_id=f"tab-{demo.name}") as tab:
                    gr.HTML(f'<div class="door"><h2>{demo.title}</h2><p>{demo.door}</p></div>')
                    demo.draw(engine)
                if demo.warm:
                    tab.select(partial(engine.warm, demo.warm), None, None, show_progress="hidden",
                               api_visibility="private", **LIGHT)
        footer(DEMOS)
    for event in page.fns.values():
        if event.fn:
            event.queue = True  # Gradio would call those of its examples directly, by an address that the guard keeps closed
    return page.queue(api_open=False, max_size=128)


def serve(page: gr.Blocks, **where: Any) -> str:  # noqa: ANN401 - launch's own
    """Opens the page with all that the rooms bring, behind its guard, and returns its address. where: arguments of `launch`.

    Raises GMError for a setting that cannot be followed.
    """
    routes = [*install.routes(), *(route for demo in DEMOS for route in demo.routes())]
    events: dict[Any, tuple[str, int]] = {}
    for number, event in page.fns.items():
        events[number] = event.concurrency_id, len(event.inputs)
        if isinstance(event.api_name, str):
            events[event.api_name] = event.concurrency_id, sum(not block.skip_api for block in event.inputs)
    door: dict[str, Any] = {"limits": Limits(), "event_of": events.get, "own": {route.path.split("/")[1] for route in routes},
                            "scripts": [script for demo in DEMOS for script in demo.scripts()]}
    trust_proxies()
    app_kwargs: dict[str, Any] = {}
    if wanted():
        password = secrets.token_hex(16)
        tools = Tools(page, pictures_of(page, [task for demo in DEMOS for task in demo.tasks or (demo.name,)]), password)
        routes += tools.routes()
        app_kwargs["lifespan"] = tools.lifespan
        door |= {"tools": tools.pictures(), "password": password}
        page.mcp_server = True  # the page's list of endpoints says so too
    # The guard is outermost: it names the scripts of the page as it leaves the house.
    app_kwargs |= {"routes": routes, "middleware": [Middleware(Guard, **door), Middleware(Interpreter)]}
    _, address, _ = page.launch(prevent_thread_lock=True, app_kwargs=app_kwargs, **where, **LAUNCH)
    return address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"))
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    add_options(parser)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # whoever else opens pictures in this process has a limit too
    try:
        with chosen(args) as engine:
            with unhindered():
                page = gallery(engine)
                address = serve(page, server_name=args.host, server_port=args.port)
            gc.freeze()  # what the page is made of stays: no collection need look through it while visitors wait
            logging.getLogger("gallery").info("The gallery is open at %s", address)
            # The page opens without torch. Nor shall the first who presses a button wait for it; but the page comes first.
            warming = threading.Timer(WARM_AFTER, importlib.import_module, ("gm_core.load",))
            warming.daemon = True
            warming.start()
            if args.open:
                webbrowser.open(address)
            page.block_thread()
    except GMError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
