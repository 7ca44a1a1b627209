// SPDX-License-Identifier: Apache-2.0
// Channels, the types there are, and what went wrong last, in words. A type's
// file that is dropped in shows at the next look, a few seconds later.
import { computed, signal } from '@preact/signals';
import type { ChannelRow, ChannelType, OutboxRow } from '../../sdk/house.ts';
import type { Page } from '../../sdk/types.ts';
import { t } from '../../shared/i18n.ts';
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
  kind: 'adapter' | 'message' | 'platform';
}

/** A class of error in words, with what the platform said. */
export function platformText(e: { code: string; text: string }): string {
  const key = 'channels.code.' + e.code;
  const known = t(key);
  if (known === key) return e.text || e.code;
  return e.text ? t('assistants.classWith', { what: known, detail: e.text }) : known;
}

/** The last thing that went wrong with it: its adapter's, or its messages'. */
export function troubleOf(c: ChannelRow): Trouble | null {
  const found: Trouble[] = [];
  const script = (health.scripts.value ?? []).find((s) => s.name === 'channels/' + c.type);
  for (const e of script ? health.errorsOf(script) : []) {
    found.push({ kind: 'adapter', at: e.last_at ?? 0, text: (script && health.place(script, e)) + ': ' + e.message });
  }
  if (c.last_error) found.push({ kind: 'platform', at: c.last_error.at, text: platformText(c.last_error) });
  for (const o of stuck.value) if (o.channel === c.id && o.reason) found.push({ kind: 'message', at: o.updated_at, text: o.reason });
  return found.sort((a, b) => b.at - a.at)[0] ?? null;
}

export const typeOf = computed(() => new Map((types.items.value ?? []).map((x) => [x.type, x])));

/** The house may not know its own name; the browser does. */
export function absolute(url: string): string {
  return url.startsWith('/') ? location.origin + url : url;
}
