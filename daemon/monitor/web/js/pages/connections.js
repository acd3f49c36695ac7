// Connections: who is connected, sorted, filtered and paged by the broker.
import { h, pageHead, facts, debounce, showDetail, setText } from '../dom.js';
import { get } from '../api.js';
import { pagedTable, cellButton } from '../table.js';
import { count, short, bytes, micros, when, address } from '../format.js';

/** rttMicros reads Go's text of a duration of at most seconds. */
function rttMicros(text) {
  const m = /^([\d.]+)(ns|µs|ms|s)$/.exec(text ?? '');
  return m ? Math.round(m[1] * { ns: 1e-3, 'µs': 1, ms: 1e3, s: 1e6 }[m[2]]) : 0;
}

function make() {
  const head = pageHead('Connections');
  const search = h('input', { type: 'search', placeholder: 'name, address, user, account, library, id', oninput: debounce(() => table.restart(), 250) });
  const account = h('input', { type: 'text', size: 14, oninput: debounce(() => table.restart(), 250) });
  const state = h('select', { onchange: changeState }, ['open', 'closed', 'all'].map((s) => h('option', { value: s }, s)));
  const table = pagedTable({
    label: 'Connections', what: 'connections', sort: 'cid',
    columns: [
      { title: 'Id', key: 'cid', ascending: true, head: true, cell: (c, cell) => cellButton(cell, String(c.cid), `Connection ${c.cid}`, () => detail(c.cid)) },
      { title: 'Name', clip: true, cell: (c) => c.name || '–' },
      { title: 'Address', cell: (c) => address(c.ip, c.port) },
      { title: 'Account', clip: true, cell: (c) => c.account || '$G' },
      { title: 'User', clip: true, cell: (c) => c.authorized_user || '–' },
      { title: 'Client', cell: (c) => [c.lang, c.version].filter(Boolean).join(' ') || '–' },
      { title: 'Subs', key: 'subs', num: true, cell: (c) => count(c.subscriptions) },
      { title: 'Pending', key: 'pending', num: true, cell: (c) => bytes(c.pending_bytes) },
      { title: 'Msgs to', key: 'msgs_to', num: true, cell: (c) => short(c.out_msgs) },
      { title: 'Msgs from', key: 'msgs_from', num: true, cell: (c) => short(c.in_msgs) },
      { title: 'Data to', key: 'bytes_to', num: true, cell: (c) => bytes(c.out_bytes) },
      { title: 'Data from', key: 'bytes_from', num: true, cell: (c) => bytes(c.in_bytes) },
      { title: 'RTT', key: 'rtt', num: true, cell: (c) => micros(rttMicros(c.rtt)) },
      { title: 'Idle', key: 'idle', num: true, cell: (c) => c.idle },
      { title: 'Uptime', key: 'uptime', ascending: true, num: true, cell: (c) => c.uptime },
      { title: 'Reason', clip: true, cell: (c) => c.reason ?? '' },
    ],
    async load(q) {
      const z = await get('connections', { ...q, q: search.value, acc: account.value.trim(), state: state.value });
      setText(head.line, `${count(z.total)} ${state.value === 'all' ? 'open and closed' : state.value}`);
      return { rows: z.connections ?? [], matched: z.matched };
    },
  });
  table.show(15, false);

  function changeState() {
    table.show(15, state.value !== 'open');
    table.restart();
  }

  const el = h('div', { class: 'stack' }, head.el,
    h('div', { class: 'bar', role: 'search' }, h('label', {}, 'Search', search), h('label', {}, 'Account', account), h('label', {}, 'State', state)), table.el);
  return { el, update: table.refresh };
}

/** detail shows one connection and goes on looking until it is closed. */
async function detail(cid) {
  const body = h('div', { class: 'dialog-body' }, h('p', { class: 'muted' }, 'Asking…'));
  const timer = setInterval(refresh, 2000);
  const box = showDetail(`Connection ${cid}`, [], () => clearInterval(timer));
  box.replaceWith(body);
  async function refresh() {
    let c;
    try { c = await get('connection', { cid }); } catch { return; }
    if (!c) { body.replaceChildren(h('p', {}, 'This connection is gone, and no longer among the closed ones that are remembered.')); clearInterval(timer); return; }
    const scroll = body.querySelector('.tablewrap')?.scrollTop ?? 0;
    body.replaceChildren(...describe(c));
    const wrap = body.querySelector('.tablewrap');
    if (wrap) wrap.scrollTop = scroll;
  }
  await refresh();
}

function describe(c) {
  const subs = c.subscriptions_list_detail ?? [];
  return [
    c.reason && h('p', { class: 'banner warn' }, `Closed ${when(c.stop)}: ${c.reason}`),
    h('div', { class: 'columns' },
      facts([['Name', c.name], ['Address', address(c.ip, c.port)], ['Kind', [c.kind, c.type].filter(Boolean).join(', ')], ['Account', c.account || '$G'], ['User', c.authorized_user],
        ['Client', [c.lang, c.version].filter(Boolean).join(' ')], ['TLS', c.tls_version ? `${c.tls_version}, ${c.tls_cipher_suite}` : 'none'],
        ['Certificate', c.tls_peer_certs?.[0]?.subject], ['Tags', c.tags?.join(', ')]]),
      facts([['Connected', when(c.start)], ['Last activity', `${when(c.last_activity)} (${c.idle} ago)`], ['Round trip', micros(rttMicros(c.rtt))],
        ['Pending', bytes(c.pending_bytes)], ['Sent to it', `${count(c.out_msgs)} messages, ${bytes(c.out_bytes)}`],
        ['Received', `${count(c.in_msgs)} messages, ${bytes(c.in_bytes)}`], ['Subscriptions', count(c.subscriptions)]])),
    subs.length > 0 && h('div', { class: 'tablewrap short', tabindex: '0', role: 'region', 'aria-label': 'Subscriptions' },
      h('table', {}, h('caption', { class: 'unseen' }, 'Subscriptions'),
        h('thead', {}, h('tr', {}, ['Subject', 'Queue group', 'Sid'].map((t) => h('th', { scope: 'col' }, t)), h('th', { scope: 'col', class: 'num' }, 'Delivered'), h('th', { scope: 'col', class: 'num' }, 'Maximum'))),
        h('tbody', {}, subs.map((x) => h('tr', {}, h('th', { scope: 'row', class: 'mono' }, x.subject), h('td', {}, x.qgroup ?? '–'), h('td', { class: 'mono' }, x.sid),
          h('td', { class: 'num' }, count(x.msgs)), h('td', { class: 'num' }, x.max ? count(x.max) : '–')))))),
    subs.length < c.subscriptions && subs.length > 0 && h('p', { class: 'muted' }, `The first ${count(subs.length)} of ${count(c.subscriptions)}.`),
  ].filter(Boolean);
}

export default { name: 'connections', title: 'Connections', period: 2000, make };
