// SPDX-License-Identifier: Apache-2.0
// Sign-in: a page of its own, or a dialog over the work when the session ended.
import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { RestError } from '../../sdk/rest.ts';
import { lang, setLang, t } from '../../shared/i18n.ts';
import { Dialog } from '../../shared/kit/dialog.tsx';
import * as app from '../stores/app.ts';
import { explain } from '../stores/toast.ts';

function Form() {
  const email = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const busy = useSignal(false);
  const wrong = useSignal('');
  // Before the paint: an effect after it would wipe what a password manager,
  // or a quick hand, has already put into the field.
  useLayoutEffect(() => {
    email.current!.value ||= app.me.value?.email ?? app.store.get('yl.pref.email') ?? '';
    (email.current!.value ? password : email).current!.focus();
  }, []);
  const submit = async (e: Event) => {
    e.preventDefault();
    if (busy.value) return;
    const [a, b] = [email.current!, password.current!];
    if (!a.value.trim() || !b.value) {
      wrong.value = t('login.fill');
      (a.value.trim() ? b : a).focus();
      return;
    }
    busy.value = true;
    wrong.value = '';
    try {
      await app.login(a.value.trim(), b.value);
    } catch (err) {
      const code = err instanceof RestError ? err.code : '';
      wrong.value = code === 'unauthorized' || code === 'forbidden' ? t('login.wrong') : code === 'rate_limited' ? t('login.slow') : explain(err);
      b.select();
    } finally {
      busy.value = false;
    }
  };
  return (
    <form class="login-form" onSubmit={submit} noValidate>
      <label for="email">{t('login.email')}</label>
      <input id="email" ref={email} class="input" type="email" name="email" autocomplete="username" autocapitalize="off" spellcheck={false} aria-invalid={!!wrong.value} aria-describedby="login-wrong" />
      <label for="password">{t('login.password')}</label>
      <input id="password" ref={password} class="input" type="password" name="password" autocomplete="current-password" aria-invalid={!!wrong.value} aria-describedby="login-wrong" />
      <p id="login-wrong" class="login-wrong" role="alert">
        {wrong.value}
      </p>
      <button class="btn primary big" type="submit" disabled={busy.value}>
        {busy.value ? t('login.busy') : t('login.do')}
      </button>
    </form>
  );
}

export function LoginPage() {
  const other = lang.value === 'en' ? 'zh-CN' : 'en';
  return (
    <main class="login">
      <div class="login-card">
        <div class="login-logo">
          <Logo size={36} />
          <h1>{t('login.title')}</h1>
          <p>{t('login.sub')}</p>
        </div>
        <Form />
      </div>
      <button
        class="link login-lang"
        lang={other}
        onClick={() => {
          setLang(other);
          app.setPref('lang', other);
        }}
      >
        {other === 'en' ? 'English' : '中文'}
      </button>
    </main>
  );
}

export function LoginDialog() {
  return (
    <Dialog title={t('login.again')}>
      <p class="login-why">{t('login.kept')}</p>
      <Form />
    </Dialog>
  );
}

export function Logo({ size }: { size: number }) {
  return (
    <svg viewBox="0 0 24 24" width={size} height={size} aria-hidden="true">
      <rect width="24" height="24" rx="7" fill="var(--brand)" />
      <path d="M6.5 8h11v7h-6l-3 2.5V15h-2z" fill="var(--on-brand)" />
    </svg>
  );
}
