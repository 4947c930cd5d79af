/**
 * Makes the role that owns Rowbeat's database, and the database, on a server where we are superuser: the
 * built-in PostgreSQL and the tests. The role is an ordinary one, so that whatever needs more rights fails at
 * home first.
 *
 * Its search_path is set, because the default begins with a schema of the role's own name: with a role
 * `rowbeat` the user's unqualified tables would land among ours, and a statement of ours that forgot its
 * schema would seem to work.
 */
import { connect } from './connect.ts'

export interface Owner {
  readonly role: string
  readonly password: string
  readonly database: string
}

/** Makes what is missing; harmless when both are there. */
export async function ensureOwner(adminUrl: string, { role, password, database }: Owner): Promise<void> {
  const sql = connect({ url: adminUrl, role: 'setup', max: 1 })
  try {
    // Utility statements take no parameters: the server quotes the names and the password for us.
    const missing = await sql<{ command: string }[]>`/* ensure_owner */
      select command from (
        select 1 as step,
          format('create role %I login password %L', ${role}::text, ${password}::text) as command
        where not exists (select from pg_roles where rolname = ${role})
        union all
        select 2, format('alter role %I set search_path = public', ${role}::text)
        where not exists (select from pg_roles where rolname = ${role})
        union all
        select 3, format('create database %I owner %I', ${database}::text, ${role}::text)
        where not exists (select from pg_database where datname = ${database})
      ) as missing order by step`
    for (const { command } of missing) await sql.unsafe(command)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
