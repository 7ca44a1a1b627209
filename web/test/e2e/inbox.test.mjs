// SPDX-License-Identifier: Apache-2.0
// The console: lists, unread, ends, transfers, sessions, scripts, long threads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, clean, page, signIn, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();
const names = (p) => p.locator('.conv-top b').allTextContents();

async function two(f) {
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  f.say('one', 'Anna');
  f.say('two', 'Bob');
  await until('both listed', async () => (await agent.locator('.conv').count()) === 2);
  return agent;
}

test('what a password manager fills in at once is kept', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  await p.addInitScript(() => {
    const watch = new MutationObserver(() => {
      const email = document.querySelector('#email');
      if (!email) return;
      watch.disconnect();
      email.value = 'admin@yuelai.local';
    });
    watch.observe(document, { childList: true, subtree: true });
  });
  await p.goto(f.url + '/console/');
  await p.fill('#password', 'yuelai');
  await p.evaluate(() => new Promise((ok) => requestAnimationFrame(() => setTimeout(ok, 200))));
  assert.equal(await p.inputValue('#email'), 'admin@yuelai.local');
  await p.click('button[type=submit]');
  await p.waitForSelector('.rail-link .dot.ok');
  clean(p);
});

test('Ctrl+K: a conversation, an action, a page by a few letters; the keyboard alone', async () => {
  const f = await h.fake();
  const agent = await two(f);
  const key = (k) => agent.keyboard.press(k);
  const open = async () => {
    await key('Control+KeyK');
    await until('the field has the focus', () => agent.evaluate(() => document.activeElement?.getAttribute('role') === 'combobox'));
  };
  const on = () => agent.locator('.cmd.on').textContent();
  await agent.locator('.conv', { hasText: 'Anna' }).click();
  await agent.locator('.composer-field').focus();
  await open();
  await axe(agent, 'command box');
  if (process.env.SHOTS) await agent.screenshot({ path: process.env.SHOTS + '/command.png' });
  await agent.keyboard.type('bob');
  await until('Bob is first', async () => /^Bob/.test(await on()));
  await key('Enter');
  await agent.locator('.thread-head h2', { hasText: 'Bob' }).waitFor();
  await open();
  await agent.keyboard.type('写备注');
  await until('the action', async () => (await on()).startsWith('写备注'));
  await key('Enter');
  await agent.locator('.reply.is-note .composer-field').waitFor();
  await until('it is written there at once', () => agent.evaluate(() => document.activeElement?.classList.contains('composer-field')));
  await open();
  await agent.keyboard.type('zzz');
  await agent.locator('.cmd-none', { hasText: '没有找到' }).waitFor();
  await key('Escape');
  await until('closed, the focus is back', () => agent.evaluate(() => !document.querySelector('dialog') && document.activeElement?.classList.contains('composer-field')));
  await open();
  await agent.keyboard.type('前往');
  await until('only pages', async () => /^前往.*(\n前往.*)+$/.test((await agent.locator('.cmd').allTextContents()).join('\n')));
  const first = await on();
  await key('ArrowDown');
  await until('the next', async () => (await on()) !== first);
  await key('ArrowUp');
  await until('the first again', async () => (await on()) === first);
  await agent.locator('.cmd', { hasText: '前往脚本' }).click();
  await agent.waitForURL('**/console/scripts');
  clean(agent);
});

test('wrong password, then right; the session outlives a reload', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  await p.goto(f.url + '/console/');
  await p.fill('#email', 'admin@yuelai.local');
  await p.fill('#password', 'nope');
  await p.keyboard.press('Enter');
  await until('the refusal', async () => /不正确/.test(await p.locator('#login-wrong').textContent()));
  await p.fill('#password', 'yuelai');
  await p.keyboard.press('Enter');
  await p.waitForSelector('.rail');
  await p.reload();
  await p.waitForSelector('.rail-link .dot.ok');
  clean(p);
});

