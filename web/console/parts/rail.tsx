// SPDX-License-Identifier: Apache-2.0
import * as I from '../../shared/icons.tsx';
import { Icon } from '../../shared/icons.tsx';
import { lang, setLang, t } from '../../shared/i18n.ts';
import { Avatar } from '../../shared/kit/avatar.tsx';
import { Menu, type MenuItem } from '../../shared/kit/menu.tsx';
import { askNotices, support } from '../../shared/presence/notify.ts';
import { go, href, path } from '../../shared/router.ts';
import { setTheme, theme, type Theme } from '../../shared/theme.ts';
import type { AgentStatus } from '../../sdk/types.ts';
import { Logo } from '../pages/login.tsx';
import * as alerts from '../stores/alerts.ts';
import * as app from '../stores/app.ts';
import * as health from '../stores/health.ts';
import * as inbox from '../stores/inbox.ts';
import { may } from '../stores/paged.ts';
import { toast } from '../stores/toast.ts';
import { helpOpen } from './help.tsx';

const STATUSES: AgentStatus[] = ['online', 'busy', 'away', 'offline'];
const THEMES: Theme[] = ['light', 'dark', 'system'];

function Item(p: { to: string; icon: string; label: string; badge?: number; alert?: boolean }) {
  const here = p.to === '/' ? path.value === '/' || path.value.startsWith('/c/') : path.value.startsWith(p.to);
  return (
    <a
      class="rail-item"
      href={href(p.to)}
      aria-current={here ? 'page' : undefined}
      onClick={(e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
        e.preventDefault();
        go(p.to);
      }}
    >
      <span class="rail-icon">
        <Icon d={p.icon} />
        {!!p.badge && <b class="badge num">{p.badge > 99 ? '99+' : p.badge}</b>}
        {p.alert && <b class="badge alert">!</b>}
      </span>
      <span class="rail-label">{p.label}</span>
    </a>
  );
}

async function turnOnNotices(): Promise<void> {
  const s = await askNotices();
  toast(t('notice.' + s), { bad: s !== 'granted' });
}

export function menu(): MenuItem[] {
  const other = lang.value === 'en' ? 'zh-CN' : 'en';
  return [
    { title: app.me.value?.name ?? '' },
    ...STATUSES.map((s) => ({ label: t('status.' + s), dot: s, checked: app.status.value === s, run: () => app.setStatus(s) })),
    'line',
    ...THEMES.map((x) => ({
      label: t('theme.' + x),
      checked: theme.value === x,
      run: () => {
        setTheme(x);
        app.setPref('theme', x);
      },
    })),
    'line',
    { label: t(alerts.sound.value ? 'sound.off' : 'sound.on'), icon: alerts.sound.value ? I.bellOff : I.bell, run: () => alerts.setSound(!alerts.sound.value) },
    ...(support() === 'granted' ? [] : [{ label: t('notice.turnOn'), icon: I.info, run: () => void turnOnNotices() }]),
    {
      label: other === 'en' ? 'English' : '中文',
      icon: I.globe,
      run: () => {
        setLang(other);
        app.setPref('lang', other);
      },
    },
    { label: t('help.title'), icon: I.keys, hint: '?', run: () => (helpOpen.value = true) },
    'line',
    { label: t('logout'), icon: I.logout, danger: true, run: () => void app.logout() },
  ];
}

export function Rail() {
  const me = app.me.value;
  const link = app.link.value;
  const up = link === 'open';
  return (
    <nav class="rail" aria-label={t('nav')}>
      <span class="rail-logo">
        <Logo size={30} />
      </span>
      <Item to="/" icon={I.inbox} label={t('nav.inbox')} badge={inbox.counts.value.unread} />
      <Item to="/scripts" icon={I.code} label={t('nav.scripts')} alert={health.broken.value.length > 0} />
      {may('supervisor') && (
        <>
          <Item to="/flows" icon={I.flow} label={t('nav.flows')} />
          <Item to="/failed" icon={I.alert} label={t('nav.failed')} badge={health.letters.value} />
          <Item to="/assistants" icon={I.bot} label={t('nav.assistants')} />
          <Item to="/channels" icon={I.plug} label={t('nav.channels')} />
        </>
      )}
      <span class="rail-gap" />
      <span class="rail-link" role="img" aria-label={t('link.' + link)} title={t('link.' + link)}>
        <i class={'dot ' + (up ? 'ok' : link === 'connecting' ? '' : 'bad')} />
      </span>
      {me && (
        <Menu class="rail-me" label={t('me.menu', { name: me.name, status: t('status.' + app.status.value) })} placement="right-end" items={menu}>
          <Avatar id={me.id} name={me.name} size={34} />
          <i class={'dot ' + app.status.value} />
        </Menu>
      )}
    </nav>
  );
}
