// What the page knows, kept up to date: the status each second (server-sent events), the history of the last hour of the
// route in sight, its decisions and its report. When the connection is lost it says so and comes back by itself.
import {read, routePath} from './api.js';

const STALE_MS = 4000; // a status comes each second
const RETRY_MS = [500, 1000, 2000, 5000];
const DECISIONS = 100;
const HISTORY_TICKS = 10; // seconds between two questions: many pages that are open must cost requests nothing
const REPORT_TICKS = 30; // of a rollout that is no A/B test: there it is no more than a table

export class Live {
  constructor(changed) {
    this.changed = changed; // called after each change
    this.status = null;
    this.first = null; // the revision that the page was loaded from, or nearly
    this.route = null; // the name of the one in sight
    this.history = null;
    this.decisions = [];
    this.report = null;
    this.heard = 0; // when the last status came, performance.now()
    this.heardAt = null;
    this.connected = false;
    this.refusal = null; // why there is no stream, when the daemon says so
    this.tries = 0;
    this.source = null;
    this.connect();
    setInterval(() => this.look(), 1000);
    document.addEventListener('visibilitychange', () => this.refresh(false, true));
  }

  connect() {
    clearTimeout(this.retry);
    this.source?.close();
    const source = new EventSource('/api/v1/events');
    this.source = source;
    this.begun = performance.now();
    source.addEventListener('status', (event) => this.hear(JSON.parse(event.data)));
    source.addEventListener('decision', (event) => this.decided(JSON.parse(event.data)));
    source.onerror = () => this.lost(source);
  }

  lost(source) {
    if (source !== this.source) return;
    source.close();
    this.connected = false;
    if (this.heard < this.begun) this.askWhy();
    this.retry = setTimeout(() => this.connect(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
    this.changed();
  }

  // A stream that was refused does not say why.
  async askWhy() {
    const stop = new AbortController();
    try {
      const answer = await fetch('/api/v1/events', {signal: stop.signal});
      this.refusal = answer.ok ? null : (await answer.json()).error.message;
    } catch {
      this.refusal = null;
    }
    stop.abort();
    this.changed();
  }

  hear(status) {
    const again = !this.connected;
    const restarted = this.status && this.status.started !== status.started;
    this.connected = true;
    this.refusal = null;
    this.tries = 0;
    this.heard = performance.now();
    this.heardAt = new Date();
    this.status = status;
    this.first ??= status.revision;
    if (restarted) this.forget();
    if (!status.routes.some((r) => r.name === this.route)) this.leave();
    if (again || restarted) this.refresh(true);
    this.changed();
  }

  // A connection on which nothing comes is lost too, whatever the browser says.
  look() {
    const since = Math.max(this.heard, this.begun);
    if (this.source.readyState !== EventSource.CLOSED && performance.now() - since > STALE_MS) this.lost(this.source);
    if (!this.connected) this.changed();
    else if (++this.ticks % HISTORY_TICKS === 0) this.refresh(false, this.ticks % REPORT_TICKS === 0);
  }

  ticks = 0;

  leave() {
    this.forget();
    this.route = null;
  }

  forget() {
    this.history = null;
    this.decisions = [];
    this.report = null;
  }

  show(name) {
    if (name === this.route) return;
    this.forget();
    this.route = name;
    this.refresh(true);
  }

  decided(decision) {
    if (decision.route === this.route) {
      this.decisions = merge(this.decisions, [decision]);
      this.refresh(false, true); // what it was decided by has changed, too
      this.ticks = HISTORY_TICKS - 6; // and what led to it is in the history once its five seconds are over
    }
    this.changed();
  }

  // anew: all of it. Else what is new of the history and, where it is what one looks at, the report; decisions come by
  // themselves. A page that nobody sees asks for nothing.
  async refresh(anew, report = false) {
    const name = this.route;
    const started = this.status?.started;
    if (!name || (document.hidden && !anew)) return;
    const since = anew || !this.history?.at.length ? 0 : this.history.at[this.history.at.length - 1];
    const rollout = this.status?.routes.find((r) => r.name === name)?.rollout;
    const ask = (rest) => read(routePath(name, rest)).catch(() => null); // the next round asks again
    const [history, decisions, measured] = await Promise.all([
      ask(`/history?since=${since}`), rollout && anew ? ask(`/decisions?last=${DECISIONS}`) : null, rollout && (anew || report || rollout.strategy === 'ab') ? ask('/report') : null]);
    if (name !== this.route || started !== this.status.started) return;
    if (history) this.history = since && this.history ? join(this.history, history) : history;
    if (decisions) this.decisions = merge(this.decisions, decisions.decisions);
    this.report = rollout ? measured || this.report : null;
    this.changed();
  }
}

const KEPT = 720;

// Each once, in their order, the newest of them.
export function merge(known, more) {
  const all = new Map([...known, ...more].map((d) => [d.number, d]));
  return [...all.values()].sort((a, b) => a.number - b.number).slice(-DECISIONS);
}

// Columns that go on where the others ended; what is known already, because two asked at once, is not there twice. A variant that is new has nothing before, one that went is left out.
export function join(before, more) {
  const last = before.at[before.at.length - 1] ?? -Infinity;
  const from = more.at.findIndex((at) => at > last);
  if (from < 0) return before;
  const at = [...before.at, ...more.at.slice(from)].slice(-KEPT);
  const variants = more.variants.map((variant) => {
    const past = before.variants.find((v) => v.name === variant.name);
    const joined = {name: variant.name};
    for (const column of Object.keys(variant).filter((c) => c !== 'name'))
      joined[column] = [...(past ? past[column] : before.at.map(() => null)), ...variant[column].slice(from)].slice(-KEPT);
    return joined;
  });
  return {...more, at, variants};
}
