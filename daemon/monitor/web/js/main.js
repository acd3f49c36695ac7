// The frame around the pages: which one is shown, how often it looks, theme.
import { h, setText } from './dom.js';
import { duration } from './format.js';
import overview from './pages/overview.js';
import connections from './pages/connections.js';
import subjects from './pages/subjects.js';
import accounts from './pages/accounts.js';
import streams from './pages/streams.js';
import routes from './pages/routes.js';
import config from './pages/config.js';
import log from './pages/log.js';
import health from './pages/health.js';

// A page is {name, title, period in ms, make(frame) → {el, update(), theme?(), close?()}}.
const pages = [overview, connections, subjects, accounts, streams, routes, config, log, health];
const $ = (id) => document.getElementById(id);
const main = $('main');

let shown = null; // {page, view}
let timer = 0;
let looking = false;

const frame = {
  /** server tells the frame what a page has learned of the server. */
  server(v, health) {
    setText($('server'), v.server_name === v.server_id ? v.server_id.slice(0, 12) + '…' : v.server_name);
    $('server').title = v.server_id;
    setText($('version'), `version ${v.nats_broker.version}`);
    setText($('uptime'), `up ${duration((new Date(v.now) - new Date(v.start)) / 1000)}`);
    this.health(health);
    document.title = `${shown.page.title} – ${v.server_name}`;
  },
  health(status) {
    const pill = $('health');
    setText(pill, status === 'ok' ? 'healthy' : status);
    pill.className = `pill ${status === 'ok' ? 'good' : 'bad'}`;
  },
  announce(text) { setText($('announce'), text); },
  refresh: () => look(true),
};

function show() {
  const name = location.hash.replace(/^#\/?/, '').split('?')[0] || 'overview';
  const page = pages.find((p) => p.name === name) ?? pages[0];
  if (shown?.page === page) return;
  shown?.view.close?.();
  for (const a of $('nav').querySelectorAll('a')) {
    if (a.hash === `#/${page.name}`) { a.setAttribute('aria-current', 'page'); a.scrollIntoView({ block: 'nearest', inline: 'center' }); }
    else a.removeAttribute('aria-current');
  }
  const first = !shown;
  shown = { page, view: page.make(frame) };
  main.replaceChildren(shown.view.el);
  document.title = page.title;
  if (!first) { main.focus({ preventScroll: true }); scrollTo(0, 0); }
  look(true);
}

/** introduce fills in the header on pages that do not learn of it themselves, now and then. */
const headerAge = 5000; // ms
let introduced = -headerAge;
async function introduce() {
  if (performance.now() - introduced < headerAge) return;
  introduced = performance.now();
  try {
    const { get } = await import('./api.js');
    const o = await get('overview', { since: 9e15 });
    frame.server(o.server, o.health);
  } catch { /* the page itself reports trouble */ }
}

/** look updates the page shown, and again after its period. */
async function look(now = false) {
  clearTimeout(timer);
  const paused = $('pause').getAttribute('aria-pressed') === 'true';
  const current = shown;
  if (now || (!paused && !document.hidden && !looking)) {
    looking = true;
    try {
      await current.view.update();
      if (current.page !== overview) introduce();
      $('trouble').hidden = true;
    } catch (err) {
      setText($('trouble'), `Cannot ask the broker: ${err.message}. Trying again.`);
      $('trouble').hidden = false;
      const pill = $('health');
      setText(pill, 'no answer');
      pill.className = 'pill bad';
    }
    looking = false;
  }
  clearTimeout(timer);
  timer = setTimeout(look, shown.page.period);
}

$('nav').append(h('ul', {}, pages.map((p) => h('li', {}, h('a', { href: `#/${p.name}` }, p.title)))));
$('pause').addEventListener('click', (e) => {
  const paused = e.target.getAttribute('aria-pressed') !== 'true';
  e.target.setAttribute('aria-pressed', paused);
  setText(e.target, paused ? 'Paused' : 'Pause');
  if (!paused) look(true);
});

const theme = $('theme');
function applyTheme() {
  if (theme.value) document.documentElement.dataset.theme = theme.value;
  else delete document.documentElement.dataset.theme;
  shown?.view.theme?.();
}
try { theme.value = localStorage.getItem('theme') ?? ''; } catch { /* storage may be forbidden */ }
theme.addEventListener('change', () => {
  try { localStorage.setItem('theme', theme.value); } catch { /* not remembered then */ }
  applyTheme();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);
document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
addEventListener('hashchange', show);
applyTheme();
show();
