// SPDX-License-Identifier: Apache-2.0
import { signal } from '@preact/signals-core';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { newId } from '../sdk/id.ts';
import type { Visitor } from '../sdk/visitor.ts';
import { Composer, isTouch } from '../shared/composer/composer.tsx';
import * as I from '../shared/icons.tsx';
import { Icon } from '../shared/icons.tsx';
import { lang, t } from '../shared/i18n.ts';
import { Avatar } from '../shared/kit/avatar.tsx';
import { Anchor } from '../shared/list/anchor.ts';
import { files, RowView, TypingBubble } from '../shared/message/bubble.tsx';
import { buildRows, type Row } from '../shared/message/rows.ts';
import { view } from '../shared/message/text.tsx';
import type { Attached } from '../shared/composer/files/index.ts';
import type { Host } from './host.ts';
import * as s from './state.ts';

const BANNER_AFTER_MS = 2_000;

function subtitle(v: Visitor | null): string {
  if (!v || !v.conversation) return t('chat.sub.bot');
  const state = v.conversation.state;
  if (state === 'closed') return t('chat.sub.closed');
  if (state === 'queued') return t('chat.sub.queue');
  const items = v.timeline.items;
  for (let i = items.length - 1; i >= 0; i--) {
    const who = items[i]!.sender;
    if (who.role === 'agent' && who.name) return t('chat.sub.agent', { name: who.name });
  }
  return t('chat.sub.bot');
}

function Header({ host }: { host: Host }) {
  s.tick.value;
  const v = s.visitor.value;
  return (
    <header class="chat-head">
      <Avatar id="yuelai" name={s.title.value} size={36} bot={false} />
      <div class="chat-names">
        <h1 class="cut">{s.title.value}</h1>
        <p class="cut">{subtitle(v)}</p>
      </div>
      {host.embedded && (
        <button class="icon-btn" aria-label={t('chat.close')} title={t('chat.close')} onClick={() => host.post({ yl: 'close' })}>
          <Icon d={I.down} />
        </button>
      )}
    </header>
  );
}

/** Only after 2 s: a blink of the network is nobody's business. */
function Banner() {
  const [shown, show] = useState(false);
  const link = s.link.value;
  const bad = link === 'reconnecting' || link === 'offline' || link === 'expired';
  useEffect(() => {
    show(false);
    if (!bad) return;
    const timer = setTimeout(() => show(true), link === 'expired' ? 0 : BANNER_AFTER_MS);
    return () => clearTimeout(timer);
  }, [bad, link === 'expired']);
  return (
    <div role="status" class={'chat-banner' + (shown && bad ? ' on' : '')}>
      {shown && bad && (
        <>
          <Icon d={I.wifi} size={16} />
          <span>{t('chat.' + link)}</span>
        </>
      )}
    </div>
  );
}

function rowsOf(v: Visitor): Row[] {
  const by = v.timeline.readBy;
  const to = v.timeline.deliveredTo;
  return buildRows({
    messages: v.messages(),
    more: v.timeline.more,
    outbox: v.outbox.items,
    streams: v.streams.of(v.conversation?.id),
    isMine: (m) => m.sender.role === 'visitor',
    self: v.you || { role: 'visitor', id: '' },
    readUpTo: Math.max(by.agent || 0, by.bot || 0),
    deliveredUpTo: Math.max(to.agent || 0, to.bot || 0),
  });
}

function Skeletons() {
  return (
    <div class="chat-skel" aria-hidden="true">
      <div class="skeleton" />
      <div class="skeleton" />
    </div>
  );
}

