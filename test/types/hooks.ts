import { TaskManager } from "millrace";

// Hooks may use the manager that they are given to, though its type is not known yet where they are written.
const tasks = new TaskManager({ hooks: { onFinished: () => tasks.stopNow() } });
export const b = new TaskManager({
  hooks: {
    onStarted: async () => {
      await b.stopNow();
    },
  },
});
export const c = new TaskManager({
  hooks: {
    onStarted: () => {
      c.stopNow();
    },
  },
});
export const d = new TaskManager({ hooks: { onStarted: (task) => d.cancel(task.id) } });
await tasks.stopNow();
