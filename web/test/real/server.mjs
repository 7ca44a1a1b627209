// SPDX-License-Identifier: Apache-2.0
// The real program, started, killed and started again on the same port and
// data. YUELAI_BIN is the path of build/yuelai.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPO = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const EMAIL = 'admin@example.com';
export const PASSWORD = 'e2e-password-1';

export class Real {
  constructor(bin = process.env.YUELAI_BIN || join(REPO, 'build', 'yuelai')) {
    this.bin = bin;
    this.dir = mkdtempSync(join(tmpdir(), 'yuelai-web-'));
    this.home = join(this.dir, 'home');
    this.log = '';
    // A home of our own: what gets edited is copied, the rest is linked.
    for (const d of ['scripts', 'channels', 'ai']) cpSync(join(REPO, d), join(this.home, d), { recursive: true });
    if (existsSync(join(REPO, 'web'))) symlinkSync(join(REPO, 'web'), join(this.home, 'web'));
  }

  async up() {
    const listen = '127.0.0.1:' + (this.port ?? 0);
    this.proc = spawn(this.bin, ['serve', '--data', join(this.dir, 'data'), '--listen', listen, '--home', this.home], {
      // A busy machine is no reason for another story: by itself the house places after 50 ms.
      env: { ...process.env, YUELAI_ROUTING_MS: '30000', YUELAI_SCRIPT_CPU_MS: '1000', YUELAI_ADMIN_EMAIL: EMAIL, YUELAI_ADMIN_PASSWORD: PASSWORD },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let seen = '';
    const ready = new Promise((ok, no) => {
      const timer = setTimeout(() => no(new Error('no "listening on" line:\n' + seen)), 60_000);
      this.proc.stderr.on('data', (d) => {
        seen += d;
        this.log += d;
        const m = /listening on (http:\/\/[\w.:[\]-]+:(\d+))/.exec(seen);
        if (!m) return;
        clearTimeout(timer);
        this.url = m[1];
        this.port = Number(m[2]);
        ok();
      });
      this.proc.on('exit', (code) => no(new Error(`the server ended with ${code}:\n${seen}`)));
    });
    await ready;
    return this;
  }

  /** kill -9, and wait until it is gone. */
  async kill() {
    const gone = new Promise((ok) => this.proc.once('exit', ok));
    this.proc.kill('SIGKILL');
    await gone;
  }

  async end() {
    if (this.proc && this.proc.exitCode === null && this.proc.signalCode === null) await this.kill();
    if (process.env.VERBOSE) console.error(this.log);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
