// Health: can the server do its work, and what went wrong lately.
import { h, pageHead, facts, setText } from '../dom.js';
import { get } from '../api.js';
import { count, duration, when } from '../format.js';

function verdict(days) { return days < 0 ? ['bad', 'expired'] : days < 7 ? ['bad', 'soon'] : days < 30 ? ['warn', 'soon'] : ['good', 'fine']; }

const counts = (o) => Object.entries(o ?? {}).filter(([, n]) => n > 0).sort(([, a], [, b]) => b - a);

function counted(title, pairs, none) {
  return h('section', { class: 'card' }, h('h2', {}, title), pairs.length ? facts(pairs.map(([k, n]) => [k, count(n)])) : h('p', { class: 'muted' }, none));
}

function make(frame) {
  const head = pageHead('Health');
  const body = h('div', { class: 'stack' });
  let drawn = '';

  async function update() {
    const p = await get('health');
    frame.health(p.status);
    setText(head.line, p.watchdog_age >= 0 ? `Watchdog fed ${duration(p.watchdog_age)} ago` : 'Not watched by a service manager');
    const text = JSON.stringify({ ...p, watchdog_age: 0 });
    if (text === drawn) return;
    drawn = text;
    body.replaceChildren(
      h('p', { class: `banner ${p.status === 'ok' ? 'good' : 'bad'}` }, p.status === 'ok' ? 'The server is ready to serve.' : `The server is not ready: ${p.error}`),
      ...(p.on_last_good ? [h('p', { class: 'banner warn' }, 'The configuration file is bad: the last good configuration is in use.')] : []),
      h('section', { class: 'card' }, h('h2', {}, 'Checks'), p.checks.length ? h('ul', { class: 'checks' }, p.checks.map((c) => h('li', {},
        h('span', {}, h('span', { class: `pill ${c.ok ? 'good' : 'bad'}` }, c.ok ? '✓ passed' : '✗ failed')), h('strong', {}, c.name), h('span', { class: 'muted' }, c.detail))))
        : h('p', { class: 'muted' }, 'None are offered.')),
      h('section', { class: 'card' }, h('h2', {}, 'Certificates'), p.certificates.length ? h('ul', { class: 'checks' }, p.certificates.map((c) => {
          const days = Math.floor((new Date(c.not_after) - Date.now()) / 864e5);
          const [look, word] = verdict(days);
          return h('li', {}, h('span', {}, h('span', { class: `pill ${look}` }, word)), h('strong', {}, c.use), h('span', { class: 'muted' }, `${c.subject} · ${days < 0 ? 'expired' : `expires in ${count(days)} days,`} ${when(c.not_after)}`));
        })) : h('p', { class: 'muted' }, 'TLS is not in use.')),
      h('div', { class: 'masonry' },
        counted('Closed connections by reason', counts(p.closed), 'None were closed.'),
        counted('Slow consumers', counts(p.slow_consumers), 'None since the start.'),
        counted('Stale connections', counts(p.stale_connections), 'None since the start.'),
        h('section', { class: 'card' }, h('h2', {}, 'Configuration reloads'), counts(p.reloads).length || p.last_good
          ? facts([...counts(p.reloads).map(([k, n]) => [k, count(n)]), ['Last accepted', when(p.last_good)]]) : h('p', { class: 'muted' }, 'None since the start.')),
        counted('Log lines dropped', counts(p.log_drops), 'None.')));
  }

  return { el: h('div', { class: 'stack' }, head.el, body), update };
}

export default { name: 'health', title: 'Health', period: 3000, make };
