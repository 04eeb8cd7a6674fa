"""The rooms of the gallery, in tab order. Gradio lives here and in app.py, nowhere else."""

from demos.start import unhindered

with unhindered():
    from demos import check, cyclegan, inpainting, pix2pix, quiz, srgan, style_transfer, text_to_image
    from demos.base import Demo

DEMOS: list[Demo] = [quiz.DEMO, text_to_image.DEMO, pix2pix.DEMO, cyclegan.DEMO, srgan.DEMO, inpainting.DEMO,
                     style_transfer.DEMO, check.DEMO]
