"""What surrounds the rooms: theme, header, footer of credits."""

import html

import gradio as gr

from demos.base import Demo, count
from demos.languages import switch

THEME = gr.themes.Base(
    primary_hue=gr.themes.Color("#fbf3ee", "#f6e3d8", "#ecc5af", "#dfa180", "#cf7d54", "#b8623a", "#9c4f2c", "#7e3f24",
                                "#64331f", "#52291a", "#2e160e"),
    neutral_hue=gr.themes.Color("#faf8f4", "#f2efe8", "#e4dfd4", "#cbc4b5", "#9f9788", "#7b7467", "#5f594e", "#48443c",
                                "#2b3038", "#1d232b", "#151a21"),
    font=["system-ui", "-apple-system", "Segoe UI", "Noto Sans", "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR",
          "Noto Sans CJK KR", "sans-serif"],
    font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    radius_size=gr.themes.sizes.radius_sm,
).set(
    body_background_fill="#f6f3ec",
    body_background_fill_dark="#171d26",
    background_fill_primary="#fbf9f5",
    background_fill_primary_dark="#1d2530",
    background_fill_secondary="#f1ede4",
    background_fill_secondary_dark="#232c38",
    body_text_color="#2a2620",
    body_text_color_dark="#e9e4da",
    body_text_color_subdued="#655e52",
    body_text_color_subdued_dark="#a9b0ba",
    block_background_fill="transparent",
    block_background_fill_dark="transparent",
    block_border_width="0px",
    block_shadow="none",
    block_label_background_fill="transparent",
    block_label_background_fill_dark="transparent",
    block_label_border_width="0px",
    block_label_text_color="#655e52",
    block_label_text_color_dark="#c3c8cf",
    block_title_text_color="#655e52",
    block_title_text_color_dark="#c3c8cf",
    block_title_text_weight="500",
    border_color_primary="#d9d2c4",
    border_color_primary_dark="#36414f",
    button_primary_background_fill="#9c4f2c",
    button_primary_background_fill_hover="#7e3f24",
    button_primary_background_fill_dark="#a9552f",
    button_primary_background_fill_hover_dark="#b05c35",
    button_primary_text_color="#ffffff",
    button_primary_text_color_dark="#ffffff",
    button_large_padding="12px 20px",
    input_background_fill="#ffffff",
    input_background_fill_dark="#151b23",
    input_border_color="#8a8274",
    input_border_color_dark="#68758a",
    input_placeholder_color="#6f685b",
    input_placeholder_color_dark="#98a1ad",
    checkbox_border_color="#8a8274",
    checkbox_border_color_dark="#8794a8",
    checkbox_label_background_fill="#ebe6db",
    checkbox_label_background_fill_dark="#2b3645",
    checkbox_label_background_fill_selected="#ebe6db",
    checkbox_label_background_fill_selected_dark="#2b3645",
    checkbox_label_background_fill_hover="#e4dfd4",
    checkbox_label_background_fill_hover_dark="#364354",
    button_secondary_background_fill="transparent",
    button_secondary_background_fill_dark="transparent",
    button_secondary_background_fill_hover="#ebe6db",
    button_secondary_background_fill_hover_dark="#2b3645",
    button_secondary_border_color="#cbc4b5",
    button_secondary_border_color_dark="#44505f",
    button_border_width="1px",
    link_text_color="#8a4526",
    link_text_color_dark="#e3a684",
)


HEADER_JS = """
const address = new URL(location.href);
const projector = () => document.getElementById('projector');
function show() {
  for (const link of element.querySelectorAll('a')) {
    if (link.lang === document.documentElement.lang) link.setAttribute('aria-current', 'true');
    const query = new URLSearchParams(address.search);
    query.set('language', link.lang);
    link.href = '?' + query;
  }
  const large = document.documentElement.classList.toggle('projector', address.searchParams.get('projector') === '1');
  projector()?.setAttribute('aria-pressed', String(large));
}
function keep(name, value) {
  if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
  history.replaceState(history.state, '', address);
  show();
  window.dispatchEvent(new Event('resize'));  // the tabs measure themselves anew
}
document.addEventListener('click', (event) => {
  if (event.target.closest?.('#projector')) keep('projector', address.searchParams.get('projector') === '1' ? '' : '1');
  if (event.target.closest?.('#night')) keep('__theme', document.body.classList.toggle('dark') ? 'dark' : 'light');
});
show();
for (const wait of [0, 500, 2000]) setTimeout(show, wait);  // the buttons are drawn after this
"""
"""The switches of the page. Their state stands in the address, so that a link, and the other languages, keep it."""


def header() -> None:
    """Name of the house, and three switches: language, day or night, and larger type for a projector."""
    with gr.Row(elem_id="header", equal_height=True):
        gr.HTML('<div class="house"><h1>Gallery of generative models</h1><p>Small networks that we trained ourselves, '
                "working here and now. Bring a picture.</p></div>")
        gr.HTML(f'<nav class="languages" aria-label="Language">{switch("")}</nav>', js_on_load=HEADER_JS, min_width=180,
                elem_id="language", padding=False)
        gr.Button("Day / night", size="sm", elem_id="night", min_width=110, scale=0)
        gr.Button("Projector", size="sm", elem_id="projector", min_width=110, scale=0)


def footer(demos: list[Demo]) -> None:
    """Credits and licences of every checkpoint, drawn from the records."""
    rows = []
    for checkpoint in dict.fromkeys(checkpoint for demo in demos for checkpoint in demo.checkpoints()):
        origin = "ships with the gallery" if checkpoint.shipped else f'<a href="{html.escape(checkpoint.source)}">Hub</a>'
        pinned = "" if checkpoint.pinned else "<br>not pinned"
        rows.append(
            f"<tr><td>{html.escape(checkpoint.title)}</td><td>{html.escape(checkpoint.network)}</td>"
            f"<td>{count(checkpoint.parameters)}</td><td>{html.escape(checkpoint.trained_on)}</td>"
            f"<td>{html.escape(checkpoint.licence)}</td><td>{origin}{pinned}</td>"
            f'<td><a href="{html.escape(checkpoint.paper)}">paper</a></td></tr>')
    with gr.Accordion("Credits and licences", open=False, elem_id="credits"):
        gr.HTML('<div class="scroll"><table class="credits"><thead><tr><th>Checkpoint</th><th>Network</th><th>Parameters'
                "</th><th>Trained on</th><th>Licence</th><th>Where</th><th>Read</th></tr></thead><tbody>"
                f"{''.join(rows)}</tbody></table></div><p>Example photographs: astronaut (NASA), chelsea (Stéfan van der "
                "Walt), coffee (Rachel Michetti), rocket (SpaceX), as carried by scikit-image, free to use. Code: "
                "Apache-2.0. What you bring is kept for at most an hour and shown to nobody else.</p>")
