// SPDX-License-Identifier: Apache-2.0
// A known peer over a transport: hello, welcome, cursor, history calls.
//
// States: connecting -> open <-> reconnecting | offline; expired (not allowed,
// until resume()). The cursor of the last event or ack is carried into the
// next hello; `recovered:false` tells the owner to start over.
import { Emitter } from './emitter.ts';
import { newId } from './id.ts';
import { Transport, type SocketLike } from './transport.ts';
import type { Ack, ClientFrame, DeltaFrame, ErrorFrame, EventFrame, HistoryFrame, Limits, ServerFrame, Welcome } from './types.ts';

export type SessionState = 'idle' | 'connecting' | 'open' | 'reconnecting' | 'offline' | 'expired';

interface Events {
  state: SessionState;
  welcome: { welcome: Welcome; first: boolean };
  ack: Ack;
  event: EventFrame;
  error: ErrorFrame;
  delta: DeltaFrame;
  fleeting: ServerFrame;
}

type Hello = Extract<ClientFrame, { type: 'hello' }>;

export interface SessionOptions {
  url: string;
  hello: () => Hello;
  connect?: (url: string) => SocketLike;
  online?: () => boolean;
}

const HISTORY_TIMEOUT_MS = 10_000;
const WELCOME_TIMEOUT_MS = 12_000;

interface Waiting {
  done: (h: HistoryFrame) => void;
  fail: (e: Error) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class Session extends Emitter<Events> {
  state: SessionState = 'idle';
  cursor: string | undefined;
  welcome: Welcome | null = null;
  limits: Limits = { text_bytes: 16_384, file_bytes: 0, frames_per_s: 20 };
  readonly transport: Transport;
  private greeted = false;
  private waiting = new Map<string, Waiting>();
  private helloTimer: ReturnType<typeof setTimeout> | undefined;
  private online: () => boolean;

  constructor(private opt: SessionOptions) {
    super();
    this.online = opt.online || (() => typeof navigator === 'undefined' || navigator.onLine !== false);
    this.transport = new Transport({ url: opt.url, connect: opt.connect });
    this.transport.on('open', () => this.sayHello());
    this.transport.on('frame', (f) => this.onFrame(f));
    this.transport.on('down', (d) => this.onDown(d.code));
  }

  start(): void {
    if (this.state !== 'idle') return;
    this.become('connecting');
    this.transport.start();
    if (typeof window !== 'undefined') {
      window.addEventListener('online', this.kick);
      window.addEventListener('offline', this.onOffline);
      document.addEventListener('visibilitychange', this.kick);
    }
  }

  stop(): void {
    if (typeof window !== 'undefined') {
      window.removeEventListener('online', this.kick);
      window.removeEventListener('offline', this.onOffline);
      document.removeEventListener('visibilitychange', this.kick);
    }
    this.greeted = false;
    clearTimeout(this.helloTimer);
    this.transport.stop();
    this.failCalls('stopped');
    this.become('idle');
  }

  /** After a new sign-in. */
  renew(): void {
    if (this.state !== 'expired') return;
    this.become('reconnecting');
    this.transport.start();
  }

  get open(): boolean {
    return this.greeted;
  }

  send(frame: ClientFrame): boolean {
    return this.greeted && this.transport.send(frame);
  }

  history(q: { conversation?: string; before?: number; limit?: number }): Promise<HistoryFrame> {
    const ref = newId();
    return new Promise((done, fail) => {
      if (!this.send({ type: 'history', ref, ...q })) {
        fail(new Error('offline'));
        return;
      }
      const timer = setTimeout(() => {
        this.waiting.delete(ref);
        fail(new Error('timeout'));
      }, HISTORY_TIMEOUT_MS);
      this.waiting.set(ref, { done, fail, timer });
    });
  }

  private kick = (): void => {
    if (typeof document !== 'undefined' && document.visibilityState === 'hidden') return;
    this.transport.kick();
  };

  private onOffline = (): void => {
    if (this.state === 'reconnecting') this.become('offline');
    this.transport.kick(); // asks; a LAN without internet is still fine
  };

  private become(state: SessionState): void {
    if (this.state === state) return;
    this.state = state;
    this.emit('state', state);
  }

  private sayHello(): void {
    const hello = this.opt.hello();
    if (this.cursor !== undefined) hello.resume = this.cursor;
    this.transport.send(hello);
    clearTimeout(this.helloTimer);
    this.helloTimer = setTimeout(() => {
      if (!this.greeted && this.transport.link === 'open') this.transport.redial(1000);
    }, WELCOME_TIMEOUT_MS);
  }

  private onDown(code: number): void {
    this.greeted = false;
    clearTimeout(this.helloTimer);
    this.failCalls('offline');
    if (code === 4003) {
      this.transport.stop();
      this.become('expired');
      return;
    }
    this.become(this.online() ? 'reconnecting' : 'offline');
  }

  private failCalls(why: string): void {
    for (const w of Array.from(this.waiting.values())) {
      clearTimeout(w.timer);
      w.fail(new Error(why));
    }
    this.waiting.clear();
  }

  private onWelcome(w: Welcome): void {
    clearTimeout(this.helloTimer);
    const first = this.welcome === null;
    this.welcome = w;
    this.greeted = true;
    if (w.limits) this.limits = w.limits;
    // A recovered resume replays from *our* cursor: keep it until events move
    // it, or a drop in the middle of the replay would skip the rest.
    if (w.cursor !== undefined && (this.cursor === undefined || !w.recovered)) this.cursor = w.cursor;
    this.transport.settled(w.heartbeat_ms);
    this.emit('welcome', { welcome: w, first });
    this.become('open');
  }

  private onFrame(f: ServerFrame): void {
    switch (f.type) {
      case 'welcome':
        return this.onWelcome(f);
      case 'event':
        this.emit('event', f);
        if (f.cursor !== undefined) this.cursor = f.cursor;
        return;
      case 'ack':
        this.emit('ack', f);
        // A duplicate's cursor is an old one; going back would replay.
        if (f.cursor !== undefined && !f.duplicate) this.cursor = f.cursor;
        return;
      case 'history': {
        const w = this.waiting.get(f.ref);
        if (!w) return;
        this.waiting.delete(f.ref);
        clearTimeout(w.timer);
        return w.done(f);
      }
      case 'error':
        return this.onError(f);
      case 'delta':
        return this.emit('delta', f);
      case 'reconnect':
        return this.transport.redial(Math.max(0, f.after_ms));
      case 'pong':
        return;
      default:
        return this.emit('fleeting', f);
    }
  }

  private onError(f: ErrorFrame): void {
    const w = f.ref !== undefined ? this.waiting.get(f.ref) : undefined;
    if (w && f.ref !== undefined) {
      this.waiting.delete(f.ref);
      clearTimeout(w.timer);
      w.fail(new Error(f.code));
      return;
    }
    // A cursor the server cannot read: start over.
    if (!this.greeted && f.code === 'bad_request' && this.cursor !== undefined) {
      this.cursor = undefined;
      this.transport.redial(500);
    }
    this.emit('error', f);
  }
}
