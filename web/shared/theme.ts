// SPDX-License-Identifier: Apache-2.0
// light | dark | system, resolved onto <html data-theme>; and a channel's own
// colour, kept readable.
import { signal } from '@preact/signals-core';

export type Theme = 'light' | 'dark' | 'system';
export const theme = signal<Theme>('system');

const query = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null;

export function isDark(): boolean {
  return theme.value === 'dark' || (theme.value === 'system' && !!query && query.matches);
}

function paint(): void {
  document.documentElement.dataset.theme = isDark() ? 'dark' : 'light';
}

export function setTheme(next: Theme): void {
  theme.value = next;
  paint();
}

export function initTheme(stored: string | null): void {
  theme.value = stored === 'light' || stored === 'dark' ? stored : 'system';
  // Safari before 14 knows only addListener.
  if (query) (query.addEventListener ? query.addEventListener('change', paint) : query.addListener(paint));
  paint();
}

function luminance(hex: string): number {
  const c = [1, 3, 5].map((i) => {
    const v = parseInt(hex.slice(i, i + 2), 16) / 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * c[0]! + 0.7152 * c[1]! + 0.0722 * c[2]!;
}

/** Black or white, whichever reads better on the ground. */
export function onColor(hex: string): string {
  const l = luminance(hex);
  return 1.05 / (l + 0.05) >= (l + 0.05) / 0.05 ? '#ffffff' : '#0b1220';
}

export function isHexColor(s: unknown): s is string {
  return typeof s === 'string' && /^#[0-9a-fA-F]{6}$/.test(s);
}
