// SPDX-License-Identifier: Apache-2.0
// The words of this chunk, both languages in it: they come with it.
import en from '../../../locales/files.en.json';
import zh from '../../../locales/files.zh-CN.json';

export type Word = (key: keyof typeof zh, params?: Record<string, string | number>) => string;

export function wordsOf(lang: () => string): Word {
  return (key, params) => (lang() === 'en' ? en : zh)[key].replace(/\{(\w+)\}/g, (_, k: string) => String(params ? params[k] : ''));
}

/** "图片、PDF": image/* application/pdf as people say it. */
export function typesText(types: string[], word: Word): string {
  return types
    .map((type) => {
      const [kind, end] = type.toLowerCase().split('/');
      if (end && end !== '*') return end.replace(/^(x-|vnd\.)+/, '').toUpperCase();
      return /^(image|audio|video|text)$/.test(kind!) ? word(('type.' + kind) as 'type.image') : type;
    })
    .join(word('type.and'));
}

export function sizeText(n: number): string {
  if (n < 1024) return n + ' B';
  const k = n / 1024;
  if (Math.round(k) < 1024) return Math.round(k) + ' KB';
  const m = k / 1024;
  return (m < 10 && m % 1 >= 0.05 ? m.toFixed(1) : Math.round(m)) + ' MB';
}
