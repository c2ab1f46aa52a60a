// What the controller and people decided, as a log to read. Pure.
import {h} from './dom.js';
import {evidence, inUnit, moment, percent} from './format.js';

const LEVELS = {rollback: 'bad', stop: 'bad', hold: 'worry', promote: 'good', complete: 'good', winner: 'good', step: 'good', start: 'wait'};

function place(side) {
  const weights = Object.entries(side.weights).map(([name, weight]) => `${name} ${percent(weight)}`).join(', ');
  const step = ['step', 'paused', 'hook'].includes(side.state) ? ` ${side.step + 1}` : '';
  return `${side.state.replace('_', ' ')}${step}${side.hold === 'none' ? '' : `, held (${side.hold})`}: ${weights}`;
}

function guardLine(guard) {
  const name = guard.variant ? `${guard.name} of ${guard.variant}` : guard.name;
  return h('li', {}, h('strong', {}, name), ` ${guard.verdict.replace('_', ' ')}: candidate ${inUnit(guard.candidate.estimate, guard.unit)}, `,
    `baseline ${inUnit(guard.baseline.estimate, guard.unit)}; worse ${evidence(guard.log10_e_harm)} of ${evidence(guard.needed_log10_e)}, `,
    `no worse ${evidence(guard.log10_e_pass)} of ${evidence(guard.needed_log10_e_pass)}`);
}

function entry(decision) {
  return h('li', {key: String(decision.number), class: `decision ${LEVELS[decision.action] || 'rest'}`},
    h('details', {},
      h('summary', {}, h('time', {datetime: decision.time}, moment(decision.time)), ' ', h('strong', {}, decision.action),
        decision.who === 'person' ? h('small', {class: 'tag'}, 'by a person') : null, h('span', {}, ` ${decision.because}`)),
      h('p', {}, `From ${place(decision.from)}`, h('br', {}), `to ${place(decision.to)}`),
      decision.guards.length ? h('ul', {}, decision.guards.map(guardLine)) : null));
}

export function decisionsView(decisions) {
  return h('section', {key: 'decisions', class: 'card', 'aria-labelledby': 'decisions-title'},
    h('h3', {id: 'decisions-title'}, 'Decisions'),
    decisions.length ? h('ol', {class: 'log', reversed: true}, [...decisions].reverse().map(entry)) : h('p', {class: 'faint'}, 'None yet.'));
}
