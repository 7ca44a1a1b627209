// SPDX-License-Identifier: Apache-2.0
// The visitor's side on the real program: files by every way they come, over
// lost lines; a model's answer (Dify's simulator) that grows, is stopped, has
// markdown and sources.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { start as dify } from '../../../tests/sim-platforms/ai/dify.mjs';
import { House } from '../../../tests/sim-platforms/lib/house.mjs';
import { axe, clean, launch, openWidget, page, signIn, until, write } from '../e2e/lib.mjs';
import { picture } from '../fake-media.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

const SHOTS = process.env.SHOTS;
let browser;
let server;
let house;
let sim;

before(async () => {
  server = await new Real().up();
  writeFileSync(join(server.home, 'scripts', 'rules', '10-bot.lua'), `return {
  api = 1,
  priority = 10,
  match = { text = "bot" },
  on_message = function(conv) return conv:assign { ai = "shop" } end,
}
`);
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  sim = await dify();
  await house.call('POST', '/api/v1/assistants', { type: 'dify', name: 'shop', config: sim.config });
  const channel = (await house.call('GET', '/api/v1/channels')).items.find((c) => c.type === 'web');
  await house.call('PATCH', '/api/v1/channels/' + channel.id, { config: { file_mb: 5, file_types: '!video/*' } });
  await until('the rule serves', async () => (await house.call('GET', '/api/v1/scripts?limit=100')).items.some((s) => s.name === 'rules/10-bot' && s.state !== 'broken'));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await sim?.close();
  await server?.end();
});

const sha = (b) => createHash('sha256').update(b).digest('hex');
const png = picture('cat.png', 1200, 800).bytes;

async function open(o) {
  const p = await page(browser, o);
  await p.goto(server.url + '/chat/default');
  await p.locator('.composer-field').waitFor();
  return p;
}

/** By the button, as a hand does it. */
async function choose(p, files) {
  const [chooser] = await Promise.all([p.waitForEvent('filechooser'), p.locator('.composer .icon-btn').click()]);
  await chooser.setFiles(files);
}

/** What a message's file holds, by the link that the page has. */
async function bytesOf(p, name) {
  const a = p.locator('a.media-card', { hasText: name });
  await a.waitFor();
  return Buffer.from(await (await fetch(await a.evaluate((e) => e.href))).arrayBuffer());
}

/** Files in a paste or a drop. */
const give = (p, what, files) =>
  p.evaluate(
    ([kind, list]) => {
      const d = new DataTransfer();
      for (const [name, type, text] of list) d.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name, { type }));
      const at = document.querySelector('.composer-field');
      const e = kind === 'paste' ? new ClipboardEvent('paste', { clipboardData: d, bubbles: true, cancelable: true }) : new DragEvent(kind, { dataTransfer: d, bubbles: true, cancelable: true });
      at.dispatchEvent(e);
    },
    [what, files.map(([name, type, bytes]) => [name, type, bytes.toString('base64')])],
  );

test('chosen, pasted and dropped: a picture and papers reach the agent, in their order', async () => {
  const agent = await page(browser);
  await signIn(agent, server.url, EMAIL, PASSWORD);
  const visitor = await page(browser);
  const chat = await openWidget(visitor, server.url);
  const frame = visitor.frames().find((x) => x.url().includes('/chat/'));
  const [chooser] = await Promise.all([visitor.waitForEvent('filechooser'), chat.locator('.composer .icon-btn').click()]);
  await chooser.setFiles([
    { name: 'cat.png', mimeType: 'image/png', buffer: png },
    { name: '订单.csv', mimeType: 'text/csv', buffer: Buffer.from('order;price\n1;88\n') },
  ]);
  await chat.locator('.msg.out').nth(1).locator('.tick-stored, .tick-read, .tick-delivered').waitFor();
  await give(frame, 'paste', [['image.png', 'image/png', png.subarray(0)]]);
  await until('the pasted one', async () => (await chat.locator('.msg.out').count()) === 3);
  await give(frame, 'dragover', [['a.txt', 'text/plain', Buffer.from('x')]]);
  await chat.locator('.files-drop', { hasText: '松开发送' }).waitFor();
  if (SHOTS) await visitor.screenshot({ path: SHOTS + '/drop.png' });
  await give(frame, 'drop', [['说明.txt', 'text/plain', Buffer.from('读我')]]);
  await until('the dropped one', async () => (await chat.locator('.msg.out').count()) === 4);
  assert.equal(await chat.locator('.files-drop').count(), 0);
  assert.equal(await chat.locator('.tray-row').count(), 0);

  await agent.locator('.conv').first().click();
  const names = () => agent.locator('.msg .media img, .msg .media-name').evaluateAll((all) => all.map((e) => e.alt || e.textContent));
  await until('all are there', async () => (await names()).length === 4);
  assert.deepEqual((await names()).map((n) => n.replace(/-\d+/, '')), ['cat.png', '订单.csv', 'image.png', '说明.txt']);
  await until('drawn on both sides', async () => {
    const all = [...(await agent.locator('.msg .media img').evaluateAll((x) => x.map((e) => e.naturalWidth))), ...(await chat.locator('.msg .media img').evaluateAll((x) => x.map((e) => e.naturalWidth)))];
    return all.length === 4 && all.every((w) => w > 0);
  });
  if (SHOTS) await visitor.screenshot({ path: SHOTS + '/files-widget.png' });
  clean(agent, visitor);
});

