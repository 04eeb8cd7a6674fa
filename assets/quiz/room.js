// The class room: a pupil's phone, or the projector. Asks the server once a second; shows what it says; keeps its place.
'use strict';
const projector = document.body.dataset.view === 'projector';
const parts = location.pathname.split('/');
const at = parts.lastIndexOf('room');
const base = parts.slice(0, at + 1).join('/');            // also below a proxy's prefix
const code = decodeURIComponent(parts[at + 1] || '').toUpperCase();
const main = document.getElementById('room');
const here = base + '/' + encodeURIComponent(code);
// English sentences in the page's language; {0}, {1} are places for values. The server puts those there that stand here.
const words = JSON.parse(document.getElementById('words').textContent);
function say(sentence, ...values) { return (words[sentence] || sentence).replace(/\{(\d)\}/g, (_, i) => String(values[i])); }
const names = {left: say('Left'), right: say('Right'), real: say('Real'), fake: say('Fake')};
const frameNames = {left: say('Left portrait'), right: say('Right portrait')};
let last = '', shown = null, sending = false, address = location.origin + here;

function keep(where, key, value) { try { value === null ? where.removeItem(key) : where.setItem(key, value); } catch { memory[key] = value; } }
function kept(where, key) { try { return where.getItem(key); } catch { return memory[key] || null; } }
const memory = {};

// Everything that comes from people goes through textContent.
function make(tag, given = {}, ...children) {
  const one = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name === 'text') one.textContent = value;
    else if (name === 'on') one.addEventListener('click', value);
    else if (value !== false && value !== null) one.setAttribute(name, value === true ? '' : value);
  }
  one.append(...children.filter(child => child !== null));
  return one;
}

async function ask(what, sent) {
  const stop = AbortSignal.timeout ? AbortSignal.timeout(what === 'lead' ? 120000 : 8000) : undefined;
  const reply = await fetch(here + '/' + what, {method: 'POST', body: JSON.stringify(sent), signal: stop, cache: 'no-store'});
  const found = await reply.json();
  if (!reply.ok) throw Object.assign(new Error(found.sorry || say('The gallery does not answer.')), {told: Boolean(found.sorry), nameless: found.nameless});
  return found;
}
function sorry(words) { const place = main.querySelector('.sorry'); if (place) place.textContent = words; }
function show(...children) { main.replaceChildren(...children.filter(child => child !== null)); }

let hung = {key: '', node: null};                         // the same pictures stay the same elements
function frames(room, act, mine) {
  const key = JSON.stringify([room.portraits, room.phase, mine]);
  if (hung.key !== key) hung = {key, node: hang(room, act, mine)};
  return hung.node;
}
function hang(room, act, mine) {
  const told = room.reveal.told || [];
  return make('div', {class: 'wall' + (room.faces === 1 ? ' one' : '')}, ...room.portraits.map((name, i) => {
    const side = ['left', 'right'][i], one = told[i];
    const picture = make('span', {class: 'picture'}, make('img', {src: here + '/picture/' + name, alt: room.faces === 1 ? say('The portrait') : frameNames[side]}),
      one && one.heat && one.fake ? make('img', {class: 'heat', src: here + '/heat/' + name, alt: say('Where the judge saw it')}) : null);
    const words = one ? make('span', {class: 'caption', text: one.fake ? names.fake : names.real}, make('small', {text: one.guess === null ? one.origin : say('The judge: {0} % fake', Math.round(100 * one.guess))}))
      : room.faces === 2 ? make('span', {class: 'caption', text: names[side]}) : null;
    const asButton = act && room.faces === 2 && !one;
    return make(asButton ? 'button' : 'div', {class: 'frame' + (mine === side && room.faces === 2 ? ' mine' : ''), 'data-choice': asButton ? side : null,
      'aria-pressed': asButton ? String(mine === side) : null, disabled: asButton && mine ? true : null, on: asButton ? () => act(side) : undefined}, picture, words);
  }));
}
function ranking(list, me) {
  return make('ol', {class: 'ranking'}, ...list.map(one => make('li', {class: one.nickname === me ? 'me' : ''},
    make('span', {text: one.place + '.'}), make('span', {text: one.nickname}), make('span', {text: String(one.right)}))));
}

// --- a phone ---------------------------------------------------------------------------------------------------------

