// SPDX-License-Identifier: Apache-2.0
// The assistants' pages: made, changed, tested, chained, deleted.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assistant } from '../fake-house.mjs';
import { clean, page, signIn, toasted, until, useBrowser } from './lib.mjs';

const h = useBrowser();

async function at(f, path, o = {}) {
  const p = await page(h.browser, o);
  return signIn(p, f.url, o.email, undefined, path);
}
const yes = (p) => p.locator('dialog .dialog-foot .btn').last().click();
const ordered = (f, what) => until(what, () => f.orders.includes(what));
const fact = (p, name) => p.locator('.facts > div', { hasText: name }).locator('dd').textContent();

test('a new assistant: what is missing is said, its key is never shown again, the test tells in words', async () => {
  const f = await h.fake();
  const p = await at(f, '/assistants');
  await p.locator('.empty').waitFor();
  await p.locator('.page-do a').click();
  await p.locator('.type', { hasText: 'OpenAI 兼容' }).click();
  await p.fill('#channel-name', '售前');
  await p.locator('.settings [type=submit]').click();
  await p.locator('.field-wrong', { hasText: '只能用字母' }).waitFor();
  assert.equal(await p.locator('.field-wrong', { hasText: '请填写' }).count(), 2);
  await p.fill('#channel-name', 'presale');
  await p.selectOption('#set-provider', 'deepseek');
  await p.fill('#set-model', 'deepseek-chat');
  await p.fill('#set-key', 'sk-top-secret');
  await p.locator('.fold summary', { hasText: '限额' }).click();
  await p.fill('[id="set-limits.day_cost"]', '0.5');
  await p.locator('.fold summary', { hasText: '提示词' }).click();
  await p.fill('#set-tools', 'order_lookup, refund');
  await p.locator('.settings [type=submit]').click();
  await p.locator('h1', { hasText: 'presale' }).waitFor();
  const a = f.assistants[0];
  assert.deepEqual([a.config, a.limits, a.tools, a.guard], [{ provider: 'deepseek', model: 'deepseek-chat', key: 'sk-top-secret' }, { day_cost: 0.5 }, ['order_lookup', 'refund'], undefined]);
  assert.ok(!(await p.content()).includes('sk-top-secret'));
  f.check = { ok: false, code: 'unauthorized', why: '密钥不对' };
  await p.locator('.page-do .btn', { hasText: '测试' }).click();
  await p.locator('.note-line.bad', { hasText: '密钥不对' }).waitFor();
  f.check = { ok: true };
  await p.locator('.page-do .btn', { hasText: '测试' }).click();
  await p.locator('.note-line.ok').waitFor();
  clean(p);
});

test('settings are changed one by one: a wrong one opens its part, the rest of a group stays', async () => {
  const f = await h.fake();
  f.assistants.push(assistant('presale', { limits: { day_tokens: 2000, patience: '20s' } }));
  const p = await at(f, '/assistants/as_presale', { locale: 'en' });
  await p.locator('#set-model').waitFor();
  const limits = p.locator('.fold', { has: p.locator('summary', { hasText: /^Limits/ }) });
  await limits.locator('summary').click();
  await p.fill('[id="set-limits.patience"]', 'soon');
  await limits.locator('summary').click();
  await p.locator('.settings [type=submit]').click();
  await p.locator('.field-wrong', { hasText: 'must be an amount' }).waitFor();
  await until('the part is open and the field has the focus', () => p.evaluate(() => document.activeElement?.id === 'set-limits.patience'));
  await p.fill('[id="set-limits.patience"]', '');
  let answer;
  const held = new Promise((ok) => (answer = ok));
  await p.route('**/assistants/as_presale', (r) => (r.request().method() === 'PATCH' ? held.then(() => r.continue()) : r.continue()));
  await p.locator('.settings [type=submit]').click();
  await p.fill('#set-key', 'sk-new'); // written while the first is under way: it stays
  answer();
  await ordered(f, 'patch presale {"name":"presale","config":{},"limits":{"day_tokens":2000}}');
  await toasted(p);
  await p.locator('.settings [type=submit]').click();
  await until('the new key is kept', () => f.assistants[0].config.key === 'sk-new');
  await until('and the field is empty', async () => (await p.inputValue('#set-key')) === '');
  clean(p);
});

