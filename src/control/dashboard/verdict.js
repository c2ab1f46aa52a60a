// "Is the canary fine?" in words. Pure: from what /api/v1/status says to what a person on call reads first.
import {differing, joining} from './fleet.js';
import {duration, evidence, number, percent} from './format.js';

// level: 'bad' (look now), 'worry' (look), 'wait' (fine so far), 'good', 'rest' (nothing is tried)
const URGENCY = {bad: 0, worry: 1, wait: 2, good: 3, rest: 4};
export const WORDS = {bad: 'Bad', worry: 'Look', wait: 'Running', good: 'Good', rest: 'At rest'};

const HOLDS = {
  person: 'Paused by a person; resume lets it go on.',
  by_hand: 'The weights were set by hand: nothing is changed or taken back by itself until it is resumed.',
  no_data: 'A guard has no figures. No step is taken until it has some.',
  error: 'The source of a guard fails. No step is taken until it answers.',
  signal: 'A signal shows harm. It holds here; promote passes it.',
  sample_ratio: 'Users do not arrive in the proportion that the weights say: no verdict counts. Resume begins the step again with fresh evidence.',
  gate: 'A gate said no. Retry asks again, promote passes it.',
  hook: 'The hook before the step said no, or does not answer; it is asked again.',
  inconclusive: 'The step ran out of time without enough evidence.',
  fleet: 'Members of the fleet have different rollouts in their files, or cannot be heard. No step is taken until they agree; harm still takes the candidate back.',
  journal: 'The state directory cannot be written: no step is taken. Harm still takes the candidate back.',
};

export function candidateOf(route) {
  const rollout = route.rollout;
  if (!rollout) return null;
  return route.variants.find((v) => v.name === rollout.candidate) || null;
}

export function acting(rollout) {
  return rollout.guards.filter((g) => !g.dry_run && g.role !== 'signal');
}

// 0 to 1: how far the evidence of harm has come to what takes everything back.
export function harmShare(guard) {
  if (guard.verdict === 'fail') return 1;
  return guard.needed_log10_e > 0 ? Math.min(1, Math.max(0, guard.log10_e_harm / guard.needed_log10_e)) : 0;
}

export function passShare(guard) {
  return guard.needed_log10_e_pass > 0 ? Math.min(1, Math.max(0, guard.log10_e_pass / guard.needed_log10_e_pass)) : 0;
}

function named(rollout) {
  if (rollout.strategy === 'rolling') return rollout.version ? `version ${rollout.version}` : 'the new version';
  return rollout.version ? `${rollout.candidate} ${rollout.version}` : rollout.candidate;
}

function list(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names[names.length - 1]}`;
}

function withoutRollout(route) {
  const parts = route.variants.filter((v) => v.weight > 0).map((v) => `${v.name} ${percent(v.weight)}`);
  const from = route.weights_from === 'command' ? 'set by hand' : route.weights_from === 'rollout' ? 'moved by a linked rollout' : 'from the file';
  return {level: 'rest', answer: 'Nothing is rolled out here.', sentence: `Traffic is split ${list(parts)}, ${from}.`};
}

// What a step still lacks: time, requests, guards.
export function missing(rollout) {
  const step = rollout.steps[rollout.step];
  const lacks = [];
  if (rollout.state === 'watch') {
    if (rollout.watch_seconds > rollout.state_seconds) lacks.push(duration(rollout.watch_seconds - rollout.state_seconds));
    return lacks;
  }
  if (step && step.for_seconds > rollout.state_seconds) lacks.push(duration(step.for_seconds - rollout.state_seconds));
  if (step && step.min_requests > rollout.step_requests) lacks.push(`${number(step.min_requests - rollout.step_requests)} requests`);
  const waiting = rollout.guards.filter((g) => !g.dry_run && g.role === 'guard' && g.verdict !== 'pass');
  if (waiting.length) lacks.push(`evidence of ${list([...new Set(waiting.map((g) => g.name))])}`);
  return lacks;
}

const MANY = 20; // of a few it may have been the clients

function judged(route, rollout) {
  const guards = acting(rollout);
  const refusing = guards.find((g) => g.verdict === 'no_data' && g.unjudged >= MANY);
  if (refusing) {
    return {
      level: 'worry',
      answer: 'It refuses its users.',
      sentence: `Its last ${number(refusing.unjudged)} requests ended in 4xx or without a client, which no guard judges. Does it know the model's name, the path, the key?`,
    };
  }
  const worried = guards.filter((g) => harmShare(g) >= 0.5).sort((a, b) => harmShare(b) - harmShare(a));
  if (worried.length) {
    const worst = worried[0];
    return {
      level: 'worry',
      answer: 'It does not look good.',
      sentence: `${worst.name} looks worse: evidence ${evidence(worst.log10_e_harm)} of ${evidence(worst.needed_log10_e)}, at which everything is taken back by itself.`,
    };
  }
  const passed = guards.filter((g) => g.verdict === 'pass');
  if (guards.length && passed.length === guards.length)
    return {level: 'good', answer: 'Yes, it is fine.', sentence: `${guards.length === 1 ? 'The guard has' : `All ${guards.length} guards have`} shown it to be no worse.`};
  const open = guards.length - passed.length;
  return {
    level: 'wait',
    answer: guards.length ? 'Fine so far.' : 'Nobody watches it.',
    sentence: guards.length
      ? `Nothing shows it to be worse; ${open} of ${guards.length} ${guards.length === 1 ? 'guard' : 'guards'} ${open === 1 ? 'needs' : 'need'} more evidence.`
      : 'The rollout has no guards: only you would notice.',
  };
}

