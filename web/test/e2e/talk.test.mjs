// SPDX-License-Identifier: Apache-2.0
// A visitor and an agent talk; the line and the server fail; nothing is lost,
// nothing shows twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bubbles, clean, openWidget, page, signIn, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();

test('a visitor writes in the widget, the agent answers, both see ticks', async () => {
  const f = await h.fake();
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  await write(chat, '你好');
  await chat.locator('.msg.out .tick-stored').waitFor();
  await agent.locator('.conv').first().click();
  await agent.locator('.msg.in .bubble-text', { hasText: '你好' }).waitFor();
  await chat.locator('.msg.out .tick-read').waitFor();
  await write(agent, '您好，请讲');
  await chat.locator('.msg.in .bubble-text', { hasText: '您好，请讲' }).waitFor();
  await agent.locator('.msg.out .tick-read').waitFor();
  await chat.locator('.chat-names p', { hasText: '林悦' }).waitFor();
  clean(agent, visitor);
});

test('what staff says on the platform itself stands there under their names, and counts as an answer', async () => {
  const f = await h.fake();
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  const conv = f.say('在吗');
  const row = agent.locator('.conv', { hasText: '在吗' });
  await row.locator('.badge').waitFor();
  const staff = (name, text) => f.store({ role: 'agent', id: null, name }, conv, { kind: 'text', text, more: { outside: true } });
  staff('zhangsan', '我在手机上回');
  await agent.locator('.conv', { hasText: '我在手机上回' }).waitFor();
  await until('nothing is unread', async () => (await agent.locator('.conv .badge').count()) === 0);
  await agent.locator('.conv').first().click();
  staff('zhangsan', '再说一句');
  staff('lisi', '换我来');
  const last = agent.locator('.msg.in', { hasText: '换我来' });
  await last.locator('.msg-name', { hasText: 'lisi' }).waitFor();
  await last.locator('.bubble-meta', { hasText: '在平台上回复' }).waitFor();
  assert.equal(await agent.locator('.msg-name', { hasText: 'zhangsan' }).count(), 1);
  clean(agent);
});

test('kill and restart in mid-talk: both come back by themselves, all there once', async () => {
  const f = await h.fake();
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  await write(chat, 'v1');
  await agent.locator('.conv').first().click();
  await write(agent, 'a1');
  await chat.locator('.msg.in', { hasText: 'a1' }).waitFor();
  f.swallowAcks = true; // stored, but the ack is lost with the socket
  await write(chat, 'v2');
  await write(agent, 'a2');
  await until('both stored', () => [...f.messages.values()][0].length === 4);
  await f.down();
  f.swallowAcks = false;
  await write(chat, 'v3');
  await write(agent, 'a3');
  await chat.locator('.chat-banner.on').waitFor();
  await agent.locator('.banner.warn').waitFor();
  await f.up(f.port);
  await chat.locator('.msg.in', { hasText: 'a3' }).waitFor();
  await agent.locator('.msg.in', { hasText: 'v3' }).waitFor();
  await until('no clock left', async () => (await chat.locator('.tick-queued, .tick-sending').count()) + (await agent.locator('.tick-queued, .tick-sending').count()) === 0);
  const stored = [...f.messages.values()][0].map((m) => m.text);
  assert.deepEqual(stored.slice().sort(), ['a1', 'a2', 'a3', 'v1', 'v2', 'v3']);
  await until('the visitor sees the order of seq', async () => (await bubbles(chat)).slice(1).join() === stored.join());
  await until('the agent too', async () => (await bubbles(agent)).join() === stored.join());
  await until('nothing is said of the line', async () => (await chat.locator('.chat-banner.on').count()) + (await agent.locator('.banner.warn').count()) === 0);
  clean(agent, visitor);
});

test('a forgetful server (recovered:false) after long absence: refetched, no hole', async () => {
  const f = await h.fake();
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  const conv = f.say('eins', 'Anna');
  await agent.locator('.conv').first().click();
  await agent.locator('.msg', { hasText: 'eins' }).waitFor();
  await agent.mouse.move(800, 400); // a list under the pointer would not reorder
  await f.down();
  f.epoch++;
  for (let i = 0; i < 130; i++) f.say('n' + i, 'Anna');
  f.say('from Bob', 'Bob');
  await f.up(f.port);
  await agent.locator('.conv', { hasText: 'Bob' }).waitFor();
  await agent.locator('.msg', { hasText: 'n129' }).waitFor();
  assert.equal(f.messages.get(conv.id).length, 131);
  await agent.locator('.thread .vlist').evaluate((el) => (el.scrollTop = 0));
  await agent.locator('.msg', { hasText: 'eins' }).waitFor();
  clean(agent);
});

