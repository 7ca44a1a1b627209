// SPDX-License-Identifier: Apache-2.0
// A menu button: placed by floating-ui, walked by arrows, closed by Escape.
import { autoUpdate, computePosition, flip, offset, shift, type Placement } from '@floating-ui/dom';
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { isComposing } from '../composer/ime.ts';
import * as I from '../icons.tsx';
import { Icon } from '../icons.tsx';

export type MenuItem =
  | { label: string; icon?: string; dot?: string; checked?: boolean; danger?: boolean; hint?: string; run: () => void }
  | { title: string }
  | 'line';

interface Props {
  label: string;
  class?: string;
  placement?: Placement;
  items: () => MenuItem[];
  children: ComponentChildren;
}

export function Menu(p: Props) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const pop = useRef<HTMLDivElement>(null);
  const close = (focus: boolean) => {
    setOpen(false);
    if (focus) button.current?.focus();
  };
  useLayoutEffect(() => {
    if (!open) return;
    const b = button.current!;
    const m = pop.current!;
    const place = () =>
      void computePosition(b, m, { placement: p.placement ?? 'bottom-end', strategy: 'fixed', middleware: [offset(6), flip(), shift({ padding: 8 })] }).then((at) => {
        m.style.left = at.x + 'px';
        m.style.top = at.y + 'px';
        m.style.visibility = 'visible';
      });
    return autoUpdate(b, m, place);
  }, [open]);
  useEffect(() => {
    if (!open) return;
    (pop.current!.querySelector<HTMLElement>('[aria-checked=true]') ?? pop.current!.querySelector<HTMLElement>('[role^=menuitem]'))?.focus();
    const away = (e: Event) => {
      if (!pop.current?.contains(e.target as Node) && !button.current?.contains(e.target as Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', away, true);
    return () => document.removeEventListener('pointerdown', away, true);
  }, [open]);
  const onKeyDown = (e: KeyboardEvent) => {
    if (isComposing(e)) return;
    const all = Array.from(pop.current!.querySelectorAll<HTMLElement>('[role^=menuitem]'));
    const i = all.indexOf(document.activeElement as HTMLElement);
    const step = e.key === 'ArrowDown' ? 1 : e.key === 'ArrowUp' ? -1 : 0;
    if (step) all[(i + step + all.length) % all.length]?.focus();
    else if (e.key === 'Home') all[0]?.focus();
    else if (e.key === 'End') all[all.length - 1]?.focus();
    else if (e.key === 'Escape' || e.key === 'Tab') close(true);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  return (
    <>
      <button ref={button} class={p.class} aria-label={p.label} title={p.label} aria-haspopup="menu" aria-expanded={open} onClick={() => setOpen(!open)}>
        {p.children}
      </button>
      {open && (
        <div ref={pop} class="menu" role="menu" aria-label={p.label} onKeyDown={onKeyDown} style={{ visibility: 'hidden' }}>
          {p.items().map((it, n) => (
            <Row key={n} it={it} done={() => close(true)} />
          ))}
        </div>
      )}
    </>
  );
}

function Row({ it, done }: { it: MenuItem; done: () => void }) {
  if (it === 'line') return <div class="menu-line" role="separator" />;
  if ('title' in it) return <div class="menu-title" role="presentation">{it.title}</div>;
  return (
    <button
      role={it.checked === undefined ? 'menuitem' : 'menuitemradio'}
      aria-checked={it.checked}
      tabIndex={-1}
      class={'menu-item' + (it.danger ? ' danger' : '')}
      onClick={() => {
        done();
        it.run();
      }}
    >
      {it.dot && <i class={'dot ' + it.dot} />}
      {it.icon && <Icon d={it.icon} size={18} />}
      <span class="cut">{it.label}</span>
      {it.hint && <kbd>{it.hint}</kbd>}
      {it.checked && <Icon d={I.check} size={16} />}
    </button>
  );
}
