/**
 * `rowbeat beat`: fires schedules until it is stopped. Any number may run at once. `rowbeat worker -B` has one in the same
 * process, where a task that blocks the event loop makes it late.
 */
import type { Schedule } from '../schedules/schedule.ts'
import { loadModules } from './modules.ts'
import { serve, type ServeFlags, type Service, type Setting } from './serve.ts'

export interface BeatFlags extends ServeFlags {
  name?: string
}

export async function beat(flags: BeatFlags): Promise<number> {
  return await serve('beat', flags, async (setting) => {
    const { databaseUrl } = await setting.go()
    const { schedules } = await loadModules(setting.config, setting.given)
    return await beginBeat(setting, databaseUrl, schedules, flags.name)
  })
}

/** Starts a beat that declares these schedules. */
export async function beginBeat(
  { config, log }: Setting,
  databaseUrl: string,
  schedules: readonly Schedule[],
  name?: string,
): Promise<Service> {
  const { createBeat } = await import('../beat/beat.ts')
  const { timezone, prepare } = config
  const begun = createBeat({ databaseUrl, schedules, timezone, prepare, name, logger: log })
  await begun.start()
  return {
    url: null,
    document: { name: begun.name, schedules: schedules.map((schedule) => schedule.name) },
    stop: () => begun.stop(),
  }
}
