// The configuration that runs, and what was wrong with the one that did not. Pure.
import {h} from './dom.js';
import {moment} from './format.js';

function diagnostic(d) {
  return h('li', {}, h('code', {}, `${d.file}:${d.line}:${d.column}`), ` ${d.message}`, d.hint ? h('small', {}, ` ${d.hint}`) : null);
}

export function configView(status, act) {
  const {config} = status;
  const last = config.last_reload;
  return h('section', {key: 'config', class: 'card', 'aria-labelledby': 'config-title'},
    h('h3', {id: 'config-title'}, 'Configuration'),
    h('p', {}, h('code', {}, config.file), ` loaded ${moment(config.loaded)}, plan ${config.plan}.`),
    !last ? h('p', {class: 'faint'}, 'Not reloaded since the start.')
      : h('p', {}, 'Last reload ', h('span', {class: `verdict ${last.result === 'failure' ? 'bad' : 'good'}`}, last.result === 'failure' ? 'refused' : last.result), ` ${moment(last.at)}.`),
    last?.diagnostics.length ? h('ul', {class: 'diagnostics'}, last.diagnostics.map(diagnostic)) : null,
    last?.warnings?.length ? h('ul', {class: 'diagnostics'}, last.warnings.map((w) => h('li', {}, typeof w === 'string' ? w : w.text))) : null,
    h('button', {type: 'button', on: {click: act}}, 'Reload the file'));
}
