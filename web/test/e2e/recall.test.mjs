// SPDX-License-Identifier: Apache-2.0
// Taking a message back: by mouse and by keyboard, seen by both sides, not after
// its time, and with a reason where the channel cannot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clean, openWidget, page, signIn, toasted, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();
const shot = (p, name) => process.env.SHOTS && p.screenshot({ path: `${process.env.SHOTS}/recall-${name}.png` });

/** A visitor in the widget, an agent in their conversation. */
async function both(o = {}, agentPage = {}) {
  const f = await h.fake(o);
  const visitor = await page(h.browser, agentPage);
  const chat = await openWidget(visitor, f.url);
  await write(chat, '你好');
  await chat.locator('.tick-stored').waitFor();
  const agent = await page(h.browser, agentPage);
  await signIn(agent, f.url);
  await agent.locator('.conv').first().click();
  await agent.locator('.msg', { hasText: '你好' }).waitFor();
  return { f, visitor, chat, agent };
}

test('an agent takes their own words back; the visitor sees that, and no words', async () => {
  const { f, visitor, chat, agent } = await both();
  await write(agent, '发错了的话');
  await chat.locator('.msg.in', { hasText: '发错了的话' }).waitFor();
  const own = agent.locator('.msg.out', { hasText: '发错了的话' });
  assert.equal(await agent.locator('.msg.in .recall').count(), 0); // only one's own
  await own.hover();
  await shot(agent, 'hover');
  await own.locator('.recall').click();
  await agent.locator('.msg.out', { hasText: '你撤回了一条消息' }).waitFor();
  await chat.locator('.msg.in', { hasText: '对方撤回了一条消息' }).waitFor();
  assert.equal(await chat.locator('.msg', { hasText: '发错了的话' }).count(), 0);
  await until('it cannot be again', async () => (await agent.locator('.thread .recall').count()) === 0);
  await agent.locator('.conv', { hasText: '[已撤回]' }).waitFor();
  // The visitor takes theirs back by an app of their own.
  const conv = [...f.convs.values()][0];
  const first = f.messages.get(conv.id)[0];
  f.recall(conv, first.id, { id: conv.contact, name: conv.contact_name }, 'visitor');
  await agent.locator('.msg.in', { hasText: '撤回了一条消息' }).waitFor();
  await chat.locator('.msg.out', { hasText: '你撤回了一条消息' }).waitFor();
  await shot(agent, 'console-zh');
  await shot(visitor, 'chat-zh');
  clean(visitor, agent);
});

test('by keyboard, in English, on a phone in the dark; what the platform says is told', async () => {
  const { f, visitor, chat, agent } = await both({}, { locale: 'en-US', viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  await write(agent, 'wrong window');
  const button = agent.getByRole('button', { name: 'Take back: wrong window' });
  await button.waitFor();
  await shot(agent, 'button-en-phone-dark');
  await button.focus();
  await agent.keyboard.press('Enter');
  await agent.locator('.msg.out', { hasText: 'You recalled a message' }).waitFor();
  await chat.locator('.msg.in', { hasText: 'They recalled a message' }).waitFor();
  const conv = [...f.convs.values()][0];
  f.status(conv, 2, 'not_recalled', 'too late');
  await agent.locator('.msg-failed', { hasText: 'Not taken back on the platform: too late' }).waitFor();
  await shot(agent, 'console-en-phone-dark');
  await shot(visitor, 'chat-en-phone-dark');
  clean(visitor, agent);
});

test('a channel that cannot says so beside the button, and takes nothing back', async () => {
  const { f, agent } = await both({ no_recall: true });
  f.channels[0].recalls = false;
  await agent.reload();
  await agent.locator('.msg', { hasText: '你好' }).waitFor();
  await write(agent, '留着');
  const button = agent.locator('.msg.out .recall');
  await button.waitFor();
  await agent.locator('.msg.out .recall[aria-disabled=true]').waitFor(); // what its channel can is asked for
  assert.match(await button.getAttribute('aria-label'), /不支持撤回/);
  await button.press('Enter');
  await toasted(agent, '不支持撤回');
  await shot(agent, 'cannot-zh');
  assert.equal(f.messages.get([...f.convs.keys()][0]).at(-1).text, '留着');
  clean(agent);
});

test('when its time is over the button goes', async () => {
  const { agent } = await both({ recall_ms: 600_000 });
  await write(agent, '说出去的话');
  const button = agent.locator('.msg.out .recall');
  await button.waitFor();
  await agent.evaluate(() => {
    const real = Date.now; // ten minutes later
    Date.now = () => real.call(Date) + 600_000;
  });
  await until('it goes', async () => (await button.count()) === 0);
  clean(agent);
});
