// SPDX-License-Identifier: Apache-2.0
// What is taken here, told before a byte is sent. The server judges by the
// content again; this only spares people the way.

export interface FileLimits {
  file_bytes: number;
  /** The policy's words, as in the setting: "image/* application/pdf", "* !video/*". */
  file_types?: string;
}

function fits(type: string, pattern: string): boolean {
  return pattern === '*' || pattern === '*/*' || pattern === type || (pattern.slice(-2) === '/*' && type.indexOf(pattern.slice(0, -1)) === 0);
}

function wordsOf(limits: FileLimits): string[] {
  return (limits.file_types || '').split(/[\s,]+/).filter(Boolean);
}

/** A code if this file cannot be sent. */
export function refusalOf(file: { size: number; type: string }, limits: FileLimits): string | undefined {
  if (file.size === 0) return 'empty'; // folders that were dropped, too
  if (file.size > limits.file_bytes) return 'too_large';
  const type = (file.type || '').toLowerCase().split(';')[0]!;
  const words = wordsOf(limits).map((w) => w.toLowerCase());
  if (!type) return undefined; // the browser does not know; the server will
  let taken = words.every((w) => w.charAt(0) === '!'); // all but these
  for (const w of words) {
    if (w.charAt(0) === '!') {
      if (fits(type, w.slice(1))) return 'unsupported';
    } else if (fits(type, w)) taken = true;
  }
  return taken ? undefined : 'unsupported';
}

/** What is taken, by name, if the policy names any: for people. */
export function takenOf(limits: FileLimits): string[] {
  const words = wordsOf(limits).filter((w) => w.charAt(0) !== '!');
  return words.some((w) => w === '*' || w === '*/*') ? [] : words;
}

/** For a chooser's `accept`: what is certainly taken, '' = anything. */
export function acceptOf(limits: FileLimits): string {
  const words = wordsOf(limits).filter((w) => w.charAt(0) !== '!');
  return words.some((w) => w === '*' || w === '*/*' || w.indexOf('/') < 0) ? '' : words.join(',');
}
