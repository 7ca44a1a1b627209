// SPDX-License-Identifier: Apache-2.0
// One upload: progress, cancel, and going on where a network broke it. XHR,
// because fetch shows no upload progress.
//
// Small files go in one request; bigger ones in chunks (docs/developer/files.md)
// so that a lost line costs a chunk at most. What the network or an overloaded
// server did is tried again by itself as long as something moves; what the
// server refuses is final. Offline it waits for the line, for as long as the
// caller likes.
import type { FileInfo } from './types.ts';

export interface UploadedFile extends FileInfo {
  url?: string;
  thumb_url?: string | null;
}

export interface UploadOptions {
  /** In front of /api/v1; '' = this origin. */
  base?: string;
  /** A visitor's token or an API token; none: the cookie. */
  token?: string | null;
  conversation?: string;
  name?: string;
  /** 0..1; -1: waiting for the network. */
  onProgress?: (share: number) => void;
  /** An upload of the same bytes that another page began: gone on with if the
   * server still has it. */
  resume?: string;
  /** A big one has this name on the server now. */
  onBegun?: (id: string) => void;
}

export interface Upload {
  done: Promise<UploadedFile>;
  cancel(): void;
}

export class UploadError extends Error {
  constructor(
    /** The contract's code; `offline` or `cancelled` are ours. */
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }
}

const WHOLE_BYTES = 1_000_000;
/** What a slow phone brings in a few seconds; the server's wish is larger. */
const CHUNK_BYTES = 1_000_000;
const SILENCE_MS = 30_000;
const TRIES = 6;
const MAX_WAIT_MS = 15_000;

interface Progress {
  id: string;
  offset: number;
  size: number;
  chunk_bytes: number;
  file: UploadedFile | null;
}

class Job {
  private xhr: XMLHttpRequest | null = null;
  private over = false;
  private wake: (() => void) | null = null;
  private id = '';
  private known: Progress | null = null;

  constructor(
    private file: Blob,
    private o: UploadOptions,
  ) {
    if (o.resume && file.size > WHOLE_BYTES) this.id = o.resume;
  }

  cancel(): void {
    if (this.over) return;
    this.over = true;
    const begun = this.id;
    this.xhr?.abort();
    this.wake?.();
    // The server forgets it by itself within the hour, should this fail.
    if (begun) this.ask('DELETE', '/uploads/' + begun).catch(() => undefined);
  }

  async run(): Promise<UploadedFile> {
    try {
      return await this.insist();
    } finally {
      this.over = true;
      this.id = '';
    }
  }

  private async insist(): Promise<UploadedFile> {
    let failed = 0;
    let best = 0;
    for (;;) {
      try {
        const moved = this.file.size > WHOLE_BYTES ? await this.chunk() : await this.whole();
        if (typeof moved !== 'number') return moved;
        if (moved > best) {
          best = moved;
          failed = 0;
        }
      } catch (e) {
        if (this.over) throw new UploadError('cancelled', 'cancelled');
        if (!(e instanceof UploadError)) throw e;
        // Forgotten by a restart: from its beginning.
        const lost = e.status === 404 && this.id !== '';
        if (lost) {
          this.id = '';
          this.known = null;
        }
        if ((!lost && !passing(e)) || ++failed >= TRIES) throw e;
        await this.rest(Math.max(e.retryAfterMs, Math.min(MAX_WAIT_MS, 500 * 2 ** failed) * (0.5 + Math.random() / 2)));
      }
      if (this.over) throw new UploadError('cancelled', 'cancelled');
    }
  }

  private whole(): Promise<UploadedFile> {
    const form = new FormData();
    form.append('file', this.file, this.name());
    if (this.o.conversation !== undefined) form.append('conversation', this.o.conversation);
    return this.send('POST', '', form, (n) => this.tell(n / this.file.size));
  }

  /** One step of it; the offset it came to, or the file. */
  private async chunk(): Promise<UploadedFile | number> {
    let at = this.id ? await this.where() : await this.begin();
    if (at.size !== this.file.size) at = await this.begin(); // resumed, but another file
    if (at.file) return at.file;
    const from = at.offset;
    const to = Math.min(this.file.size, from + Math.min(at.chunk_bytes, CHUNK_BYTES));
    this.known = null; // should it break, it is asked
    this.known = await this.send<Progress>('PATCH', '/uploads/' + this.id, this.file.slice(from, to), (n) => this.tell((from + n) / this.file.size), {
      'Upload-Offset': String(from),
    });
    return this.known.file || this.known.offset;
  }

