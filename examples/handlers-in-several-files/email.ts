import { defineHandlers, json } from "millrace";

export const emailHandlers = defineHandlers({
  sendEmail: {
    payload: json<{ to: string; text: string }>(),
    queue: "email",
    maxAttempts: 5,
    run: async ({ to, text }) => `"${text}" to ${to}`,
  },
});
