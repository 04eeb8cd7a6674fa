"""The gallery on a machine that is full: `python -m tests.poor`. Files end at 1 MB, memory a little above what a page takes."""

import os
import resource
from pathlib import Path

from PIL import Image

LARGEST_FILE = 2**20
MEMORY = 600 * 2**20


def main() -> None:
    import app
    from gm_core.tasks.srgan import srgan

    page = app.gallery()
    srgan(Image.new("RGB", (32, 32)))  # the network is loaded while there is room
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    app.serve(page, server_name="127.0.0.1", server_port=int(os.environ["PORT"]))
    page.block_thread()


if __name__ == "__main__":
    main()
