// SPDX-License-Identifier: Apache-2.0
// What the house's pages reckon: differences, forms, trials, waits, ticks.
import './one-tab.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import en from '../../locales/console.en.json';
import zh from '../../locales/console.zh-CN.json';
import { leaning } from '../../console/stores/canary.ts';
import { changes, draftOf, fieldsOf, HIDDEN } from '../../console/stores/settings.ts';
import { deliveryOf, onPlatform, tickRows } from '../../console/stores/delivery.ts';
import { diff, hunks } from '../../console/stores/diff.ts';
import { duration, failedStep, gaveOf, waitsFor } from '../../console/stores/flowtext.ts';
import { Timeline } from '../../sdk/sync.ts';
import type { CanarySide, ChannelType, Flow, FlowLog } from '../../sdk/house.ts';
import type { Message } from '../../sdk/types.ts';
import { initWords } from '../../shared/i18n.ts';
import { buildRows, type BubbleRow } from '../../shared/message/rows.ts';

initWords({ 'zh-CN': zh, en }, 'en');

const told = (a: string, b: string) => diff(a, b).map((l) => ({ same: ' ', gone: '-', new: '+' })[l.kind] + l.text);

test('a difference tells what went and what came, in order, with both numbers', () => {
  assert.deepEqual(told('a\nb\nc\n', 'a\nx\nc\n'), [' a', '-b', '+x', ' c']);
  assert.deepEqual(told('', 'a\nb\n'), ['+a', '+b']);
  assert.deepEqual(told('a\nb', ''), ['-a', '-b']);
  assert.deepEqual(told('a\nb\nc\nd', 'b\nc\ne\nd'), ['-a', ' b', ' c', '+e', ' d']);
  assert.deepEqual(told('same', 'same'), [' same']);
  assert.deepEqual(
    diff('a\nb\nc', 'a\nc').map((l) => [l.a, l.b]),
    [[1, 1], [2, undefined], [3, 2]],
  );
});

test('a difference puts both texts together again, whatever they are', () => {
  let seed = 7;
  const next = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 200; round++) {
    const text = () => Array.from({ length: 1 + next(12) }, () => 'abcd'[next(4)]).join('\n');
    const [a, b] = [text(), text()];
    const lines = diff(a, b);
    assert.equal(lines.filter((l) => l.kind !== 'new').map((l) => l.text).join('\n'), a);
    assert.equal(lines.filter((l) => l.kind !== 'gone').map((l) => l.text).join('\n'), b);
  }
});

test('far from a change nothing is shown but how much is left away', () => {
  const a = Array.from({ length: 20 }, (_, i) => 'l' + i).join('\n');
  const seen = hunks(diff(a, a.replace('l10', 'x')), 2).map((l) => ('skipped' in l ? l.skipped : l.text));
  assert.deepEqual(seen, [8, 'l8', 'l9', 'l10', 'x', 'l11', 'l12', 7]);
});

test('too large a change is told as all gone, all new, and at once', () => {
  const a = Array.from({ length: 3000 }, (_, i) => 'a' + i).join('\n');
  const b = Array.from({ length: 3000 }, (_, i) => 'b' + i).join('\n');
  assert.equal(diff(a, b).length, 6000);
});

const TYPE: ChannelType = {
  type: 'acme', state: 'active',
  schema: { size: { type: 'integer' }, url: { type: 'string', required: true }, key: { type: 'secret', required: true }, spare: { type: 'secret' }, loud: { type: 'boolean' }, plain: 'string' },
};
const fields = fieldsOf(TYPE);

test('what must be filled in comes first; a bare type name is a field', () => {
  assert.deepEqual(fields.map(([n]) => n), ['url', 'key', 'size', 'spare', 'loud', 'plain']);
  assert.deepEqual(fields.at(-1), ['plain', { type: 'string' }]);
});

test('a form that nobody touched sends nothing; a kept secret never travels', () => {
  const config = { url: 'http://x', key: HIDDEN, spare: HIDDEN, size: 3, loud: true };
  assert.deepEqual(changes(fields, config, draftOf(fields, config)), { config: {}, wrong: [] });
});

test('a form sends what changed: numbers as numbers, null for what was emptied', () => {
  const config = { url: 'http://x', key: HIDDEN, spare: HIDDEN, size: 3, plain: 'p', loud: true };
  const draft = { ...draftOf(fields, config), url: ' http://y ', key: 'new', spare: null, size: '42', plain: '', loud: false };
  assert.deepEqual(changes(fields, config, draft), { config: { url: 'http://y', key: 'new', spare: null, size: 42, plain: null, loud: false }, wrong: [] });
});

test('a form says what is missing and what is no number, before the server does', () => {
  const draft = { ...draftOf(fields, {}), size: '4x' };
  assert.deepEqual(changes(fields, {}, draft).wrong, [{ name: 'url', why: 'missing' }, { name: 'key', why: 'missing' }, { name: 'size', why: 'integer' }]);
});

const side = (more: Partial<CanarySide> = {}): CanarySide => ({ conversations: 100, calls: 200, errors: 2, kills: 0, us: 20_000, handovers: 10, ...more });

