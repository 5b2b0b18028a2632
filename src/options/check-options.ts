import { checkKnown } from "../check.js";
import { insteadOfOption } from "../kafkajs-habits.js";
import type { Checked, DeclaredOptions } from "./spec.js";

/**
 * Checks options against their specs and fills in the defaults; what the caller passed stays as it is.
 *
 * @param title - what the options are called where one is given that does not exist, such as `ConsumerOptions`
 * @param prefix - what stands before an option's name where it is wrong, for options within others
 * @throws `ConfigError` naming the option
 */
export function checkOptions<const Specs extends DeclaredOptions>(
  title: string,
  given: unknown,
  specs: Specs,
  prefix = "",
): Checked<Specs> {
  checkKnown(title, given, Object.keys(specs), (name) => insteadOf(name, specs, prefix));
  return checkValues(given as object, specs, prefix);
}

/** {@link checkOptions} for an object that may have options of others too, which are left alone. */
export function checkValues<const Specs extends DeclaredOptions>(
  given: object,
  specs: Specs,
  prefix = "",
): Checked<Specs> {
  const values = given as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, spec.check(`${prefix}${name}`, values[name])]),
  ) as Checked<Specs>;
}

/** What an option is called here, or what to do instead, where its name is one of kafkajs's. */
function insteadOf(name: string, specs: DeclaredOptions, prefix: string): string | undefined {
  const path = `${prefix}${name}`;
  return insteadOfOption(path, Object.entries(specs).find(([, { kafkajs }]) => kafkajs === path)?.[0]);
}
