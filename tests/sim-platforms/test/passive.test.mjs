// SPDX-License-Identifier: Apache-2.0
// Answers inside of a push: an official account's first answer goes in the push that
// waits for it, what is too late by a customer service message; an account that
// has none of these waits for its customer's next word. Connections that are gone
// and a house that is killed meanwhile lose nothing and say nothing twice.
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { start } from '../lib/load.mjs';
import { waits } from '../lib/until.mjs';

const RULE = `return { api = 1, priority = 1, match = { text = { "quick", "twice", "[菜单] ORDERS" } }, on_message = function(conv, msg)
  conv:reply("at once: " .. msg.text)
  if msg.text == "twice" then conv:reply "and again" end
end }
`;
let server, house;
const sims = [];

const until = waits(() => server.log, 20_000);
async function account(more) {
  const n = sims.length;
  const sim = await start('wechat', { reply_mode: 'auto', appid: 'wx5e1f00d0000000b' + n, pace: 0.05, ...more });
  sims.push(sim);
  sim.channel = await house.wire(sim, 'account ' + n);
  return sim;
}
const seen = (sim, user) => sim.shown.filter((m) => m.user === user).map((m) => [m.text, !!m.passive]);
async function talk_of(sim, preview) {
  return until(`a conversation with ${preview}`, async () => {
    const list = await house.call('GET', '/api/v1/conversations?limit=100');
    return list.items.find((c) => (c.channel?.id ?? c.channel) === sim.channel.id && c.preview === preview)?.id;
  });
}
const answers = (id, text) => house.call('POST', `/api/v1/conversations/${id}/messages`, { kind: 'text', text });
const words = async (id) => (await house.call('GET', `/api/v1/conversations/${id}/messages?limit=100`)).items.filter((m) => m.sender.role === 'visitor').map((m) => m.text);
const held = () => house.metric('yuelai_hooks_held');
const is_held = (n = 1) => until(`${n} pushes wait`, async () => (await held()) === n);

before(async () => {
  server = new Real();
  rmSync(join(server.home, 'scripts', 'rules'), { recursive: true, force: true });
  mkdirSync(join(server.home, 'scripts', 'rules'), { recursive: true });
  writeFileSync(join(server.home, 'scripts', 'rules', '10-quick.lua'), RULE);
  await server.up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
});
after(async () => {
  for (const s of sims) await s.close();
  await server?.end();
});

test('a rule answers in the push, plain, compatible and sealed, XML and JSON; the second message is sent', async () => {
  for (const mode of ['plain', 'compatible', 'safe']) {
    for (const format of ['xml', 'json']) {
      const s = await account({ mode, format });
      s.on('notice', (u, words) => assert.fail(`${mode} ${format}: ${words}`));
      const a = await s.says('oA', 'quick');
      assert.deepEqual([a.taken, a.tries, a.reply?.Content], [true, 1, 'at once: quick'], `${mode} ${format}`);
      assert.equal(s.count.tokens, 0, 'no call of ours');
      await s.says('oA', 'twice');
      await until('the second', () => seen(s, 'oA').length === 3);
      assert.deepEqual(seen(s, 'oA'), [['at once: quick', true], ['at once: twice', true], ['and again', false]]);
    }
  }
});

test('an agent within four seconds answers in the push; later, by customer service; service: never in it', async () => {
  const s = await account({});
  const pushed = s.says('oA', 'hello');
  const id = await talk_of(s, 'hello');
  await is_held();
  await answers(id, 'in time');
  assert.equal((await pushed).reply.Content, 'in time');
  const from = Date.now();
  const late = await s.says('oA', 'and now?');
  const took = Date.now() - from;
  assert.deepEqual([late.taken, late.tries, late.body], [true, 1, 'success']);
  assert.ok(took > 3500, `${took} ms`); // and one try: before WeChat gave up
  await answers(id, 'too late');
  await until('it is sent', () => seen(s, 'oA').length === 2);
  assert.deepEqual(seen(s, 'oA'), [['in time', true], ['too late', false]]);
  const other = await account({ reply_mode: 'service' });
  assert.equal((await other.says('oA', 'quick')).body, 'success');
  await until('it is sent', () => seen(other, 'oA').length === 1);
  assert.deepEqual(seen(other, 'oA'), [['at once: quick', false]]);
});

test('an account without customer service messages: what is late waits for the next word', async () => {
  const s = await account({ service: false });
  assert.equal((await s.says('oA', 'quick')).reply.Content, 'at once: quick');
  const id = await talk_of(s, 'at once: quick');
  await answers(id, 'late');
  await until('it was tried', async () => (await house.call('GET', `/api/v1/channels/${s.channel.id}`)).last_error?.message?.includes('48001') ?? JSON.stringify(await house.call('GET', `/api/v1/channels/${s.channel.id}`)).includes('48001'));
  assert.equal((await s.says('oA', 'are you there?')).reply.Content, 'late');
  assert.deepEqual(seen(s, 'oA'), [['at once: quick', true], ['late', true]]);
  assert.equal((await house.call('GET', '/api/v1/outbox?state=dead')).total, 0);
});

