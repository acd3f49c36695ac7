// Accounts and their traffic.
import { h, pageHead, debounce, facts, showDetail, setText } from '../dom.js';
import { get, endpoint } from '../api.js';
import { pagedTable, cellButton } from '../table.js';
import { count, short, bytes, when } from '../format.js';

function make() {
  const head = pageHead('Accounts');
  let system = '';
  const search = h('input', { type: 'search', placeholder: 'part of a name', oninput: debounce(() => table.restart(), 250) });
  const table = pagedTable({
    label: 'Accounts, most traffic first', what: 'accounts', sort: '',
    columns: [
      { title: 'Account', head: true, cell: (a, cell) => cellButton(cell, a.acc + (a.name && a.name !== a.acc ? ` (${a.name})` : ''), `Account ${a.acc}`, () => detail(a.acc)) },
      { title: 'Role', cell: (a) => (a.acc === system ? 'system' : a.acc === '$G' ? 'default' : '') },
      { title: 'Connections', num: true, cell: (a) => count(a.total_conns) },
      { title: 'Subscriptions', num: true, cell: (a) => count(a.num_subscriptions) },
      { title: 'Msgs received', num: true, cell: (a) => short(a.received.msgs) },
      { title: 'Data received', num: true, cell: (a) => bytes(a.received.bytes) },
      { title: 'Msgs sent', num: true, cell: (a) => short(a.sent.msgs) },
      { title: 'Data sent', num: true, cell: (a) => bytes(a.sent.bytes) },
      { title: 'Slow consumers', num: true, cell: (a) => count(a.slow_consumers) },
    ],
    async load(q) {
      const p = await get('accounts', { offset: q.offset, limit: q.limit, q: search.value });
      system = p.system;
      setText(head.line, `${count(p.total)} accounts, those with most traffic first`);
      return { rows: p.accounts, matched: p.matched };
    },
  });
  return { el: h('div', { class: 'stack' }, head.el, h('div', { class: 'bar', role: 'search' }, h('label', {}, 'Search', search)), table.el), update: table.refresh };
}

async function detail(name) {
  const z = await endpoint(`accountz?acc=${encodeURIComponent(name)}`);
  const a = z.account_detail;
  const list = (title, rows, columns) => rows?.length > 0 && h('div', {}, h('h2', {}, title), h('div', { class: 'tablewrap' }, h('table', {},
    h('thead', {}, h('tr', {}, columns.map(([t]) => h('th', { scope: 'col' }, t)))),
    h('tbody', {}, rows.map((r) => h('tr', {}, columns.map(([, f]) => h('td', { class: 'mono' }, f(r) || '–'))))))));
  showDetail(`Account ${name}`, [
    h('div', { class: 'columns' },
      facts([['Name', a.account_name], ['Tag', a.name_tag !== a.account_name && a.name_tag], ['System account', a.is_system ? 'yes' : 'no'], ['Expired', a.expired ? 'yes' : 'no'], ['Updated', when(a.update_time)]]),
      facts([['Client connections', count(a.client_connections)], ['Leaf nodes', count(a.leafnode_connections)], ['Subscriptions', count(a.subscriptions)],
        ['Subject look-ups', a.sublist_stats && `${count(a.sublist_stats.num_matches)}, ${(a.sublist_stats.cache_hit_rate * 100).toFixed(1)} % from cache`]])),
    list('Exports', a.exports, [['Subject', (e) => e.subject], ['Type', (e) => e.type], ['Response', (e) => e.response_type], ['Approved accounts', (e) => e.approved_accounts?.join(', ')]]),
    list('Imports', a.imports, [['Subject', (i) => i.subject], ['Of account', (i) => i.account], ['Local subject', (i) => i.local_subject], ['Type', (i) => i.type]]),
    list('Mappings', Object.entries(a.mappings ?? {}), [['From', ([from]) => from], ['To', ([, to]) => to.map((d) => `${d.subject} (${d.weight} %)`).join(', ')]]),
  ]);
}

export default { name: 'accounts', title: 'Accounts', period: 3000, make };
