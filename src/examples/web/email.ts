/**
 * What counts as a mail address: one @, no spaces, nothing that separates addresses, letters of any language.
 * Whether the mailbox exists only its server knows.
 */
import { z } from 'zod'

export const emailAddress = z
  .string()
  .trim()
  .max(254)
  .regex(/^[^\s\p{C}@<>(),;:"\\[\]]{1,64}@[^\s\p{C}@<>(),;:"\\[\]./]+(\.[^\s\p{C}@<>(),;:"\\[\]./]+)*$/u)
