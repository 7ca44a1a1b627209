// SPDX-License-Identifier: Apache-2.0
import { signal } from '@preact/signals';
import { RestError } from '../../sdk/rest.ts';
import { t } from '../../shared/i18n.ts';

export interface ToastItem {
  id: number;
  text: string;
  bad?: boolean;
  action?: { label: string; run: () => void };
}

export const toasts = signal<ToastItem[]>([]);
const STAY_MS = 5_000;
/** What can still be undone: to be read, found and pressed, by keyboard too. */
const ACT_MS = 10_000;
let next = 1;

export function toast(text: string, o: { bad?: boolean; action?: ToastItem['action'] } = {}): void {
  const item: ToastItem = { id: next++, text, ...o };
  toasts.value = toasts.value.slice(-2).concat(item);
  setTimeout(() => dismiss(item.id), o.action ? ACT_MS : STAY_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((x) => x.id !== id);
}

/** What went wrong, in words, with the code. */
export function explain(e: unknown): string {
  if (e instanceof RestError) return e.code === 'offline' ? t('error.offline') : `${e.message} (${e.code})`;
  return String(e);
}

export function toastError(e: unknown): void {
  toast(explain(e), { bad: true });
}
