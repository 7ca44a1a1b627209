// SPDX-License-Identifier: Apache-2.0
// Ids made here: sortable by time, 80 random bits, no `crypto.randomUUID`
// (absent on plain http).

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
let lastAt = 0;

export function newId(now = Date.now()): string {
  lastAt = now > lastAt ? now : lastAt + 1; // two in one millisecond still sort
  let at = lastAt;
  let head = '';
  for (let i = 0; i < 9; i++) {
    head = ALPHABET[at % 32] + head;
    at = Math.floor(at / 32);
  }
  const bytes = new Uint8Array(16);
  if (typeof crypto === 'object') crypto.getRandomValues(bytes);
  else for (let i = 0; i < 16; i++) bytes[i] = Math.random() * 256; // mini programs; it need not be secret
  let tail = '';
  for (let i = 0; i < 16; i++) tail += ALPHABET[bytes[i]! & 31];
  return head + tail;
}
