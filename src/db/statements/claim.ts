/**
 * The claim of a worker's lane. It travels through graphile-worker's pool in the place of graphile's own statement
 * (worker/claim.ts), so it is a text and not a function. Parameters: pool, task ids, how many.
 */
export const CLAIM_RUNS =
  '/* claim_runs */ select * from rowbeat.claim_v1($1::text, $2::integer[], $3::integer)'
