// Draws the picture of the dashboard that the README shows: `npm run picture`.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { takePicture } from "./take-picture.js";

const file = fileURLToPath(new URL("../../src/adapters/otel/dashboard/dashboard.svg", import.meta.url));
await writeFile(file, await takePicture({ durationMs: 48_000, scrapeIntervalMs: 500 }));
console.log(`${file} is drawn`);
