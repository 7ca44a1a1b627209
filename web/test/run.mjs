// SPDX-License-Identifier: Apache-2.0
// Runs one kind of tests and ends with "N passed, N failed".
//   node test/run.mjs unit | e2e | real | perf   [file filter]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
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
for (const file of files) {
  // One process a file: two cores are shared, browsers are not.
  const r = spawnSync(process.execPath, [file], { encoding: 'utf8', cwd: WEB, timeout: 600_000 });
  const text = r.stdout + r.stderr;
  const n = (word) => Number(new RegExp(`^(?:#|ℹ) ${word} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
  const bad = n('fail') + n('cancelled') || (r.status === 0 ? 0 : 1);
  passed += n('pass');
  failed += bad;
  console.log(`${bad ? 'not ok' : 'ok'} ${file.slice(HERE.length + 1)} ${n('pass')} passed${bad ? `, ${bad} failed` : ''}`);
  if (process.env.VERBOSE) console.log(text);
  else if (bad) console.log(text.split(/^(?=# Subtest)/m).filter((x) => /^not ok/m.test(x) || !/^# Subtest/.test(x)).join('').slice(0, 6000));
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;
