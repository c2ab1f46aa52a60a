// What a view returns, and how it becomes the page: h() makes descriptions, patch() changes what is there into what they
// say. Elements are reused, so that focus, selection, an open <details> and a chart outlive a redraw.

const SVG = 'http://www.w3.org/2000/svg';
const drawn = new WeakMap(); // element -> the description that it shows

// h('button', {class: 'danger', on: {click: act}, style: {width: '5%'}, key: 'x', own: true}, 'text', [more], null)
// own: the element's children are not ours.
export function h(tag, attributes, ...children) {
  return {tag, attributes: attributes || {}, children: children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false)};
}

function isText(node) {
  return typeof node !== 'object';
}

function make(node, svg) {
  if (isText(node)) return document.createTextNode(String(node));
  const inside = svg || node.tag === 'svg';
  const element = inside ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  apply(element, {tag: node.tag, attributes: {}, children: []}, node);
  return element;
}

function fits(element, node) {
  if (!element) return false;
  if (isText(node)) return element.nodeType === Node.TEXT_NODE;
  const was = drawn.get(element);
  return was && was.tag === node.tag && was.attributes.key === node.attributes.key;
}

function setAll(element, before, after) {
  const {on: hadEvents = {}, style: hadStyle = {}} = before;
  const {on = {}, style = {}} = after;
  for (const name of Object.keys(hadEvents)) if (!(name in on)) element[`on${name}`] = null;
  for (const [name, listener] of Object.entries(on)) element[`on${name}`] = listener;
  for (const name of Object.keys(hadStyle)) if (!(name in style)) element.style.removeProperty(name);
  for (const [name, value] of Object.entries(style)) if (hadStyle[name] !== value) element.style.setProperty(name, value);
}

function apply(element, before, after) {
  const special = new Set(['on', 'style', 'key', 'own']);
  for (const name of Object.keys(before.attributes))
    if (!special.has(name) && !(name in after.attributes)) element.removeAttribute(name);
  for (const [name, value] of Object.entries(after.attributes)) {
    if (special.has(name) || before.attributes[name] === value) continue;
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  setAll(element, before.attributes, after.attributes);
  if (!after.attributes.own) patch(element, after.children);
  drawn.set(element, after);
}

// An element that is moved would lose the focus.
function move(parent, element, before) {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(element, before);
  focused?.focus({preventScroll: true});
}

// The children that have keys, by them; without those that are not wanted any more, so that what stays need not move.
function keep(parent, nodes) {
  const wanted = new Set(nodes.map((n) => (isText(n) ? undefined : n.attributes.key)));
  const keyed = new Map();
  for (const child of [...parent.childNodes]) {
    const key = drawn.get(child)?.attributes.key;
    if (key === undefined) continue;
    if (wanted.has(key)) keyed.set(key, child);
    else child.remove();
  }
  return keyed;
}

// Makes the children of `parent` what `given` says. A key finds its element again wherever it moved.
export function patch(parent, given) {
  const nodes = given.flat(Infinity).filter((n) => n !== null && n !== undefined && n !== false);
  const keyed = keep(parent, nodes);
  const inSvg = parent.namespaceURI === SVG;
  let at = parent.firstChild;
  for (const node of nodes) {
    const key = isText(node) ? undefined : node.attributes.key;
    let element = key === undefined ? at : keyed.get(key);
    if (key === undefined && drawn.get(at)?.attributes.key !== undefined) element = null;
    if (!fits(element, node)) {
      element = make(node, inSvg);
      parent.insertBefore(element, at);
    } else {
      if (element === at) at = at.nextSibling;
      else move(parent, element, at);
      if (!isText(node)) apply(element, drawn.get(element), node);
      else if (element.nodeValue !== String(node)) element.nodeValue = String(node);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}
