// SPDX-License-Identifier: Apache-2.0
// The main job on the real program: two browsers, a rule, kill -9, a hot edit.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { House } from '../../../tests/sim-platforms/lib/house.mjs';
import { bubbles, clean, launch, openWidget, page, signIn, until, write } from '../e2e/lib.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

let browser;
let server;
let agent;
let visitor;
let chat;

before(async () => {
  server = await new Real().up();
  browser = await launch();
  agent = await page(browser);
  await signIn(agent, server.url, EMAIL, PASSWORD);
  visitor = await page(browser);
  chat = await openWidget(visitor, server.url);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

const own = async (scope) => (await bubbles(scope)).filter((x) => /^[va]\d+$/.test(x));
/** Only what people wrote; rules may add words of their own. */
const sees = (scope, text) => scope.locator('.msg .bubble-text', { hasText: new RegExp(`^${text}$`) }).waitFor();

test('你好 reaches the agent at once, the answer comes back, both are read', async () => {
  await write(chat, '你好');
  await chat.locator('.msg.out .tick-stored, .msg.out .tick-read').first().waitFor();
  await agent.locator('.conv').first().waitFor();
  await agent.locator('.conv').first().click();
  await sees(agent, '你好');
  await chat.locator('.msg.out .tick-read').first().waitFor();
  await write(agent, '您好');
  await sees(chat, '您好');
  await agent.locator('.msg.out .tick-read').first().waitFor();
  clean(agent, visitor);
});

test('kill -9 in mid-talk, three times: all back by themselves, nothing missing, nothing twice', async () => {
  const said = [];
  for (let round = 0; round < 3; round++) {
    const v = ['v' + round * 10, 'v' + (round * 10 + 1)];
    const a = ['a' + round * 10, 'a' + (round * 10 + 1)];
    await write(chat, v[0]);
    await write(agent, a[0]);
    await server.kill(); // whatever was in flight is in flight
    await write(chat, v[1]);
    await write(agent, a[1]);
    await new Promise((r) => setTimeout(r, 700 * round));
    await server.up();
    for (const x of v) await sees(agent, x);
    for (const x of a) await sees(chat, x);
    said.push(...v, ...a);
  }
  await until('all stored', async () => (await chat.locator('.tick-queued, .tick-sending').count()) + (await agent.locator('.tick-queued, .tick-sending').count()) === 0);
  await until('both sides say the same', async () => (await own(chat)).join() === (await own(agent)).join());
  const [one, two] = [await own(chat), await own(agent)];
  assert.deepEqual(one.slice().sort(), said.slice().sort(), 'the visitor: each once');
  assert.deepEqual(two, one, 'the same order on both sides');
  assert.equal(await chat.locator('.msg-failed').count(), 0);
  clean(agent, visitor);
});

test('after a reload the stored history says the same', async () => {
  const before = await own(chat);
  await agent.reload();
  await sees(agent, before.at(-1));
  await until('the agent', async () => (await own(agent)).join() === before.join());
  const again = await openWidget(visitor, server.url);
  await sees(again, before.at(-1));
  await until('the visitor', async () => (await own(again)).join() === before.join());
  chat = again;
  clean(agent, visitor);
});

function ruleFile() {
  const dir = join(server.home, 'scripts', 'rules');
  const name = readdirSync(dir).filter((f) => f.endsWith('.lua')).sort()[0];
  return join(dir, name);
}

test('a broken rule shows at file:line and changes nothing; mended, it is gone', async () => {
  const file = ruleFile();
  const good = readFileSync(file, 'utf8');
  await agent.locator('.rail a[href$=scripts]').click();
  await agent.locator('.row-item').first().waitFor();
  writeFileSync(file, good + '\nthis is not lua\n');
  const wrong = agent.locator('.script-errors li', { hasText: basename(file) });
  await wrong.first().waitFor();
  assert.match(await wrong.first().textContent(), /\.lua:\d+/);
  await agent.locator('.banner.bad').waitFor();
  await write(chat, 'v90');
  await chat.locator('.msg.out', { hasText: 'v90' }).locator('.tick-stored, .tick-read').waitFor();
  writeFileSync(file, good);
  await until('mended', async () => (await wrong.count()) === 0);
  await agent.locator('.rail a').first().click();
  await agent.locator('.conv').first().click();
  await sees(agent, 'v90');
  clean(agent, visitor);
});

test('a new rule is followed by the next message, and no socket dropped', async () => {
  let drops = 0;
  for (const p of [agent, visitor]) p.on('websocket', () => drops++);
  writeFileSync(
    join(server.home, 'scripts', 'rules', '10-e2e.lua'),
    `return {
  api = 1,
  priority = 10,
  match = { kind = "text", text = { "ping-rule" } },
  on_message = function(conv, msg)
    conv:reply "pong-rule"
  end,
}
`,
  );
  const house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  await until('it serves', async () => (await house.call('GET', '/api/v1/scripts?limit=100')).items.some((s) => s.name === 'rules/10-e2e' && s.state === 'serving'));
  // Another visitor: in a conversation that an agent holds no rule may speak.
  const other = await page(browser);
  const chat2 = await openWidget(other, server.url);
  await write(chat2, 'ping-rule');
  await sees(chat2, 'pong-rule');
  assert.equal(drops, 0, 'no socket was made anew');
  clean(agent, visitor, other);
});
