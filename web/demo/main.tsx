// SPDX-License-Identifier: Apache-2.0
// The start page: where to go, and a small shop in which the widget lives.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as I from '../shared/icons.tsx';
import { Icon } from '../shared/icons.tsx';
import { lang, pickLang, setLang } from '../shared/i18n.ts';
import { initTheme } from '../shared/theme.ts';
import { WORDS, GOODS, type Good } from './words.ts';
import '../shared/tokens.css';
import '../shared/base.css';
import './demo.css';

type Yuelai = (name: string, ...args: unknown[]) => void;
const say = (name: string) => (window as unknown as { yuelai?: Yuelai }).yuelai?.(name);

function useReady(): 'ok' | 'bad' | 'asking' {
  const [state, set] = useState<'ok' | 'bad' | 'asking'>('asking');
  useEffect(() => {
    const ask = () => fetch('/readyz', { cache: 'no-store' }).then((r) => set(r.ok ? 'ok' : 'bad'), () => set('bad'));
    void ask();
    const timer = setInterval(ask, 10_000);
    return () => clearInterval(timer);
  }, []);
  return state;
}

function Door(p: { icon: string; title: string; text: string; href?: string; onClick?: () => void }) {
  const inner = (
    <>
      <span class="door-icon">
        <Icon d={p.icon} />
      </span>
      <span class="door-text">
        <b>{p.title}</b>
        <span>{p.text}</span>
      </span>
    </>
  );
  return p.href ? (
    <a class="door" href={p.href}>
      {inner}
    </a>
  ) : (
    <button class="door" onClick={p.onClick}>
      {inner}
    </button>
  );
}

function Card({ good }: { good: Good }) {
  const w = WORDS[lang.value];
  return (
    <li class="good">
      <div class="good-art" style={{ background: good.ground }} aria-hidden="true">
        <svg viewBox="0 0 120 90">
          <path d={good.art} fill={good.ink} />
        </svg>
      </div>
      <h3>{good.name[lang.value]}</h3>
      <p class="cut">{good.note[lang.value]}</p>
      <div class="good-foot">
        <span class="num">¥{good.price}</span>
        <button class="btn" onClick={() => say('open')}>
          {w.ask}
        </button>
      </div>
    </li>
  );
}

function Demo() {
  const w = WORDS[lang.value];
  const ready = useReady();
  const other = lang.value === 'en' ? 'zh-CN' : 'en';
  return (
    <>
      <header class="top">
        <strong class="logo">
          <svg viewBox="0 0 24 24" width="26" height="26" aria-hidden="true">
            <rect width="24" height="24" rx="7" fill="var(--brand)" />
            <path d="M6.5 8h11v7h-6l-3 2.5V15h-2z" fill="var(--on-brand)" />
          </svg>
          悦来
        </strong>
        <span class={'ready ' + ready} role="status">
          <i />
          {w.ready[ready]}
        </span>
        <button class="btn" lang={other} onClick={() => setLang(other)}>
          {other === 'en' ? 'English' : '中文'}
        </button>
      </header>
      <main>
        <section class="hero">
          <h1>{w.title}</h1>
          <p>{w.sub}</p>
          <div class="doors">
            <Door icon={I.chat} title={w.doorChat} text={w.doorChatText} onClick={() => say('open')} />
            <Door icon={I.inbox} title={w.doorConsole} text={w.doorConsoleText} href="/console/" />
            <Door icon={I.phone} title={w.doorPage} text={w.doorPageText} href="/chat/default" />
          </div>
        </section>
        <section aria-labelledby="shop">
          <h2 id="shop">{w.shop}</h2>
          <p class="shop-note">{w.shopNote}</p>
          <ul class="goods">
            {GOODS.map((g) => (
              <Card key={g.id} good={g} />
            ))}
          </ul>
        </section>
        <section aria-labelledby="embed">
          <h2 id="embed">{w.embed}</h2>
          <p class="shop-note">{w.embedNote}</p>
          <pre class="snippet" tabIndex={0}>
            {`<script async src="${location.origin}/widget.js" data-channel="default"></script>`}
          </pre>
        </section>
      </main>
    </>
  );
}

setLang(pickLang(new URLSearchParams(location.search).get('lang')));
initTheme(new URLSearchParams(location.search).get('theme'));
render(<Demo />, document.getElementById('app')!);
