// SPDX-License-Identifier: Apache-2.0
// One channel: its settings by the type's schema, the address its platform
// calls, a test, switched off and on, deleted. And a new one.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ChannelRow, ChannelType } from '../../sdk/house.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { shortTime, t } from '../../shared/i18n.ts';
import { confirm } from '../parts/confirm.tsx';
import { At, copy, Do, Facts, Head, Link } from '../parts/house.tsx';
import { DeleteCard, SettingsForm, StateOf, toggle, useCheck } from '../parts/settings.tsx';
import { backTo, NewPage, OnePage, SettingsCard, Troubles, type Kind } from '../parts/setup.tsx';
import * as app from '../stores/app.ts';
import * as channels from '../stores/channels.ts';
import { may } from '../stores/paged.ts';
import { typeTitle } from './channels.tsx';

const KIND: Kind<ChannelRow, ChannelType> = { words: 'channels', path: '/channels', icon: I.plug, list: channels.list, types: channels.types, typeOf: channels.typeOf, look: channels.look };

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

const form = (type: ChannelType, onDone: (c: ChannelRow) => void, row?: ChannelRow) => <SettingsForm<ChannelRow> path="/channels" type={type} row={row} onDone={onDone} />;

function Loaded({ c, put }: { c: ChannelRow; put: (c: ChannelRow) => void }) {
  const type = channels.typeOf.value.get(c.type);
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
      <Head title={c.name} back={backTo(KIND)}>
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
      <Troubles
        of={c}
        words="channels"
        more={
          wrong && (
            <>
              <span>{t({ adapter: 'channels.lastAdapter', message: 'channels.lastMessage', platform: 'channels.lastPlatform' }[wrong.kind], { why: wrong.text })}</span>
              {wrong.at > 0 && <At at={wrong.at} />}
              {wrong.kind === 'adapter' ? <Link to={'/scripts/channels/' + c.type}>{t('banner.look')}</Link> : <Link to="/failed/unsent">{t('banner.look')}</Link>}
            </>
          )
        }
      />
      <Now c={c} />
      <Address c={c} socket={type?.socket ?? c.type === 'web'} secret={secret.value} onSecret={newSecret} />
      <SettingsCard kind={KIND} row={c} put={put} form={form} />
      {can && <DeleteCard row={c} kind={KIND} list={channels.list} help={t('channels.deleteHelp')} />}
    </main>
  );
}

export function ChannelPage({ id }: { id: string }) {
  return (
    <OnePage kind={KIND} id={id}>
      {(c, put) => <Loaded key={c.id} c={c} put={put} />}
    </OnePage>
  );
}

export function NewChannel() {
  return <NewPage kind={KIND} form={form} made={(c) => (fresh = c.secret ? { id: c.id, secret: c.secret } : null)} />;
}
