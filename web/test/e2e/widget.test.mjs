// SPDX-License-Identifier: Apache-2.0
// The loader on a stranger's page, phones, languages.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { clean, openWidget, page, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();

async function strangersPage(p, f, attrs = '') {
  // Another port is another origin; another host would meet Chromium's rules
  // about public sites and local addresses.
  const shop = createServer((_, res) => {
    res.setHeader('Content-Type', 'text/html');
    res.end(`<!doctype html><html><head><link rel="icon" href="data:,"></head><body><h1>Shop</h1><p style="height:2000px">x</p><script async src="${f.url}/widget.js" ${attrs}></script></body></html>`);
  });
  await new Promise((ok) => shop.listen(0, '127.0.0.1', ok));
  h.fakes.push({ down: async () => (shop.closeAllConnections(), shop.close()) });
  await p.goto('http://127.0.0.1:' + shop.address().port);
  await p.locator('#yuelai-widget .l').waitFor();
}

test('before use: one request, no layout shift, no iframe, no storage', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  await p.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((l) => l.getEntries().forEach((e) => (window.shift += e.value))).observe({ type: 'layout-shift', buffered: true });
  });
  await strangersPage(p, f);
  await p.waitForTimeout(400);
  assert.deepEqual(f.requests, ['GET /widget.js']);
  assert.equal(await p.evaluate(() => window.shift), 0);
  assert.equal(await p.locator('#yuelai-widget iframe').count(), 0);
  assert.equal(await p.evaluate(() => localStorage.length), 0);
  clean(p);
});

test('on a foreign site the token lives in the host page and outlives a reload', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  await strangersPage(p, f, 'data-channel="ch1"');
  await p.locator('#yuelai-widget .l').click();
  const chat = p.frameLocator('#yuelai-widget iframe');
  await write(chat, 'hello from a shop');
  await chat.locator('.tick-stored').waitFor();
  assert.match(await p.evaluate(() => localStorage.getItem('yl.ch1.token')), /^tok/);
  const before = [...f.sockets];
  await p.reload();
  await p.locator('#yuelai-widget iframe').waitFor({ state: 'attached' }); // made at idle: a conversation exists
  const conv = [...f.convs.values()][0];
  await until('greeted anew', () => [...f.sockets].some((s) => s.who && !before.includes(s)));
  f.answer(conv, 'an answer');
  await p.locator('#yuelai-widget .b', { hasText: '1' }).waitFor();
  await p.locator('#yuelai-widget .l').click();
  await chat.locator('.msg.in', { hasText: 'an answer' }).waitFor();
  await chat.locator('.msg.out', { hasText: 'hello from a shop' }).waitFor();
  assert.equal(f.contacts.size, 1);
  await p.locator('#yuelai-widget .b').waitFor({ state: 'hidden' });
  clean(p);
});

test('Escape closes from inside and outside, focus returns to the launcher', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  const chat = await openWidget(p, f.url);
  await chat.locator('.composer-field').press('Escape');
  const button = p.locator('#yuelai-widget .l');
  await until('closed', async () => (await button.getAttribute('aria-expanded')) === 'false');
  await until('the focus is back', () => p.evaluate(() => document.activeElement.id === 'yuelai-widget'));
  await p.keyboard.press('Enter');
  await until('open', async () => (await button.getAttribute('aria-expanded')) === 'true');
  await p.locator('h1').first().click();
  await p.keyboard.press('Escape');
  await until('closed again', async () => (await button.getAttribute('aria-expanded')) === 'false');
  clean(p);
});

test('the queue of commands works before and after load', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  await p.addInitScript(() => {
    window.yuelai = function () {
      (window.yuelai.q = window.yuelai.q || []).push(arguments);
    };
    window.yuelai('on', 'open', () => (window.opened = (window.opened || 0) + 1));
    window.yuelai('open');
  });
  await strangersPage(p, f, 'data-lang="en" data-color="#ffe066" data-title="Shop help" data-side="left"');
  const chat = p.frameLocator('#yuelai-widget iframe');
  await chat.locator('h1', { hasText: 'Shop help' }).waitFor();
  assert.equal(await chat.locator('.composer-field').getAttribute('placeholder'), 'Write a message…');
  await until('told', () => p.evaluate(() => window.opened === 1));
  await p.evaluate(() => window.yuelai('close'));
  await p.locator('#yuelai-widget .p').waitFor({ state: 'hidden' });
  clean(p);
});

