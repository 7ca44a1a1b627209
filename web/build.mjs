// SPDX-License-Identifier: Apache-2.0
// Builds web/dist: bundles, hashes, HTML, gzip, manifest; then holds the
// result against budgets.json. `--watch` rebuilds on change.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, watch, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const WEB = dirname(fileURLToPath(import.meta.url));
const DIST = join(WEB, 'dist');
const OLD = ['chrome64', 'safari11.1', 'es2017']; // widget, chat
const NEW = ['chrome86', 'safari15.4', 'firefox98', 'es2020']; // console, demo

const common = {
  absWorkingDir: WEB,
  bundle: true,
  minify: true,
  write: false,
  legalComments: 'none',
  charset: 'utf8',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: { 'process.env.NODE_ENV': '"production"' },
  // Every engine of the floor has these; without a word esbuild would turn
  // import() into require().
  supported: { destructuring: true, 'dynamic-import': true, 'object-rest-spread': true, 'template-literal': true },
  metafile: true,
  logLevel: 'warning',
};

async function bundle(name, entry, target) {
  const r = await esbuild.build({
    ...common,
    // What visitors never see of shared/ is left out of their page.
    define: { ...common.define, AGENTS: String(name !== 'chat') },
    entryPoints: { [name]: entry },
    outdir: 'out',
    format: 'esm',
    splitting: true,
    chunkNames: name + '-[name]-[hash]',
    target,
  });
  const entryOut = Object.keys(r.metafile.outputs).find((o) => o === `out/${name}.js`);
  return { name, files: toFiles(r.outputFiles), first: staticImports(r.metafile, entryOut) };
}

function toFiles(outputs) {
  return outputs.map((f) => ({ path: relative(join(WEB, 'out'), f.path), data: Buffer.from(f.contents) }));
}

