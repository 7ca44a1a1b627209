// SPDX-License-Identifier: Apache-2.0
// Two texts line by line: the longest common run of lines, what went, what came.

export interface DiffLine {
  kind: 'same' | 'gone' | 'new';
  text: string;
  /** Line numbers, from 1, in the old and the new text. */
  a?: number;
  b?: number;
}

/** Beyond this many cells the middle is told as all gone, all new. */
const CELLS = 4_000_000;

function common(a: string[], b: string[]): Uint32Array[] {
  const rows: Uint32Array[] = [];
  for (let i = a.length; i >= 0; i--) {
    const row = new Uint32Array(b.length + 1);
    rows[i] = row;
    const below = rows[i + 1];
    if (!below) continue;
    for (let j = b.length - 1; j >= 0; j--) row[j] = a[i] === b[j] ? below[j + 1]! + 1 : Math.max(below[j]!, row[j + 1]!);
  }
  return rows;
}

export function diff(was: string, is: string): DiffLine[] {
  const a = was === '' ? [] : was.replace(/\n$/, '').split('\n');
  const b = is === '' ? [] : is.replace(/\n$/, '').split('\n');
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const out: DiffLine[] = [];
  const same = (i: number, j: number) => out.push({ kind: 'same', text: a[i]!, a: i + 1, b: j + 1 });
  for (let i = 0; i < head; i++) same(i, i);
  const ma = a.slice(head, a.length - tail);
  const mb = b.slice(head, b.length - tail);
  const table = ma.length * mb.length <= CELLS ? common(ma, mb) : null;
  let i = 0;
  let j = 0;
  while (i < ma.length || j < mb.length) {
    if (table && i < ma.length && j < mb.length && ma[i] === mb[j]) {
      same(head + i++, head + j++);
    } else if (i < ma.length && (!table || j >= mb.length || table[i + 1]![j]! >= table[i]![j + 1]!)) {
      out.push({ kind: 'gone', text: ma[i]!, a: head + ++i });
    } else {
      out.push({ kind: 'new', text: mb[j]!, b: head + ++j });
    }
  }
  for (let k = tail; k > 0; k--) same(a.length - k, b.length - k);
  return out;
}

/** Only what changed, with `around` lines of what stands beside it; the holes
 * are told by how many lines they leave away. */
export function hunks(lines: DiffLine[], around = 3): (DiffLine | { skipped: number })[] {
  const keep = new Uint8Array(lines.length);
  lines.forEach((l, i) => {
    if (l.kind !== 'same') keep.fill(1, Math.max(0, i - around), i + around + 1);
  });
  const out: (DiffLine | { skipped: number })[] = [];
  let hole = 0;
  lines.forEach((l, i) => {
    if (keep[i]) {
      if (hole) out.push({ skipped: hole });
      hole = 0;
      out.push(l);
    } else hole++;
  });
  if (hole) out.push({ skipped: hole });
  return out;
}
