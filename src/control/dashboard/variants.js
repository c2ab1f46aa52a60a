// The variants of a route in figures: the same that the charts draw, for eyes and for screen readers. Pure.
import {h} from './dom.js';
import {swatch, colours} from './band.js';
import {count, dollars, milliseconds, number, percent} from './format.js';

// The last value that a column of the history has.
export function lastOf(history, name, column) {
  const values = history?.variants.find((v) => v.name === name)?.[column] || [];
  for (let i = values.length - 1; i >= Math.max(0, values.length - 12); i--) if (values[i] !== null) return values[i];
  return null;
}

function cells(variant, history) {
  const last = (column) => lastOf(history, variant.name, column);
  const rate = last('per_second');
  const failed = rate ? (100 * (last('errors_per_second') || 0)) / rate : null;
  const cost = rate ? (1000 * (last('dollars_per_second') || 0)) / rate : null;
  return [
    ['weight', percent(variant.weight)], ['requests/s', number(variant.per_second)], ['errors', percent(failed)],
    ['p50', milliseconds(variant.latency_ms.p50 || null)], ['p95', milliseconds(variant.latency_ms.p95 || null)], ['p99', milliseconds(variant.latency_ms.p99 || null)],
    ['first token p50', milliseconds(variant.ttft_ms.p50 || null)], ['p95', milliseconds(variant.ttft_ms.p95 || null)],
    ['tokens/s', number(last('tokens_per_second') || null)], ['per 1,000', dollars(cost || null)], ['quality', number(last('quality'))],
    ['since start', count(variant.requests)], ['failed', count(variant.errors)],
  ];
}

export function variantsView(route, history) {
  const colour = colours(route);
  const rows = route.variants.map((v) => ({variant: v, cells: cells(v, history)}));
  return h('section', {key: 'variants', class: 'card wide', 'aria-labelledby': 'variants-title'},
    h('h3', {id: 'variants-title'}, 'Variants', h('small', {}, ' in about the last minute')),
    h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Figures of the variants'},
      h('table', {class: 'stack'},
        h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'variant'), rows[0].cells.map(([name]) => h('th', {scope: 'col'}, name)))),
        h('tbody', {}, rows.map((r) => h('tr', {key: r.variant.name},
          h('th', {scope: 'row'}, swatch(colour[r.variant.name]), r.variant.name, r.variant.version ? h('small', {}, ` ${r.variant.version}`) : null,
            r.variant.baseline ? h('small', {class: 'tag'}, 'baseline') : null),
          r.cells.map(([name, value]) => h('td', {'data-label': name}, value))))))));
}