/** The chunks an entry needs before it runs. */
function staticImports(meta, entry, seen = new Set()) {
  for (const i of meta.outputs[entry].imports) {
    if (i.kind !== 'import-statement' || i.external || seen.has(i.path)) continue;
    seen.add(i.path);
    staticImports(meta, i.path, seen);
  }
  return Array.from(seen, (p) => p.replace(/^out\//, ''));
}

async function loader() {
  const r = await esbuild.build({ ...common, entryPoints: ['widget/loader.ts'], outfile: 'out/widget.js', format: 'iife', target: OLD });
  return Buffer.from(r.outputFiles[0].text);
}

// --- words -----------------------------------------------------------------

function holes(text) {
  return Array.from(text.matchAll(/\{(\w+)\}/g), (m) => m[1]).sort().join();
}

function sources(dir) {
  return readdirSync(join(WEB, dir), { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? sources(join(dir, e.name)) : /\.tsx?$/.test(e.name) ? [join(dir, e.name)] : [],
  );
}

export function checkWords() {
  const wrong = [];
  for (const [book, dirs] of [['chat', ['chat']], ['console', ['console', 'shared']], ['media', []], ['files', []], ['rich', []], ['rare', []]]) {
    const read = (lang) => JSON.parse(readFileSync(join(WEB, `locales/${book}.${lang}.json`), 'utf8'));
    const [zh, en] = [read('zh-CN'), read('en')];
    for (const k of new Set([...Object.keys(zh), ...Object.keys(en)])) {
      if (!zh[k] || !en[k]) wrong.push(`${book}: ${k} is missing in ${zh[k] ? 'en' : 'zh-CN'}`);
      else if (holes(zh[k]) !== holes(en[k])) wrong.push(`${book}: ${k} has other {holes} in en`);
    }
    for (const file of dirs.flatMap(sources)) {
      for (const m of readFileSync(join(WEB, file), 'utf8').matchAll(/[^\w.]t\('([\w.]+)'[,)]/g)) {
        if (!zh[m[1]] && !zh[m[1] + '_other']) wrong.push(`${file}: no words for ${m[1]} in ${book}`);
      }
    }
  }
  if (wrong.length) throw new Error('locales:\n  ' + wrong.join('\n  '));
}

// --- dist ------------------------------------------------------------------

function html(app, hash) {
  const a = '/a/' + hash;
  return readFileSync(join(WEB, app.name, 'index.html'), 'utf8')
    .replace(/\{\{a\}\}/g, a)
    .replace(/\{\{preload:\w+\}\}/g, app.first.map((f) => `<link rel="modulepreload" href="${a}/${f}">`).join('\n'))
    .replace(/\n\n+/g, '\n');
}

function put(root, path, data, manifest) {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  const gz = gzipSync(data, { level: 9 });
  writeFileSync(file, data);
  writeFileSync(file + '.gz', gz);
  manifest.files[path] = { bytes: data.length, gz: gz.length };
}

function budgets(manifest, apps, hash) {
  const max = JSON.parse(readFileSync(join(WEB, 'budgets.json'), 'utf8'));
  const gz = (p) => manifest.files[p]?.gz ?? 0;
  const a = `a/${hash}/`;
  const js = (app) => [app.name + '.js', ...app.first].reduce((n, f) => n + gz(a + f), 0);
  const app = (name) => apps.find((x) => x.name === name);
  const lazy = Object.keys(manifest.files).filter((p) => /\/console-.*\.js$/.test(p) && !app('console').first.includes(p.slice(a.length)));
  const now = {
    loader: gz('widget.js'),
    'loader+chat': gz('widget.js') + gz('chat/index.html') + gz(a + 'chat.css') + js(app('chat')),
    'console.js': js(app('console')),
    'console.css': gz(a + 'console.css'),
    lazy: Math.max(0, ...lazy.map(gz)),
    dist: Object.values(manifest.files).reduce((n, f) => n + f.gz, 0),
  };
  let over = 0;
  for (const k of Object.keys(max)) {
    const bad = now[k] > max[k];
    if (bad) over++;
    console.log(`  ${k.padEnd(12)} ${(now[k] / 1024).toFixed(1).padStart(6)} of ${(max[k] / 1024).toFixed(0)} KB gz${bad ? '   OVER' : ''}`);
  }
  manifest.budgets = now;
  return over;
}

export async function build() {
  const t0 = Date.now();
  checkWords();
  const apps = await Promise.all([bundle('chat', 'chat/main.tsx', OLD), bundle('console', 'console/main.tsx', NEW), bundle('demo', 'demo/main.tsx', NEW)]);
  const widget = await loader();
  const assets = apps.flatMap((a) => a.files);
  for (const f of ['icon.svg', 'icon-dot.svg']) assets.push({ path: f, data: readFileSync(join(WEB, 'shared', f)) });
  assets.sort((x, y) => (x.path < y.path ? -1 : 1));
  const sum = createHash('sha256');
  for (const f of assets) sum.update(f.path).update(f.data);
  const hash = sum.digest('hex').slice(0, 12);
  const manifest = { hash, files: {} };
  const root = DIST + '.new';
  rmSync(root, { recursive: true, force: true });
  for (const f of assets) put(root, `a/${hash}/${f.path}`, f.data, manifest);
  for (const app of apps) put(root, `${app.name}/index.html`, Buffer.from(html(app, hash)), manifest);
  put(root, 'widget.js', widget, manifest);
  const over = budgets(manifest, apps, hash);
  writeFileSync(join(root, 'manifest.json'), JSON.stringify(manifest, null, 1));
  if (existsSync(DIST)) renameSync(DIST, DIST + '.old');
  renameSync(root, DIST);
  rmSync(DIST + '.old', { recursive: true, force: true });
  if (over) throw new Error(`${over} over budget`); // the files are there to look at
  console.log(`web/dist ${hash} in ${Date.now() - t0} ms`);
}

function rebuildOnChange() {
  let timer;
  for (const dir of ['sdk', 'shared', 'widget', 'chat', 'console', 'demo', 'locales']) {
    if (!statSync(join(WEB, dir)).isDirectory()) continue;
    watch(join(WEB, dir), { recursive: process.platform !== 'linux' || Number(process.versions.node.split('.')[0]) >= 20 }, () => {
      clearTimeout(timer);
      timer = setTimeout(() => build().catch((e) => console.error(e.message)), 80);
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await build();
    if (process.argv.includes('--watch')) rebuildOnChange();
  } catch (e) {
    console.error(e.message);
    process.exitCode = 1;
  }
}
