// SPDX-License-Identifier: Apache-2.0
// Our adapters against every platform's simulator, on the real program: forged
// and repeated callbacks, a platform that is down under load, tokens that end,
// answers that are lost, adapters that change meanwhile. Nothing may be lost,
// said twice or said in another order. One server and one house for all.
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { platforms, start } from '../lib/load.mjs';
import { waits } from '../lib/until.mjs';

const LOOK_MS = 60_000;
const CUSTOMERS = 3;
const NAMES = platforms();
/** Whose access tokens end and are bought anew. */
const BUYS_TOKENS = ['wechat', 'weapp', 'wecom', 'douyin', 'feishu', 'dingtalk'];
/** Which know a message that comes again after its answer was lost. */
const KNOWS_AGAIN = ['wecom', 'feishu', 'line', 'http'];
let server;
let house;
const all = new Map(); // name -> { sim, channel, talks: [{user, id}] }

const until = waits(() => server.log, LOOK_MS);
const each = (names, work) => Promise.all(names.map((n) => work(all.get(n), n)));

/** People of a platform; ids as the platform makes them. */
function user_of(name, n) {
  const ids = { telegram: `42000000${n}`, whatsapp: `86138000000${n}`, line: `U${String(n).repeat(32)}`, slack: `UANNA${n}`, wecom: `wmANNA${n}`, feishu: `ou_anna${n}` };
  return ids[name] ?? `oANNA${n}`;
}
async function messages_of(id) {
  const list = [];
  for (let next = ''; next !== null; ) {
    const page = await house.call('GET', `/api/v1/conversations/${id}/messages?limit=100${next && '&after=' + encodeURIComponent(next)}`);
    list.push(...page.items);
    next = page.next;
  }
  return list;
}
const heard = async (id) => (await messages_of(id)).filter((m) => m.sender.role === 'visitor').map((m) => m.text);
async function talks_of(channel) {
  const list = [];
  for (let offset = 0; ; offset += 100) {
    const page = await house.call('GET', `/api/v1/conversations?limit=100&offset=${offset}`);
    list.push(...page.items);
    if (page.items.length < 100) break;
  }
  return list.filter((c) => (c.channel?.id ?? c.channel) === channel.id);
}
let sent = 0;
async function answers(talk, count) {
  for (let i = 0; i < count; i++) {
    const text = `a${++sent}`;
    talk.said.push(text);
    await house.call('POST', `/api/v1/conversations/${talk.id}/messages`, { ref: 'r' + sent, kind: 'text', text });
  }
}
/** All customers write once more: their windows are open, their quotas whole. */
async function all_write(names) {
  await each(names, ({ sim, talks }, name) => Promise.all(talks.map(async (t) => {
    const before = (await heard(t.id)).length;
    const a = await sim.says(t.user, 'and?');
    assert.ok(a.taken, `${name}: ${a.status} ${a.body}`);
    await until(`${name}: heard`, async () => (await heard(t.id)).length > before);
  })));
}
/** Each customer has seen exactly what was said to them, in that order. */
async function all_seen({ sim, talks }, name) {
  await until(`${name}: all answers are there (${sim.shown.length} of ${talks.reduce((n, t) => n + t.said.length, 0)}; ${JSON.stringify(sim.refused.slice(-2))})`, () => talks.every((t) => sim.texts(t.user).length >= t.said.length));
  for (const t of talks) assert.deepEqual(sim.texts(t.user), t.said, `${name}: ${t.user}`);
}

before(async () => {
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  for (const name of NAMES) {
    const sim = await start(name, { pace: 0.01, per_message: 1e6, per_window: 1e6 });
    sim.on('trouble', (e) => assert.fail(e));
    all.set(name, { sim, channel: await house.wire(sim), talks: [] });
  }
});
after(async () => {
  for (const { sim } of all.values()) await sim.close();
  await server?.end();
});

test('each proves its address, and its settings are good', async () => {
  await each(NAMES, async ({ sim, channel }, name) => {
    assert.equal(await sim.verify(), true, name);
    const check = await house.call('POST', `/api/v1/channels/${channel.id}/check`, {});
    assert.equal(check.ok, true, `${name}: ${JSON.stringify(check)}`);
  });
});

test('a forged callback: 401, counted, nothing stored', async () => {
  for (const [name, { sim, channel }] of all) {
    const before = await house.metric('yuelai_hooks_refused_total');
    sim.faults.forge = 1;
    const a = await sim.says(user_of(name, 9), 'forged');
    assert.equal(a.status, 401, name);
    assert.ok((await house.metric('yuelai_hooks_refused_total')) > before, name);
    assert.equal((await talks_of(channel)).length, 0, name);
    const reason = `channel="${channel.id}",type="${name}",reason="unauthorized"`;
    assert.equal(await house.metric('yuelai_channel_refused_total', reason), 1, name);
    const told = await house.call('GET', `/api/v1/channels/${channel.id}`);
    assert.equal(told.rejected.code, 'unauthorized', name);
    assert.equal(told.last_error, null, `${name}: a stranger's forgery is no trouble of the channel`);
  }
});

