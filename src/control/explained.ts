/**
 * The verbs of a noun, with what PostgreSQL refuses in our words: every verb may be refused by a constraint or a trigger, and a
 * catch in each would be forgotten in one. Errors that are ours already pass as they are.
 */
import { RowbeatError } from '../errors.ts'

/** `explain` turns what a verb threw, called with `given`, into an error of ours, or answers it as it is. */
export function explained<Verbs extends object>(
  verbs: Verbs,
  explain: (error: unknown, given: readonly unknown[]) => unknown,
): Verbs {
  const wrapped = Object.entries(verbs).map(([name, verb]) => [
    name,
    async (...given: unknown[]) => {
      try {
        return await (verb as (...given: unknown[]) => Promise<unknown>)(...given)
      } catch (error) {
        throw error instanceof RowbeatError ? error : explain(error, given)
      }
    },
  ])
  return Object.freeze(Object.fromEntries(wrapped)) as unknown as Verbs
}
