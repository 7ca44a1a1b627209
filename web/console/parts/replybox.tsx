// SPDX-License-Identifier: Apache-2.0
// 回复 | 内部备注: two drafts, one field.
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Conversation, Message } from '../../sdk/types.ts';
import { Composer, isTouch } from '../../shared/composer/composer.tsx';
import { t } from '../../shared/i18n.ts';
import { Dialog } from '../../shared/kit/dialog.tsx';
import { Tabs } from '../../shared/kit/bits.tsx';
import { Icon } from '../../shared/icons.tsx';
import * as I from '../../shared/icons.tsx';
import * as app from '../stores/app.ts';
import * as copilot from '../stores/copilot.ts';
import * as inbox from '../stores/inbox.ts';
import * as thread from '../stores/thread.ts';
import { roomOf, type Room } from '../stores/window.ts';
import { Attach, chosen, sendChosen } from './attach.tsx';
import { now } from './clock.ts';
import { Copilot } from './copilot.tsx';

type Mode = 'reply' | 'note';
export const mode = signal<Mode>('reply');
export const field: { current: HTMLTextAreaElement | null } = { current: null };

export function focusReply(m: Mode): void {
  mode.value = m;
  setTimeout(() => field.current?.focus());
}

function fillField(text: string): void {
  const el = field.current;
  if (!el) return;
  el.value = text;
  el.dispatchEvent(new Event('input', { bubbles: true }));
  el.focus();
}

/** 重新编辑: the unsent words come back into the field. */
export function editAgain(ref: string): void {
  if (app.client?.outbox.of(thread.openId.value ?? '').find((x) => x.ref === ref)?.file) return app.client.outbox.retry(ref); // a file has no words to edit
  const item = app.client?.outbox.take(ref);
  if (!item) return;
  mode.value = item.private ? 'note' : 'reply';
  setTimeout(() => fillField(item.text ?? ''));
}

function lastOfColleague(id: string): Message | undefined {
  const items = thread.line(id).items;
  for (let i = items.length - 1; i >= 0; i--) {
    const m = items[i]!;
    if (m.sender.role === 'agent' && !m.private) return m.sender.id === app.me.value?.id ? undefined : m;
  }
  return undefined;
}

function Collision(p: { name: string; onNo: () => void; onYes: () => void }) {
  return (
    <Dialog
      title={t('collide.title')}
      onClose={p.onNo}
      foot={
        <>
          <button class="btn" onClick={p.onNo}>
            {t('cancel')}
          </button>
          <button class="btn primary" onClick={p.onYes}>
            {t('collide.send')}
          </button>
        </>
      }
    >
      <p>{t('collide.text', { name: p.name })}</p>
    </Dialog>
  );
}

function span(ms: number): string {
  return ms >= 3_600_000 ? t('window.hours', { n: Math.floor(ms / 3_600_000) }) : t('window.minutes', { n: Math.max(1, Math.ceil(ms / 60_000)) });
}

/** Told before typing: until when, and how often, the platform takes answers. */
function RoomLeft({ room }: { room: Room }) {
  const soon = (room.ms !== null && room.ms < 2 * 3_600_000) || (room.left !== null && room.left <= 1);
  const time = room.ms === null ? '' : t('window.time', { left: span(room.ms) });
  const count = room.left === null ? '' : t('window.count', { n: room.left });
  return (
    <p class={'reply-room' + (soon ? ' soon' : '')}>
      <Icon d={I.clock} size={14} />
      <span>{time && count ? t('window.both', { time, count }) : time || count}</span>
    </p>
  );
}

function RoomClosed({ room }: { room: Room }) {
  return (
    <div class="reply-closed" role="status">
      <span>{room.left === 0 && room.ms !== 0 ? t('window.used') : t('window.closed')}</span>
      <button class="btn" onClick={() => focusReply('note')}>
        {t('window.note')}
      </button>
    </div>
  );
}

