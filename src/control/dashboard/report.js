// What each variant measured, with intervals that hold at every look; of an A/B test who wins, or how much longer. Pure.
import {h} from './dom.js';
import {DASH, count, duration, inUnit, number, percent} from './format.js';
import {intervalPlot} from './guards.js';

function metricNames(report) {
  return [...new Set(report.variants.flatMap((v) => v.metrics.map((m) => m.name)))];
}

function figure(metric) {
  if (!metric || metric.estimate === null) return DASH;
  return [h('span', {class: 'figure'}, inUnit(metric.estimate, metric.unit)),
    metric.low === null ? null : h('small', {}, ` ${inUnit(metric.low, metric.unit)} … ${inUnit(metric.high, metric.unit)}`)];
}

function comparisonName(c) {
  return c.better ? `${c.metric}: ${c.better} rather than ${c.than}` : `${c.metric}: ${c.of} against ${c.against}`;
}

function ends(report) {
  if (report.winner) return `Winner: ${report.winner}.`;
  if (!report.goal) return null;
  const left = report.requests_left === null ? null : `about ${number(report.requests_left, 2)} requests more`;
  const time = report.seconds_left === null ? null : `about ${duration(report.seconds_left)}`;
  return `No winner yet${left ? `: ${left}` : ''}${time ? `, ${time} at the rate of now` : ''}. Goal: ${report.goal.name}, ${report.goal.direction}.`;
}

function unitOf(report, comparison) {
  if (comparison.unit) return comparison.unit;
  return report.variants.flatMap((v) => v.metrics).find((m) => m.name === comparison.metric)?.unit || 'value';
}

export function reportView(report) {
  if (!report || !report.variants.some((v) => v.metrics.length)) return null;
  const names = metricNames(report);
  return h('section', {key: 'report', class: 'card wide', 'aria-labelledby': 'report-title'},
    h('h3', {id: 'report-title'}, report.strategy === 'ab' ? 'A/B report' : 'Report'),
    ends(report) ? h('p', {}, ends(report)) : null,
    h('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'What each variant measured'},
      h('table', {},
        h('thead', {}, h('tr', {}, h('th', {scope: 'col'}, 'variant'), h('th', {scope: 'col'}, 'weight'), h('th', {scope: 'col'}, 'requests'), names.map((n) => h('th', {scope: 'col'}, n)))),
        h('tbody', {}, report.variants.map((v) => h('tr', {key: v.name}, h('th', {scope: 'row'}, v.name, v.version ? h('small', {}, ` ${v.version}`) : null),
          h('td', {}, percent(v.weight)), h('td', {}, count(v.requests)), names.map((n) => h('td', {}, figure(v.metrics.find((m) => m.name === n))))))))),
    report.strategy === 'ab' && report.comparisons.length ? h('ul', {class: 'comparisons'}, report.comparisons.map((c) => h('li', {key: comparisonName(c)}, h('span', {}, comparisonName(c)),
      intervalPlot(c.low, c.high, c.difference, null, unitOf(report, c), comparisonName(c))))) : null);
}
