/** What in a handler is not pure, and what to do instead. */
export interface Problem {
  readonly what: string
  readonly instead: string
}