test('a trial leans as the house compares: errors, time, hand-overs, kills; early it says so', () => {
  assert.equal(leaning(side(), side(), 200), 'good');
  assert.equal(leaning(side(), side({ calls: 0 }), 200), 'early');
  assert.equal(leaning(side(), side({ conversations: 19, handovers: 2 }), 200), 'early');
  assert.equal(leaning(side(), side({ errors: 5 }), 200), 'worse');
  assert.equal(leaning(side(), side({ kills: 1 }), 200), 'worse');
  assert.equal(leaning(side(), side({ us: 60_000 }), 200), 'good', 'under a millisecond more is no matter');
  assert.equal(leaning(side(), side({ us: 400_000 }), 200), 'worse');
  assert.equal(leaning(side(), side({ handovers: 40 }), 200), 'worse');
});

const flow = (state: Flow['state'], waits?: string) => ({ state, view: { waits } }) as Flow;

test('what a flow waits for is said in words', () => {
  assert.equal(waitsFor(flow('waiting', 'reply 30m')), 'Waits up to 30 min for the visitor\'s reply');
  assert.equal(waitsFor(flow('waiting', 'reply')), 'Waits for the visitor\'s reply');
  assert.equal(waitsFor(flow('sleeping', 'sleep 1d')), 'Goes on after 1 day');
  assert.equal(waitsFor(flow('ready', 'retry 5s')), 'Failed; tries again after 5 s');
  assert.equal(waitsFor(flow('ready')), 'Waits for its turn');
  assert.equal(waitsFor(flow('waiting', 'something new')), 'something new');
  assert.equal(waitsFor(flow('done', 'reply 30m')), '');
  assert.equal(duration('next week'), 'next week');
});

test('a step tells what it gave: words of a message, the reason of a failure, else JSON', () => {
  const e = (k: string, v?: unknown[]): FlowLog => ({ k, n: 'x', v });
  assert.equal(gaveOf(e('reply', [{ kind: 'text', seq: 1, text: 'A-17' }])), 'A-17');
  assert.equal(gaveOf(e('saga', [null, 'no_money', 'the bank said no'])), 'no_money: the bank said no');
  assert.equal(gaveOf(e('step', [{ id: 1 }])), '{"id":1}');
  assert.equal(gaveOf(e('undo', [true])), '');
  assert.equal(gaveOf(e('start', [{ state: 'bot' }])), '');
  assert.equal(gaveOf(e('reply')), '');
  assert.ok(failedStep(e('step', [null, 'code'])));
  assert.ok(!failedStep(e('reply', [null, 'timeout'])), 'nobody answered: no failure');
  assert.ok(!failedStep(e('step', [{ ok: 1 }])));
});

const msg = (seq: number, role: 'agent' | 'bot' | 'visitor' = 'agent'): Message => ({ id: 'm' + seq, seq, kind: 'text', text: 't', sender: { role, id: 'a1' }, at: 1000 * seq });
const rowsOf = (conv: string, readUpTo = 0, deliveredUpTo = 0) =>
  tickRows(conv, buildRows({ messages: [msg(1), msg(2, 'bot'), msg(3, 'visitor')], outbox: [], isMine: (m) => m.seq === 1, self: { role: 'agent', id: 'a1' }, readUpTo, deliveredUpTo }))
    .filter((r): r is BubbleRow => r.type === 'msg')
    .map((r) => r.tick);

test('what a platform says becomes the tick; bots have one too, visitors never', () => {
  onPlatform('cv1', { seq: 1, status: 'sent' });
  onPlatform('cv1', { seq: 2, status: 'failed', reason: 'bad word' });
  onPlatform('cv1', { seq: 3, status: 'failed' });
  assert.deepEqual(rowsOf('cv1'), ['stored', 'failed', undefined]);
  assert.equal(deliveryOf('cv1', 2)?.reason, 'bad word');
  onPlatform('cv1', { seq: 1, status: 'delivered' });
  onPlatform('cv1', { seq: 1, status: 'sent' });
  assert.equal(rowsOf('cv1')[0], 'delivered', 'a late "sent" takes nothing back');
  onPlatform('cv1', { seq: 1, status: 'read' });
  assert.equal(rowsOf('cv1')[0], 'read');
  assert.deepEqual(rowsOf('cv2', 1), ['read', undefined, undefined], 'another conversation is not touched');
});

test('a status without by is no reader of ours', () => {
  const l = new Timeline('cv1');
  l.mark({ seq: 4, status: 'delivered' });
  l.mark({ seq: 5, status: 'failed', reason: 'x' });
  assert.deepEqual([l.readBy, l.deliveredTo], [{}, {}]);
});

test('both languages say every word that scripts, flows, hooks and effects can need', () => {
  const groups = { 'scripts.state': 'serving last_good broken quarantined failing rolled_back off', 'versions.state': 'serving canary old refused pinned', 'flows.state': 'ready sleeping waiting done failed cancelled', outcome: 'passed decided rejected failed killed skipped waited-cut cancelled', effect: 'reply note assign close tag untag priority set snooze after kv_set kv_del edit reject contact flow flow_end', saga: 'running done compensating undone stuck', 'saga.step': 'waiting running done failed undoing undone', 'channels.state': 'active disabled pending', 'scripts.did': 'reload rollback promote abort enable disable' };
  for (const [group, keys] of Object.entries(groups)) for (const k of keys.split(' ')) assert.ok((zh as Record<string, string>)[`${group}.${k}`], `${group}.${k}`);
});
