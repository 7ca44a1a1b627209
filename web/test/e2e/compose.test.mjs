// SPDX-License-Identifier: Apache-2.0
// Writing: input methods, Enter, drafts, the outbox and its failures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bubbles, clean, openWidget, page, signIn, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();

async function inThread(f) {
  const agent = await page(h.browser);
  await signIn(agent, f.url);
  f.say('hello', 'Anna');
  await agent.locator('.conv').first().click();
  await agent.locator('.msg', { hasText: 'hello' }).waitFor();
  return agent;
}
const texts = (f) => [...f.messages.values()].flat().map((m) => m.text);

test('half-typed pinyin is never sent by Enter (CDP composition)', async () => {
  const f = await h.fake();
  const agent = await inThread(f);
  const cdp = await agent.context().newCDPSession(agent);
  const field = agent.locator('.composer-field');
  await field.focus();
  await cdp.send('Input.imeSetComposition', { text: 'ni hao', selectionStart: 6, selectionEnd: 6 });
  // The Enter that picks the candidate reaches the page as 229.
  await cdp.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229 });
  assert.deepEqual(texts(f), ['hello']);
  await cdp.send('Input.insertText', { text: '你好' });
  assert.equal(await field.inputValue(), '你好');
  await agent.waitForTimeout(150);
  await field.press('Enter');
  await until('sent', () => texts(f).length === 2);
  assert.equal(texts(f)[1], '你好');
  await until('empty', async () => (await field.inputValue()) === '');
  clean(agent);
});

test('Safari’s order (compositionend, then keydown 229) does not send; a late 229 does', async () => {
  const f = await h.fake();
  const agent = await inThread(f);
  await agent.locator('.composer-field').fill('半句');
  const enter = () =>
    agent.locator('.composer-field').evaluate((el) => {
      const at = performance.now(); // the two are one moment, however slow this machine is
      performance.now = () => at;
      el.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }));
      el.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true }));
      el.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', keyCode: 229, bubbles: true, cancelable: true }));
      delete performance.now;
    });
  await enter();
  await agent.waitForTimeout(200); // what the input method may take is over
  assert.equal(texts(f).length, 1);
  await agent.locator('.composer-field').evaluate((el) => el.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', code: 'Enter', keyCode: 229, bubbles: true, cancelable: true })));
  await until('sent', () => texts(f).length === 2);
  clean(agent);
});

test('Shift+Enter and Ctrl+Enter break the line, Enter sends', async () => {
  const f = await h.fake();
  const agent = await inThread(f);
  const field = agent.locator('.composer-field');
  await field.focus();
  await agent.keyboard.type('a');
  await agent.keyboard.press('Shift+Enter');
  await agent.keyboard.type('b');
  await agent.keyboard.press('Control+Enter');
  await agent.keyboard.type('c');
  await agent.keyboard.press('Enter');
  await until('sent', () => texts(f).length === 2);
  assert.equal(texts(f)[1], 'a\nb\nc');
  clean(agent);
});

test('drafts survive the switch, the reload, and keep reply and note apart', async () => {
  const f = await h.fake();
  const agent = await inThread(f);
  f.say('second', 'Bob');
  const field = agent.locator('.composer-field');
  await field.fill('reply to Anna');
  await agent.locator('.reply-tabs [data-key=note]').click();
  await field.fill('note on Anna');
  await agent.locator('.conv', { hasText: 'Bob' }).click();
  await until('empty for Bob', async () => (await field.inputValue()) === '');
  await agent.locator('.conv', { hasText: 'Anna' }).locator('em').waitFor();
  await agent.locator('.conv', { hasText: 'Anna' }).click();
  await until('the note', async () => (await field.inputValue()) === 'note on Anna');
  await agent.reload();
  await until('the reply after a reload', async () => (await field.inputValue()) === 'reply to Anna');
  await agent.locator('.reply-tabs [data-key=note]').click();
  await field.press('Enter');
  await agent.locator('.msg.note', { hasText: 'note on Anna' }).waitFor();
  await until('stored', () => texts(f).includes('note on Anna'));
  const note = [...f.messages.values()].flat().find((m) => m.text === 'note on Anna');
  assert.equal(note.private, true);
  clean(agent);
});

