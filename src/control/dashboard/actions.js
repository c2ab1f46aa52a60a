// What a person may tell a rollout: which buttons there are, and the dialogs that ask once more.
import {change, poolPath, Refusal, routePath, token} from './api.js';
import {h, patch} from './dom.js';
import {percent} from './format.js';

const OVER = ['promoted', 'rolled_back', 'stopped'];

// [{verb, label, kind, why}] ; why: the reason that it cannot be now, else null. What sluice refuses, it says itself.
export function buttonsOf(route) {
  const r = route.rollout;
  const buttons = [];
  const add = (verb, label, kind, can, why) => buttons.push({verb, label, kind, why: can ? null : why});
  if (r) {
    const over = OVER.includes(r.state);
    const held = r.hold !== 'none';
    const again = r.state === 'rolled_back' && r.keep_warm;
    add('promote', r.state === 'idle' ? 'Start' : again ? 'Switch back' : 'Promote', 'plain', !over || again, 'the rollout is over');
    add('pause', 'Pause', 'plain', !over && r.state !== 'idle' && r.hold !== 'person', r.hold === 'person' ? 'it is paused' : 'nothing is under way');
    add('resume', 'Resume', 'plain', held, 'nothing holds it');
    add('retry', 'Retry', 'plain', ['rolled_back', 'stopped'].includes(r.state) || r.hold === 'gate', 'only a rollout that was taken back or stopped begins again');
    add('rollback', 'Roll back', 'danger', !['rolled_back', 'stopped', 'idle'].includes(r.state), 'there is nothing to take back');
  }
  add('weights', 'Set weights…', 'plain', route.variants.length > 1, 'there is one variant only');
  return buttons;
}

const ASKS = {
  promote: (route, r) => [r.state === 'idle' ? `Start the rollout of ${route.name}?` : `Promote ${route.name}?`, `${r.candidate || 'The new version'}: passes what it waits for, or goes to the next step now.`],
  pause: (route) => [`Pause ${route.name}?`, 'No step is taken until it is resumed. Guards go on judging.'],
  resume: (route, r) => [`Let ${route.name} go on?`, r.hold === 'by_hand' ? 'The weights of its step come back, and its whole time begins again.' : 'The controller goes on where it is held.'],
  retry: (route) => [`Begin ${route.name} again?`, 'From the first step, gates and all, with fresh evidence.'],
  rollback: (route, r) => [`Roll back ${route.name}?`, `All traffic of ${r.candidate || 'the new version'} goes to ${r.baseline || 'the old one'}, at once on all workers. Requests that are under way finish.`],
};

// ---- dialogs

let opened = null; // what the dialog on the page is about: {title, text, fields, submit, error, busy, number}
let number = 0;

const dialog = () => document.getElementById('dialog');

function show(what) {
  opened = {...what, number: ++number};
  draw();
  if (!dialog().open) dialog().showModal();
}

function close() {
  opened = null;
  if (dialog().open) dialog().close();
}

function needsToken() {
  return opened.error?.status === 401;
}

function draw() {
  const busy = opened.busy;
  // The key gives each dialog fields of its own: what was typed or ticked in another is not in them.
  patch(dialog(), [h('form', {key: opened.number, method: 'dialog', on: {submit: (event) => { event.preventDefault(); send(event.target); }}},
    h('h2', {id: 'dialog-title'}, opened.title),
    h('p', {}, opened.text),
    opened.fields(),
    needsToken() ? h('label', {key: 'token'}, 'Admin token', h('input', {type: 'password', name: 'token', autocomplete: 'off', required: true})) : null,
    opened.error ? h('p', {class: 'verdict bad', role: 'alert'}, opened.error.message, opened.error.details.map((d) => [h('br', {}), d])) : null,
    h('div', {class: 'line end'},
      h('button', {type: 'button', on: {click: close}}, 'Cancel'),
      h('button', {type: 'submit', class: opened.kind, disabled: busy || Boolean(opened.refuse?.())}, busy ? 'Wait…' : opened.label)))]);
}

async function send(form) {
  const given = Object.fromEntries(new FormData(form));
  if (given.token !== undefined) token.set(given.token.trim());
  const about = opened;
  about.busy = true;
  about.error = null;
  draw();
  try {
    const answer = await about.submit(given);
    if (opened === about) close();
    tell(about.done ? about.done(answer) : 'Done.');
  } catch (error) {
    about.busy = false;
    about.error = error instanceof Refusal ? error : new Refusal(0, 'unknown', String(error));
    if (about.error.status === 401) token.set('');
    if (opened === about && dialog().open) draw();
    else tell(about.error.message);
  }
}

