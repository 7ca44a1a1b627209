// SPDX-License-Identifier: Apache-2.0
// The handle on running simulators: one small HTTP door, on this machine only.
//
//   GET  /                     the simulators that run
//   GET  /NAME/state           faults, counters, customers, refusals
//   GET  /NAME/shown?after=N&wait_ms=   what customers see, from number N on
//   POST /NAME/says            {user, message, name}: a customer writes
//   POST /NAME/again          {id}: a callback of before comes once more
//   POST /NAME/faults          {down, slow_ms, per_s, errors, lose_answers, repeat, reorder, hang_up, forge}
//   POST /NAME/expire          {invalid}: all tokens end now
//   POST /NAME/advance         {ms}: its clock goes on
//   POST /NAME/release         what is held back comes, the last first
//   POST /NAME/verify          it asks the webhook address who it is
//   POST /NAME/hook            {url}: where callbacks go
import http from 'node:http';
import { FAULTS } from './platform.mjs';

const BODY_BYTES = 32 << 20;

async function body_of(req) {
  const parts = [];
  let size = 0;
  for await (const p of req) {
    size += p.length;
    if (size > BODY_BYTES) throw new Error('the body is too large');
    parts.push(p);
  }
  const text = Buffer.concat(parts).toString();
  return text ? JSON.parse(text) : {};
}

const TYPES = { down: ['boolean', 'number', 'string'], errors: ['object'] };
function set_faults(sim, wanted) {
  for (const [key, value] of Object.entries(wanted)) {
    if (!(key in FAULTS)) throw new Error(`there is no fault "${key}"; there are: ${Object.keys(FAULTS).join(' ')}`);
    if (!(TYPES[key] ?? ['number']).includes(typeof value)) throw new Error(`"${key}" cannot be ${JSON.stringify(value)}`);
    sim.faults[key] = value;
  }
  return sim.faults;
}

async function shown(sim, query) {
  const after = Number(query.get('after') ?? 0);
  const ready = () => sim.shown.filter((m) => m.n > after);
  const wait = Math.min(Number(query.get('wait_ms') ?? 0), 30_000);
  if (!ready().length && wait) await new Promise((ok) => {
    const timer = setTimeout(ok, wait);
    sim.once('shown', () => (clearTimeout(timer), ok()));
  });
  return { items: ready().slice(0, 1000), last: sim.count.shown };
}

/** A file's bytes come as base64. */
const with_bytes = (m) => (m?.base64 ? { ...m, data: Buffer.from(m.data, 'base64') } : m);

const commands = {
  says: (sim, b) => sim.says(b.user, with_bytes(b.message), b.name).then(({ headers: _, ...rest }) => rest),
  again: (sim, b) => sim.again(b.id).then(({ headers: _, ...rest }) => rest),
  faults: set_faults,
  expire: (sim, b) => (sim.expire(!!b.invalid), { ok: true }),
  advance: (sim, b) => (sim.advance(Number(b.ms) || 0), { now: sim.now() }),
  release: (sim) => (sim.release(), { ok: true }),
  verify: async (sim) => ({ ok: await sim.verify() }),
  hook: (sim, b) => ((sim.hook = b.url), { ok: true }),
};

/** sims: name -> simulator. Resolves with {url, close}. */
export async function control(sims, { port = 0, host = '127.0.0.1' } = {}) {
  const server = http.createServer(async (req, res) => {
    const say = (status, value) => {
      const text = JSON.stringify(value, (_, v) => (Buffer.isBuffer(v) ? `${v.length} bytes` : typeof v === 'bigint' ? String(v) : v));
      res.writeHead(status, { 'content-type': 'application/json' }).end(text);
    };
    try {
      // A page in somebody's browser has no business here.
      if (req.headers.origin || !/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(req.headers.host ?? '')) return say(403, { error: 'only from this machine' });
      const url = new URL(req.url, 'http://control');
      const [, name, what] = url.pathname.split('/');
      if (!name) return say(200, { items: [...sims].map(([n, s]) => ({ name: n, url: s.url, hook: s.hook, config: s.config })) });
      const sim = sims.get(name);
      if (!sim) return say(404, { error: `no simulator ${name} runs here` });
      if (req.method === 'GET' && what === 'state') return say(200, sim.state?.() ?? { name, url: sim.url });
      if (req.method === 'GET' && what === 'shown') return say(200, await shown(sim, url.searchParams));
      if (req.method !== 'POST' || !Object.hasOwn(commands, what)) return say(404, { error: 'no such command' });
      return say(200, (await commands[what](sim, await body_of(req))) ?? {});
    } catch (e) {
      return say(400, { error: e.message });
    }
  });
  await new Promise((ok, no) => {
    server.once('error', no);
    server.listen(port, host, ok);
  });
  return { url: `http://${host}:${server.address().port}`, close: () => (server.closeAllConnections?.(), new Promise((ok) => server.close(ok))) };
}
