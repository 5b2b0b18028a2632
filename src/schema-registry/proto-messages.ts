/** A message in a .proto file, and those inside it, in the order of the file. */
export interface ProtoMessage {
  readonly name: string;
  readonly nested: readonly ProtoMessage[];
}

/** What a .proto file holds, as far as it tells which message an index means. */
export interface ProtoFile {
  readonly package: string;
  readonly messages: readonly ProtoMessage[];
}

/** The full name of the message at a path of indexes; `undefined` where there is none. */
export function messageAt(file: ProtoFile, indexes: readonly number[]): string | undefined {
  let messages = file.messages;
  const names = file.package === "" ? [] : [file.package];
  for (const index of indexes) {
    const message = messages[index];
    if (message === undefined) return undefined;
    names.push(message.name);
    messages = message.nested;
  }
  return names.join(".");
}

/** The path of indexes to a message of this full name; `undefined` where there is none. */
export function indexesOf(file: ProtoFile, fullName: string): readonly number[] | undefined {
  const prefix = file.package === "" ? "" : `${file.package}.`;
  if (!fullName.startsWith(prefix)) return undefined;
  const indexes: number[] = [];
  let messages = file.messages;
  for (const name of fullName.slice(prefix.length).split(".")) {
    const index = messages.findIndex((message) => message.name === name);
    const found = messages[index];
    if (found === undefined) return undefined;
    indexes.push(index);
    messages = found.nested;
  }
  return indexes;
}

/**
 * Comments, texts, names, and every other sign by itself. A comment or text that does not end goes on to the end of
 * the file: where it were no token, every sign of it would be looked at as the begin of one that goes so far.
 */
const tokens =
  /\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|"(?:\\[\s\S]?|[^"\\])*(?:"|$)|'(?:\\[\s\S]?|[^'\\])*(?:'|$)|[\w.]+|[^\s]/g;

/**
 * Finds the messages in the text of a .proto file. Of its grammar only what opens and closes a block matters:
 * inside a message, `message` followed by a name and a brace is always another one.
 */
export function parseProto(text: string): ProtoFile {
  const words = (text.match(tokens) ?? []).filter((word) => !word.startsWith("//") && !word.startsWith("/*"));
  const messages: ProtoMessage[] = [];
  let packageName = "";
  /** For each open block the messages in it; `undefined` for what is no message. */
  const open: (ProtoMessage[] | undefined)[] = [];
  for (const [index, word] of words.entries()) {
    if (word === "package" && open.length === 0) packageName = words[index + 1] ?? "";
    if (word === "}") open.pop();
    if (word !== "{") continue;
    const name = words[index - 1] ?? "";
    const around = open.length === 0 ? messages : open.at(-1);
    if (words[index - 2] === "message" && around !== undefined) {
      const nested: ProtoMessage[] = [];
      around.push({ name, nested });
      open.push(nested);
    } else open.push(undefined);
  }
  return { package: packageName, messages };
}
