/**
 * What one attempt keeps for those who share it: middleware puts it there, the handler finds it. It is empty
 * here; give it the members that you use:
 *
 * ```ts
 * declare module "millrace" {
 *   interface TaskLocals {
 *     user?: string;
 *   }
 * }
 * ```
 */
// biome-ignore lint/suspicious/noEmptyInterface: only an interface can be extended by who uses it
export interface TaskLocals {}
