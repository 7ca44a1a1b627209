// SPDX-License-Identifier: Apache-2.0
// Models that answer: /assistants lists them with what they cost today,
// /assistants/new sets one up, /assistants/as_… is one.
import { useEffect } from 'preact/hooks';
import type { AssistantRow } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { lang, t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { path } from '../../shared/router.ts';
import { count, Head, Link, said, Skeleton, Stale } from '../parts/house.tsx';
import { BreakerChip, StateOf } from '../parts/settings.tsx';
import * as assistants from '../stores/assistants.ts';
import { troubleText } from '../stores/copilot.ts';
import { may, watch } from '../stores/paged.ts';
import { explain } from '../stores/toast.ts';
import { AssistantPage, NewAssistant } from './assistant.tsx';

const EVERY_MS = 2_500;

export function connectorTitle(type: string): string {
  return said(assistants.typeOf.value.get(type)?.title) || type;
}

function Item({ a }: { a: AssistantRow }) {
  const today = a.today;
  const model = typeof a.config.model === 'string' ? a.config.model : '';
  return (
    <li class="row-item">
      <Link to={'/assistants/' + a.id} class="row">
        <span class="row-main">
          <span class="row-title mono">{a.name}</span>
          <span class="chip">{connectorTitle(a.type)}</span>
          {model && <span class="row-model cut">{model}</span>}
          <BreakerChip of={a} words="assistants" />
        </span>
        <span class="row-facts num">
          {!!a.waiting && <span>{t('assistants.waitingN', { n: a.waiting })}</span>}
          {!!a.under_way && <span>{t('assistants.underWayN', { n: a.under_way })}</span>}
          {today && today.turns > 0 && (
            <>
              <span>{t('assistants.turnsN', { n: today.turns })}</span>
              <span>{t('assistants.tokensN', { n: count(today.input + today.output) })}</span>
              <span>{assistants.money(today.cost, today.currency, lang.value)}</span>
            </>
          )}
        </span>
        <StateOf state={a.state} words="assistants" />
      </Link>
      {a.trouble && (
        <p class="row-wrong">
          <Icon d={I.alert} size={14} />
          <span>{troubleText(a.trouble)}</span>
        </p>
      )}
    </li>
  );
}

function List() {
  const items = assistants.list.items.value;
  const failed = assistants.list.failed.value;
  const retry = () => void assistants.look();
  return (
    <main class="page">
      <Head title={t('assistants.title')} text={t('assistants.text')}>
        {may('admin') && (
          <Link to="/assistants/new" class="btn primary">
            <Icon d={I.plus} size={16} />
            {t('assistants.add')}
          </Link>
        )}
      </Head>
      {!items && (failed ? <Failed error={explain(failed)} onRetry={retry} /> : <Skeleton />)}
      {items && !!failed && <Stale onRetry={retry} />}
      {items && items.length === 0 && <Empty icon={I.bot} title={t('assistants.none')} text={t('assistants.noneText')} />}
      {items && items.length > 0 && (
        <ul class="rows" aria-label={t('assistants.title')}>
          {items.map((a) => (
            <Item key={a.id} a={a} />
          ))}
        </ul>
      )}
      {assistants.list.more && (
        <button class="btn more" onClick={() => void assistants.list.loadMore()}>
          {t('house.more')}
        </button>
      )}
    </main>
  );
}

export function AssistantsPage() {
  useEffect(() => watch(() => void assistants.look(), EVERY_MS), []);
  const id = decodeURIComponent(path.value.replace(/^\/assistants\/?/, ''));
  if (id === '') return <List />;
  return id === 'new' ? <NewAssistant /> : <AssistantPage key={id} id={id} />;
}
