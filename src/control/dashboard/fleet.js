// The instances that share their rollouts, and whether they do. Pure.
import {h} from './dom.js';
import {duration, number} from './format.js';

const ROLES = {leader: 'good', member: 'good', apart: 'bad'};

// Nobody has told why yet: it has only begun.
export const joining = (fleet) => fleet.role === 'apart' && !fleet.error;

export const differing = (fleet) => fleet.members.filter((m) => m.agrees === false);

function agreement(member) {
  if (member.agrees === null) return h('small', {}, 'not told');
  return h('span', {class: `verdict ${member.agrees ? 'good' : 'bad'}`}, member.agrees ? 'same' : `differs: ${member.differs.join(', ')}`);
}

function row(member) {
  return h('tr', {key: member.id},
    h('th', {scope: 'row'}, member.name,
      member.leader ? h('small', {class: 'tag wait'}, 'leader') : null, member.self ? h('small', {class: 'tag'}, 'this one') : null),
    h('td', {'data-label': 'rollouts'}, agreement(member)),
    h('td', {'data-label': 'version'}, member.version || '–'),
    h('td', {'data-label': 'up'}, duration(member.started_seconds)),
    h('td', {'data-label': 'configuration'}, member.loaded_seconds === null ? '–' : `loaded ${duration(member.loaded_seconds)} ago`),
    h('td', {'data-label': 'admin address'}, member.admin || '–'));
}

function standing(fleet) {
  const led = fleet.role === 'leader' ? 'leads' : fleet.role === 'apart' ? 'is apart' : fleet.leader ? `follows ${fleet.leader}` : 'waits for a leader';
  const words = fleet.role === 'apart' ? (joining(fleet) ? 'It joins.' : `For ${duration(fleet.apart_seconds)}: ${fleet.error}. It goes on with its last weights.`)
    : `etcd was heard of ${number(fleet.watch_age_seconds, 2)} s ago; the lease lives ${number(fleet.lease_seconds, 2)} s more.`;
  return h('p', {}, h('span', {class: `verdict ${joining(fleet) ? 'wait' : ROLES[fleet.role] || 'rest'}`}, `${fleet.instance} ${led}`), ` ${words} `,
    fleet.lag_seconds > 0 ? h('span', {class: 'verdict worry'}, `It has been behind for ${duration(fleet.lag_seconds)}.`) : null,
    fleet.evidence && fleet.evidence.error ? h('span', {class: 'verdict bad'}, `No evidence for ${duration(fleet.evidence.age_seconds)}: ${fleet.evidence.error}. Steps wait.`) : null);
}

// Nothing without a fleet.
export function fleetView(fleet) {
  if (!fleet) return null;
  return h('section', {key: 'fleet', class: 'card wide fleet', 'aria-labelledby': 'fleet-title'},
    h('h3', {id: 'fleet-title'}, 'Fleet ', h('code', {}, fleet.prefix)),
    standing(fleet),
    fleet.members.length ? h('div', {class: 'scroll tall', tabindex: '0', role: 'region', 'aria-label': 'Instances of the fleet'},
      h('table', {class: 'stack'},
        h('thead', {}, h('tr', {}, ['instance', 'rollouts', 'version', 'up', 'configuration', 'admin address'].map((t) => h('th', {scope: 'col'}, t)))),
        h('tbody', {}, fleet.members.map(row)))) : null);
}
