// SPDX-License-Identifier: Apache-2.0
// Every connector of ai/ against its provider's simulator, in the real program: a
// rule in the real sandbox runs ask() over the real network (connectors.lua).
//   node tests/sim-platforms/test/connectors.test.mjs        YUELAI: the program
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { generateKeyPairSync } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..', '..');
const PROGRAM = process.env.YUELAI ?? join(ROOT, 'build', 'dev', 'yuelai');
const NAMES = ['openai', 'dify', 'coze', 'fastgpt', 'anthropic'];

// --- the program, and jobs for the rule in it ------------------------------------
const dir = mkdtempSync(join(tmpdir(), 'yuelai-connectors-'));
const jobs = [];
const waiting = new Map();
const asking = []; // a rule that waits for a job
let program, driver, log = '', last = 0;

const give = () => {
  const head = { 'content-type': 'application/json' };
  while (jobs.length && asking.length) asking.shift().writeHead(200, head).end(JSON.stringify(jobs.shift()));
};
function serve_jobs() {
  driver = createServer((req, res) => {
    if (req.url === '/job') {
      // Sent home long before the rule gives up, or a job goes to one who has left.
      const leave = () => asking.includes(res) && asking.splice(asking.indexOf(res), 1);
      const timer = setTimeout(() => leave() && res.writeHead(204).end(), 1000);
      res.on('close', () => (clearTimeout(timer), leave()));
      asking.push(res);
      return give();
    }
    let text = '';
    req.on('data', (d) => (text += d));
    req.on('end', () => {
      const got = JSON.parse(text);
      got.text = got.pieces.join('');
      waiting.get(got.id)?.(got);
      waiting.delete(got.id);
      res.end('{}');
    });
  });
  return new Promise((ok) => driver.listen(0, '127.0.0.1', ok));
}
function run(job) {
  const id = ++last;
  jobs.push({ id, ...job });
  return new Promise((ok, no) => {
    const timer = setTimeout(() => no(new Error('no answer from the rule\n' + log.slice(-3000))), 60_000);
    waiting.set(id, (got) => (clearTimeout(timer), ok(got)));
    give();
  });
}

function home() {
  const h = join(dir, 'home');
  for (const d of ['scripts/rules', 'scripts/lib/try']) mkdirSync(join(h, d), { recursive: true });
  for (const f of ['ai', 'ai_usage', 'ai_turn', 'channels']) cpSync(join(ROOT, 'scripts/lib', f + '.lua'), join(h, 'scripts/lib', f + '.lua'));
  for (const n of NAMES) {
    const source = readFileSync(join(ROOT, 'ai', n, 'connector.lua'), 'utf8');
    writeFileSync(join(h, 'scripts/lib/try', n + '.lua'), source.replace(/require "ai\.(\w+)\.(\w+)"/g, 'require "lib.try.$1_$2"'));
  }
  cpSync(join(ROOT, 'ai/coze/api.lua'), join(h, 'scripts/lib/try/coze_api.lua'));
  const rule = readFileSync(join(HERE, 'connectors.lua'), 'utf8').replaceAll('@DRIVER@', `http://127.0.0.1:${driver.address().port}`);
  writeFileSync(join(h, 'scripts/rules/50-connectors.lua'), rule);
  return h;
}

const sims = {};
before(async () => {
  await serve_jobs();
  for (const n of NAMES) sims[n] = await (await import(join(HERE, '..', 'ai', n + '.mjs'))).start({ cached: 3 });
  program = spawn(PROGRAM, ['serve', '--data', join(dir, 'data'), '--home', home(), '--listen', '127.0.0.1:0'], { env: { ...process.env, YUELAI_ADMIN_EMAIL: 'a@example.com', YUELAI_ADMIN_PASSWORD: 'admin-password-1' } });
  for (const s of [program.stdout, program.stderr]) s.on('data', (d) => (log = (log + d).slice(-20000)));
});
after(async () => {
  if (program.exitCode === null && program.signalCode === null) {
    const gone = new Promise((ok) => program.once('exit', ok));
    program.kill('SIGTERM');
    await gone;
  }
  driver.closeAllConnections?.();
  driver.close();
  for (const s of Object.values(sims)) await s.close();
  rmSync(dir, { recursive: true, force: true });
});

const TIMES = { connect: '5s', first: '10s', total: '25s' }; // a busy machine is no fault
const SHORT = { connect: '5s', first: '2s', total: '4s' }; // for what never comes
const turn = (text, more) => ({ id: 't' + ++last, user: 'u-1', conversation: 'cv_' + last, messages: [{ role: 'system', text: 'be kind' }, { role: 'user', text }], ...more });
const ask = (name, given = {}) => run({ connector: name, config: sims[name].config, timeout: TIMES, turn: turn('订单 4711？'), ...given });

