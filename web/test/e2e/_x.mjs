import { launch, page, signIn } from './lib.mjs';
import { Fake } from '../fake-server.mjs';
import { readFileSync, readdirSync } from 'node:fs';
const f = await new Fake().up();
const b = await launch();
function ticks(){ // cpu of all chromium processes of ours (children tree)
  const all={}; for (const d of readdirSync('/proc')) if(/^\d+$/.test(d)) try{ const s=readFileSync(`/proc/${d}/stat`,'utf8'); const m=/^(\d+) \((.*)\) \S (\d+)/.exec(s); const r=s.slice(s.lastIndexOf(')')+2).split(' '); all[d]={ppid:m[3],t:+r[11]+ +r[12],c:+r[13]+ +r[14],cmd:readFileSync(`/proc/${d}/cmdline`,'utf8').match(/--type=([\w-]+)/)?.[1]??'main'} }catch{}
  const mine=(d)=>{ for(let x=d;x&&all[x];x=all[x].ppid) if(x==process.pid) return true; return false};
  const out={}; for(const d in all) if(mine(d)) { const k=d==process.pid?'node':all[d].cmd+':'+d; out[k]=all[d].t } return out; }
const diff=(a,b)=>Object.fromEntries(Object.entries(b).map(([k,v])=>[k,(v-(a[k]??0))*10]).filter(([,v])=>v>20));
let a=ticks();
const p=await page(b); let c=ticks(); console.log('context+page', diff(a,c)); a=c;
await p.goto(f.url+'/console/'); await p.waitForSelector('#email'); c=ticks(); console.log('login page', diff(a,c)); a=c;
await signIn(p,f.url); c=ticks(); console.log('signIn', diff(a,c)); a=c;
await new Promise(r=>setTimeout(r,5000)); c=ticks(); console.log('idle 5s', diff(a,c)); a=c;
await p.reload(); await p.waitForSelector('.dot.ok'); c=ticks(); console.log('reload', diff(a,c)); a=c;
await p.context().close(); c=ticks(); console.log('close', diff(a,c));
await b.close(); await f.down();