function Log({ v, onEdit }: { v: Visitor; onEdit: (ref: string) => void }) {
  s.tick.value;
  const box = useRef<HTMLDivElement>(null);
  const anchor = useRef<Anchor | null>(null);
  if (!anchor.current) anchor.current = new Anchor(() => box.current);
  const a = anchor.current;
  const [below, setBelow] = useState(0);
  const seen = useRef(0);
  const rows = rowsOf(v);
  const top = v.timeline.top;
  const pending = v.outbox.items.length;
  const lastPending = useRef(pending);
  useLayoutEffect(() => {
    if (pending > lastPending.current) a.toEnd(); // own words are always shown
    lastPending.current = pending;
    a.settle(v.timeline.first && v.timeline.first.id);
    if (a.atEnd) {
      seen.current = top;
      setBelow(0);
      if (top > 0) s.reading.onScreen(top);
    } else if (top > seen.current) {
      setBelow(v.timeline.items.filter((m) => m.seq > seen.current && m.sender.role !== 'visitor').length);
    }
  });
  useEffect(() => {
    const again = () => {
      a.settle(undefined);
      if (a.atEnd && v.timeline.top > 0) s.reading.onScreen(v.timeline.top);
    };
    files.drawn = again;
    addEventListener('resize', again);
    addEventListener('focus', again);
    document.addEventListener('visibilitychange', again);
    return () => {
      removeEventListener('resize', again);
      removeEventListener('focus', again);
      document.removeEventListener('visibilitychange', again);
    };
  }, [v]);
  useEffect(() => {
    if (s.isOpen.value) a.settle(undefined);
  }, [s.isOpen.value]);
  const onScroll = () => {
    a.onScroll();
    if (a.atEnd) setBelow(0);
    if (box.current!.scrollTop < 60) void v.older();
  };
  const actions = { onRetry: (ref: string) => v.outbox.retry(ref), onEdit };
  const typers = v.typers().filter((x) => x.who.role !== 'visitor');
  return (
    <div class="chat-middle">
      <div class="chat-log" role="log" aria-label={t('chat.log')} aria-live="off" tabIndex={0} ref={box} onScroll={onScroll}>
        {v.timeline.more && (
          <div class="pill-row">
            <button class="link" disabled={v.loadingOlder} onClick={() => void v.older()}>
              {v.loadingOlder ? <span class="spin" /> : t('msg.older')}
            </button>
          </div>
        )}
        {!v.ready && rows.length === 0 && !s.fatal.value ? <Skeletons /> : !v.timeline.more && <Greeting />}
        {rows.map((r) => (
          <RowView key={r.key} row={r} actions={actions} face />
        ))}
        {typers.length > 0 && (
          <div class="chat-typing">
            <TypingBubble names={typers.map((x) => x.who.name || t('role.' + x.who.role)).join('、')} />
          </div>
        )}
      </div>
      {below > 0 && (
        <button class="new-pill" onClick={() => a.toEnd()}>
          {t('msg.new', { n: below })}
          <Icon d={I.down} size={16} />
        </button>
      )}
    </div>
  );
}

function Greeting() {
  return (
    <div class="msg left in head tail">
      <div class="msg-body">
        <div class="bubble">
          <span class="bubble-text">{s.config.value.greeting || t('chat.greeting')}</span>
        </div>
      </div>
    </div>
  );
}

/** What few see comes when it is so. */
const few = signal<typeof import('./rare.ts') | null>(null);

export function Chat({ host }: { host: Host }) {
  const field = useRef<HTMLTextAreaElement>(null);
  const v = s.visitor.value;
  const drafts = s.drafts.value;
  const open = s.isOpen.value;
  s.tick.value;
  useEffect(() => {
    if (host.embedded && open && !isTouch()) field.current?.focus();
  }, [open, v]);
  const onEdit = (ref: string) => {
    const item = v?.outbox.take(ref);
    if (!item || !field.current) return;
    field.current.value = item.text || '';
    field.current.dispatchEvent(new Event('input', { bubbles: true }));
    field.current.focus();
  };
  const onKeyDown = (e: KeyboardEvent) => {
    if (e.key === 'Escape' && !e.isComposing && host.embedded) host.post({ yl: 'close' });
  };
  const tray = useRef<HTMLDivElement>(null);
  const hand = useRef<Attached | null>(null);
  const takes = v && v.session.limits.file_bytes > 0;
  // On the first focus or drag, so that it is there when it is wanted.
  const reach = (press?: Event) =>
    takes &&
    import('./hand.ts').then((m) => {
      hand.current = hand.current || m.hand(() => s.visitor.value!, tray.current!, files, drafts!, newId);
      if (press) hand.current.open(press.target as HTMLElement);
    }, () => {});
  useEffect(() => {
    if (drafts && drafts.has('files')) reach(); // left from before a reload
  }, [takes]);
  const fatal = s.fatal.value;
  const queue = v?.queue;
  const state = v?.conversation?.state;
  const typed = s.config.value.typing_text;
  const seldom = fatal || queue || state === 'closed' || state === 'bot' || typed;
  if (seldom && !few.value) import('./rare.ts').then((m) => (few.value = m), () => {}); // with the next drawing
  return (
    <main class="chat" onKeyDown={onKeyDown} onFocusIn={() => reach()} onDragEnter={() => reach()}>
      <Header host={host} />
      <Banner />
      {!fatal && (v ? <Log v={v} onEdit={onEdit} /> : <div class="chat-middle"><Skeletons /></div>)}
      {seldom && few.value && few.value.rare({ fatal, queue, state, typed, lang: lang.value, say: files.say, focus: () => field.current?.focus() }).map(view)}
      <div ref={tray} />
      {drafts && v && !fatal && (
        <Composer
          lead={
            takes && (
              <button class="icon-btn" aria-label={t('chat.attach')} onClick={reach}>
                <Icon d={I.clip} />
              </button>
            )
          }
          field={field}
          drafts={drafts}
          draftKey="text"
          label={t('chat.input')}
          placeholder={t('chat.placeholder')}
          sendLabel={t('chat.send')}
          maxBytes={v.session.limits.text_bytes}
          maxHeight={120}
          onSend={(text) => v.send(text)}
          onType={(text) => v.type(typed && few.value ? text : '')}
        />
      )}
      <p class="chat-foot">{t('chat.privacy')}</p>
      <div class="sr" aria-live="polite">
        {s.spoken.value}
      </div>
    </main>
  );
}
