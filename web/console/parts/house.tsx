// SPDX-License-Identifier: Apache-2.0
// What the pages of the house share: head, states of a list, facts, links.
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { fullTime, lang, shortTime, t } from '../../shared/i18n.ts';
import { Empty, Failed, Late } from '../../shared/kit/bits.tsx';
import { go, href } from '../../shared/router.ts';
import { watch, type Paged } from '../stores/paged.ts';
import { explain, toast, toastError } from '../stores/toast.ts';
import type { Said } from '../../sdk/house.ts';

export function Link(p: { to: string; class?: string; label?: string; title?: string; children: ComponentChildren }) {
  return (
    <a
      class={p.class}
      href={href(p.to)}
      aria-label={p.label}
      title={p.title}
      onClick={(e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
        e.preventDefault();
        go(p.to);
      }}
    >
      {p.children}
    </a>
  );
}

export function Head(p: { title: string; text?: string; mono?: boolean; back?: { to: string; label: string }; children?: ComponentChildren }) {
  return (
    <header class="page-head">
      {p.back && (
        <Link to={p.back.to} class="page-back">
          <Icon d={I.back} size={16} />
          {p.back.label}
        </Link>
      )}
      <div class="page-top">
        <h1 class={p.mono ? 'mono' : undefined}>{p.title}</h1>
        {p.children && <div class="page-do">{p.children}</div>}
      </div>
      {p.text && <p>{p.text}</p>}
    </header>
  );
}

export function Skeleton() {
  return (
    <Late>
      <i class="skeleton row-skel" />
      <i class="skeleton row-skel" />
      <i class="skeleton row-skel" />
    </Late>
  );
}

/** A list in all its states: not yet known, failed, empty, there, and more. */
export function Listed<T>(p: { of: Paged<T>; every: number; icon: string; none: string; noneText: string; label: string; children: (items: T[]) => ComponentChildren }) {
  useEffect(() => watch(() => void p.of.load(), p.every), [p.of]);
  const items = p.of.items.value;
  const failed = p.of.failed.value;
  if (!items) return failed ? <Failed error={explain(failed)} onRetry={() => void p.of.load()} /> : <Skeleton />;
  return (
    <>
      {!!failed && <Stale onRetry={() => void p.of.load()} />}
      {items.length === 0 ? (
        <Empty icon={p.icon} title={p.none} text={p.noneText} />
      ) : (
        <ul class="rows" aria-label={p.label}>
          {p.children(items)}
        </ul>
      )}
      {p.of.more && (
        <button class="btn more" onClick={() => void p.of.loadMore()}>
          {t('house.more')}
        </button>
      )}
    </>
  );
}

/** What is shown is from before: the last answer did not come. */
export function Stale(p: { onRetry: () => void }) {
  return (
    <p class="note-line warn" role="status">
      <Icon d={I.alert} size={16} />
      {t('house.stale')}
      <button class="link" onClick={p.onRetry}>
        {t('retry')}
      </button>
    </p>
  );
}

export function Facts(p: { items: [string, ComponentChildren][]; label?: string }) {
  return (
    <dl class="facts" aria-label={p.label}>
      {p.items.map(([k, v]) => (
        <div key={k}>
          <dt>{k}</dt>
          <dd class="num">{v}</dd>
        </div>
      ))}
    </dl>
  );
}

export function At({ at }: { at: number }) {
  return (
    <time class="num" dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {shortTime(at)}
    </time>
  );
}

/** A button that is busy while its order is under way. */
export function Do(p: { class?: string; run: () => Promise<unknown>; icon?: string; disabled?: boolean; children: ComponentChildren }) {
  const busy = useSignal(false);
  return (
    <button
      class={p.class ?? 'btn'}
      disabled={p.disabled || busy.value}
      aria-busy={busy.value}
      onClick={async () => {
        busy.value = true;
        await p.run().catch(toastError);
        busy.value = false;
      }}
    >
      {p.icon && <Icon d={p.icon} size={16} />}
      {p.children}
    </button>
  );
}

/** Plain http on a LAN name has no clipboard: the old way then. */
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.style.position = 'fixed';
    area.style.opacity = '0';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) return toast(t('house.notCopied'), { bad: true });
  }
  toast(t('house.copied'));
}

// --- words -------------------------------------------------------------------

/** A text that an author wrote in one or two languages. */
export function said(x: Said): string {
  if (!x) return '';
  if (typeof x === 'string') return x;
  return (lang.value === 'en' ? x.en || x.zh : x.zh || x.en) ?? '';
}

/** The words for a key that may be new to this console: else the key's end. */
export function word(group: string, key: string): string {
  const text = t(group + '.' + key);
  return text === group + '.' + key ? key : text;
}

export function bytes(n: number): string {
  if (n < 1024) return n + ' B';
  const kb = n / 1024;
  return kb < 1000 ? kb.toFixed(kb < 10 ? 1 : 0) + ' KB' : (kb / 1024).toFixed(1) + ' MB';
}

export function micros(us: number): string {
  if (us < 1000) return Math.round(us) + ' µs';
  return us < 1e6 ? (us / 1000).toFixed(us < 1e4 ? 1 : 0) + ' ms' : (us / 1e6).toFixed(1) + ' s';
}

export function count(n: number): string {
  return n.toLocaleString(lang.value);
}

export function percent(part: number, whole: number): string {
  if (!whole) return '–';
  const v = (part / whole) * 100;
  return (v === 0 || v >= 10 ? v.toFixed(0) : v.toFixed(1)) + ' %';
}
