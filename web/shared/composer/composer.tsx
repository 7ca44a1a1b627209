// SPDX-License-Identifier: Apache-2.0
// The field where words are written. Uncontrolled on purpose: rewriting
// `value` while an input method composes destroys what is being typed.
import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import * as I from '../icons.tsx';
import { Icon } from '../icons.tsx';
import { t } from '../i18n.ts';
import type { Drafts } from './drafts.ts';
import { enterWish, isComposing } from './ime.ts';

export interface ComposerProps {
  field: RefObject<HTMLTextAreaElement | null>;
  drafts: Drafts;
  draftKey: string;
  label: string;
  placeholder: string;
  maxBytes: number;
  maxHeight?: number;
  modSends?: boolean;
  /** Something besides words is to be sent. */
  more?: boolean;
  sendLabel: string;
  /** Writes the outbox; the field is emptied in the same step. False: not now. */
  onSend: (text: string) => unknown;
  onType?: (text: string) => void;
  onKey?: (e: KeyboardEvent) => void;
  hint?: string;
  /** Before the field: the button for files. */
  lead?: ComponentChildren;
}

export const isTouch = (): boolean => matchMedia('(pointer: coarse)').matches;

export function byteLength(s: string): number {
  let n = 0;
  for (let i = 0; i < s.length; i++) {
    const c = s.charCodeAt(i);
    if (c < 0x80) n += 1;
    else if (c < 0x800) n += 2;
    else if (c >= 0xd800 && c < 0xdc00) {
      n += 4;
      i++;
    } else n += 3;
  }
  return n;
}

function fit(el: HTMLTextAreaElement, max: number): void {
  el.style.height = 'auto';
  el.style.height = Math.min(max, el.scrollHeight) + 'px';
  el.style.overflowY = el.scrollHeight > max ? 'auto' : 'hidden';
}

/** As if the user had typed it: keeps the undo history where possible. */
export function insertText(el: HTMLTextAreaElement, text: string): void {
  if (!document.execCommand || !document.execCommand('insertText', false, text)) {
    el.setRangeText(text, el.selectionStart, el.selectionEnd, 'end');
    el.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

export function Composer(p: ComposerProps) {
  const [bytes, setBytes] = useState(0);
  const max = p.maxHeight || 160;
  const el = () => p.field.current!;
  const version = p.drafts.version.value;

  const show = (text: string) => {
    el().value = text;
    fit(el(), max);
    setBytes(byteLength(text));
  };
  useLayoutEffect(() => {
    show(p.drafts.get(p.draftKey));
    return () => p.drafts.flush();
  }, [p.draftKey]);
  useEffect(() => {
    // Another tab changed it; a focused composer is never overwritten.
    if (document.activeElement !== el() && el().value !== p.drafts.get(p.draftKey)) show(p.drafts.get(p.draftKey));
  }, [version]);

  const over = bytes > p.maxBytes;
  const send = () => {
    const text = el().value;
    if ((text.trim() === '' && !(AGENTS && p.more)) || byteLength(text) > p.maxBytes) return;
    if (p.onSend(text) === false) return;
    p.drafts.drop(p.draftKey);
    show('');
    el().focus();
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (isComposing(e)) return;
    const wish = enterWish(e, { touch: isTouch(), modSends: AGENTS && !!p.modSends });
    if (wish === 'send') {
      e.preventDefault();
      send();
    } else if (wish === 'newline') {
      e.preventDefault();
      insertText(el(), '\n');
    } else if (AGENTS && p.onKey) p.onKey(e);
  };
  const onInput = () => {
    const text = el().value;
    fit(el(), max);
    setBytes(byteLength(text));
    p.drafts.set(p.draftKey, text);
    if (text.trim() !== '') p.onType?.(text);
  };
  return (
    <div class="composer">
      {p.lead}
      <textarea
        ref={p.field}
        class="composer-field"
        rows={1}
        aria-label={p.label}
        placeholder={p.placeholder}
        onKeyDown={onKeyDown}
        onInput={onInput}
        enterkeyhint="enter"
        autocomplete="off"
      />
      <div class="composer-side">
        {AGENTS && p.hint && <span class="composer-hint">{p.hint}</span>}
        {bytes > p.maxBytes * 0.8 && (
          <span class={'composer-count num' + (over ? ' over' : '')} role="status">
            {over ? t('composer.tooLong') : t('composer.left', { n: Math.floor((p.maxBytes - bytes) / 3) })}
          </span>
        )}
        <button
          type="button"
          class={'btn primary composer-send' + (AGENTS ? '' : ' icon-only')}
          aria-label={p.sendLabel}
          title={p.sendLabel}
          disabled={(bytes === 0 && !(AGENTS && p.more)) || over}
          onPointerDown={(e) => e.preventDefault() /* the keyboard stays */}
          onMouseDown={(e) => e.preventDefault()}
          onClick={send}
        >
          {AGENTS ? p.sendLabel : <Icon d={I.send} />}
        </button>
      </div>
    </div>
  );
}
