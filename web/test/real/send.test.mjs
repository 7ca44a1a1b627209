// SPDX-License-Identifier: Apache-2.0
// An agent sends files to a widget's visitor, on the real program: by the
// button, pasted, dropped; progress, given up; what the channel does not take
// is said before a byte is sent, or by the server, in both languages.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { House } from '../../../tests/sim-platforms/lib/house.mjs';
import { axe, clean, launch, openWidget, page, signIn, until, write } from '../e2e/lib.mjs';
import { picture } from '../fake-media.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

const SHOTS = process.env.SHOTS;
const PDF = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Count 0/Kids[]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n' + ' '.repeat(1_200_000));
const PNG = picture('cat.png', 1200, 800).bytes;
let browser;
let server;
let house;
let channel;
let bo;
let visitor;
let chat;

before(async () => {
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  channel = (await house.call('GET', '/api/v1/channels')).items.find((c) => c.type === 'web');
  await house.call('PATCH', '/api/v1/channels/' + channel.id, { config: { file_mb: 2, file_types: 'image/* application/pdf text/*' } });
  bo = await house.call('POST', '/api/v1/agents', { email: 'bo@example.com', name: 'Bo', password: 'e2e-password-2', role: 'agent' });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.end();
});

const sha = (b) => createHash('sha256').update(b).digest('hex');
const row = (p, name) => p.locator('.tray-row', { hasText: name });
const says = (p, name) => row(p, name).locator('.tray-say').textContent();

const newest = async () => (await house.call('GET', '/api/v1/conversations?limit=1')).items[0];

async function open(o = {}, who = [EMAIL, PASSWORD]) {
  const p = await page(browser, o);
  await signIn(p, server.url, ...who);
  await p.goto(server.url + '/console/c/' + (await newest()).id);
  await p.locator('.attach[title*="MB"]').waitFor();
  return p;
}

async function choose(p, files) {
  const [chooser] = await Promise.all([p.waitForEvent('filechooser'), p.locator('.attach').click()]);
  await chooser.setFiles(files);
}

/** Pasted into, or dropped on, what `at` names. */
const give = (p, at, kind, name, type, bytes) =>
  p.locator(at).evaluate(
    (el, [what, n, t, b]) => {
      const d = new DataTransfer();
      d.items.add(new File([Uint8Array.from(atob(b), (c) => c.charCodeAt(0))], n, { type: t }));
      el.dispatchEvent(what === 'paste' ? new ClipboardEvent(what, { clipboardData: d, bubbles: true, cancelable: true }) : new DragEvent(what, { dataTransfer: d, bubbles: true, cancelable: true }));
    },
    [kind, name, type, bytes.toString('base64')],
  );

test('a picture by the button, one pasted, a PDF dropped: the visitor has them in order, byte for byte', async () => {
  visitor = await page(browser);
  chat = await openWidget(visitor, server.url);
  await write(chat, '发票和照片呢');
  const p = await open();
  assert.equal(await p.locator('.attach').getAttribute('title'), '发送文件（每个不超过 2 MB）');
  await choose(p, [{ name: 'cat.png', mimeType: 'image/png', buffer: PNG }]);
  await give(p, '.composer-field', 'paste', 'image.png', 'image/png', PNG);
  await give(p, '.thread-log', 'dragover', '发票.pdf', 'application/pdf', PDF);
  await p.locator('.files-drop').waitFor();
  await give(p, '.thread-log', 'drop', '发票.pdf', 'application/pdf', PDF);
  await until('all are up', async () => (await p.locator('.tray-row', { hasText: '已上传' }).count()) === 3);
  assert.equal(await p.locator('.files-drop').count(), 0);
  assert.equal(await chat.locator('.media').count(), 0, 'nothing goes before it is sent');
  await axe(p, 'the tray');
  if (SHOTS) await p.screenshot({ path: SHOTS + '/send-tray.png' });
  await write(p, '都在这里');
  const names = () => chat.locator('.msg .media img, .msg .media-name').evaluateAll((all) => all.map((e) => e.alt || e.textContent));
  await until('all are there', async () => (await names()).length === 3);
  assert.deepEqual((await names()).map((n) => n.replace(/-\d+/, '')), ['cat.png', 'image.png', '发票.pdf']);
  await until('drawn', async () => (await chat.locator('.msg .media img').evaluateAll((x) => x.map((e) => e.naturalWidth))).every((w) => w > 0));
  const [saved] = await Promise.all([visitor.waitForEvent('download'), chat.locator('a.media-card', { hasText: '发票.pdf' }).click()]);
  assert.equal(saved.suggestedFilename(), '发票.pdf');
  assert.equal(sha(readFileSync(await saved.path())), sha(PDF));
  if (SHOTS) await visitor.screenshot({ path: SHOTS + '/send-visitor.png' });
  clean(p, visitor);
});

