// SPDX-License-Identifier: Apache-2.0
// A tool that needs a person's word, on the real program: the visitor is asked
// with buttons, or an agent in the console; yes runs it once, no never.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { House } from '../../../tests/sim-platforms/lib/house.mjs';
import { start } from '../../../tests/sim-platforms/lib/load.mjs';
import { axe, clean, launch, page, signIn, until } from '../e2e/lib.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

const SHOTS = process.env.SHOTS;
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
let browser;
let server;
let house;
let sim;

const tool = (by) => `return {
  api = 1, description = "Pays an order back", permission = "bot",
  confirm = { by = "${by}", zh = "为订单 {no} 退款 {amount} 元", en = "Pay back {amount} for order {no}" },
  parameters = { type = "object", properties = { no = { type = "string" }, amount = { type = "number" } }, required = { "no", "amount" } },
  run = function(args, ctx) return { filed = "r-" .. args.no, key = ctx.key } end,
}
`;

before(async () => {
  server = new Real();
  writeFileSync(join(server.home, 'ai', 'tools', 'payback.lua'), tool('visitor'));
  writeFileSync(join(server.home, 'ai', 'tools', 'bigpayback.lua'), tool('agent'));
  writeFileSync(join(server.home, 'scripts', 'rules', '10-bot.lua'), 'return { api = 1, priority = 10, match = { first = true }, on_message = function(conv) return conv:assign { ai = "clerk" } end }\n');
  await server.up();
  sim = await start('openai', { faults: [] });
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  await house.call('POST', '/api/v1/assistants', { type: 'openai', name: 'clerk', guard: false, tools: ['payback', 'bigpayback'], config: sim.config });
  await until('the rule serves', async () => (await house.call('GET', '/api/v1/scripts?limit=100')).items.some((s) => s.name === 'rules/10-bot' && s.state !== 'broken'));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await sim?.close();
  await server?.end();
});

async function chat(o) {
  const p = await page(browser, o);
  await p.goto(server.url + '/chat/default');
  await p.locator('.composer-field').waitFor();
  return p;
}

/** The model wants a tool, then says what it was told of it. */
async function wish(p, name, no, text = '我要退款 ') {
  sim.answers.push({ text: '', tools: [{ name, arguments: { no, amount: 20.5 } }] });
  await p.locator('.composer-field').fill(text + no);
  await p.locator('.composer-send').click(); // on a phone Enter breaks the line
}
const confirmations = async () => (await house.call('GET', '/api/v1/confirmations?limit=50')).items;
const of = async (no) => (await confirmations()).find((x) => x.call.arguments.no === no);
/** What the model was told last. */
const told = () => JSON.stringify(sim.calls[sim.calls.length - 1].body.messages.slice(-1));

for (const [locale, colorScheme, phone, yes, no] of [
  ['zh-CN', 'light', false, '确认', '取消'],
  ['en', 'dark', true, 'confirm', 'cancel'],
]) {
  test(`the visitor is asked, by buttons: yes runs it once, no never, ${locale}, ${colorScheme}`, async () => {
    const p = await chat({ locale, colorScheme, ...(phone ? PHONE : {}) });
    const text = locale === 'en' ? 'I want my money back ' : undefined; // asked in the visitor's words
    const words = locale === 'en' ? 'Pay back 20.5 for order ' : '为订单 ';
    const a = locale + '1';
    await wish(p, 'payback', a, text);
    await p.locator('.msg.bot', { hasText: words + a }).waitFor();
    const buttons = p.locator('.choices button:visible');
    await buttons.first().waitFor();
    assert.deepEqual(await buttons.allTextContents(), [yes, no]);
    await axe(p.mainFrame(), 'choices');
    if (SHOTS) await p.screenshot({ path: `${SHOTS}/choices-${colorScheme}.png` });
    assert.equal((await of(a)).state, 'pending');
    await buttons.first().click();
    await p.locator('.msg.out', { hasText: yes }).waitFor();
    await p.locator('.msg.bot', { hasText: 'r-' + a }).waitFor();
    await until('done', async () => (await of(a)).state === 'done');
    assert.equal(await buttons.count(), 0, 'answered');

    const b = locale + '2';
    await wish(p, 'payback', b, text);
    await buttons.nth(1).click();
    await until('denied', async () => (await of(b)).state === 'denied');
    await until('the model knows', () => told().includes('denied'));
    assert.ok(!JSON.stringify(sim.calls.map((c) => c.body)).includes('r-' + b), 'it did not run');
    await p.reload();
    await p.locator('.msg.bot', { hasText: words + b }).waitFor();
    assert.equal(await buttons.count(), 0);
    clean(p);
  });
}

