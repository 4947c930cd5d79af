/** A schedule by what stands in the address: its id, or its name. */
import { client, type ScheduleDocument } from '../kit/kit.ts'

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export async function loadSchedule(which: string): Promise<ScheduleDocument> {
  if (ID.test(which)) return await client.getSchedule(which)
  const { items } = await client.listSchedules({ name: which })
  // Asked for once more by what is no id, so that the answer is the server's own 404.
  return items[0] ?? (await client.getSchedule(which))
}
