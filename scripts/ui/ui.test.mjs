// The dashboard in a browser. Run by scripts/ui-test, which builds what it needs.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, describe, test } from 'node:test';
import { cluster, fake, real } from './broker.mjs';
import { launch, open } from './browser.mjs';
import { pages } from './pages.mjs';

const shots = process.env.UI_SHOTS;
mkdirSync(shots, { recursive: true });
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
let browser, big;

before(async () => { browser = await launch(); big = await fake(10_000, '/base/path'); });
after(async () => { await big?.stop(); await browser?.close(); });

const looks = {
  'light-wide': { colorScheme: 'light' }, 'dark-wide': { colorScheme: 'dark' },
  'light-narrow': { colorScheme: 'light', viewport: { width: 390, height: 844 } }, 'dark-narrow': { colorScheme: 'dark', viewport: { width: 390, height: 844 } },
};

describe('every page, light and dark, wide and narrow', () => {
  for (const { name, title, ready } of pages) {
    for (const [look, options] of Object.entries(looks)) {
      test(`${name} ${look}`, async () => {
        const { page, close } = await open(browser, `${big.url}#/${name}`, options);
        await page.locator(ready).first().waitFor();
        assert.equal(await page.locator('h1').textContent(), title);
        assert.equal(await page.locator('nav a[aria-current=page]').count(), 1);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, 'the page is wider than the window');
        await page.screenshot({ path: `${shots}/${name}-${look}.png` });
        await close();
      });
    }
    for (const colorScheme of ['light', 'dark']) {
      test(`${name} is accessible, ${colorScheme}`, async () => {
        const { page, close } = await open(browser, `${big.url}#/${name}`, { colorScheme, bypassCSP: true });
        await page.locator(ready).first().waitFor();
        await page.addScriptTag({ path: axe });
        const { violations } = await page.evaluate(() => globalThis.axe.run());
        assert.deepEqual(violations.map((v) => `${v.id}: ${v.help}: ${v.nodes[0].html}`), []);
        await close();
      });
    }
  }
});

describe('connections', () => {
  const rows = '.tablebox > .tablewrap tbody tr';

  test('the broker sorts, both ways', async () => {
    const { page, close } = await open(browser, `${big.url}#/connections`);
    await page.locator(`${rows}:nth-child(50)`).waitFor();
    assert.equal(await page.locator(rows).count(), 50, '10,000 connections must not become 10,000 rows');
    await page.getByRole('button', { name: 'Pending' }).click();
    await page.locator('th[aria-sort=descending]', { hasText: 'Pending' }).waitFor();
    await page.locator(rows).first().locator('td', { hasText: '7.73 KiB' }).waitFor();
    await page.getByRole('button', { name: 'Pending' }).click();
    await page.locator('th[aria-sort=ascending]', { hasText: 'Pending' }).waitFor();
    await page.locator(rows).first().locator('td', { hasText: /^0 B$/ }).waitFor();
    await close();
  });

  test('search and paging', async () => {
    const { page, close } = await open(browser, `${big.url}#/connections`);
    await page.locator('.pager', { hasText: '1–50 of 10,000 connections' }).waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.locator('.pager', { hasText: '51–100 of 10,000' }).waitFor();
    await page.getByLabel('Search').fill('SERVICE-49');
    await page.locator('.pager', { hasText: '1–50 of 200 connections' }).waitFor();
    await page.getByLabel('Account').fill('TEAM1');
    await page.locator('.pager', { hasText: 'of 67 connections' }).waitFor();
    await page.getByLabel('Search').fill('nothing like it');
    await page.getByText('No connections here.').waitFor();
    await close();
  });

  test('one connection in detail, by keyboard', async () => {
    const { page, close } = await open(browser, `${big.url}#/connections`);
    await page.getByRole('button', { name: 'Connection 4', exact: true }).focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Connection 4' });
    await dialog.getByText('1.3, TLS_AES_128_GCM_SHA256').waitFor();
    assert.equal(await dialog.locator('tbody tr').count(), 5);
    assert.equal(await dialog.locator('td', { hasText: 'workers' }).count(), 1);
    await page.screenshot({ path: `${shots}/connection-detail.png` });
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Connection 4', 'the focus comes back');
    await close();
  });

  test('closed ones have a reason', async () => {
    const { page, close } = await open(browser, `${big.url}#/connections`);
    await page.getByLabel('State').selectOption('closed');
    await page.locator('.pager', { hasText: 'of 40 connections' }).waitFor();
    await page.getByRole('columnheader', { name: 'Reason' }).waitFor();
    await page.locator(rows).first().getByText('Client Closed').waitFor();
    await close();
  });
});

test('a refresh keeps focus and selection', async () => {
  const { page, close } = await open(browser, `${big.url}#/connections`);
  const button = page.getByRole('button', { name: 'Connection 3', exact: true });
  await button.focus();
  for (let i = 0; i < 2; i++) await page.waitForResponse((r) => r.url().includes('api/connections'));
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Connection 3');
  await close();
});

