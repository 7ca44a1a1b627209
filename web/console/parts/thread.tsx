// SPDX-License-Identifier: Apache-2.0
// The open conversation: header, log, who types. The composer is next door.
import { signal, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Conversation } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { span, t } from '../../shared/i18n.ts';
import { Avatar } from '../../shared/kit/avatar.tsx';
import { Empty, Failed, Late } from '../../shared/kit/bits.tsx';
import { VirtualList, type ListApi } from '../../shared/list/virtual.tsx';
import { RowView, TypingBubble } from '../../shared/message/bubble.tsx';
import { buildRows, type BubbleRow, type Row } from '../../shared/message/rows.ts';
import * as app from '../stores/app.ts';
import { deliveryOf, resend, tickRows } from '../stores/delivery.ts';
import * as inbox from '../stores/inbox.ts';
import * as thread from '../stores/thread.ts';
import { explain, toastError } from '../stores/toast.ts';
import { asked, openWhy, Why } from './why.ts';
import { BotBar, Confirms, HandBack, Original, systemRow } from './bot.tsx';
import { word } from './house.tsx';
import { now } from './clock.ts';
import { detailsOpen } from './details.tsx';
import { Recall, RecallTrouble } from './recall.tsx';
import { editAgain, ReplyBox } from './replybox.tsx';
import { transferOpen } from './transfer.tsx';

export const logApi: { current: ListApi | null } = { current: null };
const atEnd = signal(true);

function Header({ c }: { c: Conversation }) {
  const name = inbox.nameOf(c);
  const since = inbox.waitingSince(c);
  const mine = c.assignee === app.me.value?.id;
  const wait = since ? t('list.waiting', { span: span(now.value - since) }) : '';
  const who = c.state === 'bot' ? (c.assistant ?? '') : c.assignee ? (mine ? t('thread.mine') : t('thread.by', { name: app.agentName(c.assignee) })) : '';
  const channel = app.channelName(c.channel, c.channel_type);
  return (
    <header class="thread-head">
      <button class="icon-btn thread-back" aria-label={t('back')} onClick={thread.leaveThread}>
        <Icon d={I.back} />
      </button>
      <Avatar id={c.contact} name={name} size={36} />
      <div class="thread-names">
        <h2 class="cut">{name}</h2>
        <p class="cut">
          <span class={'st st-' + c.state}>{t('state.' + c.state)}</span>
          <span>{channel}</span>
          {who && <span>{who}</span>}
          {wait && <span class="num">{wait}</span>}
        </p>
      </div>
      {c.state === 'closed' ? (
        <button class="btn" onClick={() => void thread.reopen(c.id)}>
          {t('thread.reopen')}
        </button>
      ) : (
        <>
          {!mine && c.state !== 'bot' && (
            <button class="btn primary" onClick={() => void thread.takeIt()}>
              {t('thread.take')}
            </button>
          )}
          <HandBack c={c} />
          <button class="btn opt" onClick={() => (transferOpen.value = true)}>
            <Icon d={I.transfer} size={18} />
            <span>{t('thread.transfer')}</span>
          </button>
          <button class="btn opt" onClick={() => void thread.close()}>
            <Icon d={I.done} size={18} />
            <span>{t('thread.end')}</span>
          </button>
        </>
      )}
      <button class="icon-btn" aria-label={t('details.label')} title={t('details.label')} aria-pressed={detailsOpen.value} onClick={() => (detailsOpen.value = !detailsOpen.value)}>
        <Icon d={I.panel} />
      </button>
    </header>
  );
}

function estimate(row: Row): number {
  if (row.type !== 'msg') return 40;
  const file = row.m.file ? (row.m.kind === 'image' ? 200 : 44) : 0;
  const lines = Math.ceil((row.m.text?.length ?? 0) / 40) || 1;
  return (row.head ? 30 : 0) + 20 + file + lines * 22;
}

function rowsOf(c: Conversation): Row[] {
  const l = thread.line(c.id);
  const me = app.me.value!;
  const rows = buildRows({
    messages: l.items,
    more: l.more,
    outbox: app.client?.outbox.of(c.id) ?? [],
    streams: app.client?.streams.of(c.id).slice(-1),
    isMine: (m) => m.sender.role === 'agent' && m.sender.id === me.id,
    self: { role: 'agent', id: me.id, name: me.name },
    readUpTo: Math.max(l.readBy.visitor ?? 0, c.visitor_read ?? 0),
    deliveredUpTo: l.deliveredTo.visitor ?? 0,
    unreadAfter: thread.unreadAfter.value,
  });
  const last = rows[rows.length - 1];
  if (last?.type === 'msg' && last.streaming) last.m.sender.name = c.assistant;
  return tickRows(c.id, rows);
}

