// SPDX-License-Identifier: Apache-2.0
// Load on a running server: an agent's socket, callbacks and answers at a steady
// rate whether the last was answered or not, latencies from when they were due.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';

const WebSocket = createRequire(new URL('../../../web/package.json', import.meta.url))('ws');
const FRAME_MS = 90_000;

/** An agent in the console: on_message(data, at_ms) for each message.created. */
export async function agent_socket(server, token, on_message) {
  const socket = new WebSocket(server.replace(/^http/, 'ws') + '/ws');
  let welcome;
  const ready = new Promise((ok, no) => {
    const timer = setTimeout(() => no(new Error('no welcome')), FRAME_MS);
    welcome = () => (clearTimeout(timer), ok());
    socket.once('error', no);
  });
  const refused = [];
  let acked = 0;
  let refs = 0;
  socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', token, status: 'online' })));
  socket.on('message', (raw) => {
    const frame = JSON.parse(raw);
    if (frame.type === 'welcome') welcome();
    else if (frame.type === 'ack') acked++;
    else if (frame.type === 'error') refused.push(frame);
    else if (frame.type === 'ping') socket.send('{"type":"pong"}');
    else if (frame.event === 'message.created') on_message(frame, performance.now());
  });
  await ready;
  return {
    types: (conversation) => socket.send(JSON.stringify({ type: 'typing', conversation })),
    say: (conversation, text) => socket.send(JSON.stringify({ type: 'send', ref: `l${++refs}`, conversation, kind: 'text', text })),
    get acked() {
      return acked;
    },
    refused,
    close: () => socket.terminate(),
  };
}

/** Callbacks over a few raw connections, one at a time on each: node's own client
 * costs more than the server that is measured. Takes the place of sim.push. */
export function fast_push(sim, connections = 128) {
  const target = new URL(sim.hook);
  const idle = [];
  const queue = [];
  const sockets = [];
  const next = (socket) => {
    const job = queue.shift();
    if (!job) return idle.push(socket);
    socket.job = job;
    return socket.write(job.bytes);
  };
  for (let i = 0; i < connections; i++) {
    const socket = net.connect({ port: Number(target.port), host: target.hostname, noDelay: true });
    let seen = '';
    socket.setEncoding('latin1');
    socket.on('data', (d) => {
      seen += d;
      const head = seen.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: *(\d+)/i.exec(seen.slice(0, head))?.[1] ?? 0);
      if (seen.length < head + 4 + length) return;
      const status = Number(seen.slice(9, 12));
      const { ok } = socket.job;
      const body = seen.slice(head + 4, head + 4 + length);
      seen = '';
      next(socket);
      ok({ status, body, tries: 1, taken: status === 200 });
    });
    socket.on('error', (e) => socket.job?.ok({ status: 0, body: e.message, tries: 1, taken: false }));
    sockets.push(socket);
    idle.push(socket);
  }
  sim.push = (what, make, { path = '' } = {}) => {
    const r = make(false, 0);
    const at = new URL(sim.hook).pathname + path + (r.query ? '?' + new URLSearchParams(r.query) : '');
    const body = r.body ?? '';
    let head = `${r.method ?? 'POST'} ${at} HTTP/1.1\r\nhost: ${target.host}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    for (const [name, value] of Object.entries(r.headers ?? {})) head += `${name}: ${value}\r\n`;
    return new Promise((ok) => {
      queue.push({ bytes: head + '\r\n' + body, ok });
      const socket = idle.pop();
      if (socket) next(socket);
    });
  };
  return { close: () => sockets.forEach((s) => s.destroy()) };
}

/** each(k, due_ms) for k = 0 … at `rate` a second. */
export async function open_loop(rate, count, each) {
  const from = performance.now() + 5;
  for (let k = 0; k < count; ) {
    const now = performance.now();
    while (k < count && from + (k * 1000) / rate <= now) {
      each(k, from + (k * 1000) / rate);
      k++;
    }
    if (from + (k * 1000) / rate - now > 2) await sleep(1);
    else await turn();
  }
  return from;
}

export async function wait_for(what, look, ms = 90_000) {
  const till = performance.now() + ms;
  while (!(await look())) {
    if (performance.now() > till) throw new Error(`not within ${ms / 1000} s: ${what}`);
    await sleep(10);
  }
}

export function quantile(values, q) {
  const sorted = Float64Array.from(values).sort();
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] : NaN;
}

/** User and system time of all its threads, in ms; ticks are 10 ms. */
export function cpu_ms(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