  private async begin(): Promise<Progress> {
    const p = await this.ask<Progress>('POST', '/uploads', {
      name: this.name(),
      size: this.file.size,
      mime: this.file.type || undefined,
      conversation: this.o.conversation,
    });
    this.id = p.id;
    this.o.onBegun?.(p.id);
    return (this.known = p);
  }

  private async where(): Promise<Progress> {
    return this.known || (this.known = await this.ask<Progress>('GET', '/uploads/' + this.id));
  }

  private name(): string {
    return this.o.name || (this.file as File).name || 'file';
  }

  private tell(share: number): void {
    this.o.onProgress?.(Math.min(1, share));
  }

  private ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.send<T>(method, path, body === undefined ? null : JSON.stringify(body), undefined, body === undefined ? {} : { 'Content-Type': 'application/json' });
  }

  private send<T>(method: string, path: string, body: XMLHttpRequestBodyInit | null, onSent?: (n: number) => void, headers: Record<string, string> = {}): Promise<T> {
    const xhr = new XMLHttpRequest();
    if (method !== 'DELETE') this.xhr = xhr;
    return new Promise<T>((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout>;
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(() => xhr.abort(), SILENCE_MS);
      };
      const fail = () => {
        clearTimeout(timer);
        reject(new UploadError('offline', 'network'));
      };
      xhr.upload.onprogress = (e) => {
        alive();
        onSent?.(e.loaded);
      };
      xhr.onload = () => {
        clearTimeout(timer);
        if (xhr.status < 200 || xhr.status > 299) return reject(refusal(xhr));
        try {
          resolve((xhr.responseText ? JSON.parse(xhr.responseText) : null) as T);
        } catch {
          reject(new UploadError('internal', 'not JSON', xhr.status));
        }
      };
      xhr.onerror = fail;
      xhr.onabort = fail;
      xhr.open(method, (this.o.base || '') + '/api/v1/files' + path);
      xhr.setRequestHeader('X-Yuelai', '1');
      for (const k of Object.keys(headers)) xhr.setRequestHeader(k, headers[k]!);
      if (this.o.token) xhr.setRequestHeader('Authorization', 'Bearer ' + this.o.token);
      alive();
      xhr.send(body);
    });
  }

  /** Until it is worth another try. */
  private rest(ms: number): Promise<void> {
    return new Promise((done) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const go = () => {
        clearTimeout(timer);
        if (typeof removeEventListener === 'function') removeEventListener('online', go);
        this.wake = null;
        done();
      };
      this.wake = go;
      this.o.onProgress?.(-1);
      if (typeof addEventListener === 'function') addEventListener('online', go);
      if (typeof navigator === 'undefined' || navigator.onLine !== false) timer = setTimeout(go, ms);
    });
  }
}

/** The next try may do better. */
function passing(e: UploadError): boolean {
  return e.code === 'offline' || e.code === 'rate_limited' || e.code === 'timeout' || e.code === 'conflict' || e.status >= 500 || e.code === 'unavailable';
}

function refusal(xhr: XMLHttpRequest): UploadError {
  const after = Number(xhr.getResponseHeader('Retry-After')) * 1000 || 0;
  try {
    const e = (JSON.parse(xhr.responseText) as { error: { code: string; message: string } }).error;
    return new UploadError(e.code, e.message, xhr.status, after);
  } catch {
    return new UploadError('internal', 'HTTP ' + xhr.status, xhr.status, after);
  }
}

export function upload(file: Blob, o: UploadOptions = {}): Upload {
  const job = new Job(file, o);
  return { done: job.run(), cancel: () => job.cancel() };
}

/** What a message with such a file is. */
export function kindOf(mime: string | undefined): 'image' | 'audio' | 'video' | 'file' {
  const m = /^(image|audio|video)\//.exec(mime || '');
  return m ? (m[1] as 'image') : 'file';
}
