// SPDX-License-Identifier: Apache-2.0
// A model (its simulator) on the real program, in two browsers: set up in the
// console, its answer grows in front of visitor and agent, is stopped, taken
// over for good and handed back; the co-pilot writes for the agent alone.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { House } from '../../../tests/sim-platforms/lib/house.mjs';
import { start } from '../../../tests/sim-platforms/lib/load.mjs';
import { clean, launch, openWidget, page, signIn, toasted, until, write } from '../e2e/lib.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

const LONG = Array.from({ length: 600 }, (_, i) => `第${i + 1}句。`).join('');
let browser;
let server;
let house;
let sim;
let agent;
let visitor;
let chat;

before(async () => {
  server = await new Real().up();
  sim = await start('openai', { faults: [] });
  writeFileSync(join(server.home, 'scripts', 'rules', '10-bot.lua'), `return {
  api = 1,
  priority = 10,
  match = { first = true },
  on_message = function(conv)
    conv:assign { ai = "presale" }
    return true
  end,
}
`);
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  await until('the rule serves', async () => (await house.call('GET', '/api/v1/scripts?limit=100')).items.some((s) => s.name === 'rules/10-bot' && s.state !== 'broken'));
  browser = await launch();
  agent = await page(browser);
  await signIn(agent, server.url, EMAIL, PASSWORD);
});

after(async () => {
  await browser?.close();
  await sim?.close();
  await server?.end();
});

const last = (scope, kind) => scope.locator(`.msg.${kind} .bubble-text`).last();
const bot = () => agent.locator('.msg.bot .bubble-text');
const stored = async () => (await house.call('GET', '/api/v1/conversations?limit=1')).items[0];
const said = async () => (await house.call('GET', `/api/v1/conversations/${(await stored()).id}/messages?limit=100`)).items;

test('an assistant is made in the console, and its test asks the provider', async () => {
  await agent.goto(server.url + '/console/assistants/new');
  await agent.locator('.type', { hasText: /openai$/ }).click();
  await agent.fill('#channel-name', 'presale');
  await agent.selectOption('#set-provider', 'other');
  await agent.fill('#set-base', sim.config.base);
  await agent.fill('#set-model', 'sim');
  await agent.fill('#set-key', 'sk-wrong');
  await agent.fill('#set-prices', 'sim in=2 out=3 CNY');
  await agent.locator('.settings [type=submit]').click();
  await agent.locator('h1', { hasText: 'presale' }).waitFor();
  await agent.locator('.page-do .btn', { hasText: '测试' }).click();
  await agent.locator('.note-line.bad').waitFor();
  await agent.fill('#set-key', sim.config.key);
  await agent.locator('.settings [type=submit]').click();
  await toasted(agent, '已保存');
  await agent.locator('.page-do .btn', { hasText: '测试' }).click();
  await agent.locator('.note-line.ok').waitFor();
  assert.ok(!(await agent.content()).includes('sk-'));
  await agent.locator('.uses a', { hasText: 'rules/10-bot' }).waitFor();
  clean(agent);
});

test('its answer grows in front of both; stop keeps what was said', async () => {
  sim.faults.always = { fault: 'slow_tokens', ms: 60 };
  sim.always = LONG;
  visitor = await page(browser);
  chat = await openWidget(visitor, server.url);
  await write(chat, '讲个长的');
  const c = await until('the bot has it', async () => {
    const x = await stored();
    return x?.state === 'bot' && x;
  });
  await agent.goto(server.url + '/console/c/' + c.id);
  await agent.locator('.bot-bar', { hasText: 'presale 正在回答' }).waitFor();
  await until('the visitor reads it grow', async () => ((await last(chat, 'bot').textContent().catch(() => '')) ?? '').includes('第3句'));
  await until('the agent too', async () => ((await bot().last().textContent().catch(() => '')) ?? '').includes('句'));
  await agent.locator('.bot-bar .btn', { hasText: '停止' }).click();
  const m = await until('it is stored, short', async () => (await said()).find((x) => x.sender.role === 'bot'));
  assert.ok(m.text.startsWith('第1句。') && !m.text.includes('第600句'), m.text);
  await agent.locator('.bot-bar', { hasText: '接待中' }).waitFor();
  await until('it is whole where the agent came late', async () => (await bot().last().textContent()).startsWith('第1句。'));
  assert.equal((await stored()).state, 'bot', 'stopping takes nothing away');
  clean(agent, visitor);
});