test('unread counts until really looked at; the divider stands before the new', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await until('two are unread', async () => (await agent.title()) === '(2) 悦来 · 坐席');
  await agent.locator('.conv', { hasText: 'Anna' }).click();
  await until('read', async () => (await agent.title()) === '(1) 悦来 · 坐席');
  await until('the house knows', () => [...f.convs.values()][0].unread === 0);
  f.answer([...f.convs.values()][1], 'x', { by: [...f.agents.values()][0] });
  f.say('three', 'Bob');
  f.say('four', 'Bob');
  await agent.mouse.move(800, 300);
  await until('two new ones', async () => (await agent.title()) === '(2) 悦来 · 坐席');
  await agent.locator('.conv', { hasText: 'Bob' }).click();
  await agent.locator('.divider.unread').waitFor();
  await agent.locator('.msg', { hasText: 'four' }).waitFor();
  const order = await agent.locator('.vrow .bubble-text, .vrow .divider.unread').allTextContents();
  assert.deepEqual(order, ['two', 'x', '以下为未读消息', 'three', 'four']);
  await write(agent, 'ok');
  await until('the divider is gone', async () => (await agent.locator('.divider.unread').count()) === 0);
  clean(agent);
});

test('under the pointer the list does not reorder; a pill tells, leaving applies', async () => {
  const f = await h.fake();
  const agent = await two(f);
  assert.deepEqual(await names(agent), ['Bob', 'Anna']);
  await agent.locator('.conv', { hasText: 'Anna' }).hover();
  f.say('again', 'Anna');
  f.say('hi', 'Carl');
  await agent.locator('.news').waitFor();
  assert.deepEqual(await names(agent), ['Bob', 'Anna']);
  await agent.mouse.move(900, 300);
  await until('reordered', async () => (await names(agent)).join() === 'Carl,Anna,Bob');
  clean(agent);
});

test('search marks the hit; no hit says so', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await agent.keyboard.press('/');
  await until('the field has the focus', () => agent.evaluate(() => !!document.activeElement?.closest('.search')));
  await agent.keyboard.type('bo');
  await until('one row', async () => (await names(agent)).join() === 'Bob');
  await agent.locator('mark', { hasText: /^Bo$/ }).first().waitFor();
  await agent.locator('.search input').fill('zzz');
  await agent.locator('.empty', { hasText: '没有找到' }).waitFor();
  clean(agent);
});

test('end with undo, keyboard j k e ?, reopen from the thread', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await agent.keyboard.press('j');
  await agent.locator('.thread-head h2', { hasText: 'Bob' }).waitFor();
  await agent.keyboard.press('Alt+j');
  await agent.locator('.thread-head h2', { hasText: 'Anna' }).waitFor();
  await agent.keyboard.press('Escape');
  await agent.keyboard.press('e');
  await until('closed', () => [...f.convs.values()][0].state === 'closed');
  await agent.locator('.toast button', { hasText: '撤销' }).click();
  await until('open again', () => [...f.convs.values()][0].state === 'open');
  await agent.locator('body').click({ position: { x: 700, y: 200 } });
  await agent.keyboard.press('Shift+Slash');
  await agent.locator('dialog .keys').waitFor();
  await agent.keyboard.press('Escape');
  await until('help closed', async () => (await agent.locator('dialog').count()) === 0);
  clean(agent);
});

test('transfer to a colleague with a note', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await agent.locator('.conv', { hasText: 'Anna' }).click();
  await agent.locator('.thread-head .opt').first().click();
  await agent.locator('.pick', { hasText: '阿强' }).click();
  await agent.fill('#transfer-note', '请接手');
  await agent.locator('dialog .primary').click();
  await until('moved', () => f.agents.get([...f.convs.values()][0].assignee)?.name === '阿强');
  await until('not mine', async () => (await agent.locator('.thread-names p').textContent()).includes('阿强'));
  assert.equal([...f.messages.values()][0].at(-1).private, true);
  clean(agent);
});

test('queue: taken with one press', async () => {
  const f = await h.fake({ keepQueue: true });
  f.say('waiting', 'Anna');
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  await agent.locator('[data-key=queue]').click();
  await agent.locator('.conv').click();
  await agent.locator('.thread-head .primary').click();
  await until('mine', () => [...f.convs.values()][0].assignee === [...f.agents.keys()][0]);
  await until('header says so', async () => (await agent.locator('.thread-names p').textContent()).includes('我负责'));
  clean(agent);
});

test('the session ends: a dialog over the page, draft and outbox stay, work goes on', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await agent.locator('.conv', { hasText: 'Anna' }).click();
  await agent.locator('.msg', { hasText: 'one' }).waitFor();
  await agent.locator('.composer-field').fill('my draft');
  f.cookies.clear();
  for (const s of f.sockets) s.ws.close(4003);
  await agent.locator('dialog #password').fill('yuelai');
  assert.equal(await agent.locator('.composer-field').inputValue(), 'my draft');
  await agent.keyboard.press('Enter');
  await agent.waitForSelector('.rail-link .dot.ok');
  await until('the dialog is gone', async () => (await agent.locator('dialog').count()) === 0);
  await agent.locator('.composer-field').press('Enter');
  await until('sent', () => [...f.messages.values()][0].at(-1).text === 'my draft');
  clean(agent);
});

