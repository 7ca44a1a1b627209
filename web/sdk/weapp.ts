// SPDX-License-Identifier: Apache-2.0
// The SDK inside a WeChat mini program: its socket, its storage, its uploads.
// The message path is the same Visitor as on the web; here is only what `wx`
// does otherwise. Built into one CommonJS file by web/weapp.mjs.
//
// A mini program in the background loses its sockets without a word: when it is
// shown again, or the network changes, the transport asks whether its peer lives.
import type { OutItem } from './outbox.ts';
import type { Store } from './storage.ts';
import type { SocketLike } from './transport.ts';
import type { FileInfo, MessageKind } from './types.ts';
import { Visitor } from './visitor.ts';

export { Visitor } from './visitor.ts';

interface SocketTask {
  send(o: { data: string; fail?: () => void }): void;
  close(o: { code?: number }): void;
  onOpen(fn: () => void): void;
  onMessage(fn: (m: { data: unknown }) => void): void;
  onClose(fn: (c: { code?: number; reason?: string }) => void): void;
  onError(fn: (e: unknown) => void): void;
}

/** What is used of the platform. */
export interface Wx {
  connectSocket(o: { url: string; fail?: () => void }): SocketTask;
  getStorageSync(key: string): unknown;
  setStorageSync(key: string, value: unknown): void;
  removeStorageSync(key: string): void;
  getStorageInfoSync(): { keys: string[] };
  onAppShow(fn: () => void): void;
  onNetworkStatusChange(fn: (s: { isConnected: boolean }) => void): void;
  request(o: WxCall & { method?: string }): void;
  uploadFile(o: WxCall & { filePath: string; name: string; formData?: Record<string, string> }): unknown;
}
interface WxCall {
  url: string;
  header?: Record<string, string>;
  success: (r: { statusCode: number; data: unknown }) => void;
  fail: (e: { errMsg?: string }) => void;
}

export interface Identity {
  user_id: string;
  expires_at: number;
  signature: string;
  [claim: string]: unknown;
}

export interface WeappOptions {
  wx: Wx;
  /** "https://kefu.example.com" */
  house: string;
  channel: string;
  locale?: string;
  /** Asks your own server who this is, signed; again when it has expired. */
  sign?: () => Promise<Identity>;
}

const CONNECTING = 0;
const OPEN = 1;
const CLOSED = 3;
const SIGN_AGAIN_MS = 10_000;

export function socketOf(wx: Wx, url: string): SocketLike {
  const s: SocketLike = {
    readyState: CONNECTING,
    send: (data) => task.send({ data, fail: () => closed(1006, 'send') }),
    close: (code) => task.close({ code: code || 1000 }),
    onopen: null,
    onmessage: null,
    onclose: null,
    onerror: null,
  };
  const closed = (code: number, reason: string) => {
    if (s.readyState === CLOSED) return;
    s.readyState = CLOSED;
    s.onclose?.({ code, reason } as never);
  };
  const task = wx.connectSocket({ url, fail: () => closed(1006, 'refused') });
  task.onOpen(() => {
    s.readyState = OPEN;
    s.onopen?.({} as never);
  });
  task.onMessage((m) => s.onmessage?.(m as never));
  task.onClose((c) => closed(c.code || 1006, c.reason || ''));
  task.onError(() => closed(1006, 'error')); // a close does not always follow
  return s;
}

export class WxStore implements Store {
  constructor(private wx: Wx) {}
  get(key: string): string | null {
    const v = this.wx.getStorageSync(key);
    return typeof v === 'string' && v !== '' ? v : null;
  }
  set(key: string, value: string): void {
    try {
      this.wx.setStorageSync(key, value);
    } catch {
      // 10 MB are full: what is on screen stays on screen
    }
  }
  del(key: string): void {
    this.wx.removeStorageSync(key);
  }
  keys(prefix: string): string[] {
    return this.wx.getStorageInfoSync().keys.filter((k) => k.startsWith(prefix)).sort();
  }
}

/** A visitor that connects, and comes back by itself. */
export class WeappVisitor extends Visitor {
  private identity: Identity | undefined;
  private signedAt = 0;

  constructor(private at: WeappOptions) {
    super({
      url: at.house.replace(/^http/, 'ws') + '/ws',
      channel: at.channel,
      store: new WxStore(at.wx),
      locale: at.locale,
      connect: (url) => socketOf(at.wx, url),
      identity: () => this.identity,
    });
    at.wx.onAppShow(() => this.session.transport.kick());
    at.wx.onNetworkStatusChange(() => this.session.transport.kick());
    this.on('state', (s) => {
      if (s === 'expired' && at.sign && Date.now() - this.signedAt > SIGN_AGAIN_MS) void this.signIn();
    });
  }

  override start(): void {
    if (this.at.sign) void this.signIn();
    else super.start();
  }

  /** Somebody else uses this phone now: nothing of the last one stays. */
  leave(): void {
    this.stop();
    const store = new WxStore(this.at.wx);
    for (const key of store.keys('yl.' + this.at.channel + '.')) store.del(key);
  }

  /** A photo, film or file by its temporary path. */
  async sendFile(path: string, kind: MessageKind = 'image'): Promise<OutItem> {
    const formData: Record<string, string> = this.conversation ? { conversation: this.conversation.id } : {};
    const data = await this.call((done) =>
      this.at.wx.uploadFile({ ...done, url: this.at.house + '/api/v1/files', filePath: path, name: 'file', formData }),
    );
    const file = data as FileInfo;
    return this.outbox.add({ kind, file: file.id, info: file });
  }

  /** An address of a message's file, good for some minutes. */
  async fileUrl(id: string): Promise<string> {
    const data = await this.call((done) => this.at.wx.request({ ...done, url: this.at.house + '/api/v1/files/' + id }));
    const url = (data as { url: string }).url;
    return /^https?:/.test(url) ? url : this.at.house + url;
  }

  private async signIn(): Promise<void> {
    this.signedAt = Date.now();
    try {
      this.identity = await this.at.sign!();
    } catch {
      setTimeout(() => void this.signIn(), SIGN_AGAIN_MS); // your server is away
      return;
    }
    if (this.session.state === 'expired') this.session.renew();
    else super.start();
  }

  private call(make: (done: Omit<WxCall, 'url'>) => unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      make({
        header: { Authorization: 'Bearer ' + (this.token || '') },
        success: (r) => {
          const data = typeof r.data === 'string' ? (JSON.parse(r.data) as unknown) : r.data;
          if (r.statusCode >= 200 && r.statusCode < 300) return resolve(data);
          reject(new Error((data as { error?: { code?: string } }).error?.code || 'HTTP ' + r.statusCode));
        },
        fail: (e) => reject(new Error(e.errMsg || 'offline')),
      });
    });
  }
}
