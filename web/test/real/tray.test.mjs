// SPDX-License-Identifier: Apache-2.0
// Chosen files that have not been sent outlive a reload, on the real program:
// the upload goes on where it was, the message arrives once; taken out, too old
// or another person's they are gone; a tab that lives keeps its own.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { House } from '../../../tests/sim-platforms/lib/house.mjs';
import { clean, launch, openWidget, page, signIn, until, write } from '../e2e/lib.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

const UPLOADS = /\/files\/uploads\/[^/]+$/;
let browser;
let server;
let house;

before(async () => {
  server = await new Real().up();
  house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.end();
});

const sha = (b) => createHash('sha256').update(b).digest('hex');
const small = (name, text = name) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });

/** What is kept in this page's browser; `change` may alter each row. */
const kept = (frame, change = '') =>
  frame.evaluate(
    (how) =>
      new Promise((ok, no) => {
        const r = indexedDB.open('yuelai.files', 1);
        r.onupgradeneeded = () => r.result.createObjectStore('kept', { keyPath: 'ref' });
        r.onerror = () => no(r.error);
        r.onsuccess = () => {
          const tx = r.result.transaction('kept', 'readwrite');
          const all = tx.objectStore('kept').getAll();
          all.onsuccess = () => {
            for (const row of all.result) {
              if (how === 'old') tx.objectStore('kept').put({ ...row, at: row.at - 25 * 3_600_000 });
              if (how === 'whose') tx.objectStore('kept').put({ ...row, who: 'somebody' });
            }
          };
          tx.oncomplete = () => {
            r.result.close();
            ok(all.result.map(({ file, upload, info, released }) => ({ name: file.name, size: file.size, upload, there: !!info, released })));
          };
        };
      }),
    change,
  );

async function choose(p, button, files) {
  const [chooser] = await Promise.all([p.waitForEvent('filechooser'), button.click()]);
  await chooser.setFiles(files);
}

async function newest() {
  const c = (await house.call('GET', '/api/v1/conversations?limit=1')).items[0];
  return c ? { c, said: (await house.call('GET', `/api/v1/conversations/${c.id}/messages?limit=100`)).items } : { said: [] };
}
const names = async () => (await newest()).said.filter((m) => m.file).map((m) => m.file.name);
const chatOf = (p) => p.frames().find((x) => x.url().includes('/chat/'));

test('widget: reloaded in mid-upload, the file is there, goes on where it was and arrives once', async () => {
  const p = await page(browser);
  const chat = await openWidget(p, server.url);
  const bytes = randomBytes(3_400_000);
  const began = [];
  let patched = 0;
  let held = true;
  p.on('request', (r) => r.method() === 'POST' && r.url().endsWith('/uploads') && began.push(r.url()));
  await p.context().route(UPLOADS, (r) => {
    if (r.request().method() !== 'PATCH') return r.continue();
    if (held && patched > 0) return undefined; // never answered
    patched++;
    return r.continue();
  });
  await choose(p, chat.locator('.composer .icon-btn'), [{ name: 'film.bin', mimeType: 'application/octet-stream', buffer: bytes }, small('after.txt')]);
  await until('one piece is there, its name is kept', async () => patched === 1 && (await kept(chatOf(p))).some((k) => k.upload));
  await until('the second is up, and waits for the first', async () => (await kept(chatOf(p))).some((k) => k.name === 'after.txt' && k.there));
  await p.reload();
  await p.locator('#yuelai-widget .l').click();
  await chat.locator('.tray-row', { hasText: 'film.bin' }).waitFor();
  await chat.locator('.tray-row', { hasText: 'after.txt' }).waitFor();
  if (process.env.SHOTS) await p.screenshot({ path: process.env.SHOTS + '/kept-widget.png' });
  held = false;
  await p.reload(); // again: what hung is let go
  await until('both arrived, in order', async () => (await names()).join() === 'film.bin,after.txt');
  assert.equal(began.length, 1, 'the upload of before went on');
  assert.equal(patched, 4, 'no piece twice');
  const id = (await newest()).said.find((m) => m.file?.name === 'film.bin').file.id;
  const whole = await fetch(server.url + '/files/' + id, { headers: { authorization: 'Bearer ' + house.token } });
  assert.equal(sha(Buffer.from(await whole.arrayBuffer())), sha(bytes));
  await until('nothing is kept', async () => (await kept(chatOf(p))).length === 0);
  assert.equal(await p.evaluate(() => localStorage.getItem('yl.default.draft.files')), null);
  await p.reload();
  await p.locator('#yuelai-widget .l').click();
  await chat.locator('.msg.out').nth(1).waitFor();
  assert.equal(await chat.locator('.tray-row').count(), 0);
  assert.deepEqual(await names(), ['film.bin', 'after.txt']);
  clean(p);
});

