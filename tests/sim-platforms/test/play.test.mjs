// SPDX-License-Identifier: Apache-2.0
// People at a terminal: `yuelai sim NAME` against a server, and the demo with all.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EMAIL, PASSWORD, Real } from '../../../web/test/real/server.mjs';
import { House } from '../lib/house.mjs';
import { wait_for } from '../lib/load_run.mjs';
import { platforms } from '../lib/load.mjs';

const REPO = fileURLToPath(new URL('../../..', import.meta.url));
const LOOK_MS = 90_000;

/** A program with what it has printed so far. */
function run(program, args, env = {}) {
  const it = { out: '' };
  it.child = spawn(program, args, { cwd: REPO, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  for (const stream of [it.child.stdout, it.child.stderr]) stream.on('data', (d) => (it.out += d));
  it.over = new Promise((ok) => it.child.once('exit', ok));
  it.says = (pattern) => wait_for(`${pattern} in:\n${it.out}`, () => pattern.test(it.out), LOOK_MS).then(() => pattern.exec(it.out), (e) => assert.fail(`${e.message}\n${it.out}`));
  it.type = (line) => it.child.stdin.write(line + '\n');
  return it;
}

test('yuelai sim: a person is a customer, sees the answer, forges, repeats, leaves', async () => {
  const server = await new Real().up();
  const house = await new House(server.url).sign_in(EMAIL, PASSWORD);
  const it = run(server.bin, ['sim', 'wechat', '--home', REPO, '--server', server.url], { YUELAI_ADMIN_EMAIL: EMAIL, YUELAI_ADMIN_PASSWORD: PASSWORD });
  try {
    await it.says(/callbacks go to .*\/hooks\/ch_/);
    it.type('在吗');
    await it.says(/✓ taken/);
    let talk;
    await wait_for('the conversation', async () => (talk = (await house.call('GET', '/api/v1/conversations')).items[0]));
    await house.call('POST', `/api/v1/conversations/${talk.id}/messages`, { ref: 'r1', kind: 'text', text: '在的' });
    await it.says(/<< oANNA\w+: 在的/);
    it.type('/repeat');
    await it.says(/✓ taken[\s\S]*✓ taken/);
    it.type('/forge 不该出现');
    await it.says(/did not take it: HTTP 401/);
    it.type('/down 60');
    await it.says(/down for 60 s/);
    it.type('/up');
    it.type('/quit');
    assert.equal(await it.over, 0);
    const texts = (await house.call('GET', `/api/v1/conversations/${talk.id}/messages`)).items.map((m) => m.text);
    assert.deepEqual(texts, ['在吗', '在的']);
  } finally {
    it.child.kill();
    await server.end();
  }
});

test('yuelai sim: unknown names and options are told', async () => {
  const server = new Real();
  for (const [args, code, words] of [[['nonsense'], 1, /there is no simulator "nonsense"/], [['wechat', '--nonsense'], 2, /there is no --nonsense/], [['list'], 0, /wechat/]]) {
    const it = run(server.bin, ['sim', ...args, '--home', REPO]);
    assert.equal(await it.over, code, it.out);
    assert.match(it.out, words);
  }
  await server.end();
});

test('the demo: every platform has a channel, and can be played at once', async () => {
  const data = mkdtempSync(join(tmpdir(), 'yuelai-demo-'));
  const bin = new Real();
  const it = run(process.execPath, ['tests/sim-platforms/main.mjs', 'demo', '--program', bin.bin, '--data', data, '--listen', '127.0.0.1:0', '--control-port', '0']);
  try {
    const [, count, door] = await it.says(/Demo: (\d+) channels[\s\S]*--control (http:\S+)/);
    assert.equal(Number(count), platforms().length);
    for (const name of platforms()) {
      const a = await fetch(`${door}/${name}/says`, { method: 'POST', body: JSON.stringify({ message: 'hello' }) }).then((r) => r.json());
      assert.equal(a.taken, true, `${name}: ${JSON.stringify(a)}`);
    }
    it.child.kill('SIGTERM');
    assert.equal(await it.over, 0, it.out);
  } finally {
    it.child.kill('SIGKILL');
    await bin.end();
    rmSync(data, { recursive: true, force: true });
  }
});
