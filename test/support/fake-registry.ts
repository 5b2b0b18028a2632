import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

interface Registered {
  readonly id: number;
  readonly schema: string;
  readonly schemaType?: string;
  readonly references?: readonly unknown[];
}

/** What the registry does in place of an answer: another status, with a body; or never answer. */
type Fault = { readonly status: number; readonly body?: unknown } | "hang";

/** A schema registry in this process, which counts what it is asked and fails on purpose. */
export interface FakeRegistry extends AsyncDisposable {
  readonly url: string;
  /** Each request, as `GET /schemas/ids/1`, without the query. */
  readonly requests: string[];
  /** The headers of each request. */
  readonly headers: IncomingMessage["headers"][];
  /** Asked before each answer; nothing unless it is set. */
  fault: (request: string) => Fault | undefined;
  /** Registers a schema past the protocol; returns its id. */
  readonly register: (
    subject: string,
    schema: object | string,
    type?: string,
    references?: readonly unknown[],
  ) => number;
  /** What is registered under a subject, oldest first. */
  readonly subject: (name: string) => readonly Registered[];
}

export async function startFakeRegistry(): Promise<FakeRegistry> {
  const subjects = new Map<string, Registered[]>();
  const schemas: Registered[] = [];
  const subjectOf = (name: string): Registered[] => subjects.get(name) ?? [];

  const add = (subject: string, given: Omit<Registered, "id">): Registered => {
    const same = (one: Omit<Registered, "id">): boolean =>
      one.schema === given.schema && JSON.stringify(one.references) === JSON.stringify(given.references);
    let found = schemas.find(same);
    if (found === undefined) {
      found = { ...given, id: schemas.length + 1 };
      schemas.push(found);
    }
    if (!subjectOf(subject).some(same)) subjects.set(subject, [...subjectOf(subject), found]);
    return found;
  };

  const answer = (method: string, path: string, body: string): [number, unknown] => {
    const missing = (code: number): [number, unknown] => [404, { error_code: code, message: "not found" }];
    const [, first = "", second = "", third, fourth = ""] = path.split("/").map(decodeURIComponent);
    if (first === "schemas") {
      const found = schemas[Number(third) - 1];
      return found === undefined ? missing(40403) : [200, found];
    }
    const known = subjectOf(second);
    const versioned = (found: Registered): unknown => ({
      ...found,
      subject: second,
      version: known.indexOf(found) + 1,
    });
    if (method === "POST") {
      const given = JSON.parse(body) as Registered;
      if (third === "versions") return [200, { id: add(second, given).id }];
      const found = known.find(({ schema }) => schema === given.schema);
      return found === undefined ? missing(known.length === 0 ? 40401 : 40403) : [200, versioned(found)];
    }
    const found = fourth === "latest" ? known.at(-1) : known[Number(fourth) - 1];
    return found === undefined ? missing(40401) : [200, versioned(found)];
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const path = new URL(request.url ?? "/", "http://registry").pathname;
    registry.requests.push(`${request.method ?? ""} ${path}`);
    registry.headers.push(request.headers);
    const fault = registry.fault(`${request.method ?? ""} ${path}`);
    if (fault === "hang") return;
    const [status, given] =
      fault === undefined ? answer(request.method ?? "", path, body) : [fault.status, fault.body];
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof given === "string" ? given : JSON.stringify(given ?? {}));
  };

  const server = createServer((request, response) => void serve(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const registry: FakeRegistry = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    headers: [],
    fault: () => undefined,
    register: (subject, schema, schemaType, references) => {
      const text = typeof schema === "string" ? schema : JSON.stringify(schema);
      return add(subject, {
        schema: text,
        ...(schemaType === undefined ? {} : { schemaType }),
        ...(references === undefined ? {} : { references }),
      }).id;
    },
    subject: subjectOf,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return registry;
}