test('an agent is asked in the console; the visitor sees no buttons; yes and no, and the conversation stays with the bot', async () => {
  const p = await chat({});
  await wish(p, 'bigpayback', 'C1');
  await p.locator('.msg.bot', { hasText: '为订单 C1 退款 20.5 元' }).waitFor();
  assert.equal(await p.locator('.choices').count(), 0);
  const agent = await page(browser);
  await signIn(agent, server.url, EMAIL, PASSWORD);
  await agent.goto(server.url + '/console/c/' + (await of('C1')).conversation);
  const card = agent.locator('.confirm');
  await card.waitFor();
  const text = await card.textContent();
  for (const part of ['bigpayback', '为订单 C1 退款 20.5 元', 'C1', '20.5']) assert.ok(text.includes(part), text);
  await axe(agent, 'a tool that waits');
  if (SHOTS) await agent.screenshot({ path: SHOTS + '/confirm-agent.png' });
  await card.locator('.btn.primary').click();
  await p.locator('.msg.bot', { hasText: 'r-C1' }).waitFor();
  await until('done', async () => (await of('C1')).state === 'done');
  await until('the card goes', async () => (await card.count()) === 0);

  await wish(p, 'bigpayback', 'C2');
  await p.locator('.msg.bot', { hasText: 'C2' }).waitFor();
  await agent.setViewportSize({ width: 390, height: 844 });
  await agent.emulateMedia({ colorScheme: 'dark' });
  await card.waitFor();
  await axe(agent, 'a tool that waits, on a phone');
  if (SHOTS) await agent.screenshot({ path: SHOTS + '/confirm-agent-phone.png' });
  await card.locator('.btn').nth(1).click();
  await until('denied', async () => (await of('C2')).state === 'denied');
  await until('the model knows', () => told().includes('said no'));
  assert.ok(!JSON.stringify(sim.calls.map((x) => x.body)).includes('r-C2'), 'it did not run');
  assert.equal((await house.call('GET', '/api/v1/conversations/' + (await of('C2')).conversation)).state, 'bot');
  clean(p, agent);
});

test('what the visitor was asked is seen in the console, without a button to answer for them', async () => {
  const p = await chat({});
  await wish(p, 'payback', 'D1');
  await p.locator('.choices button').first().waitFor();
  const agent = await page(browser, { locale: 'en' });
  await signIn(agent, server.url, EMAIL, PASSWORD);
  await agent.goto(server.url + '/console/c/' + (await of('D1')).conversation);
  await agent.locator('.confirm', { hasText: 'D1' }).waitFor();
  assert.equal(await agent.locator('.confirm .btn').count(), 0);
  assert.deepEqual(await agent.locator('.choices .chip').allTextContents(), ['确认', '取消']);
  assert.equal(await agent.locator('.choices button').count(), 0);
  if (SHOTS) await agent.screenshot({ path: SHOTS + '/confirm-visitor-en.png' });
  await agent.locator('.bot-bar .btn.primary').click();
  await until('whoever takes over cancels it', async () => (await of('D1')).state === 'cancelled');
  await agent.locator('.confirm').waitFor({ state: 'detached' });
  clean(p, agent);
});
