// SPDX-License-Identifier: Apache-2.0
// A modal over the native <dialog>: focus trap, Escape and the top layer are
// the browser's; we only put the focus back where it came from.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import * as I from '../icons.tsx';
import { Icon } from '../icons.tsx';
import { t } from '../i18n.ts';

interface Props {
  title: string;
  onClose?: () => void;
  children: ComponentChildren;
  foot?: ComponentChildren;
  wide?: boolean;
  /** For code: as wide as the window allows. */
  huge?: boolean;
}

export function Dialog(p: Props) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const from = document.activeElement as HTMLElement | null;
    const d = ref.current!;
    d.showModal();
    return () => {
      if (d.open) d.close();
      if (from && from.isConnected) from.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={'dialog' + (p.wide ? ' wide' : p.huge ? ' huge' : '')}
      aria-label={p.title}
      onCancel={(e) => {
        e.preventDefault();
        p.onClose?.();
      }}
      onMouseDown={(e) => {
        if (e.target === ref.current) p.onClose?.();
      }}
    >
      <div class="dialog-in">
        <header class="dialog-head">
          <h2>{p.title}</h2>
          {p.onClose && (
            <button class="icon-btn" aria-label={t('close')} onClick={p.onClose}>
              <Icon d={I.close} size={18} />
            </button>
          )}
        </header>
        <div class="dialog-body">{p.children}</div>
        {p.foot && <footer class="dialog-foot">{p.foot}</footer>}
      </div>
    </dialog>
  );
}
