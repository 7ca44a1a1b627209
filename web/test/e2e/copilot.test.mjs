// SPDX-License-Identifier: Apache-2.0
// The co-pilot in the composer: it writes, a person sends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assistant } from '../fake-house.mjs';
import { clean, opened, page, signIn, toasted, until, useBrowser, visit } from './lib.mjs';

const h = useBrowser();

async function talk(o = {}) {
  const f = await h.fake();
  f.assistants.push(...(o.bots ?? [assistant('presale')]));
  const p = await page(h.browser, o);
  await signIn(p, f.url);
  const c = f.say('到货了吗？', 'Anna');
  await p.locator('.conv', { hasText: 'Anna' }).click();
  await p.locator('.msg').first().waitFor();
  return { f, p, c, said: () => p.locator('.composer-field').inputValue(), ours: () => f.messages.get(c.id).filter((m) => m.sender.role !== 'visitor') };
}
const gate = () => {
  let open;
  const wait = new Promise((ok) => (open = ok));
  return { wait, open };
};
const button = (p, name) => p.locator('.copilot .btn', { hasText: name });

test('nobody offers what no assistant can do', async () => {
  const { f, p } = await talk({ bots: [assistant('off', { enabled: false, state: 'disabled' })] });
  await p.locator('.composer-field').waitFor();
  assert.equal(await p.locator('.copilot').count(), 0);
  await p.keyboard.press('Alt+KeyD');
  assert.deepEqual(f.orders, []);
  await p.keyboard.press('Escape');
  await p.locator('body').click({ position: { x: 700, y: 120 } });
  await p.keyboard.press('Shift+Slash');
  await p.locator('dialog .keys').waitFor();
  assert.equal(await p.locator('.keys', { hasText: '智能起草' }).count(), 0);
  clean(p);
});

test('a draft grows, then stands in the field; nothing is sent; undo brings back what was there', async () => {
  const { f, p, said, ours } = await talk();
  const g = gate();
  f.copilot = () => ({ pieces: ['您好，', '今天发货。'], wait: g.wait });
  await p.locator('.composer-field').fill('我的话');
  await button(p, '起草').click();
  await p.locator('.copilot-said p', { hasText: '您好，今天发货。' }).waitFor();
  assert.equal(await said(), '我的话', 'what is written stays until it is there');
  assert.equal(await p.locator('.msg.bot').count(), 0, 'pieces for the agent are no answer of a bot');
  g.open();
  await until('it stands in the field', async () => (await said()) === '您好，今天发货。');
  await p.locator('.copilot-strip', { hasText: 'presale 写的' }).waitFor();
  assert.deepEqual(ours(), []);
  await p.locator('.copilot-strip .link').click();
  await until('undone', async () => (await said()) === '我的话');
  await p.locator('.copilot').waitFor();
  await p.keyboard.press('Alt+KeyD');
  await until('by key', async () => (await said()) === '您好，今天发货。');
  await p.keyboard.press('Control+KeyZ');
  await until('the browser\'s own undo works too', async () => (await said()) === '我的话');
  await p.keyboard.press('Alt+KeyD');
  await until('again', async () => (await said()) === '您好，今天发货。');
  await p.keyboard.press('Enter');
  await until('sent by hand', () => ours().length === 1);
  assert.equal(ours()[0].text, '您好，今天发货。');
  await until('its line is gone', async () => (await p.locator('.copilot-strip').count()) === 0);
  clean(p);
});

test('other words and another language are of what is written; the last choice is kept for the key', async () => {
  const { f, p, said } = await talk({ locale: 'en' });
  await button(p, 'Rewrite').click();
  await p.locator('.menu-item', { hasText: 'Shorter' }).click();
  await toasted(p, 'Write something first');
  assert.deepEqual(f.orders, []);
  f.copilot = (b) => ({ pieces: [b.task === 'rewrite' ? 'Short.' : '短い。'] });
  await p.locator('.composer-field').fill('A very long sentence.');
  await button(p, 'Rewrite').click();
  await p.locator('.menu-item', { hasText: 'Shorter' }).click();
  await until('rewritten', async () => (await said()) === 'Short.');
  await p.locator('.copilot-strip .icon-btn').click();
  await button(p, 'Translate').click();
  await p.locator('.menu-item', { hasText: '日本語' }).click();
  await until('translated', async () => (await said()) === '短い。');
  await p.locator('.composer-field').press('Alt+KeyT');
  await p.locator('.composer-field').press('Alt+KeyR');
  await until('by key', () => f.orders.length === 4);
  assert.deepEqual(f.orders, ['copilot rewrite shorter A very long sentence.', 'copilot translate 日本語 Short.', 'copilot translate 日本語 短い。', 'copilot rewrite shorter 短い。']);
  clean(p);
});