const place = 'room-' + code;
function askCode() {
  const input = make('input', {id: 'code', maxlength: 8, autocapitalize: 'characters', autocomplete: 'off', 'aria-label': say('Code of the room')});
  const go = event => { event.preventDefault(); if (input.value.trim()) location.href = base + '/' + encodeURIComponent(input.value.trim().toUpperCase()); };
  const form = make('form', {}, make('label', {text: say('The code on the wall')}), input, make('button', {class: 'accent wide', text: say('Enter')}));
  form.addEventListener('submit', go);
  show(make('h1', {text: say('Which face is fake?')}), form);
}
function askName(words) {
  const input = make('input', {id: 'nickname', maxlength: 20, autocomplete: 'off', 'aria-label': say('Nickname')});
  const form = make('form', {}, make('label', {text: say('Your nickname')}), input, make('button', {class: 'accent wide', text: say('Join')}), make('p', {class: 'sorry', role: 'alert', text: words || ''}));
  form.addEventListener('submit', async event => {
    event.preventDefault();
    try {
      keep(localStorage, place, (await ask('join', {nickname: input.value})).pupil);
      shown = null; last = ''; poll();
    } catch (error) { sorry(error.told ? error.message : say('The gallery does not answer. Try again.')); }
  });
  shown = 'name';
  show(make('div', {class: 'top'}, make('span', {text: say('Room {0}', code)})), make('h1', {text: say('Which face is fake?')}), form, make('p', {class: 'aside', text: say('The name is seen in this room and kept nowhere.')}));
}
function pupilView(room) {
  const top = make('div', {class: 'top'}, make('span', {text: room.nickname}), make('span', {text: room.number ? say('Round {0} of {1}', room.number, room.rounds) : say('Room {0}', code)}), make('span', {text: say('{0} right', room.right)}));
  const alarm = make('p', {class: 'sorry', role: 'alert'});
  const act = async choice => {
    if (sending || room.vote) return;
    sending = true;
    draw({...room, vote: choice});                       // at once; the server's word follows
    try { await ask('vote', {pupil: kept(localStorage, place), number: room.number, choice}); }
    catch (error) { last = ''; sorry(error.told ? error.message : say('The vote did not arrive. Tap again.')); if (!error.told) draw({...room, vote: null}); }
    sending = false;
  };
  const draw = room => {
    if (room.phase === 'lobby' || (room.phase === 'drawing' && !room.number)) return show(top, make('h1', {text: say('You are in')}), make('p', {text: say('Look at the wall: the first round comes soon.')}), make('p', {class: 'aside', text: say('{0} in the room', room.pupils)}), alarm);
    if (room.phase === 'drawing') return show(top, make('h1', {text: say('The next round comes')}), alarm);
    if (room.phase === 'voting') return show(top, make('h1', {text: room.faces === 2 ? say('Which one is the fake?') : say('Real or fake?')}), frames(room, act, room.vote),
      room.faces === 1 ? make('div', {class: 'choices'}, ...room.choices.map(choice => make('button', {class: room.vote === choice ? 'mine' : '', 'data-choice': choice, disabled: room.vote ? true : null, on: () => act(choice), text: names[choice]}))) : null,
      make('p', {class: 'aside', role: 'status', text: room.vote ? say('Your vote is in: {0}.', names[room.vote].toLowerCase()) : say('Tap the fake.')}), alarm);
    if (room.phase === 'reveal') {
      const right = room.vote === room.reveal.truth;
      return show(top, make('h1', {text: room.vote ? (right ? say('You are right') : say('No, it was the other')) : say('You did not vote')}), frames(room, null, room.vote), make('p', {text: room.reveal.clue}), make('p', {class: 'aside', text: say('Place {0} of {1}', room.place, room.pupils)}), alarm);
    }
    show(top, make('h1', {text: say('The game is over')}), make('div', {class: 'big', text: say('Place {0}', room.place)}), make('p', {text: room.machine_right === null ? say('{0} right of {1}.', room.right, room.number) : say('{0} right of {1}; the machine had {2}.', room.right, room.number, room.machine_right)}), make('h2', {text: say('Ranking')}), ranking(room.ranking, room.nickname), alarm);
  };
  draw(room);
  if (room.phase === 'reveal' && room.faces === 1 && room.vote && room.vote !== room.reveal.truth) main.querySelector('h1').textContent = room.reveal.truth === 'real' ? say('No, it is real') : say('No, it is fake');
}

// --- the projector ---------------------------------------------------------------------------------------------------

