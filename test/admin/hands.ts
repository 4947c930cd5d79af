/**
 * Somebody at the panel, who counts: clicks (with choices from a list), fields typed into, seconds. A job starts on the
 * overview, as a person does, and ends when the page says that it is done.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Locator } from 'playwright-core'
import type { Panel } from '../helpers/panel.ts'

export interface Hands {
  click(what: Locator): Promise<void>
  type(what: Locator, text: string): Promise<void>
  choose(what: Locator, label: string | { value: string }): Promise<void>
}

export interface Tally {
  job: string
  clicks: number
  fields: number
  seconds: number
}

export async function count(
  panel: Panel,
  job: string,
  work: (hands: Hands) => Promise<void>,
): Promise<Tally> {
  await panel.visit('')
  const tally = { job, clicks: 0, fields: 0, seconds: 0 }
  const start = performance.now()
  await work({
    async click(what) {
      tally.clicks++
      await what.click()
    },
    async type(what, text) {
      tally.fields++
      await what.fill(text)
    },
    async choose(what, option) {
      tally.clicks++
      await what.selectOption(typeof option === 'string' ? { label: option } : option)
    },
  })
  tally.seconds = (performance.now() - start) / 1000
  return tally
}

const PAGE = 'docs/explanation/panel.md'
const TABLE = /(?<=<!-- jobs -->\n)[^]*(?=<!-- end of jobs -->)/

/** The table of the page in docs. */
export function writeTallies(tallies: readonly Tally[]): void {
  const rows = tallies.map(
    ({ job, clicks, fields, seconds }) => `| ${job} | ${clicks} | ${fields} | ${seconds.toFixed(1)} |`,
  )
  const table = ['| Job | Clicks | Fields | Seconds |', '| --- | --- | --- | --- |', ...rows, ''].join('\n')
  writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(TABLE, table))
}

/** Job -> what the page in docs says of its clicks and fields. */
export function readTallies(): Record<string, string> {
  const [table = ''] = TABLE.exec(readFileSync(PAGE, 'utf8')) ?? []
  const rows = table
    .split('\n')
    .slice(2, -1)
    .map((row) => row.split('|').map((cell) => cell.trim()))
  return Object.fromEntries(
    rows.map(([, job, clicks, fields]) => [job, `${clicks} clicks, ${fields} fields`]),
  )
}
