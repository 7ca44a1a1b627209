// SPDX-License-Identifier: Apache-2.0
// A platform that is down for a whole minute while several conversations go on:
// agents keep answering, what customers write waits at the platform. Afterwards
// each customer has seen every answer, once, in its order, and what they wrote is
// there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { start } from '../lib/load.mjs';
import { waits } from '../lib/until.mjs';

const DOWN_MS = 60_000;
const BACK_MS = 120_000; // the breaker's longest wait, then the queue
const TALKS = 6;
const EVERY_MS = 1500; // an answer in each conversation
const NAMES = ['telegram', 'http'];
const all = new Map(); // name -> { sim, channel, talks: [{user, id, said, wrote}] }
let server;
let house;

const until = waits(() => server.log, 10_000);
const each = (work) => Promise.all(NAMES.map((name) => work(all.get(name), name)));
const figures = (channel) => house.call('GET', `/api/v1/channels/${channel.id}`);

async function heard(id) {
  const list = [];
  for (let next = ''; next !== null; ) {
    const page = await house.call('GET', `/api/v1/conversations/${id}/messages?limit=100${next && '&after=' + encodeURIComponent(next)}`);
    list.push(...page.items);
    next = page.next;
  }
  return list.filter((m) => m.sender.role === 'visitor').map((m) => m.text);
}
async function answers(talk, text) {
  talk.said.push(text);
  await house.call('POST', `/api/v1/conversations/${talk.id}/messages`, { ref: `${talk.user} ${text}`, kind: 'text', text });
}
async function writes(sim, talk, text) {
  talk.wrote.push(text);
  const a = await sim.says(talk.user, text);
  assert.ok(a.taken, `${sim.name}: ${a.status} ${a.body}`);
}
/** Each customer writes, and gets a word: so we know whose conversation is whose. */
async function meet(one, name) {
  for (let n = 1; n <= TALKS; n++) {
    const user = name === 'telegram' ? `4300000${n}` : `oBEN${n}`;
    const talk = { user, said: [], wrote: [] };
    await writes(one.sim, talk, `hello ${n}`);
    talk.id = await until(() => `${name}: conversation ${n}`, async () => {
      const list = await house.call('GET', '/api/v1/conversations?limit=100');
      return list.items.find((c) => (c.channel?.id ?? c.channel) === one.channel.id && c.preview === `hello ${n}`)?.id;
    });
    one.talks.push(talk);
    await answers(talk, `to ${n}`);
  }
}

before(async () => {
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  for (const name of NAMES) {
    const sim = await start(name, { pace: 0.01 });
    sim.on('trouble', (e) => assert.fail(e));
    all.set(name, { sim, channel: await house.wire(sim), talks: [] });
  }
});
after(async () => {
  for (const { sim } of all.values()) await sim.close();
  await server?.end();
});

test('down for a minute under load: nothing lost, order kept, no duplicate', async () => {
  await each(meet);
  await each((one, name) => until(`${name}: the first words`, () => one.talks.every((t) => one.sim.texts(t.user).length === 1), 20_000));
  const tried = new Map();
  await each(({ sim }, name) => {
    tried.set(name, sim.count.calls);
    sim.faults.down = name === 'telegram' ? true : '502';
  });
  const written = each(({ sim, talks }) => Promise.all(talks.map((t) => writes(sim, t, 'are you there?'))));
  const up_at = Date.now() + DOWN_MS;
  for (let i = 0; Date.now() < up_at; i++) {
    await each(({ talks }) => Promise.all(talks.map((t) => answers(t, `a${i}`))));
    await sleep(EVERY_MS);
  }
  await each(async ({ sim, channel, talks }, name) => {
    assert.ok(sim.count.calls > tried.get(name), `${name}: it was tried meanwhile`);
    for (const t of talks) assert.equal(sim.texts(t.user).length, 1, `${name}: nothing got through`);
    const f = await figures(channel);
    assert.equal(f.waiting, talks.reduce((n, t) => n + t.said.length - 1, 0), name);
    assert.notEqual(f.breaker, 'closed', name);
    assert.equal(f.last_error.code, 'retry', name);
    sim.faults.down = false;
  });
  await written;
  await each((one, name) => until(() => `${name}: ${one.sim.shown.length} shown`, () => one.talks.every((t) => one.sim.texts(t.user).length >= t.said.length), BACK_MS));
  await each(async ({ sim, channel, talks }, name) => {
    for (const t of talks) {
      assert.deepEqual(sim.texts(t.user), t.said, `${name}: what ${t.user} has seen`);
      assert.deepEqual(await heard(t.id), t.wrote, `${name}: what ${t.user} wrote`);
    }
    const f = await until(() => `${name}: nothing waits`, async () => {
      const now = await figures(channel);
      return now.waiting === 0 && now;
    });
    assert.equal(f.breaker, 'closed', name);
  });
  assert.equal((await house.call('GET', '/api/v1/outbox?state=dead')).total, 0);
});
