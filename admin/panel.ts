/**
 * The panel as a Fastify plugin, for our own server or an app of yours:
 *
 *   app.register(rowbeatPanel, { rowbeat, prefix: '/admin' })
 *
 * The app has two light routes and nothing else of it: they hand the raw request to an inner Fastify instance of the panel's own, which is
 * loaded a moment after the app listens, or by the first request. So it delays no start; what the panel needs (AdminJS is optional)
 * may be missing and the service runs all the same: the panel's addresses answer 503 and the log says why. It closes with the app.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { describeProblem } from '../src/api/problem.ts'
import { ConfigError, RowbeatError } from '../src/errors.ts'
import type { OutboundOptions } from '../src/outbound/policy.ts'
import type { Rowbeat } from '../src/queue/rowbeat.ts'
import type { Inner, InnerOptions } from './shell/inner.ts'
import { withSlimAdminJs } from './shell/slim.ts'

export interface PanelOptions {
  /** What createRowbeat gave you; it stays yours to close. */
  rowbeat: Rowbeat
  /** Where it is; default /admin. */
  prefix?: string
  /** Zone of crontabs that name none; default UTC. */
  timezone?: string
  /** What addresses of webhooks are judged by, as the workers' option of this name. */
  outbound?: OutboundOptions
  /** Streams open at once; default 1,000. */
  streamsMax?: number
}

/** After the app listens; a request that comes before does not wait for it. */
const LOAD_AFTER_MS = 300
/** After a load that failed, the next request to try again. */
const RETRY_MS = 10_000

/** Whether its optional package is there. */
export function isPanelInstalled(): boolean {
  try {
    import.meta.resolve('adminjs')
    return true
  } catch {
    return false
  }
}

/** Registers the panel under `prefix`. Throws ConfigError. */
export async function rowbeatPanel(app: FastifyInstance, options: PanelOptions): Promise<void> {
  if (!options?.rowbeat?.tasks)
    throw new ConfigError('rowbeatPanel: `rowbeat` must be what createRowbeat gave you.')
  // Fastify has taken a prefix that was given into app.prefix already.
  if (options.prefix) mount(app, options)
  else await app.register(async (scope) => mount(scope, options), { prefix: '/admin' })
}

function mount(app: FastifyInstance, options: PanelOptions): void {
  const { load, close } = createLoading(app, { ...options, root: app.prefix })
  const route = {
    method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const,
    exposeHeadRoute: false,
    onRequest: async (request: FastifyRequest, reply: { hijack(): unknown; raw: ServerResponse }) => {
      reply.hijack()
      const { id, ip, protocol, host } = request
      const inner = await load()
      if (inner) inner.take(request.raw, reply.raw, { id, ip, protocol, host })
      else sayUnavailable(reply.raw, id)
    },
    handler: () => {},
  }
  app.route({ ...route, method: [...route.method], url: '' })
  app.route({ ...route, method: [...route.method], url: '/*' })

  let timer: NodeJS.Timeout | undefined
  app.addHook('onListen', () => {
    timer = setTimeout(() => void load(), LOAD_AFTER_MS).unref()
  })
  app.addHook('preClose', async () => {
    clearTimeout(timer)
    await close()
  })
}

/** Loads once, whoever asks; what failed is logged, told as null, and tried again after a while. */
function createLoading(
  app: FastifyInstance,
  options: Omit<InnerOptions, 'logger'>,
): { load(): Promise<Inner | null>; close(): Promise<void> } {
  let loading: Promise<Inner | null> | null = null
  let isClosed = false

  const load = async (): Promise<Inner | null> => {
    try {
      return await withSlimAdminJs(async () => {
        const { createInner } = await import('./shell/inner.ts')
        return await createInner({ ...options, logger: app.log })
      })
    } catch (error) {
      const err = explain(error)
      app.log.error({ err }, 'the panel is not there')
      setTimeout(() => {
        loading = null
      }, RETRY_MS).unref()
      return null
    }
  }
  return {
    load: () => (isClosed ? Promise.resolve(null) : (loading ??= load())),
    async close() {
      isClosed = true
      await (await loading)?.close()
    },
  }
}

function explain(error: unknown): unknown {
  if (error instanceof RowbeatError) return error
  const { code, message = '' } = error as NodeJS.ErrnoException
  if (code === 'ERR_MODULE_NOT_FOUND' && /'adminjs'/.test(message))
    return new ConfigError(
      'The panel needs the package adminjs: install it (npm install adminjs), or start without the panel (--no-admin).',
      { cause: error },
    )
  return error
}

function sayUnavailable(response: ServerResponse, id: string): void {
  const detail = 'The panel could not be loaded: the log of this process says why.'
  const body = JSON.stringify({ ...describeProblem('RB_PANEL_UNAVAILABLE', detail, '', id) })
  response.writeHead(503, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'retry-after': '10',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}
