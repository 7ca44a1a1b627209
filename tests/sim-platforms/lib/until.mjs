// SPDX-License-Identifier: Apache-2.0
// Tests wait for conditions: until(what, look) gives what look() gives, once that
// is something; what: what is waited for, in words, or a function that says it
// when it did not come.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** log(): what the server wrote; its end is told with a failure. */
export function waits(log, usual_ms = 30_000) {
  return async function until(what, look, usual = usual_ms) {
    const ms = Math.max(usual, 60_000); // a busy machine is no fault
    const till = Date.now() + ms;
    for (;;) {
      const seen = await look();
      if (seen) return seen;
      if (Date.now() > till) assert.fail(`not within ${ms / 1000} s: ${typeof what === 'function' ? what() : what}\n${log().split('\n').slice(-15).join('\n')}`);
      await sleep(40);
    }
  };
}
