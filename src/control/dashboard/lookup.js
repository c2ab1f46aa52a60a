// Which variant a user gets, and why.
import {h} from './dom.js';
import {colours, swatch} from './band.js';

const REASONS = {unit: 'by its bucket', override: 'by an override', fallback: 'as a fallback'};

export function lookupView(route, lookup, ask) {
  const found = lookup.answer;
  return h('section', {key: 'lookup', class: 'card', 'aria-labelledby': 'lookup-title'},
    h('h3', {id: 'lookup-title'}, 'Which variant does a user get?'),
    h('form', {class: 'line', on: {submit: (event) => { event.preventDefault(); ask(new FormData(event.target).get('unit').trim()); }}},
      h('label', {for: 'unit'}, 'User, session or client'),
      h('input', {id: 'unit', name: 'unit', required: true, autocomplete: 'off', spellcheck: 'false'}),
      h('button', {type: 'submit'}, 'Look up')),
    h('p', {role: 'status'}, lookup.error ? h('span', {class: 'verdict bad'}, lookup.error)
      : found ? [swatch(colours(route)[found.variant] ?? 0), h('strong', {}, found.unit), ' gets ', h('strong', {}, found.variant), ` ${REASONS[found.reason] || `(${found.reason})`}: bucket ${found.bucket.toLocaleString('en')}, salt ${found.salt}.`]
        : h('span', {class: 'faint'}, 'With the weights of now; what a cookie or an override would change for one request is not looked at.')));
}
