// SPDX-License-Identifier: Apache-2.0
// The house's pages: scripts, flows, what failed, channels, "why?", ticks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACME, canary, flow, script } from '../fake-house.mjs';
import { clean, page, signIn, toasted, until, useBrowser } from './lib.mjs';

const h = useBrowser();

async function at(f, path, o = {}) {
  const p = await page(h.browser, o);
  return signIn(p, f.url, o.email, undefined, path);
}
const yes = (p) => p.locator('dialog .dialog-foot .btn').last().click();
const ordered = (f, what) => until(what, () => f.orders.includes(what));

test('a script: both sides of a trial, promote after a question, then it serves', async () => {
  const f = await h.fake();
  f.scripts.push(script('rules/20-refund', { canary: canary(9) }));
  f.versions.set('rules/20-refund', [
    { script: 'rules/20-refund', version: '45b12d63a380', state: 'canary', since_at: Date.now(), until_at: null, note: JSON.stringify(canary()), sources: [{ name: 'rules/20-refund.lua', text: 'return {\n  api = 1,\n  canary = 20,\n}\n' }] },
    { script: 'rules/20-refund', version: '0acca1f229ec', state: 'serving', since_at: 1, until_at: null, note: '', sources: [{ name: 'rules/20-refund.lua', text: 'return {\n  api = 1,\n}\n' }] },
  ]);
  const p = await at(f, '/scripts');
  await p.locator('.row', { hasText: '20-refund' }).click();
  await p.locator('.trial .chip.bad').waitFor();
  assert.match(await p.locator('.trial tbody').textContent(), /9 \(9.0 %\)/);
  await p.locator('.trial .btn').first().click();
  await p.locator('.diff .new').waitFor();
  assert.equal(await p.locator('.diff .new span').textContent(), '  canary = 20,');
  assert.equal(await p.locator('.diff .gone').count(), 0);
  await p.keyboard.press('Escape');
  await p.locator('.trial .btn.primary').click();
  await p.locator('dialog').getByText('45b12d63a380').waitFor();
  await p.keyboard.press('Escape');
  await until('closed', async () => (await p.locator('dialog').count()) === 0);
  assert.deepEqual(f.orders, [], 'Escape is a no');
  await p.locator('.trial .btn.primary').click();
  await yes(p);
  await ordered(f, 'promote rules/20-refund');
  await until('no trial', async () => (await p.locator('.trial').count()) === 0);
  clean(p);
});

test('a script: errors with traceback, roll back to a version, off and on; a refusal is told', async () => {
  const f = await h.fake();
  f.scripts.push(
    script('rules/shop/pay', { state: 'last_good', failures: 3, errors: [{ phase: 'test', file: 'scripts/rules/shop/pay.lua', line: 7, message: 'no such field', traceback: 'stack traceback:\n\tpay.lua:7', count: 3, first_at: 1, last_at: Date.now() }] }),
  );
  f.versions.set('rules/shop/pay', [
    { script: 'rules/shop/pay', version: '0acca1f229ec', state: 'serving', since_at: 2, until_at: null, note: '' },
    { script: 'rules/shop/pay', version: '111111111111', state: 'old', since_at: 1, until_at: 2, note: 'was good' },
  ]);
  const p = await at(f, '/scripts/rules/shop/pay');
  await p.locator('.troubles summary').click();
  await p.getByText('pay.lua:7').last().waitFor();
  await p.locator('.versions li', { hasText: '111111111111' }).locator('.btn').last().click();
  await yes(p);
  await ordered(f, 'rollback rules/shop/pay 111111111111');
  await p.locator('.state', { hasText: '已回退' }).waitFor();
  await p.locator('.page-do .btn', { hasText: '停用' }).click();
  await yes(p);
  await p.locator('.page-do .btn', { hasText: '启用' }).click();
  await ordered(f, 'enable rules/shop/pay');
  f.refuseOrder = 'rules/shop/pay.lua:7: no such field';
  await p.locator('.page-do .btn', { hasText: '重新加载' }).click();
  await toasted(p, 'no such field', true);
  clean(p);
});

test('flows: filters, one with its saga and steps, cancel, and the way to the conversation', async () => {
  const f = await h.fake();
  const c = f.say('退款', 'Anna');
  f.flows.push(flow(c.id), flow(null, { id: 'fl_2', state: 'done', view: {}, log: [] }));
  const p = await at(f, '/flows', { locale: 'en' });
  await until('both', async () => (await p.locator('.row').count()) === 2);
  await p.locator('.filters select').first().selectOption('waiting');
  await until('one', async () => (await p.locator('.row').count()) === 1);
  await p.locator('.row', { hasText: 'Waits up to 30 min' }).click();
  await p.locator('.saga li', { hasText: 'the bank said no' }).waitFor();
  assert.match(await p.locator('.timeline').textContent(), /A-17[\s\S]*no_money: the bank said no/);
  await p.locator('.page-do .btn', { hasText: 'Cancel' }).click();
  await yes(p);
  await ordered(f, 'cancel fl_1');
  await p.locator('.page-do .chip', { hasText: 'Cancelled' }).waitFor();
  await p.locator('.page-do a').click();
  await p.locator('.msg .bubble-text', { hasText: '退款' }).waitFor();
  clean(p);
});

