// SPDX-License-Identifier: Apache-2.0
// linkifyjs finds the addresses; loaded with rich.ts.
// It takes 谢谢 after "https://a.com" for part of the address, so the text is
// cut at CJK characters first: addresses that people type have none.
import { tokenize } from 'linkifyjs';

export interface Piece {
  text: string;
  href?: string;
}

const CJK = /([\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\u2018-\u201f\u2026]+)/;
export const SAFE = /^(https?:\/\/|mailto:|tel:)/i;

export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  const plain = (s: string) => {
    const last = out[out.length - 1];
    if (last && last.href === undefined) last.text += s;
    else out.push({ text: s });
  };
  text.split(CJK).forEach((part, i) => {
    if (part === '') return;
    if (i % 2 === 1) return plain(part);
    for (const tok of tokenize(part)) {
      const s = tok.toString();
      const href = tok.isLink ? tok.toHref('https') : '';
      if (href && SAFE.test(href)) out.push({ text: s, href });
      else plain(s);
    }
  });
  return out;
}
