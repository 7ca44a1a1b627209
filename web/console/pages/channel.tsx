// SPDX-License-Identifier: Apache-2.0
// One channel: its settings by the type's schema, the address its platform
// calls, a test, switched off and on, deleted. And a new one.
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { ChannelRow, ChannelType } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { shortTime, t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { go } from '../../shared/router.ts';
import { confirm } from '../parts/confirm.tsx';
import { At, copy, Do, Facts, Head, Link, said, Skeleton } from '../parts/house.tsx';
import { DeleteCard, SettingsForm, StateOf, toggle, TypePicker, useCheck } from '../parts/settings.tsx';
import * as app from '../stores/app.ts';
import * as channels from '../stores/channels.ts';
import { may, One } from '../stores/paged.ts';
import { explain, toast } from '../stores/toast.ts';
import { typeTitle } from './channels.tsx';

const KIND = { words: 'channels', path: '/channels' };
const BACK = () => ({ to: '/channels', label: t('channels.title') });

/** The secret of the channel that was just made: shown once, on its page. */
let fresh: { id: string; secret: string } | null = null;

function CopyRow(p: { label: string; text: string; help?: string }) {
  return (
    <div class="copy-row">
      <span class="copy-label">{p.label}</span>
      <code class="copy-text">{p.text}</code>
      <button class="btn small" onClick={() => void copy(p.text)} aria-label={t('channels.copyOf', { what: p.label })}>
        <Icon d={I.copy} size={14} />
        {t('house.copy')}
      </button>
      {p.help && <p class="field-help">{p.help}</p>}
    </div>
  );
}

function Address({ c, socket, onSecret, secret }: { c: ChannelRow; socket: boolean; onSecret: () => Promise<void>; secret: string | null }) {
  return (
    <section class="card" aria-label={t('channels.address')}>
      <h2>{t('channels.address')}</h2>
      {c.webhook_url && <CopyRow label={t('channels.webhook')} text={channels.absolute(c.webhook_url)} help={t('channels.webhookHelp')} />}
      {socket && (
        <>
          {c.type === 'web' && (
            <>
              <CopyRow label={t('channels.embed')} text={`<script async src="${location.origin}/widget.js" data-channel="${c.id}"></script>`} help={t('channels.embedHelp')} />
              <CopyRow label={t('channels.link')} text={`${location.origin}/chat/${c.id}`} />
            </>
          )}
          {secret ? (
            <CopyRow label={t('channels.identity')} text={secret} help={t('channels.identityOnce')} />
          ) : (
            may('admin') && (
              <p class="copy-row">
                <span class="copy-label">{t('channels.identity')}</span>
                <Do class="btn small" run={onSecret}>
                  {t('channels.identityNew')}
                </Do>
                <span class="field-help">{t('channels.identityHelp')}</span>
              </p>
            )
          )}
        </>
      )}
    </section>
  );
}

/** How it does: what waits, when something last went through. */
function Now({ c }: { c: ChannelRow }) {
  if (c.waiting === undefined) return null;
  const at = (x: number | null | undefined) => (x ? <At at={x} /> : t('channels.never'));
  return (
    <section class="card" aria-label={t('channels.now')}>
      <Facts
        label={t('channels.now')}
        items={[
          [t('channels.lastIn'), at(c.last_in_at)],
          [t('channels.lastOut'), at(c.last_out_at)],
          [t('channels.waiting'), c.waiting > 0 && c.oldest_waiting_at ? t('channels.waitingSince', { n: c.waiting, at: shortTime(c.oldest_waiting_at) }) : String(c.waiting)],
          [t('assistants.breakerName'), t('assistants.breaker.' + (c.breaker ?? 'closed'))],
        ]}
      />
      {c.rejected && <p class="field-help">{t('channels.rejected', { n: c.rejected.count, at: shortTime(c.rejected.at), why: c.rejected.text })}</p>}
    </section>
  );
}

function Loaded({ c, type, put }: { c: ChannelRow; type: ChannelType | undefined; put: (c: ChannelRow) => void }) {
  const test = useCheck('/channels/' + c.id, t('channels.checkOk'));
  const secret = useSignal(fresh && fresh.id === c.id ? fresh.secret : null);
  useEffect(() => () => void (fresh = null), []);
  const can = may('admin');
  const wrong = channels.troubleOf(c);
  const newSecret = async () => {
    if (!(await confirm({ title: t('channels.identityNew'), text: t('channels.identityAsk'), go: t('channels.identityNew'), danger: true }))) return;
    secret.value = (await app.rest.post<ChannelRow>(`/channels/${c.id}/secret`)).secret ?? null;
  };
  return (
    <main class="page">
      <Head title={c.name} back={BACK()}>
        <span class="chip">{typeTitle(c.type)}</span>
        <StateOf state={c.state} words="channels" />
        {can && c.type !== 'web' && (
          <Do run={test.run} icon={I.done} disabled={c.state === 'pending'}>
            {t('channels.check')}
          </Do>
        )}
        {can && <Do run={() => toggle(c, KIND, put)}>{t(c.enabled ? 'channels.disable' : 'channels.enable')}</Do>}
      </Head>
      {test.verdict}
      {c.state === 'pending' && (
        <p class="note-line warn">
          <Icon d={I.info} size={16} />
          <span>{t('channels.pendingText')}</span>
        </p>
      )}
      {wrong && (
        <p class="note-line bad">
          <Icon d={I.alert} size={16} />
          <span>{t({ adapter: 'channels.lastAdapter', message: 'channels.lastMessage', platform: 'channels.lastPlatform' }[wrong.kind], { why: wrong.text })}</span>
          {wrong.at > 0 && <At at={wrong.at} />}
          {wrong.kind === 'adapter' ? <Link to={'/scripts/channels/' + c.type}>{t('banner.look')}</Link> : <Link to="/failed/unsent">{t('banner.look')}</Link>}
        </p>
      )}
      {c.breaker && c.breaker !== 'closed' && (
        <p class={'note-line ' + (c.breaker === 'open' ? 'bad' : 'warn')}>
          <Icon d={I.alert} size={16} />
          <span>{t('channels.breakerText.' + c.breaker)}</span>
        </p>
      )}
      <Now c={c} />
      <Address c={c} socket={type?.socket ?? c.type === 'web'} secret={secret.value} onSecret={newSecret} />
      <section class="card" aria-label={t('channels.settings')}>
        <h2>{t('channels.settings')}</h2>
        {type ? (
          <SettingsForm
            key={c.id + type.type + Object.keys(type.schema).join()}
            path="/channels"
            type={type}
            row={c}
            onDone={(x) => {
              put(x);
              toast(t('channels.saved'));
            }}
          />
        ) : channels.types.items.value ? (
          <p class="card-text">{t('channels.noType')}</p>
        ) : (
          <Skeleton />
        )}
      </section>
      {can && <DeleteCard row={c} kind={KIND} list={channels.list} help={t('channels.deleteHelp')} />}
    </main>
  );
}

export function ChannelPage({ id }: { id: string }) {
  const one = useMemo(() => new One<ChannelRow>(), [id]);
  one.open('/channels/' + encodeURIComponent(id));
  // The list is asked again every few seconds; what it says of this one counts.
  const listed = channels.list.items.value?.find((c) => c.id === id);
  useEffect(() => {
    if (!one.value.value) void one.load();
  }, [one]);
  useEffect(() => {
    if (listed && (!one.value.value || listed.updated_at >= one.value.value.updated_at)) one.put(listed);
  }, [listed]);
  const c = one.value.value;
  const failed = one.failed.value;
  if (c) return <Loaded c={c} type={channels.typeOf.value.get(c.type)} put={(x) => one.put(x)} />;
  const gone = [400, 404].includes((failed as { status?: number } | null)?.status ?? 0);
  return (
    <main class="page">
      <Head title={t('channels.one')} back={BACK()} />
      {gone ? <Empty icon={I.plug} title={t('channels.gone')} text={t('channels.goneText')} /> : failed ? <Failed error={explain(failed)} onRetry={() => void one.load()} /> : <Skeleton />}
    </main>
  );
}

// --- a new one ---------------------------------------------------------------

export function NewChannel() {
  const chosen = useSignal<string | null>(null);
  const head = useRef<HTMLDivElement>(null);
  const all = channels.types.items.value;
  const failed = channels.types.failed.value;
  const type = chosen.value ? channels.typeOf.value.get(chosen.value) : undefined;
  useEffect(() => {
    if (type) head.current?.querySelector<HTMLElement>('input')?.focus();
  }, [type?.type]);
  if (!may('admin')) {
    return (
      <main class="page">
        <Head title={t('channels.add')} back={BACK()} />
        <Empty icon={I.alert} title={t('house.noRight')} text={t('house.noRightText')} />
      </main>
    );
  }
  return (
    <main class="page">
      <Head title={t('channels.add')} text={t('channels.addText')} back={BACK()} />
      {!all && (failed ? <Failed error={explain(failed)} onRetry={() => void channels.look()} /> : <Skeleton />)}
      {all && <TypePicker types={all} chosen={chosen.value} onChoose={(x) => (chosen.value = x)} />}
      {type && (
        <section class="card" aria-label={t('channels.settings')}>
          <div ref={head}>
            <h2>{said(type.title) || type.type}</h2>
            {type.state === 'pending' && (
              <p class="note-line warn">
                <Icon d={I.info} size={16} />
                <span>{t('channels.pendingText')}</span>
              </p>
            )}
            <SettingsForm<ChannelRow>
              key={type.type}
              path="/channels"
              type={type}
              onDone={(c) => {
                fresh = c.secret ? { id: c.id, secret: c.secret } : null;
                toast(t('channels.created', { name: c.name }));
                void channels.look();
                go('/channels/' + c.id, true);
              }}
            />
          </div>
        </section>
      )}
    </main>
  );
}