test('private notes never make the visitor page fetch in circles', async () => {
  const f = await h.fake();
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  await write(chat, 'one');
  await chat.locator('.tick-stored').waitFor();
  const conv = [...f.convs.values()][0];
  let asked = 0;
  const on = f.on_history;
  f.on_history = function (s, fr) {
    asked++;
    on.call(this, s, fr);
  };
  f.answer(conv, 'secret', { private: true });
  f.answer(conv, 'two');
  await chat.locator('.msg.in', { hasText: 'two' }).waitFor();
  await until('the hole is asked for', () => asked === 1); // its answer comes before the next event
  f.answer(conv, 'three');
  await chat.locator('.msg.in', { hasText: 'three' }).waitFor();
  assert.equal(asked, 1);
  assert.equal((await bubbles(chat)).includes('secret'), false);
  clean(visitor);
});

test('two tabs of one visitor show the same, each message once', async () => {
  const f = await h.fake();
  const one = await page(h.browser);
  const a = await openWidget(one, f.url);
  await write(a, 'from the first tab');
  await a.locator('.tick-stored').waitFor();
  const two = await one.context().newPage();
  const b = await openWidget(two, f.url);
  await b.locator('.msg.out', { hasText: 'from the first tab' }).waitFor();
  await write(b, 'from the second');
  await a.locator('.msg.out', { hasText: 'from the second' }).waitFor();
  assert.equal(f.contacts.size, 1);
  assert.equal((await bubbles(a)).length, 3);
  clean(one);
});

test('after the end a new message opens a new conversation below the old one', async () => {
  const f = await h.fake();
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  await write(chat, 'old');
  await chat.locator('.tick-stored').waitFor();
  const conv = [...f.convs.values()][0];
  conv.state = 'closed';
  f.event('conversation.closed', conv.id, conv);
  await chat.locator('.chat-ended').waitFor();
  await write(chat, 'new');
  await until('two conversations', () => f.convs.size === 2);
  await until('both drawn', async () => (await bubbles(chat)).join() === '您好，有什么可以帮您？,old,new');
  await until('not ended any more', async () => (await chat.locator('.chat-ended').count()) === 0);
  clean(visitor);
});

test('a bot’s stream grows in one bubble and the final message replaces it', async () => {
  const f = await h.fake();
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  await write(chat, 'hi');
  await chat.locator('.tick-stored').waitFor();
  const conv = [...f.convs.values()][0];
  const s = [...f.sockets].find((x) => x.role === 'visitor');
  for (const [index, text] of [[0, '您的订单'], [1, '正在路上']]) f.send(s, { type: 'delta', conversation: conv.id, stream: 'st', index, text });
  await chat.locator('.msg.bot .caret').waitFor();
  await until('both pieces', async () => (await chat.locator('.msg.bot .md').textContent()).trim() === '您的订单正在路上');
  f.answer(conv, '您的订单正在路上。', { bot: true, stream: 'st' });
  await chat.locator('.msg.bot', { hasText: '路上。' }).waitFor();
  assert.equal(await chat.locator('.msg.bot').count(), 1);
  await until('no caret', async () => (await chat.locator('.caret').count()) === 0);
  clean(visitor);
});

test('what is told while the first page of a conversation is on its way is not lost with that older page', async () => {
  const f = await h.fake();
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  const conv = f.say('eins', 'Anna');
  let let_go;
  const gate = new Promise((ok) => (let_go = ok));
  let asked = 0;
  await agent.route('**/messages?before=end*', async (r) => {
    const old = await r.fetch();
    asked++;
    await gate;
    await r.fulfill({ response: old });
  });
  await agent.locator('.conv').first().click();
  await until('answered', () => asked > 0);
  f.say('zwei', 'Anna');
  await agent.locator('.conv', { hasText: 'zwei' }).waitFor();
  let_go();
  await agent.locator('.msg', { hasText: 'zwei' }).waitFor();
  assert.deepEqual(await bubbles(agent), ['eins', 'zwei']);
  assert.equal(f.messages.get(conv.id).length, 2);
  clean(agent);
});