/** Exactly what the provider has reported. */
const costs = (usage, { input, output, cached, cost }) => assert.deepEqual({ input: usage.input, output: usage.output, cached: usage.cached ?? 0, cost: Math.round((usage.cost ?? 0) * 1e9) }, { input, output, cached, cost });

// --- what must hold for each of them ------------------------------------------------
// fault -> class; a list: any of them
const FAULTS = {
  rate_limited: 'rate_limited', overloaded: 'unavailable', server_error: 'unavailable', unauthorized: 'unauthorized',
  error_200: 'unavailable', too_long: 'too_long', refused: 'refused', cut: 'broken', half_json: 'broken', half_stream: 'broken',
  error_event: 'unavailable', overlong: 'broken', invalid_utf8: 'broken', wrong_type: 'broken', wrong_types: 'broken',
  long_line: 'broken', never_ends: ['broken', 'timeout'], silent: 'timeout',
};

for (const name of NAMES) {
  test(`${name}: answers grow piece by piece, and cost what was reported`, async () => {
    const sim = sims[name];
    sim.answers.push('您的订单 4711 明天送到，请留意。🙂');
    sim.spent = { input: 0, output: 0, cached: 0, cost: 0 };
    const got = await ask(name);
    assert.equal(got.ok, true, got.detail);
    assert.equal(got.text, '您的订单 4711 明天送到，请留意。🙂');
    assert.ok(got.pieces.length > 3, 'it came in one piece');
    costs(got.usage, sim.spent);
    if (name === 'dify') assert.ok(got.usage.cost > 0 && got.usage.currency === 'USD');
  });

  for (const [fault, wanted] of Object.entries(FAULTS)) {
    test(`${name}: ${fault}`, async () => {
      const sim = sims[name];
      if (fault === 'unauthorized') {
        const config = Object.fromEntries(Object.entries(sim.config).map(([k, v]) => [k, k === 'key' || k === 'token' ? 'wrong' : v]));
        const got = await ask(name, { config });
        return assert.equal(got.class, 'unauthorized', got.detail);
      }
      sim.faults.push({ fault, ms: 60_000, s: 7 });
      const got = await ask(name, ['silent', 'never_ends'].includes(fault) ? { timeout: SHORT } : {});
      assert.ok(!got.ok, 'it went well');
      assert.ok([].concat(wanted).includes(got.class), `${got.class}: ${got.detail}`);
      if (fault === 'rate_limited') assert.equal(got.seconds, 7);
      assert.ok(Buffer.byteLength(got.text) <= 65536, 'too much was shown');
      assert.deepEqual(got.tool_calls, []);
    });
  }

  test(`${name}: slow tokens are waited for, a slow first one within its time`, async () => {
    sims[name].faults.push({ fault: 'slow_first', ms: 500 });
    const first = await ask(name);
    assert.equal(first.ok, true, `${first.class}: ${first.detail}`);
    sims[name].faults.push({ fault: 'slow_tokens', ms: 20 });
    const slow = await ask(name);
    assert.equal(slow.ok, true, `${slow.class}: ${slow.detail}`);
    sims[name].faults.push({ fault: 'slow_first', ms: 60_000 });
    assert.equal((await ask(name, { timeout: SHORT })).class, 'timeout');
  });

  test(`${name}: it is hung up on when nobody waits any more`, async () => {
    const sim = sims[name];
    sim.faults.push('never_ends');
    const got = await ask(name, { cancel_after: 3 });
    assert.equal(got.class, 'cancelled');
    assert.equal(got.pieces.length, 3);
    const till = Date.now() + 10_000;
    while (sim.open && Date.now() < till) await new Promise((ok) => setTimeout(ok, 10));
    assert.equal(sim.open, 0, 'the stream is still open');
  });

  test(`${name}: check`, async () => {
    const right = await run({ connector: name, config: sims[name].config, check: true });
    assert.equal(right.ok, true, right.detail);
    const wrong = await run({ connector: name, config: { ...sims[name].config, key: 'no', token: 'no' }, check: true });
    assert.equal(wrong.class, 'unauthorized', wrong.detail);
  });
}

