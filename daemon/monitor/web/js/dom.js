// Small helpers to make elements. Text always goes in as text, never as HTML.

/** h makes an element: attributes, on* listeners, then children. */
export function h(tag, attributes = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value);
    else if (value === true) el.setAttribute(name, '');
    else if (value !== false && value != null) el.setAttribute(name, value);
  }
  append(el, children);
  return el;
}

/** s makes an SVG element. */
export function s(tag, attributes = {}, ...children) {
  const el = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) el.setAttribute(name, value);
  append(el, children);
  return el;
}

function append(el, children) {
  for (const child of children.flat(Infinity)) if (child != null && child !== false) el.append(child);
}

/** setText changes an element's text only if it differs, so that selections survive. */
export function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** pageHead is a page's title with a line below. */
export function pageHead(title, text = '') {
  const line = h('p', {}, text);
  return { el: h('div', { class: 'pagehead' }, h('h1', {}, title), line), line };
}

/** facts makes a definition list of [term, value] pairs, leaving out empty values. */
export function facts(pairs) {
  return h('dl', { class: 'facts-list' }, pairs.filter(([, v]) => v !== '' && v != null)
    .map(([term, value]) => [h('dt', {}, term), h('dd', {}, value)]));
}

/** debounce calls f once the calls have paused for ms. */
export function debounce(f, ms) {
  let timer;
  return (...args) => { clearTimeout(timer); timer = setTimeout(() => f(...args), ms); };
}

/** showDetail opens a dialog; closing it calls onclose. */
export function showDetail(title, body, onclose = () => {}) {
  const box = h('div', { class: 'dialog-body' }, body);
  const dialog = h('dialog', { 'aria-label': title, onclose: () => { dialog.remove(); onclose(); } },
    h('div', { class: 'dialog-head' }, h('h2', {}, title), h('button', { type: 'button', onclick: () => dialog.close() }, 'Close')), box);
  dialog.addEventListener('click', (e) => { if (e.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return box;
}
