// SPDX-License-Identifier: Apache-2.0
// One ticker for everything that shows a running time.
import { signal } from '@preact/signals';

export const now = signal(Date.now());
setInterval(() => {
  if (document.visibilityState === 'visible') now.value = Date.now();
}, 1_000);
