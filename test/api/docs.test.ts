/**
 * /docs in a browser: it shows the operations, asks nobody but us, and breaks no rule of its policy. Without a browser on this
 * machine (CHROMIUM, or chromium on the PATH) that part is left out, and the rest is looked at from outside.
 */
import { execFileSync } from 'node:child_process'
import { chromium } from 'playwright-core'
import t from 'tap'
import { createDocsPages, POLICY } from '../../src/api/openapi/docs-page.ts'
import { serve } from './world.ts'

const world = await serve(t)
const { call } = world

function findBrowser(): string | null {
  try {
    return process.env.CHROMIUM ?? execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

t.test('the page and its files are ours, and strict about it', async (t) => {
  const page = await call('GET', '/docs', undefined, { key: null })
  t.equal(page.status, 200)
  t.match(page.headers, { 'content-type': /^text\/html/, 'content-security-policy': POLICY })
  for (const [, address = ''] of page.text.matchAll(/(?:src|href)="([^"]*)"/g)) {
    const file = await call('GET', `/${address}`, undefined, { key: null })
    t.equal(file.status, 200, address)
    t.notOk(/^https?:/.test(address), 'relative')
    const again = await call('GET', `/${address}`, undefined, {
      key: null,
      headers: { 'if-none-match': String(file.headers.etag) },
    })
    t.equal(again.status, 304)
  }
  for (const name of [
    'package.json',
    '..%2fpackage.json',
    '%2e%2e%2fpackage.json',
    '__proto__',
    'index.html',
  ])
    t.equal((await call('GET', `/docs/${name}`, undefined, { key: null })).status, 404, name)
  t.notMatch(POLICY, /unsafe|https?:|\*/)
})

t.test('where swagger-ui-dist is not installed the page says so', async (t) => {
  const pages = createDocsPages(null)
  t.match(String(pages.page().body), /npm install swagger-ui-dist/)
  t.equal(await pages.file('swagger-ui.css'), null)
})

const browserPath = findBrowser()
t.test('in a browser', { skip: browserPath === null && 'there is no chromium' }, async (t) => {
  const base = await world.listen()
  const browser = await chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const asked: string[] = []
  const complaints: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.addInitScript(() => {
    const heard: string[] = ((globalThis as any).heard = [])
    ;(globalThis as any).document.addEventListener('securitypolicyviolation', (event: any) =>
      heard.push(`${event.violatedDirective} ${event.blockedURI}`),
    )
  })
  await page.goto(`${base}/docs`)
  await page.click('#operations-tag-runs, [data-tag="runs"]')
  const operation = page.locator('#operations-runs-enqueueRun')
  await operation.click()
  await operation.locator('.opblock-body').waitFor()
  await operation.locator('text=idempotency_key').first().waitFor()
  t.match(await page.title(), 'Rowbeat API')
  t.ok((await page.locator('.opblock').count()) > 5)
  t.strictSame(
    asked.filter((url) => !url.startsWith(base) && !url.startsWith('data:')),
    [],
    'nobody else is asked',
  )
  t.strictSame(await page.evaluate('heard'), [], 'the policy is broken nowhere')
  t.strictSame(complaints, [])
  if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT })
})
