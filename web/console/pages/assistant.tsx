// SPDX-License-Identifier: Apache-2.0
// One assistant: what it cost today, who is asked after it, who uses it, its
// settings by its connector's schema, a test. And a new one.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { AssistantRow, SchemaField, TypeRow } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { lang, t } from '../../shared/i18n.ts';
import { Failed } from '../../shared/kit/bits.tsx';
import { count, Do, Facts, Head, Link, percent, Skeleton } from '../parts/house.tsx';
import { BreakerChip, DeleteCard, SettingsForm, StateOf, toggle, useCheck, type Section } from '../parts/settings.tsx';
import { backTo, NewPage, OnePage, SettingsCard, Troubles, type Kind } from '../parts/setup.tsx';
import * as app from '../stores/app.ts';
import * as assistants from '../stores/assistants.ts';
import { troubleText } from '../stores/copilot.ts';
import { may } from '../stores/paged.ts';
import { explain, toast, toastError } from '../stores/toast.ts';
import { connectorTitle } from './assistants.tsx';

const KIND: Kind<AssistantRow, TypeRow> = { words: 'assistants', path: '/assistants', icon: I.bot, list: assistants.list, types: assistants.types, typeOf: assistants.typeOf, look: assistants.look };
const CHAIN_MOST = 7;

// --- the form -----------------------------------------------------------------

function worded(fields: [string, SchemaField][]): [string, SchemaField][] {
  return fields.map(([name, f]) => {
    const help = t('assistants.help.' + name);
    return [name, { ...f, title: t('assistants.set.' + name), help: help === 'assistants.help.' + name ? '' : help }];
  });
}

function sectionsOf(row: AssistantRow | undefined): Section[] {
  const group = (g: keyof typeof assistants.GROUPS): Section => ({
    title: t('assistants.group.' + g),
    help: t('assistants.groupHelp.' + g),
    fields: worded(assistants.fieldsOfGroup(g)),
    config: assistants.configOfGroup(row, g),
    body: (changed) => assistants.bodyOfGroup(row, g, changed),
  });
  const answers: Section = {
    title: t('assistants.group.answers'),
    help: t('assistants.groupHelp.answers'),
    fields: worded(assistants.ANSWER_FIELDS),
    config: assistants.configOfAnswers(row),
    body: assistants.bodyOfAnswers,
  };
  return [answers, group('limits'), group('cache'), group('timeout'), group('price')];
}

const form = (type: TypeRow, onDone: (a: AssistantRow) => void, row?: AssistantRow) => (
  <SettingsForm<AssistantRow> path="/assistants" type={type} row={row} onDone={onDone} nameWrong={assistants.nameWrong} nameHelp={t('assistants.nameHelp')} sections={sectionsOf(row)} />
);

// --- one ----------------------------------------------------------------------

function Bar(p: { label: string; used: string; of: string; share: number }) {
  return (
    <div class="budget">
      <p>
        <span>{p.label}</span>
        <span class={'num' + (p.share >= 1 ? ' bad' : '')}>{t('assistants.usedOf', { used: p.used, of: p.of })}</span>
      </p>
      <progress class="bar" value={Math.min(1, p.share)} max={1} aria-label={p.label} />
    </div>
  );
}

function Today({ a }: { a: AssistantRow }) {
  const s = a.today;
  const b = assistants.budgets(a);
  const cash = (n: number) => assistants.money(n, s?.currency, lang.value);
  const kept = a.kept ?? { hits: 0, misses: 0 };
  const facts: [string, string][] = [
    [t('assistants.turns'), count(s?.turns ?? 0)],
    [t('assistants.tokensIn'), count(s?.input ?? 0)],
    [t('assistants.tokensOut'), count(s?.output ?? 0)],
    [t('assistants.cost'), cash(s?.cost ?? 0)],
    [t('assistants.cachedIn'), percent(s?.cached ?? 0, s?.input ?? 0)],
    [t('assistants.hitRatio'), a.cache?.ttl ? percent(kept.hits, kept.hits + kept.misses) : t('assistants.cacheOff')],
    [t('assistants.underWay'), count(a.under_way ?? 0)],
    [t('assistants.waiting'), count(a.waiting ?? 0)],
    [t('assistants.breakerName'), t('assistants.breaker.' + (a.breaker ?? 'closed'))],
  ];
  return (
    <section class="card" aria-label={t('assistants.today')}>
      <h2>{t('assistants.today')}</h2>
      <Facts items={facts} label={t('assistants.today')} />
      {b.tokens && <Bar label={t('assistants.set.limits.day_tokens')} used={count(b.tokens.used)} of={count(b.tokens.of)} share={b.tokens.used / b.tokens.of} />}
      {b.cost && <Bar label={t('assistants.set.limits.day_cost')} used={cash(b.cost.used)} of={cash(b.cost.of)} share={b.cost.used / b.cost.of} />}
    </section>
  );
}

