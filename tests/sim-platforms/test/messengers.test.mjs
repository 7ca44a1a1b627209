// SPDX-License-Identifier: Apache-2.0
// Files through the adapters of messengers and of the generic HTTP channel, on
// the real program: what a customer sends is what the agent opens, byte by
// byte, and back; 30 MB pass without standing in memory; what cannot be had is
// a text that says so; nothing is uploaded or said twice.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { start } from '../lib/load.mjs';
import { mp4, ogg, pdf, png } from '../lib/media.mjs';
import { waits } from '../lib/until.mjs';

const LOOK_MS = 90_000;
const MB = 1 << 20;
/** Where the server is said to be; LINE fetches by https alone. */
const PUBLIC = 'https://shop.example';
const reach = (url) => url.replace(PUBLIC, server.url);
/** What each takes from customers, as the simulator calls it; what agents' kinds
 * are shown as; nameless: kinds whose name the platform does not tell. */
const PLATFORMS = {
  http: { from: ['image', 'file', 'audio', 'video'], shows: { image: 'image', file: 'file', audio: 'audio', video: 'video' }, nameless: [], busy: 503, given: { reach } },
  telegram: { from: ['image', 'file', 'voice', 'video'], shows: { image: 'photo', file: 'document', audio: 'voice', video: 'video' }, nameless: ['image'], busy: 502, once: true },
  whatsapp: { from: ['image', 'file', 'voice', 'video'], shows: { image: 'image', file: 'document', audio: 'audio', video: 'video' }, nameless: ['image', 'audio', 'video'], busy: 131000, once: true },
  slack: { from: ['image', 'file', 'audio', 'video'], shows: { image: 'file', file: 'file', audio: 'file', video: 'file' }, nameless: [], busy: 'internal_error' },
  line: { from: ['image', 'file', 'video'], shows: { image: 'image' }, links: ['file'], nameless: ['image', 'video'], busy: 500, given: { reach } },
};
const NAMES = Object.keys(PLATFORMS);
const KIND = { image: 'image', voice: 'audio', audio: 'audio', video: 'video', file: 'file' };
const MADE = { image: () => png(16, 9, shade++), audio: () => ogg(shade++), video: () => mp4(400 + shade++), file: () => pdf('no ' + shade++) };
const MIME = { image: 'image/png', audio: 'audio/ogg', video: 'video/mp4', file: 'application/pdf' };
const ENDING = { image: 'png', audio: 'ogg', video: 'mp4', file: 'pdf' };
let shade = 1;
let server;
let house;
const all = new Map();

