/**
 * The frame around the pages, without a mouse: the way past the navigation, the keys, the palette, dialogs that give the focus back;
 * theme and language that stay; what a role does not see; the menu of a phone; signing in and out. axe looks at each dialog.
 */
import t from 'tap'
import { findFlaws, overflowOf, withoutBrowser } from '../helpers/browser.ts'
import { openPanel, PASSWORD, PHONE } from '../helpers/panel.ts'

t.test('the frame', { skip: withoutBrowser }, async (t) => {
  const panel = await openPanel(t, { scene: false })
  const { page, heard, base } = panel
  const focused = (): Promise<string> =>
    page.evaluate(
      'document.activeElement.innerText || document.activeElement.getAttribute("aria-label") || ""',
    )

  await t.test('Tab begins at the way past the navigation, and takes it', async (t) => {
    await panel.visit('')
    await page.keyboard.press('Tab')
    t.equal(await focused(), 'Skip to content')
    await page.keyboard.press('Enter')
    t.equal(await page.evaluate('document.activeElement.id'), 'rb-main')
  })

  await t.test('? tells the keys; Escape closes and gives the focus back', async (t) => {
    const find = page.getByRole('button', { name: 'Find or go to…' })
    await find.focus()
    await page.keyboard.press('?')
    const help = page.getByRole('dialog', { name: 'Keyboard' })
    await help.waitFor()
    t.strictSame(await findFlaws(page), [])
    t.match(await help.innerText(), /Go to Schedules/)
    await page.keyboard.press('Escape')
    await help.waitFor({ state: 'hidden' })
    t.match(await focused(), /^Find or go to…/)
  })

  await t.test('g and a letter go to a page; typing into a field goes nowhere', async (t) => {
    for (const [letter, path] of [
      ['s', '/resources/schedules'],
      ['q', '/resources/queues'],
      ['r', '/resources/runs'],
      ['p', '/pages/problems'],
      ['w', '/resources/workers'],
      ['o', ''],
    ]) {
      await page.keyboard.press('g')
      await page.keyboard.press(letter!)
      await page.waitForURL(`${base}/admin${path}`)
    }
    await page.keyboard.press('/')
    await page.getByRole('combobox', { name: 'Find a run or go to a page' }).waitFor()
    await page.keyboard.type('g s')
    t.equal(new URL(page.url()).pathname, '/admin')
    await page.keyboard.press('Escape')
  })

  await t.test('Ctrl-K finds a page by some of its letters, and a run by its id', async (t) => {
    await page.keyboard.press('Control+k')
    const palette = page.getByRole('dialog', { name: 'Commands' })
    await palette.waitFor()
    await page.keyboard.type('audit')
    t.strictSame(await findFlaws(page), [])
    await page.keyboard.press('Enter')
    await page.waitForURL(`${base}/admin/resources/audit`)
    const id = '01a1fe87-3bd8-71c7-a513-7edc94c705fb'
    await page.keyboard.press('Control+k')
    await page.keyboard.type(id)
    await palette.getByRole('option', { name: id }).first().waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(`${base}/admin/resources/runs/records/${id}/show`)
  })

  await t.test('theme and language stay as they were chosen', async (t) => {
    await panel.visit('')
    await page.getByLabel('Theme').selectOption({ label: 'Dark' })
    await page.getByLabel('Language').selectOption({ label: 'Deutsch' })
    for (const step of ['at once', 'after a new start']) {
      await page.locator('html[lang=de]').waitFor({ state: 'attached' })
      await page.getByRole('heading', { name: 'Übersicht' }).waitFor()
      t.match(
        await page.evaluate('[document.documentElement.dataset.theme, document.documentElement.lang]'),
        ['dark', 'de'],
        step,
      )
      await page.reload()
      await panel.settled()
    }
    t.strictSame(await findFlaws(page), [])
    // Words that do not come leave what is there, and English at the start.
    await page.route('**/pl.json', (route) => route.fulfill({ body: 'none' }))
    await page.getByLabel('Sprache').selectOption({ label: 'Polski' })
    await page.getByRole('heading', { name: 'Übersicht' }).waitFor()
    await page.reload()
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    t.equal(await page.locator('html').getAttribute('lang'), 'en')
    await page.evaluate('localStorage.clear()')
    await page.reload()
  })

  await t.test('on a phone the pages are behind a menu', async (t) => {
    await page.setViewportSize(PHONE)
    await panel.visit('')
    t.ok((await overflowOf(page)) <= 0)
    const link = page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Queues' })
    t.notOk(await link.isVisible())
    await page.getByRole('button', { name: 'Menu' }).click()
    await link.waitFor()
    t.strictSame(await findFlaws(page), [])
    await link.click()
    await page.waitForURL(`${base}/admin/resources/queues`)
    await link.waitFor({ state: 'hidden' })
  })

  await t.test('a viewer is not shown what is not for viewers', async (t) => {
    const viewer = await panel.signIn('viewer')
    const pages = viewer.page.getByRole('navigation', { name: 'Pages' })
    t.match(await pages.innerText(), /Schedules/)
    t.notMatch(await pages.innerText(), /Users|API keys|Audit/)
    await viewer.page.goto('/admin/resources/users')
    t.match(await viewer.page.locator('main').innerText(), /Not for your role/)
    t.strictSame([viewer.heard.reports, viewer.heard.strangers, viewer.heard.dialogs], [[], [], []])

    // A session that ends takes nothing off the screen.
    await panel.sql`update rowbeat.sessions s set ended_at = now() from rowbeat.users u where u.id = s.user_id and u.email = 'viewer@example.com'`
    await pages.getByRole('link', { name: 'Queues' }).click()
    const word = viewer.page.getByRole('alert').filter({ hasText: 'Your session has ended' })
    t.equal(
      await word.getByRole('link', { name: 'Sign in' }).getAttribute('href'),
      '/admin/login?next=%2Fadmin%2Fresources%2Fqueues',
    )
    await viewer.context.close()
  })

  await t.test('signing out ends it, and the page to sign in is for everybody', async (t) => {
    await panel.visit('')
    await page
      .getByRole('button', { name: 'Sign out' })
      .or(page.getByRole('link', { name: 'Sign out' }))
      .click()
    await page.waitForURL(/\/admin\/log(in|out)/)
    await page.goto('/admin')
    await page.waitForURL(/\/admin\/login/)
    t.strictSame(await findFlaws(page), [])
    t.ok((await overflowOf(page)) <= 0)
    await page.locator('form').evaluate((form: { noValidate: boolean }) => void (form.noValidate = true))
    await page.locator('input[name=email]').fill('"><img src=x onerror=alert(1)>@example.com')
    await page.locator('input[name=password]').fill('wrong')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    t.strictSame(await findFlaws(page), [])
    await page.emulateMedia({ colorScheme: 'dark' })
    t.strictSame(await findFlaws(page, ['color-contrast']), [])
    await page.locator('input[name=email]').fill('admin@example.com')
    await page.locator('input[name=password]').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${base}/admin`)
  })
  t.strictSame([heard.reports, heard.strangers, heard.dialogs], [[], [], []])
})
