import * as api from "@opentelemetry/api";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, test } from "vitest";
import { Guard } from "../../../src/adapters/otel/guard.js";
import { LateMeter } from "../../../src/adapters/otel/late-meter.js";
import { SCOPE } from "../../../src/adapters/otel/scope.js";
import { ManualClock } from "../../../src/testing/index.js";

afterEach(() => api.metrics.disable());

function lookOut(provider?: api.MeterProvider) {
  const clock = new ManualClock();
  const state = { wanted: true, errors: 0, meters: [] as api.Meter[] };
  const guard = new Guard({ recordError: () => state.errors++ });
  const parts = { api, clock, guard, provider, wanted: () => state.wanted };
  const late = new LateMeter(parts, (meter) => state.meters.push(meter));
  return { clock, state, late };
}

describe("a late meter", () => {
  test("is there at once where a provider is given, or has registered itself", () => {
    expect(lookOut(new MeterProvider()).state.meters).toHaveLength(1);
    api.metrics.setGlobalMeterProvider(new MeterProvider());
    const { clock, state } = lookOut();
    expect([state.meters.length, clock.timers]).toEqual([1, 0]);
  });

  test("comes when the present call has returned, where the SDK has started in it", async () => {
    const { clock, state } = lookOut();
    api.metrics.setGlobalMeterProvider(new MeterProvider());
    expect(state.meters).toEqual([]);
    await null;
    expect([state.meters.length, clock.timers]).toEqual([1, 0]);
  });

  test("is there at once for who asks for a look, and once only", async () => {
    const { clock, state, late } = lookOut();
    await null;
    late.look();
    expect(state.meters).toEqual([]);
    api.metrics.setGlobalMeterProvider(new MeterProvider());
    late.look();
    late.look();
    await clock.advance(10_000);
    expect([state.meters.length, clock.timers]).toEqual([1, 0]);
  });

  test("comes within a millisecond where the SDK starts in the same breath", async () => {
    const { clock, state } = lookOut();
    await null;
    api.metrics.setGlobalMeterProvider(new MeterProvider());
    expect(state.meters).toEqual([]);
    await clock.advance(1);
    expect([state.meters.length, clock.timers]).toEqual([1, 0]);
  });

  test("comes within a second, however late the SDK starts", async () => {
    const { clock, state } = lookOut();
    await clock.advance(3_600_000);
    expect([state.meters.length, clock.timers]).toEqual([0, 1]);
    api.metrics.setGlobalMeterProvider(new MeterProvider());
    await clock.advance(1_000);
    expect([state.meters.length, clock.timers]).toEqual([1, 0]);
    await clock.advance(10_000);
    expect(state.meters).toHaveLength(1);
  });

  test("is looked for ever less often: a thousand seconds take a thousand looks and ten", async () => {
    const { clock, state } = lookOut();
    let looks = 0;
    const { metrics } = api;
    const registered = metrics.getMeterProvider;
    metrics.getMeterProvider = () => {
      looks++;
      return registered.call(metrics);
    };
    await clock.advance(1_000_000);
    metrics.getMeterProvider = registered;
    expect(looks).toBeGreaterThan(990);
    expect(looks).toBeLessThan(1_015);
    expect(state.meters).toEqual([]);
  });

  test("is looked for no more when nobody wants it, or the look-out was disposed of", async () => {
    const [stopped, disposed] = [lookOut(), lookOut()];
    stopped.state.wanted = false;
    disposed.late[Symbol.dispose]();
    expect(disposed.clock.timers).toBe(0);
    await stopped.clock.advance(1_000);
    expect(stopped.clock.timers).toBe(0);
    api.metrics.setGlobalMeterProvider(new MeterProvider());
    for (const { clock } of [stopped, disposed]) await clock.advance(10_000);
    expect([stopped.state.meters, disposed.state.meters]).toEqual([[], []]);
  });

  test("of a provider that throws is given up, and the error counted", async () => {
    const broken = {
      getMeter: () => {
        throw new Error("no meter");
      },
    };
    const given = lookOut(broken);
    expect(given.state).toMatchObject({ errors: 1, meters: [] });
    const late = lookOut();
    api.metrics.setGlobalMeterProvider(broken);
    await late.clock.advance(10_000);
    expect(late.state).toMatchObject({ errors: 1, meters: [] });
    expect([given.clock.timers, late.clock.timers]).toEqual([0, 0]);
  });
});

test("the scope is the package, with its version", () => {
  expect(SCOPE).toMatchObject({ name: "millrace", version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
});
