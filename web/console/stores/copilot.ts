// SPDX-License-Identifier: Apache-2.0
// A model at the agent's elbow: a draft, other words, another language, a
// summary. What comes back stands in the composer; nothing sends it.
import { signal } from '@preact/signals';
import type { AssistantRow } from '../../sdk/house.ts';
import { OWN_STREAM } from '../../sdk/agent.ts';
import { newId } from '../../sdk/id.ts';
import { RestError } from '../../sdk/rest.ts';
import { t } from '../../shared/i18n.ts';
import * as app from './app.ts';
import { explain } from './toast.ts';

export type Task = 'draft' | 'rewrite' | 'translate' | 'summarise';
export type Mode = 'reply' | 'note';

export interface Wish {
  task: Task;
  text?: string;
  /** The tone, or the language. */
  wish?: string;
}

export interface Job extends Wish {
  conversation: string;
  mode: Mode;
  state: 'asked' | 'failed' | 'done';
  /** What came so far, or why nothing did. */
  said: string;
  /** Done: by whom, and what stood there before. */
  by?: string;
  before?: string;
}

/** As long as the whole chain may take, and a little more. */
const TIMEOUT_MS = 180_000;
const LOOK_MS = 60_000;

export const bots = signal<string[]>([]);
/** One at a time, like the field it is for. */
export const job = signal<Job | null>(null);

let ctl: AbortController | null = null;
let stream = '';
let pieces: string[] = [];

/** "unauthorized: HTTP 401" as a sentence of this language, the detail behind. */
export function troubleText(text: string): string {
  const [, name, rest] = /^([a-z_]+)(?:: ?(.*))?$/s.exec(text) ?? [];
  const key = 'assistants.class.' + name;
  const known = name ? t(key) : key;
  if (!name || known === key) return text;
  return rest ? t('assistants.classWith', { what: known, detail: rest }) : known;
}

/** The reasons that the house and its guard give, in words of this language. */
export function reasonText(reason: string): string {
  const key = 'handover.' + reason.replace(/ \(.*\)$/s, '').replace(/[^a-z_]+/gi, '_').toLowerCase();
  const known = t(key);
  if (known === key) return troubleText(reason);
  const detail = / \((.*)\)$/s.exec(reason)?.[1];
  return detail ? t('assistants.classWith', { what: known, detail }) : known;
}

function why(e: unknown): string {
  if (!(e instanceof RestError) || e.code === 'offline') return explain(e);
  const said = troubleText(e.message);
  return said === e.message ? explain(e) : said;
}

export async function look(): Promise<void> {
  try {
    const items = (await app.rest.get<{ items: AssistantRow[] }>('/assistants', { limit: 100 })).items;
    bots.value = items.filter((a) => a.state === 'active').map((a) => a.name);
  } catch {
    // what is known stays
  }
}

/** The one the agent chose, if it is there; else the server's first. */
export function chosen(): string | undefined {
  const kept = app.pref('copilot');
  return kept && bots.value.includes(kept) ? kept : undefined;
}

export type Put = (job: Job, text: string) => string;

/** `put` writes the text where it belongs and gives what stood there. */
export async function ask(conversation: string, mode: Mode, wish: Wish, put: Put): Promise<void> {
  cancel();
  const own = new AbortController();
  ctl = own;
  stream = OWN_STREAM + newId();
  pieces = [];
  const begun: Job = { ...wish, conversation, mode, state: 'asked', said: '' };
  job.value = begun;
  try {
    const body = { task: wish.task, text: wish.text, wish: wish.wish, assistant: chosen(), stream };
    const answer = await app.rest.post<{ text: string; assistant: string }>(`/conversations/${conversation}/copilot`, body, { timeout: TIMEOUT_MS, signal: own.signal });
    if (ctl !== own) return;
    const before = put(begun, answer.text);
    job.value = { ...begun, state: 'done', said: answer.text, by: answer.assistant, before };
  } catch (e) {
    if (ctl === own) job.value = { ...begun, state: 'failed', said: why(e) };
  } finally {
    if (ctl === own) ctl = null;
  }
}

/** Stops waiting, or puts the message about it away. */
export function cancel(): void {
  const c = ctl;
  ctl = null;
  job.value = null;
  c?.abort();
}

app.whenClient(() => {
  const c = app.client!;
  c.on('welcome', () => void look());
  c.on('draft', (d) => {
    const j = job.value;
    if (d.stream !== stream || j?.state !== 'asked') return;
    pieces[d.index] = d.text;
    job.value = { ...j, said: pieces.join('') };
  });
  setInterval(() => {
    if (document.visibilityState === 'visible' && app.link.value === 'open' && !app.expired.value) void look();
  }, LOOK_MS);
});
