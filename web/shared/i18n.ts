// SPDX-License-Identifier: Apache-2.0
// Words of the surface. Keys are flat; `{name}` is filled in; a `_one`/`_other`
// pair is chosen by Intl.PluralRules on `n`. The build checks that both
// languages hold the same keys and the same holes.
import { signal } from '@preact/signals';

export type Lang = 'zh-CN' | 'en';
export type Words = Record<string, string>;
type Params = Record<string, string | number>;

export const lang = signal<Lang>('zh-CN');
let books: Record<Lang, Words> = { 'zh-CN': {}, en: {} };

export function initWords(b: Record<Lang, Words>, wanted: string | null | undefined): void {
  books = b;
  setLang(pickLang(wanted));
}

export function pickLang(wanted: string | null | undefined): Lang {
  const w = (wanted || (typeof navigator === 'undefined' ? '' : navigator.language) || 'zh-CN').toLowerCase();
  return w.startsWith('zh') ? 'zh-CN' : 'en';
}

export function setLang(l: Lang): void {
  lang.value = l;
  if (typeof document !== 'undefined') document.documentElement.lang = l;
}

export function t(key: string, params?: Params): string {
  const book = books[lang.value];
  let text = book[key];
  if (text === undefined && params && typeof params.n === 'number') {
    const form = new Intl.PluralRules(lang.value).select(params.n);
    text = book[key + '_' + form] ?? book[key + '_other'];
  }
  if (text === undefined) return key;
  if (!params) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const v = params[name];
    return v === undefined ? whole : typeof v === 'number' ? num(v) : v;
  });
}

export function num(n: number): string {
  return new Intl.NumberFormat(lang.value).format(n);
}

const DAY_MS = 86_400_000;

function dayStart(at: number): number {
  const d = new Date(at);
  return new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
}

export function clock(at: number): string {
  return new Intl.DateTimeFormat(lang.value, { hour: '2-digit', minute: '2-digit', hour12: false, hourCycle: 'h23' } as Intl.DateTimeFormatOptions).format(at);
}

function dayOf(at: number, now: number): string {
  const days = Math.round((dayStart(now) - dayStart(at)) / DAY_MS);
  if (days === 0) return t('time.today');
  if (days === 1) return t('time.yesterday');
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
  return new Intl.DateTimeFormat(lang.value, {
    month: lang.value === 'en' ? 'short' : 'long',
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
  return new Intl.DateTimeFormat(lang.value, { dateStyle: 'long', timeStyle: 'medium', hourCycle: 'h23' } as Intl.DateTimeFormatOptions).format(at);
}

/** A span in words for people: 2:14, 1 h 05. */
export function span(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => (n < 10 ? '0' + n : String(n));
  if (s < 3600) return Math.floor(s / 60) + ':' + two(s % 60);
  if (s < 86_400) return Math.floor(s / 3600) + ':' + two(Math.floor((s % 3600) / 60)) + ':' + two(s % 60);
  return t('time.days', { n: Math.floor(s / 86_400) });
}
