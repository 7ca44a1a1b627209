// SPDX-License-Identifier: Apache-2.0
// What the agent must know at once, one line each: connection, house, scripts,
// a silent bell.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { t } from '../../shared/i18n.ts';
import { unlock } from '../../shared/presence/sound.ts';
import { go, path } from '../../shared/router.ts';
import { dismiss, toasts } from '../stores/toast.ts';
import * as alerts from '../stores/alerts.ts';
import * as app from '../stores/app.ts';
import * as health from '../stores/health.ts';

const AFTER_MS = 2_000;

function Line(p: { kind: 'warn' | 'bad' | 'info'; icon: string; text: string; action?: string; run?: () => void }) {
  return (
    <div class={'banner ' + p.kind}>
      <Icon d={p.icon} size={16} />
      <span class="cut">{p.text}</span>
      {p.action && (
        <button class="banner-do" onClick={p.run}>
          {p.action}
        </button>
      )}
    </div>
  );
}

function Connection() {
  const late = useSignal(false);
  const link = app.link.value;
  const down = link === 'reconnecting' || link === 'offline';
  useEffect(() => {
    late.value = false;
    if (!down) return;
    const timer = setTimeout(() => (late.value = true), AFTER_MS);
    return () => clearTimeout(timer);
  }, [down]);
  if (!down || !late.value) return null;
  return <Line kind="warn" icon={I.wifi} text={t('banner.' + link)} />;
}

function House() {
  const broken = health.broken.value;
  if (app.link.value !== 'open') return null;
  const first = broken[0];
  const err = first && health.errorsOf(first)[0];
  const open = path.value.startsWith('/scripts') ? undefined : () => go('/scripts');
  return (
    <>
      {!health.ready.value && <Line kind="bad" icon={I.alert} text={t('banner.notReady')} />}
      {first && err && (
        <Line
          kind="bad"
          icon={I.code}
          text={t('banner.scripts', { n: broken.length, place: health.place(first, err), message: err.message })}
          action={open && t('banner.look')}
          run={open}
        />
      )}
    </>
  );
}

export function Banners() {
  return (
    <div class="banners" role="status">
      {app.outdated.value && <Line kind="info" icon={I.info} text={t('banner.outdated')} action={t('reload')} run={() => location.reload()} />}
      <Connection />
      <House />
      {alerts.blocked.value && alerts.sound.value && (
        <Line kind="info" icon={I.bell} text={t('banner.sound')} action={t('banner.soundOn')} run={unlock} />
      )}
    </div>
  );
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((x) => (
        <div key={x.id} class={'toast' + (x.bad ? ' bad' : '')}>
          <span>{x.text}</span>
          {x.action && (
            <button
              onClick={() => {
                dismiss(x.id);
                x.action!.run();
              }}
            >
              {x.action.label}
            </button>
          )}
          <button class="icon-btn" aria-label={t('close')} onClick={() => dismiss(x.id)}>
            <Icon d={I.close} size={16} />
          </button>
        </div>
      ))}
    </div>
  );
}
