/**
 * Claims as the store sees them, so that order is judged by when a run was taken, not by when its handler began. An inversion
 * is a claim of a run while a better one (of better priority, or as good and older) waits that had been enqueued, its
 * caller told so, before that claim was asked for.
 */
import type postgres from 'postgres'

export interface Enqueued {
  id: string
  priority: number
  /** When the caller had the answer; milliseconds since 1970 by the clock that PostgreSQL has here too. */
  ackedAt: number
}

export interface Claim {
  id: string
  priority: number
  /** When the claim was asked for. */
  at: number
}

/** From now on each claim is a row of the table `claims`. */
export async function logClaims(admin: postgres.Sql): Promise<void> {
  await admin.unsafe(`
    create table public.claims (n bigserial, id text, priority int, at timestamptz);
    create function public.note_claim() returns trigger language plpgsql security definer as $$ begin
      insert into public.claims (id, priority, at) values (new.key, new.priority, statement_timestamp()); return null; end $$;
    create trigger note_claim after update of locked_at on rowbeat_queue._private_jobs
      for each row when (old.locked_at is null and new.locked_at is not null) execute function public.note_claim()`)
}

export async function readClaims(admin: postgres.Sql): Promise<Claim[]> {
  return await admin<
    Claim[]
  >`select id, priority, extract(epoch from at)::float8 * 1000 as at from public.claims order by at, priority, n`
}

/** How many claims took a run while a better one waited. */
export function countInversions(
  enqueued: readonly Enqueued[],
  claims: readonly Claim[],
): { priority: number; age: number } {
  const acked = enqueued.toSorted((a, b) => a.ackedAt - b.ackedAt)
  const taken = new Set<string>()
  const lines = new Map<number, { ids: string[]; head: number }>()
  const inversions = { priority: 0, age: 0 }
  let known = 0
  for (const { id, priority, at } of claims) {
    // A millisecond of grace: clocks of callers tell whole ones.
    for (; known < acked.length && acked[known]!.ackedAt + 1 < at; known++) {
      const run = acked[known]!
      const line = lines.get(run.priority) ?? { ids: [], head: 0 }
      line.ids.push(run.id)
      lines.set(run.priority, line)
    }
    taken.add(id)
    let better = false
    for (const [rank, line] of lines) {
      while (line.head < line.ids.length && taken.has(line.ids[line.head]!)) line.head++
      if (rank < priority && line.head < line.ids.length) better = true
    }
    if (better) inversions.priority++
    // Whoever is younger in its line than the head, which was known before this claim, has overtaken it.
    const own = lines.get(priority)
    if (own && own.head < own.ids.length && own.ids.indexOf(id, own.head) > own.head) inversions.age++
  }
  return inversions
}
