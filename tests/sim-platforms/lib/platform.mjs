// SPDX-License-Identifier: Apache-2.0
// What every simulated platform has: a server that can be made to fail, people
// who write and read, callbacks that are tried again, tokens that end, a clock
// that can be moved. It knows no protocol and nothing of our adapters.
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const BODY_BYTES = 64 << 20;
const KEPT = 200_000; // of each list
const HANG_UP_MS = 400;
const PAST = 5000; // callbacks that can come again

export const hex = (bytes) => randomBytes(bytes).toString('hex');
export const json = (value, status = 200, headers = {}) => ({ status, headers: { 'content-type': 'application/json; charset=utf-8', ...headers }, body: JSON.stringify(value) });
export const text = (value, status = 200, headers = {}) => ({ status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: value });

/** What may go wrong, and how much of it. All of it can be set while it runs. */
export const FAULTS = {
  down: false, // true: calls are cut off, callbacks wait; "502": an HTML page
  slow_ms: 0, // before each answer
  per_s: 0, // more calls a second than this are refused as too many
  errors: [], // codes that the next messages are refused with
  lose_answers: 0, // so many calls do their work, but are cut off unanswered
  repeat: 0, // each callback comes so many times more
  reorder: 0, // so many callbacks are held back and come the other way round
  media: 0, // so many downloads of files fail
  hang_up: 0, // so many tries of callbacks are cut off after 0.4 s
  forge: 0, // so many callbacks are signed with another key
};

export class Platform extends EventEmitter {
  constructor(name, given, defaults = {}) {
    super();
    this.name = name;
    this.settings = { host: '127.0.0.1', port: 0, pace: 1, ...defaults };
    for (const [key, value] of Object.entries(given ?? {})) if (value !== undefined) this.settings[key] = value;
    this.hook = this.settings.hook ?? null;
    this.faults = structuredClone(FAULTS);
    Object.assign(this.faults, this.settings.faults);
    this.offset_ms = 0;
    this.customers = new Map();
    this.shown = []; // what customers see, in the order it was taken
    this.refused = []; // what a real one would refuse us, and why
    this.lost = []; // callbacks nobody took
    this.count = { calls: 0, shown: 0, pushed: 0, again: 0, throttled: 0, tokens: 0, stale: 0, cut: 0 };
    this.tokens = new Map();
    this.media = new Map();
    this.routes = [];
    this.held = [];
    this.past = new Map(); // callbacks, to come again as they were
    this.next = 0;
    this.bucket = { left: 0, at: 0 };
    this.agents = { 'http:': new http.Agent({ keepAlive: true, maxSockets: 64 }), 'https:': new https.Agent({ keepAlive: true, maxSockets: 64 }) };
    this.sockets = new Set();
  }

  // --- its clock, ids ---------------------------------------------------------
  now() {
    return Date.now() + this.offset_ms;
  }
  now_s() {
    return Math.floor(this.now() / 1000);
  }
  /** Time passes: windows close, tokens end. */
  advance(ms) {
    this.offset_ms += ms;
  }
  serial() {
    return ++this.next;
  }

  // --- its server ---------------------------------------------------------------
  /** handler(call) -> {status, headers, body}; path: a text, or a RegExp whose
   * groups are call.part[]. */
  on_call(method, path, handler) {
    this.routes.push({ method, path, handler });
  }

