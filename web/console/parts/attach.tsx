// SPDX-License-Identifier: Apache-2.0
// Files from the console: chosen, pasted, dropped on the thread; a tray above
// the field until they are sent. What the platform cannot show is said before.
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Attached, FileLimits, Tray } from '../../shared/composer/files/index.ts';
import { newId } from '../../sdk/id.ts';
import type { Conversation } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { lang, t } from '../../shared/i18n.ts';
import * as app from '../stores/app.ts';
import * as thread from '../stores/thread.ts';
import type { Mode } from '../stores/copilot.ts';

const KEEP = 20;
/** core/app/kinds.c's. */
const MB = 1 << 20;
/** By conversation and mode: what was chosen stays while the agent looks elsewhere. */
const trays = new Map<string, Tray>();
const tick = signal(0);

const keyOf = (id: string, mode: Mode) => id + ':' + mode;

/** What its channel takes: the house's limits, or its own smaller ones. */
export function limitsOf(c: Conversation, house: number): FileLimits {
  const own = app.channels.value.get(c.channel)?.config ?? {};
  const bytes = typeof own.file_mb === 'number' ? Math.min(house, own.file_mb * MB) : house;
  return { file_bytes: bytes, file_types: typeof own.file_types === 'string' && own.file_types ? own.file_types : undefined };
}

/** Kinds that arrive as a link, because the platform shows none of them. */
export function linkedKinds(c: Conversation, types: string[]): boolean {
  const kinds = app.channels.value.get(c.channel)?.kinds;
  if (!kinds) return false;
  return types.some((mime) => {
    const kind = /^(image|audio|video)\//.exec(mime)?.[1] ?? 'file';
    return !kinds.includes(kind);
  });
}

function open(m: typeof import('../../shared/composer/files/index.ts'), c: Conversation, mode: Mode): Tray {
  const key = keyOf(c.id, mode);
  let tray = trays.get(key);
  if (!tray) {
    tray = new m.Tray({
      limits: () => limitsOf(c, app.client?.session.limits.file_bytes ?? 0),
      conversation: () => c.id,
      hold: true,
      onFile: (f, kind, ref) => thread.sendFile(c.id, f, kind, mode === 'note', ref),
      newRef: newId,
      keep: new m.Keep(() => ({ place: 'console', who: app.me.value!.id, tray: key })),
    });
    trays.set(key, tray);
    for (const [old, x] of trays) if (trays.size > KEEP && old !== key && x.items.length === 0) trays.delete(old);
  }
  return tray;
}

/** Is something chosen that has not been sent? */
export function chosen(id: string, mode: Mode): boolean {
  tick.value;
  return (trays.get(keyOf(id, mode))?.items ?? []).some((i) => !i.released && !i.final);
}

export function sendChosen(id: string, mode: Mode): void {
  const tray = trays.get(keyOf(id, mode));
  if (tray && tray.items.length > 0) {
    tray.send();
    thread.sentTick.value++;
  }
}

export function Attach({ c, mode }: { c: Conversation; mode: Mode }) {
  const at = useRef<HTMLDivElement>(null);
  const hand = useRef<Attached | null>(null);
  const limits = limitsOf(c, app.client?.session.limits.file_bytes ?? 0);
  const off = limits.file_bytes <= 0;
  tick.value;
  useEffect(() => {
    if (off) return;
    let gone = false;
    const target = at.current!.closest<HTMLElement>('.thread') ?? at.current!;
    import('../../shared/composer/files/index.ts').then(
      (m) => {
        if (gone || !at.current) return;
        const tray = open(m, c, mode);
        hand.current = m.attach({ tray, at: at.current, target, lang: () => lang.value, wanted: () => !document.querySelector('dialog[open]') });
        const draw = tray.changed;
        tray.changed = () => {
          draw();
          tick.value++;
        };
        tick.value++;
      },
      () => (app.outdated.value = true),
    );
    return () => {
      gone = true;
      hand.current?.detach();
      hand.current = null;
    };
  }, [c.id, mode, off]);
  const items = trays.get(keyOf(c.id, mode))?.items ?? [];
  const linked = mode === 'reply' && linkedKinds(c, items.map((i) => i.file.type));
  const why = off ? t(app.client?.session.limits.file_bytes ? 'attach.notHere' : 'attach.none') : '';
  const label = off ? why : (hand.current?.label() ?? t('attach.label'));
  return (
    <>
      <div ref={at} class="tray" />
      {linked && (
        <p class="reply-room">
          <Icon d={I.info} size={14} />
          <span>{t('attach.linked')}</span>
        </p>
      )}
      <button
        type="button"
        class="icon-btn attach"
        aria-disabled={off}
        aria-label={label}
        title={label}
        onClick={(e) => {
          if (!off) hand.current?.open(e.currentTarget);
        }}
      >
        <Icon d={I.attach} size={18} />
      </button>
    </>
  );
}
