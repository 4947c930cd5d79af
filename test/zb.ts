import { createCrontabClock, readCrontab, previewCrontab } from '../src/schedules/crontab.ts'
import { createZones } from '../src/schedules/zone.ts'
import { describeCrontab } from '../src/schedules/crontab-words.ts'
const spec = (line: string, timezone = 'Europe/Kyiv', mode = 'celery') => { const p = line.split(' '); const r = readCrontab({minute:p[0],hour:p[1],day_of_month:p[2],month_of_year:p[3],day_of_week:p[4],mode, timezone},'','UTC'); if (!('spec' in r)) throw new Error(JSON.stringify(r)); return r.spec }
const zones = createZones()
for (const l of ['* * * * *','*/5 * * * *','0 3 * * *','30 9 * * 1-5','0 0 1 * *','0 0 1 1 *','0 12 29 2 *','0 12 29 2 1', '* * 29 2 1']) {
  const c = createCrontabClock(spec(l), zones); let t: number|null = Date.UTC(2026,0,1); let n=0
  const step = () => { t = c.next(t!); n++; if (t===null||t>Date.UTC(2028,0,1)) t=Date.UTC(2026,0,1) }
  for (let i=0;i<100;i++) step()
  const N = l.includes('29') ? 20000 : 500000
  n=0; const t0=performance.now(); while(n<N) step(); const dt=performance.now()-t0
  t = Date.UTC(2028,0,1); let k=0; const t1=performance.now(); while(k<N){ t=c.previous(t!); k++; if(t===null||t<Date.UTC(2026,0,1)) t=Date.UTC(2028,0,1)}
  console.log(l.padEnd(14), Math.round(n/dt)+' k next/s', Math.round(k/(performance.now()-t1))+' k previous/s')
}
{ // 1000 clocks, round robin
  const cs=[]; const all=Intl.supportedValuesOf('timeZone'); for (let i=0;i<2000;i++) cs.push(createCrontabClock(spec(`${i%60} ${i%24} * * *`, all[i%40]), zones))
  const ts=cs.map(()=>Date.UTC(2026,0,1)); for (let r=0;r<3;r++) for (let i=0;i<2000;i++) ts[i]=cs[i]!.next(ts[i]!)!
  const t0=performance.now(); for (let r=0;r<100;r++) for (let i=0;i<2000;i++) ts[i]=cs[i]!.next(ts[i]!)!; console.log('2000 clocks round robin', Math.round(200000/(performance.now()-t0)),'k/s') }
{ let d=0; for (let i=0;i<200;i++) { const z=createZones(); const c=createCrontabClock(spec('0 3 * * *'),z); const t0=performance.now(); c.next(Date.UTC(2026,5,1)); d+=performance.now()-t0 } console.log('cold next ms', d/200) }
{ const t0=performance.now(); for (let i=0;i<2000;i++) spec('*/5 8-18 * * 1-5'); console.log('readCrontab us', (performance.now()-t0)/2); const s=spec('*/5 8-18 * * 1-5'); const t1=performance.now(); for (let i=0;i<2000;i++) createCrontabClock(s,zones); console.log('clock us',(performance.now()-t1)/2); const t2=performance.now(); for (let i=0;i<2000;i++) describeCrontab(s); console.log('describe us',(performance.now()-t2)/2); const t3=performance.now(); for (let i=0;i<2000;i++) previewCrontab(s,zones,Date.UTC(2026,2,1),10); console.log('preview us',(performance.now()-t3)/2) }
{ const all=Intl.supportedValuesOf('timeZone'); const z=createZones(); const r0=process.memoryUsage().rss; const t0=performance.now(); for (const n of all) { z.offsetAt(n, Date.UTC(2026,0,15)); z.offsetAt(n, Date.UTC(2027,0,15)) } console.log('all zones x 2 years ms', performance.now()-t0, 'MB', (process.memoryUsage().rss-r0)/1e6) }
