// SPDX-License-Identifier: Apache-2.0
// Pictures, sound, film and files in both surfaces: drawn, opened, saved;
// what is gone is said in words.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { picture, plain, sound } from '../fake-media.mjs';
import { axe, clean, openWidget, page, signIn, until, useBrowser, write } from './lib.mjs';

const h = useBrowser();
const PDF = Buffer.from('%PDF-1.4\n' + ' '.repeat(2048));

function all(f, conv) {
  f.attach(conv, 'image', picture('猫.png', 1200, 800), { visitor: true });
  f.attach(conv, 'image', picture('tall.png', 300, 900), { text: '看这张图' });
  f.attach(conv, 'audio', sound('voice.wav'), { visitor: true });
  f.attach(conv, 'video', { ...plain('film.mp4', 'video/mp4', Buffer.from('no film')), width: 640, height: 360 });
  f.attach(conv, 'file', plain('合同 2026.pdf', 'application/pdf', PDF), { visitor: true });
  f.attach(conv, 'image', { id: 'f_gone', name: 'lost.png', missing: true });
}

async function look(scope, p, conv, f) {
  await scope.locator('.media-card', { hasText: 'lost.png' }).waitFor();
  assert.equal(await scope.locator('.msg', { hasText: /Unsupported|暂不支持/ }).count(), 0);
  const img = scope.locator('img[alt="猫.png"]');
  await img.scrollIntoViewIfNeeded();
  await until('the picture is drawn', () => img.evaluate((e) => e.complete && e.naturalWidth === 1200));
  const box = await img.boundingBox();
  assert.deepEqual([Math.round(box.width), Math.round(box.height)], [240, 160], 'its place is what its data say');
  assert.equal(f.requests.some((r) => /^GET \/files\/.*thumb=1/.test(r)), true, 'the thumbnail, not the whole');
  const [tab] = await Promise.all([p.context().waitForEvent('page'), img.click()]);
  await tab.waitForLoadState();
  const file = f.messages.get(conv.id).find((m) => m.file?.name === '猫.png').file;
  assert.match(tab.url(), new RegExp('/files/' + file.id));
  assert.doesNotMatch(tab.url(), /thumb/);
  await tab.close();
  const audio = scope.locator('audio');
  assert.deepEqual(await audio.evaluate((e) => [e.controls, e.preload, e.getAttribute('aria-label')]), [true, 'none', 'voice.wav']);
  await audio.evaluate((e) => e.play());
  await until('it plays', () => audio.evaluate((e) => e.currentTime > 0 || e.ended));
  assert.deepEqual(await scope.locator('video').evaluate((e) => [e.controls, e.preload, e.getAttribute('aria-label'), e.clientHeight]), [true, 'none', 'film.mp4', 158]);
  const card = scope.locator('a.media-card');
  assert.match(await card.textContent(), /合同 2026\.pdf2 KB · (下载|Download)/);
  const [saved] = await Promise.all([p.waitForEvent('download'), card.click()]);
  assert.equal(saved.suggestedFilename(), '合同 2026.pdf');
  assert.deepEqual(readFileSync(await saved.path()), PDF);
  assert.match(await scope.locator('span.media-card').textContent(), /lost\.png(文件已不在|This file is gone)/);
}