test('a big file over a line that breaks: it goes on, every byte is there', async () => {
  const p = await open();
  const big = randomBytes(4_300_000);
  let cut = 0;
  let seen;
  const look = new Promise((ok) => (seen = ok));
  await p.route('**/files/uploads/*', async (r) => {
    if (r.request().method() !== 'PATCH') return r.continue();
    await look;
    return cut++ % 3 === 1 ? r.abort('connectionreset') : r.continue();
  });
  await choose(p, [{ name: 'big.bin', mimeType: 'application/octet-stream', buffer: big }]);
  await p.locator('.tray-bar').waitFor();
  assert.equal(await p.locator('[role=progressbar]').getAttribute('aria-label'), 'big.bin 上传进度');
  seen();
  assert.equal(sha(await bytesOf(p, 'big.bin')), sha(big));
  assert.ok(cut > 5, 'it broke');
  clean(p);
});

test('without a network it waits and says so; given up it is gone; a refusal can be read', async () => {
  const p = await open();
  let away = true;
  const deleted = [];
  p.on('request', (r) => r.method() === 'DELETE' && deleted.push(r.url()));
  await p.route('**/api/v1/files', (r) => (away ? r.abort('connectionrefused') : r.continue()));
  await choose(p, [{ name: 'later.txt', mimeType: 'text/plain', buffer: Buffer.from('later') }]);
  await p.locator('.tray-say', { hasText: '等待网络' }).waitFor();
  if (SHOTS) await p.screenshot({ path: SHOTS + '/tray-offline.png' });
  away = false;
  assert.equal((await bytesOf(p, 'later.txt')).toString(), 'later');

  await p.route('**/files/uploads/*', (r) => (r.request().method() === 'PATCH' ? new Promise(() => {}) : r.continue())); // never ends
  await choose(p, [{ name: 'never.bin', mimeType: 'application/octet-stream', buffer: randomBytes(1_500_000) }]);
  await p.locator('.tray-bar').waitFor();
  await p.locator('.tray-row .icon-btn').click();
  await until('given up', async () => (await p.locator('.tray-row').count()) === 0);
  await until('the server knows', () => deleted.length === 1);

  await choose(p, [
    { name: 'huge.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(5_300_000) },
    { name: 'film.mp4', mimeType: 'video/mp4', buffer: Buffer.from('no film') },
    { name: 'run.exe', mimeType: 'application/octet-stream', buffer: readFileSync('/bin/true') },
    { name: 'none.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) },
  ]);
  const says = () => p.locator('.tray-say').allTextContents();
  await until('all are refused', async () => (await p.locator('.tray-row.failed').count()) === 4);
  assert.deepEqual(await says(), ['文件太大，不能超过 5 MB', '这里不收这类文件', '这里不收这类文件', '这是空文件或文件夹']);
  assert.equal(await p.locator('.tray-row .link').count(), 0, 'no use in trying again');
  if (SHOTS) await p.screenshot({ path: SHOTS + '/tray-refused.png' });
  await axe(p.mainFrame(), 'refused files');
  assert.equal(await p.locator('.msg.out').count(), 1);
  clean(p);
});

for (const [colorScheme, locale] of [['light', 'zh-CN'], ['dark', 'en']]) {
  test(`a phone: the camera is offered first, ${colorScheme}, ${locale}`, async () => {
    const p = await open({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, colorScheme, locale });
    await p.locator('.composer .icon-btn').tap();
    const sheet = p.locator('.files-sheet');
    await sheet.waitFor();
    await axe(p.mainFrame(), 'the sheet');
    if (SHOTS) await p.screenshot({ path: `${SHOTS}/sheet-${colorScheme}.png` });
    assert.deepEqual(await sheet.locator('button').allTextContents(), locale === 'en' ? ['Take a photo', 'Photos or videos', 'Files', 'Cancel'] : ['拍照', '照片或视频', '文件', '取消']);
    const [camera] = await Promise.all([p.waitForEvent('filechooser'), sheet.locator('button').first().tap()]);
    const input = await camera.element();
    assert.deepEqual(await input.evaluate((e) => [e.accept, e.getAttribute('capture'), e.multiple]), ['image/*', 'environment', false]);
    let slow = true;
    await p.route('**/api/v1/files', async (r) => {
      await until('seen', () => !slow);
      await r.continue();
    });
    await camera.setFiles([{ name: 'IMG_1.png', mimeType: 'image/png', buffer: png }]);
    await p.locator('.tray-row').waitFor();
    if (SHOTS) await p.screenshot({ path: `${SHOTS}/tray-${colorScheme}.png` });
    await axe(p.mainFrame(), 'the tray');
    slow = false;
    await p.locator('.msg.out img').waitFor();
    await until('drawn', () => p.locator('.msg.out img').evaluate((e) => e.naturalWidth > 0));
    if (SHOTS) await p.screenshot({ path: `${SHOTS}/phone-${colorScheme}.png` });
    clean(p);
  });
}

test('a model’s answer grows, in markdown, with its sources; the next is stopped', async () => {
  const p = await open();
  const long = '第**一**点。第二点。第三点。' + '还有很多话要说。'.repeat(500);
  let go; // after its sentence: the guard lets whole ones out
  sim.faults.push({ fault: 'held', after: 13, go: new Promise((ok) => (go = ok)) }, { fault: 'slow_tokens', ms: 60 });
  sim.answers.push({ text: '可以**退货**：\n\n- 七天内\n- [细则](https://example.com/t)。<b>x</b>', sources: [{ title: '退货政策.md', text: '七天无理由' }] }, long);
  await write(p, 'bot, 能退货吗？');
  await p.locator('.msg.bot .caret').waitFor();
  go();
  await p.locator('.sources').waitFor();
  assert.equal(await p.locator('.msg.bot').count(), 1);
  assert.equal(await p.locator('.msg.bot .md').evaluate((e) => e.textContent), '可以退货：七天内细则。<b>x</b>');
  assert.equal(await p.locator('.sources li').textContent(), '退货政策.md七天无理由');

  await write(p, 'bot, 说长一点');
  const growing = p.locator('.msg.bot', { has: p.locator('.caret') });
  await growing.locator('.md', { hasText: '第二点' }).waitFor();
  if (SHOTS) await p.screenshot({ path: SHOTS + '/real-grow.png' });
  await p.reload(); // who comes in the middle sees what was said
  await growing.locator('.md', { hasText: '第一点。第二点。第三点' }).waitFor();
  const shown = (await growing.locator('.md').textContent()).trim();
  await p.locator('.msg-stop').click();
  await p.locator('.msg-cut', { hasText: '已停止回答' }).waitFor();
  const kept = (await p.locator('.msg.bot .md').last().textContent()).trim();
  assert.ok(kept.startsWith(shown) && kept.length < long.length / 2, kept);
  assert.equal(await p.locator('.msg.bot').count(), 2);
  assert.equal(await p.locator('.caret').count(), 0);
  await until('the provider is not asked any more', () => sim.open === 0);
  await p.reload();
  await p.locator('.msg-cut').waitFor();
  assert.equal((await p.locator('.msg.bot .md').last().textContent()).trim(), kept);
  if (SHOTS) await p.screenshot({ path: SHOTS + '/real-stopped.png' });
  clean(p);
});

for (const [locale, words] of [['zh-CN', '转人工'], ['en', 'Talk to a human']]) {
  test(`the way past a bot is in reach as long as it answers, ${locale}`, async () => {
    const p = await open({ locale });
    sim.answers.push('您好。');
    await write(p, 'bot, hello');
    await p.locator('.msg.bot', { hasText: '您好' }).waitFor();
    const way = p.locator('.chat-person .link');
    assert.equal(await way.textContent(), words);
    await axe(p.mainFrame(), 'the way past the bot');
    if (SHOTS) await p.screenshot({ path: `${SHOTS}/person-${locale}.png` });
    await way.click();
    await p.locator('.msg.out', { hasText: words }).waitFor();
    await until('no bot has it any more', async () => (await house.call('GET', '/api/v1/conversations?limit=1')).items[0].state !== 'bot');
    await way.waitFor({ state: 'detached' });
    clean(p);
  });
}