test('progress is told; given up, the server forgets it and nothing is sent', async () => {
  const p = await open();
  const deleted = [];
  p.on('response', (r) => r.request().method() === 'DELETE' && deleted.push(r.status()));
  await p.route('**/files/uploads/*', (r) => (r.request().method() === 'PATCH' && r.request().headers()['upload-offset'] !== '0' ? undefined : r.continue()));
  await choose(p, [{ name: 'big.txt', mimeType: 'text/plain', buffer: Buffer.alloc(1_900_000, 'x') }]);
  const bar = row(p, 'big.txt').locator('[role=progressbar]');
  await until('half of it', async () => Number(await bar.getAttribute('aria-valuenow')) >= 52);
  assert.match(await says(p, 'big.txt'), /已上传 5\d%/);
  await p.locator('.composer-send').click(); // sent before it is up: it follows, or not
  await row(p, 'big.txt').locator('.icon-btn').click();
  await until('given up', async () => (await p.locator('.tray-row').count()) === 0 && deleted.length === 1);
  assert.deepEqual(deleted, [204]);
  await p.reload();
  await p.locator('.msg.out', { hasText: '都在这里' }).waitFor();
  assert.equal(await p.locator('.tray-row').count(), 0);
  assert.equal(await chat.locator('.media').count(), 3);
  clean(p);
});

for (const [locale, colorScheme, viewport] of [
  ['zh-CN', 'light', { width: 1280, height: 800 }],
  ['en', 'dark', { width: 390, height: 844 }],
]) {
  test(`too large, of a type that is not taken, not what its name says: told in words, ${locale}, ${colorScheme}`, async () => {
    const zh = locale === 'zh-CN';
    await house.call('POST', `/api/v1/conversations/${(await newest()).id}/assign`, { agent: bo.id });
    // An agent without rights to channels knows their limits all the same.
    const p = await open({ locale, colorScheme, viewport }, ['bo@example.com', 'e2e-password-2']);
    const posts = [];
    p.on('request', (r) => r.method() === 'POST' && /\/api\/v1\/files/.test(r.url()) && posts.push(r.url()));
    await choose(p, [
      { name: 'huge.pdf', mimeType: 'application/pdf', buffer: Buffer.alloc(2 * 1024 * 1024 + 1) },
      { name: 'film.mp4', mimeType: 'video/mp4', buffer: randomBytes(500) },
      { name: 'none.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) },
      { name: 'fake.pdf', mimeType: 'application/pdf', buffer: readFileSync('/bin/true') },
    ]);
    await until('all are refused', async () => (await p.locator('.tray-row.failed').count()) === 4);
    assert.deepEqual(
      await p.locator('.tray-say').allTextContents(),
      zh
        ? ['文件太大，不能超过 2 MB', '这里不收这类文件，只收图片、PDF、文本', '这是空文件或文件夹', '这里不收这类文件，只收图片、PDF、文本']
        : ['Too large, 2 MB at most', 'This type is not taken here, only pictures, PDF, text', 'This is empty, or a folder', 'This type is not taken here, only pictures, PDF, text'],
    );
    assert.equal(posts.length, 1, 'only what a browser cannot know was sent');
    assert.equal(await p.locator('.tray-row .link').count(), 0, 'no use in trying again');
    assert.ok(await p.locator('.composer-send').isDisabled(), 'nothing to send');
    await axe(p, 'refused');
    if (SHOTS) await p.screenshot({ path: `${SHOTS}/send-refused-${colorScheme}.png` });
    clean(p);
  });
}
