// SPDX-License-Identifier: Apache-2.0
// A bot holds a conversation, an agent looks on: its answer grows, is stopped,
// taken over, handed back; what it left behind is drawn.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assistant } from '../fake-house.mjs';
import { clean, page, signIn, until, useBrowser } from './lib.mjs';

const h = useBrowser();

async function talk(o = {}) {
  const f = await h.fake();
  f.assistants.push(assistant('presale'), assistant('backup'));
  const p = await page(h.browser, o);
  await signIn(p, f.url);
  const c = f.say('到货了吗？', 'Anna');
  f.giveBot(c, 'presale');
  await p.goto(f.url + '/console/c/' + c.id);
  await p.locator('.bot-bar').waitFor();
  await until('its frames are asked for', () => f.watched === c.id);
  return { f, p, c, me: [...f.agents.values()][0], last: () => p.locator('.msg.bot .bubble-text').last().textContent() };
}

test('the answer grows under the assistant\'s name, and the final message takes its place', async () => {
  const { f, p, c, last } = await talk();
  await p.locator('.bot-bar', { hasText: 'presale 正在回答' }).waitFor();
  f.delta(c, 'tn_1', 0, '您好，');
  await until('it grows', async () => (await p.locator('.msg.bot').count()) === 1 && (await last()) === '您好，');
  assert.match(await p.locator('.msg.bot .msg-name').textContent(), /presale/);
  f.delta(c, 'tn_1', 1, '已经到货。');
  await until('it grows on', async () => (await last()) === '您好，已经到货。');
  f.answer(c, '您好，已经到货了。', { bot: true, stream: 'tn_1' });
  await until('the final one', async () => (await last()) === '您好，已经到货了。');
  assert.equal(await p.locator('.msg.bot').count(), 1);
  await p.locator('.bot-bar', { hasText: 'presale 接待中' }).waitFor();
  assert.equal(await p.locator('.bot-bar .btn').count(), 1, 'nothing to stop');
  clean(p);
});

test('stop ends it; if there was nothing left to stop, that is said', async () => {
  const { f, p, c } = await talk();
  f.delta(c, 'tn_1', 0, '很长的');
  f.answering = () => f.answer(c, '很长的', { bot: true, stream: 'tn_1', more: { cut: 'stopped' } });
  await p.locator('.bot-bar .btn', { hasText: '停止' }).click();
  await until('stopped', () => f.orders.includes('stop ' + c.id));
  await p.locator('.bot-bar', { hasText: '接待中' }).waitFor();
  f.answering = null;
  f.say('再问一次', 'Anna');
  await p.locator('.bot-bar .btn', { hasText: '停止' }).click();
  await p.locator('.toast', { hasText: '现在没有' }).waitFor();
  clean(p);
});

test('the visitor writes on: what was begun is gone, the new answer grows', async () => {
  const { f, p, c, last } = await talk();
  f.delta(c, 'tn_1', 0, 'old');
  await until('begun', async () => (await p.locator('.msg.bot').count()) === 1);
  f.say('等等', 'Anna');
  await until('gone', async () => (await p.locator('.msg.bot').count()) === 0);
  f.delta(c, 'tn_2', 0, 'new');
  f.delta(c, 'tn_3', 0, 'newest');
  await until('one answer at a time', async () => (await p.locator('.msg.bot').count()) === 1 && (await last()) === 'newest');
  clean(p);
});

test('taken over in the middle of a word; handed back with a click; to another by the dialog', async () => {
  const { f, p, c, me } = await talk({ locale: 'en' });
  f.delta(c, 'tn_1', 0, 'half an ans');
  await until('begun', async () => (await p.locator('.msg.bot').count()) === 1);
  await p.locator('.bot-bar .btn', { hasText: 'Take over' }).click();
  await until('mine', () => c.assignee === me.id);
  await until('the half answer is gone', async () => (await p.locator('.msg.bot, .bot-bar').count()) === 0);
  f.answer(c, 'the assistant cannot be reached (HTTP 503)', { who: { role: 'system', id: '' }, private: true, more: { handover: 'the assistant cannot be reached (HTTP 503)' } });
  f.answer(c, '1. wants a parcel\n2. nothing promised', { who: { role: 'bot', id: '' }, private: true, more: { summary: true } });
  await p.locator('.left-behind.handover', { hasText: 'Handed over' }).waitFor();
  await p.locator('.left-behind', { hasText: 'Summary1. wants a parcel' }).waitFor();
  await p.locator('.thread-head .btn', { hasText: 'Hand back' }).click();
  await until('the bot has it', () => c.state === 'bot' && c.assistant === 'presale');
  await p.locator('.bot-bar').waitFor();
  await p.locator('.bot-bar .btn', { hasText: 'Take over' }).click();
  await until('mine again', () => c.assignee === me.id);
  await p.locator('.thread-head .btn', { hasText: 'Transfer' }).click();
  await p.locator('.pick', { hasText: 'backup' }).click();
  await p.locator('dialog .btn.primary').click();
  await until('the other bot has it', () => c.state === 'bot' && c.assistant === 'backup');
  clean(p);
});

