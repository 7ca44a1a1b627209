// SPDX-License-Identifier: Apache-2.0
// What the assistants' page reckons: groups of settings, budgets, money, names.
import './one-tab.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import en from '../../locales/console.en.json';
import zh from '../../locales/console.zh-CN.json';
import * as a from '../../console/stores/assistants.ts';
import { reasonText, troubleText } from '../../console/stores/copilot.ts';
import { changes, draftOf } from '../../console/stores/settings.ts';
import type { AssistantRow } from '../../sdk/house.ts';
import { initWords } from '../../shared/i18n.ts';

const row = (more: Partial<AssistantRow> = {}): AssistantRow => ({
  id: 'as_1', name: 'presale', type: 'openai', config: {}, enabled: true, state: 'active', created_at: 1, updated_at: 1,
  limits: { day_tokens: 2000, patience: '20s' }, cache: { ttl: '2h', tags: ['a', 'b'] }, tools: ['order_lookup'], ...more,
});

const edit = (group: 'limits' | 'cache' | 'price', put: Record<string, string>, r?: AssistantRow) => {
  const fields = a.fieldsOfGroup(group);
  const config = a.configOfGroup(r, group);
  const todo = changes(fields, config, { ...draftOf(fields, config), ...put });
  return { wrong: todo.wrong, body: a.bodyOfGroup(r, group, todo.config) };
};

test('a group that nobody touched has nothing to send', () => {
  for (const group of ['limits', 'timeout', 'price', 'cache'] as const) {
    const fields = a.fieldsOfGroup(group);
    const config = a.configOfGroup(row(), group);
    assert.deepEqual(changes(fields, config, draftOf(fields, config)), { config: {}, wrong: [] });
  }
});

test('the server takes a group as a whole: what was there stays, what was emptied goes', () => {
  assert.deepEqual(edit('limits', { 'limits.day_cost': '2.5', 'limits.patience': '' }, row()).body, { limits: { day_tokens: 2000, day_cost: 2.5 } });
  assert.deepEqual(edit('cache', { 'cache.tags': 'a， c d' }, row()).body, { cache: { ttl: '2h', tags: ['a', 'c', 'd'] } });
  assert.deepEqual(edit('cache', { 'cache.ttl': '', 'cache.tags': '' }, row()).body, { cache: null });
  assert.deepEqual(edit('price', { 'price.input': '0.5', 'price.currency': 'CNY' }).body, { price: { input: 0.5, currency: 'CNY' } });
});

test('amounts are numbers, counts are whole', () => {
  assert.deepEqual(edit('limits', { 'limits.day_cost': '2,5', 'limits.at_once': '1.5' }).wrong, [{ name: 'limits.day_cost', why: 'number' }, { name: 'limits.at_once', why: 'integer' }]);
});

test('tools are a list; the guard is on until it is switched off', () => {
  assert.equal(a.configOfAnswers(undefined).guard, true);
  assert.equal(a.configOfAnswers(row({ guard: false })).guard, false);
  assert.deepEqual(a.bodyOfAnswers({ tools: 'order_lookup, refund' }), { tools: ['order_lookup', 'refund'] });
  assert.deepEqual(a.bodyOfAnswers({ tools: null, prompt: 'x' }), { tools: null, prompt: 'x' });
});

test('a budget is of today, and only where one is set', () => {
  const today = { input: 900, output: 100, cached: 0, cost: 0.25, turns: 2 };
  assert.deepEqual(a.budgets(row({ today })), { tokens: { used: 1000, of: 2000 }, cost: null });
  assert.deepEqual(a.budgets(row({ today, limits: { day_cost: 0.5 } })), { tokens: null, cost: { used: 0.25, of: 0.5 } });
  assert.deepEqual(a.budgets(row({ limits: {} })), { tokens: null, cost: null });
});

test('money is told as finely as it was spent, in whatever currency', () => {
  assert.equal(a.money(0.001002, 'CNY', 'zh-CN'), '¥0.001002');
  assert.equal(a.money(1234.5, 'USD', 'en'), '$1,234.50');
  assert.equal(a.money(0, undefined, 'en'), '0.00');
  assert.equal(a.money(3, 'points', 'en'), '3.00 points');
});

test('a rule names it in quotation marks, not as a part of a word', () => {
  assert.ok(a.names('conv:assign { ai = "presale" }', 'presale'));
  assert.ok(a.names("{ ai = 'presale' }", 'presale'));
  assert.ok(!a.names('-- presale is off; "presale2"', 'presale'));
});

test('a reason of the house is said in words, whatever stands behind it stays', () => {
  initWords({ 'zh-CN': zh, en }, 'zh-CN');
  assert.equal(reasonText('asked'), '客户要找人工');
  assert.equal(reasonText('the assistant cannot be reached (HTTP 503)'), '连不上机器人（HTTP 503）');
  assert.equal(reasonText("the assistant's budget is used up"), '机器人的预算用完了');
  assert.equal(reasonText('low confidence'), 'low confidence', 'a provider may say what it likes');
  assert.equal(troubleText('timeout: no word'), '服务商超时（no word）');
  assert.equal(troubleText('no colon here'), 'no colon here');
});

test('a name is one word', () => {
  assert.equal(a.nameWrong('pre-sale_2'), null);
  for (const bad of ['', 'pre sale', '售前', 'a.b']) assert.equal(a.nameWrong(bad), 'assistants.wrong.name');
});

test('both languages say every setting, state, breaker and class of error', () => {
  const words = { 'assistants.state': 'active disabled pending', 'assistants.breaker': 'closed open half-open', 'assistants.breakerText': 'open half-open', 'assistants.group': 'answers limits cache timeout price', 'assistants.groupHelp': 'answers limits cache timeout price', 'assistants.set': 'prompt tools guard', 'assistants.class': 'unauthorized rate_limited unavailable timeout too_long refused bad_request broken cancelled budget empty' };
  const keys = Object.entries(words).flatMap(([g, names]) => names.split(' ').map((n) => `${g}.${n}`));
  for (const g of Object.keys(a.GROUPS) as (keyof typeof a.GROUPS)[]) for (const [name] of a.fieldsOfGroup(g)) keys.push('assistants.set.' + name);
  for (const k of keys) assert.ok((zh as Record<string, string>)[k] && (en as Record<string, string>)[k], k);
});
