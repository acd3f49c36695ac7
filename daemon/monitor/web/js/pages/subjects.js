// Subjects that are subscribed to.
import { h, pageHead, debounce, setText } from '../dom.js';
import { get } from '../api.js';
import { pagedTable } from '../table.js';
import { count, short } from '../format.js';

function make() {
  const head = pageHead('Subjects in use');
  const search = h('input', { type: 'search', placeholder: 'part of a subject', oninput: debounce(() => table.restart(), 250) });
  const account = h('input', { type: 'text', size: 14, oninput: debounce(() => table.restart(), 250) });
  const table = pagedTable({
    label: 'Subjects', what: 'subjects', sort: 'subs',
    columns: [
      { title: 'Subject', key: 'subject', ascending: true, head: true, mono: true, wrap: true, cell: (r) => r.subject },
      { title: 'Account', key: 'account', ascending: true, cell: (r) => r.account },
      { title: 'Subscriptions', key: 'subs', num: true, cell: (r) => count(r.subs) },
      { title: 'In queue groups', key: 'queues', num: true, cell: (r) => count(r.queues) },
      { title: 'Delivered/s', key: 'rate', num: true, cell: (r) => (r.rate < 0 ? '–' : short(r.rate)) },
      { title: 'Delivered', key: 'msgs', num: true, cell: (r) => count(r.msgs) },
    ],
    async load(q) {
      const p = await get('subjects', { ...q, q: search.value, acc: account.value.trim() });
      setText(head.line, `${count(p.total)} distinct subjects${p.partial ? ' and more that are not counted apart' : ''}`);
      return { rows: p.subjects ?? [], matched: p.matched };
    },
  });
  const el = h('div', { class: 'stack' }, head.el,
    h('div', { class: 'bar', role: 'search' }, h('label', {}, 'Search', search), h('label', {}, 'Account', account)), table.el);
  return { el, update: table.refresh };
}

export default { name: 'subjects', title: 'Subjects', period: 4000, make };
