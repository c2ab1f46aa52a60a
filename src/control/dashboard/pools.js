// The endpoints: health, requests in flight, the drain button. Pure.
import {h} from './dom.js';
import {count, duration, moment} from './format.js';

const LEVELS = {ready: 'good', drained: 'rest', updating: 'wait', unhealthy: 'bad', ejected: 'bad'};

function row(pool, endpoint, act) {
  const back = endpoint.state === 'drained' || endpoint.state === 'updating';
  return h('tr', {key: `${pool.name} ${endpoint.url}`},
    h('th', {scope: 'row'}, endpoint.url),
    h('td', {'data-label': 'state'}, h('span', {class: `verdict ${LEVELS[endpoint.state] || 'wait'}`}, endpoint.state),
      endpoint.back_off ? h('small', {}, ` spared for ${duration(endpoint.back_off.for_seconds)}`) : null),
    h('td', {'data-label': 'in flight'}, count(endpoint.inflight)),
    h('td', {'data-label': 'last check'}, endpoint.last_check ? [endpoint.last_check.result, h('small', {}, ` ${moment(endpoint.last_check.at)}`)] : h('small', {}, 'not checked')),
    h('td', {'data-label': ''}, h('button', {type: 'button', 'aria-label': `${back ? 'Undrain' : 'Drain'} ${endpoint.url} of ${pool.name}`, on: {click: () => act(pool.name, endpoint.url, back)}}, back ? 'Undrain' : 'Drain')));
}

export function poolsView(pools, route, act) {
  const mine = new Set(route.variants.map((v) => v.pool));
  const shown = pools.filter((p) => mine.has(p.name));
  return h('section', {key: 'pools', class: 'card', 'aria-labelledby': 'pools-title'},
    h('h3', {id: 'pools-title'}, 'Endpoints'),
    shown.map((pool) => h('div', {key: pool.name, class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Endpoints of ${pool.name}`},
      h('table', {class: 'stack'},
        h('caption', {}, h('strong', {}, pool.name), ` for ${route.variants.filter((v) => v.pool === pool.name).map((v) => v.name).join(', ')}`, pool.waiting ? `, ${count(pool.waiting)} wait` : null),
        h('thead', {}, h('tr', {}, ['endpoint', 'state', 'in flight', 'last check', 'do'].map((t) => h('th', {scope: 'col'}, t)))),
        h('tbody', {}, pool.endpoints.map((e) => row(pool, e, act)))))));
}