export function ReplyBox({ c }: { c: Conversation }) {
  const closed = c.state === 'closed';
  const note = mode.value === 'note';
  const room = closed || note || !c.reply_window ? null : roomOf(c, now.value);
  const begunAt = useRef(0); // the conversation's end when this draft began
  const ask = useSignal<{ name: string; text: string } | null>(null);
  const key = c.id + ':' + mode.value;
  const modSends = app.pref('enter') === 'mod';
  useEffect(() => {
    begunAt.current = thread.line(c.id).top;
    if (!isTouch()) field.current?.focus();
  }, [c.id]);
  const onType = (text: string) => {
    if (text.length === 1) begunAt.current = thread.line(c.id).top;
    if (!note) app.client?.type(c.id);
  };
  const onSend = (text: string) => {
    if (room && !room.open) return false;
    if (!note) {
      const other = lastOfColleague(c.id);
      if (other && other.seq > begunAt.current) {
        ask.value = { name: other.sender.name || app.agentName(other.sender.id), text };
        return false;
      }
    }
    if (copilot.job.value?.state !== 'asked') copilot.cancel();
    if (text.trim() !== '') thread.send(text, note);
    sendChosen(c.id, mode.value);
    return true;
  };
  const sendAnyway = () => {
    begunAt.current = thread.line(c.id).top;
    const text = ask.value!.text;
    ask.value = null;
    if (text.trim() !== '') thread.send(text, false);
    sendChosen(c.id, 'reply');
    app.drafts.drop(key);
    fillField('');
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.key === 'Enter' && e.shiftKey && (e.ctrlKey || e.metaKey) && !closed) {
      e.preventDefault();
      const text = field.current!.value;
      if ((text.trim() || chosen(c.id, mode.value)) && onSend(text)) {
        app.drafts.drop(key);
        fillField('');
      }
      if (!ask.value) void thread.close();
    } else if (e.key === 'Escape') {
      e.preventDefault();
      e.stopPropagation();
      if (copilot.job.value?.state === 'asked') copilot.cancel();
      else field.current?.blur();
    }
  };
  const enter = modSends ? t('composer.hintMod') : t('composer.hint');
  return (
    <div class={'reply' + (note ? ' is-note' : '')}>
      <div class="reply-top">
      <Tabs
        class="reply-tabs"
        label={t('composer.mode')}
        value={mode.value}
        onChange={(m) => focusReply(m)}
        tabs={[
          { key: 'reply', label: t('composer.reply') },
          { key: 'note', label: t('composer.note') },
        ]}
      />
      {(note || (!closed && room?.open !== false)) && <Copilot c={c} mode={mode.value} field={field} focus={focusReply} />}
      </div>
      {room?.open && <RoomLeft room={room} />}
      {room && !room.open ? (
        <RoomClosed room={room} />
      ) : closed && !note ? (
        <div class="reply-closed">
          <span>{t('composer.closed')}</span>
          <button class="btn" onClick={() => void thread.reopen(c.id)}>
            {t('thread.reopen')}
          </button>
        </div>
      ) : (
        <>
        <Attach key={key} c={c} mode={mode.value} />
        <Composer
          more={chosen(c.id, mode.value)}
          field={field}
          drafts={app.drafts}
          draftKey={key}
          label={note ? t('composer.note') : t('composer.reply')}
          placeholder={note ? t('composer.notePlace') : t('composer.replyPlace', { name: inbox.nameOf(c) })}
          sendLabel={note ? t('composer.saveNote') : t('composer.send')}
          maxBytes={app.client?.session.limits.text_bytes ?? 16_384}
          maxHeight={240}
          modSends={modSends}
          hint={isTouch() ? undefined : enter}
          onSend={onSend}
          onType={onType}
          onKey={onKey}
        />
        </>
      )}
      {ask.value && (
        <Collision name={ask.value.name} onNo={() => (ask.value = null)} onYes={sendAnyway} />
      )}
    </div>
  );
}
