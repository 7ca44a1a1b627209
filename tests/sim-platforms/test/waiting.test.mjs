// SPDX-License-Identifier: Apache-2.0
// Thousands of conversations wait for a provider that says nothing: each is a
// small struct, others are answered as ever, and when it is given up all of
// them are in the queue with the reason.
//   WAITING=5000 node tests/sim-platforms/test/waiting.test.mjs
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { start } from '../lib/load.mjs';
import { waits } from '../lib/until.mjs';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const COUNT = Number(process.env.WAITING ?? 1000);
const AT_ONCE = 16;
const EACH_BYTES = /build.dev/.test(process.env.YUELAI_BIN ?? 'build/dev') ? 320 * 1024 : 48 * 1024; // ASan's takes its share
const RULES = `return { api = 1, priority = 1, match = { first = true }, on_message = function(conv, msg)
  return conv:assign { ai = msg.text:match "^use (%w+)" }
end }
`;
let server, house, shop, dead, well;

const until = waits(() => server.log, 60_000);
const rss = () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.proc.pid}/status`, 'utf8'))[1]) * 1024;
const made = (id) => house.call('GET', '/api/v1/assistants/' + id);
async function assistant(name, sim, more) {
  const a = await house.call('POST', '/api/v1/assistants', { name, type: 'openai', config: sim.config, ...more });
  await until(`${name} serves`, async () => (await made(a.id)).state === 'active');
  return a.id;
}
/** Until that one is answered, ms. */
async function answered(user) {
  const at = Date.now();
  await shop.says(user, 'use well 在吗');
  await until(`${user} is answered`, () => shop.texts(user).length > 0);
  return Date.now() - at;
}

before(async () => {
  const dev = join(ROOT, 'build', 'dev', 'yuelai');
  server = new Real(process.env.YUELAI_BIN ?? (existsSync(dev) ? dev : undefined));
  rmSync(join(server.home, 'scripts', 'rules'), { recursive: true });
  mkdirSync(join(server.home, 'scripts', 'rules'));
  writeFileSync(join(server.home, 'scripts', 'rules', '10-use.lua'), RULES);
  await server.up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  [shop, dead, well] = [await start('http'), await start('openai'), await start('openai')];
  await house.wire(shop);
});
after(async () => {
  for (const s of [dead, well, shop]) await s?.close();
  await server?.end();
});

test(`${COUNT} conversations wait for a dead provider: bounded memory, others undisturbed, then the queue with the reason`, async (t) => {
  dead.faults.always = 'silent';
  const id = await assistant('dead', dead, { limits: { at_once: AT_ONCE, patience: '10m' }, timeout: { first: '50s' } });
  await assistant('well', well);
  well.always = '在的。';
  await answered('first');
  const before_ = rss();
  const users = Array.from({ length: COUNT }, (_, i) => 'waits-' + i);
  const from = Date.now();
  for (let i = 0; i < COUNT; i += 100) {
    const some = users.slice(i, i + 100);
    for (const a of await Promise.all(some.map((u) => shop.says(u, 'use dead 在吗')))) assert.ok(a.taken, `${a.status} ${a.body}`);
  }
  await until('all of them wait', async () => (await made(id)).waiting === COUNT - AT_ONCE);
  t.diagnostic(`${COUNT} were there after ${Date.now() - from} ms`);
  assert.equal(dead.open, AT_ONCE); // no more calls than places
  const each = (rss() - before_) / COUNT;
  t.diagnostic(`memory: ${(before_ / 1e6).toFixed(1)} MB before, ${(rss() / 1e6).toFixed(1)} MB now, ${(each / 1024).toFixed(1)} kB each with its conversation`);
  assert.ok(each < EACH_BYTES, `${each} bytes each`);

  const took = [];
  for (let i = 0; i < 20; i++) took.push(await answered('other-' + i));
  took.sort((a, b) => a - b);
  t.diagnostic(`others are answered in ${took[10]} ms (median), ${took[19]} ms at most`);
  assert.ok(took[19] < 5000, `${took}`);

  const given_up = Date.now();
  await house.call('PATCH', '/api/v1/assistants/' + id, { enabled: false });
  await until('none waits', async () => (await made(id)).waiting === 0);
  await house.call('PATCH', '/api/v1/assistants/' + id, { enabled: true, timeout: { first: '200ms' } });
  await until('they are queued', async () => (await house.call('GET', '/api/v1/conversations?state=queued&limit=1')).total >= COUNT - AT_ONCE);
  t.diagnostic(`${COUNT - AT_ONCE} were in the queue ${Date.now() - given_up} ms after it was given up`);
  const page = await house.call('GET', '/api/v1/conversations?state=queued&limit=3');
  for (const c of page.items) {
    const said = (await house.call('GET', `/api/v1/conversations/${c.id}/messages?limit=10`)).items;
    assert.ok(said.some((m) => m.private && /cannot be reached|switched off/.test(m.text)), JSON.stringify(said));
  }
  await answered('last');
  assert.deepEqual(shop.texts('waits-1'), []); // nothing was said to who waits
});
