/**
 * The pages: one document for all of them, since what is on each is drawn in the browser. It carries what AdminJS's own document does (the
 * first state, the theme, the bundles in their order) and nothing that comes from elsewhere, and it is our own text, because that
 * one puts the state into a script as it is. An address whose resource, record or page is unknown answers 404 with the same document.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Role } from '../../src/auth/scopes.ts'
import type { PanelAdmin } from '../adminjs.ts'
import { arrivedAs } from './arrival.ts'
import type { Files } from './files.ts'
import { html, json, makeNonce, sendPage, type Html } from './html.ts'
import { placeOfAdminJs, placeOfDesignSystem } from './slim.ts'

interface State extends Record<string, unknown> {
  branding: { companyName: string }
  resources: readonly object[]
}
interface Store {
  getState(): State
}
type InitializeStore = (admin: unknown, currentAdmin: object) => Promise<Store>

/** Those of AdminJS, each with the parts of the address that have to be known. */
const PLACES = [
  '',
  '/',
  '/pages/:page',
  '/resources/:resource',
  '/resources/:resource/actions/:action',
  '/resources/:resource/bulk/:action',
  '/resources/:resource/records/:record/:action',
] as const

export async function pageRoutes(
  app: FastifyInstance,
  { admin, root, files }: { admin: PanelAdmin; root: string; files: Files },
): Promise<void> {
  const initializeStore = await findInitializeStore()
  const theme = await findTheme()
  // What is in it beside the person hangs on the role alone, and takes some milliseconds to make.
  const states = new Map<Role, Promise<State>>()
  const stateFor = (role: Role): Promise<State> => {
    const made =
      states.get(role) ?? initializeStore(admin.adminjs, { role }).then((store) => lighten(store.getState()))
    states.set(role, made)
    return made
  }

  const send = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { name, role = 'viewer' } = arrivedAs(request)
    const state = { ...(await stateFor(role)), session: { email: name, role } }
    const nonce = makeNonce()
    if (!isKnown(admin, request.params as Place)) reply.code(404)
    return await sendPage(request, reply, { page: drawPage({ state, theme, nonce, files }), nonce })
  }
  for (const place of PLACES) app.get(`${root}${place}`, { config: { rowbeatPanel: 'page' } }, send)
}

/** AdminJS tells each property five times over, for lists and forms that are ours here. */
function lighten(state: State): State {
  const without = { listProperties: [], showProperties: [], editProperties: [], filterProperties: [] }
  return { ...state, resources: state.resources.map((resource) => ({ ...resource, ...without })) }
}

interface Place {
  resource?: string
  action?: string
  page?: string
}

function isKnown({ adminjs }: PanelAdmin, { resource, action, page }: Place): boolean {
  if (page !== undefined) return Object.hasOwn(adminjs.options.pages ?? {}, page)
  if (resource === undefined) return true
  const found = adminjs.resources.find(({ _decorated }) => _decorated?.id() === resource)
  return found !== undefined && (action === undefined || Object.hasOwn(found.decorate().actions, action))
}

function drawPage({
  state,
  theme,
  nonce,
  files,
}: {
  state: State
  theme: unknown
  nonce: string
  files: Files
}): Html {
  const script = (name: 'global.js' | 'design-system.js' | 'app.js' | 'panel.js'): Html =>
    html`<script nonce="${nonce}" src="${files.address(name)}"></script>`
  return html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${state.branding.companyName}</title>
      <link rel="icon" type="image/svg+xml" href="${files.address('icon.svg')}" />
      <link rel="stylesheet" href="${files.address('panel.css')}" />
      <script nonce="${nonce}">
        window.__webpack_nonce__ = ${json(nonce)}
        window.REDUX_STATE = ${json(state)}
        window.ROWBEAT_WORDS = ${json(files.words)}
        window.THEME = ${json(theme)}
        window.THEME_COMPONENTS = {}
        window.AdminJS = { Components: {} }
      </script>
      ${script('global.js')} ${script('design-system.js')} ${script('app.js')} ${script('panel.js')}
    </head>
    <body>
      <div id="app"></div>
      <script nonce="${nonce}">
        createRoot(document.getElementById('app')).render(AdminJS.Application)
      </script>
    </body>
  </html>`
}

/** AdminJS exports neither; both are what its own document is made of. */
async function findInitializeStore(): Promise<InitializeStore> {
  const address = new URL('./lib/frontend/store/index.js', placeOfAdminJs())
  return ((await import(address.href)) as { initializeStore: InitializeStore }).initializeStore
}

async function findTheme(): Promise<unknown> {
  const { combineStyles } = (await import(placeOfDesignSystem().href)) as { combineStyles: () => unknown }
  return combineStyles()
}
