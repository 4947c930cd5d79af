/**
 * Twelve things that somebody comes to the panel for, done in a browser with clicks and keys as a person would, and looked up in
 * the database afterwards. Each counts its clicks and fields, which docs/explanation/panel.md tells; ROWBEAT_SCREENSHOTS=1
 * writes that table anew.
 */
import t, { type Test } from 'tap'
import type { Locator } from 'playwright-core'
import { withoutBrowser } from '../helpers/browser.ts'
import { openPanel } from '../helpers/panel.ts'
import { until } from '../helpers/wait.ts'
import { count, readTallies, writeTallies, type Hands, type Tally } from './hands.ts'

t.test('twelve jobs', { skip: withoutBrowser }, async (t) => {
  const panel = await openPanel(t)
  const { page, sql, rowbeat, scene } = panel
  const main = page.locator('main')
  const dialog = page.getByRole('dialog')
  const side = (name: string): Locator =>
    page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true })
  const button = (name: string | RegExp, place: Locator = main): Locator =>
    place.getByRole('button', { name, exact: typeof name === 'string' })
  const link = (name: string | RegExp): Locator => main.getByRole('link', { name })
  const says = async (words: string | RegExp): Promise<void> => page.getByText(words).first().waitFor()
  const schedule = async (name: string): Promise<Record<string, any>> => {
    const [row] = await sql`select *, schedule as timing from rowbeat.schedules where name = ${name}`
    return row ?? {}
  }

  const jobs: Record<string, (hands: Hands, t: Test) => Promise<void>> = {
    'Make a schedule from nothing': async ({ click, type, choose }, t) => {
      await click(side('Schedules'))
      await click(button('New schedule').or(link('New schedule')))
      await type(main.getByLabel('Name'), 'stock: every weekday')
      await choose(main.getByLabel(/^Task/), 'reports.daily')
      await click(button('Weekdays'))
      await click(button('Create schedule'))
      await says('stock: every weekday is made')
      t.match(await schedule('stock: every weekday'), {
        task: 'reports.daily',
        enabled: true,
        kind: 'crontab',
      })
    },
    'Switch one off': async ({ click, type }, t) => {
      await click(side('Schedules'))
      await click(button('Switch off heart beat'))
      await type(dialog.getByLabel('Reason'), 'too many')
      await click(button('Switch off', dialog))
      await says('heart beat is switched off')
      t.match(await schedule('heart beat'), { enabled: false, pause_reason: 'too many' })
    },
    'Run one now': async ({ click }) => {
      await click(side('Schedules'))
      await click(button('Run now: lamps on'))
      await says('A run of lamps on is made')
      await until('its run succeeded', async () => {
        const [row] = await sql`select state from rowbeat.runs where schedule = 'lamps on'`
        return row?.state === 'SUCCESS'
      })
    },
    'Change its zone and see the preview change': async ({ click, type }, t) => {
      await click(side('Schedules'))
      await click(link('books: at night'))
      await click(link('Edit'))
      const head = main.getByRole('columnheader', { name: 'Europe/Kyiv', exact: true })
      await head.waitFor()
      await type(main.getByLabel('Time zone'), 'America/New_York')
      await main.getByRole('columnheader', { name: 'America/New_York' }).waitFor()
      // Four in the morning there, by the viewer's clock.
      await main
        .getByRole('cell')
        .getByText(/1[01]:00/)
        .first()
        .waitFor()
      await click(button('Save changes'))
      await says('books: at night is saved')
      t.match(await schedule('books: at night'), { timing: { timezone: 'America/New_York' }, version: 3 })
    },
    'Take a schedule back to what it was': async ({ click }, t) => {
      await click(side('Schedules'))
      await click(link('books: at night'))
      await click(page.getByRole('tab', { name: 'Versions' }))
      await click(button('Go back to version 1'))
      await click(button('Go back to this', dialog))
      await says('books: at night is what it was at version 1')
      t.match(await schedule('books: at night'), {
        timing: { timezone: 'Europe/Kyiv', hour: '3' },
        version: 4,
      })
    },
    'Find who edited it': async ({ click }) => {
      await click(side('Schedules'))
      await click(link('books: at night'))
      await click(page.getByRole('tab', { name: 'Versions' }))
      await says('admin@example.com')
    },
    'Find a failed import and retry it with a corrected input': async ({ click, type }, t) => {
      await click(side('Runs'))
      await type(
        main.getByLabel('Search'),
        'task:imports.load state:FAILURE input.user:42 input.file:books-42.xls',
      )
      await click(button('Search'))
      await click(link('imports.load'))
      await click(button('Retry with other input'))
      await type(dialog.getByLabel('file'), 'books-42.csv')
      await click(button('Retry', dialog))
      await main.getByText('Succeeded', { exact: true }).first().waitFor()
      const [row] = await sql`select state, input from rowbeat.runs where retry_of = ${scene.failed}`
      t.match(row, { state: 'SUCCESS', input: { file: 'books-42.csv', user: 42 } })
    },
    'Read a log live': async ({ click }) => {
      await click(side('Runs'))
      await click(button(/^Running/))
      await click(link('videos.encode'))
      const log = main.getByRole('log')
      await log
        .getByText(/frame \d+ of talk.mp4/)
        .first()
        .waitFor()
      const before = (await log.innerText()).length
      await until('another line has come', async () => (await log.innerText()).length > before)
    },
    'Revoke a run that runs': async ({ click }, t) => {
      await click(side('Runs'))
      await click(button(/^Running/))
      await click(link('videos.encode'))
      await click(button('Revoke'))
      await click(button('Revoke', dialog))
      await main.getByText('Revoked', { exact: true }).first().waitFor()
      const [row] = await sql`select state from rowbeat.run(${scene.running})`
      t.match(row, { state: 'REVOKED' })
    },
    'Pause a queue': async ({ click, type }, t) => {
      await click(side('Queues'))
      await click(link('imports'))
      await click(button('Pause'))
      await type(dialog.getByLabel('Reason'), 'the disk is full')
      await click(button('Pause', dialog))
      await says('Queue imports is paused')
      const [row] =
        await sql`select pause_reason from rowbeat.queues where name = 'imports' and paused_at is not null`
      t.match(row, { pause_reason: 'the disk is full' })
    },
    'See why a queue stands still': async ({ click }) => {
      await click(side('Problems'))
      await says(/reports.*no worker|no (live )?worker.*reports/i)
    },
    'Retry all that failed': async ({ click }) => {
      await rowbeat.enqueue('imports.load', { file: 'x.csv', user: 1 }, { queue: 'default' })
      await click(side('Runs'))
      await click(button(/^Failed/))
      await click(button('Select all that match'))
      await click(button('Retry'))
      await click(button('Retry', dialog))
      await until('they are retried', async () => {
        const [row] = await sql`select state, done from rowbeat.operations where kind = 'retry'`
        return row?.state === 'done' && Number(row.done) >= 30
      })
      await says(/\d+ of \d+/)
    },
  }

  const tallies: Tally[] = []
  for (const [job, work] of Object.entries(jobs))
    await t.test(job, async (t) => {
      tallies.push(await count(panel, job, (hands) => work(hands, t)))
      t.comment(JSON.stringify(tallies.at(-1)))
    })
  t.strictSame([panel.heard.reports, panel.heard.strangers, panel.heard.dialogs], [[], [], []])
  if (process.env.ROWBEAT_SCREENSHOTS === '1') writeTallies(tallies)
  t.strictSame(
    Object.fromEntries(tallies.map(({ job, clicks, fields }) => [job, `${clicks} clicks, ${fields} fields`])),
    readTallies(),
    'docs/explanation/panel.md tells the same',
  )
})
