// Overview: live rates, latency, and what the server is.
import { h, setText, pageHead, facts } from '../dom.js';
import { get } from '../api.js';
import { chart, powers } from '../chart.js';
import { count, short, bytes, micros, duration, when, address } from '../format.js';

const keep = 600; // samples drawn at most

function make(frame) {
  const head = pageHead('Overview');
  const tiles = {};
  const tileList = h('dl', { class: 'tiles' });
  for (const [key, title] of [['conns', 'Connections'], ['in', 'Messages in'], ['out', 'Messages out'], ['inBytes', 'Data in'], ['outBytes', 'Data out'],
    ['subs', 'Subscriptions'], ['rtt', 'Client round trip'], ['slow', 'Slow consumers'], ['cpu', 'Processor'], ['mem', 'Memory']]) {
    const big = h('span'), small = h('small');
    const box = h('div', { class: 'tile' }, h('dt', {}, title), h('dd', {}, big, small));
    tiles[key] = (value, note = '', alert = false) => { setText(big, value); setText(small, note); box.classList.toggle('alert', alert); };
    tileList.append(box);
  }
  const charts = {
    msgs: chart('Messages per second', ['in', 'out'], short),
    data: chart('Data per second', ['in', 'out'], bytes, powers),
    conns: chart('Connections', ['open'], short),
    cpu: chart('Processor, % of one core', ['used'], (n) => `${Number(n.toFixed(1))}`),
  };
  const about = h('section', { class: 'card' });
  const el = h('div', { class: 'stack' }, head.el, tileList,
    h('div', { class: 'charts' }, Object.values(charts).map((c) => c.el)), about);
  let samples = [];

  /** rates turns counters into per-second differences. */
  function rates(field) {
    return samples.slice(1).map((s, i) => Math.max(0, (s[field] - samples[i][field]) * 1000 / (s.t - samples[i].t)));
  }

  async function update() {
    const o = await get('overview', { since: samples.at(-1)?.t ?? 0 });
    samples = samples.concat(o.samples).slice(-keep);
    const v = o.server;
    frame.server(v, o.health);
    const t = samples.slice(1).map((s) => s.t / 1000);
    const r = { im: rates('in_msgs'), om: rates('out_msgs'), ib: rates('in_bytes'), ob: rates('out_bytes') };
    const now = (list, write) => (list.length ? `${write(list.at(-1))}/s` : '–'); // one sample is no rate
    const slowNow = v.slow_consumers - (samples[0]?.slow ?? v.slow_consumers);
    tiles.conns(count(v.connections), `of ${count(v.max_connections)}, ${count(v.total_connections)} since start`);
    tiles.in(now(r.im, short), `${short(v.in_msgs)} since start`);
    tiles.out(now(r.om, short), `${short(v.out_msgs)} since start`);
    tiles.inBytes(now(r.ib, bytes), `${bytes(v.in_bytes)} since start`);
    tiles.outBytes(now(r.ob, bytes), `${bytes(v.out_bytes)} since start`);
    tiles.subs(count(v.subscriptions), v.routes ? `${count(v.remotes)} other servers` : '');
    tiles.rtt(micros(o.rtt.p50), o.rtt.measured ? `p99 ${micros(o.rtt.p99)}, max ${micros(o.rtt.max)}` : 'not measured yet');
    tiles.slow(count(v.slow_consumers), slowNow > 0 ? `${count(slowNow)} in the last minutes` : `since start; ${count(v.stale_connections)} stale`, slowNow > 0);
    tiles.cpu(`${v.cpu} %`, `of one core, ${v.gomaxprocs} usable`);
    tiles.mem(bytes(v.mem), v.gomemlimit ? `limit ${bytes(v.gomemlimit)}` : 'resident');
    charts.msgs.set([t, r.im, r.om]);
    charts.data.set([t, r.ib, r.ob]);
    const all = samples.map((s) => s.t / 1000);
    charts.conns.set([all, samples.map((s) => s.conns)]);
    charts.cpu.set([all, samples.map((s) => s.cpu)]);
    setText(head.line, `Since ${when(v.start)}, looked at each second.`);
    describe(v);
  }

  let described = '';
  function describe(v) {
    const pairs = [
      ['Name', v.server_name], ['Id', v.server_id], ['Version', `${v.version} (${v.go})`], ['Clients at', address(v.host, v.port)],
      ['Access', [v.auth_required ? 'authentication required' : 'open to everyone', v.tls_required && 'TLS required', v.tls_verify && 'client certificates'].filter(Boolean).join(', ')],
      ['Cluster', v.cluster.name ? `${v.cluster.name}, ${count(v.routes)} routes` : 'not clustered'],
      ['System account', v.system_account], ['Largest payload', bytes(v.max_payload)], ['Largest pending', bytes(v.max_pending)],
      ['Ping', `every ${duration(v.ping_interval / 1e9)}, ${v.ping_max} unanswered allowed`],
      ['Configuration', `read ${when(v.config_load_time)}`], ['Digest', v.config_digest],
    ];
    const text = JSON.stringify(pairs);
    if (text === described) return;
    described = text;
    about.replaceChildren(h('h2', {}, 'This server'), h('div', { class: 'columns' },
      facts(pairs.slice(0, 6)), facts(pairs.slice(6))));
  }

  return {
    el, update,
    theme() { for (const c of Object.values(charts)) c.theme(); },
    close() { for (const c of Object.values(charts)) c.close(); },
  };
}

export default { name: 'overview', title: 'Overview', period: 1000, make };
