// SPDX-License-Identifier: Apache-2.0
// One Chromium a file, one fake server a test, and words for what people do.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { Fake } from '../fake-server.mjs';

export const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
export const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS });
}

/** before/after hooks; returns a holder whose `browser` is live in tests. */
export function useBrowser() {
  const h = { browser: null, fakes: [] };
  before(async () => {
    h.browser = await launch();
  });
  after(async () => {
    await h.browser?.close();
    for (const f of h.fakes) await f.down().catch(() => {});
  });
  h.fake = async (o) => {
    const f = await new Fake(o).up();
    h.fakes.push(f);
    return f;
  };
  return h;
}

/** Every error in a page fails the test that made it. */
export async function page(browser, o = {}) {
  const ctx = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'zh-CN', ...o });
  const p = await ctx.newPage();
  p.setDefaultTimeout(10_000);
  p.errors = [];
  p.on('pageerror', (e) => p.errors.push(e.message));
  p.on('console', (m) => {
    if (m.type() === 'error' && !/ERR_CONNECTION|status of (40[1349]|415|422)|status of 503|WebSocket connection/.test(m.text())) p.errors.push(m.text());
  });
  return p;
}

export function clean(...pages) {
  for (const p of pages) assert.deepEqual(p.errors, []);
}

export async function signIn(p, url, email = 'admin@yuelai.local', password = 'yuelai') {
  await p.goto(url + '/console/');
  await p.fill('#email', email);
  await p.fill('#password', password);
  await p.click('button[type=submit]');
  await p.waitForSelector('.rail-link .dot.ok');
  return p;
}

/** Opens the widget on the demo page; returns the chat's frame. */
export async function openWidget(p, url) {
  await p.goto(url + '/');
  await p.locator('#yuelai-widget .l').click();
  const chat = p.frameLocator('#yuelai-widget iframe');
  await chat.locator('.composer-field').waitFor();
  return chat;
}

export async function write(scope, text) {
  const field = scope.locator('.composer-field');
  await field.fill(text);
  await field.press('Enter');
}

export const bubbles = (scope) => scope.locator('.msg .bubble-text').allTextContents();

export async function until(what, fn, ms = 10_000) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await fn();
    if (v) return v;
    if (Date.now() > end) assert.fail('waited in vain: ' + what);
    await new Promise((r) => setTimeout(r, 30));
  }
}

/** axe-core finds nothing on a page or in a frame. */
export async function axe(target, what) {
  await target.evaluate(AXE);
  const found = await target.evaluate(async () => {
    const r = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.none[0]?.message ?? '')).slice(0, 3).join(' | ')}`);
  });
  assert.deepEqual(found, [], what);
}