test('subjects, accounts, streams, routes, configuration, log and health tell what they should', async () => {
  const { page, close } = await open(browser, `${big.url}#/subjects`);
  await page.getByRole('button', { name: 'Delivered/s' }).click();
  await page.locator('th[aria-sort=descending]', { hasText: 'Delivered/s' }).waitFor();
  await page.getByLabel('Search').fill('orders.*.done');
  await page.locator('.pager', { hasText: '1–3 of 3 subjects' }).waitFor();
  await page.goto(`${big.url}#/accounts`);
  await page.getByRole('button', { name: 'Account TEAM0' }).click();
  await page.getByRole('dialog').getByText('billing.request').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.goto(`${big.url}#/streams`);
  await page.getByText('3 streams; 30').waitFor();
  await page.getByRole('button', { name: 'Stream S2' }).click();
  await page.getByRole('dialog').getByText('c1').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.goto(`${big.url}#/routes`);
  await page.getByRole('img', { name: /harbour-1 has routes to harbour-2, round trip 300 µs; harbour-3/ }).waitFor();
  assert.equal(await page.locator('.mesh circle').count(), 4);
  await page.goto(`${big.url}#/config`);
  await page.getByRole('row', { name: /authorization.token hidden credential/ }).waitFor();
  assert.equal(await page.getByRole('row', { name: /max_payload/ }).count(), 0);
  await page.getByLabel('Only what is set').uncheck();
  await page.getByRole('row', { name: /max_payload/ }).waitFor();
  await page.goto(`${big.url}#/log`);
  await page.locator('.log li').nth(50).waitFor();
  await page.getByLabel('Show').selectOption('ERR');
  assert.deepEqual([...new Set(await page.locator('.log li:visible span:first-of-type').allTextContents())], ['ERR']);
  await page.goto(`${big.url}#/health`);
  await page.getByText('The server is ready to serve.').waitFor();
  await page.getByText('CN=harbour-1.example.com').waitFor();
  await close();
});

test('the theme is chosen and remembered', async () => {
  const { page, close } = await open(browser, `${big.url}#/overview`);
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.getByLabel('Theme').selectOption('dark');
  assert.notEqual(await background(), light);
  await page.reload();
  assert.notEqual(await background(), light);
  await close();
});

test('pausing stops the questions', async () => {
  const { page, close } = await open(browser, `${big.url}#/overview`);
  await page.waitForResponse((r) => r.url().includes('api/overview'));
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.waitForLoadState('networkidle');
  let asked = 0;
  page.on('request', () => asked++);
  await page.waitForTimeout(2500); // two periods of the page
  assert.equal(asked, 0);
  await page.getByRole('button', { name: 'Paused' }).click();
  await page.waitForResponse((r) => r.url().includes('api/overview'));
  await close();
});

test('a broker that goes away is noticed', async () => {
  const small = await fake(3);
  const { page, wrong } = await open(browser, `${small.url}#/overview`);
  await page.locator('#health.good').waitFor();
  await small.stop();
  await page.getByRole('alert').getByText('Cannot ask the broker').waitFor();
  assert.equal(await page.locator('#health').textContent(), 'no answer');
  assert.ok(wrong.every((w) => w.startsWith('console: Failed to load resource')), wrong.join('\n'));
  await page.context().close();
});

test('the real broker: password asked for, its own figures, no secret', async () => {
  const broker = await real(shots);
  try {
    const refused = await fetch(broker.url);
    assert.equal(refused.status, 401);
    const { page, close } = await open(browser, broker.url, { httpCredentials: { username: 'ops', password: 'planted-secret' } });
    for (const { name, title } of pages) {
      await page.goto(`${broker.url}#/${name}`);
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.waitForResponse((r) => r.url().includes('/api/') && r.ok());
      await page.screenshot({ path: `${shots}/real-${name}.png` });
      assert.ok(!(await page.content()).includes('planted-secret'), `${name} shows the password`);
    }
    await page.goto(`${broker.url}#/config`);
    await page.getByRole('row', { name: /^port .*main file/ }).waitFor();
    await page.goto(`${broker.url}#/log`);
    await page.getByText('Server is ready').waitFor();
    await close();
  } finally { await broker.stop(); }
});

test('a real cluster is drawn, and a server that leaves it disappears', async () => {
  const mesh = await cluster(shots, 3);
  try {
    const { page, close } = await open(browser, `${mesh.url}#/routes`);
    await page.getByText('Cluster harbour: 2 other servers').waitFor();
    await page.getByRole('img', { name: /node-1 has routes to node-2, round trip .*; node-3, round trip/ }).waitFor();
    await page.locator('.mesh text', { hasText: '0 msgs/s' }).first().waitFor();
    assert.equal(await page.locator('.mesh circle').count(), 3);
    const servers = await page.locator('tbody th').allTextContents();
    assert.deepEqual(servers, [...servers].sort(), 'routes are listed by server');
    await page.screenshot({ path: `${shots}/real-mesh.png` });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.waitForResponse((r) => r.url().includes('api/routes'));
    await page.screenshot({ path: `${shots}/real-mesh-narrow.png` });
    await mesh.servers[2].stop();
    await page.getByText('Cluster harbour: 1 other server,').waitFor();
    assert.equal(await page.locator('.mesh circle').count(), 2);
    await close();
  } finally { await mesh.stop(); }
});
