// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from './clock.ts';
import { Session } from '../../sdk/session.ts';
import { backoffMs, type SocketLike } from '../../sdk/transport.ts';
import type { ServerFrame } from '../../sdk/types.ts';

class Sock implements SocketLike {
  readyState = 0;
  sent: { type: string; [k: string]: unknown }[] = [];
  onopen: ((ev: never) => void) | null = null;
  onmessage: ((ev: never) => void) | null = null;
  onclose: ((ev: never) => void) | null = null;
  onerror: ((ev: never) => void) | null = null;
  send(d: string): void {
    this.sent.push(JSON.parse(d));
  }
  close(): void {
    this.readyState = 3;
  }
  accept(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }
  say(f: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(f) } as never);
  }
  cut(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code } as never);
  }
}

const welcome = (o: object = {}): ServerFrame =>
  ({ type: 'welcome', session: 's', you: { role: 'visitor', id: 'v' }, cursor: 'c0', recovered: false, heartbeat_ms: 1000, server_at: 0, limits: { text_bytes: 10, file_bytes: 0, frames_per_s: 9 }, ...o }) as ServerFrame;

function make() {
  const socks: Sock[] = [];
  const s = new Session({
    url: 'ws://x',
    hello: () => ({ type: 'hello', channel: 'c' }),
    online: () => true,
    connect: () => {
      const k = new Sock();
      socks.push(k);
      return k;
    },
  });
  return { s, socks };
}

test('back-off doubles from half a second to thirty, half of it random', () => {
  assert.equal(backoffMs(0, 0), 250);
  assert.equal(backoffMs(0, 1), 500);
  assert.equal(backoffMs(3, 1), 4000);
  assert.equal(backoffMs(50, 1), 30_000);
  assert.equal(backoffMs(50, 0), 15_000);
});

test('the first hello carries no cursor, the next one the last seen', (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.start();
  socks[0]!.accept();
  assert.deepEqual(socks[0]!.sent[0], { type: 'hello', channel: 'c' });
  socks[0]!.say(welcome());
  assert.equal(s.state, 'open');
  socks[0]!.say({ type: 'event', event: 'x', cursor: 'c7', at: 0, data: {} });
  socks[0]!.say({ type: 'ack', ref: 'r', conversation: 'v', id: 'm', seq: 1, at: 0, cursor: 'c2', duplicate: true });
  socks[0]!.cut();
  assert.equal(s.state, 'reconnecting');
  clk.tick(501);
  socks[1]!.accept();
  assert.equal(socks[1]!.sent[0]!.resume, 'c7', 'a duplicate must not turn the cursor back');
});

test('a recovered welcome does not move the cursor past what was not replayed yet', (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.start();
  socks[0]!.accept();
  socks[0]!.say(welcome({ cursor: 'c1' }));
  socks[0]!.cut();
  clk.tick(501);
  socks[1]!.accept();
  socks[1]!.say(welcome({ cursor: 'c9', recovered: true }));
  assert.equal(s.cursor, 'c1');
  socks[1]!.cut();
  clk.tick(501);
  socks[2]!.accept();
  socks[2]!.say(welcome({ cursor: 'c9', recovered: false }));
  assert.equal(s.cursor, 'c9');
});

test("the server's reconnect.after_ms wins over the back-off", (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.start();
  socks[0]!.accept();
  socks[0]!.say(welcome());
  socks[0]!.say({ type: 'reconnect', after_ms: 5000 });
  clk.tick(4999);
  assert.equal(socks.length, 1);
  clk.tick(2);
  assert.equal(socks.length, 2);
});

test('4003 stops trying until the sign-in is renewed', (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.start();
  socks[0]!.accept();
  socks[0]!.cut(4003);
  assert.equal(s.state, 'expired');
  clk.tick(60_000);
  assert.equal(socks.length, 1);
  s.renew();
  assert.equal(socks.length, 2);
});

test('silence: a ping after one heartbeat, the socket is left after three', (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.start();
  socks[0]!.accept();
  socks[0]!.say(welcome({ heartbeat_ms: 2000 }));
  clk.tick(2000);
  assert.equal(socks[0]!.sent.at(-1)!.type, 'ping');
  socks[0]!.say({ type: 'pong' });
  clk.tick(2000);
  assert.equal(socks[0]!.sent.filter((f) => f.type === 'ping').length, 2);
  clk.tick(3000);
  assert.equal(s.state, 'open');
  clk.tick(2500);
  assert.equal(s.state, 'reconnecting');
});

test('a hidden tab whose timers sleep for a minute keeps a good socket', (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.start();
  const k = socks[0]!;
  k.accept();
  k.say(welcome({ heartbeat_ms: 15_000 }));
  for (let i = 0; i < 5; i++) {
    // The clock leaps; only then do the timers run once.
    clk.leap(60_000);
    clk.tick(1000);
    if (k.sent.at(-1)!.type === 'ping') k.say({ type: 'pong' });
    assert.equal(s.state, 'open');
  }
});

test('nonsense resume answered by bad_request starts over without a cursor', (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.cursor = 'nonsense';
  s.start();
  socks[0]!.accept();
  socks[0]!.say({ type: 'error', code: 'bad_request', message: '' });
  clk.tick(501);
  socks[1]!.accept();
  assert.equal(socks[1]!.sent[0]!.resume, undefined);
});

test('a history call fails when the socket goes, and by its error frame', async (t) => {
  const clk = fakeClock(t);
  const { s, socks } = make();
  s.start();
  socks[0]!.accept();
  socks[0]!.say(welcome());
  const a = s.history({ limit: 5 });
  const ref = socks[0]!.sent.at(-1)!.ref as string;
  socks[0]!.say({ type: 'error', ref, code: 'rate_limited', message: '' });
  await assert.rejects(a, /rate_limited/);
  const b = s.history({});
  socks[0]!.cut();
  await assert.rejects(b, /offline/);
});

test('rubbish frames are ignored', () => {
  const { s, socks } = make();
  s.start();
  socks[0]!.accept();
  for (const data of ['', '{', '[]', 'null', '{"type":5}', new ArrayBuffer(2)]) socks[0]!.onmessage?.({ data } as never);
  assert.equal(s.state, 'connecting');
  s.stop();
});
