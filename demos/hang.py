"""Makes the pictures that hang in the rooms when a visitor enters, with the shipped checkpoints:

    python -m demos.hang
    python -m demos.hang --average runs/facades-l1

Run it after a checkpoint has changed. Sources are scikit-image's own sample photographs and our own templates; results go to
assets/examples, the features of the portraits that Explore compares with to assets/quiz, and the sheets of the cards of
pix2pix, CycleGAN and inpainting beside their checkpoints. The second form hangs only what pix2pix's network paints that learnt
with L1 alone (`gm_core.recipes.pix2pix --losses l1`), which does not ship.
"""

import argparse
import time
from pathlib import Path

from PIL import Image

from demos import check, cyclegan, inpainting, pix2pix, text_to_image
from demos.base import ASSETS, parameters_of, sample_photographs
from demos.srgan import detail_by_method
from gm_core.checkpoints import of_task
from gm_core.images import open_picture, save_png
from gm_core.styles import STYLES
from gm_core.tasks.portraits import write_known
from gm_core.tasks.srgan import srgan
from gm_core.tasks.style_transfer import style_transfer

EXAMPLES = ASSETS / "examples"


def hang_srgan(photographs: dict[str, Path]) -> None:
    """The cat's face, 160 px, enlarged to 640, and its eye by each method."""
    cat = open_picture(photographs["A cat"])
    small = cat.crop((75, 0, 375, 300)).resize((160, 160), Image.Resampling.BICUBIC)
    small.save(EXAMPLES / "srgan-input.png")
    srgan(small)  # the first pass pays for the loading
    began = time.perf_counter()
    large = srgan(small)
    save_png(large, EXAMPLES / "srgan.png", parameters_of("srgan", "srgan-x4", time.perf_counter() - began))
    for title, picture in detail_by_method(small, None, "srgan-x4", (0.37, 0.42)).items():
        name = next((record.name for record in of_task("srgan") if record.title == title), "bicubic")
        picture.save(EXAMPLES / f"srgan-detail-{name}.png")


def hang_style_transfer(photographs: dict[str, Path]) -> None:
    """The cup of coffee as the first painter would have it, and a thumbnail by every painter."""
    coffee = open_picture(photographs["A cup of coffee"])
    coffee.save(EXAMPLES / "style_transfer-input.webp", quality=92)
    settings = {"style": STYLES[0].key, "second_style": None, "blend": 0.0, "strength": 1.0, "keep_colours": False}
    style_transfer(coffee, **settings)
    began = time.perf_counter()
    painting = style_transfer(coffee, **settings)
    seconds = time.perf_counter() - began
    save_png(painting, EXAMPLES / "style_transfer.png", parameters_of("style_transfer", "style-many", seconds, **settings))
    (EXAMPLES / "styles").mkdir(exist_ok=True)
    cat = open_picture(photographs["A cat"]).crop((75, 0, 375, 300)).resize((256, 256), Image.Resampling.LANCZOS)
    for style in STYLES:
        thumbnail = style_transfer(cat, style=style.key).resize((192, 192), Image.Resampling.LANCZOS)
        thumbnail.save(EXAMPLES / "styles" / f"{style.key}.webp", quality=85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--average", type=Path, metavar="RUN", help="run of pix2pix-facades with L1 alone")
    args = parser.parse_args()
    if args.average:
        pix2pix.hang_average(args.average)
        return
    photographs = dict(sample_photographs())
    write_known()
    text_to_image.hang()
    pix2pix.hang()
    cyclegan.hang(photographs)
    inpainting.hang()
    hang_srgan(photographs)
    hang_style_transfer(photographs)
    check.hang()


if __name__ == "__main__":
    main()
