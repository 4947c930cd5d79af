/**
 * Runs and failures in a browser: the list that is searched, counted, live, and has a verb for many at once; one run with why it is as it is,
 * its log as it is said, and what may be done with it; failures by what they have in common.
 */
import t from 'tap'
import { findFlaws, withoutBrowser } from '../helpers/browser.ts'
import { openPanel } from '../helpers/panel.ts'
import { until } from '../helpers/wait.ts'

t.setTimeout(90_000)

/** Rows of a page. */
const PAGE = 50

t.test('runs', { skip: withoutBrowser }, async (t) => {
  const panel = await openPanel(t)
  const { page, sql, rowbeat, heard, scene } = panel
  const button = (name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' })
  const dialog = page.getByRole('dialog')
  const rows = page.locator('tbody tr')
  const search = page.getByRole('searchbox', { name: 'Search', exact: true })
  const show = (id: string): Promise<void> => panel.visit(`/resources/runs/records/${id}/show`)
  const why = (): Promise<string> => page.locator('.rb-run-why').innerText()

  await t.test('states are buttons with how many there are, and stand in the address', async (t) => {
    await panel.visit('/resources/runs')
    const [{ n }] =
      (await sql`select count(*)::integer as n from rowbeat.results where state = 'FAILURE'`) as unknown as [
        { n: number },
      ]
    await button(`Failed ${n}`).click()
    await page.waitForURL(/state=FAILURE/)
    await panel.settled()
    t.equal(await button(/^Failed/).getAttribute('aria-pressed'), 'true')
    t.equal(await rows.count(), Math.min(n, PAGE))
    await button(/^Running/).click()
    await page.waitForURL(/FAILURE%2CSTARTED%2CPROGRESS/)
    await page.reload()
    await panel.settled()
    t.equal(await rows.count(), Math.min(n + 1, PAGE), 'a link to it shows the same')
  })

  await t.test(
    'a search is helped, refused with the place of its fault, and kept in the address',
    async () => {
      await panel.visit('/resources/runs')
      await rowbeat.enqueue('imports.load', { file: 'x.csv', user: 1 }, { delay: '1 hour' })
      await search.fill('taks:x')
      await page.getByText(/at character 1: "taks" is no field of a run/).waitFor()
      await search.fill('tas')
      await button('task').click()
      await search.press('End')
      await page.keyboard.type('imports.load input.file:x.csv')
      await page.keyboard.press('Enter')
      await page.waitForURL(/q=task%3Aimports/)
      await until('the one', async () => (await rows.count()) === 1)
      await panel.visit('/resources/runs?q=tag:nobody')
      await page.getByText('No run matches').waitFor()
      await button('Show all runs').click()
      await until('all of them', async () => (await rows.count()) > 10)
    },
  )

  await t.test('columns are chosen, and stay with the link', async (t) => {
    await panel.visit('/resources/runs?state=FAILURE')
    await page.locator('.rb-columns summary').click()
    await page.getByLabel('Worker', { exact: true }).check()
    await page.getByLabel('Queue', { exact: true }).uncheck()
    await page.getByRole('columnheader', { name: 'Worker' }).waitFor()
    await page.getByRole('columnheader', { name: 'Queue', exact: true }).waitFor({ state: 'detached' })
    t.match(page.url(), /cols=/)
    t.strictSame(await findFlaws(page), [], 'axe with the choice open')
  })

  await t.test('rows change in place; new ones wait behind a button', async (t) => {
    await panel.visit('/resources/runs?q=task:imports.load')
    const run = await rowbeat.enqueue('imports.load', { file: 'x.csv', user: 1 }, { delay: '1 hour' })
    await rowbeat.enqueue('reports.daily', {}, { delay: '1 hour' })
    await button('Show 1 new').click()
    const row = rows.first()
    await row.locator('.rb-state-scheduled').waitFor()
    await row.getByRole('link', { name: run.id.slice(-8) }).waitFor()
    await rowbeat.run(null, run.id).revoke()
    await row.locator('.rb-state-revoked').waitFor()
    t.equal(await button(/new$/).count(), 0)
  })

  await t.test('what was chosen is deleted as an operation, and the list shows it', async (t) => {
    await panel.visit('/resources/runs?q=state:failed task:payments.charge')
    const before = await rows.count()
    t.ok(await button('Delete').isDisabled(), 'nothing is chosen')
    for (const n of [0, 1]) await rows.nth(n).getByRole('checkbox').click()
    await page.getByText('2 selected').waitFor()
    await button('Delete').click()
    await dialog.getByLabel(/Runs a second/).fill('many')
    await dialog.getByText('must be a number above 0').waitFor()
    t.strictSame(await findFlaws(page), [], 'axe with the dialog open')
    await dialog.getByLabel(/Runs a second/).fill('1000')
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.getByText('2 of 2').waitFor()
    await until('two fewer', async () => (await rows.count()) === before - 2)
    const [row] =
      await sql`select actor, via from rowbeat.audit_log where target_kind = 'operation' order by at desc limit 1`
    t.match(row, { actor: 'admin@example.com', via: 'panel' })
  })

  await t.test('all that match are revoked, slowly, and stopped on the way', async (t) => {
    await rowbeat.enqueueMany(
      Array.from({ length: 30 }, () => ({
        task: 'reports.daily',
        input: {},
        delay: '2 days',
        tags: ['slow'],
      })) as never,
    )
    await panel.visit('/resources/runs?q=tag:slow')
    await button('Select all that match').click()
    await button('Revoke').click()
    await dialog.getByLabel(/Runs a second/).fill('2')
    await dialog.getByLabel('Reason').fill('too many')
    await dialog.getByRole('button', { name: 'Revoke' }).click()
    await button('Stop').click()
    await page.locator('.rb-operation[data-state=stopped]').waitFor()
    const [{ n }] =
      (await sql`select count(*)::integer as n from rowbeat.parked where payload::jsonb->'tags' ? 'slow'`) as unknown as [
        { n: number },
      ]
    t.ok(n > 20, `${n} of 30 are left`)
  })

  await t.test('failures come in groups, each with its runs, and is retried as a whole', async (t) => {
    await sql`select rowbeat.count_failures_v1('0')`
    await panel.visit('/pages/failures')
    const group = rows.filter({ hasText: 'TimeoutError' })
    await group.getByText('charge (payments/bank.ts)').waitFor()
    // Two of them were deleted above: what failed is counted, and not uncounted.
    const counted = Number(await group.locator('td.rb-right .rb-cell-value').innerText())
    const count = counted - 2
    await group.getByRole('button').click()
    t.strictSame(await findFlaws(page), [], 'axe with the dialog open')
    await dialog.getByRole('button', { name: 'Retry' }).click()
    await page.getByText(`${count} of ${count}`).waitFor()
    t.equal(await rows.count(), count, 'the list shows the runs of the group')
    await panel.visit('/pages/failures?task=imports.load')
    t.equal(await rows.filter({ hasText: 'TimeoutError' }).count(), 0)
  })

  await t.test('a run says why it is as it is', async (t) => {
    const expected: [keyof typeof scene, RegExp][] = [
      ['failed', /^Failed: its handler threw/],
      ['paused', /^Waits: queue mail is paused: the mail server moves house$/],
      ['unserved', /^Waits: no live worker serves queue reports\.$/],
      ['unknown', /^Waits: no live worker knows task legacy\.cleanup\.$/],
      ['scheduled', /^Scheduled: may run in/],
      ['retrying', /^Try 1 of 5 failed; the next begins/],
      ['running', /^Runs on .*@mill, begun/],
    ]
    for (const [name, words] of expected) {
      await show(scene[name])
      t.match(await why(), words, name)
    }
    await show('0199c0de-4a5b-7c6d-8e9f-0a1b2c3d4e5f')
    await page.getByRole('heading', { name: 'No such run' }).waitFor()
  })

  await t.test('what a run says is there within a second; it is found in, and cut by level', async (t) => {
    await show(scene.running)
    const lines = page.locator('.rb-log-line')
    await until('lines', async () => (await lines.count()) > 0)
    await sql`insert into rowbeat.logs (run_id, at, attempt, level, message) values (${scene.running}, clock_timestamp(), 1, 'warn', 'the disk is nearly full')`
    const began = performance.now()
    await page.getByText('the disk is nearly full').waitFor()
    t.ok(performance.now() - began < 2000, `${performance.now() - began} ms`)
    await page.getByLabel('Level').selectOption('warn')
    await until('one line', async () => (await lines.count()) === 1)
    await page.getByLabel('Level').selectOption('')
    await page.getByLabel('Find in the log').fill('nearly FULL')
    await until('one line', async () => (await lines.count()) === 1)
  })

  await t.test('a call can be copied for a shell, SQL, code and the command line', async (t) => {
    await show(scene.failed)
    for (const [tab, words] of [
      ['curl', /^curl 'http:\/\/127\.0\.0\.1:\d+\/v1\/runs'/],
      ['SQL', /^select rowbeat\.enqueue\('imports\.load'/],
      ['TypeScript', /^const run = await rowbeat\.enqueue\("imports\.load"/],
      ['CLI', /^rowbeat call 'imports\.load'/],
    ] as const) {
      await page.getByRole('tab', { name: tab }).click()
      t.match(await page.getByRole('tabpanel').locator('code').innerText(), words)
    }
  })

  await t.test('a viewer sees all of it and is offered nothing', async (t) => {
    const viewer = await panel.signIn('viewer')
    await viewer.page.goto(`/admin/resources/runs/records/${scene.failed}/show`)
    await viewer.page.getByText(/^Failed: its handler threw/).waitFor()
    t.equal(await viewer.page.getByRole('button', { name: /^(Retry.*|Delete|Revoke)$/ }).count(), 0)
    await viewer.page.goto('/admin/resources/runs')
    await viewer.page.locator('tbody tr').first().waitFor()
    t.equal(
      await viewer.page.getByRole('button', { name: /^(Retry|Delete|Revoke|Select all.*)$/ }).count(),
      0,
    )
    await viewer.context.close()
  })

  t.strictSame([heard.reports, heard.strangers, heard.dialogs], [[], [], []])
})
