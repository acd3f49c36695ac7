// Configuration in effect, and where each value comes from.
import { h, pageHead, setText } from '../dom.js';
import { get } from '../api.js';
import { count, when } from '../format.js';

function show(value) {
  if (value === null || value === undefined || value === '') return '–';
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((v) => typeof v !== 'object')) return value.join(', ') || '–';
  return JSON.stringify(value);
}

function make() {
  const head = pageHead('Configuration');
  const search = h('input', { type: 'search', placeholder: 'option, value or file', oninput: () => fill() });
  const changed = h('input', { type: 'checkbox', checked: true, onchange: () => fill() });
  const tbody = h('tbody');
  const empty = h('p', { class: 'empty' });
  let page = null, drawn = '';

  function fill() {
    if (!page) return;
    const word = search.value.trim().toLowerCase();
    const rows = page.settings.filter((x) => (!changed.checked || !x.default)
      && (!word || [x.path, show(x.value), x.origin, x.place].join(' ').toLowerCase().includes(word)));
    tbody.replaceChildren(...rows.map((x) => h('tr', { title: x.doc }, h('th', { scope: 'row', class: 'mono' }, x.path),
      h('td', { class: 'mono wrap' }, x.secret && x.value ? [h('span', { class: 'pill' }, 'hidden')] : show(x.value)),
      h('td', {}, h('span', { class: `pill ${x.default ? '' : 'info'}` }, x.origin)), h('td', { class: 'mono wrap' }, x.place || '–'))));
    empty.hidden = rows.length > 0;
    setText(empty, !page.available ? 'This server does not offer its configuration here.'
      : changed.checked && !word ? 'Every option has its default.' : 'No option fits.');
    setText(head.line, `${count(rows.length)} of ${count(page.settings.length)} options · read ${when(page.loaded)}`);
  }

  async function update() {
    page = await get('config');
    const text = JSON.stringify(page);
    if (text === drawn) return;
    drawn = text;
    fill();
  }

  const el = h('div', { class: 'stack' }, head.el,
    h('div', { class: 'bar', role: 'search' }, h('label', {}, 'Search', search), h('label', { class: 'check' }, changed, 'Only what is set')),
    h('div', { class: 'tablewrap', tabindex: '0', role: 'region', 'aria-label': 'Options' }, h('table', {}, h('caption', { class: 'unseen' }, 'Options in effect'),
      h('thead', {}, h('tr', {}, ['Option', 'Value', 'Origin', 'Place'].map((t) => h('th', { scope: 'col' }, t)))), tbody), empty));
  return { el, update };
}

export default { name: 'config', title: 'Configuration', period: 5000, make };
