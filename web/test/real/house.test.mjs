// SPDX-License-Identifier: Apache-2.0
// The house's pages on the real program: an adapter is dropped in, its channel
// made and tested, a message is refused and sent again, a flow runs, "why?".
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { clean, launch, page, signIn, until, write } from '../e2e/lib.mjs';
import { EMAIL, PASSWORD, Real } from './server.mjs';

let browser;
let server;
let p;
let hook;

before(async () => {
  server = await new Real().up();
  browser = await launch();
  p = await page(browser);
  await signIn(p, server.url, EMAIL, PASSWORD);
});

after(async () => {
  await browser?.close();
  await server?.end();
});

const put = (path, text) => writeFileSync(join(server.home, path), text);
const rail = (name) => p.locator(`.rail a[href$="${name}"]`).click();
const yes = () => p.locator('dialog .dialog-foot .btn').last().click();

async function says(from, text, id) {
  const r = await fetch(hook, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ id, from, text }) });
  assert.equal(r.status, 200, await r.text());
}

const ADAPTER = `return {
  api = 1,
  title = { zh = "阿克米", en = "Acme" },
  schema = {
    url = { type = "string", required = true, title = { zh = "地址", en = "Address" } },
    key = { type = "secret", required = true, title = { zh = "密钥", en = "Key" } },
  },
  receive = function(req, ctx)
    local b = json.decode(req.body)
    ctx.deliver { dedupe = b.id, from = b.from, name = b.from, kind = "text", text = b.text }
    return 200, "ok"
  end,
  send = function(item, ctx)
    if tostring(item.text):find("坏") then return { failed = "refused", why = "平台不收这个词" } end
    return { sent = item.text }
  end,
  check = function(config, ctx) return nil, "unauthorized", "密钥不对" end,
}
`;

test('an adapter that is dropped in becomes a channel, without a reload of the page', async () => {
  await rail('channels');
  await p.locator('.page-do a').click();
  await p.locator('.type').first().waitFor();
  put('channels/acme.lua', ADAPTER);
  await p.locator('.type', { hasText: '阿克米' }).click();
  await p.fill('#channel-name', '阿克米店');
  await p.fill('#set-url', 'https://shop.example');
  await p.fill('#set-key', 'geheim-1');
  await p.locator('.settings [type=submit]').click();
  await p.locator('h1', { hasText: '阿克米店' }).waitFor();
  hook = await p.locator('.copy-text').first().textContent();
  assert.match(hook, /^http.*\/hooks\/ch_/);
  assert.equal(await p.getAttribute('#set-key', 'placeholder'), '***');
  await p.locator('.page-do .btn', { hasText: '测试' }).click();
  await p.locator('.note-line.bad', { hasText: '密钥不对' }).waitFor();
  clean(p);
});

test('what the platform refuses is said under the message; sent again when the adapter is mended', async () => {
  await says('Bob', 'hi', 'b1');
  await p.locator('.rail a').first().click();
  await p.locator('.conv', { hasText: 'Bob' }).click();
  await p.locator('.msg.left').first().waitFor();
  await write(p, '坏词');
  await p.locator('.msg-failed', { hasText: '平台不收这个词' }).waitFor();
  const version = async () => (await (await p.request.get(server.url + '/api/v1/scripts/channels/acme')).json()).version;
  const before = await version();
  put('channels/acme.lua', ADAPTER.replace('find("坏")', 'find("never")'));
  await rail('failed');
  await p.locator('[data-key=unsent]').click();
  await p.locator('.letter', { hasText: '坏词' }).waitFor();
  await until('it is mended', async () => (await version()) !== before);
  await p.locator('.letter .btn', { hasText: '重发' }).click();
  await p.goBack();
  await p.locator('.msg.out', { hasText: '坏词' }).locator('.tick-stored').waitFor();
  await until('it did not fail', async () => (await p.locator('.msg-failed').count()) === 0);
  clean(p);
});

test('a flow: it waits, its saga is undone, all told step by step; why? names the rule', async () => {
  put('scripts/flows/back.lua', `return { api = 1, run = function(conv)
    local msg = ask("单号？", { timeout = "30m" })
    flow.saga("back", {
      { name = "freeze", run = function() return { hold = 1 } end, undo = function() return true end },
      { name = "pay", run = function() return nil, "no_money", "银行拒绝" end },
    }, { id = msg and msg.text })
    conv:reply("好了")
  end }
`);
  put('scripts/rules/20-back.lua', 'return { api = 1, match = { text = { "退货" } }, on_message = function(conv) conv:tag "back" return flow.start "back" end }\n');
  await rail('scripts');
  await p.locator('.row', { hasText: 'rules/20-back' }).waitFor();
  await says('Anna', '我要退货', 'a1');
  await rail('flows');
  await p.locator('.row', { hasText: '等待访客回复，最多 30 分钟' }).click();
  await p.locator('.timeline', { hasText: '单号？' }).waitFor();
  await says('Anna', 'A-17', 'a2');
  await p.locator('.saga li.bad', { hasText: '银行拒绝' }).waitFor();
  await p.locator('.page-do .chip.ok').waitFor();
  assert.match(await p.locator('.timeline').textContent(), /A-17[\s\S]*back\/pay[\s\S]*no_money: 银行拒绝[\s\S]*back\/freeze/);
  await p.locator('.page-do a').click();
  const first = p.locator('.msg.left', { hasText: '我要退货' });
  await first.hover();
  await first.locator('.why').click();
  await p.locator('.why-line', { hasText: 'rules/20-back' }).waitFor();
  assert.match(await p.locator('.why-line').textContent(), /决定[\s\S]*启动流程/);
  await p.keyboard.press('Escape');
  clean(p);
});

test('a script: its versions with source and difference, rolled back, switched off and on', async () => {
  put('scripts/rules/20-back.lua', 'return { api = 1, match = { text = { "退货" } }, on_message = function(conv) conv:tag "again" return flow.start "back" end }\n');
  await p.goto(server.url + '/console/scripts/rules/20-back');
  const old = p.locator('.versions li', { has: p.locator('.chip', { hasText: '以前' }) });
  await old.waitFor();
  await old.locator('.btn', { hasText: '差异' }).click();
  await p.locator('.diff .new', { hasText: '"back"' }).waitFor();
  await p.keyboard.press('Escape');
  await old.locator('.btn', { hasText: '改用此版本' }).click();
  await yes();
  await p.locator('.page-do .state', { hasText: '已回退' }).waitFor();
  await p.locator('.page-do .btn', { hasText: '停用' }).click();
  await yes();
  await p.locator('.page-do .state', { hasText: '已停用' }).waitFor();
  await p.locator('.page-do .btn', { hasText: '启用' }).click();
  await until('on again', async () => !/停用/.test(await p.locator('.page-do .state').textContent()));
  clean(p);
});