/** Who is asked if this one cannot answer, in order; saved at once. */
function Chain({ a, put }: { a: AssistantRow; put: (a: AssistantRow) => void }) {
  const chain = a.fallback ?? [];
  const can = may('admin');
  const all = assistants.list.items.value ?? [];
  const free = all.filter((x) => x.name !== a.name && !chain.includes(x.name));
  const save = async (next: string[]) => {
    put({ ...a, fallback: next });
    try {
      put(await app.rest.patch<AssistantRow>('/assistants/' + a.id, { fallback: next }));
    } catch (e) {
      put(a);
      toastError(e);
    }
  };
  const swap = (i: number) => chain.map((x, j) => (j === i ? chain[i - 1]! : j === i - 1 ? chain[i]! : x));
  return (
    <section class="card" aria-label={t('assistants.chain')}>
      <h2>{t('assistants.chain')}</h2>
      <p class="card-text">{t('assistants.chainText')}</p>
      <ol class="chain">
        <li>
          <span class="chain-n num">1</span>
          <span class="mono">{a.name}</span>
        </li>
        {chain.map((name, i) => {
          const other = all.find((x) => x.name === name);
          return (
            <li key={name}>
              <span class="chain-n num">{i + 2}</span>
              {other ? (
                <Link to={'/assistants/' + other.id} class="mono">
                  {name}
                </Link>
              ) : (
                <span class="mono bad">{t('assistants.chainGone', { name })}</span>
              )}
              {other && other.state !== 'active' && <StateOf state={other.state} words="assistants" />}
              {other && <BreakerChip of={other} words="assistants" />}
              <span class="grow" />
              {can && (
                <>
                  <button class="icon-btn" disabled={i === 0} aria-label={t('assistants.chainUp', { name })} title={t('assistants.chainUp', { name })} onClick={() => void save(swap(i))}>
                    <Icon d={I.up} size={16} />
                  </button>
                  <button class="icon-btn" aria-label={t('assistants.chainDrop', { name })} title={t('assistants.chainDrop', { name })} onClick={() => void save(chain.filter((x) => x !== name))}>
                    <Icon d={I.close} size={16} />
                  </button>
                </>
              )}
            </li>
          );
        })}
      </ol>
      {can && free.length > 0 && chain.length < CHAIN_MOST && (
        <select class="input chain-add" aria-label={t('assistants.chainAdd')} value="" onChange={(e) => e.currentTarget.value && void save([...chain, e.currentTarget.value])}>
          <option value="">{t('assistants.chainAdd')}</option>
          {free.map((x) => (
            <option key={x.id} value={x.name}>
              {x.name}
            </option>
          ))}
        </select>
      )}
    </section>
  );
}

function Users({ name }: { name: string }) {
  const failed = useSignal<unknown>(null);
  const ask = () => {
    failed.value = null;
    assistants.askUsers(name).catch((e: unknown) => (failed.value = e));
  };
  useEffect(ask, [name]);
  const u = assistants.users.value[name];
  return (
    <section class="card" aria-label={t('assistants.users')}>
      <h2>{t('assistants.users')}</h2>
      {failed.value ? <Failed error={explain(failed.value)} onRetry={ask} /> : !u && <Skeleton />}
      {u && (
        <dl class="uses">
          {may('supervisor') && (
            <div>
              <dt>{t('assistants.usersScripts')}</dt>
              <dd>
                {u.scripts.map((s) => (
                  <Link key={s} to={'/scripts/' + s} class="mono">
                    {s}
                  </Link>
                ))}
                {u.scripts.length === 0 && t('assistants.usersNoScript')}
              </dd>
            </div>
          )}
          <div>
            <dt>{t('assistants.usersChains')}</dt>
            <dd>{assistants.chainsOf(name).map((x) => <span key={x} class="mono">{x}</span>)}{assistants.chainsOf(name).length === 0 && t('assistants.usersNone')}</dd>
          </div>
          <div>
            <dt>{t('assistants.usersHolds')}</dt>
            <dd class="num">
              {u.channels.map(([id, n]) => (
                <span key={id}>{t('assistants.usersHold', { channel: app.channelName(id), n })}</span>
              ))}
              {u.channels.length === 0 && t('assistants.usersNone')}
            </dd>
          </div>
        </dl>
      )}
    </section>
  );
}

function Loaded({ a, put }: { a: AssistantRow; put: (a: AssistantRow) => void }) {
  const test = useCheck('/assistants/' + a.id, t('assistants.checkOk'));
  const can = may('admin');
  const forget = async () => {
    await app.rest.post(`/assistants/${a.id}/forget`);
    toast(t('assistants.forgotten'));
  };
  return (
    <main class="page">
      <Head title={a.name} mono back={backTo(KIND)}>
        <span class="chip">{connectorTitle(a.type)}</span>
        <BreakerChip of={a} words="assistants" />
        <StateOf state={a.state} words="assistants" />
        {can && (
          <Do run={test.run} icon={I.done} disabled={a.state === 'pending'}>
            {t('channels.check')}
          </Do>
        )}
        {can && a.cache?.ttl && <Do run={forget}>{t('assistants.forget')}</Do>}
        {can && <Do run={() => toggle(a, KIND, put)}>{t(a.enabled ? 'channels.disable' : 'channels.enable')}</Do>}
      </Head>
      {test.verdict}
      <Troubles of={a} words="assistants" more={a.trouble && <span>{t('assistants.trouble', { why: troubleText(a.trouble) })}</span>} />
      <Today a={a} />
      <Chain a={a} put={put} />
      <Users name={a.name} />
      <SettingsCard kind={KIND} row={a} put={put} form={form} />
      {can && <DeleteCard row={a} kind={KIND} list={assistants.list} help={t('assistants.deleteHelp')} />}
    </main>
  );
}

export function AssistantPage({ id }: { id: string }) {
  return (
    <OnePage kind={KIND} id={id}>
      {(a, put) => <Loaded key={a.id} a={a} put={put} />}
    </OnePage>
  );
}

export function NewAssistant() {
  return <NewPage kind={KIND} form={form} />;
}
