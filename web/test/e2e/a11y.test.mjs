// SPDX-License-Identifier: Apache-2.0
// axe-core finds nothing: every page, both themes, both languages, and phone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { clean, openWidget, page, signIn, useBrowser, write } from './lib.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const h = useBrowser();

async function axe(target, what) {
  await target.evaluate(AXE);
  const found = await target.evaluate(async () => {
    const r = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.none[0]?.message ?? '')).slice(0, 3).join(' | ')}`);
  });
  assert.deepEqual(found, [], what);
}

function talk(f) {
  const me = [...f.agents.values()][0];
  const c = f.say('在吗？ https://example.com', 'Anna');
  f.answer(c, '在的', { by: me });
  f.answer(c, '老客户', { private: true });
  f.answer(c, '机器人的话', { bot: true });
  f.store({ role: 'system', id: 'sys' }, c, { kind: 'text', text: '会话已转接' });
  f.say('more', 'Anna');
  f.say('x', 'Bob');
  return c;
}

for (const colorScheme of ['light', 'dark']) {
  for (const locale of ['zh-CN', 'en']) {
    test(`console, ${colorScheme}, ${locale}`, async () => {
      const f = await h.fake();
      const p = await page(h.browser, { colorScheme, locale });
      await p.goto(f.url + '/console/');
      await p.waitForSelector('#email');
      await axe(p, 'login');
      await signIn(p, f.url);
      await p.waitForSelector('.empty');
      await axe(p, 'empty inbox');
      const c = talk(f);
      await p.locator('.conv', { hasText: 'Anna' }).click();
      await p.locator('.msg.bot').waitFor();
      f.refuse = (x) => (x.type === 'send' ? { code: 'forbidden', message: 'no' } : null);
      await write(p, 'refused');
      await p.locator('.msg-failed').waitFor();
      await axe(p, 'thread');
      await p.locator('.reply-tabs [data-key=note]').click();
      await axe(p, 'note');
      await p.locator('.thread-head .opt').first().click();
      await p.locator('dialog').waitFor();
      await p.waitForTimeout(250);
      await axe(p, 'transfer');
      await p.keyboard.press('Escape');
      await p.locator('.rail-me').click();
      await p.locator('.menu').waitFor();
      await p.waitForTimeout(100);
      await axe(p, 'menu');
      await p.keyboard.press('Escape');
      await p.locator('body').click({ position: { x: 700, y: 120 } });
      await p.keyboard.press('Shift+Slash');
      await p.locator('dialog .keys').waitFor();
      await p.waitForTimeout(250);
      await axe(p, 'help');
      await p.keyboard.press('Escape');
      f.scripts.push({ name: 'rules/bad.lua', state: 'error', kind: 'rule', version: 1, errors: [{ file: 'rules/bad.lua', line: 7, message: 'no', at: Date.now() }] });
      await p.locator('.rail a[href$=scripts]').click();
      await p.locator('.script-errors li').waitFor();
      await axe(p, 'scripts');
      assert.ok(c);
      clean(p);
    });

    test(`chat and demo, ${colorScheme}, ${locale}`, async () => {
      const f = await h.fake();
      const p = await page(h.browser, { colorScheme, locale });
      const chat = await openWidget(p, f.url);
      await write(chat, 'hello https://example.com');
      await chat.locator('.tick-stored').waitFor();
      const conv = [...f.convs.values()][0];
      f.answer(conv, '您好');
      f.answer(conv, '机器人', { bot: true });
      await chat.locator('.msg.bot').waitFor();
      await axe(p, 'demo with the widget open');
      await axe(p.frames().find((x) => x.url().includes('/chat/')), 'chat in the widget');
      conv.state = 'closed';
      f.event('conversation.closed', conv.id, conv);
      await chat.locator('.chat-ended').waitFor();
      await axe(p.frames().find((x) => x.url().includes('/chat/')), 'ended');
      clean(p);
    });
  }
}

test('console on a phone', async () => {
  const f = await h.fake();
  const p = await page(h.browser, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await signIn(p, f.url);
  talk(f);
  await p.locator('.conv', { hasText: 'Anna' }).waitFor();
  await axe(p, 'list');
  await p.locator('.conv', { hasText: 'Anna' }).tap();
  await p.locator('.msg.bot').waitFor();
  await axe(p, 'thread');
  await p.locator('.thread-head .icon-btn').last().tap();
  await p.locator('.details').waitFor();
  await p.waitForTimeout(250);
  await axe(p, 'details');
  clean(p);
});
