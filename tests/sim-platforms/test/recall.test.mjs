// SPDX-License-Identifier: Apache-2.0
// Taken back through the adapters, on the real program: what an agent takes back
// is gone on the platform, also in all its pieces and after the platform was
// down; what a customer takes back there is gone here. And what staff says in the
// platform's own app stands here, once, until it is taken back there.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { start } from '../lib/load.mjs';
import { waits } from '../lib/until.mjs';

const LOOK_MS = 90_000;
/** How the customer's message is named when they take it back; what "busy" is. */
const PLATFORMS = {
  telegram: { busy: 502 },
  slack: { busy: 'internal_error', back: (sim, said) => sim.says(undefined, { type: 'recall', id: said.ts }) },
  wecom: { busy: -1, given: { per_message: 50 }, back: (sim, said) => sim.says(undefined, { type: 'recall', id: said.id }) },
  douyin: { busy: 2100004, given: { per_window: 50 }, back: (sim, said) => sim.says(undefined, { type: 'recall', id: said.id }) },
  feishu: { busy: 230020, back: (sim, said) => sim.recalls(sim.settings.customer, said.message) },
};
const all = new Map();
let server;
let house;

const until = waits(() => server.log, LOOK_MS);
const each = (work) => Promise.all([...all].map(([name, one]) => work(one, name, PLATFORMS[name])));
const page = async (one) => (await house.call('GET', `/api/v1/conversations/${one.talk}/messages?limit=100`)).items;
const answer = (one, text) => house.call('POST', `/api/v1/conversations/${one.talk}/messages`, { text });
const recall = (one, m) => house.call('POST', `/api/v1/conversations/${one.talk}/messages/${m.id}/recall`, {});
const sent = (one, name, m) => until(`${name}: it is sent (${JSON.stringify(one.sim.refused.slice(-2))})`, async () => (await page(one)).find((x) => x.id === m.id)?.delivery?.status === 'sent');

before(async () => {
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  await Promise.all(Object.keys(PLATFORMS).map(async (name) => {
    const sim = await start(name, { pace: 0.01, ...PLATFORMS[name].given });
    sim.on('trouble', (e) => assert.fail(e));
    const channel = await house.wire(sim);
    const one = { sim, said: await sim.says(undefined, 'a secret of mine') };
    assert.ok(one.said.taken, name);
    one.talk = await until(`${name}: the conversation`, async () => (await house.call('GET', '/api/v1/conversations?limit=100')).items.find((c) => (c.channel?.id ?? c.channel) === channel.id)?.id);
    all.set(name, one);
  }));
});
after(async () => {
  for (const { sim } of all.values()) await sim.close();
  await server?.end();
});

test('what an agent takes back is gone on the platform, in all its pieces', async () => {
  await each(async (one, name) => {
    for (const text of ['wrong window', '长'.repeat(5400)]) {
      const m = await answer(one, text);
      await sent(one, name, m);
      const pieces = one.sim.shown.filter((x) => !x.gone);
      assert.equal(pieces.map((x) => x.text).join(''), text, name);
      const left = await recall(one, m);
      assert.equal(left.recalled, true, name);
      assert.equal(left.text, undefined, name);
      await until(`${name}: all pieces are gone`, () => pieces.every((x) => x.gone));
    }
    assert.deepEqual(one.sim.refused, [], name);
  });
});

test('a platform that is down for a moment loses it a little later', async () => {
  await each(async (one, name, p) => {
    const m = await answer(one, 'again');
    await sent(one, name, m);
    const it = one.sim.shown.at(-1);
    one.sim.faults.errors = [p.busy];
    await recall(one, m);
    await until(`${name}: it is gone`, () => it.gone);
    const rows = (await house.call('GET', `/api/v1/outbox?conversation=${one.talk}&limit=100`)).items;
    assert.equal(rows.filter((r) => r.act === 'recall' && r.state === 'dead').length, 0, name);
  });
});

test('what a customer takes back there is gone here', async () => {
  await each(async (one, name, p) => {
    if (!p.back) return;
    assert.ok((await p.back(one.sim, one.said)).taken, name);
    const m = await until(`${name}: it is gone`, async () => (await page(one)).find((x) => x.sender.role === 'visitor' && x.recalled));
    assert.equal(m.text, undefined, name);
    assert.equal(m.recalled_by.role, 'visitor', name);
  });
});

test("what staff says in the platform's app stands here once, is not sent, and is gone when it is taken back there", async () => {
  await each(async (one, name) => {
    if (!one.sim.staff) return;
    const before = one.sim.shown.length;
    const said = await one.sim.staff('by phone');
    assert.ok(said.taken, name);
    const m = await until(`${name}: it is here`, async () => (await page(one)).find((x) => x.text === 'by phone'));
    assert.deepEqual([m.sender.role, m.sender.id, m.outside], ['agent', null, true], name);
    assert.ok(m.sender.name, name);
    // What is said from here comes back as an echo: by the mark of our app, or by its id alone.
    const ours = await answer(one, 'from here');
    await sent(one, name, ours);
    if (name === 'douyin') {
      const id = one.sim.shown.at(-1).id;
      for (const source of [one.sim.settings.client_key, '']) assert.ok((await one.sim.staff('from here', source, undefined, id)).taken);
    }
    assert.ok((await one.sim.staff_recalls(said.id)).taken, name);
    const gone = await until(`${name}: it is gone`, async () => (await page(one)).find((x) => x.id === m.id && x.recalled));
    assert.equal(gone.text, undefined, name);
    assert.equal((await page(one)).filter((x) => x.text === 'from here').length, 1, name);
    assert.deepEqual(one.sim.shown.slice(before).map((x) => x.text), ['from here'], name);
  });
});
