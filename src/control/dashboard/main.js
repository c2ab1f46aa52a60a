// The page: puts the views together and keeps them up to date.
import {read, routePath} from './api.js';
import {askToken, buttonsView, drain, reload} from './actions.js';
import {bandView} from './band.js';
import {Charts} from './charts.js';
import {configView} from './config.js';
import {decisionsView} from './decisions.js';
import {h, patch} from './dom.js';
import {clock, duration} from './format.js';
import {fleetView} from './fleet.js';
import {guardsView} from './guards.js';
import {Live} from './live.js';
import {kept} from './kept.js';
import {lookupView} from './lookup.js';
import {poolsView} from './pools.js';
import {reportView} from './report.js';
import {trackView} from './track.js';
import {variantsView} from './variants.js';
import {alarmsOf, byUrgency, questionOf, titleOf, verdictOf, WORDS} from './verdict.js';

const THEMES = ['auto', 'light', 'dark'];
const at = (id) => document.getElementById(id);
export const charts = new Charts(); // for tests, too
let lookup = {};
let live = null;

// ---- light and dark

let theme = kept('localStorage').getItem('sluice-theme') || 'auto';

function turn(to) {
  theme = to;
  kept('localStorage').setItem('sluice-theme', to);
  document.documentElement.dataset.theme = to;
  charts.drop();
  if (live) redraw();
}

// ---- the route in sight: #/route/NAME

const wanted = () => {
  const found = /^#\/route\/(.+)$/.exec(location.hash);
  try {
    return found ? decodeURIComponent(found[1]) : null;
  } catch {
    return null;
  }
};

// What was in sight stays there, so that a button is not another route's when it is pressed.
function inSight(status, urgent) {
  const found = (name) => status.routes.find((r) => r.name === name);
  return found(wanted()) || found(live.route) || urgent[0]?.route || null;
}

// ---- views

function connectionView() {
  const since = live.heardAt ? ` The figures are from ${clock(live.heardAt)}, ${duration((performance.now() - live.heard) / 1000)} ago.` : '';
  const lost = !live.connected && (live.heardAt || live.tries > 0);
  return [h('span', {class: `state ${live.connected ? 'good' : 'bad'}`, id: 'state'}, live.connected ? 'live' : live.heardAt ? 'connection lost' : 'connecting'),
    lost ? h('p', {class: 'alarm bad', role: 'alert', key: 'lost'}, `${live.refusal ? `sluice refuses: ${live.refusal}` : 'No connection to sluice'}; trying again.${since}`) : null];
}

const ALARMS = 6; // more would push the answer out of sight

function headView(status) {
  const alarms = status ? alarmsOf(status) : [];
  const [state, lost] = connectionView();
  return [h('div', {class: 'line'},
    h('h1', {}, 'sluice', status ? h('small', {}, ` ${status.version}`) : null), state,
    status ? h('span', {class: 'faint'}, `up ${duration(status.uptime_seconds)}, ${status.workers} ${status.workers === 1 ? 'worker' : 'workers'}, ${status.connections.toLocaleString('en')} connections`) : null,
    h('span', {class: 'space'}),
    h('button', {type: 'button', on: {click: askToken}}, 'Token'),
    h('button', {type: 'button', 'aria-label': `Colours: ${theme}`, on: {click: () => turn(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length])}}, `Colours: ${theme}`)),
  lost,
  status && status.revision !== live.first ? h('p', {key: 'another', class: 'alarm worry'}, 'sluice is another version now: load this page again.') : null,
  alarms.slice(0, ALARMS).map((a) => h('p', {key: a.text, class: `alarm ${a.level}`, role: 'alert'}, a.text)),
  alarms.length > ALARMS ? h('p', {key: 'more', class: 'alarm worry'}, `And ${alarms.length - ALARMS} more.`) : null];
}

function navView(urgent, route) {
  if (urgent.length < 2) return [];
  return [h('ul', {}, urgent.map(({route: r, verdict}) => h('li', {key: r.name},
    h('a', {href: `#/route/${encodeURIComponent(r.name)}`, class: `pill ${verdict.level}`, 'aria-current': r === route ? 'page' : null}, r.name, h('small', {}, ` ${WORDS[verdict.level]}`)))))];
}

function verdictView(route) {
  const verdict = verdictOf(route);
  return h('section', {class: `verdict-card ${verdict.level}`, 'aria-labelledby': 'answer'},
    h('p', {class: 'question'}, questionOf(route)),
    h('h2', {id: 'answer'}, verdict.answer),
    h('p', {id: 'sentence'}, verdict.sentence),
    buttonsView(route));
}

async function ask(unit) {
  const name = live.route;
  lookup = await read(routePath(name, `/assign?unit=${encodeURIComponent(unit)}`)).then((answer) => ({answer}), (error) => ({error: error.message}));
  redraw();
}

function routeView(status, route) {
  const {history, decisions, report} = live;
  const found = lookup.answer?.route === route.name ? lookup.answer : null;
  const track = trackView(route.rollout);
  return [verdictView(route),
    h('div', {class: 'grid', key: route.name},
      bandView(route, found, !track), track, guardsView(route.rollout), variantsView(route, history),
      charts.view(route, history, redraw), reportView(report),
      fleetView(status.fleet), route.rollout ? decisionsView(decisions) : null, poolsView(status.pools, route, drain),
      lookupView(route, found ? lookup : {error: lookup.error}, ask), configView(status, reload))];
}

// A tab that is not in sight tells of trouble wherever it is.
const pressing = (verdict) => ['bad', 'worry'].includes(verdict.level);

// What a screen reader is told: the answer, when it is another one.
function announce(route, verdict) {
  const words = `${route.name}: ${verdict.answer}`;
  if (at('spoken').textContent !== words) at('spoken').textContent = words;
}

function show() {
  const {status} = live;
  patch(at('head'), headView(status));
  if (!status) return;
  const urgent = byUrgency(status.routes);
  const route = inSight(status, urgent);
  patch(at('routes'), navView(urgent, route));
  if (!route) {
    patch(at('route'), [h('p', {}, 'No route is configured.')]);
    return;
  }
  live.show(route.name);
  const verdict = verdictOf(route);
  document.title = pressing(urgent[0].verdict) ? titleOf(urgent[0].route, urgent[0].verdict) : titleOf(route, verdict);
  announce(route, verdict);
  document.body.classList.toggle('old', !live.connected);
  patch(at('route'), routeView(status, route));
  charts.draw(route, live.history, live.decisions);
}

// Figures that stand still must not look alive: what goes wrong in here is said.
function redraw() {
  try {
    show();
  } catch (error) {
    patch(at('head'), [h('p', {key: 'broken', class: 'alarm bad', role: 'alert'}, `This page cannot show what sluice tells (${error.message}): what is below is old. Load it again; sluice status tells the same.`)]);
    document.body.classList.add('old');
    console.error(error);
  }
}

addEventListener('hashchange', () => {
  lookup = {};
  redraw();
});
turn(theme);
live = new Live(() => redraw());
redraw();
