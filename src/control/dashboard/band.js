// The bucket line: 10,000 buckets, who owns which, and the share of each variant. Pure.
import {h} from './dom.js';
import {percent} from './format.js';

const BUCKETS = 10000;

// Baseline first, so that a variant keeps its colour whatever the weights are.
export function colours(route) {
  const ordered = [...route.variants].sort((a, b) => (b.baseline ? 1 : 0) - (a.baseline ? 1 : 0));
  return Object.fromEntries(ordered.map((v, i) => [v.name, i % 6]));
}

export const swatch = (colour) => h('span', {class: `swatch c${colour}`, 'aria-hidden': 'true'});

// wide: nothing stands beside it.
export function bandView(route, unit, wide) {
  const colour = colours(route);
  const ranges = route.variants.flatMap((v) => v.range.map(([first, end]) => ({first, end, name: v.name}))).sort((a, b) => a.first - b.first);
  const words = route.variants.map((v) => `${v.name} ${percent(v.weight)}`).join(', ');
  return h('section', {key: 'band', class: wide ? 'card wide' : 'card', 'aria-labelledby': 'band-title'},
    h('h3', {id: 'band-title'}, 'Who gets what'),
    h('div', {class: 'band', role: 'img', 'aria-label': `Shares of the bucket line: ${words}`},
      ranges.map((r) => h('div', {key: `${r.name} ${r.first}`, class: `part c${colour[r.name]}`, title: `${r.name}: buckets ${r.first} to ${r.end - 1}`,
        style: {left: `${(100 * r.first) / BUCKETS}%`, width: `${(100 * (r.end - r.first)) / BUCKETS}%`}})),
      unit ? h('div', {class: 'pin', style: {left: `${(100 * (unit.bucket + 0.5)) / BUCKETS}%`}}) : null),
    h('div', {class: 'scale', 'aria-hidden': 'true'}, h('span', {}, 'bucket 0'), h('span', {}, '2,500'), h('span', {}, '5,000'), h('span', {}, '7,500'), h('span', {}, '10,000')),
    h('ul', {class: 'legend'}, route.variants.map((v) => h('li', {key: v.name}, swatch(colour[v.name]), `${v.name} ${percent(v.weight)}`))));
}