test('taken over in mid-answer: no word of it comes any more; a person answers; handed back', async () => {
  await write(chat, '再讲一个');
  await until('it grows', async () => (await agent.locator('.msg.bot').count()) === 2);
  sim.faults.always = undefined; // the summary that follows need not be long
  sim.always = '客户要听。';
  await agent.locator('.bot-bar .btn', { hasText: '接管' }).click();
  await until('a person has it', async () => (await stored()).state === 'open');
  await until('the half answer is gone', async () => (await agent.locator('.msg.bot').count()) === 1);
  await write(agent, '我是小王，我来帮您');
  await chat.locator('.msg .bubble-text', { hasText: '我是小王' }).waitFor();
  await until('the provider was let go', () => sim.open === 0);
  assert.deepEqual((await said()).filter((x) => x.sender.role === 'bot' && !x.private).map((x) => x.text.slice(0, 4)), ['第1句。'], 'no late word; a summary is a note');
  sim.always = '我又来了。';
  await agent.locator('.thread-head .btn', { hasText: '交回' }).click();
  await agent.locator('.bot-bar').waitFor();
  await write(chat, '还在吗');
  await chat.locator('.msg .bubble-text', { hasText: '我又来了' }).waitFor();
  clean(agent, visitor);
});

test('the co-pilot drafts as it comes, for the agent alone; cancelled, nothing is left', async () => {
  const before = (await said()).length;
  let go;
  sim.faults.always = { fault: 'held', after: 10, go: new Promise((ok) => (go = ok)) }; // whole sentences leave the guard
  sim.always = '您好！您的包裹已经从杭州发出。预计明天下午送到，请保持电话畅通。还有什么可以帮您？';
  await agent.locator('.copilot .btn', { hasText: '起草' }).click();
  await agent.locator('.copilot-said p', { hasText: '您好' }).waitFor();
  go();
  await until('it stands in the field', async () => (await agent.locator('.composer-field').inputValue()) === sim.always);
  await agent.locator('.copilot-strip .link').click();
  await until('undone', async () => (await agent.locator('.composer-field').inputValue()) === '');
  sim.faults.always = { fault: 'held', after: 10, go: new Promise((ok) => (go = ok)) };
  await agent.locator('.copilot .btn', { hasText: '起草' }).click();
  await agent.locator('.copilot-said p').waitFor();
  await agent.locator('.copilot-strip .btn').click();
  await agent.locator('.copilot').waitFor();
  go();
  assert.equal(await agent.locator('.composer-field').inputValue(), '');
  sim.faults.always = 'unauthorized';
  await agent.locator('.copilot .btn', { hasText: '起草' }).click();
  await agent.locator('.copilot-strip.bad', { hasText: '密钥、余额、地址或模型不对' }).waitFor();
  assert.equal((await said()).length, before);
  assert.ok(!(await chat.locator('.msg').allTextContents()).join().includes('包裹明天'));
  clean(agent, visitor);
});

test('what it all cost stands on its page', async () => {
  await agent.goto(server.url + '/console/assistants');
  const row = agent.locator('.row', { hasText: 'presale' });
  await until('money, in its currency', async () => /回答 \d+ 次.*token.*¥0\.00\d+/.test((await row.textContent()) ?? ''));
  await agent.locator('.row-wrong', { hasText: '密钥、余额、地址或模型不对' }).waitFor();
  clean(agent);
});
