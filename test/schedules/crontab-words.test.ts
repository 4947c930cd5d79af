/** Crontabs in words: right for every trap that cronstrue falls into by itself, and without nonsense for any crontab. */
import fc from 'fast-check'
import t from 'tap'
import { parseCronLine, readCrontab, type CrontabSpec } from '../../src/schedules/crontab.ts'
import { describeCrontab } from '../../src/schedules/crontab-words.ts'
import { anyCrontab } from './crontab-any.ts'

function words(line: string, mode: 'celery' | 'cron' = 'celery'): string {
  const parsed = parseCronLine(line)
  const crontab = 'fields' in parsed ? readCrontab({ ...parsed.fields, mode }, '', 'UTC') : parsed
  if ('spec' in crontab) return describeCrontab(crontab.spec)
  throw new TypeError(JSON.stringify(crontab))
}

t.test('common crontabs read as people say them', (t) => {
  const cases: Record<string, string> = {
    '0 3 * * *': 'at 03:00',
    '* * * * *': 'every minute',
    '*/15 * * * *': 'every 15 minutes',
    '0 * * * *': 'every hour',
    '@daily': 'at 00:00',
    '@weekly': 'at 00:00, only on Sunday',
    '0 9,17 * * 1-5': 'at 09:00 and 17:00, Monday through Friday',
    '30 14 29 2 *': 'at 14:30, on day 29 of the month, only in February',
    '*/5 8-18 * * mon-fri': 'every 5 minutes, between 08:00 and 18:59, Monday through Friday',
    '0 */2 * * *': 'on the hour, every 2 hours',
    '0 0 1 1,7 *': 'at 00:00, on day 1 of the month, only in January and July',
    '0 8-20 * * Saturday,SUN': 'every hour, between 08:00 and 20:00, only on Sunday and Saturday',
  }
  for (const [line, text] of Object.entries(cases)) t.equal(words(line), text, line)
  t.end()
})

t.test('a step that begins anew is told by its values, never as "every n"', (t) => {
  t.equal(words('*/7 * * * *'), 'at 0, 7, 14, 21, 28, 35, 42, 49, and 56 minutes past the hour')
  t.equal(words('*/31 * * * *'), 'at 0 and 31 minutes past the hour')
  t.equal(words('*/60 * * * *'), 'every hour')
  t.equal(words('0 */5 * * *'), 'at 00:00, 05:00, 10:00, 15:00 and 20:00')
  t.equal(words('5 */5 * * *'), 'at 00:05, 05:05, 10:05, 15:05 and 20:05')
  t.equal(words('0 0 */15 * *'), 'at 00:00, on day 1, 16, and 31 of the month')
  t.equal(words('0 0 1 */5 *'), 'at 00:00, on day 1 of the month, only in January, June, and November')
  t.equal(words('0 0 * * */2'), 'at 00:00, only on Sunday, Tuesday, Thursday, and Saturday')
  t.equal(
    words('3-59/5 * * * *'),
    'at 3, 8, 13, 18, 23, 28, 33, 38, 43, 48, 53, and 58 minutes past the hour',
  )
  t.end()
})

t.test('minutes of single hours are not said to be at those hours', (t) => {
  t.equal(words('* 9,17 * * *'), 'every minute, in the hours of 09:00 and 17:00')
  t.equal(words('*/5 */12 * * *'), 'every 5 minutes, in the hours of 00:00 and 12:00')
  t.equal(words('0,30 9 * * *'), 'at 09:00 and 09:30')
  t.equal(words('0,10,25 9,17 * * *'), 'at 09:00, 09:10, 09:25, 17:00, 17:10 and 17:25')
  t.equal(
    words('1,3,6,10,15,21,28 3 * * *'),
    'at 1, 3, 6, 10, 15, 21, and 28 minutes past the hour, in the hour of 03:00',
  )
  t.equal(words('7 22-4,12 * * *'), 'at 00:07, 01:07, 02:07, 03:07, 04:07, 12:07, 22:07 and 23:07')
  t.equal(words('7 9-17 * * *'), 'at 7 minutes past the hour, between 09:00 and 17:59')
  t.end()
})

t.test('days are AND for Celery and OR for cron, and cannot be mistaken', (t) => {
  t.equal(words('0 0 13 * 5'), 'at 00:00, on day 13 of the month, only on Friday')
  t.equal(words('0 0 13 * 5', 'cron'), 'at 00:00, on day 13 of the month or on Friday')
  t.equal(
    words('0 0 1-7 * 1-3'),
    'at 00:00, between day 1 and 7 of the month, only on Monday, Tuesday, and Wednesday',
  )
  t.equal(
    words('0 0 1-7 * 1-3', 'cron'),
    'at 00:00, between day 1 and 7 of the month or on Monday, Tuesday, and Wednesday',
  )
  t.equal(words('0 0 */2 * 5', 'cron'), words('0 0 */2 * 5'), 'what begins with * is AND in cron too')
  t.equal(words('0 0 13 * 0-6'), 'at 00:00, on day 13 of the month')
  t.equal(words('0 0 13 * 0-6', 'cron'), 'at 00:00', 'any weekday is enough')
  t.equal(words('0 0 1-31 * 5', 'cron'), 'at 00:00')
  t.end()
})

t.test('other spellings of the same are worded the same', (t) => {
  t.equal(words('0 0 * * 0-7'), 'at 00:00')
  t.equal(words('0 0 * * 7'), 'at 00:00, only on Sunday')
  t.equal(words('*,5 * * * *'), 'every minute')
  t.equal(words('0 0 * * fri-mon'), 'at 00:00, only on Sunday, Monday, Friday, and Saturday')
  t.equal(words('0 0 * * thurs'), 'at 00:00, only on Thursday')
  t.end()
})

t.test('no crontab is worded with a hole, a throw or a step', (t) => {
  const property = fc.property(anyCrontab, (fields) => {
    const crontab = readCrontab(fields, '', 'UTC')
    fc.pre('spec' in crontab)
    const text = describeCrontab((crontab as { spec: CrontabSpec }).spec)
    const step = /every (\d+) (minutes|hours)/.exec(text)
    const isEven = !step || (step[2] === 'minutes' ? 60 : 24) % Number(step[1]) === 0
    return /^[a-z].*[^,\s]$/.test(text) && !/undefined|null|NaN|[*/#]|days in a month/.test(text) && isEven
  })
  fc.assert(property, { numRuns: 500 })
  t.end()
})
