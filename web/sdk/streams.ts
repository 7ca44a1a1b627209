// SPDX-License-Identifier: Apache-2.0
// Fleeting things of one conversation: who types, and a bot's growing answer.
import type { DeltaFrame, Who } from './types.ts';

const TYPING_MS = 6_000;

export interface Typing {
  who: Who;
  text?: string;
}

export class TypingBoard {
  private rows = new Map<string, Map<string, { typing: Typing; until: number }>>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private changed: () => void) {}

  set(conversation: string, who: Who, text?: string): void {
    let row = this.rows.get(conversation);
    if (!row) this.rows.set(conversation, (row = new Map()));
    row.set(who.role + who.id, { typing: { who, text }, until: Date.now() + TYPING_MS });
    this.arm();
    this.changed();
  }

  clear(conversation: string, who: Who): void {
    if (this.rows.get(conversation)?.delete(who.role + who.id)) this.changed();
  }

  of(conversation: string): Typing[] {
    const now = Date.now();
    const out: Typing[] = [];
    this.rows.get(conversation)?.forEach((r) => {
      if (r.until > now) out.push(r.typing);
    });
    return out;
  }

  private arm(): void {
    if (this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      const now = Date.now();
      let left = 0;
      this.rows.forEach((row) =>
        row.forEach((r, key) => {
          if (r.until <= now) row.delete(key);
          else left++;
        }),
      );
      if (left) this.arm();
      this.changed();
    }, 1_000);
  }
}

export interface Stream {
  id: string;
  text: string;
  at: number;
  sender?: Who;
}

/** Deltas may come twice or out of order after a resume: kept by index. */
export class Streams {
  private parts = new Map<string, { conversation: string; at: number; text: string[]; sender?: Who; old?: boolean }>();

  apply(d: DeltaFrame): void {
    let s = this.parts.get(d.stream);
    // Told anew after a lost line, or asked anew after a crash: from its start.
    if (!s || s.old || d.whole) {
      s = { conversation: d.conversation, at: s ? s.at : Date.now(), text: d.whole ? Array<string>(d.index).fill('') : [] };
      this.parts.set(d.stream, s);
    }
    s.text[d.index] = d.text;
    s.sender = d.sender || s.sender;
  }

  end(stream: string | undefined): void {
    if (stream !== undefined) this.parts.delete(stream);
  }

  of(conversation: string | undefined): Stream[] {
    const out: Stream[] = [];
    this.parts.forEach((s, id) => {
      if (s.conversation !== conversation) return;
      let text = '';
      for (const part of s.text) text += part === undefined ? '…' : part;
      out.push({ id, at: s.at, sender: s.sender, text: text.replace(/…+/g, '…') });
    });
    return out;
  }

  /** The line was lost: what is shown stays, what comes begins anew. */
  stale(): void {
    this.parts.forEach((s) => (s.old = true));
  }

  clear(): void {
    this.parts.clear();
  }
}
