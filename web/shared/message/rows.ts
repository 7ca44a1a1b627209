// SPDX-License-Identifier: Apache-2.0
// From messages and unsent items to the rows of a log. Pure, so it is tested
// without a DOM. A stored message keeps the key of the outbox item it was
// (the ref), so its bubble is the same element from keypress to ✓✓.
import type { OutItem } from '../../sdk/outbox.ts';
import type { Stream } from '../../sdk/streams.ts';
import type { Message, Who } from '../../sdk/types.ts';

export type Tick = 'queued' | 'sending' | 'stored' | 'delivered' | 'read' | 'failed';

export interface BubbleRow {
  type: 'msg';
  key: string;
  m: Message;
  mine: boolean;
  tick?: Tick;
  out?: OutItem;
  /** First / last of a group of one sender within 5 minutes. */
  head: boolean;
  tail: boolean;
  streaming?: boolean;
}

export type Row =
  | BubbleRow
  | { type: 'day'; key: string; at: number }
  | { type: 'unread'; key: string }
  | { type: 'pill'; key: string; m: Message };

export interface RowsInput {
  messages: Message[];
  outbox: OutItem[];
  streams?: Stream[];
  isMine: (m: Message) => boolean;
  self: Who;
  readUpTo: number;
  deliveredUpTo?: number;
  /** Older ones exist: no day above the first row, it would stay on top of
   * what is put above it and the reader's place could not be kept. */
  more?: boolean;
  /** Draw 以下为未读消息 after this seq. */
  unreadAfter?: number | null;
}

const STREAM = 'stream ';
const GROUP_MS = 5 * 60_000;

function isPill(m: Message): boolean {
  return m.sender.role === 'system' || m.kind === 'event' || (AGENTS && !!m.summary);
}

function tickOf(m: Message, i: RowsInput): Tick {
  if (m.status === 'read' || m.seq <= i.readUpTo) return 'read';
  if (m.status === 'delivered' || m.seq <= (i.deliveredUpTo || 0)) return 'delivered';
  return 'stored';
}

function dayKey(at: number): string {
  const d = new Date(at);
  return d.getFullYear() + '-' + d.getMonth() + '-' + d.getDate();
}

export function buildRows(i: RowsInput): Row[] {
  const rows: Row[] = [];
  let day = '';
  let prev: BubbleRow | null = null;
  let unreadDrawn = false;

  const dayRow = (at: number) => {
    const k = dayKey(at);
    if (k === day) return;
    const first = day === '';
    day = k;
    prev = null;
    if (first && i.more) return;
    rows.push({ type: 'day', key: 'day ' + k, at });
  };
  const bubble = (row: BubbleRow) => {
    const p = prev;
    const same =
      p && p.m.sender.role === row.m.sender.role && p.m.sender.id === row.m.sender.id && (!AGENTS || (!p.m.private === !row.m.private && p.m.sender.name === row.m.sender.name)) && row.m.at - p.m.at < GROUP_MS;
    row.head = !same;
    if (p && same) p.tail = false;
    rows.push(row);
    prev = row;
  };

  for (const m of i.messages) {
    dayRow(m.at);
    if (AGENTS && i.unreadAfter != null && !unreadDrawn && m.seq > i.unreadAfter && !i.isMine(m)) {
      unreadDrawn = true;
      prev = null;
      rows.push({ type: 'unread', key: 'unread' });
    }
    const key = m.stream ? STREAM + m.stream : m.ref || m.id; // it grows into its message
    if (isPill(m)) {
      prev = null;
      rows.push({ type: 'pill', key, m });
      continue;
    }
    const mine = i.isMine(m);
    bubble({ type: 'msg', key, m, mine, tick: mine && !(AGENTS && m.private) ? tickOf(m, i) : undefined, head: true, tail: true });
  }
  const held = new Set(i.messages.map((m) => m.ref));
  for (const o of i.outbox) {
    if (held.has(o.ref)) continue;
    dayRow(o.at);
    const m: Message = { id: o.ref, seq: Infinity, kind: o.kind, text: o.text, file: o.info, sender: i.self, at: o.at, private: o.private, ref: o.ref };
    bubble({ type: 'msg', key: o.ref, m, mine: true, tick: o.state, out: o, head: true, tail: true });
  }
  for (const s of i.streams || []) {
    const m: Message = { id: s.id, seq: Infinity, kind: 'text', text: s.text, sender: s.sender || { role: 'bot', id: '' }, at: s.at };
    bubble({ type: 'msg', key: STREAM + s.id, m, mine: false, head: true, tail: true, streaming: true });
  }
  return rows;
}
