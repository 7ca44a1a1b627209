// SPDX-License-Identifier: Apache-2.0
// The one guard for every Enter, Tab, arrow and shortcut.
//
// - a composing flag or `isComposing`: the key belongs to the input method;
// - Safari sends compositionend *before* the keydown (229) of the Enter that
//   ended it: 229 within 120 ms after compositionend is still the method's;
// - Chrome on macOS may send 229 for a real Enter later: that one is real.
// Never keyup, never keypress.

const SAFARI_MS = 120;
let composing = false;
let endedAt = -Infinity;

export interface KeyLike {
  isComposing?: boolean;
  keyCode?: number;
  timeStamp?: number;
}

const nowMs = () => (typeof performance === 'undefined' ? Date.now() : performance.now());

export function compositionStart(): void {
  composing = true;
}

export function compositionEnd(now = nowMs()): void {
  composing = false;
  endedAt = now;
}

/** The field is gone or the window lost it: no compositionend will come. */
export function compositionAbort(): void {
  composing = false;
}

export function isComposing(e: KeyLike, now = nowMs()): boolean {
  if (composing || e.isComposing) return true;
  return e.keyCode === 229 && now - endedAt < SAFARI_MS;
}

/** Watch a whole document: composition events bubble. */
export function watchIme(doc: Document): void {
  doc.addEventListener('compositionstart', compositionStart, true);
  doc.addEventListener('compositionend', () => compositionEnd(), true);
  doc.addEventListener('focusout', compositionAbort, true);
}

export type EnterWish = 'send' | 'newline' | 'none';

/** What this keydown means for a composer. */
export function enterWish(
  e: KeyLike & { key: string; code?: string; shiftKey: boolean; ctrlKey: boolean; metaKey: boolean; altKey: boolean },
  o: { touch: boolean; modSends: boolean },
): EnterWish {
  const isEnter = e.key === 'Enter' || (e.keyCode === 229 && (e.code === 'Enter' || e.code === 'NumpadEnter'));
  if (!isEnter || isComposing(e)) return 'none';
  const mod = e.ctrlKey || e.metaKey;
  if (o.modSends) return mod && !e.shiftKey ? 'send' : 'none';
  if (e.shiftKey || e.altKey) return 'none'; // the browser breaks the line
  if (mod) return 'newline'; // the browser does not: we must
  return o.touch ? 'none' : 'send';
}
