// SPDX-License-Identifier: Apache-2.0
// A form drawn from an adapter's schema. Secrets are written, never shown.
import type { SchemaField } from '../../sdk/house.ts';
import { t } from '../../shared/i18n.ts';
import { HIDDEN, type Draft } from '../stores/settings.ts';
import { said } from './house.tsx';

interface Props {
  fields: [string, SchemaField][];
  config: Record<string, unknown>;
  draft: Draft;
  wrong: Record<string, string>;
  disabled: boolean;
  onChange: (name: string, value: string | boolean | null) => void;
}

export function fieldId(name: string): string {
  return 'set-' + name;
}

function SecretHint(p: { stored: boolean; gone: boolean; required?: boolean; title: string; disabled: boolean; onGone: (gone: boolean) => void }) {
  if (!p.stored) return null;
  return (
    <span class="secret-hint">
      {t(p.gone ? 'channels.secretGone' : 'channels.secretKept')}
      {!p.required && !p.disabled && (
        <button type="button" class="link" onClick={() => p.onGone(!p.gone)} aria-label={t(p.gone ? 'undo' : 'channels.secretDropOf', { name: p.title })}>
          {t(p.gone ? 'undo' : 'channels.secretDrop')}
        </button>
      )}
    </span>
  );
}

function Control({ name, f, p }: { name: string; f: SchemaField; p: Props }) {
  const v = p.draft[name];
  const attrs = {
    id: fieldId(name),
    name,
    disabled: p.disabled,
    'aria-invalid': !!p.wrong[name],
    'aria-required': f.required,
    'aria-describedby': `${fieldId(name)}-help ${fieldId(name)}-wrong`,
  };
  const text = typeof v === 'string' ? v : '';
  if (f.type === 'choice') {
    return (
      <select class="input" {...attrs} value={text} onChange={(e) => p.onChange(name, e.currentTarget.value)}>
        {(!f.required || text === '') && <option value="">{t('channels.noChoice')}</option>}
        {(f.choices ?? []).map((c) => (
          <option key={c} value={c}>
            {c}
          </option>
        ))}
      </select>
    );
  }
  if (f.type === 'secret') {
    const stored = p.config[name] === HIDDEN;
    return (
      <input
        class="input mono"
        type="password"
        autocomplete="new-password"
        spellcheck={false}
        placeholder={stored && v !== null ? HIDDEN : ''}
        {...attrs}
        value={text}
        onInput={(e) => p.onChange(name, e.currentTarget.value)}
      />
    );
  }
  return (
    <input
      class="input"
      type="text"
      inputmode={f.type === 'integer' ? 'numeric' : f.type === 'number' ? 'decimal' : undefined}
      spellcheck={false}
      autocomplete="off"
      {...attrs}
      value={text}
      onInput={(e) => p.onChange(name, e.currentTarget.value)}
    />
  );
}

function Field({ name, f, p }: { name: string; f: SchemaField; p: Props }) {
  const title = said(f.title) || name;
  const help = said(f.help);
  const id = fieldId(name);
  const notes = (
    <>
      <p id={id + '-help'} class="field-help">
        {help}
      </p>
      <p id={id + '-wrong'} class="field-wrong" role="alert">
        {p.wrong[name]}
      </p>
    </>
  );
  if (f.type === 'boolean') {
    return (
      <div class="field">
        <label class="sw" for={id}>
          <input id={id} name={name} type="checkbox" disabled={p.disabled} checked={p.draft[name] === true} aria-describedby={id + '-help'} onChange={(e) => p.onChange(name, e.currentTarget.checked)} />
          <span>{title}</span>
        </label>
        {notes}
      </div>
    );
  }
  return (
    <div class="field">
      <label for={id}>
        {title}
        {f.required ? <i class="must">{t('channels.required')}</i> : null}
      </label>
      <Control name={name} f={f} p={p} />
      {f.type === 'secret' && (
        <SecretHint stored={p.config[name] === HIDDEN} gone={p.draft[name] === null} required={f.required} title={title} disabled={p.disabled} onGone={(g) => p.onChange(name, g ? null : '')} />
      )}
      {notes}
    </div>
  );
}

export function SchemaForm(p: Props) {
  return (
    <div class="fields">
      {p.fields.map(([name, f]) => (
        <Field key={name} name={name} f={f} p={p} />
      ))}
    </div>
  );
}
