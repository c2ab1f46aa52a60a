// What the browser keeps for the page: localStorage or sessionStorage. Where it is told to keep nothing, the page does until it is
// closed.

const own = {};

class Forgetful {
  #values = new Map();
  getItem = (key) => this.#values.get(key) ?? null;
  setItem = (key, value) => this.#values.set(key, String(value));
  removeItem = (key) => this.#values.delete(key);
}

export function kept(name) {
  try {
    return window[name];
  } catch {
    return (own[name] ??= new Forgetful());
  }
}