  async open() {
    this.server = http.createServer((req, res) => {
      this.#serve(req, res).catch((e) => {
        this.emit('trouble', e);
        res.socket?.destroy();
      });
    });
    this.server.on('connection', (s) => {
      this.sockets.add(s);
      s.on('close', () => this.sockets.delete(s));
    });
    this.server.keepAliveTimeout = 30_000;
    await new Promise((ok, no) => {
      this.server.once('error', no);
      this.server.listen(this.settings.port, this.settings.host, ok);
    });
    this.url = `http://${this.settings.host}:${this.server.address().port}`;
    return this;
  }

  async close() {
    this.closed = true;
    for (const a of Object.values(this.agents)) a.destroy();
    for (const s of this.sockets) s.destroy();
    await new Promise((ok) => this.server.close(ok));
  }

  async #serve(req, res) {
    const parts = [];
    let size = 0;
    for await (const part of req) {
      size += part.length;
      if (size > BODY_BYTES) return res.socket.destroy();
      parts.push(part);
    }
    this.count.calls++;
    if (this.is_down()) {
      if (this.faults.down === '502') return this.#answer(res, { status: 502, headers: { 'content-type': 'text/html' }, body: '<html><body>Bad Gateway</body></html>' });
      return res.socket?.destroy();
    }
    const url = new URL(req.url, 'http://sim');
    const call = { method: req.method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: req.headers, body: Buffer.concat(parts), part: [] };
    this.emit('call', call);
    let answer = text('not found', 404);
    for (const r of this.routes) {
      const match = typeof r.path === 'string' ? (r.path === call.path ? [] : null) : r.path.exec(call.path);
      if (!match || (r.method !== call.method && r.method !== '*')) continue;
      call.part = match.slice(1);
      answer = await r.handler(call);
      break;
    }
    if (answer.status === 404 && !answer.known) this.refuse('no such call', `${call.method} ${call.path}`);
    if (this.faults.slow_ms) await sleep(this.faults.slow_ms);
    if (this.faults.lose_answers > 0 && !call.quiet) {
      this.faults.lose_answers--;
      // A first line, or some clients call again by themselves.
      return res.socket?.end('HTTP/1.1 200 OK\r\n');
    }
    this.#answer(res, answer);
  }

  #answer(res, a) {
    const body = a.body ?? '';
    res.writeHead(a.status, { ...a.headers, 'content-length': Buffer.byteLength(body) });
    res.end(body);
  }

  is_down() {
    const d = this.faults.down;
    return typeof d === 'number' ? this.now() < d : !!d;
  }

  /** True if this call is one too many. */
  is_throttled() {
    const rate = this.faults.per_s;
    if (!rate) return false;
    const at = Date.now();
    this.bucket.left = Math.min(rate, this.bucket.left + ((at - this.bucket.at) * rate) / 1000);
    this.bucket.at = at;
    if (this.bucket.left < 1) {
      this.count.throttled++;
      return true;
    }
    this.bucket.left -= 1;
    return false;
  }

  /** A code somebody asked for by /fail, once. */
  planned_error() {
    return this.faults.errors.shift();
  }

  refuse(why, what) {
    keep(this.refused, { at: this.now(), why, what });
    this.emit('refused', why, what);
  }

  // --- tokens -------------------------------------------------------------------
  issue(life_s, prefix = '') {
    const token = prefix + hex(24);
    this.count.tokens++;
    this.tokens.set(token, { till: this.now() + life_s * 1000 });
    return token;
  }
  /** "good", "expired", "unknown" */
  state_of(token) {
    const t = this.tokens.get(token);
    const state = !t || t.invalid ? 'unknown' : t.till <= this.now() ? 'expired' : 'good';
    if (state !== 'good') this.count.stale++;
    return state;
  }
  /** All that are out end now; `invalid`: they are unknown from now on. */
  expire(invalid = false) {
    for (const t of this.tokens.values()) {
      t.till = 0;
      t.invalid = invalid;
    }
  }

  // --- people -------------------------------------------------------------------
  customer(id, name) {
    let c = this.customers.get(id);
    if (!c) {
      c = { id, name: name ?? id, heard_at: 0, answers: 0 };
      this.customers.set(id, c);
    }
    if (name) c.name = name;
    return c;
  }
  /** They wrote: their window opens, their quota is whole. */
  heard(id, name) {
    const c = this.customer(id, name);
    c.heard_at = this.now();
    c.answers = 0;
    return c;
  }
  show(user, message) {
    const one = { user, at: this.now(), n: ++this.count.shown, ...message };
    keep(this.shown, one);
    this.emit('shown', one);
    return one;
  }
  /** Not shown any more; false: there is no such message, or it is too old. */
  take_back(user, id, most_ms = Infinity) {
    const one = this.shown.find((m) => m.user === user && m.id === id && !m.gone && this.now() - m.at <= most_ms);
    if (one) one.gone = true;
    if (one) this.emit('gone', one);
    return Boolean(one);
  }
  texts(user) {
    return this.shown.filter((m) => !user || m.user === user).map((m) => m.text);
  }

  /** A file that the platform keeps. */
  keep_file(name, type, data) {
    const id = hex(16);
    this.media.set(id, { id, name, type, data, at: this.now() });
    return id;
  }

  // --- callbacks ------------------------------------------------------------------
  /**
   * make(forged) -> {method, query, headers, body}, anew for each try; takes(answer)
   * says whether the platform is content; tries: waits in ms between tries.
   * Resolves with what came of it: {status, body, tries, taken}, as read(it) sees it.
   */
  async push(what, make, how = {}) {
    const { takes = (a) => a.status >= 200 && a.status < 300, tries = [], deadline_ms = 5000, path = '', read = (a) => a } = how;
    const f = this.faults;
    const forged = f.forge > 0 && f.forge--;
    const job = async () => {
      let last;
      // Whoever forges a callback does not try again as the platform does.
      for (let n = 0; n <= (forged ? 0 : tries.length) && !this.closed; n++) {
        if (n) {
          this.count.again++;
          await sleep(tries[n - 1] * this.settings.pace);
        }
        while (this.is_down() && !this.closed) await sleep(20);
        const cut = f.hang_up > 0 && f.hang_up--;
        last = await this.#post(path, make(!!forged, n), cut ? HANG_UP_MS : deadline_ms);
        this.count.cut += cut ? 1 : 0;
        last.tries = n + 1;
        if (takes(last)) return { ...last, taken: true };
      }
      keep(this.lost, { what, status: last?.status, body: last?.body, forged: !!forged });
      this.emit('lost', what, last);
      return { ...last, taken: false };
    };
    this.count.pushed++;
    if (!forged) {
      this.past.set(String(what), [what, make, how]);
      if (this.past.size > PAST) this.past.delete(this.past.keys().next().value);
    }
    if (f.reorder > 0) {
      const turn = new Promise((ok) => this.held.push(ok));
      if (this.held.length >= f.reorder) this.release();
      await turn;
    }
    const first = await job();
    for (let n = 0; n < f.repeat; n++) await job();
    return read(first);
  }

  /** The same callback once more, as when the first answer was lost. */
  again(what) {
    const known = this.past.get(String(what));
    if (!known) throw new Error(`${this.name}: no callback ${what} is remembered`);
    this.count.again++;
    return this.push(...known);
  }

  /** What was held back comes, the last first, one after the other. */
  release() {
    const waiting = this.held.splice(0).reverse();
    waiting.forEach((go, i) => setTimeout(go, i * 30));
  }

  #post(path, request, deadline_ms) {
    if (!this.hook) throw new Error(`${this.name}: no webhook address is set`);
    const base = new URL(this.hook);
    const query = new URLSearchParams(request.query ?? {}).toString();
    const target = new URL(base.pathname.replace(/\/$/, '') + path + (query ? '?' + query : ''), base);
    const body = Buffer.from(request.body ?? '');
    const lib = target.protocol === 'https:' ? https : http;
    return new Promise((ok) => {
      const req = lib.request(target, { method: request.method ?? 'POST', agent: this.agents[target.protocol], headers: { ...request.headers, 'content-length': body.length } }, (res) => {
        const parts = [];
        res.on('data', (d) => parts.push(d));
        res.on('error', (e) => ok({ status: 0, body: e.message, headers: {} }));
        res.on('end', () => ok({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts).toString() }));
      });
      req.setTimeout(deadline_ms, () => req.destroy(new Error('no answer in time')));
      req.on('error', (e) => ok({ status: 0, body: e.message, headers: {} }));
      req.end(body);
    });
  }

  /** What a test or a person wants to know. */
  state() {
    return {
      name: this.name, url: this.url, hook: this.hook, faults: this.faults, count: this.count, lost: this.lost.length,
      refused: this.refused.slice(-20), customers: [...this.customers.values()], now: this.now(),
    };
  }
}

function keep(list, value) {
  list.push(value);
  if (list.length > KEPT) list.splice(0, list.length - KEPT);
}

/** JSON of a body, or undefined. */
export function parse(body) {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

/** The file of a multipart/form-data body: {name, type, data, fields}. */
export function multipart(call) {
  const boundary = /boundary="?([^";]+)/.exec(call.headers['content-type'] ?? '')?.[1];
  if (!boundary) return undefined;
  const out = { fields: {} };
  const raw = call.body.toString('latin1');
  for (const part of raw.split('--' + boundary).slice(1, -1)) {
    const cut = part.indexOf('\r\n\r\n');
    if (cut < 0) continue;
    const head = Buffer.from(part.slice(0, cut), 'latin1').toString();
    const data = Buffer.from(part.slice(cut + 4, -2), 'latin1');
    const field = /[; ]name="([^"]*)"/.exec(head)?.[1] ?? '';
    const file = /filename="([^"]*)"/.exec(head)?.[1];
    if (file === undefined) out.fields[field] = data.toString();
    else Object.assign(out, { field, name: file, type: /content-type: *([^\r\n]+)/i.exec(head)?.[1] ?? 'application/octet-stream', data });
  }
  return out;
}
