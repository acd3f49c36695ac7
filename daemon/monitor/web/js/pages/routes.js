// Routes: the cluster as this server sees it, drawn and listed.
import { h, s, pageHead, setText } from '../dom.js';
import { get } from '../api.js';
import { count, short, bytes, micros, address } from '../format.js';

const cut = (text, n) => (text.length > n ? text.slice(0, n - 1) + '…' : text);

/** byServer groups routes by the server at their other end. */
function byServer(page) {
  const servers = new Map();
  page.routes.forEach((r, i) => {
    const key = r.remote_id || r.remote_name;
    const p = servers.get(key) ?? { id: r.remote_id, name: r.remote_name || r.remote_id, routes: 0, rtt: 0, pending: 0, msgs: 0, ip: r.ip };
    p.routes++;
    p.rtt = Math.max(p.rtt, page.rtts_us[i]);
    p.pending += r.pending_size;
    p.msgs += r.in_msgs + r.out_msgs;
    servers.set(key, p);
  });
  return [...servers.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function draw(page, servers, rates, width) {
  const W = width && width < 640 ? 420 : 900, H = servers.length > 2 ? 460 : 300, cx = W / 2, cy = H / 2, rx = W * 0.36, ry = H / 2 - 62;
  const edges = [], nodes = [];
  servers.forEach((p, i) => {
    const angle = servers.length < 3 ? Math.PI * i : -Math.PI / 2 + (2 * Math.PI * i) / servers.length;
    const x = cx + rx * Math.cos(angle), y = cy + ry * Math.sin(angle);
    const known = rates.get(p.id), rate = known ?? 0;
    edges.push(s('line', { x1: cx, y1: cy, x2: x, y2: y, 'stroke-width': 1.5 + Math.min(7, Math.log10(1 + rate) * 1.3), class: rate > 0 ? 'live' : '' }));
    const lx = cx + (x - cx) * 0.52, ly = cy + (y - cy) * 0.52;
    edges.push(s('text', { x: lx, y: ly - 5, class: 'edge' }, micros(p.rtt)), s('text', { x: lx, y: ly + 10, class: 'edge' }, known == null ? '' : `${short(rate)} msgs/s`));
    nodes.push(s('circle', { cx: x, cy: y, r: 15 }), s('text', { x, y: y < cy - 30 ? y - 37 : y + 33 }, cut(p.name, 26)), s('text', { x, y: y < cy - 30 ? y - 22 : y + 48, class: 'sub' }, `${p.ip} · ${p.routes} ${p.routes === 1 ? 'route' : 'routes'}`));
  });
  const label = `${page.server_name} has routes to ${servers.map((p) => `${p.name}, round trip ${micros(p.rtt)}`).join('; ')}`;
  return s('svg', { viewBox: `0 0 ${W} ${H}`, class: 'mesh', role: 'img', 'aria-label': label }, ...edges, ...nodes,
    s('circle', { cx, cy, r: 20, class: 'self' }), s('text', { x: cx, y: cy + 39 }, cut(page.server_name, 26)), s('text', { x: cx, y: cy + 54, class: 'sub' }, 'this server'));
}

function make() {
  const head = pageHead('Routes');
  const mesh = h('section', { class: 'card', 'aria-label': 'Mesh' });
  const tbody = h('tbody');
  const list = h('div', { class: 'tablewrap', tabindex: '0', role: 'region', 'aria-label': 'Routes' }, h('table', {}, h('caption', { class: 'unseen' }, 'Routes'),
    h('thead', {}, h('tr', {}, ['Server', 'Address', 'Account', 'Opened by', 'Compression'].map((t) => h('th', { scope: 'col' }, t)),
      ['RTT', 'Pending', 'Msgs to', 'Msgs from', 'Data to', 'Data from', 'Subs', 'Uptime'].map((t) => h('th', { scope: 'col', class: 'num' }, t)))), tbody));
  let last = null;

  async function update() {
    const page = await get('routes');
    const servers = byServer(page);
    const now = Date.parse(page.now);
    const rates = new Map(servers.map((p) => {
      const before = last?.msgs.get(p.id);
      return [p.id, before == null || now <= last.now ? null : Math.max(0, (p.msgs - before) * 1000 / (now - last.now))];
    }));
    last = { now, msgs: new Map(servers.map((p) => [p.id, p.msgs])) };
    if (!page.cluster?.name) {
      setText(head.line, 'This server is not part of a cluster.');
    } else {
      setText(head.line, `Cluster ${page.cluster.name}: ${count(servers.length)} other ${servers.length === 1 ? 'server' : 'servers'}, ${count(page.num_routes)} routes`);
    }
    mesh.replaceChildren(servers.length ? draw(page, servers, rates, mesh.clientWidth)
      : h('p', { class: 'empty' }, page.cluster?.name ? 'No route is open: this server is alone in its cluster.' : 'A cluster section in the configuration makes it one of a cluster.'));
    list.hidden = !page.routes.length;
    const rows = page.routes.map((r, i) => [r, i]).sort(([a], [b]) => a.remote_name.localeCompare(b.remote_name) || a.rid - b.rid);
    tbody.replaceChildren(...rows.map(([r, i]) => h('tr', {}, h('th', { scope: 'row' }, r.remote_name || cut(r.remote_id, 16)), h('td', {}, address(r.ip, r.port)), h('td', {}, r.account || '–'),
      h('td', {}, r.did_solicit ? 'this server' : 'the other'), h('td', {}, r.compression || '–'),
      [micros(page.rtts_us[i]), bytes(r.pending_size), short(r.out_msgs), short(r.in_msgs), bytes(r.out_bytes), bytes(r.in_bytes), count(r.subscriptions), r.uptime].map((t) => h('td', { class: 'num' }, t)))));
  }

  return { el: h('div', { class: 'stack' }, head.el, mesh, list), update };
}

export default { name: 'routes', title: 'Routes', period: 2000, make };
