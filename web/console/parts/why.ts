// SPDX-License-Identifier: Apache-2.0
// Which message somebody asks about; the answer is a page of its own weight
// and comes when it is asked for.
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import * as app from '../stores/app.ts';

export const asked = signal<string | null>(null);
export const Why = signal<ComponentType<{ id: string; onClose: () => void }> | null>(null);

export function openWhy(message: string): void {
  asked.value = message;
  if (Why.value) return;
  import('./trace.tsx').then(
    (m) => (Why.value = m.TraceDialog),
    () => {
      asked.value = null;
      app.outdated.value = true;
    },
  );
}
