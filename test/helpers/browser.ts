/**
 * A browser for tests, and an ear on what its pages do: what a page complains of, whom it asks, whether it opened a
 * dialog. Without a browser on this machine (CHROMIUM, or chromium on the PATH) `browserPath` is null and tests that
 * need one are left out.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { chromium, type Browser, type BrowserContext, type Page, type Request } from 'playwright-core'
import { until } from './wait.ts'

export const browserPath = findBrowser()
/** For `t.test(name, { skip: withoutBrowser }, …)`. */
export const withoutBrowser = browserPath === null && 'there is no chromium'

function findBrowser(): string | null {
  try {
    return process.env.CHROMIUM ?? execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim()
  } catch {
    return null
  }
}

interface Owner {
  teardown(handler: () => unknown): unknown
}

/** Closed when `t` ends. */
export async function openBrowser(t: Owner): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: browserPath!, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  return browser
}

export interface Heard {
  /** Errors and warnings of the console, and exceptions that nobody caught. */
  readonly complaints: string[]
  /** Reports of the content security policy. */
  readonly reports: string[]
  /** Requests to any other host. */
  readonly strangers: string[]
  readonly dialogs: string[]
  /** Answers of 400 and above: `500 /admin/…`. */
  readonly failures: string[]
  /** Requests that are on their way; streams of events are not among them. */
  readonly pending: Set<Request>
}

/** What pages of this context do from now on; `base` is the one host they may ask. */
export async function listenTo(context: BrowserContext, base: string): Promise<Heard> {
  const heard: Heard = {
    complaints: [],
    reports: [],
    strangers: [],
    dialogs: [],
    failures: [],
    pending: new Set(),
  }
  await context.exposeBinding('__report', (_source, words: string) => void heard.reports.push(words))
  await context.addInitScript(
    `document.addEventListener('securitypolicyviolation', (event) =>
       __report(['violatedDirective', 'blockedURI', 'sample', 'sourceFile', 'columnNumber'].map((key) => event[key]).join(' ')))`,
  )
  const own = new URL(base).origin
  context.on('page', (page) => listenToPage(page, own, heard))
  for (const page of context.pages()) listenToPage(page, own, heard)
  return heard
}

function listenToPage(page: Page, own: string, heard: Heard): void {
  page.on('console', (message) => {
    const words = `${message.text()} (${page.url()})`
    if (message.type() === 'error' || message.type() === 'warning') heard.complaints.push(words)
  })
  page.on('pageerror', (error) => heard.complaints.push(`${error.stack ?? error} (${page.url()})`))
  page.on('request', (request) => {
    heard.pending.add(request)
    const url = new URL(request.url())
    if (url.origin !== own && !['data:', 'blob:'].includes(url.protocol)) heard.strangers.push(request.url())
  })
  for (const end of ['requestfinished', 'requestfailed'] as const)
    page.on(end as 'requestfinished', (request) => void heard.pending.delete(request))
  page.on('response', (response) => {
    const isStream = response.headers()['content-type']?.startsWith('text/event-stream')
    if (isStream) heard.pending.delete(response.request())
    if (response.status() >= 400)
      heard.failures.push(`${response.status()} ${new URL(response.url()).pathname}`)
  })
  page.on('dialog', (dialog) => {
    heard.dialogs.push(`${dialog.type()}: ${dialog.message()} (${page.url()})`)
    dialog.dismiss().catch(() => {})
  })
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What axe finds on the page as it stands, serious or critical, a line for each place. It goes in by the debugger, so the policy
 * stays as it is.
 */
export async function findFlaws(page: Page, rules?: string[]): Promise<string[]> {
  if (!(await page.evaluate('typeof axe === "object"'))) await page.evaluate(axeSource)
  const options = { resultTypes: ['violations'], ...(rules && { runOnly: rules }) }
  const { violations } = await page.evaluate<{ violations: Violation[] }>(
    `axe.run(document, ${JSON.stringify(options)})`,
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary}`),
    )
}

interface Violation {
  id: string
  impact: string
  nodes: { target: string[]; failureSummary: string }[]
}

/** Resolves when the page has its heading and has asked for nothing for a while. */
export async function settle(page: Page, heard: Heard): Promise<void> {
  await page.locator('h1').first().waitFor()
  let quietSince = performance.now()
  await until('the page has what it shows', () => {
    if (heard.pending.size > 0) quietSince = performance.now()
    return performance.now() - quietSince > QUIET_MS
  })
}

const QUIET_MS = 150

/** By how many pixels a part is wider than its place: what one would have to scroll sideways. Default the page and its main part. */
export async function overflowOf(page: Page, parts = 'html, main'): Promise<number> {
  return await page.evaluate(
    `Math.max(...[...document.querySelectorAll(${JSON.stringify(parts)})].map((part) => part.scrollWidth - part.clientWidth))`,
  )
}