/** Below a bubble: what the platform said. Beside it: why it went as it did. */
function After({ c, row }: { c: Conversation; row: BubbleRow }) {
  if (row.out || row.streaming) return null;
  const told = deliveryOf(c.id, row.m.seq);
  const d = row.tick === 'failed' && !row.m.recalled ? told : undefined;
  const mayAsk = app.me.value?.role !== 'agent';
  return (
    <>
      {!row.m.recalled && <Original row={row} />}
      <RecallTrouble c={c} row={row} />
      {told?.shown && !row.m.recalled && (
        <div class="msg-shown" title={told.shown.why}>
          {t('delivery.shown', { kind: word('kind', told.shown.kind), as: word('kind', told.shown.as) })}
        </div>
      )}
      {d && (
        <div class="msg-failed">
          <span>{t('delivery.failed', { why: d.reason || t('fail.other') })}</span>
          {d.outbox && (
            <button class="link" onClick={() => void resend(c.id, row.m.seq).catch(toastError)}>
              {t('failed.resend')}
            </button>
          )}
        </div>
      )}
      {mayAsk && (
        <button class="icon-btn why" title={t('why.ask')} aria-label={t('why.askOf', { text: (row.m.text ?? '').slice(0, 40) })} onClick={() => openWhy(row.m.id)}>
          <Icon d={I.why} size={16} />
        </button>
      )}
      <Recall c={c} row={row} />
    </>
  );
}

function Log({ c }: { c: Conversation }) {
  thread.threadTick.value;
  const below = useSignal(0);
  const seen = useRef(0);
  const l = thread.line(c.id);
  const rows = rowsOf(c);
  useLayoutEffect(() => {
    if (thread.sentTick.value > 0) logApi.current?.toEnd();
  }, [thread.sentTick.value]);
  useEffect(() => {
    if (atEnd.value) {
      seen.current = l.top;
      below.value = 0;
      if (l.top > 0) thread.reading.onScreen(l.top);
    } else below.value = l.items.filter((m) => m.seq > seen.current && m.sender.id !== app.me.value?.id).length;
  });
  useEffect(() => {
    atEnd.value = true;
    const again = () => {
      if (atEnd.value && l.top > 0) thread.reading.onScreen(l.top);
    };
    addEventListener('focus', again);
    document.addEventListener('visibilitychange', again);
    return () => {
      removeEventListener('focus', again);
      document.removeEventListener('visibilitychange', again);
    };
  }, [c.id]);
  if (thread.failed.value && rows.length === 0) return <Failed error={explain(thread.failed.value)} onRetry={() => void thread.loadNewest(c.id)} />;
  if (!l.loaded && rows.length === 0) {
    return (
      <div class="thread-log">
        <Late>
          <div class="thread-skel" aria-hidden="true">
            <i class="skeleton" />
            <i class="skeleton" />
            <i class="skeleton right" />
          </div>
        </Late>
      </div>
    );
  }
  const actions = { onRetry: (ref: string) => app.client?.outbox.retry(ref), onEdit: editAgain };
  return (
    <div class="thread-log">
      <VirtualList
        rows={rows}
        keyOf={(r) => r.key}
        estimate={estimate}
        render={(r) => (r.type === 'pill' && systemRow(r.m)) || <RowView row={r} actions={actions} face visitor={inbox.nameOf(c)} after={(b) => <After c={c} row={b} />} />}
        label={t('thread.log')}
        end
        api={logApi}
        onNearStart={() => void thread.loadOlder()}
        onAtEnd={(v) => {
          atEnd.value = v;
          if (!v) thread.reading.offScreen();
        }}
        header={thread.loadingOlder.value ? <div class="older"><span class="spin" /></div> : null}
      />
      {!atEnd.value && (
        <button class="new-pill" onClick={() => logApi.current?.toEnd()}>
          {below.value > 0 ? t('msg.new', { n: below.value }) : t('msg.toEnd')}
          <Icon d={I.down} size={16} />
        </button>
      )}
    </div>
  );
}

function Typers({ c }: { c: Conversation }) {
  thread.threadTick.value;
  const list = app.client?.typing.of(c.id).filter((x) => x.who.id !== app.me.value?.id) ?? [];
  if (list.length === 0) return null;
  const only = list.length === 1 ? list[0] : undefined;
  return (
    <div class="thread-typing">
      <TypingBubble names={list.map((x) => x.who.name || (x.who.role === 'visitor' ? inbox.nameOf(c) : t('role.' + x.who.role))).join('、')} text={only?.text} />
    </div>
  );
}

export function Thread() {
  const c = thread.current.value;
  const id = thread.openId.value;
  if (!id) {
    return (
      <section class="thread none" aria-label={t('thread.label')}>
        <Empty icon={I.chat} title={t('thread.none')} text={t('thread.noneText')} />
      </section>
    );
  }
  if (!c) {
    return (
      <section class="thread none" aria-label={t('thread.label')}>
        <Late>
          <Empty icon={I.chat} title={t('thread.gone')} text={t('thread.goneText')} />
        </Late>
      </section>
    );
  }
  return (
    <section class="thread" aria-label={t('thread.label')}>
      <Header c={c} />
      <Log key={c.id} c={c} />
      <Typers c={c} />
      <Confirms />
      <BotBar c={c} />
      <ReplyBox c={c} />
      <div class="sr" aria-live="polite">
        {thread.spoken.value}
      </div>
      {asked.value && Why.value && <Why.value key={asked.value} id={asked.value} onClose={() => (asked.value = null)} />}
    </section>
  );
}