test('written offline, reloaded offline: drawn at boot, sent once when back', async () => {
  const f = await h.fake();
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  await write(chat, 'first');
  await chat.locator('.tick-stored').waitFor();
  f.hold = true;
  await write(chat, 'second');
  await write(chat, 'third');
  await chat.locator('.tick-queued').first().waitFor();
  await visitor.reload();
  f.hold = true;
  const again = await openWidget(visitor, f.url);
  await again.locator('.msg.out', { hasText: 'third' }).waitFor();
  f.hold = false;
  for (const s of f.sockets) s.ws.terminate();
  await until('all stored', () => texts(f).length === 3);
  assert.deepEqual(texts(f), ['first', 'second', 'third']);
  await until('ticks', async () => (await again.locator('.tick-stored').count()) === 3);
  clean(visitor);
});

test('a refusal is said at the bubble; 重新编辑 brings the words back', async () => {
  const f = await h.fake();
  const agent = await inThread(f);
  f.refuse = (x) => (x.type === 'send' ? { code: 'forbidden', message: 'no' } : null);
  await write(agent, 'not allowed');
  await agent.locator('.msg-failed').waitFor();
  assert.match(await agent.locator('.msg-failed').textContent(), /没有权限/);
  f.refuse = null;
  await agent.locator('.msg-failed .link').nth(1).click();
  await until('back in the field', async () => (await agent.locator('.composer-field').inputValue()) === 'not allowed');
  await until('the bubble is gone', async () => (await agent.locator('.msg-failed').count()) === 0);
  await agent.locator('.composer-field').press('Enter');
  await until('sent', () => texts(f).includes('not allowed'));
  clean(agent);
});

test('retry after a failure keeps the ref: one message', async () => {
  const f = await h.fake();
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  f.refuse = (x) => (x.type === 'send' ? { code: 'too_large', message: 'no' } : null);
  await write(chat, 'x');
  await chat.locator('.msg-failed').waitFor();
  f.refuse = null;
  await chat.locator('.msg-failed .link').first().click();
  await chat.locator('.tick-stored').waitFor();
  assert.deepEqual(texts(f), ['x']);
  clean(visitor);
});

test('too long a text is counted and cannot be sent', async () => {
  const f = await h.fake();
  const visitor = await page(h.browser);
  const chat = await openWidget(visitor, f.url);
  await chat.locator('.composer-field').fill('悦'.repeat(5000));
  await chat.locator('.composer-count').waitFor();
  await chat.locator('.composer-field').fill('悦'.repeat(6000));
  await chat.locator('.composer-count.over').waitFor();
  await chat.locator('.composer-field').press('Enter');
  assert.equal(await chat.locator('.composer-send').isDisabled(), true);
  assert.equal(texts(f).length, 0);
  clean(visitor);
});

test('text is never HTML', async () => {
  const f = await h.fake();
  const agent = await inThread(f);
  const evil = '<img src=x onerror="window.hit=1"><script>window.hit=1</script> javascript:alert(1) https://e.com/"onx="1';
  f.say(evil, 'Anna');
  await agent.locator('.msg.in', { hasText: '<img' }).waitFor();
  assert.equal((await bubbles(agent)).at(-1), evil);
  assert.equal(await agent.evaluate(() => window.hit), undefined);
  assert.equal(await agent.locator('.bubble a[href^="javascript"]').count(), 0);
  clean(agent);
});

test('a colleague answered while I wrote: asked once before sending', async () => {
  const f = await h.fake();
  const agent = await inThread(f);
  const field = agent.locator('.composer-field');
  await field.focus();
  await agent.keyboard.type('my answer');
  f.answer([...f.convs.values()][0], 'I was faster');
  await agent.locator('.msg', { hasText: 'I was faster' }).waitFor();
  await agent.keyboard.press('Enter');
  await agent.locator('dialog').waitFor();
  assert.equal(texts(f).includes('my answer'), false);
  await agent.locator('dialog .primary').click();
  await until('sent', () => texts(f).includes('my answer'));
  await until('empty', async () => (await field.inputValue()) === '');
  clean(agent);
});
