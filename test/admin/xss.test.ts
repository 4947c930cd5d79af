/**
 * Sixty scripts in every text that is stored, and every page that shows them: no dialog opens, nobody else is asked, and
 * the policy has nothing to report, because nothing got so far that the policy had to stop it. The pages of one run and
 * one schedule are opened for the one that has all sixty; with ROWBEAT_XSS=all for each of them.
 */
import t from 'tap'
import { withoutBrowser } from '../helpers/browser.ts'
import { openPanel } from '../helpers/panel.ts'
import { plant, XSS, type Planted } from '../helpers/xss.ts'
import { listPlaces } from './places.ts'

t.test('scripts in every field', { skip: withoutBrowser }, async (t) => {
  let planted: Planted
  const panel = await openPanel(t, {
    email: `${XSS[2]}@example.com`.toLowerCase(),
    scene: false,
    prepare: async ({ admin }) => void (planted = await plant(admin)),
  })
  const { page, heard, sql } = panel
  const { runs, all, schedules } = planted!
  const [audit] = await sql`select id from rowbeat.audit_log where action = ${XSS[0]!}`
  const [live] = await sql`select id from rowbeat.runs where task = 'xss.live' limit 1`
  const subjects = { failed: all, running: live!.id, schedule: schedules[0]!, audit: audit!.id }
  const places = listPlaces(subjects as never).map(({ path }) =>
    path.replace('/mail/', '/xss1/').replace(encodeURIComponent('ada@mill'), encodeURIComponent(XSS[0]!)),
  )
  const more =
    process.env.ROWBEAT_XSS === 'all'
      ? [
          ...runs.map((id) => `/resources/runs/records/${id}/show`),
          ...schedules.flatMap((id) =>
            ['show', 'edit'].map((does) => `/resources/schedules/records/${id}/${does}`),
          ),
        ]
      : []
  let shown = 0
  for (const path of [...places, ...more]) {
    await panel.visit(path)
    for (const { name, click } of LISTS) if (path.endsWith(name)) await page.locator(click).first().click()
    await panel.settled()
    const text = await page.locator('body').innerText()
    shown += XSS.filter((words) => text.includes(words)).length
    t.strictSame(
      [heard.dialogs.splice(0), heard.reports.splice(0), heard.strangers.splice(0)],
      [[], [], []],
      path,
    )
  }
  t.ok(shown > 10 * XSS.length, `they are shown: ${shown}`)
})

/** What has to be clicked to see more of a list. */
const LISTS: { name: string; click: string }[] = []
