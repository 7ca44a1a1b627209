// SPDX-License-Identifier: Apache-2.0
// What every simulated model provider has: a server, a list of faults, the calls
// it got, and answers cut into pieces. It knows no protocol.
//
// Faults are taken one a call from sim.faults (an array): a name, or { fault:
// name, … }. What is there for good is sim.faults.always.
//
//   slow_first {ms}      the first piece waits          slow_tokens {ms} each does
//   held {after, go}     after so many pieces the rest waits for the promise go
//   cut {after}          the connection breaks after so many pieces
//   half_json            the last event stops in the middle of its JSON, then EOF
//   half_stream          the stream ends well, but without its end mark
//   rate_limited {s}     429 with Retry-After           overloaded  503 (529)
//   server_error 500     unauthorized 401               error_200   an error's JSON
//   error_event          an error inside of the stream  too_long    400, context
//   refused              the content filter             overlong {bytes} of text
//   invalid_utf8         bytes that are no text         wrong_type  HTML with 200
//   wrong_types          numbers where texts belong     long_line {bytes} no line end
//   never_ends           pieces without end             silent      nothing at all
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const BODY_BYTES = 16 << 20;

export const tokens = (text) => Math.max(1, Math.ceil(Buffer.byteLength(text) / 4));
export const pieces = (text, size = 4) => [...text].reduce((list, c, i) => (i % size ? (list[list.length - 1] += c) : list.push(c), list), []);
export const json = (res, status, value, headers = {}) => {
  const body = JSON.stringify(value);
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body), ...headers });
  res.end(body);
};

/** One answer as a stream: say(frame) with the faults between. */
export class Stream {
  constructor(res, fault, type = 'text/event-stream; charset=utf-8') {
    Object.assign(this, { res, fault, type, count: 0, gone: false });
    res.on('close', () => ((this.gone = true), this.wake?.()));
    res.on('drain', () => this.wake?.());
  }
  async open() {
    const f = this.fault;
    if (f?.fault === 'silent') return new Promise((ok) => this.res.on('close', ok));
    if (f?.fault === 'slow_first') await sleep(f.ms ?? 300);
    if (f?.fault === 'wrong_type') {
      this.res.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>please log in</body></html>');
      this.gone = true;
      return;
    }
    if (!this.gone) this.res.writeHead(200, { 'content-type': this.type, 'cache-control': 'no-cache' });
  }
  /** A frame as the provider writes it; false once nobody reads. */
  async say(frame) {
    const f = this.fault;
    if (this.gone) return false;
    if (f?.fault === 'slow_tokens') await sleep(f.ms ?? 30);
    if (f?.fault === 'held' && this.count >= (f.after ?? 4)) {
      this.held ??= Promise.race([f.go, new Promise((ok) => this.res.on('close', ok))]);
      await this.held;
      if (this.gone) return false;
    }
    if (f?.fault === 'cut' && this.count >= (f.after ?? 2)) {
      await sleep(50); // what was said before is on its way
      this.res.socket?.destroy();
      this.gone = true;
      return false;
    }
    this.count++;
    if (!this.res.write(frame)) await new Promise((ok) => (this.wake = ok));
    return !this.gone;
  }
  end() {
    if (!this.gone) this.res.end();
    this.gone = true;
  }
}

/** answer(call, res, sim, fault) does the work of one call. */
export async function serve(answer, { port = 0, host = '127.0.0.1', faults = [], ...settings } = {}) {
  const sim = { calls: [], faults: Array.isArray(faults) ? [...faults] : [faults], settings, count: 0, answers: [], open: 0, most_open: 0, cut: 0, spent: { input: 0, output: 0, cached: 0, cost: 0 } };
  /** What is reported to the caller as used; cost in billionths. */
  sim.tell = (used) => {
    for (const [k, n] of Object.entries(used)) sim.spent[k] += n;
  };
  sim.take = () => {
    const f = sim.faults.shift() ?? sim.faults.always;
    return typeof f === 'string' ? { fault: f } : f;
  };
  /** What the model says next; a text, or { tools: [{name, arguments}] }. */
  sim.next = (prompt) => sim.answers.shift() ?? sim.always ?? `You said: ${prompt}`;
  const server = createServer(async (req, res) => {
    const parts = [];
    let size = 0;
    sim.open++;
    sim.most_open = Math.max(sim.most_open, sim.open);
    res.on('close', () => {
      sim.open--;
      if (!res.writableEnded) sim.cut++;
    });
    res.on('error', () => {});
    try {
      for await (const part of req) if ((size += part.length) <= BODY_BYTES) parts.push(part);
      const url = new URL(req.url, 'http://sim');
      const text = Buffer.concat(parts).toString();
      let body;
      try {
        body = text ? JSON.parse(text) : undefined;
      } catch {
        body = undefined;
      }
      const call = { n: ++sim.count, method: req.method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: req.headers, text, body, at: Date.now() };
      sim.calls.push(call);
      if (sim.calls.length > 20_000) sim.calls.shift();
      await answer(call, res, sim);
    } catch (e) {
      if (!res.headersSent) json(res, 500, { error: { message: String(e) } });
      else res.destroy();
    }
  });
  await new Promise((ok, no) => {
    server.once('error', no);
    server.listen(port, host, ok);
  });
  sim.url = `http://${host}:${server.address().port}`;
  sim.close = () => {
    server.closeAllConnections?.();
    return new Promise((ok) => server.close(ok));
  };
  sim.state = () => ({ name: settings.name, url: sim.url, calls: sim.count, open: sim.open, faults: sim.faults });
  return sim;
}

/** The faults that need no protocol: true if the call is answered. errors: how
 * this provider writes an error: (kind) => [status, json, headers]. */
export function plain_fault(res, fault, errors) {
  const made = fault && errors(fault.fault);
  if (!made) return false;
  const wait = fault.fault === 'rate_limited' ? { 'retry-after': String(fault.s ?? 2) } : {};
  json(res, made[0], made[1], { ...wait, ...made[2] });
  return true;
}

/** The text with a fault in it, as a list of pieces. */
export function* spoken(text, fault) {
  if (fault?.fault === 'overlong') for (let n = 0; n < (fault.bytes ?? 1 << 20); n += 1024) yield 'x'.repeat(1024);
  else if (fault?.fault === 'never_ends') for (;;) yield 'and so on ';
  else yield* pieces(text);
}
