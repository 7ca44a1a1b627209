// SPDX-License-Identifier: Apache-2.0
// Small things every view needs: tabs, the empty and the failed state.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as I from '../icons.tsx';
import { Icon } from '../icons.tsx';
import { t } from '../i18n.ts';

export interface TabDef<K extends string> {
  key: K;
  label: string;
  count?: number;
}

export function Tabs<K extends string>(p: { tabs: TabDef<K>[]; value: K; onChange: (k: K) => void; label: string; class?: string; controls?: string }) {
  const move = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    e.preventDefault();
    const i = p.tabs.findIndex((x) => x.key === p.value);
    const next = p.tabs[(i + step + p.tabs.length) % p.tabs.length]!;
    p.onChange(next.key);
    (e.currentTarget as HTMLElement).querySelector<HTMLElement>(`[data-key="${next.key}"]`)?.focus();
  };
  return (
    <div class={'tabs ' + (p.class ?? '')} role="tablist" aria-label={p.label} onKeyDown={move}>
      {p.tabs.map((x) => (
        <button
          key={x.key}
          role="tab"
          data-key={x.key}
          aria-selected={x.key === p.value}
          aria-controls={p.controls}
          tabIndex={x.key === p.value ? 0 : -1}
          class="tab"
          onClick={() => p.onChange(x.key)}
        >
          {x.label}
          {x.count !== undefined && x.count > 0 && <span class="tab-count num">{x.count > 999 ? '999+' : x.count}</span>}
        </button>
      ))}
    </div>
  );
}

export function Empty(p: { icon: string; title: string; text?: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <Icon d={p.icon} size={28} />
      <h2>{p.title}</h2>
      {p.text && <p>{p.text}</p>}
      {p.children}
    </div>
  );
}

export function Failed(p: { error: string; onRetry: () => void }) {
  return (
    <div class="empty" role="alert">
      <Icon d={I.alert} size={28} />
      <h2>{t('error.load')}</h2>
      <p>{p.error}</p>
      <button class="btn" onClick={p.onRetry}>
        {t('retry')}
      </button>
    </div>
  );
}

/** A skeleton shows only after 150 ms: quick answers do not flicker. */
export function Late({ children }: { children: ComponentChildren }) {
  const [on, set] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => set(true), 150);
    return () => clearTimeout(timer);
  }, []);
  return on ? <>{children}</> : null;
}
