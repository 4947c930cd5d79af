/**
 * Overview, problems, queues and workers in a browser: what they tell is so in the database, what is pressed is done there and stands in
 * the audit log, and what happens is on the screen without a reload.
 */
import t from 'tap'
import { findFlaws, settle, withoutBrowser } from '../helpers/browser.ts'
import { openPanel } from '../helpers/panel.ts'
import { until } from '../helpers/wait.ts'

t.test('operating', { skip: withoutBrowser }, async (t) => {
  const panel = await openPanel(t)
  const { page, sql, rowbeat, heard } = panel
  const button = (name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' })
  const dialog = page.getByRole('dialog')
  const tile = (name: string) => page.locator('.rb-tile', { has: page.getByText(name, { exact: true }) })
  const done = async (action: string, target: string): Promise<Record<string, unknown>> => {
    let row: Record<string, unknown> | undefined
    await until(`${action} of ${target} in the audit log`, async () => {
      ;[row] =
        await sql`select actor, via, reason, after from rowbeat.audit_log where action = ${action} and target = ${target} order by at desc limit 1`
      return row !== undefined
    })
    return row!
  }

  await t.test('the overview says what is wrong, and follows what happens', async (t) => {
    await panel.visit('')
    const verdict = page.locator('.rb-verdict')
    t.match(await verdict.innerText(), /No process ever registered task legacy\.cleanup.*and 2 more/s)
    await tile('Running').getByText('of 20 slots').waitFor()
    const scheduled = tile('Scheduled').locator('.rb-tile-value')
    const before = Number(await scheduled.innerText())
    await rowbeat.enqueue('reports.daily', {}, { delay: '1 day' })
    await until('one more that is scheduled', async () => Number(await scheduled.innerText()) === before + 1)
    t.equal(await page.getByRole('img', { name: /Runs that finished/ }).count(), 1)
    await page.getByLabel('By', { exact: true }).selectOption('task')
    await page.getByRole('rowheader', { name: 'reports.daily' }).waitFor()
    t.match(page.url(), /by=task/)
  })

  await t.test('each problem has its evidence and its fix', async (t) => {
    await page.getByRole('link', { name: 'and 2 more' }).click()
    const paused = page.locator('.rb-problem', { hasText: 'Queue mail is paused' })
    t.match(await paused.innerText(), /the mail server moves house; 40 runs wait/)
    t.equal(
      await paused.getByRole('link', { name: 'Queues' }).getAttribute('href'),
      '/admin/resources/queues/records/mail/show',
    )
    await paused.getByRole('button', { name: 'Resume queue' }).click()
    await paused.waitFor({ state: 'detached' })
    t.match(await done('queue.resume', 'mail'), { actor: 'admin@example.com', via: 'panel' })

    const unknown = page.locator('.rb-problem', { hasText: 'legacy.cleanup' })
    await unknown.getByRole('button', { name: 'Revoke these runs' }).click()
    await dialog.getByLabel('Reason').fill('a name of last year')
    await dialog.getByRole('button', { name: 'Revoke these runs' }).click()
    await until('the run is revoked', async () => {
      const [row] = await sql`select state from rowbeat.run(${panel.scene.unknown})`
      return row!.state === 'REVOKED'
    })
    await page.getByText('REVOKED', { exact: false }).first().waitFor({ state: 'attached' })

    await panel.visit('/pages/problems')
    const unserved = page.locator('.rb-problem', { hasText: 'No live worker serves queue reports' })
    await unserved.getByText('rowbeat worker -Q reports', { exact: true }).waitFor()
    await unserved.getByRole('button', { name: 'Move runs…' }).click()
    await dialog.getByLabel('To the queue').fill('default')
    await dialog.getByRole('button', { name: 'Move' }).click()
    await until('they are moved and done', async () => {
      const [row] = await sql`select count(*)::int as n from rowbeat.runs where queue = 'reports'`
      return row!.n === 0
    })
  })

  await t.test('a queue is paused with a reason and an end, limited, resumed and emptied', async (t) => {
    await panel.visit('/resources/queues')
    await button('Pause: high').click()
    t.strictSame(await findFlaws(page), [], 'axe with the dialog open')
    await dialog.getByLabel('Reason').fill('the provider is down')
    await dialog.getByLabel('Until').selectOption({ label: 'in 1 hour' })
    await dialog.getByRole('button', { name: 'Pause' }).click()
    await button('Resume: high').waitFor()
    t.match(await done('queue.pause', 'high'), { via: 'panel', reason: 'the provider is down' })
    const [pause] =
      await sql`select extract(epoch from resume_at - now()) / 60 as minutes from rowbeat.queues where name = 'high'`
    t.ok(Math.abs(Number(pause!.minutes) - 60) < 2, String(pause!.minutes))

    await page.getByRole('link', { name: 'high', exact: true }).click()
    await page.getByText('the provider is down').waitFor()
    await button('Limits').click()
    await dialog.getByLabel('Starts in a time').fill('ten')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.locator('.rb-fault').first().waitFor()
    await dialog.getByLabel('Starts in a time').fill('5/s')
    await dialog.getByLabel('Runs at once').fill('3')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    t.match((await sql`select concurrency, rate from rowbeat.queues where name = 'high'`)[0], {
      concurrency: 3,
      rate: '5/s',
    })

    await rowbeat.enqueue('reports.daily', {}, { queue: 'high' })
    await page.getByRole('link', { name: 'The queue is paused' }).waitFor()
    await button('Purge').click()
    const purge = dialog.getByRole('button', { name: 'Purge' })
    t.equal(await purge.isDisabled(), true, 'not before its name is typed')
    await dialog.getByLabel('Type high to confirm').fill('high')
    await purge.click()
    await page.getByRole('region', { name: 'Operation' }).or(page.locator('.rb-operation')).first().waitFor()
    await until('nothing waits', async () => {
      const [row] =
        await sql`select count(*)::int as n from rowbeat.runs where queue = 'high' and finished_at is null`
      return row!.n === 0
    })
    await button('Resume').click()
    await button('Pause').waitFor()

    await panel.visit('/resources/queues')
    await button('New queue').click()
    await dialog.getByLabel('Name').fill('Not A Name')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog
      .getByText(/must match/)
      .first()
      .waitFor()
    await dialog.getByLabel('Name').fill('letters')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.waitForURL(/records\/letters\/show/)
    await button('Delete').click()
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.waitForURL(/resources\/queues$/)
  })

  await t.test('a worker tells what it is at, and does what it is told', async (t) => {
    await panel.visit('/resources/workers')
    t.equal(await page.getByRole('rowheader').count(), 2)
    const [row] =
      await sql`select name from rowbeat.workers w, jsonb_array_elements(w.running) r where r->>'id' = ${panel.scene.running}`
    const name = row!.name as string
    await page.getByRole('link', { name }).click()
    await page.getByRole('rowheader', { name: /videos\.encode/ }).waitFor()
    await button('Dump stacks').click()
    await dialog.getByText(/"active"/).waitFor()
    await dialog.getByRole('button', { name: 'Close' }).click()
    await button('Concurrency').click()
    await dialog.getByLabel('Runs at once').fill('7')
    await dialog.getByLabel('In the queue').selectOption('default')
    await dialog.getByRole('button', { name: 'Set' }).click()
    await dialog.waitFor({ state: 'detached' })
    await until('the worker has it', async () => {
      const [worker] = await sql`select queues->'default' as n from rowbeat.workers where name = ${name}`
      return worker!.n === 7
    })
    await button('Quiet').click()
    await dialog.getByRole('button', { name: 'Quiet' }).click()
    await button('Take runs again').click()
    await button('Quiet').waitFor()
    const told =
      await sql`select distinct via from rowbeat.audit_log where action in ('control.quiet', 'control.unquiet', 'control.set_concurrency')`
    t.strictSame([...told], [{ via: 'panel' }])
  })

  await t.test('who may only look is shown no buttons', async (t) => {
    const { page: seen, heard: told } = await panel.signIn('viewer')
    for (const place of [
      '/pages/problems',
      '/resources/queues',
      '/resources/queues/records/default/show',
      '/resources/workers',
    ]) {
      await seen.goto(`/admin${place}`)
      await settle(seen, told)
      const verbs = /^(Pause|Resume|Purge|Limits|New queue|Move|Revoke these runs|Quiet|Stop)/
      t.equal(await seen.locator('main').getByRole('button', { name: verbs }).count(), 0, place)
    }
  })
  t.strictSame(
    heard.failures.filter((line) => !/42[0-9]/.test(line)),
    [],
  )
  t.strictSame(heard.reports, [])
})
