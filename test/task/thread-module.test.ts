import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/errors.js";
import { threadModule, threadModuleCheck } from "../../src/task/thread-module.js";
import { thrownBy } from "../support/manual-manager.js";

interface Exports {
  default: (payload: string) => number;
  crop: (payload: string) => number;
}
const url = new URL("file:///srv/resize.js");
/** As code without types may call it. */
const untyped = threadModule as (...given: readonly unknown[]) => unknown;

describe("threadModule", () => {
  it("names the default export, or the one that is asked for", () => {
    expect(threadModule<Exports>(url)).toMatchObject({ exportName: "default" });
    const crop = threadModule<Exports, "crop">(url, "crop");
    expect([crop.url.href, crop.exportName]).toEqual([url.href, "crop"]);
    expect(Object.isFrozen(crop)).toBe(true);
  });

  it("V1: keeps the URL as it was checked, whatever becomes of the one that was given", () => {
    const given = new URL(url);
    const module = threadModule<Exports>(given);
    given.href = "data:text/javascript,evil()";
    expect(module.url.href).toBe(url.href);
  });

  it("V1: takes URLs of files alone", () => {
    const wrong = ["data:text/javascript,evil()", "https://example.com/x.js", "node:fs"].map(
      (u) => new URL(u),
    );
    for (const value of [...wrong, url.href, "../../etc/x", undefined, null, { href: url.href }]) {
      expect(thrownBy(() => untyped(value))).toMatchObject({ option: "url", code: "MILLRACE_OPTION" });
    }
  });

  it("refuses what is no name of an export", () => {
    for (const name of ["", "x".repeat(257), 5, null, {}])
      expect(thrownBy(() => untyped(url, name))).toMatchObject({ option: "exportName" });
  });
});

describe("threadModuleCheck", () => {
  it("takes what threadModule made as it is, and a file URL for its default export", () => {
    const made = threadModule<Exports, "crop">(url, "crop");
    expect(threadModuleCheck(made, "module")).toBe(made);
    expect(threadModuleCheck(url, "module")).toMatchObject({ exportName: "default" });
    expect(threadModuleCheck(url, "module").url).not.toBe(url);
  });

  it("V1: refuses what only looks like one", () => {
    const made = threadModule<Exports>(url);
    const fakes = [
      { url, exportName: "crop" },
      Object.create(made),
      new Proxy(made, {}),
      "resize.js",
      null,
      5,
    ];
    for (const fake of fakes) expect(() => threadModuleCheck(fake, "module")).toThrow(OptionError);
  });
});
