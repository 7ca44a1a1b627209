// SPDX-License-Identifier: Apache-2.0
// Files from the console: chosen, pasted, dropped; told what will not do.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, clean, page, signIn, until, useBrowser, visit, write } from './lib.mjs';

const h = useBrowser();

async function talk(o = {}) {
  const f = await h.fake({ file_bytes: 1_000_000, ...o.fake });
  o.before?.(f);
  const p = await page(h.browser, o);
  await signIn(p, f.url);
  const c = f.say('hello', 'Anna');
  await visit(p, f.url + '/console/c/' + c.id);
  await p.locator('.attach').waitFor();
  const ours = () => f.messages.get(c.id).filter((m) => m.sender.role === 'agent');
  const choose = async (files) => {
    // Its words come with the tray's chunk.
    await p.locator('.attach[aria-label*="MB"], .attach[aria-label*="KB"]').waitFor();
    const [chooser] = await Promise.all([p.waitForEvent('filechooser'), p.locator('.attach').click()]);
    await chooser.setFiles(files);
  };
  return { f, p, c, ours, choose };
}
const file = (name, mimeType, n = 2000) => ({ name, mimeType, buffer: Buffer.alloc(n, 'x') });

test('chosen files wait in the tray until they are sent, with the words, as reply or as note', async () => {
  const { f, p, ours, choose } = await talk();
  await choose([file('合同.pdf', 'application/pdf'), file('b.txt', 'text/plain')]);
  await until('both are up', () => f.orders.length === 2);
  await until('both are ready', async () => (await p.locator('.tray-row', { hasText: '已上传' }).count()) === 2);
  assert.deepEqual(ours(), [], 'nothing goes by itself');
  await axe(p, 'tray');
  await write(p, '请看附件');
  await until('all three', () => ours().length === 3);
  assert.deepEqual(ours().map((m) => [m.kind, m.text ?? '', m.file?.name ?? '']), [['text', '请看附件', ''], ['file', '', '合同.pdf'], ['file', '', 'b.txt']]);
  await until('the tray is empty', async () => (await p.locator('.tray-row').count()) === 0);
  await p.locator('.msg.out .media-card', { hasText: '合同.pdf' }).waitFor();
  await p.locator('.reply-tabs [data-key=note]').click();
  await choose([file('secret.txt', 'text/plain')]);
  await p.locator('.tray-row', { hasText: '已上传' }).waitFor();
  await p.locator('.composer-send').click();
  await until('a note', () => ours().length === 4);
  assert.equal(ours()[3].private, true);
  clean(p);
});

test('pasted and dropped; one is taken out on its way; one that failed is tried again', async () => {
  let let_go;
  const gate = new Promise((ok) => (let_go = ok));
  const { f, p, ours, choose } = await talk({ before: (x) => (x.uploading = (y) => (y.name === 'slow.txt' ? gate : null)) });
  await choose([file('slow.txt', 'text/plain')]);
  await p.locator('.tray-row', { hasText: 'slow.txt' }).waitFor();
  await p.locator('.composer-field').evaluate((el) => {
    const d = new DataTransfer();
    d.items.add(new File(['x'.repeat(500)], 'image.png', { type: 'image/png' }));
    el.dispatchEvent(new ClipboardEvent('paste', { clipboardData: d, bubbles: true, cancelable: true }));
  });
  await p.locator('.tray-row', { hasText: 'image-1.png' }).waitFor();
  await p.locator('.thread-log').evaluate((el) => {
    const d = new DataTransfer();
    d.items.add(new File(['y'.repeat(500)], 'dropped.txt', { type: 'text/plain' }));
    for (const kind of ['dragenter', 'dragover', 'drop']) el.dispatchEvent(new DragEvent(kind, { dataTransfer: d, bubbles: true, cancelable: true }));
  });
  await p.locator('.tray-row', { hasText: 'dropped.txt' }).waitFor();
  await p.locator('.tray-row', { hasText: 'slow.txt' }).locator('button').last().click();
  let_go();
  await until('two are ready', async () => (await p.locator('.tray-row', { hasText: '已上传' }).count()) === 2);
  f.uploading = () => ({ status: 409, code: 'quota', message: '空间已满' });
  await choose([file('again.txt', 'text/plain')]);
  await p.locator('.tray-row.failed', { hasText: 'again.txt' }).waitFor();
  f.uploading = null;
  await p.locator('.tray-row.failed .link', { hasText: '重试' }).click();
  await until('three are ready', async () => (await p.locator('.tray-row', { hasText: '已上传' }).count()) === 3);
  await p.locator('.composer-send').click();
  await until('sent', () => ours().length === 3);
  assert.deepEqual(ours().map((m) => [m.kind, m.file.name]), [['image', 'image-1.png'], ['file', 'dropped.txt'], ['file', 'again.txt']]);
  clean(p);
});

test('what is chosen stays with its conversation', async () => {
  const { f, p, c, ours, choose } = await talk();
  await choose([file('a.txt', 'text/plain')]);
  await p.locator('.tray-row', { hasText: '已上传' }).waitFor();
  const b = f.say('other', 'Bob');
  await p.locator('.conv', { hasText: 'Bob' }).click();
  await p.locator('.msg', { hasText: 'other' }).waitFor();
  await until('not here', async () => (await p.locator('.tray-row').count()) === 0);
  await write(p, 'nur Text');
  await until('sent to Bob', () => f.messages.get(b.id).length === 2);
  await p.goBack();
  await p.locator('.tray-row', { hasText: 'a.txt' }).waitFor();
  await p.locator('.composer-send').click();
  await until('sent to Anna', () => ours().length === 1);
  assert.equal(f.messages.get(c.id).at(-1).file.name, 'a.txt');
  clean(p);
});

test('a platform that shows no files sends a link, and that is said; one that takes none is grey, with the reason', async () => {
  const { p, choose } = await talk({ locale: 'en', fake: { file_bytes: 9_000_000 }, before: (f) => Object.assign(f.channel, { kinds: ['text', 'image'], config: { ...f.channel.config, file_mb: 1 } }) });
  await choose([file('p.png', 'image/png', 100)]);
  await p.locator('.tray-row').waitFor();
  assert.equal(await p.locator('.reply-room').count(), 0);
  await choose([file('c.pdf', 'application/pdf', 100), file('big.png', 'image/png', (1 << 20) + 1)]);
  await p.locator('.reply-room', { hasText: 'gets a link' }).waitFor();
  await p.locator('.tray-row.failed', { hasText: 'Too large, 1 MB at most' }).waitFor();
  clean(p);
  const g = await talk({ before: (f) => Object.assign(f.channel, { config: { ...f.channel.config, file_mb: 0 } }) });
  await g.p.locator('.attach[aria-disabled=true]').waitFor();
  assert.equal(await g.p.locator('.attach').getAttribute('title'), '这个渠道不能发送文件');
  await axe(g.p, 'grey');
  clean(g.p);
});
