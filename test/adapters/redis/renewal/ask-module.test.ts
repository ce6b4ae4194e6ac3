import { describe, expect, test } from "vitest";
import { askModule } from "../../../../src/adapters/redis/renewal/inside/ask-module.js";

/** A module with that default export. */
function exporting(text: string): string {
  return `data:text/javascript,export default ${encodeURIComponent(text)}`;
}

describe("askModule", () => {
  test("gives the client that a module gives, at once or later", async () => {
    const client = "class Redis { duplicate() {} callBuffer() {} }";
    for (const text of [`() => new (${client})()`, `async () => new (${client})()`])
      expect(await askModule(exporting(text))).toMatchObject({ client: { duplicate: expect.any(Function) } });
  });

  test("gives its options, functions included", async () => {
    const { options } = (await askModule(exporting("async () => ({ host: 'h', retryStrategy() {} })"))) as {
      options: unknown;
    };
    expect(options).toEqual({ host: "h", retryStrategy: expect.any(Function) });
    expect(await askModule(exporting("() => Object.create(null)"))).toEqual({ options: {} });
  });

  test("finds the function in what compilers make of a default export", async () => {
    expect(await askModule(exporting("{ default: () => ({ host: 'h' }) }"))).toEqual({
      options: { host: "h" },
    });
  });

  test.each([
    ...["5", "undefined", "{ host: 'h' }", "{ default: { host: 'h' } }"],
    ...["() => undefined", "() => null", "() => 'redis://h'", "() => ['h']", "async () => 5"],
    ...["() => new Map()", "() => () => ({})", "() => ({ __proto__: { host: 'h' } })"],
  ])("refuses a default export like %s", async (text) => {
    await expect(askModule(exporting(text))).rejects.toThrow(TypeError);
  });

  test("throws what the module throws", async () => {
    await expect(askModule(exporting("() => { throw new RangeError('x') }"))).rejects.toThrow(RangeError);
    await expect(askModule(exporting("() => Promise.reject(7)"))).rejects.toBe(7);
    await expect(askModule("data:text/javascript,throw new RangeError('x')")).rejects.toThrow(RangeError);
    await expect(askModule("data:text/javascript,export const other = 1")).rejects.toThrow(TypeError);
  });
});
