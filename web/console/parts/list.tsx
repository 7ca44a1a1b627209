// SPDX-License-Identifier: Apache-2.0
// The inbox list. While the pointer or the focus is in it, it does not
// reorder under the agent's hand: a pill tells what waits.
import { computed, signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Conversation } from '../../sdk/types.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { fullTime, shortTime, span, t } from '../../shared/i18n.ts';
import { Avatar } from '../../shared/kit/avatar.tsx';
import { Empty, Failed, Late, Tabs } from '../../shared/kit/bits.tsx';
import { VirtualList, type ListApi } from '../../shared/list/virtual.tsx';
import { emojis } from '../../shared/message/emoji.ts';
import { go, href } from '../../shared/router.ts';
import * as app from '../stores/app.ts';
import * as inbox from '../stores/inbox.ts';
import * as thread from '../stores/thread.ts';
import { explain } from '../stores/toast.ts';
import { now } from './clock.ts';

const ROW_PX = 76;
const WARN_MS = 120_000;
const LATE_MS = 600_000;

const frozen = signal<string[] | null>(null);
export const listApi: { current: ListApi | null } = { current: null };
export const searchField: { current: HTMLInputElement | null } = { current: null };

/** What is drawn, in its order; j and k walk it. */
export const shown = computed<Conversation[]>(() => {
  const live = inbox.list.value;
  const ids = frozen.value;
  if (!ids) return live;
  return ids.map((id) => inbox.convs.get(id)).filter((c): c is Conversation => !!c);
});

const waiting = computed(() => {
  const ids = frozen.value;
  if (!ids) return 0;
  let n = 0;
  const place = new Map(ids.map((id, i) => [id, i]));
  inbox.list.value.forEach((c, i) => {
    if ((place.get(c.id) ?? Infinity) > i && place.get(c.id) !== i) n++;
  });
  return n;
});

const freeze = () => {
  if (!frozen.value && inbox.list.value.length > 0) frozen.value = inbox.list.value.map((c) => c.id);
};
export const thaw = () => {
  frozen.value = null;
};

export function step(by: 1 | -1): void {
  const rows = shown.value;
  const i = rows.findIndex((c) => c.id === thread.openId.value);
  const next = rows[i < 0 ? 0 : Math.max(0, Math.min(rows.length - 1, i + by))];
  if (!next) return;
  go('/c/' + next.id);
  listApi.current?.toIndex(rows.indexOf(next));
}

const KINDS = ['image', 'file', 'audio', 'video', 'location', 'card', 'recalled'] as const;

/** `[image] a.jpg` of a message without a text, in the agent's language. */
export function inWords(preview: string): string {
  const kind = KINDS.find((k) => preview.startsWith(`[${k}]`));
  return kind ? `[${t(`list.kind.${kind}`)}]` + preview.slice(kind.length + 2) : emojis(preview);
}

function Hit({ text, q }: { text: string; q: string }) {
  const at = q ? text.toLowerCase().indexOf(q.toLowerCase()) : -1;
  if (at < 0) return <>{text}</>;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + q.length)}</mark>
      {text.slice(at + q.length)}
    </>
  );
}

function Wait({ since }: { since: number }) {
  const ms = now.value - since;
  const kind = ms > LATE_MS ? 'bad' : ms > WARN_MS ? 'warn' : '';
  return (
    <span class={'wait num ' + kind} title={t('list.waiting', { span: span(ms) })}>
      <Icon d={I.clock} size={12} />
      {span(ms)}
    </span>
  );
}

function Row({ c }: { c: Conversation }) {
  app.drafts.version.value;
  const here = thread.openId.value === c.id;
  const draft = app.drafts.get(c.id + ':reply');
  const q = inbox.found.value?.q ?? '';
  const name = inbox.nameOf(c);
  const since = inbox.waitingSince(c);
  const other = c.assignee && c.assignee !== app.me.value?.id ? app.agentName(c.assignee) : '';
  return (
    <a
      class={'conv' + (here ? ' here' : '')}
      href={href('/c/' + c.id)}
      aria-current={here ? 'true' : undefined}
      onClick={(e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
        e.preventDefault();
        go('/c/' + c.id);
      }}
    >
      <span class="conv-face">
        <Avatar id={c.contact} name={name} size={40} />
        <i class="mark" title={app.typeName(app.channelType(c.channel, c.channel_type))}>
          <Icon d={c.channel_type === 'email' ? I.mail : c.channel_type === 'web' ? I.globe : I.chat} size={12} />
        </i>
      </span>
      <span class="conv-main">
        <span class="conv-top">
          <b class="cut">
            <Hit text={name} q={q} />
          </b>
          <time class="num" title={fullTime(c.updated_at)}>
            {shortTime(c.updated_at, now.value)}
          </time>
        </span>
        <span class="conv-mid">
          <span class="cut">
            {draft.trim() && !here ? (
              <>
                <em>{t('list.draft')}</em> {draft}
              </>
            ) : (
              <Hit text={inWords(c.preview) || t('list.noText')} q={q} />
            )}
          </span>
          {c.unread > 0 && (
            <b class="badge num">
              {c.unread > 99 ? '99+' : c.unread}
              <span class="sr">{t('list.unread')}</span>
            </b>
          )}
        </span>
        <span class="conv-low">
          {c.state !== 'open' && <span class={'chip st-' + c.state}>{t('state.' + c.state)}</span>}
          {since ? <Wait since={since} /> : null}
          {c.tags.slice(0, 2).map((x) => (
            <span key={x} class="chip">
              {x}
            </span>
          ))}
          {other && <span class="cut conv-who">{other}</span>}
        </span>
      </span>
    </a>
  );
}

