// SPDX-License-Identifier: Apache-2.0
// Is the house well? /readyz and the scripts' errors, asked while visible.
import { computed, signal } from '@preact/signals';
import type { Page, Script, ScriptError } from '../../sdk/types.ts';
import * as app from './app.ts';

export const ready = signal(true);
export const scripts = signal<Script[] | null>(null);
export const scriptsFailed = signal<unknown>(null);
/** The scripts page wants it quick. */
export const watching = signal(false);

/** Dead letters and messages that no platform took: for those who may see. */
export const letters = signal(0);

const QUICK_MS = 2_000;
const SLOW_MS = 10_000;

export function errorsOf(s: Script): ScriptError[] {
  return s.errors ?? [];
}

/** rules/shop/refund is addressed as rules/shop:refund. */
export function scriptPath(name: string): string {
  const [folder, ...rest] = name.split('/');
  return '/scripts/' + encodeURIComponent(folder!) + '/' + encodeURIComponent(rest.join(':'));
}

export function place(s: Script, e: ScriptError): string {
  const file = e.file ?? s.name;
  return e.line ? `${file}:${e.line}` : file;
}

export const broken = computed(() => (scripts.value ?? []).filter((s) => errorsOf(s).length > 0));

export async function askScripts(): Promise<void> {
  try {
    scripts.value = (await app.rest.get<Page<Script>>('/scripts', { limit: 100 })).items;
    scriptsFailed.value = null;
  } catch (e) {
    scriptsFailed.value = e;
  }
}

async function askLetters(): Promise<void> {
  if (app.me.value?.role === 'agent') return;
  try {
    const of = async (path: string, state?: string) => (await app.rest.get<Page<unknown>>(path, { state, limit: 1 })).total ?? 0;
    const [dead, unsent] = await Promise.all([of('/dead-letters'), of('/outbox', 'dead')]);
    letters.value = dead + unsent;
  } catch {
    // the badge stays as it was
  }
}

async function askReady(): Promise<void> {
  try {
    ready.value = (await fetch('/readyz', { cache: 'no-store' })).status !== 503;
  } catch {
    // no connection at all: the connection banner says it
  }
}

export function startHealth(): void {
  let last = 0;
  let slow = 0;
  const turn = () => {
    if (document.visibilityState === 'hidden' || app.phase.value !== 'in' || app.expired.value || app.link.value !== 'open') return;
    const now = Date.now();
    if (now - last < (watching.value ? QUICK_MS : SLOW_MS)) return;
    last = now;
    void askScripts();
    void askReady();
    if (now - slow < SLOW_MS) return;
    slow = now;
    void askLetters();
  };
  setInterval(turn, 1_000);
}
