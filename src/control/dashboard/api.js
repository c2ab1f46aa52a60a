// Calls to the admin API that the page was served from. A change carries the token, when there is one; it is kept for
// this tab only.

import {kept} from './kept.js';

const KEY = 'sluice-token';

export const token = {
  get: () => kept('sessionStorage').getItem(KEY) || '',
  set: (value) => (value ? kept('sessionStorage').setItem(KEY, value) : kept('sessionStorage').removeItem(KEY)),
};

export class Refusal extends Error {
  constructor(status, code, message, details = []) {
    super(message);
    this.details = details; // of a configuration: each mistake with its place
    this.status = status;
    this.code = code;
  }
}

async function call(path, options) {
  let answer;
  try {
    answer = await fetch(path, {cache: 'no-store', credentials: 'omit', signal: AbortSignal.timeout(15000), ...options});
  } catch {
    throw new Refusal(0, 'unreachable', 'sluice does not answer.');
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Refusal(answer.status, body?.error?.code || 'unknown', body?.error?.message || `status ${answer.status}`,
    (body?.error?.diagnostics || []).map((d) => d.text));
}

const segment = encodeURIComponent;
export const routePath = (route, rest = '') => `/api/v1/routes/${segment(route)}${rest}`;
export const poolPath = (pool, verb) => `/api/v1/pools/${segment(pool)}/${verb}`;

export function read(path) {
  return call(path, {});
}

export function change(path, body) {
  const headers = {'Content-Type': 'application/json'};
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  return call(path, {method: 'POST', headers, body: JSON.stringify(body || {})});
}
