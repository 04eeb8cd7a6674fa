// A drawing table for label maps. Python puts {palette: [[name, "#rrggbb"], ...], first: name, drawing: data URL or null}
// into the value; every stroke puts {drawing: data URL of a PNG in exactly the palette's colours} there and triggers 'drawn',
// also now and then while the stroke goes on. Nothing is smoothed: a mixed colour would be another label's.
const $ = (selector) => element.querySelector(selector);
const canvas = $('canvas'), cursor = $('.marker-cursor'), size = $('.marker-size input'), palette = $('.easel-palette');
const ink = canvas.getContext('2d', { willReadFrequently: true });
const history = [], kept = 30, pace = 300;
let tool = 'brush', colours = [], colour = '#000000', from = null, before = null, told = 0, keyAt = null;

function choose(name) {
  const found = colours.find(([other]) => other === name);
  if (!found) return;
  colour = found[1];
  for (const button of palette.children) {
    button.setAttribute('aria-checked', String(button.dataset.name === name));
    button.tabIndex = button.dataset.name === name ? 0 : -1;  // Tab passes the palette in one step, arrows move within
  }
}
function lay(entries, first) {
  colours = entries;
  palette.replaceChildren(...entries.map(([name, tone]) => {
    const button = document.createElement('button'), swatch = document.createElement('i');
    button.type = 'button';
    button.dataset.name = name;
    button.setAttribute('role', 'radio');
    swatch.style.background = tone;
    button.append(swatch, name);
    button.addEventListener('click', () => { choose(name); if (tool === 'eraser') take('brush'); });
    return button;
  }));
  choose(first ?? entries[0][0]);
}
palette.addEventListener('keydown', (event) => {
  const by = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key], all = [...palette.children];
  const at = all.indexOf(event.target.closest('button'));
  if (!by || at < 0) return;
  event.preventDefault();
  const next = all[(at + by + all.length) % all.length];
  choose(next.dataset.name);
  next.focus();
});
function show() {
  const value = props.value;
  if (!value || !value.palette) return;
  lay(value.palette, value.first);
  history.length = 0;
  ink.fillStyle = value.palette[0][1];
  if (!value.drawing) { ink.fillRect(0, 0, canvas.width, canvas.height); return; }
  const image = new Image();
  image.onload = () => {
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    ink.imageSmoothingEnabled = false;
    ink.drawImage(image, 0, 0);
  };
  image.src = value.drawing;
}
function tell() {
  told = performance.now();
  props.value = { drawing: canvas.toDataURL('image/png') };
  trigger('drawn');
}
function remember() {
  history.push(ink.getImageData(0, 0, canvas.width, canvas.height));
  if (history.length > kept) history.shift();
}

