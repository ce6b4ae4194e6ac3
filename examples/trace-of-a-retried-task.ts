// What does the trace of a task look like? A span for the call, one for each attempt, and what it did inside.
import { trace } from "@opentelemetry/api";
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-node";
import { defineHandlers, fixed, json, TaskManager } from "millrace";
import { instrument } from "millrace/otel";

const handlers = defineHandlers({
  sendEmail: {
    payload: json<{ to: string }>(),
    queue: "mail",
    maxAttempts: 3,
    backoff: fixed({ delayMs: 20 }),
    run: async (_email, { attempt }) => {
      trace.getTracer("mailer").startSpan("connect to the mail server").end();
      if (attempt === 1) throw new RangeError("the mailbox of ada@example.org is full"); // in no span
    },
  },
});

// `parent` makes one trace of it all; by default each attempt begins a trace of its own, linked to the call.
const tasks = new TaskManager({ handlers });
instrument(tasks, { traces: { relation: "parent" } });

// The SDK may come later. Yours has an exporter that sends spans somewhere; this one keeps them.
const exporter = new InMemorySpanExporter();
new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();

await trace.getTracer("shop").startActiveSpan("POST /sign-up", async (span) => {
  const email = tasks.enqueue("sendEmail", { to: "ada@example.org" });
  span.end(); // the request is over, the task goes on
  await email.result();
});
await tasks.stopGraceful();

/** Prints a span and those below it, in the order of their beginning. */
function print(span: ReadableSpan, indent = ""): void {
  const told = ["millrace.attempt", "millrace.outcome", "error.type"].map((key) => span.attributes[key]);
  const events = span.events.map(({ name }) => `+ ${name}`);
  console.log([indent + span.name, ...told.filter((value) => value !== undefined), ...events].join(" | "));
  for (const one of spans)
    if (one.parentSpanContext?.spanId === span.spanContext().spanId) print(one, `${indent}  `);
}
const startedAt = ({ startTime: [seconds, nanos] }: ReadableSpan) => seconds * 1e3 + nanos / 1e6;
const spans = exporter.getFinishedSpans().sort((one, other) => startedAt(one) - startedAt(other));
for (const span of spans) if (span.parentSpanContext === undefined) print(span);

// Prints:
// POST /sign-up
//   send mail
//     process mail | 1 | retried | RangeError | + retry
//       connect to the mail server
//     process mail | 2 | completed
//       connect to the mail server
