// SPDX-License-Identifier: Apache-2.0
// Finds simulators by name: platforms/NAME.mjs, then ai/NAME.mjs.
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const in_folder = (folder) => {
  const dir = join(ROOT, folder);
  if (!existsSync(dir)) return [];
  return readdirSync(dir).filter((f) => f.endsWith('.mjs') && !f.includes('.test.')).map((f) => f.slice(0, -4)).sort();
};

export const platforms = () => in_folder('platforms');
export const models = () => in_folder('ai');

export async function load(name) {
  const folder = ['platforms', 'ai'].find((f) => in_folder(f).includes(name));
  if (!folder) throw new Error(`there is no simulator "${name}"; there are: ${[...platforms(), ...models()].join(' ')}`);
  return { kind: folder, ...(await import(pathToFileURL(join(ROOT, folder, name + '.mjs')).href)) };
}

/** start() of a simulator, by name. */
export async function start(name, given) {
  return (await load(name)).start(given ?? {});
}