function Body() {
  const rows = shown.value;
  const v = inbox.tab.value;
  const view = inbox.views[v];
  const f = inbox.found.value;
  inbox.listTick.value;
  if (f?.failed) return <Failed error={explain(f.failed)} onRetry={() => inbox.search(inbox.query.value)} />;
  if (f && f.ids && rows.length === 0) return <Empty icon={I.search} title={t('list.noHit')} text={t('list.noHitText')} />;
  if (rows.length === 0 && !f) {
    if (view.failed) return <Failed error={explain(view.failed)} onRetry={() => void inbox.loadMore(v)} />;
    if (!view.loaded) {
      return (
        <Late>
          <div class="conv-skel" aria-hidden="true">
            {[0, 1, 2, 3, 4].map((i) => (
              <div key={i}>
                <i class="skeleton" />
                <span>
                  <i class="skeleton" />
                  <i class="skeleton" />
                </span>
              </div>
            ))}
          </div>
        </Late>
      );
    }
    return <Empty icon={I.inbox} title={t('empty.' + v)} text={t('empty.' + v + 'Text')} />;
  }
  return (
    <VirtualList
      key={v + (f ? ' found' : '')}
      rows={rows}
      keyOf={(c) => c.id}
      estimate={() => ROW_PX}
      render={(c) => <Row c={c} />}
      label={t('list.label')}
      rowRole="listitem"
      api={listApi}
      onNearEnd={() => {
        if (!f) void inbox.loadMore(v);
      }}
    />
  );
}

export function ConvList() {
  const box = useRef<HTMLDivElement>(null);
  const counts = inbox.counts.value;
  const tabs = [
    { key: 'mine' as const, label: t('tab.mine'), count: counts.mine },
    { key: 'queue' as const, label: t('tab.queue'), count: counts.queue },
    { key: 'all' as const, label: t('tab.all') },
  ];
  const maybeThaw = () => {
    const el = box.current;
    if (el && !el.matches(':hover') && !el.contains(document.activeElement)) thaw();
  };
  return (
    <section class="list" aria-label={t('list.label')}>
      <div class="list-head">
        <div class="search">
          <Icon d={I.search} size={16} />
          <input
            ref={(el) => {
              searchField.current = el;
            }}
            class="input"
            type="search"
            aria-label={t('list.search')}
            placeholder={t('list.search')}
            value={inbox.query.value}
            onInput={(e) => {
              thaw();
              inbox.search(e.currentTarget.value);
            }}
          />
        </div>
        <div class="list-bar">
          <Tabs
            label={t('list.tabs')}
            tabs={tabs}
            value={inbox.tab.value}
            onChange={(k) => {
              thaw();
              inbox.search('');
              inbox.selectTab(k);
            }}
          />
          <span class="grow" />
          <Sorts />
        </div>
      </div>
      <div class="list-body" ref={box} onPointerEnter={(e) => e.pointerType === 'mouse' && freeze()} onPointerLeave={maybeThaw} onFocusIn={freeze} onFocusOut={() => setTimeout(maybeThaw)}>
        {waiting.value > 0 && (
          <button class="news" onClick={thaw}>
            {t('list.news', { n: waiting.value })}
          </button>
        )}
        <Body />
      </div>
    </section>
  );
}

function Sorts() {
  if (inbox.tab.value === 'all') {
    return (
      <select class="mini" aria-label={t('list.filter')} value={inbox.stateFilter.value} onChange={(e) => inbox.setStateFilter(e.currentTarget.value)}>
        {['', 'open', 'queued', 'bot', 'snoozed', 'closed'].map((s) => (
          <option key={s} value={s}>
            {s ? t('state.' + s) : t('list.anyState')}
          </option>
        ))}
      </select>
    );
  }
  return (
    <select
      class="mini"
      aria-label={t('list.sort')}
      value={inbox.sort.value}
      onChange={(e) => {
        thaw();
        inbox.setSort(e.currentTarget.value as inbox.Sort);
      }}
    >
      <option value="newest">{t('list.newest')}</option>
      <option value="waiting">{t('list.longest')}</option>
    </select>
  );
}