test('the menu of the settings is set once, changed, told when it is wrong, and taken away; a click is answered', async () => {
  const button = [{ type: 'click', name: '订单', key: 'ORDERS' }, { name: '更多', sub_button: [{ type: 'view', name: '官网', url: 'https://shop.example.com' }] }];
  const s = await account({ menu: JSON.stringify(button) });
  await until('the menu is there', () => s.menu);
  assert.deepEqual(s.menu.button.map((b) => [b.name, b.key ?? b.sub_button.map((x) => x.url)]), [['订单', 'ORDERS'], ['更多', ['https://shop.example.com']]]);
  assert.equal((await s.taps('oA', '订单')).reply.Content, 'at once: [菜单] ORDERS');
  assert.equal((await s.taps('oA', '官网')).body, 'success');
  const set = async (menu) => house.call('PATCH', `/api/v1/channels/${s.channel.id}`, { config: { menu } });
  const trouble = async () => JSON.stringify((await house.call('GET', `/api/v1/channels/${s.channel.id}`)).last_error ?? {});
  const check = async () => house.call('POST', `/api/v1/channels/${s.channel.id}/check`);
  await set(JSON.stringify({ button: [{ type: 'click', name: '退款', key: 'REFUND' }] }));
  await until('it is changed', () => s.menu.button[0].name === '退款');
  await set('');
  await until('it is taken away', () => !s.menu);
  await set('[{"type":"click","name":"没有键"}]');
  await until('it is told', async () => (await trouble()).includes('has no key'));
  assert.ok(JSON.stringify(await check().catch((e) => e.message)).includes('has no key'));
  assert.equal(s.count.menus, 2); // and each of them once
  assert.deepEqual(s.refused, []);
});

test('a connection that is gone before the answer: nothing lost, nothing twice', async () => {
  const s = await account({});
  s.faults.hang_up = 3;
  const pushed = s.says('oA', 'cut off');
  const id = await talk_of(s, 'cut off');
  const last = await pushed;
  assert.deepEqual([last.taken, last.tries], [false, 3]);
  await answers(id, 'answer');
  await until('it is sent', () => seen(s, 'oA').length === 1);
  assert.deepEqual(seen(s, 'oA'), [['answer', false]]);
  assert.deepEqual(await words(id), ['cut off']);
  // The first try is cut, the second gets it.
  const repeats = await house.metric('yuelai_channel_repeats_total');
  s.faults.hang_up = 1;
  const again = s.says('oA', 'once more');
  await until('it is there', async () => (await words(id)).includes('once more'));
  await until('it came again', async () => (await house.metric('yuelai_channel_repeats_total')) > repeats);
  await answers(id, 'to the repeated push');
  assert.deepEqual([(await again).tries, (await again).reply?.Content], [2, 'to the repeated push']);
  assert.deepEqual([seen(s, 'oA'), await words(id)], [[['answer', false], ['to the repeated push', true]], ['cut off', 'once more']]);
});

test('killed while pushes wait: the push comes again, its word is there once, the answer goes out once', async () => {
  const s = await account({});
  const pushed = s.says('oA', 'before the end');
  const id = await talk_of(s, 'before the end');
  await is_held();
  await server.kill();
  await server.up();
  const lost = await Promise.race([pushed, is_held().then(() => null)]); // or WeChat has given up meanwhile
  const again = lost ? s.again(lost.id) : pushed;
  await is_held();
  await answers(id, 'after it');
  assert.equal((await again).reply.Content, 'after it');
  assert.deepEqual([seen(s, 'oA'), await words(id)], [[['after it', true]], ['before the end']]);
});

// Holds as long as a webhook can, so that the count does not hang on the machine's pace.
const HOLDS = `local json = require "json"
return { api = 1, schema = {},
  receive = function(req, ctx)
    local m = json.decode(req.body)
    ctx.deliver { from = m.from, dedupe = m.from, kind = "text", text = m.from, hold = "15s" }
    return 200, "nothing yet"
  end,
  passive = function(item) return { body = item.text } end,
  send = function(item) return { sent = item.id } end,
}
`;

test('more pushes than may wait: those beyond are answered at once, none is lost, and a place that is free is taken', async () => {
  await server.kill();
  writeFileSync(join(server.home, 'channels', 'holds.lua'), HOLDS);
  process.env.YUELAI_HELD_ANSWERS = '2';
  try {
    await server.up();
  } finally {
    delete process.env.YUELAI_HELD_ANSWERS;
  }
  const channel = await until('the type is there', () => house.call('POST', '/api/v1/channels', { type: 'holds', name: 'Holds' }).catch(() => null));
  const post = (from) => fetch(`${server.url}/hooks/${channel.id}`, { method: 'POST', body: JSON.stringify({ from }) }).then((r) => r.text());
  const of = (from) => talk_of({ channel }, from);
  const first = [post('h1'), post('h2')];
  await is_held(2);
  const beyond = await house.metric('yuelai_hooks_not_held_total');
  assert.equal(await post('h3'), 'nothing yet');
  assert.equal(await house.metric('yuelai_hooks_not_held_total'), beyond + 1);
  assert.equal(await held(), 2);
  assert.deepEqual(await words(await of('h3')), ['h3']); // it is here all the same
  await answers(await of('h1'), 'one');
  assert.equal(await first[0], 'one');
  await is_held(1);
  const next = post('h4');
  await is_held(2);
  await answers(await of('h4'), 'four');
  await answers(await of('h2'), 'two');
  assert.deepEqual([await next, await first[1]], ['four', 'two']);
});

test('a stop answers the pushes that wait at once', async () => {
  const s = await account({});
  const pushed = s.says('oA', 'goodbye');
  await talk_of(s, 'goodbye');
  await is_held();
  const from = Date.now();
  const gone = new Promise((ok) => server.proc.once('exit', ok));
  server.proc.kill('SIGTERM');
  const a = await pushed;
  assert.deepEqual([a.taken, a.body], [true, 'success']);
  assert.equal(await gone, 0);
  assert.ok(Date.now() - from < 3000, `${Date.now() - from} ms`);
});
