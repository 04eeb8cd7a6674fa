'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const {checkpoints, axes, cells, pictures} = data;
const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'text') made.textContent = value;
    else if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
};

// --- what was made -----------------------------------------------------------------------------------------------------

// at: {checkpoint: 0, input: 2, seed: 0, ...}. Inputs and references stand for every seed and setting.
const find = at => cells.find(cell => cell.c === at.checkpoint
  && axes.every((axis, i) => cell.at[i] === null || cell.at[i] === at[axis.name]));
const valuesOf = name => name === 'checkpoint' ? checkpoints.map(one => one.label) : axes.find(axis => axis.name === name).values;
const names = ['checkpoint', ...axes.map(axis => axis.name)];
const several = names.filter(name => valuesOf(name).length > 1);
const titles = {checkpoint: 'Checkpoint', input: 'Input', seed: 'Seed'};
const title = name => titles[name] || name[0].toUpperCase() + name.slice(1).replaceAll('_', ' ');
const words = (name, i) => name === 'seed' ? 'seed ' + valuesOf(name)[i] : name === 'checkpoint' || name === 'input'
  ? valuesOf(name)[i] : title(name).toLowerCase() + ' ' + valuesOf(name)[i];
const figures = cell => cell && cell.f ? Object.entries(cell.f).map(([name, value]) => name === 'psnr' ? value.toFixed(2) + ' dB'
  : name === 'ssim' ? 'SSIM ' + value.toFixed(3) : 'distance ' + value.toFixed(3)).join(' · ') : '';

const loaded = new Map();
const load = i => {
  if (!loaded.has(i)) loaded.set(i, new Promise(done => {
    const image = new Image();
    image.onload = () => done(image);
    image.src = pictures[i].src;
  }));
  return loaded.get(i);
};

// --- one place, seen the same everywhere in a row ------------------------------------------------------------------------

let zoom = 1;
const centres = new Map();
const centre = key => centres.get(key) || {x: .5, y: .5};
const clamp = (value, most) => Math.min(most, Math.max(0, value));
const place = view => {
  const {x, y} = centre(view.dataset.key);
  const across = clamp(x * zoom - .5, zoom - 1), down = clamp(y * zoom - .5, zoom - 1);
  view.classList.toggle('near', zoom > 1);
  for (const child of view.querySelectorAll('img, canvas')) {
    child.style.transform = zoom === 1 ? '' : 'translate(' + -100 * across + '%,' + -100 * down + '%) scale(' + zoom + ')';
  }
};
const placeAll = key => document.querySelectorAll('.view[data-key]').forEach(view => {
  if (key === undefined || view.dataset.key === key) place(view);
});
const setZoom = (value, key, at) => {
  zoom = value;
  if (key !== undefined) centres.set(key, at);
  document.querySelectorAll('[data-zoom]').forEach(one => one.setAttribute('aria-pressed', Number(one.dataset.zoom) === zoom));
  placeAll();
};
const spot = (view, event) => {
  const box = view.getBoundingClientRect(), {x, y} = centre(view.dataset.key);
  return {x: (clamp(x * zoom - .5, zoom - 1) + (event.clientX - box.left) / box.width) / zoom,
          y: (clamp(y * zoom - .5, zoom - 1) + (event.clientY - box.top) / box.height) / zoom};
};
const explore = view => {
  let from = null;
  view.addEventListener('dblclick', event => setZoom(zoom >= 8 ? 1 : zoom * 2, view.dataset.key, spot(view, event)));
  view.addEventListener('wheel', event => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    setZoom(event.deltaY < 0 ? Math.min(8, zoom * 2) : Math.max(1, zoom / 2), view.dataset.key, spot(view, event));
  }, {passive: false});
  view.addEventListener('pointerdown', event => {
    if (zoom === 1) return;
    view.setPointerCapture(event.pointerId);
    const {x, y} = centre(view.dataset.key), least = .5 / zoom;
    from = {event, x: Math.min(1 - least, Math.max(least, x)), y: Math.min(1 - least, Math.max(least, y))};
  });
  view.addEventListener('pointermove', event => {
    if (!from) return;
    const box = view.getBoundingClientRect();
    centres.set(view.dataset.key, {x: from.x - (event.clientX - from.event.clientX) / box.width / zoom,
                                   y: from.y - (event.clientY - from.event.clientY) / box.height / zoom});
    placeAll(view.dataset.key);
  });
  for (const end of ['pointerup', 'pointercancel']) view.addEventListener(end, () => { from = null; });
};
const zoomTool = () => element('fieldset', {}, element('legend', {text: 'Zoom'}), element('span', {class: 'segment'},
  ...[1, 2, 4, 8].map(value => element('button', {type: 'button', 'data-zoom': value, 'aria-pressed': value === zoom,
    text: value + '×', onclick: () => setZoom(value)}))));

