// Streams, what they hold, and the disk that they are on.
import { h, pageHead, debounce, facts, showDetail, setText } from '../dom.js';
import { get, endpoint } from '../api.js';
import { pagedTable, cellButton } from '../table.js';
import { count, short, bytes, when } from '../format.js';

function make() {
  const head = pageHead('Streams');
  const trouble = h('p', { class: 'empty', role: 'status', hidden: true });
  const search = h('input', { type: 'search', placeholder: 'part of a name', oninput: debounce(() => table.restart(), 250) });
  const table = pagedTable({
    label: 'Streams, the largest first', what: 'streams', sort: '',
    columns: [
      { title: 'Stream', head: true, cell: (s, cell) => cellButton(cell, s.name, `Stream ${s.name}`, () => detail(s)) },
      { title: 'Account', cell: (s) => s.account },
      { title: 'Storage', cell: (s) => s.storage },
      { title: 'Messages', num: true, cell: (s) => short(s.messages) },
      { title: 'Bytes', num: true, cell: (s) => bytes(s.bytes) },
      { title: 'Subjects', num: true, cell: (s) => short(s.subjects) },
      { title: 'Consumers', num: true, cell: (s) => count(s.consumers) },
      { title: 'Lost', num: true, cell: (s) => count(s.lost) },
      { title: 'State', cell: (s) => s.failure ?? 'takes messages' },
    ],
    async load(q) {
      const p = await get('streams', { offset: q.offset, limit: q.limit, q: search.value });
      trouble.hidden = !p.trouble;
      setText(trouble, p.trouble ? `JetStream ${p.trouble}` : '');
      setText(head.line, p.available
        ? `${count(p.total)} streams; ${bytes(p.stats.storage)} in files, ${bytes(p.stats.memory)} in memory; ${bytes(p.free)} free on the disk; ${count(p.refused)} messages refused unseen`
        : 'JetStream is off');
      return { rows: p.streams, matched: p.matched };
    },
  });
  return { el: h('div', { class: 'stack' }, head.el, trouble, h('div', { class: 'bar', role: 'search' }, h('label', {}, 'Search', search)), table.el), update: table.refresh };
}

async function detail(s) {
  const z = await endpoint('jsz?consumers=1&limit=-1');
  const account = z.account_details?.find((a) => a.name === s.account);
  const stream = account?.stream_detail?.find((d) => d.name === s.name);
  const columns = [['Consumer', (c) => c.name], ['Before it', (c) => count(c.num_pending)], ['Not acknowledged', (c) => count(c.num_ack_pending)],
    ['Again', (c) => count(c.num_redelivered)], ['Requests', (c) => count(c.num_waiting)], ['Idle', (c) => c.idle]];
  showDetail(`Stream ${s.name}`, [
    h('div', { class: 'columns' },
      facts([['Name', s.name], ['Account', s.account], ['Storage', s.storage], ['Created', when(s.created)]]),
      facts([['Messages', count(s.messages)], ['Bytes', bytes(s.bytes)], ['First sequence', count(s.first)], ['Last sequence', count(s.last)], ['Lost', count(s.lost)]])),
    stream?.consumer_detail?.length > 0 && h('div', {}, h('h2', {}, 'Consumers'), h('div', { class: 'tablewrap' }, h('table', {},
      h('thead', {}, h('tr', {}, columns.map(([t]) => h('th', { scope: 'col' }, t)))),
      h('tbody', {}, stream.consumer_detail.map((c) => h('tr', {}, columns.map(([, f]) => h('td', { class: 'mono' }, f(c) || '–')))))))),
  ]);
}

export default { name: 'streams', title: 'Streams', period: 3000, make };
