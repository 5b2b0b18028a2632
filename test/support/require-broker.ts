import { inject } from "vitest";

const reason = inject("noBroker");
if (reason !== "") throw new Error(reason);
