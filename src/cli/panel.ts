/**
 * The panel, for who serves: put beside the API unless it was declined. Its package adminjs is optional, so where it is not installed the
 * service runs without a panel and says so once; nothing of the panel but two routes is loaded before the service listens.
 */
import type { FastifyInstance } from 'fastify'
import type { OutboundOptions } from '../outbound/policy.ts'
import { ConfigError } from '../errors.ts'
import type { Rowbeat } from '../queue/rowbeat.ts'

export interface PanelSetting {
  rowbeat: Rowbeat
  timezone: string
  outbound: OutboundOptions
}

const PREFIX = '/admin'

/** Where it is; null when it cannot be there. */
export async function mountPanel(app: FastifyInstance, setting: PanelSetting): Promise<string | null> {
  const { isPanelInstalled, rowbeatPanel } = await import('../../admin/panel.ts')
  if (!isPanelInstalled()) {
    app.log.info('there is no panel, because the package adminjs is not installed')
    return null
  }
  try {
    await app.register(rowbeatPanel, { ...setting, prefix: PREFIX })
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'FST_ERR_DUPLICATED_ROUTE') throw cause
    throw new ConfigError(
      `The app module has ${PREFIX}, where the panel would be: move it, or start with --no-admin.`,
      { cause },
    )
  }
  return PREFIX
}
