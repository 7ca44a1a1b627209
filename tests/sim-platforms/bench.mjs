// SPDX-License-Identifier: Apache-2.0
// `make bench`'s rows of channels: webhooks in to an agent's socket, and answers
// out by each adapter against its simulator. Prints one figure a line:
//   figure <tab> name <tab> unit <tab> value <tab> target <tab> above|below
//   node bench.mjs [--scale X] [--only NAME,NAME]
import { EMAIL, PASSWORD, Real } from '../../web/test/real/server.mjs';
import { House } from './lib/house.mjs';
import { agent_socket, cpu_ms, fast_push, open_loop, quantile, wait_for } from './lib/load_run.mjs';
import { platforms, start } from './lib/load.mjs';

const IN_PER_S = 1000;
const OUT_PER_S = 500;
const option = (name, otherwise) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : otherwise);
const scale = Number(option('--scale', '1'));
const only = option('--only', '')?.split(',').filter(Boolean);
const wanted = (name) => !only.length || only.includes(name);
const figure = (name, unit, value, target = 0, above = false) => console.log(['figure', name, unit, value.toFixed(3), target, above ? 'above' : 'below'].join('\t'));

/** A server, its agent who takes all, and what they hear. */
async function open() {
  const server = await new Real().up();
  const house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  const me = await house.call('GET', '/api/v1/me');
  await house.call('PATCH', `/api/v1/agents/${me.id ?? me.agent.id}`, { max_load: 1000 });
  const it = { server, house, heard: new Map(), on_message: null };
  it.agent = await agent_socket(server.url, house.token, (frame, at) => {
    it.heard.set(frame.data.text, { at, conversation: frame.conversation });
    it.on_message?.(frame, at);
  });
  return it;
}
async function close(it) {
  it.agent.close();
  await it.server.end();
}
const user_of = (name, n) => ({ telegram: String(42e8 + n), whatsapp: String(8613e9 + n), line: 'U' + String(n).padStart(32, '0'), slack: 'U' + String(n).padStart(8, '0') })[name] ?? `oC${n}`;

/** 1,000 webhooks a second for so many customers, each to the agent's socket. */
async function inbound(name) {
  const it = await open();
  const sim = await start(name);
  await it.house.wire(sim);
  const wires = fast_push(sim);
  const customers = 200;
  let bad = 0;
  const says = (n, text) => sim.says(user_of(name, n), text).then((a) => (bad += a.taken ? 0 : 1));
  await Promise.all(Array.from({ length: customers }, (_, n) => says(n, `first ${n}`)));
  await wait_for('the customers are there', () => it.heard.size >= customers);
  const count = Math.round(IN_PER_S * 8 * scale);
  const due = new Float64Array(count);
  const before = cpu_ms(it.server.proc.pid);
  await open_loop(IN_PER_S, count, (k, at) => {
    due[k] = at;
    void says(k % customers, `m${k}`);
  });
  await wait_for('all are with the agent', () => it.heard.size >= customers + count);
  const cpu = cpu_ms(it.server.proc.pid) - before;
  const took = Array.from(due, (at, k) => it.heard.get(`m${k}`).at - at);
  if (bad || sim.lost.length) throw new Error(`${name}: ${bad} webhooks were not taken`);
  figure(`${name} in, 1,000/s: webhook to agent p50`, 'ms', quantile(took, 0.5), 5);
  figure(`${name} in, 1,000/s: webhook to agent p99`, 'ms', quantile(took, 0.99), 25);
  figure(`${name} in: CPU per message`, 'us', (cpu * 1000) / count);
  wires.close();
  await sim.close();
  await close(it);
}

/** 500 answers a second, over as many channels as the platform's rate asks for. */
async function outbound(it, name, rates) {
  const sim = await start(name, { per_message: 1e6, per_window: 1e6, receipts: false });
  const count = Math.round(OUT_PER_S * 4 * scale);
  const channels = Math.ceil((OUT_PER_S * 1.5) / (rates[name] ?? 50));
  const per_talk = 4; // no more than the tightest platform takes between two words of a customer
  const customers = Math.max(Math.ceil(count / per_talk), channels * 4);
  const hooks = [];
  for (let i = 0; i < channels; i++) {
    await it.house.wire(sim, `${name} ${i}`);
    hooks.push(sim.hook);
  }
  const talks = [];
  it.on_message = (frame) => frame.data.text?.startsWith(`${name} first`) && talks.push(frame.conversation);
  for (let n = 0; n < customers; n += 50) {
    await Promise.all(Array.from({ length: Math.min(50, customers - n) }, (_, i) => {
      sim.hook = hooks[(n + i) % channels];
      return sim.says(user_of(name, n + i), `${name} first ${n + i}`);
    }));
  }
  await wait_for(`${name}: ${customers} customers, ${talks.length} are there`, () => talks.length >= customers);
  const at = new Map();
  sim.on('shown', (m) => at.set(m.text, performance.now()));
  const due = new Float64Array(count);
  const before = cpu_ms(it.server.proc.pid);
  const from = await open_loop(OUT_PER_S, count, (k, t) => {
    due[k] = t;
    it.agent.say(talks[k % talks.length], `${name} out ${k}`);
  });
  await wait_for(`${name}: all are on the platform (${JSON.stringify(sim.refused.slice(-2))} ${JSON.stringify(it.agent.refused.slice(-2))})`, () => at.size >= count, 60_000);
  const cpu = cpu_ms(it.server.proc.pid) - before;
  const took = Array.from(due, (t, k) => at.get(`${name} out ${k}`) - t);
  if (sim.shown.length !== count) throw new Error(`${name}: ${count} were sent, ${sim.shown.length} shown`);
  figure(`${name} out, 500/s: sustained`, 'messages/s', (count * 1000) / (Math.max(...at.values()) - from), OUT_PER_S * 0.95, true);
  figure(`${name} out, 500/s: agent to platform p50`, 'ms', quantile(took, 0.5));
  figure(`${name} out, 500/s: agent to platform p99`, 'ms', quantile(took, 0.99));
  figure(`${name} out: CPU per message`, 'us', (cpu * 1000) / count);
  it.on_message = null;
  await sim.close();
}

/** The rate that each adapter declares, as its source says. */
async function rates_of() {
  const { readFileSync } = await import('node:fs');
  const rates = {};
  for (const name of platforms()) {
    const text = readFileSync(new URL(`../../channels/${name}/adapter.lua`, import.meta.url), 'utf8');
    rates[name] = Number(/\brate = (\d+)/.exec(text)?.[1] ?? 50);
  }
  return rates;
}

for (const name of ['telegram', 'wechat']) if (wanted('in') || wanted(name)) await inbound(name);
const rates = await rates_of();
for (const name of platforms()) {
  if (!wanted(name) && !wanted('out')) continue;
  const it = await open();
  await outbound(it, name, rates);
  await close(it);
}
