/**
 * Every page of the panel in a browser, light and dark, at a desk and on a phone: it complains of nothing, asks nobody but
 * us, breaks no rule of its policy; axe finds nothing serious; nothing has to be scrolled sideways. Pictures of the pages
 * go into docs/images/panel where one is missing, or all of them with ROWBEAT_SCREENSHOTS=1.
 */
import { existsSync, mkdirSync } from 'node:fs'
import t from 'tap'
import { findFlaws, overflowOf, withoutBrowser } from '../helpers/browser.ts'
import { DESK, openPanel, PHONE, type Panel } from '../helpers/panel.ts'
import { listDialogs, listPlaces, type Place } from './places.ts'

const IMAGES = 'docs/images/panel'

t.test('the pages', { skip: withoutBrowser }, async (t) => {
  const panel = await openPanel(t)
  const { page, heard, scene, sql } = panel
  const [schedule] = await sql`select id from rowbeat.schedules where name = 'books: at night'`
  const [audit] = await sql`select id from rowbeat.audit_log where action = 'schedule.update'`
  const subjects = { ...scene, schedule: schedule!.id, audit: audit!.id }
  const places = listPlaces(subjects)
  const only = process.env.ROWBEAT_PAGE?.split(',')

  for (const place of places.filter(({ name }) => !only || only.includes(name)))
    await t.test(place.name, async (t) => {
      await panel.visit(place.path)
      t.equal((await page.request.get(page.url())).status(), 200, 'is there at its address, too')
      t.not(await page.locator('main h1').first().innerText(), '', 'has a heading')
      await takePicture(panel, place, 'light')
      t.strictSame(await findFlaws(page), [], 'axe')
      await page.setViewportSize(PHONE)
      t.ok((await overflowOf(page)) <= 0, `fits ${PHONE.width} px: ${await overflowOf(page)} too wide`)
      await page.setViewportSize(DESK)
      await page.emulateMedia({ colorScheme: 'dark' })
      await takePicture(panel, place, 'dark')
      t.strictSame(await findFlaws(page, ['color-contrast']), [], 'axe in the dark')
      await page.emulateMedia({ colorScheme: 'light' })
      t.strictSame(heard.complaints.splice(0), [], 'console')
      t.strictSame(heard.failures.splice(0), [], 'answers')
    })
  for (const { name, path, opener } of listDialogs(subjects).filter(
    ({ name }) => !only || only.includes(name.split(':')[0]!),
  ))
    await t.test(name, async (t) => {
      if (new URL(page.url()).pathname !== `/admin${path}`) await panel.visit(path)
      await page.getByRole('main').getByRole('button', { name: opener, exact: true }).first().click()
      const dialog = page.getByRole('dialog')
      await dialog.waitFor()
      await panel.settled()
      t.strictSame(await findFlaws(page), [], 'axe')
      await page.setViewportSize(PHONE)
      t.ok((await overflowOf(page, 'dialog')) <= 0, 'fits a phone')
      await page.setViewportSize(DESK)
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'hidden' })
      t.strictSame(heard.complaints.splice(0), [], 'console')
    })
  t.strictSame(heard.reports, [], 'reports of the policy')
  t.strictSame(heard.strangers, [], 'requests to others')
  t.strictSame(heard.dialogs, [])

  await t.test('and what listens to them hears', async (t) => {
    await page.evaluate(
      `document.body.insertAdjacentHTML('beforeend', '<img src="https://evil.example/x" onerror="alert(1)">')`,
    )
    await panel.settled()
    t.match(heard.reports.splice(0).join('\n'), /img-src|script-src/)
    t.ok(heard.complaints.length > 0)
    await page.goto('about:blank')
    await page.setContent('<script>alert(1)</script><p><input></p>')
    t.match(heard.dialogs, [/alert: 1/])
    t.match((await findFlaws(page)).join('\n'), /^label at input/m)
  })
})

async function takePicture({ page }: Panel, { name }: Place, theme: 'light' | 'dark'): Promise<void> {
  const path = `${IMAGES}/${name}-${theme}.png`
  if (existsSync(path) && process.env.ROWBEAT_SCREENSHOTS !== '1') return
  mkdirSync(IMAGES, { recursive: true })
  await page.screenshot({ path, animations: 'disabled' })
}
