// SPDX-License-Identifier: Apache-2.0
// One registry of shortcuts with scopes. Matching is by `event.code`, so that
// a Chinese input method or another layout does not move them. Single letters
// work only outside fields, without a modifier, not while composing, and can
// be switched off (WCAG 2.1.4).
import { isComposing } from './composer/ime.ts';

export interface Hotkey {
  /** "KeyJ", "Alt+KeyJ", "Mod+Enter", "Shift+Slash", "KeyG KeyI" (sequence) */
  keys: string;
  /** i18n key of what it does; shown in the help. */
  label: string;
  run: () => void;
  /** Also while typing in a field (only with Alt or Mod, or Escape). */
  inFields?: boolean;
  when?: () => boolean;
}

const SEQUENCE_MS = 1_000;
const registry = new Set<Hotkey>();
let pending = { code: '', at: 0 };
export const settings = { letters: true };

export function bindHotkeys(list: Hotkey[]): () => void {
  for (const h of list) registry.add(h);
  return () => {
    for (const h of list) registry.delete(h);
  };
}

export function allHotkeys(): Hotkey[] {
  return Array.from(registry);
}

export function isField(el: EventTarget | null): boolean {
  const e = el as HTMLElement | null;
  return !!e && (e.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(e.tagName ?? ''));
}

function chord(e: KeyboardEvent): string {
  let s = '';
  if (e.ctrlKey || e.metaKey) s += 'Mod+';
  if (e.altKey) s += 'Alt+';
  if (e.shiftKey) s += 'Shift+';
  return s + e.code;
}

/** Returns true if a shortcut took the key. */
export function onHotkey(e: KeyboardEvent): boolean {
  if (e.defaultPrevented || isComposing(e)) return false;
  const field = isField(e.target);
  const now = chord(e);
  const plain = !e.ctrlKey && !e.metaKey && !e.altKey;
  const seq = pending.code && Date.now() - pending.at < SEQUENCE_MS ? pending.code + ' ' + now : '';
  pending = { code: '', at: 0 };
  if (plain && !settings.letters && e.code !== 'Escape') return false;
  let opens = false;
  for (const h of Array.from(registry)) {
    if (field && !h.inFields) continue;
    if (h.when && !h.when()) continue;
    if (h.keys === seq || h.keys === now) {
      e.preventDefault();
      h.run();
      return true;
    }
    if (h.keys.startsWith(now + ' ')) opens = true;
  }
  if (opens) pending = { code: now, at: Date.now() };
  return false;
}

const NAMES: Record<string, string> = {
  Slash: '/', BracketLeft: '[', BracketRight: ']', ArrowUp: '↑', ArrowDown: '↓', Escape: 'Esc', 'Shift+Slash': '?',
};

export function keyName(keys: string, mac = /Mac|iP/.test(typeof navigator === 'undefined' ? '' : navigator.platform)): string {
  return keys
    .split(' ')
    .map((k) => NAMES[k] ?? k.split('+').map((p) => (p === 'Mod' ? (mac ? '⌘' : 'Ctrl') : NAMES[p] ?? p.replace(/^Key/, ''))).join('+'))
    .join(' ');
}
