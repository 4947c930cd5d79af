/** A crontab as one line: what Celery's from_string takes, cron's nicknames, and what is no line. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseCronLine, readCrontab } from '../../src/schedules/crontab.ts'

const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/conformance/${name}.json`, import.meta.url), 'utf8'))

const fields = (line: string) => {
  const parsed = parseCronLine(line)
  return 'fields' in parsed ? Object.values(parsed.fields) : parsed.fault
}

t.test("Celery's facts about lines hold", (t) => {
  const whole = { minute: '*', hour: '*', day_of_month: '*', month_of_year: '*', day_of_week: '*' }
  for (const { test, input, expect } of load('upstream_test_facts').from_string) {
    const wanted =
      expect === 'ValueError'
        ? null
        : Object.entries({ ...whole, ...expect }).map(([key, value]) => [key, String(value)])
    const parsed = parseCronLine(input)
    if (wanted) t.strictSame(parsed, { fields: Object.fromEntries(wanted) }, test)
    else t.hasProp(parsed, 'fault', test)
  }
  for (const vector of load('crontab_invalid').from_string_5_6_3)
    if (vector.ok) t.strictSame(fields(vector.input), vector.fields)
  t.end()
})

t.test('blanks of any kind and number part the fields', (t) => {
  t.strictSame(fields('  0\t9  * *\t* '), ['0', '9', '*', '*', '*'])
  t.end()
})

t.test('nicknames are lines that can run', (t) => {
  for (const name of [
    '@yearly',
    '@annually',
    '@monthly',
    '@weekly',
    '@daily',
    '@midnight',
    '@hourly',
    '@Daily',
  ]) {
    const parsed = parseCronLine(name)
    t.ok('fields' in parsed && 'spec' in readCrontab(parsed.fields, '', 'UTC'), name)
  }
  t.strictSame(fields('@daily'), ['0', '0', '*', '*', '*'])
  t.strictSame(fields('@weekly'), ['0', '0', '*', '*', '0'])
  t.end()
})

t.test('what is no line is told why', (t) => {
  const cases: [line: string, fault: RegExp][] = [
    ['', /five fields, minute hour day-of-month month day-of-week: there are none/],
    ['* * * *', /there are 4$/],
    ['0 0 9 * * *', /there are 6 \(no seconds/],
    ['TZ=UTC 0 9 * * *', /there are 6 .*no TZ=/],
    ['1, 2 * * * *', /no blanks within a field/],
    ['@reboot', /cannot be @reboot: a schedule belongs to the database/],
    ['@fortnightly', /must be one of @yearly, .*"@fortnightly" is not/],
    ['@constructor', /must be one of/],
    ['@', /must be one of/],
  ]
  for (const [line, fault] of cases) t.match(fields(line), fault, line)
  t.end()
})
