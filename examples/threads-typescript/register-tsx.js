// Makes the thread that imports this file understand TypeScript, as `node --import tsx` does for a program.
import { register } from "tsx/esm/api";

register();
