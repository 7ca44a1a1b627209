// SPDX-License-Identifier: Apache-2.0
// Ctrl/⌘+K: every action that is possible now, every page, every conversation,
// by a few letters of its name. What the actions are is the hotkeys' registry
// and the menu of one's own name; here is only the choice.
import { signal, useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { Conversation, Page } from '../../sdk/types.ts';
import { isComposing } from '../../shared/composer/ime.ts';
import { allHotkeys, keyName } from '../../shared/hotkeys.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { Dialog } from '../../shared/kit/dialog.tsx';
import { go } from '../../shared/router.ts';
import * as app from '../stores/app.ts';
import * as inbox from '../stores/inbox.ts';
import { commandOpen } from './help.tsx';
import { menu } from './rail.tsx';

const SEARCH_MS = 250;
/** Of each group: one chooses by writing on, not by walking. */
const MOST = 8;

interface Choice {
  key: string;
  label: string;
  /** Beside it: what it was about, or its keys. */
  hint?: string;
  icon: string;
  run: () => void;
}

function actions(): Choice[] {
  const all = new Map<string, Choice>();
  for (const h of allHotkeys()) {
    if (h.label === 'keys.command' || (h.when && !h.when())) continue;
    const known = all.get(h.label);
    if (known) continue;
    all.set(h.label, { key: h.label, label: t(h.label), hint: keyName(h.keys), icon: I.keys, run: h.run });
  }
  for (const m of menu()) {
    if (typeof m === 'string' || !('run' in m) || m.checked) continue;
    all.set(m.label, { key: m.label, label: m.label, hint: m.hint, icon: m.icon ?? I.user, run: m.run });
  }
  return Array.from(all.values());
}

function talkOf(c: Conversation): Choice {
  return { key: c.id, label: inbox.nameOf(c), hint: c.preview ?? '', icon: I.chat, run: () => go('/c/' + c.id) };
}

function known(): Conversation[] {
  return Array.from(inbox.convs.values()).sort((a, b) => b.updated_at - a.updated_at);
}

const has = (q: string) => (c: Choice) => (c.label + '\n' + c.hint).toLowerCase().includes(q);

/** What the server finds besides; the newest question's answer counts. */
const found = signal<{ q: string; items: Conversation[] }>({ q: '', items: [] });
async function ask(q: string): Promise<void> {
  try {
    const page = await app.rest.get<Page<Conversation>>('/conversations', { q, limit: MOST });
    for (const c of page.items) inbox.put(c);
    found.value = { q, items: page.items };
  } catch {
    // what is known here is shown; the banner says that the line is down
  }
}

function Option(p: { x: Choice; on: boolean; onRun: () => void; onOver: () => void }) {
  return (
    <li id={'cmd-' + p.x.key} role="option" aria-selected={p.on} class={'cmd' + (p.on ? ' on' : '')} onClick={p.onRun} onMouseMove={p.onOver}>
      <Icon d={p.x.icon} size={18} />
      <span class="cut">{p.x.label}</span>
      {p.x.hint && <span class="cut cmd-hint">{p.x.hint}</span>}
    </li>
  );
}

export function Command() {
  const query = useSignal('');
  const at = useSignal(0);
  const q = query.value.trim().toLowerCase();
  const doable = useMemo(actions, []);
  useEffect(() => {
    if (!q) return;
    const timer = setTimeout(() => void ask(q), SEARCH_MS);
    return () => clearTimeout(timer);
  }, [q]);
  const here = known().map(talkOf).filter(has(q));
  const more = found.value.q === q && q ? found.value.items.filter((c) => !here.some((x) => x.key === c.id)).map(talkOf) : [];
  const groups: [string, Choice[]][] = [
    ['command.talks', here.concat(more).slice(0, MOST)],
    ['command.actions', doable.filter(has(q)).slice(0, q ? MOST : 99)],
  ];
  const flat = groups.flatMap(([, list]) => list);
  const now = flat[Math.min(at.value, flat.length - 1)];
  useEffect(() => {
    if (now) document.getElementById('cmd-' + now.key)?.scrollIntoView({ block: 'nearest' });
  }, [now?.key]);
  const run = (x: Choice) => {
    commandOpen.value = false;
    setTimeout(x.run); // the dialog gives the focus back first
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (isComposing(e)) return;
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault();
      const n = Math.max(1, flat.length);
      at.value = (Math.min(at.value, n - 1) + (e.key === 'ArrowDown' ? 1 : n - 1)) % n;
    } else if (e.key === 'Enter' && now) {
      e.preventDefault();
      run(now);
    }
  };
  return (
    <Dialog title={t('keys.command')} onClose={() => (commandOpen.value = false)} wide>
      <input
        class="input cmd-field"
        type="text"
        role="combobox"
        aria-label={t('command.placeholder')}
        placeholder={t('command.placeholder')}
        aria-expanded="true"
        aria-controls="cmd-list"
        aria-activedescendant={now ? 'cmd-' + now.key : undefined}
        autocomplete="off"
        autofocus
        onKeyDown={onKeyDown}
        onInput={(e) => {
          query.value = e.currentTarget.value;
          at.value = 0;
        }}
      />
      <div id="cmd-list" class="cmds" role="listbox" aria-label={t('keys.command')} tabIndex={-1}>
        {groups.map(([title, list]) => list.length > 0 && (
          <ul key={title} role="group" aria-label={t(title)}>
            <li class="cmd-title" role="presentation">
              {t(title)}
            </li>
            {list.map((x) => (
              <Option key={x.key} x={x} on={x === now} onRun={() => run(x)} onOver={() => (at.value = flat.indexOf(x))} />
            ))}
          </ul>
        ))}
      </div>
      <p class="cmd-none" role="status">
        {flat.length === 0 ? t('list.noHit') : ''}
      </p>
    </Dialog>
  );
}
