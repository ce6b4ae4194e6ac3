// What producers and workers share: a name, a payload, a result, and what holds for all tasks of the handler.
import { defineHandlers } from "millrace";
import * as z from "zod";

export const sendEmail = {
  payload: z.object({ to: z.email(), locale: z.string().default("en") }), // stored as it was given
  result: z.object({ messageId: z.string() }),
  queue: "mail",
  maxAttempts: 5,
};

/** For producers: with the types of what runs elsewhere, and none of the code. */
export const contract = defineHandlers({ sendEmail });
