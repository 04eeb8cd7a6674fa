"""The gallery with every room there is, also those that wait for their checkpoints: `python -m tests.every_room` serves it."""

import sys
import tempfile
from pathlib import Path

from tests import inpainting_records, text_to_image_records, translation_records
from tests.records import put

ROOT = Path(__file__).resolve().parents[1]


def furnish(scratch: Path) -> None:
    """Hangs the missing rooms with tiny networks, for this process. scratch: an empty folder that outlives the page."""
    import demos
    from demos import cyclegan, inpainting, text_to_image

    shipped, assets = scratch / "checkpoints", scratch / "assets"
    shipped.mkdir()
    (assets / "examples").mkdir(parents=True)
    put((*translation_records.tiny_records(shipped), inpainting_records.tiny_record(shipped),
         text_to_image_records.tiny_record(shipped)), shipped)
    for records in (translation_records, inpainting_records, text_to_image_records):
        records.hang(assets / "examples")
    for file in (ROOT / "assets").iterdir():
        if file.name != "examples":
            (assets / file.name).symlink_to(file)
    for room in (cyclegan, inpainting, text_to_image):
        room.ASSETS = assets
        if room.DEMO not in demos.DEMOS:
            demos.DEMOS.append(room.DEMO)


if __name__ == "__main__":
    import app

    with tempfile.TemporaryDirectory() as folder:
        furnish(Path(folder))
        sys.argv = ["app.py"]
        app.main()
