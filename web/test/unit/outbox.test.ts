// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { fakeClock } from './clock.ts';
import { Outbox } from '../../sdk/outbox.ts';
import { MemoryStore } from '../../sdk/storage.ts';
import type { Ack, SendBody } from '../../sdk/types.ts';

function make(t: TestContext, store = new MemoryStore()) {
  const clk = fakeClock(t);
  const sent: SendBody[] = [];
  const box = new Outbox({ store, prefix: 'o.', send: (b) => (sent.push(b), true) });
  return { box, sent, store, clk };
}
const ack = (ref: string, seq = 1): Ack => ({ type: 'ack', ref, conversation: 'c', id: 'm' + seq, seq, at: 0 });

test('written to the store before anything is sent, gone after the ack', (t) => {
  const { box, sent, store } = make(t);
  const item = box.add({ kind: 'text', text: 'hi' });
  assert.equal(store.keys('o.').length, 1);
  assert.equal(sent.length, 0);
  box.onUp();
  assert.equal(sent[0]!.ref, item.ref);
  assert.equal(box.items[0]!.state, 'sending');
  box.onAck(ack(item.ref));
  assert.equal(box.items.length, 0);
  assert.equal(store.keys('o.').length, 0);
});

test('one item a conversation is in flight, in the order of writing', (t) => {
  const { box, sent, clk } = make(t);
  box.onUp();
  const a = box.add({ kind: 'text', text: '1', conversation: 'x' });
  box.add({ kind: 'text', text: '2', conversation: 'x' });
  box.add({ kind: 'text', text: '3', conversation: 'y' });
  assert.deepEqual(sent.map((s) => s.text), ['1', '3']);
  box.onAck(ack(a.ref));
  assert.deepEqual(sent.map((s) => s.text), ['1', '3', '2']);
});

test('a lost socket: the same ref goes out again; both acks are one success', (t) => {
  const { box, sent, clk } = make(t);
  box.onUp();
  const a = box.add({ kind: 'text', text: '1' });
  box.onDown();
  assert.equal(box.items[0]!.state, 'queued');
  box.onUp();
  assert.deepEqual(sent.map((s) => s.ref), [a.ref, a.ref]);
  let acks = 0;
  box.on('acked', () => acks++);
  box.onAck({ ...ack(a.ref), duplicate: true });
  box.onAck(ack(a.ref));
  assert.equal(acks, 1);
});

test('a reload brings everything back, queued and in order; failed stays failed', (t) => {
  const { box, store, clk } = make(t);
  box.onUp();
  box.add({ kind: 'text', text: '1' });
  clk.tick(3);
  box.add({ kind: 'text', text: '2' });
  clk.tick(3);
  box.add({ kind: 'text', text: '3' });
  store.set('o.zz', '{rubbish');
  const again = new Outbox({ store, prefix: 'o.', send: () => true });
  assert.deepEqual(again.items.map((i) => [i.text, i.state]), [['1', 'queued'], ['2', 'queued'], ['3', 'queued']]);
  assert.equal(store.get('o.zz'), null);
});

test('no ack within 15 s on an open socket: failed; retry keeps the ref', (t) => {
  const { box, sent, clk } = make(t);
  box.onUp();
  const a = box.add({ kind: 'text', text: '1' });
  clk.tick(15_001);
  assert.equal(box.items[0]!.state, 'failed');
  assert.equal(box.items[0]!.code, 'timeout');
  box.retry(a.ref);
  assert.equal(sent[1]!.ref, a.ref);
  box.onAck({ ...ack(a.ref), duplicate: true });
  assert.equal(box.items.length, 0);
});

test('a late ack settles what was already called failed', (t) => {
  const { box, clk } = make(t);
  box.onUp();
  const a = box.add({ kind: 'text', text: '1' });
  clk.tick(15_001);
  box.onAck(ack(a.ref));
  assert.equal(box.items.length, 0);
});

test('a lasting refusal fails one item and lets the next go on', (t) => {
  const { box, sent, clk } = make(t);
  box.onUp();
  const a = box.add({ kind: 'text', text: '1' });
  box.add({ kind: 'text', text: '2' });
  assert.equal(box.onError({ type: 'error', ref: a.ref, code: 'too_large', message: 'too large' }), true);
  assert.equal(box.items[0]!.state, 'failed');
  assert.equal(sent[1]!.text, '2');
  assert.equal(box.onError({ type: 'error', code: 'x', message: '' }), false);
});

test('rate_limited waits as told and keeps the order', (t) => {
  const { box, sent, clk } = make(t);
  box.onUp();
  const a = box.add({ kind: 'text', text: '1' });
  box.add({ kind: 'text', text: '2' });
  box.onError({ type: 'error', ref: a.ref, code: 'rate_limited', message: '', retry_after_ms: 700 });
  assert.equal(sent.length, 1);
  clk.tick(650);
  assert.equal(sent.length, 1);
  clk.tick(60);
  assert.deepEqual(sent.map((s) => s.text), ['1', '1']);
});

test('our own message as an event counts as its ack', (t) => {
  const { box, clk } = make(t);
  const a = box.add({ kind: 'text', text: '1' });
  box.onOwn(a.ref);
  assert.equal(box.items.length, 0);
});

test('take() hands failed words back to the composer', (t) => {
  const { box, store, clk } = make(t);
  const a = box.add({ kind: 'text', text: 'words' });
  assert.equal(box.take(a.ref)!.text, 'words');
  assert.equal(store.keys('o.').length, 0);
});