test('chat: taken out, refused or a day old it does not come back; a tab that lives keeps its own, a closed one leaves them', async () => {
  const p = await page(browser);
  await p.goto(server.url + '/chat/default');
  let held = true;
  await p.context().route('**/api/v1/files', (r) => (held ? undefined : r.continue()));
  const button = p.locator('.composer .icon-btn');
  const row = (q, name) => q.locator('.tray-row', { hasText: name });
  await choose(p, button, [small('out.txt'), small('none.txt', ''), small('stay.txt')]);
  await row(p, 'out.txt').locator('.icon-btn').click();
  await until('two are kept no more', async () => (await kept(p)).map((k) => k.name).join() === 'stay.txt');
  await p.reload();
  await row(p, 'stay.txt').waitFor();
  assert.equal(await p.locator('.tray-row').count(), 1);

  const q = await p.context().newPage();
  await q.goto(server.url + '/chat/default');
  await q.locator('.composer-field').click();
  await choose(q, q.locator('.composer .icon-btn'), [small('second.txt')]);
  await row(q, 'second.txt').waitFor();
  await until('kept', async () => (await kept(q)).length === 2);
  assert.equal(await q.locator('.tray-row').count(), 1, 'the first tab lives');
  await p.close();
  await row(q, 'stay.txt').waitFor();
  assert.deepEqual(await q.locator('.tray-name').allTextContents(), ['stay.txt', 'second.txt']);
  held = false;
  await q.reload();
  await until('both arrived, in order', async () => (await names()).join() === 'stay.txt,second.txt');

  held = true;
  await choose(q, q.locator('.composer .icon-btn'), [small('old.txt')]);
  await until('kept', async () => (await kept(q, 'old')).length === 1);
  await q.reload();
  await until('swept', async () => (await kept(q)).length === 0);
  assert.equal(await q.locator('.tray-row').count(), 0);
  clean(p);
});

test('console: what waits in the tray is there after a reload, is not uploaded again, goes once; another agent never sees it', async () => {
  const visitor = await page(browser);
  const chat = await openWidget(visitor, server.url);
  await write(chat, '文件呢');
  const agent = await page(browser);
  await signIn(agent, server.url, EMAIL, PASSWORD);
  await agent.locator('.conv').first().click();
  await agent.locator('.msg', { hasText: '文件呢' }).waitFor();
  const button = agent.locator('.attach');
  let uploads = 0;
  agent.on('request', (r) => r.method() === 'POST' && r.url().endsWith('/api/v1/files') && uploads++);
  await choose(agent, button, [small('a.txt'), small('b.txt')]);
  await until('up', async () => (await agent.locator('.tray-row', { hasText: '已上传' }).count()) === 2);
  await until('kept', async () => (await kept(agent)).every((k) => k.there && !k.released));
  await agent.reload();
  await until('there again', async () => (await agent.locator('.tray-row', { hasText: '已上传' }).count()) === 2);
  assert.deepEqual([uploads, (await names()).length], [2, 0]);
  await agent.locator('.composer-send').click();
  for (const name of ['a.txt', 'b.txt']) await chat.locator('.media-card', { hasText: name }).waitFor();
  await until('nothing is kept', async () => (await kept(agent)).length === 0);
  await agent.reload();
  await agent.locator('.msg', { hasText: 'b.txt' }).waitFor();
  assert.equal(await agent.locator('.tray-row').count(), 0);
  assert.deepEqual(await names(), ['a.txt', 'b.txt']);

  await choose(agent, button, [small('secret.txt')]);
  await agent.locator('.tray-row', { hasText: '已上传' }).waitFor();
  await until('kept', async () => (await kept(agent)).every((k) => k.there));
  await kept(agent, 'whose');
  await agent.reload();
  await until('ended', async () => (await kept(agent)).length === 0);
  assert.equal(await agent.locator('.tray-row').count(), 0);
  clean(agent, visitor);
});
