/** What workers are told from the panel. A command is a row, so one that is not answered in time holds all the same. */
import { client, confirm, notify, t, type WorkerDocument } from '../kit/kit.ts'

type Named = Pick<WorkerDocument, 'name'>

export async function quiet({ name }: Named): Promise<boolean> {
  const yes = await confirm({
    title: t('workers.quietAsk', { name }),
    text: t('workers.quietText'),
    action: t('workers.quiet'),
  })
  return yes !== null && (await tell('quiet', name))
}

export async function unquiet({ name }: Named): Promise<boolean> {
  return await tell('unquiet', name)
}

export async function stop({ name }: Named): Promise<boolean> {
  const yes = await confirm({
    title: t('workers.stopAsk', { name }),
    text: t('workers.stopText'),
    danger: true,
    action: t('workers.stop'),
  })
  return yes !== null && (await tell('shutdown', name))
}

async function tell(command: string, name: string): Promise<boolean> {
  try {
    sayTold(name, await client.controlWorkers(command, { workers: [name] }))
    return true
  } catch (error) {
    notify('error', error)
    return false
  }
}

export function sayTold(name: string, { awaited }: { awaited: readonly string[] }): void {
  if (awaited.length === 0) notify('success', t('workers.told', { name }))
  else notify('info', t('workers.unheard', { name }))
}
