import { createRequire } from "node:module";

/** The instrumentation scope of everything that Millrace reports. */
export const SCOPE: { readonly name: string; readonly version: string } = createRequire(import.meta.url)(
  "../../../package.json",
);
