/**
 * What counts as a mail address: one @, no spaces, nothing that separates addresses, letters of any language.
 * Whether the mailbox exists only its server knows. A
 * page that everybody may see shows an address in part.
 */
import { z } from 'zod'

export const emailAddress = z
  .string()
  .trim()
  .max(254)
  .regex(/^[^\s\p{C}@<>(),;:"\\[\]]{1,64}@[^\s\p{C}@<>(),;:"\\[\]./]+(\.[^\s\p{C}@<>(),;:"\\[\]./]+)*$/u)

export function maskAddress(email: string): string {
  const at = email.lastIndexOf('@')
  return `${email.slice(0, Math.min(at, 2))}…${email.slice(at)}`
}
