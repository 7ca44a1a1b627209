// SPDX-License-Identifier: Apache-2.0
// `make run DEMO=1`: starts the server on a data folder of its own, gives each
// platform a channel wired to its simulator, and says how to play.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { control } from './control.mjs';
import { House } from './house.mjs';
import { platforms, start } from './load.mjs';

export const CONTROL_PORT = 8190;
const EMAIL = 'demo@example.com';
const READY_MS = 90_000;

/** Made at the first start, kept beside the data, for this machine's user only. */
function password_of(data) {
  const file = join(data, 'demo-password');
  if (!existsSync(file)) {
    mkdirSync(data, { recursive: true });
    writeFileSync(file, randomBytes(9).toString('base64url') + '\n', { mode: 0o600 });
  }
  return readFileSync(file, 'utf8').trim();
}

/** The server's process, and the address it says it listens on. */
function serve(program, data, listen, password) {
  const child = spawn(program, ['serve', '--data', data, ...(listen ? ['--listen', listen] : [])], {
    env: { ...process.env, YUELAI_ADMIN_EMAIL: EMAIL, YUELAI_ADMIN_PASSWORD: password }, stdio: ['ignore', 'inherit', 'pipe'],
  });
  const url = new Promise((ok, no) => {
    const timer = setTimeout(() => no(new Error('the server does not say where it listens')), READY_MS);
    let seen = '';
    child.stderr.on('data', (d) => {
      process.stderr.write(d);
      const at = /listening on (http:\/\/\S+:\d+)/.exec((seen = (seen + d).slice(-4096)))?.[1];
      if (at) (clearTimeout(timer), ok(at));
    });
    child.once('error', (e) => (clearTimeout(timer), no(new Error(`${program} cannot be started: ${e.message}`))));
    child.once('exit', (code) => (clearTimeout(timer), no(new Error(`the server ended with ${code}`))));
  });
  return { child, url };
}

/** Resolves when the demo is over, with the exit code. */
export async function demo({ program, data, listen, port = CONTROL_PORT, say }) {
  const password = password_of(data);
  const { child, url } = serve(program, data, listen, password);
  const over = new Promise((ok) => child.once('exit', (code) => ok(code ?? 1)));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill('SIGTERM'));
  const sims = new Map();
  let door;
  try {
    const server = await url;
    const house = await new House(server).sign_in(EMAIL, password);
    for (const name of platforms()) {
      const sim = await start(name);
      await house.wire(sim, `demo ${name}`);
      sims.set(name, sim);
    }
    door = await control(sims, { port });
    say(`
Demo: ${sims.size} channels are wired to simulators: ${[...sims.keys()].join(' ')}
  console    ${server}/console/   ${EMAIL}   ${password}
  play one   build/yuelai sim wechat${port === CONTROL_PORT ? '' : ` --control ${door.url}`}   in another terminal; /help says what it can do
  stop       Ctrl-C
`);
  } catch (e) {
    child.kill('SIGTERM');
    await over;
    throw e;
  }
  const code = await over;
  await door.close();
  await Promise.all([...sims.values()].map((s) => s.close()));
  return code;
}
