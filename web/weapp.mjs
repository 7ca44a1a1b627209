// SPDX-License-Identifier: Apache-2.0
// Builds the SDK for WeChat mini programs: one CommonJS file.
//   node weapp.mjs [out file]     default: ../examples/weapp/lib/yuelai.js
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const WEB = dirname(fileURLToPath(import.meta.url));

export async function buildWeapp(outfile = join(WEB, '../examples/weapp/lib/yuelai.js')) {
  await esbuild.build({
    absWorkingDir: WEB,
    entryPoints: ['sdk/weapp.ts'],
    outfile,
    bundle: true,
    format: 'cjs',
    target: 'es2017',
    charset: 'utf8',
    logLevel: 'warning',
    banner: { js: '// Made of web/sdk by web/weapp.mjs.' },
  });
  return outfile;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = await buildWeapp(process.argv[2] && resolve(process.argv[2]));
  console.log(out);
}