test('a translated message keeps what was really said', async () => {
  const { f, p, c } = await talk();
  const who = { role: 'visitor', id: c.contact, name: 'Anna' };
  f.answer(c, '我的包裹在哪？', { who, more: { original: 'Where is my parcel?', language: 'en' } });
  await p.locator('.original .link', { hasText: '英语' }).click();
  await p.locator('.original p', { hasText: 'Where is my parcel?' }).waitFor();
  assert.equal(await p.locator('.original').count(), 1);
  await p.locator('.original .link', { hasText: '收起原文' }).click();
  assert.equal(await p.locator('.original p').count(), 0);
  clean(p);
});

test('nobody is told of it, as in the real house: who looks on asks, and sees it grow', async () => {
  const { f, p, c, last } = await talk();
  f.said.set(c.id, { stream: 'tn_1', text: '您好，' });
  await until('it grows', async () => (await p.locator('.msg.bot').count()) === 1 && (await last()) === '您好，');
  f.said.set(c.id, { stream: 'tn_1', text: '您好，到货了' });
  await until('it grows on', async () => (await last()) === '您好，到货了');
  const list = f.messages.get(c.id);
  list.push({ id: 'm_x', seq: ++c.last_seq, kind: 'text', text: '您好，到货了。', sender: { role: 'bot', id: null, name: 'presale' }, at: Date.now(), stream: 'tn_1' });
  f.said.delete(c.id);
  await until('the final one', async () => (await last()) === '您好，到货了。' && (await p.locator('.msg.bot').count()) === 1);
  Object.assign(c, { state: 'queued' });
  await until('the bot gave it away', async () => (await p.locator('.bot-bar').count()) === 0);
  clean(p);
});

test('the house is told what is looked at; an older look does not undo what frames said', async () => {
  const { f, p, c, last } = await talk();
  await until('it is watched', () => f.watched === c.id);
  f.delta(c, 'tn_1', 0, '您好，');
  f.delta(c, 'tn_1', 1, '已经');
  f.said.set(c.id, { stream: 'tn_1', text: '您' });
  f.looked = 0;
  await until('it looks', () => f.looked > 0);
  f.delta(c, 'tn_1', 2, '到货。');
  await until('whole', async () => (await last()) === '您好，已经到货。');
  f.said.delete(c.id);
  await until('nothing comes of it', async () => (await p.locator('.msg.bot').count()) === 0);
  Object.assign(c, { state: 'queued' });
  await until('not any more', () => f.watched !== c.id);
  clean(p);
});

test('a look that was on its way when the first piece came does not undo it', async () => {
  const { f, p, c, last } = await talk();
  let comes;
  f.look = new Promise((yes) => (comes = yes));
  f.looked = 0;
  await until('it looks', () => f.looked > 0);
  f.delta(c, 'tn_1', 0, '您好，');
  await until('it grows', async () => (await p.locator('.msg.bot').count()) === 1);
  const late = p.waitForResponse((r) => r.url().endsWith('/answer'));
  comes();
  await late;
  f.delta(c, 'tn_1', 1, '到货了。');
  await until('whole', async () => (await last()) === '您好，到货了。');
  clean(p);
});

test('a tool that waits for an agent shows what it would do; a word is given once', async () => {
  const { f, p, c } = await talk({ locale: 'en' });
  const one = (id, more) => ({ id, conversation: c.id, turn: 'tn_1', state: 'pending', by: 'agent', decided_by: null, assistant: 'presale', tool: 'refund', call: { id: '1', name: 'refund', arguments: { order: 'A-17', amount: 50 } }, hash: 'h' + id, question: 'Refund 50 for A-17?', result: '', expires_at: Date.now() + 600_000, ...more });
  f.confirms.push(one('cf_1'), one('cf_2', { tool: 'cancel', by: 'visitor' }));
  const card = p.locator('.confirm[aria-label$=refund]');
  await card.waitFor();
  assert.match(await card.textContent(), /orderA-17amount50/);
  assert.equal(await p.locator('.confirm[aria-label$=cancel]').locator('button').count(), 0, 'that is for the visitor to say');
  await card.locator('.btn', { hasText: 'Approve' }).click();
  await until('approved', () => f.orders.includes('approve cf_1'));
  await until('gone', async () => (await card.count()) === 0);
  f.confirms.push(one('cf_3'));
  await card.waitFor();
  f.confirms[2].hash = 'another';
  await card.locator('.btn', { hasText: 'Deny' }).click();
  await p.locator('.toast.bad', { hasText: 'it has been decided' }).waitFor();
  clean(p);
});
