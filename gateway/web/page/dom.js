// Elements from values, and a page brought to them in place, so that focus, scroll and what a reader was at stay where they are.

const SVG = 'http://www.w3.org/2000/svg';
const SVG_TAGS = new Set(['svg', 'path', 'circle', 'rect', 'line', 'title']);

/** Attributes that are `undefined` or `false` are left out; `true` is written empty. Children: elements, texts, lists, nothing. */
export function h(tag, attributes = {}, ...children) {
  const element = SVG_TAGS.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat(3)) {
    if (child !== undefined && child !== null && child !== false) element.append(child);
  }
  return element;
}

/** Makes `target`'s children like `wanted`. What has a `data-key` is moved, not made anew; what a person typed stays. */
export function show(target, ...wanted) {
  const list = wanted.flat(3).filter((node) => node !== undefined && node !== null && node !== false);
  patchChildren(target, list);
}

function patchChildren(target, wanted) {
  const keyed = new Map();
  for (const child of target.childNodes) {
    const key = keyOf(child);
    if (key !== undefined) keyed.set(key, child);
  }
  let place = target.firstChild;
  for (const item of wanted) {
    const node = typeof item === 'string' ? document.createTextNode(item) : item;
    const key = keyOf(node);
    const known = key === undefined ? undefined : keyed.get(key);
    const old = known ?? (place !== null && keyOf(place) === undefined && key === undefined ? place : undefined);
    if (old !== undefined && isAlike(old, node)) {
      if (old !== place) target.insertBefore(old, place);
      else place = place.nextSibling;
      patch(old, node);
    } else {
      target.insertBefore(node, place);
    }
  }
  while (place !== null) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function patch(old, node) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== node.data) old.data = node.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (old.tagName !== 'SELECT') patchChildren(old, [...node.childNodes]);
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? (node.dataset?.key ?? undefined) : undefined);
const isAlike = (old, node) => old.nodeType === node.nodeType && old.nodeName === node.nodeName;

/** A sign of its own shape for each tone, beside its colour. */
export function sign(tone) {
  const shapes = {
    good: [h('circle', { cx: 12, cy: 12, r: 10, fill: 'none', stroke: 'currentColor', 'stroke-width': 2 }), path('M7.5 12.5l3 3 6-6.5')],
    look: [path('M12 3l9.5 9-9.5 9-9.5-9z'), path('M12 8v4.5M12 15.6v.4')],
    act: [path('M12 3.2L22 20.5H2z'), path('M12 10v4.6M12 17.2v.4')],
    off: [h('circle', { cx: 12, cy: 12, r: 10, fill: 'none', stroke: 'currentColor', 'stroke-width': 2 }), path('M8 12h8')],
  };
  return h('svg', { class: 'sign', viewBox: '0 0 24 24', 'aria-hidden': 'true', focusable: 'false' }, shapes[tone]);
}

const path = (d) =>
  h('path', { d, fill: 'none', stroke: 'currentColor', 'stroke-width': 2, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' });

/** The last hour as a line. `label` says it to those who do not see it. */
export function spark(values, label, isLarge = false) {
  if (values.length === 0) return undefined;
  const most = Math.max(1, ...values);
  const points = values.map((value, index) => `${index} ${(30 - (28 * value) / most).toFixed(2)}`);
  const last = values.length - 1;
  return h(
    'svg',
    { class: isLarge ? 'spark large' : 'spark', viewBox: `0 0 ${last} 31`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    h('path', { class: 'area', d: `M0 30 L${points.join(' L')} L${last} 30 Z` }),
    h('path', { class: 'ground', d: `M0 30 H${last}` }),
    h('path', { class: 'line', d: `M${points.join(' L')}` }),
  );
}

let openings = 0;

/**
 * Opens a dialog. @returns whether it was closed by its button that says yes. A browser tells of a closing a moment later: by then whoever is
 * quick has opened it again, and this must not be taken for the end of that.
 */
export function opened(dialog) {
  const opening = ++openings;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((resolve) => {
    const onClose = () => {
      if (opening === openings && dialog.open) return;
      dialog.removeEventListener('close', onClose);
      resolve(opening === openings && dialog.returnValue === 'yes');
    };
    dialog.addEventListener('close', onClose);
  });
}
