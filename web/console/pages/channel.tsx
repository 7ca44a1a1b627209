// SPDX-License-Identifier: Apache-2.0
// One channel: its settings by the type's schema, the address its platform
// calls, a test, switched off and on, deleted. And a new one.
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import type { ChannelCheck, ChannelRow, ChannelType } from '../../sdk/house.ts';
import { RestError } from '../../sdk/rest.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { Empty, Failed } from '../../shared/kit/bits.tsx';
import { go } from '../../shared/router.ts';
import { confirm } from '../parts/confirm.tsx';
import { At, copy, Do, Head, Link, said, Skeleton } from '../parts/house.tsx';
import { fieldId, SchemaForm } from '../parts/schema.tsx';
import * as app from '../stores/app.ts';
import * as channels from '../stores/channels.ts';
import { may, One } from '../stores/paged.ts';
import { explain, toast } from '../stores/toast.ts';
import { ChannelState, typeTitle } from './channels.tsx';

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

// --- the form ---------------------------------------------------------------

interface FormProps {
  type: ChannelType;
  /** None: a new one. */
  channel?: ChannelRow;
  onDone: (c: ChannelRow) => void;
}

function useForm({ type, channel, onDone }: FormProps) {
  const fields = useMemo(() => channels.fieldsOf(type), [type.type, JSON.stringify(type.schema)]);
  const config = channel?.config ?? {};
  const draft = useSignal(channels.draftOf(fields, config));
  const name = useSignal(channel?.name ?? '');
  const wrong = useSignal<Record<string, string>>({});
  const busy = useSignal(false);
  const point = (w: Record<string, string>) => {
    wrong.value = w;
    const first = Object.keys(w)[0];
    if (first) document.getElementById(first === 'name' ? 'channel-name' : fieldId(first))?.focus();
  };
  const submit = async () => {
    if (busy.value) return;
    const todo = channels.changes(fields, config, draft.value);
    if (todo.wrong.length > 0) {
      point(Object.fromEntries(todo.wrong.map((w) => [w.name, t('channels.wrong.' + w.why)])));
      return;
    }
    busy.value = true;
    wrong.value = {};
    try {
      const body = { name: name.value.trim() || undefined, config: todo.config };
      const c = channel ? await app.rest.patch<ChannelRow>('/channels/' + channel.id, body) : await app.rest.post<ChannelRow>('/channels', { ...body, type: type.type });
      draft.value = channels.draftOf(fields, c.config);
      onDone(c);
    } catch (e) {
      const field = e instanceof RestError ? (e.field ?? '').replace(/^config\./, '') : '';
      if (field && (field === 'name' || fields.some(([n]) => n === field))) point({ [field]: explain(e) });
      else point({ '': explain(e) });
    } finally {
      busy.value = false;
    }
  };
  return { fields, config, draft, name, wrong, busy, submit };
}

function SettingsForm(p: FormProps) {
  const f = useForm(p);
  const can = may('admin');
  return (
    <form
      class="settings"
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        void f.submit();
      }}
    >
      <div class="field">
        <label for="channel-name">{t('channels.name')}</label>
        <input
          id="channel-name"
          class="input"
          type="text"
          maxLength={100}
          disabled={!can}
          placeholder={said(p.type.title) || p.type.type}
          value={f.name.value}
          aria-invalid={!!f.wrong.value.name}
          aria-describedby="channel-name-wrong"
          onInput={(e) => (f.name.value = e.currentTarget.value)}
        />
        <p id="channel-name-wrong" class="field-wrong" role="alert">
          {f.wrong.value.name}
        </p>
      </div>
      <SchemaForm
        fields={f.fields}
        config={f.config}
        draft={f.draft.value}
        wrong={f.wrong.value}
        disabled={!can}
        onChange={(name, v) => {
          f.draft.value = { ...f.draft.value, [name]: v };
          if (f.wrong.value[name]) f.wrong.value = { ...f.wrong.value, [name]: '' };
        }}
      />
      <p class="field-wrong" role="alert">
        {f.wrong.value['']}
      </p>
      {can && (
        <div class="form-foot">
          <button class="btn primary" type="submit" disabled={f.busy.value}>
            {t(p.channel ? 'channels.save' : 'channels.create')}
          </button>
        </div>
      )}
    </form>
  );
}

// --- one ----------------------------------------------------------------------

function Verdict({ v }: { v: ChannelCheck | string }) {
  const ok = typeof v !== 'string' && v.ok;
  return (
    <p class={'note-line ' + (ok ? 'ok' : 'bad')} role="status">
      <Icon d={ok ? I.done : I.alert} size={16} />
      <span>{typeof v === 'string' ? v : v.ok ? t('channels.checkOk') : t('channels.checkBad', { why: v.why || v.code || '' })}</span>
    </p>
  );
}

