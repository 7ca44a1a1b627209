// SPDX-License-Identifier: Apache-2.0
// What was written here and is not yet on the server's disk.
//
// States: queued -> sending -> (acked: gone from here) | failed. Each item is
// one key in the store, written before anything is sent, so a reload or a
// crash loses no word. One item a conversation is in flight: the sender's own
// order holds even if the server refuses one in the middle. A retry keeps its
// `ref`; the server answers a repeated ref with the first message.
import { Emitter } from './emitter.ts';
import { newId } from './id.ts';
import type { Store } from './storage.ts';
import type { Ack, ErrorFrame, FileInfo, SendBody } from './types.ts';

export interface OutItem extends SendBody {
  at: number;
  state: 'queued' | 'sending' | 'failed';
  code?: string;
  reason?: string;
  /** What `file` names, to draw it meanwhile; stays here. */
  info?: FileInfo;
}

interface Events {
  change: void;
  acked: { item: OutItem; ack: Ack };
}

export interface OutboxOptions {
  store: Store;
  prefix: string;
  send: (body: SendBody) => boolean;
  now?: () => number;
}

const ACK_TIMEOUT_MS = 15_000;
/** The server says "later", not "no": wait and try again by ourselves. */
const TRANSIENT = new Set(['rate_limited', 'unavailable', 'timeout', 'internal']);
const TRANSIENT_TRIES = 4;

export class Outbox extends Emitter<Events> {
  items: OutItem[] = [];
  private up = false;
  private timers = new Map<string, ReturnType<typeof setTimeout>>();
  private held = new Map<string, number>(); // lane -> paused until
  private tries = new Map<string, number>();
  private now: () => number;

  constructor(private opt: OutboxOptions) {
    super();
    this.now = opt.now || Date.now;
    for (const key of opt.store.keys(opt.prefix)) this.load(key);
  }

  add(body: Omit<SendBody, 'ref'> & { ref?: string; info?: FileInfo }): OutItem {
    const item: OutItem = { ...body, ref: body.ref || newId(this.now()), at: this.now(), state: 'queued' };
    this.save(item);
    this.items = this.items.concat(item);
    this.changed();
    this.pump();
    return item;
  }

  retry(ref: string): void {
    const item = this.find(ref);
    if (!item || item.state !== 'failed') return;
    this.tries.delete(ref);
    this.put({ ...item, state: 'queued', code: undefined, reason: undefined });
    this.pump();
  }

  /** Takes an unsent item out again (重新编辑, 删除). */
  take(ref: string): OutItem | undefined {
    const item = this.find(ref);
    if (!item) return undefined;
    this.remove(ref);
    this.pump();
    return item;
  }

  find(ref: string): OutItem | undefined {
    return this.items.find((i) => i.ref === ref);
  }

  of(conversation?: string): OutItem[] {
    return this.items.filter((i) => i.conversation === conversation);
  }

  onUp(): void {
    this.up = true;
    this.held.clear();
    this.pump();
  }

  /** The socket is gone: what was in flight is asked again with its ref. */
  onDown(): void {
    this.up = false;
    for (const item of this.items) {
      if (item.state === 'sending') this.put({ ...item, state: 'queued' }, true);
    }
    for (const t of Array.from(this.timers.values())) clearTimeout(t);
    this.timers.clear();
    this.changed();
  }

  onAck(ack: Ack): OutItem | undefined {
    const item = this.find(ack.ref);
    if (!item) return undefined;
    this.emit('acked', { item, ack });
    this.remove(ack.ref);
    this.pump();
    return item;
  }

  /** Our own message came as an event (the ack was lost with a socket). */
  onOwn(ref: string): void {
    if (!this.find(ref)) return;
    this.remove(ref);
    this.pump();
  }

  onError(f: ErrorFrame): boolean {
    const item = f.ref !== undefined ? this.find(f.ref) : undefined;
    if (!item) return false;
    this.clear(item.ref);
    const tries = (this.tries.get(item.ref) || 0) + 1;
    this.tries.set(item.ref, tries);
    if (TRANSIENT.has(f.code) && tries <= TRANSIENT_TRIES) {
      this.put({ ...item, state: 'queued' });
      this.hold(item.conversation, f.retry_after_ms || 500 * 2 ** tries);
    } else {
      this.fail(item, f.code, f.message);
    }
    return true;
  }

  /** Another tab settled it. */
  forget(ref: string): void {
    if (this.find(ref)) this.remove(ref);
  }

  private load(key: string): void {
    try {
      const item = JSON.parse(this.opt.store.get(key) || '') as OutItem;
      if (typeof item.ref !== 'string' || typeof item.kind !== 'string') throw new Error('shape');
      if (item.state !== 'failed') item.state = 'queued';
      this.items.push(item);
    } catch {
      this.opt.store.del(key);
    }
  }

  private pump(): void {
    if (!this.up) return;
    const busy = new Set<string>();
    for (const i of this.items) if (i.state === 'sending') busy.add(i.conversation || '');
    for (const item of this.items) {
      const lane = item.conversation || '';
      if (item.state !== 'queued' || busy.has(lane)) continue;
      busy.add(lane);
      if ((this.held.get(lane) || 0) > this.now()) continue;
      const { at: _at, state: _state, code: _code, reason: _reason, info: _info, ...body } = item;
      if (!this.opt.send(body)) continue;
      this.put({ ...item, state: 'sending' }, true);
      this.timers.set(item.ref, setTimeout(() => this.overdue(item.ref), ACK_TIMEOUT_MS));
      this.changed();
    }
  }

  private overdue(ref: string): void {
    const item = this.find(ref);
    if (item && item.state === 'sending') this.fail(item, 'timeout');
  }

  private fail(item: OutItem, code: string, reason?: string): void {
    this.clear(item.ref);
    this.put({ ...item, state: 'failed', code, reason });
    this.pump();
  }

  private hold(conversation: string | undefined, ms: number): void {
    const lane = conversation || '';
    this.held.set(lane, this.now() + ms);
    setTimeout(() => {
      this.held.delete(lane);
      this.pump();
    }, ms + 1);
  }

  private clear(ref: string): void {
    const t = this.timers.get(ref);
    if (t !== undefined) clearTimeout(t);
    this.timers.delete(ref);
  }

  private save(item: OutItem): void {
    const kept = item.state === 'sending' ? { ...item, state: 'queued' } : item;
    this.opt.store.set(this.opt.prefix + item.ref, JSON.stringify(kept));
  }

  private put(item: OutItem, silent = false): void {
    this.items = this.items.map((i) => (i.ref === item.ref ? item : i));
    if (item.state !== 'sending') this.save(item);
    if (!silent) this.changed();
  }

  private remove(ref: string): void {
    this.clear(ref);
    this.tries.delete(ref);
    this.items = this.items.filter((i) => i.ref !== ref);
    this.opt.store.del(this.opt.prefix + ref);
    this.changed();
  }

  private changed(): void {
    this.emit('change', undefined);
  }
}