const letter = (f, n, more = {}) => ({ id: 'dl_' + n, created_at: Date.now(), conversation: null, message: null, hook: 'on_message', script: 'rules/a', reason: 'reason ' + n, data: {}, runs: 0, ...more });

test('dead letters: words of the message, run one, run what is picked, delete after a question', async () => {
  const f = await h.fake();
  const c = f.say('我的话', 'Anna');
  const m = f.messages.get(c.id)[0];
  f.deads.push(letter(f, 1, { conversation: c.id, message: m.id }), letter(f, 2), letter(f, 3, { stays: true }), letter(f, 4));
  const p = await at(f, '/failed');
  await p.locator('.letter-text', { hasText: '我的话' }).waitFor();
  await p.locator('.rail-item .badge', { hasText: '4' }).waitFor();
  await p.locator('.letter', { hasText: 'reason 1' }).locator('.btn').first().click();
  await ordered(f, 'run dl_1');
  await until('three', async () => (await p.locator('.letter').count()) === 3);
  for (const n of [2, 3]) await p.locator('.letter', { hasText: 'reason ' + n }).locator('input').check();
  await p.locator('.pick-bar .btn').first().click();
  await ordered(f, 'run dl_2');
  await toasted(p, 'does not wait', true);
  assert.ok(!f.orders.includes('run dl_4'), 'only what was picked');
  await p.locator('.letter', { hasText: 'reason 4' }).locator('.btn').last().click();
  await yes(p);
  await ordered(f, 'drop dl_4');
  await until('the one that stays', async () => (await p.locator('.letter').count()) === 1);
  clean(p);
});

const out = (c, m, more = {}) => ({ id: 'ob_1', message: m.id, conversation: c.id, channel: 'ch_2', contact: c.contact, seq: m.seq, state: 'dead', attempts: 3, to: 'Bob', reason: 'bad word', due_at: 0, created_at: Date.now(), updated_at: Date.now(), ...more });

test('a platform refuses a message: the thread says why, send again, then it is delivered', async () => {
  const f = await h.fake();
  const me = [...f.agents.values()][0];
  const c = f.say('hi', 'Bob');
  Object.assign(c, { channel_type: 'acme', channel: 'ch_2' });
  f.answer(c, 'so bad', { by: me });
  const m = f.messages.get(c.id)[1];
  const p = await at(f, '/c/' + c.id);
  await p.locator('.msg.out .tick-stored').waitFor();
  f.outbox.push(out(c, m));
  f.status(c, m.seq, 'failed', 'bad word');
  await p.locator('.msg-failed', { hasText: 'bad word' }).waitFor();
  await p.locator('.msg-failed .link').click();
  await ordered(f, 'resend ob_1');
  await p.locator('.msg.out .tick-sending').waitFor();
  f.status(c, m.seq, 'sent');
  await p.locator('.msg.out .tick-stored').waitFor();
  f.status(c, m.seq, 'delivered');
  await p.locator('.msg.out .tick-delivered').waitFor();
  clean(p);
});

test('what was not sent stays said after a reload, and on its own page', async () => {
  const f = await h.fake();
  const c = f.say('hi', 'Bob');
  Object.assign(c, { channel_type: 'acme', channel: 'ch_2' });
  f.answer(c, 'so bad');
  f.outbox.push(out(c, f.messages.get(c.id)[1]));
  const p = await at(f, '/c/' + c.id);
  await p.locator('.msg-failed', { hasText: 'bad word' }).waitFor();
  await p.locator('.rail a[href$=failed]').click();
  await p.locator('[data-key=unsent]').click();
  await p.locator('.letter', { hasText: 'so bad' }).locator('.btn').click();
  await ordered(f, 'resend ob_1');
  await p.locator('.empty').waitFor();
  clean(p);
});

