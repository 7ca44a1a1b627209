// SPDX-License-Identifier: Apache-2.0
// examples/weapp on the real program: its pages and its bundle as they are, over
// a fake `wx` that behaves as the platform says (sockets are tasks that open
// later, an error has no close, storage is synchronous).
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { buildWeapp } from '../../weapp.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

const EXAMPLE = join(dirname(fileURLToPath(import.meta.url)), '../../../examples/weapp');
const dir = mkdtempSync(join(tmpdir(), 'yuelai-weapp-'));
const kept = new Map();
const shown = [];
const sockets = new Set();
let online = true;
let server;
let app;
let agent;

const wx = {
  connectSocket({ url }) {
    const ws = new WebSocket(online ? url : 'ws://127.0.0.1:1/');
    const on = {};
    sockets.add(ws);
    ws.on('open', () => on.open?.({ header: {} }));
    ws.on('message', (data) => on.message?.({ data: data.toString() }));
    ws.on('error', () => on.error?.({ errMsg: 'fail' }));
    ws.on('close', (code, reason) => on.close?.({ code, reason: reason.toString() }));
    return {
      send: ({ data, fail }) => (ws.readyState === 1 ? ws.send(data) : fail?.()),
      close: ({ code }) => (ws.readyState === 1 ? ws.close(code) : ws.terminate()),
      onOpen: (fn) => (on.open = fn),
      onMessage: (fn) => (on.message = fn),
      onError: (fn) => (on.error = fn),
      onClose: (fn) => (on.close = fn),
    };
  },
  getStorageSync: (k) => kept.get(k) ?? '',
  setStorageSync: (k, v) => kept.set(k, v),
  removeStorageSync: (k) => kept.delete(k),
  getStorageInfoSync: () => ({ keys: Array.from(kept.keys()) }),
  getAppBaseInfo: () => ({ language: 'en' }),
  onAppShow: (fn) => shown.push(fn),
  onNetworkStatusChange: () => {},
};

/** The mini program, begun anew: only its storage stays. */
function open() {
  const require = createRequire(join(dir, 'app.js'));
  for (const k of Object.keys(require.cache)) if (k.startsWith(dir)) delete require.cache[k];
  Object.assign(require(join(dir, 'config.js')), { house: server.url, channel: 'default' });
  globalThis.wx = wx;
  globalThis.App = (a) => (app = a);
  globalThis.getApp = () => app;
  require(join(dir, 'app.js'));
  app.onLaunch();
  let page;
  globalThis.Page = (p) => (page = p);
  require(join(dir, 'pages/chat/chat.js'));
  page.data = { ...page.data, urls: {} };
  page.setData = (d) => Object.assign(page.data, d);
  page.onLoad();
  page.onShow();
  return page;
}

function say(page, text) {
  page.type({ detail: { value: text } });
  page.send();
}

async function until(what, fn) {
  for (const end = Date.now() + 45_000; Date.now() < end; await new Promise((r) => setTimeout(r, 20))) if (await fn()) return;
  assert.fail('in vain: ' + what);
}
const texts = (page) => page.data.rows.map((r) => r.text);
const stored = (page) => page.data.rows.every((r) => !r.mine || r.tick === 'stored' || r.tick === 'read');

async function rest(method, path, body) {
  const r = await fetch(server.url + '/api/v1' + path, {
    method,
    headers: { 'content-type': 'application/json', ...(agent ? { authorization: 'Bearer ' + agent } : {}) },
    body: body && JSON.stringify(body),
  });
  assert.ok(r.ok, path + ' ' + r.status);
  return r.json();
}
const answer = async (page, text, ref) => rest('POST', `/conversations/${page.visitor.conversation.id}/messages`, { kind: 'text', text, ref });

before(async () => {
  cpSync(EXAMPLE, dir, { recursive: true });
  await buildWeapp(join(dir, 'lib/yuelai.js'));
  server = await new Real().up();
  agent = (await rest('POST', '/login', { email: EMAIL, password: PASSWORD })).token;
});

after(async () => {
  app?.visitor.stop();
  await server?.end();
  rmSync(dir, { recursive: true, force: true });
});

let page;
test('a word goes out, the answer comes in, both languages have their words', async () => {
  page = open();
  await until('open', () => page.data.state === 'open');
  assert.equal(page.data.t.send, 'Send');
  say(page, 'hello');
  await until('stored', () => texts(page).includes('hello') && stored(page));
  await answer(page, 'welcome', 'a1');
  await until('the answer', () => texts(page).includes('welcome'));
});

test('the background cuts the socket; shown again it catches up, nothing twice', async () => {
  online = false;
  for (const ws of sockets) ws.terminate();
  await until('it noticed', () => page.data.state !== 'open');
  say(page, 'written offline 1');
  say(page, 'written offline 2');
  await answer(page, 'said meanwhile', 'a2');
  assert.deepEqual(page.data.rows.filter((r) => r.text === 'said meanwhile'), []);
  online = true;
  for (const fn of shown) fn();
  await until('all is here', () => texts(page).includes('said meanwhile') && texts(page).includes('written offline 2') && stored(page));
  assert.equal(new Set(texts(page)).size, texts(page).length);
  assert.ok(texts(page).indexOf('written offline 1') < texts(page).indexOf('written offline 2'));
});

test('closed and killed with words unsent: they go out at the next start, once', async () => {
  await server.kill();
  say(page, 'before the phone died');
  await until('it waits', () => page.data.rows.at(-1).tick === 'sending');
  app.visitor.stop();
  await server.up();
  page = open();
  await until('sent', () => texts(page).includes('before the phone died') && stored(page));
  await until('history', () => texts(page).includes('welcome'));
  const { items } = await rest('GET', `/conversations/${page.visitor.conversation.id}/messages?limit=100`);
  assert.equal(items.filter((m) => m.text === 'before the phone died').length, 1);
  assert.deepEqual(Array.from(kept.keys()).filter((k) => k.includes('.out.')), []);
});