test('what it costs, how it does and who uses it; all of it fresh without a reload', async () => {
  const f = await h.fake();
  f.assistants.push(assistant('presale', { limits: { day_tokens: 2000, day_cost: 0.01 }, cache: { ttl: '2h' } }), assistant('night', { fallback: ['presale'] }));
  const c = f.say('在吗', 'Anna');
  Object.assign(c, { state: 'bot', assistant: 'presale' });
  f.versions.set('rules/assign', [{ script: 'rules/assign', version: f.scripts[0].version, state: 'serving', since_at: 1, until_at: null, note: '', sources: [{ name: 'a.lua', text: 'conv:assign { ai = "presale" }' }] }]);
  const p = await at(f, '/assistants', { locale: 'en' });
  const row = p.locator('.row', { hasText: 'presale' });
  await row.waitFor();
  assert.match(await row.textContent(), /3 answers.*1,234 tokens.*CN¥0\.001002/);
  await row.click();
  await p.locator('.uses a', { hasText: 'rules/assign' }).waitFor();
  await until('of a chain, in a conversation', async () => /In the chain ofnight.*官网: 1/.test(await p.locator('.uses').textContent()));
  assert.deepEqual([await fact(p, 'Answer cache hits'), await fact(p, "Provider's own cache")], ['75 %', '83 %']);
  assert.match(await p.locator('.budget').last().textContent(), /CN¥0\.001002 of CN¥0\.01/);
  await p.fill('#set-model', 'half-typed');
  Object.assign(f.assistants[0], { breaker: 'open', waiting: 7, trouble: 'unauthorized: HTTP 401', updated_at: 2 });
  f.assistants[0].today.turns = 9;
  await p.locator('.note-line.bad', { hasText: 'failed several times in a row' }).waitFor();
  await p.locator('.note-line.bad', { hasText: 'The key, the balance, the address or the model is wrong (HTTP 401)' }).waitFor();
  assert.deepEqual([await fact(p, 'Waiting for a place'), await fact(p, 'Answers')], ['7', '9']);
  assert.equal(await p.inputValue('#set-model'), 'half-typed', 'fresh figures leave the form alone');
  await p.locator('.page-do .btn', { hasText: 'Forget' }).click();
  await ordered(f, 'post presale forget');
  clean(p);
});

test('the failover chain: added, moved, taken out; one that is gone is said', async () => {
  const f = await h.fake();
  f.assistants.push(assistant('presale', { fallback: ['lost'] }), assistant('backup'), assistant('third'));
  const p = await at(f, '/assistants/as_presale');
  await p.locator('.chain .bad', { hasText: 'lost（已不存在）' }).waitFor();
  await p.locator('.chain-add').selectOption('backup');
  await ordered(f, 'patch presale {"fallback":["lost","backup"]}');
  await p.locator('.chain li', { hasText: 'backup' }).locator('button').first().click();
  await ordered(f, 'patch presale {"fallback":["backup","lost"]}');
  await p.locator('.chain li', { hasText: 'lost' }).locator('button').last().click();
  await ordered(f, 'patch presale {"fallback":["backup"]}');
  assert.deepEqual(await p.locator('.chain-add option').allTextContents(), ['添加后备…', 'third']);
  await p.locator('.chain a', { hasText: 'backup' }).click();
  await p.locator('h1', { hasText: 'backup' }).waitFor();
  clean(p);
});

test('off and on, deleted after a question; supervisors only look, agents have no such page', async () => {
  const f = await h.fake();
  f.assistants.push(assistant('presale'));
  [...f.agents.values()][1].role = 'supervisor';
  const q = await at(f, '/assistants/as_presale', { email: 'qiang@yuelai.local' });
  await q.locator('#set-model').waitFor();
  assert.ok(await q.locator('#set-model').isDisabled());
  assert.equal(await q.locator('.page-do .btn, .settings [type=submit], .chain button').count(), 0);
  const p = await at(f, '/assistants/as_presale');
  await p.locator('.page-do .btn', { hasText: '停用' }).click();
  await yes(p);
  await ordered(f, 'patch presale {"enabled":false}');
  await p.locator('.page-do .btn', { hasText: '启用' }).click();
  await ordered(f, 'patch presale {"enabled":true}');
  await p.locator('.btn.danger').click();
  await p.locator('dialog', { hasText: 'presale 及其设置和密钥将被删除' }).waitFor();
  await p.keyboard.press('Escape');
  assert.equal(f.assistants.length, 1, 'Escape is a no');
  await p.locator('.btn.danger').click();
  await yes(p);
  await p.locator('.empty').waitFor();
  assert.deepEqual(f.assistants, []);
  [...f.agents.values()][1].role = 'agent';
  const r = await at(f, '/', { email: 'qiang@yuelai.local' });
  await r.locator('.rail-item').first().waitFor();
  assert.equal(await r.locator('.rail-item[href$=assistants]').count(), 0);
  clean(p, q, r);
});
