// SPDX-License-Identifier: Apache-2.0
// A face without a picture: one of 8 pastel grounds by id, one or two letters.
import * as I from '../icons.tsx';
import { Icon } from '../icons.tsx';

const HUES = [218, 150, 26, 304, 250, 188, 44, 0];

function hash(id: string): number {
  let h = 0;
  for (let i = 0; i < id.length; i++) h = (h * 31 + id.charCodeAt(i)) >>> 0;
  return h % HUES.length;
}

export function initials(name: string): string {
  const s = name.trim();
  if (/[\u3400-\u9fff]/.test(s)) return s.slice(-1);
  const words = s.split(/[\s._-]+/).filter(Boolean);
  return ((words[0]?.[0] || '?') + (words.length > 1 ? words[words.length - 1]![0]! : '')).toUpperCase();
}

/** Bots and old messages may come without an id. */
export function Avatar({ id, name, size = 32, bot }: { id: string | null; name: string; size?: number; bot?: boolean }) {
  const hue = HUES[hash(id || name)];
  return (
    <span
      class="avatar"
      aria-hidden="true"
      style={{ width: size + 'px', height: size + 'px', fontSize: Math.round(size * 0.42) + 'px', background: `hsl(${hue},70%,90%)`, color: `hsl(${hue},62%,27%)` }}
    >
      {bot ? <Icon d={I.bot} size={Math.round(size * 0.6)} /> : initials(name)}
    </span>
  );
}
