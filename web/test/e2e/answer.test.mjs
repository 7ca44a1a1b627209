// SPDX-License-Identifier: Apache-2.0
// A bot's answer in the chat: it grows, can be stopped, has a safe markdown
// and its sources; nothing jumps, nobody is read to piece by piece.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, clean, openWidget, page, signIn, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();
const PIECES = ['您好！**订单** 的状态：\n\n', '1. 已付款\n2. 已发货\n', '   - 顺丰 `SF123`\n\n', '详见 [物流](https://example.com/t?n=1)，', '或致电 [客服](tel:+861012345678)。\n\n', '```\nGET /orders/42\n```\n\n', '<img src=x onerror="window.hit=1"><script>window.hit=1</script> ![p](https://evil.example/p.png) [x](javascript:window.hit=1)'];
const SOURCES = [{ title: '退货政策.md', text: '七天无理由退货' }, { title: 'Shipping', url: 'https://example.com/ship' }, { title: '坏', url: 'javascript:alert(1)' }];

async function begin(o) {
  const f = await h.fake();
  const p = await page(h.browser, o);
  const chat = await openWidget(p, f.url);
  await write(chat, 'hi');
  await chat.locator('.tick-stored').waitFor();
  const conv = [...f.convs.values()][0];
  return { f, p, chat, conv, frame: p.frames().find((x) => x.url().includes('/chat/')) };
}

for (const [colorScheme, locale, viewport] of [
  ['light', 'zh-CN', { width: 1280, height: 900 }],
  ['dark', 'en', { width: 390, height: 844 }],
]) {
  test(`it grows in one bubble, in markdown, with sources, ${colorScheme}, ${locale}`, async () => {
    const { f, p, chat, conv, frame } = await begin({ colorScheme, locale, viewport });
    const spoken = frame.evaluate(() => {
      window.said = [];
      new MutationObserver(() => window.said.push(document.querySelector('.sr[aria-live]').textContent)).observe(document.querySelector('.sr[aria-live]'), { childList: true, subtree: true, characterData: true });
    });
    await spoken;
    f.grow(conv, PIECES[0]);
    const bubble = chat.locator('.msg.bot');
    await bubble.locator('.md strong').waitFor();
    await bubble.evaluate((e) => (e.mine = true));
    const heights = [];
    for (const piece of PIECES.slice(1)) {
      f.grow(conv, piece);
      await until('it is drawn', async () => (await bubble.locator('.md').textContent()).includes(piece.replace(/[\s\S]*?([\u4e00-\u9fff]{2}|GET|SF|onerror)[\s\S]*/, '$1')));
      heights.push(await bubble.evaluate((e) => e.offsetHeight));
    }
    assert.deepEqual(heights.slice().sort((a, b) => a - b), heights, 'it only grows');
    assert.equal(await chat.locator('.caret').count(), 1);
    if (process.env.SHOTS) await p.screenshot({ path: `${process.env.SHOTS}/grow-${colorScheme}.png` });
    await axe(frame, 'growing');
    f.end(conv, PIECES.join(''), { sources: SOURCES });
    await chat.locator('.sources').waitFor();
    assert.equal(await bubble.count(), 1);
    assert.equal(await bubble.evaluate((e) => e.mine), true, 'the same element, to the end');
    assert.equal(await chat.locator('.caret, .msg-stop').count(), 0);
    const said = await until('it is read out', async () => ((all) => all.length && all)((await frame.evaluate(() => window.said)).filter(Boolean)));
    assert.equal(said.length, 1, 'read out once, at its end');
    assert.doesNotMatch(said[0], /[*`]|https:/, 'as words');

    assert.deepEqual(await bubble.locator('.md a').evaluateAll((all) => all.map((a) => [a.getAttribute('href'), a.target, a.rel])), [
      ['https://example.com/t?n=1', '_blank', 'noopener noreferrer nofollow'],
      ['tel:+861012345678', '_blank', 'noopener noreferrer nofollow'],
      ['https://evil.example/p.png', '_blank', 'noopener noreferrer nofollow'],
    ]);
    assert.equal(await bubble.locator('img, script, iframe').count(), 0);
    assert.equal(await frame.evaluate(() => window.hit), undefined);
    assert.equal(f.requests.some((r) => r.includes('evil')), false);
    assert.equal(await bubble.locator('.md li').count(), 3);

    const sources = chat.locator('.sources');
    assert.equal(await sources.evaluate((e) => e.open), false, 'folded');
    await sources.locator('summary').click();
    assert.equal(await sources.locator('li').count(), 3);
    assert.deepEqual(await sources.locator('a').evaluateAll((all) => all.map((a) => a.getAttribute('href'))), ['https://example.com/ship']);
    await axe(frame, 'answered');
    if (process.env.SHOTS) await p.screenshot({ path: `${process.env.SHOTS}/answer-${colorScheme}.png` });

    const agent = await page(h.browser, { colorScheme, locale });
    await signIn(agent, f.url);
    conv.state = 'open';
    conv.assignee = [...f.agents.keys()][0];
    f.event('conversation.assigned', conv.id, conv);
    await agent.locator('.conv').first().click();
    await agent.locator('.msg.bot .md strong').waitFor();
    assert.equal(await agent.locator('.sources').count(), 1);
    if (process.env.SHOTS) await agent.screenshot({ path: `${process.env.SHOTS}/answer-console-${colorScheme}.png` });
    clean(p, agent);
  });
}

test('the visitor stops it: what was shown stays and is marked', async () => {
  const { f, p, chat, conv } = await begin();
  f.grow(conv, 'one **two** ');
  const stop = chat.locator('.msg-stop');
  await stop.click();
  await chat.locator('.msg-cut', { hasText: '已停止回答' }).waitFor();
  assert.equal((await chat.locator('.msg.bot .md').textContent()).trim(), 'one two');
  assert.equal(await stop.count(), 0);
  if (process.env.SHOTS) await p.screenshot({ path: `${process.env.SHOTS}/stopped.png` });
  clean(p);
});

test('the line breaks in the middle: it goes on, or is there, exactly once', async () => {
  const { f, p, chat, conv } = await begin();
  f.grow(conv, 'one ');
  await chat.locator('.msg.bot .md', { hasText: 'one' }).waitFor();
  for (const s of f.sockets) s.ws.terminate();
  f.grow(conv, 'two ');
  await chat.locator('.msg.bot .md', { hasText: 'one two' }).waitFor();
  f.grow(conv, 'three');
  await chat.locator('.msg.bot .md', { hasText: 'one two three' }).waitFor();
  for (const s of f.sockets) s.ws.terminate();
  f.end(conv, 'one two three, done');
  await chat.locator('.msg.bot .md', { hasText: 'done' }).waitFor();
  assert.equal(await chat.locator('.msg.bot').count(), 1);
  assert.equal(await chat.locator('.caret').count(), 0);

  await p.reload();
  f.grow(conv, 'anew ');
  await p.locator('#yuelai-widget .l').click();
  await chat.locator('.msg.bot .md', { hasText: 'anew' }).waitFor();
  conv.state = 'open'; // a person took over: its message never comes
  f.event('conversation.assigned', conv.id, conv);
  await until('nothing grows', async () => (await chat.locator('.caret').count()) === 0);
  clean(p);
});