test('why? is asked of a message: rules, time, what was refused, what came of it; agents have no such button', async () => {
  const f = await h.fake();
  const c = f.say('hi', 'Bob');
  const m = f.messages.get(c.id)[0];
  f.traces.set(m.id, {
    state: 'queued',
    jobs: [{
      hook: 'on_message', at: m.at + 4, took_ms: 1, decided_by: 'rules/90', kept_by: 'presale', late: true,
      hops: [{ unit: 'rules/30', version: '5a2a', at: m.at + 4, us: 65, wall_us: 65, outcome: 'failed', error: 'rules/30.lua:4: kaputt' }, { unit: 'rules/90', version: 'e927', at: m.at + 4, us: 29, wall_us: 29, outcome: 'decided' }],
      effects: [{ type: 'reply', unit: 'rules/90', text: 'hello' }, { type: 'assign', unit: 'rules/90', pick: 'least_busy', refused: 'an agent holds it' }],
    }],
    caused: [{ event: 'message.created', at: m.at + 7, data: { id: 'm2', seq: 2, kind: 'text', text: 'hello', sender: { role: 'bot', id: null }, at: m.at + 7 } }],
    delivery: { to: 'agent', holder: null, read: false, sockets: 0, why_not: 'the conversation waits' },
  });
  const p = await at(f, '/c/' + c.id, { locale: 'en' });
  await p.locator('.msg').first().hover();
  await p.locator('.why').first().click();
  await p.locator('.why-line .refused', { hasText: 'an agent holds it' }).waitFor();
  const text = await p.locator('.why-line').textContent();
  assert.match(text, /Stored[\s\S]*Late[\s\S]*rules\/30[\s\S]*65 µs[\s\S]*kaputt[\s\S]*decided[\s\S]*answer cache of presale[\s\S]*hello[\s\S]*waits in the queue/);
  await p.keyboard.press('Escape');
  await until('focus is back', () => p.evaluate(() => document.activeElement?.className.includes('why')));
  const q = await at(f, '/c/' + c.id, { email: 'qiang@yuelai.local' });
  await q.locator('.msg').first().waitFor();
  assert.equal(await q.locator('.why').count(), 0);
  assert.equal(await q.locator('.rail-item').count(), 2);
  clean(p, q);
});

test('a new adapter appears without a reload; its form checks, creates, keeps secrets', async () => {
  const f = await h.fake();
  const p = await at(f, '/channels');
  await p.locator('.page-do a').click();
  await p.locator('.type').first().waitFor();
  assert.equal(await p.locator('.type').count(), 1);
  f.types.push(ACME); // the file is dropped in
  await p.locator('.type', { hasText: '阿克米' }).click();
  await p.locator('.settings [type=submit]').click();
  await until('told', async () => (await p.locator('.field-wrong', { hasText: '请填写' }).count()) === 2);
  await until('the first is focused', () => p.evaluate(() => document.activeElement?.id === 'set-url'));
  await p.fill('#set-url', 'nonsense');
  await p.fill('#set-key', 'top-secret');
  await p.locator('.settings [type=submit]').click();
  await p.locator('.field-wrong', { hasText: 'is no address' }).waitFor();
  await p.fill('#set-url', 'https://x');
  await p.selectOption('#set-mode', 'safe');
  await p.fill('#channel-name', '阿克米店');
  await p.keyboard.press('Enter');
  await p.locator('h1', { hasText: '阿克米店' }).waitFor();
  assert.deepEqual(f.channels[1].config, { url: 'https://x', key: 'top-secret', mode: 'safe' });
  assert.equal(await p.locator('.copy-text').first().textContent(), f.url + '/hooks/ch_2');
  assert.ok(!(await p.content()).includes('top-secret'));
  await p.fill('#set-size', '5');
  await p.locator('.settings [type=submit]').click();
  await ordered(f, 'patch {"name":"阿克米店","config":{"size":5}}');
  clean(p);
});

test('a channel: the test says what is wrong, off and on, deleted after a question; supervisors only look', async () => {
  const f = await h.fake();
  f.types.push(ACME);
  f.channels.push({ id: 'ch_2', type: 'acme', name: 'Acme', enabled: true, state: 'active', webhook_url: '/hooks/ch_2', config: { url: 'https://x', key: 'k' }, created_at: 1, updated_at: 1 });
  f.scripts.push(script('channels/acme', { errors: [{ phase: 'run', file: 'channels/acme.lua', line: 9, message: 'nil value', last_at: Date.now() }] }));
  [...f.agents.values()][1].role = 'supervisor';
  const q = await at(f, '/channels/ch_2', { email: 'qiang@yuelai.local' });
  await q.locator('#set-url').waitFor();
  assert.ok(await q.locator('#set-url').isDisabled());
  assert.equal(await q.locator('.page-do .btn, .settings [type=submit]').count(), 0);
  const p = await at(f, '/channels');
  await p.locator('.row-wrong', { hasText: 'channels/acme.lua:9: nil value' }).waitFor();
  await p.locator('.row', { hasText: 'Acme' }).click();
  f.check = { ok: false, code: 'unauthorized', why: 'the key is unknown' };
  await p.locator('.page-do .btn', { hasText: '测试' }).click();
  await p.locator('.note-line.bad', { hasText: 'the key is unknown' }).waitFor();
  f.check = { ok: true };
  await p.locator('.page-do .btn', { hasText: '测试' }).click();
  await p.locator('.note-line.ok').waitFor();
  await p.locator('.page-do .btn', { hasText: '停用' }).click();
  await yes(p);
  await ordered(f, 'patch {"enabled":false}');
  await p.locator('.page-do .btn', { hasText: '启用' }).click();
  await ordered(f, 'patch {"enabled":true}');
  await p.locator('.btn.danger').click();
  await yes(p);
  await until('one left', async () => (await p.locator('.row').count()) === 1);
  assert.equal(f.channels.length, 1);
  clean(p, q);
});

