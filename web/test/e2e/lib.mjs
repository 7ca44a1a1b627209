// SPDX-License-Identifier: Apache-2.0
// One Chromium a file, one fake server a test, and words for what people do.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before } from 'node:test';
import { chromium } from 'playwright-core';
import { Fake } from '../fake-server.mjs';

// Each context would warm up a second renderer, each navigation a third.
// (Of two such switches the last counts: playwright's own are said again.)
const OFF = ['SpareRendererForSitePerProcess', 'ProactivelySwapBrowsingInstance', 'BackForwardCache', 'AvoidUnnecessaryBeforeUnloadCheckSync', 'BoundaryEventDispatchTracksNodeRemoval', 'DestroyProfileOnBrowserClose', 'DialMediaRouteProvider', 'GlobalMediaControls', 'HttpsUpgrades', 'LensOverlay', 'MediaRouter', 'PaintHolding', 'ThirdPartyStoragePartitioning', 'Translate', 'RenderDocument', 'OptimizationHints'];
export const ARGS = ['--disable-features=' + OFF.join(','), '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
export const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';

/** For how long anything is waited for, here and in real/: the machine may be slow and busy; what is green waits for nothing. */
export const WAIT_MS = 45_000;
/** A developer's tool: every page's CPU so many times slower. */
const SLOW = Number(process.env.YUELAI_E2E_SLOW ?? 1);

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export function launch() {
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS, timeout: 2 * WAIT_MS });
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

async function slowed(p) {
  const cdp = await p.context().newCDPSession(p);
  const slow = () => cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOW }).catch(() => undefined); // closed meanwhile
  p.on('framenavigated', (x) => void (x === p.mainFrame() && slow()));
  await slow();
}

/** Every error in a page fails the test that made it. */
export async function page(browser, o = {}) {
  const ctx = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'zh-CN', ...o });
  ctx.setDefaultTimeout(WAIT_MS);
  if (SLOW > 1) ctx.on('page', (x) => void slowed(x).catch(() => undefined));
  await ctx.addInitScript(keepToasts);
  const p = await ctx.newPage();
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

/** A toast stays for seconds, a slow machine may look later: all that were shown. */
function keepToasts() {
  window.toasts = [];
  const look = (n) => n.nodeType === 1 && n.classList.contains('toast') && window.toasts.push(n.className + ': ' + n.textContent);
  new MutationObserver((list) => list.forEach((m) => m.addedNodes.forEach(look))).observe(document, { childList: true, subtree: true });
}

/** `what` is in a toast that was shown since the page was loaded; `bad`: of a failure. */
export async function toasted(p, what = '', bad = false) {
  await until('the toast ' + what, () => p.evaluate(([text, wrong]) => window.toasts.some((x) => x.includes(text) && (!wrong || /^toast bad:/.test(x))), [what, bad]));
}

/** In the form that is there. */
export async function signInByHand(p, email = 'admin@yuelai.local', password = 'yuelai') {
  await p.fill('#email', email);
  await p.fill('#password', password);
  await p.click('button[type=submit]');
  await p.waitForSelector(UP);
}

/** The console at `path`, its socket open: what a server tells from now on arrives. */
export async function signIn(p, url, email = 'admin@yuelai.local', password = 'yuelai', path = '/') {
  const r = await p.request.post(url + '/api/v1/login', { data: { email, password }, headers: { 'X-Yuelai': '1' }, timeout: WAIT_MS });
  assert.equal(r.status(), 200, await r.text());
  await visit(p, url + '/console' + path);
  return p;
}

const UP = '.rail-link .dot.ok';

/** Another page of the console, anew, until its socket is open: what is drawn came by REST and says nothing of it. */
export async function visit(p, url) {
  await p.goto(url);
  await p.waitForSelector(UP);
}

/** `n` sockets of this role have said hello to the fake. */
export function opened(f, role, n = 1) {
  return until(`${n} × ${role}`, () => [...f.sockets].filter((s) => s.role === role && s.who).length >= n);
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

export async function until(what, fn, ms = WAIT_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await fn();
    if (v) return v;
    if (Date.now() > end) assert.fail('waited in vain: ' + what);
    await new Promise((r) => setTimeout(r, 40));
  }
}

/** Nothing moves any more but what never ends: half-faded text has too little contrast. */
export function settled(target) {
  return until('nothing moves', () => target.evaluate(() => document.getAnimations().every((a) => a.playState !== 'running' || a.effect?.getComputedTiming().endTime === Infinity)));
}

/** What depends on colours; nothing else does. */
const COLOURS = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };

/** axe-core finds nothing on a page or in a frame. */
export async function axe(target, what, runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']) {
  await settled(target);
  if (!(await target.evaluate(() => 'axe' in window))) await target.evaluate(AXE);
  const found = await target.evaluate(async (only) => {
    const r = await window.axe.run(document, { runOnly: only });
    return r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.none[0]?.message ?? '')).slice(0, 3).join(' | ')}`);
  }, runOnly);
  assert.deepEqual(found, [], what);
}

/** The same in the light and in the dark. `p`: the page that `target` is (in). */
export async function axeBoth(p, target, what) {
  await axe(target, what);
  await p.emulateMedia({ colorScheme: 'dark' });
  await until('it is dark', () => target.evaluate(() => document.documentElement.dataset.theme !== 'light'));
  await axe(target, what + ', dark', COLOURS);
  await p.emulateMedia({ colorScheme: 'light' });
}