function Address({ c, onSecret, secret }: { c: ChannelRow; onSecret: () => Promise<void>; secret: string | null }) {
  return (
    <section class="card" aria-label={t('channels.address')}>
      <h2>{t('channels.address')}</h2>
      {c.webhook_url && <CopyRow label={t('channels.webhook')} text={channels.absolute(c.webhook_url)} help={t('channels.webhookHelp')} />}
      {c.type === 'web' && (
        <>
          <CopyRow label={t('channels.embed')} text={`<script async src="${location.origin}/widget.js" data-channel="${c.id}"></script>`} help={t('channels.embedHelp')} />
          <CopyRow label={t('channels.link')} text={`${location.origin}/chat/${c.id}`} />
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

function Loaded({ c, type, put }: { c: ChannelRow; type: ChannelType | undefined; put: (c: ChannelRow) => void }) {
  const verdict = useSignal<ChannelCheck | string | null>(null);
  const secret = useSignal(fresh && fresh.id === c.id ? fresh.secret : null);
  useEffect(() => () => void (fresh = null), []);
  const can = may('admin');
  const wrong = channels.troubleOf(c);
  const check = async () => {
    verdict.value = null;
    try {
      verdict.value = await app.rest.post<ChannelCheck>(`/channels/${c.id}/check`);
    } catch (e) {
      verdict.value = explain(e);
    }
  };
  const toggle = async () => {
    const off = c.enabled;
    if (off && !(await confirm({ title: t('channels.disableAsk'), text: t('channels.disableText', { name: c.name }), go: t('channels.disable'), danger: true }))) return;
    put({ ...c, enabled: !off, state: c.state === 'pending' ? c.state : off ? 'disabled' : 'active' });
    try {
      put(await app.rest.patch<ChannelRow>('/channels/' + c.id, { enabled: !off }));
      toast(t(off ? 'channels.disabled' : 'channels.enabled', { name: c.name }));
    } catch (e) {
      put(c);
      throw e;
    }
  };
  const remove = async () => {
    if (!(await confirm({ title: t('channels.deleteAsk'), text: t('channels.deleteText', { name: c.name }), go: t('channels.delete'), danger: true }))) return;
    await app.rest.delete('/channels/' + c.id);
    channels.list.drop((x) => x.id === c.id);
    toast(t('channels.deleted', { name: c.name }));
    go('/channels');
  };
  const newSecret = async () => {
    if (!(await confirm({ title: t('channels.identityNew'), text: t('channels.identityAsk'), go: t('channels.identityNew'), danger: true }))) return;
    secret.value = (await app.rest.post<ChannelRow>(`/channels/${c.id}/secret`)).secret ?? null;
  };
  return (
    <main class="page">
      <Head title={c.name} back={BACK()}>
        <span class="chip">{typeTitle(c.type)}</span>
        <ChannelState c={c} />
        {can && c.type !== 'web' && (
          <Do run={check} icon={I.done} disabled={c.state === 'pending'}>
            {t('channels.check')}
          </Do>
        )}
        {can && <Do run={toggle}>{t(c.enabled ? 'channels.disable' : 'channels.enable')}</Do>}
      </Head>
      {verdict.value && <Verdict v={verdict.value} />}
      {c.state === 'pending' && (
        <p class="note-line warn">
          <Icon d={I.info} size={16} />
          <span>{t('channels.pendingText')}</span>
        </p>
      )}
      {wrong && (
        <p class="note-line bad">
          <Icon d={I.alert} size={16} />
          <span>{t(wrong.kind === 'adapter' ? 'channels.lastAdapter' : 'channels.lastMessage', { why: wrong.text })}</span>
          {wrong.at > 0 && <At at={wrong.at} />}
          {wrong.kind === 'adapter' ? <Link to={'/scripts/channels/' + c.type}>{t('banner.look')}</Link> : <Link to="/failed/unsent">{t('banner.look')}</Link>}
        </p>
      )}
      <Address c={c} secret={secret.value} onSecret={newSecret} />
      <section class="card" aria-label={t('channels.settings')}>
        <h2>{t('channels.settings')}</h2>
        {type ? (
          <SettingsForm
            key={c.id + type.type + Object.keys(type.schema).join()}
            type={type}
            channel={c}
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
      {can && (
        <section class="card" aria-label={t('channels.delete')}>
          <div class="card-head">
            <p class="card-text grow">{t('channels.deleteHelp')}</p>
            <Do class="btn danger" run={remove}>
              {t('channels.delete')}
            </Do>
          </div>
        </section>
      )}
    </main>
  );
}

export function ChannelPage({ id }: { id: string }) {
  const one = useMemo(() => new One<ChannelRow>(), [id]);
  one.open('/channels/' + encodeURIComponent(id));
  // The list is asked again every few seconds; what it says of this one counts.
  const listed = channels.list.items.value?.find((c) => c.id === id);
  useEffect(() => void one.load(), [one, listed?.updated_at, listed?.state]);
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
      {all && (
        <fieldset class="types">
          <legend class="sr">{t('channels.type')}</legend>
          {all.map((x) => (
            <label key={x.type} class={'type' + (chosen.value === x.type ? ' on' : '')}>
              <input type="radio" name="type" value={x.type} checked={chosen.value === x.type} onChange={() => (chosen.value = x.type)} />
              <span class="type-name">{said(x.title) || x.type}</span>
              <span class="type-id mono">
                {x.type}
                {x.state === 'pending' && <span class="chip warn">{t('channels.state.pending')}</span>}
              </span>
            </label>
          ))}
        </fieldset>
      )}
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
            <SettingsForm
              key={type.type}
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
