// The last hour on time axes, one chart a figure, one line a variant. The charts are uPlot's; a build without it has
// `null` in its place, and says so.
import uPlot from './uplot.js';
import {h} from './dom.js';
import {colours, swatch} from './band.js';
import {dollars, milliseconds, number, percent} from './format.js';

const HEIGHT = 150;
const perRequest = (variant, column, scale) => variant.per_second.map((rate, i) => (rate ? (scale * (variant[column][i] || 0)) / rate : null));
const ifAny = (values) => values.map((v) => v || null); // 0: there was none to measure

// of: the values of one variant; title in [] for the percentile that is chosen.
export const FIGURES = [
  {id: 'rate', title: 'Requests per second', show: number, of: (v) => v.per_second},
  {id: 'errors', title: 'Errors', show: percent, least: 1, of: (v) => perRequest(v, 'errors_per_second', 100)},
  {id: 'latency', title: 'Latency', quantiles: true, show: milliseconds, of: (v, q) => ifAny(v[`${q}_ms`])},
  {id: 'ttft', title: 'Time to first token', quantiles: true, show: milliseconds, of: (v, q) => ifAny(v[`ttft_${q === 'p99' ? 'p95' : q}_ms`])},
  {id: 'tokens', title: 'Tokens per second', show: number, of: (v) => v.tokens_per_second},
  {id: 'cost', title: 'Dollars per 1,000 requests', show: dollars, of: (v) => ifAny(perRequest(v, 'dollars_per_second', 1000))},
  {id: 'quality', title: 'Quality', show: number, of: (v) => v.quality},
];

export const RANGES = [[300, '5 min'], [900, '15 min'], [3600, '1 h']];
const QUANTILES = ['p50', 'p95', 'p99'];

// Only the slots that are in sight, with a hole where slots are missing.
export function columnsOf(history, figure, quantile, seconds, now) {
  const from = now - seconds;
  const first = history.at.findIndex((at) => at >= from);
  const times = [];
  const columns = history.variants.map(() => []);
  const values = history.variants.map((v) => figure.of(v, quantile));
  for (let i = first < 0 ? history.at.length : first; i < history.at.length; i++) {
    if (times.length && history.at[i] - history.at[i - 1] > 3 * history.seconds) {
      times.push(history.at[i - 1] + history.seconds);
      columns.forEach((column) => column.push(null));
    }
    times.push(history.at[i]);
    columns.forEach((column, v) => column.push(values[v][i] ?? null));
  }
  return [times, ...columns];
}

// Values that no line leads to or from: they are drawn as points.
export function lonely(values) {
  const there = (i) => values[i] !== null && values[i] !== undefined;
  return values.flatMap((_, i) => (there(i) && !there(i - 1) && !there(i + 1) ? [i] : []));
}