test('a phone: full screen, Enter breaks the line, the button sends, back closes', async () => {
  const f = await h.fake();
  const p = await page(h.browser, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await p.goto(f.url + '/');
  await p.locator('#yuelai-widget .l').tap();
  const chat = p.frameLocator('#yuelai-widget iframe');
  const field = chat.locator('.composer-field');
  await field.fill('line');
  await field.press('Enter');
  await field.pressSequentially('two');
  assert.equal(await field.inputValue(), 'line\ntwo');
  await chat.locator('.composer-send').tap();
  await chat.locator('.tick-stored').waitFor();
  assert.ok(Number(await field.evaluate((el) => parseFloat(getComputedStyle(el).fontSize))) >= 16, 'no zoom on focus');
  await until('the whole screen', async () => ((b) => b && [b.x, b.y, b.width].join() === '0,0,390')(await p.locator('#yuelai-widget .p').boundingBox()));
  await p.goBack();
  await until('closed', async () => !(await p.locator('#yuelai-widget .p').isVisible()));
  assert.equal(new URL(p.url()).pathname, '/');
  clean(p);
});

test('the chat page alone: greeting, queue, unknown channel', async () => {
  const f = await h.fake({ keepQueue: true });
  f.channel.config = { title: '小店', greeting: '欢迎光临', color: '#0b6b8f', locale: 'auto' };
  const p = await page(h.browser);
  await p.goto(f.url + '/chat/default');
  await p.locator('.msg', { hasText: '欢迎光临' }).waitFor();
  await write(p, '在吗');
  await p.locator('.tick-stored').waitFor();
  await p.reload();
  await p.locator('.chat-queue', { hasText: '前面还有 1 位' }).waitFor();
  await p.locator('.msg.out', { hasText: '在吗' }).waitFor();
  assert.equal(await p.title(), '小店');
  clean(p);
});

test('older messages come by pages and keep the place', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  await p.goto(f.url + '/chat/default');
  await write(p, 'm1');
  await p.locator('.tick-stored').waitFor();
  const conv = [...f.convs.values()][0];
  for (let i = 2; i <= 120; i++) f.answer(conv, 'm' + i);
  await p.reload();
  await p.locator('.msg', { hasText: 'm120' }).waitFor();
  assert.equal(await p.locator('.msg').count(), 50);
  const log = p.locator('.chat-log');
  const y = () => p.locator('[data-seq="75"]').evaluate((e) => e.getBoundingClientRect().top);
  const before = await log.evaluate((el) => {
    el.scrollTop = 10;
    return el.querySelector('[data-seq="75"]').getBoundingClientRect().top;
  });
  await until('older', async () => (await p.locator('.msg').count()) > 50);
  assert.ok(Math.abs((await y()) - before) < 40, 'jumped');
  clean(p);
});

test("the channel's language stays, though the browser's own comes later", async () => {
  const f = await h.fake();
  f.channel.config = { ...f.channel.config, locale: 'zh-CN' };
  const p = await page(h.browser, { locale: 'en' });
  let go;
  const held = new Promise((yes) => (go = yes));
  let asked = false;
  await p.route(/chat\.en-\w+\.js$/, async (r) => {
    asked = true;
    await held;
    await r.continue();
  });
  await p.goto(f.url + '/chat/' + f.channel.id);
  await until('the English words are fetched', () => asked);
  await until('the settings are there', async () => (await p.locator('html').getAttribute('lang')) === 'zh-CN');
  const came = p.waitForResponse(/chat\.en-\w+\.js$/);
  go();
  await p.evaluate((url) => import(url), (await came).url()); // it has come to the page, too
  await p.locator('.composer-field').waitFor();
  assert.equal(await p.locator('html').getAttribute('lang'), 'zh-CN');
  assert.match(await p.locator('.composer-field').getAttribute('placeholder'), /[\u4e00-\u9fff]/);
  clean(p);
});
