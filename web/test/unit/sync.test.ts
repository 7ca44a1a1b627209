// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../sdk/id.ts';
import { Streams } from '../../sdk/streams.ts';
import { Timeline } from '../../sdk/sync.ts';
import type { Message } from '../../sdk/types.ts';

const m = (seq: number, o: Partial<Message> = {}): Message => ({ id: 'm' + seq, seq, kind: 'text', text: String(seq), at: seq, sender: { role: 'visitor', id: 'v' }, ...o });
const seqs = (t: Timeline) => t.items.map((x) => x.seq);

test('messages come in any order and twice, and are shown once by seq', () => {
  const t = new Timeline('c');
  t.page([], false, true);
  for (const s of [1, 3, 2, 3, 1, 2]) t.apply(m(s));
  assert.deepEqual(seqs(t), [1, 2, 3]);
});

test('a hole is told once; after the refetch it is no news any more', () => {
  const t = new Timeline('c');
  t.page([m(1), m(2)], false, true);
  assert.equal(t.apply(m(5)), 'gap');
  t.page([m(1), m(2), m(5)], false, true); // 3 and 4 are notes we may not see
  assert.equal(t.apply(m(6)), 'new');
  assert.equal(t.apply(m(6)), 'known');
  assert.deepEqual(seqs(t), [1, 2, 5, 6]);
});

test('before the first page nothing is a gap', () => {
  const t = new Timeline('c');
  assert.equal(t.apply(m(9)), 'new');
  t.page([m(7), m(8), m(9)], true, true);
  assert.deepEqual(seqs(t), [7, 8, 9]);
  assert.equal(t.more, true);
});

test('older pages go on top and say whether there are more', () => {
  const t = new Timeline('c');
  t.page([m(5), m(6)], true, true);
  t.page([m(3), m(4)], true, false);
  t.page([m(1), m(2)], false, false);
  assert.deepEqual(seqs(t), [1, 2, 3, 4, 5, 6]);
  assert.equal(t.more, false);
});

test('a newest page that does not meet what we hold replaces it: no hidden hole', () => {
  const t = new Timeline('c');
  t.page([m(1), m(2)], false, true);
  t.page([m(60), m(61)], true, true);
  assert.deepEqual(seqs(t), [60, 61]);
  assert.equal(t.more, true);
});

test('read marks only go forward', () => {
  const t = new Timeline('c');
  t.mark({ seq: 5, status: 'read', by: { role: 'agent', id: 'a' } });
  t.mark({ seq: 3, status: 'read', by: { role: 'agent', id: 'a' } });
  assert.equal(t.readBy.agent, 5);
});

test('ids sort by time, also within one millisecond', () => {
  const ids = Array.from({ length: 500 }, () => newId(1_700_000_000_000));
  assert.deepEqual(ids, ids.slice().sort());
  assert.equal(new Set(ids).size, 500);
  assert.ok(ids.every((i) => i.length <= 64));
});

test('deltas twice and out of order make one text', () => {
  const s = new Streams();
  for (const [index, text] of [[1, 'b'], [0, 'a'], [1, 'b'], [2, 'c']] as const) s.apply({ type: 'delta', conversation: 'c', stream: 's', index, text });
  assert.equal(s.of('c')[0]!.text, 'abc');
  s.end('s');
  assert.deepEqual(s.of('c'), []);
});

test('a piece that was spared leaves a mark; told anew, or asked anew after a crash, it begins anew', () => {
  const s = new Streams();
  const d = (index: number, text: string, whole?: boolean) => s.apply({ type: 'delta', conversation: 'c', stream: 's', index, text, whole });
  const text = () => s.of('c').map((x) => x.text).join('|');
  d(0, 'a');
  d(3, 'd');
  assert.equal(text(), 'a…d');
  d(4, 'abcde', true);
  assert.equal(text(), 'abcde');
  d(5, 'f');
  assert.equal(text(), 'abcdef');
  s.stale();
  assert.equal(text(), 'abcdef', 'what was shown stays while the line is away');
  d(0, 'x');
  d(1, 'y');
  assert.equal(text(), 'xy');
});