// --- difference maps: black where equal, then red and yellow, white from 64 of 255 on -----------------------------------

const pixels = (image, width, height) => {
  const canvas = element('canvas', {width, height}), pen = canvas.getContext('2d', {willReadFrequently: true});
  pen.drawImage(image, 0, 0, width, height);
  return [canvas, pen, pen.getImageData(0, 0, width, height)];
};
const difference = async (one, other) => {
  const [a, b] = await Promise.all([load(one), load(other)]);
  const [canvas, pen, mine] = pixels(a, a.naturalWidth, a.naturalHeight), theirs = pixels(b, a.naturalWidth, a.naturalHeight)[2].data;
  const p = mine.data;
  for (let i = 0; i < p.length; i += 4) {
    const heat = (Math.abs(p[i] - theirs[i]) + Math.abs(p[i + 1] - theirs[i + 1]) + Math.abs(p[i + 2] - theirs[i + 2])) / 64;
    p[i] = 255 * heat; p[i + 1] = 255 * (heat - 1); p[i + 2] = 255 * (heat - 2);
  }
  pen.putImageData(mine, 0, 0);
  return canvas;
};

// --- the wall: any two parameters against each other --------------------------------------------------------------------

const wall = document.getElementById('wall');
const state = {x: data.grid[0], y: data.grid[1], show: 'pictures', from: Math.max(0, data.from), fixed: {}};
for (const name of names) state.fixed[name] = name === 'checkpoint' ? checkpoints.findIndex(one => !one.beside) : 0;

const select = (label, options, value, change) => element('label', {}, label, (() => {
  const made = element('select', {'aria-label': label, onchange: event => change(event.target.value)},
    ...options.map(([key, text]) => element('option', {value: key, text})));
  made.value = value;
  return made;
})());

const work = (at, key) => {
  const cell = find(at), label = checkpoints[at.checkpoint].label;
  const view = element('div', {class: 'view', 'data-key': key});
  const caption = names.filter(name => name === state.x).map(name => words(name, at[name])).join(', ');
  if (!cell || cell.fail) {
    view.append(element('div', {class: 'failed', text: cell ? cell.fail : checkpoints[at.checkpoint].failure || 'There is no picture.'}));
    view.style.aspectRatio = data.aspect;
  } else {
    const picture = pictures[cell.src];
    view.style.aspectRatio = picture.w + ' / ' + picture.h;
    const said = names.filter(name => several.includes(name)).map(name => words(name, at[name])).join(', ');
    const other = state.show === 'pictures' || at.checkpoint === state.from ? null : find({...at, checkpoint: state.from});
    if (other && !other.fail) {
      difference(cell.src, other.src).then(canvas => {
        canvas.setAttribute('role', 'img');
        canvas.setAttribute('aria-label', 'Where ' + said + ' differs from ' + checkpoints[state.from].label);
        view.replaceChildren(canvas);
        place(view);
      });
    } else {
      view.append(element('img', {src: picture.src, alt: said, draggable: false, class: picture.w < 200 ? 'coarse' : ''}));
    }
    explore(view);
    place(view);
  }
  const pick = cell && !cell.fail ? ['A', 'B'].map(side => element('button', {type: 'button', text: side,
    'aria-label': 'Hang ' + label + ' as ' + side, onclick: () => hang(side, at)})) : [];
  return element('div', {}, element('figure', {class: 'work framed'}, view), element('div', {class: 'caption'},
    element('span', {class: 'name', text: caption || label}), element('span', {class: 'figure', text: figures(cell)}),
    element('span', {class: 'pick'}, ...pick)));
};

// Inputs and references belong beside the checkpoints; against another parameter they would be the same in every column.
// What could not be opened has no place on the wall; why, stands above.
const columns = name => valuesOf(name).map((_, i) => i).filter(i => name !== 'checkpoint' || (!checkpoints[i].failure
  && (state.y === 'input' || state.y === 'seed' || !checkpoints[i].beside || checkpoints[i].beside === 'baseline')));
