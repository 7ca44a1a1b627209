// SPDX-License-Identifier: Apache-2.0
// Files through our adapters, on the real program: what a customer sends is
// what the agent opens, byte by byte, and back; tokens that end in between, the
// platform's files that fail for a while or for good; nothing is uploaded or
// said twice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { start } from '../lib/load.mjs';
import { amr, mp4, ogg, pdf, png } from '../lib/media.mjs';
import { waits } from '../lib/until.mjs';

const LOOK_MS = 90_000;
/** What each takes from customers and shows them, as the simulator calls it; how it
 * names what a message shows; what it knows of kinds that it does not take. */
const PLATFORMS = {
  wechat: { nameless: ['image', 'video'], from: ['image', 'voice', 'video'], shows: { image: 'image', audio: 'voice', video: 'video' }, file_of: (m) => m.body.media_id },
  wecom: { from: ['image', 'voice', 'video', 'file'], shows: { image: 'image', audio: 'voice', video: 'video', file: 'file' }, file_of: (m) => m.body.media_id },
  feishu: { audio: ['ogg', 'audio/ogg', ogg], nameless: [], from: ['image', 'audio', 'media', 'file'], shows: { image: 'image', audio: 'audio', video: 'media', file: 'file' }, file_of: (m) => m.body.image_key ?? m.body.file_key, busy: 230020 },
  douyin: { nameless: ['image', 'video'], from: ['user_local_image', 'user_local_video'], shows: { image: 'image' }, file_of: (m) => m.body.media_id, busy: 2100004 },
  dingtalk: { nameless: ['image', 'audio', 'video'], from: ['image', 'audio', 'video', 'file'], shows: { image: 'image', file: 'file' }, file_of: (m) => m.body.photoURL ?? m.body.mediaId, busy: 'ServiceUnavailable' },
  weapp: { nameless: ['image'], from: ['image'], shows: { image: 'image' }, file_of: (m) => m.body.media_id },
};
const NAMES = Object.keys(PLATFORMS);
const KIND = { user_local_image: 'image', user_local_video: 'video', image: 'image', picture: 'image', voice: 'audio', audio: 'audio', video: 'video', media: 'video', file: 'file' };
/** A new file of a kind as that platform takes it: [its ending, its type, its bytes]. */
function made(name, kind) {
  const [ending, mime, make] = (kind === 'audio' && PLATFORMS[name].audio) || [ENDING[kind], MIME[kind], MADE[kind]];
  return [ending, mime, make(300 + shade++)];
}
const MADE = { image: () => png(16, 9, shade++), audio: () => amr(320 + shade++), video: () => mp4(400 + shade++), file: () => pdf('no ' + shade++) };
const MIME = { image: 'image/png', audio: 'audio/amr', video: 'video/mp4', file: 'application/pdf' };
const ENDING = { image: 'png', audio: 'amr', video: 'mp4', file: 'pdf' };
let shade = 1;
let server;
let house;
const all = new Map();

const until = waits(() => server.log, LOOK_MS);
const each = (work, names = NAMES) => Promise.all(names.map((n) => work(all.get(n), n)));
const messages = async (one) => (one.talk ? (await house.call('GET', `/api/v1/conversations/${one.talk}/messages?limit=100`)).items : []);
/** The customer's messages after the first `skip`, once there are `count`. */
async function heard(one, name, count) {
  return until(`${name}: ${count} messages`, async () => {
    const list = (await messages(one)).filter((m) => m.sender.role === 'visitor');
    return list.length >= count && list;
  });
}
async function says(one, name, message) {
  const before = (await messages(one)).filter((m) => m.sender.role === 'visitor').length;
  const a = await one.sim.says(one.sim.settings.customer, message);
  assert.ok(a.taken, `${name}: ${a.status} ${a.body}`);
  return (await heard(one, name, before + 1)).at(-1);
}
async function bytes_of(id) {
  const file = await house.call('GET', '/api/v1/files/' + id);
  const res = await fetch(new URL(file.url, server.url));
  assert.equal(res.status, 200);
  return Buffer.from(await res.arrayBuffer());
}
async function upload(name, mime, data) {
  const form = new FormData();
  form.append('file', new File([data], name, { type: mime }));
  const res = await fetch(server.url + '/api/v1/files', { method: 'POST', headers: { authorization: 'Bearer ' + house.token }, body: form });
  assert.equal(res.status, 201, await res.clone().text());
  return (await res.json()).id;
}
const same = (got, want, what) => assert.ok(got.equals(want), `${what}: other bytes: ${got.length} ${got.subarray(0, 60).toString('latin1')} instead of ${want.length} ${want.subarray(0, 60).toString('latin1')}`);
let ref = 0;
const answer = (one, body) => house.call('POST', `/api/v1/conversations/${one.talk}/messages`, { ref: 'r' + ++ref, ...body });
const shown = (one, name, count) => until(`${name}: ${count} are shown (${JSON.stringify(one.sim.refused.slice(-2))})`, () => one.sim.shown.length >= count && one.sim.shown);

before(async () => {
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  await Promise.all(NAMES.map(async (name) => {
    const sim = await start(name, { pace: 0.01, per_message: 1e6, per_window: 1e6 });
    sim.on('trouble', (e) => assert.fail(e));
    const channel = await house.wire(sim);
    const one = { sim, channel };
    all.set(name, one);
    assert.ok((await sim.says(undefined, 'hello')).taken, name);
    one.talk = await until(`${name}: the conversation`, async () => (await house.call('GET', '/api/v1/conversations?limit=100')).items.find((c) => (c.channel?.id ?? c.channel) === channel.id)?.id);
  }));
});
after(async () => {
  for (const { sim } of all.values()) await sim.close();
  await server?.end();
});

