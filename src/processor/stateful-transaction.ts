import type { EncodedRecord } from "../record.js";
import { type AnyStore, notListed } from "../state/store-definition.js";
import type { StoreOf } from "../state/task-state.js";
import type { ClientTelemetry } from "../telemetry/client-telemetry.js";
import type { Encoders } from "../serde/encoders.js";
import { type Transaction, TransactionSends } from "../transactions/transaction.js";

/** A processor's transaction, as its handlers see it. */
export interface StatefulTransaction<Stores extends AnyStore> extends Transaction {
  /**
   * The store of this definition, for the record's partition. What is written to it is in the same transaction.
   * @throws `ConfigError` for a store that the processor does not list in `stores`
   */
  readonly store: <Definition extends Stores>(definition: Definition) => StoreOf<Definition>;
}

/** Gives the store of a definition. */
export type StoreAccess = <Definition extends AnyStore>(definition: Definition) => StoreOf<Definition>;

/** What one call of a handler, or other work of a task, sends, and the stores that it uses. */
export class StatefulSends extends TransactionSends implements StatefulTransaction<AnyStore> {
  readonly store: StoreAccess;

  constructor(
    encoders: Encoders,
    pass: (topic: string, record: EncodedRecord) => Promise<void> | undefined,
    telemetry: ClientTelemetry | undefined,
    store: StoreAccess = withoutStores,
  ) {
    super(encoders, pass, telemetry);
    this.store = store;
  }
}

function withoutStores(definition: AnyStore): never {
  throw notListed(definition);
}
