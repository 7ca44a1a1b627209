// SPDX-License-Identifier: Apache-2.0
// Words of the surface. Keys are flat; `{name}` is filled in; a `_one`/`_other`
// pair is chosen by `n`. The build checks that both
// languages hold the same keys and the same holes.
import { signal } from '@preact/signals-core';

export type Lang = 'zh-CN' | 'en';
export type Words = Record<string, string>;
type Params = Record<string, string | number>;

export const lang = signal<Lang>('zh-CN');
let books: Books = { 'zh-CN': {}, en: {} };

export function initWords(b: Books, wanted: string | null | undefined): void {
  books = b;
  setLang(pickLang(wanted));
}

export function pickLang(wanted: string | null | undefined): Lang {
  const w = (wanted || (typeof navigator === 'undefined' ? '' : navigator.language) || 'zh-CN').toLowerCase();
  return w.startsWith('zh') ? 'zh-CN' : 'en';
}

type Books = Record<Lang, Words | (() => Promise<Words>)>;

/** A book may be a function that fetches it when somebody wants it. */
export function setLang(l: Lang): void {
  const book = books[l];
  // At once: who says hello meanwhile tells the house which language it is.
  if (typeof document !== 'undefined') document.documentElement.lang = l;
  if (typeof book === 'function') {
    void book().then((words) => {
      books[l] = words;
      if (document.documentElement.lang === l) setLang(l);
    });
    return;
  }
  lang.value = l;
}

export function t(key: string, params?: Params): string {
  const book = books[lang.value] as Words;
  let text = book[key];
  if (text === undefined && params && typeof params.n === 'number') {
    // Intl.PluralRules is not in Safari 11.1, and our languages need no more.
    text = book[key + (params.n === 1 ? '_one' : '_other')];
  }
  if (text === undefined) return key;
  if (!params) return text;
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const v = params[name]!;
    return typeof v === 'number' ? v.toLocaleString(lang.value) : v;
  });
}

const DAY_MS = 86_400_000;

function dayStart(at: number): number {
  const d = new Date(at);
  return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
}

const two = (n: number) => (n < 10 ? '0' : '') + n;

/** HH:mm in both languages; Intl's `hour12: false` says 24:05 in some browsers. */
export function clock(at: number): string {
  const d = new Date(at);
  return two(d.getHours()) + ':' + two(d.getMinutes());
}

function dayOf(at: number, now: number): string {
  const days = Math.round((dayStart(now) - dayStart(at)) / DAY_MS);
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(lang.value, {
    month: 'short',
    day: 'numeric',
    year: sameYear ? undefined : 'numeric',
  }).format(at);
}

/** For lists: HH:mm today, 昨天, else the day. */
export function shortTime(at: number, now = Date.now()): string {
  const days = Math.round((dayStart(now) - dayStart(at)) / DAY_MS);
  return days === 0 ? clock(at) : dayOf(at, now);
}

/** For the divider between days. */
export function dayTitle(at: number, now = Date.now()): string {
  return dayOf(at, now);
}

export function fullTime(at: number): string {
  return new Date(at).toLocaleString(lang.value);
}

/** A span in words for people: 2:14, 1 h 05. */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 3600) return Math.floor(s / 60) + ':' + two(s % 60);
  if (s < 86_400) return Math.floor(s / 3600) + ':' + two(Math.floor((s % 3600) / 60)) + ':' + two(s % 60);
  return t('time.days', { n: Math.floor(s / 86_400) });
}
