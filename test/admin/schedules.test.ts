/**
 * Schedules in the browser, beyond the scripted jobs: faults at their fields, a dry run that leaves nothing, somebody else's save
 * in between, the way back, many at once, a stretch of the past, a crowd at midnight that is parted. axe looks at each dialog.
 */
import t from 'tap'
import { findFlaws, withoutBrowser } from '../helpers/browser.ts'
import { openPanel } from '../helpers/panel.ts'
import { until } from '../helpers/wait.ts'

t.test('schedules', { skip: withoutBrowser }, async (t) => {
  const panel = await openPanel(t, { scene: false })
  const { page, heard, sql, visit, settled } = panel
  const button = (name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' })
  const dialog = page.getByRole('dialog')
  const rowOf = async (name: string): Promise<any> =>
    (await sql`select * from rowbeat.schedules where name = ${name}`)[0]

  await t.test('what is wrong stands at its field; a dry run leaves nothing; then it is made', async (t) => {
    await visit('/resources/schedules/actions/new')
    await button('Create schedule').click()
    await page.getByText('must be text of 1 to 200 characters', { exact: true }).waitFor()
    t.equal(await page.getByLabel('Task').getAttribute('aria-invalid'), 'true')
    await page.getByLabel('Name').fill('by hand')
    await page.getByLabel('Task').selectOption('reports.daily')
    await page.getByLabel('Every so often').check()
    await page.getByLabel('Every', { exact: false }).last().fill('x')
    await page
      .getByText(/must be a whole number/)
      .first()
      .waitFor()
    await page.locator('input[inputmode=decimal]').fill('20')
    await page.getByText('every 20 minutes', { exact: true }).waitFor()
    await button('Dry run').click()
    await dialog.getByText(/Nothing was made/).waitFor()
    t.match(await dialog.innerText(), /task: "reports.daily"[^]*schedule: "by hand"/)
    t.strictSame(await findFlaws(page), [], 'axe on the dialog')
    await dialog.getByRole('button', { name: 'Close' }).click()
    t.notOk(await rowOf('by hand'))
    await button('Create schedule').click()
    await page.getByRole('heading', { name: 'by hand', exact: true }).waitFor()
    t.match(await rowOf('by hand'), { schedule: { every: 20, period: 'minutes' }, enabled: true })
  })

  await t.test('who was overtaken is told by whom, and may save over it', async (t) => {
    await page.getByRole('link', { name: 'Edit', exact: true }).click()
    await page.getByLabel('Description').fill('mine')
    await sql`update rowbeat.schedules set priority = 9 where name = 'by hand'`
    await button('Save changes').click()
    await page.getByText('Version 2 by rowbeat: priority').waitFor()
    t.strictSame(await findFlaws(page), [], 'axe')
    t.match(await rowOf('by hand'), { description: '' }, 'nothing is lost silently')
    await button('Save mine over it').click()
    await page.getByRole('heading', { name: 'by hand', exact: true }).waitFor()
    t.match(await rowOf('by hand'), { description: 'mine', priority: 9, version: 3 })
  })

  await t.test('the versions say who changed what; one of them comes back', async (t) => {
    await page.getByRole('tab', { name: 'Versions' }).click()
    await page.getByRole('heading', { name: /Version 3/ }).waitFor()
    const told = await page.getByRole('tabpanel').innerText()
    t.match(
      told,
      /Version 3[^]*admin@example.com · Panel[^]*description[^]*mine[^]*Version 2[^]*rowbeat · SQL/,
    )
    t.strictSame(await findFlaws(page), [], 'axe')
    await button('Go back to version 1').click()
    await dialog.getByLabel('Reason').fill('was better')
    t.match(await dialog.innerText(), /description[^]*mine/)
    t.strictSame(await findFlaws(page), [], 'axe on the dialog')
    await dialog.getByRole('button', { name: 'Go back to this' }).click()
    await page.getByRole('heading', { name: /Version 4/ }).waitFor()
    t.match(await rowOf('by hand'), { description: '', priority: null, version: 4 })
    const [log] = await sql`select via, actor, reason from rowbeat.audit_log where action = 'schedule.revert'`
    t.match(log, { via: 'panel', actor: 'admin@example.com', reason: 'was better' })
  })

  await t.test('a stretch of the past is shown before it is fired', async (t) => {
    await sql`update rowbeat.schedules set anchor_at = '2026-01-01T00:00:00Z' where name = 'by hand'`
    await page.getByRole('tab', { name: 'Firings' }).click()
    await button('Fire a stretch of the past').click()
    await dialog.getByLabel('From').fill('2026-02-01T00:00:00')
    await dialog.getByLabel('To', { exact: true }).fill('2026-02-01T01:00:00')
    await dialog.getByRole('button', { name: 'Show which' }).click()
    await dialog.getByText('4 would be fired; 0 were fired before.').waitFor()
    t.strictSame(await findFlaws(page), [], 'axe on the dialog')
    await dialog.getByRole('button', { name: 'Fire them' }).click()
    await page.getByText('4 fired').waitFor()
    t.equal((await sql`select 1 from rowbeat.firings where reason = 'backfill'`).length, 4)
  })

  await t.test('it is switched off until an instant', async (t) => {
    await button('Switch off').click()
    await dialog.getByLabel('Switch on again at').fill('2099-01-01T02:00:00')
    await dialog.getByLabel('Reason').fill('a long rest')
    t.strictSame(await findFlaws(page), [], 'axe on the dialog')
    await dialog.getByRole('button', { name: 'Switch off' }).click()
    await button('Switch on').waitFor()
    const { pause_reason, resume_at, enabled } = await rowOf('by hand')
    t.strictSame([pause_reason, resume_at, enabled], ['a long rest', new Date('2099-01-01T00:00:00Z'), false])
  })

  await t.test('many at once; the filter stands in the address', async (t) => {
    for (const name of ['load a', 'load b', 'load c'])
      await sql`select rowbeat.create_schedule(${name}, 'reports.daily', '{"kind": "crontab", "minute": "17", "hour": "0"}')`
    await visit('/resources/schedules')
    await page.getByLabel('Name or task').fill('load ')
    await page.waitForURL(/search=load/)
    await page.getByLabel('Select all rows shown').check()
    const group = page.getByRole('group', { name: '3 selected' })
    await group.getByRole('button', { name: 'Switch off' }).click()
    await dialog.getByLabel('Reason').fill('night off')
    await dialog.getByRole('button', { name: 'Confirm' }).click()
    await page.getByText('Done to 3 schedules').waitFor()
    t.match(await rowOf('load b'), { enabled: false, pause_reason: 'night off' })
    t.strictSame(await findFlaws(page), [], 'axe')
    await sql`update rowbeat.schedules set enabled = true where name like 'load %'`
  })

  await t.test('who falls due together is parted by a jitter', async (t) => {
    await visit('/pages/timeline')
    const crowd = page.getByRole('row').filter({ hasText: 'load a' }).filter({ hasText: 'A jitter of' })
    t.match(await crowd.innerText(), /load a[^]*load b[^]*load c/)
    await crowd.getByRole('button', { name: 'Set this jitter' }).click()
    await dialog.getByRole('button', { name: 'Set this jitter' }).click()
    await until('the crowd is gone', async () => (await crowd.count()) === 0)
    t.equal(
      (await sql`select 1 from rowbeat.schedules where name like 'load %' and jitter = '1 minute'`).length,
      3,
    )
  })

  await t.test('who may only look is offered nothing else', async (t) => {
    const viewer = await panel.signIn('viewer')
    const { id } = await rowOf('by hand')
    await viewer.page.goto(`/admin/resources/schedules/records/${id}/show?tab=versions`)
    await viewer.page.getByRole('heading', { name: /Version 4/ }).waitFor()
    t.equal(await viewer.page.getByRole('button', { name: /Go back|Switch off|Run now|Delete/ }).count(), 0)
    t.notMatch(await viewer.page.getByRole('tabpanel').innerText(), /admin@example.com/, 'nor told who')
    t.strictSame(viewer.heard.complaints, [])
  })
  await settled()
  t.strictSame(
    heard.failures.filter((failure) => !/^(422|412) /.test(failure)),
    [],
  )
  t.strictSame([heard.reports, heard.strangers, heard.dialogs], [[], [], []])
})
