// SPDX-License-Identifier: Apache-2.0
// The doors visitors come in by: /channels lists them, /channels/new opens
// another, /channels/ch_… is one.
import { useEffect } from 'preact/hooks';
import type { ChannelRow } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { shortTime, t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { path } from '../../shared/router.ts';
import { At, Head, Link, said, Skeleton, Stale } from '../parts/house.tsx';
import { BreakerChip, StateOf } from '../parts/settings.tsx';
import { may, watch } from '../stores/paged.ts';
import * as channels from '../stores/channels.ts';
import { explain } from '../stores/toast.ts';
import { ChannelPage, NewChannel } from './channel.tsx';

/** The change feed tells no file that was dropped in: we look. */
const EVERY_MS = 2_500;

export function typeTitle(type: string): string {
  return said(channels.typeOf.value.get(type)?.title) || type;
}

function Item({ c }: { c: ChannelRow }) {
  const wrong = channels.troubleOf(c);
  return (
    <li class="row-item">
      <Link to={'/channels/' + c.id} class="row">
        <span class="row-main">
          <span class="row-title">{c.name}</span>
          <span class="chip">{typeTitle(c.type)}</span>
          <BreakerChip of={c} words="channels" />
        </span>
        <span class="row-facts num">
          {c.state === 'pending' && <span>{t('channels.pendingText')}</span>}
          {!!c.waiting && <span>{t('channels.waitingN', { n: c.waiting })}</span>}
          {!!c.last_in_at && <span>{t('channels.inAt', { at: shortTime(c.last_in_at) })}</span>}
          {!!c.last_out_at && <span>{t('channels.outAt', { at: shortTime(c.last_out_at) })}</span>}
        </span>
        <StateOf state={c.state} words="channels" />
      </Link>
      {wrong && (
        <p class="row-wrong">
          <Icon d={I.alert} size={14} />
          <span>{wrong.text}</span>
          {wrong.at > 0 && <At at={wrong.at} />}
        </p>
      )}
    </li>
  );
}

function List() {
  const items = channels.list.items.value;
  const failed = channels.list.failed.value;
  return (
    <main class="page">
      <Head title={t('channels.title')} text={t('channels.text')}>
        {may('admin') && (
          <Link to="/channels/new" class="btn primary">
            <Icon d={I.plus} size={16} />
            {t('channels.add')}
          </Link>
        )}
      </Head>
      {!items && (failed ? <Failed error={explain(failed)} onRetry={() => void channels.look()} /> : <Skeleton />)}
      {items && !!failed && <Stale onRetry={() => void channels.look()} />}
      {items && items.length === 0 && <Empty icon={I.plug} title={t('channels.none')} text={t('channels.noneText')} />}
      {items && items.length > 0 && (
        <ul class="rows" aria-label={t('channels.title')}>
          {items.map((c) => (
            <Item key={c.id} c={c} />
          ))}
        </ul>
      )}
      {channels.list.more && (
        <button class="btn more" onClick={() => void channels.list.loadMore()}>
          {t('house.more')}
        </button>
      )}
    </main>
  );
}

export function ChannelsPage() {
  useEffect(() => watch(() => void channels.look(), EVERY_MS), []);
  const id = decodeURIComponent(path.value.replace(/^\/channels\/?/, ''));
  if (id === '') return <List />;
  return id === 'new' ? <NewChannel /> : <ChannelPage key={id} id={id} />;
}