test('a summary goes into the note, and into the conversation it is of', async () => {
  const { f, p, c, said } = await talk();
  f.copilot = () => ({ pieces: ['客户问到货。'] });
  await p.locator('.composer-field').fill('回复的草稿');
  await button(p, '总结').click();
  await until('in the note', async () => (await said()) === '客户问到货。');
  await p.locator('.reply.is-note').waitFor();
  await p.locator('.reply-tabs [data-key=reply]').click();
  await until('the reply is as it was', async () => (await said()) === '回复的草稿');
  const g = gate();
  f.copilot = () => ({ pieces: ['给 Anna 的'], wait: g.wait });
  await p.locator('.copilot-strip .icon-btn').click();
  await button(p, '起草').click();
  await p.locator('.copilot-said p').waitFor();
  const b = f.say('另一个', 'Bob');
  await p.locator('.conv', { hasText: 'Bob' }).click();
  await p.locator('.msg', { hasText: '另一个' }).waitFor();
  await p.locator('.composer-field').fill('给 Bob 的');
  g.open();
  await toasted(p, '已放入 Anna 的草稿');
  assert.equal(await said(), '给 Bob 的');
  await p.locator('.conv', { hasText: 'Anna' }).click();
  await until('there it is', async () => (await said()) === '给 Anna 的');
  assert.equal(f.messages.get(c.id).length + f.messages.get(b.id).length, 2);
  clean(p);
});

test('cancelled in the middle, nothing is touched; an error is said in words, and tried again', async () => {
  const { f, p, said } = await talk();
  const g = gate();
  f.copilot = () => ({ pieces: ['zu spät'], wait: g.wait });
  await p.locator('.composer-field').fill('我的话');
  await button(p, '起草').click();
  await p.locator('.copilot-said p').waitFor();
  await p.locator('.composer-field').press('Escape');
  await p.locator('.copilot').waitFor();
  g.open();
  f.copilot = () => ({ error: 'unauthorized: HTTP 401' });
  await button(p, '起草').click();
  await p.locator('.copilot-strip.bad', { hasText: '没有成功：密钥、余额、地址或模型不对（HTTP 401）' }).waitFor();
  assert.equal(await said(), '我的话');
  f.copilot = () => ({ pieces: ['好'] });
  await p.locator('.copilot-strip.bad .link').click();
  await until('it came', async () => (await said()) === '好');
  clean(p);
});

test('with two assistants the agent chooses; a tab beside this one hears nothing of it', async () => {
  const { f, p } = await talk({ bots: [assistant('presale'), assistant('english')] });
  const q = await p.context().newPage();
  await visit(q, p.url());
  await opened(f, 'agent', 2);
  await q.locator('.msg').first().waitFor();
  await p.bringToFront();
  await button(p, '改写').click();
  await p.locator('.menu-item', { hasText: 'english' }).click();
  const g = gate();
  f.copilot = () => ({ pieces: ['hello'], wait: g.wait });
  await button(p, '起草').click();
  await p.locator('.copilot-said p').waitFor();
  f.say('还在吗', 'Anna'); // on the same sockets, later than the pieces
  await q.locator('.msg', { hasText: '还在吗' }).waitFor();
  assert.equal(await q.locator('.copilot-said, .msg.bot').count(), 0);
  g.open();
  await p.locator('.copilot-strip', { hasText: 'english 写的' }).waitFor();
  assert.deepEqual(f.orders, ['copilot draft english']);
  clean(p);
});
