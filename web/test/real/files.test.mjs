// SPDX-License-Identifier: Apache-2.0
// The real program's files: an agent's picture and paper, seen by cookie in
// the console and by signed links in the chat.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { clean, launch, openWidget, page, signIn, until, write } from '../e2e/lib.mjs';
import { picture } from '../fake-media.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

let browser;
let server;

before(async () => {
  server = await new Real().up();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.end();
});

/** From the agent's page: the file's upload, then the message with it. */
const send = (p, conv, kind, name, type, base64) =>
  p.evaluate(
    async (o) => {
      const form = new FormData();
      form.append('file', new File([Uint8Array.from(atob(o.base64), (c) => c.charCodeAt(0))], o.name, { type: o.type }));
      const up = await fetch('/api/v1/files', { method: 'POST', headers: { 'X-Yuelai': '1' }, body: form });
      const file = await up.json();
      const body = JSON.stringify({ kind: o.kind, file: file.id });
      const said = await fetch(`/api/v1/conversations/${o.conv}/messages`, { method: 'POST', headers: { 'X-Yuelai': '1', 'Content-Type': 'application/json' }, body });
      return [up.status, said.status, file];
    },
    { conv, kind, name, type, base64 },
  );

test('a picture and a paper are drawn, opened and saved on both sides', async () => {
  const agent = await page(browser);
  await signIn(agent, server.url, EMAIL, PASSWORD);
  const visitor = await page(browser);
  const chat = await openWidget(visitor, server.url);
  await write(chat, 'hello');
  await agent.locator('.conv').first().click();
  await agent.locator('.msg', { hasText: 'hello' }).waitFor();
  const conv = new URL(agent.url()).pathname.split('/').pop();

  const png = await send(agent, conv, 'image', 'cat.png', 'image/png', picture('cat.png', 1200, 800).bytes.toString('base64'));
  assert.deepEqual(png.slice(0, 2), [201, 201], JSON.stringify(png[2]));
  for (const scope of [agent, chat]) {
    const img = scope.locator('img[alt="cat.png"]');
    await until('the thumbnail is drawn', () => img.evaluate((e) => e.complete && e.naturalWidth > 0 && e.naturalWidth < 1200 && /thumb=1/.test(e.src)));
    assert.equal(await img.evaluate((e) => e.clientWidth), 240);
  }
  const href = await chat.locator('a.media-image').evaluate((e) => e.href);
  const whole = await fetch(href);
  assert.deepEqual([whole.status, whole.headers.get('content-type')], [200, 'image/png'], 'the link opens it without a token');

  const text = 'order;price\n1;88\n';
  const csv = await send(agent, conv, 'file', '订单.csv', 'text/csv', Buffer.from(text).toString('base64'));
  assert.deepEqual(csv.slice(0, 2), [201, 201], JSON.stringify(csv[2]));
  for (const [p, scope] of [[agent, agent], [visitor, chat]]) {
    const card = scope.locator('a.media-card', { hasText: '订单.csv' });
    const [saved] = await Promise.all([p.waitForEvent('download'), card.click()]);
    assert.equal(saved.suggestedFilename(), '订单.csv');
    assert.equal(readFileSync(await saved.path(), 'utf8'), text);
  }
  clean(agent, visitor);
});
