// The tail of the log.
import { h, pageHead, setText } from '../dom.js';
import { get } from '../api.js';
import { clock, count } from '../format.js';

const keep = 2000;
const levels = ['TRC', 'DBG', 'INF', 'WRN', 'ERR', 'FTL'];

function make() {
  const head = pageHead('Log');
  const search = h('input', { type: 'search', placeholder: 'text', oninput: filter });
  const level = h('select', { onchange: filter }, [['TRC', 'everything'], ['DBG', 'debug and up'], ['INF', 'info and up'], ['WRN', 'warnings and errors'], ['ERR', 'errors']]
    .map(([v, t]) => h('option', { value: v, selected: v === 'TRC' }, t)));
  const follow = h('input', { type: 'checkbox', checked: true });
  const list = h('ol');
  const box = h('div', { class: 'log', tabindex: '0', role: 'region', 'aria-label': 'Log lines' }, list);
  let after = 0, lines = 0, shown = 0;

  const fits = (li) => levels.indexOf(li.dataset.level) >= levels.indexOf(level.value) && li.dataset.text.includes(search.value.trim().toLowerCase());

  function filter() {
    shown = 0;
    for (const li of list.children) { li.hidden = !fits(li); if (!li.hidden) shown++; }
    tell();
  }

  function tell() { setText(head.line, `${count(shown)} of the last ${count(lines)} lines, newest at the end`); }

  async function update() {
    const page = await get('log', { after });
    if (!page.available) { setText(head.line, 'This server does not offer its log here.'); return; }
    for (const line of page.lines) {
      const li = h('li', { 'data-level': line.level, 'data-text': `${line.text} ${line.subsystem ?? ''}`.toLowerCase() },
        h('time', { datetime: line.time }, clock(line.time)), h('span', { class: line.level }, line.level), h('span', {}, line.text));
      li.hidden = !fits(li);
      if (!li.hidden) shown++;
      lines++;
      list.append(li);
      after = Math.max(after, line.seq);
    }
    while (list.children.length > keep) { if (!list.firstChild.hidden) shown--; lines--; list.firstChild.remove(); }
    tell();
    if (page.lines.length && follow.checked) box.scrollTop = box.scrollHeight;
  }

  const el = h('div', { class: 'stack' }, head.el, h('div', { class: 'bar', role: 'search' }, h('label', {}, 'Search', search), h('label', {}, 'Show', level),
    h('label', { class: 'check' }, follow, 'Follow')), box);
  return { el, update };
}

export default { name: 'log', title: 'Log', period: 1500, make };