export function tell(text) {
  const place = document.getElementById('told');
  place.textContent = text;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { place.textContent = ''; }, 8000);
}

const reason = () => h('label', {key: 'reason'}, 'Reason, kept with the decision', h('input', {name: 'reason', maxlength: '280', autocomplete: 'off'}));

export function command(route, verb, label, kind) {
  if (verb === 'weights') return weights(route);
  const [title, text] = ASKS[verb](route, route.rollout);
  const full = verb === 'promote' && ['step', 'paused', 'hook', 'gates'].includes(route.rollout.state)
    ? h('label', {key: 'full', class: 'check'}, h('input', {type: 'checkbox', name: 'full'}), ' straight to 100 %') : null;
  return show({
    title, text, kind, label, fields: () => [reason(), full],
    submit: (given) => change(routePath(route.name, `/${verb}`), {...(given.reason ? {reason: given.reason} : {}), ...(given.full ? {full: true} : {})}),
    done: (answer) => `${route.name}: ${answer.decision?.because || 'done'}.`,
  });
}

function weights(route) {
  const values = Object.fromEntries(route.variants.map((v) => [v.name, String(v.weight)]));
  const total = () => route.variants.reduce((sum, v) => sum + Number(values[v.name] || 0), 0);
  const off = () => Math.abs(total() - 100) > 0.001;
  return show({
    title: `Weights of ${route.name}`, kind: 'danger', label: 'Set weights',
    text: route.rollout ? 'The rollout is held until it is resumed: nothing is changed or taken back by itself.' : 'They hold until the next reload brings those of the file back.',
    fields: () => [route.variants.map((v) => h('label', {key: v.name}, `${v.name}, percent`, h('input', {type: 'number', min: '0', max: '100', step: '0.01', required: true, name: `weight ${v.name}`, value: values[v.name],
      on: {input: (event) => { values[v.name] = event.target.value; draw(); }}}))),
    h('p', {key: 'sum', role: 'status', class: off() ? 'verdict bad' : 'faint'}, `Together ${percent(total())}${off() ? ', must be 100 %' : ''}`)],
    refuse: off,
    submit: () => change(routePath(route.name, '/weights'), {weights: Object.fromEntries(route.variants.map((v) => [v.name, Number(values[v.name])]))}),
    done: () => `${route.name}: weights set by hand.`,
  });
}

export function drain(pool, endpoint, back) {
  show({
    title: back ? 'Take it back in?' : 'Drain it?', kind: back ? 'plain' : 'danger', label: back ? 'Undrain' : 'Drain',
    text: back ? `${endpoint} of ${pool} gets requests again.` : `${endpoint} of ${pool} gets no new requests; those that run there finish.`,
    fields: () => null,
    submit: () => change(poolPath(pool, back ? 'undrain' : 'drain'), {endpoint}),
    done: () => `${endpoint} is ${back ? 'back in' : 'drained'}.`,
  });
}

export function reload() {
  show({
    title: 'Load the file again?', kind: 'plain', label: 'Reload', text: 'A file with a mistake changes nothing.', fields: () => null,
    submit: () => change('/api/v1/reload'), done: () => 'Reloaded.',
  });
}

export function askToken() {
  show({
    title: 'Admin token', kind: 'plain', label: 'Keep', text: 'Changes need it when the configuration has admin.token_file. It is kept in this tab until it is closed.',
    fields: () => h('label', {key: 'given'}, 'Token', h('input', {type: 'password', name: 'given', autocomplete: 'off'})),
    submit: async (given) => token.set(given.given.trim()), done: () => (token.get() ? 'The token is kept for this tab.' : 'The token is forgotten.'),
  });
}

// The buttons of a route.
export function buttonsView(route) {
  return h('div', {class: 'buttons', role: 'group', 'aria-label': `Commands to ${route.name}`}, buttonsOf(route).map((b) =>
    h('button', {key: b.verb, type: 'button', class: b.kind, disabled: Boolean(b.why), title: b.why, on: {click: () => command(route, b.verb, b.label.replace('…', ''), b.kind)}}, b.label)));
}
