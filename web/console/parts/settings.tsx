// SPDX-License-Identifier: Apache-2.0
// What channels and assistants have in common: a form drawn from a type's
// schema, a test's verdict, on and off, deleted, the choice of a type.
import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { Checked, Said, SchemaField, TypeRow } from '../../sdk/house.ts';
import { RestError } from '../../sdk/rest.ts';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { go } from '../../shared/router.ts';
import * as app from '../stores/app.ts';
import { may, type Paged } from '../stores/paged.ts';
import * as settings from '../stores/settings.ts';
import { explain, toast } from '../stores/toast.ts';
import { confirm } from './confirm.tsx';
import { Do, said } from './house.tsx';
import { fieldId, SchemaForm } from './schema.tsx';

/** What is set up: a channel, an assistant. */
export interface Row {
  id: string;
  type: string;
  name: string;
  config: Record<string, unknown>;
  enabled: boolean;
  state: string;
}

/** Fields besides the type's own; folded until somebody wants them. */
export interface Section {
  title: string;
  help?: string;
  fields: [string, SchemaField][];
  config: Record<string, unknown>;
  /** What changed, as the server wants it. */
  body: (changed: Record<string, unknown>) => object;
}

interface FormProps<R extends Row> {
  path: string;
  type: TypeRow;
  /** None: a new one. */
  row?: R;
  /** Why a name will not do: a word's key. None: any name, or none at all. */
  nameWrong?: (name: string) => string | null;
  nameHelp?: string;
  sections?: Section[];
  onDone: (row: R) => void;
}

function useForm<R extends Row>({ path, type, row, nameWrong, sections = [], onDone }: FormProps<R>) {
  const fields = useMemo(() => settings.fieldsOf(type), [type.type, JSON.stringify(type.schema)]);
  const config = row?.config ?? {};
  const parts = [{ fields, config, body: (changed: object) => ({ config: changed }) }, ...sections];
  const drafts = useSignal(parts.map((p) => settings.draftOf(p.fields, p.config)));
  const name = useSignal(row?.name ?? '');
  const wrong = useSignal<Record<string, string>>({});
  const busy = useSignal(false);
  const point = (w: Record<string, string>) => {
    wrong.value = w;
    const first = Object.keys(w)[0];
    // A folded part opens in the next frame.
    if (first) requestAnimationFrame(() => document.getElementById(first === 'name' ? 'channel-name' : fieldId(first))?.focus());
  };
  const nameOf = (field: string) => {
    const bare = field.replace(/^config\./, '');
    if (bare === 'name') return bare;
    return parts.flatMap((p) => p.fields).find(([n]) => n === bare || n.endsWith('.' + bare))?.[0] ?? '';
  };
  const submit = async () => {
    if (busy.value) return;
    const todo = parts.map((p, i) => settings.changes(p.fields, p.config, drafts.value[i]!));
    const bad = Object.fromEntries(todo.flatMap((x) => x.wrong).map((w) => [w.name, t('channels.wrong.' + w.why)]));
    const unfit = nameWrong?.(name.value.trim());
    if (unfit) return point({ name: t(unfit), ...bad });
    if (Object.keys(bad).length > 0) return point(bad);
    const sent = drafts.value[0]!;
    busy.value = true;
    wrong.value = {};
    try {
      const body = Object.assign({ name: name.value.trim() || undefined }, ...parts.map((p, i) => (i === 0 || Object.keys(todo[i]!.config).length > 0 ? p.body(todo[i]!.config) : {})));
      const done = row ? await app.rest.patch<R>(`${path}/${row.id}`, body) : await app.rest.post<R>(path, { ...body, type: type.type });
      // A secret that is kept is not written again; the rest is what we sent,
      // but for what was written since.
      const since = (d: settings.Draft) => Object.fromEntries(Object.entries(d).filter(([k, v]) => v !== sent[k]));
      drafts.value = drafts.value.map((d, i) => (i === 0 ? { ...settings.draftOf(fields, done.config), ...since(d) } : d));
      onDone(done);
    } catch (e) {
      const field = e instanceof RestError ? nameOf(e.field ?? '') : '';
      point({ [field]: explain(e) });
    } finally {
      busy.value = false;
    }
  };
  const set = (part: number, field: string, v: string | boolean | null) => {
    drafts.value = drafts.value.map((d, i) => (i === part ? { ...d, [field]: v } : d));
    if (wrong.value[field]) wrong.value = { ...wrong.value, [field]: '' };
  };
  return { fields, config, drafts, name, wrong, busy, submit, set };
}