test('a channel tells how it does: last in and out, what waits, its breaker, its last error in words; fresh without a reload', async () => {
  const f = await h.fake();
  f.types.push(ACME);
  const now = Date.now();
  f.channels.push({ id: 'ch_2', type: 'acme', name: 'Acme', enabled: true, state: 'active', webhook_url: '/hooks/ch_2', config: { url: 'https://x', key: 'k' }, created_at: 1, updated_at: 1, kinds: ['text'], breaker: 'closed', waiting: 0, oldest_waiting_at: null, last_in_at: now, last_out_at: null, last_error: null });
  const p = await at(f, '/channels', { locale: 'en' });
  const row = p.locator('.row-item', { hasText: 'Acme' });
  await row.waitFor();
  assert.match(await row.textContent(), /in \d\d:\d\d/);
  assert.equal(await row.locator('.row-wrong, .chip.bad').count(), 0);
  Object.assign(f.channels[1], { breaker: 'open', waiting: 7, oldest_waiting_at: now, last_error: { code: 'unavailable', text: 'HTTP 502', at: now } });
  await row.locator('.row-wrong', { hasText: 'The platform is down (HTTP 502)' }).waitFor();
  await row.locator('.chip.bad', { hasText: 'Breaker open' }).waitFor();
  assert.match(await row.textContent(), /7 to be sent/);
  await row.locator('.row').click();
  await p.locator('.note-line.bad', { hasText: "The platform's last error: The platform is down (HTTP 502)" }).waitFor();
  await p.locator('.note-line.bad', { hasText: 'go on by themselves' }).waitFor();
  assert.match(await p.locator('.facts').first().textContent(), /Last outNot since the start.*7 \(since/);
  await p.fill('#set-url', 'half-typed');
  Object.assign(f.channels[1], { breaker: 'closed', waiting: 0, last_error: null, last_out_at: now, rejected: { code: 'unauthorized', text: 'webhook: 401 bad signature', at: now, count: 3 } });
  await until('well again', async () => (await p.locator('.note-line').count()) === 0);
  await p.locator('.card .field-help', { hasText: /Webhooks refused: 3, the last at \d\d:\d\d: webhook: 401 bad signature/ }).waitFor();
  assert.equal(await p.inputValue('#set-url'), 'half-typed', 'fresh figures leave the form alone');
  clean(p);
});

test('what a platform could not show is said under the message', async () => {
  const f = await h.fake();
  const me = [...f.agents.values()][0];
  const c = f.say('hi', 'Bob');
  Object.assign(c, { channel_type: 'acme', channel: 'ch_2' });
  f.answer(c, 'a card', { by: me });
  const p = await at(f, '/c/' + c.id);
  await p.locator('.msg.out').waitFor();
  f.event('message.status', c.id, { seq: 2, status: 'sent', outbox: 'ob_1', shown: { kind: 'card', as: 'text', why: 'the platform shows no card' } });
  await p.locator('.msg-shown', { hasText: '平台不能显示卡片，客户看到的是文字' }).waitFor();
  f.status(c, 2, 'delivered');
  await p.locator('.msg.out .tick-delivered').waitFor();
  assert.equal(await p.locator('.msg-shown').count(), 1, 'it stays said');
  clean(p);
});

test('a page whose first answer fails says so and comes back by itself or by a click', async () => {
  const f = await h.fake();
  const p = await at(f, '/');
  f.restFails = true;
  await p.locator('.rail a[href$=flows]').click();
  await p.locator('.empty[role=alert]').waitFor();
  await p.evaluate(() => Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })); // nothing comes by itself
  f.restFails = false;
  f.flows.push(flow(null));
  await p.locator('.empty .btn').click();
  await p.locator('.row').waitFor();
  f.restFails = true;
  await p.locator('.rail a[href$=channels]').click();
  await p.locator('.empty[role=alert]').waitFor();
  await p.evaluate(() => delete document.visibilityState);
  f.restFails = false;
  await p.locator('.row').waitFor();
  clean(p);
});
