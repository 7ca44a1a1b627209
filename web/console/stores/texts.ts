// SPDX-License-Identifier: Apache-2.0
// The words of messages that other rows only name: asked for once, a few at a
// time, newest wish first; null = it cannot be read (gone, or not ours).
import { signal } from '@preact/signals';
import type { Trace } from '../../sdk/house.ts';
import type { Message, Page } from '../../sdk/types.ts';
import * as app from './app.ts';

const AT_ONCE = 4;
const KEEP = 500;
const known = new Map<string, Message | null>();
const wished: { id: string; ask: () => Promise<Message | null> }[] = [];
const tick = signal(0);
let running = 0;

async function next(): Promise<void> {
  const w = wished.pop();
  if (!w) return;
  running++;
  known.set(w.id, await w.ask().catch(() => null));
  if (known.size > KEEP) known.delete(known.keys().next().value!);
  running--;
  tick.value++;
  void next();
}

function wish(id: string, ask: () => Promise<Message | null>): Message | null | undefined {
  tick.value;
  if (known.has(id)) return known.get(id);
  if (!wished.some((w) => w.id === id)) {
    wished.push({ id, ask });
    if (running < AT_ONCE) queueMicrotask(() => void next());
  }
  return undefined;
}

/** By its place in a conversation. */
export function textAt(id: string, conversation: string, seq: number): Message | null | undefined {
  return wish(id, async () => (await app.rest.get<Page<Message>>(`/conversations/${conversation}/messages`, { after: seq - 1, limit: 1 })).items.find((m) => m.seq === seq) ?? null);
}

/** By its id alone. */
export function textOf(id: string): Message | null | undefined {
  return wish(id, async () => (await app.rest.get<Trace>(`/messages/${id}/trace`)).message);
}
