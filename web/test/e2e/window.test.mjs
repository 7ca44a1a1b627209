// SPDX-License-Identifier: Apache-2.0
// A platform's reply window: told before typing, shut, and open again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clean, page, signIn, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();
const HOUR = 3_600_000;

async function opened(f, more, o = {}) {
  const c = f.say('hi', 'Bob');
  Object.assign(c, { channel_type: 'acme', reply_window: { ms: 48 * HOUR, count: 2 }, reply_until_at: Date.now() + 48 * HOUR - 1, reply_left: 2, ...more });
  const p = await page(h.browser, o);
  await signIn(p, f.url);
  await p.locator('.conv').first().click();
  await p.locator('.msg', { hasText: 'hi' }).waitFor();
  return { p, c };
}

test('the agent sees how long and how often answers may go, and what is said counts', async () => {
  const f = await h.fake();
  const { p } = await opened(f);
  await p.locator('.reply-room', { hasText: '回复窗口还有 47 小时，还可回复 2 条' }).waitFor();
  await write(p, '一');
  await p.locator('.reply-room.soon', { hasText: '还可回复 1 条' }).waitFor();
  await write(p, '二');
  await p.locator('.reply-closed', { hasText: '条数已用完' }).waitFor();
  assert.equal(await p.locator('.composer-field').count(), 0);
  f.say('在', 'Bob');
  await p.locator('.reply-room', { hasText: '还可回复 2 条' }).waitFor();
  await p.locator('.composer-field').waitFor();
  clean(p);
});

test('past the window only a note can be written; drafts stay', async () => {
  const f = await h.fake();
  const { p, c } = await opened(f, {});
  await p.locator('.composer-field').fill('草稿');
  await p.locator('.reply-room', { hasText: '47 小时' }).waitFor();
  c.reply_until_at = Date.now() + 2000; // now that it stands there, it may end
  f.event('conversation.updated', c.id, c);
  await p.locator('.reply-closed', { hasText: '回复窗口已关闭' }).waitFor();
  await p.locator('.reply-closed .btn').click();
  await write(p, '等他再来');
  await until('the note', () => f.messages.get(c.id).some((m) => m.private && m.text === '等他再来'));
  f.say('在', 'Bob');
  await p.locator('.reply-tabs .tab').first().click();
  await p.locator('.reply-room').waitFor();
  assert.equal(await p.locator('.composer-field').inputValue(), '草稿');
  clean(p);
});

test('in English, on a phone, in the dark', async () => {
  const f = await h.fake();
  const { p } = await opened(f, { reply_until_at: Date.now() + 90 * 60_000 }, { locale: 'en-US', viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  await p.locator('.reply-room.soon', { hasText: 'Replies can be sent for another 1 h, 2 left to send' }).waitFor();
  if (process.env.SHOTS) await p.screenshot({ path: process.env.SHOTS + '/window-en-phone-dark.png' });
  clean(p);
});

test('without a window nothing is said', async () => {
  const f = await h.fake();
  const { p } = await opened(f, { reply_window: null, reply_until_at: null, reply_left: null });
  await p.locator('.composer-field').waitFor();
  assert.equal(await p.locator('.reply-room, .reply-closed').count(), 0);
  clean(p);
});
