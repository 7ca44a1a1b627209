// SPDX-License-Identifier: Apache-2.0
// How long, and how often, a platform still takes answers: kept up to date by
// what is said, so that the agent knows before typing.
import type { Conversation, Message } from '../../sdk/types.ts';

export interface Room {
  open: boolean;
  /** ms until it closes, null = no limit in time */
  ms: number | null;
  /** answers, null = any number */
  left: number | null;
}

/** null: answers may go at any time. */
export function roomOf(c: Conversation, now: number): Room | null {
  const w = c.reply_window;
  if (!w || (!w.ms && !w.count)) return null;
  const ms = w.ms ? Math.max(0, (c.reply_until_at ?? 0) - now) : null;
  const left = w.count ? Math.max(0, c.reply_left ?? w.count) : null;
  return { open: ms !== 0 && left !== 0, ms, left };
}

/** What a message changes of it. */
export function afterMessage(c: Conversation, m: Pick<Message, 'at' | 'private' | 'sender'>): Partial<Conversation> {
  const w = c.reply_window;
  if (!w || m.private) return {};
  if (m.sender.role === 'visitor') return { reply_until_at: w.ms ? m.at + w.ms : null, reply_left: w.count || null };
  if (w.count && (m.sender.role === 'agent' || m.sender.role === 'bot')) return { reply_left: Math.max(0, (c.reply_left ?? w.count) - 1) };
  return {};
}