const draw = () => {
  const rest = several.filter(name => name !== state.x && name !== state.y);
  const choices = several.map(name => [name, title(name)]);
  document.getElementById('tools').replaceChildren(
    ...(several.length > 1 ? [
      select('Columns', choices, state.x, value => { if (value === state.y) state.y = state.x; state.x = value; draw(); }),
      select('Rows', choices, state.y, value => { if (value === state.x) state.x = state.y; state.y = value; draw(); })] : []),
    ...rest.map(name => select(title(name), valuesOf(name).map((text, i) => [i, text]), state.fixed[name],
      value => { state.fixed[name] = Number(value); draw(); })),
    zoomTool(),
    element('fieldset', {}, element('legend', {text: 'Show'}), element('span', {class: 'segment'},
      ...[['pictures', 'Pictures'], ['difference', 'Difference']].map(([key, text]) => element('button', {type: 'button',
        'aria-pressed': state.show === key, text, onclick: () => { state.show = key; draw(); }})))),
    ...(state.show === 'difference' ? [select('From', checkpoints.map((one, i) => [i, one.label]), state.from,
      value => { state.from = Number(value); draw(); })] : []));
  const across = columns(state.x), rows = state.y === state.x ? [0] : columns(state.y);
  wall.style.setProperty('--cell', across.length > 5 ? '150px' : '190px');
  wall.replaceChildren(...rows.flatMap(row => {
    const heading = state.y === state.x || valuesOf(state.y).length < 2 ? [] : [element('h3', {text: words(state.y, row)})];
    return [...heading, element('div', {class: 'wall-row', tabindex: 0, role: 'group', 'aria-label': words(state.y, row)},
      ...across.map(column => work({...state.fixed, [state.y]: row, [state.x]: column}, 'row ' + state.y + row)))];
  }));
};

// --- the stage: one over the other, a line between them -----------------------------------------------------------------