if (projector && location.hash.length > 1) {               // the key must not be read from the wall
  keep(sessionStorage, 'key-' + code, location.hash.slice(1));
  history.replaceState(null, '', location.pathname);
}
const truths = {left: say('The left one is the fake'), right: say('The right one is the fake'), real: say('It is real'), fake: say('It is fake')};
let code_picture = '';
async function lead(action, more) {
  if (sending) return;
  sending = true;
  main.querySelectorAll('.actions button').forEach(one => { one.disabled = true; });
  try { last = ''; render(await ask('lead', {key: kept(sessionStorage, 'key-' + code), action, ...more})); }
  catch (error) { last = ''; sorry(error.told ? error.message : say('The gallery does not answer.')); main.querySelectorAll('.actions button').forEach(one => { one.disabled = false; }); }
  sending = false;
}
function button(words, action, accent) { return make('button', {class: accent ? 'accent' : '', 'data-action': action, text: words, on: () => lead(action)}); }
function histogram(room) {
  const most = Math.max(1, ...Object.values(room.histogram));
  return make('div', {class: 'histogram'}, ...room.choices.map(choice => {
    const fill = make('div', {class: 'fill'});
    fill.style.width = 100 * room.histogram[choice] / most + '%';
    return make('div', {class: 'row' + (room.reveal.truth === choice ? ' truth' : '')}, make('span', {class: 'serif', text: names[choice]}), make('div', {class: 'track'}, fill), make('span', {class: 'votes', text: String(room.histogram[choice])}));
  }));
}
function projectorView(room) {
  const counts = room.phase === 'voting' ? say('{0} of {1} votes', room.votes, room.pupils) : say('{0} in the room', room.pupils);
  const top = make('div', {class: 'top'}, make('span', {text: say('Which face is fake?')}), make('span', {text: room.number ? say('Round {0} of {1}', room.number, room.rounds) : ''}), make('span', {class: 'counts', text: counts}), make('span', {class: 'code', text: code}));
  const alarm = make('p', {class: 'sorry', role: 'alert', text: room.trouble});
  if (room.phase === 'lobby' || (room.phase === 'drawing' && !room.number)) {
    const picture = make('div', {class: 'qr', role: 'img', 'aria-label': say('QR code of {0}', address)});
    picture.innerHTML = code_picture;                     // our own server's SVG of this page's address
    return show(top, make('div', {class: 'lobby'}, picture, make('div', {}, make('h1', {text: say('Which face is fake?')}), make('p', {class: 'aside', text: say('Scan, or open {0} and type', address.replace(/^https?:\/\//, '').replace(/\/[^/]*$/, ''))}), make('div', {class: 'code', text: code}),
      make('div', {class: 'names'}, ...room.names.map(name => make('button', {title: say('Take {0} out of the room', name), text: name, on: () => { if (confirm(say('Take {0} out of the room?', name))) lead('remove', {nickname: name}); }}))))),
      make('div', {class: 'actions'}, button(room.phase === 'drawing' ? say('Drawing portraits') : say('Begin'), 'deal', true)), alarm,
      /^(localhost|127\.|\[::1\])/.test(location.hostname) ? make('p', {class: 'aside', text: say("Phones cannot reach this address: it is this machine's own. Start the gallery with --host 0.0.0.0 and open it here by its address in the network.")}) : null);
  }
  if (room.phase === 'over') return show(top, make('h1', {text: say('The ranking')}), make('div', {class: 'show'}, ranking(room.ranking), make('p', {text: room.machine_right === null ? '' : say('The machine had {0} of {1} right.', room.machine_right, room.number)})), alarm);
  const asking = room.phase === 'voting', final = room.number >= room.rounds;
  const side = [histogram(room)];
  if (room.phase === 'reveal') side.push(make('p', {text: room.reveal.clue}),
    room.reveal.machine ? make('p', {class: 'aside', text: say('The machine said {0}.', names[room.reveal.machine].toLowerCase())}) : null, ranking(room.ranking.slice(0, 5)));
  side.push(make('div', {class: 'actions'}, asking ? button(say('Reveal'), 'reveal', true) : button(room.phase === 'drawing' ? say('Drawing portraits') : final ? say('The ranking') : say('Next round'), 'deal', true), button(say('End the game'), 'close')));
  show(top, make('h1', {text: room.phase === 'reveal' ? truths[room.reveal.truth] : room.faces === 2 ? say('Which one is the fake?') : say('Real or fake?')}),
    make('div', {class: 'show'}, frames(room, null, room.reveal.truth), make('div', {}, ...side.filter(Boolean))), alarm);
}

// --- both ------------------------------------------------------------------------------------------------------------

function render(room) {
  const now = JSON.stringify(room);
  if (now === last) return;
  last = now; shown = 'room';
  const focused = document.activeElement && document.activeElement.dataset && document.activeElement.dataset.action;
  (projector ? projectorView : pupilView)(room);
  if (focused) { const again = main.querySelector('[data-action="' + focused + '"]') || main.querySelector('.actions .accent'); if (again) again.focus(); }
}
async function poll() {
  if (!projector && !kept(localStorage, place)) { if (shown !== 'name') askName(''); return; }
  if (sending) return;
  try { const room = await (projector ? ask('lead', {key: kept(sessionStorage, 'key-' + code) || ''}) : ask('state', {pupil: kept(localStorage, place)})); if (!sending) render(room); }
  catch (error) {
    if (!error.told) return sorry(say('The connection is gone. Trying again.'));
    if (!projector && error.nameless) { keep(localStorage, place, null); return askName(''); }
    last = ''; show(make('h1', {text: say('Which face is fake?')}), make('p', {class: 'sorry', role: 'alert', text: error.message}), projector ? null : make('p', {}, make('a', {href: base, text: say('Enter another code')})));
  }
}
async function start() {
  if (!projector && !code) return askCode();
  if (projector) try { code_picture = (await ask('lead', {key: kept(sessionStorage, 'key-' + code) || '', action: 'qr', address})).qr; } catch { /* poll says why */ }
  await poll();
  setInterval(poll, 1000);
}
start();
