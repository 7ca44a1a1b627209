// SPDX-License-Identifier: Apache-2.0
// A form drawn from a schema, without a DOM: what it shows, what it sends.
import type { SchemaField, TypeRow } from '../../sdk/house.ts';

/** What must be there comes first. The type's name alone stands for a field
 * without more. */
export function fieldsOf(type: { schema: TypeRow['schema'] } | undefined): [string, SchemaField][] {
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

export type Wrong = { name: string; why: 'missing' | 'integer' | 'number' };

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
    if (f.type === 'number' && !/^\d{1,12}(\.\d{1,6})?$/.test(String(text))) {
      wrong.push({ name, why: 'number' });
      continue;
    }
    if (f.type === 'secret' || String(was ?? '') !== text) out[name] = f.type === 'integer' || f.type === 'number' ? Number(text) : text;
  }
  return { config: out, wrong };
}
