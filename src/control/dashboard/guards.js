// The guards: how much evidence each has, and where the candidate lies beside the baseline. Pure.
import {h} from './dom.js';
import {DASH, count, difference, evidence, inUnit} from './format.js';
import {harmShare, passShare} from './verdict.js';

const VERDICTS = {
  pass: ['good', 'no worse'],
  wait: ['wait', 'not shown yet'],
  fail: ['bad', 'worse'],
  no_data: ['worry', 'no figures'],
  error: ['worry', 'source fails'],
};

// The axis of an interval: zero, the interval and the line that harm begins at are on it.
export function axis(low, high, line) {
  const values = [0, low, high, line].filter((v) => v !== null && v !== undefined && Number.isFinite(v));
  let from = Math.min(...values);
  let to = Math.max(...values);
  if (from === to) to = from + 1;
  const room = 0.12 * (to - from);
  from -= room;
  to += room;
  return (value) => (100 * (value - from)) / (to - from);
}

export function intervalPlot(low, high, middle, line, unit, label) {
  if (low === null || high === null) return h('span', {class: 'faint'}, 'no interval yet');
  const x = axis(low, high, line);
  const clip = (v) => Math.max(0, Math.min(100, x(v)));
  const words = `${label}: difference ${difference(middle, unit)}, interval ${difference(low, unit)} to ${difference(high, unit)}${line === null ? '' : `, allowed up to ${difference(line, unit)}`}`;
  return h('div', {class: 'interval'},
    h('svg', {viewBox: '0 0 100 14', preserveAspectRatio: 'none', role: 'img', 'aria-label': words},
      h('line', {class: 'zero', x1: clip(0), x2: clip(0), y1: 0, y2: 14}),
      line === null ? null : h('line', {class: 'line', x1: clip(line), x2: clip(line), y1: 0, y2: 14}),
      h('rect', {class: 'reach', x: clip(low), width: Math.max(0.8, clip(high) - clip(low)), y: 5, height: 4}),
      middle === null || middle === undefined ? null : h('rect', {class: 'middle', x: clip(middle) - 0.7, width: 1.4, y: 2, height: 10})),
    h('small', {}, `${difference(low, unit)} … ${difference(high, unit)}`));
}

function meter(share, kind, words, label) {
  return h('div', {class: `meter ${kind}`},
    h('div', {class: 'bar', role: 'meter', 'aria-valuemin': '0', 'aria-valuemax': '1', 'aria-valuenow': share.toFixed(3), 'aria-valuetext': words, 'aria-label': label},
      h('div', {class: 'fill', style: {width: `${(100 * share).toFixed(1)}%`}})),
    h('small', {}, words));
}

// Of a time the share of requests is judged that took longer than the guard allows: 2 % slower.
function arm(guard, figures) {
  const slower = guard.unit === 'share' && /^(latency|ttft)_/.test(guard.name) && figures.estimate !== null;
  return [h('span', {class: 'figure'}, inUnit(figures.estimate, guard.unit)), slower ? ' slower' : null, h('small', {}, ` of ${count(figures.requests)}`)];
}

function row(guard) {
  const [level, word] = VERDICTS[guard.verdict] || ['wait', guard.verdict];
  const limit = guard.role === 'limit';
  const middle = guard.candidate.estimate === null || guard.baseline.estimate === null ? null : guard.candidate.estimate - guard.baseline.estimate;
  const name = guard.variant ? `${guard.name} of ${guard.variant}` : guard.name;
  const external = guard.unit === 'value';
  return h('tr', {key: `${guard.role} ${guard.name} ${guard.variant || ''}`, title: guard.because},
    h('th', {scope: 'row'}, name, guard.role === 'guard' ? null : h('small', {}, ` ${guard.role}`), guard.dry_run ? h('small', {class: 'tag'}, 'dry run') : null),
    h('td', {'data-label': 'says'}, h('span', {class: `verdict ${level}`}, word)),
    h('td', {'data-label': 'candidate'}, arm(guard, guard.candidate)),
    h('td', {'data-label': 'baseline'}, limit ? DASH : arm(guard, guard.baseline)),
    h('td', {'data-label': 'difference'}, limit ? DASH : intervalPlot(guard.difference.low, guard.difference.high, middle, guard.allowed, guard.unit, name)),
    h('td', {'data-label': 'worse'}, external ? DASH
      : meter(harmShare(guard), 'harm', `${evidence(guard.log10_e_harm)} of ${evidence(guard.needed_log10_e)}`, `evidence that ${name} is worse`)),
    h('td', {'data-label': 'no worse'}, external || limit ? DASH
      : meter(passShare(guard), 'pass', `${evidence(guard.log10_e_pass)} of ${evidence(guard.needed_log10_e_pass)}`, `evidence that ${name} is no worse`)));
}

export function guardsView(rollout) {
  if (!rollout || !rollout.guards.length) return null;
  return h('section', {key: 'guards', class: 'card wide', 'aria-labelledby': 'guards-title'},
    h('h3', {id: 'guards-title'}, 'Evidence'),
    h('p', {class: 'faint'}, 'An e-value grows while figures speak for it, and holds however often one looks. Worse: everything is taken back. No worse: the step may go on.'),
    h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Evidence of the guards'},
      h('table', {class: 'stack'},
        h('thead', {}, h('tr', {}, ['guard', 'says', 'candidate', 'baseline', 'difference', 'worse: e-value', 'no worse: e-value'].map((t) => h('th', {scope: 'col'}, t)))),
        h('tbody', {}, rollout.guards.map(row)))),
    rollout.judgement ? h('p', {class: 'below'}, rollout.judgement) : null,
    rollout.sample_ratio?.broken ? h('p', {class: 'verdict worry'}, 'Users do not arrive in the proportion that the weights say.') : null);
}