test('customers write; what is pushed again is stored once', async () => {
  await each(NAMES, async (one, name) => {
    for (let n = 1; n <= CUSTOMERS; n++) {
      const user = user_of(name, n);
      const a = await one.sim.says(user, 'hello', `Anna ${n}`);
      assert.ok(a.taken, `${name}: ${a.status} ${a.body}`);
      for (let i = 0; i < 2; i++) assert.ok((await one.sim.again(a.id)).taken, name);
    }
    const talks = await until(`${name}: the conversations`, async () => {
      const list = await talks_of(one.channel);
      return list.length >= CUSTOMERS && list;
    });
    assert.equal(talks.length, CUSTOMERS, name);
    for (const t of talks) {
      await until(`${name}: hello`, async () => (await heard(t.id)).length);
      assert.deepEqual(await heard(t.id), ['hello'], name);
    }
    // Whose is which: each gets a word, and the simulator says who saw it.
    for (const t of talks) {
      const said = [`to ${t.id}`];
      await house.call('POST', `/api/v1/conversations/${t.id}/messages`, { ref: t.id, kind: 'text', text: said[0] });
      const seen = await until(`${name}: ${said[0]}`, () => one.sim.shown.find((m) => m.text.includes(said[0])));
      one.talks.push({ id: t.id, user: seen.user, said: one.sim.texts(seen.user) });
    }
    assert.equal(new Set(one.talks.map((t) => t.user)).size, CUSTOMERS, name);
  });
});

test('the platform is down under load: nothing lost, nothing twice, in order', async () => {
  await each(NAMES, async (one, name) => {
    one.sim.faults.down = one.talks.length % 2 ? true : '502';
    const calls = one.sim.count.calls;
    await Promise.all(one.talks.map((t) => answers(t, 4)));
    await until(`${name}: it was tried`, () => one.sim.count.calls > calls);
    one.sim.faults.down = false;
  });
  await each(NAMES, all_seen);
  await each(NAMES, async ({ channel }, name) => {
    const of = (family) => house.metric('yuelai_channel_' + family, `channel="${channel.id}"`);
    // The platform shows a message before its answer is on our disk.
    await until(`${name}: what was taken is counted`, async () => (await of('sent_total')) === (await of('out_total')));
    assert.ok((await of('retries_total')) > 0 && (await of('send_seconds_count')) > 0, name);
    assert.equal((await of('waiting')) + (await of('dead_total')) + (await of('breaker')), 0, name);
    assert.ok((await of('in_total')) >= CUSTOMERS, name);
  });
});

test('tokens end in the middle of it', async () => {
  await all_write(BUYS_TOKENS);
  all.get('dingtalk').sim.sessions.clear(); // or no token is wanted at all
  await each(BUYS_TOKENS, async (one, name) => {
    const bought = one.sim.count.tokens;
    const shown = one.sim.count.shown;
    const going = Promise.all(one.talks.map((t) => answers(t, 3)));
    await until('the first of them', () => one.sim.count.shown > shown);
    one.sim.expire();
    await going;
    await all_seen(one, name);
    one.sim.expire(name !== 'douyin');
    await Promise.all(one.talks.map((t) => answers(t, 1)));
    await all_seen(one, name);
    assert.ok(one.sim.count.tokens >= bought + 1, name);
  });
});

test('an answer that is lost on its way: the message is not said again', async () => {
  await all_write(KNOWS_AGAIN); // LINE: the first goes by a reply token
  await each(KNOWS_AGAIN, async (one) => {
    one.sim.faults.lose_answers = 1;
    await answers(one.talks[0], 2);
  });
  await each(KNOWS_AGAIN, all_seen);
});

test('too many calls a second: they wait for their turn', async () => {
  const names = ['telegram', 'slack', 'feishu', 'http'];
  await each(names, async (one) => {
    one.sim.faults.per_s = 5;
    await Promise.all(one.talks.map((t) => answers(t, 2)));
  });
  await each(names, async (one, name) => {
    await all_seen(one, name);
    one.sim.faults.per_s = 0;
  });
});

test('an adapter changes while customers write: each message is there, once', async () => {
  await each(NAMES, async (one, name) => {
    const said = one.talks.map(() => []);
    const heard_before = await Promise.all(one.talks.map((t) => heard(t.id)));
    for (let i = 0; i < 12; i++) {
      if (i === 4) appendFileSync(join(server.home, 'channels', name, 'adapter.lua'), `-- changed at ${i}\n`);
      await Promise.all(one.talks.map(async (t, k) => {
        const text = `w${i}`;
        said[k].push(text);
        const a = await one.sim.says(t.user, text);
        assert.ok(a.taken, `${name}: ${a.status} ${a.body}`);
      }));
      await sleep(60); // so that the change falls among them
    }
    for (const [k, t] of one.talks.entries()) {
      const want = [...heard_before[k], ...said[k]];
      await until(`${name}: all ${want.length}`, async () => (await heard(t.id)).length >= want.length);
      assert.deepEqual(await heard(t.id), want, name);
    }
    await answers(one.talks[0], 1);
    await all_seen(one, name);
  });
  const scripts = (await house.call('GET', '/api/v1/scripts?limit=100')).items;
  for (const name of NAMES) assert.deepEqual(scripts.find((s) => s.name === `channels/${name}`)?.errors ?? [], [], name);
});

test('after all of it nobody has a complaint', () => {
  for (const [name, { sim }] of all) {
    const stale = /msgid duplicated|token|credential|InvalidAuthentication|access_token|planned/;
    assert.deepEqual(sim.refused.filter((r) => !stale.test(r.why) && !/too many|frequency|retry after|ratelimited/i.test(r.why)), [], name);
    assert.deepEqual(sim.lost.filter((l) => !l.forged), [], name);
  }
});
