/**
 * Makes the role that owns Rowbeat's database, and the database, on a server where we are superuser: the built-in
 * PostgreSQL and the tests. The role is an ordinary one, so that whatever needs more rights fails at home first.
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
      select format('create role %I login password %L', ${role}::text, ${password}::text) as command
      where not exists (select from pg_roles where rolname = ${role})
      union all
      select format('create database %I owner %I', ${database}::text, ${role}::text)
      where not exists (select from pg_database where datname = ${database})`
    for (const { command } of missing) await sql.unsafe(command)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
