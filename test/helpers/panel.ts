/**
 * The panel, open in a browser: `const panel = await openPanel(t)` is a fresh database, the API with the panel on it, one
 * Chromium, and somebody who has signed in by the form. `scene: true` fills the database (scene.ts).
 */
import type { BrowserContext, Page } from 'playwright-core'
import { pino } from 'pino'
import { rowbeatPanel } from '../../admin/panel.ts'
import { createServer } from '../../src/api/server.ts'
import { hashPassword } from '../../src/auth/password.ts'
import { ROLE_SCOPES, type Caller, type Role } from '../../src/auth/scopes.ts'
import { createRowbeat, type Rowbeat } from '../../src/index.ts'
import { findUser, saveUser } from '../../src/db/statements/users.ts'
import { listenTo, openBrowser, settle, type Heard } from './browser.ts'
import { setup, type Bundle } from './bundle.ts'
import { SCENE_TASKS, setScene, type Scene } from './scene.ts'

/** Windows: of a desk, of a phone. */
export const DESK = { width: 1200, height: 760 }
export const PHONE = { width: 360, height: 740 }
export const PASSWORD = 'correct horse battery'

export interface Panel extends Bundle {
  rowbeat: Rowbeat
  /** Address of the service, without a slash at its end. */
  base: string
  context: BrowserContext
  /** Signed in, on the first page. */
  page: Page
  heard: Heard
  scene: Scene
  /**
   * Opens a page of the panel (`/resources/runs`) and waits until it has what it shows. From another page of it, as a link
   * does: loading three megabytes of scripts each time is what takes long.
   */
  visit(path: string): Promise<void>
  /** Waits until the page has what it shows. */
  settled(): Promise<void>
  /** The browser of somebody else. */
  signIn(role: Role): Promise<Visitor>
}

export interface Visitor {
  context: BrowserContext
  page: Page
  heard: Heard
}

export interface PanelOptions {
  role?: Role
  /** Of who signs in; default `<role>@example.com`. */
  email?: string
  /** Default true. */
  scene?: boolean
  theme?: 'light' | 'dark'
  /** After the scene, before anybody signs in. */
  prepare?: (bundle: Bundle) => Promise<void>
}

type Owner = Parameters<typeof setup>[0]

export async function openPanel(t: Owner, options: PanelOptions = {}): Promise<Panel> {
  const { role = 'admin', email = `${role}@example.com`, theme = 'light' } = options
  const bundle = await setup(t)
  const rowbeat = createRowbeat({ db: bundle.sql, tasks: SCENE_TASKS })
  const app = createServer({ rowbeat, version: '1.0.0', logger: pino({ level: 'silent' }) })
  app.register(rowbeatPanel, { rowbeat })
  t.teardown(async () => {
    await app.close()
    await rowbeat.close()
  })
  const [base, actor] = await Promise.all([
    app.listen({ port: 0, host: '127.0.0.1' }),
    makePerson(bundle, email, role),
  ])
  const stage = { ...bundle, rowbeat, actor: { ...actor, scopes: ROLE_SCOPES.admin } }
  const scene = options.scene === false ? ({} as Scene) : await setScene(t, stage)
  await options.prepare?.(bundle)

  const browser = await openBrowser(t)
  const signIn = async (who: string): Promise<Visitor> => {
    const context = await browser.newContext({
      baseURL: base,
      colorScheme: theme,
      locale: 'en-GB',
      timezoneId: 'Europe/Kyiv',
      viewport: DESK,
      reducedMotion: 'reduce',
    })
    context.setDefaultTimeout(10_000)
    const heard = await listenTo(context, base)
    const page = await context.newPage()
    await page.goto('/admin/login')
    // Addresses that no browser takes for one are in the tests, and could be in a database.
    await page.locator('form').evaluate((form: { noValidate: boolean }) => void (form.noValidate = true))
    await page.locator('input[name=email]').fill(who)
    await page.locator('input[name=password]').fill(PASSWORD)
    await page.locator('button[type=submit]').first().click()
    await page.waitForURL((url) => !url.pathname.endsWith('/login'))
    await settle(page, heard)
    return { context, page, heard }
  }
  const { context, page, heard } = await signIn(email)
  return {
    ...bundle,
    rowbeat,
    base,
    context,
    page,
    heard,
    scene,
    settled: () => settle(page, heard),
    async visit(path) {
      const isInside = page.url().startsWith(`${base}/admin`) && !page.url().endsWith('/login')
      if (isInside)
        await page.evaluate(
          `history.pushState({}, '', '/admin${path}'), dispatchEvent(new PopStateEvent('popstate'))`,
        )
      else await page.goto(`/admin${path}`)
      await settle(page, heard)
    },
    async signIn(other) {
      const name = `${other}@example.com`
      await makePerson(bundle, name, other)
      return await signIn(name)
    },
  }
}

async function makePerson({ db }: Bundle, email: string, role: Role): Promise<Caller> {
  await saveUser(db, { email, passwordHash: await hashPassword(PASSWORD), role })
  const { id } = (await findUser(db, email))!
  return {
    kind: 'user',
    id,
    name: email,
    scopes: ROLE_SCOPES[role],
    role,
    origin: { via: 'panel', address: '192.0.2.7' },
  }
}