for (const [colorScheme, locale, viewport] of [
  ['light', 'zh-CN', { width: 1280, height: 1000 }],
  ['dark', 'en', { width: 390, height: 844 }],
]) {
  test(`console: every kind is drawn, ${colorScheme}, ${locale}`, async () => {
    const f = await h.fake();
    const conv = f.say('hello', 'Anna');
    all(f, conv);
    const p = await page(h.browser, { colorScheme, locale, viewport });
    await signIn(p, f.url);
    const row = p.locator('.conv .conv-mid').first();
    await until('the list says what came last', async () => (await row.textContent()).includes(locale === 'en' ? '[Picture] lost.png' : '[图片] lost.png'));
    await p.locator('.conv').first().click();
    await look(p, p, conv, f);
    await axe(p, 'thread with files');
    if (process.env.SHOTS) await shots(p, p, `${process.env.SHOTS}/console-${colorScheme}`);
    clean(p);
  });

  test(`chat: every kind is drawn by signed links, ${colorScheme}, ${locale}`, async () => {
    const f = await h.fake();
    const p = await page(h.browser, { colorScheme, locale, viewport });
    const chat = await openWidget(p, f.url);
    await write(chat, 'hello');
    await chat.locator('.tick-stored').waitFor();
    assert.equal(f.requests.some((r) => /chat-media/.test(r)), false, 'who sees no file loads nothing for it');
    const conv = [...f.convs.values()][0];
    all(f, conv);
    await chat.locator('.media-card', { hasText: 'lost.png' }).waitFor();
    const log = chat.locator('.chat-log');
    await until('the end stays in sight', () => log.evaluate((e) => e.scrollHeight - e.clientHeight - e.scrollTop < 2));
    await look(chat, p, conv, f);
    await axe(p.frames().find((x) => x.url().includes('/chat/')), 'chat with files');
    if (process.env.SHOTS) await shots(p, chat, `${process.env.SHOTS}/chat-${colorScheme}`);
    clean(p);
  });
}

async function shots(p, scope, name) {
  const box = scope.locator('.chat-log, .thread .vlist').first();
  for (const [what, y] of [['top', 0], ['end', 99_999]]) {
    await box.evaluate((e, to) => (e.scrollTop = to), y);
    await p.waitForTimeout(400);
    await p.screenshot({ path: `${name}-${what}.png` });
  }
}

test('chat: a link that is over is asked for anew; a lost file is said, a lost line can be tried again', async () => {
  const f = await h.fake();
  const p = await page(h.browser);
  const chat = await openWidget(p, f.url);
  await write(chat, 'hello');
  await chat.locator('.tick-stored').waitFor();
  const conv = [...f.convs.values()][0];
  const asked = (id) => f.requests.filter((r) => r === 'GET /api/v1/files/' + id).length;

  f.overLinks = 1;
  const pic = picture('late.png', 60, 40);
  f.attach(conv, 'image', pic);
  await chat.locator('img[alt="late.png"]').waitFor();
  await until('drawn', () => chat.locator('img[alt="late.png"]').evaluate((e) => e.naturalWidth === 60));
  assert.equal(asked(pic.id), 2);

  f.attach(conv, 'audio', plain('voice.amr', 'audio/amr', Buffer.from('#!AMR no browser plays this')));
  await chat.locator('audio').evaluate((e) => void e.play().catch(() => {}));
  await chat.locator('a.media-card', { hasText: 'voice.amr' }).waitFor(); // then to be saved

  const { bytes: _, ...gone } = plain('gone.zip', 'application/zip', Buffer.from('x'));
  f.attach(conv, 'file', gone);
  await chat.locator('span.media-card', { hasText: '文件已不在' }).waitFor();

  f.restFails = true;
  const later = plain('later.zip', 'application/zip', Buffer.from('x'));
  f.attach(conv, 'file', later);
  const again = chat.locator('button.media-card', { hasText: '没有加载成功' });
  await again.waitFor();
  f.restFails = false;
  await again.click();
  await chat.locator('a.media-card', { hasText: 'later.zip' }).waitFor();
  clean(p);
});

test('console: a picture whose bytes are gone is said in words', async () => {
  const f = await h.fake();
  const conv = f.say('hello', 'Anna');
  const { bytes: _, ...info } = picture('lost.png', 100, 100);
  f.attach(conv, 'image', info, { visitor: true });
  const p = await page(h.browser);
  await signIn(p, f.url);
  await p.locator('.conv').first().click();
  await p.locator('span.media-card', { hasText: '文件已不在' }).waitFor();
  clean(p);
});
