// SPDX-License-Identifier: Apache-2.0
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { fullTime, t } from '../../shared/i18n.ts';
import { Avatar } from '../../shared/kit/avatar.tsx';
import * as app from '../stores/app.ts';
import * as inbox from '../stores/inbox.ts';
import * as thread from '../stores/thread.ts';

const WIDE_PX = 1100;
export const detailsOpen = signal(innerWidth >= WIDE_PX && app.pref('details') !== 'off');
detailsOpen.subscribe((v) => {
  if (innerWidth >= WIDE_PX) app.setPref('details', v ? 'on' : 'off');
});
// A column becomes a drawer: it would lie on what was being read.
matchMedia(`(max-width: ${WIDE_PX - 1}px)`).addEventListener('change', (e) => (detailsOpen.value = !e.matches && app.pref('details') !== 'off'));

function EditField(p: { label: string; value: string; onSave: (v: string) => void; type?: 'text' | 'tel' | 'email' }) {
  const editing = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (editing.value) input.current?.select();
  }, [editing.value]);
  const done = (save: boolean) => {
    if (!editing.value) return;
    const v = input.current!.value.trim();
    editing.value = false;
    if (save && v !== p.value) p.onSave(v);
    setTimeout(() => button.current?.focus());
  };
  return (
    <div class="fact">
      <dt>{p.label}</dt>
      <dd>
        {editing.value ? (
          <input
            ref={input}
            class="input small"
            inputmode={p.type ?? 'text'}
            aria-label={p.label}
            defaultValue={p.value}
            onBlur={() => done(true)}
            onKeyDown={(e) => {
              if (e.isComposing) return;
              if (e.key === 'Enter') done(true);
              else if (e.key === 'Escape') {
                e.stopPropagation();
                done(false);
              }
            }}
          />
        ) : (
          <button ref={button} class="fact-edit" onClick={() => (editing.value = true)} aria-label={t('details.edit', { field: p.label, value: p.value || t('details.none') })}>
            <span class="cut">{p.value || t('details.none')}</span>
            <Icon d={I.edit} size={14} />
          </button>
        )}
      </dd>
    </div>
  );
}

function Fact(p: { label: string; value: string }) {
  return (
    <div class="fact">
      <dt>{p.label}</dt>
      <dd class="cut" title={p.value}>
        {p.value}
      </dd>
    </div>
  );
}

export function Details() {
  const c = thread.current.value;
  const who = thread.contact.value;
  const id = c?.contact;
  useEffect(() => {
    if (id) void thread.loadContact(id);
  }, [id]);
  if (!c) return null;
  const name = who?.name || inbox.nameOf(c);
  const attributes = Object.entries(who?.attributes ?? {}).filter(([, v]) => ['string', 'number', 'boolean'].includes(typeof v));
  return (
    <aside class="details" aria-label={t('details.label')}>
      <div class="details-top">
        <Avatar id={c.contact} name={name} size={48} />
        <div class="details-name">
          <h2 class="cut">{name}</h2>
          {who?.tier && <span class="chip">{who.tier}</span>}
        </div>
        <button class="icon-btn details-close" aria-label={t('close')} onClick={() => (detailsOpen.value = false)}>
          <Icon d={I.close} size={18} />
        </button>
      </div>
      <h3>{t('details.contact')}</h3>
      <dl>
        <EditField key={c.contact + 'n'} label={t('details.name')} value={who?.name ?? c.contact_name ?? ''} onSave={(v) => void thread.saveContact(c.contact, 'name', v)} />
        <EditField key={c.contact + 'p'} label={t('details.phone')} type="tel" value={who?.phone ?? ''} onSave={(v) => void thread.saveContact(c.contact, 'phone', v)} />
        <EditField key={c.contact + 'e'} label={t('details.email')} type="email" value={who?.email ?? ''} onSave={(v) => void thread.saveContact(c.contact, 'email', v)} />
        {attributes.map(([k, v]) => (
          <Fact key={k} label={k} value={String(v)} />
        ))}
      </dl>
      <h3>{t('details.conversation')}</h3>
      <dl>
        <Fact label={t('details.state')} value={t('state.' + c.state)} />
        <Fact label={t('details.assignee')} value={app.agentName(c.assignee) || t('details.nobody')} />
        <Fact label={t('details.channel')} value={app.channelName(c.channel, c.channel_type)} />
        <Fact label={t('details.created')} value={fullTime(c.created_at)} />
        <Fact label={t('details.messages')} value={String(c.last_seq)} />
        <Fact label={t('details.id')} value={c.id} />
      </dl>
      {c.tags.length > 0 && (
        <>
          <h3>{t('details.tags')}</h3>
          <p class="tags">
            {c.tags.map((x) => (
              <span key={x} class="chip">
                {x}
              </span>
            ))}
          </p>
        </>
      )}
    </aside>
  );
}