function next(rollout) {
  const lacks = missing(rollout);
  if (rollout.state === 'watch') return lacks.length ? `Guards watch for ${lacks[0]} more, then it is promoted.` : 'It is promoted once the guards pass.';
  const after = rollout.steps[rollout.step + 1];
  const goal = after ? (after.pause ? 'Next: it pauses for you' : `Next: ${percent(after.weight)}`) : 'Next: everything';
  return lacks.length ? `${goal}, after ${list(lacks)}.` : `${goal}, now.`;
}

function inStep(route, rollout) {
  const share = candidateOf(route)?.weight ?? 0;
  const verdict = judged(route, rollout);
  const where = `${named(rollout)} has ${percent(share)} of the traffic`;
  return {...verdict, sentence: `${where}. ${verdict.sentence} ${next(rollout)}`};
}

function inTest(route, rollout) {
  if (rollout.winner) return {level: 'good', answer: `${rollout.winner} wins.`, sentence: rollout.because};
  const verdict = judged(route, rollout);
  const names = route.variants.filter((v) => v.weight > 0).map((v) => v.name);
  return {
    level: verdict.level === 'worry' ? 'worry' : 'wait',
    answer: verdict.level === 'worry' ? verdict.answer : 'No winner yet.',
    sentence: `A test of ${list(names)}${verdict.level === 'worry' ? `. ${verdict.sentence}` : rollout.judgement ? `: ${rollout.judgement}.` : '.'}`,
  };
}

const STATES = {
  idle: (route, r) => ({
    level: 'rest',
    answer: 'Nothing is being tried.',
    sentence: `${r.baseline || r.candidate} serves; ${r.because || 'a new version of the candidate begins a rollout'}.`,
  }),
  gates: (route, r) => ({level: 'wait', answer: 'Not begun yet.', sentence: `${named(r)} has no traffic: its gates are being asked. ${r.judgement || ''}`.trim()}),
  hook: (route, r) => ({...judged(route, r), answer: 'Waiting for a hook.', sentence: `The hook before step ${r.step + 1} has not said yes yet.`}),
  step: (route, r) => (r.strategy === 'ab' ? inTest(route, r) : r.strategy === 'rolling' ? rolling(route, r) : inStep(route, r)),
  paused: (route, r) => {
    const verdict = judged(route, r);
    return {
      level: verdict.level === 'wait' || verdict.level === 'good' ? 'worry' : verdict.level,
      answer: verdict.level === 'worry' ? verdict.answer : 'It waits for you.',
      sentence: `${named(r)} has ${percent(candidateOf(route)?.weight ?? 0)} of the traffic. ${verdict.sentence} Promote goes on.`,
    };
  },
  watch: (route, r) => {
    const verdict = judged(route, r);
    return {...verdict, sentence: `${named(r)} has all traffic. ${verdict.sentence} ${next(r)}`};
  },
  promoted: (route, r) => ({
    level: 'good',
    answer: 'Yes. It was promoted.',
    sentence: `${named(r)} has all traffic.${r.keep_warm ? ' The old one is still warm: roll back switches at once.' : ''}`,
  }),
  rolling_back: (route, r) => ({level: 'bad', answer: 'No. It is being taken back.', sentence: r.because}),
  rolled_back: (route, r) => ({level: 'bad', answer: 'No. It was taken back.', sentence: `${named(r)} has no traffic. Why: ${r.because}.`}),
  stopped: (route, r) => ({level: r.winner ? 'good' : 'worry', answer: r.winner ? `${r.winner} wins; the test is over.` : 'It stopped.', sentence: r.because}),
};

