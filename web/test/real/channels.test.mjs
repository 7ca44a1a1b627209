// SPDX-License-Identifier: Apache-2.0
// Each channel from end to end on the real program: a customer writes on the
// platform (its simulator), a rule routes by the channel, an agent answers in the
// console, the customer reads it on the platform. One server, one browser.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { House } from '../../../tests/sim-platforms/lib/house.mjs';
import { platforms, start } from '../../../tests/sim-platforms/lib/load.mjs';
import { clean, launch, page, signIn, until, write } from '../e2e/lib.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

const sims = [];
let browser;
let server;
let house;
let p;

before(async () => {
  server = await new Real().up();
  writeFileSync(join(server.home, 'scripts', 'rules', '10-by-channel.lua'), `return {
  api = 1,
  priority = 10,
  match = { first = true },
  on_message = function(conv)
    conv:tag("from-" .. conv.channel.type)
  end,
}
`);
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  await until('the rule serves', async () => (await house.call('GET', '/api/v1/scripts?limit=100')).items.some((s) => s.name === 'rules/10-by-channel' && s.state !== 'broken'));
  browser = await launch();
  p = await page(browser);
  await signIn(p, server.url, EMAIL, PASSWORD);
});

after(async () => {
  await browser?.close();
  for (const s of sims) await s.close();
  await server?.end();
});

for (const name of platforms()) {
  test(`${name}: written on the platform, answered in the console, read on the platform`, async () => {
    const sim = await start(name, { pace: 0.01 });
    sims.push(sim);
    const channel = await house.wire(sim, `店 ${name}`);
    assert.equal(await sim.verify(), true);
    const question = `这件 ${name} 还有货吗？`;
    const a = await sim.says(undefined, question, '小安');
    assert.ok(a.taken, `${a.status} ${a.body}`);
    await p.locator('.conv', { hasText: question }).click();
    await p.mouse.move(700, 400); // a list under the pointer stands still
    await p.locator('.msg.left', { hasText: question }).first().waitFor();
    await p.locator('.details, aside', { hasText: `店 ${name}` }).first().waitFor(); // a channel newer than the page
    await p.locator('.tag, .chip', { hasText: `from-${name}` }).first().waitFor();
    const answer = `有的，${name} 今天发货 <3 & "好"`;
    await write(p, answer);
    await until('it is on the platform', () => sim.texts().includes(answer));
    await p.locator('.msg.out', { hasText: answer }).locator('.tick-stored, .tick-read, .tick-delivered').first().waitFor();
    assert.deepEqual(sim.texts(), [answer]);
    assert.deepEqual([sim.refused, sim.lost], [[], []]);
    const talks = (await house.call('GET', '/api/v1/conversations?limit=100')).items.filter((c) => (c.channel?.id ?? c.channel) === channel.id);
    assert.deepEqual(talks.map((c) => c.tags), [[`from-${name}`]]);
    await house.call('POST', `/api/v1/conversations/${talks[0].id}/close`, {}); // an agent has ten at once
    clean(p);
  });
}

test('unsent words: shown to agents only where the channel says so, and then the visitor is told', async () => {
  const open = await house.call('POST', '/api/v1/channels', { type: 'web', name: 'open', config: { typing_text: true } });
  for (const [channel, shown] of [[open.id, true], ['default', false]]) {
    const v = await page(browser);
    await v.goto(`${server.url}/chat/${channel}`);
    await v.locator('.composer-field').waitFor();
    if (shown) await v.locator('.chat-typed').waitFor();
    await write(v, `hello from ${channel}`);
    await p.locator('.conv', { hasText: `hello from ${channel}` }).click();
    await p.mouse.move(700, 400);
    await p.locator('.msg.left', { hasText: `hello from ${channel}` }).first().waitFor();
    await v.locator('.composer-field').fill('half a thought');
    // Said at most every 2.5 s, and shown for 6: a hand that goes on typing.
    const seen = await until('the agent sees that somebody types', async () => {
      await v.locator('.composer-field').press('End');
      await v.locator('.composer-field').pressSequentially('.');
      return (await p.locator('.thread-typing').allTextContents()).join('');
    });
    if (process.env.SHOTS) for (const [who, n] of [[v, 'chat'], [p, 'console']]) await who.screenshot({ path: `${process.env.SHOTS}/typing-${n}-${shown}.png` });
    assert.equal(seen.includes('half a thought'), shown, seen);
    assert.equal(await v.locator('.chat-typed').count(), shown ? 1 : 0);
    clean(v, p);
    await v.context().close();
  }
});