const made = checkpoints.map((one, i) => i).filter(i => cells.some(cell => cell.c === i && !cell.fail));
const stage = {A: {...state.fixed}, B: {...state.fixed}, at: 50, blink: null};
const hang = (side, at) => {
  stage[side] = {...at};
  const other = side === 'A' ? 'B' : 'A';
  if (state.x === 'checkpoint') stage[other] = {...at, checkpoint: stage[other].checkpoint};
  drawStage();
  document.getElementById('stage-section').scrollIntoView({behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth'});
};
const divide = () => {
  document.getElementById('stage-b').style.clipPath = stage.blink ? (stage.blink.shown ? 'none' : 'inset(0 100% 0 0)') : 'none';
  const view = document.getElementById('stage'), cut = document.getElementById('stage-cut');
  document.getElementById('stage-line').style.left = stage.at + '%';
  document.getElementById('stage-line').hidden = Boolean(stage.blink);
  if (!stage.blink) {
    // The cut is in the frame's coordinates, the picture may be enlarged: back into the picture's.
    const {x} = centre(view.dataset.key), shift = clamp(x * zoom - .5, zoom - 1);
    document.getElementById('stage-b').style.clipPath = 'inset(0 0 0 ' + (100 * shift + stage.at) / zoom + '%)';
  }
  if (cut) cut.value = stage.at;
};
const museum = (side, cell) => element('div', {class: 'museum'}, element('div', {class: 'title',
  text: side + ': ' + checkpoints[stage[side].checkpoint].label}),
  ...axes.filter(axis => several.includes(axis.name) && !checkpoints[stage[side].checkpoint].beside)
    .map(axis => element('div', {text: words(axis.name, stage[side][axis.name])})),
  element('div', {text: figures(cell)}));
const drawStage = () => {
  const a = find(stage.A), b = find(stage.B), view = document.getElementById('stage');
  if (!a || !b || a.fail || b.fail) return;
  view.dataset.key = 'row input' + stage.B.input;
  view.style.aspectRatio = pictures[b.src].w + ' / ' + pictures[b.src].h;
  for (const [id, cell, side] of [['stage-a', a, 'A'], ['stage-b', b, 'B']]) {
    const image = document.getElementById(id);
    image.src = pictures[cell.src].src;
    image.alt = side + ': ' + checkpoints[stage[side].checkpoint].label;
    image.className = pictures[cell.src].w < 200 ? 'coarse' : '';
  }
  const rows = several.filter(name => name !== 'checkpoint');
  document.getElementById('stage-tools').replaceChildren(
    ...['A', 'B'].map(side => select(side, made.map(i => [i, checkpoints[i].label]), stage[side].checkpoint,
      value => { stage[side].checkpoint = Number(value); drawStage(); })),
    ...rows.flatMap(name => stage.A[name] === stage.B[name] ? [select(title(name), valuesOf(name).map((text, i) => [i, text]),
      stage.B[name], value => { stage.A[name] = stage.B[name] = Number(value); drawStage(); })] : []),
    zoomTool(),
    element('button', {type: 'button', text: 'Blink', 'aria-pressed': Boolean(stage.blink), id: 'blink', onclick: blink}));
  document.getElementById('stage-side').replaceChildren(museum('A', a), museum('B', b),
    element('label', {}, 'A on the left, B on the right', element('input', {type: 'range', id: 'stage-cut', min: 0, max: 100,
      step: .5, 'aria-label': 'Line between A and B', oninput: event => { stage.at = Number(event.target.value); divide(); }})));
  place(view);
  divide();
};
const blink = () => {
  if (stage.blink) clearInterval(stage.blink.timer);
  stage.blink = stage.blink ? null : {shown: true, timer: setInterval(() => { stage.blink.shown = !stage.blink.shown; divide(); }, 600)};
  document.getElementById('blink').setAttribute('aria-pressed', Boolean(stage.blink));
  divide();
};
const startStage = () => {
  const own = made.filter(i => !checkpoints[i].beside);
  if (made.length < 2 || !own.length) return;
  stage.B.checkpoint = own[own.length - 1];
  stage.A.checkpoint = own.length > 1 ? own[0] : made[made.length - 1] === own[0] ? made[0] : made[made.length - 1];
  if (data.nearest >= 0) {
    stage.B.checkpoint = data.nearest;
    stage.A.checkpoint = own.find(i => i !== data.nearest) ?? made.find(i => i !== data.nearest);
  }
  document.getElementById('stage-section').hidden = false;
  const view = document.getElementById('stage');
  let held = false;
  const drag = event => {
    const box = view.getBoundingClientRect();
    stage.at = 100 * clamp((event.clientX - box.left) / box.width, 1);
    divide();
  };
  view.addEventListener('pointerdown', event => { held = true; view.setPointerCapture(event.pointerId); drag(event); });
  view.addEventListener('pointermove', event => { if (held) drag(event); });
  for (const end of ['pointerup', 'pointercancel']) view.addEventListener(end, () => { held = false; });
  drawStage();
};
new MutationObserver(() => { if (!document.getElementById('stage-section').hidden) divide(); })
  .observe(document.getElementById('stage-a'), {attributes: true, attributeFilter: ['style']});

// --- film strips --------------------------------------------------------------------------------------------------------

document.querySelectorAll('[data-strip]').forEach(section => {
  const strip = data.strips[Number(section.dataset.strip)];
  const fixed = {...state.fixed};
  let now = strip.best >= 0 ? strip.best : strip.members.length - 1;
  const film = section.querySelector('.film'), view = section.querySelector('.view');
  const mark = section.querySelector('.strip-mark'), range = section.querySelector('input');
  const at = i => find({...fixed, checkpoint: strip.members[i]});
  const show = () => {
    const cell = at(now);
    view.replaceChildren();
    view.style.aspectRatio = cell && !cell.fail ? pictures[cell.src].w + ' / ' + pictures[cell.src].h : data.aspect;
    const label = checkpoints[strip.members[now]].label;
    view.append(cell && !cell.fail ? element('img', {src: pictures[cell.src].src, alt: label, class: pictures[cell.src].w < 200 ? 'coarse' : ''})
      : element('div', {class: 'failed', text: cell ? cell.fail : checkpoints[strip.members[now]].failure}));
    mark.replaceChildren(element('span', {text: checkpoints[strip.members[now]].mark}), element('span', {text: figures(cell)}));
    range.value = now;
    range.setAttribute('aria-valuetext', checkpoints[strip.members[now]].mark);
    section.querySelectorAll('.now').forEach(line => {
      const spots = JSON.parse(line.dataset.spots);
      line.setAttribute('x1', spots[now]);
      line.setAttribute('x2', spots[now]);
    });
    [...film.children].forEach((one, i) => one.setAttribute('aria-pressed', i === now));
    const pressed = film.children[now];
    if (pressed) requestAnimationFrame(() => {
      const frame = pressed.getBoundingClientRect(), whole = film.getBoundingClientRect();
      film.scrollLeft += frame.left - whole.left - (whole.width - frame.width) / 2;
    });
  };
  const unroll = () => {
    film.replaceChildren(...strip.members.map((member, i) => {
      const cell = at(i);
      const image = cell && !cell.fail ? [element('img', {src: pictures[cell.src].src, alt: '', class: pictures[cell.src].w < 90 ? 'coarse' : ''})]
        : [element('img', {alt: '', src: 'data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='})];
      return element('button', {type: 'button', onclick: () => { now = i; show(); }}, ...image, element('span', {text: checkpoints[member].mark}));
    }));
    section.querySelector('.tools').replaceChildren(...several.filter(name => name !== 'checkpoint').map(name =>
      select(title(name), valuesOf(name).map((text, i) => [i, text]), fixed[name], value => { fixed[name] = Number(value); unroll(); })));
    show();
  };
  range.max = strip.members.length - 1;
  range.addEventListener('input', () => { now = Number(range.value); show(); });
  unroll();
});

if (cells.length) {
  document.getElementById('wall-section').hidden = false;
  draw();
  startStage();
}
})();