const until = waits(() => server.log, LOOK_MS);
const each = (work) => Promise.all(NAMES.map((n) => work(all.get(n), n, PLATFORMS[n])));
async function heard(one) {
  const page = await house.call('GET', `/api/v1/conversations/${one.talk}/messages?limit=100`);
  return page.items.filter((m) => m.sender.role === 'visitor');
}
async function says(one, name, message) {
  const before = (await heard(one)).length;
  const a = await one.sim.says(undefined, message);
  assert.ok(a.taken, `${name}: ${a.status} ${a.body}`);
  return (await until(`${name}: ${message.type} is heard`, async () => {
    const list = await heard(one);
    return list.length > before && list;
  })).at(-1);
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
const same = (got, want, what) => assert.ok(got?.equals(want), `${what}: other bytes: ${got?.length} instead of ${want.length}`);
let ref = 0;
const answer = (one, body) => house.call('POST', `/api/v1/conversations/${one.talk}/messages`, { ref: 'r' + ++ref, ...body });
const shown = (one, name, count) => until(`${name}: ${count} are shown (${JSON.stringify(one.sim.refused.slice(-2))})`, () => one.sim.shown.length >= count && one.sim.shown);

before(async () => {
  process.env.YUELAI_PUBLIC_URL = PUBLIC;
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  await Promise.all(NAMES.map(async (name) => {
    const sim = await start(name, { pace: 0.01, ...PLATFORMS[name].given });
    sim.on('trouble', (e) => assert.fail(e));
    const channel = await house.wire(sim);
    all.set(name, { sim, channel });
    assert.ok((await sim.says(undefined, 'hello')).taken, name);
    all.get(name).talk = await until(`${name}: the conversation`, async () => (await house.call('GET', '/api/v1/conversations?limit=100')).items.find((c) => (c.channel?.id ?? c.channel) === channel.id)?.id);
  }));
});
after(async () => {
  for (const { sim } of all.values()) await sim.close();
  await server?.end();
});

test('what a customer sends is what the agent opens, byte by byte', async () => {
  await each(async (one, name, p) => {
    for (const type of p.from) {
      const kind = KIND[type];
      const data = MADE[kind]();
      const m = await says(one, name, { type, name: `photo 猫.${ENDING[kind]}`, mime: MIME[kind], data });
      assert.equal(m.kind, kind, `${name} ${type}: ${m.text}`);
      same(await bytes_of(m.file.id), data, `${name}: ${type}`);
      assert.equal(m.file.mime, MIME[kind], `${name}: ${type}`);
      if (!p.nameless.includes(kind)) assert.equal(m.file.name, `photo 猫.${ENDING[kind]}`, name);
    }
  });
});

test('what an agent sends is what the customer gets, byte by byte', async () => {
  await each(async (one, name, p) => {
    for (const [kind, type] of Object.entries(p.shows)) {
      const count = one.sim.shown.length;
      const data = MADE[kind]();
      await answer(one, { kind, file: await upload(`quote 猫.${ENDING[kind]}`, MIME[kind], data) });
      const m = (await shown(one, name, count + 1)).at(-1);
      assert.equal(m.kind, type, name);
      same(one.sim.media.get(m.file)?.data, data, `${name}: ${kind}`);
    }
    for (const kind of p.links ?? []) {
      const count = one.sim.shown.length;
      const data = MADE[kind]();
      await answer(one, { kind, file: await upload(`quote.${ENDING[kind]}`, MIME[kind], data) });
      const m = (await shown(one, name, count + 1)).at(-1);
      assert.equal(m.kind, 'text', name);
      const res = await fetch(reach(/https:\S+/.exec(m.text)[0]));
      same(Buffer.from(await res.arrayBuffer()), data, `${name}: ${kind} by its link`);
    }
  });
});

test('the same file again, and after a failure: said once, uploaded once where it has an id there', async () => {
  await each(async (one, name, p) => {
    const file = await upload('once.png', 'image/png', png(12, 12, shade++));
    const [uploads, count] = [one.sim.count.uploads ?? 0, one.sim.shown.length];
    one.sim.faults.errors = [p.busy];
    for (let i = 0; i < 2; i++) await answer(one, { kind: 'image', file });
    await shown(one, name, count + 2);
    if (p.once) assert.equal(one.sim.count.uploads, uploads + 1, name);
    assert.equal(one.sim.shown.length, count + 2, name);
  });
});

test('a file that cannot be had for a while comes after all; one that is gone is a text that says so', async () => {
  await each(async (one, name, p) => {
    const data = png(7, 7, shade++);
    one.sim.faults.media = 1;
    const m = await says(one, name, { type: p.from[0], name: 'late.png', mime: 'image/png', data });
    assert.ok(m.file, `${name}: ${m.text}`);
    same(await bytes_of(m.file.id), data, name);
    const gone = await says(one, name, { type: p.from[0], name: 'gone.png', mime: 'image/png', gone: true });
    assert.equal(gone.kind, 'text', name);
    assert.match(gone.text, /^\[(图片|文件)\]/, name);
    one.sim.refused.splice(0);
  });
});

/** Of the server, in bytes: what it holds itself (mapped files are the disk's). */
function held() {
  const line = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.proc.pid}/status`, 'utf8'));
  return Number(line[1]) * 1024;
}
const is_sanitized = () => readFileSync(server.bin).includes('__asan_init');

test('30 MB, both ways: not one byte other, and never in memory', async () => {
  const one = all.get('http');
  const data = Buffer.alloc(30 * MB);
  for (let i = 0; i < data.length; i += 4) data.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
  await upload('warm.bin', 'application/octet-stream', data.subarray(0, MB)); // what is made once
  const before_it = held();
  await house.call('PATCH', '/api/v1/channels/' + one.channel.id, { config: { ...one.sim.config, files: 'upload' } });
  let most = 0;
  const watch = setInterval(() => (most = Math.max(most, held() - before_it)), 5);
  try {
    const m = await says(one, 'http', { type: 'file', name: 'big.bin', mime: 'application/octet-stream', data });
    assert.equal(m.file?.size, data.length, m.text);
    const count = one.sim.shown.length;
    await answer(one, { kind: 'file', file: m.file.id });
    const got = (await shown(one, 'http', count + 1)).at(-1);
    same(one.sim.media.get(got.file)?.data, data, '30 MB out');
    same(await bytes_of(m.file.id), data, '30 MB in');
  } finally {
    clearInterval(watch);
  }
  console.log(`# 30 MB in, out and read: ${(most / MB).toFixed(1)} MB more at most`);
  if (!is_sanitized()) assert.ok(most < 12 * MB, `${most} bytes more`);
});

test('after all of it nobody has a complaint', () => {
  for (const [name, { sim }] of all) {
    assert.deepEqual(sim.refused.filter((r) => !/planned/.test(r.why)), [], name);
    assert.deepEqual(sim.lost, [], name);
  }
});
