import { defineHandlers, json } from "millrace";

export const imageHandlers = defineHandlers({
  resize: {
    payload: json<{ path: string; width: number; notify: string }>(),
    queue: "images",
    maxConcurrency: 2,
    // What a handler enqueues is an ordinary task: this one goes on at once, and holds no slot for it.
    run: async ({ path, width, notify }, { enqueue }) => {
      const { id } = await enqueue("sendEmail", { to: notify, text: `${path} is ready` }, { id: "mail" });
      return { path, width, id };
    },
  },
});
