// SPDX-License-Identifier: Apache-2.0
// Runs one kind of tests and ends with "N passed, N failed".
//   node test/run.mjs unit | e2e | real | perf   [file filter]
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));
const WEB = dirname(HERE);
const [kind = 'unit', filter = ''] = process.argv.slice(2);

/** Unit tests import our TypeScript: bundled, so Node 18 runs them too. */
async function bundled() {
  const out = join(HERE, 'out');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const files = readdirSync(join(HERE, 'unit')).filter((f) => f.endsWith('.test.ts') && f.includes(filter));
  await esbuild.build({
    absWorkingDir: WEB, entryPoints: files.map((f) => 'test/unit/' + f), outdir: out, bundle: true, platform: 'node', format: 'esm',
    outExtension: { '.js': '.mjs' }, jsx: 'automatic', jsxImportSource: 'preact', define: { AGENTS: 'true' }, logLevel: 'warning', target: 'node18',
    banner: { js: "import { webcrypto as wc } from 'node:crypto'; globalThis.crypto ??= wc;" },
  });
  return files.map((f) => join(out, f.replace(/\.ts$/, '.mjs')));
}

function plain(dir) {
  return readdirSync(join(HERE, dir)).filter((f) => f.endsWith('.test.mjs') && f.includes(filter)).sort().map((f) => join(HERE, dir, f));
}

if (kind !== 'unit' && !existsSync(join(WEB, 'dist', 'manifest.json'))) {
  console.error('web/dist is missing: run `npm run build` first');
  console.log('0 passed, 1 failed');
  process.exit(1);
}
const files = kind === 'unit' ? await bundled() : plain(kind);
let passed = 0;
let failed = 0;

const FILE_MS = 900_000;

/** One process a file; what it wrote, and how it ended. */
function run(file) {
  return new Promise((ok) => {
    const child = spawn(process.execPath, [file], { cwd: WEB, timeout: FILE_MS, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const s of [child.stdout, child.stderr]) s.setEncoding('utf8').on('data', (d) => (text += d));
    child.on('error', (e) => ok([text + e, 1]));
    child.on('close', (status) => ok([text, status]));
  });
}

function tell(file, text, status) {
  const n = (word) => Number(new RegExp(`^(?:#|ℹ) ${word} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  const bad = n('fail') + n('cancelled') || (status === 0 ? 0 : 1);
  passed += n('pass');
  failed += bad;
  console.log(`${bad ? 'not ok' : 'ok'} ${file.slice(HERE.length + 1)} ${n('pass')} passed${bad ? `, ${bad} failed` : ''}`);
  if (process.env.VERBOSE) console.log(text);
  else if (bad) console.log(text.split(/^(?=# Subtest)/m).filter((x) => /^not ok/m.test(x) || !/^# Subtest/.test(x)).join('').slice(0, 6000));
}

// Browsers wait more than they work: two files at a time, the largest first.
// Times are taken alone, and unit tests are over before it matters.
const side = kind === 'e2e' || kind === 'real' ? Math.min(2, cpus().length) : 1;
if (side > 1) files.sort((a, b) => statSync(b).size - statSync(a).size);
await Promise.all(
  Array.from({ length: side }, async () => {
    for (let file; (file = files.shift()); ) tell(file, ...(await run(file)));
  }),
);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;