function rolling(route, r) {
  return {level: 'wait', answer: 'Being updated.', sentence: `${named(r)}: batch ${r.step + 1}${r.step_count ? ` of ${r.step_count}` : ''}. ${r.because}.`};
}

// {level, answer, sentence}: what stands at the top of a route.
export function verdictOf(route) {
  const rollout = route.rollout;
  if (!rollout) return withoutRollout(route);
  const verdict = (STATES[rollout.state] || STATES.idle)(route, rollout);
  const quiet = ['promoted', 'rolled_back', 'idle'].includes(rollout.state);
  if (rollout.hold === 'none' || quiet) return verdict;
  return {
    level: verdict.level === 'bad' || (verdict.level === 'worry' && rollout.state !== 'paused') ? verdict.level : 'worry',
    answer: verdict.level === 'worry' && rollout.state !== 'paused' ? verdict.answer : 'It is held.',
    sentence: `${HOLDS[rollout.hold] || `Held: ${rollout.hold}.`} ${verdict.sentence}`,
  };
}

const OUT = new Set(['unhealthy', 'ejected']);

const NAMED = 3; // of many, how many

function fleetAlarms(fleet) {
  const others = differing(fleet);
  const alarms = [];
  if (fleet.role === 'apart' && !joining(fleet))
    alarms.push({level: 'bad', text: `This sluice is apart from its fleet ${fleet.prefix}: it serves with the last weights, and what changes there does not come here.`});
  if (others.length)
    alarms.push({level: 'bad', text: `The rollouts of ${list([...new Set(others.flatMap((m) => m.differs))])} are not the same in the fleet: ${others.length > NAMED ? `${others.length} instances` : list(others.map((m) => m.name))} ${others.length === 1 ? 'has' : 'have'} another configuration than this sluice.`});
  return alarms;
}

// What is wrong with the proxy itself, most urgent first: [{level, text, code}].
export function alarmsOf(status) {
  const alarms = [];
  if (status.draining) alarms.push({level: 'bad', text: 'This sluice is stopping: it takes no new connections.'});
  const used = new Set(status.routes.flatMap((r) => r.variants.filter((v) => v.weight > 0).map((v) => v.pool)));
  for (const pool of status.pools) {
    const out = pool.endpoints.filter((e) => OUT.has(e.state));
    if ((out.length || used.has(pool.name)) && pool.endpoints.every((e) => e.state !== 'ready'))
      alarms.push({level: 'bad', text: `Pool ${pool.name} has no endpoint that is ready.`});
    else if (out.length)
      alarms.push({level: 'worry', text: `Pool ${pool.name}: ${list(out.map((e) => `${e.url} is ${e.state}`))}.`});
  }
  const reload = status.config.last_reload;
  if (reload && reload.result === 'failure') {
    const first = reload.diagnostics[0];
    alarms.push({level: 'worry', text: `The last reload failed; what ran before still runs.${first ? ` ${first.text}` : ''}`});
  }
  for (const route of status.routes)
    if (route.rollout?.journal_failing) alarms.push({level: 'worry', text: `The journal of ${route.name} cannot be written: no step is taken.`});
  if (status.fleet) alarms.push(...fleetAlarms(status.fleet));
  return alarms.sort((a, b) => URGENCY[a.level] - URGENCY[b.level]);
}

// [{route, index, verdict}], the one to look at first.
export function byUrgency(routes) {
  return routes.map((route, index) => ({route, index, verdict: verdictOf(route)}))
    .sort((a, b) => URGENCY[a.verdict.level] - URGENCY[b.verdict.level] || a.index - b.index);
}

// What the answer answers.
export function questionOf(route) {
  const rollout = route.rollout;
  if (!rollout) return route.name;
  if (rollout.strategy === 'ab') return `${route.name}: who wins?`;
  return `${route.name}: is the ${rollout.candidate === 'canary' || rollout.strategy === 'canary' ? 'canary' : 'new version'} fine?`;
}

// The document's title, for a tab that is not in sight.
export function titleOf(route, verdict) {
  const sign = {bad: '✗', worry: '!', wait: '…', good: '✓', rest: '·'}[verdict.level];
  return `${sign} ${route.name}: ${verdict.answer} – sluice`;
}
