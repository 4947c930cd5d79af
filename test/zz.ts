import { createCrontabClock, readCrontab, previewCrontab } from '../src/schedules/crontab.ts'
import { createZones } from '../src/schedules/zone.ts'
import { describeCrontab } from '../src/schedules/crontab-words.ts'
import { readFileSync } from 'node:fs'
const load = (n: string) => JSON.parse(readFileSync(`/work/shared/conformance/${n}.json`, 'utf8'))
const zones = createZones()
let bad = 0
const t0 = performance.now()
const run = (spec: any, tz: string, last: string, n: number, mode = 'celery') => {
  const r = readCrontab({ ...spec, timezone: tz, mode }, '', 'UTC')
  if ('faults' in r) return JSON.stringify(r.faults)
  const c = createCrontabClock(r.spec, zones); const out = []
  for (let t: number | null = Date.parse(last), i = 0; i < n; i++) { t = c.next(t!); out.push(new Date(t!).toISOString().replace('.000', '')) }
  return out.join()
}
for (const v of load('crontab')) { const got = run(v.spec, v.timezone, v.last_run_at, 3); if (got !== v.next.join()) { if (bad++ < 5) console.log(v, got) }
 if (v.cron_or_next) { const g = run(v.spec, v.timezone, v.last_run_at, 3, 'cron'); if (g !== v.cron_or_next.join()) { if (bad++ < 5) console.log('OR', v.spec,v.cron_or_next, g) } } }
console.log('crontab bad', bad, performance.now() - t0); bad = 0
for (const v of load('crontab_dst')) { const got = run(v.spec, v.timezone, v.last_run_at, 3); if (got !== v.vixie_cron.join()) { if (bad++ < 5) console.log(v, got) } }
console.log('dst bad', bad, performance.now() - t0)
for (const v of load('crontab_invalid').fields) { const r = readCrontab({ [v.field]: v.value }, '/schedule', 'UTC'); const ok = 'spec' in r
 if (v.verdict==='must_accept' && !ok || v.verdict.startsWith('must_refuse') && ok) console.log('INVALID', v.field, v.value, r)
 if (v.verdict==='free') console.log('free', v.field, v.value, ok ? 'ok' : JSON.stringify(r.faults)) }
for (const l of ['0 3 * * *','*/7 * * * *','*/5 */2 * * *','0,30 9,17,3,4 * * *','0 0 13 * 5','0 0 1,15 1-6 1-5','* 9,17 * * *','0 0 */2 * *','0 22-6 * * *','0 */2 * * *','*/10 3 * * *','7,9,11,13,15,17,19 3 * * *','0 0 31 2 0']) for (const mode of ['celery','cron']) { const p = l.split(' '); const r = readCrontab({minute:p[0],hour:p[1],day_of_month:p[2],month_of_year:p[3],day_of_week:p[4],mode},'','UTC'); console.log(l, mode, 'spec' in r ? describeCrontab(r.spec) : r.faults) }
for (const [m,h,after] of [['30','3','2026-03-27T00:00:00Z'],['0,30','3','2026-03-28T12:00:00Z'],['*/15','3','2026-03-28T12:00:00Z'],['30','3','2026-10-23T00:00:00Z'],['*/20','3','2026-10-24T12:00:00Z'],['*','*','2026-10-25T00:30:00Z']]) { const r = readCrontab({minute:m,hour:h,timezone:'Europe/Kyiv'},'','UTC'); if ('spec' in r) console.dir(previewCrontab(r.spec,zones,Date.parse(after!),4),{depth:5}) }
