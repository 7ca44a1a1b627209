// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterMessage, roomOf } from '../../console/stores/window.ts';
import type { Conversation } from '../../sdk/types.ts';

const conv = (more: Partial<Conversation>) => ({ id: 'c', reply_window: { ms: 1000, count: 2 }, reply_until_at: 5000, reply_left: 2, ...more }) as Conversation;
const by = (role: string, more = {}) => ({ at: 9000, private: undefined, sender: { role, id: 'x' }, ...more }) as never;

test('no window is no limit', () => {
  assert.equal(roomOf(conv({ reply_window: null }), 9), null);
  assert.deepEqual(afterMessage(conv({ reply_window: null }), by('agent')), {});
});

test('it closes by time, by count, and before anything was said', () => {
  assert.deepEqual(roomOf(conv({}), 4000), { open: true, ms: 1000, left: 2 });
  assert.equal(roomOf(conv({}), 5000)!.open, false);
  assert.equal(roomOf(conv({ reply_left: 0 }), 4000)!.open, false);
  assert.equal(roomOf(conv({ reply_until_at: null }), 4000)!.open, false);
  assert.equal(roomOf(conv({ reply_window: { ms: 0, count: 2 }, reply_until_at: null }), 4000)!.open, true);
});

test('answers use it up, notes do not, the visitor opens it', () => {
  assert.deepEqual(afterMessage(conv({}), by('agent')), { reply_left: 1 });
  assert.deepEqual(afterMessage(conv({ reply_left: 0 }), by('bot')), { reply_left: 0 });
  assert.deepEqual(afterMessage(conv({}), by('agent', { private: true })), {});
  assert.deepEqual(afterMessage(conv({}), by('system')), {});
  assert.deepEqual(afterMessage(conv({ reply_left: 0 }), by('visitor')), { reply_until_at: 10_000, reply_left: 2 });
});