// --- tools, there and back ------------------------------------------------------------
for (const name of ['openai', 'anthropic', 'coze']) {
  test(`${name}: a tool is asked for, and what it said goes back`, async () => {
    const sim = sims[name];
    const tools = [{ name: 'order_status', description: 'Looks an order up', parameters: { type: 'object', properties: { no: { type: 'string' } }, required: ['no'] } }];
    sim.answers.push({ text: '', tools: [{ name: 'order_status', arguments: { no: '4711' } }, { name: 'order_status', arguments: { no: '12' } }] });
    const first = turn('4711 和 12？', { tools });
    const got = await ask(name, { turn: first });
    assert.equal(got.ok, true, got.detail);
    assert.deepEqual(got.tool_calls.map((c) => c.arguments.no), ['4711', '12']);
    const messages = [...first.messages, { role: 'assistant', text: '', tool_calls: got.tool_calls }, ...got.tool_calls.map((c) => ({ role: 'tool', tool_call_id: c.id, text: `${c.arguments.no}: 已发货` }))];
    sim.answers.push('都已发货。');
    const then = await ask(name, { turn: { ...first, messages, state: got.state } });
    assert.equal(then.ok, true, then.detail);
    assert.equal(then.text, '都已发货。');
    assert.match(sim.calls[sim.calls.length - 1].text, /4711: 已发货/);
  });
}

// --- conversations ----------------------------------------------------------------------
for (const name of ['dify', 'coze']) {
  test(`${name}: a conversation goes on, and begins anew when it is forgotten`, async () => {
    const sim = sims[name];
    const one = await ask(name);
    const two = await ask(name, { turn: turn('还有呢？', { state: one.state }) });
    assert.equal(two.ok, true, two.detail);
    assert.deepEqual(two.state, one.state);
    sim.conversations.clear();
    const three = await ask(name, { turn: turn('还在吗？', { state: one.state }) });
    assert.equal(three.ok, true, three.detail);
    assert.notEqual(three.state.conversation, one.state.conversation);
  });

  test(`${name}: the provider is told to stop`, async () => {
    const sim = sims[name];
    const before_ = sim.stopped;
    sim.faults.push({ fault: 'slow_tokens', ms: 30 });
    sim.answers.push('很长很长的回答'.repeat(50));
    assert.equal((await ask(name, { cancel_after: 1 })).class, 'cancelled');
    assert.equal(sim.stopped, before_ + 1);
  });
}

test('dify: blocking, sources, an agent, a chatflow', async (t) => {
  const { start } = await import(join(HERE, '..', 'ai', 'dify.mjs'));
  sims.dify.spent = { input: 0, output: 0, cached: 0, cost: 0 };
  sims.dify.answers.push({ text: '七天', sources: [{ title: '退货.md', text: '七天无理由' }] });
  const got = await ask('dify', { config: { ...sims.dify.config, mode: 'blocking' } });
  assert.equal(got.text, '七天');
  costs(got.usage, sims.dify.spent);
  assert.deepEqual(got.sources, [{ title: '退货.md', text: '七天无理由' }]);
  for (const kind of ['agent', 'chatflow']) {
    const sim = await start({ [kind]: true });
    t.after(() => sim.close());
    sim.answers.push('您好，请讲。');
    const said = await ask('dify', { config: sim.config });
    assert.equal(said.text, '您好，请讲。', said.detail);
  }
});

test('coze: a token is bought by a signed JWT, kept, and bought again when it is lost', async (t) => {
  const { start } = await import(join(HERE, '..', 'ai', 'coze.mjs'));
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const sim = await start({ app_id: 'app-1', key_id: 'kid-1', public_key: publicKey, token: 'unused' });
  t.after(() => sim.close());
  const config = { base: sim.url, bot_id: sim.config.bot_id, app_id: 'app-1', key_id: 'kid-1', private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
  // aud is checked by name only: the simulator has another host
  for (let i = 0; i < 3; i++) assert.equal((await ask('coze', { config })).ok, true);
  assert.equal(sim.tokens.size, 1);
  sim.tokens.clear();
  assert.equal((await ask('coze', { config })).ok, true);
  assert.equal(sim.tokens.size, 1);
});

test('openai: vectors come in their order; thoughts are not shown', async () => {
  const texts = Array.from({ length: 23 }, (_, i) => 'x'.repeat(i + 1));
  const got = await run({ connector: 'openai', config: sims.openai.config, embed: texts });
  assert.equal(got.ok, true, got.detail);
  got.vectors.forEach((v, i) => assert.ok(Math.abs(v[0] - (((i + 1) * 3) % 17) / 17) < 1e-9));
  sims.openai.answers.push('<think>secret thoughts</think>您好');
  assert.equal((await ask('openai')).text, '您好');
});
