// The browser, and pages that complain about whatever goes wrong in them.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

export const launch = () => chromium.launch({ executablePath: process.env.UI_CHROMIUM ?? '/usr/bin/chromium', args: flags });

/** open makes a page at url; close() fails if it logged an error, broke the policy, or asked another host. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light', ...options });
  const page = await context.newPage();
  const wrong = [];
  const home = new URL(url).origin;
  page.on('pageerror', (e) => wrong.push(`error: ${e.message}`));
  page.on('console', (m) => { if (m.type() === 'error' || m.type() === 'warning') wrong.push(`console: ${m.text()}`); });
  page.on('request', (r) => { if (new URL(r.url()).origin !== home) wrong.push(`outside request: ${r.url()}`); });
  await page.goto(url);
  return {
    page, wrong,
    async close() { await context.close(); assert.deepEqual(wrong, []); },
  };
}
