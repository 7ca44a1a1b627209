// SPDX-License-Identifier: Apache-2.0
// Message text as nodes, never as HTML. The link finder is loaded only when
// a text could hold an address, which keeps it off the first use.
import { signal } from '@preact/signals-core';
import type { Piece } from './linkify-all.ts';

const MAYBE = /\w\.\w|:\/\/|\w@\w/;
const finder = signal<((text: string) => Piece[]) | null>(null);
let asked = false;

function ask(): void {
  if (asked) return;
  asked = true;
  import('./linkify-all.ts').then(
    (m) => (finder.value = m.pieces),
    () => (asked = false), // offline: plain text meanwhile, tried again later
  );
}

export function Text({ text }: { text: string }) {
  if (!MAYBE.test(text)) return <>{text}</>;
  const find = finder.value;
  if (!find) {
    ask();
    return <>{text}</>;
  }
  return (
    <>
      {find(text).map((p, i) =>
        p.href === undefined ? (
          p.text
        ) : (
          <a key={i} href={p.href} target="_blank" rel="noopener noreferrer nofollow">
            {p.text}
          </a>
        ),
      )}
    </>
  );
}
