/** What sort of value an option takes. */
export type OptionKind =
  | "integer"
  | "number"
  | "text"
  | "choice"
  | "flag"
  | "function"
  | "object"
  | "list"
  | "topic"
  | "position"
  | "signal"
  | "credentials";

/** What documentation says of an option. */
export interface OptionNotes {
  /** librdkafka's property that it sets. */
  readonly property?: string;
  /** Its name in kafkajs. */
  readonly kafkajs?: string;
  /** Whether it is a secret, which no message shows. */
  readonly secret?: true;
  /** What absent means, where that is no single value. */
  readonly absent?: string;
}

/** One option as it is declared: plain data for documentation and tests, and its check. */
export interface DeclaredOption extends OptionNotes {
  /** What sort of value it takes. */
  readonly kind: OptionKind;
  /** Whether it must be given. */
  readonly required: boolean;
  /** The value where it is not given; `undefined` for none. */
  readonly default?: unknown;
  /** The least number. */
  readonly min?: number;
  /** The greatest number. */
  readonly max?: number;
  /** The words that it takes. */
  readonly words?: readonly string[];
  /** The options within it. */
  readonly options?: DeclaredOptions;
  /**
   * Gives the value, or the default.
   * @throws `ConfigError` with `path` as its field
   */
  readonly check: (path: string, given: unknown) => unknown;
}

/** Options as they are declared, by their names. */
export type DeclaredOptions = Readonly<Record<string, DeclaredOption>>;

/** The declaration of an option that takes a `Value`; checked it is a `Result`. */
export interface OptionSpec<
  Value,
  Result = Value | undefined,
  Required extends boolean = false,
> extends DeclaredOption {
  readonly required: Required;
  readonly check: (path: string, given: unknown) => Result;
  /** Never there. It makes a spec fit options of exactly this type: a word that is missing does not compile. */
  readonly takes?: (value: Value) => Value;
}

/**
 * A spec for every option of an interface, and for nothing else. `{…} satisfies OptionSpecs<SomeOptions>` does not
 * compile where an option has no spec or one of another type, nor where a spec is of no option.
 */
export type OptionSpecs<Options> = {
  readonly [Name in keyof Options]-?: OptionSpec<
    Exclude<Options[Name], undefined>,
    unknown,
    undefined extends Options[Name] ? false : true
  >;
};

/** Options that have been checked, with their defaults. */
export type Checked<Specs extends DeclaredOptions> = {
  readonly [Name in keyof Specs]: ReturnType<Specs[Name]["check"]>;
};
