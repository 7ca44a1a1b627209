// SPDX-License-Identifier: Apache-2.0
// What platforms made of our messages: told with the history, and live by
// message.status.
import { signal } from '@preact/signals';
import type { Message, StatusData } from '../../sdk/types.ts';
import { t } from '../../shared/i18n.ts';
import type { BubbleRow, Row, Tick } from '../../shared/message/rows.ts';
import * as app from './app.ts';

export interface Delivery {
  status: 'waiting' | 'sent' | 'delivered' | 'read' | 'failed';
  reason?: string;
  /** In the outbox; needed to send it again. */
  outbox?: string;
  /** It was taken back here, and the platform says why not there. */
  stays?: string;
  /** The platform could not show its kind. */
  shown?: StatusData['shown'];
}

const KEEP = 20;
/** Later in the list means: more is known. */
const ORDER: Delivery['status'][] = ['waiting', 'sent', 'delivered', 'read'];
const TICK: Record<Delivery['status'], Tick> = { waiting: 'sending', sent: 'stored', delivered: 'delivered', read: 'read', failed: 'failed' };

const of = new Map<string, Map<number, Delivery>>();
export const deliveryTick = signal(0);

function book(conversation: string): Map<number, Delivery> {
  let b = of.get(conversation);
  if (!b) {
    b = new Map();
    of.set(conversation, b);
    if (of.size > KEEP) of.delete(of.keys().next().value!);
  }
  return b;
}

export function deliveryOf(conversation: string, seq: number): Delivery | undefined {
  return of.get(conversation)?.get(seq);
}

/** A status without `by` is the platform's. */
export function onPlatform(conversation: string, s: StatusData): void {
  const b = book(conversation);
  const old = b.get(s.seq);
  if (s.status === 'recalled' || s.status === 'not_recalled') {
    const stays = s.status === 'recalled' ? undefined : s.reason || s.code || t('fail.other');
    b.set(s.seq, { ...(old ?? { status: 'sent' }), stays });
    deliveryTick.value++;
    return;
  }
  // A receipt never takes back what a later one said; failed is the last word.
  if (old && s.status !== 'failed' && old.status !== 'failed' && ORDER.indexOf(s.status) < ORDER.indexOf(old.status)) return;
  b.set(s.seq, { status: s.status, reason: s.reason ?? s.code, outbox: s.outbox ?? old?.outbox, shown: s.shown ?? old?.shown });
  deliveryTick.value++;
}

/** A page of history says what became of each. */
export function onPage(conversation: string, items: Message[]): void {
  for (const m of items) {
    const d = m.delivery;
    if (d && d.status !== 'recalled') book(conversation).set(m.seq, { status: d.status, reason: d.reason ?? d.code, outbox: d.outbox });
  }
  deliveryTick.value++;
}

export async function resend(conversation: string, seq: number): Promise<void> {
  const d = deliveryOf(conversation, seq);
  if (!d?.outbox) return;
  const b = book(conversation);
  b.set(seq, { status: 'waiting', outbox: d.outbox });
  deliveryTick.value++;
  try {
    await app.rest.post(`/outbox/${d.outbox}/resend`);
  } catch (e) {
    b.set(seq, d);
    deliveryTick.value++;
    throw e;
  }
}

function sentByUs(row: BubbleRow): boolean {
  return !row.out && !row.streaming && !row.m.private && (row.m.sender.role === 'agent' || row.m.sender.role === 'bot');
}

/** The ticks of a log, where a platform had its say. */
export function tickRows(conversation: string, rows: Row[]): Row[] {
  deliveryTick.value;
  const b = of.get(conversation);
  if (!b) return rows;
  for (const r of rows) {
    if (r.type !== 'msg' || !sentByUs(r)) continue;
    const d = b.get(r.m.seq);
    if (d && r.tick !== 'read' && !(r.tick === 'delivered' && d.status === 'sent')) r.tick = TICK[d.status];
  }
  return rows;
}
