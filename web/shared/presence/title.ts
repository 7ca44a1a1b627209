// SPDX-License-Identifier: Apache-2.0
// "(3) …" in the tab's title and a dot on its icon.
let base = '';

export function setBadge(n: number): void {
  if (base === '') base = document.title;
  document.title = n > 0 ? `(${n > 99 ? '99+' : n}) ${base}` : base;
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
  const plain = icon?.dataset.plain;
  const dot = icon?.dataset.dot;
  if (!icon || !plain || !dot) return;
  const want = n > 0 ? dot : plain;
  if (icon.getAttribute('href') !== want) icon.setAttribute('href', want);
}

export function setTitle(title: string): void {
  base = title;
  document.title = title;
}
