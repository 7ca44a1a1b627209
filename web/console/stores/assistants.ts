// SPDX-License-Identifier: Apache-2.0
// Assistants: models that are set up, what they cost today, who names them.
import { computed, signal } from '@preact/signals';
import type { AssistantRow, SchemaField, ScriptVersion, TypeRow } from '../../sdk/house.ts';
import type { Conversation, Page } from '../../sdk/types.ts';
import * as app from './app.ts';
import { scriptPath } from './health.ts';
import { may, Paged } from './paged.ts';

export const list = new Paged<AssistantRow>('/assistants');
export const types = new Paged<TypeRow>('/assistants/types');
export const typeOf = computed(() => new Map((types.items.value ?? []).map((x) => [x.type, x])));

export async function look(): Promise<void> {
  await Promise.all([list.load(), types.load()]);
}

/** Rules and chains name it, so a name is one word. */
export function nameWrong(name: string): string | null {
  return /^[A-Za-z0-9_-]+$/.test(name) ? null : 'assistants.wrong.name';
}

// --- settings besides the connector's own ---------------------------------------

type Group = 'limits' | 'timeout' | 'price' | 'cache';
type Fields = [string, SchemaField][];

const DURATION = new Set(['patience', 'confirm', 'connect', 'first', 'total', 'ttl']);
const MONEY = new Set(['day_cost', 'conversation_cost', 'input', 'output', 'cached']);

function fieldOf(name: string): SchemaField {
  const type = MONEY.has(name) ? 'number' : DURATION.has(name) || ['currency', 'tags'].includes(name) ? 'string' : 'integer';
  return { type };
}

export const GROUPS: Record<Group, string[]> = {
  limits: ['day_tokens', 'day_cost', 'conversation_tokens', 'conversation_cost', 'turn_tokens', 'at_once', 'rate', 'patience', 'confirm'],
  timeout: ['connect', 'first', 'total'],
  price: ['input', 'output', 'cached', 'currency'],
  cache: ['ttl', 'tags'],
};

/** The fields of a group, named group.field. */
export function fieldsOfGroup(group: Group): Fields {
  return GROUPS[group].map((name) => [`${group}.${name}`, fieldOf(name)]);
}

const words = (text: unknown): string[] => String(text).split(/[\s,，]+/).filter(Boolean);

/** A group as the form has it: flat, lists as words in a row. */
export function configOfGroup(row: AssistantRow | undefined, group: Group): Record<string, unknown> {
  const given = (row?.[group] ?? {}) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(given).map(([k, v]) => [`${group}.${k}`, Array.isArray(v) ? v.join(', ') : v]));
}

/** The server takes a group as a whole: what was there, with what changed. */
export function bodyOfGroup(row: AssistantRow | undefined, group: Group, changed: Record<string, unknown>): object {
  const now: Record<string, unknown> = { ...(row?.[group] as object) };
  for (const [key, v] of Object.entries(changed)) {
    const name = key.slice(group.length + 1);
    if (v === null) delete now[name];
    else now[name] = name === 'tags' ? words(v) : v;
  }
  return { [group]: Object.keys(now).length > 0 ? now : null };
}

export const ANSWER_FIELDS: Fields = [
  ['prompt', { type: 'string' }],
  ['tools', { type: 'string' }],
  ['confirm', { type: 'string' }],
  ['guard', { type: 'boolean' }],
  ['summary', { type: 'boolean' }],
];

export function configOfAnswers(row: AssistantRow | undefined): Record<string, unknown> {
  return { prompt: row?.prompt, tools: (row?.tools ?? []).join(', '), guard: row?.guard ?? true, summary: row?.summary ?? true, confirm: Object.entries(row?.confirm ?? {}).map((x) => x.join('=')).join(', ') };
}

export function bodyOfAnswers(changed: Record<string, unknown>): object {
  const body = { ...changed };
  if (body.tools) body.tools = words(body.tools);
  if (body.confirm) body.confirm = Object.fromEntries(words(body.confirm).map((x) => [x.split('=')[0], x.split('=')[1] ?? '']));
  return body;
}

// --- what it costs -----------------------------------------------------------------

export interface Budget {
  used: number;
  of: number;
}

export function budgets(a: AssistantRow): { tokens: Budget | null; cost: Budget | null } {
  const today = a.today;
  const tokens = Number(a.limits?.day_tokens) || 0;
  const cost = Number(a.limits?.day_cost) || 0;
  return {
    tokens: tokens > 0 && today ? { used: today.input + today.output, of: tokens } : null,
    cost: cost > 0 && today ? { used: today.cost, of: cost } : null,
  };
}

export function money(cost: number, currency: string | undefined, lang: string): string {
  const digits = cost === 0 ? 2 : cost < 0.1 ? 6 : cost < 10 ? 4 : 2;
  const o = { minimumFractionDigits: 2, maximumFractionDigits: digits };
  try {
    if (currency) return new Intl.NumberFormat(lang, { ...o, style: 'currency', currency }).format(cost);
  } catch {
    // no currency of this world: its name stands behind the amount
  }
  return new Intl.NumberFormat(lang, o).format(cost) + (currency ? ' ' + currency : '');
}

// --- who uses it -------------------------------------------------------------------

export interface Users {
  /** Others that ask it next. */
  chains: string[];
  /** Scripts whose source has its name in quotation marks. */
  scripts: string[];
  /** Conversations it holds now, by channel. */
  channels: [string, number][];
}

export function chainsOf(name: string): string[] {
  return (list.items.value ?? []).filter((a) => a.fallback?.includes(name)).map((a) => a.name);
}

/** A name as a rule writes it. */
export function names(source: string, name: string): boolean {
  return source.includes(`"${name}"`) || source.includes(`'${name}'`);
}

const sources = new Map<string, string>();

async function sourceOf(script: string, version: string): Promise<string> {
  const key = script + ' ' + version;
  let text = sources.get(key);
  if (text === undefined) {
    const v = await app.rest.get<ScriptVersion>(`${scriptPath(script)}/versions/${version}`);
    text = (v.sources ?? []).map((s) => s.text).join('\n');
    sources.set(key, text);
  }
  return text;
}

export const users = signal<Record<string, Users>>({});

/** Asked when somebody looks at one; sources are kept by version. */
export async function askUsers(name: string): Promise<void> {
  const rules: string[] = [];
  if (may('supervisor')) {
    const all = (await app.rest.get<Page<{ name: string; kind?: string; version?: string }>>('/scripts', { limit: 100 })).items;
    const able = all.filter((s) => /^(rules|flows|lib)\//.test(s.name) && s.version);
    await Promise.all(
      able.map(async (s) => {
        const text = await sourceOf(s.name, String(s.version)).catch(() => '');
        if (names(text, name)) rules.push(s.name);
      }),
    );
  }
  const held = (await app.rest.get<Page<Conversation>>('/conversations', { state: 'bot', limit: 100 })).items.filter((c) => c.assistant === name);
  const by = new Map<string, number>();
  for (const c of held) by.set(c.channel, (by.get(c.channel) ?? 0) + 1);
  users.value = { ...users.value, [name]: { chains: chainsOf(name), scripts: rules.sort(), channels: Array.from(by).sort((x, y) => y[1] - x[1]) } };
}
