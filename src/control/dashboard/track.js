// The rollout as a track: its steps, where it is, and what it waits for. Pure.
import {h} from './dom.js';
import {duration, number, percent} from './format.js';
import {missing} from './verdict.js';

const OVER = ['promoted', 'rolled_back', 'stopped'];
const BEFORE = ['idle', 'gates', 'hook'];

// done, now, next for step i of the rollout; back: it was taken away from here.
export function placeOf(rollout, i) {
  if (['promoted', 'watch'].includes(rollout.state)) return 'done';
  if (['rolled_back', 'rolling_back'].includes(rollout.state)) return i < rollout.step ? 'done' : i === rollout.step ? 'back' : 'next';
  if (rollout.state === 'idle') return 'next';
  if (i < rollout.step) return 'done';
  return i === rollout.step && !BEFORE.includes(rollout.state) ? 'now' : 'next';
}

const WORD = {done: 'done', now: 'now', next: 'to come', back: 'taken back here'};

function stepWords(step) {
  if (step.pause) return ['pause', 'until a person promotes'];
  const least = [];
  if (step.for_seconds > 0) least.push(duration(step.for_seconds));
  if (step.min_requests > 0) least.push(`${number(step.min_requests)} requests`);
  return [percent(step.weight), least.join(', ')];
}

function stop(label, place, note, key, share) {
  return h('li', {key, class: `stop ${place}`, 'aria-current': place === 'now' ? 'step' : null},
    h('span', {class: 'dot', 'aria-hidden': 'true'}),
    h('strong', {}, label), note ? h('small', {}, note) : null, h('span', {class: 'unseen'}, `, ${WORD[place]}`),
    share === null ? null : h('progress', {max: '1', value: share.toFixed(3), 'aria-label': `time and requests of ${label}`}));
}

export function progressOf(rollout) {
  const step = rollout.steps[rollout.step];
  if (rollout.state === 'watch') return rollout.watch_seconds > 0 ? Math.min(1, rollout.state_seconds / rollout.watch_seconds) : 1;
  if (rollout.state !== 'step' || !step || (step.for_seconds <= 0 && step.min_requests <= 0)) return null;
  const parts = [];
  if (step.for_seconds > 0) parts.push(rollout.state_seconds / step.for_seconds);
  if (step.min_requests > 0) parts.push(rollout.step_requests / step.min_requests);
  return Math.min(1, ...parts);
}

function waits(rollout) {
  if (rollout.state === 'paused') return 'Waits for a person: promote goes on.';
  if (!['step', 'watch'].includes(rollout.state) || rollout.hold !== 'none') return null;
  const lacks = missing(rollout);
  return lacks.length ? `Waits for ${lacks.join(' and ')}.` : 'Goes on with the next judgement.';
}

export function trackView(rollout) {
  if (!rollout || !['canary', 'blue_green'].includes(rollout.strategy)) return null; // the others have no steps of weights
  const ends = rollout.state === 'promoted' ? 'done' : 'next';
  const share = progressOf(rollout);
  const watch = rollout.state === 'watch' ? 'now' : rollout.state === 'promoted' ? 'done' : 'next';
  return h('section', {key: 'track', class: 'card', 'aria-labelledby': 'track-title'},
    h('h3', {id: 'track-title'}, 'The way up', OVER.includes(rollout.state) ? h('small', {}, ' over') : null),
    h('ol', {class: 'track'},
      stop('start', rollout.state === 'idle' ? 'next' : BEFORE.includes(rollout.state) && rollout.step === 0 ? 'now' : 'done',
        rollout.state === 'gates' ? 'gates' : rollout.state === 'hook' && rollout.step === 0 ? 'hook' : null, 'start', null),
      rollout.steps.map((step, i) => {
        const [label, note] = stepWords(step);
        const place = placeOf(rollout, i);
        return stop(label, place, note, `step ${i}`, place === 'now' ? share : null);
      }),
      rollout.watch_seconds > 0 ? stop('watch', watch, duration(rollout.watch_seconds), 'watch', watch === 'now' ? share : null) : null,
      stop('promoted', ends, null, 'end', null)),
    waits(rollout) ? h('p', {class: 'waits'}, waits(rollout)) : null);
}
