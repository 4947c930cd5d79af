/** The word that marks the one line of a child's output that is its answer. */
export const MARK = '@bench '