export function SettingsForm<R extends Row>(p: FormProps<R>) {
  const f = useForm(p);
  const can = may('admin');
  const wrong = f.wrong.value;
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
        <label for="channel-name">
          {t('channels.name')}
          {p.nameWrong && <i class="must">{t('channels.required')}</i>}
        </label>
        <input
          id="channel-name"
          class="input"
          type="text"
          maxLength={p.nameWrong ? 64 : 100}
          disabled={!can}
          placeholder={p.nameWrong ? '' : said(p.type.title) || p.type.type}
          value={f.name.value}
          aria-invalid={!!wrong.name}
          aria-describedby="channel-name-help channel-name-wrong"
          onInput={(e) => (f.name.value = e.currentTarget.value)}
        />
        <p id="channel-name-help" class="field-help">
          {p.nameHelp}
        </p>
        <p id="channel-name-wrong" class="field-wrong" role="alert">
          {wrong.name}
        </p>
      </div>
      <SchemaForm fields={f.fields} config={f.config} draft={f.drafts.value[0]!} wrong={wrong} disabled={!can} onChange={(n, v) => f.set(0, n, v)} />
      {p.sections?.map((s, i) => (
        <details key={s.title} class="fold" open={s.fields.some(([n]) => !!wrong[n]) || undefined}>
          <summary>{s.title}</summary>
          {s.help && <p class="field-help">{s.help}</p>}
          <SchemaForm fields={s.fields} config={s.config} draft={f.drafts.value[i + 1]!} wrong={wrong} disabled={!can} onChange={(n, v) => f.set(i + 1, n, v)} />
        </details>
      ))}
      <p class="field-wrong" role="alert">
        {wrong['']}
      </p>
      {can && (
        <div class="form-foot">
          <button class="btn primary" type="submit" disabled={f.busy.value}>
            {t(p.row ? 'channels.save' : 'channels.create')}
          </button>
        </div>
      )}
    </form>
  );
}

// --- a test -------------------------------------------------------------------

function Verdict({ v, okText }: { v: Checked | string; okText: string }) {
  const ok = typeof v !== 'string' && v.ok;
  return (
    <p class={'note-line ' + (ok ? 'ok' : 'bad')} role="status">
      <Icon d={ok ? I.done : I.alert} size={16} />
      <span>{typeof v === 'string' ? v : v.ok ? okText : t('channels.checkBad', { why: v.why || v.code || '' })}</span>
    </p>
  );
}

/** Asks the other side whether all is set up well; says it in words. */
export function useCheck(path: string, okText: string) {
  const verdict = useSignal<Checked | string | null>(null);
  const run = async () => {
    verdict.value = null;
    try {
      verdict.value = await app.rest.post<Checked>(path + '/check', {}, { timeout: 90_000 });
    } catch (e) {
      verdict.value = explain(e);
    }
  };
  return { run, verdict: verdict.value && <Verdict v={verdict.value} okText={okText} /> };
}

// --- on, off, gone -------------------------------------------------------------

export interface KindWords {
  /** Words: <words>.disableAsk, .disableText, .deleteAsk … */
  words: string;
  path: string;
}

/** Shown at once; put back if the server says no. */
export async function toggle<R extends Row>(row: R, k: KindWords, put: (r: R) => void): Promise<void> {
  const off = row.enabled;
  if (off && !(await confirm({ title: t(k.words + '.disableAsk'), text: t(k.words + '.disableText', { name: row.name }), go: t('channels.disable'), danger: true }))) return;
  put({ ...row, enabled: !off, state: row.state === 'pending' ? row.state : off ? 'disabled' : 'active' });
  try {
    put(await app.rest.patch<R>(`${k.path}/${row.id}`, { enabled: !off }));
    toast(t(off ? 'channels.disabled' : 'channels.enabled', { name: row.name }));
  } catch (e) {
    put(row);
    throw e;
  }
}

export function DeleteCard<R extends Row>(p: { row: R; kind: KindWords; list: Paged<R>; help: string }) {
  const { row, kind } = p;
  const remove = async () => {
    if (!(await confirm({ title: t(kind.words + '.deleteAsk'), text: t(kind.words + '.deleteText', { name: row.name }), go: t(kind.words + '.delete'), danger: true }))) return;
    await app.rest.delete(`${kind.path}/${row.id}`);
    p.list.drop((x) => x.id === row.id);
    toast(t('channels.deleted', { name: row.name }));
    go(kind.path);
  };
  return (
    <section class="card" aria-label={t(kind.words + '.delete')}>
      <div class="card-head">
        <p class="card-text grow">{p.help}</p>
        <Do class="btn danger" run={remove}>
          {t(kind.words + '.delete')}
        </Do>
      </div>
    </section>
  );
}

const COLOUR: Record<string, string> = { active: 'ok', disabled: 'off', pending: 'warn' };

export function StateOf({ state, words }: { state: string; words: string }) {
  const kind = COLOUR[state] ?? 'off';
  return (
    <span class={'state ' + kind}>
      <i class={'dot ' + (kind === 'off' ? 'offline' : kind)} />
      {t(words + '.state.' + state)}
    </span>
  );
}

/** Only what is not as it should be: the breaker of a peer that fails. */
export function BreakerChip({ of, words }: { of: { breaker?: string }; words: string }) {
  if (!of.breaker || of.breaker === 'closed') return null;
  return (
    <span class={'chip ' + (of.breaker === 'open' ? 'bad' : 'warn')} title={t(words + '.breakerText.' + of.breaker)}>
      {t('assistants.breaker.' + of.breaker)}
    </span>
  );
}

// --- a type --------------------------------------------------------------------

export function TypePicker(p: { types: { type: string; title?: Said; state?: string; note?: ComponentChildren }[]; chosen: string | null; onChoose: (type: string) => void }) {
  return (
    <fieldset class="types">
      <legend class="sr">{t('channels.type')}</legend>
      {p.types.map((x) => (
        <label key={x.type} class={'type' + (p.chosen === x.type ? ' on' : '')}>
          <input type="radio" name="type" value={x.type} checked={p.chosen === x.type} onChange={() => p.onChoose(x.type)} />
          <span class="type-name">{said(x.title) || x.type}</span>
          <span class="type-id mono">
            {x.type}
            {x.state === 'pending' && <span class="chip warn">{t('channels.state.pending')}</span>}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
