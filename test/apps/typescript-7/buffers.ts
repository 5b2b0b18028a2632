import { bytes, defineTopic, type ValueOf } from "typed-kafka";

// The compiler loads no @types/node here: the declarations of the library have to ask for it.
const images = defineTopic("images", { value: bytes() });
export const image: ValueOf<typeof images> = Buffer.from("x");
// @ts-expect-error a Buffer is no number, and not `any`
export const wrong: number = image;
