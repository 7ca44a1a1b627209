// SPDX-License-Identifier: Apache-2.0
// REST with the contract's errors. The console's cookie rides along; the
// header `X-Yuelai: 1` is the guard against forged cross-site posts.

export class RestError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field?: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }
}

export interface RestOptions {
  base?: string;
  token?: string;
  onExpired?: () => void;
}

const TIMEOUT_MS = 20_000;

export interface CallOptions {
  /** Milliseconds; what asks a model may take long. */
  timeout?: number;
  /** Given up by whoever asked: the error's code is `cancelled`. */
  signal?: AbortSignal;
}

type Query = Record<string, string | number | boolean | undefined | null>;

export class Rest {
  constructor(private opt: RestOptions = {}) {}

  get<T>(path: string, query?: Query): Promise<T> {
    return this.call<T>('GET', path, undefined, query);
  }
  post<T>(path: string, body: unknown = {}, o?: CallOptions): Promise<T> {
    return this.call<T>('POST', path, body, undefined, o);
  }
  patch<T>(path: string, body: unknown): Promise<T> {
    return this.call<T>('PATCH', path, body);
  }

  delete(path: string): Promise<void> {
    return this.call<void>('DELETE', path);
  }

  private async call<T>(method: string, path: string, body?: unknown, query?: Query, o: CallOptions = {}): Promise<T> {
    const ctl = new AbortController();
    const timer = setTimeout(() => ctl.abort(), o.timeout ?? TIMEOUT_MS);
    const stop = () => ctl.abort();
    o.signal?.addEventListener('abort', stop);
    const headers: Record<string, string> = { 'X-Yuelai': '1' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (this.opt.token !== undefined) headers['Authorization'] = 'Bearer ' + this.opt.token;
    try {
      const res = await fetch((this.opt.base ?? '') + '/api/v1' + path + queryString(query), {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        credentials: 'same-origin',
        signal: ctl.signal,
      });
      if (!res.ok) throw await toError(res);
      return (res.status === 204 ? undefined : await res.json()) as T;
    } catch (e) {
      if (o.signal?.aborted) throw new RestError(0, 'cancelled', 'cancelled');
      if (!(e instanceof RestError)) throw new RestError(0, 'offline', 'network');
      if (e.status === 401 && path !== '/login') this.opt.onExpired?.();
      throw e;
    } finally {
      clearTimeout(timer);
      o.signal?.removeEventListener('abort', stop);
    }
  }
}

function queryString(q?: Query): string {
  const p = new URLSearchParams();
  for (const k of Object.keys(q ?? {})) {
    const v = q![k];
    if (v !== undefined && v !== null && v !== '') p.set(k, String(v));
  }
  const s = p.toString();
  return s ? '?' + s : '';
}

async function toError(res: Response): Promise<RestError> {
  const after = Number(res.headers.get('Retry-After'));
  const retry = after > 0 ? after * 1000 : undefined;
  try {
    const b = (await res.json()) as { error: { code: string; message: string; field?: string } };
    return new RestError(res.status, b.error.code, b.error.message, b.error.field, retry);
  } catch {
    return new RestError(res.status, 'internal', 'HTTP ' + res.status, undefined, retry);
  }
}
