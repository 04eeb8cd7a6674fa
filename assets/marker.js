// The canvas on which a visitor marks what shall go. Python puts {picture: data URL} into the value; every change of the
// marks puts {mask: data URL of a PNG, white where marked} there instead. The mask has the size of the picture shown.
const $ = (selector) => element.querySelector(selector);
const picture = $('.marker-picture'), marks = $('.marker-marks'), cursor = $('.marker-cursor');
const ink = marks.getContext('2d', { willReadFrequently: true });
const size = $('.marker-size input');
const colour = '#d1495b', history = [], kept = 12;
let tool = 'brush', from = null, before = null, keyAt = null;

function show() {
  const value = props.value;
  if (!value || !value.picture) return;
  const image = new Image();
  image.onload = () => {
    for (const canvas of [picture, marks]) { canvas.width = image.naturalWidth; canvas.height = image.naturalHeight; }
    picture.getContext('2d').drawImage(image, 0, 0);
    history.length = 0;
    keyAt = null;
    tell(false);
  };
  image.src = value.picture;
}

function remember() {
  history.push(ink.getImageData(0, 0, marks.width, marks.height));
  if (history.length > kept) history.shift();
}

// Says how much is marked and, if asked, hands the mask on.
function tell(hand = true) {
  const pixels = ink.getImageData(0, 0, marks.width, marks.height), data = pixels.data;
  let marked = 0;
  for (let i = 0; i < data.length; i += 4) {
    const white = data[i + 3] >= 128 ? 255 : 0;
    if (white) marked += 1;
    data[i] = data[i + 1] = data[i + 2] = white;
    data[i + 3] = 255;
  }
  const share = 100 * marked / (marks.width * marks.height);
  const said = $('.marker-share');
  said.textContent = said.getAttribute(!marked ? 'data-say-none' : share < 1 ? 'data-say-little' : 'data-say-share')
    .replace('{0}', Math.round(share));
  if (!hand) return;
  const mask = document.createElement('canvas');
  mask.width = marks.width; mask.height = marks.height;
  mask.getContext('2d').putImageData(pixels, 0, 0);
  props.value = { mask: mask.toDataURL('image/png') };
}

const ratio = () => marks.width / Math.max(1, marks.getBoundingClientRect().width);
function place(event) {
  const box = marks.getBoundingClientRect();
  return [(event.clientX - box.left) * ratio(), (event.clientY - box.top) * ratio()];
}
function stroke(a, b) {
  ink.globalCompositeOperation = tool === 'eraser' ? 'destination-out' : 'source-over';
  ink.strokeStyle = ink.fillStyle = colour;
  ink.lineCap = ink.lineJoin = 'round';
  ink.lineWidth = size.value * ratio();
  ink.beginPath(); ink.moveTo(...a); ink.lineTo(...b); ink.stroke();
  ink.beginPath(); ink.arc(...b, ink.lineWidth / 2, 0, 2 * Math.PI); ink.fill(); // a line of no length draws nothing
  ink.globalCompositeOperation = 'source-over';
}
function box(a, b) {
  ink.putImageData(before, 0, 0);
  ink.fillStyle = colour;
  // A box drawn to the edge reaches the edge: fingers stop a little before it.
  const snap = (at, end) => at < 0.012 * end ? 0 : at > 0.988 * end ? end : at;
  const [left, right] = [a[0], b[0]].map((at) => snap(at, marks.width)).sort((x, y) => x - y);
  const [top, bottom] = [a[1], b[1]].map((at) => snap(at, marks.height)).sort((x, y) => x - y);
  ink.fillRect(Math.round(left), Math.round(top), Math.round(right) - Math.round(left), Math.round(bottom) - Math.round(top));
}
function ring(event) {
  const round = tool !== 'box' && event.pointerType !== 'touch';
  cursor.hidden = !round;
  marks.style.cursor = round ? 'none' : 'crosshair';
  const box = marks.getBoundingClientRect();
  cursor.style.width = cursor.style.height = `${size.value}px`;
  cursor.style.transform = `translate(${event.clientX - box.left - size.value / 2}px, ${event.clientY - box.top - size.value / 2}px)`;
}

marks.addEventListener('pointerdown', (event) => {
  if (event.button) return;
  event.preventDefault();
  marks.focus({ preventScroll: true });
  marks.setPointerCapture(event.pointerId);
  remember();
  before = history[history.length - 1];
  from = place(event);
  if (tool !== 'box') stroke(from, from);
});
marks.addEventListener('pointermove', (event) => {
  ring(event);
  if (!from) return;
  if (tool === 'box') { box(from, place(event)); return; }
  for (const step of event.getCoalescedEvents?.() ?? [event]) { const to = place(step); stroke(from, to); from = to; }
});
function end() { if (from) { from = null; tell(); } }
marks.addEventListener('pointerup', end);
marks.addEventListener('pointercancel', end);
marks.addEventListener('pointerleave', () => { cursor.hidden = true; });

marks.addEventListener('keydown', (event) => {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === 'z' && (event.ctrlKey || event.metaKey)) { actions.undo(); event.preventDefault(); return; }
  if (!by && event.key !== ' ') return;
  event.preventDefault();
  keyAt ??= [marks.width / 2, marks.height / 2];
  const pace = size.value * ratio() / 2;
  if (by) keyAt = keyAt.map((at, i) => Math.min(i ? marks.height : marks.width, Math.max(0, at + by[i] * pace)));
  else { remember(); stroke(keyAt, keyAt); tell(); }
  const r = ratio();
  cursor.hidden = false;
  cursor.style.width = cursor.style.height = `${size.value}px`;
  cursor.style.transform = `translate(${keyAt[0] / r - size.value / 2}px, ${keyAt[1] / r - size.value / 2}px)`;
});

const actions = {
  undo() { const last = history.pop(); if (last) { ink.putImageData(last, 0, 0); tell(); } },
  clear() { remember(); ink.clearRect(0, 0, marks.width, marks.height); tell(); },
  invert() {
    remember();
    ink.globalCompositeOperation = 'source-out';
    ink.fillStyle = colour;
    ink.fillRect(0, 0, marks.width, marks.height);
    ink.globalCompositeOperation = 'source-over';
    tell();
  },
  another() { trigger('another'); },
};
for (const button of element.querySelectorAll('[data-do]')) button.addEventListener('click', () => actions[button.dataset.do]());
for (const button of element.querySelectorAll('[data-tool]')) button.addEventListener('click', () => {
  tool = button.dataset.tool;
  for (const other of element.querySelectorAll('[data-tool]')) other.setAttribute('aria-pressed', other === button);
});

watch('value', show);
show();
