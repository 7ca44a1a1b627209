// SPDX-License-Identifier: Apache-2.0
// One conversation's messages: ordered by `seq`, each shown once.
//
// Gaps: a visitor never receives private notes, so holes in what they hold
// are normal. `top` is how far we were told everything; only a message beyond
// top+1 is news of a hole, and one refetch closes the question for good.
import type { Message, Role, StatusData } from './types.ts';

export type Applied = 'new' | 'known' | 'gap';

export class Timeline {
  items: Message[] = [];
  /** Older messages exist on the server. */
  more = false;
  loaded = false;
  /** Everything up to here was offered to us. */
  top = 0;
  /** The other side has read (was delivered) up to this seq, by reader's role. */
  readBy: Partial<Record<Role, number>> = {};
  deliveredTo: Partial<Record<Role, number>> = {};

  constructor(readonly id: string) {}

  get last(): Message | undefined {
    return this.items[this.items.length - 1];
  }

  get first(): Message | undefined {
    return this.items[0];
  }

  /** A live message. 'gap' = inserted, but something before it is missing. */
  apply(m: Message): Applied {
    const gap = this.loaded && m.seq > this.top + 1;
    const isNew = this.insert(m);
    if (m.seq > this.top) this.top = m.seq;
    if (!isNew) return 'known';
    return gap ? 'gap' : 'new';
  }

  update(m: Partial<Message> & { id?: string; seq?: number }): boolean {
    const i = this.items.findIndex((x) => (m.id !== undefined ? x.id === m.id : x.seq === m.seq));
    const old = this.items[i];
    if (!old) return false;
    this.items = this.items.slice();
    this.items[i] = { ...old, ...m };
    return true;
  }

  /** A page of history. `newest`: it ends at the conversation's end. */
  page(items: Message[], more: boolean, newest: boolean): void {
    const head = items[0];
    const tail = items[items.length - 1];
    if (newest && head && this.top > 0 && head.seq > this.top + 1 && more) {
      // No overlap with what we hold: keep one run without a hole in it.
      this.items = [];
      this.more = true;
    }
    const firstBefore = this.first;
    for (const m of items) this.insert(m);
    if (!this.loaded || !firstBefore || (head && head.seq <= firstBefore.seq) || items.length === 0) {
      this.more = more;
    }
    if (tail && tail.seq > this.top) this.top = tail.seq;
    this.loaded = true;
  }

  mark(s: StatusData): void {
    const map = s.status === 'read' ? this.readBy : this.deliveredTo;
    if (s.by && s.seq > (map[s.by.role] || 0)) map[s.by.role] = s.seq;
  }

  private insert(m: Message): boolean {
    const list = this.items;
    let i = list.length;
    while (i > 0 && list[i - 1]!.seq > m.seq) i--;
    const at = i > 0 ? list[i - 1] : undefined;
    if (at && (at.seq === m.seq || at.id === m.id)) return false;
    this.items = list.slice(0, i).concat(m, list.slice(i));
    return true;
  }
}