// Seconds since 1970 by the daemon's clock, whose times the figures have; the browser's where it agrees with it.
export function nowOf(history) {
  const own = Date.now() / 1000;
  const newest = history.at[history.at.length - 1];
  return newest === undefined || Math.abs(own - newest) < 6 * history.seconds ? own : newest + history.seconds;
}

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// A line where something was decided.
function marks(charts) {
  return {hooks: {draw: (plot) => {
    const {ctx, bbox} = plot;
    ctx.save();
    ctx.strokeStyle = css('--faint');
    ctx.setLineDash([3, 3]);
    for (const decision of charts.decisions) {
      const x = plot.valToPos(new Date(decision.time).getTime() / 1000, 'x', true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }}};
}

const MINUTES = [1, 2, 5, 10, 15, 30].map((m) => 60 * m); // between two times that are written: each is another one
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [1, 2], [10, 4]];

export class Charts {
  constructor() {
    this.plots = new Map(); // figure id -> {plot, shape}
    this.seconds = 900;
    this.quantile = 'p95';
    this.decisions = [];
    this.watcher = new ResizeObserver((entries) => {
      for (const {target} of entries) this.plots.get(target.dataset.figure)?.plot.setSize({width: target.clientWidth, height: HEIGHT});
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.drop());
  }

  drop() { // colours changed: they are made anew with the next data
    for (const {plot, host} of this.plots.values()) {
      this.watcher.unobserve(host);
      plot.destroy();
    }
    this.plots.clear();
  }

  view(route, history, redraw) {
    const colour = colours(route);
    const shown = FIGURES.filter((f) => !history || ['rate', 'errors', 'latency'].includes(f.id)
      || history.variants.some((v) => f.of(v, 'p50').some((x) => x)));
    const choose = (label, values, now, set) => h('fieldset', {class: 'choice'}, h('legend', {class: 'unseen'}, label),
      values.map(([value, word]) => h('button', {type: 'button', 'aria-pressed': String(value === now), on: {click: () => { set(value); redraw(); }}}, word)));
    return h('section', {key: 'charts', class: 'card wide', 'aria-labelledby': 'charts-title'},
      h('div', {class: 'line'}, h('h3', {id: 'charts-title'}, 'The last hour'),
        h('ul', {class: 'legend'}, route.variants.map((v) => h('li', {key: v.name}, swatch(colour[v.name]), v.name))),
        choose('Percentile', QUANTILES.map((q) => [q, q]), this.quantile, (q) => { this.quantile = q; }),
        choose('Time in sight', RANGES, this.seconds, (s) => { this.seconds = s; })),
      uPlot ? null : h('p', {class: 'verdict worry'}, 'This build has no charts: it was made without npm, which brings them. The figures stand in the table above.'),
      h('div', {class: 'charts'}, uPlot ? shown.map((f) => h('figure', {key: f.id},
        h('figcaption', {}, f.title, f.quantiles ? ` ${f.id === 'ttft' && this.quantile === 'p99' ? 'p95' : this.quantile}` : ''),
        h('div', {class: 'plot', 'data-figure': f.id, own: true, role: 'img', 'aria-label': `${f.title} of ${route.variants.map((v) => v.name).join(', ')}; the figures stand in the table of the variants`}))) : null));
  }

  // After the view is on the page.
  draw(route, history, decisions) {
    if (!uPlot || !history) return;
    this.decisions = decisions;
    const colour = colours(route);
    const shape = history.variants.map((v) => `${v.name} ${colour[v.name]}`).join();
    const now = nowOf(history);
    const seconds = Math.min(this.seconds, Math.max(120, now - (history.at[0] ?? now))); // a young one is not drawn in a corner
    this.range = [now - seconds, now];
    for (const host of document.querySelectorAll('.plot')) {
      const figure = FIGURES.find((f) => f.id === host.dataset.figure);
      const data = columnsOf(history, figure, this.quantile, seconds, now);
      const had = this.plots.get(figure.id);
      if (had && had.host === host && had.shape === shape) {
        had.plot.setData(data);
        continue;
      }
      had?.plot.destroy();
      this.plots.set(figure.id, {shape, host, plot: new uPlot(this.options(figure, history, colour, host), data, host)});
      this.watcher.observe(host);
    }
  }

  options(figure, history, colour, host) {
    const line = {stroke: css('--line'), width: 1};
    const axis = {stroke: css('--faint'), grid: line, ticks: {show: false}, font: '11px system-ui, sans-serif'};
    return {
      width: host.clientWidth, height: HEIGHT, padding: [8, 18, 0, 0],
      cursor: {sync: {key: 'time'}, drag: {x: false, y: false}},
      legend: {show: false},
      scales: {x: {time: true, range: () => this.range}, y: {range: (u, low, high) => [Math.min(0, low ?? 0), Math.max(high || 1, figure.least ?? 0) * 1.15]}},
      axes: [{...axis, space: 70, incrs: MINUTES, values: '{HH}:{mm}', size: 24}, {...axis, size: 62, values: (u, ticks) => ticks.map((t) => figure.show(t))}],
      series: [{}, ...history.variants.map((v) => ({label: v.name, stroke: css(`--c${colour[v.name] ?? 0}`), width: 2, dash: DASHES[colour[v.name] ?? 0], spanGaps: false, points: {show: true, size: 5, filter: (plot, i) => lonely(plot.data[i])}}))],
      plugins: [marks(this), tip(figure, history)],
    };
  }
}

// The values under the cursor.
function tip(figure, history) {
  let box;
  return {hooks: {
    init: (plot) => {
      box = document.createElement('div');
      box.className = 'tip';
      box.hidden = true;
      plot.over.append(box);
    },
    setCursor: (plot) => {
      const {idx, left} = plot.cursor;
      box.hidden = idx === null || idx === undefined || left < 0;
      if (box.hidden) return;
      const at = new Date(plot.data[0][idx] * 1000).toLocaleTimeString('en-GB');
      box.textContent = `${at}\n${history.variants.map((v, i) => `${v.name} ${figure.show(plot.data[i + 1]?.[idx])}`).join('\n')}`;
      box.classList.toggle('far', left > plot.over.clientWidth / 2);
    },
  }};
}
