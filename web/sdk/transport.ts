// SPDX-License-Identifier: Apache-2.0
// One WebSocket that comes back by itself.
//
// Why: phones sleep, servers restart, proxies cut. Back-off is 0.5 s x 2^n up
// to 30 s, half of it random, so that a crowd does not return at one moment;
// the server's own `reconnect.after_ms` wins. Silence is judged from what was
// *received*: browsers do not show ping frames, so after heartbeat_ms of
// silence we ask with a `ping`, and give up only when that stays unanswered:
// a hidden tab whose timers run once a minute must not drop a good socket.
import { Emitter } from './emitter.ts';
import type { ClientFrame, ServerFrame } from './types.ts';

export type Link = 'idle' | 'connecting' | 'open' | 'waiting';

interface Events {
  open: void;
  frame: ServerFrame;
  down: { code: number; reason: string };
  link: Link;
}

export interface SocketLike {
  readyState: number;
  send(data: string): void;
  close(code?: number): void;
  onopen: ((ev: never) => void) | null;
  onmessage: ((ev: never) => void) | null;
  onclose: ((ev: never) => void) | null;
  onerror: ((ev: never) => void) | null;
}

export interface TransportOptions {
  url: string;
  connect?: (url: string) => SocketLike;
  now?: () => number;
  random?: () => number;
}

const CONNECT_TIMEOUT_MS = 12_000;
const PROBE_MS = 4_000;
const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const TICK_MS = 1_000;

export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt, 10));
  return full / 2 + (full / 2) * random;
}

export class Transport extends Emitter<Events> {
  link: Link = 'idle';
  heartbeatMs = 30_000;
  private ws: SocketLike | null = null;
  private attempt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private tickTimer: ReturnType<typeof setInterval> | undefined;
  private heardAt = 0;
  private askedAt = 0; // when an unanswered ping went out, 0 = none
  private askLimit = 0;
  private startedAt = 0;
  private forcedDelay: number | null = null;
  private now: () => number;

  constructor(private opt: TransportOptions) {
    super();
    this.now = opt.now || Date.now;
  }

  start(): void {
    if (this.link !== 'idle') return;
    this.attempt = 0;
    this.dial();
  }

  /** Ends for good, until start(). */
  stop(): void {
    clearTimeout(this.retryTimer);
    this.drop(1000);
    this.become('idle');
  }

  send(frame: ClientFrame): boolean {
    if (this.link !== 'open' || !this.ws || this.ws.readyState !== 1) return false;
    this.ws.send(JSON.stringify(frame));
    return true;
  }

  /** The session got through: the next failure starts from a short wait. */
  settled(heartbeatMs: number): void {
    this.attempt = 0;
    if (heartbeatMs > 0) this.heartbeatMs = heartbeatMs;
  }

  /** `online`, tab visible again: try at once, or ask whether the peer lives. */
  kick(): void {
    if (this.link === 'waiting') {
      clearTimeout(this.retryTimer);
      this.dial();
    } else if (this.link === 'open') {
      this.ask(PROBE_MS);
    }
  }

  /** Leave the socket now and come back after `ms` (the server's wish). */
  redial(ms: number): void {
    this.forcedDelay = ms;
    this.lost(1001, 'reconnect');
  }

  private become(link: Link): void {
    if (this.link === link) return;
    this.link = link;
    this.emit('link', link);
  }

  private dial(): void {
    this.become('connecting');
    this.startedAt = this.now();
    let ws: SocketLike;
    try {
      ws = this.opt.connect ? this.opt.connect(this.opt.url) : new WebSocket(this.opt.url);
    } catch {
      this.lost(1006, 'refused');
      return;
    }
    this.ws = ws;
    ws.onopen = () => {
      if (this.ws !== ws) return;
      this.heard();
      this.become('open');
      this.emit('open', undefined);
    };
    ws.onmessage = (ev: { data?: unknown }) => {
      if (this.ws !== ws) return;
      this.heard();
      const frame = parse(ev.data);
      if (frame) this.emit('frame', frame);
    };
    ws.onclose = (ev: { code?: number; reason?: string }) => {
      if (this.ws === ws) this.lost(ev.code || 1006, ev.reason || '');
    };
    ws.onerror = () => {
      // a close always follows
    };
    clearInterval(this.tickTimer);
    this.tickTimer = setInterval(() => this.tick(), TICK_MS);
  }

  private heard(): void {
    this.heardAt = this.now();
    this.askedAt = 0;
  }

  private ask(limit: number): void {
    if (this.askedAt) {
      this.askLimit = Math.min(this.askLimit, this.now() - this.askedAt + limit);
      return;
    }
    if (this.send({ type: 'ping' })) {
      this.askedAt = this.now();
      this.askLimit = limit;
    }
  }

  private tick(): void {
    const now = this.now();
    if (this.link === 'connecting') {
      if (now - this.startedAt > CONNECT_TIMEOUT_MS) this.lost(1006, 'timeout');
      return;
    }
    if (this.link !== 'open') return;
    if (this.askedAt) {
      if (now - this.askedAt > this.askLimit) this.lost(1006, 'silence');
    } else if (now - this.heardAt >= this.heartbeatMs) {
      this.ask(2 * this.heartbeatMs); // together: silence of 3 x heartbeat
    }
  }

  private drop(code: number): void {
    clearInterval(this.tickTimer);
    const ws = this.ws;
    this.ws = null;
    this.askedAt = 0;
    if (!ws) return;
    ws.onopen = ws.onmessage = ws.onclose = null;
    try {
      ws.close(code === 1000 ? 1000 : undefined);
    } catch {
      // already gone
    }
  }

  private lost(code: number, reason: string): void {
    if (this.link === 'idle') return;
    this.drop(code);
    clearTimeout(this.retryTimer);
    let wait = this.forcedDelay;
    this.forcedDelay = null;
    if (wait === null) wait = backoffMs(this.attempt++, (this.opt.random || Math.random)());
    if (code === 4029) wait = Math.max(wait, 10_000);
    this.become('waiting');
    this.retryTimer = setTimeout(() => this.dial(), wait);
    this.emit('down', { code, reason }); // last: a listener may stop() us
  }
}

function parse(data: unknown): ServerFrame | null {
  if (typeof data !== 'string') return null;
  try {
    const v = JSON.parse(data) as ServerFrame;
    return v && typeof v === 'object' && typeof v.type === 'string' ? v : null;
  } catch {
    return null;
  }
}