test('what a customer sends is what the agent opens, byte by byte', async () => {
  await each(async (one, name) => {
    for (const type of PLATFORMS[name].from) {
      const kind = KIND[type];
      const [ending, mime, data] = made(name, kind);
      const m = await says(one, name, { type, name: `photo 猫.${ending}`, mime, data });
      assert.equal(m.kind, kind, `${name} ${type}: ${m.text}`);
      same(await bytes_of(m.file.id), data, `${name}: ${type}`);
      if (!PLATFORMS[name].nameless?.includes(kind)) assert.equal(m.file.name, `photo 猫.${ending}`, name);
    }
  });
});

test('what an agent sends is what the platform gets, byte by byte; what it does not take is a link or fails', async () => {
  await each(async (one, name) => {
    for (const [kind, type] of Object.entries(PLATFORMS[name].shows)) {
      const count = one.sim.shown.length;
      const [ending, mime, data] = made(name, kind);
      const file = await upload(`quote 猫.${ending}`, mime, data);
      await answer(one, { kind, file });
      const m = (await shown(one, name, count + 1)).at(-1);
      assert.equal(m.kind, type, name);
      same(one.sim.media.get(PLATFORMS[name].file_of(m)).data, data, `${name}: ${kind}`);
    }
  });
});

test('a token that ends in between is bought anew, in both directions', async () => {
  await each(async (one, name) => {
    const data = png(9, 9, shade++);
    one.sim.expire();
    // Only the media call: WeChat's own link of a picture needs no token.
    const m = await says(one, name, { type: PLATFORMS[name].from[0], name: 'a.png', mime: 'image/png', data, link: '' });
    assert.ok(m.file, `${name}: ${m.text}`);
    same(await bytes_of(m.file.id), data, `${name} ${JSON.stringify(m)}`);
    one.sim.expire();
    const count = one.sim.shown.length;
    await answer(one, { kind: 'image', file: await upload('b.png', 'image/png', png(9, 9, shade++)) });
    await shown(one, name, count + 1);
  });
});

test('the same file to several messages, and after a failure: uploaded once, said once', async () => {
  await each(async (one, name) => {
    const file = await upload('once.png', 'image/png', png(12, 12, shade++));
    const [uploads, count] = [one.sim.count.uploads, one.sim.shown.length];
    one.sim.faults.errors = [PLATFORMS[name].busy ?? -1];
    for (let i = 0; i < 2; i++) await answer(one, { kind: 'image', file });
    await shown(one, name, count + 2);
    assert.equal(one.sim.count.uploads, uploads + 1, name);
    assert.equal(one.sim.shown.length, count + 2, name);
  });
});

test('a file that cannot be had for a while comes after all; one that is gone is a text that says so', async () => {
  await each(async (one, name) => {
    const data = png(7, 7, shade++);
    one.sim.faults.media = 1;
    const m = await says(one, name, { type: PLATFORMS[name].from[0], name: 'late.png', mime: 'image/png', data, link: '' });
    assert.ok(m.file, `${name}: ${m.text}`);
    same(await bytes_of(m.file.id), data, `${name} ${JSON.stringify(m)}`);
    const gone = await says(one, name, { type: PLATFORMS[name].from[0], name: 'gone.png', mime: 'image/png', data, link: '', gone: true });
    assert.equal(gone.kind, 'text', name);
    assert.match(gone.text, /^\[(图片|文件)\]/, name);
  });
});

test('19 MB both ways: past the scripts, byte by byte', async () => {
  const one = all.get('wecom');
  const data = Buffer.concat([pdf('large'), Buffer.alloc(19 << 20, 'wecom')]);
  const m = await says(one, 'wecom', { type: 'file', name: 'large.pdf', mime: 'application/pdf', data });
  assert.ok(m.file, m.text);
  same(await bytes_of(m.file.id), data, 'in');
  const count = one.sim.shown.length;
  await answer(one, { kind: 'file', file: await upload('large.pdf', 'application/pdf', data) });
  const got = (await shown(one, 'wecom', count + 1)).at(-1);
  assert.equal(got.kind, 'file');
  same(one.sim.media.get(got.body.media_id).data, data, 'out');
});

test('a platform that is slow, and whose token is over: the push is answered in time all the same', async () => {
  await each(async (one, name) => {
    const data = png(6, 6, shade++);
    one.sim.expire();
    one.sim.faults.slow_ms = 5000;
    const began = Date.now();
    const before = (await messages(one)).filter((m) => m.sender.role === 'visitor').length;
    const a = await one.sim.says(one.sim.settings.customer, { type: PLATFORMS[name].from[0], name: 'slow.png', mime: 'image/png', data, link: '' });
    assert.deepEqual([a.taken, a.tries], [true, 1], `${name}: ${a.status} ${a.body}`);
    assert.ok(Date.now() - began < 3500, `${name}: ${Date.now() - began} ms`);
    one.sim.faults.slow_ms = 0;
    const m = (await heard(one, name, before + 1)).at(-1);
    assert.ok(m.file, `${name}: ${m.text}`);
    same(await bytes_of(m.file.id), data, name);
  });
});

test('after all of it nobody has a complaint', () => {
  for (const [name, { sim }] of all) {
    assert.deepEqual(sim.refused.filter((r) => !/token|credential|planned|system (error|busy)|InvalidAuthentication/.test(`${r.why} ${r.what}`)), [], name);
    assert.deepEqual(sim.lost, [], name);
  }
});
