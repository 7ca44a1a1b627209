// SPDX-License-Identifier: Apache-2.0
// A message's words as nodes, never as HTML. What finds addresses and reads
// markdown is loaded only when a message could need it, which keeps it off the
// first use; until then, and should it not come, the words stand as they are.
import { signal } from '@preact/signals-core';
import type { ComponentChildren } from 'preact';
import type { Around } from './media.ts';
import type { BubbleRow } from './rows.ts';

/** An element as data: its name, attributes, children. */
export type Node = string | [tag: string, attrs: Record<string, unknown> | null, ...children: Node[]];

export function view(n: Node): ComponentChildren {
  if (typeof n === 'string') return n;
  const [tag, attrs, ...children] = n;
  const Tag = tag as 'span';
  return <Tag {...attrs}>{children.map(view)}</Tag>;
}

const MAYBE = /\w\.\w|:\/\/|\w@\w/;
const rich = signal<typeof import('./rich.ts') | null>(null);
let asked = false;

export function Text({ row, text, lang, around }: { row: BubbleRow; text: string; lang: string; around: Around }) {
  if (!row.m.format && !row.streaming && !MAYBE.test(text)) return <>{text}</>;
  if (rich.value) return <>{rich.value.rich(row, text, lang, around).map(view)}</>;
  if (!asked) {
    asked = true;
    import('./rich.ts').then(
      (m) => (rich.value = m),
      () => (asked = false), // offline: plain text meanwhile, tried again later
    );
  }
  return <>{text}</>;
}