test('transferred and ended while we were away without a replay: gone from my list', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await agent.mouse.move(800, 300);
  await f.down();
  f.epoch++;
  const [anna, bob] = [...f.convs.values()];
  anna.assignee = [...f.agents.keys()][1];
  bob.state = 'closed';
  await f.up(f.port);
  await until('an empty list', async () => (await agent.locator('.conv').count()) === 0);
  clean(agent);
});

test('status is set, seen by colleagues, kept over a reload', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await agent.locator('.rail-me').click();
  await agent.locator('.menu-item', { hasText: '忙碌' }).click();
  await until('busy', () => [...f.agents.values()][0].status === 'busy');
  await agent.reload();
  await agent.waitForSelector('.rail-me .dot.busy');
  await until('said anew', () => f.live([...f.agents.keys()][0]).length === 1 && [...f.agents.values()][0].status === 'busy');
  clean(agent);
});

test('a broken script: banner with file:line, the page shows it, and it goes', async () => {
  const f = await h.fake();
  const agent = await two(f);
  f.scripts.push({ name: 'rules/bad.lua', kind: 'rule', state: 'last_good', version: '1', errors: [{ file: 'rules/bad.lua', line: 7, message: "'end' expected" }] });
  await agent.locator('.rail a', { hasText: '脚本' }).click();
  await agent.locator('.banner.bad', { hasText: 'rules/bad.lua:7' }).waitFor();
  await agent.locator('.script-errors', { hasText: "rules/bad.lua:7: 'end' expected" }).waitFor();
  f.scripts.pop();
  await until('gone', async () => (await agent.locator('.banner.bad').count()) === 0);
  f.ready = false;
  await agent.locator('.banner.bad', { hasText: '未就绪' }).waitFor();
  clean(agent);
});

test('contact details are edited in place', async () => {
  const f = await h.fake();
  const agent = await two(f);
  await agent.locator('.conv', { hasText: 'Anna' }).click();
  await agent.locator('.details .fact-edit').first().click();
  await agent.locator('.details input').fill('安娜');
  await agent.keyboard.press('Enter');
  await agent.locator('.thread-head h2', { hasText: '安娜' }).waitFor();
  await until('the house knows', () => [...f.contacts.values()][0].name === '安娜');
  clean(agent);
});

test('10,000 messages: few rows in the DOM, older ones keep the place', async () => {
  const f = await h.fake();
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  const conv = f.say('m1', 'Anna');
  const list = f.messages.get(conv.id);
  for (let i = 2; i <= 10_000; i++) list.push({ ...list[0], id: 'x' + (1e6 + i), seq: i, text: 'm' + i, ref: undefined });
  conv.last_seq = 10_000;
  await agent.locator('.conv').click();
  await agent.locator('.msg', { hasText: 'm10000' }).waitFor();
  f.restDelay = 150;
  const log = agent.locator('.thread .vlist');
  for (let i = 0; i < 6; i++) {
    const seen = await log.evaluate(async (el) => {
      const frame = () => new Promise(requestAnimationFrame);
      el.scrollTop = 300;
      await frame();
      await frame();
      const top = el.getBoundingClientRect().top;
      const row = [...el.querySelectorAll('.msg')].find((m) => m.getBoundingClientRect().top > top + 40);
      const y = () => el.querySelector(`[data-seq="${row.dataset.seq}"]`)?.getBoundingClientRect().top ?? NaN;
      const ys = [y()];
      const height = el.scrollHeight;
      // Until they are here, and as long again as their rows may take to be measured.
      for (let left = 30, end = performance.now() + 45_000; left > 0 && performance.now() < end; left -= el.scrollHeight - height > 1000 ? 1 : 0) {
        await frame();
        ys.push(y());
      }
      return { grown: el.scrollHeight - height, off: Math.max(...ys.map((v) => Math.abs(v - ys[0]))), rows: el.querySelectorAll('.vrow').length };
    });
    assert.ok(seen.grown > 1000, 'older messages came');
    assert.ok(seen.off <= 4, `the row under the eye moved by ${seen.off}`);
    assert.ok(seen.rows <= 60, seen.rows + ' rows');
  }
  assert.ok(f.requests.filter((r) => r.includes('before=')).length < 12, 'no storm of requests');
  clean(agent);
});
