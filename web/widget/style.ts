// SPDX-License-Identifier: Apache-2.0
// The launcher's own style, inside its shadow root. Old browsers: no gap,
// no inset. Colours are the tokens' values: no stylesheet reaches in here.
export const CSS = `
:host{all:initial}
[hidden]{display:none!important}
.w{--a:#2459d6;--o:#fff;--s:#fff;--t:#16191d;--l:#e3e6ea;position:fixed;z-index:2147483000;bottom:20px;right:20px;font:14px/1.5 system-ui,"PingFang SC","Microsoft YaHei",sans-serif}
.w.left{right:auto;left:20px}
.dark{--s:#1c2025;--t:#e8eaed;--l:#2a2f36}
button{border:0;padding:0;cursor:pointer}
.l{position:relative;display:block;width:56px;height:56px;border-radius:50%;background:var(--a);color:var(--o);box-shadow:0 6px 20px rgba(16,24,40,.24);touch-action:manipulation}
.l:hover{filter:brightness(1.08)}
button:focus-visible{outline:2px solid var(--a);outline-offset:3px}
svg{display:block;width:26px;margin:0 auto;fill:none;stroke:currentColor;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.v,.open .c{display:none}
.open .v{display:block}
.b{position:absolute;top:-4px;right:-4px;min-width:22px;padding:0 6px;border-radius:11px;background:#c0262d;color:#fff;font-size:12px;line-height:22px;text-align:center;box-sizing:border-box}
.p,.g{position:absolute;right:0;bottom:68px;border-radius:16px;background:var(--s);color:var(--t);border:1px solid var(--l);box-shadow:0 12px 40px rgba(16,24,40,.24)}
.left .p,.left .g{right:auto;left:0}
.p{width:380px;height:640px;max-height:calc(100vh - 108px);overflow:hidden}
iframe{display:block;width:100%;height:100%;border:0;color-scheme:normal}
.g{width:260px;padding:12px 36px 12px 14px;cursor:pointer;box-sizing:border-box}
.g span{display:-webkit-box;-webkit-line-clamp:2;-webkit-box-orient:vertical;overflow:hidden}
.x{position:absolute;top:6px;right:6px;width:24px;height:24px;background:none;color:inherit;font-size:18px}
@media (max-width:480px){.open .p{position:fixed;top:0;left:0;right:0;width:100%;height:100%;max-height:none;border:0;border-radius:0}.open .l{display:none}}
`;
