// SPDX-License-Identifier: Apache-2.0
// Channels, the types there are, and what went wrong last, in words. A type's
// file that is dropped in shows at the next look, a few seconds later.
import { computed, signal } from '@preact/signals';
import type { ChannelRow, ChannelType, OutboxRow, SchemaField } from '../../sdk/house.ts';
import type { Page } from '../../sdk/types.ts';
import * as app from './app.ts';
import * as health from './health.ts';
import { may, Paged } from './paged.ts';

export const list = new Paged<ChannelRow>('/channels');
export const types = new Paged<ChannelType>('/channels/types');
const stuck = signal<OutboxRow[]>([]);

export async function look(): Promise<void> {
  const ask = async (state: string) => (await app.rest.get<Page<OutboxRow>>('/outbox', { state, limit: 50 })).items;
  const outbox = async () => {
    if (!may('supervisor')) return;
    try {
      stuck.value = (await Promise.all([ask('dead'), ask('waiting')])).flat();
    } catch {
      // what is known stays
    }
  };
  await Promise.all([list.load(), types.load(), outbox(), health.askScripts()]);
}

export interface Trouble {
  text: string;
  at: number;
  /** Where it stands: the adapter's file, or a message. */
  kind: 'adapter' | 'message';
}

/** The last thing that went wrong with it: its adapter's, or its messages'. */
export function troubleOf(c: ChannelRow): Trouble | null {
  const found: Trouble[] = [];
  const script = (health.scripts.value ?? []).find((s) => s.name === 'channels/' + c.type);
  for (const e of script ? health.errorsOf(script) : []) {
    found.push({ kind: 'adapter', at: e.last_at ?? 0, text: (script && health.place(script, e)) + ': ' + e.message });
  }
  for (const o of stuck.value) if (o.channel === c.id && o.reason) found.push({ kind: 'message', at: o.updated_at, text: o.reason });
  return found.sort((a, b) => b.at - a.at)[0] ?? null;
}

export const typeOf = computed(() => new Map((types.items.value ?? []).map((x) => [x.type, x])));

/** What must be there comes first. The type's name alone stands for a field
 * without more. */
export function fieldsOf(type: ChannelType | undefined): [string, SchemaField][] {
  const all = Object.entries(type?.schema ?? {}).map(([name, f]): [string, SchemaField] => [name, typeof f === 'string' ? { type: f } : f]);
  return [...all.filter(([, f]) => f.required), ...all.filter(([, f]) => !f.required)];
}

export const HIDDEN = '***';

export type Draft = Record<string, string | boolean | null>;

/** A channel's settings as the form holds them. */
export function draftOf(fields: [string, SchemaField][], config: Record<string, unknown>): Draft {
  const draft: Draft = {};
  for (const [name, f] of fields) {
    const v = config[name];
    if (f.type === 'boolean') draft[name] = v === undefined || v === null ? null : v === true;
    else draft[name] = f.type === 'secret' || v === undefined || v === null ? '' : String(v);
  }
  return draft;
}

export type Wrong = { name: string; why: 'missing' | 'integer' };

/** What the form would send: what changed only; a secret that was not touched
 * stays. null takes a setting away. */
export function changes(fields: [string, SchemaField][], config: Record<string, unknown>, draft: Draft): { config: Record<string, unknown>; wrong: Wrong[] } {
  const out: Record<string, unknown> = {};
  const wrong: Wrong[] = [];
  for (const [name, f] of fields) {
    const v = draft[name] ?? null;
    const was = config[name];
    if (f.type === 'boolean') {
      if (v !== null && v !== was) out[name] = v;
      continue;
    }
    const text = typeof v === 'string' ? v.trim() : v;
    if (f.type === 'secret' && text === '') {
      if (f.required && was !== HIDDEN) wrong.push({ name, why: 'missing' });
      continue;
    }
    if (text === null || text === '') {
      if (f.required) wrong.push({ name, why: 'missing' });
      else if (was !== undefined && was !== null && was !== '') out[name] = null;
      continue;
    }
    if (f.type === 'integer' && !/^-?\d{1,15}$/.test(String(text))) {
      wrong.push({ name, why: 'integer' });
      continue;
    }
    if (f.type === 'secret' || String(was ?? '') !== text) out[name] = f.type === 'integer' ? Number(text) : text;
  }
  return { config: out, wrong };
}

/** The house may not know its own name; the browser does. */
export function absolute(url: string): string {
  return url.startsWith('/') ? location.origin + url : url;
}
