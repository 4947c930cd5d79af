/**
 * Sixty scripts in every text that is stored, and every page that shows them: no dialog opens, nobody else is asked, and
 * the policy has nothing to report, because nothing got so far that the policy had to stop it. The pages of one run and
 * one schedule are opened for the one that has all sixty; with ROWBEAT_XSS=all for each of them.
 */
import t from 'tap'
import { withoutBrowser } from '../helpers/browser.ts'
import { openPanel, type Panel } from '../helpers/panel.ts'
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
  await t.test('what comes with an address is not sent back as it is, and leads nowhere else', async (t) => {
    const addresses = ['/admin/login?next=', '/admin/resources/runs?q=', '/admin/resources/']
    for (const words of XSS)
      for (const path of addresses.map((address) => address + encodeURIComponent(words))) {
        const own = await page.request.get(path, { maxRedirects: 0 })
        const strange = await fetch(panel.base + path, { redirect: 'manual' })
        const texts = [await own.text(), await strange.text()].join('')
        if (/[<>"]/.test(words)) t.notOk(texts.includes(words), path)
        for (const to of [own.headers()['location'], strange.headers.get('location')])
          if (to) t.match(to, /^\/admin(\/|\?|$)/, path)
      }
  })

  const shown = new Set<string>()
  for (const path of [...places, ...more]) {
    await panel.visit(path)
    for (const button of await page.getByRole('button', { name: 'Show more' }).all()) await button.click()
    await panel.settled()
    const text = await readAll(panel)
    const here = XSS.filter((words) => text.includes(flat(words)))
    for (const words of here) shown.add(words)
    t.comment(`${here.length} of ${XSS.length} on ${path}`)
    t.strictSame(
      [
        heard.dialogs.splice(0),
        heard.reports.splice(0),
        heard.strangers.splice(0),
        await page.evaluate(LIVE),
      ],
      [[], [], [], []],
      path,
    )
  }
  t.strictSame(
    [...XSS].filter((words) => !shown.has(words)),
    [],
    'every one was shown, as text',
  )
})

/** All text of the page, with what is folded and what is behind its tabs. */
async function readAll({ page, settled }: Panel): Promise<string> {
  const texts: string[] = []
  const read = async (): Promise<void> => {
    await page.evaluate('for (const folded of document.querySelectorAll("main details")) folded.open = true')
    texts.push(flat(await page.locator('body').innerText()))
  }
  await read()
  for (const tab of await page.locator('main [role=tab][aria-selected=false]').all()) {
    await tab.click()
    await settled()
    await read()
  }
  return texts.join(' ')
}

const flat = (text: string): string => text.replaceAll(/\s+/g, ' ')

/** What in the document came to life out of a text: whatever of the sixty is an element, and links that lead where no page of ours does. */
const LIVE = `[...document.querySelectorAll('body *')].filter((element) =>
  element.matches('img, iframe, object, embed, video, audio, marquee, base, animate, body style, body link, meta') ||
  element.getAttributeNames().some((name) => name.startsWith('on')) ||
  (element.matches('a, form') && new URL(element.href ?? element.action, location).origin !== location.origin)
).map((element) => element.outerHTML)`