const ratio = () => canvas.width / Math.max(1, canvas.getBoundingClientRect().width);
function place(event) {
  const box = canvas.getBoundingClientRect();
  return [Math.floor((event.clientX - box.left) * ratio()), Math.floor((event.clientY - box.top) * ratio())];
}
// A disc of whole pixels, row by row: fillRect at whole numbers mixes no colours.
function dab([x, y]) {
  ink.fillStyle = tool === 'eraser' ? colours[0][1] : colour;
  const r = size.value / 2;
  for (let dy = -Math.floor(r); dy <= r; dy += 1) {
    const half = Math.max(0.5, Math.sqrt(Math.max(0, r * r - dy * dy)));
    ink.fillRect(Math.round(x - half + 0.5), y + dy, Math.max(1, Math.round(2 * half)), 1);
  }
}
function stroke(a, b) {
  const steps = Math.max(1, Math.ceil(Math.hypot(b[0] - a[0], b[1] - a[1])));
  for (let i = 0; i <= steps; i += 1) dab([Math.round(a[0] + (b[0] - a[0]) * i / steps), Math.round(a[1] + (b[1] - a[1]) * i / steps)]);
}
function box(a, b) {
  ink.putImageData(before, 0, 0);
  ink.fillStyle = colour;
  const [left, right] = [a[0], b[0]].sort((p, q) => p - q), [top, bottom] = [a[1], b[1]].sort((p, q) => p - q);
  ink.fillRect(left, top, right - left + 1, bottom - top + 1);
}
function bucket([x, y]) {
  const { width, height } = canvas, image = ink.getImageData(0, 0, width, height), cells = new Uint32Array(image.data.buffer);
  if (x < 0 || y < 0 || x >= width || y >= height) return;
  const old = cells[y * width + x], tone = Number.parseInt(colour.slice(1), 16);
  const fresh = (0xff000000 | ((tone & 0xff) << 16) | (tone & 0xff00) | (tone >> 16)) >>> 0;
  if (old === fresh) return;
  const open = [y * width + x];
  while (open.length) {
    const at = open.pop();
    if (cells[at] !== old) continue;
    cells[at] = fresh;
    if (at % width > 0) open.push(at - 1);
    if (at % width < width - 1) open.push(at + 1);
    if (at >= width) open.push(at - width);
    if (at < width * (height - 1)) open.push(at + width);
  }
  ink.putImageData(image, 0, 0);
}
function ring(x, y, hidden) {
  cursor.hidden = hidden;
  const side = size.value / ratio();
  cursor.style.width = cursor.style.height = `${side}px`;
  cursor.style.transform = `translate(${x - side / 2}px, ${y - side / 2}px)`;
}

canvas.addEventListener('pointerdown', (event) => {
  if (event.button || !colours.length) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  remember();
  before = history[history.length - 1];
  const at = place(event);
  if (tool === 'bucket') { bucket(at); tell(); return; }
  from = at;
  if (tool !== 'box') dab(from);
});
canvas.addEventListener('pointermove', (event) => {
  const stage = canvas.getBoundingClientRect();
  ring(event.clientX - stage.left, event.clientY - stage.top, event.pointerType === 'touch' || tool === 'box' || tool === 'bucket');
  if (!from) return;
  if (tool === 'box') box(from, place(event));
  else for (const step of event.getCoalescedEvents?.() ?? [event]) { const to = place(step); stroke(from, to); from = to; }
  if (performance.now() - told > pace) tell();
});
function end() { if (from) { from = null; tell(); } }
canvas.addEventListener('pointerup', end);
canvas.addEventListener('pointercancel', end);
canvas.addEventListener('pointerleave', () => { cursor.hidden = true; });
canvas.addEventListener('keydown', (event) => {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === 'z' && (event.ctrlKey || event.metaKey)) { actions.undo(); event.preventDefault(); return; }
  if (!by && event.key !== ' ') return;
  event.preventDefault();
  keyAt ??= [canvas.width / 2, canvas.height / 2];
  const far = Math.max(1, Math.round(size.value / 2));
  if (by) keyAt = keyAt.map((at, i) => Math.min((i ? canvas.height : canvas.width) - 1, Math.max(0, at + by[i] * far)));
  else { remember(); if (tool === 'bucket') bucket(keyAt); else dab(keyAt); tell(); }
  ring(keyAt[0] / ratio(), keyAt[1] / ratio(), false);
});

const actions = {
  undo() { const last = history.pop(); if (last) { ink.putImageData(last, 0, 0); tell(); } },
  clear() { remember(); ink.fillStyle = colours[0][1]; ink.fillRect(0, 0, canvas.width, canvas.height); tell(); },
};
function take(name) {
  tool = name;
  for (const button of element.querySelectorAll('[data-tool]')) button.setAttribute('aria-pressed', String(button.dataset.tool === name));
}
for (const button of element.querySelectorAll('[data-do]')) button.addEventListener('click', () => actions[button.dataset.do]());
for (const button of element.querySelectorAll('[data-tool]')) button.addEventListener('click', () => take(button.dataset.tool));

watch('value', show);
show();
